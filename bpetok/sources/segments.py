"""A corpus in parts, which several threads read: each the next one, to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np

from bpetok.sources.corpus import (
    Corpus,
    Table,
    batch_items,
    corpus_items,
    file_batches,
    file_runs,
    read_batch,
    source_items,
)
from bpetok.sources.errors import changed_error
from bpetok.sources.files import file_state, format_of
from bpetok.sources.parquet import parquet_items, parquet_parts
from bpetok.sources.pieces import Chunk, Piece
from bpetok.sources.reading import NullTexts, Position, ReadContext, unmarked
from bpetok.sources.urls import is_url

SEGMENT_SIZE = 1 << 24
"""Bytes of texts that a thread takes at a time from a file with parts: so few that all threads end
at nearly the same time, so many that opening the file once more takes no time."""


class Segment(NamedTuple):
    """A part of a corpus that one thread reads, while others read other parts.

    items : callable
        Yields its texts; is given what counts the null ones.
    is_remote : bool
        Whether reading it is waiting for another machine, most of the time.
    """

    items: Callable[[NullTexts], Iterator[Piece | Chunk]]
    is_remote: bool = False


def corpus_segments(
    corpus: Corpus, context: ReadContext, *, in_order: bool = False
) -> Iterator[Segment]:
    """Yield the parts of a corpus, in order; together they have the texts of `corpus_items`.

    There is one if it must be read in order: tables may run code of the user's, the writers of
    pipes may wait for each other, and `max_bytes` is counted from the beginning.
    """
    # The others are known to be regular files.
    others = [corpus.sources[number] for number in np.flatnonzero(corpus.sizes < 0).tolist()]
    one_reader = context.n_threads == 1 and not any(map(_is_remote, others))
    if (
        in_order
        or one_reader
        or context.options.max_bytes is not None
        or not all(map(_reads_alone, others))
    ):
        yield Segment(lambda nulls: corpus_items(corpus, context._replace(null_texts=nulls)))
        return
    for small, files in file_runs(corpus, context):
        if small:
            for batch in file_batches(
                corpus.sizes, files.start, files.stop, context.cutting.chunk_size
            ):
                yield _batch_segment(corpus, context, batch)
        else:
            for number in files:
                yield from _file_segments(cast("str", corpus.sources[number]), context, number)


def _reads_alone(source: str | Table) -> bool:
    """Tell whether a source is a regular file of this machine, or an object of another."""
    return isinstance(source, str) and (is_url(source) or Path(source).is_file())


def _is_remote(source: str | Table) -> bool:
    return isinstance(source, str) and is_url(source)


def _batch_segment(corpus: Corpus, context: ReadContext, batch: range) -> Segment:
    def items(null_texts: NullTexts) -> Iterator[Piece | Chunk]:
        own = context._replace(null_texts=null_texts)
        return batch_items(corpus, own, batch, *read_batch(corpus, context, batch))

    return Segment(items)


def _file_segments(path: str, context: ReadContext, number: int) -> Iterator[Segment]:
    """Yield the parts of a file: of Parquet on this machine row groups, of all else the whole."""
    name = context.options.format or format_of(path)
    if name != "parquet" or is_url(path):
        yield Segment(lambda nulls: _source_texts(path, context, number, nulls), is_url(path))
        return
    context = context.of(path)
    state = file_state(path)
    for start, stop in parquet_parts(path, context, number, SEGMENT_SIZE):
        yield Segment(partial(_parquet_texts, path, context, state, start, stop))


def _source_texts(
    path: str, context: ReadContext, number: int, null_texts: NullTexts
) -> Iterator[Piece | Chunk]:
    own = context._replace(null_texts=null_texts)
    return unmarked(source_items(path, own, Position(number)))


def _parquet_texts(
    path: str,
    context: ReadContext,
    state: tuple[int, str],
    start: Position,
    stop: int,
    null_texts: NullTexts,
) -> Iterator[Piece | Chunk]:
    """Yield the texts of some row groups of a file that has to be what it was."""
    own = context._replace(null_texts=null_texts)
    yield from unmarked(parquet_items(path, own, start, stop))
    if file_state(path) != state:
        raise changed_error(path)
