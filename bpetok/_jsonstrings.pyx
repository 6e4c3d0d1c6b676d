"""Strings in JSON, found without parsing it."""

from libc.stdint cimport uint8_t
from libc.string cimport memchr

cdef enum:
    QUOTE = 0x22
    BACKSLASH = 0x5C


cdef inline Py_ssize_t next_quote(const uint8_t* text, Py_ssize_t at, Py_ssize_t n) noexcept nogil:
    # The place of the next quote, n if there is none.
    if at >= n:
        return n
    cdef const uint8_t* found = <const uint8_t*>memchr(text + at, QUOTE, n - at)
    return n if found == NULL else found - text


def long_strings(const uint8_t[::1] text not None, Py_ssize_t least):
    """Return where the strings of JSON lie that have at least so many bytes, without their quotes.

    What they are in text that is no JSON says nothing, but they never overlap.

    Parameters
    ----------
    text : buffer
    least : int
        Bytes between the quotes, at least 1.

    Returns
    -------
    list of (begin, end)
    """
    cdef Py_ssize_t begin, end, at, n = text.shape[0]
    spans = []
    if n == 0:
        return spans
    cdef const uint8_t* bytes = &text[0]
    with nogil:
        begin = next_quote(bytes, 0, n) + 1
        while begin < n:
            end = next_quote(bytes, begin, n)
            while end < n:
                at = end
                while at > begin and bytes[at - 1] == BACKSLASH:
                    at -= 1
                if (end - at) % 2 == 0:
                    break
                end = next_quote(bytes, end + 1, n)  # escaped
            if end < n and end - begin >= least:
                with gil:
                    spans.append((begin, end))
            begin = next_quote(bytes, end + 1, n) + 1
    return spans
