"""Texts as Python holds them, to UTF-8 without the GIL and without a copy that stays."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t
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

ctypedef fused code_point:
    uint8_t
    uint16_t
    uint32_t


cdef int see_text(object text, Text* seen) except -1:
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


cdef Py_ssize_t utf8_room(const Text* text) noexcept nogil:
    # One more than the bytes of the text: a second byte is written for each code point below 0x800.
    return (2 if text.form == LATIN1 else 3 if text.form == UCS2 else 4) * text.n + 1


cdef uint8_t* write_points(const code_point* points, Py_ssize_t n, uint8_t* out) noexcept nogil:
    # Return the place behind what was written, NULL if there is a lone surrogate. Requires: room for
    # 4 bytes a code point, and 3 if all are below 65,536.
    cdef Py_ssize_t i = 0, k
    cdef uint32_t point, any_bits
    while i < n:
        if i + 8 <= n:
            any_bits = 0
            for k in range(8):
                any_bits |= points[i + k]
            if any_bits < 0x80:
                for k in range(8):
                    out[k] = <uint8_t>points[i + k]
                i += 8
                out += 8
                continue
        for i in range(i, min(i + 8, n)):
            point = points[i]
            if point >> 11 == 0xD800 >> 11:
                return NULL
            out = write_point(point, out)
        i += 1
    return out


cdef uint8_t* write_utf8(const Text* text, uint8_t* out) noexcept nogil:
    if text.form == CHECKED:
        memcpy(out, text.data, text.n)
        return out + text.n
    if text.form == LATIN1:
        return write_points(<const uint8_t*>text.data, text.n, out)
    if text.form == UCS2:
        return write_points(<const uint16_t*>text.data, text.n, out)
    return write_points(<const uint32_t*>text.data, text.n, out)
