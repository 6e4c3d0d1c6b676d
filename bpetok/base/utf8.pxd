from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    int PyUnicode_KIND(object text)
    void* PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)

cdef extern from *:
    """
    #if PY_VERSION_HEX >= 0x030C0000
    #define BPETOK_READY(text) 0 /* as every str is, since Python 3.12 */
    #else
    #define BPETOK_READY(text) PyUnicode_READY(text)
    #endif
    """
    int BPETOK_READY(object text) except -1

cdef enum Form:
    CHECKED = 0              # UTF-8, as the str of only ASCII is
    LATIN1 = 1               # a str whose code points have 1, 2 or 4 bytes
    UCS2 = 2
    UCS4 = 4
    UNCHECKED = 5            # bytes that nobody has checked yet to be UTF-8
    NO_TEXT = 6

cdef struct Text:
    const void* data
    Py_ssize_t n
    Form form


cdef inline int see_text(object text, Text* seen) except -1:
    # Say where the data of a str or bytes lie; they stay there as long as the object lives. What is
    # neither has none.
    if isinstance(text, str):
        BPETOK_READY(text)
        seen.data, seen.n = PyUnicode_DATA(text), PyUnicode_GET_LENGTH(text)
        seen.form = CHECKED if PyUnicode_IS_ASCII(text) else <Form>PyUnicode_KIND(text)
    elif isinstance(text, bytes):
        seen.data, seen.n = PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text)
        seen.form = UNCHECKED
    else:
        seen.data, seen.n, seen.form = NULL, 0, NO_TEXT
    return 0


cdef inline Py_ssize_t utf8_room(const Text* text) noexcept nogil:
    # Bytes of room that `write_utf8` needs: one more than those of the text, of which a second one
    # is written for each code point below 0x800.
    return (2 if text.form == LATIN1 else 3 if text.form == UCS2 else 4) * text.n + 1


# `write_utf8` where that is not a copy.
cdef uint8_t* write_str(const Text* text, uint8_t* out) noexcept nogil


cdef inline uint8_t* write_utf8(const Text* text, uint8_t* out) noexcept nogil:
    # Write a text of CHECKED, LATIN1, UCS2 or UCS4 as UTF-8. Return the place after what was
    # written, NULL if there is a lone surrogate.
    if text.form != CHECKED:
        return write_str(text, out)
    memcpy(out, text.data, text.n)
    return out + text.n


cdef inline uint8_t* write_point(uint32_t point, uint8_t* out) noexcept nogil:
    # Write a code point as UTF-8. Return the place after what was written. Requires: room for 2
    # bytes below 0x800, where the second one is written also if the first is all.
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
