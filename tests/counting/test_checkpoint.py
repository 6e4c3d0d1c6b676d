"""Runs that are stopped, at any moment and in any way, go on and end with the same bytes."""

import json
import os
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
from bpetok.counting import checkpoint
from bpetok.counting.memory import CountLimits
from bpetok.counting.spill import Spill
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
    with pytest.raises(ValueError, match="checkpoint_layout was None and is 2 now: go on with"):
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
    with pytest.raises(ValueError, match=r"-7\.parquet does not go on where the counts before it"):
        bpetok.count_words(corpus, checkpoint=run)
    for name, data in (("inputs.parquet", b"PAR1"), ("run.json", b"{")):
        (run / name).write_bytes(data)
        with pytest.raises(ValueError, match=f"{name}: (can't be read|is not a run's)"):
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
