"""What counting and learning take of memory, and the rare words that are left out for it."""

from __future__ import annotations

from math import ceil, log2
from typing import TYPE_CHECKING, Any

import numpy as np

from bpetok.base.records import NamedTuple
from bpetok.counting.chunks import without_rare
from bpetok.counting.memory import FIXED_MEMORY, THREAD_MEMORY, RareWords
from bpetok.counting.words import Words
from bpetok.learning.learner import LARGE_TABLE
from bpetok.learning.rule import DEFAULT_TUNING

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEFT_MEMORY = 80_000_000
"""Memory that counting has taken and not given back: 20 (text) to 80 MB (Parquet)."""
NUMBA_MEMORY = 180_000_000
"""What Numba takes, which is loaded where several threads learn: 157 and 176 MB were measured."""
PAIRS_GROWTH = 0.75
PAIRS_FACTOR = 17.0
"""Words of n tokens have less than 17 * n ** 0.75 different pairs: 6 to 16.9 were measured after
24,000 and 60,000 merges of English, code and several languages, 0.06 to 20 million tokens; fewer
after fewer merges."""
PAIR_BYTES = 24
"""What a table of pairs has for each of its entries: see `Learner._count_pairs`."""
ARROW_MEMORY = 45_000_000
"""What pyarrow takes where Parquet is read."""
MOST_RARE = 1 << 16
"""Words that occur more often are never left out to save memory."""


ENTRY_BYTES = 32
"""What a table has for each word; it keeps the bytes of words longer than INLINE_BYTES apart."""
INLINE_BYTES = 15


class Begun(NamedTuple):
    """How words begin that are tokens of known merges already.

    slots_a_byte : float
        How many tokens they have at most for each of their bytes.
    pairs_factor, pairs_growth : float
        Words of n tokens have at most pairs_factor * n ** pairs_growth different pairs.
    """

    slots_a_byte: float
    pairs_factor: float = PAIRS_FACTOR
    pairs_growth: float = PAIRS_GROWTH


def counting_memory(
    n_words: float, n_bytes: float, own_words: float, own_bytes: float, n_threads: int
) -> float:
    """Return the bytes that counting takes at most, without `max_memory`.

    The table of each thread has `own_words`, the long ones among them with `own_bytes` bytes.
    """
    table = _table_memory(own_words)
    tables = n_threads * (table + own_bytes)
    entries = ENTRY_BYTES * n_words
    arrays = 4 * n_bytes + 40 * n_words
    reading = FIXED_MEMORY // 2 + n_threads * THREAD_MEMORY
    return reading + max(tables + n_threads * table / 2, tables + entries, entries + arrays)


def _table_memory(n_words: float) -> float:
    """Return the bytes of a table: a power of two of entries, at most 5/8 of them used."""
    return float(ENTRY_BYTES << max(0, ceil(log2(max(n_words, 1) / 0.625))))


def learning_memory(
    n_words: NDArray[Any],
    n_bytes: NDArray[Any],
    n_merges: int,
    n_threads: int,
    begun: Begun | None = None,
) -> NDArray[Any]:
    """Return the bytes that learning takes at most, `LEFT_MEMORY` not included.

    Measured on English, multilingual text and code of 10 to 180 MB with 8,000 to 128,000 merges:
    9 to 12 bytes for each byte and each word, 0.3 to 0.6 kB a merge; on 400,000 random words of 14
    letters, 16 bytes. The result of this function was 1.05 to 2.1 times as much, `Words` not
    counted. Words that have `begun` are in memory both as bytes and as tokens for a while. Then
    the slots take four bytes, their postings four, and each thread has a table of pairs.
    """
    slots = n_bytes * (1.0 if begun is None else begun.slots_a_byte)
    loads_numba = (n_threads > 1) & (slots + n_words >= DEFAULT_TUNING.parallel_slots)
    fixed: NDArray[Any] = 600 * n_merges + 12_000_000 + NUMBA_MEMORY * loads_numba
    if begun is None:
        needed: NDArray[Any] = fixed + 17 * slots + (17 + 8) * n_words
        return needed
    both = 4 * n_bytes + 32 * n_words + 12 * slots
    n_tables = np.where(loads_numba, n_threads, 1)
    share = (slots + n_words) / n_tables
    tables = n_tables * PAIR_BYTES * _pair_entries(share, begun)
    learning: NDArray[Any] = np.maximum(both, 9 * (slots + n_words) + tables + fixed)
    return learning


def _pair_entries(slots: NDArray[Any], begun: Begun) -> NDArray[Any]:
    """Return the entries of the table of pairs of so many slots, as the learner makes it."""
    least = begun.pairs_factor * slots**begun.pairs_growth * 8 / 5
    entries: NDArray[Any] = 2 ** np.ceil(np.log2(np.maximum(slots / 16, 2)))
    while (small := entries < least).any():
        entries = np.where(small, entries * np.where(entries < LARGE_TABLE, 4, 2), entries)
    return entries


def fit_learning(
    words: Words, n_merges: int, n_threads: int, rare: RareWords, begun: Begun | None = None
) -> Words:
    """Leave out the rare words that may, or for `max_memory` must, be left out.

    Raises
    ------
    ValueError
        If `max_memory` is too little to learn from the words, and they may not be left out, or
        are too few.
    """
    limits = rare.limits
    lengths = words.arrays.lengths
    if limits.max_memory is not None:
        # How many words, and bytes of words, occur at least 0, 1, 2 ... times.
        least = np.minimum(words.counts, MOST_RARE)
        n_words = np.bincount(least, minlength=MOST_RARE + 1)[::-1].cumsum()[::-1]
        n_bytes = np.bincount(least, lengths, MOST_RARE + 1)[::-1].cumsum()[::-1]
        needed = LEFT_MEMORY + learning_memory(n_words, n_bytes, n_merges, n_threads, begun)
        fitting = np.flatnonzero(needed <= limits.max_memory)
        enough = int(fitting[0]) if len(fitting) else MOST_RARE + 1
        if enough > rare.least_count:
            if not limits.auto or enough > MOST_RARE:
                remedy = "give it more, or learn fewer merges"
                if enough <= MOST_RARE:
                    remedy += f", or leave rare words out with min_word_count={enough}, or 'auto'"
                raise ValueError(
                    f"learning {n_merges} merges from {len(words)} different words takes up to "
                    f"{needed[min(rare.least_count, MOST_RARE)] / 1e6:.0f} MB, more than "
                    f"max_memory={limits.max_memory / 1e6:.0f} MB: {remedy}"
                )
            rare.least_count = enough
    return without_rare(words, rare)
