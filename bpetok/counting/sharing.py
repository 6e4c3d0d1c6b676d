"""Segments of a corpus counted by some threads, each with a counter of its own."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from threading import Lock

import numpy as np

from bpetok.base.array_types import Int64
from bpetok.base.records import NamedTuple
from bpetok.base.threads import Stop
from bpetok.base.timing import stage
from bpetok.counting.counters import Counter
from bpetok.counting.options import CountOptions
from bpetok.patterns.changes import spans_between
from bpetok.patterns.errors import SplitError
from bpetok.patterns.scan import check_utf8
from bpetok.sources.pieces import Buffer, Chunk, Cutting, Origin, join, pieces_of
from bpetok.sources.reading import NullTexts
from bpetok.sources.segments import Segment
from bpetok.sources.sharing import Readers, SharedReading


class SharedCounting:
    """Counts the words of segments, from some threads.

    Parameters
    ----------
    counters : list of Counter
        One for each thread that counts; more threads may read, and wait for a counter.
    options : CountOptions
    on_count : callable, optional
        Called by the caller's thread with the number of bytes counted so far.
    """

    def __init__(
        self,
        counters: list[Counter],
        options: CountOptions,
        on_count: Callable[[int], object] | None,
    ) -> None:
        self._counters = counters
        self._options = options
        self._on_count = on_count
        self._idle = [*counters]  # never empty where one is taken: no more threads work at a time
        self._lock = Lock()
        self._n_bytes = self._n_reported = 0

    def count_all(
        self, segments: Iterable[Segment], null_texts: NullTexts, readers: Readers, stop: Stop
    ) -> None:
        """Count all segments; of the first one in which something is wrong, that is raised.

        `stop` is set when counting fails, for those that read.
        """
        reading = SharedReading(
            self._count,
            len(self._counters),
            readers,
            stop,
            chunk_size=self._options.cutting.chunk_size,
            on_wait=self._report,
            on_failure=self._close,
        )
        with closing(reading.results(segments, null_texts)) as results:
            for _ in results:
                pass

    def _count(self, chunk: Chunk) -> None:
        counter = self._idle.pop()
        try:
            with stage("count"):
                count_chunk(counter.count, chunk, self._options)
        finally:
            self._idle.append(counter)
        with self._lock:
            self._n_bytes += len(chunk.data)

    def _close(self) -> None:
        for counter in self._counters:
            counter.close()

    def _report(self) -> None:
        n_bytes = self._n_bytes
        if self._on_count is not None and n_bytes > self._n_reported:
            self._n_reported = n_bytes
            self._on_count(n_bytes)


class _Changed(NamedTuple):
    """What becomes of the texts of a chunk before they are split, as `Changes.apply` returns it."""

    data: bytes
    ends: Int64
    numbers: Sequence[int]


def count_chunk(
    count: Callable[[Buffer, Int64, bool], int], chunk: Chunk, options: CountOptions
) -> None:
    """Count the words of a chunk with a counter's `count`.

    Raises
    ------
    ValueError
        If it has bytes that are not UTF-8 and `options.errors` is "strict", or text that the
        pattern does not match; the message has the text's name and the offset.
    """
    cutting = options.cutting
    changed: _Changed | None = None
    try:
        # Texts that are changed are checked before that, others while they are counted: what of
        # English text is changed by NFKC took 2 % more to count when it was checked both times.
        if is_changed := _is_changed(chunk, cutting):
            invalid = check_utf8(chunk.data, chunk.ends)
        else:
            invalid = count(chunk.data, chunk.ends, False)
        if invalid >= 0:
            if options.errors == "strict":
                origin = _place(chunk, invalid)
                raise ValueError(
                    f"{origin.name} is not UTF-8: byte {origin.offset} "
                    f"(0x{chunk.data[invalid]:02x}); errors='replace' would count U+FFFD there"
                )
            chunk = _replace_invalid(chunk)
            is_changed = _is_changed(chunk, cutting)
        if is_changed:
            changed = _Changed(*cutting.changes.apply(*chunk[:2], cutting.special_tokens))
            count(changed.data, changed.ends, True)
        elif invalid >= 0:
            count(chunk.data, chunk.ends, True)
    except SplitError as error:
        origin = _place(chunk, error.offset)
        if changed is not None:
            origin = _place_changed(chunk, cutting, changed, error.offset)
        raise error.explain(options.pattern, str(origin.name), origin.offset) from None


def _is_changed(chunk: Chunk, cutting: Cutting) -> bool:
    """Tell whether something may become of the texts before they are split.

    Special tokens are found before that, and so not in what becomes of the text between them.
    """
    changes = cutting.changes
    return bool(changes) and (
        not changes.leave(chunk.data, chunk.ends) or bool(cutting.special_tokens.spans(chunk.data))
    )


def _replace_invalid(chunk: Chunk) -> Chunk:
    replaced = [piece.decode(errors="replace").encode() for piece in pieces_of(chunk)]
    return join(replaced, chunk.origins)


def _place(chunk: Chunk, offset: int) -> Origin:
    """Return the text that a byte of a chunk belongs to, and its offset in the text."""
    number = int(np.searchsorted(chunk.ends[:-1], offset, side="right"))
    begin = int(chunk.ends[number - 1]) if number else 0
    origin = chunk.origins[number]
    return Origin(origin.name, origin.offset + offset - begin)


def _place_changed(chunk: Chunk, cutting: Cutting, changed: _Changed, offset: int) -> Origin:
    """Return the same for a byte of what became of a chunk; the name says from where in the text.

    Only what is near the place is normalized for that, not all of the text before.
    """
    part = int(np.searchsorted(changed.ends[:-1], offset, side="right"))
    offset -= int(changed.ends[part - 1]) if part else 0
    number = changed.numbers[part]
    begin = int(chunk.ends[number - 1]) if number else 0
    text = chunk.data[begin : int(chunk.ends[number])]
    spans = spans_between(text, cutting.special_tokens)
    first, end = spans[part - bisect_left(changed.numbers, number)]
    at, offset = cutting.changes.source_of(text[first:end], offset)
    origin = _place(chunk, begin + first + at)
    begins = f"from byte {origin.offset} on " if origin.offset else ""
    return Origin(f"{origin.name}, {begins}as it is normalized", offset)
