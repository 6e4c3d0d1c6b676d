"""A long line of JSON: its texts are taken from it while it is read.

At most a few megabytes of a line of 500 MB are in memory. Parsed as a whole, it would take 2 to
3.5 GB: as bytes, as the parser's copy, as str and again as bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from bpetok.base.threads import exhaust
from bpetok.sources.json_lines import unescaped
from bpetok.sources.json_strings import StringFinder, string_end
from bpetok.sources.pieces import Read

PART_SIZE = 1 << 17
"""Bytes that are read at a time: with more, a fifth of the time goes into fresh memory."""
LONG = 1 << 16
"""Bytes from which on a string is left out of the rest of a line, whatever it is."""
LEFT_OUT = b"..."
"""In the rest of a line, in the place of a string."""
LONGEST_ESCAPE = 12
"""Bytes: a character may be two escapes of six, each for a surrogate."""
_HIGH_SURROGATE = rb"\\u[dD][89abAB]"


class LineParts:
    """The bytes of a line, in parts, as they are read.

    Parameters
    ----------
    first : bytes
        What of the line has been read, with no line feed in it.
    read : callable

    Attributes
    ----------
    n_bytes : int
        How many have been read, with the line feed.
    after : bytes
        What has been read of the next lines.
    """

    def __init__(self, first: bytes, read: Read) -> None:
        self._first = first
        self._read = read
        self.n_bytes = 0
        self.after = b""

    def __iter__(self) -> Iterator[bytes]:
        """Yield the parts, once."""
        part = self._first
        while part:
            end = part.find(b"\n")
            if end >= 0:
                self.n_bytes += end + 1
                self.after = part[end + 1 :]
                yield part[:end]
                return
            self.n_bytes += len(part)
            yield part
            part = self._read(PART_SIZE) or b""


class LongLine:
    """A line of JSON whose texts are read one after another, and then its rest.

    Parameters
    ----------
    parts : iterable of bytes
    steps : list of str
        The way to the texts, as `StringFinder` takes it.
    parse : callable
        Parses JSON in bytes.
    encode : callable
        Returns the UTF-8 form of a str, which may have lone surrogates.

    Attributes
    ----------
    rest : bytearray
        The line as far as it was read, but without what is in its texts and in other long strings.
        If that is JSON, so is the line, and it says the same besides them.
    """

    def __init__(
        self,
        parts: Iterable[bytes],
        steps: list[str],
        parse: Callable[[bytes], Any],
        encode: Callable[[str], bytes],
    ) -> None:
        self._parts = iter(parts)
        self._parse = parse
        self._encode = encode
        self._finder = StringFinder(steps, parse)
        # A name on the way to the texts is never long.
        self._long = max(LONG, LONGEST_ESCAPE * max(map(len, steps)) + 1)
        self._data = b""  # what is in memory of the line
        self._at = 0  # what comes before in it is done
        self.rest = bytearray()

    def texts(self) -> Iterator[bytes | Read]:
        """Yield the texts, in UTF-8: one that is in memory, or a function that reads it.

        Such a function is of use until the next text is requested. After the last one the line has
        been read to its end.
        """
        while self._at < len(self._data) or self._read_on():
            self._keep(self._finder.find(self._data, self._at, self._long))
            n_ahead = len(self._data) - self._at
            if n_ahead == 0:
                continue
            is_text = self._finder.at_text
            if not is_text and n_ahead < self._long and self._read_on():
                continue  # it ends in what has been read now, or is a long one
            self._keep(self._at + 1)
            self.rest += LEFT_OUT
            string = self._string()
            if is_text:
                is_whole = string_end(self._data, self._at) < len(self._data)
                yield next(string) if is_whole else partial(_next, string)
            exhaust(string)  # also what is left of a text, which has to be JSON too

    def _keep(self, end: int) -> None:
        self.rest += self._data[self._at : end]
        self._at = end

    def _read_on(self) -> bool:
        part = next(self._parts, b"")
        self._data = self._data[self._at :] + part
        self._at = 0
        return len(part) > 0

    def _string(self) -> Iterator[bytes]:
        """Yield what the string says that begins, or goes on, at the place; go to its end."""
        end = string_end(self._data, self._at)
        while end == len(self._data):
            if end - self._at > LONGEST_ESCAPE:
                yield self._say(cut_string(self._data, self._at))
            if not self._read_on():
                self._keep(len(self._data))  # the parser will tell that it does not end
                return
            end = string_end(self._data, self._at)
        yield self._say(end)
        self._keep(end + 1)

    def _say(self, end: int) -> bytes:
        begin, self._at = self._at, end
        plain = unescaped(self._data, begin, end)
        if plain is not None:
            return plain
        piece: str = self._parse(b"".join((b'"', self._data[begin:end], b'"')))
        return self._encode(piece)


def _next(string: Iterator[bytes], _: int) -> bytes:
    return next(string, b"")


def cut_string(data: bytes, begin: int) -> int:
    """Return where a JSON string can be cut, not in a character or an escape: at the end or nearly.

    Requires: it begins, or goes on, at `begin`, and does not end in `data`, where more than
    `LONGEST_ESCAPE` bytes of it are.
    """
    end = len(data)
    escape = data.rfind(b"\\", end - LONGEST_ESCAPE // 2)
    if escape >= 0 and _is_escape(data, begin, escape):
        high = escape - LONGEST_ESCAPE // 2
        pair = high >= begin and re.match(_HIGH_SURROGATE, data[high:escape])
        return high if pair and _is_escape(data, begin, high) else escape
    for n, first in enumerate((0xC0, 0xE0, 0xF0), 1):
        if data[-n] & 0xC0 != 0x80:  # a character of more than n bytes begins with at least `first`
            return end - n if data[-n] >= first else end
    return end


def _is_escape(data: bytes, begin: int, at: int) -> bool:
    """Tell whether the backslash at a place is the first one of an escape, not the second one."""
    before = data[begin:at]
    return (len(before) - len(before.rstrip(b"\\"))) % 2 == 0
