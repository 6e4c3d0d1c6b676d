"""The kernels that one thread runs, as machine code: compiled by Numba once, loaded without it.

Importing Numba, making it ready to load what it has compiled before, and ending a process that has
it takes 0.5 s, on 1 MB of text two thirds of training; loading the code by itself takes 0.04. It is
kept in a file for each version of the kernels and each kind of processor.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import llvmlite
import llvmlite.binding as llvm

from bpetok.base.files import write_whole
from bpetok.learning.machine_call import Entry
from bpetok.learning.pairs import FILTER_BITS
from bpetok.learning.slots import BLOCK_BITS

SOURCES = ("kernels.py", "arrays.py", "compile.py")
"""What the code depends on, beside the constants of two extension modules."""
CACHE_FOLDERS = {"win32": "~/AppData/Local", "darwin": "~/Library/Caches"}
"""Where users' caches are on systems that are not as most others."""
DIGEST_SIZE = sha256().digest_size


class Kernels(NamedTuple):
    """The kernels that work on one shard; see those of the same names in ``kernels.py``."""

    index_pairs_shard: Callable[..., object]
    apply_shard: Callable[..., object]


@cache
def kernels() -> Kernels:
    """Return the kernels: as they were compiled before, or else compiled now and kept.

    With the environment variable NUMBA_DISABLE_JIT they are Python's.
    """
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        from bpetok.learning import kernels

        return Kernels(kernels.index_pairs_shard, kernels.apply_shard)
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    paths = _paths()
    code = _kept(paths)
    if code is None:
        from bpetok.learning.compile import compile_kernels

        code, is_whole = compile_kernels(Kernels._fields, target_machine())
        if is_whole:
            _keep(code, paths)
    return _linked(code)


def target_machine() -> llvm.TargetMachine:
    """Return what LLVM compiles for: this processor, with all that it can do."""
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=_cpu_features(), opt=3, jit=True
    )


def _cpu_features() -> str:
    try:
        return str(llvm.get_host_cpu_features().flatten())
    except RuntimeError:  # LLVM knows them for some kinds of processors only
        return ""


def _linked(code: bytes) -> Kernels:
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return Kernels(*(Entry(engine.get_function_address(name), engine) for name in Kernels._fields))


def _paths() -> list[Path]:
    """Return where the code may be kept, the best place first."""
    here = Path(__file__).parent
    try:
        sources = [(here / name).read_bytes() for name in SOURCES]
    except OSError:  # a package without its sources
        return []
    version = (llvmlite.__version__, llvm.get_default_triple(), llvm.get_host_cpu_name())
    inputs = (*version, _cpu_features(), FILTER_BITS, BLOCK_BITS, sources)
    name = f"_kernels-{sha256(repr(inputs).encode()).hexdigest()[:16]}.o"
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        return [Path(given) / name]
    user = os.environ.get("XDG_CACHE_HOME") or CACHE_FOLDERS.get(sys.platform, "~/.cache")
    user = os.path.expanduser(user)  # noqa: PTH111  # Path's raises where there is no home
    folders = [here / "__pycache__", Path(user) / "bpetok"]
    return [folder / name for folder in folders if folder.is_absolute()]


def _kept(paths: list[Path]) -> bytes | None:
    """Return the code that was kept in one of the files, if there is one and it is whole."""
    for path in paths:
        try:
            data = path.read_bytes()
        except OSError:
            continue
        digest, code = data[:DIGEST_SIZE], data[DIGEST_SIZE:]
        if sha256(code).digest() == digest:
            return code
    return None


def _keep(code: bytes, paths: list[Path]) -> None:
    """Write the code to the first of the files that can be written."""
    for path in paths:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, sha256(code).digest() + code)
        except OSError:
            continue
        return
