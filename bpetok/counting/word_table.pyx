"""Words to unique words with counts: one hash table a thread, and their combination.

A word is known by its key, 128 bits; one that does not fit has the key (hash, length, LONG_WORD)
and its bytes in an arena. Looking a key up costs a cache miss for a rare word, so each is packed,
hashed and prefetched some words before it is looked up.

The hash that a table begins with is the same in every process, so that tables lie in one order, by
which they are combined. Words can be made to collide in it. A table in which a search has taken too
many steps takes a seed that nobody knows, and is sorted before its words are handed over: the
result is the same.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc, qsort, realloc
from libc.string cimport memcmp, memcpy, memset

import os

import numpy as np

from bpetok.base.built_from cimport check_sources
from bpetok.base.simd cimport prefetch, table_alloc, table_free, table_zero
from bpetok.patterns.word_key cimport (
    Key, LONG_WORD, PACKED_WORD, Seed, hash_bytes, hash_key, known_seed, pack_word
)
from bpetok.patterns.dfa cimport CompiledPattern
from bpetok.patterns.scan cimport (
    SCAN_WORDS, Scanner, find_invalid_utf8, scan_begin, scan_compiled, scan_end, scan_next
)
from bpetok.patterns.special cimport SpecialTokens

from bpetok.patterns.errors import SplitError
from bpetok.patterns.scan import PATTERN_NAMES

check_sources(__name__)

cdef enum:
    PARTITION_BITS = 6
    SMALLEST_CAPACITY = 1 << 12
    ARENA_BLOCK = 1 << 20
    MOST_STEPS = 512
    # Steps of a search, beyond which a table is taken to be attacked: among 8 million random words,
    # in the fullest table, the longest search has about 170.
    AHEAD = 48
    # Words between a prefetch and its use. A whole batch was 1/15 slower: it asks for more at once
    # than the processor can wait for at a time.
    SMALL_TABLE = 1 << 18
    # Slots below which a table grows by four, if no memory is to be kept: counting 10 MB takes a
    # tenth less time, since fewer words are moved. From there on memory would be noticed.

N_PARTITIONS = 1 << PARTITION_BITS
"""Tables are combined partition by partition: the words whose hash begins with the same bits."""

cdef Seed SECRET
SECRET.low, SECRET.high = (int.from_bytes(os.urandom(8), "little") for _ in range(2))

cdef struct Entry:
    uint64_t low
    uint64_t high          # 0 in an empty entry: the length of a word is at least 1
    int64_t count
    const uint8_t* bytes   # of a long word


cdef struct Table:
    # Open addressing, linear probing; a slot is the top bits of the hash after `skipped_bits`, so
    # the entries lie in the order of their hashes, but for collisions. If `is_sorted` they are the
    # first ones, in the order of `order_of`, and no slot can be searched for.
    Entry* entries
    size_t capacity
    size_t used
    Seed seed              # by which the slots are chosen, and the keys of long words are made
    int shift
    int skipped_bits
    bint is_secret         # the seed is
    bint is_crowded        # a search has taken more than MOST_STEPS
    bint is_sorted


cdef inline size_t home(const Table* table, uint64_t hash) noexcept nogil:
    return hash >> table.shift & (table.capacity - 1)


cdef int table_init(Table* table, size_t capacity, int skipped_bits) noexcept nogil:
    # Requires: capacity is a power of 2, at least SMALLEST_CAPACITY. Returns -1 without memory.
    table.capacity = capacity
    table.used = 0
    table.skipped_bits = skipped_bits
    table.shift = 64 - skipped_bits
    table.seed = known_seed()
    table.is_secret = table.is_crowded = table.is_sorted = False
    while capacity > 1:
        capacity >>= 1
        table.shift -= 1
    table.entries = <Entry*> table_alloc(table.capacity * sizeof(Entry))
    return 0 if table.entries != NULL else -1


cdef void table_clear(Table* table) noexcept nogil:
    table_free(table.entries, table.capacity * sizeof(Entry))
    table.entries = NULL


cdef inline bint same_word(const Entry* entry, uint64_t low, uint64_t high, const uint8_t* bytes
                           ) noexcept nogil:
    if entry.low != low or entry.high != high:
        return False
    return high < LONG_WORD or memcmp(entry.bytes, bytes, high ^ LONG_WORD) == 0


cdef inline Entry* find_entry(
    Table* table, size_t slot, uint64_t low, uint64_t high, const uint8_t* bytes
) noexcept nogil:
    # The entry of the key, or the empty one where it belongs.
    cdef Entry* entry = table.entries + slot
    cdef int n_steps = 0
    while entry.high != 0 and not same_word(entry, low, high, bytes):
        slot = (slot + 1) & (table.capacity - 1)
        entry = table.entries + slot
        n_steps += 1
    if n_steps > MOST_STEPS:
        table.is_crowded = True
    return entry


cdef inline Key key_of_entry(const Entry* entry, Seed seed) noexcept nogil:
    # The key of an entry's word by a seed, which may be another one than that of its table.
    if entry.high < LONG_WORD:
        return Key(entry.low, entry.high)
    return Key(hash_bytes(entry.bytes, entry.high ^ LONG_WORD, seed), entry.high)


cdef int table_reserve(Table* table, size_t n, size_t factor) noexcept nogil:
    # Make room for n more entries, at most 5/8 of the table being used; a small table grows by
    # `factor`. Returns -1 without memory.
    cdef size_t capacity = table.capacity
    while table.used + n > capacity // 8 * 5:
        capacity *= factor if capacity < SMALL_TABLE else 2
    if capacity == table.capacity and not must_move(table):
        return 0
    return table_move(table, capacity)


cdef inline bint must_move(const Table* table) noexcept nogil:
    # Whether words can't, or should not, be added to the table as it is.
    return table.is_sorted or (table.is_crowded and not table.is_secret)


cdef int table_move(Table* table, size_t capacity) noexcept nogil:
    # Move the entries to new slots, of so many. Returns -1 without memory.
    cdef Table larger
    cdef Entry* entry
    cdef Key key
    cdef size_t i
    if table_init(&larger, capacity, table.skipped_bits):
        return -1
    if table.is_secret or table.is_crowded:
        larger.seed, larger.is_secret = SECRET, True
    for i in range(table.capacity):
        entry = table.entries + i
        if entry.high != 0:
            key = Key(entry.low, entry.high)
            if larger.is_secret:
                key = key_of_entry(entry, larger.seed)
            entry.low = key.low
            find_entry(
                &larger,
                home(&larger, hash_key(key.low, key.high, larger.seed)),
                key.low,
                key.high,
                entry.bytes,
            )[0] = entry[0]
    larger.used = table.used
    table_clear(table)
    table[0] = larger
    return 0


cdef struct ArenaBlock:
    ArenaBlock* before
    size_t used
    size_t size


cdef uint8_t* arena_copy(ArenaBlock** arena, const uint8_t* bytes, size_t n) noexcept nogil:
    # A copy of a word that stays where it is until the arena is freed; NULL without memory.
    cdef ArenaBlock* block = arena[0]
    cdef size_t size
    if block == NULL or block.size - block.used < n:
        size = max(n, <size_t>ARENA_BLOCK)
        block = <ArenaBlock*> malloc(sizeof(ArenaBlock) + size)
        if block == NULL:
            return NULL
        block.before = arena[0]
        block.used = 0
        block.size = size
        arena[0] = block
    block.used += n
    return <uint8_t*> memcpy(<uint8_t*> (block + 1) + block.used - n, bytes, n)


cdef struct Batch:
    # The keys of the words between two calls of the scanner, and the entries to look at first.
    uint64_t[SCAN_WORDS] low
    uint64_t[SCAN_WORDS] high
    Entry* entries[SCAN_WORDS]


cdef inline Key key_of(
    const uint8_t* at, Py_ssize_t n, const uint8_t* last, Seed seed
) noexcept nogil:
    # The key of the word at[:n]; 16 bytes may be read from any place up to `last`.
    if n > PACKED_WORD or at > last:
        return key_of_rare(at, n, seed)
    return pack_word(at, n)


cdef Key key_of_rare(const uint8_t* at, Py_ssize_t n, Seed seed) noexcept nogil:
    # The same for a long word, and for one near the end of the memory.
    cdef uint8_t[16] copy
    if n > PACKED_WORD:
        return Key(hash_bytes(at, n, seed), LONG_WORD | <uint64_t>n)
    memcpy(copy, at, n)
    return pack_word(copy, n)


cdef inline void ask_for(
    Batch* batch, Py_ssize_t i, const uint8_t** bounds, const Table* table
) noexcept nogil:
    # Find where the table has word i, and ask the processor for that. Requires: the known seed; 16
    # bytes may be read from the begin of the word on.
    cdef Py_ssize_t n = bounds[i + 1] - bounds[i]
    cdef Key key = pack_word(bounds[i], n) if n <= PACKED_WORD else key_of_rare(
        bounds[i], n, known_seed()
    )
    batch.entries[i] = table.entries + home(table, hash_key(key.low, key.high, known_seed()))
    prefetch(batch.entries[i])
    prefetch(batch.entries[i] + 1)  # where a search goes on
    batch.low[i], batch.high[i] = key.low, key.high


@cython.final
cdef class WordTable:
    """Unique words with their counts, as one thread counts them.

    Parameters
    ----------
    special_tokens : SpecialTokens
        Texts are split at them, and they are not counted.
    pattern : int or CompiledPattern
        An int is the index of the split pattern in `scan.PATTERN_NAMES`.
    one_partition : bool
        True if all words will be of one partition: see `sorted_words`.
    in_order : bool
        Remember in which order the words are first seen.
    """

    cdef Table table
    cdef ArenaBlock* arena
    cdef size_t arena_size
    cdef Entry* seen         # in_order: a copy of each word's entry, as it was at first
    cdef size_t seen_room
    cdef bint in_order
    cdef SpecialTokens special_tokens
    cdef int pattern         # -1: it is compiled
    cdef CompiledPattern compiled
    cdef const uint8_t* unmatched  # text that the pattern does not match, where that is an error
    cdef size_t memory_limit
    cdef object on_full, failure

    def __cinit__(
        self, SpecialTokens special_tokens not None, pattern=0, bint one_partition=False,
        bint in_order=False,
    ):
        if isinstance(pattern, CompiledPattern):
            self.pattern, self.compiled = -1, pattern
        elif 0 <= pattern < len(PATTERN_NAMES):
            self.pattern = pattern
        else:
            raise IndexError(f"pattern must be in 0..{len(PATTERN_NAMES) - 1}, got {pattern}")
        self.special_tokens = special_tokens
        self.in_order = in_order
        if table_init(&self.table, SMALLEST_CAPACITY, PARTITION_BITS if one_partition else 0):
            raise MemoryError("no memory for a table of words")

    def __dealloc__(self):
        table_clear(&self.table)
        self.clear_arena()
        free(self.seen)

    cdef void clear_arena(self) noexcept:
        cdef ArenaBlock* block
        while self.arena != NULL:
            block = self.arena
            self.arena = block.before
            free(block)
        self.arena_size = 0

    def __len__(self):
        return self.table.used

    @property
    def memory(self):
        """The bytes that the words take."""
        return self.table.capacity * sizeof(Entry) + self.arena_size

    def limit_memory(self, size_t limit, on_full not None):
        """Call on_full(table) in `count` before `memory` would exceed `limit`, also while growing.

        `on_full` takes the words, as `sorted_words` gives them, and clears the table.
        """
        self.memory_limit = limit
        self.on_full = on_full

    def clear(self, bint keep_room=True):
        """Forget all words; the room for as many is kept if there will be more."""
        if keep_room:
            memset(self.table.entries, 0, self.table.capacity * sizeof(Entry))
            self.table.is_sorted = False
        else:
            table_clear(&self.table)
            if table_init(&self.table, SMALLEST_CAPACITY, self.table.skipped_bits):
                raise MemoryError("no memory for a table of words")
        self.table.used = 0
        self.clear_arena()

    def count(
        self, const uint8_t[::1] data not None, const int64_t[::1] text_ends not None,
        bint are_utf8=False,
    ):
        """Count the words of texts that lie one after another in memory.

        Parameters
        ----------
        data : buffer of bytes
        text_ends : int64 array, ascending, at most len(data)
            Where each text ends; the first begins at 0. No word runs over an end.
        are_utf8 : bool
            Each text is known to be UTF-8: it is not looked at for that again.

        Returns
        -------
        int
            -1, or the offset in `data` of the first byte that is not UTF-8: nothing was counted.

        Raises
        ------
        SplitError
            If a text is not matched, and that is an error; words before it have been counted.
        """
        cdef Py_ssize_t i, invalid = -1, begin = 0
        cdef int status = 0
        if text_ends.shape[0] == 0 or text_ends[text_ends.shape[0] - 1] == 0:
            return -1
        if text_ends[text_ends.shape[0] - 1] > data.shape[0]:
            raise IndexError("text_ends must lie within data")
        with nogil:
            for i in range(0 if are_utf8 else text_ends.shape[0]):
                invalid = find_invalid_utf8(&data[0] + begin, text_ends[i] - begin)
                if invalid >= 0:
                    break
                begin = text_ends[i]
            else:
                begin = 0
                for i in range(text_ends.shape[0]):
                    status = self.count_text(
                        &data[0] + begin, &data[0] + text_ends[i], &data[0] + data.shape[0] - 16
                    )
                    if status:
                        break
                    begin = text_ends[i]
        if self.failure is not None:
            error, self.failure = self.failure, None
            raise error
        if self.unmatched != NULL:
            begin, self.unmatched = self.unmatched - &data[0], NULL
            raise SplitError("unmatched", begin)
        if status:
            raise MemoryError(f"no memory for a table of more than {self.table.used} words")
        return begin + invalid if invalid >= 0 else -1

    cdef int count_text(
        self, const uint8_t* at, const uint8_t* end, const uint8_t* last
    ) noexcept nogil:
        # Count the words between the special tokens; up to `last` 16 bytes may be read. Returns -1
        # without memory.
        cdef Py_ssize_t length = 0
        cdef const uint8_t* special
        while at < end:
            special = self.special_tokens.find(at, end, &length)
            if special == NULL:
                special = end
            else:
                self.special_tokens.see(special, length)
            if self.count_segment(at, special, last):
                return -1
            at = special + length
        return 0

    cdef int count_segment(
        self, const uint8_t* at, const uint8_t* end, const uint8_t* last
    ) noexcept nogil:
        cdef Scanner scanner
        cdef int status
        if self.pattern >= 0:
            scan_begin(&scanner, self.pattern, at, end - at, last + 16)
            return self.count_words(&scanner, last)
        if scan_compiled(&scanner, self.compiled, at, end - at):
            return -1
        status = self.count_words(&scanner, last)
        scan_end(&scanner)
        if scanner.chain.unmatched != NULL:
            self.unmatched = scanner.chain.unmatched
        return -1 if scanner.chain.unmatched != NULL or scanner.chain.no_memory else status

    cdef inline int count_words(self, Scanner* scanner, const uint8_t* last) noexcept nogil:
        cdef const uint8_t* bounds[SCAN_WORDS + 1]
        cdef Batch batch
        cdef Table table
        cdef Py_ssize_t i, n
        while True:
            n = scan_next(scanner, bounds)
            if n == 0:
                return 0
            if self.make_room(n):
                return -1
            if self.table.is_secret or bounds[n - 1] > last:
                if self.add_one_by_one(bounds, n, last):
                    return -1
                continue
            table = self.table  # a copy, which nothing that is written below can change
            # No loop asks of each word what only some of them need: 5 % fewer instructions.
            for i in range(min(n, AHEAD)):
                ask_for(&batch, i, bounds, &table)
            for i in range(AHEAD, n):
                ask_for(&batch, i, bounds, &table)
                if self.add_word(&batch, i - AHEAD, bounds):
                    return -1
            for i in range(max(0, n - AHEAD), n):
                if self.add_word(&batch, i, bounds):
                    return -1

    cdef int add_one_by_one(
        self, const uint8_t** bounds, Py_ssize_t n, const uint8_t* last
    ) noexcept nogil:
        # Count n words by any seed, or near the end of the memory. A function of its own: the loops
        # above are slower with a seed that varies.
        cdef Seed seed = self.table.seed
        cdef Key key
        cdef Py_ssize_t i
        for i in range(n):
            key = key_of(bounds[i], bounds[i + 1] - bounds[i], last, seed)
            if self.add(
                home(&self.table, hash_key(key.low, key.high, seed)), key.low, key.high, bounds[i]
            ):
                return -1
        return 0

    cdef inline int add_word(
        self, const Batch* batch, Py_ssize_t i, const uint8_t** bounds
    ) noexcept nogil:
        cdef Entry* entry = batch.entries[i]
        cdef uint64_t high = batch.high[i]
        if entry.low == batch.low[i] and entry.high == high and high < LONG_WORD:
            # Nearly always. The rest, and long words, of which the bytes must be compared, are a
            # call, so that this stays short.
            entry.count += 1
            return 0
        return self.add(entry - self.table.entries, batch.low[i], high, bounds[i])

    cdef inline int make_room(self, size_t n) noexcept nogil:
        # Make room for n more words. Returns -1 without memory, or if `on_full` has failed.
        cdef size_t size = self.table.capacity * sizeof(Entry)
        if self.memory_limit and self.table.used:
            if self.table.used + n > self.table.capacity // 8 * 5 or must_move(&self.table):
                size *= 3  # this table and the one that it moves to, which may be twice as large
            if size + self.arena_size > self.memory_limit and self.empty():
                return -1
        return table_reserve(&self.table, n, 2 if self.memory_limit else 4)

    cdef int empty(self) noexcept with gil:
        # Call `on_full`. Returns -1 if it fails. A function of its own: one that takes the GIL in
        # any branch takes it in all, which made threads that count wait for each other.
        try:
            self.on_full(self)
        except BaseException as error:
            self.failure = error
            return -1
        return 0

    def add_words(
        self, const uint8_t[::1] data not None, const int64_t[::1] ends not None,
        const int64_t[::1] counts not None,
    ):
        """Add words that were counted elsewhere.

        Requires: words that are not empty, one after another in `data`; each ends where `ends`
        says, and came as often as `counts` says. No sum of counts reaches 2**63.
        """
        cdef Py_ssize_t i, begin = 0
        cdef Key key
        cdef Entry* entry
        cdef size_t slot
        cdef int status = 0
        with nogil:
            # Room for all: words that come in the order of their hashes, as from another table,
            # would crowd the first slots of a table that grows with them.
            status = table_reserve(&self.table, ends.shape[0], 2)
            for i in range(0 if status else ends.shape[0]):
                if must_move(&self.table):
                    status = table_move(&self.table, self.table.capacity)
                    if status:
                        break
                key = key_of(
                    &data[begin], ends[i] - begin, &data[0] + data.shape[0] - 16, self.table.seed
                )
                slot = home(&self.table, hash_key(key.low, key.high, self.table.seed))
                status = self.add(slot, key.low, key.high, &data[begin])
                if status:
                    break
                entry = find_entry(&self.table, slot, key.low, key.high, &data[begin])
                entry.count += counts[i] - 1
                begin = ends[i]
        if status:
            raise MemoryError(f"no memory for a table of more than {self.table.used} words")

    cdef int add(
        self, size_t slot, uint64_t low, uint64_t high, const uint8_t* bytes
    ) noexcept nogil:
        cdef Entry* entry = find_entry(&self.table, slot, low, high, bytes)
        if entry.high == 0:
            entry.low = low
            entry.high = high
            if high >= LONG_WORD:
                entry.bytes = arena_copy(&self.arena, bytes, high ^ LONG_WORD)
                if entry.bytes == NULL:
                    entry.high = 0
                    return -1
                self.arena_size += high ^ LONG_WORD
            if self.in_order and self.remember(entry):
                entry.high = 0
                return -1
            self.table.used += 1
        entry.count += 1
        if entry.count > self.table.entries[slot].count:
            # Words that occur often are moved to where they are looked for first.
            entry[0], self.table.entries[slot] = self.table.entries[slot], entry[0]
        return 0

    cdef int remember(self, const Entry* entry) noexcept nogil:
        # Keep a copy of the entry of a new word. Returns -1 without memory.
        cdef size_t room = self.seen_room
        cdef Entry* larger
        if self.table.used == room:
            room = 2 * room + SMALLEST_CAPACITY
            larger = <Entry*> realloc(self.seen, room * sizeof(Entry))
            if larger == NULL:
                return -1
            self.seen, self.seen_room = larger, room
        self.seen[self.table.used] = entry[0]
        return 0

    def words_in_order(self):
        """Return the words in the order in which they were first seen. Requires: in_order.

        Returns
        -------
        ids : int32 array
            The bytes of all words, one after another.
        offsets : int64 array, shape (n_words + 1,)
            Where each begins in `ids`, and the end.
        counts : int64 array, shape (n_words,)
        """
        cdef Py_ssize_t i, n_words = self.table.used, at = 0
        cdef const Entry* seen
        cdef Key key
        if not self.in_order:
            raise ValueError("the table does not know the order of its words")
        if self.table.is_sorted:
            raise ValueError("the table has been combined")
        for i in range(n_words):
            at += word_length(self.seen + i)
        arrays = (
            np.empty(at, np.int32), np.empty(n_words + 1, np.int64), np.empty(n_words, np.int64)
        )
        cdef int32_t[::1] ids = arrays[0]
        cdef int64_t[::1] offsets = arrays[1]
        cdef int64_t[::1] counts = arrays[2]
        at = 0
        with nogil:
            for i in range(n_words):
                seen = self.seen + i
                offsets[i] = at
                key = key_of_entry(seen, self.table.seed)
                counts[i] = find_entry(
                    &self.table,
                    home(&self.table, hash_key(key.low, key.high, self.table.seed)),
                    key.low,
                    key.high,
                    seen.bytes,
                ).count
                at += write_word(&ids[0] + at, &ids[0] + ids.shape[0], seen)
            offsets[n_words] = at
        return arrays

    def sort(self):
        """Sort the words, in place, as they are handed over; words can be added afterwards."""
        cdef int status
        with nogil:
            status = table_sort(&self.table)
        if status:
            raise MemoryError("no memory to sort words")


cdef int table_sort(Table* table) noexcept nogil:
    # Move the entries to the begin, in the order of `order_of`, and give back what is empty then.
    # Returns -1 without memory.
    cdef Entry* entry
    cdef Entry* wrapped
    cdef size_t i, n_wrapped, n = 0
    if table.is_sorted:
        return 0
    wrapped = take_wrapped(table, &n_wrapped)
    if wrapped == NULL and n_wrapped > 0:
        return -1
    for i in range(table.capacity):
        # Moved first and kept then, without a branch, which would be guessed wrong half the time.
        table.entries[n] = table.entries[i]
        n += table.entries[n].high != 0
    if n_wrapped > 0:
        memcpy(table.entries + n, wrapped, n_wrapped * sizeof(Entry))
        n += n_wrapped
        free(wrapped)
    table_zero(table.entries + n, (table.capacity - n) * sizeof(Entry))
    if table.is_secret:  # in an order that another process would not have
        for i in range(n):
            entry = table.entries + i
            entry.low = key_of_entry(entry, known_seed()).low
        qsort(table.entries, n, sizeof(Entry), &compare_entries)
    else:
        sort_entries(table.entries, n)
    table.is_sorted = True
    return 0


cdef Entry* take_wrapped(Table* table, size_t* n_wrapped) noexcept nogil:
    # Take out the entries that belong to the last slots, but lie in the first ones, since the last
    # ones were taken; return a copy of them: sort_entries would move each over all the others. NULL
    # if there are none, or there is no memory.
    cdef Entry* wrapped
    cdef Entry* entry
    cdef size_t i, n_first = 0
    n_wrapped[0] = 0
    while table.entries[n_first].high != 0:
        n_wrapped[0] += is_wrapped(table, n_first)
        n_first += 1
    if n_wrapped[0] == 0:
        return NULL
    wrapped = <Entry*> malloc(n_wrapped[0] * sizeof(Entry))
    if wrapped == NULL:
        return NULL
    n_wrapped[0] = 0
    for i in range(n_first):
        if is_wrapped(table, i):
            entry = table.entries + i
            wrapped[n_wrapped[0]] = entry[0]
            n_wrapped[0] += 1
            entry.high = 0
    return wrapped


cdef inline bint is_wrapped(const Table* table, size_t slot) noexcept nogil:
    # An entry lies in the first free slot from its home on.
    cdef const Entry* entry = table.entries + slot
    return home(table, hash_key(entry.low, entry.high, table.seed)) > slot


cdef inline Py_ssize_t word_length(const Entry* entry) noexcept nogil:
    return entry.high ^ LONG_WORD if entry.high >= LONG_WORD else entry.high >> 56


cdef int order_of(const Entry* a, const Entry* b) noexcept nogil:
    # Below 0 if a comes before b, 0 if they are the same word. The order of words: by hash, then,
    # hardly ever, by key and bytes. Requires: keys by the known seed.
    cdef uint64_t hash_a = hash_key(a.low, a.high, known_seed())
    cdef uint64_t hash_b = hash_key(b.low, b.high, known_seed())
    if hash_a != hash_b:
        return -1 if hash_a < hash_b else 1
    if a.high != b.high:
        return -1 if a.high < b.high else 1
    if a.low != b.low:
        return -1 if a.low < b.low else 1
    return memcmp(a.bytes, b.bytes, a.high ^ LONG_WORD) if a.high >= LONG_WORD else 0


cdef int compare_entries(const void* a, const void* b) noexcept nogil:
    return order_of(<const Entry*> a, <const Entry*> b)


cdef struct Partition:
    const Entry* entries
    Py_ssize_t n_words
    Py_ssize_t n_bytes
    Entry* merged          # the same entries, if they are not those of a table


@cython.final
cdef class Combination:
    """The words of several tables as one set, in an order that depends on the words alone.

    First `combine` is called for all partitions, then `allocate` once, then `write` for all
    partitions; different partitions may be handled by different threads.
    """

    cdef list tables
    cdef Partition[1 << PARTITION_BITS] partitions
    cdef readonly object ids, offsets, counts

    def __cinit__(self, list tables not None):
        cdef WordTable table
        self.tables = tables
        for table in tables:
            table.sort()

    def __dealloc__(self):
        cdef int p
        for p in range(1 << PARTITION_BITS):
            free(self.partitions[p].merged)

    def combine(self, int first, int last):
        """Gather the words of partitions first..last - 1 of all tables, with their counts' sums."""
        cdef WordTable table
        cdef int p, i, n = len(self.tables)
        cdef int status = 0
        cdef Table* tables = <Table*> malloc(n * sizeof(Table))
        if tables == NULL:
            raise MemoryError("no memory to combine the tables of words")
        for i, table in enumerate(self.tables):
            tables[i] = table.table
        with nogil:
            for p in range(first, last):
                status = status or combine_partition(&self.partitions[p], tables, n, p)
        free(tables)
        if status:
            raise MemoryError("no memory to combine the tables of words")

    def allocate(self):
        """Make the arrays that `write` fills, and let go of entries that have been merged."""
        cdef WordTable table
        cdef Py_ssize_t n_words = 0, n_bytes = 0
        cdef int p
        for p in range(1 << PARTITION_BITS):
            n_words += self.partitions[p].n_words
            n_bytes += self.partitions[p].n_bytes
        if len(self.tables) > 1:
            for table in self.tables:
                table_clear(&table.table)
                table.table.used = 0
        self.ids = np.empty(n_bytes, np.int32)
        self.offsets = np.empty(n_words + 1, np.int64)
        self.offsets[n_words] = n_bytes
        self.counts = np.empty(n_words, np.int64)

    def write(self, int first, int last):
        """Write the words of partitions first..last - 1 to `ids`, `offsets` and `counts`."""
        cdef int32_t[::1] ids = self.ids
        cdef int64_t[::1] offsets = self.offsets
        cdef int64_t[::1] counts = self.counts
        cdef Py_ssize_t i, row = 0, at = 0
        cdef int p
        cdef const Entry* entries
        cdef const int32_t* end
        with nogil:
            for p in range(first):
                row += self.partitions[p].n_words
                at += self.partitions[p].n_bytes
            end = &ids[0] + at
            for p in range(first, last):
                end += self.partitions[p].n_bytes
            for p in range(first, last):
                entries = self.partitions[p].entries
                for i in range(self.partitions[p].n_words):
                    # The bytes of long words (of others it is NULL, which does nothing) lie in the
                    # order in which they were first seen: ask for them some words ahead.
                    if i + 16 < self.partitions[p].n_words:
                        prefetch(entries[i + 16].bytes)
                    offsets[row] = at
                    counts[row] = entries[i].count
                    at += write_word(&ids[0] + at, end, entries + i)
                    row += 1


cdef int combine_partition(
    Partition* partition, const Table* tables, int n_tables, int p
) noexcept nogil:
    # Gather the words of partition p of all tables, which are sorted. Returns -1 without memory.
    cdef Partition first = Partition(NULL, 0, 0, NULL)
    cdef Partition second = Partition(NULL, 0, 0, NULL)
    cdef int half = n_tables // 2
    cdef int status
    if n_tables == 0:
        return 0
    if n_tables == 1:
        partition[0] = partition_of(tables, p)
        return 0
    status = combine_partition(&first, tables, half, p)
    status = status or combine_partition(&second, tables + half, n_tables - half, p)
    status = status or merge_partitions(partition, &first, &second)
    free(first.merged)
    free(second.merged)
    return status


cdef int merge_partitions(Partition* partition, const Partition* a, const Partition* b
                          ) noexcept nogil:
    # Merge two sorted ones. Returns -1 without memory.
    cdef Py_ssize_t i = 0, j = 0, n = 0
    cdef int order
    cdef Entry* entries = <Entry*> malloc(max(a.n_words + b.n_words, 1) * sizeof(Entry))
    if entries == NULL:
        return -1
    while i < a.n_words or j < b.n_words:
        if i == a.n_words:
            order = 1
        elif j == b.n_words:
            order = -1
        else:
            order = order_of(a.entries + i, b.entries + j)
        entries[n] = a.entries[i] if order <= 0 else b.entries[j]
        if order == 0:
            entries[n].count += b.entries[j].count
        partition.n_bytes += word_length(entries + n)
        i += order <= 0
        j += order >= 0
        n += 1
    partition.entries = partition.merged = entries
    partition.n_words = n
    return 0


cdef inline void sort_entries(Entry* entries, Py_ssize_t n) noexcept nogil:
    # Sort words by their hashes. Insertion sort, since the entries of a table are in that order but
    # for collisions.
    cdef Py_ssize_t i, at
    cdef uint64_t hash, last = 0
    cdef Entry entry
    for i in range(n):
        entry = entries[i]
        hash = hash_key(entry.low, entry.high, known_seed())
        if hash > last:
            last = hash
            continue
        at = i
        while at > 0 and order_of(&entry, entries + at - 1) < 0:
            entries[at] = entries[at - 1]
            at -= 1
        entries[at] = entry


cdef size_t first_of(const Table* table, uint64_t least) noexcept nogil:
    # The first entry of a sorted table whose hash is at least so much.
    cdef size_t low = 0, high = table.used, middle
    while low < high:
        middle = (low + high) // 2
        if hash_key(table.entries[middle].low, table.entries[middle].high, known_seed()) < least:
            low = middle + 1
        else:
            high = middle
    return low


cdef Partition partition_of(const Table* table, int p) noexcept nogil:
    # The words of a partition, where they lie. Requires: the table is sorted.
    cdef size_t first = first_of(table, <uint64_t>p << (64 - PARTITION_BITS))
    cdef size_t i, n_bytes = 0, end = table.used
    if p + 1 < 1 << PARTITION_BITS:
        end = first_of(table, <uint64_t>(p + 1) << (64 - PARTITION_BITS))
    for i in range(first, end):
        n_bytes += word_length(table.entries + i)
    return Partition(table.entries + first, end - first, n_bytes, NULL)


cdef inline Py_ssize_t write_word(
    int32_t* ids, const int32_t* end, const Entry* entry
) noexcept nogil:
    # Write the bytes of a word, and return how many they are. Up to `end` more may be written.
    cdef const uint8_t* bytes = entry.bytes if entry.high >= LONG_WORD else <const uint8_t*> entry
    cdef Py_ssize_t i, n = word_length(entry)
    if entry.high < LONG_WORD and end - ids >= 16:
        # Eight at a time: a number of turns that varies would be guessed wrong for most words.
        for i in range(8):
            ids[i] = bytes[i]
        if n > 8:
            for i in range(8, 16):
                ids[i] = bytes[i]
        return n
    for i in range(n):
        ids[i] = bytes[i]
    return n


def sorted_words(WordTable table not None, int p):
    """Return the words of partition `p` of a table, in the order of `Combination`.

    Returns
    -------
    data : uint8 array
        The words one after another.
    lengths : int32 array, shape (n_words,)
    counts : int64 array, shape (n_words,)
    """
    cdef Py_ssize_t i, n, at = 0
    cdef const Entry* entry
    table.sort()
    cdef Partition partition = partition_of(&table.table, p)
    data = np.empty(partition.n_bytes, np.uint8)
    lengths = np.empty(partition.n_words, np.int32)
    counts = np.empty(partition.n_words, np.int64)
    cdef uint8_t[::1] data_view = data
    cdef int32_t[::1] length_view = lengths
    cdef int64_t[::1] count_view = counts
    with nogil:
        for i in range(partition.n_words):
            entry = partition.entries + i
            n = word_length(entry)
            memcpy(
                &data_view[at],
                entry.bytes if entry.high >= LONG_WORD else <const uint8_t*> entry,
                n,
            )
            length_view[i] = n
            count_view[i] = entry.count
            at += n
    return data, lengths, counts
