"""Where a normalizer may change a text: nearly nowhere, and this says so fast.

A character is a boundary if it has none of the flags that are asked for, and no combining class:
what comes before it has no influence on it, and what it is does not depend on what comes after,
but for those right after it that are no boundaries. So a text is normal but for the spans from one
boundary to the next between which a character has a flag, or two combining marks are neighbours,
which may have to change places.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from array import array

cdef extern from "normal.h":
    const uint16_t normal_block[]
    const uint8_t normal_flags[]

cdef enum:
    MARK = 16
    ACCENT = 32
    UPPER = 64
    LATER = 128

cdef struct Character:
    Py_ssize_t n   # bytes
    int flags


cdef inline Character character_at(const uint8_t* at) noexcept nogil:
    # Requires: a whole character there.
    cdef uint32_t block
    if at[0] < 0x80:
        return Character(1, normal_flags[normal_block[at[0] >> 6] * 64 + (at[0] & 63)])
    if at[0] < 0xE0:
        block = at[0] & 31
        return Character(2, normal_flags[normal_block[block] * 64 + (at[1] & 63)])
    if at[0] < 0xF0:
        block = (at[0] & 15) << 6 | (at[1] & 63)
        return Character(3, normal_flags[normal_block[block] * 64 + (at[2] & 63)])
    block = (at[0] & 7) << 12 | (at[1] & 63) << 6 | (at[2] & 63)
    return Character(4, normal_flags[normal_block[block] * 64 + (at[3] & 63)])


cdef inline Py_ssize_t skip_ascii(const uint8_t* text, Py_ssize_t at, Py_ssize_t n) noexcept nogil:
    # The first byte from `at` on that is not ASCII, or up to seven before it.
    cdef uint64_t eight
    while at + 8 <= n:
        memcpy(&eight, text + at, 8)
        if eight & <uint64_t> 0x8080808080808080:
            break
        at += 8
    return at


cdef Py_ssize_t find_span(
    const uint8_t* text, Py_ssize_t n, Py_ssize_t at, int flags, Py_ssize_t* begin
) noexcept nogil:
    # The first place from the boundary `at` on where something may change, n if there is none;
    # `begin` is where its span begins: at the last boundary before it, or after that if it is too
    # new to become one with others.
    cdef Character c
    cdef bint after_mark = False
    cdef int wanted = flags & ~MARK
    begin[0] = at
    while at < n:
        if text[at] < 0x80 and not flags & UPPER:
            # No character of ASCII changes, and each is a boundary.
            at = skip_ascii(text, at, n)
            while at < n and text[at] < 0x80:
                at += 1
            begin[0] = at - 1
            after_mark = False
            if at == n:
                return n
        c = character_at(text + at)
        if c.flags & wanted or (after_mark and c.flags & flags & MARK):
            return at
        after_mark = c.flags & flags & MARK != 0
        if not after_mark:
            begin[0] = at + c.n if c.flags & LATER else at
        at += c.n
    return n


cdef Py_ssize_t first_change(const uint8_t* text, Py_ssize_t n, int flags) noexcept nogil:
    cdef Py_ssize_t begin
    return find_span(text, n, 0, flags, &begin)


def changed_spans(bytes text not None, int flags):
    """Return the spans of a text in UTF-8 that may change, in bytes: start, end, start, end...

    Parameters
    ----------
    text : bytes
        Valid UTF-8.
    flags : int
        Of the characters that change (`generate_normal.py`); MARK stands for the canonical order.
    """
    cdef const uint8_t* data = text
    cdef Py_ssize_t n = len(text), at = 0, begin = 0
    cdef Character c
    spans = array("q")
    while True:
        at = find_span(data, n, at, flags, &begin)
        if at == n:
            return spans
        spans.append(min(begin, at))
        while at < n:
            c = character_at(data + at)
            if not c.flags & flags:
                break
            at += c.n
        spans.append(at)


def strip_accents(str text not None):
    """Return a text without its combining marks, those of Unicode 9.0."""
    cdef Py_UCS4 character
    cdef uint32_t point
    cdef list kept = []
    for character in text:
        point = <uint32_t> character
        if not normal_flags[normal_block[point >> 6] * 64 + (point & 63)] & ACCENT:
            kept.append(character)
    return "".join(kept)
