"""Texts to words: each thread counts chunks into a table of its own, then these are combined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from queue import SimpleQueue

import numpy as np

from bpetok.base.threads import map_with_caller
from bpetok.base.timing import stage
from bpetok.counting.arrays import Int64, WordArrays, combine_tables
from bpetok.counting.counters import Counter, make_counters
from bpetok.counting.memory import RareWords
from bpetok.counting.options import CountOptions
from bpetok.counting.spill import Spill
from bpetok.counting.words import Words
from bpetok.patterns.errors import SplitError
from bpetok.sources.pieces import Buffer, Chunk, Origin, Piece, chunks_of, join


def count_pieces(
    pieces: Iterable[Piece | Chunk],
    options: CountOptions,
    rare: RareWords,
    on_count: Callable[[int], object] | None = None,
) -> Words:
    """Count the words of pieces or chunks: each thread into a table of its own, then combined.

    Tables that reach their share of `rare.limits.max_memory` are spilled into files; only then rare
    words are left out here, since others may be left out when the words of all texts are known. The
    caller's thread reads, so that an iterator is not asked from several threads, and counts when it
    is ahead of the others. A KeyboardInterrupt waits only for the chunks that are being counted.
    Where the order of the words matters, one thread counts, and there must be no `max_memory`.

    Parameters
    ----------
    pieces : iterable of Piece or Chunk
    options : CountOptions
    rare : RareWords
    on_count : callable, optional
        Called with the number of bytes counted so far, after each chunk.
    """
    n_threads = 1 if options.in_order else options.n_threads
    counters = make_counters(options, n_threads)
    spill = None if rare.limits.max_memory is None else Spill()
    try:
        if spill is not None:
            for counter in counters:
                counter.limit_memory(rare.limits.table_limit(n_threads), spill.write)
        chunks = _timed(chunks_of(pieces, options.cutting.chunk_size))
        _count_chunks(counters, chunks, options, on_count)
        tables = [counter.table() for counter in counters]
        if spill is not None:
            arrays = spill.merge(tables, rare, n_threads)
        elif options.in_order:
            arrays = WordArrays(*tables[0].words_in_order())
        else:
            arrays = combine_tables(tables, n_threads)
    finally:
        for counter in counters:
            counter.close()
        if spill is not None:
            spill.close()
    return Words.of_arrays(arrays, options.split)


def without_rare(words: Words, rare: RareWords) -> Words:
    """Leave out the words that are rare."""
    kept = rare.keep(words.arrays.lengths, words.counts)
    return words if kept is None else words.select(kept)


def _count_chunks(
    counters: list[Counter],
    chunks: Iterator[Chunk],
    options: CountOptions,
    on_count: Callable[[int], object] | None,
) -> None:
    """Share chunks out to the counters."""
    idle: SimpleQueue[Counter] = SimpleQueue()
    for counter in counters:
        idle.put(counter)

    def count(chunk: Chunk) -> int:
        counter = idle.get()
        try:
            with stage("count"):
                count_chunk(counter.count, chunk, options)
        finally:
            idle.put(counter)  # also for the chunks that wait when something fails
        return len(chunk.data)

    def close() -> None:
        for counter in counters:
            counter.close()

    done = 0
    for n_bytes in map_with_caller(count, chunks, len(counters), on_failure=close):
        done += n_bytes
        if on_count is not None:
            on_count(done)


def count_chunk(count: Callable[[Buffer, Int64], int], chunk: Chunk, options: CountOptions) -> None:
    """Count the words of a chunk with a counter's `count`.

    Raises
    ------
    ValueError
        If it has bytes that are not UTF-8 and `options.errors` is "strict", or text that the
        pattern does not match; the message has the text's name and the offset.
    """
    try:
        invalid = count(chunk.data, chunk.ends)
        if invalid < 0:
            return
        if options.errors == "strict":
            origin = _place(chunk, invalid)
            raise ValueError(
                f"{origin.name} is not UTF-8: byte {origin.offset} "
                f"(0x{chunk.data[invalid]:02x}); errors='replace' would count U+FFFD there"
            )
        chunk = _replace_invalid(chunk)
        count(chunk.data, chunk.ends)
    except SplitError as error:
        origin = _place(chunk, error.offset)
        raise error.explain(options.pattern, origin.name, origin.offset) from None


def _replace_invalid(chunk: Chunk) -> Chunk:
    data = bytes(chunk.data)
    pieces = (data[begin:end] for begin, end in pairwise([0, *chunk.ends.tolist()]))
    replaced = [piece.decode(errors="replace").encode() for piece in pieces]
    return join(replaced, chunk.origins)


def _place(chunk: Chunk, offset: int) -> Origin:
    """Return the text that a byte of a chunk belongs to, and its offset in the text."""
    number = int(np.searchsorted(chunk.ends[:-1], offset, side="right"))
    begin = int(chunk.ends[number - 1]) if number else 0
    origin = chunk.origins[number]
    return Origin(origin.name, origin.offset + offset - begin)


def _timed(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """Yield the same, timing what it takes to get them as the stage "read"."""
    while True:
        with stage("read"):
            chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk
