"""A bound of memory is kept, changes no count, and leaves out only what the user allows."""

import gc
import os
import re
import signal
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bpetok
from bpetok import Words
from bpetok.base.demo import demo_files
from bpetok.counting.arrays import combine_tables
from bpetok.counting.memory import FIXED_MEMORY, CountLimits, RareWords
from bpetok.counting.spill import Spill
from bpetok.counting.word_table import N_PARTITIONS, WordTable, sorted_words
from bpetok.learning.rule import DEFAULT_TUNING
from bpetok.patterns.special import SpecialTokens
from bpetok.training.memory import LEFT_MEMORY, NUMBA_MEMORY, learning_memory
from processes import measures_memory

SMALLEST = "88MB"
"""The least bound for two threads."""


def letters(number: int) -> str:
    """Return a different word for each number, some of them long."""
    word = "".join(chr(97 + number // 26**i % 26) for i in range(5))
    return word * (1 + number % 7 // 6 * (number % 11))


def counted(n_words: int, seed: int) -> WordTable:
    """Return a table of random words."""
    numbers = np.random.default_rng(seed).integers(0, 2 * n_words, n_words)
    text = " ".join(map(letters, numbers.tolist())).encode()
    table = WordTable(SpecialTokens([]))
    assert table.count(text, np.array([len(text)])) == -1
    return table


@pytest.mark.parametrize("has_no_names", [True, False])
def test_ctrl_c_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_no_names: bool
) -> None:
    """Python looks by a file where it may write, and a system may know only files with a name."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_O_TMPFILE_WORKS", has_no_names, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    opened: list[int] = []

    def interrupted(*arguments: Any, open: Any = os.open) -> int:
        opened.append(open(*arguments))
        signal.raise_signal(signal.SIGINT)
        return opened[-1]

    monkeypatch.setattr(os, "open", interrupted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the file is closed with the object
        with pytest.raises(KeyboardInterrupt):
            Spill()
        gc.collect()
    assert opened
    assert not [*tmp_path.iterdir()]


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 9)), max_size=4))
def test_what_was_spilled_is_what_was_counted(sizes: list[tuple[int, int]]) -> None:
    """The words of tables, merged from runs, are those of the tables, in the same order."""
    expected = combine_tables([counted(*size) for size in sizes])
    spill = Spill()
    try:
        tables = [counted(*size) for size in sizes]
        for table in tables[1:]:
            spill.write(table)
            assert len(table) == 0
        merged = spill.merge(tables[:1], RareWords(), 2)
    finally:
        spill.close()
    for array, other in zip(merged, expected, strict=True):
        np.testing.assert_array_equal(array, other)


def test_a_table_is_spilled_at_its_limit() -> None:
    """Before it takes more, whatever comes in one call, and nothing is lost."""
    spill, seen = Spill(), []
    table = WordTable(SpecialTokens([]))

    def on_full(full: WordTable) -> None:
        seen.append(full.memory)
        spill.write(full)

    table.limit_memory(1_000_000, on_full)
    text = " ".join(map(letters, range(60_000))).encode()
    try:
        assert table.count(text, np.array([len(text)])) == -1
        assert len(seen) > 3
        assert max(seen) <= 1_000_000
        arrays = spill.merge([table], RareWords(), 2)
    finally:
        spill.close()
    assert Words(*arrays) == bpetok.count_words_from_iterator([text])


def test_an_error_while_spilling_ends_counting() -> None:
    """It comes out of the call that counts."""
    table = WordTable(SpecialTokens([]))
    table.limit_memory(500_000, lambda _: 1 / 0)
    text = " ".join(map(letters, range(60_000))).encode()
    with pytest.raises(ZeroDivisionError):
        table.count(text, np.array([len(text)]))


def test_sorted_words_of_all_partitions_are_the_words() -> None:
    """Each word is in one partition."""
    table = counted(5000, 1)
    found: dict[bytes, int] = {}
    for p in range(N_PARTITIONS):
        data, lengths, counts = sorted_words(table, p)
        ends = np.cumsum(lengths)
        words = [data[end - n : end].tobytes() for end, n in zip(ends, lengths, strict=True)]
        found |= dict(zip(words, counts.tolist(), strict=True))
    assert sum(found.values()) == 5000
    assert len(found) == len(table)


@measures_memory
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_the_bound_is_kept(tmp_path: Path, environment: dict[str, str]) -> None:
    """In a process that counts more words than the bound has room for; the counts are the same."""
    rng = np.random.default_rng(0)
    with (tmp_path / "a.txt").open("w") as file:
        for _ in range(20):
            file.write(" ".join(map(letters, rng.integers(0, 2_000_000, 100_000).tolist())))
    code = """
import bpetok.counting.count, pathlib, sys
def peak(name):
    return int(dict(line.split(":") for line in open("/proc/self/status"))[name].split()[0]) * 1024
idle = peak("VmRSS")
words = bpetok.count_words("a.txt", max_memory=None if sys.argv[1] == "0" else "110MB",
                           n_threads=2, min_word_count=2)
print(peak("VmHWM") - idle, len(words), words.total, words.counts[:100].tolist())
"""
    peaks, results = [], []
    for bounded in "01":
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, bounded],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        peak, _, result = done.stdout.partition(" ")
        peaks.append(int(peak))
        results.append(result)
    assert results[0] == results[1]
    assert peaks[1] < 110_000_000 < peaks[0]


@measures_memory
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize("compiled", [True, False])
def test_the_bound_is_kept_while_learning(
    tmp_path: Path, environment: dict[str, str], compiled: bool
) -> None:
    """Also the smallest one that is enough, after counting from Parquet, which keeps most.

    Compiling the kernels takes memory, too.
    """
    if not compiled:
        environment = {**environment, "NUMBA_CACHE_DIR": str(tmp_path / "empty")}
    rows = [Path(path).read_text("utf-8", "replace") for path in demo_files()]
    pq.write_table(pa.table({"text": rows}), tmp_path / "a.parquet")
    code = """
import bpetok.counting.count, bpetok.training.train, bpetok.learning.learner
import pyarrow.parquet, sys
def peak(name):
    return int(dict(line.split(":") for line in open("/proc/self/status"))[name].split()[0]) * 1024
idle = peak("VmRSS")
bpetok.train("a.parquet", vocab_size=16000, max_memory=sys.argv[1], n_threads=2)
print(peak("VmHWM") - idle)
"""

    def run(bound: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "ignore", "-c", code, bound]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    refused = re.search(r"takes up to (\d+) MB", run("95MB").stderr)
    bound = 95 if refused is None else int(refused[1]) + 1
    assert int(run(f"{bound}MB").stdout) < bound * 1_000_000


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of the size of files")
def test_a_full_disk_is_an_error_that_names_the_file(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """Nothing is left in the scratch folder."""
    (tmp_path / "a.txt").write_text(" ".join(map(letters, range(200_000))))
    code = f"""
import resource, signal, bpetok
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
bpetok.count_words("a.txt", max_memory={SMALLEST!r}, n_threads=2)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**environment, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert f"File too large while spilling words: '{tmp_path}'" in done.stderr
    assert "During handling" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills itself")
def test_nothing_is_left_of_a_killed_process(tmp_path: Path, environment: dict[str, str]) -> None:
    """However it ends: files that it spills words to have no name."""
    (tmp_path / "a.txt").write_text(" ".join(map(letters, range(200_000))))
    code = f"""
import os, signal, bpetok
from bpetok.counting.spill import Spill
write = Spill.write
def kill(*call):
    write(*call)
    os.kill(os.getpid(), signal.SIGKILL)
Spill.write = kill
bpetok.count_words("a.txt", max_memory={SMALLEST!r}, n_threads=2)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**environment, "TMPDIR": str(tmp_path)}
    )
    assert done.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.filterwarnings("ignore:pattern .* can't be compiled")
def test_texts_as_they_come_keep_the_limits_too() -> None:
    """As files do: what is spilled and what is rare."""
    texts = [" ".join(map(letters, range(n))) for n in (60_000, 50_000)]
    expected = {word: k for word, k in bpetok.count_words_from_iterator(texts) if k > 1}
    for max_memory in (None, SMALLEST):
        with pytest.warns(UserWarning, match="min_word_count=2 left out"):
            words = bpetok.count_words_from_iterator(
                iter(texts), max_memory=max_memory, min_word_count=2, n_threads=2
            )
        assert words.to_dict() == expected
    with pytest.warns(UserWarning, match="min_word_count=2 left out"):
        tok = bpetok.train_from_iterator(
            texts, vocab_size=300, max_memory="1GB", min_word_count=2, n_threads=2
        )
    assert tok == bpetok.train_from_words(expected, vocab_size=300)
    taken: list[str] = []
    for options, message in (
        ({"max_memory": "60MB"}, "at least 88 MB for 2 threads"),
        ({"min_word_count": "auto"}, "needs max_memory"),
        ({"max_memory": "1GB", "pattern": r"(\w)\1|.|\n"}, "a pattern that can't be comp"),
        ({"max_memory": "1GB", "compat": "minbpe"}, "goes by the order of the words"),
    ):
        with pytest.raises(ValueError, match=message):
            bpetok.train_from_iterator(
                (taken.append(text) or text for text in texts),  # type: ignore[func-returns-value]  # None
                vocab_size=300,
                n_threads=2,
                **options,  # type: ignore[arg-type]  # of several types
            )
    assert not taken


TEXT = ["common word"] * 50 + [f"rare{letters(i)}" for i in range(40)] + ["twice", "twice"]


def test_rare_words_are_left_out_with_a_warning() -> None:
    """It says which share of the text they were: 40 of 142 words."""
    words = bpetok.count_words_from_iterator(TEXT)
    share = 40 / words.total
    n_bytes = sum(len(word) for word, count in words if count < 2)
    byte_share = n_bytes / words.n_bytes
    message = rf"=2 left out 40 .* {share:.3%} of the words .* {byte_share:.3%}"
    with pytest.warns(UserWarning, match=message):
        tok = bpetok.train_from_words(words, vocab_size=260, min_word_count=2)
    assert tok.training is not None
    assert tok.training.n_unique_words == 3


def test_words_are_left_out_only_as_many_as_the_bound_demands(tmp_path: Path) -> None:
    """And only if that is allowed; the smallest number that is enough is found."""
    path = tmp_path / "a.txt"
    path.write_text("".join(f" {letters(i)}" * (1 + i % 9) for i in range(400_000)))
    words = bpetok.count_words(path)
    lengths = np.diff(words.offsets)

    def needed(least: int) -> int:
        kept = words.counts >= least
        return LEFT_MEMORY + int(learning_memory(kept.sum(), lengths[kept].sum(), 100, 1))

    bound = needed(4)
    with pytest.raises(ValueError, match=r"takes up to .*min_word_count=4, or 'auto'"):
        bpetok.train_from_words(words, vocab_size=356, max_memory=bound)
    with pytest.warns(UserWarning, match="min_word_count=4 left out"):
        tok = bpetok.train_from_words(
            words, vocab_size=356, max_memory=bound, min_word_count="auto"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert tok == bpetok.train_from_words(words, vocab_size=356, min_word_count=4)
    with pytest.raises(ValueError, match=r"learn fewer merges$"):
        bpetok.train_from_words(words, vocab_size=356, max_memory="1MB", min_word_count="auto")


def test_the_memory_of_numba_is_demanded_only_where_it_is_loaded() -> None:
    """For several threads and words of 12 million slots: a slot for each byte and each word."""
    n_words = np.array([999_999, 1_000_000])
    alone = learning_memory(n_words, 11 * n_words, 100, 1)
    shared = learning_memory(n_words, 11 * n_words, 100, 2)
    assert (shared - alone).tolist() == [0, NUMBA_MEMORY]
    assert DEFAULT_TUNING.parallel_slots == 12_000_000


def test_counting_leaves_rare_words_out_too(tmp_path: Path) -> None:
    """While it merges what was spilled, or at the end; "auto" keeps the bound of the words."""
    path = tmp_path / "a.txt"
    path.write_text(" ".join(TEXT))
    with pytest.warns(UserWarning, match="min_word_count=2 left out 41"):
        expected = bpetok.count_words(path, min_word_count=2)
    assert len(expected) == 3
    with pytest.warns(UserWarning, match="min_word_count=2 left out 41"):
        assert expected == bpetok.count_words(path, min_word_count=2, max_memory=SMALLEST)
    spill = Spill()
    rare = RareWords(CountLimits(FIXED_MEMORY + 40_000, auto=True))
    try:
        ids, offsets, counts = spill.merge([counted(3000, 5)], rare, 2)
    finally:
        spill.close()
    assert rare.least_count > 1
    assert counts.min() == rare.least_count
    assert 20_000 < 4 * len(ids) + 40 * len(counts) <= 40_000
    assert offsets[-1] == len(ids)
    with pytest.raises(ValueError, match="take more than max_memory"):
        RareWords(CountLimits(FIXED_MEMORY + 10_000)).make_fit(10_001)


@pytest.mark.filterwarnings("ignore:pattern .* can't be compiled")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_memory": "60MB"}, "at least 88 MB for 2 threads, got 60 MB"),
        ({"max_memory": "much"}, "a size such as '300MB'"),
        ({"min_word_count": "auto"}, "needs max_memory"),
        ({"min_word_count": 0}, "min_word_count must be in 1"),
        ({"min_word_count": "few"}, "min_word_count must be a number or 'auto', got 'few'"),
        ({"max_memory": "1GB", "pattern": r"(\w)\1|.|\n"}, "a pattern that can't be comp"),
    ],
)
def test_bounds_are_checked(options: dict[str, object], message: str) -> None:
    """Before any work."""
    with pytest.raises(ValueError, match=message):
        bpetok.count_words(__file__, n_threads=2, **options)  # type: ignore[arg-type]  # as above
    with pytest.raises(ValueError, match="with weighted sources"):
        bpetok.count_words([(__file__, 2)], max_memory="1GB")
