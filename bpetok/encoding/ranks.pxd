from libc.stdint cimport int32_t, uint64_t

cdef enum:
    N_BYTES = 256
    BUCKET = 4
    ID_BITS = 21             # three such ids fill a slot of 63 bits: what is looked up must be
    ID_LIMIT = 1 << ID_BITS  # small, or it is pushed out of the processor's cache
    EMPTY = 0                # a slot: no merge makes id 0
    NONE = 0x7FFFFFFF        # not an id, and larger than all: where no merge applies

cdef struct Bucket:
    # Filled from the first slot on; if it is full, pairs go to the next one. Half a cache line.
    uint64_t slots[BUCKET]   # left, right, id of ID_BITS each; EMPTY slots come last

cdef struct LargeSlot:
    uint64_t pair            # left << 32 | right
    int32_t id               # 0 if empty

cdef struct Pair:
    int32_t left
    int32_t right

cdef struct Ranks:
    # Which pair merges to which id, and back. A table with open addressing, at most half full:
    # `buckets`, or `large` if ids need more than ID_BITS. Most pairs that are looked up do not
    # merge. `filter`, sixteen bits for a merge, tells that of most without a look at the table.
    Bucket* buckets
    uint64_t* filter
    LargeSlot* large
    uint64_t mask            # of the index of a bucket or large slot
    uint64_t multiplier      # of the hash; random, so that no file of merges can make long chains
    int shift
    Pair* pairs              # [id]: what it was merged from; of a symbol, -1, -1
    int32_t n_symbols        # ids below are those of symbols, such as the bytes
    Py_ssize_t n_ids


cdef inline int32_t find_large(const Ranks* ranks, int32_t left, int32_t right) noexcept nogil:
    # `merged` where ids need more than ID_BITS: one slot after the other.
    cdef uint64_t pair = <uint64_t>left << 32 | <uint64_t>right
    cdef uint64_t at = pair * ranks.multiplier >> ranks.shift
    while ranks.large[at].pair != pair and ranks.large[at].id != 0:
        at = (at + 1) & ranks.mask
    return ranks.large[at].id if ranks.large[at].id != 0 else <int32_t>NONE


cdef inline int32_t merged(const Ranks* ranks, int32_t left, int32_t right) noexcept nogil:
    # The id that the pair merges to, NONE if it does not.
    cdef uint64_t pair, hashed, at, found
    cdef const Bucket* bucket
    if ranks.large != NULL:
        return find_large(ranks, left, right)
    pair = <uint64_t>left << ID_BITS | <uint64_t>right
    hashed = pair * ranks.multiplier
    at = hashed >> ranks.shift
    if not ranks.filter[at >> 1] >> (hashed >> (ranks.shift - 5) & 63) & 1:
        return NONE
    while True:
        bucket = &ranks.buckets[at]
        # Which of the four matches is as good as random, so there must be no branch, which would be
        # mispredicted. The first slot is looked at last, so that it wins: an empty slot (0) looks
        # like one of the pair (0, 0), but the slot of that pair is before all empty ones.
        found = bucket.slots[3] if bucket.slots[3] >> ID_BITS == pair else <uint64_t>EMPTY
        found = bucket.slots[2] if bucket.slots[2] >> ID_BITS == pair else found
        found = bucket.slots[1] if bucket.slots[1] >> ID_BITS == pair else found
        found = bucket.slots[0] if bucket.slots[0] >> ID_BITS == pair else found
        if found != EMPTY:
            return <int32_t>(found & (ID_LIMIT - 1))
        if bucket.slots[3] == EMPTY:
            return NONE
        at = (at + 1) & ranks.mask


# Fill `ranks` from left, right of each merge; merge i makes the id n_symbols + i. -1 if there is no
# memory. Requires: it is zeroed, n_symbols > 0. It must be freed afterwards, also after -1.
cdef int ranks_init(
    Ranks* ranks, const int32_t* pairs, Py_ssize_t n_merges, int32_t n_symbols, uint64_t seed
) noexcept nogil
cdef void ranks_free(Ranks* ranks) noexcept nogil
