"""The text that every machine has."""

import sysconfig
from pathlib import Path

import pytest

from bpetok.base.demo import demo_files


def test_no_file_of_the_demo_comes_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by a link, as Debian has one, nor what is only there to test Python."""
    (tmp_path / "test").mkdir()
    for name in ("b.py", "a.py", "test/c.py", "notes.txt"):
        (tmp_path / name).write_text("import this")
    try:
        (tmp_path / "link.py").symlink_to(tmp_path / "a.py")
    except OSError:
        pytest.skip("no links here")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    assert demo_files() == [str(tmp_path / "a.py"), str(tmp_path / "b.py")]
