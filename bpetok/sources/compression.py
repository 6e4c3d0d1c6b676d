"""Compressed files to what was compressed."""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Callable, Iterator
from io import RawIOBase, UnsupportedOperation
from typing import Any

from bpetok.base.extras import MissingExtraError, require
from bpetok.base.files import ending_of
from bpetok.sources.errors import damaged_error
from bpetok.sources.streams import Stream

ENDINGS = {
    ".gz": "gzip",
    ".gzip": "gzip",
    ".zst": "zstd",
    ".zstd": "zstd",
    ".bz2": "bzip2",
    ".xz": "xz",
    ".lzma": "lzma",
}
"""What the name of a compressed file ends in."""
# `re` compiles it when it is first needed.
_FIRST_BYTES = (
    rb"(?s)(?P<gzip>\x1f\x8b\x08)"
    rb"|(?P<zstd>\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18)"
    rb"|(?P<bzip2>BZh[1-9](?:1AY&SY|\x17rE8P\x90))"
    rb"|(?P<xz>\xfd7zXZ\x00)"
    rb"|(?P<lzma>\x5d\x00\x00..(?:\xff{8}|.{5}\x00{3}))"
)
BLOCK_SIZE = 1 << 14
"""Compressed bytes at a time, so that hostile ones fill no more than a few hundred megabytes."""
GZIP_HEADER = 16 + zlib.MAX_WBITS
"""What zlib calls streams with gzip's header and check sum."""
MAX_WINDOW = 1 << 31
"""Bytes that a zstd frame may refer back to: what ``zstd --long=31`` writes, which is its limit."""
LONGEST_HEADER = 16
"""Bytes that are enough to know the beginning of a stream."""
PADDING = b"\0\r\n\t "
"""Bytes that may follow a stream: zeros, or the line feed that a script appended."""


def compression_of(path: str, first_bytes: bytes) -> str | None:
    """Return the name of the compression that a file has by its first bytes, or else by its name.

    No text in UTF-8 begins with such bytes, but for some nobody writes.
    """
    found = re.match(_FIRST_BYTES, first_bytes)
    return found.lastgroup if found else ENDINGS.get(ending_of(path))


class CompressedFile(RawIOBase):
    """Reads what was compressed, in any number of streams one after another.

    Python's own readers ignore what follows the first stream of .bz2 and .xz if it is damaged, take
    an empty .gz for a whole one, and zstandard's does so with a frame that is cut off.

    Parameters
    ----------
    path : str
        Names the file in messages.
    file : file
        The compressed bytes.
    compression : str
        As `compression_of` returns it.
    """

    def __init__(self, path: str, file: Stream, compression: str) -> None:
        self._path = path
        self._file = file
        self._compression = compression
        self._new_stream, self._error = _decompressor_of(compression)
        self._stream = self._new_stream()
        # Uncompressed bytes that have not been asked for yet. A view, since a block may hold very
        # many of them: to copy those that are left at each read took ten seconds for 500 MB.
        self._ahead = memoryview(b"")
        self._sizes = 0, 1  # of the last block, compressed and not

    def readable(self) -> bool:
        """Return True."""
        return True

    def seek(self, *_: int) -> int:
        """Refuse: what is compressed has to be read."""
        raise UnsupportedOperation("seek")

    def read(self, size: int = -1, /) -> bytes:
        """Return `size` bytes, fewer at the end; all if `size` is below 0.

        Raises
        ------
        ValueError
            If the file is damaged or ends too early; the message names it.
        """
        return b"".join(self._parts(sys.maxsize if size < 0 else size))

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer, or less of it at the end, and return the number of bytes; as `read`."""
        at = 0
        for part in self._parts(len(buffer)):
            buffer[at : at + len(part)] = part
            at += len(part)
        return at

    def tell(self) -> int:
        """Return how many bytes of the file have been read; what is ahead counts by its share."""
        n_block, n_text = self._sizes
        return self._file.tell() - n_block * len(self._ahead) // n_text

    def _parts(self, size: int) -> Iterator[memoryview]:
        """Yield the next bytes, `size` in all, fewer at the end."""
        while size > 0 and (self._ahead or self._decompress_block()):
            part = self._ahead[:size]
            self._ahead = self._ahead[len(part) :]
            size -= len(part)
            yield part

    def _decompress_block(self) -> bool:
        """Decompress what comes next, maybe to nothing; return whether there was more."""
        block = self._next_block()
        if not block:
            return False
        try:
            self._ahead = memoryview(self._stream.decompress(block))
        except self._error as error:
            raise self._damaged(error) from None
        self._sizes = len(block), max(1, len(self._ahead))
        return True

    def _next_block(self) -> bytes:
        """Return what comes next in the file, none at its end; begin a stream if one has ended."""
        if not self._stream.eof:
            block = self._file.read(BLOCK_SIZE)
            if not block:
                raise damaged_error(self._path, "it ends too early")
            return block
        block = self._stream.unused_data.lstrip(PADDING)
        while not block:
            padded = self._file.read(BLOCK_SIZE)
            if not padded:
                return b""
            block = padded.lstrip(PADDING)
        while len(block) < LONGEST_HEADER and (more := self._file.read(BLOCK_SIZE)):
            block += more
        if compression_of("", block) != self._compression:
            raise damaged_error(
                self._path,
                f"after what was compressed with {self._compression} comes something else",
            )
        self._stream = self._new_stream()
        return block

    def _damaged(self, error: Exception) -> ValueError:
        if "Dictionary mismatch" in str(error):
            return ValueError(
                f"{self._path} was compressed with a dictionary, which is not in the file: "
                "decompress it first (zstd -d -D DICTIONARY)"
            )
        return damaged_error(self._path, f"{self._compression}: {error}")


def _gzip_library() -> Any:
    """Return isal, which takes a third of zlib's time, if the extra `arrow` has installed it."""
    try:
        return require("isal.isal_zlib", "arrow")
    except MissingExtraError:
        return zlib


def _decompressor_of(compression: str) -> tuple[Callable[[], Any], type[Exception]]:
    """Return what makes a decompressor of one stream, and the error that it raises."""
    if compression == "zstd":
        zstandard = require("zstandard", "arrow")
        return (
            lambda: zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).decompressobj(),
            zstandard.ZstdError,
        )
    if compression == "gzip":
        library = _gzip_library()
        return lambda: library.decompressobj(GZIP_HEADER), library.error
    if compression == "bzip2":
        import bz2  # these two take 1 ms, and most trainings need none

        return bz2.BZ2Decompressor, OSError
    import lzma

    return lzma.LZMADecompressor, lzma.LZMAError
