"""Arrow files, tables and datasets to the texts in them, with no object for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import SEEK_END, BufferedReader, BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from bpetok.base.arrow_checks import check_array, offsets_of
from bpetok.base.extras import load_pandas, require
from bpetok.base.importing import first_use
from bpetok.base.threads import Stop, StoppedError
from bpetok.sources.errors import damaged_error
from bpetok.sources.files import open_source
from bpetok.sources.memory_pool import memory_pool, releasing
from bpetok.sources.pieces import Chunk, Piece, at_most_chars
from bpetok.sources.reading import (
    ELEMENTS,
    UNKNOWN,
    Position,
    ReadContext,
    Sampler,
    choose_one,
    meant_way,
)
from bpetok.sources.records import RecordNames, packed_texts
from bpetok.sources.streams import LocalFile, WholeReads
from bpetok.sources.tables import is_dataset

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

VIEW_BYTES = 16
"""Of a view: how long a text is, and the text, or where it begins and is."""
MOST_ROWS = 1 << 16
DATASET_ROWS = 1000


def ipc_parts(
    path: str, context: ReadContext, first: Position, stop: Position, part_size: int
) -> Iterator[tuple[Position, Position]]:
    """Yield where parts of an Arrow file begin and end, from one position to another.

    Each has as many record batches as take `part_size` bytes, if all take the same; of a stream,
    whose batches can't be found, and of what is sampled it is one part. So it is of texts in a
    dictionary, all of which would be read for each part.
    """
    import pyarrow as pa

    begin = first
    if context.options.sample == 1:
        with open_source(path, context.stop) as file, naming(path):
            source = WholeReads(file)
            reader = _open_ipc(path, source)
            column = reader.schema.get_field_index(context.options.steps[0])
            n_batches = getattr(reader, "num_record_batches", 0)
            if column >= 0 and pa.types.is_dictionary(reader.schema.field(column).type):
                n_batches = 0
            n_here = max(1, part_size * n_batches // max(1, source.seek(0, SEEK_END)))
            end = n_batches if stop.file > first.file else min(stop.at, n_batches)
        for at in range(first.at + n_here, end, n_here):
            here = Position(first.file, at, UNKNOWN)
            yield begin, here
            begin = here
    yield begin, stop


def _open_ipc(path: str, source: BufferedReader, columns: Sequence[int] = ()) -> Any:
    """Return pyarrow's reader of some columns of a file, which may be of two formats."""
    ipc = require("pyarrow", "arrow").ipc
    source.seek(0)
    first_bytes = source.read(6)
    source.seek(0)
    if first_bytes.startswith(b"FEA1"):
        raise ValueError(
            f"{path} is Feather of version 1, which is not read: write it again with "
            "pyarrow.feather, read_table and write_feather"
        )
    is_file = first_bytes == b"ARROW1"
    options = ipc.IpcReadOptions(included_fields=list(columns))
    open_ipc = ipc.open_file if is_file else ipc.open_stream
    with first_use("open_ipc"):
        return open_ipc(source, options=options, memory_pool=memory_pool())


def _count_rows(path: str, end: int, stop: Stop) -> int:
    """Return how many rows the first record batches of an Arrow file have.

    Raises
    ------
    StoppedError
        If that is no longer wanted.
    """
    n_rows = 0
    with LocalFile(path) as file, naming(path):
        reader = _open_ipc(path, WholeReads(file), [0])
        for number in range(end):
            n_rows += reader.get_batch(number).num_rows
            if stop.is_set():
                raise StoppedError
    return n_rows


def ipc_items(
    path: str, context: ReadContext, start: Position, stop: Position
) -> Iterator[Piece | Chunk | Position]:
    """Yield the texts of an Arrow file, in the file or the stream format, and where batches begin.

    They are those of the record batches from `start.at` on, before `stop`.

    Raises
    ------
    ValueError
        If the file is damaged or has no such column of texts; the message names it.
    """
    with open_source(path, context.stop) as file, naming(path):
        source = WholeReads(file)
        schema = _open_ipc(path, source).schema
        number = schema.get_field_index(column_of(path, schema, context))
        reader = _open_ipc(path, source, [number])
        count = partial(_count_rows, path, start.at, context.stop)
        records = Records(path, context, start, count)
        end = stop.at if stop.file == start.file else None
        batches: Iterator[Any] = (
            map(reader.get_batch, range(reader.num_record_batches)[start.at : end])
            if hasattr(reader, "get_batch")
            else islice(reader, start.at, end)
        )
        for number, batch in enumerate(releasing(batches, "Arrow"), start.at):
            if number > start.at:
                yield records.position(number)
            yield from records.items([batch])


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Name the file, or the table, in what pyarrow says is wrong with it.

    Raises
    ------
    MemoryError
        If there was no memory.
    OSError
        If the system could not read it.
    ValueError
        If it is damaged, or of a kind that pyarrow does not read.
    """
    import pyarrow as pa

    try:
        yield
    except MemoryError as error:  # pyarrow's, too
        raise MemoryError(f"no memory to read {path}, or it is damaged: {error}") from None
    except pa.ArrowNotImplementedError as error:
        raise ValueError(
            f"{path} is damaged, or of a kind that pyarrow {pa.__version__} does not read: {error}"
        ) from None
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise _unread_error(path, error) from None
    except OSError as error:
        if error.errno is None:  # pyarrow's, too
            raise _unread_error(path, error) from None
        if error.filename is None:
            error.filename = path
        raise


def _unread_error(path: str, error: Exception) -> ValueError:
    if "decrypt" in str(error):  # what pyarrow says of an encrypted file has no type of its own
        return ValueError(
            f"{path} is encrypted, which is not read: decrypt it first, or give the table that "
            "pyarrow reads with its key"
        )
    return damaged_error(path, error)


def check_table(source: Any) -> None:
    """Check that there are records to read.

    Raises
    ------
    TypeError
        If it is several datasets.
    """
    if is_dataset(source) and not hasattr(source, "iter"):
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
    with naming(name):
        yield from Records(name, context, start).items(_table_batches(source, name, context))


def _table_batches(source: Any, name: str, context: ReadContext) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    if is_dataset(source):
        for table in source.with_format("arrow").iter(batch_size=DATASET_ROWS):
            column_of(name, table.schema, context)
            yield from table.to_batches()
        return
    if isinstance(source, pa.Table | pa.RecordBatch):
        # pyarrow does not look at what a file says when it reads a table, and a column whose
        # buffers are too short would be read beyond their ends.
        source = source.select([column_of(name, source.schema, context)])
        source.validate()
        # Not as a stream: pyarrow 18 to 21 crash when they hand on views of short strings.
        yield from source.to_batches() if isinstance(source, pa.Table) else [source]
        return
    if isinstance(source, pa.RecordBatchReader):
        yield from _batches_of(source, name, context)
        return
    with pa.RecordBatchReader.from_stream(source) as reader:
        yield from _batches_of(reader, name, context)


def _batches_of(
    reader: pa.RecordBatchReader, name: str, context: ReadContext
) -> Iterator[pa.RecordBatch]:
    column_of(name, reader.schema, context)
    for batch in reader:
        # pyarrow does not look whether batches are what the reader says, and an array of another
        # type has no texts where they would be read.
        column_of(name, batch.schema, context)
        yield batch


def column_of(name: str, schema: pa.Schema, context: ReadContext) -> str:
    """Return the column that `text_column` begins with; it must be there, with texts."""
    column, *steps = context.options.steps
    found = schema.get_all_field_indices(column)
    if not found:
        names = choose_one(schema.names, column)
        raise ValueError(f"{name} has no column {column!r}, it has {names}")
    if len(found) > 1:
        raise ValueError(f"{name} has more than one column {column!r}: give each a name of its own")
    kind = schema.field(found[0]).type
    for n, step in enumerate(steps, 1):
        kind = _inner_type(name, kind, step, _meant(context.options.steps, n, kind))
    _check_texts(name, kind, _meant(context.options.steps, len(steps) + 1, kind))
    return column


def _meant(steps: Sequence[str], n: int, kind: pa.DataType) -> str:
    return meant_way(steps, n, is_list=_is_list(kind), is_text=_is_text(kind))


def _is_list(kind: pa.DataType) -> bool:
    import pyarrow as pa

    tests = ("list", "large_list", "fixed_size_list", "list_view", "large_list_view")
    return any(getattr(pa.types, f"is_{test}")(kind) for test in tests)


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    tests = ("string", "large_string", "string_view", "binary", "large_binary", "binary_view")
    return any(getattr(pa.types, f"is_{test}")(kind) for test in tests)


def _inner_type(name: str, kind: pa.DataType, step: str, hint: str) -> pa.DataType:
    """Return the type of what a step of `text_column` leads to."""
    import pyarrow as pa

    types = pa.types
    if types.is_null(kind):
        return kind
    if step != ELEMENTS:
        if types.is_struct(kind) and len(kind.get_all_field_indices(step)) == 1:
            return kind.field(step).type
        raise ValueError(f"{name}: text_column needs a struct with {step!r}, it is {kind}{hint}")
    if _is_list(kind):
        return kind.value_type
    raise ValueError(f"{name}: text_column needs a list, it is {kind}{hint}")


class Records:
    """The records of a file or a table, from some position on.

    Parameters
    ----------
    name : str
        That of the file or the table.
    context : ReadContext
    start : Position
    count_before : callable, optional
        Returns how many records come before `start` where that does not say it.
    """

    def __init__(
        self,
        name: str,
        context: ReadContext,
        start: Position,
        count_before: Callable[[], int] | None = None,
    ) -> None:
        self._names = RecordNames(f"{name}, row", count_before if start.record == UNKNOWN else None)
        self._context = context
        self._sampler = Sampler(context.options, start)
        self._start = start
        self._n_before = 0  # of the records from `start` on

    def position(self, at: int) -> Position:
        """Return where the next record is: at the beginning of a part of the file."""
        return self._start.after(at, self._n_before)

    def items(self, batches: Iterable[pa.RecordBatch]) -> Iterator[Piece | Chunk]:
        """Yield the texts of the next records."""
        for batch in batches:
            whole = batch.column(self._context.options.steps[0])
            for begin in range(0, len(whole), MOST_ROWS):
                column = whole.slice(begin, MOST_ROWS)
                check_array(column)
                first = self._n_before + max(0, self._start.record)
                rows = np.arange(first, first + len(column))
                taken = self._sampler.choose(len(column))
                self._n_before += len(column)
                yield from _texts(self._names, column, rows, taken, self._context)


def _texts(
    names: RecordNames,
    column: pa.Array,
    rows: NDArray[np.int64],
    taken: NDArray[np.bool_],
    context: ReadContext,
) -> Iterator[Piece | Chunk]:
    """Yield the texts of an array, which `check_array` has checked.

    `rows` has the number of each element's record, `taken` tells whether that is in the sample.
    """
    import pyarrow as pa

    options = context.options
    is_plain = len(options.steps) == 1 and options.take_all and column.null_count == 0
    if not is_plain or pa.types.is_dictionary(column.type):
        load_pandas()
    for step in context.options.steps[1:]:
        import pyarrow.compute as pc  # takes 50 ms, and most columns need none of it

        if pa.types.is_null(column.type):
            break
        if step != ELEMENTS:
            with first_use("struct_field"):
                # By number: pyarrow takes a name with dots for a way.
                column = pc.struct_field(column, [column.type.get_field_index(step)])
            continue
        context.null_texts.n_null += int(np.count_nonzero(taken & ~_is_valid(column)))
        with first_use("list_flatten"):
            lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
            rows, taken = np.repeat(rows, lengths), np.repeat(taken, lengths)
            column = pc.list_flatten(column)
    # Before they are chosen from: pyarrow does not do that with views, such as Polars's strings.
    column = as_texts(column)
    if column.null_count:
        valid = _is_valid(column)
        context.null_texts.n_null += int(np.count_nonzero(taken & ~valid))
        taken = taken & valid
    if not taken.all():
        rows = rows[taken]
        with first_use("filter"):
            column = column.filter(pa.array(taken))
    if context.options.max_text_chars is not None:
        column = _beginnings(column, context.options.max_text_chars)
    if len(column) == 0:
        return
    wide = pa.types.is_large_string(column.type) or pa.types.is_large_binary(column.type)
    offsets = offsets_of(column, wide).astype(np.int64)
    data = memoryview(column.buffers()[2]).cast("B")
    yield from packed_texts(data, offsets, names.origins(rows), context.cutting)


def _is_valid(column: pa.Array) -> NDArray[np.bool_]:
    with first_use("is_valid"):
        valid: NDArray[np.bool_] = column.is_valid().to_numpy(zero_copy_only=False)
        return valid


def _beginnings(column: pa.Array, n_chars: int) -> pa.Array:
    """Return the first characters of each text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        with first_use("utf8_slice_codeunits"):
            return pc.utf8_slice_codeunits(column.cast(pa.large_string()), 0, n_chars)
    except pa.ArrowInvalid:  # not UTF-8: the counter says where, or replaces it
        texts = column.cast(pa.large_binary()).to_pylist()
        cut = [at_most_chars(n_chars, BytesIO(text).read)(len(text)) for text in texts]
        return pa.array(cut, pa.large_binary())


def _check_texts(name: str, kind: pa.DataType, hint: str) -> None:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not pa.types.is_null(kind) and not _is_text(kind):
        raise ValueError(f"{name}: text_column must be strings, it is {kind}{hint}")


def as_texts(column: pa.Array) -> pa.Array:
    """Return an array of texts or words as one of offsets into bytes."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        texts = as_texts(column.dictionary)
        with first_use(f"dictionary_decode {column.type}"):
            column = pa.DictionaryArray.from_arrays(column.indices, texts).dictionary_decode()
    kind = column.type
    if pa.types.is_null(kind):
        plain = pa.string()
    elif pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        column = _without_views_of_nulls(column)
        plain = pa.large_string() if pa.types.is_string_view(kind) else pa.large_binary()
    else:
        return column
    with first_use(f"cast {kind}"):
        return column.cast(plain)


def _without_views_of_nulls(column: pa.Array) -> pa.Array:
    """Return an array of views in which those of nulls are empty.

    They may be anything, and no check looks at them; but pyarrow's cast does, and ends the process.
    """
    import pyarrow as pa

    if not column.null_count:
        return column
    valid = _is_valid(column)
    _, views, *data = column.buffers()
    begin = column.offset * VIEW_BYTES
    rows = np.frombuffer(views, np.uint8, len(column) * VIEW_BYTES, begin)
    rows = np.where(valid[:, np.newaxis], rows.reshape(-1, VIEW_BYTES), np.uint8(0))
    bitmap = pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(column.type, len(column), [bitmap, pa.py_buffer(rows), *data])
