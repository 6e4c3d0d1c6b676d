"""A corpus in parts: together they have its texts, whatever it is made of."""

import gzip
import json
import os
import threading
from collections.abc import Callable
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bpetok
from bpetok.counting import options as counting_options
from bpetok.encoding import id_files
from bpetok.patterns.special import SpecialTokens
from bpetok.sources import byte_ranges, jsonl, segments
from bpetok.sources.arrow import ipc_parts
from bpetok.sources.corpus import corpus_items, resolve_corpus, source_items
from bpetok.sources.pieces import Cutting, make_chunk
from bpetok.sources.reading import (
    UNKNOWN,
    NullTexts,
    Position,
    ReadContext,
    Reading,
    ReadOptions,
    check_reading,
)
from strategies import TEXT

CHUNK = 2000
"""Bytes; files of fewer are small."""
LINES = TEXT.splitlines() * 20
DICTIONARY = pa.dictionary(pa.int32(), pa.string())


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
        "h.txt": lambda path: path.write_bytes(text * 20),
        "i.txt": lambda path: path.write_bytes(gzip.compress(text)),  # as its first bytes say
        "k.txt": lambda path: path.write_bytes(text),
        "l.parquet": lambda path: pq.write_table(table, path),
    }
    for name, write in files.items():
        write(folder / name)
    with pa.ipc.new_file(folder / "m.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=9)
    return sorted(folder.iterdir())


@pytest.fixture(params=[500, 60_000], ids=["parts", "together"])
def corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> list[Path]:
    """Files of all kinds, that have parts, or of which some together are one."""
    monkeypatch.setattr(segments, "SEGMENT_SIZE", request.param)
    monkeypatch.setattr(counting_options, "Cutting", partial(Cutting, chunk_size=CHUNK))
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
    cutting = Cutting(SpecialTokens([]), chunk_size=CHUNK)
    context = ReadContext(reading, cutting, "strict", NullTexts(), n_threads=2)

    def named(items: object) -> list[tuple[str, int, bytearray]]:
        texts: list[tuple[str, int, bytearray]] = []
        for item in items:  # type: ignore[attr-defined]  # an iterator of pieces and chunks
            if isinstance(item, Position):
                continue
            chunk = item if hasattr(item, "ends") else make_chunk([item])
            begins = [0, *chunk.ends.tolist()]
            for origin, begin, end in zip(chunk.origins, begins, begins[1:], strict=False):
                name, data = str(origin.name), chunk.data[begin:end]
                if origin.offset and texts and texts[-1][:2] == (name, origin.offset):
                    _, _, before = texts.pop()
                    texts.append((name, origin.offset + len(data), before + data))
                else:
                    texts.append((name, origin.offset + len(data), bytearray(data)))
        return texts

    parts = list(segments.corpus_segments(found, context))
    if "max_bytes" in options:
        assert len(parts) == 1
    elif segments.SEGMENT_SIZE == 500:
        assert len(parts) > 20
    else:
        assert len(parts) < len(found.sources)
    read = named(chain.from_iterable(part.items(NullTexts()) for part in parts))
    assert read == named(corpus_items(found, context))
    assert named(segments.whole_segment(found, context).items(NullTexts())) == read
    for before, after in pairwise(parts):
        assert before.first < before.stop == after.first
    assert (parts[0].first, parts[-1].stop) == (Position(), Position(len(found.sources)))


def test_small_files_are_read_together(tmp_path: Path) -> None:
    """Up to a size, in order; between them is where reading may go on. What is large is apart."""
    lines = json.dumps({"text": "some text"}) + "\n"
    sizes = [100_000] * 15 + [2_000_000] + [600_000] * 3
    for i, size in enumerate(sizes):
        (tmp_path / f"{i:02}.jsonl").write_text(lines * (size // len(lines)))
    found = resolve_corpus(tmp_path, ReadOptions())
    cutting = Cutting(SpecialTokens([]))
    context = ReadContext(ReadOptions(), cutting, "strict", NullTexts(), n_threads=2)
    parts = list(segments.corpus_segments(found, context))
    assert [part.stop.file - part.first.file for part in parts] == [10, 5, 1, 1, 1, 1]
    read = parts[1].items(NullTexts())
    positions = [item for item in read if isinstance(item, Position) and item.at == 0]
    assert positions == [Position(file) for file in range(11, 16)]
    (tmp_path / "04.jsonl").unlink()
    rest = segments.corpus_segments(found, context, [(Position(), Position(len(sizes)))])
    assert next(rest).stop == Position(4)  # what is wrong in them comes first
    with pytest.raises(FileNotFoundError, match=r"04\.jsonl"):
        next(rest)


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


WRONG = {
    "a.jsonl": b'{"text": "some text"}\n' * 999 + b"no JSON\n" + b'{"text": 5}\n' * 999,
    "value.jsonl": b'{"text": "some text"}\n' * 999 + b'{"text": 5}\n' * 999 + b"no JSON\n",
    "utf8.jsonl": b'{"text": "some text"}\n' * 999 + b'{"text": "\xff"}\n' * 999,
    "column.jsonl": b"\n" * 9999 + b'{"body": "a"}\n' * 999,
    "long.jsonl": b'{"text": "some text"}\n' * 999 + b'{"text": "%s"}\n' % (b"a" * 9000 + b"\xff"),
    "none.jsonl": b'{"body": "some text"}\n' * 999 + b"no JSON\n",
    "a.txt": b"some text, and " * 999 + b"\xff" * 999,
    "zip.txt": b"PK\x03\x04" + b"some text, and " * 999,
}


@pytest.mark.parametrize("name", [*WRONG, "a.arrow"])
def test_parts_of_a_file_say_what_reading_it_in_order_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the first line, row or byte where something is wrong, by its number in the file."""
    monkeypatch.setattr(segments, "SEGMENT_SIZE", 1000)
    monkeypatch.setattr(jsonl, "CHUNK_SIZE", 1000)
    for module in (counting_options, id_files):
        monkeypatch.setattr(module, "Cutting", partial(Cutting, chunk_size=100))
    path = tmp_path / name
    if name in WRONG:
        path.write_bytes(WRONG[name])
    else:
        rows = pa.array([b"some text"] * 800 + [b"\xff"] * 100, pa.binary())
        with pa.ipc.new_file(path, pa.schema([("text", rows.type)])) as writer:
            writer.write_table(pa.table({"text": rows}), max_chunksize=9)
    tokenizer = bpetok.train_from_iterator(["some text"], vocab_size=260)

    def said(call: Callable[..., object], *args: object, **options: object) -> str:
        with pytest.raises(ValueError, match=name) as error:
            call(*args, **options)
        return str(error.value)

    for call, *args in (bpetok.count_words, path), (tokenizer.encode_files, path, tmp_path / "b"):
        expected = said(call, *args, n_threads=1)
        assert {said(call, *args, n_threads=n) for n in (2, 3, 8) for _ in range(3)} == {expected}


@pytest.mark.parametrize("errors", ["strict", "replace"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text("a b\n\r'<|é中𝄞9\u0301.", max_size=400).map(lambda text: 3 * text),
    tokens=st.lists(st.text("ab<|>é \n", min_size=1, max_size=9), max_size=3, unique=True),
    pattern=st.sampled_from(["gpt2", "cl100k", "qwen3.5", "none", r"\w+|\W"]),
    normalizer=st.sampled_from([None, "NFC", "NFKC"]),
    size=st.integers(1, 60),
    data=st.data(),
)
def test_ranges_of_a_text_have_its_words(
    tmp_path: Path,
    errors: str,
    text: str,
    tokens: list[str],
    pattern: str,
    normalizer: str | None,
    size: int,
    data: st.DataObject,
) -> None:
    """Wherever special tokens and bytes that are not UTF-8 are."""
    written = bytearray(text.encode())
    if errors == "replace":
        for place in data.draw(st.lists(st.integers(0, len(written)), max_size=9)):
            written[place:place] = data.draw(st.sampled_from([b"\xff", b"\x80", b"\xe4\xb8"]))
    path = tmp_path / "a.txt"
    path.write_bytes(written)
    options: dict[str, Any] = {
        "pattern": pattern,
        "special_tokens": tokens,
        "normalizer": normalizer,
        "errors": errors,
        "unmatched": "word",
    }
    expected = bpetok.count_words(path, n_threads=1, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "SEGMENT_SIZE", size)
        patch.setattr(byte_ranges, "LOOKED_AT", data.draw(st.integers(0, 40)))
        patch.setattr(counting_options, "Cutting", partial(Cutting, chunk_size=20))
        assert bpetok.count_words(path, n_threads=2, **options) == expected


@pytest.mark.parametrize("options", [{"sample": 0.5}, {"max_text_chars": 50}], ids=str)
def test_parts_of_a_text_of_lines_have_what_is_taken_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: Reading
) -> None:
    """The characters of a file are counted from its beginning, not from that of each part."""
    monkeypatch.setattr(segments, "SEGMENT_SIZE", 100)
    monkeypatch.setattr(counting_options, "Cutting", partial(Cutting, chunk_size=100))
    path = tmp_path / "a.txt"
    path.write_text("".join(f"{i}{i} {chr(97 + i % 26)}{i}\n" for i in range(200)))
    one, several = (
        bpetok.train(path, vocab_size=262, compat="huggingface", n_threads=n, **options)
        for n in (1, 3)
    )
    assert several.merges == one.merges


@pytest.mark.parametrize("normalizer", [None, "NFC", [{"type": "Prepend", "prepend": "_"}]])
def test_lines_that_are_texts_are_whole_in_ranges(
    normalizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As trainers have them that read files line by line."""
    path = tmp_path / "a.txt"
    path.write_text("".join(f"some text, and\n {i % 7} e\u0301 more \n\n" for i in range(300)))
    options: dict[str, Any] = {"vocab_size": 275, "compat": "huggingface", "normalizer": normalizer}
    expected = bpetok.train(path, n_threads=1, **options).merges
    monkeypatch.setattr(segments, "SEGMENT_SIZE", 50)
    monkeypatch.setattr(counting_options, "Cutting", partial(Cutting, chunk_size=CHUNK))
    for n_threads in (2, 3):
        assert bpetok.train(path, n_threads=n_threads, **options).merges == expected


@pytest.mark.parametrize(("kind", "n_parts"), [(pa.string(), 10), (DICTIONARY, 1)], ids=str)
def test_a_dictionary_of_texts_is_read_once(
    tmp_path: Path, kind: pa.DataType, n_parts: int
) -> None:
    """For each part pyarrow would read all of it."""
    path = tmp_path / "a.arrow"
    table = pa.table({"text": pa.array(["a", "b"] * 50).cast(kind)})
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=10)
    context = ReadContext(ReadOptions(), Cutting(SpecialTokens([])), "strict", NullTexts())
    assert len(list(ipc_parts(str(path), context, Position(), Position(1), 1))) == n_parts


@given(
    lines=st.lists(st.integers(0, 90), max_size=40),
    size=st.integers(1, 200),
    first=st.integers(0, 40),
    ends=st.booleans(),
)
def test_ranges_of_lines_are_the_file(
    tmp_path_factory: pytest.TempPathFactory, lines: list[int], size: int, first: int, ends: bool
) -> None:
    """Each has whole lines, and one that reaches as far as asked for."""
    data = b"\n".join(b"x" * n for n in lines) + b"\n" * ends
    path = tmp_path_factory.mktemp("any") / "a.jsonl"
    path.write_bytes(data)
    begin = Position(3, len(b"".join(data.splitlines(keepends=True)[:first])), 7)
    context = ReadContext(ReadOptions(), Cutting(SpecialTokens([])), "strict", NullTexts())
    found = list(byte_ranges.line_ranges(str(path), context, begin, Position(4), size))
    assert (found[0][0], found[-1][1]) == (begin, Position(4))
    for (_, before), (after, _) in pairwise(found):
        assert before == after == Position(3, after.at, UNKNOWN)
        assert data[after.at - 1 : after.at] == b"\n"
    for start, stop in found[:-1]:
        part = data[start.at : stop.at]
        assert len(part) >= size
        assert b"\n" not in part[size - 1 : -1]


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
