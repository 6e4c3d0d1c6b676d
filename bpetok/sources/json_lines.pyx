"""Lines of JSON to one text of each, without a Python object or the GIL for any.

A line that is not as simple as most are is left to the caller, and so is a line with an error in
it: what is taken here is JSON as RFC 8259 has it.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy

import numpy as np

from bpetok.base.built_from cimport check_sources
from bpetok.base.simd cimport lowest_bit
from bpetok.patterns.scan cimport find_invalid_utf8
from bpetok.base.utf8 cimport write_point

check_sources(__name__)

cdef extern from "simd.h":
    uint64_t not_plain(const uint8_t* bytes) noexcept nogil

cdef enum:
    MOST_DEEP = 64  # of values in values


cdef inline bint is_plain(uint8_t byte) noexcept nogil:
    return byte >= 0x20 and byte != c'"' and byte != c'\\'


cdef inline const uint8_t* skip_plain(const uint8_t* at, const uint8_t* end) noexcept nogil:
    # Return the place of the next quote, backslash or control character, `end` if there is none.
    cdef uint64_t found
    while end - at >= 16:
        found = not_plain(at)
        if found:
            return at + lowest_bit(found)
        at += 16
    while at < end and is_plain(at[0]):
        at += 1
    return at


cdef inline const uint8_t* copy_plain(
    const uint8_t* at, const uint8_t* end, uint8_t** out
) noexcept nogil:
    # The same, and write what is skipped. More bytes may be written after it; they are to be
    # overwritten. To copy when the end is known took a third longer.
    cdef uint8_t* to = out[0]
    cdef uint64_t found = 0
    while found == 0 and end - at >= 16:
        memcpy(to, at, 16)
        found = not_plain(at)
        at += lowest_bit(found) if found else 16
        to += lowest_bit(found) if found else 16
    while at < end and is_plain(at[0]):
        to[0] = at[0]
        at += 1
        to += 1
    out[0] = to
    return at


cdef inline int hex_digit(uint8_t byte) noexcept nogil:
    if c'0' <= byte <= c'9':
        return byte - c'0'
    byte |= 0x20
    return byte - c'a' + 10 if c'a' <= byte <= c'f' else -1


cdef int code_unit(const uint8_t* at, const uint8_t* end) noexcept nogil:
    # Return what four hexadecimal digits say, -1 if they are none.
    cdef int i, digit, unit = 0
    if end - at < 4:
        return -1
    for i in range(4):
        digit = hex_digit(at[i])
        if digit < 0:
            return -1
        unit = unit << 4 | digit
    return unit


cdef const uint8_t* read_escape(
    const uint8_t* at, const uint8_t* end, uint8_t** out
) noexcept nogil:
    # Write what an escape means; `at` is after the backslash. Return the place after the escape,
    # NULL if it is none, or a lone surrogate. What is written is not longer than the escape. Long,
    # since it has a branch for each kind of escape.
    cdef uint8_t byte
    cdef uint32_t point
    cdef int unit, low
    cdef uint8_t* to = out[0]
    if at == end:
        return NULL
    byte = at[0]
    at += 1
    if byte != c'u':
        if byte == c'n':
            byte = 0x0A
        elif byte == c't':
            byte = 0x09
        elif byte == c'r':
            byte = 0x0D
        elif byte == c'b':
            byte = 0x08
        elif byte == c'f':
            byte = 0x0C
        elif byte != c'"' and byte != c'\\' and byte != c'/':
            return NULL
        to[0] = byte
        out[0] = to + 1
        return at
    unit = code_unit(at, end)
    if unit < 0 or 0xDC00 <= unit < 0xE000:
        return NULL
    at += 4
    point = unit
    if 0xD800 <= unit:
        if unit < 0xDC00:
            if end - at < 6 or at[0] != c'\\' or at[1] != c'u':
                return NULL
            low = code_unit(at + 2, end)
            if not 0xDC00 <= low < 0xE000:
                return NULL
            at += 6
            point = 0x10000 + ((unit - 0xD800) << 10 | low - 0xDC00)
    out[0] = write_point(point, to)
    return at


cdef const uint8_t* read_string(
    const uint8_t* at, const uint8_t* end, uint8_t** out
) noexcept nogil:
    # Write what a string says, up to its quote or the end. Return the place of that, NULL if there
    # is an error. Requires: room for end - at bytes.
    while True:
        at = copy_plain(at, end, out)
        if at == end or at[0] == c'"':
            return at
        if at[0] != c'\\':
            return NULL
        at = read_escape(at + 1, end, out)
        if at == NULL:
            return NULL


cdef const uint8_t* skip_string(const uint8_t* at, const uint8_t* end) noexcept nogil:
    # Return the place after the quote that ends a string, NULL if something is wrong.
    cdef uint8_t escaped[4]
    cdef uint8_t* out
    while True:
        at = skip_plain(at, end)
        if at == end or at[0] < 0x20:
            return NULL
        if at[0] == c'"':
            return at + 1
        out = escaped
        at = read_escape(at + 1, end, &out)
        if at == NULL:
            return NULL


cdef inline const uint8_t* skip_space(const uint8_t* at, const uint8_t* end) noexcept nogil:
    while at < end and (at[0] == c' ' or at[0] == c'\t' or at[0] == c'\r'):
        at += 1
    return at


cdef const uint8_t* skip_digits(const uint8_t* at, const uint8_t* end) noexcept nogil:
    # Return the place after one digit or more, NULL if there is none.
    cdef const uint8_t* begin = at
    while at < end and c'0' <= at[0] <= c'9':
        at += 1
    return at if at > begin else NULL


cdef const uint8_t* skip_number(const uint8_t* at, const uint8_t* end) noexcept nogil:
    if at < end and at[0] == c'-':
        at += 1
    if at < end and at[0] == c'0':
        at += 1
    else:
        at = skip_digits(at, end)
    if at != NULL and at < end and at[0] == c'.':
        at = skip_digits(at + 1, end)
    if at != NULL and at < end and at[0] | 0x20 == c'e':
        at += 1
        if at < end and (at[0] == c'+' or at[0] == c'-'):
            at += 1
        at = skip_digits(at, end)
    return at


cdef inline const uint8_t* skip_literal(
    const uint8_t* at, const uint8_t* end, const char* literal, int n
) noexcept nogil:
    return at + n if end - at >= n and memcmp(at, literal, n) == 0 else NULL


cdef const uint8_t* skip_value(const uint8_t* at, const uint8_t* end, int depth) noexcept nogil:
    # Return the place after a value that begins here, NULL if it is none.
    if at == end:
        return NULL
    if at[0] == c'"':
        return skip_string(at + 1, end)
    if at[0] == c'{' or at[0] == c'[':
        return skip_nested(at + 1, end, at[0] == c'{', depth + 1) if depth < MOST_DEEP else NULL
    if at[0] == c't':
        return skip_literal(at, end, "true", 4)
    if at[0] == c'f':
        return skip_literal(at, end, "false", 5)
    if at[0] == c'n':
        return skip_literal(at, end, "null", 4)
    return skip_number(at, end)


cdef const uint8_t* skip_nested(
    const uint8_t* at, const uint8_t* end, bint is_object, int depth
) noexcept nogil:
    # Return the place after an object or an array; `at` is after its first bracket.
    cdef uint8_t closing = c'}' if is_object else c']'
    cdef bint more = True
    at = skip_space(at, end)
    if at < end and at[0] == closing:
        return at + 1
    while more:
        if is_object:
            at = skip_name(at, end)
            if at == NULL:
                return NULL
        at = next_element(skip_value(at, end, depth), end, closing, &more)
    return at


cdef inline const uint8_t* next_element(
    const uint8_t* at, const uint8_t* end, uint8_t closing, bint* more
) noexcept nogil:
    # Return the place of what comes after a value and a comma or, after the last value, the place
    # after the bracket. NULL if neither is there, or if `at` is NULL.
    more[0] = False
    if at == NULL:
        return NULL
    at = skip_space(at, end)
    if at == end:
        return NULL
    if at[0] == closing:
        return at + 1
    if at[0] != c',':
        return NULL
    more[0] = True
    return skip_space(at + 1, end)


cdef const uint8_t* skip_name(const uint8_t* at, const uint8_t* end) noexcept nogil:
    # Return the place of the value after a name and a colon, NULL if there is none.
    if at == end or at[0] != c'"':
        return NULL
    at = skip_string(at + 1, end)
    if at == NULL:
        return NULL
    at = skip_space(at, end)
    if at == end or at[0] != c':':
        return NULL
    return skip_space(at + 1, end)


cdef enum Found:
    NOT_SIMPLE
    BLANK
    NO_TEXT
    TEXT


cdef Found read_line(
    const uint8_t* at, const uint8_t* end, const uint8_t* name, Py_ssize_t n_name, uint8_t** out
) noexcept nogil:
    # Write the text of a record. Of a name that comes several times, the last one says what it is.
    cdef uint8_t* begin = out[0]
    cdef const uint8_t* quoted
    cdef Found found = NO_TEXT
    cdef bint more = True
    while end - at >= 3 and memcmp(at, "\xef\xbb\xbf", 3) == 0:
        at += 3  # byte order marks, see `bpetok.sources.jsonl`
    at = skip_space(at, end)
    if at == end:
        return BLANK
    if at[0] != c'{':
        return NOT_SIMPLE
    at = skip_space(at + 1, end)
    if at < end and at[0] == c'}':
        at += 1
        more = False
    while more:
        quoted = at + 1
        at = skip_name(at, end)
        if at == NULL or memchr(quoted, c'\\', at - quoted):
            return NOT_SIMPLE  # a name with an escape may be any name
        if at - quoted <= n_name or quoted[n_name] != c'"' or memcmp(quoted, name, n_name):
            at = skip_value(at, end, 0)
        elif at < end and at[0] == c'"':
            out[0] = begin
            at = read_string(at + 1, end, out)
            if at == NULL or at == end:
                return NOT_SIMPLE
            at += 1
            found = TEXT
        else:
            out[0] = begin
            at = skip_literal(at, end, "null", 4)
            found = NO_TEXT
        at = next_element(at, end, c'}', &more)
        if at == NULL:
            return NOT_SIMPLE
    return found if skip_space(at, end) == end else NOT_SIMPLE


def number_of_lines(const uint8_t[::1] lines not None):
    """Return how many lines there are: one more than line feeds."""
    cdef Py_ssize_t i, at = 0, n = lines.shape[0], n_lines = 1
    cdef const uint8_t* bytes = &lines[0] if n else NULL
    cdef uint8_t n_here
    with nogil:
        # The compiler makes vectors of bytes of the inner loop, whose sums no byte must exceed.
        while at < n:
            n_here = 0
            for i in range(at, min(at + 255, n)):
                n_here += bytes[i] == c'\n'
            n_lines += n_here
            at += 255
    return n_lines


def texts_of_lines(const uint8_t[::1] lines not None, Py_ssize_t n_lines, bytes name not None):
    """Return the texts that records have under a name.

    Parameters
    ----------
    lines : bytes-like
        Lines of JSON with line feeds between them.
    n_lines : int
        How many they are.
    name : bytes
        In UTF-8, with neither quote nor backslash.

    Returns
    -------
    data : memoryview
        The texts, one after another.
    offsets : int64 array, shape (n_texts + 1,)
        Text i is data[offsets[i]:offsets[i + 1]].
    numbers : int64 array, shape (n_texts,)
        The number of its line.
    n_null : int
        Lines of records whose text is null or not there.

    Or None, if something is not UTF-8 or not as simple as that: no JSON, no object, another value
    than a string or null under the name, a lone surrogate, a name with an escape, too deep.
    """
    cdef Py_ssize_t n = lines.shape[0], n_name = len(name)
    cdef const uint8_t* at = &lines[0] if n else <const uint8_t*>b""
    cdef const uint8_t* end = at + n
    cdef const uint8_t* line_end
    cdef const uint8_t* name_bytes = <const uint8_t*>PyBytes_AS_STRING(name)
    cdef bytes data = PyBytes_FromStringAndSize(NULL, n)
    cdef uint8_t* begin = <uint8_t*>PyBytes_AS_STRING(data)
    cdef uint8_t* out = begin
    offsets = np.zeros(n_lines + 1, np.int64)
    numbers = np.empty(n_lines, np.int64)
    cdef int64_t[::1] offsets_view = offsets, numbers_view = numbers
    cdef Py_ssize_t number, n_texts = 0, n_null = 0
    cdef Found found = NOT_SIMPLE
    with nogil:
        if n == 0 or find_invalid_utf8(at, n) < 0:
            for number in range(n_lines):
                line_end = <const uint8_t*>memchr(at, c'\n', end - at)
                if line_end == NULL:  # it is the last one
                    line_end = end
                found = read_line(at, line_end, name_bytes, n_name, &out)
                if found == NOT_SIMPLE:
                    break
                if found == TEXT:
                    numbers_view[n_texts] = number
                    n_texts += 1
                    offsets_view[n_texts] = out - begin
                elif found == NO_TEXT:
                    n_null += 1
                if line_end == end:
                    break
                at = line_end + 1
    if found == NOT_SIMPLE:
        return None
    return memoryview(data)[: out - begin], offsets[: n_texts + 1], numbers[:n_texts], n_null


def unescaped(const uint8_t[::1] text not None, Py_ssize_t begin, Py_ssize_t end):
    """Return what text[begin:end], a JSON string or a part of one, says, in UTF-8.

    None if something is not UTF-8, no JSON or a lone surrogate.
    """
    if not 0 <= begin <= end <= text.shape[0]:
        raise IndexError("no such part")
    if begin == end:
        return b""
    cdef const uint8_t* at = &text[begin]
    cdef const uint8_t* stop = at + (end - begin)
    cdef bytes data = PyBytes_FromStringAndSize(NULL, end - begin)
    cdef uint8_t* first = <uint8_t*>PyBytes_AS_STRING(data)
    cdef uint8_t* out = first
    with nogil:
        if find_invalid_utf8(at, end - begin) >= 0 or read_string(at, stop, &out) != stop:
            out = NULL
    if out == NULL:
        return None
    return data if out - first == end - begin else data[: out - first]
