"""What bytes are read from: files of this machine, standard input, files that were looked at."""

from __future__ import annotations

import select
from io import SEEK_END, SEEK_SET, BufferedReader, FileIO, RawIOBase
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from bpetok.base.files import naming_errors

if TYPE_CHECKING:
    from typing_extensions import Buffer


MOST = 1 << 20
"""Bytes of a single read of standard input: a pipe gives 64 kB, a file all."""
_MOST_UNSEEN = 1 << 20
"""Bytes for which a read of pyarrow's takes memory without a look at how many are left."""


class Stream(Protocol):
    """What can be read: `read` and `readinto` as files have them, with no bytes only at the end."""

    def read(self, size: int = ..., /) -> bytes: ...
    def readinto(self, buffer: memoryview, /) -> int: ...
    def seek(self, offset: int, whence: int = ..., /) -> int: ...
    def tell(self) -> int: ...


class LocalFile(FileIO):
    """A file on this machine; what goes wrong while it is read names it."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes, as many as the system gives at once; all if `size` is below 0."""
        with naming_errors(self.name):
            return super().read(size)

    def readall(self) -> bytes:
        """Return all that follows, as BufferedReader asks for it."""
        with naming_errors(self.name):
            return super().readall()

    def readinto(self, buffer: Buffer, /) -> int:
        """Fill a buffer with the next bytes, as many as the system gives at once."""
        with naming_errors(self.name):
            return super().readinto(buffer)


class WholeReads(BufferedReader):
    """A file whose `read` gives as many bytes as are asked for, if there are so many.

    A file may give fewer at once, as many of a network do. pyarrow takes that for its end. And it
    asks for whatever number a damaged file says, for which Python takes memory before it reads.
    """

    def __init__(self, file: Any) -> None:
        super().__init__(file, 1)  # reads no more than is asked for

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes; all if `size` is below 0."""
        if size is not None and size > _MOST_UNSEEN:
            here = self.tell()
            size = max(0, min(size, self.seek(0, SEEK_END) - here))
            self.seek(here)
        return super().read(size)


class FileWithPart(RawIOBase):
    """A file of which a part may be in memory: what is read from within it comes from there."""

    def __init__(self, file: Stream) -> None:
        self._file = file
        self._begin = 0
        self._part = memoryview(b"")

    def keep(self, begin: int, part: bytes) -> None:
        """Keep a part that begins at an offset of the file, and no other one."""
        self._begin, self._part = begin, memoryview(part)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        """Go to an offset of the file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the offset in the file."""
        return self._file.tell()

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer with the next bytes."""
        at = self.tell()
        data = self._part[max(0, at - self._begin) :][: len(buffer)]
        if at < self._begin or not data:
            return self._file.readinto(buffer)
        buffer[: len(data)] = data
        self.seek(at + len(data))
        return len(data)


class StandardInput(RawIOBase):
    """Waits for what comes, also if the process that started this one set O_NONBLOCK.

    Without waiting, a read gives None where nothing has come yet, which is not the end. Of what
    comes from a terminal the end is seen once only: to read on would wait for more.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file: Any = file
        self._ended = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, at least one but at the end; all if `size` is below 0."""
        if size < 0:
            return b"".join(iter(lambda: self.read(1 << 16), b""))
        data = bytearray(min(size, MOST))
        return bytes(memoryview(data)[: self.readinto(data)])

    def readinto(self, buffer: Buffer, /) -> int:
        """Fill a buffer with the next bytes, at least one but at the end."""
        n_read = 0
        if not self._ended and memoryview(buffer).nbytes:
            with naming_errors("standard input"):
                # Not readinto, which goes on until the buffer is full: it would go past the end.
                while (n_read := self._file.readinto1(buffer)) is None:
                    select.select([self._file], [], [])
            self._ended = n_read == 0
        return n_read


class FileBefore(RawIOBase):
    """A file up to `n_bytes` from where it is."""

    def __init__(self, file: Stream, n_bytes: int) -> None:
        self._file = file
        self._left = n_bytes

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes; all if `size` is below 0."""
        if size < 0:
            return b"".join(iter(lambda: self.read(self._left), b""))
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        return data

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer with the next bytes."""
        n_read = self._file.readinto(buffer[: self._left])
        self._left -= n_read
        return n_read


class FileAfterHead(RawIOBase):
    """A file whose first bytes have been read, and come once more here."""

    def __init__(self, head: bytes, file: Stream) -> None:
        self._head = memoryview(head)
        self._file = file

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes; all if `size` is below 0."""
        if size < 0:
            return self.read(len(self._head)) + self._file.read()
        if not self._head:
            return self._file.read(size)
        data, self._head = self._head[:size], self._head[size:]
        return bytes(data)

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer with the next bytes."""
        if not self._head:
            return self._file.readinto(buffer)
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        """Do what the file does, which may refuse."""
        position = self._file.seek(offset, whence)
        self._head = memoryview(b"")
        return position

    def tell(self) -> int:
        """Return what the file does, less what is still to come once more."""
        return self._file.tell() - len(self._head)
