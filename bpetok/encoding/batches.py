"""Many texts at once, on threads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from bpetok.base.checks import check_texts
from bpetok.base.extras import load_numpy
from bpetok.base.records import NamedTuple
from bpetok.encoding.encoder import Encoder, Specials

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ids = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]

BATCH_SIZE = 1 << 20
"""Characters that a thread encodes at a time; with more, threads wait for each other at the end."""


class EncodedBatch(NamedTuple):
    """Ids of several texts, one after another.

    ids : uint16 or uint32 array
    offsets : int64 array, shape (n_texts + 1,)
        Text i has ids[offsets[i]:offsets[i + 1]].
    """

    ids: Ids
    offsets: npt.NDArray[np.int64]


def encode_lists(
    encoder: Encoder, texts: Iterable[str | bytes], n_threads: int, specials: Specials
) -> list[list[int]]:
    """Return the ids of each text."""
    parts = _run(encoder, texts, n_threads, specials, lists=True)
    return parts[0] if len(parts) == 1 else [row for part in parts for row in part]


def encode_flat(
    encoder: Encoder,
    texts: Iterable[str | bytes],
    n_threads: int,
    specials: Specials,
    dtype: np.dtype[Any],
) -> EncodedBatch:
    """Return the ids of all texts in one array, and where each text begins in it."""
    load_numpy()
    import numpy as np

    parts = _run(encoder, texts, n_threads, specials, narrow=dtype.itemsize == 2)
    ids = [np.asarray(part[0]) for part in parts]
    counts = np.concatenate([np.asarray(part[1]) for part in parts])
    offsets = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    return EncodedBatch(ids[0] if len(ids) == 1 else np.concatenate(ids), offsets)


def _run(
    encoder: Encoder,
    texts: Iterable[str | bytes],
    n_threads: int,
    specials: Specials,
    *,
    narrow: bool = False,
    lists: bool = False,
) -> list[Any]:
    rows = list(check_texts(texts))  # the caller's own list may change meanwhile

    def run(part: range) -> Any:
        return encoder.encode_many(rows, part.start, part.stop, specials, narrow, lists)

    parts = [range(len(rows))] if n_threads == 1 else _parts(rows)
    if len(parts) == 1:
        return [run(parts[0])]
    from bpetok.base.threads import map_threads  # takes 5 ms

    return list(map_threads(run, parts, n_threads))


def _parts(texts: Sequence[str | bytes]) -> list[range]:
    """Return ranges of texts of about BATCH_SIZE together, at least one."""
    parts = []
    start = size = 0
    for i, text in enumerate(texts):
        size += len(text) if isinstance(text, str | bytes) else 0
        if size >= BATCH_SIZE:
            parts.append(range(start, i + 1))
            start, size = i + 1, 0
    if start < len(texts) or not parts:
        parts.append(range(start, len(texts)))
    return parts
