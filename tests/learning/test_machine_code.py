"""The kernels are compiled with the package: learning on one thread needs nothing of Numba."""

import ctypes
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpetok import Words
from bpetok.learning import kernels
from bpetok.learning.learner import Learner
from bpetok.learning.loading import KERNELS, Kernels
from bpetok.learning.machine_code import Kernel
from bpetok.learning.pairs import Pairs

CODE = """
import sys
import bpetok
print(bpetok.train_from_iterator(["abab ab"], vocab_size=258).merges)
print(sorted({"numba", "llvmlite"} & set(sys.modules)))
"""
MERGES = "[(b'a', b'b'), (b' ', b'ab')]"


def run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", CODE]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_training_needs_neither_numba_nor_a_folder(environment: dict[str, str]) -> None:
    """Nothing is compiled, and nothing is looked for where such things are kept."""
    for name in ("HOME", "XDG_CACHE_HOME"):
        environment.pop(name, None)
    done = run(environment | {"NUMBA_CACHE_DIR": "/dev/null/none"})
    assert done.stdout == f"{MERGES}\n[]\n", done.stderr


def test_the_kernels_are_compiled_ones() -> None:
    """Each has the name that it has in the sources."""
    assert all(isinstance(kernel, Kernel) for kernel in KERNELS)
    assert Kernels._fields == ("index_pairs_shard", "apply_shard", "apply_languages_shard")


IDS = st.one_of(st.integers(0, (1 << 31) - 1), st.integers(0, 300), st.just((1 << 31) - 1))


@given(IDS, IDS, st.integers(0, (1 << 20) - 1))
def test_both_hashes_of_a_pair_are_one(left: int, right: int, other: int) -> None:
    """`Pairs` sets the bit of a pair in the filter, and the kernel asks for the same one."""
    words = Words.from_counts({b"ab": 1})
    learner = Learner(words, 1)
    learner._build_index()
    batch = learner.batch
    pairs = Pairs(
        learner.shards,
        batch,
        learner.rows,
        (learner.left, learner.right, learner.counts),
        0,
        256,
        [bytes([byte]) for byte in range(256)],
        learner.byte_len,
        [1],
        0,
    )
    none = np.zeros((1, 1), np.int64)
    pairs.add(np.array([left << 32 | right], np.int64), np.ones((1, 1), np.int64), none, none)
    (bit,) = np.flatnonzero(np.unpackbits(batch.filter.view(np.uint8), bitorder="little"))
    kernel: Any = kernels.may_be_in  # what Numba makes of it; here its Python runs
    assert kernel.py_func(batch.filter, np.int64(left), np.int64(right))
    batch.filter[bit >> 6] = 0
    batch.filter[other >> 6] |= np.uint64(1 << (other & 63))
    found = kernel.py_func(batch.filter, np.int64(left), np.int64(right))
    assert found == (bit == other)


def test_arguments_as_a_kernel_finds_them() -> None:
    """Integers, NumPy's too, as they are; arrays as their address and their length."""
    found: list[list[int]] = []
    callback = ctypes.CFUNCTYPE(None, ctypes.POINTER(ctypes.c_int64))
    function = callback(lambda numbers: found.append(numbers[:7]))
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    arrays = np.zeros(3, np.int32), np.zeros(0, np.int64)
    Kernel(address)(-5, np.int64(7), True, arrays)
    places = [array.ctypes.data for array in arrays]
    assert found == [[-5, 7, 1, places[0], 3, places[1], 0]]


def test_arguments_that_a_kernel_can_t_take() -> None:
    """They are refused before it is called."""
    kernel = Kernel(0)
    constant = np.zeros(4)
    constant.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        kernel((constant,))
    with pytest.raises(ValueError, match="at most 128"):
        kernel(*range(129))
    with pytest.raises((ValueError, BufferError), match="contiguous"):
        kernel((np.zeros((4, 4))[:, 0],))
    with pytest.raises(OverflowError):
        kernel(1 << 63)
    with pytest.raises(TypeError, match="float"):
        kernel(1.0)
