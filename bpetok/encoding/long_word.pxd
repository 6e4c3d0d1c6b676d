from libc.stdint cimport int32_t, uint64_t

from bpetok.encoding.ranks cimport Ranks

cdef struct Lists:
    # Empty between words: every list that a word fills is emptied before the word is done.
    int32_t* top      # [rank]: index of a node, -1 if none
    uint64_t* filled  # one bit a list

# The lists of one thread; to be freed also after -1 (no memory).
cdef int lists_init(Lists* lists, Py_ssize_t n_ids) noexcept nogil
cdef void lists_free(Lists* lists) noexcept nogil

# Replace the word in ids[:n], bytes or other symbols, by its ids; return their number, -1 if memory
# ran out. Requires: 1 < n <= LONGEST_WORD.
cdef Py_ssize_t merge_long(
    const Ranks* ranks, Lists lists, int32_t* ids, Py_ssize_t n
) noexcept nogil
