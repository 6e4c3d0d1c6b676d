"""Words that are tokens as a whole, though their merges do not come to them."""

cimport cython
from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy

from bpetok.base.built_from cimport check_sources

import os

check_sources(__name__)


@cython.final
cdef class WholeWords:
    """Words with ids, ready to be searched for. Threads may share it.

    Parameters
    ----------
    words : mapping of bytes to int
    """

    def __cinit__(self, words):
        cdef Py_ssize_t i, at = 0, n = len(words), n_slots = 8
        cdef uint64_t slot
        while n_slots < 2 * n:
            n_slots *= 2
        self._data = b"".join(words)
        self._bytes = self._data
        self._mask = n_slots - 1
        self._seed = int.from_bytes(os.urandom(8), "little")  # no file can make long chains
        self._begins = <Py_ssize_t*> malloc((n + 1) * sizeof(Py_ssize_t))
        self._ids = <int32_t*> malloc((n + 1) * sizeof(int32_t))
        self._slots = <int32_t*> calloc(n_slots, sizeof(int32_t))
        if self._begins == NULL or self._ids == NULL or self._slots == NULL:
            raise MemoryError
        self._begins[0] = 0
        for i, (word, token_id) in enumerate(words.items()):
            at += len(word)
            self._begins[i + 1], self._ids[i] = at, token_id
            slot = hash_word(self._bytes + self._begins[i], len(word), self._seed) & self._mask
            while self._slots[slot] != 0:
                slot = (slot + 1) & self._mask
            self._slots[slot] = <int32_t> (i + 1)

    def __dealloc__(self):
        free(self._begins)
        free(self._ids)
        free(self._slots)

    cdef int32_t find(self, const uint8_t* word, Py_ssize_t n) noexcept nogil:
        cdef uint64_t slot = hash_word(word, n, self._seed) & self._mask
        cdef int32_t i
        while self._slots[slot] != 0:
            i = self._slots[slot] - 1
            if self._begins[i + 1] - self._begins[i] == n:
                if memcmp(self._bytes + self._begins[i], word, n) == 0:
                    return self._ids[i]
            slot = (slot + 1) & self._mask
        return -1


cdef inline uint64_t hash_word(const uint8_t* word, Py_ssize_t n, uint64_t seed) noexcept nogil:
    # Eight bytes at a time; the seed is in every step, so that no two words collide for all seeds.
    cdef uint64_t eight, hashed = seed ^ <uint64_t> n
    cdef uint64_t multiplier = seed << 1 | 1
    while n > 0:
        eight = 0
        memcpy(&eight, word, min(n, 8))
        hashed = (hashed ^ eight) * multiplier
        hashed ^= hashed >> 32
        word += 8
        n -= 8
    return hashed
