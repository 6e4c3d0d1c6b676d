"""Parts of a file chosen at random, and how much text the file has in all."""

from __future__ import annotations

import os
from io import BytesIO

import numpy as np

from bpetok.base.records import NamedTuple
from bpetok.sources.files import file_state, format_of, may_be_lines, opened_bytes
from bpetok.sources.jsonl import JsonLines
from bpetok.sources.parquet import parquet_items, parquet_sizes
from bpetok.sources.pieces import Chunk, Piece, cut_text
from bpetok.sources.reading import Position, ReadContext, unmarked
from bpetok.sources.streams import LocalFile, Stream

BLOCK_SIZE = 1 << 17
"""Bytes of text in one place; the more places, the better a sample of files joined to one."""
LINES_SIZE = 1 << 20
"""The same for lines of JSON, which are longer than lines."""


class FileSample(NamedTuple):
    """Some texts of a file, or pieces of them, and about how many bytes all its texts have.

    blocks : list of lists
        Texts that follow each other in the file, in order: they are more alike than others.
    """

    blocks: list[list[Piece | Chunk]]
    n_bytes: float

    @property
    def n_sampled(self) -> int:
        """The bytes of the texts."""
        return sum(len(item.data) for block in self.blocks for item in block)


def sampled_format(path: str, context: ReadContext) -> str | None:
    """Return the format of a file, None if `sample_file` knows no parts of it."""
    name = context.of(path).options.format or format_of(path)
    return name if name in ("text", "jsonl", "parquet") else None


def sample_file(
    path: str, size: int, context: ReadContext, random: np.random.Generator
) -> FileSample:
    """Return about `size` bytes of a file's text, all if it has no more.

    They are blocks, or row groups, at random places; of compressed files and URLs the beginning.

    Raises
    ------
    ValueError
        If it is neither text nor JSON lines nor Parquet, or text of which the beginning is wanted.
    """
    context = context.of(path)
    name = sampled_format(path, context)
    if name == "parquet":
        return _sample_parquet(path, size, context, random)
    if name is None:
        found = context.options.format or format_of(path)
        raise ValueError(f"{path}: an estimate needs text, JSON lines or Parquet, this is {found}")
    if name == "text" and context.options.max_text_chars is not None:
        raise ValueError(
            f"{path}: max_text_chars can't be estimated for plain text, where it takes the "
            "beginning of a file: leave it out"
        )
    file_size = file_state(path)[0]
    block_size = BLOCK_SIZE if name == "text" else LINES_SIZE
    by_name = name == "text" and context.options.format is None and may_be_lines(path)
    with opened_bytes(path, by_name=by_name, stop=context.stop) as file:
        share = 0.0
        if isinstance(file, LocalFile) and file_size > size:
            blocks, share = _blocks(file, max(1, size // block_size), block_size, random)
            file.seek(0)
        # Of JSON lines longer than blocks there is none.
        if share == 0:
            blocks, share = _beginning(file, size, file_size)
    items: list[list[Piece | Chunk]] = []
    for block in blocks:
        if name == "text":
            items.append(list(cut_text(path, block, context.cutting)))
        else:
            # As one chunk: text of one place is alike, and points of the curve of growth within it
            # say too little of the rest. The factor by which half of it was wrong was 1.17 then,
            # instead of 1.26, where twice as many words came as were expected.
            whole = context.cutting._replace(chunk_size=max(LINES_SIZE, context.cutting.chunk_size))
            lines = JsonLines(path, context._replace(cutting=whole))
            texts = lines.read_items(BytesIO(block), Position())
            items.append(list(unmarked(texts)))
    sample = FileSample(items, 0)
    return sample._replace(n_bytes=sample.n_sampled / share if share else 0)


def _beginning(file: Stream, size: int, file_size: int) -> tuple[list[bytes], float]:
    """Return the first bytes, to the end of a line, and their share of the file."""
    parts: list[bytes] = []
    left = size
    while (left > 0 or b"\n" not in parts[-1]) and (part := file.read(LINES_SIZE)):
        parts.append(part)
        left -= len(part)
    whole = b"".join(parts)
    if left > 0 or file.tell() >= file_size:
        return [whole], 1
    end = whole.rfind(b"\n") + 1
    return [whole[:end]], file.tell() / file_size * end / len(whole)


def _blocks(
    file: Stream, n_blocks: int, block_size: int, random: np.random.Generator
) -> tuple[list[bytes], float]:
    """Return whole lines, or words where lines are long, from random places, and their share."""
    blocks = []
    file_size = file.seek(0, os.SEEK_END)
    # One from each of as many equal parts, so that none is read twice.
    offsets = (np.arange(n_blocks) + random.random(n_blocks)) * (file_size / n_blocks)
    for offset in np.minimum(offsets, file_size - block_size).astype(int).tolist():
        file.seek(offset)
        block = file.read(block_size)
        end_of = b" " if block_size == BLOCK_SIZE and block.count(b"\n") < 2 else b"\n"
        blocks.append(block[block.find(end_of) + 1 : block.rfind(end_of) + 1])
    return blocks, sum(map(len, blocks)) / file_size


def _sample_parquet(
    path: str, size: int, context: ReadContext, random: np.random.Generator
) -> FileSample:
    sizes = parquet_sizes(path, context)
    blocks: list[list[Piece | Chunk]] = []
    left = size
    for group in random.permutation(len(sizes)).tolist():
        blocks.append([])
        for item in unmarked(
            parquet_items(path, context, Position(at=group), Position(at=group + 1))
        ):
            blocks[-1].append(item)
            left -= len(item.data)
            if left <= 0:
                # The column has little besides the texts, four bytes for each.
                return FileSample(blocks, sum(sizes))
    sample = FileSample(blocks, 0)
    return sample._replace(n_bytes=sample.n_sampled)
