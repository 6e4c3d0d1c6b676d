from libc.stdint cimport uint8_t

cdef class SpecialTokens:
    cdef readonly list tokens         # bytes, longest first
    cdef readonly Py_ssize_t longest  # bytes of the longest
    cdef bytes _joined                # the tokens one after another
    cdef const uint8_t* _data         # its bytes
    cdef Py_ssize_t _n
    cdef Py_ssize_t* _ends            # of each token in _data
    cdef uint8_t[256] _is_first       # bytes that a token begins with
    cdef Py_ssize_t _n_first          # number of such bytes
    cdef uint8_t _first               # one of them

    # The leftmost token in at:end, the longest where several begin; its length is written to
    # `length`. NULL if there is none.
    cdef const uint8_t* find(
        self, const uint8_t* at, const uint8_t* end, Py_ssize_t* length
    ) noexcept nogil
