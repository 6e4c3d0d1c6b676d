from libc.stdint cimport int32_t, uint8_t, uint64_t

cdef class WholeWords:
    cdef bytes _data           # the words one after another
    cdef const uint8_t* _bytes
    cdef Py_ssize_t* _begins   # of each word, and the end of the last
    cdef int32_t* _ids
    cdef int32_t* _slots       # open addressing, at most half full: number of a word + 1, or 0
    cdef uint64_t _mask
    cdef uint64_t _seed

    # The id of a word, -1 if it is none of them.
    cdef int32_t find(self, const uint8_t* word, Py_ssize_t n) noexcept nogil
