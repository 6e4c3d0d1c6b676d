"""URLs to files of other machines, which fsspec opens."""

from __future__ import annotations

import glob
import os
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, contextmanager
from errno import EBUSY
from functools import partial
from io import SEEK_SET, RawIOBase
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar, cast

from bpetok.base.checks import did_you_mean
from bpetok.base.extras import require
from bpetok.base.forking import hold_while_forking
from bpetok.base.threads import Stop, StoppedError
from bpetok.sources.errors import changed_error

if TYPE_CHECKING:
    from concurrent.futures import Future

PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before what may be temporary is tried again: a connection that broke, a busy server."""
BLOCK_SIZE = 1 << 19
"""Bytes that are asked for at a time where a file is read on."""
FIRST_SIZE = 1 << 17
"""The same where reading begins somewhere in it: no more of it may be wanted. And the least."""
N_AHEAD = 3
"""Blocks that are asked for before they are read: they hide how long a server takes to answer."""
MOST_AHEAD = 1 << 23
"""Bytes that all files that are open may have asked for: with many of them blocks are smaller."""
TIMEOUT = 60.0
"""Seconds after which an answer that does not come, or not to its end, is asked for again."""
TEMPORARY = {"ClientConnectionError", "ClientPayloadError", "IncompleteRead", "ProtocolError"}
"""Errors of the libraries that fsspec uses which mean the same as ConnectionError."""
Result = TypeVar("Result")


def expand_url(url: str) -> list[str]:
    """Return the URLs of the files that a URL names: a pattern, a folder or a file."""
    if url.startswith("file://localhost/"):  # another spelling, which fsspec takes for a folder
        url = url.replace("localhost", "", 1)
    file_system, path = _file_system(url)

    def find() -> list[str]:
        file_system.invalidate_cache(path)  # listed by an earlier call, maybe
        found = _find(file_system, path)
        if not found and url.startswith("file:"):
            from urllib.parse import unquote_to_bytes  # takes 2 ms

            # What Path.as_uri has written, of a name that is not UTF-8, too.
            found = _find(file_system, os.fsdecode(unquote_to_bytes(path)))
        return found

    found = _ask(url, find)
    if url.startswith("file:"):  # it lists links to folders, too, and patterns match folders
        found = [name for name in found if not os.path.isdir(name)]  # noqa: PTH112  # as of paths
    if not found:
        hint = "; '[[]' is a bracket that is part of a name" if "[" in path else ""
        raise FileNotFoundError(f"no such file: {url!r}{hint}")
    return [file_system.unstrip_protocol(name) for name in found]


def _find(file_system: Any, path: str) -> list[str]:
    # To ask the web whether something is a folder fetches the whole of it.
    is_file = path.startswith(("http://", "https://")) and not path.endswith("/")
    if not is_file and file_system.isdir(path):
        return sorted(
            name
            for name in file_system.find(path)
            if all(part[0] not in "._" for part in name[len(path) :].split("/") if part)
        )
    try:
        file_system.info(path)  # not `exists`, which does not tell a server that fails from no file
    except FileNotFoundError as error:
        if _is_temporary(error):
            raise
        if not glob.has_magic(path):
            return []
        found = file_system.glob(path, detail=True)
        return sorted(name for name, info in found.items() if info["type"] != "directory")
    return [path]


def _ask(
    url: str,
    function: Callable[[], Result],
    again: Callable[[], object] | None = None,
    stop: Stop | None = None,
) -> Result:
    """Call what asks another machine; again, after a pause, if what goes wrong may be temporary.

    Parameters
    ----------
    url : str
        Named in the error.
    function : callable
    again : callable, optional
        Called before each call of the function but the first.
    stop : Stop, optional

    Raises
    ------
    OSError
        If it goes wrong in the end.
    StoppedError
        If it is no longer wanted.
    """
    for pause in PAUSES:
        try:
            return function()
        except StoppedError:
            raise
        except Exception as error:
            if not _is_temporary(error):
                raise _remote_error(url, error) from error
        (stop or Stop()).pause(pause)
        if again is not None:
            again()
    try:
        return function()
    except StoppedError:
        raise
    except Exception as error:
        raise _remote_error(url, error) from error


def _is_temporary(error: BaseException | None) -> bool:
    """Tell whether an error, or one that it is because of, may not come again."""
    while error is not None:
        names = {kind.__name__ for kind in type(error).__mro__}
        if isinstance(error, ConnectionError | TimeoutError) or names & TEMPORARY:
            return True
        status = getattr(error, "status", None) or getattr(error, "code", None)
        if isinstance(status, int) and (status == 429 or 500 <= status < 600):
            return True
        error = error.__cause__
    return False


def _remote_error(url: str, error: Exception) -> OSError:
    if _is_temporary(error):  # which fsspec may call a file that is not there
        error = error.__cause__ if isinstance(error.__cause__, Exception) else error
        return OSError(f"{url} can't be read: {_said(error)} (tried {len(PAUSES) + 1} times)")
    kinds = (FileNotFoundError, PermissionError, OSError)  # theirs may take other arguments
    kind = next((kind for kind in kinds if isinstance(error, kind)), OSError)
    return kind(f"{url} can't be read: {_said(error)}")


def _said(error: Exception) -> str:
    """Return what an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _file_system(url: str) -> tuple[Any, str]:
    fsspec = require("fsspec", "hub")
    if "::" in url:
        raise ValueError(
            f"{url} can't be read: '::' joins URLs (a file in an archive, a cache), and one is "
            "read: unpack or copy the file, and give its own URL or path"
        )
    if url.startswith("hf://"):  # fsspec does not name the package for it
        require("huggingface_hub", "hub")
    try:
        return cast("tuple[Any, str]", fsspec.core.url_to_fs(url))
    except ImportError as error:  # names the package
        raise ImportError(f"reading {url} needs another package: {error}") from None
    except OSError as error:  # of those that connect at once, as that of ftp://
        raise _remote_error(url, error) from None
    except ValueError as error:
        known = fsspec.available_protocols()
        protocol = url.partition("://")[0]
        meant = "" if protocol in known else did_you_mean(protocol, known)
        raise ValueError(f"{url} can't be read: {_said(error)}{meant}") from None
    except (TypeError, AttributeError) as error:  # of those that need more than a URL, as dir://
        raise ValueError(
            f"{url} can't be read: it does not say all that fsspec needs ({_said(error)}): give "
            "the URL or path of the file itself"
        ) from None


def url_state(url: str, *, fresh: bool = False, stop: Stop | None = None) -> tuple[int, str]:
    """Return the size of an object and a tag that changes when it is written, if there is one.

    It may be what was listed before, unless `fresh`.
    """
    return _state_of(_info(url, fresh=fresh, stop=stop))


def _state_of(info: dict[str, Any]) -> tuple[int, str]:
    keys = ("ETag", "etag", "blob_id", "mtime", "LastModified", "updated")
    tags = (info.get(key) for key in keys)
    return int(info.get("size") or 0), str(next(filter(None, tags), ""))


def _info(url: str, *, fresh: bool, stop: Stop | None) -> dict[str, Any]:
    """Return what a file system says of an object."""
    file_system, name = _file_system(url)

    def ask() -> dict[str, Any]:
        if fresh:
            file_system.invalidate_cache(name)
        if stop is None or not file_system.async_impl:
            return cast("dict[str, Any]", file_system.info(name))
        return cast("dict[str, Any]", _result(_begin(file_system, file_system._info(name)), stop))

    return _ask(url, ask, stop=stop)


@contextmanager
def open_url(url: str, stop: Stop | None = None) -> Iterator[RemoteFile]:
    """Open an object; see that it stays as it is. Reading it ends when `stop` is set."""
    stop = Stop() if stop is None else stop
    file_system, name = _file_system(url)
    info = _info(url, fresh=False, stop=stop)
    options: dict[str, int] = {"block_size": BLOCK_SIZE}
    if url.startswith(("http://", "https://")) and info.get("partial", True) and info.get("size"):
        options["size"] = info["size"]  # otherwise the web is asked again, and waited for
    opened = _ask(url, lambda: file_system.open(name, "rb", **options), stop=stop)
    reading_ahead = _reading_ahead(file_system, name, opened, stop)
    with opened, _OPEN.counted(), closing(reading_ahead) as blocks:
        file = RemoteFile(url, blocks, stop)
        try:
            yield file
        except Exception:
            if file.error is None:
                raise
            raise file.error from None  # which pyarrow would tell as damage
    # Some file systems make sure of it (s3fs), others do not (gcsfs).
    try:
        after = url_state(url, fresh=True, stop=stop)
    except FileNotFoundError:
        after = None
    if after != _state_of(info):
        raise changed_error(url)


def _begin(file_system: Any, coroutine: Coroutine[Any, Any, Result]) -> Future[Result]:
    """Let the thread of an asynchronous file system run something."""
    import asyncio  # which such a file system has imported; nothing else needs its 20 ms

    return asyncio.run_coroutine_threadsafe(coroutine, file_system.loop)


def _result(future: Future[Result], stop: Stop) -> Result:
    """Return what comes of a request; it is cancelled if that takes too long, or at a stop."""
    try:
        stop.pause(TIMEOUT, future)
        if not future.done():
            raise TimeoutError(f"no answer in {TIMEOUT:.0f} s")
        return future.result()
    finally:
        future.cancel()


def _reading_ahead(file_system: Any, name: str, file: Any, stop: Stop) -> Any:
    """Return a file that asks for blocks before they are read, if its file system can do that."""
    if not file_system.async_impl or not getattr(file, "size", None):
        return file
    fetch = getattr(file, "async_fetch_range", None)  # of the web: it sees to it that ranges come
    if fetch is None:
        fetch = partial(_cat_range, file_system, name)
    return _BlocksAhead(lambda begin, end: _begin(file_system, fetch(begin, end)), file.size, stop)


def _cat_range(file_system: Any, name: str, begin: int, end: int) -> Any:
    return file_system._cat_file(name, start=begin, end=end)


class _OpenFiles:
    """How many files of other machines are open."""

    def __init__(self) -> None:
        self._lock = RLock()
        hold_while_forking(self._lock)
        self._n = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count one more, until the block ends."""
        with self._lock:
            self._n += 1
        try:
            yield
        finally:
            with self._lock:
                self._n -= 1

    def block_size(self) -> int:
        """Return how many bytes to ask for at a time, so that all together are not too many."""
        share = MOST_AHEAD // (max(1, self._n) * (1 + N_AHEAD))
        return min(BLOCK_SIZE, max(FIRST_SIZE, share))


_OPEN = _OpenFiles()


class _BlocksAhead:
    """Reads a file in blocks; some of those that come next are on their way meanwhile.

    Parameters
    ----------
    fetch : callable
        Begins to fetch the bytes from one offset to another.
    size : int
        Of the file.
    stop : Stop
        Ends waiting.
    """

    def __init__(self, fetch: Callable[[int, int], Future[bytes]], size: int, stop: Stop) -> None:
        self._fetch = fetch
        self._size = size
        self._stop = stop
        self._at = 0
        self._begin = 0  # of `_block`
        self._block = memoryview(b"")
        self._ahead: deque[tuple[int, int, Future[bytes]]] = deque()  # from the end of `_block` on

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def read(self, size: int) -> bytes:
        """Return the next bytes, some of those that are asked for; none at the end."""
        if self._at >= self._size or size == 0:
            return b""
        if not 0 <= self._at - self._begin < len(self._block):
            try:
                self._next_block()
            except BaseException:
                self.close()
                raise
        offset = self._at - self._begin
        data = self._block[offset : offset + size]
        self._at += len(data)
        return bytes(data)

    def _next_block(self) -> None:
        """Get the block at the place, and ask for what comes next if reading goes on."""
        goes_on = self._at == self._begin + len(self._block)
        self._block = memoryview(b"")  # before there is another one
        if self._ahead and self._ahead[0][0] != self._at:
            self.close()
        end = self._ahead[-1][1] if self._ahead else self._at
        size = _OPEN.block_size() if goes_on else FIRST_SIZE
        while len(self._ahead) < (1 + N_AHEAD if goes_on else 1) and end < self._size:
            begin, end = end, min(end + size, self._size)
            self._ahead.append((begin, end, self._fetch(begin, end)))
        begin, end, future = self._ahead.popleft()
        data = _result(future, self._stop)
        if len(data) != end - begin:
            raise ConnectionError(f"{len(data)} bytes came in place of {end - begin}")
        self._begin, self._block = begin, memoryview(data)

    def close(self) -> None:
        """Let go of what is on its way."""
        while self._ahead:
            self._ahead.popleft()[2].cancel()


class RemoteFile(RawIOBase):
    """Reads an open file of another machine; keeps what went wrong meanwhile as an `error`."""

    mode = "rb"

    def __init__(self, url: str, file: Any, stop: Stop) -> None:
        self._url = url
        self._file = file
        self._stop = stop
        self.error: OSError | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(BLOCK_SIZE), b""))
        begin = self._file.tell()
        try:
            return _ask(
                self._url,
                lambda: bytes(self._file.read(size)),
                lambda: self._file.seek(begin),
                self._stop,
            )
        except OSError as error:
            cause = error.__cause__
            # What s3fs raises where the object is another one has that number.
            gone = isinstance(cause, FileNotFoundError) or getattr(cause, "errno", None) == EBUSY
            self.error = changed_error(self._url) if gone else error
            raise self.error from cause

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
