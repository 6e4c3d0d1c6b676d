"""Paths, globs, folders and URLs to files, and files to bytes, uncompressed."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader, RawIOBase
from itertools import chain, islice
from stat import S_ISREG
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from bpetok.base.checks import check_iterable, closest, plain, shorten
from bpetok.base.files import ending_of, is_url, without_query
from bpetok.base.records import NamedTuple
from bpetok.base.threads import Stop, map_threads
from bpetok.sources.compression import ENDINGS, CompressedFile, compression_of
from bpetok.sources.contents import N_FIRST, check_text
from bpetok.sources.errors import changed_error
from bpetok.sources.many_files import file_states
from bpetok.sources.reading import REMOTE_READERS
from bpetok.sources.streams import FileAfterHead, FileBefore, LocalFile, StandardInput, Stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

StrPath: TypeAlias = str | os.PathLike[str]
STANDARD_INPUT = "-"
MANY = 1 << 14
"""Paths that are looked at at a time."""
MAX_SHOWN = 200
"""Characters of a path in an error; what is longer and no file is hardly a path."""
REQUESTED = 1 << 20
"""Compressed bytes that are requested from another machine at a time."""
SKIPPED = 1 << 20
"""Bytes that are read at a time to get past them."""
FORMAT_OF = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
TEXT_ENDINGS = (".txt", ".text")
"""What such a file holds is text, whatever it looks like. Files with no or other endings are taken
for text as well, but not if each line is a record."""


def resolve_files(files: StrPath | Iterable[StrPath]) -> list[str]:
    """Return the paths and URLs of existing files, as `find_files`."""
    return find_files(files).paths


class Found(NamedTuple):
    """Files that are there.

    paths : list of str
        Paths and URLs.
    states : int64 array, shape (n_paths, 3)
        Of regular files on this machine the size, the device and the number on it, which tell
        whether two paths are the same file; -1 for all else.
    """

    paths: list[str]
    states: NDArray[np.int64]


def find_files(files: StrPath | Iterable[StrPath], n_threads: int = 1) -> Found:
    """Find existing files; patterns and folders are expanded, sorted.

    Of a folder all files are taken, at any depth, whose names, and those of the folders on the way,
    do not begin with a dot or an underscore.

    Raises
    ------
    FileNotFoundError, PermissionError
        If a path is not a file that can be read, or a pattern or a folder has none.
    ImportError
        If a URL needs a package that is not installed.
    ValueError
        If there is no path at all, or standard input is given twice.
    """
    if isinstance(files, str | os.PathLike):
        return find_each([files], n_threads)
    check_iterable("files", files, "a path or an iterable of them")
    return find_each(in_order(plain("files", files)), n_threads)


def in_order(files: Iterable[Any]) -> Iterable[Any]:
    """Return the paths of a set sorted, as those of a folder; anything else as it is.

    A set of str comes in another order each time that Python is started.
    """
    if not isinstance(files, set | frozenset):
        return files
    return sorted(files, key=lambda file: str(file) if isinstance(file, str | os.PathLike) else "")


def find_each(files: Iterable[StrPath], n_threads: int = 1) -> Found:
    """Find the same where `plain` has been called, or what is given is an iterable of ours."""
    names: list[str] = []
    for file in files:
        if not isinstance(file, str | os.PathLike):
            raise TypeError(
                f"a file must be a str or a path, got {shorten(file)} "
                "(what has an Arrow stream of records is a table, and may be given, too)"
            )
        names.append(os.fspath(file))
    # To start a thread takes 0.3 ms.
    names, states = _with_states(names, n_threads if len(names) > MANY else 1)
    if (states < 0).any():
        found = zip(names, states[:, 0].tolist(), strict=True)
        n_asking = REMOTE_READERS if any(map(is_url, names)) else 1
        expanded = map_threads(_expand_if_unknown, found, n_asking)
        names, states = _with_states(chain.from_iterable(expanded), n_threads)
    if not names:
        raise ValueError("files must name at least one file, got none")
    for i in np.flatnonzero(states[:, 0] < 0).tolist():
        states[i, 0] = _checked_size(names[i])
    return Found(names, states)


def _expand_if_unknown(found: tuple[str, int]) -> Iterable[str]:
    name, size = found
    return [name] if size >= 0 else _expand(name)


def _with_states(paths: Iterable[str], n_threads: int) -> tuple[list[str], NDArray[np.int64]]:
    """Return paths with the states of regular files that may be read; -1 where it takes more.

    While threads ask for states, the caller's looks for more paths.
    """
    names: list[str] = []

    def parts() -> Iterator[list[str]]:
        rest = iter(paths)
        while part := list(islice(rest, MANY)):
            names.extend(part)
            yield part

    states = [np.empty((0, 3), np.int64), *map_threads(_states_of_some, parts(), n_threads)]
    return names, np.concatenate(states)


def _states_of_some(paths: list[str]) -> NDArray[np.int64]:
    names = null_ended(paths)
    if names.count(b"\0") > len(paths):  # one has a NUL in it
        return np.full((len(paths), 3), -1)
    states = file_states(names, len(paths))
    if b"://" in names or STANDARD_INPUT in paths:
        states[[path == STANDARD_INPUT or is_url(path) for path in paths]] = -1
    return states


def null_ended(paths: Iterable[str]) -> bytes:
    """Return paths as `bpetok.sources.many_files` takes them. Requires: no NUL in them."""
    return os.fsencode("".join([f"{path}\0" for path in paths]))


def _expand(path: str) -> Iterable[str]:
    if path == STANDARD_INPUT:
        if sys.stdin is None:
            raise FileNotFoundError("'-' is standard input, and there is none")
        return [path]
    if is_url(path):
        from bpetok.sources.urls import expand_url

        return expand_url(path)
    if os.path.isdir(path):  # noqa: PTH112  # a quarter of the time of Path
        return _walk_all(path)
    if os.path.exists(path):  # noqa: PTH110
        return [path]
    from glob import has_magic

    if has_magic(path):
        found = sorted({match for match in _matches(path) if not os.path.isdir(match)})  # noqa: PTH112
        if not found:
            hint = "; '[[]' is a bracket that is part of a name" if "[" in path else ""
            raise FileNotFoundError(f"no file matches the pattern {path!r}{hint}")
        return found
    if len(path) > MAX_SHOWN or "\n" in path:
        raise FileNotFoundError(
            f"no such file: {shorten(path)}; it seems to be a text: write it to a file, or use "
            "what takes texts, such as train_from_iterator, or texts= of report"
        )
    raise FileNotFoundError(f"no such file: {path!r}{meant_file(path)}")


def _matches(pattern: str) -> Iterator[str]:
    """Yield what a pattern matches, maybe twice, as ``glob(pattern, recursive=True)``.

    That one goes around where links lead to folders above: 2 ** 40 ways with two of them.
    """
    from glob import escape, glob  # not Path.glob, which takes no absolute pattern

    separators = os.sep + (os.altsep or "")
    one = f"[{re.escape(separators)}]"
    found = re.search(rf"(?:^|(?<={one}))\*\*(?={one}|$)", pattern)
    if found is None:
        yield from glob(pattern)  # noqa: PTH207
        return
    before, after = pattern[: found.start()], pattern[found.end() :] or f"{os.sep}*"
    for top in glob(before) if before else [""]:  # noqa: PTH207
        for folder in _folders(top):
            yield from _matches(escape(folder) + after.lstrip(separators))


def _folders(top: str, above: frozenset[tuple[int, int]] = frozenset()) -> Iterator[str]:
    """Yield a folder, "" or what ends in a separator, and those in it, as `glob` takes them.

    A link to a folder that is `above`, on the way to it, is not followed.
    """
    names: list[str] = []
    with suppress(OSError):  # as `glob`, which finds nothing where it may not look
        state = os.stat(top or ".")  # noqa: PTH116
        if (state.st_dev, state.st_ino) in above:
            return
        above |= {(state.st_dev, state.st_ino)}
        with os.scandir(top or ".") as scan:
            names = sorted(
                entry.name for entry in scan if entry.name[0] != "." and _is_folder(entry)
            )
    yield top
    for name in names:
        yield from _folders(f"{top}{name}{os.sep}", above)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a folder or a link to one; its own method fails for some links."""
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()  # noqa: PTH112


def meant_file(path: str) -> str:
    """Return the end of a message: which file of the same folder was probably meant, if any."""
    folder, name = os.path.split(path)
    if os.path.islink(path):  # noqa: PTH114
        return f", it is a link to {os.readlink(path)!r}, which is not there"  # noqa: PTH115
    try:
        close = closest(name, os.listdir(folder or "."))  # noqa: PTH208  # names only
    except FileNotFoundError:
        return f", there is no folder {folder!r}"
    except (OSError, ValueError):  # a NUL in it
        return ""
    return "" if close is None else f"; did you mean {os.path.join(folder, close)!r}?"  # noqa: PTH118


def _checked_size(path: str) -> int:
    """Return the size of a file that is to be read, -1 if it is no regular one on this machine."""
    if path == STANDARD_INPUT or is_url(path):
        return -1
    try:
        state = os.stat(path)  # noqa: PTH116
    except FileNotFoundError:  # a link, or the file has gone
        raise FileNotFoundError(f"no such file: {path!r}{meant_file(path)}") from None
    except PermissionError:
        state = None
    if state is None or not os.access(path, os.R_OK):
        raise PermissionError(f"no permission to read {path!r}")
    return state.st_size if S_ISREG(state.st_mode) else -1


def _walk_all(folder: str) -> Iterator[str]:
    """Yield the files of a folder and of its folders; there must be one."""
    files = chain.from_iterable(_walk(folder))
    first = next(files, None)
    if first is None:
        raise FileNotFoundError(f"no files in the folder {folder!r}")
    yield first
    yield from files


def _walk(folder: str) -> Iterator[list[str]]:
    """Yield the files of a folder, then those of each of its folders, sorted by name."""
    files, folders = [], []
    try:
        with os.scandir(folder) as scan:
            for entry in scan:
                if entry.name[0] in "._":
                    continue
                if not entry.is_dir():
                    files.append(entry.path)
                elif not entry.is_symlink():
                    folders.append(entry.path)
    except PermissionError:
        raise PermissionError(f"no permission to read the folder {folder!r}") from None
    yield sorted(files)
    for path in sorted(folders):
        yield from _walk(path)


def local_files(paths: Iterable[str]) -> list[str]:
    """Return those of the paths that `resolve_files` gave which are files on this machine."""
    return [path for path in paths if path != STANDARD_INPUT and not is_url(path)]


def file_state(path: str, *, fresh: bool = False) -> tuple[int, str]:
    """Return the size of a file and what changes when it is written: a time or a tag.

    Of a URL it may be what was listed before, unless `fresh`.
    """
    if is_url(path):
        from bpetok.sources.urls import url_state

        return url_state(path, fresh=fresh)
    state = os.stat(path)  # noqa: PTH116  # a Path takes as long as the call
    return state.st_size, str(state.st_mtime_ns)


def format_of(path: str) -> str:
    """Return the format that a name tells; "json" may be text or lines, "csv" is not read."""
    return FORMAT_OF.get(_inner_ending(path), "text")


def may_be_lines(path: str) -> bool:
    """Tell whether a file that is taken for text may be JSON lines: its name says neither."""
    return _inner_ending(path) not in TEXT_ENDINGS


def _inner_ending(path: str) -> str:
    ending = ending_of(path)
    if ending in ENDINGS:
        ending = ending_of(without_query(path)[: -len(ending)])
    return ending


@contextmanager
def open_source(path: str, stop: Stop | None = None) -> Iterator[Stream]:
    """Open a file, or what standard input or a URL gives, as it is; see that it stays as it is.

    Raises
    ------
    OSError
        If the file can't be opened or, at the end, is not what it was at the beginning.
    """
    if path == STANDARD_INPUT:
        yield StandardInput(sys.stdin.buffer)
        return
    if is_url(path):
        from bpetok.sources.urls import open_url

        with open_url(path, stop) as remote:
            yield remote
        return
    with LocalFile(path) as file:
        before = _state(os.fstat(file.fileno()))
        yield file
    try:
        after = _state(os.stat(path))  # noqa: PTH116
    except FileNotFoundError:
        after = None
    if after != before:
        raise changed_error(path)


def _state(state: os.stat_result) -> tuple[int, ...]:
    if not S_ISREG(state.st_mode):
        return ()
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


@contextmanager
def opened_bytes(
    path: str,
    start: int = 0,
    end: int | None = None,
    *,
    by_name: bool = False,
    stop: Stop | None = None,
) -> Iterator[Stream]:
    """Open a file of text or JSON lines as `open_source` does; decompress what is compressed.

    Its first bytes tell whether it is, whatever its name. Reading begins at the byte `start`, and
    ends before the byte `end`, uncompressed. `by_name`: see `check_text`.

    Raises
    ------
    ValueError
        As `check_text`; or, while it is read, if the file is damaged.
    """
    with open_source(path, stop) as raw:
        first_bytes, file = _look_at(raw)
        compression = compression_of(path, first_bytes)
        if compression is not None:
            # Each read may be a request; of this machine's files, reads of blocks took 3 % of the
            # time of counting .jsonl.zst. What comes to standard input is read as it comes.
            if isinstance(file, LocalFile) or (isinstance(file, RawIOBase) and is_url(path)):
                file = BufferedReader(file, REQUESTED)
            compressed = CompressedFile(path, file, compression)
            first_bytes, file = _look_at(compressed)
            if compression_of("", first_bytes) is not None:
                raise ValueError(f"{path} is compressed twice: decompress it once before")
        check_text(path, first_bytes, by_name=by_name)
        if start:
            _go_to(file, start)
        yield file if end is None else FileBefore(file, end - start)


def _look_at(file: Stream) -> tuple[bytes, Stream]:
    """Return the first bytes of a file, and the file, of which nothing has been read."""
    first_bytes = b""
    while len(first_bytes) < N_FIRST and (more := file.read(N_FIRST - len(first_bytes))):
        first_bytes += more
    try:
        file.seek(0)
    except (OSError, ValueError):  # compressed, a pipe, or a server that gives whole files only
        return first_bytes, FileAfterHead(first_bytes, file)
    return first_bytes, file


def _go_to(file: Stream, start: int) -> None:
    try:
        file.seek(start)
    except (OSError, ValueError):  # compressed, or from a server that gives whole files only
        while start > 0 and (block := file.read(min(start, SKIPPED))):
            start -= len(block)
