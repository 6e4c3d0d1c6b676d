"""Find special tokens in text: leftmost first, and the longest where several begin."""

from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcmp


cdef class SpecialTokens:
    """The special tokens of a text, ready to be searched for.

    Parameters
    ----------
    tokens : iterable of bytes
        Not empty and all different; the caller has checked.
    """

    def __cinit__(self, tokens):
        cdef Py_ssize_t i, at = 0
        self.tokens = sorted(tokens, key=len, reverse=True)
        self._joined = b"".join(self.tokens)
        self._data = self._joined
        self._n = len(self.tokens)
        self.longest = len(self.tokens[0]) if self.tokens else 0
        self._ends = <Py_ssize_t*> malloc((self._n + 1) * sizeof(Py_ssize_t))
        if self._ends == NULL:
            raise MemoryError
        for i in range(self._n):
            at += len(self.tokens[i])
            self._ends[i] = at
            self._first = self.tokens[i][0]
            self._n_first += not self._is_first[self._first]
            self._is_first[self._first] = 1

    def __dealloc__(self):
        free(self._ends)

    cdef const uint8_t* find(
        self, const uint8_t* at, const uint8_t* end, Py_ssize_t* length
    ) noexcept nogil:
        cdef const uint8_t* token
        cdef Py_ssize_t i
        if self._n == 0:
            return NULL
        while True:
            if self._n_first == 1:
                at = <const uint8_t*> memchr(at, self._first, end - at)
                if at == NULL:
                    return NULL
            else:
                while at < end and not self._is_first[at[0]]:
                    at += 1
                if at == end:
                    return NULL
            token = self._data
            for i in range(self._n):
                length[0] = self._data + self._ends[i] - token
                if (
                    token[0] == at[0]
                    and length[0] <= end - at
                    and memcmp(at, token, length[0]) == 0
                ):
                    return at
                token = self._data + self._ends[i]
            at += 1

    def spans(self, const uint8_t[::1] text not None):
        """Return the list of (start, end) of the special tokens in `text`, in bytes, in order."""
        cdef const uint8_t* begin
        cdef const uint8_t* at
        cdef const uint8_t* end
        cdef Py_ssize_t length = 0
        found = []
        if text.shape[0] == 0:
            return found
        begin = at = &text[0]
        end = begin + text.shape[0]
        while True:
            at = self.find(at, end, &length)
            if at == NULL:
                return found
            found.append((at - begin, at - begin + length))
            at += length

    def first_across(self, const uint8_t[::1] text not None, Py_ssize_t at):
        """Return where the first token begins that has bytes on both sides of `at`, or -1.

        Every place is looked at where a token's bytes stand, also inside another token.
        """
        cdef const uint8_t* data
        cdef const uint8_t* found
        cdef Py_ssize_t length = 0
        if not 0 < at < text.shape[0]:
            return -1
        data = &text[0]
        found = data + max(0, at - self.longest + 1)
        while True:
            found = self.find(found, data + min(text.shape[0], at + self.longest), &length)
            if found == NULL or found >= data + at:
                return -1
            if found + length > data + at:
                return found - data
            found += 1
