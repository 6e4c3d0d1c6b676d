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
    UNKNOWN = -3  # in `pair_of`: not yet looked for
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

cdef struct PostingRun:
    # The postings of a pair in a shard.
    int64_t start
    int64_t size

cdef struct Place:
    # Of the hash table, in which a pair is looked for.
    uint64_t key
    int64_t pair    # its number + 1, 0 if the place is empty

cdef struct Candidate:
    # Of a heap. The count may have fallen since it was put there, but never risen.
    int64_t count
    uint64_t key    # left << 32 | right
    int64_t pair

cdef struct Queue:
    # The pairs that a language can choose from, the next one first.
    int language
    Candidate* heap         # those that occur at least `level` times
    int64_t n_heap
    int64_t* waiting        # those that occur less often
    int64_t n_waiting
    int64_t level
    int64_t least_count     # of what can be chosen
    int64_t n_entered       # how many pairs there are or were ...
    int64_t room            # ... and may be

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
    """The pairs that are counted, in a hash table and heaps, and where their postings are.

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
    least_counts : sequence of int
        For each language that chooses merges, which are the first ones, how often a pair occurs in
        it at least to be counted. A pair is counted in all languages or in none.
    ties : int
        `Rule.tie_number`; by place only if there is one language.
    ends_early : bool
        `Rule.batches_may_end_early`.
    token_filter : TokenFilter, optional
        Which pairs may be merged; by default all.
    """

    cdef uint64_t* keys         # by pair: left << 32 | right
    cdef int64_t* pair_counts   # by [pair * n_languages + language]
    cdef PostingRun* runs              # by [pair * n_shards + shard]
    cdef Place* table
    cdef Queue* queues          # of each language that chooses
    cdef int64_t* first_place   # BY_PLACE, by pair: its first place, or an earlier one
    cdef Free* free_postings    # by shard
    cdef int32_t* left_round    # by id: the last round with a merge that has it on its left ...
    cdef int32_t* right_round   # ... on its right
    cdef int64_t* total         # by [key of a row * n_languages + language]; 0 between two calls
    cdef int64_t* pair_of       # by key of a row
    cdef int64_t* chosen        # the pairs of the batch
    cdef uint8_t* text          # BY_BYTES or filtered: the bytes of all tokens ...
    cdef int64_t* text_start    # ... and where each begins, and the end; otherwise NULL
    cdef int64_t text_room
    cdef int64_t n_pairs, room
    cdef int table_bits
    cdef int n_shards, n_languages, n_queues
    cdef int ties
    cdef bint ends_early, is_filtered
    cdef TokenFilter token_filter
    cdef int32_t n_rounds
    cdef Py_ssize_t vocab_size
    cdef readonly Py_ssize_t n_learned
    cdef readonly int64_t n_visits
    cdef readonly bint is_full, is_closed
    cdef int64_t n_bytes        # of all tokens, those of the batch included
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
        int32_t[::1] byte_len not None, least_counts, int ties,
        bint ends_early=False, TokenFilter token_filter=None,
    ):
        # Long: each array gets its view.
        cdef Py_ssize_t i
        self.n_shards = len(shards.slot_start) - 1
        self.n_languages = len(shards.n_tokens) // self.n_shards
        if not 0 < len(least_counts) <= self.n_languages:
            raise IndexError("least_counts must be of one language or more of those that there are")
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
        self.total = <int64_t*> calloc(2 * self.vocab_size * self.n_languages, sizeof(int64_t))
        self.pair_of = <int64_t*> calloc(2 * self.vocab_size, sizeof(int64_t))
        if (
            self.table == NULL or self.chosen == NULL or self.free_postings == NULL
            or self.left_round == NULL or self.right_round == NULL or self.total == NULL
            or self.pair_of == NULL or self.grow(1 << FIRST_TABLE_BITS) < 0
        ):
            raise MemoryError
        self.queues = <Queue*> calloc(len(least_counts), sizeof(Queue))
        if self.queues == NULL:
            raise MemoryError
        self.n_queues = len(least_counts)
        for i in range(self.n_queues):
            self.queues[i].language, self.queues[i].least_count = i, least_counts[i]
            self.queues[i].level = NEVER
        self.ends_early = ends_early
        self.is_filtered, self.token_filter = token_filter is not None, token_filter
        if ties == BY_BYTES or self.is_filtered:
            if len(tokens) != first_id:
                raise IndexError("tokens must have the bytes of each id below first_id")
            self.spell_all(b"".join(tokens), [len(token) for token in tokens])

    def __dealloc__(self):
        cdef int i
        for i in range(self.n_queues):
            free(self.queues[i].heap)
            free(self.queues[i].waiting)
        free(self.queues)
        free(self.keys)
        free(self.pair_counts)
        free(self.runs)
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
        cdef void* grown = realloc(self.keys, room * sizeof(uint64_t))
        if grown == NULL:
            return -1
        self.keys = <uint64_t*> grown
        grown = realloc(self.pair_counts, room * self.n_languages * sizeof(int64_t))
        if grown == NULL:
            return -1
        self.pair_counts = <int64_t*> grown
        grown = realloc(self.runs, room * self.n_shards * sizeof(PostingRun))
        if grown == NULL:
            return -1
        self.runs = <PostingRun*> grown
        if self.ties == BY_PLACE:
            grown = realloc(self.first_place, room * sizeof(int64_t))
            if grown == NULL:
                return -1
            self.first_place = <int64_t*> grown
        self.room = room
        return 0

    cdef int grow_table(self, int64_t n_pairs) noexcept nogil:
        # Four times the places, or more until so many pairs fill less than half of them. Returns -1
        # without memory.
        cdef int64_t pair
        cdef int bits = self.table_bits + 2
        while n_pairs >> (bits - 1):
            bits += 2
        cdef Place* larger = <Place*> table_alloc(sizeof(Place) << bits)
        if larger == NULL:
            return -1
        table_free(self.table, sizeof(Place) << self.table_bits)
        self.table = larger
        self.table_bits = bits
        for pair in range(self.n_pairs):
            self.enter(pair)
        return 0

    cdef inline void enter(self, int64_t pair) noexcept nogil:
        cdef Place* place = self.find_place(self.keys[pair])
        place.key, place.pair = self.keys[pair], pair + 1

    cdef int64_t add_pair(self, uint64_t key, const int64_t* counts) noexcept nogil:
        # Add a pair that is not there yet, without postings; return its number, -1 without memory.
        cdef int64_t pair = self.n_pairs
        cdef int i
        if pair == self.room and self.grow(2 * pair) < 0:
            return -1
        if pair >> (self.table_bits - 1) and self.grow_table(pair) < 0:
            return -1
        for i in range(self.n_queues):
            if counts[i] >= self.queues[i].least_count and self.make_room(&self.queues[i]) < 0:
                return -1
        self.keys[pair] = key
        for i in range(self.n_languages):
            self.pair_counts[pair * self.n_languages + i] = counts[i]
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

    # ---- the queues ------------------------------------------------------------------------------

    cdef inline int64_t count_in(self, const Queue* queue, int64_t pair) noexcept nogil:
        return self.pair_counts[pair * self.n_languages + queue.language]

    cdef int make_room(self, Queue* queue) noexcept nogil:
        # For one pair more, whenever it is put there. Returns -1 without memory.
        cdef int64_t room = max(2 * queue.room, 1 << FIRST_TABLE_BITS)
        cdef void* grown
        if queue.n_entered == queue.room:
            grown = realloc(queue.heap, room * sizeof(Candidate))
            if grown == NULL:
                return -1
            queue.heap = <Candidate*> grown
            grown = realloc(queue.waiting, room * sizeof(int64_t))
            if grown == NULL:
                return -1
            queue.waiting = <int64_t*> grown
            queue.room = room
        queue.n_entered += 1
        return 0

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

    cdef inline void enqueue(self, int64_t pair) noexcept nogil:
        # Put a pair in the queues of the languages that can choose it.
        cdef int i
        for i in range(self.n_queues):
            if self.count_in(&self.queues[i], pair) >= self.queues[i].least_count:
                self.push(&self.queues[i], pair)

    cdef inline void push(self, Queue* queue, int64_t pair) noexcept nogil:
        # Put a pair where it is found when its turn comes. Requires: there is room.
        if self.count_in(queue, pair) < queue.level:
            queue.waiting[queue.n_waiting] = pair
            queue.n_waiting += 1
        else:
            self.rise(queue, pair)

    cdef bint refill(self, Queue* queue) noexcept nogil:
        # Put the pairs on the empty heap that occur at least 3/4 as often as the most frequent one.
        # The heap remains so small that it fits the processor's cache: select took twice as long
        # with all pairs on it. False if no pair occurs least_count times.
        cdef int64_t i, pair, n = queue.n_waiting, most = 0
        for i in range(n):
            most = max(most, self.count_in(queue, queue.waiting[i]))
        queue.level = max(queue.least_count, most - most // 4)
        queue.n_waiting = 0
        for i in range(n):
            pair = queue.waiting[i]
            if self.count_in(queue, pair) >= queue.least_count:
                self.push(queue, pair)
        return queue.n_heap > 0

    cdef void rise(self, Queue* queue, int64_t pair) noexcept nogil:
        # Put a pair on the heap with its present count.
        cdef int64_t parent, at = queue.n_heap
        cdef Candidate new
        new.count, new.key, new.pair = self.count_in(queue, pair), self.keys[pair], pair
        if self.ties == BY_PLACE:
            self.first_place[pair] = NOTHING  # looked for when the pair comes to the top
        queue.n_heap += 1
        while at > 0:
            parent = (at - 1) >> 1
            if not self.comes_before(&new, &queue.heap[parent]):
                break
            queue.heap[at] = queue.heap[parent]
            at = parent
        queue.heap[at] = new

    cdef void sink(self, Queue* queue, Candidate new) noexcept nogil:
        # Put a candidate in the place of the first one. Requires: there is one.
        cdef int64_t child, at = 0
        while True:
            child = 2 * at + 1
            if child >= queue.n_heap:
                break
            if child + 1 < queue.n_heap:
                child += self.comes_before(&queue.heap[child + 1], &queue.heap[child])
            if not self.comes_before(&queue.heap[child], &new):
                break
            queue.heap[at] = queue.heap[child]
            at = child
        queue.heap[at] = new

    cdef inline void pop(self, Queue* queue) noexcept nogil:
        queue.n_heap -= 1
        if queue.n_heap > 0:
            self.sink(queue, queue.heap[queue.n_heap])

    cdef int64_t find_first_place(self, int64_t pair) noexcept nogil:
        # The slot of a pair's first place, all shards taken as one; stale postings before it are
        # dropped. Requires: all its places are posted, and it has one.
        cdef int32_t left = left_of(self.keys[pair])
        cdef int32_t right = right_of(self.keys[pair])
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

    cdef bint is_settled(self, Queue* queue) noexcept nogil:
        # Whether the first candidate's count and place are still right. If not, it is put where it
        # belongs now.
        cdef Candidate* top = &queue.heap[0]
        cdef int64_t pair = top.pair, count = self.count_in(queue, pair), place
        if count < queue.level:
            self.pop(queue)
            self.push(queue, pair)
            return False
        if count != top.count:
            top.count = count
            self.sink(queue, top[0])
            return False
        if self.ties == BY_PLACE:
            place = self.find_first_place(pair)
            if place != self.first_place[pair]:
                self.first_place[pair] = place
                self.sink(queue, top[0])
                return False
        return True

    cdef int find_next(self, Queue* queue, Py_ssize_t token) noexcept nogil:
        # Whether there is a pair that may be merged; it is then the first on the heap, and its
        # bytes are written as those of `token`. Less than 0 without memory or if the filter failed.
        cdef int allowed
        while queue.n_heap > 0 or self.refill(queue):
            if not self.is_settled(queue):
                continue
            if self.text_start == NULL:
                return True
            allowed = self.spell_and_test(queue.heap[0].key, token)
            if allowed:
                return allowed
            self.forbid_first(queue)
        return False

    # ---- a round ---------------------------------------------------------------------------------

    def select(self, Py_ssize_t n_merges, int64_t most_postings, int64_t most_bytes):
        """Take the next merges that can be applied in one round, of one language.

        Parameters
        ----------
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
        cdef int found = True
        cdef Queue* queue = &self.queues[0]
        with nogil:
            self.begin_batch()
            while n < most:
                found = self.find_next(queue, self.first_id + self.n_learned + n)
                if found <= 0 or n and not self.can_join(queue.heap[0], most_postings):
                    break
                if self.n_bytes + self.merged_len(queue.heap[0].pair) > most_bytes:
                    self.is_full = n == 0  # the others of this batch may end before it
                    break
                self.take(queue, n)
                n += 1
                if self.is_closed:
                    break
            self.batch_size[0] = n
        if found < 0:
            self.raise_error()
        return n

    def select_for(
        self, int language, int64_t[::1] lengths not None, int64_t most_postings,
        int64_t most_bytes,
    ):
        """Take the best pair of a language into the batch.

        That is the pair that it would choose after the merges of the batch: see `parity.py`.

        Parameters
        ----------
        language : int
            One that chooses.
        lengths : int64 array, shape (n_languages,)
            How many tokens each language has: less by how often the pair occurs.
        most_postings, most_bytes
            As `select` takes them.

        Returns
        -------
        int
            How often it occurs in the language; 0 if no pair that may be merged occurs least_count
            times, or if the tokens are full; -1 if the batch has to be applied before. If
            `is_closed` is true, it has to be applied before the lengths are known.
        """
        cdef Py_ssize_t i, m = self.batch_size[0]
        cdef Queue* queue = &self.queues[language]
        cdef int found
        cdef const int64_t* counts
        cdef int64_t count
        if lengths.shape[0] != self.n_languages or not 0 <= language < self.n_queues:
            raise IndexError("lengths must be of all languages, and language one that chooses")
        if self.n_learned + m >= self.left.shape[0]:
            raise IndexError("there is no room for another merge")
        if m == 0:
            self.begin_batch()
        elif (
            self.is_closed or m == self.yields_to.shape[0] or self.ends_early and self.is_filtered
        ):
            return -1
        found = self.find_next(queue, self.first_id + self.n_learned + m)
        if found < 0:
            self.raise_error()
        if not found:
            return 0
        if m and (
            not self.can_join(queue.heap[0], most_postings)
            or self.ends_early and self.is_tied(queue)
        ):
            return -1
        if self.n_bytes + self.merged_len(queue.heap[0].pair) > most_bytes:
            self.is_full = m == 0
            return 0 if m == 0 else -1
        counts = &self.pair_counts[queue.heap[0].pair * self.n_languages]
        for i in range(self.n_languages):
            lengths[i] -= counts[i]
        count = queue.heap[0].count
        self.take(queue, m)
        self.yields_to[m] = NEVER
        self.batch_size[0] = m + 1
        return count

    cdef void raise_error(self):
        if self.is_filtered:
            self.token_filter.raise_error()
        raise MemoryError

    cdef inline void begin_batch(self) noexcept nogil:
        self.n_rounds += 1
        self.n_visits = 0
        self.is_closed = False

    cdef inline bint is_tied(self, const Queue* queue) noexcept nogil:
        # Whether another candidate may occur as often as the first one, which is settled.
        cdef int i
        for i in range(1, min(queue.n_heap, 3)):
            if queue.heap[i].count == queue.heap[0].count:
                return True
        return False

    cdef int spell_and_test(self, uint64_t key, Py_ssize_t token) noexcept nogil:
        # Whether a pair may be merged, which would make a token; -1 without memory or if the filter
        # failed. The token's bytes are written: the next one takes their place if it is not made.
        cdef int32_t left = left_of(key), right = right_of(key)
        if self.spell(token, left, right) < 0:
            return -1
        if not self.is_filtered:
            return True
        return self.token_filter.allows(
            self.text + self.text_start[token],
            self.text_start[left + 1] - self.text_start[left],
            self.text_start[token + 1] - self.text_start[token],
        )

    cdef void forbid_first(self, Queue* queue) noexcept nogil:
        # Take the first candidate off the heap for good. It is still counted, as far as what takes
        # its place needs that.
        if self.ends_early:
            self.let_overtake(queue.heap[0].key)
        self.pop(queue)

    cdef int64_t count_postings(self, int64_t pair) noexcept nogil:
        cdef int64_t n = 0
        cdef int s
        for s in range(self.n_shards):
            n += self.runs[pair * self.n_shards + s].size
        return n

    cdef bint can_join(self, Candidate candidate, int64_t most_postings) noexcept nogil:
        # Whether a pair can be merged in one round with those that are chosen.
        cdef int32_t left = left_of(candidate.key), right = right_of(candidate.key)
        return (
            self.left_round[right] != self.n_rounds
            and self.right_round[left] != self.n_rounds
            and left != right
            and self.n_visits + self.count_postings(candidate.pair) <= most_postings
        )

    cdef int64_t merged_len(self, int64_t pair) noexcept nogil:
        cdef uint64_t key = self.keys[pair]
        return <int64_t>self.byte_len[left_of(key)] + self.byte_len[right_of(key)]

    cdef void take(self, Queue* queue, Py_ssize_t m) noexcept nogil:
        # Make the first candidate merge m of the batch. In other queues it is found to occur no
        # more.
        cdef Candidate first = queue.heap[0]
        cdef int32_t left = left_of(first.key), right = right_of(first.key)
        cdef Py_ssize_t i = self.n_learned + m
        cdef int s
        cdef PostingRun run
        cdef int64_t* counts = &self.pair_counts[first.pair * self.n_languages]
        self.pop(queue)
        self.left[i], self.right[i], self.counts[i] = left, right, 0
        for s in range(self.n_queues):
            self.counts[i] += counts[s]
        for s in range(self.n_languages):
            counts[s] = 0
        self.chosen[m] = first.pair
        self.left_round[left] = self.right_round[right] = self.n_rounds
        self.is_closed = left == right  # it goes alone
        self.n_visits += self.count_postings(first.pair)
        self.n_bytes += self.merged_len(first.pair)
        self.token_len[self.first_id + i] = self.token_len[left] + self.token_len[right]
        self.byte_len[self.first_id + i] = self.byte_len[left] + self.byte_len[right]
        self.batch_left[m], self.batch_right[m] = left, right
        self.yields_to[m] = first.count if self.ends_early else NEVER
        for s in range(self.n_shards):
            run = self.runs[first.pair * self.n_shards + s]
            self.batch_start[m * self.n_shards + s] = run.start
            self.batch_end[m * self.n_shards + s] = run.start + run.size

    def reduce(self, int64_t longest):
        """Sum the rows that the kernels have left for this round, and end it.

        The docstring of `arrays.py` has an example with its numbers.
        Old pairs lose the places that they no longer have; new ones that occur least_count times
        in a language and make no token of more than `longest` bytes are added, with room for their
        postings: the rows then say where.

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
            for m in range(n, self.batch_size[0]):  # not applied, of one language: see `yields_to`
                self.n_bytes -= self.merged_len(self.chosen[m])
                self.pair_counts[self.chosen[m]] = self.yields_to[m]
                self.push(&self.queues[0], self.chosen[m])
            for m in range(n):
                failure = self.reduce_merge(m, longest)
                if failure < 0:
                    break
            for pair in range(first, self.n_pairs):
                self.enqueue(pair)
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

    cdef int reduce_merge(self, Py_ssize_t m, int64_t longest) noexcept nogil:
        # Returns -1 without memory.
        if self.n_languages == 1:  # half of the instructions
            return self.reduce_languages(1, m, longest)
        return self.reduce_languages(self.n_languages, m, longest)

    cdef inline int reduce_languages(self, int n, Py_ssize_t m, int64_t longest) noexcept nogil:
        # Sum the rows of merge m over the shards, then handle each key where its first row is.
        cdef int64_t r, key, pair
        cdef int64_t* sums
        cdef int s, i
        for s in range(self.n_shards):
            self.free_run(s, &self.runs[self.chosen[m] * self.n_shards + s])
            for r in range(self.first_row(s, m), self.first_row(s, m + 1)):
                key = self.row_key[r]
                self.prefetch_place(self.old_key(m, key))
                self.pair_of[key] = UNKNOWN
                for i in range(n):
                    self.total[key * n + i] += self.row_sums[r * (n + 1) + i]
        for s in range(self.n_shards):
            for r in range(self.first_row(s, m), self.first_row(s, m + 1)):
                key = self.row_key[r]
                if self.pair_of[key] == UNKNOWN:
                    pair = self.replace_pair(n, m, key, &self.total[key * n], longest)
                    if pair < NOTHING:
                        return -1
                    self.pair_of[key] = pair
                    for i in range(n):
                        self.total[key * n + i] = 0
                pair = self.pair_of[key]
                sums = &self.row_sums[r * (n + 1)]
                if pair != NOTHING:
                    pair = self.take_run(s, sums[n], &self.runs[pair * self.n_shards + s])
                sums[n] = pair
        return 0

    cdef inline int64_t replace_pair(
        self, int n, Py_ssize_t m, int64_t key, const int64_t* total, int64_t longest
    ) noexcept nogil:
        # Take from the old pair, and add the new one if it is worth it: return its number, NOTHING
        # if it is not, less without memory.
        cdef int64_t neighbour = key if key < self.vocab_size else key - self.vocab_size
        cdef int64_t merged = self.first_id + self.n_learned + m
        cdef int64_t pair = self.find_place(self.old_key(m, key)).pair
        cdef bint is_kept = False
        cdef int i
        if pair:
            for i in range(n):
                self.pair_counts[(pair - 1) * n + i] -= total[i]
        for i in range(1 if n == 1 else self.n_queues):
            is_kept |= total[i] >= self.queues[i].least_count
        if not is_kept or <int64_t>self.byte_len[neighbour] + self.byte_len[merged] > longest:
            return NOTHING
        pair = self.add_pair(self.new_key(m, key), total)
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
        self, const int64_t[::1] keys not None, const int64_t[:, ::1] counts not None,
        const int64_t[:, :] starts not None, const int64_t[:, :] sizes not None,
    ):
        """Add pairs, once, whose postings will be written from the first on.

        Parameters
        ----------
        keys : int64 array, shape (n_pairs,)
            left << 32 | right, none twice.
        counts : int64 array, shape (n_pairs, n_languages)
        starts, sizes : int64 arrays, shape (n_shards, n_pairs)
            The run of each.
        """
        cdef int64_t i, pair, n = self.n_pairs + keys.shape[0]
        cdef int s
        if counts.shape[0] != keys.shape[0] or counts.shape[1] != self.n_languages:
            raise IndexError("counts must have one for each pair and language")
        # At once, with room for half as many that merges make: to grow step by step copies all.
        if n > self.room and self.grow(n + n // 2) < 0:
            raise MemoryError
        if n >> (self.table_bits - 1) and self.grow_table(n) < 0:
            raise MemoryError
        for i in range(keys.shape[0]):
            pair = self.add_pair(keys[i], &counts[i, 0])
            if pair < 0:
                raise MemoryError
            for s in range(self.n_shards):
                self.runs[pair * self.n_shards + s] = PostingRun(starts[s, i], sizes[s, i])
                self.free_postings[s].end += sizes[s, i]
            self.enqueue(pair)

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
