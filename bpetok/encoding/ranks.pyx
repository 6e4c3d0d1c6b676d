"""The merges: which pair of ids becomes which id, smaller ids first."""

from libc.stdint cimport int32_t, uint64_t
from libc.stdlib cimport free, malloc

from bpetok.base.built_from cimport check_sources
from bpetok.base.simd cimport table_alloc, table_free

check_sources(__name__)


cdef void add_large(Ranks* ranks, int32_t left, int32_t right, int32_t new_id) noexcept nogil:
    cdef uint64_t pair = <uint64_t>left << 32 | <uint64_t>right
    cdef uint64_t at = pair * ranks.multiplier >> ranks.shift
    while ranks.large[at].id != 0:
        at = (at + 1) & ranks.mask
    ranks.large[at].pair, ranks.large[at].id = pair, new_id


cdef void add_pair(Ranks* ranks, int32_t left, int32_t right, int32_t new_id) noexcept nogil:
    cdef uint64_t pair = <uint64_t>left << ID_BITS | <uint64_t>right
    cdef uint64_t hashed = pair * ranks.multiplier
    cdef uint64_t at = hashed >> ranks.shift
    cdef int k = 0
    ranks.filter[at >> 1] |= <uint64_t>1 << (hashed >> (ranks.shift - 5) & 63)
    while ranks.buckets[at].slots[k] != EMPTY:
        k += 1
        if k == BUCKET:
            k, at = 0, (at + 1) & ranks.mask
    ranks.buckets[at].slots[k] = pair << ID_BITS | <uint64_t>new_id


cdef int ranks_alloc(Ranks* ranks, Py_ssize_t n_merges) noexcept nogil:
    cdef bint small = ranks.n_symbols + n_merges <= ID_LIMIT
    cdef Py_ssize_t n = 64  # places that a hash may give
    ranks.shift = 64 - 6
    while n < (n_merges // 2 if small else 2 * n_merges):
        n *= 2
        ranks.shift -= 1
    ranks.mask, ranks.n_ids = n - 1, ranks.n_symbols + n_merges
    ranks.pairs = <Pair*> malloc(ranks.n_ids * sizeof(Pair))
    if not small:
        ranks.large = <LargeSlot*> table_alloc(n * sizeof(LargeSlot))
        return -1 if ranks.pairs == NULL or ranks.large == NULL else 0
    ranks.buckets = <Bucket*> table_alloc(n * sizeof(Bucket))
    ranks.filter = <uint64_t*> table_alloc(n // 2 * sizeof(uint64_t))
    return -1 if ranks.pairs == NULL or ranks.buckets == NULL or ranks.filter == NULL else 0


cdef int ranks_init(
    Ranks* ranks, const int32_t* pairs, Py_ssize_t n_merges, int32_t n_symbols, uint64_t seed
) noexcept nogil:
    cdef Py_ssize_t i
    cdef int32_t left, right, new_id
    ranks.multiplier, ranks.n_symbols = seed | 1, n_symbols
    if ranks_alloc(ranks, n_merges) < 0:
        return -1
    for i in range(n_symbols):
        ranks.pairs[i].left = ranks.pairs[i].right = -1
    for i in range(n_merges):
        left, right, new_id = pairs[2 * i], pairs[2 * i + 1], <int32_t>(n_symbols + i)
        ranks.pairs[new_id].left, ranks.pairs[new_id].right = left, right
        if ranks.large != NULL:
            add_large(ranks, left, right, new_id)
        else:
            add_pair(ranks, left, right, new_id)
    return 0


cdef void ranks_free(Ranks* ranks) noexcept nogil:
    table_free(ranks.buckets, (ranks.mask + 1) * sizeof(Bucket))
    table_free(ranks.filter, (ranks.mask + 1) // 2 * sizeof(uint64_t))
    table_free(ranks.large, (ranks.mask + 1) * sizeof(LargeSlot))
    free(ranks.pairs)
