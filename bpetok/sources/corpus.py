"""What a user gives to read, and the texts in it."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from io import RawIOBase
from itertools import count, groupby, pairwise
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from bpetok.base.checks import check_iterable, plain
from bpetok.base.extras import require
from bpetok.base.files import check_path, ending_of, is_no_file, is_url
from bpetok.base.id_summary import IDS_ENDING, check_no_ids
from bpetok.base.records import NamedTuple
from bpetok.base.threads import map_threads
from bpetok.sources.compression import ENDINGS, compression_of
from bpetok.sources.contents import N_FIRST, other_kind, unusual_files
from bpetok.sources.files import (
    MANY,
    STANDARD_INPUT,
    StrPath,
    find_each,
    format_of,
    in_order,
    local_files,
    may_be_lines,
    null_ended,
    opened_bytes,
)
from bpetok.sources.many_files import read_files
from bpetok.sources.pieces import (
    ONE_CHARACTER,
    Chunk,
    Origin,
    Origins,
    Piece,
    at_most_bytes,
    at_most_chars,
    cut,
    cut_lines,
    read_into,
    split_lines,
)
from bpetok.sources.reading import Position, ReadContext, ReadOptions, Sampler, unmarked
from bpetok.sources.tables import Table, is_column, is_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

Files: TypeAlias = StrPath | Table | Iterable[StrPath | Table]


class Corpus(NamedTuple):
    """Files and tables, known to be there, in order.

    sources : list
        A str is the path or URL of a file, anything else a table.
    sizes : int64 array, shape (n_sources,)
        The bytes of plain text files on this machine, uncompressed; -1 for all else.
    nodes : int64 array, shape (n_sources, 2)
        As `find_files` returns them; -1 for tables.
    total : int or None
        The bytes of text, where that is known without reading.
    """

    sources: list[str | Table]
    sizes: NDArray[np.int64]
    nodes: NDArray[np.int64]
    total: int | None

    @property
    def paths(self) -> list[str]:
        """The files only."""
        return [source for source in self.sources if isinstance(source, str)]

    @property
    def local_paths(self) -> list[str]:
        """The paths of the files on this machine."""
        return local_files(self.paths)

    @property
    def read_once(self) -> list[str]:
        """What can't be read again: standard input, streams of tables, pipes; for a message."""
        streams = [
            source if isinstance(source, str) else type(source).__name__
            for source in self.sources
            if source == STANDARD_INPUT or hasattr(source, "read_next_batch")
        ]
        return streams + [path for path in self.local_paths if not check_path(path).is_file()]


def resolve_corpus(files: Files, options: ReadOptions, n_threads: int = 1) -> Corpus:
    """Find the files and check what can be checked before reading.

    Raises
    ------
    FileNotFoundError, PermissionError, ImportError, TypeError, ValueError
        As `find_files`; if a format needs a package that is not installed; if a file's name does
        not tell its format.
    """
    if is_table(files) or isinstance(files, str | os.PathLike):
        files = [files]
    _check_no_arrow_column(files)
    check_iterable("files", files, "a path, a table or an iterable of them")
    files = in_order(plain("files", files))
    sources: list[str | Table] = []
    states = [np.empty((0, 3), np.int64)]
    for are_tables, group in groupby(cast("Iterable[Any]", files), is_table):
        if are_tables:
            from bpetok.sources.arrow import check_table

            tables = list(group)
            for table in tables:
                check_table(table)
            sources += tables
            states.append(np.full((len(tables), 3), -1))
        else:
            found = find_each(group, n_threads)
            found.states[_check_formats(found.paths, options), 0] = -1
            sources += found.paths
            states.append(found.states)
    if not sources:
        raise ValueError("files must name at least one file, got none")
    joined = np.concatenate(states)
    sizes = np.ascontiguousarray(joined[:, 0])
    known = bool((sizes >= 0).all()) and options.take_all and options.max_bytes is None
    return Corpus(sources, sizes, joined[:, 1:], int(sizes.sum()) if known else None)


def _check_no_arrow_column(files: object) -> None:
    """Refuse a column of Arrow's own objects; that of others is an iterable of str, maybe paths.

    Raises
    ------
    TypeError
        If it is one.
    """
    if is_column(files) and type(files).__module__.partition(".")[0] not in ("pandas", "polars"):
        name = type(files).__name__
        raise TypeError(
            f"files must be paths or tables, a {name} is one column: give it as a table, such as "
            "pyarrow.table({'text': column}), or, if it has paths, as column.to_pylist()"
        )


def _check_formats(paths: list[str], options: ReadOptions) -> list[int]:
    """Check that files can be read; return the numbers of those that are not plain text."""
    # What a name ends in says it for all paths that end so, which may be a million.
    endings = {path[path.rfind(".") :] for path in paths}
    plain = {
        ending
        for ending in endings
        if "?" not in ending  # which may follow the name in a URL
        and ending.lower() not in ENDINGS
        and (options.format or format_of(ending)) == "text"
    }
    if options.format is None and IDS_ENDING in endings:
        for path in paths:
            if path.endswith(IDS_ENDING) and not is_url(path):
                check_no_ids(path)
    if plain == endings:
        return []
    others = [number for number, path in enumerate(paths) if path[path.rfind(".") :] not in plain]
    for number in others:
        _check_format(paths[number], options.format or format_of(paths[number]))
    return others


def _check_format(path: str, name: str) -> None:
    if path == STANDARD_INPUT and name not in ("text", "jsonl"):
        raise ValueError(
            f"standard input must be text or JSON lines, got format={name!r}: give a file"
        )
    if ENDINGS.get(ending_of(path)) == "zstd":
        require("zstandard", "arrow")
    if name in ("parquet", "arrow") and ending_of(path) in ENDINGS:
        raise ValueError(
            f"{path}: Parquet and Arrow files are read from many places, and compressed inside: "
            f"decompress this one, whose name ends in {ending_of(path)}"
        )
    if name in ("parquet", "arrow") and is_no_file(path):
        raise ValueError(
            f"{path} is a pipe or a device: Parquet and Arrow files are read from many places, so "
            "write this one to a file first"
        )
    if name == "json":
        raise ValueError(
            f"{path} may be one text, or a record in each line: say format='text' or format='jsonl'"
        )
    if name == "csv":
        raise ValueError(
            f"{path} is a table in text, which is not read as one: convert it to Parquet or JSON "
            "lines, or say format='text' to take all of it as plain text"
        )
    if name == "jsonl":
        require("orjson", "arrow")
    elif name != "text":
        require("pyarrow", "arrow")


def corpus_items(corpus: Corpus, context: ReadContext) -> Iterator[Piece | Chunk]:
    """Yield all texts."""
    items = unmarked(marked_items(corpus, context, Position()))
    if context.options.max_bytes is None:
        return items
    return _at_most(context.options.max_bytes, items)


def marked_items(
    corpus: Corpus, context: ReadContext, start: Position
) -> Generator[Piece | Chunk | Position, None, None]:
    """Yield the texts from `start` on, and between them, now and then, the position of the next.

    What is yielded from such a position on is the same; after the last text there is one, too. A
    file that is done is closed, and has not changed. `max_bytes` is not looked at.
    """
    for small, files in file_runs(corpus, context):
        if small and start.file < files.stop:
            yield from _small_items(corpus, context, start.file, files.stop)
            start = Position(files.stop)
        while start.file < files.stop:
            after = Position(start.file + 1)
            yield from source_items(corpus.sources[start.file], context, start, after)
            start = after
            yield start


def file_runs(corpus: Corpus, context: ReadContext) -> Iterator[tuple[bool, range]]:
    """Yield runs of files that are small and plain text, and of others; and which of both it is."""
    small = (corpus.sizes >= 0) & (corpus.sizes <= context.cutting.chunk_size)
    if not context.options.take_all or context.cutting.by_line:
        small[:] = False
    bounds = np.flatnonzero(np.diff(small)) + 1
    for begin, end in pairwise([0, *bounds.tolist(), len(small)]):
        yield bool(small[begin]), range(begin, end)


def _small_items(
    corpus: Corpus, context: ReadContext, first: int, end: int
) -> Iterator[Piece | Chunk | Position]:
    """Yield plain text files, some at a time: one by one takes several times as long."""

    batches = list(file_batches(corpus.sizes, first, end, context.cutting.chunk_size))
    read = map_threads(lambda batch: read_batch(corpus, context, batch), batches, context.n_threads)
    for batch, (chunk, n_read) in zip(batches, read, strict=True):
        yield from batch_items(corpus, context, batch, chunk, n_read)
        yield Position(batch.stop)


def read_batch(corpus: Corpus, context: ReadContext, batch: range) -> tuple[Chunk, int]:
    """Return the texts of the first of some small files, and how many files these are."""
    paths = cast("list[str]", corpus.sources[batch.start : batch.stop])
    sizes = corpus.sizes[batch.start : batch.stop]
    data, n_read = read_files(null_ended(paths), sizes)
    n_plain = _n_plain(data, sizes[:n_read], paths, by_name=context.options.format is None)
    if n_plain < n_read:
        n_read = n_plain
        data = data[: int(sizes[:n_read].sum())]
    numbers = np.flatnonzero(sizes[:n_read])  # an empty file is no text
    origins = Origins(lambda i: Origin(paths[numbers[i]], 0), range(len(numbers)))
    return Chunk(data, np.cumsum(sizes[numbers]), origins), n_read


def batch_items(
    corpus: Corpus, context: ReadContext, batch: range, chunk: Chunk, n_read: int
) -> Iterator[Piece | Chunk]:
    """Yield the texts of small files that `read_batch` has read, in whole or in part."""
    if len(chunk.ends):
        yield chunk
    for number in batch[n_read:]:  # it says what is wrong, or decompresses
        part = Position(number), Position(number + 1)
        yield from unmarked(source_items(corpus.sources[number], context, *part))


def _n_plain(data: bytes, sizes: NDArray[np.int64], paths: Sequence[str], *, by_name: bool) -> int:
    """Return how many files, before one that is not, are plain text by their first bytes."""
    for number in unusual_files(np.frombuffer(data, np.uint8), sizes).tolist():
        begin = int(sizes[:number].sum())
        first_bytes = data[begin : begin + int(sizes[number])][:N_FIRST]
        unsaid = by_name and may_be_lines(paths[number])
        kind = compression_of("", first_bytes) or other_kind(first_bytes, by_name=unsaid)
        if kind is not None:
            return int(number)
    return len(sizes)


def file_batches(
    sizes: NDArray[np.int64], first: int, end: int, chunk_size: int
) -> Iterator[range]:
    """Yield ranges of files that have about `chunk_size` bytes together."""
    ends = np.cumsum(sizes[first:end])
    start = 0
    while start < len(ends):
        before = ends[start - 1] if start else 0
        stop = int(np.searchsorted(ends, before + chunk_size, side="right"))
        stop = min(stop, start + MANY)
        yield range(first + start, first + stop)
        start = stop


def source_items(
    source: str | Table, context: ReadContext, start: Position, stop: Position
) -> Iterator[Piece | Chunk | Position]:
    """Yield the texts of a file or table from `start` on, before `stop`, and positions in the file.

    `stop` is in the same file, or where the next one begins. What reads a format is imported when a
    file of it comes.
    """
    context = context.of(source)
    if not isinstance(source, str):
        from bpetok.sources.arrow import table_items

        return table_items(source, context, start)
    name = context.options.format or format_of(source)
    if name == "parquet":
        from bpetok.sources.parquet import parquet_items

        return parquet_items(source, context, start, stop)
    if name == "arrow":
        from bpetok.sources.arrow import ipc_items

        return ipc_items(source, context, start, stop)
    if name == "jsonl":
        from bpetok.sources.jsonl import JsonLines

        return JsonLines(source, context).items(start, stop)
    return _text_items(source, context, start, stop)


def _text_items(
    path: str, context: ReadContext, start: Position, stop: Position
) -> Iterator[Piece | Chunk | Position]:
    """Yield a plain text file, and where its pieces begin unless the whole is to be cut off."""
    n_chars = context.options.max_text_chars
    end = stop.at if stop.file == start.file else None
    sampler = Sampler(context.options, start)
    by_name = context.options.format is None and may_be_lines(path)
    with opened_bytes(path, start.at, end, by_name=by_name, stop=context.stop) as file:
        raw = cast("RawIOBase", file)
        fill = raw.readinto if n_chars is None else read_into(at_most_chars(n_chars, raw.read))
        if context.options.max_bytes is not None and sampler.share == 1:
            # What comes later is left out, and a word that is not cut may be the whole file.
            fill = at_most_bytes(context.options.max_bytes + ONE_CHARACTER, fill)
        cut_file = cut_lines if context.cutting.by_line else cut
        pieces = cut_file(path, fill, context.cutting, start.at)
        numbers = count()  # enumerate would keep the piece before while the next is read
        for piece in pieces:
            number = next(numbers)
            if number > 0 and n_chars is None:
                yield start.after(piece.offset, number)
            if sampler.choose(1)[0]:
                yield split_lines(piece) if context.cutting.by_line else piece
            del piece  # before more is read


def _at_most(n_bytes: int, items: Iterable[Piece | Chunk]) -> Iterator[Piece | Chunk]:
    """Yield the same up to some bytes; the last text is cut where a character ends."""
    for item in items:
        if len(item.data) < n_bytes:
            yield item
            n_bytes -= len(item.data)
            continue
        end = n_bytes
        while 0 < end < len(item.data) and item.data[end] & 0xC0 == 0x80:
            end -= 1
        item = item._replace(data=item.data[:end])
        yield item._replace(ends=np.minimum(item.ends, end)) if isinstance(item, Chunk) else item
        return
