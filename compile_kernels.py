"""Compiles the kernels to an object file: setup.py runs ``python compile_kernels.py kernels.o``.

The machine code needs nothing of Numba's when it runs, and runs on every processor of its kind.
What a processor can do beyond that does not pay here: code compiled for x86-64-v2, -v3, -v4 and for
the very processor (Zen 5) learned the merges of 100 MB of text no faster, within 1 %.
"""

import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Numba reads its settings when it is imported. With some, such as NUMBA_BOUNDSCHECK, the code would
# call Numba's runtime.
for name in [name for name in os.environ if name.startswith("NUMBA_")]:
    del os.environ[name]
os.environ |= {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}

import llvmlite.binding as llvm  # noqa: E402
import numba  # noqa: E402
from llvmlite import ir  # noqa: E402
from numba.extending import intrinsic  # noqa: E402
from numba.np.arrayobj import populate_array  # noqa: E402

from bpetok.learning import kernels  # noqa: E402
from bpetok.learning.signatures import argument_types  # noqa: E402

KERNELS = ("index_pairs_shard", "apply_shard", "apply_languages_shard")
NUMBERS = numba.types.CPointer(numba.int64)


def target_machine() -> llvm.TargetMachine:
    """Return what is compiled for: any processor of the kind that Python runs on here."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    triple = llvm.get_default_triple()
    if sys.platform == "darwin":  # with the oldest system that the linker links for
        oldest = os.environ.get("MACOSX_DEPLOYMENT_TARGET", "11.0")
        triple = f"{platform.machine()}-apple-macosx{oldest}"
    target = llvm.Target.from_triple(triple)
    return target.create_target_machine(cpu="generic", features="", opt=3, reloc="pic")


def compile_kernels(machine: llvm.TargetMachine) -> bytes:
    """Return an object file with a function ``bpetok_NAME`` for each kernel.

    They are called as `machine_code.pyx` says.
    """
    whole = llvm.parse_assembly("")
    for name in KERNELS:
        function = numba.cfunc(numba.void(NUMBERS), _nrt=False)(_entry(getattr(kernels, name)))
        module = llvm.parse_assembly(function.inspect_llvm())
        module.get_function(function.native_name).name = f"bpetok_{name}"
        whole.link_in(module)
    wanted = {f"bpetok_{name}" for name in KERNELS}
    for function in whole.functions:
        if function.is_declaration:
            if not function.name.startswith("llvm."):
                raise SystemExit(f"compile_kernels: the kernels need {function.name} of Numba's")
        elif function.name in wanted:
            function.visibility = "hidden"
        else:
            function.linkage = "internal"
    for variable in whole.global_variables:
        variable.linkage = "internal"
    whole.triple = machine.triple
    whole.data_layout = str(machine.target_data)
    return bytes(machine.emit_object(whole))


def _entry(kernel: Any) -> Callable[..., None]:
    """Return a function that calls a kernel with arguments from memory."""
    types = numba.types.Tuple(argument_types(kernel))

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


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(compile_kernels(target_machine()))
