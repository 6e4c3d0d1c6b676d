"""Words that would make tokens very long: said before words are learned from."""

from __future__ import annotations

import warnings

import numpy as np

from bpetok.base.limits import MAX_INT32, MAX_TOTAL_BYTES
from bpetok.counting.words import Words

LONG_RUN = MAX_TOTAL_BYTES // 4
"""Merges of a run of one byte give tokens of 2, 4, 8, ... bytes, and then what makes one of the
rest: only of a run that is longer they can be longer than `MAX_TOTAL_BYTES` together."""


def warn_of_long_runs(words: Words, max_token_length: int, stacklevel: int) -> None:
    """Warn if a run of one byte, as in a file with a hole, may make tokens as long as they may be.

    It need not: with many other words learning may end before tokens get so long.
    """
    if max_token_length < MAX_INT32:
        return
    arrays = words.arrays
    for i in np.flatnonzero(arrays.lengths >= LONG_RUN).tolist():
        word = arrays.ids[arrays.offsets[i] : arrays.offsets[i + 1]]
        ends = np.flatnonzero(np.diff(word, append=-1))
        longest = int(np.diff(ends, prepend=-1).max())
        if longest >= LONG_RUN:
            warnings.warn(
                f"a word has a run of {longest} equal bytes, as a file with a hole has: learning "
                f"from it takes about {20 * len(word) / 1e6:.0f} MB, and ends early if tokens "
                "get so long. Give max_token_length, or leave that out",
                stacklevel=stacklevel,
            )
            return
