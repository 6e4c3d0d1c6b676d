"""Which merge makes a token: the one that its own bytes take. The loops of `recovery.py`. No NumPy.

A list of merges may name several ways to one token: (a, bc) and (ab, c). At most one of them is
ever taken, whatever the text. Merging always takes the pair that comes first in the list, and the
leftmost of those. So in a part of a text that no merge reaches out of, merges are made in the
order in which they would be made if it were a word of its own; and what becomes a token is such a
part until then. So it is enough to merge the bytes of each token and to see what the last merge is.
"""

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int16_t, int32_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp

import os
from array import array
from heapq import heappop, heappush

from bpetok.base.built_from cimport check_sources
from bpetok.encoding.ranks cimport N_BYTES

from bpetok.encoding.merge_order import made_at_once

check_sources(__name__)

cdef extern from "simd.h":
    uint64_t load64(const uint8_t* bytes) noexcept nogil
    uint64_t multiply_fold(uint64_t a, uint64_t b) noexcept nogil

cdef uint64_t MULTIPLIER = 0x9E3779B97F4A7C15

cdef enum:
    NONE = 0x7FFFFFFF  # no merge; larger than all

cdef struct Slot:
    uint64_t pair      # left << 32 | right
    int32_t place      # of the merge in its list, plus 1; 0 if the slot is empty


cdef class Places:
    """At which place in a list of merges a pair of tokens occurs: a table with open addressing."""

    cdef Slot* slots
    cdef int32_t* of_bytes     # the same of pairs of bytes, which are looked for most often
    cdef uint64_t mask
    cdef uint64_t multiplier  # random, so that no file can make long chains
    cdef int shift
    # The word that is merged: its tokens, and for each but the last the place of the merge with the
    # next one.
    cdef int32_t* tokens
    cdef int32_t* places
    cdef Py_ssize_t room

    def __cinit__(self, Py_ssize_t n_merges):
        cdef Py_ssize_t n = 64
        self.shift = 64 - 6
        while 2 * n < 3 * n_merges:
            n *= 2
            self.shift -= 1
        self.mask = n - 1
        self.multiplier = <uint64_t> int.from_bytes(os.urandom(8), "little") | 1
        self.slots = <Slot*> calloc(n, sizeof(Slot))
        self.of_bytes = <int32_t*> calloc(N_BYTES * N_BYTES, sizeof(int32_t))
        if self.slots == NULL or self.of_bytes == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.slots)
        free(self.of_bytes)
        free(self.tokens)
        free(self.places)

    cdef Slot* slot_of(self, int32_t left, int32_t right) noexcept nogil:
        cdef uint64_t pair = <uint64_t> left << 32 | <uint64_t> right
        cdef uint64_t at = pair * self.multiplier >> self.shift
        while self.slots[at].place != 0 and self.slots[at].pair != pair:
            at = (at + 1) & self.mask
        self.slots[at].pair = pair
        return &self.slots[at]

    cdef int32_t find(self, int32_t left, int32_t right) noexcept nogil:
        cdef int32_t place = self.slot_of(left, right).place
        return place - 1 if place else <int32_t> NONE

    cdef bint put(self, int32_t left, int32_t right, int32_t place) noexcept nogil:
        # A pair that is there already gets the new place. Tell whether it was not there.
        cdef Slot* slot = self.slot_of(left, right)
        cdef bint is_new = slot.place == 0
        slot.place = place + 1
        if left < N_BYTES and right < N_BYTES:
            self.of_bytes[N_BYTES * left + right] = place + 1
        return is_new

    cdef int reserve(self, Py_ssize_t n) except -1:
        # Make room for a word of n bytes.
        cdef void* grown
        if n <= self.room:
            return 0
        grown = realloc(self.tokens, 2 * n * sizeof(int32_t))
        if grown == NULL:
            raise MemoryError
        self.tokens = <int32_t*> grown
        grown = realloc(self.places, 2 * n * sizeof(int32_t))
        if grown == NULL:
            raise MemoryError
        self.places = <int32_t*> grown
        self.room = 2 * n
        return 0

    cdef Py_ssize_t merge(
        self, const uint8_t* word, Py_ssize_t n, const int32_t* made, int32_t* last
    ) noexcept nogil:
        # Merge the bytes of a word, first places first and of one place leftmost first. Return how
        # many `tokens` it comes to; `last` is the place of the last merge, made[place] what it
        # makes. Requires: 0 < n, room for n.
        cdef int32_t* tokens = self.tokens
        cdef int32_t* places = self.places
        cdef Py_ssize_t i, at
        cdef int32_t best, place
        last[0] = NONE
        for i in range(n):
            tokens[i] = word[i]
        for i in range(n - 1):
            place = self.of_bytes[N_BYTES * word[i] + word[i + 1]]
            places[i] = place - 1 if place else <int32_t> NONE
        while n > 1:
            best, at = NONE, 0
            for i in range(n - 1):
                if places[i] < best:
                    best, at = places[i], i
            if best == NONE:
                break
            last[0] = best
            tokens[at] = made[best]
            n -= 1
            for i in range(at + 1, n):
                tokens[i] = tokens[i + 1]
                places[i - 1] = places[i]
            if at + 1 < n:
                places[at] = self.find(tokens[at], tokens[at + 1])
            if at > 0:
                places[at - 1] = self.find(tokens[at - 1], tokens[at])
        return n


def merges_of_ranks(list tokens not None):
    """Return what each token is merged from, as tiktoken merges: tokens of lower rank come first.

    Parameters
    ----------
    tokens : list of bytes
        All tokens of more than one byte, by rank; token i has the number 256 + i below.

    Returns
    -------
    int32 array, length 2 * n_tokens
        Left and right of each. Of a token that comes to another number of tokens than two, -1 and
        that number: no merge can make it.
    """
    cdef Py_ssize_t i, n = len(tokens), n_parts
    cdef bytes token
    cdef int32_t last
    cdef Places table = Places(n)
    pairs = array("i", bytes(8 * n))
    made = array("i", range(N_BYTES, N_BYTES + n))
    cdef int32_t[::1] pairs_view = pairs
    cdef int32_t[::1] made_view = made
    for i in range(n):
        token = tokens[i]
        table.reserve(PyBytes_GET_SIZE(token))
        n_parts = table.merge(
            <const uint8_t*> PyBytes_AS_STRING(token), PyBytes_GET_SIZE(token), &made_view[0], &last
        )
        if n_parts == 2:
            pairs_view[2 * i], pairs_view[2 * i + 1] = table.tokens[0], table.tokens[1]
            table.put(table.tokens[0], table.tokens[1], <int32_t> i)
        else:
            pairs_view[2 * i], pairs_view[2 * i + 1] = -1, <int32_t> n_parts
    return pairs


def merges_taken(const int32_t[::1] rows not None, list words not None, bint every):
    """Return the merges of a list that are ever taken, where several may make one token.

    Parameters
    ----------
    rows : int32 buffer, length 3 * n_rows
        Left, right, and the token that they make, as indices of `words`. A pair that is listed
        twice counts as listed at its last place.
    words : list of bytes or None
        The bytes of each token, first the 256 bytes; None for a token that no bytes spell.
    every : bool
        Whether to leave out each merge that is never taken, not only where a token has several.

    Returns
    -------
    pairs : int32 array, length 2 * n_merges
        In the order in which they are made; each makes one token, 256, 257, ...
    made : int32 array, length n_merges
        Which token, as an index of `words`, each of them makes.
    order : int32 array, length n_merges, or None
        The place of each among them in the list, if that may matter.
    """
    cdef Py_ssize_t i, n_rows = rows.shape[0] // 3, n_tokens = len(words)
    cdef int32_t left, right, token
    cdef Places table = Places(n_rows)
    cdef int32_t[::1] made = array("i", bytes(4 * n_rows + 4))
    cdef int32_t[::1] n_ways = array("i", bytes(4 * n_tokens))
    cdef int32_t[::1] way = array("i", [-1]) * n_tokens
    cdef Order order = Order(rows, n_tokens)
    for i in range(n_rows):
        left, right, token = rows[3 * i], rows[3 * i + 1], rows[3 * i + 2]
        made[i] = token
        n_ways[token] += table.put(left, right, <int32_t> i)
        way[token] = <int32_t> i
    for i in range(N_BYTES, n_tokens):
        if every or n_ways[i] > 1:
            way[i] = way_of_word(table, words[i], <int32_t> i, made)
    for i in range(n_rows):
        if way[made[i]] != i:
            continue
        if order.can_be_made(i):
            order.make(i)
        elif way_of_word(table, words[made[i]], made[i], made) == i:
            order.wait(i)
    return order.pairs[:2 * order.n], order.made[:order.n], order.places_that_matter()


cdef class Order:
    """Merges in the order in which they are made, which is that of their list but for a few.

    A merge may join what only a later one of the list makes: it is put right after that one. See
    `bpetok.encoding.merge_order`, also for where that makes a difference.
    """

    cdef const int32_t[::1] rows
    cdef int32_t[::1] number  # of each token; -1 if it is not made yet
    cdef Py_ssize_t n         # how many are made
    cdef object pairs         # arrays with room for all rows
    cdef object made
    cdef object made_from     # the rows, by the numbers of what they make
    cdef bint has_waited
    cdef int32_t[::1] pairs_view
    cdef int32_t[::1] made_view
    cdef int32_t[::1] made_from_view
    cdef dict waiting         # rows that wait for a token, by that token

    def __cinit__(self, const int32_t[::1] rows, Py_ssize_t n_tokens):
        cdef Py_ssize_t i, n_rows = rows.shape[0] // 3
        self.rows = rows
        self.number = array("i", [-1]) * n_tokens
        for i in range(N_BYTES):
            self.number[i] = <int32_t> i
        self.pairs, self.made = array("i", bytes(8 * n_rows + 4)), array("i", bytes(4 * n_rows + 4))
        self.made_from = array("i", bytes(4 * n_rows + 4))
        self.pairs_view, self.made_view, self.waiting = self.pairs, self.made, {}
        self.made_from_view = self.made_from

    cdef bint can_be_made(self, Py_ssize_t i):
        return self.number[self.rows[3 * i]] >= 0 and self.number[self.rows[3 * i + 1]] >= 0

    cdef int wait(self, Py_ssize_t i) except -1:
        cdef int32_t left = self.rows[3 * i], right = self.rows[3 * i + 1]
        self.waiting.setdefault(right if self.number[left] >= 0 else left, []).append(i)
        return 0

    cdef void add(self, Py_ssize_t i) noexcept:
        # Requires: no row is added twice.
        cdef int32_t token = self.rows[3 * i + 2]
        self.pairs_view[2 * self.n] = self.number[self.rows[3 * i]]
        self.pairs_view[2 * self.n + 1] = self.number[self.rows[3 * i + 1]]
        self.made_view[self.n] = token
        self.made_from_view[self.n] = <int32_t> i
        self.number[token] = <int32_t> (N_BYTES + self.n)
        self.n += 1

    cdef int make(self, Py_ssize_t i) except -1:
        cdef int32_t token = self.rows[3 * i + 2]
        self.add(i)
        if self.waiting and token in self.waiting:
            self.make_waiting(token)
        return 0

    def places_that_matter(self):
        """Return the place of each merge among those that are made; None if it can't matter."""
        if not self.has_waited:
            return None
        # Arrays, no list to sort: of Llama 3.1's merges that took 7 MB more.
        cdef Py_ssize_t i, n_rows = self.rows.shape[0] // 3
        cdef int32_t place = 0
        places = array("i", bytes(4 * self.n))
        numbers = array("i", [-1]) * n_rows
        cdef int32_t[::1] places_view = places
        cdef int32_t[::1] numbers_view = numbers
        for i in range(self.n):
            numbers_view[self.made_from_view[i]] = <int32_t> i
        for i in range(n_rows):
            if numbers_view[i] >= 0:
                places_view[numbers_view[i]] = place
                place += 1
        return places if made_at_once(self.pairs[:2 * self.n], places) else None

    cdef int make_waiting(self, int32_t token) except -1:
        # Add the rows that wait for the token, and those that wait for what these make, always the
        # first of the list of all that can be made.
        cdef list ready = []
        while True:
            for k in self.waiting.pop(token, ()):
                if self.can_be_made(k):
                    heappush(ready, k)
                else:
                    self.wait(k)
            if not ready:
                return 0
            k = heappop(ready)
            self.add(k)
            self.has_waited = True
            token = self.rows[3 * k + 2]


cdef int32_t way_of_word(Places table, word, int32_t token, const int32_t[::1] made) except -2:
    # The place of the merge by which the bytes of a token come to it; -1 if they do not.
    cdef int32_t last
    cdef bytes data = word
    if data is None:
        return -1
    table.reserve(PyBytes_GET_SIZE(data))
    if table.merge(
        <const uint8_t*> PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), &made[0], &last
    ) == 1 and made[last] == token:
        return last
    return -1


cdef Py_ssize_t after_space(const uint8_t* data, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # The next place in JSON that is no white space.
    while i < n and (data[i] == b" " or data[i] == b"\n" or data[i] == b"\r" or data[i] == b"\t"):
        i += 1
    return i


cdef struct Name:
    uint32_t hashed
    uint32_t offset   # in Names.joined
    uint32_t n        # bytes
    int32_t number    # -1: the slot is empty


@cython.final
cdef class Names:
    """The names of a vocabulary, found by the bytes that they spell.

    Parameters
    ----------
    names : list of str
        All different. The number of a name is its place.
    ids : list of int or None
        A name without an id is not found.
    characters : str
        The character of each of the 256 bytes, all before U+0200.

    Attributes
    ----------
    words : list of bytes or None
        What each name spells; None for one that holds another character. A new list each time.
    """

    cdef list names
    cdef list ids
    cdef int16_t byte_of[512]     # of a character; -1 if there is none
    cdef bytearray joined         # what all of them spell, and 8 bytes more
    cdef object lengths           # of what each spells; -1 if it holds another character
    cdef Name* slots
    cdef uint64_t mask
    cdef uint64_t seed            # random, so that no file can make long chains
    cdef dict numbers             # of all with an id, made for the first that spells no bytes
    # What a merge joins, and room to read 8 bytes after it.
    cdef uint8_t* room
    cdef Py_ssize_t size

    def __cinit__(self, list names not None, list ids not None, str characters not None):
        cdef Py_UCS4 character
        cdef Py_ssize_t i, n = 64
        for i in range(512):
            self.byte_of[i] = -1
        for i, character in enumerate(characters):
            self.byte_of[<uint32_t> character] = <int16_t> i
        while 3 * n < 4 * len(names):
            n *= 2
        self.names, self.ids, self.mask = names, ids, n - 1
        self.seed = int.from_bytes(os.urandom(8), "little")
        self.slots = <Name*> malloc(n * sizeof(Name))
        if self.slots == NULL:
            raise MemoryError
        for i in range(n):
            self.slots[i].number = -1
        self.fill()

    def __dealloc__(self):
        free(self.slots)
        free(self.room)

    cdef int fill(self) except -1:
        cdef Py_ssize_t i, n
        cdef uint32_t offset = 0
        cdef int32_t[::1] lengths
        self.joined, self.lengths = bytearray(), array("i", bytes(4 * len(self.names)))
        lengths = self.lengths
        for i in range(len(self.names)):
            n = self.spell(<str?> self.names[i], 0)
            lengths[i] = <int32_t> n
            if n > 0:
                self.joined.extend(self.room[:n])
        self.joined.extend(bytes(8))
        for i in range(len(self.names)):
            if lengths[i] >= 0:
                if self.ids[i] is not None:
                    self.put(offset, lengths[i], <int32_t> i)
                offset += <uint32_t> lengths[i]
        return 0

    @property
    def words(self):
        cdef Py_ssize_t offset = 0
        cdef int32_t n
        cdef const char* data = PyByteArray_AS_STRING(self.joined)
        words = []
        for n in self.lengths:
            words.append(None if n < 0 else <bytes> data[offset:offset + n])
            offset += max(n, 0)
        return words

    cdef int reserve(self, Py_ssize_t n) except -1:
        cdef void* grown
        if n > self.size:
            grown = realloc(self.room, 2 * n)
            if grown == NULL:
                raise MemoryError
            self.room, self.size = <uint8_t*> grown, 2 * n
        return 0

    cdef Py_ssize_t spell(self, str name, Py_ssize_t at) except -2:
        # Write the bytes that a name spells to room[at:] and return where they end, -1 if it spells
        # none.
        cdef Py_UCS4 character
        cdef uint32_t point
        self.reserve(at + len(name) + 8)
        for character in name:
            point = <uint32_t> character
            if point >= 512 or self.byte_of[point] < 0:
                return -1
            self.room[at] = <uint8_t> self.byte_of[point]
            at += 1
        return at

    cdef uint64_t hash_of(self, const uint8_t* data, Py_ssize_t n) noexcept nogil:
        # Requires: 8 bytes after them can be read.
        cdef uint64_t result = self.seed ^ <uint64_t> n, part
        while n > 0:
            part = load64(data)  # the first byte is the lowest one on every machine
            if n < 8:
                part &= (<uint64_t> 1 << 8 * n) - 1
            result = multiply_fold(result ^ part, MULTIPLIER)
            data += 8
            n -= 8
        return result

    cdef void put(self, uint32_t offset, Py_ssize_t n, int32_t number) noexcept:
        cdef const uint8_t* data = <const uint8_t*> PyByteArray_AS_STRING(self.joined)
        cdef uint64_t hashed = self.hash_of(data + offset, n)
        cdef uint64_t at = hashed & self.mask
        while self.slots[at].number >= 0:
            at = (at + 1) & self.mask
        self.slots[at] = Name(<uint32_t> (hashed >> 32), offset, <uint32_t> n, number)

    cdef int32_t find(self, const uint8_t* data, Py_ssize_t n) noexcept:
        # The number of what these bytes spell, -1 if there is none.
        cdef const uint8_t* joined = <const uint8_t*> PyByteArray_AS_STRING(self.joined)
        cdef uint64_t hashed = self.hash_of(data, n)
        cdef uint64_t at = hashed & self.mask
        cdef Name* slot
        while True:
            slot = &self.slots[at]
            if slot.number < 0 or (
                slot.hashed == hashed >> 32 and slot.n == <size_t> n
                and memcmp(joined + slot.offset, data, n) == 0
            ):
                return slot.number
            at = (at + 1) & self.mask

    cdef int32_t find_name(self, str name) except -2:
        if self.numbers is None:
            rows = enumerate(zip(self.names, self.ids))
            self.numbers = {name: i for i, (name, token_id) in rows if token_id is not None}
        return self.numbers.get(name, -1)

    cdef bint number_merge(self, str left, str right, int32_t* out) except -1:
        # Fill left, right, and what they make; False if one of them has no number.
        cdef Py_ssize_t middle = self.spell(left, 0)
        cdef Py_ssize_t end = self.spell(right, middle) if middle >= 0 else -1
        if end < 0:
            out[0], out[1] = self.find_name(left), self.find_name(right)
            out[2] = self.find_name(left + right)
        else:
            out[0], out[1] = self.find(self.room, middle), self.find(
                self.room + middle, end - middle
            )
            out[2] = self.find(self.room, end)
        return min(out[0], out[1], out[2]) >= 0 and len(left) > 0 and len(right) > 0

    cdef Py_ssize_t read_string(
        self, const uint8_t* data, Py_ssize_t i, Py_ssize_t n, Py_ssize_t* at, Py_ssize_t* middle
    ) noexcept nogil:
        # Spell the string of JSON that begins at data[i] to room[at:], and return the place after
        # it; -1 if it holds other than spelled bytes, unescaped but for \\ and \". `middle` becomes
        # the place of its only space; without one, or with NULL, it is -1 too.
        # Requires: room for n - i bytes.
        cdef uint8_t byte
        cdef uint32_t point
        if i >= n or data[i] != b'"':
            return -1
        i += 1
        while i < n and data[i] != b'"':
            byte = data[i]
            i += 1
            if byte == b" ":
                if middle == NULL or middle[0] >= 0:
                    return -1
                middle[0] = at[0]
                continue
            point = byte
            if byte == b"\\":
                if i >= n or (data[i] != b"\\" and data[i] != b'"'):
                    return -1
                point = data[i]
                i += 1
            elif byte >= 0x80:  # of two bytes, since all characters are before U+0200
                if byte < 0xC2 or byte > 0xC7 or i >= n or data[i] & 0xC0 != 0x80:
                    return -1
                point = <uint32_t> (byte & 0x1F) << 6 | (data[i] & 0x3F)
                i += 1
            if self.byte_of[point] < 0:
                return -1
            self.room[at[0]] = <uint8_t> self.byte_of[point]
            at[0] += 1
        if i >= n or (middle != NULL and middle[0] < 0):
            return -1
        return i + 1

    cdef Py_ssize_t read_merge(
        self, const uint8_t* data, Py_ssize_t i, Py_ssize_t n, int32_t* out
    ) noexcept:
        # Fill left, right, and what they make, of the merge at data[i], a str or a pair; return the
        # place after it, -1 as above or if there is no number. Requires: the same.
        cdef Py_ssize_t end = 0, middle = -1
        if i < n and data[i] == b"[":
            i = self.read_string(data, after_space(data, i + 1, n), n, &end, NULL)
            middle = end
            if i < 0:
                return -1
            i = after_space(data, i, n)
            if i >= n or data[i] != b",":
                return -1
            i = self.read_string(data, after_space(data, i + 1, n), n, &end, NULL)
            if i < 0:
                return -1
            i = after_space(data, i, n)
            if i >= n or data[i] != b"]":
                return -1
            i += 1
        else:
            i = self.read_string(data, i, n, &end, &middle)
            if i < 0:
                return -1
        if middle == 0 or middle == end:
            return -1
        out[0], out[1] = self.find(self.room, middle), self.find(self.room + middle, end - middle)
        out[2] = self.find(self.room, end)
        return i if min(out[0], out[1], out[2]) >= 0 else -1

    def read_merges(self, bytes data not None):
        """Return what `number_merges` gives for some rows of a JSON array, commas between them.

        None if a row is other than most are, so that it must be read as all JSON is. Much faster,
        since no str is made.
        """
        cdef Py_ssize_t i = 0, n = PyBytes_GET_SIZE(data), n_rows = 0
        cdef const uint8_t* text = <const uint8_t*> PyBytes_AS_STRING(data)
        cdef int32_t[3] row
        self.reserve(n + 8)
        numbers = array("i", bytes(12 * (data.count(b",") + 1)))
        cdef int32_t[::1] view = numbers
        while True:
            i = self.read_merge(text, after_space(text, i, n), n, row)
            if i < 0:
                return None
            view[3 * n_rows], view[3 * n_rows + 1], view[3 * n_rows + 2] = row[0], row[1], row[2]
            n_rows += 1
            i = after_space(text, i, n)
            if i == n:
                return numbers[:3 * n_rows]
            if text[i] != b",":
                return None
            i += 1

    def number_merges(self, list rows not None) -> tuple:
        """Return left, right and what they make of each merge, by number, and where that failed.

        Parameters
        ----------
        rows : list of str, or of pairs of str
            A str has a space between the two.

        Returns
        -------
        flat : int32 array, length 3 * n_rows
        bad : int
            The first row that is no pair, or names what has no number; -1 if there is none.
        """
        cdef Py_ssize_t i, at, n = len(rows)
        cdef str left, right
        flat = array("i", bytes(12 * n))
        if n == 0:
            return flat, -1
        cdef int32_t[::1] view = flat
        for i in range(n):
            row = rows[i]
            if type(row) is str:
                at = (<str> row).find(" ")
                if at <= 0:
                    return flat, i
                left, right = (<str> row)[:at], (<str> row)[at + 1:]
            elif type(row) in (list, tuple) and len(row) == 2:
                if type(row[0]) is not str or type(row[1]) is not str:
                    return flat, i
                left, right = row
            else:
                return flat, i
            if not self.number_merge(left, right, &view[3 * i]):
                return flat, i
        return flat, -1
