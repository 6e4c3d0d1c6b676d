"""Runs that are stopped, at any moment and in any way, go on and end with the same bytes."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bpetok
from bpetok import Words
from bpetok.counting import checkpoint, tables
from bpetok.counting.arrays import Split
from bpetok.counting.memory import CountLimits
from bpetok.counting.spill import Spill
from bpetok.counting.tables import save
from bpetok.learning import learner
from bpetok.learning.rule import Tuning
from bpetok.sources import corpus as sources_corpus

SPECIAL = ["<|end|>"]
TRAIN: dict[str, Any] = {"vocab_size": 600, "special_tokens": SPECIAL, "n_threads": 2}


@pytest.fixture
def corpus(tmp_path: Path) -> list[Path]:
    """Some files, one of them empty."""
    texts = [
        " ".join(f"{i * j * 7919 % 1009:x} word{j % 37}s <|end|>" for j in range(200))
        for i in range(11)
    ]
    paths = [tmp_path / f"{i:02}.txt" for i in range(12)]
    for path, text in zip(paths, [*texts, ""], strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


@pytest.fixture
def _save_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save after each file and each round."""
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(learner, "DEFAULT_TUNING", Tuning(pause_rounds=1))
    monkeypatch.setattr(sources_corpus, "MANY", 1)


class StopAt:
    """A progress callback that keeps what it is told, and interrupts at the n-th of a phase."""

    def __init__(self, phase: str, n: int) -> None:
        self.phase, self.n = phase, n
        self.told: list[tuple[str, int, int | None]] = []

    def __call__(self, phase: str, done: int, total: int | None) -> None:
        self.told.append((phase, done, total))
        if [told[0] for told in self.told].count(self.phase) == self.n:
            raise KeyboardInterrupt


@pytest.mark.usefixtures("_save_always")
def test_a_run_interrupted_again_and_again_ends_with_the_same_bytes(
    corpus: list[Path], tmp_path: Path
) -> None:
    """While counting and while learning; nothing that was saved is done again."""
    bpetok.train(corpus, **TRAIN).save(tmp_path / "straight.json")
    before: tuple[str, int] = ("count", -1)
    for phase, n in [("count", 3), ("count", 1), ("count", 4), ("learn", 1), ("learn", 5)] * 2:
        stop = StopAt(phase, n)
        try:
            tok = bpetok.train(corpus, **TRAIN, checkpoint=tmp_path / "run", progress=stop)
        except KeyboardInterrupt:
            assert stop.told[0][:2] > before
            before = stop.told[-2][:2] if len(stop.told) > 1 else before
        else:
            break
    tok = bpetok.train(corpus, **TRAIN, checkpoint=tmp_path / "run")
    tok.save(tmp_path / "resumed.json")
    assert (tmp_path / "resumed.json").read_bytes() == (tmp_path / "straight.json").read_bytes()


@pytest.mark.usefixtures("_save_always")
def test_counting_goes_on_behind_the_files_that_are_finished(
    corpus: list[Path], tmp_path: Path
) -> None:
    """They are not read again: here they could not be."""
    expected = bpetok.count_words(corpus)
    with pytest.raises(KeyboardInterrupt):
        bpetok.count_words(corpus, checkpoint=tmp_path / "run", progress=StopAt("count", 6))
    state = corpus[0].stat()
    corpus[0].write_bytes(b"\xff" * state.st_size)
    os.utime(corpus[0], ns=(state.st_atime_ns, state.st_mtime_ns))
    told: list[tuple[str, int, int | None]] = []
    words = bpetok.count_words(
        corpus, checkpoint=tmp_path / "run", progress=lambda *call: told.append(call)
    )
    assert words == expected
    total = sum(path.stat().st_size for path in corpus)
    assert told[0][1] > total // 3
    assert told[-1] == ("count", total, total)


@pytest.mark.usefixtures("_save_always")
def test_null_texts_of_an_earlier_run_are_reported(tmp_path: Path) -> None:
    """All of them at the end, when one process has seen the first and another one the second."""
    for name in ("a", "b"):
        pq.write_table(pa.table({"text": ["some text", None]}), tmp_path / f"{name}.parquet")
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    with pytest.raises(KeyboardInterrupt):
        bpetok.count_words(files, checkpoint=tmp_path / "run", progress=StopAt("count", 2))
    with pytest.warns(UserWarning, match="2 texts were null"):
        words = bpetok.count_words(files, checkpoint=tmp_path / "run")
    assert words.to_dict() == {b"some": 2, b" text": 2}


@pytest.mark.usefixtures("_save_always")
def test_weighted_sources_and_counted_words_resume_too(corpus: list[Path], tmp_path: Path) -> None:
    """Each source has counts of its own; words are known by their digest."""
    parts = [(corpus[:5], 1.0), (corpus[5:], 0.5)]
    expected = bpetok.count_words(parts)
    with pytest.raises(KeyboardInterrupt):
        bpetok.count_words(parts, checkpoint=tmp_path / "run", progress=StopAt("count", 8))
    assert bpetok.count_words(parts, checkpoint=tmp_path / "run") == expected
    straight = bpetok.train_from_words(expected, vocab_size=500)
    folder = tmp_path / "learn"
    for n in (3, 2):
        with pytest.raises(KeyboardInterrupt):
            bpetok.train_from_words(
                expected, vocab_size=500, checkpoint=folder, progress=StopAt("learn", n)
            )
    resumed = bpetok.train_from_words(expected, vocab_size=500, checkpoint=folder)
    assert resumed == straight
    np.testing.assert_array_equal(resumed.merge_counts, straight.merge_counts)
    with pytest.raises(ValueError, match="of another run, words was"):
        bpetok.train_from_words({b"other": 1}, vocab_size=500, checkpoint=folder)
    with pytest.raises(ValueError, match=r"of another run, special_tokens was \[\]"):
        bpetok.train_from_words(expected, vocab_size=500, special_tokens=["a"], checkpoint=folder)


@pytest.mark.usefixtures("_save_always")
@pytest.mark.parametrize("compat", ["huggingface", "rustbpe", "bpeasy", "cs336", None])
def test_other_rules_and_continued_training_resume(
    compat: str | None, corpus: list[Path], tmp_path: Path
) -> None:
    """Ties are broken as they would have been."""
    options: dict[str, Any] = {"vocab_size": 520, "compat": compat}
    if compat is None:
        options["initial"] = bpetok.train(corpus[:3], vocab_size=300, special_tokens=SPECIAL)
    straight = bpetok.train(corpus, **options)
    for n in (3, 4):
        stop = StopAt("learn", n)
        with pytest.raises(KeyboardInterrupt):
            bpetok.train(corpus, **options, checkpoint=tmp_path / "run", progress=stop)
    resumed = bpetok.train(corpus, **options, checkpoint=tmp_path / "run")
    assert resumed == straight
    np.testing.assert_array_equal(resumed.merge_counts, straight.merge_counts)


@pytest.mark.usefixtures("_save_always")
@pytest.mark.filterwarnings("ignore:min_word_count=2 left out")
def test_bounded_memory_and_rare_words(
    corpus: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is saved is spilled when it is added up; rare is what is so in all files together."""
    expected = bpetok.count_words(corpus, min_word_count=2)
    assert len(expected) < len(bpetok.count_words(corpus))
    monkeypatch.setattr(CountLimits, "table_limit", lambda *_: 400_000)
    spilled: list[object] = []
    write = Spill.write

    def noted(*call: Any) -> None:
        spilled.append(call)
        write(*call)

    monkeypatch.setattr(Spill, "write", noted)
    bounded: dict[str, Any] = {"max_memory": "100MB", "min_word_count": 2}
    with pytest.raises(KeyboardInterrupt):
        bpetok.count_words(
            corpus, **bounded, checkpoint=tmp_path / "run", progress=StopAt("count", 10)
        )
    spilled.clear()
    assert bpetok.count_words(corpus, **bounded, checkpoint=tmp_path / "run") == expected
    assert len(spilled) > len(corpus)


KILLED = """
import sys, bpetok, bpetok.counting.checkpoint
bpetok.counting.checkpoint.SECONDS = 0.0
tok = bpetok.train(sys.argv[1], vocab_size=600, special_tokens=["<|end|>"], checkpoint="run",
                   progress=lambda phase, done, total: print(phase, done, flush=True))
tok.save("killed.json")
"""


@pytest.mark.parametrize("pattern", ["*.txt", "*.parquet"])
def test_a_killed_process_leaves_what_the_next_one_needs(
    pattern: str, corpus: list[Path], tmp_path: Path, environment: dict[str, str]
) -> None:
    """Killed while counting, then while learning; what is half written is cleaned up.

    In many files and in one of many row groups.
    """
    column = [path.read_text(encoding="utf-8") for path in corpus] * 5
    pq.write_table(pa.table({"text": column}), tmp_path / "one.parquet", row_group_size=2)
    arguments = [sys.executable, "-c", KILLED, str(tmp_path / pattern)]
    for moment in ("count", "count", "learn 2", None):
        with subprocess.Popen(
            arguments, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if moment is not None and line.startswith(moment):
                    process.send_signal(signal.SIGKILL)
                    break
        if moment is not None:
            (tmp_path / "run" / ".0123456789abcdef.tmp").touch()
    bpetok.train(str(tmp_path / pattern), **TRAIN).save(tmp_path / "straight.json")
    assert (tmp_path / "killed.json").read_bytes() == (tmp_path / "straight.json").read_bytes()
    assert not list((tmp_path / "run").glob(".*"))


def test_what_has_changed_since_is_named_and_refused(corpus: list[Path], tmp_path: Path) -> None:
    """Options, version, files: going on would mix what does not belong together."""
    run = tmp_path / "run"
    bpetok.train(corpus, **TRAIN, checkpoint=run)
    assert bpetok.train(corpus, **TRAIN | {"n_threads": 1}, checkpoint=run).vocab_size == 600
    for change, message in (
        ({"pattern": "cl100k"}, "pattern was 'gpt2' and is 'cl100k' now: go on with what was used"),
        ({"special_tokens": ["<|pad|>"]}, r"special_tokens was \['<|end|>'\] and"),
        ({"vocab_size": 800}, "vocab_size was 600 and is 800"),
        ({"min_frequency": 2}, "min_frequency was 1 and is 2"),
        ({"sample": 0.5}, r"sample was 1\.0 and is 0\.5"),
        ({"errors": "replace"}, "errors was 'strict' and is 'replace'"),
    ):
        with pytest.raises(ValueError, match=message):
            bpetok.train(corpus, **TRAIN | change, checkpoint=run)
    with pytest.raises(ValueError, match="the files are others: 12 of them then, 11 now"):
        bpetok.train(corpus[1:], **TRAIN, checkpoint=run)
    with pytest.raises(ValueError, match="of another run, vocab_size was 600 and is None"):
        bpetok.count_words(corpus, special_tokens=SPECIAL, checkpoint=run)
    content = json.loads((run / "run.json").read_bytes())
    (run / "run.json").write_text(json.dumps(content | {"bpetok_version": "0.0.9"}), "utf-8")
    with pytest.raises(ValueError, match=r"bpetok_version was '0\.0\.9' and is"):
        bpetok.train(corpus, **TRAIN, checkpoint=run)
    old = {name: value for name, value in content.items() if name != "checkpoint_layout"}
    (run / "run.json").write_text(json.dumps(old), "utf-8")
    with pytest.raises(ValueError, match="checkpoint_layout was None and is 5 now: go on with"):
        bpetok.train(corpus, **TRAIN, checkpoint=run)
    (run / "run.json").write_text(json.dumps(content), "utf-8")
    os.utime(corpus[3], (time.time(), 12345))
    with pytest.raises(ValueError, match=r"the file .*03\.txt has changed now"):
        bpetok.train(corpus, **TRAIN, checkpoint=run)


def test_folders_that_are_no_checkpoints_are_refused(corpus: list[Path], tmp_path: Path) -> None:
    """Nobody's files are touched, and nothing is made of damaged ones."""
    with pytest.raises(ValueError, match=r"must be a new or empty folder, it has '00\.txt'"):
        bpetok.count_words(corpus, checkpoint=tmp_path)
    run = tmp_path / "run"
    bpetok.count_words(corpus, checkpoint=run)
    counts = next(run.glob("counts-*"))
    counts.write_bytes(counts.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"counts-0-0\.parquet is damaged or not whole"):
        bpetok.count_words(corpus, checkpoint=run)
    Words.from_counts({b"a": 1}).save(counts)
    with pytest.raises(ValueError, match=r"counts-0-0\.parquet does not say what was counted"):
        bpetok.count_words(corpus, checkpoint=run)
    counts.unlink()
    bpetok.count_words(corpus, checkpoint=run)
    counts.rename(run / "counts-0-3.parquet")
    (run / "counts-0-7.parquet").write_bytes((run / "counts-0-3.parquet").read_bytes())
    with pytest.raises(ValueError, match=r"-7\.parquet has texts that the counts before it have"):
        bpetok.count_words(corpus, checkpoint=run)
    for name, data in (("inputs.parquet", b"PAR1"), ("run.json", b"{")):
        (run / name).write_bytes(data)
        with pytest.raises(ValueError, match=f"{name}( is damaged or not whole|: is not a run's)"):
            bpetok.count_words(corpus, checkpoint=run)


@pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")
def test_two_runs_cannot_share_a_folder(corpus: list[Path], tmp_path: Path) -> None:
    """The second one is told so."""
    with (
        checkpoint.open_checkpoint(tmp_path / "run", {}),
        pytest.raises(OSError, match="in use by another process"),
    ):
        bpetok.count_words(corpus, checkpoint=tmp_path / "run")


def test_what_cannot_be_read_again_has_no_checkpoint(corpus: list[Path], tmp_path: Path) -> None:
    """Standard input, tables, a limit across files."""
    for files in ("-", pa.table({"text": ["a"]})):
        with pytest.raises(
            ValueError, match=r"needs files, which can be read again; got '(-|Table)"
        ):
            bpetok.count_words(files, checkpoint=tmp_path / "run")
    with pytest.raises(ValueError, match="compat='minbpe' goes by the order of the words"):
        bpetok.train(corpus, vocab_size=300, compat="minbpe", checkpoint=tmp_path / "run")
    with pytest.raises(ValueError, match="checkpoint and max_bytes exclude each other"):
        bpetok.count_words(corpus, max_bytes=10, checkpoint=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("_save_always")
def test_words_of_any_bytes_resume(tmp_path: Path) -> None:
    """Counts of other programs need not be UTF-8."""
    words = Words.from_counts({bytes([255 - i % 7, i % 5, 200, i % 3]): i + 1 for i in range(99)})
    with pytest.raises(KeyboardInterrupt):
        bpetok.train_from_words(
            words, vocab_size=300, checkpoint=tmp_path, progress=StopAt("learn", 3)
        )
    resumed = bpetok.train_from_words(words, vocab_size=300, checkpoint=tmp_path)
    assert resumed == bpetok.train_from_words(words, vocab_size=300)


def learned(folder: Path, text: str = "low lower lowest newest widest " * 50) -> Path:
    """Begin a run, with merges that were saved; return their file."""
    (folder / "t.txt").write_text(text)
    stop = StopAt("learn", 3)
    with pytest.raises(KeyboardInterrupt):
        bpetok.train(folder / "t.txt", vocab_size=270, checkpoint=folder / "run", progress=stop)
    path = folder / "run" / "merges.parquet"
    assert pq.read_table(path).num_rows > 1
    return path


@pytest.mark.usefixtures("_save_always")
@pytest.mark.parametrize(
    "rows",
    [
        [(10**6, 97, 9)],
        [((1 << 31) - 1, (1 << 31) - 1, 9)],
        [(97, -1, 9)],
        [(256, 97, 9)],
        [(108, 111, 9), (257, 119, 9)],
        [(108, 111, 0)],
        [(108, 111, 9), (256, 119, 10)],
        [(108, 111, 9), (108, 111, 9)],
        [(97, 97, 9)] + [(256 + i, 256 + i, 9) for i in range(5)],
        [(i, i + 1, 9) for i in range(15)],
    ],
)
def test_merges_that_cannot_be_of_the_run_are_refused(
    rows: list[tuple[int, int, int]], tmp_path: Path
) -> None:
    """Ids that there are not yet, counts that rise, tokens twice or longer than any word."""
    path = learned(tmp_path)
    schema = pq.read_schema(path)  # it says which words they were learned from
    pq.write_table(pa.table(list(zip(*rows, strict=True)), schema=schema), path)
    with pytest.raises(ValueError, match=r"merges\.parquet, row \d+ .* can't be a merge of this"):
        bpetok.train(tmp_path / "t.txt", vocab_size=270, checkpoint=tmp_path / "run")
    path.unlink()
    resumed = bpetok.train(tmp_path / "t.txt", vocab_size=270, checkpoint=tmp_path / "run")
    assert resumed == bpetok.train(tmp_path / "t.txt", vocab_size=270)


@pytest.mark.usefixtures("_save_always")
def test_merges_of_other_words_are_refused(tmp_path: Path) -> None:
    """Each of them could be one of this run; they were learned from another text of its size."""
    path = learned(tmp_path)
    expected = bpetok.train(tmp_path / "t.txt", vocab_size=270)
    (tmp_path / "other").mkdir()
    other = learned(tmp_path / "other", "newest newest newest widest low" * 50)
    path.write_bytes(other.read_bytes())
    with pytest.raises(ValueError, match=r"merges\.parquet has merges of other words .*: remove"):
        bpetok.train(tmp_path / "t.txt", vocab_size=270, checkpoint=tmp_path / "run")
    pq.write_table(pq.read_table(other).replace_schema_metadata(), path)
    with pytest.raises(ValueError, match=r"merges\.parquet has merges of other words .*: remove"):
        bpetok.train(tmp_path / "t.txt", vocab_size=270, checkpoint=tmp_path / "run")
    path.unlink()
    resumed = bpetok.train(tmp_path / "t.txt", vocab_size=270, checkpoint=tmp_path / "run")
    assert resumed == expected


@pytest.mark.usefixtures("_save_always")
def test_every_damaged_byte_of_merges_is_found_or_changes_nothing(tmp_path: Path) -> None:
    """Nothing is learned from what was not learned, and nothing ends the process."""
    path = learned(tmp_path)
    expected = bpetok.train(tmp_path / "t.txt", vocab_size=270)
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        try:
            found = bpetok.train(tmp_path / "t.txt", vocab_size=270, checkpoint=tmp_path / "run")
        except ValueError as error:
            assert "merges.parquet" in str(error)  # noqa: PT017  # most of them raise
        else:
            assert found == expected


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"[[[0, 0, 0], [1, 0, 0]], 5, 0, 5]",
        b"[[[[0, 0, 0], [1, 0, 0]]], 5]",
        b"[[[[0, 0, 0], [1, 0, 0]]], 5, 0]",
        b"[[[[0, 0, 0], [1, 0, 0]]], 5, 0, -1]",
        b"[[[[0, 0, 0, 0], [1, 0, 0]]], 5, 0, 5]",
        b"[[[[0, 0, 0], [1, 0, 0]]], -5, 0, 5]",
        b"[[[[0, 0, 0], [1, 0, 0]]], 5.5, 0, 5]",
        b"[[[[0, 0, 0], [1, 0, true]]], 5, 0, 5]",
        b"[[[[0, 0, 0], [2, 0, 0]]], 5, 0, 5]",
        b"[[[[0, 0, 0], [1, 5, 0]]], 5, 0, 5]",
        b"[[[[0, 0, 0], [0, 0, 0]]], 5, 0, 5]",
        b"[[[[0, 9, 0], [0, 5, 0]]], 5, 0, 5]",
        b"[" * 100_000,
    ],
)
def test_counts_that_say_what_cannot_be_are_refused(content: bytes, tmp_path: Path) -> None:
    """A position that no reading comes to would leave text out, or go on for ever."""
    (tmp_path / "t.txt").write_text("low lower lowest " * 50)
    words = bpetok.count_words(tmp_path / "t.txt", checkpoint=tmp_path / "run")
    path = tmp_path / "run" / "counts-0-0.parquet"
    save(words.arrays, words.split, path, {checkpoint.METADATA_KEY: content})
    with pytest.raises(ValueError, match=r"counts-0-0\.parquet (does not say|ends at)"):
        bpetok.count_words(tmp_path / "t.txt", checkpoint=tmp_path / "run")


@pytest.mark.parametrize(
    "ranges",
    [
        [[[0, 9, 0], [1, 0, 0]]],
        [[[0, 0, 0], [0, 9, 0]]],
        [[[0, 0, 5], [0, 0, 9]]],
        [[[0, 0, 0], [0, 10**9, 5]]],
        [[[0, 2, 1], [0, 5, 2]], [[0, 9, 3], [1, 0, 0]]],
    ],
)
def test_counts_up_to_a_place_where_no_text_ends_are_refused(
    ranges: list[list[list[int]]], tmp_path: Path
) -> None:
    """A small file is read whole: a gap in it would stay, and be counted for ever."""
    (tmp_path / "t.txt").write_text("low lower lowest " * 50)
    words = bpetok.count_words(tmp_path / "t.txt", checkpoint=tmp_path / "run")
    path = tmp_path / "run" / "counts-0-0.parquet"
    content = json.dumps([ranges, 5, 0, words.n_bytes]).encode()
    save(words.arrays, words.split, path, {checkpoint.METADATA_KEY: content})
    with pytest.raises(ValueError, match=r"run': .*counts-0-0\.parquet.*: remove the folder"):
        bpetok.count_words(tmp_path / "t.txt", checkpoint=tmp_path / "run")


@pytest.mark.usefixtures("_save_always")
@pytest.mark.parametrize("change", ["cut", "one count", "empty"])
@pytest.mark.parametrize("max_memory", [None, "100MB"])
def test_counts_that_were_cut_are_refused(
    corpus: list[Path], tmp_path: Path, change: str, max_memory: str | None
) -> None:
    """A whole file of counts, which says what was counted, but has not all words of it."""
    run = tmp_path / "run"
    bpetok.count_words(corpus, checkpoint=run, max_memory=max_memory)
    path = run / "counts-0-1.parquet"
    table = pq.read_table(path)
    if change == "one count":
        counts = table["count"].to_numpy().copy()
        counts[3] += 1
        table = table.set_column(1, table.schema.field("count"), pa.array(counts))
    else:
        table = table.slice(0, 0 if change == "empty" else table.num_rows - 1)
    pq.write_table(table, path)
    with pytest.raises(ValueError, match=r"counts-0-1\.parquet is damaged .* that were saved"):
        bpetok.count_words(corpus, checkpoint=run, max_memory=max_memory)


@pytest.mark.usefixtures("_save_always")
def test_counts_of_another_split_are_refused(corpus: list[Path], tmp_path: Path) -> None:
    """They say how their words were split; the run says it, too."""
    run = tmp_path / "run"
    words = bpetok.count_words(corpus, checkpoint=run)
    for path in run.glob("counts-0-*.parquet"):
        content = tables.read_metadata(str(path))[checkpoint.METADATA_KEY]
        save(words.arrays, Split("cl100k", ()), path, {checkpoint.METADATA_KEY: content})
    with pytest.raises(ValueError, match="were counted with pattern 'cl100k', but the caller says"):
        bpetok.count_words(corpus, checkpoint=run)


@pytest.mark.usefixtures("_save_always")
def test_counts_that_change_while_they_are_used_are_refused(
    corpus: list[Path], tmp_path: Path
) -> None:
    """Where a file system has no locks two runs may write to a folder: texts would count twice."""
    run = tmp_path / "run"

    def write_another(phase: str, done: int, total: int | None) -> None:
        for path in list(run.glob("counts-0-1.parquet")):
            path.write_bytes((run / "counts-0-0.parquet").read_bytes())

    with pytest.raises(OSError, match=r"counts-0-1\.parquet changed"):
        bpetok.count_words(corpus, checkpoint=run, progress=write_another)


@pytest.mark.parametrize(
    "content", ["[]", "3", "null", '"run"', pytest.param("[" * 100_000, id="nested")]
)
def test_a_run_that_is_no_object_is_refused(content: str, tmp_path: Path) -> None:
    """As what is no JSON."""
    (tmp_path / "t.txt").write_text("low")
    bpetok.count_words(tmp_path / "t.txt", checkpoint=tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text(content)
    with pytest.raises(ValueError, match=r"run\.json: is not a run's"):
        bpetok.count_words(tmp_path / "t.txt", checkpoint=tmp_path / "run")


@pytest.mark.parametrize(
    "names",
    [
        [".notes.tmp", "letter.txt"],
        [".notes.tmp"],
        ["lock"],
        ["inputs.parquet"],
        ["letter.txt", ".0123456789abcdef.tmp"],
    ],
)
def test_files_of_others_are_left_alone(names: list[str], tmp_path: Path) -> None:
    """Also those that are named like some of a run: it is refused before anything is touched."""
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in names:
        (mine / name).write_text("important")
    (tmp_path / "t.txt").write_text("low lower lowest " * 50)
    with pytest.raises(ValueError, match="must be a new or empty folder"):
        bpetok.train(tmp_path / "t.txt", vocab_size=260, checkpoint=mine)
    assert {path.name: path.read_text() for path in mine.iterdir()} == dict.fromkeys(
        names, "important"
    )


def test_a_run_of_others_keeps_its_temporary_files(tmp_path: Path) -> None:
    """They are removed only by the run whose folder it is, and then only those that it made."""
    (tmp_path / "t.txt").write_text("low lower lowest " * 50)
    bpetok.count_words(tmp_path / "t.txt", checkpoint=tmp_path / "run")
    for name in (".notes.tmp", ".0123456789abcdef.tmp"):
        (tmp_path / "run" / name).touch()
    with pytest.raises(ValueError, match="of another run"):
        bpetok.count_words(tmp_path / "t.txt", pattern="cl100k", checkpoint=tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").glob(".*")} == {
        ".notes.tmp",
        ".0123456789abcdef.tmp",
    }
    bpetok.count_words(tmp_path / "t.txt", checkpoint=tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").glob(".*")] == [".notes.tmp"]


@pytest.mark.usefixtures("_save_always")
@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are Unicode there")
def test_names_of_files_need_not_be_utf8(tmp_path: Path) -> None:
    """Named in messages as elsewhere."""
    paths = [os.fsencode(tmp_path) + name for name in (b"/\xff.txt", b"/\xfe.txt")]
    for path in paths:
        Path(os.fsdecode(path)).write_text("low lower lowest " * 50)
    names = list(map(os.fsdecode, paths))
    with pytest.raises(KeyboardInterrupt):
        bpetok.count_words(names, checkpoint=tmp_path / "run", progress=StopAt("count", 2))
    assert bpetok.count_words(names, checkpoint=tmp_path / "run") == bpetok.count_words(names)
    os.utime(paths[1], (time.time(), 12345))
    with pytest.raises(ValueError, match=re.escape("\udcfe.txt has changed")):
        bpetok.count_words(names, checkpoint=tmp_path / "run")


@pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")
@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And used: Lustre, NFS and FUSE may have none."""
    import fcntl

    def flock(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    (tmp_path / "t.txt").write_text("plum plum")
    for _ in range(2):
        with pytest.warns(UserWarning, match="has no locks .*no other process uses the folder"):
            words = bpetok.count_words(tmp_path / "t.txt", checkpoint=tmp_path / "run")
        assert words.total == 2
