"""Which tokens a merge may make: tested once for each pair, when it is first counted."""

cimport cython
from libc.stdint cimport int64_t, uint8_t

import numpy as np


cdef inline bint has_colon_space(
    const uint8_t* left, Py_ssize_t n_left, const uint8_t* right, Py_ssize_t n_right
) noexcept nogil:
    # Whether two tokens together have ":" before a space; also inside of one, which may be older
    # than the rule.
    cdef Py_ssize_t i
    if left[n_left - 1] == b":" and right[0] == b" ":
        return True
    for i in range(1, n_left):
        if left[i] == b" " and left[i - 1] == b":":
            return True
    for i in range(1, n_right):
        if right[i] == b" " and right[i - 1] == b":":
            return True
    return False


@cython.final
cdef class TokenFilter:
    """The rules of a `rule.MergeFilter`, ready to be asked.

    Parameters
    ----------
    utf8, no_colon_space : bool
    max_words : int
        0 if there is no bound.
    final : frozenset of bytes
        Tokens that are part of no merge.
    search : callable or None
        Called with the bytes of a token that would be made; what it returns forbids it if true.
    """

    def __cinit__(self, bint utf8, bint no_colon_space, int max_words, final, search):
        self.utf8, self.no_colon_space, self.max_words = utf8, no_colon_space, max_words
        self.final, self.search = final, search
        self.calls_python = bool(final) or search is not None
        self.goes_by_kinds = utf8 and not (no_colon_space or max_words or self.calls_python)
        self.error = None

    cdef int allows(
        self, const uint8_t* left, Py_ssize_t n_left, const uint8_t* right, Py_ssize_t n_right
    ) noexcept nogil:
        # Whether two tokens may be merged; -1 if `error` came up.
        if self.utf8 and not may_join(kind_of(left, n_left), kind_of(right, n_right)):
            return False
        if self.no_colon_space and has_colon_space(left, n_left, right, n_right):
            return False
        if self.max_words and not self.has_few_words(left, n_left, right, n_right):
            return False
        if self.calls_python:
            with gil:
                return self.ask_python(left[:n_left], right[:n_right])
        return True

    cdef bint has_few_words(
        self, const uint8_t* left, Py_ssize_t n_left, const uint8_t* right, Py_ssize_t n_right
    ) noexcept nogil:
        # Words are what is between spaces.
        cdef int n_words = 0
        cdef bint inside = False
        cdef Py_ssize_t i
        for i in range(n_left):
            n_words += left[i] != b" " and not inside
            inside = left[i] != b" "
        for i in range(n_right):
            n_words += right[i] != b" " and not inside
            inside = right[i] != b" "
        return n_words <= self.max_words

    cdef int ask_python(self, bytes left, bytes right) noexcept:
        try:
            if left in self.final or right in self.final:
                return False
            return self.search is None or not self.search(left + right)
        except BaseException as error:  # carried over to where exceptions may be raised
            self.error = error
            return -1

    def kept(self, const int64_t[::1] keys not None, list tokens not None):
        """Return which pairs may be merged: a bool array of the shape of `keys`.

        Parameters
        ----------
        keys : int64 array, shape (n_pairs,)
            left << 32 | right.
        tokens : list of bytes
            By id.
        """
        cdef Py_ssize_t i
        cdef int allowed
        cdef bytes left, right
        result = np.empty(keys.shape[0], np.uint8)
        cdef uint8_t[::1] mask = result
        for i in range(keys.shape[0]):
            left, right = tokens[keys[i] >> 32], tokens[keys[i] & 0xFFFFFFFF]
            allowed = self.allows(left, len(left), right, len(right))
            if allowed < 0:
                self.raise_error()
            mask[i] = allowed
        return result.view(np.bool_)

    def raise_error(self):
        """Raise what came up while tokens were tested; MemoryError if nothing did."""
        error, self.error = self.error, None
        raise MemoryError if error is None else error
