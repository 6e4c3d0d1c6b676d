"""What a thread counts words with: a scanner and a table, or a process that runs an expression."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np

from bpetok.counting.options import CountOptions
from bpetok.counting.word_table import WordTable
from bpetok.patterns.builtin import scanner_of
from bpetok.patterns.errors import LIMIT
from bpetok.patterns.scan import check_utf8
from bpetok.patterns.special import SpecialTokens
from bpetok.sources.pieces import Buffer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bpetok.counting.processes import CounterProcess


class Counter(Protocol):
    """Unique words with their counts. One thread at a time uses it."""

    def count(self, data: Buffer, text_ends: NDArray[np.int64], are_utf8: bool) -> int:
        """Count the words of texts; as `WordTable.count`.

        Raises
        ------
        SplitError
            If an expression can't split a text; the offset is that in `data`.
        """

    def limit_memory(self, limit: int, on_full: Callable[[WordTable], object]) -> None:
        """Hand the words over to `on_full`, as `WordTable.limit_memory`, before counting begins.

        Raises
        ------
        ValueError
            If the memory that words take can't be limited.
        """

    def table(self) -> WordTable:
        """Return all words counted that were not handed over; to be called once, at the end."""

    def close(self) -> None:
        """End what is still being counted. It may be called at any time, and several times."""


def make_counters(options: CountOptions, n: int) -> list[Counter]:
    """Return `n` counters, whose tables know the order of the words if `options.in_order`."""
    # Where texts are changed, special tokens are found before that: see `count_chunk`.
    cutting = options.cutting
    special_tokens = SpecialTokens([]) if cutting.changes else cutting.special_tokens
    scanner = scanner_of(options.pattern, options.unmatched)
    if scanner is not None:
        in_order = options.in_order
        return [
            _ScannerCounter(WordTable(special_tokens, scanner, in_order=in_order)) for _ in range(n)
        ]
    from bpetok.counting.processes import CounterProcess

    arguments = (options.pattern, special_tokens.tokens, options.unmatched, LIMIT)
    return [
        _ExpressionCounter(CounterProcess(*arguments), special_tokens, options.in_order)
        for _ in range(n)
    ]


class _ScannerCounter:
    def __init__(self, table: WordTable) -> None:
        self._table = table
        self.count = table.count
        self.limit_memory = table.limit_memory

    def table(self) -> WordTable:
        return self._table

    def close(self) -> None:
        pass


class _ExpressionCounter:
    def __init__(
        self, process: CounterProcess, special_tokens: SpecialTokens, in_order: bool
    ) -> None:
        self._process = process
        self._special_tokens = special_tokens
        self._in_order = in_order

    def count(self, data: Buffer, text_ends: NDArray[np.int64], are_utf8: bool) -> int:
        invalid = -1 if are_utf8 else check_utf8(data, text_ends)
        if invalid >= 0:
            return invalid
        self._process.count(bytes(data), text_ends.tolist())
        return -1

    def limit_memory(self, limit: int, on_full: Callable[[WordTable], object]) -> None:
        raise ValueError("the memory of the processes that run an expression can't be limited")

    def table(self) -> WordTable:
        data, ends, counts, seen = self._process.result()
        self._special_tokens.see_all(seen)
        table = WordTable(SpecialTokens([]), in_order=self._in_order)
        table.add_words(data, np.frombuffer(ends, np.int64), np.frombuffer(counts, np.int64))
        return table

    def close(self) -> None:
        self._process.close()
