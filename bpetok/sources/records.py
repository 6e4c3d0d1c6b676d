"""Texts of records to chunks: many short texts in one buffer, long ones in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bpetok.sources.pieces import Chunk, Cutting, Origin, Origins, Piece, cut_text


def origins_of(name: str, numbers: Sequence[int] | NDArray[np.int64]) -> Origins:
    """Return the records that texts are from, as origins."""
    return Origins(lambda i: Origin(f"{name} {numbers[i]}", 0), range(len(numbers)))


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
