"""Texts of records to chunks: many short texts in one buffer, long ones in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bpetok.sources.pieces import Chunk, Cutting, LazyName, Name, Origin, Origins, Piece, cut_text

if TYPE_CHECKING:
    from numpy.typing import NDArray


class RecordNames:
    """Names records of a file in messages.

    Parameters
    ----------
    name : str
        That of the file, and what its records are.
    count_before : callable, optional
        Returns how many records come before those that are numbered here.
    """

    def __init__(self, name: str, count_before: Callable[[], int] | None = None) -> None:
        self._name = name
        self._count_before = count_before

    def __getitem__(self, number: int) -> Name:
        if self._count_before is None:
            return f"{self._name} {number}"
        count_before = self._count_before
        return LazyName(lambda: f"{self._name} {count_before() + number}")

    def origins(self, numbers: Sequence[int] | NDArray[np.int64]) -> Origins:
        """Return the records that texts are from, as origins."""
        return Origins(lambda i: Origin(self[int(numbers[i])], 0), range(len(numbers)))


def packed_texts(
    data: memoryview, offsets: NDArray[np.int64], origins: Origins, cutting: Cutting
) -> Iterator[Piece | Chunk]:
    """Yield texts that lie one after another in memory; text i is data[offsets[i]:offsets[i + 1]].

    No byte is copied, but of texts that are longer than a chunk.
    """
    first, n_texts = 0, len(offsets) - 1
    while first < n_texts:
        begin = offsets[first]
        last = int(np.searchsorted(offsets, begin + cutting.chunk_size, side="right")) - 1
        if last > first:
            ends = offsets[first + 1 : last + 1] - begin
            yield Chunk(data[begin : offsets[last]], ends, origins[first:last])
        else:
            last = first + 1
            yield from cut_text(origins[first].name, data[begin : offsets[last]], cutting)
        first = last
