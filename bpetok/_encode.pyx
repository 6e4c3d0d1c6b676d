"""Bytes to ids and back: what a Tokenizer runs on. No Numba, no NumPy.

The GIL is released for longer texts.

The merges of a word are made smallest id first and, among equal ones, leftmost first. That is the
order of learning, since a merge only ever makes pairs with its own new id in them, and those are
merged later.

Three ways lead to the ids of a word, fastest first: a cache of words of up to 15 bytes
(`Workspace`), a search for the smallest rank on the stack (`merge_short`), and lists of places by
rank, linear in the length of the word (`merge_long`).
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.long cimport PyLong_AsLongLong
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from libc.stdint cimport INT32_MAX, int32_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memmove, memset

from bpetok._scan cimport SCAN_WORDS, Scanner, scan_begin, scan_next

import os

cdef extern from "_simd.h":
    int lowest_bit(uint64_t x) noexcept nogil
    uint64_t load64(const uint8_t* bytes) noexcept nogil
    uint64_t multiply_fold(uint64_t a, uint64_t b) noexcept nogil
    void prefetch(const void* address) noexcept nogil
    void* table_alloc(size_t size) noexcept nogil
    void table_free(void* memory, size_t size) noexcept nogil

cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL

cdef enum:
    N_BYTES = 256
    SHORT_WORD = 32        # bytes; longer words go to merge_long, which is faster from 35 on
    CACHED_WORD = 15       # bytes; with the length they fill 128 bits
    INLINE_IDS = 3
    CACHE_BITS = 16        # of the number of cache lines, two words each
    CACHE_LINES = 1 << CACHE_BITS
    RELEASE_GIL_FROM = 4096  # bytes; some 20 us of work
    KEPT_ROOM = 1 << 18      # ids of output buffer that a workspace keeps between calls

# Not an id, and larger than all: where no merge applies.
cdef int32_t NONE = INT32_MAX
cdef Py_ssize_t LONGEST_WORD = 1 << 29
cdef uint64_t NO_PAIR = 0xFFFFFFFFFFFFFFFF

LONGEST_WORD_BYTES = LONGEST_WORD


# ---- pair of ids -> merged id -------------------------------------------------------------------

cdef struct PairSlot:
    uint64_t pair  # left << 32 | right; NO_PAIR if empty
    int32_t id

cdef struct Ranks:
    int32_t* byte_pairs   # [left << 8 | right]
    PairSlot* slots       # all other pairs; open addressing, at most half full
    uint64_t mask
    uint64_t seed         # random, so that no file of merges can make long chains
    uint8_t* is_double    # [id - 256]: left and right are the same
    Py_ssize_t n_merges


cdef inline uint64_t pair_key(int32_t left, int32_t right) noexcept nogil:
    return <uint64_t>left << 32 | <uint64_t>right


cdef inline PairSlot* find_pair(const Ranks* ranks, uint64_t pair) noexcept nogil:
    # The slot of the pair, or the empty one where it would stand.
    cdef uint64_t at = multiply_fold(pair ^ ranks.seed, <uint64_t>0x9E3779B97F4A7C15) & ranks.mask
    while ranks.slots[at].pair != pair and ranks.slots[at].pair != NO_PAIR:
        at = (at + 1) & ranks.mask
    return &ranks.slots[at]


cdef inline int32_t merged(const Ranks* ranks, int32_t left, int32_t right) noexcept nogil:
    # The id that the pair merges to, NONE if it does not. An empty slot holds NONE.
    if (left | right) < N_BYTES:
        return ranks.byte_pairs[left << 8 | right]
    return find_pair(ranks, pair_key(left, right)).id


# ---- one word -----------------------------------------------------------------------------------

cdef Py_ssize_t merge_short(
    const Ranks* ranks, const uint8_t* word, Py_ssize_t n, int32_t* ids
) noexcept nogil:
    # Write the ids of the word to `ids`, return their number. Requires: 0 < n <= SHORT_WORD, room
    # for n ids.
    cdef int32_t pair_ranks[SHORT_WORD]
    cdef int32_t best
    cdef Py_ssize_t i, at
    ids[0] = word[0]
    for i in range(1, n):
        ids[i] = word[i]
        pair_ranks[i - 1] = ranks.byte_pairs[word[i - 1] << 8 | word[i]]
    while n > 1:
        best, at = NONE, 0
        for i in range(n - 1):
            if pair_ranks[i] < best:
                best, at = pair_ranks[i], i
        if best == NONE:
            break
        n -= 1
        ids[at] = best
        memmove(ids + at + 1, ids + at + 2, (n - at - 1) * sizeof(int32_t))
        memmove(pair_ranks + at, pair_ranks + at + 1, (n - at - 1) * sizeof(int32_t))
        if at > 0:
            pair_ranks[at - 1] = merged(ranks, ids[at - 1], best)
        if at < n - 1:
            pair_ranks[at] = merged(ranks, best, ids[at + 1])
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

cdef struct Lists:
    # Empty between words: every list that a word fills is emptied before the word is done.
    int32_t* top      # [rank - 256]: index of a node, -1 if none
    uint64_t* filled  # one bit a list

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
    cdef Py_ssize_t i, n_ids = 0
    cdef int32_t at
    w.ranks, w.lists, w.n, w.n_nodes = ranks, lists, <int32_t>n, 0
    w.places = <Place*> malloc(n * sizeof(Place))
    w.nodes = <Node*> malloc(3 * n * sizeof(Node))
    if w.places == NULL or w.nodes == NULL:
        free(w.places)
        free(w.nodes)
        return -1
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
    free(w.places)
    free(w.nodes)
    return n_ids


# ---- many words, through a cache ----------------------------------------------------------------

cdef struct Key:
    # A word of up to CACHED_WORD bytes, zeros behind them, and its length in the top byte; 0, 0 is
    # no word.
    uint64_t low
    uint64_t high

cdef struct CacheEntry:
    Key key
    int32_t ids[INLINE_IDS]
    int32_t n_ids

cdef struct CacheLine:
    CacheEntry first   # the word that came last
    CacheEntry second  # the one before it

cdef struct FurtherIds:
    # Ids that an entry has no room for: memory that is touched only where words fall apart into
    # many.
    int32_t ids[CACHED_WORD - INLINE_IDS]


cdef inline Key pack_word(const uint8_t* word, Py_ssize_t n, const uint8_t* end) noexcept nogil:
    # Requires: n <= CACHED_WORD, `word` + n <= `end`, and memory is readable up to `end`.
    cdef Key key
    cdef uint8_t padded[16]
    if end - word < 16:
        memset(padded, 0, 16)
        memcpy(padded, word, n)
        word = padded
    key.low = load64(word)
    key.high = load64(word + 8)
    if n < 8:
        key.low &= (<uint64_t>1 << 8 * n) - 1
        key.high = 0
    else:
        key.high &= (<uint64_t>1 << 8 * (n - 8)) - 1
    key.high |= <uint64_t>n << 56
    return key


cdef inline Py_ssize_t line_of(const Key* key) noexcept nogil:
    cdef uint64_t hashed = multiply_fold(
        key.low ^ <uint64_t>0x9E3779B97F4A7C15, key.high ^ <uint64_t>0xD6E8FEB86659FD93
    )
    return <Py_ssize_t>(hashed >> (64 - CACHE_BITS))


cdef class Workspace:
    """What one call needs for itself: a cache of words (20 MB at most), lists, room for ids.

    An encoder keeps those that are not in use; a call borrows one, so threads never share any.
    """

    cdef CacheLine* cache
    cdef FurtherIds* further     # two for each line
    cdef Lists lists
    cdef int32_t* ids
    cdef Py_ssize_t n_ids
    cdef Py_ssize_t room

    def __cinit__(self, Py_ssize_t n_merges):
        self.cache = <CacheLine*> table_alloc(CACHE_LINES * sizeof(CacheLine))
        self.further = <FurtherIds*> table_alloc(2 * CACHE_LINES * sizeof(FurtherIds))
        self.lists.top = <int32_t*> malloc((n_merges + 1) * sizeof(int32_t))
        self.lists.filled = <uint64_t*> calloc((n_merges + 64) >> 6, sizeof(uint64_t))
        if (
            self.cache == NULL
            or self.further == NULL
            or self.lists.top == NULL
            or self.lists.filled == NULL
        ):
            raise MemoryError
        memset(self.lists.top, 0xFF, n_merges * sizeof(int32_t))

    def __dealloc__(self):
        table_free(self.cache, CACHE_LINES * sizeof(CacheLine))
        table_free(self.further, 2 * CACHE_LINES * sizeof(FurtherIds))
        free(self.lists.top)
        free(self.lists.filled)
        free(self.ids)

    cdef int reserve(self, Py_ssize_t n) noexcept nogil:
        # Make room for n more ids; -1 if there is no memory for them.
        cdef int32_t* grown
        cdef Py_ssize_t room
        if self.n_ids + n <= self.room:
            return 0
        room = 2 * self.room + n + 1024
        grown = <int32_t*> realloc(self.ids, room * sizeof(int32_t))
        if grown == NULL:
            return -1
        self.ids, self.room = grown, room
        return 0

    cdef void trim(self) noexcept:
        if self.room > KEPT_ROOM:
            free(self.ids)
            self.ids, self.room = NULL, 0

    cdef int append_word(
        self, const Ranks* ranks, const uint8_t* word, Py_ssize_t n
    ) noexcept nogil:
        # Append the ids of any word. Requires: room for n ids; n <= LONGEST_WORD.
        cdef Py_ssize_t n_ids
        if n <= SHORT_WORD:
            n_ids = merge_short(ranks, word, n, self.ids + self.n_ids)
        else:
            n_ids = merge_long(ranks, self.lists, word, n, self.ids + self.n_ids)
            if n_ids < 0:
                return -1
        self.n_ids += n_ids
        return 0

    cdef void append_and_cache(
        self, const Ranks* ranks, const uint8_t* word, Py_ssize_t n, const Key* key, Py_ssize_t line
    ) noexcept nogil:
        # Append the ids of a word that is not in the cache and put it there, in the place of the
        # older of two. Requires: room for n + INLINE_IDS ids.
        cdef CacheEntry* entry = &self.cache[line].first
        cdef int32_t* ids = self.ids + self.n_ids
        cdef Py_ssize_t n_ids = merge_short(ranks, word, n, ids)
        if entry.n_ids > INLINE_IDS:
            self.further[2 * line + 1] = self.further[2 * line]
        self.cache[line].second = entry[0]
        entry.key = key[0]
        memcpy(entry.ids, ids, INLINE_IDS * sizeof(int32_t))
        entry.n_ids = <int32_t>n_ids
        if n_ids > INLINE_IDS:
            memcpy(
                self.further[2 * line].ids,
                ids + INLINE_IDS,
                (n_ids - INLINE_IDS) * sizeof(int32_t),
            )
        self.n_ids += n_ids

    cdef inline void append_cached(
        self, const CacheEntry* entry, const FurtherIds* further
    ) noexcept nogil:
        # Requires: room for CACHED_WORD ids.
        cdef int32_t* ids = self.ids + self.n_ids
        memcpy(ids, entry.ids, INLINE_IDS * sizeof(int32_t))
        if entry.n_ids > INLINE_IDS:
            memcpy(ids + INLINE_IDS, further.ids, (entry.n_ids - INLINE_IDS) * sizeof(int32_t))
        self.n_ids += entry.n_ids

    cdef int append_text(
        self, const Ranks* ranks, const uint8_t* text, Py_ssize_t n
    ) noexcept nogil:
        # Append the ids of the text. -1: no memory; -2: a word is longer than LONGEST_WORD.
        # Requires: valid UTF-8.
        cdef Scanner scanner
        cdef const uint8_t* bounds[SCAN_WORDS + 64 + 1]
        cdef Key keys[SCAN_WORDS]
        cdef Py_ssize_t lines[SCAN_WORDS]
        cdef const uint8_t* end = text + n
        cdef Py_ssize_t i, k, length
        cdef CacheLine* line
        cdef Key* key
        scan_begin(&scanner, text, n)
        while True:
            k = scan_next(&scanner, bounds)
            if k == 0:
                return 0
            if self.reserve(bounds[k] - bounds[0] + CACHED_WORD) < 0:
                return -1
            # All keys first: by the time that a line is looked at, it is in the processor's cache.
            for i in range(k):
                length = bounds[i + 1] - bounds[i]
                lines[i] = -1
                if length <= CACHED_WORD:
                    keys[i] = pack_word(bounds[i], length, end)
                    lines[i] = line_of(&keys[i])
                    prefetch(&self.cache[lines[i]])
            for i in range(k):
                if lines[i] < 0:
                    length = bounds[i + 1] - bounds[i]
                    if length > LONGEST_WORD:
                        return -2
                    if self.append_word(ranks, bounds[i], length) < 0:
                        return -1
                    continue
                line = &self.cache[lines[i]]
                key = &keys[i]
                if line.first.key.low == key.low and line.first.key.high == key.high:
                    self.append_cached(&line.first, &self.further[2 * lines[i]])
                elif line.second.key.low == key.low and line.second.key.high == key.high:
                    self.append_cached(&line.second, &self.further[2 * lines[i] + 1])
                else:
                    length = bounds[i + 1] - bounds[i]
                    self.append_and_cache(ranks, bounds[i], length, key, lines[i])


# ---- the two classes that Python sees -----------------------------------------------------------

cdef class Encoder:
    """Encode text with a list of merges. Threads may share it.

    Parameters
    ----------
    pairs : int32 buffer, length 2 * n_merges
        left, right of each merge, checked by `bpetok.vocab.check_merges`.
    """

    cdef Ranks ranks
    cdef list unused   # workspaces
    cdef list numbers  # numbers[id] is id: int objects made once and shared by all results

    def __cinit__(self, const int32_t[::1] pairs not None):
        cdef Py_ssize_t n_merges = pairs.shape[0] // 2
        cdef Py_ssize_t i, n_slots = 64
        cdef int32_t left, right
        cdef PairSlot* slot
        while n_slots < 2 * n_merges:
            n_slots *= 2
        self.ranks.n_merges = n_merges
        self.ranks.mask = n_slots - 1
        self.ranks.seed = int.from_bytes(os.urandom(8), "little")
        self.ranks.byte_pairs = <int32_t*> PyMem_Malloc(N_BYTES * N_BYTES * sizeof(int32_t))
        self.ranks.slots = <PairSlot*> PyMem_Malloc(n_slots * sizeof(PairSlot))
        self.ranks.is_double = <uint8_t*> PyMem_Malloc(n_merges + 1)
        if (
            self.ranks.byte_pairs == NULL
            or self.ranks.slots == NULL
            or self.ranks.is_double == NULL
        ):
            raise MemoryError
        for i in range(N_BYTES * N_BYTES):
            self.ranks.byte_pairs[i] = NONE
        for i in range(n_slots):
            self.ranks.slots[i].pair = NO_PAIR
            self.ranks.slots[i].id = NONE
        for i in range(n_merges):
            left, right = pairs[2 * i], pairs[2 * i + 1]
            self.ranks.is_double[i] = left == right
            if (left | right) < N_BYTES:
                self.ranks.byte_pairs[left << 8 | right] = <int32_t>(N_BYTES + i)
            else:
                slot = find_pair(&self.ranks, pair_key(left, right))
                slot.pair = pair_key(left, right)
                slot.id = <int32_t>(N_BYTES + i)
        self.numbers = list(range(N_BYTES + n_merges))
        self.unused = []

    def __dealloc__(self):
        PyMem_Free(self.ranks.byte_pairs)
        PyMem_Free(self.ranks.slots)
        PyMem_Free(self.ranks.is_double)

    cdef Workspace borrow(self):
        # Under the GIL, so no two threads get the same. There are never more than threads that
        # encode at once.
        cdef Workspace work = self.unused.pop() if self.unused else Workspace(self.ranks.n_merges)
        work.n_ids = 0
        return work

    cdef list take_ids(self, Workspace work, int failure):
        # The ids as a list; the workspace goes back.
        cdef Py_ssize_t i
        cdef list ids
        cdef object number
        if failure == 0:
            ids = PyList_New(work.n_ids)
            for i in range(work.n_ids):
                number = <object><PyObject*>self.numbers[work.ids[i]]
                Py_INCREF(number)
                PyList_SET_ITEM(ids, i, number)
        work.trim()
        self.unused.append(work)
        if failure == -2:
            raise ValueError(
                f"text holds a word of more than {LONGEST_WORD} bytes, the most that can be encoded"
            )
        if failure:
            raise MemoryError
        return ids

    def encode(self, text):
        """Return the ids of a text, split by the GPT-2 pattern: str, or bytes that are valid UTF-8.

        Raises
        ------
        UnicodeEncodeError
            If `text` is a str with a lone surrogate.
        """
        cdef const uint8_t* data
        cdef Py_ssize_t n
        cdef int failure
        cdef Workspace work
        if isinstance(text, str):
            if PyUnicode_IS_COMPACT_ASCII(text):
                data = <const uint8_t*> PyUnicode_AsUTF8AndSize(text, &n)
            else:
                # PyUnicode_AsUTF8AndSize would leave a copy with the str.
                text = (<str> text).encode()
                data, n = text, len(<bytes> text)
        else:
            data, n = <bytes?> text, len(<bytes> text)
        work = self.borrow()
        if n < RELEASE_GIL_FROM:
            failure = work.append_text(&self.ranks, data, n)
        else:
            with nogil:
                failure = work.append_text(&self.ranks, data, n)
        return self.take_ids(work, failure)


cdef class Decoder:
    """Ids to bytes.

    Parameters
    ----------
    tokens : list of bytes
        The bytes of each id, from 0.
    """

    cdef bytes data      # of all tokens, one after another
    cdef Py_ssize_t* ends
    cdef Py_ssize_t n_tokens

    def __cinit__(self, list tokens not None):
        cdef Py_ssize_t i, end = 0
        self.n_tokens = len(tokens)
        self.data = b"".join(tokens)
        self.ends = <Py_ssize_t*> PyMem_Malloc((self.n_tokens + 1) * sizeof(Py_ssize_t))
        if self.ends == NULL:
            raise MemoryError
        self.ends[0] = 0
        for i in range(self.n_tokens):
            end += len(<bytes?> tokens[i])
            self.ends[i + 1] = end

    def __dealloc__(self):
        PyMem_Free(self.ends)

    def decode(self, ids):
        """Return the bytes of an iterable of ids, one after another.

        Raises
        ------
        TypeError
            If one is not an integer.
        ValueError
            If one is not in the vocabulary.
        """
        cdef list numbers = ids if type(ids) is list else list(ids)
        cdef Py_ssize_t n = len(numbers)
        cdef Py_ssize_t i, size = 0
        cdef long long number
        cdef const char* data = self.data
        cdef int32_t* tokens = <int32_t*> PyMem_Malloc((n + 1) * sizeof(int32_t))
        cdef char* out
        if tokens == NULL:
            raise MemoryError
        try:
            for i in range(n):
                number = self.checked(numbers[i], i)
                tokens[i] = <int32_t>number
                size += self.ends[number + 1] - self.ends[number]
            result = PyBytes_FromStringAndSize(NULL, size)
            out = result
            for i in range(n):
                size = self.ends[tokens[i] + 1] - self.ends[tokens[i]]
                memcpy(out, data + self.ends[tokens[i]], size)
                out += size
        finally:
            PyMem_Free(tokens)
        return result

    cdef inline long long checked(self, number, Py_ssize_t i) except -1:
        cdef long long token_id
        try:
            token_id = PyLong_AsLongLong(number)
        except OverflowError:
            token_id = -1
        except TypeError:
            raise TypeError(f"ids must be integers, got {number!r} at index {i}") from None
        if not 0 <= token_id < self.n_tokens:
            raise ValueError(
                f"ids must be from 0 to {self.n_tokens - 1}, got {number} at index {i}"
            )
        return token_id
