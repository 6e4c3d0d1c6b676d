"""What stage 2 of superwords will take of memory, said before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

import numpy as np

from bpetok.base.array_types import Int32
from bpetok.base.records import NamedTuple
from bpetok.counting.arrays import WordArrays
from bpetok.counting.count import CountJob
from bpetok.counting.memory import CountLimits
from bpetok.counting.options import CountOptions
from bpetok.encoding.facts import TrainingFacts
from bpetok.patterns.builtin import scanner_of
from bpetok.sources.pieces import Chunk, chunks_of, text_pieces
from bpetok.sources.reading import NullTexts
from bpetok.sources.sampling import BLOCK_SIZE, sampled_format
from bpetok.training.continuing import start_after
from bpetok.training.memory import (
    ARROW_MEMORY,
    INLINE_BYTES,
    LEFT_MEMORY,
    PAIRS_GROWTH,
    Begun,
    counting_memory,
    learning_memory,
)
from bpetok.training.sample import count_sample, take_sample

LINE_BYTES = 24
"""Bytes of a different word of stage 2, at least: 61 in English, 72 in several languages and 28 in
code were measured."""
LEAST_SAMPLE = 4_000_000
MOST_SAMPLE = 32_000_000
SHARE_SAMPLED = 16
"""A sixteenth of the text is looked at, within these bounds: 2 to 5 % of the time of stage 2."""
TRIED_BYTES = 1_000_000
"""So many bytes of lines are encoded to see how many tokens and pairs they have."""
TOKENS_MARGIN = 1.05
PAIRS_MARGIN = 1.1
"""With 16 times as many tokens the factor of pairs rose up to 1.18 times, then it fell."""


class Lines(NamedTuple):
    """The different words of stage 2, mostly whole lines.

    n_words, n_bytes : float
    own_words, own_bytes : float
        In the table of one thread: how many, and the bytes of the long ones.
    begun : Begun
    reads_arrow : bool
        Whether pyarrow is there, for Parquet.
    """

    n_words: float
    n_bytes: float
    own_words: float
    own_bytes: float
    begun: Begun
    reads_arrow: bool = False

    def most_memory(self, n_merges: int, n_threads: int, limits: CountLimits) -> int:
        """Return the bytes that stage 2 takes at most, to learn so many merges."""
        counting = counting_memory(*self[:4], n_threads)
        if limits.max_memory is not None:
            counting = min(counting, limits.max_memory)
        # What counting has taken and not given back is hardly more for more than two threads.
        left = min(LEFT_MEMORY * min(n_threads, 2) / 2, counting / 2)
        sizes = np.array(self.n_words), np.array(self.n_bytes)
        learning = learning_memory(*sizes, n_merges, n_threads, self.begun)
        return round(max(counting, left + float(learning)) + ARROW_MEMORY * self.reads_arrow)


def all_different(n_bytes: float, facts: TrainingFacts, n_threads: int) -> Lines:
    """Return the lines of so much text, if no two are equal; `facts` are those of stage 1."""
    n_words = n_bytes / LINE_BYTES
    # With a margin: rare words have more tokens.
    begun = Begun(min(1.3 * facts.n_tokens / facts.n_bytes, 1.0))
    return Lines(n_words, n_bytes, n_words / n_threads, n_bytes / n_threads, begun)


def look_at_lines(job: CountJob, n_bytes: int, pairs: Int32, facts: TrainingFacts) -> Lines:
    """Return about which lines stage 2 has, from a sample of the files.

    Parameters
    ----------
    job : CountJob
        What is counted in stage 2.
    n_bytes : int
        How much text that is, at most.
    pairs : int32 array, shape (n_merges, 2)
        All merges that are known.
    facts : TrainingFacts
        Of stage 1.
    """
    options, corpora = job.options, [corpus for corpus, _ in job.parts]
    worst = all_different(n_bytes, facts, options.n_threads)
    paths = [path for corpus in corpora for path in corpus.paths]
    are_files = len(paths) == sum(len(corpus.sources) for corpus in corpora)
    whole = job.reading._replace(sample=1.0, max_bytes=None)
    context = _in_blocks(options).read_context(whole, NullTexts())
    formats = {sampled_format(path, context) for path in paths}
    if not are_files or None in formats or scanner_of(options.pattern, options.unmatched) is None:
        return worst
    try:
        chunks = take_sample(paths, context, _sample_size(n_bytes)).chunks
        lines = _extrapolated(chunks, n_bytes, options, pairs) or worst
    except (ValueError, OSError):  # maybe in text that neither stage reads; stage 2 says it if not
        lines = worst
    return lines._replace(reads_arrow="parquet" in formats)


def look_at_texts(
    texts: Sequence[str | bytes], options: CountOptions, pairs: Int32, facts: TrainingFacts
) -> Lines:
    """Return about which lines stage 2 has, from some of the texts; see `look_at_lines`."""
    n_bytes = facts.n_bytes
    worst = all_different(n_bytes, facts, options.n_threads)
    if scanner_of(options.pattern, options.unmatched) is None:
        return worst
    some = texts[:: max(1, n_bytes // _sample_size(n_bytes))]
    cutting = _in_blocks(options).cutting
    size = 0
    chunks = []
    for chunk in chunks_of(text_pieces(some, cutting, options.errors), cutting.chunk_size):
        chunks.append(chunk)
        size += len(chunk.data)
        if size > 2 * MOST_SAMPLE:  # of a few long ones
            break
    order = np.random.default_rng(0).permutation(len(chunks)).tolist()
    return _extrapolated([chunks[i] for i in order], n_bytes, options, pairs) or worst


def _in_blocks(options: CountOptions) -> CountOptions:
    """Return options with chunks so small that there are many of them in a sample."""
    return options._replace(cutting=options.cutting._replace(chunk_size=BLOCK_SIZE))


def _sample_size(n_bytes: int) -> int:
    return min(max(n_bytes // SHARE_SAMPLED, LEAST_SAMPLE), MOST_SAMPLE)


def _extrapolated(
    chunks: list[Chunk], n_bytes: int, options: CountOptions, pairs: Int32
) -> Lines | None:
    """Return what half of a sample and all of it let expect of so much text; None if it is empty.

    The numbers of words and of their bytes are powers of the text; those of one line many times do
    not grow at all.
    """
    chunks = [chunk for chunk in chunks if len(chunk.data)]  # not those of empty files or texts
    sizes = np.cumsum([0, *(len(chunk.data) for chunk in chunks)])
    middle = int(np.searchsorted(sizes, sizes[-1] / 2))
    words = count_sample(chunks, options).words
    half = count_sample(chunks[:middle], options).words if 0 < middle < len(chunks) else words
    if len(words.counts) == 0 or len(half.counts) == 0:
        return None
    grown = log2(sizes[-1] / sizes[middle]) if half is not words else 1.0

    def extrapolated(whole: float, before: float, size: float) -> float:
        exponent = min(log2(max(whole, 1) / max(before, 1)) / grown, 1.0)
        return float(whole * (max(size, 1) / sizes[-1]) ** exponent)

    own_size = n_bytes / options.n_threads
    n_words, n_before = len(words.counts), len(half.counts)
    return Lines(
        extrapolated(n_words, n_before, n_bytes),
        extrapolated(len(words.ids), len(half.ids), n_bytes),
        extrapolated(n_words, n_before, own_size),
        extrapolated(_long_bytes(words), _long_bytes(half), own_size),
        begun_as(words, pairs),
    )


def _long_bytes(words: WordArrays) -> int:
    """Return the bytes of the words that a table keeps apart."""
    lengths = words.lengths
    return int(lengths[lengths > INLINE_BYTES].sum())


def begun_as(words: WordArrays, pairs: Int32) -> Begun:
    """Return how words begin after some merges, from some of them."""
    some = words.select(np.cumsum(words.lengths) <= max(TRIED_BYTES, words.lengths[:1].sum()))
    begun, _ = start_after(some, pairs)
    slots = begun.offsets[1:] + np.arange(1, len(begun.counts) + 1)
    n_half = int(np.searchsorted(slots, slots[-1] / 2))
    n_pairs, growth = _count_pairs(begun, len(slots)), PAIRS_GROWTH
    if n_half and n_pairs:
        grown = n_pairs / max(_count_pairs(begun, n_half), 1)
        growth = min(log2(grown) / log2(slots[-1] / slots[n_half - 1]), PAIRS_GROWTH)
    return Begun(
        min(TOKENS_MARGIN * len(begun.ids) / len(some.ids), 1.0),
        PAIRS_MARGIN * n_pairs / float(slots[-1]) ** growth,
        growth,
    )


def _count_pairs(words: WordArrays, n_words: int) -> int:
    """Return how many different pairs the first words have."""
    ids = words.ids[: words.offsets[n_words]]
    is_inside = np.ones(max(len(ids) - 1, 0), bool)
    is_inside[words.offsets[1:n_words] - 1] = False
    keys = np.sort((ids[:-1].astype(np.int64) << 32 | ids[1:])[is_inside])
    return min(len(keys), 1) + int(np.count_nonzero(np.diff(keys)))
