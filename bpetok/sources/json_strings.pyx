"""Strings in JSON that comes in parts, found without parsing it."""

cimport cython
from libc.stdint cimport uint8_t
from libc.string cimport memchr

from bpetok.base.built_from cimport check_sources

check_sources(__name__)


cdef Py_ssize_t end_of_string(const uint8_t* text, Py_ssize_t begin, Py_ssize_t n) noexcept nogil:
    # Return the place of the quote that ends a string, n if it does not end.
    cdef const uint8_t* quote
    cdef Py_ssize_t at, end = begin
    while end < n:
        quote = <const uint8_t*>memchr(text + end, c'"', n - end)
        if quote == NULL:
            return n
        end = at = quote - text
        while at > begin and text[at - 1] == c'\\':
            at -= 1
        if (end - at) % 2 == 0:
            return end
        end += 1  # it is escaped
    return n


def string_end(const uint8_t[::1] text not None, Py_ssize_t begin):
    """Return the place of the quote that ends a JSON string, len(text) if it does not end.

    Parameters
    ----------
    text : buffer
    begin : int
        A place in the string, but in no escape, or that of its last quote.
    """
    cdef Py_ssize_t n = text.shape[0]
    if not 0 <= begin < n:
        return n
    cdef const uint8_t* bytes = &text[0]
    with nogil:
        begin = end_of_string(bytes, begin, n)
    return begin


@cython.auto_pickle(False)  # what is written would be read unchecked
cdef class StringFinder:
    """Finds strings in one value of JSON that it is given part by part.

    In text that is no JSON, strings begin and end where the parser takes them to, as far as it
    gets; the other attributes then mean nothing.

    Parameters
    ----------
    steps : list of str
        The way to the texts: the names in objects, "" for all elements of a list.
    parse : callable
        Parses a name in its quotes.
    """

    # Brackets that are open around the place; how many of them, from the outermost on, the way to
    # the texts goes through: by their name before the place, or because they are lists.
    cdef Py_ssize_t _depth, _on_way
    cdef list _steps
    cdef object _parse
    cdef object _last  # the last string where a name on the way may be; None if it was too long
    cdef Py_ssize_t _n_steps

    def __init__(self, list steps not None, parse):
        self._steps = steps
        self._n_steps = len(steps)
        self._parse = parse

    @property
    def at_text(self):
        """Whether a string that begins at the place is a text."""
        return self.way_ends()

    def find(self, const uint8_t[::1] part not None, Py_ssize_t at, Py_ssize_t least):
        """Return the place of the next quote that begins a string which is not to be passed over.

        That is one which is a text, has at least so many bytes, or does not end in this part. If
        there is none it is len(part). The next search begins after that string, or at it.

        Parameters
        ----------
        part : buffer
        at : int
            Where to begin, in no string.
        least : int
        """
        cdef Py_ssize_t end, n = part.shape[0]
        cdef uint8_t byte
        if not 0 <= at < n:
            return n
        cdef const uint8_t* bytes = &part[0]
        while at < n:
            byte = bytes[at]
            if byte == c'"':
                end = n if self.way_ends() else end_of_string(bytes, at + 1, n)
                if end == n or end - at > least:
                    self._last = None
                    return at
                if self.way_goes_by_name():
                    self._last = bytes[at : end + 1]
                at = end
            elif byte == c'{' or byte == c'[':
                if byte == c'[' and self._depth == self._on_way and self.step() == "":
                    self._on_way += 1
                self._depth += 1
            elif byte == c'}' or byte == c']':
                self._depth = max(0, self._depth - 1)
                self._on_way = min(self._on_way, self._depth)
            elif byte == c':':
                if (
                    self.way_goes_by_name()
                    and self._last is not None
                    and self._parse(self._last) == self.step()
                ):
                    self._on_way += 1
            elif byte == c',':
                # What follows has another name; an element of a list is as the one before.
                if self._depth == self._on_way > 0 and self._steps[self._on_way - 1] != "":
                    self._on_way -= 1
            at += 1
        return n

    cdef inline bint way_ends(self) noexcept:
        return self._depth == self._on_way == self._n_steps

    cdef inline object step(self):
        # The next step of the way, None after the last one.
        return self._steps[self._on_way] if self._on_way < self._n_steps else None

    cdef inline bint way_goes_by_name(self) except -1:
        # Whether a name in the innermost bracket may be the next step.
        return self._depth == self._on_way + 1 and bool(self.step())
