"""Whether an expression matches anywhere in some bytes, by the automaton of `searching.py`.

The bytes need not be UTF-8: a byte that is part of no whole character is a lone surrogate to the
expression, as Python's `surrogateescape` has it.
"""

cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t

from bpetok.base.built_from cimport check_sources

check_sources(__name__)


cdef inline uint32_t character_at(
    const uint8_t* text, Py_ssize_t n, Py_ssize_t* length
) noexcept nogil:
    # The character that the first of n > 0 bytes begin with, which are no ASCII, and how many of
    # them it takes.
    cdef uint8_t first = text[0]
    cdef uint32_t character
    cdef int n_more = 1 if first < 0xE0 else 2 if first < 0xF0 else 3
    cdef int i
    length[0] = 1
    if first < 0xC2 or first > 0xF4 or n <= n_more:
        return 0xDC00 + first
    character = first & (0x3F >> n_more)
    for i in range(1, n_more + 1):
        if text[i] >> 6 != 2:
            return 0xDC00 + first
        character = character << 6 | text[i] & 0x3F
    if (
        n_more == 2 and (character < 0x800 or character >> 11 == 0xD800 >> 11)
        or n_more == 3 and not 0x10000 <= character < 0x110000
    ):
        return 0xDC00 + first
    length[0] = n_more + 1
    return character


@cython.final
cdef class Search:
    """An automaton that tells whether there is a match.

    Parameters
    ----------
    starts : array of uint32
        Where each run of characters with one code begins; the first is 0.
    codes : bytes
        The code of each run.
    table : array of uint16
        By state and code, the next state. Of the codes the last two are the line feed at the end of
        a text, and that end. The first state is 0.
    n_codes : int
    line_feed : int
        The code that a line feed has otherwise.
    found : int
        The state when a match has ended.
    """

    def __cinit__(
        self, starts not None, bytes codes not None, table not None, int n_codes, int line_feed,
        uint16_t found,
    ):
        cdef const uint32_t[::1] run_starts = starts
        cdef const uint8_t[::1] run_codes = codes
        cdef const uint16_t[::1] next_states = table
        cdef Py_ssize_t i
        if len(starts) != len(codes) or not len(starts) or starts[0]:
            raise ValueError("each run must have a code, and the first one must begin at 0")
        if len(table) % n_codes or max(codes) >= n_codes - 2 or n_codes > 256:
            raise ValueError("the table must have an entry for each state and code")
        if any(state != found and state * n_codes >= len(table) for state in table):
            raise ValueError("the table must have a row for each state")
        self.arrays = starts, codes, table
        self.starts, self.codes, self.table = &run_starts[0], &run_codes[0], &next_states[0]
        self.n_runs, self.n_codes, self.found = len(starts), n_codes, found
        self.end, self.last_line = n_codes - 1, n_codes - 2
        for i in range(128):
            self.ascii_codes[i] = self.code_of(i)

    cdef uint8_t code_of(self, uint32_t character) noexcept nogil:
        cdef Py_ssize_t low = 0, high = self.n_runs, middle
        while high - low > 1:
            middle = (low + high) >> 1
            if self.starts[middle] <= character:
                low = middle
            else:
                high = middle
        return self.codes[low]

    cdef bint finds(self, const uint8_t* text, Py_ssize_t n) noexcept nogil:
        # Whether there is a match anywhere in n bytes.
        cdef Py_ssize_t at = 0, length = 1
        cdef uint16_t state = 0
        cdef int code
        while at < n:
            if text[at] < 0x80:
                code = self.ascii_codes[text[at]]
                if text[at] == b"\n" and at + 1 == n:
                    code = self.last_line
                at += 1
            else:
                code = self.code_of(character_at(text + at, n - at, &length))
                at += length
            state = self.table[state * self.n_codes + code]
            if state == self.found:
                return True
        return self.table[state * self.n_codes + self.end] == self.found

    def finds_in(self, bytes text not None):
        """Return whether there is a match anywhere."""
        return self.finds(text, len(text))
