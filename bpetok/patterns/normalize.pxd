from libc.stdint cimport uint8_t

cdef extern from *:
    struct Suspects:  # of suspects.h, which has large tables
        pass

cdef class LocalNormalizer:
    cdef readonly int flags
    cdef Suspects* suspects
    cdef object change
    cdef dict known   # what became of spans before

    cdef Py_ssize_t first_change(
        self, const uint8_t* text, Py_ssize_t at, Py_ssize_t n
    ) noexcept nogil
    cdef Py_ssize_t begin_of(
        self, const uint8_t* text, Py_ssize_t first, Py_ssize_t at
    ) noexcept nogil
    cdef Py_ssize_t end_of(self, const uint8_t* text, Py_ssize_t at, Py_ssize_t n) noexcept nogil
    cdef bytes changed(self, const uint8_t* span, Py_ssize_t n)
    cdef bytes change_from(self, const uint8_t* text, Py_ssize_t n, Py_ssize_t at)
