"""What an estimate says of a corpus is what is found in it, within the error that it states."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bpetok
from bpetok import Words
from bpetok.base.demo import demo_files
from bpetok.patterns.builtin import steps_of_pattern
from bpetok.training.memory import LEFT_MEMORY
from bpetok.training.superwords import LINES
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


@measures_memory
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize("start", [300, 4000])
def test_the_memory_of_superwords_is_enough(
    tmp_path: Path, texts: list[str], environment: dict[str, str], start: int
) -> None:
    """What training says before stage 2, and what an estimate does: at most so much is taken."""
    path = write(tmp_path, "a.txt", texts)
    code = """
import bpetok, sys
def memory(name):
    return int(dict(line.split(":") for line in open("/proc/self/status"))[name].split()[0]) * 1024
superwords = bpetok.Superwords(int(sys.argv[2]))
few = bpetok.Superwords(257)
bpetok.train_from_iterator(["a b\\nab ab\\n"] * 9, vocab_size=258, superwords=few)
idle = memory("VmRSS")
def note(phase, done, total):
    if phase == "memory":
        open("/proc/self/clear_refs", "w").write("5")
        print(total)
bpetok.train(sys.argv[1], vocab_size=6000, n_threads=2, superwords=superwords, progress=note)
print(memory("VmHWM") - idle)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(start)],
        env=environment,
        capture_output=True,
        check=True,
    )
    said, taken = map(int, done.stdout.split())
    assert said / 2 < taken < said
    lines = bpetok.estimate(
        path, vocab_size=6000, superwords=bpetok.Superwords(start), n_threads=2, sample_size="1GB"
    ).lines
    assert lines is not None
    assert taken < max(lines.count_memory, lines.learn_memory) < 8 * taken


@pytest.mark.filterwarnings("ignore:pattern .* can't be compiled")
def test_superwords_are_a_second_estimate(tmp_path: Path, texts: list[str]) -> None:
    """Of the lines that stage 2 reads; the first one is of stage 1 alone."""
    path = write(tmp_path, "a.jsonl.gz", texts)
    first = bpetok.estimate(path, vocab_size=4000, sample_size="1GB")

    def found(**options: Any) -> tuple[bpetok.Estimate, bpetok.Estimate]:
        superwords = bpetok.Superwords(4000, **options)
        found = bpetok.estimate(path, vocab_size=6000, sample_size="1GB", superwords=superwords)
        assert found.lines is not None
        return found, found.lines

    both, lines = found()
    words = bpetok.count_words_from_iterator(texts, pattern=[LINES, *steps_of_pattern("superbpe")])
    assert (both.n_bytes, both.learn_memory) == (first.n_bytes, first.learn_memory)
    assert lines.n_bytes == first.n_bytes
    # A text that is read in pieces may be cut within a line, where words of stage 1 end.
    assert lines.n_unique_words == pytest.approx(len(words), rel=1e-3)
    assert (lines.error, lines.lines, first.lines) == (0, None, None)
    _, part = found(max_bytes="2MB")
    assert part.n_bytes <= 2_500_000
    assert part.n_unique_words < lines.n_unique_words / 2
    _, share = found(sample=0.25)
    assert abs(share.n_bytes / lines.n_bytes - 0.25) < 0.1
    assert part.learn_seconds < lines.learn_seconds
    table = str(both).splitlines()
    assert table.index("then, for superwords:") == 5
    assert "\n".join(table[6:]) == str(lines)
    with pytest.raises(ValueError, match=r"superwords.start must be in 256..6000, got 7000"):
        bpetok.estimate(path, vocab_size=6000, superwords=bpetok.Superwords(7000))
    with pytest.raises(ValueError, match="needs a pattern that can be compiled"):
        found(pattern=r"(\w)\1|.|\n")


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
        ({"max_text_chars": 9, "format": "text"}, "max_text_chars can't be estimated for plain"),
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
