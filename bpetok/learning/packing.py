"""Words to slots, in shards: what the kernels merge in."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import isqrt

import numpy as np

from bpetok.base.array_types import Int32, Int64
from bpetok.base.limits import MAX_INT32
from bpetok.base.records import NamedTuple
from bpetok.base.threads import exhaust, map_threads
from bpetok.learning.arrays import BLOCK_BITS, CountedWords
from bpetok.learning.slots import fill_slots, sort_rare

MAX_SHARD_SLOTS = MAX_INT32


class Packed(NamedTuple):
    """Words as slots: see `arrays.Shards`."""

    symbols: Int32
    slot_start: Int64
    language_start: Int64
    weights: Int64


def pack(words: CountedWords, ids: Int32, n_shards: int, in_order: bool) -> Packed:
    """Lay words out in slots, in at least `n_shards` shards of about the same number of bytes.

    Words with one count are put together, so that a block of slots has one weight and a posting
    need not say which word it is in. With `in_order` the words keep their order, which takes more
    slots.

    Parameters
    ----------
    words : CountedWords
    ids : int32 array
        To be written instead of `words.ids`.
    """
    n_words = len(words.counts)
    # With n different counts the words occur at least 1 + 2 + ... + n times.
    most_changes = isqrt(2 * int(words.counts.sum())) + 1
    n_changes = n_words if in_order else min(n_words, most_changes)
    most = len(ids) + n_words + (n_changes << BLOCK_BITS)
    n_shards = max(n_shards, 1 + most // MAX_SHARD_SLOTS)
    shares = np.arange(1, n_shards) * len(ids) // n_shards
    starts = [0, *np.searchsorted(words.offsets, shares).tolist(), n_words]
    sizes = [
        words.offsets[last] - words.offsets[first] + last - first + 1
        for first, last in pairwise(starts)
    ]
    orders = []
    for i, (first, last) in enumerate(pairwise(starts)):
        counts = words.counts[first:last]
        order = np.arange(last - first) if in_order else by_count(counts)
        sizes[i] += np.count_nonzero(np.diff(counts[order])) << BLOCK_BITS
        orders.append(order + first)
    blocks = -(-np.array(sizes, np.int64) >> BLOCK_BITS)
    if int(blocks.max()) << BLOCK_BITS > MAX_SHARD_SLOTS:
        if n_shards > n_words:
            raise ValueError(
                f"a word or sequence must have less than {MAX_SHARD_SLOTS} bytes or symbols to "
                "learn from: cut it"
            )
        return pack(words, ids, 2 * n_shards, in_order)
    slot_start = np.concatenate([[0], np.cumsum(blocks << BLOCK_BITS)])
    symbols = np.empty(slot_start[-1], np.int32)
    weights = np.empty(slot_start[-1] >> BLOCK_BITS, np.int64)

    def fill(shard: int) -> None:
        first, last = slot_start[shard], slot_start[shard + 1]
        blocks = weights[first >> BLOCK_BITS : last >> BLOCK_BITS]
        fill_slots(ids, words.offsets, words.counts, orders[shard], symbols[first:last], blocks)

    exhaust(map_threads(fill, range(n_shards), n_shards))
    language_start = np.zeros((n_shards, 2), np.int64)
    language_start[:, 1] = np.diff(slot_start)
    return Packed(symbols, slot_start, language_start.reshape(-1), weights)


def join_languages(languages: Sequence[Packed]) -> Packed:
    """Return the words of several languages, one after another, in as few shards as possible."""
    if len(languages) == 1:
        return languages[0]
    sizes: list[Int64] = []  # by shard, of each language
    for language, packed in enumerate(languages):
        for size in np.diff(packed.slot_start):
            if not sizes or sizes[-1].sum() + size > MAX_SHARD_SLOTS:
                sizes.append(np.zeros(len(languages), np.int64))
            sizes[-1][language] += size
    starts = np.cumsum([np.insert(of_shard, 0, 0) for of_shard in sizes], axis=1)
    return Packed(
        np.concatenate([packed.symbols for packed in languages]),
        np.insert(np.cumsum(starts[:, -1]), 0, 0),
        starts.reshape(-1),
        np.concatenate([packed.weights for packed in languages]),
    )


def by_count(counts: Int64) -> Int64:
    """Return an order of the words in which those with one count come one after another."""
    order = np.empty(len(counts), np.int64)
    n_rare = sort_rare(counts, order)
    often = order[n_rare:]
    often[:] = often[np.argsort(counts[often], kind="stable")]
    return order
