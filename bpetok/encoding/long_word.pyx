"""One long word to ids: its merges, smallest id first and, among equals, leftmost first.

That is the order of learning, since a merge only ever makes pairs with its own new id in them, and
those are merged later. The rank of a place is the id that the token there and the next one merge
to. There is a list of places for each rank, and the ranks are gone through once, upwards: so the
time is linear in the length of the word.
"""

from libc.stdint cimport int32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from bpetok.base.built_from cimport check_sources
from bpetok.base.simd cimport lowest_bit, prefetch, table_alloc, table_free
from bpetok.encoding.ranks cimport NONE, Ranks, merged

check_sources(__name__)


cdef int lists_init(Lists* lists, Py_ssize_t n_ids) noexcept nogil:
    lists.top = <int32_t*> malloc((n_ids + 1) * sizeof(int32_t))
    lists.filled = <uint64_t*> calloc((n_ids + 64) >> 6, sizeof(uint64_t))
    if lists.top == NULL or lists.filled == NULL:
        return -1
    memset(lists.top, 0xFF, n_ids * sizeof(int32_t))
    return 0


cdef void lists_free(Lists* lists) noexcept nogil:
    free(lists.top)
    free(lists.filled)


cdef struct Place:
    # One symbol of a long word; only the first of a token counts. 16 bytes, so that a merge touches
    # one or two lines.
    int32_t id
    int32_t rank      # what the token and the next merge to
    int32_t before    # first symbol of the token before, -1 at the start
    int32_t after     # first symbol of the next token, n at the end

cdef struct Node:
    # A place where a pair is or was: one of a list for each rank.
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
    w.places[at].rank = rank
    if rank == NONE:
        return
    w.nodes[w.n_nodes].at = at
    w.nodes[w.n_nodes].below = w.lists.top[rank]
    w.lists.top[rank] = w.n_nodes
    w.lists.filled[rank >> 6] |= <uint64_t>1 << (rank & 63)
    w.n_nodes += 1


cdef inline int32_t merge_at(LongWord* w, int32_t at, int32_t new_id) noexcept nogil:
    # Merge the token at `at` and the next; return the place after both.
    cdef Place* place = &w.places[at]
    cdef Place* gone = &w.places[place.after]
    cdef int32_t after = gone.after
    gone.rank = NONE  # otherwise a node that points there would not be taken for stale
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
    # Merge every place of the list of `rank`. A node whose place has another rank by now is stale
    # and is passed over. No place is in a list twice: ids only grow at a place, so that a pair
    # never comes back to it.
    cdef int32_t node = w.lists.top[rank]
    cdef int32_t at
    w.lists.top[rank] = -1
    while node >= 0:
        at = w.nodes[node].at
        node = w.nodes[node].below
        if node >= 0:
            prefetch(&w.nodes[w.nodes[node].below if w.nodes[node].below >= 0 else node])
            prefetch(&w.places[w.nodes[node].at])
        if w.places[at].rank != rank:
            continue
        if w.ranks.pairs[rank].left != w.ranks.pairs[rank].right:
            merge_at(w, at, rank)
            continue
        # Pairs of one id with itself overlap: begin at the start of their run and go to the right.
        while w.places[at].before >= 0 and w.places[w.places[at].before].rank == rank:
            at = w.places[at].before
        while at < w.n and w.places[at].rank == rank:
            at = merge_at(w, at, rank)


cdef Py_ssize_t merge_long(
    const Ranks* ranks, Lists lists, int32_t* ids, Py_ssize_t n
) noexcept nogil:
    # As many nodes as pairs of symbols, fewer than n, and at most two for each of fewer than n
    # merges: fewer than 3n.
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
        w.places[at].id = ids[at]
        w.places[at].before = at - 1
        w.places[at].after = at + 1
        set_rank(&w, at, merged(ranks, ids[at], ids[at + 1]) if at + 1 < w.n else <int32_t>NONE)
    # A merge fills only lists of higher rank than its own, so one sweep upwards empties all.
    for i in range(ranks.n_symbols >> 6, (ranks.n_ids + 63) >> 6):
        while lists.filled[i]:
            at = lowest_bit(lists.filled[i])
            lists.filled[i] &= lists.filled[i] - 1
            merge_all(&w, <int32_t>((i << 6) + at))
    at = 0
    while at < w.n:
        ids[n_ids] = w.places[at].id
        n_ids += 1
        at = w.places[at].after
    table_free(w.places, size)
    return n_ids
