"""Words in the tokens of merges that are known already, to learn on from there."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from bpetok.base.array_types import Int32, Int64
from bpetok.base.threads import map_threads
from bpetok.counting.arrays import WordArrays
from bpetok.encoding.encoder import Encoder
from bpetok.encoding.token_bytes import build_token_bytes

SHARE_BYTES = 4_000_000
"""About as many bytes of words are encoded at once: the work of a thread between two looks."""


def start_after(
    words: WordArrays, pairs: Int32, n_threads: int = 1
) -> tuple[WordArrays, list[bytes]]:
    """Return words as merges leave them, and the tokens that their ids are then.

    Parameters
    ----------
    words : WordArrays
    pairs : int32 array, shape (n_merges, 2)
        As `learn_merges` gives them.
    n_threads : int
    """
    flat = np.ascontiguousarray(pairs).reshape(-1).data
    tokens = build_token_bytes(flat)
    if len(pairs) == 0:
        return words, tokens
    encoder = Encoder(flat, len(tokens))

    def encode(first: int, last: int) -> tuple[Int32, Int64]:
        begin, end = words.offsets[first], words.offsets[last]
        lengths = np.empty(last - first, np.int64)
        ids = encoder.encode_words(
            words.ids[begin:end].astype(np.uint8).data,
            (words.offsets[first + 1 : last + 1] - begin).data,
            lengths.data,
        )
        return np.asarray(memoryview(ids)).view(np.int32), lengths

    n_shares = 1 + len(words.ids) // SHARE_BYTES
    places = np.arange(1, n_shares) * (len(words.ids) // n_shares)
    starts = np.unique([0, *np.searchsorted(words.offsets, places), len(words.counts)]).tolist()
    found = list(map_threads(lambda share: encode(*share), pairwise(starts), n_threads))
    ids = np.concatenate([ids for ids, _ in found])
    ends = np.cumsum(np.concatenate([lengths for _, lengths in found]))
    return WordArrays(ids, np.concatenate([np.zeros(1, np.int64), ends]), words.counts), tokens
