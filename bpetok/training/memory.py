"""What counting and learning take of memory, and the rare words that are left out for it."""

from __future__ import annotations

from math import ceil, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.counting.chunks import without_rare
from bpetok.counting.memory import FIXED_MEMORY, THREAD_MEMORY, RareWords
from bpetok.counting.words import Words
from bpetok.learning.rule import DEFAULT_TUNING

LEFT_MEMORY = 80_000_000
"""Memory that counting has taken and not given back: 20 (text) to 80 MB (Parquet)."""
NUMBA_MEMORY = 180_000_000
"""What Numba takes, which is loaded where several threads learn: 157 and 176 MB were measured."""
PAIRS_GROWTH = 0.75
PAIRS_FACTOR = 14
"""Words of n tokens have less than 14 * n ** 0.75 different pairs: 7 to 13.7 were measured after
24,000 and 60,000 merges of English, code and several languages, 0.7 to 19 million tokens."""
PAIR_BYTES = 24 * 2 * 8 // 5
"""What a table has for a pair: it is a power of two of entries, at most 5/8 of them used."""
MOST_RARE = 1 << 16
"""Words that occur more often are never left out to save memory."""


ENTRY_BYTES = 32
"""What a table has for each word; it keeps the bytes of words longer than INLINE_BYTES apart."""
INLINE_BYTES = 15


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
    slots_a_byte: float = 1.0,
) -> NDArray[Any]:
    """Return the bytes that learning takes at most, `LEFT_MEMORY` not included.

    `slots_a_byte` is how many tokens the words have at most for each of their bytes.

    Measured on English, multilingual text and code of 10 to 180 MB with 8,000 to 128,000 merges:
    9 to 12 bytes for each byte and each word, 0.3 to 0.6 kB a merge; on 400,000 random words of 14
    letters, 16 bytes. The result of this function was 1.05 to 2.1 times as much, `Words` not
    counted. Where words are tokens already they are in memory in both forms for a while, and the
    table of pairs, one for each thread, is large.
    """
    slots = n_bytes * slots_a_byte
    loads_numba = (n_threads > 1) & (slots + n_words >= DEFAULT_TUNING.parallel_slots)
    fixed: NDArray[Any] = 600 * n_merges + 12_000_000 + NUMBA_MEMORY * loads_numba
    needed: NDArray[Any] = 17 * slots + (17 + 8) * n_words
    if slots_a_byte < 1:
        both = 4 * n_bytes + 32 * n_words + 12 * slots
        n_tables = np.where(loads_numba, n_threads, 1)
        pairs = PAIRS_FACTOR * (slots / n_tables) ** PAIRS_GROWTH * n_tables
        needed = np.maximum(needed + PAIR_BYTES * pairs, both)
    needed += fixed
    return needed


def fit_learning(
    words: Words, n_merges: int, n_threads: int, rare: RareWords, slots_a_byte: float = 1.0
) -> Words:
    """Leave out the rare words that may, or for `max_memory` must, be left out.

    `slots_a_byte` is how many tokens the words have at most for each of their bytes.

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
        needed = LEFT_MEMORY + learning_memory(n_words, n_bytes, n_merges, n_threads, slots_a_byte)
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
