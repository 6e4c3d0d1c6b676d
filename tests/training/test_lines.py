"""What is said of stage 2 of superwords before it begins: near what it then finds."""

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bpetok
from bpetok import Superwords
from bpetok.base.demo import demo_files
from bpetok.patterns.builtin import steps_of_pattern
from bpetok.training import lines as lines_module
from bpetok.training.continuing import start_after
from bpetok.training.lines import Lines
from bpetok.training.superwords import LINES

START = 1000
ONE_LINE = "the quick brown fox jumps over the lazy dog\n"


@pytest.fixture(scope="module")
def text() -> str:
    """12 MB of the standard library, so that a third of it is the sample."""
    texts = [Path(path).read_text(encoding="utf-8") for path in demo_files()]
    return "".join(texts)[:12_000_000]


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[Lines]:
    """What is found out before stage 2 begins, which it does not."""
    found: list[Lines] = []

    def note(name: Literal["look_at_lines", "look_at_texts"]) -> None:
        look = getattr(lines_module, name)

        def noting(*args: Any) -> Lines:
            found.append(look(*args))
            return found[-1]

        monkeypatch.setattr(lines_module, name, noting)

    note("look_at_lines")
    note("look_at_texts")
    return found


def stop(phase: str, *_: object) -> None:
    if phase == "memory":
        raise KeyboardInterrupt


class Expected(NamedTuple):
    """What stage 2 finds."""

    n_words: int
    n_bytes: int
    n_tokens: int
    n_pairs: int


@pytest.fixture(scope="module")
def expected(text: str) -> Expected:
    pattern = [LINES, *steps_of_pattern("superbpe")]
    words = bpetok.count_words_from_iterator([text], pattern=pattern)
    first = bpetok.train_from_iterator([text], vocab_size=START)
    begun, _ = start_after(words.arrays, first.merge_pairs)
    is_inside = np.ones(len(begun.ids) - 1, bool)
    is_inside[begun.offsets[1:-1] - 1] = False
    pairs = (begun.ids[:-1].astype(np.int64) << 32 | begun.ids[1:])[is_inside]
    return Expected(len(words), len(words.ids), len(begun.ids), len(set(pairs.tolist())))


def train_on(texts: Path | list[str], **options: Any) -> None:
    if isinstance(texts, Path):
        bpetok.train(texts, **options)
    else:
        bpetok.train_from_iterator(texts, **options)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    texts = [text[i : i + 5000] for i in range(0, len(text), 5000)]
    if name == "a.parquet":
        pq.write_table(pa.table({"text": texts}), path, row_group_size=50)
    elif name == "a.jsonl":
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    else:
        path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.parquet", "texts"])
def test_lines_are_known_from_a_sample(
    name: str,
    text: str,
    expected: Expected,
    tmp_path: Path,
    looked: list[Lines],
) -> None:
    """Within a quarter: how many there are, their bytes, tokens; of pairs at most twice as many."""
    options: dict[str, Any] = {
        "vocab_size": START + 100,
        "superwords": Superwords(START),
        "progress": stop,
        "n_threads": 2,
    }
    texts = text.splitlines(keepends=True) if name == "texts" else None
    with pytest.raises(KeyboardInterrupt):
        train_on(texts or write(tmp_path, name, text), **options)
    (lines,) = looked
    assert 0.85 < lines.n_words / expected.n_words < 1.25
    assert 0.85 < lines.n_bytes / expected.n_bytes < 1.25
    begun, n_slots = lines.begun, expected.n_tokens + expected.n_words
    assert 1 <= begun.slots_a_byte * expected.n_bytes / expected.n_tokens < 1.15
    n_pairs = begun.pairs_factor * n_slots**begun.pairs_growth
    assert 1 <= n_pairs / expected.n_pairs < 1.5
    assert lines.reads_arrow == (name == "a.parquet")


@pytest.mark.parametrize("as_file", [True, False])
def test_one_line_many_times_is_one_word(
    as_file: bool, tmp_path: Path, looked: list[Lines]
) -> None:
    """However much text it is."""
    n = 300_000
    options: dict[str, Any] = {
        "vocab_size": 300,
        "superwords": Superwords(280),
        "progress": stop,
    }
    with pytest.raises(KeyboardInterrupt):
        train_on(write(tmp_path, "a.txt", ONE_LINE * n) if as_file else [ONE_LINE] * n, **options)
    (lines,) = looked
    assert lines[:4] == pytest.approx((1, len(ONE_LINE), 1, len(ONE_LINE)), abs=len(ONE_LINE))


@pytest.mark.parametrize("other", ["", '{"text":""}\n' * 99])
def test_files_without_any_text_are_no_part_of_the_sample(
    other: str, tmp_path: Path, looked: list[Lines]
) -> None:
    """Of the whole sample and its half one would be as large as the other."""
    files = [tmp_path / f"{i}.jsonl" for i in range(4)]
    for file in files:
        file.write_text(other)
    files[0].write_text(json.dumps({"text": ONE_LINE * 9}) + "\n")
    for order in (files, files[::-1]):
        tok = bpetok.train(order, vocab_size=290, superwords=Superwords(280))
        assert tok.vocab_size == 290
    texts = [ONE_LINE * 9, *[""] * 100_000]
    for given in (texts, texts[::-1]):
        tok = bpetok.train_from_iterator(given, vocab_size=290, superwords=Superwords(280))
        assert tok.vocab_size == 290
    assert len(looked) == 4
    assert {lines.n_words for lines in looked} == {1}


def test_what_is_wrong_in_text_that_is_not_read_ends_no_training(
    tmp_path: Path, looked: list[Lines]
) -> None:
    """Only a sample is read of it, to say what stage 2 takes."""
    (tmp_path / "a.txt").write_bytes((ONE_LINE * 9).encode())
    (tmp_path / "b.txt").write_bytes(b"\xff" * 100)
    reading: dict[str, Any] = {"n_threads": 1, "max_bytes": len(ONE_LINE)}
    options: dict[str, Any] = {"vocab_size": 290, "superwords": Superwords(280)}
    files = [tmp_path / "a.txt", tmp_path / "b.txt"]
    seeds = [seed for seed in range(20) if reads_only_the_first(files, seed, **reading)]
    assert seeds
    tok = bpetok.train(files, seed=seeds[0], **options, **reading)
    assert tok.vocab_size == 290
    assert len(looked) == 1


def reads_only_the_first(files: list[Path], seed: int, **reading: Any) -> bool:
    """Tell whether what is read is not that of the second file, which can't be counted."""
    try:
        bpetok.count_words(files, seed=seed, **reading)
    except ValueError:
        return False
    return True
