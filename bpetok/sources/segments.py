"""A corpus in parts, which several threads read: each the next one, to its end."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from typing import TypeAlias, cast

import numpy as np

from bpetok.base.files import is_url
from bpetok.base.records import NamedTuple
from bpetok.sources.corpus import (
    Corpus,
    batch_items,
    corpus_items,
    file_batches,
    file_runs,
    read_batch,
    source_items,
)
from bpetok.sources.errors import changed_error
from bpetok.sources.files import file_state, format_of
from bpetok.sources.pieces import Chunk, Piece
from bpetok.sources.reading import NullTexts, Position, ReadContext
from bpetok.sources.tables import Table

SEGMENT_SIZE = 1 << 24
"""Bytes of texts that a thread takes at a time from a file with parts: so few that all threads end
at nearly the same time, so many that opening the file once more takes no time."""

SMALL_PART = 16
"""Files that are together at most this part of a segment are one, too: to begin with one takes
0.3 ms. 1,000 files of 50 kB of JSON lines took twice as long with two threads as with one."""


Parts: TypeAlias = Callable[
    [str, ReadContext, Position, Position, int], Iterator[tuple[Position, Position]]
]
"""What finds parts of a file from one position to another, of about so many bytes."""

Items: TypeAlias = Generator[Piece | Chunk | Position, None, None]
"""Texts, and between them positions where reading may go on later."""


class Segment(NamedTuple):
    """A part of a corpus that one thread reads, while others read other parts.

    items : callable
        Gives its `Items`, to be read by one thread; is given what counts the null texts.
    first, stop : Position
        Where it begins, and where what comes after it begins.
    is_remote : bool
        Whether reading it is waiting for another machine, most of the time.
    """

    items: Callable[[NullTexts], Items]
    first: Position = Position()
    stop: Position = Position()
    is_remote: bool = False


def has_parts(corpus: Corpus, context: ReadContext) -> bool:
    """Tell whether a corpus may be read in parts, and more than one thread can read it.

    It must be read in order if there are tables, which may run code of the user's; pipes, whose
    writers may wait for each other; or `max_bytes`, which is counted from the beginning.
    """
    # The others are known to be regular files.
    others = [corpus.sources[number] for number in np.flatnonzero(corpus.sizes < 0).tolist()]
    return (
        (context.n_threads > 1 or any(map(_is_remote, others)))
        and context.options.max_bytes is None
        and all(map(reads_again, others))
    )


def corpus_segments(
    corpus: Corpus, context: ReadContext, gaps: Iterable[tuple[Position, Position]] | None = None
) -> Iterator[Segment]:
    """Yield the parts of a corpus, in order; together they have the texts of `corpus_items`.

    Parameters
    ----------
    corpus : Corpus
    context : ReadContext
    gaps : iterable of (Position, Position), optional
        From where to where to read, in order. Requires: all sources can be read again. By default
        all is read, as one part if `has_parts` says so.
    """
    end = Position(len(corpus.sources))
    if gaps is None:
        if not has_parts(corpus, context):
            yield whole_segment(corpus, context)
            return
        gaps = [(Position(), end)]
    runs = list(file_runs(corpus, context))
    for first, stop in gaps:
        for small, files in runs:
            begin = max(first, Position(files.start))
            last = min(stop, Position(files.stop))
            if small:
                yield from _small_segments(corpus, context, begin.file, last.file)
            else:
                yield from _file_segments(corpus, context, begin, last)


def whole_segment(corpus: Corpus, context: ReadContext) -> Segment:
    """Return all of a corpus as one part."""

    def items(null_texts: NullTexts) -> Items:
        yield from corpus_items(corpus, context._replace(null_texts=null_texts))

    return Segment(items, stop=Position(len(corpus.sources)))


def reads_again(source: str | Table) -> bool:
    """Tell whether a source is a regular file of this machine, or an object of another."""
    return isinstance(source, str) and (is_url(source) or os.path.isfile(source))  # noqa: PTH113  # pathlib takes 3 ms


def _is_remote(source: str | Table) -> bool:
    return isinstance(source, str) and is_url(source)


def _small_segments(
    corpus: Corpus, context: ReadContext, first: int, end: int
) -> Iterator[Segment]:
    """Yield some small files at a time."""

    def items(batch: range, null_texts: NullTexts) -> Items:
        own = context._replace(null_texts=null_texts)
        yield from batch_items(corpus, own, batch, *read_batch(corpus, context, batch))

    for batch in file_batches(corpus.sizes, first, end, context.cutting.chunk_size):
        yield Segment(partial(items, batch), Position(batch.start), Position(batch.stop))


def _file_segments(
    corpus: Corpus, context: ReadContext, first: Position, stop: Position
) -> Iterator[Segment]:
    """Yield the parts of files, from one position to another; small files together are one part.

    An object of another machine is a part. A file of this one has more if it is large.
    """
    together: list[Segment] = []
    size = 0
    most = SEGMENT_SIZE // SMALL_PART
    begin = first
    while begin < stop:
        end = min(stop, Position(begin.file + 1))
        path = cast("str", corpus.sources[begin.file])
        own = context.of(path)
        if is_url(path) or context.n_threads == 1:
            yield from _joined(together)
            yield _part(path, own, begin, end)
        else:
            try:
                state = file_state(path)
            except OSError:  # what is wrong in a file before comes first
                yield from _joined(together)
                raise
            if size + state[0] > most:
                yield from _joined(together)
                size = 0
            if state[0] <= most:
                together.append(_part(path, own, begin, end, state))
                size += state[0]
            else:
                parts = _parts_of(own.options.format or format_of(path))
                for here, after in parts(path, own, begin, end, SEGMENT_SIZE):
                    yield _part(path, own, here, after, state)
        begin = end
    yield from _joined(together)


def _joined(together: list[Segment]) -> Iterator[Segment]:
    """Yield parts that follow each other as one, if there are any, and empty the list."""
    parts = [*together]
    together.clear()

    def items(null_texts: NullTexts) -> Items:
        for part in parts:
            yield from part.items(null_texts)
            yield part.stop

    if parts:
        yield Segment(items, parts[0].first, parts[-1].stop)


def _parts_of(format_name: str) -> Parts:
    """Return what finds parts of a file of a format; imported then, as in `source_items`."""
    if format_name == "parquet":
        from bpetok.sources.parquet import parquet_parts

        return parquet_parts
    if format_name == "arrow":
        from bpetok.sources.arrow import ipc_parts

        return ipc_parts
    from bpetok.sources.byte_ranges import line_ranges, text_ranges

    return line_ranges if format_name == "jsonl" else text_ranges


def _part(
    path: str,
    context: ReadContext,
    first: Position,
    stop: Position,
    state: tuple[int, str] | None = None,
) -> Segment:
    """Return a part of a file; if there is a state, the file must still have it at the end."""

    def items(null_texts: NullTexts) -> Items:
        yield from source_items(path, context._replace(null_texts=null_texts), first, stop)
        if state is not None and file_state(path) != state:
            raise changed_error(path)

    return Segment(items, first, stop, is_url(path))
