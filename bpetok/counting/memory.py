"""How much memory training may take, and which rare words it may leave out for that."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bpetok.base.checks import check_integer, check_size

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

FIXED_MEMORY = 48_000_000
THREAD_MEMORY = 12_000_000
"""What reading takes, in all and for each thread: blocks, records, chunks on their way. With
Parquet, most of the first was seen."""
LEAST_TABLE = 8_000_000
LEFT_MEMORY = 170_000_000
"""What is in memory beside what is learned: Numba, up to 100 MB, where kernels must be compiled or
are parallel; and what counting has taken and not given back: 20 (text) to 80 MB (Parquet)."""

MOST_RARE = 1 << 16
"""Words that come more often are never left out to save memory."""


def learning_memory(n_words: NDArray[Any], n_bytes: NDArray[Any], n_merges: int) -> NDArray[Any]:
    """Return the bytes that learning takes at most, `Words` and `LEFT_MEMORY` not included.

    Measured on English, multilingual text and code of 10 to 180 MB with 8,000 to 128,000 merges:
    9 to 12 bytes for each byte and each word, 0.3 to 0.6 kB a merge; on 400,000 random words of 14
    letters, 16 bytes. What is said here was 1.05 to 2.1 times as much.
    """
    needed: NDArray[Any] = 17 * n_bytes + (17 + 8) * n_words
    return needed + 600 * n_merges + 12_000_000


class Bounds:
    """What the user allows, and what was left out so far.

    Parameters
    ----------
    max_memory : int or str, optional
        Bytes, also as "4GB".
    min_word_count : int or "auto"
        Words that come less often are left out; "auto" finds the least number with which
        `max_memory` is enough, 1 if it is enough for all.
    """

    def __init__(
        self,
        max_memory: int | str | None = None,
        min_word_count: int | Literal["auto"] = 1,
    ) -> None:
        self.max_memory = None if max_memory is None else check_size("max_memory", max_memory, 1)
        self.auto = min_word_count == "auto"
        if self.auto and max_memory is None:
            raise ValueError("min_word_count='auto' needs max_memory, the bound to keep")
        self.min_word_count = 1
        if isinstance(min_word_count, str) and not self.auto:
            raise ValueError(f"min_word_count must be a number or 'auto', got {min_word_count!r}")
        if not self.auto:
            self.min_word_count = check_integer("min_word_count", min_word_count, 1, (1 << 63) - 1)
        self._n_dropped = 0
        self._dropped_total = 0
        self._dropped_bytes = 0

    @property
    def facts(self) -> dict[str, Any]:
        """What the result of learning depends on, by the names that the user knows."""
        if self.auto:
            return {"min_word_count": "auto", "max_memory": self.max_memory}
        return {"min_word_count": self.min_word_count}

    def table_limit(self, n_threads: int) -> int:
        """Return the bytes that each thread's table may take. Requires: `max_memory`.

        Raises
        ------
        ValueError
            If that is too little to count with.
        """
        assert self.max_memory is not None
        limit = (self.max_memory - FIXED_MEMORY) // n_threads - THREAD_MEMORY
        if limit < LEAST_TABLE:
            least = FIXED_MEMORY + n_threads * (THREAD_MEMORY + LEAST_TABLE)
            raise ValueError(
                f"max_memory must be at least {least / 1e6:.0f} MB for {n_threads} threads, got "
                f"{self.max_memory / 1e6:.0f} MB: give it more, or take fewer threads"
            )
        return limit

    def keep(self, lengths: NDArray[np.integer], counts: Int64) -> NDArray[np.bool_] | None:
        """Tell which words are kept, None for all of them; note what is not."""
        kept = counts >= self.min_word_count
        if kept.all():
            return None
        dropped = counts[~kept]
        self._n_dropped += len(dropped)
        self._dropped_total += int(dropped.sum())
        self._dropped_bytes += int(np.dot(dropped, lengths[~kept]))
        return kept

    def exceeded(self, needed: int) -> bool:
        """Tell whether words that take so many bytes are too many, and allow fewer of them.

        What reading has taken is not given back at once.

        Raises
        ------
        ValueError
            If they are, and may not be left out.
        """
        if self.max_memory is None or FIXED_MEMORY + needed <= self.max_memory:
            return False
        if not self.auto:
            raise ValueError(
                f"the different words take more than max_memory={self.max_memory / 1e6:.0f} MB: "
                "give it more, or allow rare words to be left out with min_word_count='auto'"
            )
        self.min_word_count += 1
        return True

    def fit_learning(
        self, lengths: Int64, counts: Int64, n_merges: int
    ) -> NDArray[np.bool_] | None:
        """Tell which words are kept for learning, None for all of them; note what is not.

        Raises
        ------
        ValueError
            If `max_memory` is too little for that and words may not be left out, or are too few.
        """
        kept = self.keep(lengths, counts)
        if self.max_memory is None:
            return kept
        # How many words, and bytes of words, come at least so often.
        least = np.minimum(counts, MOST_RARE)
        n_words = np.bincount(least, minlength=MOST_RARE + 1)[::-1].cumsum()[::-1]
        n_bytes = np.bincount(least, lengths, MOST_RARE + 1)[::-1].cumsum()[::-1]
        needed = LEFT_MEMORY + learning_memory(n_words, n_bytes, n_merges)
        fitting = np.flatnonzero(needed <= self.max_memory)
        enough = int(fitting[0]) if len(fitting) else MOST_RARE + 1
        if enough <= self.min_word_count:
            return kept
        if not self.auto or enough > MOST_RARE:
            remedy = "give it more, or learn fewer merges"
            if enough <= MOST_RARE:
                remedy += f", or leave rare words out with min_word_count={enough}, or 'auto'"
            raise ValueError(
                f"learning {n_merges} merges from {len(counts)} different words takes up to "
                f"{needed[min(self.min_word_count, MOST_RARE)] / 1e6:.0f} MB, more than max_memory="
                f"{self.max_memory / 1e6:.0f} MB: {remedy}"
            )
        self.min_word_count = enough
        return self.keep(lengths, counts)

    def warn(self, total: int, n_bytes: int, stacklevel: int) -> None:
        """Tell the user what was left out of a text of which these words and bytes are kept."""
        if not self._n_dropped:
            return
        share = self._dropped_total / (total + self._dropped_total)
        byte_share = self._dropped_bytes / (n_bytes + self._dropped_bytes)
        warnings.warn(
            f"min_word_count={self.min_word_count} left out {self._n_dropped} different words, "
            f"{share:.3%} of the words of the text and {byte_share:.3%} of its bytes",
            stacklevel=stacklevel,
        )
