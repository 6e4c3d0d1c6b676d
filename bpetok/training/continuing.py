"""Words in the tokens of merges that are known already, to learn on from there."""

from __future__ import annotations

import numpy as np

from bpetok.base.array_types import Int32
from bpetok.counting.words import Words
from bpetok.encoding.encoder import Encoder
from bpetok.encoding.token_bytes import build_token_bytes
from bpetok.learning.rule import Start


def start_after(words: Words, pairs: Int32) -> Start:
    """Return words as merges leave them.

    Parameters
    ----------
    words : Words
    pairs : int32 array, shape (n_merges, 2)
        As `learn_merges` gives them.
    """
    flat = np.ascontiguousarray(pairs).reshape(-1).data
    tokens = build_token_bytes(flat)
    encoder = Encoder(flat, len(tokens))
    ids = encoder.encode_words(words.ids.astype(np.uint8).data, words.offsets[1:].data)
    numbers = np.asarray(memoryview(ids)).astype(np.int32)
    lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))[numbers]
    ends = np.cumsum(lengths)
    slots = np.full(len(words.ids), -1, np.int32)
    slots[ends - lengths] = numbers
    slots[ends - 1] = numbers
    tokens_of_words = np.diff(np.searchsorted(ends, words.offsets, side="right"))
    return Start(slots, tokens, int((words.counts * tokens_of_words).sum()))
