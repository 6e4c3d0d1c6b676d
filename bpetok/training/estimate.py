"""What training on files will take, from a sample of them: words, memory, time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from math import log2
from time import perf_counter, thread_time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bpetok.base.checks import Reserved, check_size, check_vocab_size
from bpetok.base.files import is_url
from bpetok.base.limits import DEFAULT_PATTERN, N_BYTES
from bpetok.base.threads import map_threads
from bpetok.counting.arrays import WordArrays, combine_tables
from bpetok.counting.options import CountOptions, check_count_options
from bpetok.counting.sharing import count_chunk
from bpetok.counting.word_table import WordTable
from bpetok.learning.learner import learn_merges
from bpetok.learning.rule import DEFAULT_RULE
from bpetok.patterns.builtin import scanner_of
from bpetok.patterns.chains import Pattern
from bpetok.sources.corpus import Files, resolve_corpus
from bpetok.sources.files import STANDARD_INPUT, file_state
from bpetok.sources.pieces import Chunk, chunks_of
from bpetok.sources.reading import NullTexts, ReadContext, Reading, ReadOptions, check_reading
from bpetok.sources.sampling import BLOCK_SIZE, FileSample, sample_file
from bpetok.sources.use import check_repeated, check_use
from bpetok.training.continuing import start_after
from bpetok.training.memory import INLINE_BYTES, LEFT_MEMORY, counting_memory, learning_memory
from bpetok.training.superwords import SecondStage, Superwords, check_superwords

if TYPE_CHECKING:
    from typing_extensions import Unpack

MOST_FILES = 64
LEAST_ERROR = 1.17
"""For each doubling, and for less than one: in trials on English, multilingual text and code it was
1.00 to 1.16, also where three quarters of the text were looked at."""
SECONDS_A_SLOT = 1e-7
SECONDS_A_MERGE = 8e-6
"""Learning, measured on two cores of an Intel Xeon: 3.6 to 16 million bytes and words, 8,000 to
128,000 merges, and 6 to 24 million tokens of whole lines with 8,000."""
TRIED_BYTES = 4_000_000
"""So many bytes of lines are encoded to see how many tokens they are, and how long it takes."""


@dataclass(frozen=True)
class Estimate:
    """What training on a corpus will take.

    Attributes
    ----------
    n_sampled : int
        Bytes of text that were looked at.
    n_bytes : int
        Bytes of text in all.
    n_unique_words : int
        Different words, by the law n_unique_words = a * n_bytes ** growth.
    growth : float
        The exponent of that law, fitted to the second half of the sample.
    error : float
        The possible relative error of `n_unique_words`: 0.16 means within 16 %. It is 0 if the
        sample is all of the text. Otherwise half of the sample predicts the whole sample, which
        shows by what factor one doubling is wrong, at least 1.17; the error is that factor to the
        power of the doublings from the sample to all of the text, at least one, less 1.
    count_memory, learn_memory : int
        Bytes beyond those of Python itself, for counting without `max_memory`, and for learning.
    count_seconds, learn_seconds : float
        Counting at the speed of the sample; learning as on the machine where it was measured, so
        that a factor of two is no surprise.
    lines : Estimate, optional
        With `superwords`: stage 2, whose words are mostly whole lines, and to which loading them as
        tokens of stage 1 belongs. The other numbers are then of stage 1; the stages come one after
        the other.
    """

    n_sampled: int
    n_bytes: int
    n_unique_words: int
    growth: float
    error: float
    count_memory: int
    learn_memory: int
    count_seconds: float
    learn_seconds: float
    lines: Estimate | None = None

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # What IPython and notebooks show.
        printer.text(str(self))

    def __str__(self) -> str:
        """Return a table, or two."""
        if self.lines is not None:
            return f"{replace(self, lines=None)}\n\nthen, for superwords:\n{self.lines}"
        return (
            f"text          {self.n_bytes / 1e6:,.1f} MB, {self.n_sampled / 1e6:,.1f} MB of it "
            "looked at\n"
            f"unique words  {self.n_unique_words:,}, within {self.error:.0%}; they grow as "
            f"text ** {self.growth:.2f}\n"
            f"counting      {self.count_seconds:.1f} s, {self.count_memory / 1e6:,.0f} MB\n"
            f"learning      {self.learn_seconds:.1f} s, up to {self.learn_memory / 1e6:,.0f} MB"
        )


def estimate(
    files: Files,
    *,
    vocab_size: int,
    pattern: Pattern = DEFAULT_PATTERN,
    special_tokens: Iterable[str | Reserved] = (),
    superwords: Superwords | None = None,
    n_threads: int | None = None,
    errors: str = "strict",
    sample_size: int | str = "64MB",
    **reading: Unpack[Reading],
) -> Estimate:
    """Tell from a sample what training on files will take.

    Parameters that are not listed are those of `train`; patterns must be such that compile to a
    scanner.

    Parameters
    ----------
    files : path, URL, folder or glob pattern, or iterable of them
        Files of text, JSON lines or Parquet.
    sample_size : int or str
        About how many bytes of text to look at: blocks at random places of at most 64 files chosen
        at random; of a compressed file its beginning. `seed` chooses others.

    Raises
    ------
    OSError, ImportError, TypeError, ValueError
        As `train`.
    """
    options = check_count_options(pattern, special_tokens, n_threads, errors)
    n_merges = check_vocab_size(vocab_size, len(options.special_tokens))
    second = None
    if superwords is not None:
        second = check_superwords(superwords, options, DEFAULT_RULE, N_BYTES, 0, n_merges)
    size = check_size("sample_size", sample_size, 1_000_000)
    for counting in (options, *(() if second is None else (second.counting,))):
        if scanner_of(counting.pattern) is None:
            raise ValueError(
                "estimate needs a pattern that can be compiled to a scanner: see "
                "bpetok.patterns.explain"
            )
    read_options = check_reading(reading)
    for name in ("sample", "max_bytes"):
        if getattr(read_options, name) != getattr(ReadOptions(), name):
            raise ValueError(f"{name} can't be estimated: leave it out")
    corpus = resolve_corpus(files, read_options)
    check_use(corpus.sources, read_options)
    check_repeated(corpus.sources, corpus.nodes)
    cutting = options.cutting._replace(chunk_size=BLOCK_SIZE)
    context = options._replace(cutting=cutting).read_context(read_options, NullTexts())
    paths = corpus.paths
    if len(paths) < len(corpus.sources) or STANDARD_INPUT in paths:
        raise ValueError("an estimate needs files: tables and streams tell no size")
    sample = _sample(paths, context, size)
    growth = _count(sample.chunks, options)
    if second is None:
        return _extrapolated(growth, sample, n_merges, options.n_threads)
    found = _extrapolated(growth, sample, second.n_first, options.n_threads)
    return replace(found, lines=_lines(second, growth, sample, n_merges))


class _Sample(NamedTuple):
    """Texts of some files.

    n_bytes : float
        About how many all files have.
    seconds, cpu_seconds : float
        What reading the sample took: by the clock, and of the processor.
    """

    chunks: list[Chunk]
    n_bytes: float
    seconds: float
    cpu_seconds: float


def _sample(paths: list[str], context: ReadContext, size: int) -> _Sample:
    """Return chunks of files chosen at random; some files are read at a time.

    Pieces of one file stay together and in order; the rest is in random order: in code, say, text
    repeats the words of the text just before, so that shuffled chunks of it would have
    fewer and fewer new ones.
    """
    begin = perf_counter()
    random = np.random.default_rng(context.options.seed)
    chosen = sorted(random.permutation(len(paths))[:MOST_FILES].tolist())
    is_remote = any(map(is_url, paths))
    n_remote = context.options.n_remote(context.n_threads)
    states = map_threads(file_state, paths, n_remote if is_remote else 1)
    file_sizes = [size for size, _ in states]

    def read(number: int) -> tuple[FileSample, float]:
        before = thread_time()
        # Of its own: files are read in no order. One file has the places that it always had.
        own = np.random.default_rng([context.options.seed, number])
        places = random if len(chosen) == 1 else own
        most = max(size // len(chosen), BLOCK_SIZE)
        return sample_file(paths[number], most, context, places), thread_time() - before

    n_readers = n_remote if is_remote else context.n_threads
    found = list(map_threads(read, chosen, n_readers, context.stop))
    samples = [sample for sample, _ in found]
    chunk_size = context.cutting.chunk_size
    blocks = [list(chunks_of(block, chunk_size)) for sample in samples for block in sample.blocks]
    chosen_size = sum(file_sizes[i] for i in chosen)
    n_bytes = sum(sample.n_bytes for sample in samples)
    if len(chosen) < len(paths):
        n_bytes *= sum(file_sizes) / max(1, chosen_size)
    if len(blocks) == 1:  # which may be one chunk, and so one point of the curve of growth
        chunks = [part for chunk in blocks[0] for part in _parts(chunk)]
    else:
        order = random.permutation(len(blocks)).tolist()
        chunks = [chunk for i in order for chunk in blocks[i]]
    return _Sample(chunks, n_bytes, perf_counter() - begin, sum(seconds for _, seconds in found))


def _parts(chunk: Chunk) -> Iterator[Chunk]:
    """Yield the texts of a chunk, about BLOCK_SIZE bytes at a time."""
    n_texts = len(chunk.ends)
    lasts = np.searchsorted(chunk.ends, np.arange(BLOCK_SIZE, len(chunk.data), BLOCK_SIZE)) + 1
    for first, last in pairwise(np.unique([0, *np.minimum(lasts, n_texts), n_texts]).tolist()):
        begin = int(chunk.ends[first - 1]) if first else 0
        ends = chunk.ends[first:last] - begin
        data = memoryview(chunk.data)[begin : begin + int(ends[-1])]
        yield Chunk(data, ends, chunk.origins[first:last])


class Growth(NamedTuple):
    """What was seen while a sample was counted on one thread.

    n_bytes, n_unique : int64 arrays, shape (n_chunks + 1,)
        Text counted, and different words in it, after each chunk; at first 0.
    words : WordArrays
        The different words.
    seconds : float
    """

    n_bytes: NDArray[np.int64]
    n_unique: NDArray[np.int64]
    words: WordArrays
    seconds: float


def _count(chunks: list[Chunk], options: CountOptions) -> Growth:
    """Count chunks. Requires: a pattern that has a scanner."""
    scanner = scanner_of(options.pattern, options.unmatched)
    assert scanner is not None
    table = WordTable(options.cutting.special_tokens, scanner)
    n_unique = [0]
    begin = perf_counter()
    for chunk in chunks:
        count_chunk(table.count, chunk, options)
        n_unique.append(len(table))
    seconds = perf_counter() - begin
    sizes = np.cumsum([0, *(len(chunk.data) for chunk in chunks)])
    return Growth(sizes, np.array(n_unique), combine_tables([table]), seconds)


def _lines(second: SecondStage, first: Growth, sample: _Sample, n_merges: int) -> Estimate:
    """Return what stage 2 of a training with superwords will take."""
    n_threads = second.counting.n_threads
    n_bytes = sample.n_bytes * second.reading.get("sample", 1.0)
    n_bytes = min(n_bytes, second.reading.get("max_bytes", n_bytes))
    ends = np.cumsum([len(chunk.data) for chunk in sample.chunks])
    chunks = sample.chunks[: np.searchsorted(ends, n_bytes) + 1]
    share = sum(len(chunk.data) for chunk in chunks) / max(1, ends[-1])
    sample = _Sample(chunks, n_bytes, sample.seconds * share, sample.cpu_seconds * share)
    growth = _count(chunks, second.counting)
    known = learn_merges(first.words, second.n_first, n_threads=n_threads)
    lengths = growth.words.lengths
    tried = growth.words.select(np.cumsum(lengths) <= max(TRIED_BYTES, lengths[:1].sum()))
    begin = perf_counter()
    begun, _ = start_after(tried, known.pairs)
    seconds = (perf_counter() - begin) / len(tried.ids) / n_threads
    tokens_a_byte = len(begun.ids) / len(tried.ids)
    found = _extrapolated(growth, sample, n_merges, n_threads, tokens_a_byte, seconds)
    # All merges take memory, but those of stage 1 no time any more.
    return replace(found, learn_seconds=found.learn_seconds - SECONDS_A_MERGE * second.n_first)


def _extrapolated(
    growth: Growth,
    sample: _Sample,
    n_merges: int,
    n_threads: int,
    tokens_a_byte: float = 1.0,
    load_seconds: float = 0.0,
) -> Estimate:
    """Return an estimate; `load_seconds` is what making a byte of words tokens takes."""
    n_sampled, seen = int(growth.n_bytes[-1]), int(growth.n_unique[-1])
    if seen == 0:
        raise ValueError("text must have at least one word, but there is none in the sample")
    n_bytes = max(sample.n_bytes, n_sampled)
    doublings = log2(n_bytes / n_sampled)
    exponent, wrong = _fit(growth)

    def unique(size: float) -> float:
        return float(seen * (size / n_sampled) ** exponent)

    n_unique, own = unique(n_bytes), unique(n_bytes / n_threads)
    error = max(LEAST_ERROR, wrong) ** max(1, doublings) - 1 if doublings else 0.0
    lengths = growth.words.lengths
    word_bytes = float(lengths.sum()) / seen * n_unique
    own_bytes = float(lengths[lengths > INLINE_BYTES].sum()) / seen * own
    n_slots = tokens_a_byte * word_bytes
    work = sample.cpu_seconds + growth.seconds
    sizes = np.array(n_unique), np.array(word_bytes)
    learning = learning_memory(*sizes, n_merges, n_threads, tokens_a_byte)
    return Estimate(
        n_sampled=n_sampled,
        n_bytes=round(n_bytes),
        n_unique_words=round(n_unique),
        growth=exponent,
        error=error,
        count_memory=round(counting_memory(n_unique, word_bytes, own, own_bytes, n_threads)),
        learn_memory=LEFT_MEMORY + int(learning),
        count_seconds=max(sample.seconds, work / n_threads) * n_bytes / n_sampled,
        learn_seconds=SECONDS_A_SLOT * (n_slots + n_unique)
        + SECONDS_A_MERGE * n_merges
        + load_seconds * word_bytes,
    )


def _fit(growth: Growth) -> tuple[float, float]:
    """Return the exponent of growth, and the factor by which half of the sample was wrong."""
    quarter, half, whole = np.interp(
        growth.n_bytes[-1] * np.array([0.25, 0.5, 1]), growth.n_bytes, growth.n_unique
    )
    before, after = log2(half / quarter), log2(whole / half)
    return after, 2 ** abs(after - before)
