"""Which tokens a merge may make: tested when the merge would be the next one."""

cimport cython
from libc.stdint cimport uint8_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp

from bpetok.base.built_from cimport check_sources
from bpetok.patterns.search cimport Search

check_sources(__name__)

cdef enum Kind:
    WHOLE  # whole characters, or what is no part of one
    BEGINNING  # the first byte of a character and not all of the others
    REST  # what begins inside of a character


cdef inline int character_length(uint8_t byte) noexcept nogil:
    # The length of the character that begins with a byte; 0 for a byte inside of a character.
    if byte < 0x80:
        return 1
    if byte < 0xC0:
        return 0
    if byte < 0xE0:
        return 2
    return 3 if byte < 0xF0 else 4


cdef inline Kind kind_of(const uint8_t* token, Py_ssize_t n) noexcept nogil:
    # Which kind a token is.
    cdef int length = character_length(token[0])
    cdef Py_ssize_t i
    if length == 0:
        return REST
    for i in range(1, n):
        if character_length(token[i]) > 0:
            return WHOLE
    return WHOLE if n == length else BEGINNING


cdef inline bint may_join(Kind left, Kind right) noexcept nogil:
    # Whether `utf8` lets tokens of two kinds be merged.
    return left == WHOLE and right == WHOLE or left == BEGINNING and right == REST


cdef inline Py_ssize_t count_spaces(const uint8_t* token, Py_ssize_t n) noexcept nogil:
    # The spaces after the first byte: most tokens have none, and so one word and no ": ".
    cdef Py_ssize_t i, n_spaces = 0
    for i in range(1, n):
        n_spaces += token[i] == b" "
    return n_spaces


cdef bint has_colon_space(const uint8_t* token, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(1, n):
        if token[i] == b" " and token[i - 1] == b":":
            return True
    return False


cdef bint has_few_words(const uint8_t* token, Py_ssize_t n, int most) noexcept nogil:
    # Words are what is between spaces.
    cdef int n_words = 0
    cdef bint inside = False
    cdef Py_ssize_t i
    for i in range(n):
        n_words += token[i] != b" " and not inside
        inside = token[i] != b" "
    return n_words <= most


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
    search : Search, callable or None
        What it finds something in is forbidden. A callable is called with the bytes of a token that
        would be made, and forbids it if it returns what is true.
    """

    def __cinit__(self, bint utf8, bint no_colon_space, int max_words, final, search):
        cdef Py_ssize_t i
        self.utf8, self.no_colon_space, self.max_words = utf8, no_colon_space, max_words
        self.final = sorted(final, key=lambda token: (len(token), token))
        self.n_final = len(self.final)
        self.final_texts = <const uint8_t**> calloc(self.n_final + 1, sizeof(uint8_t*))
        self.final_lengths = <Py_ssize_t*> calloc(self.n_final + 1, sizeof(Py_ssize_t))
        if self.final_texts == NULL or self.final_lengths == NULL:
            raise MemoryError
        for i in range(self.n_final):
            self.final_texts[i] = <const uint8_t*> <bytes> self.final[i]
            self.final_lengths[i] = len(<bytes> self.final[i])
        self.search = search if isinstance(search, Search) else None
        self.find = search if self.search is None else None
        self.error = None

    def __dealloc__(self):
        free(self.final_texts)
        free(self.final_lengths)

    cdef int allows(self, const uint8_t* token, Py_ssize_t n_left, Py_ssize_t n) noexcept nogil:
        # Whether a token of n bytes may be made of its first n_left bytes and the others; -1 if
        # `error` came up.
        cdef Py_ssize_t n_spaces
        if self.utf8 and not may_join(kind_of(token, n_left), kind_of(token + n_left, n - n_left)):
            return False
        if self.no_colon_space or self.max_words:
            n_spaces = count_spaces(token, n)
            if n_spaces and self.no_colon_space and has_colon_space(token, n):
                return False
            if n_spaces >= self.max_words > 0 and not has_few_words(token, n, self.max_words):
                return False
        if self.search is not None and self.search.finds(token, n):
            return False
        if self.n_final and (
            self.is_final(token, n_left) or self.is_final(token + n_left, n - n_left)
        ):
            return False
        if self.find is not None:
            with gil:
                return self.ask_python(token[:n])
        return True

    cdef bint is_final(self, const uint8_t* token, Py_ssize_t n) noexcept nogil:
        # Shorter ones come first, and those of one length in the order of their bytes.
        cdef Py_ssize_t low = 0, high = self.n_final, middle
        cdef Py_ssize_t order
        while low < high:
            middle = (low + high) >> 1
            order = n - self.final_lengths[middle]
            if order == 0:
                order = memcmp(token, self.final_texts[middle], n)
            if order == 0:
                return True
            if order < 0:
                high = middle
            else:
                low = middle + 1
        return False

    cdef int ask_python(self, bytes token) noexcept:
        try:
            return not self.find(token)
        except BaseException as error:  # carried over to where exceptions may be raised
            self.error = error
            return -1

    def raise_error(self):
        """Raise what came up while tokens were tested; MemoryError if nothing did."""
        error, self.error = self.error, None
        raise MemoryError if error is None else error
