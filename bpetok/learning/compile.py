"""Kernels to machine code that needs nothing of Numba's when it runs."""

from collections.abc import Callable, Iterable
from typing import Any, get_type_hints

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from bpetok.learning import kernels
from bpetok.learning.arrays import Int32, Int64, UInt64

ARRAYS = {Int32: numba.int32[::1], Int64: numba.int64[::1], UInt64: numba.uint64[::1]}
NUMBERS = numba.types.CPointer(numba.int64)


def compile_kernels(names: Iterable[str], machine: llvm.TargetMachine) -> tuple[bytes, bool]:
    """Return an object file with a function for each kernel, called as `machine_call.pyx` says.

    And whether it is whole. It calls Numba's runtime where the environment has Numba check bounds
    or not optimise.
    """
    modules = []
    for name in names:
        function = numba.cfunc(numba.void(NUMBERS), _nrt=False)(_entry(getattr(kernels, name)))
        module = llvm.parse_assembly(function.inspect_llvm())
        module.get_function(function.native_name).name = name
        modules.append(module)
    for module in modules[1:]:
        modules[0].link_in(module)
    is_whole = all(
        function.name.startswith("llvm.")
        for function in modules[0].functions
        if function.is_declaration
    )
    return bytes(machine.emit_object(modules[0])), is_whole


def _entry(kernel: Any) -> Callable[..., None]:
    """Return a function that calls a kernel with arguments from memory."""
    hints = get_type_hints(kernel.py_func)
    types = numba.types.Tuple(
        [_numba_type(hint) for name, hint in hints.items() if name != "return"]
    )

    @intrinsic
    def arguments(_: Any, numbers: Any) -> Any:
        """Read the arguments."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            index = 0

            def read() -> Any:
                nonlocal index
                address = builder.gep(args[0], [ir.Constant(ir.IntType(64), index)])
                index += 1
                return builder.load(address)

            def make(of: Any) -> Any:
                if isinstance(of, numba.types.BaseTuple):
                    return context.make_tuple(builder, of, [make(item) for item in of])
                if isinstance(of, numba.types.Array):
                    array = context.make_array(of)(context, builder)
                    item = context.get_data_type(of.dtype)
                    size = ir.Constant(ir.IntType(64), context.get_abi_sizeof(item))
                    data = builder.inttoptr(read(), item.as_pointer())
                    populate_array(array, data, [read()], [size], size, meminfo=None)
                    return array._getvalue()
                return builder.trunc(read(), context.get_value_type(of))

            return make(types)

        return types(numbers), generate

    def entry(numbers: Any) -> None:
        kernel(*arguments(numbers))

    return entry


def _numba_type(hint: Any) -> Any:
    if hint in ARRAYS:
        return ARRAYS[hint]
    if hint is bool:
        return numba.boolean
    if isinstance(hint, type) and issubclass(hint, tuple):
        fields = get_type_hints(hint).values()
        return numba.types.BaseTuple.from_types([_numba_type(field) for field in fields], hint)
    return numba.int64
