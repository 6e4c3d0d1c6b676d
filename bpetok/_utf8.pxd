from libc.stdint cimport uint8_t, uint32_t

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

# Write a code point as UTF-8. Return the place behind what was written. Requires: room for 2 bytes below
# 0x800, where the second one is written also if the first is all.
cdef inline uint8_t* write_point(uint32_t point, uint8_t* out) noexcept nogil:
    if point < 0x800:
        # One byte or two: where words are short, a branch would be guessed wrong too often.
        out[0] = <uint8_t>(point if point < 0x80 else 0xC0 | point >> 6)
        out[1] = <uint8_t>(0x80 | point & 0x3F)
        return out + 1 + (point >= 0x80)
    if point < 0x10000:
        out[0] = <uint8_t>(0xE0 | point >> 12)
        out[1] = <uint8_t>(0x80 | point >> 6 & 0x3F)
        out[2] = <uint8_t>(0x80 | point & 0x3F)
        return out + 3
    out[0] = <uint8_t>(0xF0 | point >> 18)
    out[1] = <uint8_t>(0x80 | point >> 12 & 0x3F)
    out[2] = <uint8_t>(0x80 | point >> 6 & 0x3F)
    out[3] = <uint8_t>(0x80 | point & 0x3F)
    return out + 4
