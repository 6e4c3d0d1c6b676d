from libc.stdint cimport uint8_t

cdef enum Form:
    CHECKED = 0              # UTF-8, as the str of only ASCII is
    LATIN1 = 1               # a str whose code points have 1, 2 or 4 bytes
    UCS2 = 2
    UCS4 = 4
    UNCHECKED = 5            # bytes of which nobody has seen yet that they are UTF-8
    NO_TEXT = 6

cdef struct Text:
    const void* data
    Py_ssize_t n
    Form form

# Say where the data of a str or bytes lie; they stay there as long as the object lives. What is
# neither has none.
cdef int see_text(object text, Text* seen) except -1

# Bytes of room that `write_utf8` needs.
cdef Py_ssize_t utf8_room(const Text* text) noexcept nogil

# Write a text of CHECKED, LATIN1, UCS2 or UCS4 as UTF-8. Return the place behind what was written, NULL if
# there is a lone surrogate.
cdef uint8_t* write_utf8(const Text* text, uint8_t* out) noexcept nogil
