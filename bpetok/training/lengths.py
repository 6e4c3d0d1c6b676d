"""Words with very long runs of one byte, as of a file with a hole in it."""

from __future__ import annotations

import warnings

import numpy as np

from bpetok.base.limits import MAX_INT32, MAX_TOTAL_BYTES, N_BYTES
from bpetok.counting.arrays import WordArrays
from bpetok.counting.words import Words
from bpetok.learning.rule import NO_MERGES, Merges, Rule
from bpetok.learning.slots import count_runs, double_runs, longest_run

LONG_RUN = MAX_TOTAL_BYTES // 4
"""Merges of a run of one byte give tokens of 2, 4, 8, ... bytes, and then what makes one of the
rest: only of a run that is longer they can be longer than `MAX_TOTAL_BYTES` together."""

MOST_DOUBLINGS = 30
"""After these a token would be longer than 2**31 bytes."""

LONG_WORD = 1 << 20
"""Of a shorter word the usual way takes less than 20 MB."""


def warn_of_long_runs(words: Words, n_merges: int, rule: Rule, stacklevel: int) -> None:
    """Warn if a run of one byte, as in a file with a hole, may make tokens as long as they may be.

    It need not: with many other words learning may end before tokens get so long.
    """
    if rule.max_token_length < MAX_INT32:
        return
    arrays = words.arrays
    for i in np.flatnonzero(arrays.lengths >= LONG_RUN).tolist():
        word = arrays.ids[arrays.offsets[i] : arrays.offsets[i + 1]]
        byte, longest = longest_run(word)
        if longest >= LONG_RUN:
            n_first = _n_certain(arrays, byte, n_merges, rule)
            n_left = len(word) - longest + (longest >> n_first)
            n_bytes = 4 * len(word) + 20 * n_left
            warnings.warn(
                f"a word has a run of {longest} equal bytes, as a file with a hole has: learning "
                f"from it takes about {n_bytes / 1e6:.0f} MB, and ends early if tokens "
                "get so long. Give max_token_length, or leave that out",
                stacklevel=stacklevel,
            )
            return


def begin_with_run(
    words: WordArrays, n_merges: int, rule: Rule, shortest: int = LONG_WORD
) -> tuple[WordArrays, Merges]:
    """Learn the merges that one long run of a byte decides; return the words as these leave them.

    Where two of these bytes occur more often than any other pair their merges come first, whatever
    the rest is: of two bytes, of two of these tokens, and so on. All of them are made in one pass
    here. One after another they would take 19 bytes of memory for each byte of the run.

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
    if lengths[i] < shortest:
        return words, NO_MERGES
    byte, _ = longest_run(words.ids[words.offsets[i] : words.offsets[i + 1]])
    n_first = _n_certain(words, byte, n_merges, rule)
    if n_first == 0:
        return words, NO_MERGES
    ids = np.empty(len(words.ids), np.int32)  # what is not written to takes no memory
    offsets = np.empty_like(words.offsets)
    counts = np.empty(n_first, np.int64)
    n_ids = double_runs(words.ids, words.offsets, words.counts, byte, N_BYTES, ids, offsets, counts)
    tokens = np.array([byte, *range(N_BYTES, N_BYTES + n_first - 1)], np.int32)
    merges = Merges(np.stack([tokens, tokens], axis=1), counts)
    return WordArrays(ids[:n_ids].copy(), offsets, words.counts), merges


def _n_certain(words: WordArrays, byte: int, n_merges: int, rule: Rule) -> int:
    """Return how many merges are certainly those of the runs of a byte.

    After m of them a run of n bytes is a row of ``n >> m`` equal tokens and at most one token of
    each earlier length. So any other pair of two of these tokens occurs at most once in a run. And
    a pair with another byte, or a token that another merge would make, occurs no more often than
    the last byte of its left and the first byte of its right did next to each other in the text.
    """
    if rule.merge_filter is not None:
        return 0
    n_pairs = np.empty(MOST_DOUBLINGS, np.int64)
    most_others = max(count_runs(words.ids, words.offsets, words.counts, byte, n_pairs))
    m, all_bytes = 0, N_BYTES
    while m < min(n_merges, MOST_DOUBLINGS):
        length = 2 << m
        all_bytes += length
        if (
            n_pairs[m] <= most_others
            or n_pairs[m] < rule.min_frequency
            or length > rule.max_token_length
            or all_bytes > MAX_TOTAL_BYTES
        ):
            break
        m += 1
    return m
