"""One word to ids: the merges that stand in it, smallest id first and, among equals, leftmost first.

That is the order of learning, since a merge only ever makes pairs with its own new id in them, and
those are merged later. Short words take a search for the smallest rank on the stack
(`merge_short`), long ones lists of places by rank, linear in the length of the word (`merge_long`).
"""

from libc.stdint cimport INT32_MAX, int32_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

cdef extern from "_simd.h":
    int lowest_bit(uint64_t x) noexcept nogil
    void prefetch(const void* address) noexcept nogil
    void* table_alloc(size_t size) noexcept nogil
    void table_free(void* memory, size_t size) noexcept nogil

cdef extern from "_merge.h":
    int highest_bit(uint32_t x) noexcept nogil
    int32_t smallest(const int32_t* values, int n) noexcept nogil

cdef enum:
    N_BYTES = 256
    SHORT_WORD = 32             # bytes; the bits of the mask `alive`
    SHORT_MERGES = 1 << 26      # with five bits for a place, a rank fills 31
    ID_BITS = 21                # three such ids fill a slot of 63 bits: what is looked up must be
    ID_LIMIT = 1 << ID_BITS     # small, or it is pushed out of the processor's cache

# Not an id, and larger than all: where no merge applies.
cdef int32_t NONE = INT32_MAX
# An empty slot; two bytes never stand in one.
cdef uint64_t NO_PAIR = 0


# ---- pair of ids -> merged id -------------------------------------------------------------------

cdef inline int32_t find_large(const Ranks* ranks, int32_t left, int32_t right) noexcept nogil:
    # `merged` where ids need more than ID_BITS: one slot after the other.
    cdef uint64_t pair = <uint64_t>left << 32 | <uint64_t>right
    cdef uint64_t at = pair * ranks.multiplier >> ranks.shift
    while ranks.large[at].pair != pair and ranks.large[at].pair != NO_PAIR:
        at = (at + 1) & ranks.mask
    return NONE if ranks.large[at].pair == NO_PAIR else ranks.large[at].id


cdef inline int32_t merged(const Ranks* ranks, int32_t left, int32_t right) noexcept nogil:
    # The id that the pair merges to, NONE if it does not.
    cdef uint64_t pair, at, found
    cdef const Bucket* bucket
    if (left | right) < N_BYTES:
        return ranks.byte_pairs[left << 8 | right]
    if ranks.large != NULL:
        return find_large(ranks, left, right)
    pair = <uint64_t>left << ID_BITS | <uint64_t>right
    at = pair * ranks.multiplier >> ranks.shift
    while True:
        bucket = &ranks.buckets[at]
        # Which of the four it is, is as good as random, so it must not be a branch.
        found = bucket.slots[0] if bucket.slots[0] >> ID_BITS == pair else NO_PAIR
        found = bucket.slots[1] if bucket.slots[1] >> ID_BITS == pair else found
        found = bucket.slots[2] if bucket.slots[2] >> ID_BITS == pair else found
        found = bucket.slots[3] if bucket.slots[3] >> ID_BITS == pair else found
        if found != NO_PAIR:
            return <int32_t>(found & (ID_LIMIT - 1))
        if bucket.slots[3] == NO_PAIR:
            return NONE
        at = (at + 1) & ranks.mask


cdef inline void add_pair(Ranks* ranks, int32_t left, int32_t right, int32_t new_id) noexcept nogil:
    cdef uint64_t pair, at
    cdef int k = 0
    if ranks.large != NULL:
        pair = <uint64_t>left << 32 | <uint64_t>right
        at = pair * ranks.multiplier >> ranks.shift
        while ranks.large[at].pair != NO_PAIR:
            at = (at + 1) & ranks.mask
        ranks.large[at].pair, ranks.large[at].id = pair, new_id
        return
    pair = <uint64_t>left << ID_BITS | <uint64_t>right
    at = pair * ranks.multiplier >> ranks.shift
    while ranks.buckets[at].slots[k] != NO_PAIR:
        k += 1
        if k == BUCKET:
            k, at = 0, (at + 1) & ranks.mask
    ranks.buckets[at].slots[k] = pair << ID_BITS | <uint64_t>new_id


cdef int ranks_init(
    Ranks* ranks, const int32_t* pairs, Py_ssize_t n_merges, uint64_t seed
) noexcept nogil:
    cdef Py_ssize_t i, n = 64  # places that a hash may give
    cdef int32_t left, right
    cdef bint small = n_merges + N_BYTES <= ID_LIMIT
    ranks.n_merges, ranks.multiplier, ranks.shift = n_merges, seed | 1, 64 - 6
    while n < (n_merges // 2 if small else 2 * n_merges):
        n *= 2
        ranks.shift -= 1
    ranks.mask = n - 1
    ranks.byte_pairs = <int32_t*> malloc(N_BYTES * N_BYTES * sizeof(int32_t))
    ranks.is_double = <uint8_t*> malloc(n_merges + 1)
    if small:
        ranks.buckets = <Bucket*> table_alloc(n * sizeof(Bucket))
    else:
        ranks.large = <LargeSlot*> table_alloc(n * sizeof(LargeSlot))
    if (
        ranks.byte_pairs == NULL
        or ranks.is_double == NULL
        or (ranks.buckets == NULL and ranks.large == NULL)
    ):
        return -1
    for i in range(N_BYTES * N_BYTES):
        ranks.byte_pairs[i] = NONE
    for i in range(n_merges):
        left, right = pairs[2 * i], pairs[2 * i + 1]
        ranks.is_double[i] = left == right
        if (left | right) < N_BYTES:
            ranks.byte_pairs[left << 8 | right] = <int32_t>(N_BYTES + i)
        else:
            add_pair(ranks, left, right, <int32_t>(N_BYTES + i))
    return 0


cdef void ranks_free(Ranks* ranks) noexcept nogil:
    free(ranks.byte_pairs)
    table_free(ranks.buckets, (ranks.mask + 1) * sizeof(Bucket))
    table_free(ranks.large, (ranks.mask + 1) * sizeof(LargeSlot))
    free(ranks.is_double)


cdef int lists_init(Lists* lists, Py_ssize_t n_merges) noexcept nogil:
    lists.top = <int32_t*> malloc((n_merges + 1) * sizeof(int32_t))
    lists.filled = <uint64_t*> calloc((n_merges + 64) >> 6, sizeof(uint64_t))
    if lists.top == NULL or lists.filled == NULL:
        return -1
    memset(lists.top, 0xFF, n_merges * sizeof(int32_t))
    return 0


cdef void lists_free(Lists* lists) noexcept nogil:
    free(lists.top)
    free(lists.filled)


# ---- one word -----------------------------------------------------------------------------------

cdef inline int32_t place_key(int32_t merged_id, int at) noexcept nogil:
    # What `merge_short` takes the smallest of: the rank, then the place.
    return NONE if merged_id == NONE else (merged_id - N_BYTES) << 5 | at


cdef Py_ssize_t merge_short(
    const Ranks* ranks, const uint8_t* word, int n, int32_t* ids
) noexcept nogil:
    # Write the ids of the word to `ids`, return their number. Requires: 0 < n <= SHORT_WORD, room
    # for n ids, at most SHORT_MERGES merges. Each token stands at its first byte, so nothing is
    # ever moved; `alive` has a bit for each.
    cdef int32_t keys[SHORT_WORD]    # of the pair of the token at a byte and the next one
    cdef int32_t tokens[SHORT_WORD]
    cdef uint32_t alive = <uint32_t>((<uint64_t>1 << n) - 1)
    cdef uint32_t rest
    cdef int32_t key, best
    cdef int i, at, gone, n_keys = (n + 7) & ~7
    for i in range(n - 1):
        tokens[i] = word[i]
        keys[i] = place_key(ranks.byte_pairs[word[i] << 8 | word[i + 1]], i)
    tokens[n - 1] = word[n - 1]
    for i in range(n - 1, n_keys):
        keys[i] = NONE
    while True:
        key = smallest(keys, n_keys)
        if key == NONE:
            break
        at = key & 31
        best = (key >> 5) + N_BYTES
        tokens[at] = best
        rest = alive >> at >> 1
        gone = at + 1 + lowest_bit(rest)
        alive &= ~(<uint32_t>1 << gone)
        keys[gone] = NONE
        rest = alive >> at >> 1
        keys[at] = NONE
        if rest:
            keys[at] = place_key(merged(ranks, best, tokens[at + 1 + lowest_bit(rest)]), at)
        rest = alive & ((<uint32_t>1 << at) - 1)
        if rest:
            i = highest_bit(rest)
            keys[i] = place_key(merged(ranks, tokens[i], best), i)
    n = 0
    while alive:
        ids[n] = tokens[lowest_bit(alive)]
        alive &= alive - 1
        n += 1
    return n


cdef struct Place:
    # One byte of a long word; only the first of a token counts. 16 bytes, so that a merge touches
    # one or two lines.
    int32_t id
    int32_t rank      # what the token and the next merge to
    int32_t before    # first byte of the token before, -1 at the start
    int32_t after     # first byte of the next token, n at the end

cdef struct Node:
    # A place where a pair stands or stood: one of a list for each rank.
    int32_t at
    int32_t below     # the node under it, -1 if none

cdef struct LongWord:
    const Ranks* ranks
    Lists lists
    Place* places
    Node* nodes
    int32_t n
    int32_t n_nodes


cdef inline void set_rank(LongWord* w, int32_t at, int32_t rank) noexcept nogil:
    cdef int32_t i = rank - N_BYTES
    w.places[at].rank = rank
    if rank == NONE:
        return
    w.nodes[w.n_nodes].at = at
    w.nodes[w.n_nodes].below = w.lists.top[i]
    w.lists.top[i] = w.n_nodes
    w.lists.filled[i >> 6] |= <uint64_t>1 << (i & 63)
    w.n_nodes += 1


cdef inline int32_t merge_at(LongWord* w, int32_t at, int32_t new_id) noexcept nogil:
    # Merge the tokens at `at` and behind it; return the place behind both.
    cdef Place* place = &w.places[at]
    cdef Place* gone = &w.places[place.after]
    cdef int32_t after = gone.after
    gone.rank = NONE  # or a node that points there would still hold good
    place.id = new_id
    place.after = after
    if place.before >= 0:
        set_rank(w, place.before, merged(w.ranks, w.places[place.before].id, new_id))
    if after < w.n:
        w.places[after].before = at
        set_rank(w, at, merged(w.ranks, new_id, w.places[after].id))
    else:
        place.rank = NONE
    return after


cdef void merge_all(LongWord* w, int32_t rank) noexcept nogil:
    # Merge every place of the list of `rank`. A node whose place has another rank by now is stale.
    # A pair never comes back to a place, since ids only grow there, so no place stands in a list
    # twice.
    cdef int32_t i = rank - N_BYTES
    cdef int32_t node = w.lists.top[i]
    cdef int32_t at
    w.lists.top[i] = -1
    while node >= 0:
        at = w.nodes[node].at
        node = w.nodes[node].below
        if node >= 0:
            prefetch(&w.nodes[w.nodes[node].below if w.nodes[node].below >= 0 else node])
            prefetch(&w.places[w.nodes[node].at])
        if w.places[at].rank != rank:
            continue
        if not w.ranks.is_double[i]:
            merge_at(w, at, rank)
            continue
        # Pairs of one id with itself overlap: begin at the start of their run and go to the right.
        while w.places[at].before >= 0 and w.places[w.places[at].before].rank == rank:
            at = w.places[at].before
        while at < w.n and w.places[at].rank == rank:
            at = merge_at(w, at, rank)


cdef Py_ssize_t merge_long(
    const Ranks* ranks, Lists lists, const uint8_t* word, Py_ssize_t n, int32_t* ids
) noexcept nogil:
    # Write the ids of the word to `ids`, return their number, -1 if memory ran out. Requires: 1 < n
    # <= LONGEST_WORD, room for n ids. A merge makes at most two nodes, so there are fewer than 3n.
    cdef LongWord w
    cdef size_t size = (n * (sizeof(Place) + 3 * sizeof(Node)) + 4095) & ~<size_t>4095
    cdef Py_ssize_t i, n_ids = 0
    cdef int32_t at
    w.ranks, w.lists, w.n, w.n_nodes = ranks, lists, <int32_t>n, 0
    w.places = <Place*> table_alloc(size)
    if w.places == NULL:
        return -1
    w.nodes = <Node*> &w.places[n]
    for at in range(w.n):
        w.places[at].id = word[at]
        w.places[at].before = at - 1
        w.places[at].after = at + 1
        set_rank(&w, at, ranks.byte_pairs[word[at] << 8 | word[at + 1]] if at + 1 < w.n else NONE)
    # A merge fills only lists of higher rank than its own, so one sweep upwards empties all.
    for i in range((ranks.n_merges + 63) >> 6):
        while lists.filled[i]:
            at = lowest_bit(lists.filled[i])
            lists.filled[i] &= lists.filled[i] - 1
            merge_all(&w, <int32_t>(N_BYTES + (i << 6) + at))
    at = 0
    while at < w.n:
        ids[n_ids] = w.places[at].id
        n_ids += 1
        at = w.places[at].after
    table_free(w.places, size)
    return n_ids


cdef Py_ssize_t merge_word(
    const Ranks* ranks, Lists lists, const uint8_t* word, Py_ssize_t n, int32_t* ids
) noexcept nogil:
    if n <= SHORT_WORD and ranks.n_merges <= SHORT_MERGES:
        return merge_short(ranks, word, <int>n, ids)
    return merge_long(ranks, lists, word, n, ids)
