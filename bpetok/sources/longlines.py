"""A long line of JSON: its long strings are left out while it is parsed, and read in pieces.

Parsed as a whole, one of 500 MB would take 2 to 3.5 GB: as bytes, as the parser's copy, as str
and again as bytes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from io import BytesIO
from typing import Any

from bpetok._jsonlines import unescaped
from bpetok._jsonstrings import long_strings
from bpetok.sources.pieces import Read

LONG = 1 << 16
"""Bytes of a string from which on it is left out."""
PIECE_SIZE = 1 << 20
LONGEST_ESCAPE = 12
"""Bytes: a character may be two escapes of six, each for a surrogate."""
_HIGH_SURROGATE = re.compile(rb"\\u[dD][89abAB]")


class LongLine:
    """A line of JSON whose long strings are apart.

    Parameters
    ----------
    line : bytearray
    parse : callable
        Parses JSON in bytes.

    Attributes
    ----------
    record
        What the line says, with a short name in the place of each long string.
    """

    def __init__(self, line: bytearray, parse: Callable[[bytes], Any]) -> None:
        self._line = line
        self._parse = parse
        self._spans: dict[str, tuple[int, int]] = {}
        parts: list[bytes | bytearray] = []
        nonce = os.urandom(16).hex()  # so no text is such a name
        at = 0
        for begin, end in long_strings(line, LONG):
            name = f"{nonce}-{begin}"
            self._spans[name] = begin, end
            parts += [line[at:begin], name.encode()]
            at = end
        self.record = parse(b"".join([*parts, line[at:]]))

    def reader(self, text: str) -> Read:
        """Return a function that reads a string of the record, in UTF-8."""
        if text not in self._spans:
            return BytesIO(text.encode(errors="surrogatepass")).read
        at, end = self._spans[text]

        def read(_: int) -> bytes:
            nonlocal at
            begin, at = at, cut_string(self._line, at, min(end, at + PIECE_SIZE), end)
            plain = unescaped(self._line, begin, at)
            if plain is not None:
                return plain
            piece: str = self._parse(b"".join((b'"', self._line[begin:at], b'"')))
            return piece.encode(errors="surrogatepass")

        return read


def cut_string(line: bytearray, begin: int, stop: int, end: int) -> int:
    """Return where a JSON string can be cut, not in a character or an escape: about at `stop`.

    Requires: it begins, or goes on, at `begin` and ends at `end`; `stop` is its end, or more than
    `LONGEST_ESCAPE` bytes from `begin`.
    """
    if stop == end:
        return end
    escape = line.rfind(b"\\", max(begin, stop - LONGEST_ESCAPE // 2), stop)
    if escape >= 0 and _is_escape(line, begin, escape):
        high = escape - LONGEST_ESCAPE // 2
        pair = _HIGH_SURROGATE.match(line, high) if high >= begin else None
        return high if pair and _is_escape(line, begin, high) else escape
    for place in range(stop, stop - 4, -1):
        if line[place] & 0xC0 != 0x80:
            return place
    return stop  # not UTF-8


def _is_escape(line: bytearray, begin: int, at: int) -> bool:
    """Tell whether the backslash at a place is the first one of an escape, not the second one."""
    before = at
    while before > begin and line[before - 1] == ord("\\"):
        before -= 1
    return (at - before) % 2 == 0
