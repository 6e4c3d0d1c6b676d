"""Texts as Python holds them, to UTF-8 without the GIL and without a copy that stays."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from bpetok.base.built_from cimport check_sources

check_sources(__name__)

ctypedef fused code_point:
    uint8_t
    uint16_t
    uint32_t


cdef uint8_t* write_points(const code_point* points, Py_ssize_t n, uint8_t* out) noexcept nogil:
    # Return the place after what was written, NULL if there is a lone surrogate. Requires: room for
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


cdef uint8_t* write_str(const Text* text, uint8_t* out) noexcept nogil:
    if text.form == LATIN1:
        return write_points(<const uint8_t*>text.data, text.n, out)
    if text.form == UCS2:
        return write_points(<const uint16_t*>text.data, text.n, out)
    return write_points(<const uint32_t*>text.data, text.n, out)
