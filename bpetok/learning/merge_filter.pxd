from libc.stdint cimport uint8_t

from bpetok.patterns.search cimport Search


cdef class TokenFilter:
    cdef bint utf8, no_colon_space
    cdef int max_words  # 0: any number
    cdef list final  # keeps the memory
    cdef const uint8_t** final_texts
    cdef Py_ssize_t* final_lengths
    cdef Py_ssize_t n_final
    cdef Search search  # None: `find` is asked, if there is one
    cdef object find, error

    cdef int allows(self, const uint8_t* token, Py_ssize_t n_left, Py_ssize_t n) noexcept nogil
    cdef bint is_final(self, const uint8_t* token, Py_ssize_t n) noexcept nogil
    cdef int ask_python(self, bytes token) noexcept
