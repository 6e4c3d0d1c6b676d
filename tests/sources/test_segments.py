"""A corpus in parts: together they have its texts, whatever it is made of."""

import gzip
import json
import os
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import zstandard

import bpetok
from bpetok.patterns.special import SpecialTokens
from bpetok.sources import segments
from bpetok.sources.corpus import corpus_items, resolve_corpus, source_items
from bpetok.sources.pieces import Cutting
from bpetok.sources.reading import (
    NullTexts,
    Position,
    ReadContext,
    Reading,
    ReadOptions,
    check_reading,
)
from strategies import TEXT

LINES = TEXT.splitlines() * 20


def write_all(folder: Path) -> list[Path]:
    """Write texts as files of all kinds, large and small, compressed and not."""
    table = pa.table({"text": [*LINES, None]})
    data = "".join(json.dumps({"text": line}) + "\n" for line in [*LINES, None]).encode()
    text = TEXT.encode()
    files: dict[str, Callable[[Path], object]] = {
        "a.parquet": lambda path: pq.write_table(table, path, row_group_size=7),
        "b.txt": lambda path: path.write_bytes(text),
        "c.txt": lambda path: path.write_bytes(b""),
        "d.txt.gz": lambda path: path.write_bytes(gzip.compress(text)),
        "e.jsonl": lambda path: path.write_bytes(data),
        "f.jsonl.zst": lambda path: path.write_bytes(zstandard.compress(data)),
        "g.parquet": lambda path: pq.write_table(table.slice(0, 0), path),
        "h.txt": lambda path: path.write_bytes(text * 20_000),
        "i.txt": lambda path: path.write_bytes(gzip.compress(text)),  # as its first bytes say
        "k.txt": lambda path: path.write_bytes(text),
        "l.parquet": lambda path: pq.write_table(table, path),
    }
    for name, write in files.items():
        write(folder / name)
    with pa.ipc.new_file(folder / "m.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=9)
    return sorted(folder.iterdir())


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files of all kinds; row groups are parts of them."""
    monkeypatch.setattr(segments, "SEGMENT_SIZE", 100)
    (tmp_path / "corpus").mkdir()
    return write_all(tmp_path / "corpus")


OPTIONS: list[Reading] = [{}, {"sample": 0.5, "seed": 3}, {"max_text_chars": 9}, {"max_bytes": 999}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.filterwarnings("ignore:.* null")
def test_the_number_of_threads_changes_nothing(corpus: list[Path], options: Reading) -> None:
    """Byte for byte, and in how many texts were null."""
    one = bpetok.count_words(corpus, n_threads=1, **options)
    for n_threads in (2, 3, 8):
        words = bpetok.count_words(corpus, n_threads=n_threads, **options)
        for name in ("ids", "offsets", "counts"):
            np.testing.assert_array_equal(getattr(words, name), getattr(one, name))
    if not options:
        with pytest.warns(UserWarning, match="5 texts were null"):
            bpetok.count_words(corpus, n_threads=3)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_parts_have_the_texts_in_order(corpus: list[Path], options: Reading) -> None:
    """Each from the rows and lines that it says."""
    reading = check_reading(options)
    found = resolve_corpus(corpus, reading)
    context = ReadContext(reading, Cutting(SpecialTokens([])), "strict", NullTexts(), n_threads=2)

    def named(items: object) -> list[tuple[str, int, bytes]]:
        texts = []
        for item in items:  # type: ignore[attr-defined]  # an iterator of pieces and chunks
            if isinstance(item, Position):
                continue
            if hasattr(item, "ends"):
                begins = [0, *item.ends.tolist()]
                for origin, begin, end in zip(item.origins, begins, begins[1:], strict=False):
                    texts.append((*origin, bytes(item.data[begin:end])))
            else:
                texts.append((item.origin, item.offset, bytes(item.data)))
        return texts

    parts = list(segments.corpus_segments(found, context))
    assert (len(parts) > 20) == ("max_bytes" not in options)
    read = [text for part in parts for text in named(part.items(NullTexts()))]
    assert read == named(corpus_items(found, context))
    assert named(segments.whole_segment(found, context).items(NullTexts())) == read
    for before, after in pairwise(parts):
        assert before.first < before.stop == after.first
    assert (parts[0].first, parts[-1].stop) == (Position(), Position(len(found.sources)))


def test_what_must_be_read_in_order_is_one_part(tmp_path: Path) -> None:
    """Pipes, tables and standard input; one thread does not need parts of files, either."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_bytes(b"b" * 3_000_000)

    def n_parts(sources: list[object], n_threads: int = 2) -> int:
        found = resolve_corpus(sources, ReadOptions())
        cutting = Cutting(SpecialTokens([]))
        context = ReadContext(ReadOptions(), cutting, "strict", NullTexts(), n_threads)
        return sum(1 for _ in segments.corpus_segments(found, context))

    files: list[object] = [tmp_path / "a.txt", tmp_path / "b.txt", tmp_path / "a.txt"]
    assert n_parts(files) == 3
    assert n_parts(files, 1) == 1
    assert n_parts([*files, tmp_path / "pipe"]) == 1
    assert n_parts([*files, pa.table({"text": ["a"]})]) == 1
    assert n_parts([*files, "-"]) == 1


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_the_first_file_with_something_wrong_is_named(corpus: list[Path], n_threads: int) -> None:
    """In the order of the files, with its row, whichever thread finds it first."""
    (corpus[0].parent / "n.txt").write_bytes(b"\xff")
    (corpus[0].parent / "z.parquet").write_bytes(b"PAR1")
    rows = [line.encode() for line in LINES]
    rows[30] = b"ab\xff"
    table = pa.table({"text": pa.array(rows, pa.binary())})
    pq.write_table(table, corpus[0].parent / "ma.parquet", row_group_size=7)
    with pytest.raises(ValueError, match=r"ma\.parquet, row 30 is not UTF-8: byte 2 "):
        bpetok.count_words(corpus[0].parent, n_threads=n_threads)


def test_a_file_that_changes_between_its_parts_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part opens it anew."""
    monkeypatch.setattr(segments, "SEGMENT_SIZE", 1)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": LINES}), path, row_group_size=7)
    items = source_items
    lock = threading.Lock()

    def changing(*args: object) -> object:
        with lock:
            os.utime(path, ns=(1, 1))
        return items(*args)  # type: ignore[arg-type]  # those of the call

    monkeypatch.setattr(segments, "source_items", changing)
    with pytest.raises(OSError, match=r"a\.parquet changed while it was read"):
        bpetok.count_words(path, n_threads=2)
