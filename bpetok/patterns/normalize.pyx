"""Where a normalizer may change a text: nearly nowhere, and this says so fast.

A character is a boundary if it has none of the flags that are asked for, and no combining class:
what comes before it has no influence on it, and what it is does not depend on what comes after,
but for those right after it that are no boundaries. So a text is normal but for the spans from one
boundary to the next between which a character has a flag, or two combining marks are neighbours,
which may have to change places.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove

from array import array

cdef extern from "normal.h":
    const uint16_t normal_block[]
    const uint8_t normal_flags[]

cdef enum:
    MARK = 16
    ACCENT = 32
    UPPER = 64
    LATER = 128
    N_BLOCKS = 0x110000 >> 6
    MOST_KNOWN = 1 << 16     # what is remembered of spans, so that it takes no more than some MB

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


def is_normal(const uint8_t[::1] text not None, int flags):
    """Tell whether steps with these flags leave a text as it is, and each part of it, too.

    Where the text is not UTF-8 it may say either.
    """
    cdef Py_ssize_t n = text.shape[0], at = 0
    cdef const uint8_t* data
    cdef uint8_t last[8]
    cdef int wanted = flags & ~MARK, before = 0
    cdef Character c
    cdef uint32_t block
    if n == 0:
        return True
    data = &text[0]
    with nogil:
        while at < n:
            if data[at] < 0x80 and not flags & UPPER:
                at = skip_ascii(data, at, n)
                while at < n and data[at] < 0x80:
                    at += 1
                before = 0
                continue
            if at + 4 > n:
                # The end of a text may be the end of memory.
                last = [0, 0, 0, 0, 0, 0, 0, 0]
                memcpy(last, data + at, n - at)
                c = character_at(last) if last[0] < 0xF0 else Character(4, wanted)
            elif data[at] >= 0xF0:
                block = (data[at] & 7) << 12 | (data[at + 1] & 63) << 6 | (data[at + 2] & 63)
                c = character_at(data + at) if block < N_BLOCKS else Character(4, wanted)
            else:
                c = character_at(data + at)
            if c.flags & wanted or before & c.flags & MARK:
                break
            before = c.flags & flags
            at += c.n
    return at >= n


def is_border(const uint8_t[::1] text not None, Py_ssize_t at, int flags):
    """Tell whether steps with these flags change neither of the two characters at a place.

    Then the texts before and after it are normalized as the whole is.

    Requires: 0 < at < len(text); both characters are whole.
    """
    cdef Py_ssize_t before = at - 1
    cdef int plain = flags | MARK | LATER
    if not 0 < at < text.shape[0]:
        raise IndexError(f"0 < {at} < {text.shape[0]} must hold")
    while before > 0 and text[before] & 0xC0 == 0x80:
        before -= 1
    return not (character_at(&text[before]).flags | character_at(&text[at]).flags) & plain


cdef class Output:
    # Bytes that are written one after another.
    cdef uint8_t* data
    cdef Py_ssize_t n, room

    def __dealloc__(self):
        free(self.data)

    cdef int write(self, const void* source, Py_ssize_t n) except -1:
        cdef void* data
        if n > self.room - self.n:
            data = realloc(self.data, 2 * (self.n + n))
            if data == NULL:
                raise MemoryError(f"no memory for a text of {self.n + n} bytes")
            self.data = <uint8_t*> data
            self.room = 2 * (self.n + n)
        if n:
            memcpy(self.data + self.n, source, n)
            self.n += n
        return 0


def normalize_texts(
    const uint8_t[::1] data not None, const int64_t[::1] ends not None, int flags,
    change, dict known not None, bint prefix_space,
):
    """Normalize texts that lie one after another in memory.

    Parameters
    ----------
    data : buffer of bytes
        Texts in UTF-8.
    ends : int64 array, ascending, at most len(data)
        Where each text ends; the first begins at 0.
    flags : int
        Of the characters that change.
    change : callable
        Returns what becomes of a span, as bytes.
    known : dict
        What became of spans, for this call and later ones.
    prefix_space : bool
        Put a space before each text that has anything else at its beginning.

    Returns
    -------
    tuple of (bytes, array of int64)
        The texts, and where each ends.
    """
    # Long: one loop over texts and spans, which share where they are.
    cdef Output out = Output()
    cdef Py_ssize_t i, at, stop, size, first, begin = 0, done = 0, shift = 0
    cdef const uint8_t* start
    cdef Character c
    cdef bytes span, new
    new_ends = array("q")
    if data.shape[0] == 0 or ends.shape[0] == 0:
        return b"", array("q", [0]) * ends.shape[0]
    if ends[ends.shape[0] - 1] > data.shape[0]:
        raise IndexError("ends must lie within data")
    start = &data[0]
    for i in range(ends.shape[0]):
        first = begin + shift
        if prefix_space and begin < ends[i]:
            out.write(start + done, begin - done)
            done = begin
            out.write(b" ", 1)
            shift += 1
        at = begin
        while flags and at < ends[i]:
            at = begin + find_span(start + begin, ends[i] - begin, at - begin, flags, &stop)
            if at == ends[i]:
                break
            stop = min(begin + stop, at)
            while at < ends[i]:
                c = character_at(start + at)
                if not c.flags & flags:
                    break
                at += c.n
            span = PyBytes_FromStringAndSize(<const char*> start + stop, at - stop)
            new = known.get(span)
            if new is None:
                if len(known) >= MOST_KNOWN:
                    known.clear()
                new = known[span] = change(span)
            if new is span or new == span:
                continue
            size = PyBytes_GET_SIZE(new)
            out.write(start + done, stop - done)
            out.write(PyBytes_AS_STRING(new), size)
            done = at
            shift += size - (at - stop)
        if prefix_space and begin < ends[i]:
            out.write(start + done, ends[i] - done)
            done = ends[i]
            if out.n == first + 1 or out.data[first + 1] == 32:
                # There is a space already, or nothing else.
                memmove(out.data + first, out.data + first + 1, out.n - first - 1)
                out.n -= 1
                shift -= 1
        begin = ends[i]
        new_ends.append(begin + shift)
    out.write(start + done, begin - done)
    return PyBytes_FromStringAndSize(<const char*> out.data, out.n), new_ends
