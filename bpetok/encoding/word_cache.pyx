"""A cache of words and their ids: one a thread, with a bound on its memory."""

from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memset

from bpetok.base.built_from cimport check_sources
from bpetok.base.simd cimport table_alloc, table_free

import os

check_sources(__name__)

cdef enum:
    NO_MEMORY = -1
    FIRST_LINE_BITS = 12     # a cache of 256 KiB, which grows to
    MOST_LINE_BITS = 19      # 32 MiB: 786,432 words, as it is never fuller than three quarters


cdef Seed SECRET
SECRET.low, SECRET.high = (int.from_bytes(os.urandom(8), "little") for _ in range(2))


cdef inline bint same_word(
    const Cache* cache, const Key* kept, const Key* key, const uint8_t* word
) noexcept nogil:
    # Whether an entry with the key `kept` is that of `word`, whose key is `key`. The key of a long
    # word has its hash, its length and, in the low bits of a kept one, where its bytes are.
    if key.high < LONG_WORD:
        return kept.low == key.low and kept.high == key.high
    return (
        kept.low == key.low
        and kept.high >> 40 == key.high >> 40
        and memcmp(
            &cache.arena[kept.high & <uint64_t>0xFFFFFFFF], word, <size_t>(key.high >> 40 & 0xFFFF)
        ) == 0
    )


cdef inline CacheLine* next_line(const Cache* cache, CacheLine* line) noexcept nogil:
    return cache.lines + (line - cache.lines + 1 & (<Py_ssize_t>1 << cache.bits) - 1)


cdef CacheEntry* find_entry(
    const Cache* cache, CacheLine* line, const Key* key, const uint8_t* word
) noexcept nogil:
    # The entry of a word whose line is `line`, or the free one where it belongs.
    cdef CacheEntry* entry
    cdef int k
    while True:
        for k in range(2):
            entry = &line.entries[k]
            if entry.n_ids == 0 or same_word(cache, &entry.key, key, word):
                return entry
        line = next_line(cache, line)


cdef CacheEntry* free_entry(const Cache* cache, CacheLine* line) noexcept nogil:
    # The entry where a word that is not in the cache belongs.
    while line.entries[0].n_ids and line.entries[1].n_ids:
        line = next_line(cache, line)
    return &line.entries[1 if line.entries[0].n_ids else 0]


cdef int cache_init(Cache* cache) noexcept nogil:
    cache.bits = FIRST_LINE_BITS
    cache.seed = SECRET
    cache.lines = <CacheLine*> table_alloc((<size_t>1 << cache.bits) * sizeof(CacheLine))
    return 0 if cache.lines != NULL else NO_MEMORY


cdef void cache_free(Cache* cache) noexcept nogil:
    table_free(cache.lines, (<size_t>1 << cache.bits) * sizeof(CacheLine))
    free(cache.arena)


cdef uint64_t hash_kept(const Key* key, Seed seed) noexcept nogil:
    return key.low if key.high >= LONG_WORD else hash_key(key.low, key.high, seed)


cdef bint cache_grow(Cache* cache) noexcept nogil:
    # Eight times the lines, at most 2**MOST_LINE_BITS; False if there is no memory for them.
    cdef Cache grown = cache[0]
    cdef CacheEntry* entry
    cdef Py_ssize_t i, k
    grown.bits = min(cache.bits + 3, MOST_LINE_BITS)
    grown.lines = <CacheLine*> table_alloc((<size_t>1 << grown.bits) * sizeof(CacheLine))
    if grown.lines == NULL:
        return False
    for i in range(<Py_ssize_t>1 << cache.bits):
        for k in range(2):
            entry = &cache.lines[i].entries[k]
            if entry.n_ids:
                free_entry(&grown, line_of(&grown, hash_kept(&entry.key, cache.seed)))[0] = entry[0]
    table_free(cache.lines, (<size_t>1 << cache.bits) * sizeof(CacheLine))
    cache[0] = grown
    return True


cdef void cache_make_room(Cache* cache) noexcept nogil:
    # Let the cache grow, or empty it where it must not or cannot grow.
    if cache.bits == MOST_LINE_BITS or cache.n_arena > ARENA_ITEMS or not cache_grow(cache):
        memset(cache.lines, 0, (<size_t>1 << cache.bits) * sizeof(CacheLine))
        cache.n_entries = cache.n_arena = 0


cdef int32_t* arena_add(Cache* cache, Py_ssize_t n) noexcept nogil:
    # Room for n items more; NULL if there is no memory. It moves what is there.
    cdef int32_t* grown
    cdef Py_ssize_t room
    if cache.n_arena == 0:
        # No word is at place 0: the key that a search begins with has 0 there, and must equal the
        # key of no entry.
        cache.n_arena = 1
    if cache.n_arena + n > cache.arena_room:
        room = 2 * cache.arena_room + n + 4096
        grown = <int32_t*> realloc(cache.arena, room * sizeof(int32_t))
        if grown == NULL:
            return NULL
        cache.arena, cache.arena_room = grown, room
    cache.n_arena += n
    return cache.arena + cache.n_arena - n


cdef void cache_put(
    Cache* cache, CacheEntry* place, const Key* key, const uint8_t* word, const int32_t* ids,
    Py_ssize_t n_ids
) noexcept nogil:
    # Keep a word; without memory for it, don't.
    cdef CacheEntry entry
    cdef int32_t* kept
    cdef Py_ssize_t n_bytes
    entry.key = key[0]
    entry.n_ids = <int32_t>n_ids
    if key.high >= LONG_WORD:
        n_bytes = <Py_ssize_t>(key.high >> 40 & 0xFFFF)
        kept = arena_add(cache, (n_bytes + 3) >> 2)
        if kept == NULL:
            return
        memcpy(kept, word, n_bytes)
        entry.key.high |= <uint64_t>(kept - cache.arena)
    if n_ids <= INLINE_IDS:
        memcpy(entry.ids, ids, n_ids * sizeof(int32_t))
    else:
        kept = arena_add(cache, n_ids)
        if kept == NULL:
            return
        memcpy(kept, ids, n_ids * sizeof(int32_t))
        entry.ids[0] = <int32_t>(kept - cache.arena)
    place[0] = entry
    cache.n_entries += 1
