"""Texts of records to chunks: many short texts in one buffer, long ones in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from bpetok.sources.pieces import Chunk, Cutting, Origin, Piece, cut_text


class Rows(Sequence[Origin]):
    """The records that texts are from, as origins."""

    def __init__(self, name: str, numbers: Sequence[int] | NDArray[np.int64]) -> None:
        self._name = name
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Origin: ...
    @overload
    def __getitem__(self, index: slice) -> Rows: ...
    def __getitem__(self, index: int | slice) -> Origin | Rows:
        if isinstance(index, slice):
            return Rows(self._name, self._numbers[index])
        return Origin(f"{self._name} {self._numbers[index]}", 0)


def packed_texts(
    data: memoryview, offsets: NDArray[np.int64], rows: Rows, cutting: Cutting
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
            yield Chunk(data[begin : offsets[last]], ends, rows[first:last])
        else:
            last = first + 1
            yield from cut_text(rows[first].name, data[begin : offsets[last]], cutting)
        first = last
