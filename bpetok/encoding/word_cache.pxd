from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.string cimport memcpy, memset

from bpetok.patterns.word_key cimport Key, LONG_WORD, Seed, hash_bytes, hash_key, pack_word

cdef enum:
    CACHED_WORD = 256        # bytes; longer words are hardly ever repeated
    INLINE_IDS = 3
    ARENA_ITEMS = 1 << 21    # of 4 bytes: ids and long words that entries have no room for


cdef struct CacheEntry:
    Key key
    int32_t ids[INLINE_IDS]  # if there are more: ids[0] says where they are in the arena
    int32_t n_ids

cdef struct CacheLine:
    CacheEntry entries[2]

cdef struct Cache:
    # Open addressing: a word is in its line, or in the first one after it that had room.
    CacheLine* lines
    int bits              # of the number of lines
    Py_ssize_t n_entries
    int32_t* arena
    Py_ssize_t n_arena
    Py_ssize_t arena_room
    Seed seed             # secret, so that nobody can make words that collide


cdef inline Key key_of_short(const uint8_t* word, Py_ssize_t n, const uint8_t* end) noexcept nogil:
    # Requires: n <= PACKED_WORD, `word` + n <= `end`, and memory is readable up to `end`.
    cdef uint8_t padded[16]
    if end - word < 16:
        memset(padded, 0, 16)
        memcpy(padded, word, n)
        word = padded
    return pack_word(word, n)


cdef inline Key key_of_long(const uint8_t* word, Py_ssize_t n, Seed seed) noexcept nogil:
    # Requires: PACKED_WORD < n <= CACHED_WORD. The lowest 40 bits of a key that is kept are
    # where the bytes of the word are in the arena.
    return Key(hash_bytes(word, n, seed), LONG_WORD | <uint64_t>n << 40)


cdef inline CacheLine* line_of(const Cache* cache, uint64_t hashed) noexcept nogil:
    return &cache.lines[hashed >> (64 - cache.bits)]


cdef inline int32_t* copy_cached(
    const Cache* cache, const CacheEntry* entry, int32_t* ids
) noexcept nogil:
    # Copy the ids of a word and return the place after them. Requires: room for INLINE_IDS more.
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
