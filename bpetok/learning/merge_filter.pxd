from libc.stdint cimport uint8_t

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


cdef inline uint8_t kind_of(const uint8_t* token, Py_ssize_t n) noexcept nogil:
    # Which kind a token is.
    cdef int length = character_length(token[0])
    cdef Py_ssize_t i
    if length == 0:
        return REST
    for i in range(1, n):
        if character_length(token[i]) > 0:
            return WHOLE
    return WHOLE if n == length else BEGINNING


cdef inline bint may_join(uint8_t left, uint8_t right) noexcept nogil:
    # Whether `utf8` lets tokens of two kinds be merged.
    return left == WHOLE and right == WHOLE or left == BEGINNING and right == REST


cdef class TokenFilter:
    cdef bint utf8, no_colon_space, calls_python
    cdef bint goes_by_kinds  # there is no other rule than `utf8`
    cdef int max_words  # 0: any number
    cdef object final, search
    cdef object error

    cdef int allows(
        self, const uint8_t* left, Py_ssize_t n_left, const uint8_t* right, Py_ssize_t n_right
    ) noexcept nogil
    cdef bint has_few_words(
        self, const uint8_t* left, Py_ssize_t n_left, const uint8_t* right, Py_ssize_t n_right
    ) noexcept nogil
    cdef int ask_python(self, bytes left, bytes right) noexcept
