"""What a file is, told by its first bytes: what is no text must not be counted as text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_FIRST = 512
"""First bytes that are looked at. A tar archive says at byte 257 that it is one."""
# Both are compiled by `re` when they are first needed: a millisecond that plain text does not take.
_OTHERS = (
    rb"(?s)(?P<UTF_32>\xff\xfe\x00\x00|\x00\x00\xfe\xff|(?:[^\x00]\x00{3}){8}|(?:\x00{3}[^\x00]){8})"
    rb"|(?P<UTF_16>\xff\xfe|\xfe\xff)"
    rb"|(?P<parquet>PAR1\x15)"
    rb"|(?P<arrow>ARROW1\x00\x00|\xff{4}..\x00\x00)"
    rb"|(?P<zip>PK\x03\x04)"
    rb"|(?P<tar>.{257}ustar(?:\x0000|  \x00))"
    rb"|(?P<sevenzip>7z\xbc\xaf\x27\x1c)"
    rb"|(?P<rar>Rar!\x1a\x07)"
    rb"|(?P<lzip>LZIP\x01)"
    rb"|(?P<lzop>\x89LZO\x00\r\n)"
    rb"|(?P<lz4>\x04\x22\x4d\x18)"
    rb"|(?P<snappy>\xff\x06\x00\x00sNaPpY)"
    rb"|(?P<compress>\x1f\x9d)"
    rb"|(?P<pdf>%PDF-\d\.\d[\r\n])"
    rb"|(?P<numpy>\x93NUMPY)"
    rb"|(?P<pickle>\x80[\x02-\x05][\x95\](}cX])"
    rb"|(?P<avro>Obj\x01)"
    rb"|(?P<sqlite>SQLite format 3\x00)"
    rb"|(?P<hdf5>\x89HDF\r\n)"
    rb"|(?P<picture>\x89PNG\r\n|\xff\xd8\xff)"
)
_RECORD = rb'(?:\xef\xbb\xbf)?\{[ \t]*"(?:[^"\\\n]|\\.){0,99}"[ \t]*:[^\n]'
"""How a line of JSON begins. A document that is broken into lines, as people write it, does not."""
_REMEDIES = {
    "UTF_32": "is text in UTF-32: convert it to UTF-8 (iconv -f UTF-32 -t UTF-8)",
    "UTF_16": "is text in UTF-16: convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)",
    "parquet": "is a Parquet file: give format='parquet', or let its name end in .parquet",
    "arrow": "is an Arrow file: give format='arrow', or let its name end in .arrow",
    "jsonl": "has a record of JSON in each line: give format='jsonl', or format='text' to take the "
    "lines as they are",
    "zip": "is a zip archive, a format that is not read: unpack it first",
    "tar": "is a tar archive, a format that is not read: unpack it first",
    "sevenzip": "is a 7z archive, a format that is not read: unpack it first",
    "rar": "is a rar archive, a format that is not read: unpack it first",
    "lzip": "is compressed with lzip, which is not read: decompress it first",
    "lzop": "is compressed with lzop, which is not read: decompress it first",
    "lz4": "is compressed with lz4, which is not read: decompress it first",
    "snappy": "is compressed with snappy, which is not read: decompress it first",
    "compress": "is compressed with compress (.Z), which is not read: decompress it first",
    "pdf": "is a PDF document, a format that is not read: take its text out first",
    "numpy": "is a NumPy array, and no text",
    "pickle": "is a pickle of Python, and no text",
    "avro": "is an Avro file, a format that is not read: write its texts to JSON lines first",
    "sqlite": "is a database of SQLite, and no text",
    "hdf5": "is an HDF5 file, a format that is not read: write its texts to JSON lines first",
    "picture": "is a picture, and no text",
}
_BLOCKS = bytes(range(7))
"""The first bytes of the characters of UTF-16 up to Arabic. Text in UTF-8 hardly has such bytes."""
_MIN_UNMARKED = 16
"""Bytes from which on text in UTF-16 is recognised without a mark."""


def check_text(path: str, first_bytes: bytes, *, by_name: bool = False) -> None:
    """Check that a file may be text in UTF-8, by its first `N_FIRST` bytes, uncompressed.

    `by_name` tells whether it is taken for text only since its name says nothing else, so that it
    may be JSON lines.

    Raises
    ------
    ValueError
        If it is text in UTF-16 or UTF-32, or a file of another kind. The message says which, and
        what to do.
    """
    kind = other_kind(first_bytes, by_name=by_name)
    if kind is not None:
        raise ValueError(f"{path}: by its first bytes this {_REMEDIES[kind]}")


def other_kind(first_bytes: bytes, *, by_name: bool = False) -> str | None:
    """Return what a file is by its first bytes if that is not text in UTF-8; see `check_text`."""
    found = re.match(_OTHERS, first_bytes)
    if by_name and re.match(_RECORD, first_bytes):
        return "jsonl"
    if found:
        return found.lastgroup
    return "UTF_16" if _is_unmarked_utf16(first_bytes) else None


def _is_unmarked_utf16(first_bytes: bytes) -> bool:
    """Tell whether nearly all bytes at odd places, or at even ones, are some that UTF-16 has there.

    They are 0 for Latin letters, spaces and digits, 3 to 6 for Greek, Cyrillic, Hebrew and Arabic:
    all of that is UTF-8, too. Small numbers of two bytes look alike, but many are no characters.
    """
    n = len(first_bytes) // 2
    parts = (first_bytes[0 : 2 * n : 2], first_bytes[1 : 2 * n : 2])
    n_even, n_odd = (len(part) - len(part.translate(None, _BLOCKS)) for part in parts)
    if 2 * n < _MIN_UNMARKED or max(n_even, n_odd) <= 0.9 * n or min(n_even, n_odd) > 0.1 * n:
        return False
    order = "utf-16-le" if n_odd > n_even else "utf-16-be"
    text = first_bytes[: 2 * n].decode(order, "replace")
    n_others = sum(not (character.isprintable() or character.isspace()) for character in text)
    return n_others <= 0.1 * n


def _unusual_beginnings() -> NDArray[np.bool_]:
    """Return for each two bytes whether something else than text may begin with them."""
    unusual = np.zeros((256, 256), bool)
    # Compressed files (see `bpetok.sources.compression`), JSON, and the others above.
    compressed = (b"\x1f\x8b", b"\x28\xb5", b"BZ", b"\xfd7", b"\x5d\0")
    json = (b'{"', b"{ ", b"{\t", b"\xef\xbb")
    for begin in (*compressed, *json, b"PA", b"AR", b"PK", b"7z"):
        unusual[begin[0], begin[1]] = True
    for begin in (b"Ra", b"LZ", b"%P", b"Ob", b"SQ", b"\x89L", b"\x89H", b"\x89P", b"\x93N"):
        unusual[begin[0], begin[1]] = True
    unusual[0x50:0x60, 0x2A] = True
    unusual[[0x04, 0x1F, 0x80, 0xFE, 0xFF]] = True
    unusual[: len(_BLOCKS)] = unusual[:, : len(_BLOCKS)] = True
    return unusual


_UNUSUAL = _unusual_beginnings()


def unusual_files(data: NDArray[np.uint8], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of the files among some that are worth a look; the others are text.

    Parameters
    ----------
    data : uint8 array
        What the files hold, one after another.
    sizes : int64 array, shape (n_files,)
        How many bytes each has.
    """
    begins = np.cumsum(sizes) - sizes
    unusual = np.zeros(len(sizes), bool)
    some = np.flatnonzero(sizes >= 2)
    unusual[some] = _UNUSUAL[data[begins[some]], data[begins[some] + 1]]
    some = np.flatnonzero(sizes > 257)
    unusual[some] |= data[begins[some] + 257] == ord("u")
    return np.flatnonzero(unusual)
