"""Words with very long runs of one byte, as of a file with a hole in it."""

from __future__ import annotations

import warnings

import numpy as np

from bpetok.base.limits import MAX_INT32, MAX_TOTAL_BYTES, N_BYTES
from bpetok.counting.arrays import WordArrays
from bpetok.counting.words import Words
from bpetok.learning.rule import NO_MERGES, Merges, Rule
from bpetok.learning.slots import double_runs, longest_run

LONG_RUN = MAX_TOTAL_BYTES // 4
"""Merges of a run of one byte give tokens of 2, 4, 8, ... bytes, and then what makes one of the
rest: only of a run that is longer they can be longer than `MAX_TOTAL_BYTES` together."""

LONG_WORD = 1 << 20
"""Of a shorter word the usual way takes less than 20 MB."""


def warn_of_long_runs(words: Words, max_token_length: int, stacklevel: int) -> None:
    """Warn if a run of one byte, as in a file with a hole, may make tokens as long as they may be.

    It need not: with many other words learning may end before tokens get so long.
    """
    if max_token_length < MAX_INT32:
        return
    arrays = words.arrays
    for i in np.flatnonzero(arrays.lengths >= LONG_RUN).tolist():
        word = arrays.ids[arrays.offsets[i] : arrays.offsets[i + 1]]
        _, longest = longest_run(word)
        if longest >= LONG_RUN:
            warnings.warn(
                f"a word has a run of {longest} equal bytes, as a file with a hole has: learning "
                f"from it may take about {20 * len(word) / 1e6:.0f} MB, and ends early if tokens "
                "get so long. Give max_token_length, or leave that out",
                stacklevel=stacklevel,
            )
            return


def begin_with_run(
    words: WordArrays, n_merges: int, rule: Rule, shortest: int = LONG_WORD
) -> tuple[WordArrays, Merges]:
    """Learn the merges that one long run of a byte decides; return the words as these leave them.

    Where half of all that is learned from is one run of a byte, its merges come first, whatever the
    rest is: of two of these bytes, of two of these tokens, and so on. All of them are made in one
    pass here. One after another they would take 19 bytes of memory for each byte of the run.

    Parameters
    ----------
    words : WordArrays
        In bytes.
    n_merges : int
        The most that may be learned.
    rule : Rule
    shortest : int
        A word of fewer bytes is left to the learner.
    """
    lengths = words.lengths
    i = int(lengths.argmax())
    if lengths[i] < max(shortest, len(words.ids) // 2) or rule.merge_filter is not None:
        return words, NO_MERGES
    byte, run = longest_run(words.ids[words.offsets[i] : words.offsets[i + 1]])
    n_bytes = int((lengths * words.counts).sum())
    n_first = _n_certain(run, int(words.counts[i]), n_bytes, n_merges, rule)
    if n_first == 0:
        return words, NO_MERGES
    ids = np.empty(len(words.ids), np.int32)  # what is not written to takes no memory
    offsets = np.empty_like(words.offsets)
    counts = np.empty(n_first, np.int64)
    n_ids = double_runs(words.ids, words.offsets, words.counts, byte, N_BYTES, ids, offsets, counts)
    tokens = np.array([byte, *range(N_BYTES, N_BYTES + n_first - 1)], np.int32)
    merges = Merges(np.stack([tokens, tokens], axis=1), counts)
    return WordArrays(ids[:n_ids].copy(), offsets, words.counts), merges


def _n_certain(run: int, count: int, n_bytes: int, n_merges: int, rule: Rule) -> int:
    """Return how many merges are certainly those of one run of a byte, which occurs `count` times.

    After m of them the run is a row of ``run >> m`` equal tokens and at most one token of each
    earlier length. Any pair that is not inside of this row has a token that is outside of it, and
    no token is outside of it for two such pairs: so all of them together occur no more often than
    there are tokens outside of it.
    """
    outside = n_bytes - count * run
    m, all_bytes = 0, N_BYTES
    while m < n_merges:
        n_pairs = count * ((run >> m) - 1)
        length = 2 << m
        all_bytes += length
        if (
            n_pairs <= outside + count * m
            or n_pairs < rule.min_frequency
            or length > rule.max_token_length
            or all_bytes > MAX_TOTAL_BYTES
        ):
            break
        m += 1
    return m
