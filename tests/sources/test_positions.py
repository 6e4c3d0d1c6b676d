"""Reading goes on in the middle of a file as if it had never stopped."""

import gzip
import json
import os
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from functools import partial
from io import BytesIO, UnsupportedOperation
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import bpetok
from bpetok.counting import checkpoint, tables
from bpetok.counting import options as counting_options
from bpetok.counting.checkpoint import Checkpoint
from bpetok.patterns.special import SpecialTokens
from bpetok.sources import files, jsonl, segments
from bpetok.sources.corpus import marked_items, resolve_corpus
from bpetok.sources.files import opened_bytes
from bpetok.sources.pieces import Chunk, Cutting, cut
from bpetok.sources.reading import NullTexts, Position, ReadContext, ReadOptions
from strategies import texts

CHUNK = 200
"""Bytes; so that short texts have many positions."""
Texts = Sequence[str | None]
NAMES = ["a.txt", "a.txt.gz", "a.jsonl", "a.jsonl.zst", "a.parquet", "a.feather", "a.arrow"]


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "CHUNK_SIZE", CHUNK)
    monkeypatch.setattr(counting_options, "Cutting", partial(Cutting, chunk_size=CHUNK))


def write(path: Path, column: Texts) -> None:
    """Write texts as what the name says; plain text has them all together, and no nulls."""
    compress: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress}
    compress[".zst"] = zstandard.ZstdCompressor().compress
    table = pa.table({"text": pa.array(column, pa.string())})
    if ".txt" in path.name:
        data = "".join(filter(None, column)).encode()
        path.write_bytes(compress.get(path.suffix, bytes)(data))
    elif ".jsonl" in path.name:
        lines = "".join(json.dumps({"text": text}) + "\n" for text in column).encode()
        path.write_bytes(compress.get(path.suffix, bytes)(lines))
    elif path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=7)
    else:
        new = pa.ipc.new_file if path.suffix == ".feather" else pa.ipc.new_stream
        with pa.OSFile(str(path), "wb") as file, new(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=7)


@pytest.mark.parametrize("name", NAMES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    column=st.lists(st.none() | texts.map(lambda text: text * 9), max_size=60),
    sample=st.sampled_from([1.0, 0.5]),
    pattern=st.sampled_from(["gpt2", "none"]),
    data=st.data(),
)
def test_what_is_read_from_a_position_on_does_not_depend_on_what_is_before(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    column: Texts,
    sample: float,
    pattern: str,
    data: st.DataObject,
) -> None:
    """Texts, which of them are sampled, nulls, later positions; in a file and in the next."""
    path = tmp_path_factory.mktemp("any") / name
    write(path, column)
    options = ReadOptions(sample=sample)
    corpus = resolve_corpus([path, path], options)

    def read(start: Position) -> tuple[list[bytes | Position], int]:
        cutting = Cutting(SpecialTokens([b"a"]), pattern, CHUNK)
        context = ReadContext(options, cutting, "strict", NullTexts())
        items: list[bytes | Position] = []
        for item in marked_items(corpus, context, start):
            if isinstance(item, Position):
                items.append(item)
                continue
            ends = item.ends.tolist() if isinstance(item, Chunk) else [len(item.data)]
            items += [bytes(item.data[begin:end]) for begin, end in pairwise([0, *ends])]
        return items, context.null_texts.n_null

    def texts_of(items: list[bytes | Position]) -> list[bytes | Position]:
        return [item for item in items if not isinstance(item, Position)]

    items, n_null = read(Position())
    positions = [item for item in items if isinstance(item, Position)]
    assert positions == sorted(set(positions))
    assert positions[-1] == Position(2)
    start = data.draw(st.sampled_from(positions))
    behind = items[items.index(start) + 1 :]
    rest, n_null_behind = read(start)
    assert texts_of(rest) == texts_of(behind)
    if ".jsonl" not in name:  # where later positions are depends on the blocks that are read
        assert rest == behind
    if start == Position(1):
        assert sample < 1 or 2 * n_null_behind == n_null
    assert n_null_behind <= n_null


@given(st.lists(st.integers(0, 5 * CHUNK), max_size=20))
@example([60, 60, 60, 150, 220, 900, 3, 130, 100, 500])
def test_pieces_from_one_on_depend_on_nothing_before(lengths: list[int]) -> None:
    """Also where words are longer than pieces should be."""
    text = b"".join(b"x" * length + b"|" for length in lengths)
    cutting = Cutting(SpecialTokens([b"|"]), "none", CHUNK)
    pieces = list(cut("", BytesIO(text).readinto, cutting))
    for number, piece in enumerate(pieces):
        rest = BytesIO(text[piece.offset :])
        assert list(cut("", rest.readinto, cutting, piece.offset)) == pieces[number:]


class StopAt:
    """A progress callback that interrupts when it is told something for the n-th time."""

    def __init__(self, n: int) -> None:
        self.n_left = n
        self.told: list[tuple[int, int | None]] = []

    def __call__(self, _: str, done: int, total: int | None) -> None:
        self.told.append((done, total))
        self.n_left -= 1
        if self.n_left == 0:
            raise KeyboardInterrupt


COLUMN = [None if i % 11 == 5 else f"text {i * i} of {i}, it's word{i % 37} " for i in range(120)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sample", [1.0, 0.5])
@pytest.mark.parametrize("seconds", [0, 60])
def test_a_run_stopped_again_and_again_in_two_files_ends_with_the_same_bytes(
    name: str, sample: float, seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same sample, each null counted once, and what was saved is not counted again."""
    monkeypatch.setattr(checkpoint, "SECONDS", seconds)
    files = [tmp_path / "a" / name, tmp_path / "b" / name]
    for path, column in zip(files, (COLUMN, COLUMN[:70]), strict=True):
        path.parent.mkdir()
        write(path, column)
    options: dict[str, Any] = {"sample": sample, "seed": 3, "n_threads": 1}
    with warnings.catch_warnings(record=True) as expected:
        warnings.simplefilter("always")
        bpetok.count_words(files, **options).save(tmp_path / "straight.parquet")
    assert len(expected) == (".txt" not in name)
    options |= {"checkpoint": tmp_path / "run"}
    first, n_stops = -1, 0
    for n in [4, 5, 6, *[4] * 200] if seconds == 0 else [1, 1, 1, -1]:
        stop = StopAt(n)
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                words = bpetok.count_words(files, **options, progress=stop)
            break
        except KeyboardInterrupt:
            assert stop.told[0][0] > first or seconds > 0
            first, n_stops = stop.told[0][0], n_stops + 1
    assert n_stops > 2  # so that some, where all is saved, were in the middle of a file
    words.save(tmp_path / "resumed.parquet")
    assert [str(item.message) for item in told] == [str(item.message) for item in expected]
    resumed, straight = (tmp_path / f"{name}.parquet" for name in ("resumed", "straight"))
    assert resumed.read_bytes() == straight.read_bytes()


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.parquet"])
def test_what_was_counted_of_a_file_is_not_read_again(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here it could not be: it is no longer what it was, though the file's time says so."""
    monkeypatch.setattr(checkpoint, "SECONDS", 0)
    path = tmp_path / name
    write(path, [f"some text, {i} " for i in range(200)])
    expected = bpetok.count_words(path)
    with pytest.raises(KeyboardInterrupt):
        bpetok.count_words(path, checkpoint=tmp_path / "run", n_threads=1, progress=StopAt(8))
    state = path.stat()
    with path.open("r+b") as file:
        file.seek(10)
        file.write(b"\xff" * 100)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert bpetok.count_words(path, checkpoint=tmp_path / "run") == expected


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_a_file_that_changes_after_parts_of_it_were_saved_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts of two different files would be mixed; the next run says so, too."""
    monkeypatch.setattr(checkpoint, "SECONDS", 0)
    path = tmp_path / name
    write(path, COLUMN)

    run = tmp_path / "run"
    n_saved: list[int] = []

    def change(_: str, done: int, __: int | None) -> None:
        if done > 1000:
            n_saved.append(len(list(run.glob("counts-*"))))
            os.utime(path, (0, 0))

    with pytest.raises(OSError, match=rf"{name} changed while it was read"):
        bpetok.count_words(path, checkpoint=run, n_threads=1, progress=change)
    assert n_saved[0] > 1
    assert len(list(run.glob("counts-*"))) == n_saved[0]  # nothing since
    with pytest.raises(ValueError, match=rf"the file .*{name} has changed now"):
        bpetok.count_words(path, checkpoint=run)


def test_a_column_that_is_not_there_is_told_by_every_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only after a record that has it: nothing is saved before, so that the next run looks too."""
    monkeypatch.setattr(checkpoint, "SECONDS", 0)
    path = tmp_path / "a.jsonl"
    path.write_text("\n" * 1000 + '{"body": "a"}\n' * 100)
    for _ in range(2):
        with pytest.raises(ValueError, match="none of its first records has 'text'"):
            bpetok.count_words(path, checkpoint=tmp_path / "run")
    assert not list((tmp_path / "run").glob("counts-*"))
    path.write_text('{"text": "a"}\n' * 100 + '{"body": "a"}\n' * 100)
    add = Checkpoint.add

    def add_and_stop(store: Checkpoint, part: int, *counted: Any) -> None:
        first = store.gaps(part)[0][0]
        add(store, part, *counted)
        if first.record > 110:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "add", add_and_stop)
        with pytest.raises(KeyboardInterrupt):
            bpetok.count_words(path, checkpoint=tmp_path / "b", n_threads=1)
    with pytest.warns(UserWarning, match="100 texts were null"):
        words = bpetok.count_words(path, checkpoint=tmp_path / "b")  # where no record has it
    assert words.to_dict() == {b"a": 100}


@pytest.mark.filterwarnings("ignore:.*were null")
def test_files_that_are_read_at_the_same_time_go_on_where_each_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was saved of each, with any number of threads; nothing twice, nothing left out."""
    monkeypatch.setattr(segments, "SEGMENT_SIZE", 300)
    rows = [
        None if i % 17 == 0 else f"{i} plum {i % 7} low lower {'x' * (i % 40)}\n"
        for i in range(150)
    ]
    (tmp_path / "in").mkdir()
    for i, name in enumerate([*NAMES, *NAMES]):
        write(tmp_path / "in" / f"{i:02}{name}", rows[i:])
    expected = bpetok.count_words(tmp_path / "in", n_threads=1)
    n_ranges = []
    for seed in range(6):
        random = Random(seed)
        monkeypatch.setattr(Checkpoint, "is_due", lambda _, random=random: random.random() < 0.02)
        run = tmp_path / f"run{seed}"
        for _ in range(9):
            stop_at = random.randrange(len(rows) * 300)

            def stop(_: str, done: int, __: int | None, stop_at: int = stop_at) -> None:
                if done > stop_at:
                    raise KeyboardInterrupt

            with suppress(KeyboardInterrupt):
                bpetok.count_words(
                    tmp_path / "in",
                    checkpoint=run,
                    n_threads=random.choice([1, 2, 3, 8]),
                    progress=stop,
                )
        words = bpetok.count_words(tmp_path / "in", checkpoint=run, n_threads=random.choice([1, 2]))
        assert list(words) == list(expected)
        for path in run.glob("counts-*"):
            content = tables.read_metadata(str(path))[checkpoint.METADATA_KEY]
            n_ranges.append(len(json.loads(content)[0]))
    assert max(n_ranges) > 1


class Stream(BytesIO):
    """A file that can only be read from its start, as from servers that know no ranges."""

    def seek(self, *_: int) -> int:
        raise UnsupportedOperation("Cannot seek streaming HTTP file")


def test_what_cannot_be_left_out_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compressed files, streams."""
    data = bytes(range(256)) * 20
    (tmp_path / "a.gz").write_bytes(gzip.compress(data[:999]) + gzip.compress(data[999:]))
    (tmp_path / "a").write_bytes(data)
    monkeypatch.setattr(files, "SKIPPED", 300)
    for name in ("a", "a.gz"):
        for start in (0, 1, 300, 998, 999, 5119, 5120):
            with opened_bytes(str(tmp_path / name), start) as file:
                assert file.read(7) == data[start : start + 7]
                assert b"".join(iter(partial(file.read, 1000), b"")) == data[start + 7 :]
    monkeypatch.setattr(files, "open_source", lambda *_: nullcontext(Stream(data)))
    with opened_bytes(str(tmp_path / "a"), 4000) as file:
        assert file.read(7) == data[4000:4007]
