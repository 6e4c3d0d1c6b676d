"""The pairs while merges are learned: how often each occurs, which is next, where its postings are.

All of this is done by one thread, between the kernels of `kernels.py`, which visit the places of a
round's merges. `rule.py` says what the rule is and why rounds are exact.
"""

import os

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy, memset

from bpetok.base.built_from cimport check_sources
from bpetok.base.simd cimport prefetch, table_alloc, table_free
from bpetok.learning.merge_filter cimport TokenFilter

check_sources(__name__)

cdef extern from *:
    enum:
        FILTER "BPETOK_FILTER_BITS"  # arrays.FILTER_BITS, which setup.py passes

cdef enum:
    NOTHING = -1
    FIRST_TABLE_BITS = 10

cdef enum Ties:
    # What comes first among pairs that occur equally often: the smallest ids, the earliest first
    # place, the greatest bytes. The numbers are those of `rule.Rule.tie_number`.
    BY_IDS = 0
    BY_PLACE = 1
    BY_BYTES = 2

# Of the hash; secret, so that no text can make long chains.
cdef uint64_t MULTIPLIER = int.from_bytes(os.urandom(8), "little") | 1
cdef int64_t NEVER = 0x7FFFFFFFFFFFFFFF

cdef struct Pair:
    uint64_t key    # left << 32 | right
    int64_t count

cdef struct PostingRun:
    # The postings of a pair in a shard.
    int64_t start
    int64_t size

cdef struct Place:
    # Of the hash table, in which a pair is looked for.
    uint64_t key
    int64_t pair    # its number + 1, 0 if the place is empty

cdef struct Candidate:
    # Of the heap, which has the pairs that occur at least `level` times. A pair's count may have
    # fallen since it was put there, but never risen.
    int64_t count
    uint64_t key
    int64_t pair

cdef struct Free:
    # Where a shard's postings have room for new runs: in a hole that a merged pair has left, and
    # after the last one.
    int64_t hole
    int64_t hole_end
    int64_t end


cdef inline uint64_t key_of(int64_t left, int64_t right) noexcept nogil:
    return <uint64_t>left << 32 | <uint64_t>right


cdef inline int32_t left_of(uint64_t key) noexcept nogil:
    return <int32_t>(key >> 32)


cdef inline int32_t right_of(uint64_t key) noexcept nogil:
    return <int32_t>key


cdef inline uint64_t hash_key(uint64_t key) noexcept nogil:
    # The high bits are used.
    return (key ^ key >> 29) * MULTIPLIER


cdef inline uint64_t filter_bit(uint64_t key) noexcept nogil:
    # As `kernels.may_be_counted`: factors small enough for ids below 2**31 not to overflow.
    cdef uint64_t mixed = (
        <uint64_t>left_of(key) * 0x1F123BB5 + <uint64_t>right_of(key) * 0x2545F491
    )
    return (mixed ^ mixed >> FILTER) & ((1 << FILTER) - 1)


@cython.final
cdef class Pairs:
    """The pairs that are counted, in a hash table and a heap, and where their postings are.

    Parameters
    ----------
    shards, batch, rows
        Arrays that the kernels share: see `arrays.Shards`, `Batch` and `Rows`.
    learned : tuple of an int32, an int32 and an int64 array, shape (n_merges,)
        The left and the right ids and the counts of the merges; `select` adds to them.
    n_learned : int
        How many of the merges are there already.
    first_id : int
        That of the first merge: how many tokens there were before.
    tokens : sequence of bytes
        Those, if ties or the filter ask for their bytes.
    byte_len : int32 array, shape (vocab_size,)
        How many bytes each token has; `select` adds what is learned.
    ties : int
        `Rule.tie_number`.
    ends_early : bool
        `Rule.batches_may_end_early`.
    token_filter : TokenFilter, optional
        Which pairs may be merged; by default all.
    """

    cdef Pair* pairs
    cdef PostingRun* runs              # by [pair * n_shards + shard]
    cdef Place* table
    cdef Candidate* heap
    cdef int64_t* waiting       # pairs that occur less than `level` times
    cdef int64_t* first_place   # BY_PLACE, by pair: its first place, or an earlier one
    cdef Free* free_postings    # by shard
    cdef int32_t* left_round    # by id: the last round with a merge that has it on its left ...
    cdef int32_t* right_round   # ... on its right
    cdef int64_t* total         # by key of a row; 0 between two calls
    cdef int64_t* pair_of       # by key of a row
    cdef int64_t* chosen        # the pairs of the batch
    cdef uint8_t* text          # BY_BYTES or filtered: the bytes of all tokens ...
    cdef int64_t* text_start    # ... and where each begins, and the end; otherwise NULL
    cdef int64_t text_room
    cdef int64_t n_pairs, room, n_heap, n_waiting, level
    cdef int table_bits
    cdef int n_shards
    cdef int ties
    cdef bint ends_early, is_filtered
    cdef TokenFilter token_filter
    cdef int32_t n_rounds
    cdef Py_ssize_t vocab_size
    cdef readonly Py_ssize_t n_learned
    cdef readonly int64_t n_visits
    cdef readonly bint is_full
    cdef int64_t n_bytes
    cdef int32_t first_id
    # Shared with the kernels.
    cdef int32_t[::1] symbols, token_len, byte_len, postings
    cdef int64_t[::1] slot_start, posting_start
    cdef int32_t[::1] batch_left, batch_right
    cdef uint64_t[::1] filter, overtaking
    cdef int64_t[::1] batch_start, batch_end, yields_to, batch_size, applied
    cdef int32_t[::1] row_key
    cdef int64_t[::1] row_sums, row_start, merge_rows, n_events
    cdef int32_t[::1] left, right
    cdef int64_t[::1] counts

    def __cinit__(
        self, shards, batch, rows, learned, Py_ssize_t n_learned, int32_t first_id, tokens,
        int32_t[::1] byte_len not None, int ties,
        bint ends_early=False, TokenFilter token_filter=None,
    ):
        # Long: each array gets its view.
        cdef Py_ssize_t i
        self.n_shards = len(shards.slot_start) - 1
        self.vocab_size = len(shards.token_len)
        self.first_id, self.n_learned, self.ties = first_id, n_learned, ties
        self.symbols, self.token_len, self.byte_len = shards.symbols, shards.token_len, byte_len
        if byte_len.shape[0] < self.vocab_size:
            raise IndexError("byte_len must have a length for each token")
        for i in range(self.first_id + n_learned):
            self.n_bytes += self.byte_len[i]
        self.slot_start, self.posting_start = shards.slot_start, shards.posting_start
        self.postings = shards.postings
        self.batch_left, self.batch_right = batch.left, batch.right
        self.batch_start, self.batch_end = batch.run_start, batch.run_end
        self.yields_to, self.batch_size, self.applied = batch.yields_to, batch.size, batch.applied
        self.filter, self.overtaking = batch.filter, batch.overtaking
        self.filter[:] = 0
        # By bytes any new pair may come before an old one that occurs as often.
        self.overtaking[:] = ~<uint64_t>0 if ties == BY_BYTES else 0
        self.row_key, self.row_sums, self.row_start = rows.key, rows.sums, rows.row_start
        self.merge_rows, self.n_events = rows.merge_rows, rows.n_events
        self.left, self.right, self.counts = learned
        self.table_bits = FIRST_TABLE_BITS
        self.table = <Place*> table_alloc(sizeof(Place) << self.table_bits)
        self.chosen = <int64_t*> calloc(self.yields_to.shape[0], sizeof(int64_t))
        self.free_postings = <Free*> calloc(self.n_shards, sizeof(Free))
        self.left_round = <int32_t*> calloc(self.vocab_size, sizeof(int32_t))
        self.right_round = <int32_t*> calloc(self.vocab_size, sizeof(int32_t))
        self.total = <int64_t*> calloc(2 * self.vocab_size, sizeof(int64_t))
        self.pair_of = <int64_t*> calloc(2 * self.vocab_size, sizeof(int64_t))
        if (
            self.table == NULL or self.chosen == NULL or self.free_postings == NULL
            or self.left_round == NULL or self.right_round == NULL or self.total == NULL
            or self.pair_of == NULL or self.grow(1 << FIRST_TABLE_BITS) < 0
        ):
            raise MemoryError
        self.ends_early = ends_early
        self.is_filtered, self.token_filter = token_filter is not None, token_filter
        if ties == BY_BYTES or self.is_filtered:
            if len(tokens) != first_id:
                raise IndexError("tokens must have the bytes of each id below first_id")
            self.spell_all(b"".join(tokens), [len(token) for token in tokens])

    def __dealloc__(self):
        free(self.pairs)
        free(self.runs)
        free(self.heap)
        free(self.waiting)
        free(self.first_place)
        table_free(self.table, sizeof(Place) << self.table_bits)
        free(self.chosen)
        free(self.free_postings)
        free(self.left_round)
        free(self.right_round)
        free(self.total)
        free(self.pair_of)
        free(self.text)
        free(self.text_start)

    def __len__(self):
        return self.n_pairs

    # ---- the hash table --------------------------------------------------------------------------

    cdef inline Place* find_place(self, uint64_t key) noexcept nogil:
        # The place of a pair, or the empty one for it.
        cdef uint64_t mask = (<uint64_t>1 << self.table_bits) - 1
        cdef uint64_t at = hash_key(key) >> (64 - self.table_bits)
        while self.table[at].pair != 0 and self.table[at].key != key:
            at = (at + 1) & mask
        return &self.table[at]

    cdef inline void prefetch_place(self, uint64_t key) noexcept nogil:
        prefetch(&self.table[hash_key(key) >> (64 - self.table_bits)])

    cdef int grow(self, int64_t room) noexcept nogil:
        # Make room for so many pairs. Returns -1 without memory.
        cdef void* grown = realloc(self.pairs, room * sizeof(Pair))
        if grown == NULL:
            return -1
        self.pairs = <Pair*> grown
        grown = realloc(self.runs, room * self.n_shards * sizeof(PostingRun))
        if grown == NULL:
            return -1
        self.runs = <PostingRun*> grown
        grown = realloc(self.heap, room * sizeof(Candidate))
        if grown == NULL:
            return -1
        self.heap = <Candidate*> grown
        grown = realloc(self.waiting, room * sizeof(int64_t))
        if grown == NULL:
            return -1
        self.waiting = <int64_t*> grown
        if self.ties == BY_PLACE:
            grown = realloc(self.first_place, room * sizeof(int64_t))
            if grown == NULL:
                return -1
            self.first_place = <int64_t*> grown
        self.room = room
        return 0

    cdef int grow_table(self) noexcept nogil:
        # Four times the places. Returns -1 without memory.
        cdef int64_t pair
        cdef Place* larger = <Place*> table_alloc(sizeof(Place) << self.table_bits + 2)
        if larger == NULL:
            return -1
        table_free(self.table, sizeof(Place) << self.table_bits)
        self.table = larger
        self.table_bits += 2
        for pair in range(self.n_pairs):
            self.enter(pair)
        return 0

    cdef inline void enter(self, int64_t pair) noexcept nogil:
        cdef Place* place = self.find_place(self.pairs[pair].key)
        place.key, place.pair = self.pairs[pair].key, pair + 1

    cdef int64_t add_pair(self, uint64_t key, int64_t count) noexcept nogil:
        # Add a pair that is not there yet, without postings; return its number, -1 without memory.
        cdef int64_t pair = self.n_pairs
        if pair == self.room and self.grow(2 * pair) < 0:
            return -1
        if pair >> (self.table_bits - 1) and self.grow_table() < 0:
            return -1
        self.pairs[pair].key, self.pairs[pair].count = key, count
        memset(&self.runs[pair * self.n_shards], 0, self.n_shards * sizeof(PostingRun))
        self.n_pairs += 1
        self.enter(pair)
        self.let_count(key)
        return pair

    cdef inline void let_count(self, uint64_t key) noexcept nogil:
        # Let the kernels make rows for what takes the place of a pair.
        cdef uint64_t bit = filter_bit(key)
        self.filter[bit >> 6] |= <uint64_t>1 << (bit & 63)

    cdef inline void let_overtake(self, uint64_t key) noexcept nogil:
        # Let what takes the place of a pair come before others of its batch.
        cdef uint64_t bit = filter_bit(key)
        self.overtaking[bit >> 6] |= <uint64_t>1 << (bit & 63)

    # ---- the heap --------------------------------------------------------------------------------

    cdef int compare_tokens(self, int64_t a, int64_t b) noexcept nogil:
        # Less than, equal to or greater than 0, as the bytes of a are to those of b.
        cdef int64_t n_a = self.text_start[a + 1] - self.text_start[a]
        cdef int64_t n_b = self.text_start[b + 1] - self.text_start[b]
        cdef int order = memcmp(
            self.text + self.text_start[a], self.text + self.text_start[b], min(n_a, n_b)
        )
        return order if order else (n_a > n_b) - (n_a < n_b)

    cdef bint breaks_tie(self, const Candidate* a, const Candidate* b) noexcept nogil:
        # Whether a comes before b, which occurs as often.
        cdef int order
        if self.ties == BY_PLACE:
            return self.first_place[a.pair] < self.first_place[b.pair]
        order = self.compare_tokens(left_of(a.key), left_of(b.key))
        if order == 0:
            order = self.compare_tokens(right_of(a.key), right_of(b.key))
        return order > 0

    cdef inline bint comes_before(self, const Candidate* a, const Candidate* b) noexcept nogil:
        # Whether a is to be merged before b.
        if a.count != b.count:
            return a.count > b.count
        if self.ties == BY_IDS:
            return a.key < b.key
        return self.breaks_tie(a, b)

    cdef inline void push(self, int64_t pair) noexcept nogil:
        # Put a pair where it is found when its turn comes.
        if self.pairs[pair].count < self.level:
            self.waiting[self.n_waiting] = pair
            self.n_waiting += 1
        else:
            self.rise(pair)

    cdef bint refill(self, int64_t least_count) noexcept nogil:
        # Put the pairs on the empty heap that occur at least 3/4 as often as the most frequent one.
        # The heap remains so small that it fits the processor's cache: select took twice as long
        # with all pairs on it. False if no pair occurs least_count times.
        cdef int64_t i, pair, n = self.n_waiting, most = 0
        for i in range(n):
            most = max(most, self.pairs[self.waiting[i]].count)
        self.level = max(least_count, most - most // 4)
        self.n_waiting = 0
        for i in range(n):
            pair = self.waiting[i]
            if self.pairs[pair].count >= least_count:
                self.push(pair)
        return self.n_heap > 0

    cdef void rise(self, int64_t pair) noexcept nogil:
        # Put a pair on the heap with its present count.
        cdef int64_t parent, at = self.n_heap
        cdef Candidate new
        new.count, new.key, new.pair = self.pairs[pair].count, self.pairs[pair].key, pair
        if self.ties == BY_PLACE:
            self.first_place[pair] = NOTHING  # looked for when the pair comes to the top
        self.n_heap += 1
        while at > 0:
            parent = (at - 1) >> 1
            if not self.comes_before(&new, &self.heap[parent]):
                break
            self.heap[at] = self.heap[parent]
            at = parent
        self.heap[at] = new

    cdef void sink(self, Candidate new) noexcept nogil:
        # Put a candidate in the place of the first one. Requires: there is one.
        cdef int64_t child, at = 0
        while True:
            child = 2 * at + 1
            if child >= self.n_heap:
                break
            if child + 1 < self.n_heap:
                child += self.comes_before(&self.heap[child + 1], &self.heap[child])
            if not self.comes_before(&self.heap[child], &new):
                break
            self.heap[at] = self.heap[child]
            at = child
        self.heap[at] = new

    cdef inline void pop(self) noexcept nogil:
        self.n_heap -= 1
        if self.n_heap > 0:
            self.sink(self.heap[self.n_heap])

    cdef int64_t find_first_place(self, int64_t pair) noexcept nogil:
        # The slot of a pair's first place, all shards taken as one; stale postings before it are
        # dropped. Requires: all its places are posted, and it has one.
        cdef int32_t left = left_of(self.pairs[pair].key)
        cdef int32_t right = right_of(self.pairs[pair].key)
        cdef int64_t place
        cdef int s
        cdef PostingRun* run
        for s in range(self.n_shards):
            run = &self.runs[pair * self.n_shards + s]
            while run.size > 0:
                place = self.slot_start[s] + self.postings[self.posting_start[s] + run.start]
                if (
                    self.symbols[place] == left
                    and self.symbols[place + self.token_len[left]] == right
                ):
                    return place
                run.start += 1
                run.size -= 1
        return NOTHING

    cdef bint is_settled(self, Candidate* top) noexcept nogil:
        # Whether the first candidate's count and place are still right. If not, it is put where it
        # belongs now.
        cdef int64_t pair = top.pair, count = self.pairs[top.pair].count, place
        if count < self.level:
            self.pop()
            self.push(pair)
            return False
        if count != top.count:
            top.count = count
            self.sink(top[0])
            return False
        if self.ties == BY_PLACE:
            place = self.find_first_place(top.pair)
            if place != self.first_place[top.pair]:
                self.first_place[top.pair] = place
                self.sink(top[0])
                return False
        return True

    # ---- a round ---------------------------------------------------------------------------------

    def select(
        self, int64_t least_count, Py_ssize_t n_merges, int64_t most_postings, int64_t most_bytes
    ):
        """Take the next merges that can be applied in one round off the heap.

        Parameters
        ----------
        least_count : int
            Pairs that occur less often are not merged.
        n_merges : int
            As many are wanted in all.
        most_postings : int
            Of a round of several merges.
        most_bytes : int
            Of all tokens together. The merge that would make more is not taken, and none after it:
            `is_full` is then true.

        Returns
        -------
        int
            How many merges the batch now has; 0 if no pair that may be merged occurs least_count
            times, or if the tokens are full.
        """
        cdef Py_ssize_t n = 0, most = min(self.yields_to.shape[0], n_merges - self.n_learned)
        cdef int allowed = True
        cdef int64_t n_bytes = self.n_bytes
        with nogil:
            self.n_rounds += 1
            self.n_visits = 0
            while n < most and (self.n_heap > 0 or self.refill(least_count)):
                if self.is_settled(&self.heap[0]):
                    if self.text_start != NULL:
                        allowed = self.spell_and_test(self.first_id + self.n_learned + n)
                        if allowed < 0:
                            break
                        if not allowed:
                            self.forbid_first()
                            continue
                    if n and not self.can_join(
                        self.heap[0].key, self.count_postings(self.heap[0].pair), most_postings
                    ):
                        break
                    n_bytes += self.merged_len(self.heap[0].pair)
                    if n_bytes > most_bytes:
                        self.is_full = n == 0  # the others of this batch may end before it
                        break
                    self.take(n)
                    n += 1
                    if self.batch_left[n - 1] == self.batch_right[n - 1]:
                        break  # it goes alone
            self.batch_size[0] = n
        if allowed < 0:
            if self.is_filtered:
                self.token_filter.raise_error()
            raise MemoryError
        return n

    cdef int spell_and_test(self, Py_ssize_t token) noexcept nogil:
        # Whether the first candidate may be merged, which would make a token; -1 without memory or
        # if the filter failed. The token's bytes are written: the next one takes their place if it
        # is not made.
        cdef int32_t left = left_of(self.heap[0].key), right = right_of(self.heap[0].key)
        if self.spell(token, left, right) < 0:
            return -1
        if not self.is_filtered:
            return True
        return self.token_filter.allows(
            self.text + self.text_start[token],
            self.text_start[left + 1] - self.text_start[left],
            self.text_start[token + 1] - self.text_start[token],
        )

    cdef void forbid_first(self) noexcept nogil:
        # Take the first candidate off the heap for good. It is still counted, as far as what takes
        # its place needs that.
        if self.ends_early:
            self.let_overtake(self.heap[0].key)
        self.pop()

    cdef int64_t count_postings(self, int64_t pair) noexcept nogil:
        cdef int64_t n = 0
        cdef int s
        for s in range(self.n_shards):
            n += self.runs[pair * self.n_shards + s].size
        return n

    cdef bint can_join(
        self, uint64_t key, int64_t n_postings, int64_t most_postings
    ) noexcept nogil:
        # Whether a pair can be merged in one round with those that are chosen.
        cdef int32_t left = left_of(key), right = right_of(key)
        return (
            self.left_round[right] != self.n_rounds
            and self.right_round[left] != self.n_rounds
            and left != right
            and self.n_visits + n_postings <= most_postings
        )

    cdef int64_t merged_len(self, int64_t pair) noexcept nogil:
        cdef uint64_t key = self.pairs[pair].key
        return <int64_t>self.byte_len[left_of(key)] + self.byte_len[right_of(key)]

    def join(self, int32_t left, int32_t right, int64_t most_postings):
        """Add a pair to the batch, wherever it is in the order.

        Requires that all pairs are counted, and that all of the batch will be applied. A batch that
        was applied is empty.

        Parameters
        ----------
        left, right : int
        most_postings : int
            Of a round of several merges.

        Returns
        -------
        int
            How often it occurs; -1 if the batch has to be applied before.
        """
        cdef Py_ssize_t m = self.batch_size[0]
        cdef int64_t pair = NOTHING, count = 0, n_postings = 0
        cdef uint64_t key = key_of(left, right)
        if self.has_place(left) and self.has_place(right):
            if max(left, right) >= self.first_id + self.n_learned:
                return NOTHING  # its places are known when the batch is applied
            pair = self.find_place(key).pair - 1
            if pair != NOTHING:
                count, n_postings = self.pairs[pair].count, self.count_postings(pair)
            if count == 0:
                pair = NOTHING
        if m == self.yields_to.shape[0] or m and self.batch_left[0] == self.batch_right[0]:
            return NOTHING
        if m and pair != NOTHING and not self.can_join(key, n_postings, most_postings):
            return NOTHING
        if m == 0:
            self.n_rounds += 1
            self.n_visits = 0
        if self.text_start != NULL and self.spell(
            self.first_id + self.n_learned + m, left, right
        ) < 0:
            raise MemoryError
        self.add_to_batch(m, key, pair, count)
        self.yields_to[m] = NEVER
        self.batch_size[0] = m + 1
        return count

    cdef inline bint has_place(self, int32_t token) noexcept nogil:
        # False if the batch has made a token that occurs nowhere.
        cdef int64_t m = token - self.first_id - self.n_learned
        return m < 0 or self.chosen[m] != NOTHING

    cdef void take(self, Py_ssize_t m) noexcept nogil:
        # Make the first candidate merge m of the batch.
        cdef Candidate first = self.heap[0]
        self.pop()
        self.add_to_batch(m, first.key, first.pair, first.count)

    cdef void add_to_batch(
        self, Py_ssize_t m, uint64_t key, int64_t pair, int64_t count
    ) noexcept nogil:
        # Make a pair merge m, NOTHING if it has no place. If it is on the heap, it is taken off
        # when its turn comes.
        cdef int32_t left = left_of(key), right = right_of(key)
        cdef Py_ssize_t i = self.n_learned + m
        cdef int s
        cdef PostingRun run = PostingRun(0, 0)
        self.chosen[m] = pair
        if pair != NOTHING:
            self.pairs[pair].count = 0
            self.left_round[left] = self.right_round[right] = self.n_rounds
            self.n_visits += self.count_postings(pair)
        self.left[i], self.right[i], self.counts[i] = left, right, count
        self.token_len[self.first_id + i] = self.token_len[left] + self.token_len[right]
        self.byte_len[self.first_id + i] = self.byte_len[left] + self.byte_len[right]
        self.batch_left[m], self.batch_right[m] = left, right
        self.yields_to[m] = count if self.ends_early else NEVER
        for s in range(self.n_shards):
            if pair != NOTHING:
                run = self.runs[pair * self.n_shards + s]
            self.batch_start[m * self.n_shards + s] = run.start
            self.batch_end[m * self.n_shards + s] = run.start + run.size

    def reduce(self, int64_t least_count, int64_t longest):
        """Sum the rows that the kernels have left for this round, and end it.

        The docstring of `arrays.py` has an example with its numbers.
        Old pairs lose the places that they no longer have; new ones that occur least_count times
        and make no token of more than `longest` bytes are added, with room for their postings: the
        rows then say where.

        Returns
        -------
        bool
            False if there is no room for the postings; then nothing was done.
        """
        cdef Py_ssize_t m, n = self.applied[0]
        cdef int64_t pair, first = self.n_pairs
        cdef int s, failure = 0
        for s in range(self.n_shards):
            if self.free_postings[s].end + self.n_events[s] > self.posting_start[1]:
                return False
        with nogil:
            for m in range(n, self.batch_size[0]):  # not applied: see `yields_to`
                self.pairs[self.chosen[m]].count = self.yields_to[m]
                self.push(self.chosen[m])
            for m in range(n):
                self.n_bytes += self.byte_len[self.first_id + self.n_learned + m]
                failure = self.reduce_merge(m, least_count, longest)
                if failure < 0:
                    break
            for pair in range(first, self.n_pairs):
                self.push(pair)
            self.n_learned += n
            self.batch_size[0] = 0
        if failure < 0:
            raise MemoryError
        return True

    cdef inline uint64_t old_key(self, Py_ssize_t m, int64_t key) noexcept nogil:
        # The pair that was at a row's places.
        if key < self.vocab_size:
            return key_of(key, self.batch_left[m])
        return key_of(self.batch_right[m], key - self.vocab_size)

    cdef inline uint64_t new_key(self, Py_ssize_t m, int64_t key) noexcept nogil:
        # The pair that is there now.
        cdef int64_t merged = self.first_id + self.n_learned + m
        if key < self.vocab_size:
            return key_of(key, merged)
        return key_of(merged, key - self.vocab_size)

    cdef inline int64_t first_row(self, int s, Py_ssize_t m) noexcept nogil:
        return self.row_start[s] + self.merge_rows[s * (self.yields_to.shape[0] + 1) + m]

    cdef int reduce_merge(self, Py_ssize_t m, int64_t least_count, int64_t longest) noexcept nogil:
        # Sum the rows of merge m over the shards, then handle each key where its first row is.
        # Returns -1 without memory.
        cdef int64_t r, key, pair
        cdef int s
        for s in range(self.n_shards):
            if self.chosen[m] != NOTHING:
                self.free_run(s, &self.runs[self.chosen[m] * self.n_shards + s])
            for r in range(self.first_row(s, m), self.first_row(s, m + 1)):
                key = self.row_key[r]
                self.prefetch_place(self.old_key(m, key))
                self.total[key] += self.row_sums[2 * r]
        for s in range(self.n_shards):
            for r in range(self.first_row(s, m), self.first_row(s, m + 1)):
                key = self.row_key[r]
                if self.total[key] > 0:
                    pair = self.replace_pair(m, key, least_count, longest)
                    if pair < NOTHING:
                        return -1
                    self.pair_of[key] = pair
                    self.total[key] = 0
                pair = self.pair_of[key]
                if pair != NOTHING:
                    pair = self.take_run(
                        s, self.row_sums[2 * r + 1], &self.runs[pair * self.n_shards + s]
                    )
                self.row_sums[2 * r + 1] = pair
        return 0

    cdef inline int64_t replace_pair(
        self, Py_ssize_t m, int64_t key, int64_t least_count, int64_t longest
    ) noexcept nogil:
        # Take from the old pair, and add the new one if it is worth it: return its number, NOTHING
        # if it is not, less without memory.
        cdef int64_t neighbour = key if key < self.vocab_size else key - self.vocab_size
        cdef int64_t merged = self.first_id + self.n_learned + m
        cdef int64_t pair = self.find_place(self.old_key(m, key)).pair
        if pair:
            self.pairs[pair - 1].count -= self.total[key]
        if self.total[key] < least_count:
            return NOTHING
        if <int64_t>self.byte_len[neighbour] + self.byte_len[merged] > longest:
            return NOTHING
        pair = self.add_pair(self.new_key(m, key), self.total[key])
        return pair if pair >= 0 else NOTHING - 1

    cdef inline void free_run(self, int s, const PostingRun* run) noexcept nogil:
        # Let a merged pair's postings be overwritten, unless there is a larger hole already.
        cdef Free* free_postings = &self.free_postings[s]
        if run.size > free_postings.hole_end - free_postings.hole:
            free_postings.hole, free_postings.hole_end = run.start, run.start + run.size

    cdef inline int64_t take_run(self, int s, int64_t n, PostingRun* run) noexcept nogil:
        # Let n postings begin where there is room; return where.
        cdef Free* free_postings = &self.free_postings[s]
        if n <= free_postings.hole_end - free_postings.hole:
            run.start = free_postings.hole
            free_postings.hole += n
        else:
            run.start = free_postings.end
            free_postings.end += n
        run.size = n
        return run.start

    # ---- what the learner adds -------------------------------------------------------------------

    def add(
        self, const int64_t[::1] keys not None, const int64_t[::1] counts not None,
        const int64_t[:, :] starts not None, const int64_t[:, :] sizes not None,
    ):
        """Add pairs, once, whose postings will be written from the first on.

        Parameters
        ----------
        keys : int64 array, shape (n_pairs,)
            left << 32 | right, none twice.
        counts : int64 array, shape (n_pairs,)
        starts, sizes : int64 arrays, shape (n_shards, n_pairs)
            The run of each.
        """
        cdef int64_t i, pair
        cdef int s
        self.level = NEVER
        for i in range(keys.shape[0]):
            pair = self.add_pair(keys[i], counts[i])
            if pair < 0:
                raise MemoryError
            for s in range(self.n_shards):
                self.runs[pair * self.n_shards + s] = PostingRun(starts[s, i], sizes[s, i])
                self.free_postings[s].end += sizes[s, i]
            self.push(pair)

    def use_postings(self, int32_t[::1] postings not None, int64_t[::1] posting_start not None):
        """Find the postings in other arrays from now on: those of each shard are the same."""
        self.postings, self.posting_start = postings, posting_start

    # ---- the bytes of tokens, for ties and for the filter ----------------------------------------

    cdef int spell_all(self, bytes text, list lengths) except -1:
        # The tokens that there are at first, and those that are learned already.
        cdef Py_ssize_t i
        cdef int64_t end = 0
        self.text_start = <int64_t*> calloc(self.vocab_size + 1, sizeof(int64_t))
        self.text_room = len(text) + 1
        self.text = <uint8_t*> realloc(NULL, self.text_room)
        if self.text_start == NULL or self.text == NULL:
            raise MemoryError
        memcpy(self.text, <const uint8_t*> text, len(text))
        for i in range(len(lengths)):
            end += lengths[i]
            self.text_start[i + 1] = end
        for i in range(self.n_learned):
            if self.spell(self.first_id + i, self.left[i], self.right[i]) < 0:
                raise MemoryError
        return 0

    cdef int spell(self, Py_ssize_t token, int32_t left, int32_t right) noexcept nogil:
        # Write a token after those before it. Returns -1 without memory.
        cdef int64_t n_left = self.text_start[left + 1] - self.text_start[left]
        cdef int64_t n_right = self.text_start[right + 1] - self.text_start[right]
        cdef int64_t at = self.text_start[token], end = at + n_left + n_right
        cdef uint8_t* grown
        if end > self.text_room:
            grown = <uint8_t*> realloc(self.text, 2 * end)
            if grown == NULL:
                return -1
            self.text, self.text_room = grown, 2 * end
        memcpy(self.text + at, self.text + self.text_start[left], n_left)
        memcpy(self.text + at + n_left, self.text + self.text_start[right], n_right)
        self.text_start[token + 1] = end
        return 0
