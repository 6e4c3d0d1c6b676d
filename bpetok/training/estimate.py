"""What training on files will take, from a sample of them: words, memory, time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import log2
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from bpetok.base.checks import Reserved, check_size, check_vocab_size
from bpetok.base.limits import DEFAULT_PATTERN, N_BYTES
from bpetok.counting.options import check_count_options
from bpetok.learning.learner import learn_merges
from bpetok.learning.rule import DEFAULT_RULE
from bpetok.patterns.builtin import scanner_of
from bpetok.patterns.chains import Pattern
from bpetok.sources.corpus import Files, resolve_corpus
from bpetok.sources.files import STANDARD_INPUT
from bpetok.sources.reading import NullTexts, Reading, ReadOptions, check_reading
from bpetok.sources.sampling import BLOCK_SIZE
from bpetok.sources.use import check_repeated, check_use
from bpetok.training.continuing import start_after
from bpetok.training.lines import begun_as
from bpetok.training.memory import (
    INLINE_BYTES,
    LEFT_MEMORY,
    Begun,
    counting_memory,
    learning_memory,
)
from bpetok.training.sample import Growth, Sample, count_sample, fit_growth, take_sample
from bpetok.training.superwords import SecondStage, Superwords, check_superwords

if TYPE_CHECKING:
    from typing_extensions import Unpack

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
    sample = take_sample(paths, context, size)
    growth = count_sample(sample.chunks, options)
    if second is None:
        return _extrapolated(growth, sample, n_merges, options.n_threads)
    found = _extrapolated(growth, sample, second.n_first, options.n_threads)
    return replace(found, lines=_lines(second, growth, sample, n_merges))


def _lines(second: SecondStage, first: Growth, sample: Sample, n_merges: int) -> Estimate:
    """Return what stage 2 of a training with superwords will take."""
    n_threads = second.counting.n_threads
    n_bytes = sample.n_bytes * second.reading.get("sample", 1.0)
    n_bytes = min(n_bytes, second.reading.get("max_bytes", n_bytes))
    ends = np.cumsum([len(chunk.data) for chunk in sample.chunks])
    chunks = sample.chunks[: np.searchsorted(ends, n_bytes) + 1]
    share = sum(len(chunk.data) for chunk in chunks) / max(1, ends[-1])
    sample = Sample(chunks, n_bytes, sample.seconds * share, sample.cpu_seconds * share)
    growth = count_sample(chunks, second.counting)
    known = learn_merges(first.words, second.n_first, n_threads=n_threads)
    lengths = growth.words.lengths
    tried = growth.words.select(np.cumsum(lengths) <= max(TRIED_BYTES, lengths[:1].sum()))
    begin = perf_counter()
    start_after(tried, known.pairs)
    seconds = (perf_counter() - begin) / len(tried.ids) / n_threads
    begun = begun_as(growth.words, known.pairs)
    return _extrapolated(growth, sample, n_merges - second.n_first, n_threads, begun, seconds)


def _extrapolated(
    growth: Growth,
    sample: Sample,
    n_merges: int,
    n_threads: int,
    begun: Begun | None = None,
    load_seconds: float = 0.0,
) -> Estimate:
    """Return an estimate; `load_seconds` is what making a byte of words tokens takes."""
    n_sampled, seen = int(growth.n_bytes[-1]), int(growth.n_unique[-1])
    if seen == 0:
        raise ValueError("text must have at least one word, but there is none in the sample")
    n_bytes = max(sample.n_bytes, n_sampled)
    doublings = log2(n_bytes / n_sampled)
    exponent, wrong = fit_growth(growth)

    def unique(size: float) -> float:
        return float(seen * (size / n_sampled) ** exponent)

    n_unique, own = unique(n_bytes), unique(n_bytes / n_threads)
    error = max(LEAST_ERROR, wrong) ** max(1, doublings) - 1 if doublings else 0.0
    lengths = growth.words.lengths
    word_bytes = float(lengths.sum()) / seen * n_unique
    own_bytes = float(lengths[lengths > INLINE_BYTES].sum()) / seen * own
    n_slots = word_bytes * (1.0 if begun is None else begun.slots_a_byte)
    work = sample.cpu_seconds + growth.seconds
    sizes = np.array(n_unique), np.array(word_bytes)
    learning = learning_memory(*sizes, n_merges, n_threads, begun)
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
