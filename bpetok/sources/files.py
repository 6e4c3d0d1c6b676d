"""Paths, globs, folders and URLs to files, and files to bytes, uncompressed."""

from __future__ import annotations

import glob
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import Any, BinaryIO, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from bpetok._extras import require
from bpetok._manyfiles import file_sizes
from bpetok._threads import map_threads

StrPath: TypeAlias = str | os.PathLike[str]
STANDARD_INPUT = "-"
COMPRESSED = (".gz", ".zst", ".bz2", ".xz")
MANY = 1 << 14
"""Paths that are looked at at a time."""
SKIPPED = 1 << 20
"""Bytes that are read at a time to get behind them."""
FORMAT_OF = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}


def resolve_files(files: StrPath | Iterable[StrPath]) -> list[str]:
    """Return the paths and URLs of existing files, as `find_files`."""
    return find_files(files)[0]


def find_files(
    files: StrPath | Iterable[StrPath], n_threads: int = 1
) -> tuple[list[str], NDArray[np.int64]]:
    """Find existing files; patterns and folders are expanded, sorted.

    Of a folder all files are taken, at any depth, whose names, and those of the folders on the way,
    do not begin with a dot or an underscore.

    Returns
    -------
    paths : list of str
        Paths and URLs.
    sizes : int64 array, shape (n_paths,)
        The bytes of regular files on this machine, -1 for all else.

    Raises
    ------
    FileNotFoundError, PermissionError
        If a path is not a file that can be read, or a pattern or a folder has none.
    ImportError
        If a URL needs a package that is not installed.
    ValueError
        If there is no path at all.
    """
    names: list[str] = []
    for file in [files] if isinstance(files, str | os.PathLike) else files:
        if not isinstance(file, str | os.PathLike):
            raise TypeError(f"a file must be a str or a path, got {file!r}")
        names.append(os.fspath(file))
    sizes = _sizes(names, n_threads)
    if (sizes < 0).any():
        found = zip(names, sizes.tolist(), strict=True)
        names = [path for name, size in found for path in ([name] if size >= 0 else _expand(name))]
        sizes = _sizes(names, n_threads)
    if not names:
        raise ValueError("files must name at least one file, got none")
    for i in np.flatnonzero(sizes < 0).tolist():
        sizes[i] = _checked_size(names[i])
    return names, sizes


def _sizes(paths: list[str], n_threads: int) -> NDArray[np.int64]:
    """Return the sizes of regular files that may be read; -1 where it takes a closer look."""
    parts = [paths[first : first + MANY] for first in range(0, len(paths), MANY)]
    return np.concatenate([np.empty(0, np.int64), *map_threads(_sizes_of_some, parts, n_threads)])


def _sizes_of_some(paths: list[str]) -> NDArray[np.int64]:
    names = null_ended(paths)
    if names.count(b"\0") > len(paths):  # one has a NUL in it
        return np.full(len(paths), -1)
    sizes = file_sizes(names, len(paths))
    if b"://" in names or STANDARD_INPUT in paths:
        sizes[[path == STANDARD_INPUT or is_url(path) for path in paths]] = -1
    return sizes


def null_ended(paths: Iterable[str]) -> bytes:
    """Return paths as `bpetok._manyfiles` takes them. Requires: no NUL in them."""
    return os.fsencode("".join([f"{path}\0" for path in paths]))


def _expand(path: str) -> list[str]:
    if path == STANDARD_INPUT:
        if sys.stdin is None:
            raise FileNotFoundError("'-' is standard input, and there is none")
        return [path]
    if is_url(path):
        return _expand_url(path)
    if os.path.isdir(path):  # noqa: PTH112  # a quarter of the time of Path
        found = _walk(path)
        if not found:
            raise FileNotFoundError(f"no files in the folder {path!r}")
    elif os.path.exists(path):  # noqa: PTH110
        found = [path]
    elif glob.has_magic(path):
        # Not Path.glob: that one takes no absolute pattern.
        matches = glob.glob(path, recursive=True)  # noqa: PTH207
        found = sorted(match for match in matches if not os.path.isdir(match))  # noqa: PTH112
        if not found:
            raise FileNotFoundError(f"no file matches the pattern {path!r}")
    else:
        raise FileNotFoundError(f"no such file: {path!r}")
    return found


def _checked_size(path: str) -> int:
    """Return the size of a file that is to be read, -1 if it is no regular one on this machine."""
    if path == STANDARD_INPUT or is_url(path):
        return -1
    if not os.access(path, os.R_OK):
        raise PermissionError(f"no permission to read {path!r}")
    state = os.stat(path)  # noqa: PTH116
    return state.st_size if S_ISREG(state.st_mode) else -1


def _walk(folder: str) -> list[str]:
    """Return the files of a folder, then those of its folders, sorted by name."""
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
    files.sort()
    for path in sorted(folders):
        files += _walk(path)
    return files


def is_url(path: str) -> bool:
    """Tell whether a path is one that fsspec opens."""
    return "://" in path


def local_files(paths: Iterable[str]) -> list[str]:
    """Return those of the paths that `resolve_files` gave which are files on this machine."""
    return [path for path in paths if path != STANDARD_INPUT and not is_url(path)]


def _expand_url(url: str) -> list[str]:
    file_system, path = _file_system(url)
    if glob.has_magic(path):
        found = sorted(file_system.glob(path))
    elif file_system.isdir(path):
        found = sorted(
            name
            for name in file_system.find(path)
            if all(part[0] not in "._" for part in name[len(path) :].split("/") if part)
        )
    else:
        found = [path] if file_system.exists(path) else []
    if not found:
        raise FileNotFoundError(f"no such file: {url!r}")
    return [file_system.unstrip_protocol(name) for name in found]


def _file_system(url: str) -> tuple[Any, str]:
    fsspec = require("fsspec", "hub")
    if url.startswith("hf://"):  # of which fsspec does not name the package
        require("huggingface_hub", "hub")
    try:
        return cast("tuple[Any, str]", fsspec.core.url_to_fs(url))
    except ImportError as error:  # names the package
        raise ImportError(f"reading {url} needs another package: {error}") from None


def file_state(path: str) -> tuple[int, str]:
    """Return the size of a file and what changes when it is written: a time or a tag."""
    if not is_url(path):
        state = os.stat(path)  # noqa: PTH116  # a Path takes as long as the call
        return state.st_size, str(state.st_mtime_ns)
    file_system, name = _file_system(path)
    info = file_system.info(name)
    tags = (info.get(key) for key in ("ETag", "etag", "mtime", "LastModified", "updated"))
    return int(info.get("size") or 0), str(next(filter(None, tags), ""))


def sample_files() -> list[str]:
    """Return the sources of the running Python's standard library: text that every machine has."""
    library = Path(sysconfig.get_path("stdlib"))
    left_out = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"}
    return [
        str(path)
        for path in sorted(library.rglob("*.py"))
        if left_out.isdisjoint(path.relative_to(library).parts)
    ]


def format_of(path: str) -> str:
    """Return the format that a file's name tells; "json" may be text or lines."""
    if path.endswith(COMPRESSED):
        path = path[: path.rindex(".")]
    return FORMAT_OF.get(path[path.rfind(".") :].lower(), "text")


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Open a file, or what standard input or a URL gives, as it is; see that it stays as it is.

    Raises
    ------
    OSError
        If the file can't be opened or, at the end, is not what it was at the beginning.
    """
    if path == STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    if is_url(path):
        file_system, name = _file_system(path)
        with file_system.open(name, "rb") as file:
            yield file
        return
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123  # as above
        before = _state(os.fstat(file.fileno()))
        yield cast("BinaryIO", file)
    try:
        after = _state(os.stat(path))  # noqa: PTH116
    except FileNotFoundError:
        after = None
    if after != before:
        raise changed(path)


def changed(path: str) -> OSError:
    """Return the error for a file that is not what it was."""
    return OSError(f"{path} changed while it was read: what was counted is of no use")


def _state(state: os.stat_result) -> tuple[int, ...]:
    if not S_ISREG(state.st_mode):
        return ()
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


def damaged(path: str, error: object) -> ValueError:
    """Return the error for a file that can't be decompressed or parsed."""
    return ValueError(f"{path} is damaged or not whole: {error}")


@contextmanager
def opened_bytes(path: str, start: int = 0) -> Iterator[BinaryIO]:
    """Open a file as `opened` does and decompress it if its name says that it is compressed.

    Reading begins at the byte `start`, uncompressed.
    """
    with opened(path) as raw:
        file = uncompressed(path, raw)
        if start:
            _go_to(file, start)
        yield file


def _go_to(file: BinaryIO, start: int) -> None:
    try:
        file.seek(start)
    except (OSError, ValueError):  # compressed, or from a server that gives whole files only
        while start > 0 and (block := file.read(min(start, SKIPPED))):
            start -= len(block)


def uncompressed(path: str, file: BinaryIO) -> BinaryIO:
    """Return what reads an open file, decompressed if its name says that it is compressed."""
    if not path.endswith(COMPRESSED):
        return file
    from bpetok.sources.compression import CompressedFile

    return cast("BinaryIO", CompressedFile(path, file))
