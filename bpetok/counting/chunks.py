"""Texts to words: each thread counts chunks into a table of its own, then these are combined."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bpetok.base.threads import Stop
from bpetok.counting.arrays import WordArrays, combine_tables
from bpetok.counting.counters import make_counters
from bpetok.counting.memory import RareWords
from bpetok.counting.options import CountOptions
from bpetok.counting.sharing import SharedCounting
from bpetok.counting.words import Words, take_over
from bpetok.sources.pieces import Chunk, Piece
from bpetok.sources.reading import NullTexts
from bpetok.sources.segments import Items, Segment
from bpetok.sources.sharing import Readers


def count_pieces(
    pieces: Iterable[Piece | Chunk],
    options: CountOptions,
    rare: RareWords,
    on_count: Callable[[int], object] | None = None,
) -> Words:
    """Count the words of pieces or chunks that come one after another.

    The caller's thread gets them, so that an iterator is not asked from several threads, and counts
    when it is ahead of the others. For the rest see `count_segments`.
    """

    def items(_: NullTexts) -> Items:
        yield from pieces

    readers = Readers(1, 1)
    return count_segments([Segment(items)], options, rare, NullTexts(), readers, Stop(), on_count)


def count_segments(
    segments: Iterable[Segment],
    options: CountOptions,
    rare: RareWords,
    null_texts: NullTexts,
    readers: Readers,
    stop: Stop,
    on_count: Callable[[int], object] | None = None,
) -> Words:
    """Count the words of the parts of a corpus: each thread into a table of its own, then combined.

    Tables that reach their share of `rare.limits.max_memory` are spilled into files; only then rare
    words are left out here, since others may be left out when the words of all texts are known. A
    KeyboardInterrupt waits only for the chunks that are being read and counted. Where the order of
    the words matters, one thread counts, and there must be no `max_memory` and one segment.

    Parameters
    ----------
    segments : iterable of Segment
    options : CountOptions
    rare : RareWords
    null_texts : NullTexts
        Is told how many texts were null.
    readers : Readers
        What they take is reckoned with, where memory is bounded.
    stop : Stop
        Is set when counting fails; those that read wait no longer then.
    on_count : callable, optional
        Called now and then with the number of bytes counted so far.
    """
    n_threads = 1 if options.in_order else options.n_threads
    counters = make_counters(options, n_threads)
    spill = None
    if rare.limits.max_memory is not None:
        from bpetok.counting.spill import Spill

        spill = Spill()
    try:
        if spill is not None:
            for counter in counters:
                limit = rare.limits.table_limit(n_threads, max(readers))
                counter.limit_memory(limit, spill.write)
        counting = SharedCounting(counters, options, on_count)
        counting.count_all(segments, null_texts, readers, stop)
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
    return take_over(arrays, options.split)


def without_rare(words: Words, rare: RareWords) -> Words:
    """Leave out the words that are rare."""
    kept = rare.keep(words.arrays.lengths, words.counts)
    return words if kept is None else words.select(kept)
