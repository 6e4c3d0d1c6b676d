"""The arrays that learning and its kernels share.

A shard is a contiguous range of words with its own slots, postings, rows and events; in an array of
all shards, shard s owns [start[s], start[s + 1]).

One round, as an example: the words "low" and "slow", three times each, a vocabulary of 260 ids,
and the merge of l + o to 256. (Letters are bytes; a test holds this against the learner.)

    slot          0    1    2    3    4    5    6    7    8    9
    symbols      -1    l    o    w   -1    s    l    o    w   -1
    after        -1  256  256    w   -1    s  256  256    w   -1

    weights of the block: 3
    token_len[256]: 2
    postings of l + o: 1 6
    row 0: key 379, right neighbour w, sums 6 2
    row 1: key 115, left neighbour s, sums 3 1
    events (row, slot): (0, 1) (1, 5) (0, 6)

`apply_shard` visits the postings and leaves the rows and events: w follows in two places, in words
that occur six times together. `Pairs.reduce` takes 6 from o + w and 3 from s + l, gives 6 to
256 + w and 3 to s + 256, and says where the postings of these two go. The next round writes the
events there: slots 1 and 6 for 256 + w, slot 5 for s + 256.
"""

from __future__ import annotations

from typing import Protocol

from bpetok.base.array_types import Int32, Int64, UInt64
from bpetok.base.records import NamedTuple

NOTHING = -1
"""In ``symbols``: before and after each word, and where the right token of a merged pair began. In
look-ups: not found."""

DROPPED = -2
"""In ``row_of``: the neighbour has no row, since the pair that was there is not counted."""

# Both of these are compiled into the extension modules: see setup.py.
BLOCK_BITS = 5
"""A block is 2**BLOCK_BITS slots; all words in it have one count."""
FILTER_BITS = 20
"""``Batch.filter`` has 2**FILTER_BITS bits: 128 kB, which stays in the processor's cache."""


class CountedWords(Protocol):
    """Words with their counts; word i is ``ids[offsets[i]:offsets[i + 1]]``."""

    @property
    def ids(self) -> Int32:
        """The numbers of the tokens of all words, one after another; at first these are bytes."""

    @property
    def offsets(self) -> Int64:
        """Where each word begins, and the end: one more than there are words."""

    @property
    def counts(self) -> Int64:
        """How often each word occurs; at least 1."""


class Shards(NamedTuple):
    """The words, as slots that never move: one for each token that they had at first (a byte,
    unless merges were known), and one before and after each word.

    A token that covers slots p..q has its id in slot p and in slot q, so that from the start p the
    right neighbour starts at p + token_len[id] and the left neighbour's id is in slot p - 1.
    A posting is the slot where a pair begins, counted from the shard's first.

    The words of each language are together in a shard, those of the first language first; without
    balance there is one language. Pairs are counted by language.
    """

    symbols: Int32
    slot_start: Int64  # multiples of a block
    # By [shard * (n_languages + 1) + language]: where in the shard the language begins, and the end
    # of the last one.
    language_start: Int64
    weights: Int64  # by block of 2**BLOCK_BITS slots: the count of each word in it
    token_len: Int32  # in slots
    # By [shard * n_languages + language]; the sum over the shards is the number of tokens,
    # repetitions included.
    n_tokens: Int64
    postings: Int32
    posting_start: Int64


class Batch(NamedTuple):
    """The merges of one round: merge m makes id first_id + m."""

    left: Int32
    right: Int32
    run_start: Int64  # by [merge * n_shards + shard]: the postings of the pair ...
    run_end: Int64  # ... in ascending order; some are stale
    # By merge: once this round has made a pair that occurs at least so often, that pair may come
    # before the merge, which then isn't applied.
    yields_to: Int64
    size: Int64  # [1]: how many there are
    applied: Int64  # by shard: how many of them were applied
    filter: UInt64  # bits by the hash of a pair: where it is 0, the pair is not counted
    # The same: where it is 0, what takes the pair's place comes after all of the batch.
    overtaking: UInt64


class Rows(NamedTuple):
    """What a round changes: a row for each shard, merge, side and neighbour.

    Its events are the places of the new pair, to be posted where the pair is kept.
    """

    key: Int32  # the id of a left neighbour, or vocab_size + the id of a right neighbour
    # Of each row n_languages + 1 numbers: the kernel writes the sum of the weights of its places in
    # each language, and the number of all its places. `Pairs.reduce` replaces the latter by where
    # in the postings the first of them goes, or NOTHING if the pair is not kept.
    sums: Int64
    # By shard: its first row in `key` and `sums`. `merge_rows`, `row_of` and `event_row` have the
    # numbers of rows in their shard, of which the first is 0.
    row_start: Int64
    merge_rows: Int64  # by [shard * (len(batch.left) + 1) + merge]: the merge's first row
    row_of: Int32  # scratch, by [shard * 2 * vocab_size + key]; NOTHING between the merges
    event_row: Int32
    event_slot: Int32
    event_start: Int64
    n_events: Int64  # by shard


class PairCounts(NamedTuple):
    """All adjacent pairs of each shard and language, in hash tables of entries of three numbers.

    They are the pair as left << 32 | right, or NOTHING; its weight, the sum of the counts of the
    words where it occurs; and its number of places. While postings are written the last is where
    the next one goes, or NOTHING.
    """

    entries: Int64
    table_start: Int64  # in `entries`, by [shard * n_languages + language]
    size: Int64  # entries in use, by table
    factors: Int64  # [2]: of the hash; secret, so that no text can make long chains
