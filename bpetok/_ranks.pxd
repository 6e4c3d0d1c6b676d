from libc.stdint cimport int32_t, uint8_t, uint64_t

cdef enum:
    BUCKET = 4

cdef struct Bucket:
    # Filled from the first slot on; if it is full, pairs go to the next one. Half a cache line.
    uint64_t slots[BUCKET]  # left, right, id of ID_BITS each; NO_PAIR if empty

cdef struct LargeSlot:
    uint64_t pair  # left << 32 | right; NO_PAIR if empty
    int32_t id

cdef struct Ranks:
    # Which pair merges to which id. Pairs of bytes have a table of their own; all others stand in
    # one with open addressing, at most half full: `buckets`, or `large` if ids need more than
    # ID_BITS.
    int32_t* byte_pairs   # [left << 8 | right]
    Bucket* buckets
    LargeSlot* large
    uint64_t mask         # of the index of a bucket or large slot
    uint64_t multiplier   # of the hash; random, so that no file of merges can make long chains
    int shift
    uint8_t* is_double    # [id - 256]: left and right are the same
    Py_ssize_t n_merges

cdef struct Lists:
    # Empty between words: every list that a word fills is emptied before the word is done.
    int32_t* top      # [rank - 256]: index of a node, -1 if none
    uint64_t* filled  # one bit a list

# Fill `ranks` from left, right of each merge; `ranks` is zeroed, and to be freed also after -1 (no
# memory).
cdef int ranks_init(
    Ranks* ranks, const int32_t* pairs, Py_ssize_t n_merges, uint64_t seed
) noexcept nogil
cdef void ranks_free(Ranks* ranks) noexcept nogil

# The lists of one thread, likewise.
cdef int lists_init(Lists* lists, Py_ssize_t n_merges) noexcept nogil
cdef void lists_free(Lists* lists) noexcept nogil

# Write the ids of a word to `ids`, return their number, -1 if memory ran out. Requires: 0 < n <=
# LONGEST_WORD, room for n ids.
cdef Py_ssize_t merge_word(
    const Ranks* ranks, Lists lists, const uint8_t* word, Py_ssize_t n, int32_t* ids
) noexcept nogil
