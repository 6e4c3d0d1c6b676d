"""Counting that saves the words of what has been read now and then, and goes on from there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from bpetok.counting.memory import CountLimits, RareWords
from bpetok.counting.ranges import Counted, total_of
from bpetok.counting.words import Words
from bpetok.sources.corpus import Corpus
from bpetok.sources.reading import NullTexts, Position, ReadContext
from bpetok.sources.segments import Items, Segment, corpus_segments

if TYPE_CHECKING:
    from bpetok.counting.checkpoint import Checkpoint


class _Reading:
    """A segment that is read up to a position where a save is due, and later on from there.

    Its file stays open meanwhile: what is compressed would have to be read from its beginning.
    """

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._null_texts = NullTexts()
        self._items: Items | None = None
        self._n_bytes = 0
        self._begin = self._end = segment.first

    @property
    def has_ended(self) -> bool:
        """Whether all of it has been read."""
        return self._end == self._segment.stop

    def until(self, is_due: Callable[[], bool]) -> Segment:
        """Return what is read next."""

        def items(_: NullTexts) -> Items:
            if self._items is None:  # by the thread that reads it
                self._items = self._segment.items(self._null_texts)
            for item in self._items:
                if not isinstance(item, Position):
                    self._n_bytes += len(item.data)
                    yield item
                    del item  # before more is read
                    continue
                self._end = item
                if is_due():
                    return
            self._end = self._segment.stop

        return self._segment._replace(items=items)

    def take(self) -> Counted:
        """Return what was read since this was asked for last."""
        counted = Counted(((self._begin, self._end),), self._n_bytes, self._null_texts.n_null)
        self._begin = self._end
        self._n_bytes = self._null_texts.n_null = 0
        return counted

    def close(self) -> None:
        """Close its file. Requires: no thread reads it."""
        if self._items is not None:
            self._items.close()


def count_saving(
    part: int,
    corpus: Corpus,
    context: ReadContext,
    count: Callable[[Iterable[Segment], RareWords], Words],
    checkpoint: Checkpoint,
    rare: RareWords,
) -> Words:
    """Count what has not been counted of a part, saving now and then; return the words of all.

    Raises
    ------
    ValueError
        If the folder says that texts were counted up to a place where none ends.
    """
    segments = corpus_segments(corpus, context, checkpoint.gaps(part))
    reading: list[_Reading] = []
    are_all_read = False

    def next_segments() -> Iterator[Segment]:
        nonlocal are_all_read
        for begun in list(reading):
            yield begun.until(checkpoint.is_due)
        while not (reading and checkpoint.is_due()):
            segment = next(segments, None)
            if segment is None:
                are_all_read = True
                return
            reading.append(_Reading(segment))
            yield reading[-1].until(checkpoint.is_due)

    # Which words are rare is known when all are counted, not when some are saved.
    all_words = CountLimits(rare.limits.max_memory)
    is_first = not checkpoint.has_counted(part)
    try:
        while not checkpoint.is_complete(part):
            words = count(next_segments(), RareWords(all_words))
            counted = total_of(begun.take() for begun in reading)
            reading = [begun for begun in reading if not begun.has_ended]
            context.null_texts.n_null += counted.n_null
            checkpoint.add(part, words, counted)
            if are_all_read and not reading:
                checkpoint.check_complete(part)
            if is_first and checkpoint.is_complete(part):
                return words
            del words  # the memory is needed for the next ones
            is_first = False
    finally:
        for begun in reading:
            begun.close()
    return checkpoint.words(part, rare)
