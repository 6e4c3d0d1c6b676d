"""Parquet files to the texts in them, some megabytes at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bpetok.base.extras import require
from bpetok.sources.arrow import MOST_ROWS, Records, Releasing, column_of, naming
from bpetok.sources.files import open_source
from bpetok.sources.pieces import CHUNK_SIZE, Chunk, Piece
from bpetok.sources.reading import Position, ReadContext
from bpetok.sources.streams import Stream, whole_reads


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
        releasing = Releasing()
        for number in groups.between(start, stop):
            if number > start.at:
                yield records.position(number)
            # As many rows as are some megabytes of the column.
            n_rows = groups.n_rows(number) * CHUNK_SIZE // max(1, groups.size(number))
            rows = max(1, min(MOST_ROWS, groups.n_rows(number), n_rows))
            # On this thread: to hand a column over to another, and wait, took a tenth longer.
            batches = groups.reader.iter_batches(rows, [number], [groups.column], use_threads=False)
            yield from records.items(releasing(batches))
        releasing.now()


class _RowGroups:
    """A Parquet file with its row groups, as far as they have the column of the texts.

    pyarrow ends the process where it is asked for what a damaged file says of a column in a row
    group. To read the column raises an error instead, so that is tried before, with no row.
    """

    def __init__(self, path: str, file: Stream, context: ReadContext) -> None:
        parquet = require("pyarrow.parquet", "arrow")
        source = whole_reads(file)
        # Not ahead: a row group would be in memory as a whole.
        self.reader = parquet.ParquetFile(source, pre_buffer=False, buffer_size=CHUNK_SIZE)
        self.column = column_of(path, self.reader.schema_arrow, context)
        paths = map(self.reader.schema.column, range(len(self.reader.schema)))
        self._parts = [
            number
            for number, part in enumerate(paths)
            if f"{part.path}.".startswith(f"{self.column}.")
        ]
        # With a buffer, and not ahead: otherwise it would read the whole column.
        self._tried: Any = parquet.ParquetFile(
            source, metadata=self.reader.metadata, pre_buffer=False, buffer_size=1
        ).reader
        self._checked: set[int] = set()

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
            next(self._tried.iter_batches(0, [number], self._parts, use_threads=False), None)
            self._checked.add(number)
        return self.reader.metadata.row_group(number)
