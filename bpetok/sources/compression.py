"""Compressed files to what was compressed."""

from __future__ import annotations

import bz2
import lzma
import os
import zlib
from collections.abc import Callable
from io import BufferedReader, UnsupportedOperation
from typing import Any, BinaryIO, cast

from bpetok.base.extras import require
from bpetok.sources.errors import damaged_error
from bpetok.sources.urls import RemoteFile

COMPRESSED = (".gz", ".zst", ".bz2", ".xz")
REQUESTED = 1 << 22
"""Compressed bytes that another machine is asked for at a time."""
BLOCK_SIZE = 1 << 14
"""Compressed bytes at a time, so that hostile ones fill no more than some hundred megabytes."""
GZIP_HEADER = 16 + zlib.MAX_WBITS
"""What zlib calls streams with gzip's header and check sum."""


class CompressedFile:
    """Reads the bytes as they were, by what the file's name ends in, of any number of streams.

    Python's own readers take what follows the first stream of .bz2 and .xz for no part of the file
    if it is damaged, an empty .gz for a whole one, and zstandard's a frame that is cut off.
    """

    def __init__(self, path: str, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._new_stream, self._error = _format_of(path)
        self._stream = self._new_stream()
        self._ahead = b""  # uncompressed, and not asked for yet
        self._sizes = 0, 1  # of the last block, and of what it was

    def seek(self, _: int) -> None:
        """Refuse: what is compressed has to be read."""
        raise UnsupportedOperation("seek")

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer at the end.

        Raises
        ------
        ValueError
            If the file is damaged or ends too early; the message names it.
        """
        parts = [self._ahead]
        size -= len(self._ahead)
        while size > 0 and (block := self._next_block()):
            try:
                parts.append(self._stream.decompress(block))
            except self._error as error:
                raise damaged_error(self._path, error) from None
            self._sizes = len(block), max(1, len(parts[-1]))
            size -= len(parts[-1])
        end = len(parts[-1]) + min(size, 0)
        self._ahead = parts[-1][end:]
        parts[-1] = parts[-1][:end]
        return b"".join(parts)

    def tell(self) -> int:
        """Return how many bytes of the file have been read; what is ahead counts by its share."""
        n_block, n_text = self._sizes
        return self._file.tell() - n_block * len(self._ahead) // n_text

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer, or less of it at the end, and return the number of bytes; as `read`."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _next_block(self) -> bytes:
        """Return what comes next in the file, none at its end; begin a stream if one has ended."""
        if not self._stream.eof:
            block = self._file.read(BLOCK_SIZE)
            if not block:
                raise damaged_error(self._path, "it ends too early")
            return block
        block = self._stream.unused_data.lstrip(b"\0")  # which .gz and .xz may be padded with
        while not block:
            padded = self._file.read(BLOCK_SIZE)
            if not padded:
                return b""
            block = padded.lstrip(b"\0")
        self._stream = self._new_stream()
        return block


def _format_of(path: str) -> tuple[Callable[[], Any], type[Exception]]:
    """Return what makes a decompressor of one stream, and the error that it raises."""
    suffix = os.path.splitext(path)[1]  # noqa: PTH122  # URLs too
    if suffix == ".zst":
        zstandard = require("zstandard", "arrow")
        return lambda: zstandard.ZstdDecompressor().decompressobj(), zstandard.ZstdError
    if suffix == ".gz":
        return lambda: zlib.decompressobj(GZIP_HEADER), zlib.error
    if suffix == ".bz2":
        return bz2.BZ2Decompressor, OSError
    return lzma.LZMADecompressor, lzma.LZMAError


def decompressed(path: str, file: BinaryIO) -> BinaryIO:
    """Return what reads an open file, decompressed if its name says that it is compressed."""
    if not path.endswith(COMPRESSED):
        return file
    if isinstance(file, RemoteFile):  # each read may be a request
        file = BufferedReader(file, REQUESTED)
    return cast("BinaryIO", CompressedFile(path, file))
