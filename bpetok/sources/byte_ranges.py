"""Large files of text and of JSON lines to ranges of bytes, which several threads read."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bpetok.base.threads import Stop, StoppedError
from bpetok.sources.compression import compression_of
from bpetok.sources.contents import N_FIRST
from bpetok.sources.files import file_state
from bpetok.sources.pieces import local_cut_finder
from bpetok.sources.reading import UNKNOWN, Position, ReadContext
from bpetok.sources.streams import LocalFile

LOOKED_AT = 1 << 16
"""Bytes that are looked at for a place to cut at. Where none of so many is one, hardly any is."""
BLOCK_SIZE = 1 << 20
"""Bytes that are read at a time where only line feeds are looked for."""
FIRST_SIZE = 1 << 12
"""The same at the beginning of a file that hardly has to be read."""

NextCut = Callable[[LocalFile, int, int], int]
"""Returns where to cut a file: nearly at the place, but after `begin`; `begin` if nowhere there."""


def text_ranges(
    path: str, context: ReadContext, first: Position, stop: Position, part_size: int
) -> Iterator[tuple[Position, Position]]:
    """Yield where parts of a text file begin and end, from one position to another.

    Each has about `part_size` bytes. It is one part if the text is compressed, not taken as a
    whole, or can't be cut by what is around a place.
    """
    cutting = context.cutting
    find = local_cut_finder(cutting)
    if context.options.take_all and cutting.by_line:
        yield from _ranges(path, context, first, stop, part_size, _next_line)
        return
    if find is None or not context.options.take_all:
        yield first, stop
        return
    special_tokens = cutting.special_tokens
    # A special token that lies across the place, or across the beginning of such a one.
    least = 2 * max(4, special_tokens.longest)

    def next_cut(file: LocalFile, begin: int, at: int) -> int:
        start = max(begin, at - LOOKED_AT - 4 * least)
        file.seek(start)
        data = file.read(at - start)
        # Characters that begin before are no part of what is looked at.
        n_before = 0
        while start > begin and n_before < len(data) and data[n_before] & 0xC0 == 0x80:
            n_before += 1
        end = find(data[n_before:], special_tokens)
        if end <= (0 if start == begin else least):
            return begin
        return start + n_before + end

    yield from _ranges(path, context, first, stop, part_size, next_cut)


def line_ranges(
    path: str, context: ReadContext, first: Position, stop: Position, part_size: int
) -> Iterator[tuple[Position, Position]]:
    """Yield where parts of a file of lines begin and end, from one position to another.

    Each has whole lines, of about `part_size` bytes. It is one part if it is compressed or sampled.
    """
    yield from _ranges(path, context, first, stop, part_size, _next_line)


def _ranges(
    path: str,
    context: ReadContext,
    first: Position,
    stop: Position,
    part_size: int,
    next_cut: NextCut,
) -> Iterator[tuple[Position, Position]]:
    end = stop.at if stop.file == first.file else file_state(path)[0]
    begin, at = first, first.at + part_size
    if context.options.sample == 1 and at < end:
        with LocalFile(path) as file:
            if compression_of(path, file.read(N_FIRST)) is not None:
                end = begin.at
            while at < end:
                cut = next_cut(file, begin.at, at)
                if begin.at < cut < end:
                    here = Position(first.file, cut, UNKNOWN)
                    yield begin, here
                    begin = here
                at = max(at, cut) + part_size
    yield begin, stop


def _next_line(file: LocalFile, begin: int, at: int) -> int:
    """Return where the line ends that the byte before the place is in, or the file."""
    file.seek(at - 1)
    here = at - 1
    while block := file.read(LOOKED_AT if here < at else BLOCK_SIZE):
        found = block.find(b"\n")
        if found >= 0:
            return here + found + 1
        here += len(block)
    return here


def count_lines(path: str, end: int, stop: Stop) -> int:
    """Return the number of line feeds before a place in a file that is not compressed.

    Raises
    ------
    StoppedError
        If that is no longer wanted.
    """
    n_lines = 0
    for block in _blocks(path, end):
        n_lines += block.count(b"\n")
        if stop.is_set():
            raise StoppedError
    return n_lines


def is_blank(path: str, end: int, blank: bytes) -> bool:
    """Tell whether a file that is not compressed has only such bytes before a place."""
    return not any(block.translate(None, blank) for block in _blocks(path, end, FIRST_SIZE))


def _blocks(path: str, end: int, size: int = BLOCK_SIZE) -> Iterator[bytes]:
    with LocalFile(path) as file:
        while end > 0 and (block := file.read(min(end, size))):
            yield block
            end -= len(block)
            size = BLOCK_SIZE
