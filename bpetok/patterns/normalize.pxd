from libc.stdint cimport uint8_t

# Where the first character of a text is that a normalizer with these flags (`normal.h`) may change,
# in bytes; n if there is none. Requires: valid UTF-8.
cdef Py_ssize_t first_change(const uint8_t* text, Py_ssize_t n, int flags) noexcept nogil
