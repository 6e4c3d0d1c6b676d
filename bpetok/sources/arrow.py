"""Parquet and Arrow files, tables and datasets to the texts in them, with no object for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bpetok.base.extras import require
from bpetok.sources.errors import damaged_error
from bpetok.sources.files import open_source
from bpetok.sources.pieces import CHUNK_SIZE, Chunk, Piece, at_most_chars
from bpetok.sources.reading import Position, ReadContext, Sampler
from bpetok.sources.records import origins_of, packed_texts
from bpetok.sources.urls import is_url

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ROWS = 1 << 16
DATASET_ROWS = 1000


def parquet_sizes(path: str, context: ReadContext) -> list[int]:
    """Return the bytes that each row group of a Parquet file has in the column of the texts."""
    parquet = require("pyarrow.parquet", "arrow")
    with open_source(path) as file, _naming(path):
        reader = parquet.ParquetFile(file)
        column = _column(path, reader.schema_arrow, context)
        groups = map(reader.metadata.row_group, range(reader.num_row_groups))
        return [_column_size(group, column) for group in groups]


def parquet_items(
    path: str, context: ReadContext, start: Position
) -> Iterator[Piece | Chunk | Position]:
    """Yield the texts of a Parquet file, some megabytes at a time, and where row groups begin.

    Raises
    ------
    ValueError
        If the file is damaged or has no such column of texts; the message names it.
    """
    parquet = require("pyarrow.parquet", "arrow")
    with open_source(path) as file, _naming(path):
        # A row group read ahead is in memory as a whole, which pays where reading takes long.
        source = file if is_url(path) else require("pyarrow", "arrow").OSFile(path)
        reader = parquet.ParquetFile(source, pre_buffer=is_url(path), buffer_size=CHUNK_SIZE)
        column = _column(path, reader.schema_arrow, context)
        records = _Records(path, context, start)
        for number in range(start.at, reader.num_row_groups):
            if number > start.at:
                yield records.position(number)
            rows = _batch_rows(reader.metadata.row_group(number), column)
            batches = reader.iter_batches(rows, [number], [column])
            yield from records.items(_releasing(batches))


def _releasing(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the same and let the system have what is no longer used, which pyarrow would keep.

    On 100 to 180 MB of text that is 40 to 100 MB, and takes no time that can be seen.
    """
    import pyarrow as pa

    for batch in batches:
        yield batch
        del batch
        pa.default_memory_pool().release_unused()


def _batch_rows(group: Any, column: str) -> int:
    """Return how many rows of a row group are some megabytes of a column."""
    n_rows: int = group.num_rows
    return max(1, min(MOST_ROWS, n_rows * CHUNK_SIZE // max(1, _column_size(group, column))))


def _column_size(group: Any, column: str) -> int:
    columns = (group.column(i) for i in range(group.num_columns))
    return sum(
        part.total_uncompressed_size
        for part in columns
        if part.path_in_schema.split(".")[0] == column
    )


def ipc_items(
    path: str, context: ReadContext, start: Position
) -> Iterator[Piece | Chunk | Position]:
    """Yield the texts of an Arrow file, in the file or the stream format, and where batches begin.

    Raises as `parquet_items`.
    """
    pyarrow = require("pyarrow", "arrow")
    with open_source(path) as file, _naming(path):
        # Not mapped: that would count as memory, and a file cut off meanwhile end the process.
        source = file if is_url(path) else pyarrow.OSFile(path)
        is_file = source.read(6) == b"ARROW1"
        open_reader = pyarrow.ipc.open_file if is_file else pyarrow.ipc.open_stream
        source.seek(0)
        schema = open_reader(source).schema
        number = schema.get_field_index(_column(path, schema, context))
        source.seek(0)
        options = pyarrow.ipc.IpcReadOptions(included_fields=[number])
        reader = open_reader(source, options=options)
        records = _Records(path, context, start)
        batches: Iterator[Any] = (
            map(reader.get_batch, range(start.at, reader.num_record_batches))
            if is_file
            else islice(reader, start.at, None)
        )
        for number, batch in enumerate(_releasing(batches), start.at):
            if number > start.at:
                yield records.position(number)
            yield from records.items([batch])


@contextmanager
def _naming(path: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except pa.ArrowException as error:
        raise damaged_error(path, error) from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise damaged_error(path, error) from None  # from pyarrow


def is_table(source: object) -> bool:
    """Tell whether something gives Arrow record batches, or is a Hugging Face dataset."""
    if isinstance(source, str):  # of which there may be a million
        return False
    return hasattr(source, "__arrow_c_stream__") or _is_dataset(source)


def _is_dataset(source: object) -> bool:
    return type(source).__module__.partition(".")[0] == "datasets"


def check_table(source: Any) -> None:
    """Check that there are records to read.

    Raises
    ------
    TypeError
        If it is several datasets.
    """
    if _is_dataset(source) and not hasattr(source, "iter"):
        raise TypeError(
            f"a {type(source).__name__} is several datasets: give one, such as dataset['train']"
        )
    require("pyarrow", "arrow")


def table_items(source: Any, context: ReadContext, start: Position) -> Iterator[Piece | Chunk]:
    """Yield the texts of a table, a stream of record batches or a dataset.

    Raises
    ------
    ValueError
        If it has no such column of texts.
    """
    name = type(source).__name__
    yield from _Records(name, context, start).items(_table_batches(source, name, context))


def _table_batches(source: Any, name: str, context: ReadContext) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    if _is_dataset(source):
        for table in source.with_format("arrow").iter(batch_size=DATASET_ROWS):
            _column(name, table.schema, context)
            yield from table.to_batches()
        return
    with pa.RecordBatchReader.from_stream(source) as reader:
        _column(name, reader.schema, context)
        yield from reader


def _column(name: str, schema: pa.Schema, context: ReadContext) -> str:
    """Return the column that `text_column` begins with; it must be there, with texts."""
    column, *steps = context.options.steps
    found = schema.get_all_field_indices(column)
    if len(found) != 1:
        raise ValueError(
            f"{name} has {'more than one' if found else 'no'} column {column!r}, it has "
            f"{schema.names}: choose one with text_column"
        )
    kind = schema.field(found[0]).type
    for step in steps:
        kind = _inner_type(name, kind, step)
    _check_texts(name, kind)
    return column


def _inner_type(name: str, kind: pa.DataType, step: str) -> pa.DataType:
    """Return the type of what a step of `text_column` leads to."""
    import pyarrow as pa

    types = pa.types
    if types.is_null(kind):
        return kind
    if step != "[]":
        if types.is_struct(kind) and len(kind.get_all_field_indices(step)) == 1:
            return kind.field(step).type
        raise ValueError(f"{name}: text_column needs a struct with {step!r}, it is {kind}")
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return kind.value_type
    raise ValueError(f"{name}: text_column needs a list, it is {kind}")


class _Records:
    """The records of a file or a table, from some position on."""

    def __init__(self, name: str, context: ReadContext, start: Position) -> None:
        self._name = name
        self._context = context
        self._sampler = Sampler(context.options, start)
        self._start = start
        self._next = start.record

    def position(self, at: int) -> Position:
        """Return where the next record is: at the beginning of a part of the file."""
        return self._start._replace(at=at, record=self._next)

    def items(self, batches: Iterable[pa.RecordBatch]) -> Iterator[Piece | Chunk]:
        """Yield the texts of the next records."""
        for batch in batches:
            for begin in range(0, len(batch), MOST_ROWS):
                part = batch.slice(begin, MOST_ROWS)
                taken = self._sampler.choose(len(part))
                rows = self._next + np.flatnonzero(taken)
                column = part.column(self._context.options.steps[0])
                if len(rows) < len(part):
                    column = column.filter(taken)
                self._next += len(part)
                yield from _texts(self._name, column, rows, self._context)


def _texts(
    name: str, column: pa.Array, rows: NDArray[np.int64], context: ReadContext
) -> Iterator[Piece | Chunk]:
    """Yield the texts of an array; `rows` has the number of each element's record."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for step in context.options.steps[1:]:
        if pa.types.is_null(column.type):
            break
        if step != "[]":
            column = pc.struct_field(column, step)
            continue
        context.null_texts.n_null += column.null_count
        rows = rows[pc.list_parent_indices(column).to_numpy()]
        column = pc.list_flatten(column)
    if column.null_count:
        context.null_texts.n_null += column.null_count
        rows = rows[column.is_valid().to_numpy(zero_copy_only=False)]
        column = column.drop_null()
    column = _as_texts(column)
    if context.options.max_text_chars is not None:
        column = _beginnings(column, context.options.max_text_chars)
    _, offset_buffer, data = column.buffers()
    if len(column) == 0 or data is None:
        return
    wide = pa.types.is_large_string(column.type) or pa.types.is_large_binary(column.type)
    offsets: NDArray[Any] = np.frombuffer(offset_buffer, np.int64 if wide else np.int32)
    offsets = offsets[column.offset : column.offset + len(column) + 1].astype(np.int64)
    yield from packed_texts(
        memoryview(data).cast("B"), offsets, origins_of(f"{name}, row", rows), context.cutting
    )


def _beginnings(column: pa.Array, n_chars: int) -> pa.Array:
    """Return the first characters of each text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return pc.utf8_slice_codeunits(column.cast(pa.large_string()), 0, n_chars)
    except pa.ArrowInvalid:  # not UTF-8: the counter says where, or replaces it
        texts = column.cast(pa.large_binary()).to_pylist()
        cut = [at_most_chars(n_chars, BytesIO(text).read)(len(text)) for text in texts]
        return pa.array(cut, pa.large_binary())


def _check_texts(name: str, kind: pa.DataType) -> None:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    tests = ("null", "string", "large_string", "string_view", "binary", "large_binary")
    if not any(getattr(pa.types, f"is_{test}")(kind) for test in (*tests, "binary_view")):
        raise ValueError(f"{name}: text_column must be strings, it is {kind}")


def _as_texts(column: pa.Array) -> pa.Array:
    """Return a column as an array of offsets into bytes. Requires: `_check_texts`."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_null(kind):
        kind = pa.string()
    elif pa.types.is_string_view(kind):
        kind = pa.large_string()
    elif pa.types.is_binary_view(kind):
        kind = pa.large_binary()
    return column.cast(kind)
