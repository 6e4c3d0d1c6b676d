"""The kernels of one shard as machine code, which was compiled when the package was built.

`compile_kernels.py` makes the object file that is linked to this module. So learning on one thread
imports nothing of Numba, and the first training takes no longer than the next.
"""

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.number cimport PyNumber_Index
from libc.stdint cimport int64_t, uintptr_t

from bpetok.base.built_from cimport check_sources

from numpy import ndarray

check_sources(__name__)

cdef extern from *:
    """
    void bpetok_index_pairs_shard(int64_t *numbers);
    void bpetok_apply_shard(int64_t *numbers);
    void bpetok_apply_languages_shard(int64_t *numbers);
    """
    void bpetok_index_pairs_shard(int64_t*) noexcept nogil
    void bpetok_apply_shard(int64_t*) noexcept nogil
    void bpetok_apply_languages_shard(int64_t*) noexcept nogil

cdef enum:
    MOST_NUMBERS = 128


cdef class Kernel:
    """A compiled kernel of ``kernels.py``, called as it is there.

    It takes its arguments from memory, one int64 after another: an int as it is; a NamedTuple of
    arrays, of the types that ``arrays.py`` says, as the address and the length of each. The GIL is
    free meanwhile.

    Parameters
    ----------
    address : int
        Where the code of ``void kernel(int64_t*)`` begins; it must stay in memory.
    """

    cdef void (*run)(int64_t*) noexcept nogil

    def __init__(self, uintptr_t address):
        self.run = <void (*)(int64_t*) noexcept nogil>address

    def __call__(self, *arguments):
        cdef int64_t numbers[MOST_NUMBERS]
        cdef Py_buffer buffer
        cdef Py_ssize_t n = 0
        for argument in arguments:
            for value in argument if isinstance(argument, tuple) else (argument,):
                if n + 2 > MOST_NUMBERS:
                    raise ValueError(f"a kernel takes at most {MOST_NUMBERS} numbers")
                if not isinstance(value, ndarray):  # NumPy's integers have a buffer, too
                    numbers[n] = PyNumber_Index(value)
                    n += 1
                    continue
                # The array lives until the end of the call, which the tuple sees to.
                PyObject_GetBuffer(value, &buffer, PyBUF_WRITABLE)
                numbers[n] = <int64_t><uintptr_t>buffer.buf
                numbers[n + 1] = buffer.len // buffer.itemsize
                PyBuffer_Release(&buffer)
                n += 2
        with nogil:
            self.run(numbers)


index_pairs_shard = Kernel(<uintptr_t>&bpetok_index_pairs_shard)
apply_shard = Kernel(<uintptr_t>&bpetok_apply_shard)
apply_languages_shard = Kernel(<uintptr_t>&bpetok_apply_languages_shard)
