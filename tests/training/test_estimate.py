"""What an estimate says of a corpus is what is found in it, within the error that it states."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bpetok
from bpetok import Words
from bpetok.base.demo import demo_files
from bpetok.training.memory import LEFT_MEMORY
from processes import measures_memory


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """The files of the standard library: 8 MB or more."""
    texts = [Path(path).read_text(encoding="utf-8") for path in demo_files()]
    return [text for text in texts if text]


@pytest.fixture(scope="module")
def words(texts: list[str]) -> Words:
    return bpetok.count_words_from_iterator(texts)


def write(folder: Path, name: str, texts: list[str]) -> Path:
    """Write texts as what the name says."""
    path = folder / name
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()
    if name == "a.parquet":
        table = pa.table({"text": texts})
        pq.write_table(table, path, row_group_size=50, use_dictionary=False)
    elif name == "a.txt":
        path.write_bytes("".join(texts).encode())
    else:
        path.write_bytes(gzip.compress(lines, 1) if name.endswith(".gz") else lines)
    return path


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.jsonl.gz", "a.parquet", "folder"])
def test_an_estimate_is_near_what_is_there(
    tmp_path: Path, name: str, texts: list[str], words: Words
) -> None:
    """From 3 MB, from each format, for any number of files."""
    if name == "folder":
        for i, text in enumerate(texts):
            (tmp_path / f"{i}.txt").write_text(text, encoding="utf-8")
        path = tmp_path
    else:
        path = write(tmp_path, name, texts)
    found = bpetok.estimate(path, vocab_size=8000, n_threads=2, sample_size="3MB")
    assert found.n_sampled < 0.6 * words.n_bytes
    # Files of one folder differ much in size: some of them say little of all.
    near = 0.25 if name == "folder" else 0.15
    assert abs(found.n_bytes / words.n_bytes - 1) < near
    factor = found.n_unique_words / len(words)
    allowed = (1 + found.error) * (1 + near)
    assert 1 / allowed < factor < allowed
    assert 0.3 < found.growth < 1
    assert found.error > 0.05


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl.gz", "a.parquet"])
def test_a_sample_of_all_is_no_guess(
    tmp_path: Path, name: str, texts: list[str], words: Words
) -> None:
    """The numbers are those of the corpus, and the error is none."""
    path = write(tmp_path, name, texts)
    found = bpetok.estimate(path, vocab_size=8000, sample_size="1GB")
    expected = words if name != "a.txt" else bpetok.count_words(path)
    assert found.n_bytes == found.n_sampled == expected.n_bytes
    assert found.n_unique_words == len(expected)
    assert found.error == 0


@measures_memory
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads Linux's /proc")
def test_the_memory_of_learning_is_enough(
    tmp_path: Path, texts: list[str], environment: dict[str, str]
) -> None:
    """A process that learns takes at most the predicted memory, and not much less."""
    path = write(tmp_path, "a.txt", texts)
    code = """
import bpetok, sys
def memory(name):
    return int(dict(line.split(":") for line in open("/proc/self/status"))[name].split()[0]) * 1024
words = bpetok.count_words(sys.argv[1])
bpetok.train_from_words({b"abab ab": 1}, vocab_size=258)
idle = memory("VmRSS")
open("/proc/self/clear_refs", "w").write("5")
bpetok.train_from_words(words, vocab_size=8000, n_threads=2)
print(memory("VmHWM") - idle)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], env=environment, capture_output=True, check=True
    )
    said = bpetok.estimate(path, vocab_size=8000, sample_size="1GB").learn_memory - LEFT_MEMORY
    assert said / 8 < int(done.stdout) < said


@pytest.mark.parametrize("n_different", [1_000_000, 100])
def test_what_is_decompressed_ahead_is_not_taken_for_read(tmp_path: Path, n_different: int) -> None:
    """A block of a small file may hold more text than is looked at, here and elsewhere."""
    fsspec = pytest.importorskip("fsspec")
    text = "".join(f"{i * i % n_different} and more\n" for i in range(400_000)).encode()
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(text))
    with fsspec.open("memory://estimates/a.txt.gz", "wb") as file:
        file.write(path.read_bytes())
    for name in (str(path), "memory://estimates/a.txt.gz"):
        found = bpetok.estimate(name, vocab_size=300, sample_size="1MB")
        assert 0.8 * len(text) < found.n_bytes < 1.2 * len(text), name


def test_an_estimate_is_printed(tmp_path: Path, environment: dict[str, str]) -> None:
    """By the command, with its options, in four lines."""
    (tmp_path / "a.jsonl").write_text('{"content": "hello world"}\n' * 1000)
    command = [sys.executable, "-m", "bpetok", "estimate", "a.jsonl", "--text-column", "content"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    text, unique, *rest = done.stdout.splitlines()
    assert text == "text          0.0 MB, 0.0 MB of it looked at"
    assert unique.startswith("unique words  2, within 0%")
    assert [line.split()[0] for line in rest] == ["counting", "learning"]
    command[4] = "nothing.txt"
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "bpetok: error: no such file: 'nothing.txt'\n")


@pytest.mark.filterwarnings("ignore:pattern .* can't be compiled")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pattern": r"(\w)\1|.|\n"}, "needs a pattern that can be compiled"),
        ({"sample": 0.5}, "sample can't be estimated"),
        ({"sample_size": "1kB"}, "sample_size must be in 1000000"),
        ({"format": "arrow"}, "needs text, JSON lines or Parquet, this is arrow"),
    ],
)
def test_what_can_not_be_estimated_is_refused(options: dict[str, object], message: str) -> None:
    """With the reason."""
    with pytest.raises(ValueError, match=message):
        bpetok.estimate(__file__, vocab_size=300, **options)  # type: ignore[arg-type]  # as above
    with pytest.raises(ValueError, match="an estimate needs files"):
        bpetok.estimate(pa.table({"text": ["a"]}), vocab_size=300)
