"""Training on sequences of integers: the words are sequences, the bytes are symbols."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from bpetok.base.array_types import Int32
from bpetok.base.checks import check_integer, check_min_frequency, listed, resolve_threads
from bpetok.base.limits import MAX_INT32, MAX_SYMBOLS
from bpetok.base.progress import Progress, reporting
from bpetok.counting.arrays import WordArrays
from bpetok.learning.learner import Learner
from bpetok.learning.rule import Rule
from bpetok.sequences import Sequences, SequenceTokenizer, check_sequence, check_sequences
from bpetok.training.pipeline import reason_to_end

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

MAX_IDS = 1 << 30
"""A token before another one and one after it have different numbers in int32: see `Rows.key`."""


def train_from_sequences(
    sequences: Iterable[ArrayLike] | tuple[ArrayLike, ArrayLike],
    *,
    n_symbols: int,
    vocab_size: int,
    boundaries: Iterable[int] = (),
    min_frequency: int = 1,
    max_token_length: int | None = None,
    n_threads: int | None = None,
    progress: Progress = False,
) -> SequenceTokenizer:
    """Train a tokenizer of sequences of integers: audio codes, DNA, music, actions.

    The merges are those of the rule for text, with symbols in the place of bytes: the pair that
    occurs most often is merged next, among equals that with the smallest ids.

    Parameters
    ----------
    sequences : iterable of sequences of int, or (ids, offsets)
        Lists, integer arrays, bytes, or the rows of a 2-D array. A tuple is two arrays: all
        sequences one after another, and where each begins, with the end. For 100 million symbols
        and more give that, with ids of uint16 or int32. No token reaches from one sequence into
        the next.
    n_symbols : int
        Symbols are the numbers from 0 to n_symbols - 1; at most 2**20.
    vocab_size : int
        Number of ids: the symbols and the merges.
    boundaries : iterable of int
        Symbols that are part of no other token, such as the end of a bar or of a file.
    min_frequency : int
        Stop when the most frequent pair occurs less often.
    max_token_length : int, optional
        Make no token of more symbols: pairs that would be longer are passed over.
    n_threads : int, optional
        By default the environment variable BPETOK_NUM_THREADS, or if it is not set, as many as
        there are CPUs that this process may use. The result does not depend on it.
    progress : bool or callable
        True shows a bar; a callable is called as ``progress(phase, done, total)`` with the phases
        "load" (in kernels; only for 12 million symbols and more) and "learn" (in merges).

    Returns
    -------
    SequenceTokenizer
        With fewer merges than requested, and a warning, where the sequences give no more.

    Raises
    ------
    TypeError, ValueError
        If an option is out of its range, the sequences are no integers, one is out of range (the
        message says where), or there is no symbol.
    """
    n_symbols = check_integer("n_symbols", n_symbols, 1, MAX_SYMBOLS)
    n_merges = check_integer("vocab_size", vocab_size, n_symbols, MAX_IDS) - n_symbols
    longest = MAX_INT32
    if max_token_length is not None:
        longest = check_integer("max_token_length", max_token_length, 1, MAX_INT32)
    rule = Rule(check_min_frequency(min_frequency), longest)
    n_threads = resolve_threads(n_threads)
    symbols = listed("boundaries", boundaries, "a list of symbols", in_order=False)
    apart = check_sequence(symbols, n_symbols, "boundaries")
    with reporting(progress) as report:
        words = _cut(check_sequences(sequences, n_symbols), apart)
        learner = Learner(words, n_merges, rule, n_threads, tokens=n_symbols)
        del words  # which take memory while merges are learned
        learner.load(lambda done, total: report("load", done, total))
        merges = learner.learn(lambda n_learned: report("learn", n_learned, n_merges))
    tokenizer = SequenceTokenizer(
        n_symbols=n_symbols, merges=merges.pairs, merge_counts=merges.counts
    )
    if len(merges.counts) < n_merges:
        warnings.warn(
            f"vocab_size is {tokenizer.vocab_size}: after {len(merges.counts)} of {n_merges} "
            f"merges, {reason_to_end(rule, learner.is_full, 'symbols')}",
            stacklevel=2,
        )
    return tokenizer


def _cut(sequences: Sequences, boundaries: Int32) -> WordArrays:
    """Return what is between boundaries and the ends of sequences, each as a word."""
    ids, offsets = sequences
    if len(boundaries):
        is_kept = np.isin(ids, boundaries, invert=True)
        # A word begins where a sequence does and after each boundary, which itself is left out.
        n_kept = np.concatenate([[0], np.cumsum(is_kept, dtype=np.int64)])
        offsets = n_kept[np.sort(np.concatenate([offsets, np.flatnonzero(~is_kept)]))]
        ids = ids[is_kept]
    offsets = offsets[np.diff(offsets, prepend=-1) > 0]  # without what is empty
    if len(ids) == 0:
        raise ValueError("sequences must have at least one symbol that is not in boundaries")
    return WordArrays(ids, offsets, np.ones(len(offsets) - 1, np.int64))
