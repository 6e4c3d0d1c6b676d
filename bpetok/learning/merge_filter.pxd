from libc.stdint cimport uint8_t


cdef class TokenFilter:
    cdef bint utf8, no_colon_space, calls_python
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
