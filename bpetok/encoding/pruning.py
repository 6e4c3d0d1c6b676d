"""Which merges a text needs least: how often each token is used, and an order to leave merges out.

Only leaves can go: tokens that no merge uses. When one has gone, its parts may be leaves, and have
the places that it had. The order is that of `leaf_pruning_order_frequency` in tokenizer-extension
(Purason, Chizhov, Yamshchikov and Fishel 2025): the rarest leaf first, ties to the largest number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

import numpy as np

from bpetok.base.limits import N_BYTES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bpetok.encoding.codec import Codec


def count_ids(codec: Codec, words: Iterable[tuple[bytes, int]]) -> NDArray[np.int64]:
    """Return how often each id is used: int64, shape (vocab_size,).

    Parameters
    ----------
    codec : Codec
    words : iterable of (bytes, int)
        Words, and how often each occurs.
    """
    ids: list[int] = []
    lengths = []
    times = []
    for word, count in words:
        found = codec._encode_word(word)
        ids += found
        lengths.append(len(found))
        times.append(count)
    counts = np.zeros(codec.vocab_size, np.int64)
    np.add.at(counts, np.array(ids, np.int64), np.repeat(np.array(times, np.int64), lengths))
    return counts


def by_number(codec: Codec, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return counts of ids as counts of each byte and of what each merge makes: int64.

    A byte without an id has 0.
    """
    return np.where(codec.token_ids < 0, 0, counts[codec.token_ids])


def count_tokens(codec: Codec, words: Iterable[tuple[bytes, int]]) -> NDArray[np.int64]:
    """Return how often each byte and each merge is used in words with counts: int64."""
    return by_number(codec, count_ids(codec, words))


def pruning_order(pairs: Sequence[tuple[int, int]], counts: Sequence[int]) -> list[int]:
    """Return all merges, by number from 0, in the order in which they may be left out.

    Parameters
    ----------
    pairs : sequence of (int, int)
        What each merge joins: bytes are 0-255, merge i makes 256 + i.
    counts : sequence of int, length 256 + n_merges
        How often each byte and each merge is used: see `count_tokens`.
    """
    left_over = list(counts)
    n_uses = [0] * len(left_over)
    for pair in pairs:
        for part in pair:
            n_uses[part] += 1
    leaves = [
        (left_over[number], -number)
        for number in range(N_BYTES, len(left_over))
        if not n_uses[number]
    ]
    heapify(leaves)
    order = []
    while leaves:
        times, negative = heappop(leaves)
        merge = -negative - N_BYTES
        order.append(merge)
        for part in pairs[merge]:
            left_over[part] += times
            n_uses[part] -= 1
            if part >= N_BYTES and not n_uses[part]:
                heappush(leaves, (left_over[part], -part))
    return order
