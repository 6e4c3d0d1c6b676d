from libc.stdint cimport uint8_t, uint16_t, uint32_t


cdef class Search:
    cdef readonly tuple arrays  # keeps the memory
    cdef const uint32_t* starts
    cdef const uint8_t* codes
    cdef const uint16_t* table
    cdef uint8_t[128] ascii_codes
    cdef Py_ssize_t n_runs
    cdef int n_codes, last_line, end
    cdef uint16_t first, found

    cdef bint finds(self, const uint8_t* text, Py_ssize_t n) noexcept nogil
    cdef uint8_t code_of(self, uint32_t character) noexcept nogil
