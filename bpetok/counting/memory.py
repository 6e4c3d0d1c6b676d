"""All about `max_memory` while words are counted, and the rare words that are left out for it.

What the user allows is a `CountLimits`. Each thread's table may take `table_limit` bytes; a fuller
one goes to a file (`counting.spill`). When the files are merged, `RareWords.make_fit` sees to it
that the words themselves fit, and `RareWords` knows what was left out. What learning takes is in
`training.memory`.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bpetok.base.array_types import Int64
from bpetok.base.checks import check_integer, check_size, shorten
from bpetok.base.limits import MAX_INT64
from bpetok.base.records import NamedTuple
from bpetok.patterns.builtin import scanner_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIXED_MEMORY = 48_000_000
"""Memory that one reader takes: blocks and records. It is nearly reached with Parquet."""
READER_MEMORY = 32_000_000
"""Memory that each further reader takes, of what is read at the same time."""
THREAD_MEMORY = 12_000_000
"""Memory that reading takes for each thread: chunks on their way."""
LEAST_TABLE = 8_000_000


class CountLimits(NamedTuple):
    """The checked limits of counting; see `check_limits`.

    max_memory : int or None
        Bytes.
    min_word_count : int
        Words that occur less often are left out.
    auto : bool
        True if more words may be left out, as many as `max_memory` demands.
    """

    max_memory: int | None = None
    min_word_count: int = 1
    auto: bool = False

    def identity(self) -> dict[str, Any]:
        """Return what the result depends on, by the names that the user knows."""
        if self.auto:
            return {"min_word_count": "auto", "max_memory": self.max_memory}
        return {"min_word_count": self.min_word_count}

    def n_readers(self, wanted: int, n_threads: int) -> int:
        """Return how many sources are read at a time, of those that the user wants.

        Half of what tables do not need is for them: with smaller tables there is more to merge.
        """
        if self.max_memory is None:
            return wanted
        spare = self.max_memory - _least_memory(n_threads)
        return max(1, min(wanted, 1 + spare // 2 // READER_MEMORY))

    def table_limit(self, n_threads: int, n_readers: int = 1) -> int:
        """Return the bytes that each thread's table may take. Requires: `max_memory`.

        Raises
        ------
        ValueError
            If that is too little to count with.
        """
        assert self.max_memory is not None
        readers = FIXED_MEMORY + (n_readers - 1) * READER_MEMORY
        limit = (self.max_memory - readers) // n_threads - THREAD_MEMORY
        if limit < LEAST_TABLE:
            least = _least_memory(n_threads)
            raise ValueError(
                f"max_memory must be at least {least / 1e6:.0f} MB for {n_threads} threads, got "
                f"{self.max_memory / 1e6:g} MB: give it more, or take fewer threads"
            )
        return limit

    def check_counting(self, pattern: str, n_threads: int) -> None:
        """Raise a ValueError if `max_memory` can't be kept while text is counted."""
        if self.max_memory is None:
            return
        self.table_limit(n_threads)
        if scanner_of(pattern) is None:
            raise ValueError(
                "max_memory can't be kept with a pattern that can't be compiled to a scanner: "
                "leave one of them out"
            )


def _least_memory(n_threads: int) -> int:
    """Return the least `max_memory` with which text can be counted, by one reader."""
    return FIXED_MEMORY + n_threads * (THREAD_MEMORY + LEAST_TABLE)


NO_LIMITS = CountLimits()


def check_limits(
    max_memory: int | str | None = None, min_word_count: int | Literal["auto"] = 1
) -> CountLimits:
    """Check what the user allows.

    Parameters
    ----------
    max_memory : int or str, optional
        Bytes, also as "4GB".
    min_word_count : int or "auto"
        Words that occur less often are left out; "auto" finds the least number with which
        `max_memory` is enough, 1 if it is enough for all.

    Raises
    ------
    TypeError, ValueError
        If one is out of its range.
    """
    size = None if max_memory is None else check_size("max_memory", max_memory, 1)
    if isinstance(min_word_count, str):
        if str(min_word_count) != "auto":
            raise ValueError(
                f"min_word_count must be a number or 'auto', got {shorten(min_word_count)}"
            )
        if size is None:
            raise ValueError("min_word_count='auto' needs max_memory, the bound to keep")
        return CountLimits(size, auto=True)
    return CountLimits(size, check_integer("min_word_count", min_word_count, 1, MAX_INT64))


class RareWords:
    """Which words are left out because they are rare, and how much of the text they were.

    Attributes
    ----------
    limits : CountLimits
    least_count : int
        Words that occur less often are left out. It rises where `limits.auto` allows it.
    """

    def __init__(self, limits: CountLimits = NO_LIMITS) -> None:
        self.limits = limits
        self.least_count = limits.min_word_count
        self._n_dropped = 0
        self._dropped_total = 0
        self._dropped_bytes = 0
        self._most_dropped = 0  # how often one of them occurs

    def keep(self, lengths: NDArray[np.integer], counts: Int64) -> NDArray[np.bool_] | None:
        """Tell which words are kept, None for all of them; take account of the others."""
        kept = counts >= self.least_count
        if kept.all():
            return None
        dropped = counts[~kept]
        self._n_dropped += len(dropped)
        self._dropped_total += int(dropped.sum())
        self._most_dropped = max(self._most_dropped, int(dropped.max()))
        self._dropped_bytes += int(np.dot(dropped, lengths[~kept]))
        return kept

    def make_fit(self, needed: int) -> bool:
        """Return True if words that take so many bytes fit; otherwise allow fewer of them.

        What reading has taken is not given back at once.

        Raises
        ------
        ValueError
            If they do not fit, and may not be left out.
        """
        most = self.limits.max_memory
        if most is None or FIXED_MEMORY + needed <= most:
            return True
        if not self.limits.auto:
            raise ValueError(
                f"the different words take more than max_memory={most / 1e6:.0f} MB: "
                "give it more, or allow rare words to be left out with min_word_count='auto'"
            )
        self.least_count += 1
        return False

    def check_left(self, n_words: int) -> None:
        """Raise a ValueError if no word is kept, and those that there were are left out."""
        if n_words or not self._n_dropped:
            return
        if self.limits.auto:
            raise ValueError(
                f"max_memory={(self.limits.max_memory or 0) / 1e6:g} MB is too little for any "
                "word, so min_word_count='auto' leaves all of them out: give it more"
            )
        raise ValueError(
            f"min_word_count must be at most {self._most_dropped}, as often as the most frequent "
            f"word occurs, got {self.least_count}: no word would be left"
        )

    def warn(self, total: int, n_bytes: int, stacklevel: int) -> None:
        """Tell the user what was left out of a text of which these words and bytes are kept."""
        if not self._n_dropped:
            return
        share = self._dropped_total / (total + self._dropped_total)
        byte_share = self._dropped_bytes / (n_bytes + self._dropped_bytes)
        warnings.warn(
            f"min_word_count={self.least_count} left out {self._n_dropped} different words, "
            f"{share:.3%} of the words of the text and {byte_share:.3%} of its bytes",
            stacklevel=stacklevel,
        )
