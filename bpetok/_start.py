"""Words in the tokens of merges that are known already, to learn on from there."""

from __future__ import annotations

import numpy as np

from bpetok._encode import Encoder
from bpetok.merges import N_BYTES, Start
from bpetok.words import Int32, Words


def start_after(words: Words, pairs: Int32) -> Start:
    """Return words as merges leave them.

    Parameters
    ----------
    words : Words
    pairs : int32 array, shape (n_merges, 2)
        As `learn_merges` gives them.
    """
    tokens = [bytes([byte]) for byte in range(N_BYTES)]
    for left, right in pairs.tolist():
        tokens.append(tokens[left] + tokens[right])
    encoder = Encoder(np.ascontiguousarray(pairs).reshape(-1).data, len(tokens))
    ids = encoder.encode_words(words.ids.astype(np.uint8).data, words.offsets[1:].data)
    numbers = np.asarray(memoryview(ids)).astype(np.int32)
    lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))[numbers]
    ends = np.cumsum(lengths)
    slots = np.full(len(words.ids), -1, np.int32)
    slots[ends - lengths] = numbers
    slots[ends - 1] = numbers
    return Start(slots, tokens)
