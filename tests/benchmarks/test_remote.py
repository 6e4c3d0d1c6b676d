"""Objects of a slow server: several against one."""

import sys
from pathlib import Path

import pytest

from benchmarks import remote
from strategies import TEXT

pytest.importorskip("aiohttp")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


def test_several_objects_are_measured_against_one(tmp_path: Path) -> None:
    """Of each kind; the table has what was measured."""
    text = tmp_path / "text"
    text.write_text(TEXT)
    folder = tmp_path / "objects"
    folder.mkdir()
    remote.write_objects([text], folder, 2, 5000)
    assert len(list(folder.iterdir())) == 2 * len(remote.KINDS)
    with remote.served(folder, 0.001, 0) as url:
        rows = {"txt": remote.measure(url, "txt", 2, n_threads=1, n_repeats=1)}
    row = rows["txt"]
    assert row["many"] > 0
    assert row["ratio"] == pytest.approx(row["many"] / row["one"])
    printed = remote.to_markdown(rows, 2).splitlines()
    assert printed[2].startswith(f"| .txt | {row['one']:.2f} | {row['many']:.2f} |")


def test_ctrl_c_is_measured_while_objects_are_read(tmp_path: Path) -> None:
    """From the signal to its end; nothing is said of one that came too late."""
    for number in range(2):
        (tmp_path / f"{number}.txt").write_text("plum " * 400_000)
    with remote.served(tmp_path, 0.0, 1e5) as url:
        urls = [f"{url}{number}.txt" for number in range(2)]
        answer = remote.count(urls, 2, 1, interrupt_after=0.01)
        assert answer["interrupted"] > 0
