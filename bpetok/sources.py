"""Files and iterables to chunks: bytes of whole words, some megabytes at a time.

A *piece* is a text, or a part of a long one, cut where a word ends whatever follows. A *chunk* is
one or more pieces in one buffer, as much as one thread counts at a time.
"""

from __future__ import annotations

import glob
import os
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bpetok._scan import last_word_end
from bpetok._special import SpecialTokens
from bpetok.patterns import ends_at_spaces

StrPath: TypeAlias = str | os.PathLike[str]
Buffer: TypeAlias = bytes | memoryview

CHUNK_SIZE = 1 << 21
"""Bytes that a thread counts at a time: enough to make Python's part small, few enough for the
bytes to stay in a core's cache from reading to counting."""


class Piece(NamedTuple):
    """Bytes of a text from `offset` on; `origin` names the text in messages."""

    origin: str
    offset: int
    data: Buffer


class Chunk(NamedTuple):
    """Pieces one after another in one buffer.

    data : bytes-like
    ends : int64 array, shape (n_pieces,)
        Where each piece ends in `data`.
    pieces : list of Piece
    """

    data: Buffer
    ends: NDArray[np.int64]
    pieces: list[Piece]


def resolve_files(files: StrPath | Iterable[StrPath]) -> list[str]:
    """Return the paths of existing files, glob patterns expanded and sorted.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        If a path is not a file that can be read, or a pattern matches none.
    ValueError
        If there is no path at all.
    """
    paths: list[str] = []
    for file in [files] if isinstance(files, str | os.PathLike) else files:
        if not isinstance(file, str | os.PathLike):
            raise TypeError(f"a file must be a str or a path, got {file!r}")
        path = os.fspath(file)
        if Path(path).exists() or not glob.has_magic(path):
            _check_file(path)
            paths.append(path)
            continue
        # Not Path.glob: that one takes no absolute pattern.
        found = glob.glob(path, recursive=True)  # noqa: PTH207
        matches = sorted(match for match in found if not Path(match).is_dir())
        if not matches:
            raise FileNotFoundError(f"no file matches the pattern {path!r}")
        for match in matches:
            _check_file(match)
        paths += matches
    if not paths:
        raise ValueError("files must name at least one file, got none")
    return paths


def _check_file(path: str) -> None:
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        raise FileNotFoundError(f"no such file: {path!r}") from None
    if S_ISDIR(mode):
        pattern = str(Path(path, "**", "*.txt"))
        raise IsADirectoryError(f"{path!r} is a folder: name its files, for example {pattern!r}")
    if not os.access(path, os.R_OK):
        raise PermissionError(f"no permission to read {path!r}")


def total_size(paths: Iterable[str]) -> int | None:
    """Return the bytes of the files together, None if one is no regular file."""
    states = [Path(path).stat() for path in paths]
    if not all(S_ISREG(state.st_mode) for state in states):
        return None
    return sum(state.st_size for state in states)


def sample_files() -> list[str]:
    """Return the sources of the running Python's standard library: text that every machine has."""
    library = Path(sysconfig.get_path("stdlib"))
    left_out = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"}
    return [
        str(path)
        for path in sorted(library.rglob("*.py"))
        if left_out.isdisjoint(path.relative_to(library).parts)
    ]


def file_pieces(
    paths: Iterable[str],
    special_tokens: SpecialTokens,
    chunk_size: int = CHUNK_SIZE,
    *,
    pattern: str = "gpt2",
) -> Iterator[Piece]:
    """Read files piece by piece, of little more than `chunk_size` bytes but for a longer word."""
    for path in paths:
        with Path(path).open("rb", buffering=0) as file:
            for offset, data in _cut(file.read, special_tokens, chunk_size, pattern):
                yield Piece(path, offset, data)


def text_pieces(
    texts: Iterable[str | bytes],
    special_tokens: SpecialTokens,
    chunk_size: int = CHUNK_SIZE,
    *,
    pattern: str = "gpt2",
) -> Iterator[Piece]:
    """Take texts from an iterable; long ones are cut into pieces of about `chunk_size`.

    Raises
    ------
    TypeError
        If `texts` is itself a text, or has something else in it.
    ValueError
        If a text has a lone surrogate.
    """
    if isinstance(texts, str | bytes):
        raise TypeError("texts must be an iterable of texts, got a single one: wrap it in a list")
    for number, text in enumerate(texts):
        data = _encoded(text, number)
        if len(data) <= chunk_size:
            yield Piece(f"text {number}", 0, data)
            continue
        for offset, part in _cut(_reader(data), special_tokens, chunk_size, pattern):
            yield Piece(f"text {number}", offset, part)


def _encoded(text: object, number: int) -> bytes:
    if isinstance(text, bytes):
        return text
    if not isinstance(text, str):
        raise TypeError(f"text {number} must be a str or bytes, got {type(text).__name__}")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"text {number} has a lone surrogate at character {error.start}, which UTF-8 cannot "
            "hold: decode the source with errors='replace'"
        ) from None


def _reader(data: bytes) -> Callable[[int], bytes]:
    """Return a function that reads on in `data`, as a file's does."""
    position = 0

    def read(size: int) -> bytes:
        nonlocal position
        start = position
        position += size
        return data[start:position]

    return read


def _cut(
    read: Callable[[int], bytes | None],
    special_tokens: SpecialTokens,
    chunk_size: int,
    pattern: str,
) -> Iterator[tuple[int, Buffer]]:
    """Read a text to its end and yield (offset, bytes) of whole words."""
    find = find_cut if ends_at_spaces(pattern) else find_special_cut
    data = b""
    offset = 0
    wanted = chunk_size
    while block := read(wanted - len(data)):
        data += block
        if len(data) < wanted:
            continue
        cut = find(data, special_tokens)
        if cut > 0:
            yield offset, memoryview(data)[:cut]
            offset += cut
            data = data[cut:]
            wanted = chunk_size
        if 2 * len(data) > wanted:  # a word of that length: look again when it has doubled
            wanted = 2 * len(data)
    if data:
        yield offset, data


def find_cut(data: bytes, special_tokens: SpecialTokens) -> int:
    """Return the last offset in a part of a text where it can be cut in two, or -1.

    Requires: a pattern of which `ends_at_spaces` holds.

    Words and special tokens on either side are the same as in the whole, whatever follows.
    """
    # What begins in the last bytes may go on behind them.
    end = len(data) - max(4, special_tokens.longest)
    while end > 0:
        end = last_word_end(data, 0, end)
        straddling = special_tokens.first_across(data, end) if end > 0 else -1
        if straddling < 0:
            return end
        # A special token ends the word before it, unless another one lies across its start.
        if straddling > 0 and special_tokens.first_across(data, straddling) < 0:
            return straddling
        end = straddling
    return -1


def find_special_cut(data: bytes, special_tokens: SpecialTokens) -> int:
    """Return the offset behind the last special token in a part of a text, or -1.

    That is all that is sure to end a word where the pattern is not known to end any.
    """
    # What begins in the last bytes may be a longer special token.
    certain = len(data) - special_tokens.longest
    spans = special_tokens.spans(data)
    return next((end for start, end in reversed(spans) if start <= certain), -1)


def chunks(pieces: Iterable[Piece], chunk_size: int = CHUNK_SIZE) -> Iterator[Chunk]:
    """Join small pieces to chunks of about `chunk_size` bytes."""
    group: list[Piece] = []
    size = 0
    for piece in pieces:
        if group and size + len(piece.data) > chunk_size:
            yield make_chunk(group)
            group, size = [], 0
        group.append(piece)
        size += len(piece.data)
    if group:
        yield make_chunk(group)


def make_chunk(pieces: list[Piece]) -> Chunk:
    """Join pieces."""
    ends = np.fromiter(accumulate(len(piece.data) for piece in pieces), np.int64, len(pieces))
    if len(pieces) == 1:
        return Chunk(pieces[0].data, ends, pieces)
    return Chunk(b"".join(piece.data for piece in pieces), ends, pieces)
