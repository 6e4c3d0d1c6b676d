"""Compressed files to what was compressed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from bpetok._extras import require
from bpetok.sources.files import damaged

ZSTD_BLOCK = 1 << 14
"""Compressed bytes at a time, so that hostile ones fill no more than some hundred megabytes."""


@contextmanager
def decompressed(path: str, file: BinaryIO) -> Iterator[BinaryIO]:
    """Give what reads the bytes as they were, by what the file's name ends in.

    Raises
    ------
    ValueError
        If what is read in the block is damaged or ends too early; the message names the file.
    """
    suffix = os.path.splitext(path)[1]  # noqa: PTH122  # URLs too
    if suffix == ".zst":
        reader: Any = ZstdReader(path, file)
    elif suffix == ".gz":
        reader = gzip.GzipFile(fileobj=file)
    else:
        reader = (bz2.BZ2File if suffix == ".bz2" else lzma.LZMAFile)(file)
    try:
        yield cast("BinaryIO", reader)
    except (EOFError, lzma.LZMAError, zlib.error) as error:
        raise damaged(path, error) from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise damaged(path, error) from None  # from gzip or bz2


class ZstdReader:
    """Reads zstd frames; unlike zstandard's own reader it notices that the last one is cut off."""

    def __init__(self, path: str, file: BinaryIO) -> None:
        self._zstandard = require("zstandard", "arrow")
        self._path = path
        self._file = file
        self._frame: Any = None

    def read(self, size: int) -> bytes:
        """Return some bytes, none at the end."""
        parts: list[bytes] = []
        while size > 0:
            rest = b"" if self._frame is None else self._frame.unused_data
            block = rest or self._file.read(ZSTD_BLOCK)
            if not block:
                break
            if self._frame is None or self._frame.eof:
                self._frame = self._zstandard.ZstdDecompressor().decompressobj()
            try:
                parts.append(self._frame.decompress(block))
            except self._zstandard.ZstdError as error:
                raise damaged(self._path, error) from None
            size -= len(parts[-1])
        data = b"".join(parts)
        if not data and self._frame is not None and not self._frame.eof:
            raise damaged(self._path, "it ends in the middle of a frame")
        return data
