"""Parquet files to the texts in them, some megabytes at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bpetok.base.extras import require
from bpetok.base.files import is_url
from bpetok.base.importing import first_use
from bpetok.sources.arrow import MOST_ROWS, Records, column_of, naming
from bpetok.sources.files import open_source
from bpetok.sources.memory_pool import memory_pool, releasing
from bpetok.sources.pieces import Chunk, Piece
from bpetok.sources.reading import Position, ReadContext
from bpetok.sources.streams import FileWithPart, Stream, WholeReads

if TYPE_CHECKING:
    from bpetok.base.threads import ThreadPool

MOST_AT_ONCE = 1 << 21
"""Compressed bytes of a column in a row group that are read at once."""
PART_SIZE = 1 << 18
"""As much of a larger one is read at a time."""
MOST_DECODED = 1 << 22
"""Bytes of batches of an object that are decoded at a time: mostly all of a row group that was read
at once. They wait to be counted; what it took to decode them, which is more, is free by then."""


def parquet_sizes(path: str, context: ReadContext) -> list[int]:
    """Return the bytes that each row group of a Parquet file has in the column of the texts."""
    with open_source(path, context.stop) as file, naming(path):
        groups = _RowGroups(path, file, context)
        return [groups.size(number) for number in range(groups.reader.num_row_groups)]


def parquet_parts(
    path: str, context: ReadContext, first: Position, stop: Position, part_size: int
) -> Iterator[tuple[Position, Position]]:
    """Yield where parts of a Parquet file begin and end, from one position to another.

    Each has about `part_size` bytes of texts, or one row group.
    """
    with open_source(path, context.stop) as source, naming(path):
        groups = _RowGroups(path, source, context)
        begin = here = first
        size = 0
        for number in groups.between(first, stop):
            if size >= part_size:
                yield begin, here
                begin, size = here, 0
            size += groups.size(number)
            here = Position(first.file, number + 1, here.record + groups.n_rows(number))
        yield begin, stop


def parquet_items(
    path: str, context: ReadContext, start: Position, stop: Position
) -> Iterator[Piece | Chunk | Position]:
    """Yield the texts of a Parquet file, some megabytes at a time, and where row groups begin.

    They are those of the row groups from `start.at` on, before `stop`.

    Raises
    ------
    ValueError
        If the file is damaged or has no such column of texts; the message names it.
    """
    with open_source(path, context.stop) as file, naming(path):
        groups = _RowGroups(path, file, context)
        records = Records(path, context, start)
        chunk_size = context.cutting.chunk_size
        for number in groups.between(start, stop):
            if number > start.at:
                yield records.position(number)
            # As many rows as are a chunk of the column.
            n_rows = groups.n_rows(number) * chunk_size // max(1, groups.size(number))
            rows = max(1, min(MOST_ROWS, groups.n_rows(number), n_rows))
            yield from records.items(releasing(groups.batches(number, rows), "Parquet"))


class _RowGroups:
    """A Parquet file with its row groups, as far as they have the column of the texts.

    pyarrow ends the process where it is asked for what a damaged file says of a column in a row
    group. To read the column raises an error instead, so that is tried before, with no row.
    """

    def __init__(self, path: str, file: Stream, context: ReadContext) -> None:
        are_many = context.options.n_remote(context.n_threads) > 1
        self._decoders = context.decoders if is_url(path) and are_many else None
        self._fetched = FileWithPart(file)
        self._source = WholeReads(file if self._decoders is None else self._fetched)
        # A column at once: where it is small, that is less work than to read it in parts.
        self.reader = self._open(0, None)
        # With a buffer, and not ahead: otherwise it would read the whole column.
        self._tried = self._open(1, self.reader.metadata)
        self.column = column_of(path, self.reader.schema_arrow, context)
        schema = self.reader.metadata.schema
        self._parts = [
            number
            for number, part in enumerate(map(schema.column, range(len(schema))))
            if f"{part.path}.".startswith(f"{self.column}.")
        ]
        self._checked: set[int] = set()
        # No cached_property: before Python 3.12 that of one file would wait for those of others,
        # and in a child that is forked meanwhile for ever.
        self._in_parts: Any = None

    def _open(self, buffer_size: int, metadata: Any) -> Any:
        # What ParquetFile, which can't be told a pool, has in it. By itself it is imported without
        # pyarrow.fs: 15 to 30 ms less.
        reader_of = require("pyarrow._parquet", "arrow").ParquetReader
        with first_use("ParquetReader"):
            reader = reader_of(memory_pool=memory_pool())
            # Not ahead: a row group would be in memory as a whole.
            reader.open(self._source, metadata=metadata, pre_buffer=False, buffer_size=buffer_size)
        return reader

    def batches(self, number: int, n_rows: int) -> Iterator[Any]:
        """Yield the column of a row group, some rows at a time."""
        group = self._group(number)
        n_bytes = sum(group.column(part).total_compressed_size for part in self._parts)
        reader = self.reader
        if n_bytes > MOST_AT_ONCE:
            if self._in_parts is None:
                self._in_parts = self._open(PART_SIZE, self.reader.metadata)
            reader = self._in_parts
        # On this thread: to hand a column over to another, and wait, took a tenth longer.
        batches: Iterator[Any] = reader.iter_batches(
            n_rows, [number], self._parts, use_threads=False
        )
        if self._decoders is None or reader is self._in_parts or not self._fetch(group):
            return batches
        return self._decoded(batches, self._decoders)

    def _fetch(self, group: Any) -> bool:
        """Read the column of a row group, for others to decode; return False if it is too large."""
        columns = [group.column(part) for part in self._parts]
        begins = [column.dictionary_page_offset or column.data_page_offset for column in columns]
        sizes = [column.total_compressed_size for column in columns]
        begin, end = min(begins), max(map(sum, zip(begins, sizes, strict=True)))
        if begin < 0 or end - begin > MOST_AT_ONCE:
            return False
        self._source.seek(begin)
        self._fetched.keep(begin, self._source.read(end - begin))
        return True

    def _decoded(self, batches: Iterator[Any], decoders: ThreadPool) -> Iterator[Any]:
        """Yield batches of what was fetched; a few threads decode them for all that read.

        Each thread that decodes keeps memory, and so does each row group that is being decoded.
        """
        goes_on = True
        while goes_on:
            # Not once more to see the end: that would wait for those that others fetched.
            some, goes_on = decoders.submit(_some, batches).result()
            self._fetched.keep(0, b"")  # pyarrow has read it all
            while some:
                yield some.popleft()

    def between(self, start: Position, stop: Position) -> range:
        """Return the row groups from one position to another, which may be in the next file."""
        n_groups = int(self.reader.num_row_groups)
        return range(start.at, n_groups if stop.file > start.file else min(stop.at, n_groups))

    def n_rows(self, number: int) -> int:
        """Return the number of rows of a row group."""
        return int(self._group(number).num_rows)

    def size(self, number: int) -> int:
        """Return the bytes that a row group has in the column."""
        group = self._group(number)
        return sum(group.column(part).total_uncompressed_size for part in self._parts)

    def _group(self, number: int) -> Any:
        if number not in self._checked:
            with first_use("iter_batches"):
                next(self._tried.iter_batches(0, [number], self._parts, use_threads=False), None)
            self._checked.add(number)
        return self.reader.metadata.row_group(number)


def _some(batches: Iterator[Any]) -> tuple[deque[Any], bool]:
    """Return the next batches, about what is decoded at a time, and whether there may be more."""
    some: deque[Any] = deque()
    size = 0
    while size < MOST_DECODED and (batch := next(batches, None)) is not None:
        some.append(batch)
        size += batch.get_total_buffer_size()
    return some, size >= MOST_DECODED
