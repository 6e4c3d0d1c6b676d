"""What a user gives to read, and the texts in it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np

from bpetok._extras import require
from bpetok.sources.arrow import check_table, ipc_items, is_table, parquet_items, table_items
from bpetok.sources.files import (
    StrPath,
    format_of,
    local_files,
    opened_bytes,
    read_small,
    resolve_files,
    total_size,
)
from bpetok.sources.jsonl import JsonLines
from bpetok.sources.pieces import Chunk, Piece, Read, cut, split_lines
from bpetok.sources.reading import Context, ReadOptions, Sampler

Table: TypeAlias = object
"""Anything with ``__arrow_c_stream__`` (a pyarrow or Polars table, a pyarrow record batch or reader
...), or a Hugging Face dataset."""

Files: TypeAlias = StrPath | Table | Iterable[StrPath | Table]


class Corpus(NamedTuple):
    """Files and tables, known to be there, in order.

    sources : list
        A str is the path or URL of a file, anything else a table.
    total : int or None
        The bytes of text, where that is known without reading.
    """

    sources: list[str | Table]
    total: int | None

    @property
    def paths(self) -> list[str]:
        """The files only."""
        return [source for source in self.sources if isinstance(source, str)]

    @property
    def local_paths(self) -> list[str]:
        """The paths of the files on this machine."""
        return local_files(self.paths)


def resolve_corpus(files: Files, options: ReadOptions) -> Corpus:
    """Find the files and check what can be checked before reading.

    Raises
    ------
    FileNotFoundError, PermissionError, ImportError, TypeError, ValueError
        As `resolve_files`; if a format needs a package that is not installed; if a file's name does
        not tell its format.
    """
    if is_table(files) or isinstance(files, str | os.PathLike):
        files = [files]
    if not isinstance(files, Iterable):
        raise TypeError(f"files must be a path, a table or an iterable of them, got {files!r}")
    sources: list[str | Table] = []
    for source in cast("Iterable[Any]", files):
        if is_table(source):
            check_table(source)
            sources.append(source)
        else:
            sources += resolve_files([source])
    if not sources:
        raise ValueError("files must name at least one file, got none")
    paths = [source for source in sources if isinstance(source, str)]
    for path in paths:
        _check_format(path, options)
    return Corpus(sources, _total(sources, options))


def _total(sources: list[str | Table], options: ReadOptions) -> int | None:
    if any(not isinstance(source, str) for source in sources):
        return None
    if options._replace(format=None) != ReadOptions(text_column=options.text_column):
        return None
    return total_size(source for source in sources if isinstance(source, str))


def _check_format(path: str, options: ReadOptions) -> None:
    if path.endswith(".zst"):
        require("zstandard", "arrow")
    name = options.format or format_of(path)
    if name == "json":
        raise ValueError(
            f"{path} may be one text, or a record in each line: say format='text' or format='jsonl'"
        )
    if name == "jsonl":
        require("orjson", "arrow")
    elif name != "text":
        require("pyarrow", "arrow")


def corpus_items(corpus: Corpus, context: Context) -> Iterator[Piece | Chunk]:
    """Yield all texts."""
    items = (
        item
        for number in range(len(corpus.sources))
        for item in source_items(corpus, context, number)
    )
    if context.options.max_bytes is None:
        return items
    return _at_most(context.options.max_bytes, items)


def source_items(corpus: Corpus, context: Context, number: int) -> Iterator[Piece | Chunk]:
    """Yield the texts of one file or table; `max_bytes` is not looked at."""
    source = corpus.sources[number]
    sampler = Sampler(context.options, number)
    if not isinstance(source, str):
        return table_items(source, context, sampler)
    name = context.options.format or format_of(source)
    if name == "parquet":
        return parquet_items(source, context, sampler)
    if name == "arrow":
        return ipc_items(source, context, sampler)
    if name == "jsonl":
        return JsonLines(source, context).items(sampler)
    return _text_items(source, context, sampler)


def _text_items(path: str, context: Context, sampler: Sampler) -> Iterator[Piece | Chunk]:
    """Yield a plain text file."""
    for piece in _text_pieces(path, context):
        if sampler.share == 1 or sampler.choose(1)[0]:
            yield split_lines(piece) if context.cutting.by_line else piece


def _text_pieces(path: str, context: Context) -> Iterator[Piece]:
    most = context.options.max_text_chars
    small = read_small(path, context.cutting.chunk_size) if most is None else None
    if small is not None:
        return iter([Piece(path, 0, small)] if small else [])
    return _read_pieces(path, context, most)


def _read_pieces(path: str, context: Context, most_chars: int | None) -> Iterator[Piece]:
    with opened_bytes(path) as file:
        read: Read = file.read
        if most_chars is not None:
            read = _at_most_chars(most_chars, read)
        yield from cut(path, read, context.cutting)


def _at_most_chars(n_chars: int, read: Read) -> Read:
    """Return a function that reads like `read`, but no more than some characters of UTF-8."""
    left = n_chars

    def read_on(size: int) -> bytes | None:
        nonlocal left
        if left < 0:
            return b""
        block = read(size) or b""
        begins = np.flatnonzero((np.frombuffer(block, np.uint8) & 0xC0) != 0x80)
        if len(begins) > left:
            block = block[: begins[left]]
        left -= len(begins)
        return block

    return read_on


def _at_most(n_bytes: int, items: Iterable[Piece | Chunk]) -> Iterator[Piece | Chunk]:
    """Yield the same up to some bytes; the last text is cut where a character ends."""
    for item in items:
        if len(item.data) < n_bytes:
            yield item
            n_bytes -= len(item.data)
            continue
        end = n_bytes
        while 0 < end < len(item.data) and item.data[end] & 0xC0 == 0x80:
            end -= 1
        item = item._replace(data=item.data[:end])
        yield item._replace(ends=np.minimum(item.ends, end)) if isinstance(item, Chunk) else item
        return
