"""Files read within a bound, and written whole or not at all."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, BinaryIO

from bpetok.base.checks import shorten

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

MAX_FILE_BYTES = 1 << 28
"""Of a file that is read as a whole. A million merges with their counts take about 30 MB."""


def read_bounded(path: str | os.PathLike[str]) -> bytes:
    """Return what a file holds, without the mark that some editors write before UTF-8.

    Raises
    ------
    OSError
        If it can't be read; the error names it.
    ValueError
        If it holds more than `MAX_FILE_BYTES`; reading stops there.
    """
    data = bytearray()
    with naming_errors(path), check_path(path).open("rb") as file:
        # To ask for all at once would take memory for the bound.
        while len(data) <= MAX_FILE_BYTES and (more := file.read(1 << 20)):
            data += more
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"{os.fspath(path)}: must be at most {MAX_FILE_BYTES} bytes long")
    return bytes(data.removeprefix(codecs.BOM_UTF8))


@contextlib.contextmanager
def naming_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Give errors of the system that have none the name of a file, as of a disk that fails."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = os.fspath(path)
        raise


def read_whole(path: Path) -> bytes:
    """Return what a file holds; an error names it."""
    with naming_errors(path):
        return path.read_bytes()


def is_no_file(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path is there, and no file: a pipe, a device such as /dev/stdin, a folder."""
    return os.path.exists(path) and not os.path.isfile(path)  # noqa: PTH110, PTH113  # of str, too


def check_no_pipe(path: str | os.PathLike[str]) -> None:
    """Check that a path is that of a file that can be read more than once, if it is there.

    Raises
    ------
    ValueError
        If it is a pipe or a device, such as /dev/stdin.
    """
    if is_no_file(path):
        raise ValueError(
            f"{os.fspath(path)} is a pipe or a device, and would be read more than once: write it "
            "to a file, and give that"
        )


def is_url(path: str) -> bool:
    """Tell whether a path is one that fsspec opens."""
    protocol, sign, _ = path.partition("://")
    return sign != "" and not re.search(r"\s", protocol)  # which a text has


def without_query(path: str) -> str:
    """Return a path or URL without what may follow the name in it, ``?...`` in the web's URLs."""
    return path.partition("?")[0] if path.startswith(("http://", "https://")) else path


def ending_of(path: str) -> str:
    """Return what the name of a file ends in, with its dot, in small letters."""
    name = without_query(path)
    return name[name.rfind(".") :].lower()


def check_path(path: str | os.PathLike[str]) -> Path:
    """Return a path, which is to be a str or a path, without a NUL character, and no URL."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"a file must be a str or a path, got {shorten(path)}")
    if "\0" in os.fspath(path):
        raise ValueError(f"a path must not hold the character NUL, got {shorten(path)}")
    if isinstance(path, str) and is_url(path):
        # As a path it would be that of a new folder here, such as "s3:".
        raise ValueError(f"only files of this machine can be used here, got the URL {path!r}")
    from pathlib import Path  # takes 3 ms, and counting and learning have no use for it

    return Path(path)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise an OSError that names the path or its folder if `write_whole` could not write there.

    To be called before long work whose result is to be saved.
    """
    target = _target(path)
    folder = target.parent
    if os.fsdecode(path).endswith(os.sep):
        raise IsADirectoryError(f"{os.fspath(path)}: a folder ends so, give the name of a file")
    if not folder.exists():
        raise FileNotFoundError(
            f"{os.fspath(path)}: the folder {folder} does not exist: make it first (mkdir -p)"
        )
    if not folder.is_dir():
        raise NotADirectoryError(f"{os.fspath(path)}: {folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{os.fspath(path)}: the folder {folder} is not writable")


def check_folder(path: str | os.PathLike[str]) -> Path:
    """Return the path of a folder that is an output: there is one, or one can be made there.

    The folder that it is in is not made: a path with a slip in it would become a place where nobody
    looks.

    Raises
    ------
    OSError
        If the folder that it is in does not exist or can't be written to, or it is no folder.
    """
    folder = check_path(path)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file, give the name of a folder")
    if not folder.exists():
        check_writable(folder)
    elif not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{folder}: the folder is not writable")
    return folder


def check_no_input(path: str | os.PathLike[str], inputs: Iterable[str]) -> None:
    """Raise a ValueError if a file to be written is one of those to be read."""
    target = check_path(path)
    for name in inputs:
        if target.exists() and target.samefile(name):
            raise ValueError(f"{target} is one of the files to read: choose another output")


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file so that whoever looks finds all of it or what was there before.

    The bytes go to a temporary file in the same folder, which is then renamed. A symbolic link
    stays one, a file that is replaced keeps its permissions.
    """
    file = PendingFile(path)
    try:
        file.write(data)
        file.keep()
    finally:
        file.discard()


class PendingFile:
    """A file that has its name only when it is whole: `keep` gives it, `discard` removes the rest.

    It is made when it is first written to, and not before: if Ctrl-C comes between this and where
    whoever calls has taken the object, nobody would discard it.

    Attributes
    ----------
    target : Path
        Where it will be: the path, links followed.
    temporary : Path
        Where it is until then.

    Raises
    ------
    OSError
        If the folder does not exist or can't be written to, or `path` is a folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        check_writable(path)
        self.target = _target(path)
        self.temporary = _temporary_beside(self.target)
        self._file: BinaryIO | None = None
        self._kept = False

    @property
    def file(self) -> BinaryIO:
        """For a library to write to, within `named`."""
        if self._file is None:
            self._file = self.temporary.open("xb")
        return self._file

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes."""
        with self.named():
            self.file.write(data)

    def close(self) -> None:
        """Write what is left in memory; nothing can be appended any more."""
        if not self.file.closed:
            with self.named():
                self.file.flush()
                os.fsync(self.file.fileno())
                self.file.close()

    def keep(self) -> None:
        """Give the file its name, in the place of what was there."""
        self.prepare()
        self.rename()

    def prepare(self) -> None:
        """Do all of `keep` that may fail for want of room: only `rename` is left to do."""
        self.close()
        if self.target.exists():
            self.temporary.chmod(stat.S_IMODE(self.target.stat().st_mode))

    def rename(self) -> None:
        """Give the file its name. Requires: it is prepared."""
        self.temporary.replace(self.target)
        self._kept = True

    def named(self) -> AbstractContextManager[None]:
        """Give errors that have none, as of a full disk, the name of the file."""
        return naming_errors(self.target)

    def discard(self) -> None:
        """Remove the file if it was not kept."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
        if not self._kept:
            with contextlib.suppress(OSError):
                self.temporary.unlink()


def keep_together(
    files: Sequence[PendingFile],
    gone: Iterable[Path] = (),
    meanwhile: Callable[[Sequence[str]], bytes] | None = None,
) -> None:
    """Give all files their names, or none: if one can't have it, what was there comes back.

    The last file says what is in the others. While others are replaced there is none in its place,
    or what `meanwhile` returns, so a process that is killed leaves no old description of new files.

    Parameters
    ----------
    files : sequence of PendingFile
    gone : iterable of Path
        Files that are removed if all goes well.
    meanwhile : callable, optional
        Is called with the names of all temporary files, of which some are left if the process is
        killed.
    """
    for file in files:
        file.prepare()
    asides = {
        target: _temporary_beside(target)
        for target in (*(file.target for file in reversed(files)), *gone)
        if target.exists()
    }
    last = files[-1].target
    touched: list[Path] = []  # noted before anything is done: Ctrl-C may come right after it
    try:
        if meanwhile is not None:
            temporaries = (*(file.temporary for file in files), *asides.values())
            if last in asides:
                import shutil  # takes 1 ms, and most trainings need none

                shutil.copy2(last, asides[last])
            touched.append(last)
            write_whole(last, meanwhile([path.name for path in temporaries]))
        for target, aside in asides.items():
            if target not in touched:
                touched.append(target)
                target.rename(aside)
        for file in files:
            touched.append(file.target)
            file.rename()
    except BaseException:
        for target in reversed(dict.fromkeys(touched)):
            if target not in asides:
                target.unlink(missing_ok=True)
            elif asides[target].exists():
                asides[target].replace(target)
        _remove(asides.values())
        raise
    try:
        _remove(asides.values())
    except BaseException:  # Ctrl-C: nothing is left to do but this, which no later run would do
        _remove(asides.values())
        raise


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def write_together(files: Mapping[Path, bytes]) -> None:
    """Write several files as `write_whole` writes one: all of them or none."""
    pending: list[PendingFile] = []
    try:
        for path, data in files.items():
            pending.append(PendingFile(path))
            pending[-1].write(data)
        keep_together(pending)
    finally:
        for file in pending:
            file.discard()


def is_temporary(name: str) -> bool:
    """Tell whether a name is one that files have here until they are whole."""
    return re.fullmatch(r"\.[0-9a-f]{16}\.tmp", name) is not None


def _temporary_beside(path: Path) -> Path:
    return path.with_name(f".{os.urandom(8).hex()}.tmp")


def _target(path: str | os.PathLike[str]) -> Path:
    # The file that a path means, links followed: renaming onto a link or a device would replace it.
    target = check_path(os.path.realpath(check_path(path)))
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        target.stat()  # a name that is too long is refused before the work, not after it
    if target.is_dir():
        raise IsADirectoryError(f"{os.fspath(path)}: is a folder, give the name of a file")
    # Not of the target: /dev/stdout is a link to what has no name where it is a pipe.
    if is_no_file(path):
        raise OSError(f"{os.fspath(path)}: is not a regular file, so it can't be replaced")
    return target
