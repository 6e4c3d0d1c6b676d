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

from bpetok._extras import require

StrPath: TypeAlias = str | os.PathLike[str]
STANDARD_INPUT = "-"
COMPRESSED = (".gz", ".zst", ".bz2", ".xz")
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
    """Return the paths and URLs of existing files; patterns and folders expanded, sorted.

    Of a folder all files are taken, at any depth, whose names, and those of the folders on the way,
    do not begin with a dot or an underscore.

    Raises
    ------
    FileNotFoundError, PermissionError
        If a path is not a file that can be read, or a pattern or a folder has none.
    ImportError
        If a URL needs a package that is not installed.
    ValueError
        If there is no path at all.
    """
    paths: list[str] = []
    for file in [files] if isinstance(files, str | os.PathLike) else files:
        if not isinstance(file, str | os.PathLike):
            raise TypeError(f"a file must be a str or a path, got {file!r}")
        paths += _expand(os.fspath(file))
    if not paths:
        raise ValueError("files must name at least one file, got none")
    return paths


def _expand(path: str) -> list[str]:
    if path == STANDARD_INPUT:
        if sys.stdin is None:
            raise FileNotFoundError("'-' is standard input, and there is none")
        return [path]
    if is_url(path):
        return _expand_url(path)
    # Paths may be a million: os.path takes a quarter of the time of Path.
    if os.path.isdir(path):  # noqa: PTH112
        found = list(_walk(path))
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
    for name in found:
        if not os.access(name, os.R_OK):
            raise PermissionError(f"no permission to read {name!r}")
    return found


def _walk(folder: str) -> Iterator[str]:
    """Yield the files of a folder, then those of its folders, sorted by name."""
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except PermissionError:
        raise PermissionError(f"no permission to read the folder {folder!r}") from None
    shown = [entry for entry in entries if entry.name[0] not in "._"]
    yield from (entry.path for entry in shown if not entry.is_dir())
    for entry in shown:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)


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


def total_size(paths: Iterable[str]) -> int | None:
    """Return the bytes of plain text files together, None if one is something else."""
    total = 0
    for path in paths:
        if path == STANDARD_INPUT or is_url(path) or format_of(path) != "text":
            return None
        state = os.stat(path)  # noqa: PTH116  # a Path takes as long as the call
        if not S_ISREG(state.st_mode) or path.endswith(COMPRESSED):
            return None
        total += state.st_size
    return total


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
        raise _changed(path)


def _changed(path: str) -> OSError:
    return OSError(f"{path} changed while it was read: what was counted is of no use")


def _state(state: os.stat_result) -> tuple[int, ...]:
    if not S_ISREG(state.st_mode):
        return ()
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


def damaged(path: str, error: object) -> ValueError:
    """Return the error for a file that can't be decompressed or parsed."""
    return ValueError(f"{path} is damaged or not whole: {error}")


def read_small(path: str, most: int) -> bytes | None:
    """Return what a small file has that is not compressed, None if it is something else.

    For each of a million files that takes half of the time of `opened_bytes`.
    """
    if path == STANDARD_INPUT or is_url(path) or path.endswith(COMPRESSED):
        return None
    before = os.stat(path)  # noqa: PTH116
    if not S_ISREG(before.st_mode) or not 0 < before.st_size <= most:
        return None
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        data = file.read(before.st_size + 1)
        if len(data) != before.st_size or _state(os.fstat(file.fileno())) != _state(before):
            raise _changed(path)
    return data


@contextmanager
def opened_bytes(path: str) -> Iterator[BinaryIO]:
    """Open a file as `opened` does and decompress it if its name says that it is compressed."""
    with opened(path) as file, uncompressed(path, file) as plain:
        yield plain


@contextmanager
def uncompressed(path: str, file: BinaryIO) -> Iterator[BinaryIO]:
    """Give what reads an open file, decompressed if its name says that it is compressed."""
    if not path.endswith(COMPRESSED):
        yield file
        return
    from bpetok.sources.compression import decompressed

    with decompressed(path, file) as plain:
        yield plain
