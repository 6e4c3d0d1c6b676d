from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.string cimport memcpy, memset

cdef extern from "_simd.h":
    uint64_t load64(const uint8_t* bytes) noexcept nogil
    uint64_t multiply_fold(uint64_t a, uint64_t b) noexcept nogil

cdef extern from *:
    """
    /* What of the first and of the second 8 bytes belongs to a word of n bytes: a look-up, since a
     * branch on n would be guessed wrong too often. */
    #define BYTES_TO(n) ((n) == 0 ? 0 : 0xFFFFFFFFFFFFFFFFULL >> (64 - 8 * (n)) % 64)
    static const uint64_t low_bytes[] = {
        BYTES_TO(0), BYTES_TO(1), BYTES_TO(2), BYTES_TO(3), BYTES_TO(4), BYTES_TO(5), BYTES_TO(6),
        BYTES_TO(7), BYTES_TO(8), BYTES_TO(8), BYTES_TO(8), BYTES_TO(8), BYTES_TO(8), BYTES_TO(8),
        BYTES_TO(8), BYTES_TO(8),
    };
    static const uint64_t high_bytes[] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, BYTES_TO(1), BYTES_TO(2), BYTES_TO(3), BYTES_TO(4), BYTES_TO(5),
        BYTES_TO(6), BYTES_TO(7),
    };
    """
    const uint64_t[] low_bytes
    const uint64_t[] high_bytes

cdef enum:
    PACKED_WORD = 15         # bytes; with the length they fill 128 bits
    CACHED_WORD = 256        # bytes; longer words hardly come again
    INLINE_IDS = 3
    LONG_WORD = 0xFF         # the top byte of a longer word's key
    ARENA_ITEMS = 1 << 21    # of 4 bytes: ids and long words that entries have no room for


cdef struct Key:
    # A word of up to PACKED_WORD bytes, zeros behind them, and its length in the top byte; 0, 0 is
    # no word. A longer word: a hash, and LONG_WORD << 56 | length << 40 | where its bytes stand in the
    # arena.
    uint64_t low
    uint64_t high

cdef struct CacheEntry:
    Key key
    int32_t ids[INLINE_IDS]  # if there are more: ids[0] says where they stand in the arena
    int32_t n_ids

cdef struct CacheLine:
    CacheEntry entries[2]

cdef struct Cache:
    # Open addressing: a word stands in its line, or in the first one behind it that had room.
    CacheLine* lines
    int bits              # of the number of lines
    Py_ssize_t n_entries
    int32_t* arena
    Py_ssize_t n_arena
    Py_ssize_t arena_room


cdef inline Key pack_word(const uint8_t* word, Py_ssize_t n, const uint8_t* end) noexcept nogil:
    # Requires: n <= PACKED_WORD, `word` + n <= `end`, and memory is readable up to `end`.
    cdef Key key
    cdef uint8_t padded[16]
    if end - word < 16:
        memset(padded, 0, 16)
        memcpy(padded, word, n)
        word = padded
    key.low = load64(word) & low_bytes[n]
    key.high = load64(word + 8) & high_bytes[n] | <uint64_t>n << 56
    return key


cdef inline Key hash_word(const uint8_t* word, Py_ssize_t n) noexcept nogil:
    # Requires: PACKED_WORD < n <= CACHED_WORD.
    cdef Key key
    cdef Py_ssize_t at = 0
    cdef uint64_t hashed = <uint64_t>n
    while at < n:
        if at > n - 16:
            at = n - 16
        hashed = multiply_fold(
            load64(word + at) ^ <uint64_t>0x9E3779B97F4A7C15 ^ hashed,
            load64(word + at + 8) ^ <uint64_t>0xD6E8FEB86659FD93,
        )
        at += 16
    key.low = hashed
    key.high = <uint64_t>LONG_WORD << 56 | <uint64_t>n << 40
    return key


cdef inline uint64_t hash_packed(const Key* key) noexcept nogil:
    # Of a longer word, the hash is key.low.
    return multiply_fold(
        key.low ^ <uint64_t>0x9E3779B97F4A7C15, key.high ^ <uint64_t>0xD6E8FEB86659FD93
    )


cdef inline CacheLine* line_of(const Cache* cache, uint64_t hashed) noexcept nogil:
    return &cache.lines[hashed >> (64 - cache.bits)]


cdef inline int32_t* copy_cached(
    const Cache* cache, const CacheEntry* entry, int32_t* ids
) noexcept nogil:
    # Copy the ids of a word and return the place behind them. Requires: room for INLINE_IDS more.
    memcpy(ids, entry.ids, INLINE_IDS * sizeof(int32_t))
    if entry.n_ids > INLINE_IDS:
        memcpy(ids, &cache.arena[entry.ids[0]], entry.n_ids * sizeof(int32_t))
    return ids + entry.n_ids


# Make an empty cache; -1 if there is no memory.
cdef int cache_init(Cache* cache) noexcept nogil
cdef void cache_free(Cache* cache) noexcept nogil

# The entry of a word whose line is `line`, or the free one where it belongs: that has no ids.
cdef CacheEntry* find_entry(
    const Cache* cache, CacheLine* line, const Key* key, const uint8_t* word
) noexcept nogil

# Keep a word in its free entry; without memory for it, don't.
cdef void cache_put(
    Cache* cache, CacheEntry* place, const Key* key, const uint8_t* word, const int32_t* ids,
    Py_ssize_t n_ids
) noexcept nogil

cdef void cache_make_room(Cache* cache) noexcept nogil


cdef inline void cache_tidy(Cache* cache) noexcept nogil:
    # To be called before a chunk of words, so that it finds room: a cache that is three quarters
    # full grows, or is emptied where it must not or cannot.
    if cache.n_entries > <Py_ssize_t>3 << (cache.bits - 1) or cache.n_arena > ARENA_ITEMS:
        cache_make_room(cache)
