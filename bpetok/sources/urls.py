"""URLs to files of other machines, which fsspec opens."""

from __future__ import annotations

import glob
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EBUSY
from io import SEEK_SET, RawIOBase
from typing import Any, TypeVar, cast
from urllib.parse import unquote

from bpetok.base.extras import require
from bpetok.sources.errors import changed_error

REMOTE_READERS = 8
"""Objects that are looked for or read at a time: most of that time is waiting."""
PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before what may be temporary is tried again: a connection that broke, a busy server."""
TEMPORARY = {"ClientConnectionError", "ClientPayloadError", "IncompleteRead", "ProtocolError"}
"""Errors of the libraries that fsspec uses which mean the same as ConnectionError."""
Result = TypeVar("Result")


def is_url(path: str) -> bool:
    """Tell whether a path is one that fsspec opens."""
    return "://" in path


def without_query(path: str) -> str:
    """Return a path or URL without what may follow the name in it, ``?...`` in the web's URLs."""
    return path.partition("?")[0] if path.startswith(("http://", "https://")) else path


def ending_of(path: str) -> str:
    """Return what the name of a file ends in, with its dot, in small letters."""
    name = without_query(path)
    return name[name.rfind(".") :].lower()


def expand_url(url: str) -> list[str]:
    """Return the URLs of the files that a URL names: a pattern, a folder or a file."""
    file_system, path = _file_system(url)

    def find() -> list[str]:
        file_system.invalidate_cache(path)  # listed by an earlier call, maybe
        found = _find(file_system, path)
        if not found and url.startswith("file:"):
            found = _find(file_system, unquote(path))  # what Path.as_uri has written
        return found

    found = _ask(url, find)
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
        return sorted(file_system.glob(path)) if glob.has_magic(path) else []
    return [path]


def _ask(
    url: str, function: Callable[[], Result], again: Callable[[], object] | None = None
) -> Result:
    """Call what asks another machine; again, after a pause, if what goes wrong may be temporary.

    Parameters
    ----------
    url : str
        Named in the error.
    function : callable
    again : callable, optional
        Called before each call of the function but the first.

    Raises
    ------
    OSError
        If it goes wrong in the end.
    """
    for pause in PAUSES:
        try:
            return function()
        except Exception as error:
            if not _is_temporary(error):
                raise _remote_error(url, error) from error
        time.sleep(pause)
        if again is not None:
            again()
    try:
        return function()
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
        return OSError(
            f"{url} can't be read: {str(error) or type(error).__name__} "
            f"(tried {len(PAUSES) + 1} times)"
        )
    kinds = (FileNotFoundError, PermissionError, OSError)  # theirs may take other arguments
    kind = next((kind for kind in kinds if isinstance(error, kind)), OSError)
    return kind(f"{url} can't be read: {str(error) or type(error).__name__}")


def _file_system(url: str) -> tuple[Any, str]:
    fsspec = require("fsspec", "hub")
    if url.startswith("hf://"):  # fsspec does not name the package for it
        require("huggingface_hub", "hub")
    try:
        return cast("tuple[Any, str]", fsspec.core.url_to_fs(url))
    except ImportError as error:  # names the package
        raise ImportError(f"reading {url} needs another package: {error}") from None


def url_state(url: str, *, fresh: bool = False) -> tuple[int, str]:
    """Return the size of an object and a tag that changes when it is written, if there is one.

    It may be what was listed before, unless `fresh`.
    """
    file_system, name = _file_system(url)

    def ask() -> dict[str, Any]:
        if fresh:
            file_system.invalidate_cache(name)
        return cast("dict[str, Any]", file_system.info(name))

    info = _ask(url, ask)
    keys = ("ETag", "etag", "blob_id", "mtime", "LastModified", "updated")
    tags = (info.get(key) for key in keys)
    return int(info.get("size") or 0), str(next(filter(None, tags), ""))


@contextmanager
def open_url(url: str) -> Iterator[RemoteFile]:
    """Open an object; see that it stays as it is."""
    file_system, name = _file_system(url)
    before = url_state(url)
    with _ask(url, lambda: file_system.open(name, "rb")) as opened:
        file = RemoteFile(url, opened)
        try:
            yield file
        except Exception:
            if file.error is None:
                raise
            raise file.error from None  # which pyarrow would tell as damage
    # Some file systems make sure of it (s3fs), others do not (gcsfs).
    try:
        after = url_state(url, fresh=True)
    except FileNotFoundError:
        after = None
    if after != before:
        raise changed_error(url)


class RemoteFile(RawIOBase):
    """Reads an open file of another machine; keeps what went wrong meanwhile as an `error`."""

    mode = "rb"

    def __init__(self, url: str, file: Any) -> None:
        self._url = url
        self._file = file
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
        begin = self._file.tell()
        try:
            return _ask(
                self._url, lambda: bytes(self._file.read(size)), lambda: self._file.seek(begin)
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
