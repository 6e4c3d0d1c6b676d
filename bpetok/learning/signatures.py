"""The types of the kernels' arguments, as Numba knows them: the same for all that call them."""

from typing import Any, get_type_hints

import numba

from bpetok.base.array_types import Int32, Int64, UInt64

ARRAYS = {Int32: numba.int32[::1], Int64: numba.int64[::1], UInt64: numba.uint64[::1]}


def argument_types(kernel: Any) -> list[Any]:
    """Return the types of the arguments of a kernel, from its annotations."""
    hints = get_type_hints(getattr(kernel, "py_func", kernel))
    return [_numba_type(hint) for name, hint in hints.items() if name != "return"]


def _numba_type(hint: Any) -> Any:
    if hint in ARRAYS:
        return ARRAYS[hint]
    if hint is bool:
        return numba.boolean
    if isinstance(hint, type) and issubclass(hint, tuple):
        fields = get_type_hints(hint).values()
        return numba.types.BaseTuple.from_types([_numba_type(field) for field in fields], hint)
    return numba.int64
