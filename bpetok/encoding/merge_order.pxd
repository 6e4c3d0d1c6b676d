from libc.stdint cimport int32_t, uint8_t

from bpetok.encoding.ranks cimport Ranks

cdef class MergeOrder:
    cdef list tokens
    cdef Py_ssize_t n_tokens   # -1: all words may have them
    cdef uint8_t** starts      # of the tokens; they are kept alive by `tokens`
    cdef Py_ssize_t* sizes
    cdef int32_t* places

    # Whether the places may make a difference to the ids of a word.
    cdef bint concerns(self, const uint8_t* word, Py_ssize_t n) noexcept nogil

    # Write the ids of a word to `ids`, return their number, -1 if memory ran out. Requires: 0 < n,
    # room for n ids.
    cdef Py_ssize_t merge(
        self, const Ranks* ranks, const uint8_t* word, Py_ssize_t n, int32_t* ids
    ) noexcept nogil
