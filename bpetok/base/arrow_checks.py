"""Arrow arrays that others wrote: what they say of their own memory has to be true.

An array is buffers and numbers that say where in them something is. pyarrow believes the numbers
and so reads memory that is not the array's, or ends the process, if they are wrong. The checks here
are those of ``pyarrow.Array.validate(full=True)`` without the one for UTF-8, which takes most of
its time and is the counter's task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


def checked(name: str, given: Any) -> Any:
    """Return what a caller gave, of pyarrow, pandas or datasets, after a look at its memory.

    Arrays and scalars of pyarrow become lists and numbers, which is what iterating over a damaged
    one would end the process for.

    Raises
    ------
    ValueError
        If it is damaged; the message says `name`.
    """
    import pyarrow as pa

    try:
        for array in _arrays_of(given):
            for chunk in array.chunks if isinstance(array, pa.ChunkedArray) else [array]:
                check_array(chunk)
        if isinstance(given, pa.Scalar):
            given.validate(full=True)
            return given.as_py()
        return given.to_pylist() if isinstance(given, pa.Array | pa.ChunkedArray) else given
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise ValueError(f"{name}: a {type(given).__name__} that is damaged: {error}") from None


def _arrays_of(given: Any) -> list[Any]:
    """Return the arrays of pyarrow that something of pyarrow, pandas or datasets holds."""
    import pyarrow as pa

    if isinstance(given, pa.Array | pa.ChunkedArray):
        return [given]
    if isinstance(given, pa.Table | pa.RecordBatch):
        return list(given.columns)
    if isinstance(given, pa.ListScalar | pa.LargeListScalar) and given.is_valid:
        return [given.values]
    inner = getattr(given, "array", given)  # of a Series or an Index
    if hasattr(inner, "__arrow_array__"):
        return [inner.__arrow_array__()]
    while type(given).__name__ == "Column":  # of datasets, maybe of a column of a column
        given = given.source
    table = getattr(getattr(given, "data", None), "table", None)
    return list(table.columns) if isinstance(table, pa.Table) else []


def check_array(array: pa.Array) -> None:
    """Check that all of an array lies in its buffers.

    Raises
    ------
    pyarrow.ArrowInvalid
        If it does not.
    """
    array.validate()  # the sizes of all buffers, and the first and the last offsets
    _check_inside(array)


def _check_inside(array: pa.Array) -> None:
    """Check nulls, offsets and indices. Requires: `pyarrow.Array.validate`."""
    import pyarrow as pa

    types, kind = pa.types, array.type
    if len(array) == 0:
        return
    _check_null_count(array)
    if types.is_string(kind) or types.is_binary(kind):
        _check_offsets(array, wide=False, n_inside=_n_bytes(array))
    elif types.is_large_string(kind) or types.is_large_binary(kind):
        _check_offsets(array, wide=True, n_inside=_n_bytes(array))
    elif types.is_dictionary(kind):
        indices = array.indices.drop_null().to_numpy(zero_copy_only=False)
        _require(_all_within(indices, len(array.dictionary)), "an index is outside the dictionary")
        _check_inside(array.dictionary)
    elif types.is_struct(kind):
        for number in range(kind.num_fields):
            _check_inside(array.field(number))
    elif types.is_fixed_size_list(kind):
        _check_inside(array.values)
    elif types.is_list(kind) or types.is_large_list(kind) or types.is_map(kind):
        _check_offsets(array, types.is_large_list(kind), len(array.values))
        _check_inside(array.values)
    elif types.is_list_view(kind) or types.is_large_list_view(kind):
        offsets, sizes = (part.to_numpy().astype(np.int64) for part in (array.offsets, array.sizes))
        ends = np.where(sizes > 0, offsets + sizes, 0)
        fits = _all_within(offsets, 1 << 62) and _all_within(sizes, 1 << 62)
        _require(fits and _all_within(ends, len(array.values) + 1), "a list is outside")
        _check_inside(array.values)
    elif types.is_string_view(kind) or types.is_binary_view(kind):
        array.view(pa.binary_view()).validate(full=True)
    elif isinstance(array, pa.ExtensionArray):
        _check_inside(array.storage)
    else:
        array.validate(full=True)


def _n_bytes(array: pa.Array) -> int:
    data = array.buffers()[2]
    return 0 if data is None else int(data.size)


def _check_null_count(array: pa.Array) -> None:
    buffers = array.buffers()
    bitmap = buffers[0] if buffers else None
    if bitmap is not None:
        end = array.offset + len(array)
        bits = np.frombuffer(bitmap, np.uint8)[: (end + 7) // 8]
        valid = np.unpackbits(bits, bitorder="little")[array.offset : end]
        _require(len(array) - int(valid.sum()) == array.null_count, "the number of nulls is wrong")


def offsets_of(array: pa.Array, wide: bool) -> NDArray[Any]:
    """Return the offsets of an array of texts or lists, of 64 bits if `wide`, otherwise of 32."""
    dtype = np.dtype(np.int64 if wide else np.int32)
    begin = array.offset * dtype.itemsize
    return np.frombuffer(array.buffers()[1], dtype, len(array) + 1, begin)


def _check_offsets(array: pa.Array, wide: bool, n_inside: int) -> None:
    offsets = offsets_of(array, wide)
    ascending = bool((offsets[1:] >= offsets[:-1]).all())
    _require(ascending and offsets[0] >= 0 and offsets[-1] <= n_inside, "an offset is outside")


def _all_within(numbers: NDArray[Any], end: int) -> bool:
    return len(numbers) == 0 or (int(numbers.min()) >= 0 and int(numbers.max()) < end)


def _require(fits: bool, message: str) -> None:
    if not fits:
        import pyarrow as pa

        raise pa.ArrowInvalid(message)
