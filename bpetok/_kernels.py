"""The inner loops of learning, compiled by Numba. Nothing here checks its input or raises.

What the arrays mean is said at the NamedTuples that hold them; why the whole is exact, in
``merges.py``. A shard is a contiguous range of words with its own slots, postings, rows and events;
in an array of all shards, shard s owns [start[s], start[s + 1]).
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba import prange
from numba.extending import intrinsic
from numpy.typing import NDArray

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Kernel = TypeVar("Kernel", bound=Callable[..., Any])

PREFETCH_AHEAD = 16
"""Postings looked ahead: apply is bound by cache misses, and asking early halves its time."""

NEVER = (1 << 63) - 1
"""More often than any pair stands."""

PAUSE, INDEX, TEXT, PAIRS, APPLY = range(5)
"""What `learn_rounds` returns for: see there."""

SELECTING, APPLYING, REDUCING = range(3)
"""What comes next in a round."""

WORD_BITS = 32
WORD_MASK = (1 << WORD_BITS) - 1
"""A posting is ``slot << WORD_BITS | word``, both counted from the shard's first."""

BY_PLACE, BY_BYTES = 0, 1
"""``ties.kind``: among pairs with equal counts first comes the one that stands first in the words,
or the one whose bytes are the greatest."""

NOTHING = -1
"""In ``symbols``: before and after each word, and inside a token. In look-ups: not found."""

U = np.uint64
"""Marks an index that is never negative: what is compiled need not ask whether to count from the
end, which took a quarter of the time of learning."""


class Corpus(NamedTuple):
    """The words, as slots that never move: one a byte, and one before and after each word.

    A token that covers slots p..q has its id in slot p and in slot q, so that from the start p the
    right neighbour starts at p + token_len[id] and the left neighbour's id stands in slot p - 1.
    """

    symbols: Int32
    slot_start: Int64
    word_counts: Int64
    word_start: Int64
    token_len: Int32
    n_tokens: Int64  # by shard; the sum of all is that of the tokens, repetitions included


class Pairs(NamedTuple):
    """The pairs that are counted, numbered in the order in which they were met."""

    left: Int32
    right: Int32
    counts: Int64
    table: Int64  # open addressing: left << 32 | right and the pair's number, or NOTHING twice
    size: Int64  # [1]: how many pairs there are


class Index(NamedTuple):
    """Where each pair stands: run_len postings from run_start, by [pair * n_shards + shard].

    A run is written once, complete and in ascending order; later some postings are stale. New
    runs fill a hole that a merged pair's run has left, if they fit, and else the unused end.
    """

    postings: Int64
    posting_start: Int64
    used: Int64  # by shard: where the unused end begins
    hole_start: Int64  # by shard: the hole that is being filled
    hole_end: Int64
    run_start: Int64
    run_len: Int64


class Heap(NamedTuple):
    """The pairs by count, then by the rule for ties; a count may be higher than by now."""

    counts: Int64
    pair: Int64
    size: Int64  # [1]


class Ties(NamedTuple):
    """What pairs with equal counts are ordered by. None in its place: the smallest ids first.

    Numba compiles functions anew for None, without what is not needed then.
    """

    kind: Int64  # [1]
    symbols: Int32  # those of the corpus
    slot_start: Int64
    place: Int64  # BY_PLACE, by pair: the slot where it first stands, or an earlier one
    text: Int32  # BY_BYTES: the bytes of all tokens, one after another
    text_start: Int64  # BY_BYTES, by id: where the token's bytes begin


class Batch(NamedTuple):
    """The merges of one round: merge m makes id first_id + m of the pair numbered pair[m]."""

    pair: Int64
    size: Int64  # [1]: how many there are
    yields_to: Int64  # how often a pair made in this round must stand to come before the merge
    applied: Int64  # by shard: how many of them were applied
    visits: Int64  # by shard: postings of all of them
    left_round: Int32  # by id: last round with a merge that has the id on its left ...
    right_round: Int32  # ... on its right


class Learned(NamedTuple):
    """The merges so far: pairs of ids and how often they stood."""

    left: Int32
    right: Int32
    counts: Int64


class Rounds(NamedTuple):
    """How far learning is. Each [1]."""

    n_rounds: Int64
    n_learned: Int64
    phase: Int64  # SELECTING, APPLYING or REDUCING


class Limits(NamedTuple):
    """The numbers that rounds keep to."""

    first_id: int  # of the first merge
    n_merges: int
    theta: int  # pairs that stand less often are not kept
    longest: int  # no token is longer
    most_postings: int  # of a round of several merges
    parallel_postings: int  # rounds with so many are applied in parallel, if there are shards
    pause_rounds: int
    pause_postings: int


class Rows(NamedTuple):
    """What a round changes: a row for each shard, merge, side and neighbour.

    key is the id of a left neighbour, or vocab_size + the id of a right neighbour.
    """

    key: Int32
    weight: Int64  # sum of the counts of the words where it stands
    places: Int64  # how many; after reduce_rows where to post them next, or NOTHING
    old: Int64  # the pair that stood there before, or NOTHING if it is not counted or too new
    row_start: Int64
    merge_start: Int64  # by [shard * (len(batch.pair) + 1) + merge]: the merge's first row
    row_of: Int32  # scratch, by [shard * 2 * vocab_size + key]; NOTHING between the kernels
    total: Int64  # scratch, by key; 0 between the kernels
    pair_of: Int32  # scratch, by key


class Events(NamedTuple):
    """The places of the new pairs, to be posted where the pair is kept."""

    row: Int32
    posting: Int64
    event_start: Int64
    size: Int64  # by shard


class PairCounts(NamedTuple):
    """All adjacent pairs of each shard, in hash tables of entries of three numbers.

    They are the pair as left << 32 | right, or NOTHING; its weight, the sum of the counts of the
    words where it stands; and in how many places. While postings are written the last is where the
    next one goes, or NOTHING.
    """

    entries: Int64
    table_start: Int64  # in entries
    size: Int64  # entries in use, by shard


def jit(function: Kernel, **options: bool) -> Kernel:
    """Compile a function, cached on disk where any cache folder is writable.

    Nothing is allocated in it, so arrays need not be counted as references to be freed: without
    that code (_nrt) it compiles in 3/4 of the time.
    """
    options = {"nogil": True, "_nrt": False, **options}
    try:
        compiled = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder to cache in: compile anew in each process
        compiled = numba.njit(**options)(function)
    return cast("Kernel", compiled)


def inner(function: Kernel) -> Kernel:
    """Compile a function that only kernels call: Python needs no way into it."""
    return jit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def jit_parallel(function: Kernel) -> Kernel:
    """Compile a function whose prange loop runs on several threads."""
    return jit(function, parallel=True)


if numba.config.DISABLE_JIT:

    def prefetch(array: NDArray[Any], index: int) -> None:
        """Do nothing: Python has no use for it."""

else:

    @intrinsic
    def prefetch(context: Any, array: Any, index: Any) -> Any:
        """Ask for array[index] to be brought near; no effect but speed."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            data = context.make_array(signature.args[0])(context, builder, args[0]).data
            address = builder.bitcast(builder.gep(data, [args[1]]), ir.IntType(8).as_pointer())
            flag = ir.IntType(32)
            function = builder.module.declare_intrinsic(
                "llvm.prefetch",
                [address.type],
                ir.FunctionType(ir.VoidType(), [address.type, flag, flag, flag]),
            )
            builder.call(function, [address, flag(0), flag(3), flag(1)])
            return context.get_dummy_value()

        return numba.types.void(array, numba.types.int64), generate


@inner
def hash_pair(left: int, right: int) -> int:
    """Mix two ids; the factors are small enough for ids below 2**31 not to overflow."""
    mixed: Any = np.int64(left) * 0x1F123BB5 + np.int64(right) * 0x2545F491
    mixed ^= mixed >> 15
    hashed: int = mixed
    return hashed


@inner
def pair_key(left: int, right: int) -> int:
    """Return a pair as one number: what takes it need not be compiled for each type of id."""
    key: Any = np.int64(left) << 32 | right
    packed: int = key
    return packed


@inner
def find_slot(table: Int64, key: int) -> int:
    """Return where ``pairs.table`` has a pair, or the empty slot for it."""
    mask = len(table) // 2 - 1
    slot = hash_pair(key >> 32, key & WORD_MASK) & mask
    while table[U(2 * slot)] != key and table[U(2 * slot)] != NOTHING:
        slot = (slot + 1) & mask
    return 2 * slot


@inner
def enter_pair(pairs: Pairs, pair: int) -> None:
    """Enter a pair into the table. Requires: it is not there, and there is room."""
    key = pair_key(pairs.left[U(pair)], pairs.right[U(pair)])
    slot = find_slot(pairs.table, key)
    pairs.table[U(slot)] = key
    pairs.table[U(slot + 1)] = pair


@inner
def add_pair(pairs: Pairs, left: int, right: int, count: int) -> int:
    """Add a pair that is not there yet and return its number. Requires: there is room."""
    pair: int = pairs.size[0]
    pairs.left[U(pair)] = left
    pairs.right[U(pair)] = right
    pairs.counts[U(pair)] = count
    pairs.size[0] = pair + 1
    enter_pair(pairs, pair)
    return pair


@jit
def rehash_pairs(pairs: Pairs) -> None:
    """Enter all pairs into ``pairs.table``, which is empty."""
    for pair in range(pairs.size[0]):
        enter_pair(pairs, pair)


@inner
def compare_tokens(ties: Ties, a: int, b: int) -> int:
    """Return a number less than, equal to or greater than 0, as the bytes of a are to b's."""
    start_a: int = ties.text_start[a]
    start_b: int = ties.text_start[b]
    len_a: int = ties.text_start[a + 1] - start_a
    len_b: int = ties.text_start[b + 1] - start_b
    for i in range(min(len_a, len_b)):
        difference: int = np.int64(ties.text[start_a + i]) - ties.text[start_b + i]
        if difference != 0:
            return difference
    return len_a - len_b


@inner
def ranks_before_in_tie(ties: Ties, pairs: Pairs, a: int, b: int) -> bool:
    """Tell whether pair a is to be merged before pair b that stands as often."""
    if ties.kind[0] == BY_PLACE:
        is_earlier: bool = ties.place[a] < ties.place[b]
        return is_earlier
    order = compare_tokens(ties, pairs.left[a], pairs.left[b])
    if order == 0:
        order = compare_tokens(ties, pairs.right[a], pairs.right[b])
    return order > 0


@inner
def ranks_before(
    ties: Ties | None, pairs: Pairs, count_a: int, a: int, count_b: int, b: int
) -> bool:
    """Tell whether pair a, standing count_a times, is to be merged before pair b."""
    left_a: int = pairs.left[U(a)]
    left_b: int = pairs.left[U(b)]
    right_a: int = pairs.right[U(a)]
    right_b: int = pairs.right[U(b)]
    if count_a != count_b:
        return count_a > count_b
    if ties is not None:
        return ranks_before_in_tie(ties, pairs, a, b)
    if left_a != left_b:
        return left_a < left_b
    return right_a < right_b


@inner
def push(heap: Heap, ties: Ties | None, pairs: Pairs, pair: int) -> None:
    """Put a pair on the heap with its present count. Requires: there is room."""
    if ties is not None and ties.kind[0] == BY_PLACE:
        ties.place[pair] = NOTHING  # looked for when the pair comes to the top
    at = heap.size[0]
    heap.size[0] = at + 1
    count = pairs.counts[U(pair)]
    while at > 0:
        parent = (at - 1) >> 1
        if not ranks_before(ties, pairs, count, pair, heap.counts[U(parent)], heap.pair[U(parent)]):
            break
        heap.counts[U(at)] = heap.counts[U(parent)]
        heap.pair[U(at)] = heap.pair[U(parent)]
        at = parent
    heap.counts[U(at)] = count
    heap.pair[U(at)] = pair


@inner
def replace_top(heap: Heap, ties: Ties | None, pairs: Pairs, count: int, pair: int) -> None:
    """Put (count, pair) in place of the first entry of the heap."""
    size = heap.size[0]
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        other = child + 1
        if other < size and ranks_before(
            ties,
            pairs,
            heap.counts[U(other)],
            heap.pair[U(other)],
            heap.counts[U(child)],
            heap.pair[U(child)],
        ):
            child = other
        if not ranks_before(ties, pairs, heap.counts[U(child)], heap.pair[U(child)], count, pair):
            break
        heap.counts[U(at)] = heap.counts[U(child)]
        heap.pair[U(at)] = heap.pair[U(child)]
        at = child
    heap.counts[U(at)] = count
    heap.pair[U(at)] = pair


@inner
def pop(heap: Heap, ties: Ties | None, pairs: Pairs) -> None:
    """Take the first entry off the heap."""
    last = heap.size[0] - 1
    heap.size[0] = last
    if last > 0:
        replace_top(heap, ties, pairs, heap.counts[U(last)], heap.pair[U(last)])


@inner
def find_first_place(ties: Ties, pairs: Pairs, index: Index, token_len: Int32, pair: int) -> int:
    """Return the slot where a pair first stands, and drop the stale postings before it.

    Requires: it stands somewhere, and `index` has all places where it does.
    """
    left = pairs.left[pair]
    right = pairs.right[pair]
    n_shards = len(index.used)
    for s in range(n_shards):
        run = pair * n_shards + s
        start = ties.slot_start[s]
        while index.run_len[run] > 0:
            posting = index.postings[index.posting_start[s] + index.run_start[run]]
            place: int = start + (posting >> WORD_BITS)
            if ties.symbols[place] == left and ties.symbols[place + token_len[left]] == right:
                return place
            index.run_start[run] += 1
            index.run_len[run] -= 1
    return NOTHING


@inner
def select_batch(
    heap: Heap,
    ties: Ties | None,
    pairs: Pairs,
    index: Index,
    batch: Batch,
    learned: Learned,
    token_len: Int32,
    rounds: Rounds,
    limits: Limits,
) -> int:
    """Take the next merges that can be applied in one round off the heap; return their number."""
    round_number = rounds.n_rounds[0]
    n_learned = rounds.n_learned[0]
    most_merges = min(len(batch.pair), limits.n_merges - n_learned)
    n_shards = len(index.used)
    n = 0
    n_postings = 0
    for s in range(n_shards):
        batch.visits[U(s)] = 0
    while n < most_merges and heap.size[0] > 0:
        pair = heap.pair[0]
        count = pairs.counts[U(pair)]
        if count < limits.theta:
            pop(heap, ties, pairs)
            continue
        if count != heap.counts[0]:
            replace_top(heap, ties, pairs, count, pair)
            continue
        if ties is not None and ties.kind[0] == BY_PLACE:
            place = find_first_place(ties, pairs, index, token_len, pair)
            if place != ties.place[pair]:
                ties.place[pair] = place
                replace_top(heap, ties, pairs, count, pair)
                continue
        left = pairs.left[U(pair)]
        right = pairs.right[U(pair)]
        for s in range(n_shards):
            n_postings += index.run_len[U(pair * n_shards + s)]
        if n > 0 and (
            left == right
            or batch.left_round[U(right)] == round_number
            or batch.right_round[U(left)] == round_number
            or n_postings > limits.most_postings
        ):
            break
        pop(heap, ties, pairs)
        pairs.counts[U(pair)] = 0
        batch.pair[U(n)] = pair
        batch.yields_to[U(n)] = NEVER
        if ties is not None and ties.kind[0] == BY_BYTES:
            batch.yields_to[U(n)] = count
        batch.left_round[U(left)] = round_number
        batch.right_round[U(right)] = round_number
        for s in range(n_shards):
            batch.visits[U(s)] += index.run_len[U(pair * n_shards + s)]
        learned.left[U(n_learned + n)] = left
        learned.right[U(n_learned + n)] = right
        learned.counts[U(n_learned + n)] = count
        token_len[U(limits.first_id + n_learned + n)] = token_len[U(left)] + token_len[U(right)]
        n += 1
        if left == right:
            break
    batch.size[0] = n
    return n


@inner
def put_back(heap: Heap, ties: Ties | None, pairs: Pairs, batch: Batch, n_applied: int) -> None:
    """Put the merges of a batch that were not applied on the heap again."""
    for m in range(n_applied, batch.size[0]):
        pairs.counts[batch.pair[U(m)]] = batch.yields_to[U(m)]
        push(heap, ties, pairs, batch.pair[U(m)])
    batch.size[0] = n_applied


@inner
def find_entry(entries: Int64, key: int) -> int:
    """Return where the entry of a pair begins, or the empty one for it.

    In a table of 65,536 entries or more pairs of bytes do not collide.
    """
    mask = len(entries) // 3 - 1
    left = key >> 32
    right = key & WORD_MASK
    slot: int = ((left << 8) + right + hash_pair(left >> 8, right >> 8)) & mask
    while entries[U(3 * slot)] != key and entries[U(3 * slot)] != NOTHING:
        slot = (slot + 1) & mask
    return 3 * slot


@jit
def count_pairs_shard(s: int, corpus: Corpus, counts: PairCounts) -> None:
    """Count all adjacent pairs of a shard.

    It stops early, with the table 5/8 full, where the table is too small. Requires: an empty table.
    """
    symbols = corpus.symbols[corpus.slot_start[s] : corpus.slot_start[s + 1]]
    word_counts = corpus.word_counts[corpus.word_start[s] : corpus.word_start[s + 1]]
    entries = counts.entries[counts.table_start[s] : counts.table_start[s + 1]]
    most = len(entries) // 3 // 8 * 5
    size = 0
    word = 0
    at = 1
    while at < len(symbols) and size < most:
        left = symbols[U(at)]
        if left == NOTHING:
            word += 1
            at += 1
            continue
        at += corpus.token_len[U(left)]
        right = symbols[U(at)]
        if right != NOTHING:
            key = pair_key(left, right)
            entry = find_entry(entries, key)
            if entries[U(entry)] == NOTHING:
                entries[U(entry)] = key
                size += 1
            entries[U(entry + 1)] += word_counts[U(word)]
            entries[U(entry + 2)] += 1
    counts.size[s] = size


@jit
def find_entries(counts: PairCounts, keys: Int64, found: Int64) -> None:
    """Write where each shard's table has the keys, or NOTHING, by [shard * len(keys) + i]."""
    n = len(keys)
    for s in range(len(counts.size)):
        start = counts.table_start[s]
        entries = counts.entries[start : counts.table_start[s + 1]]
        for i in range(n):
            entry = find_entry(entries, keys[i])
            found[s * n + i] = NOTHING if entries[entry] == NOTHING else start + entry


@jit
def add_pairs(pairs: Pairs, heap: Heap, ties: Ties | None, keys: Int64, count: Int64) -> None:
    """Add new pairs and put them on the heap. Requires: there is room."""
    for i in range(len(keys)):
        push(heap, ties, pairs, add_pair(pairs, keys[i] >> 32, keys[i] & WORD_MASK, count[i]))


@jit
def post_pairs_shard(s: int, corpus: Corpus, counts: PairCounts, index: Index) -> None:
    """Write the postings of the pairs whose entries say where."""
    symbols = corpus.symbols[corpus.slot_start[s] : corpus.slot_start[s + 1]]
    entries = counts.entries[counts.table_start[s] : counts.table_start[s + 1]]
    postings = index.postings[index.posting_start[s] : index.posting_start[s + 1]]
    word = 0
    at = 1
    while at < len(symbols):
        left = symbols[U(at)]
        if left == NOTHING:
            word += 1
            at += 1
            continue
        right = symbols[U(at + corpus.token_len[U(left)])]
        if right != NOTHING:
            entry = find_entry(entries, pair_key(left, right))
            to = entries[U(entry + 2)]
            if to != NOTHING:
                postings[U(to)] = np.int64(at) << WORD_BITS | word
                entries[U(entry + 2)] = to + 1
        at += corpus.token_len[U(left)]


@inner
def post_events(s: int, index: Index, rows: Rows, events: Events) -> None:
    """Write the postings of a shard's new pairs that are kept, and forget the events."""
    postings = index.postings[index.posting_start[s] : index.posting_start[s + 1]]
    start = events.event_start[s]
    for event in range(start, start + events.size[s]):
        r = events.row[U(event)]
        to = rows.places[U(r)]
        if to != NOTHING:
            postings[U(to)] = events.posting[U(event)]
            rows.places[U(r)] = to + 1
    events.size[s] = 0


@inner
def run_of(index: Index, s: int, pair: int) -> tuple[int, int]:
    """Return where the postings of a pair in a shard begin and end."""
    run = pair * len(index.used) + s
    start: int = index.run_start[U(run)]
    return start, start + index.run_len[U(run)]


@inner
def prefetch_place(symbols: Int32, counts: Int64, posting: int) -> None:
    """Ask for what applying a merge at a place needs."""
    prefetch(symbols, posting >> WORD_BITS)
    prefetch(counts, posting & WORD_MASK)


@inner
def look_ahead(
    symbols: Int32, counts: Int64, postings: Int64, index: Index, batch: Batch, s: int, m: int
) -> None:
    """Ask for the first places of the merge after m, and the first postings of the one after that.

    The runs are short, some hundred postings; without this apply took 1/10 longer.
    """
    if m + 1 < batch.size[0]:
        start, end = run_of(index, s, batch.pair[U(m + 1)])
        for i in range(start, min(start + PREFETCH_AHEAD, end)):
            prefetch_place(symbols, counts, postings[U(i)])
    if m + 2 < batch.size[0]:
        start, _ = run_of(index, s, batch.pair[U(m + 2)])
        for i in range(start, start + PREFETCH_AHEAD, 8):
            prefetch(postings, i)


@inner
def apply_shard(
    s: int,
    corpus: Corpus,
    pairs: Pairs,
    index: Index,
    batch: Batch,
    rows: Rows,
    events: Events,
    first_id: int,
) -> None:
    """Post the last round's events in one shard, then apply the merges of this round.

    Leaves its rows and events, which are posted at the start of the next round so that all that is
    done by shard is one parallel region.

    Merging a pair at p clears the first slot of the right token, unless it is the last slot too: a
    stale posting there could match again. All other slots inside the new token held nothing, or
    the left token's id in a place where no token of that id has begun.
    """
    post_events(s, index, rows, events)
    vocab_size = len(corpus.token_len)
    symbols = corpus.symbols[corpus.slot_start[s] : corpus.slot_start[s + 1]]
    counts = corpus.word_counts[corpus.word_start[s] : corpus.word_start[s + 1]]
    postings = index.postings[index.posting_start[s] : index.posting_start[s + 1]]
    row_of = rows.row_of[s * 2 * vocab_size : (s + 1) * 2 * vocab_size]
    slot_mask = len(pairs.table) // 2 - 1
    row = rows.row_start[s]
    event = events.event_start[s]
    most_new = np.int64(0)
    n_merged = np.int64(0)
    applied = batch.size[0]
    for m in range(batch.size[0]):
        if most_new >= batch.yields_to[U(m)]:
            applied = m
            break
        first_row = row
        rows.merge_start[U(s * (len(batch.pair) + 1) + m)] = row
        pair = batch.pair[U(m)]
        left = pairs.left[U(pair)]
        right = pairs.right[U(pair)]
        merged = np.int32(first_id + m)
        left_len = corpus.token_len[U(left)]
        right_len = corpus.token_len[U(right)]
        look_ahead(symbols, counts, postings, index, batch, s, m)
        start, end = run_of(index, s, pair)
        for i in range(start, end):
            if i + PREFETCH_AHEAD < end:
                prefetch_place(symbols, counts, postings[U(i + PREFETCH_AHEAD)])
            p = postings[U(i)] >> WORD_BITS
            word = postings[U(i)] & WORD_MASK
            q = p + left_len
            if symbols[U(p)] != left or symbols[U(q)] != right:
                continue  # stale: an earlier merge took one of the two
            last = q + right_len - 1
            before = symbols[U(p - 1)]
            after = symbols[U(last + 1)]
            symbols[U(p)] = merged
            symbols[U(q)] = NOTHING
            symbols[U(last)] = merged
            n_merged += counts[U(word)]
            for side in range(2):
                neighbour = after if side else before
                if neighbour == NOTHING:
                    continue
                key = neighbour + side * vocab_size
                r = row_of[U(key)]
                if r == NOTHING:
                    r = row
                    row += 1
                    row_of[U(key)] = r
                    rows.key[U(r)] = key
                    rows.weight[U(r)] = 0
                    rows.places[U(r)] = 0
                    slot = hash_pair(right, neighbour) if side else hash_pair(neighbour, left)
                    prefetch(pairs.table, 2 * (slot & slot_mask))
                rows.weight[U(r)] += counts[U(word)]
                rows.places[U(r)] += 1
                place = p if side else p - corpus.token_len[U(neighbour)]
                events.row[U(event)] = r
                events.posting[U(event)] = place << WORD_BITS | word
                event += 1
        for r in range(first_row, row):
            key = rows.key[U(r)]
            row_of[U(key)] = NOTHING
            most_new = max(most_new, rows.weight[U(r)])
            old = pair_key(key, left) if key < vocab_size else pair_key(right, key - vocab_size)
            rows.old[U(r)] = pairs.table[U(find_slot(pairs.table, old) + 1)]
    rows.merge_start[U(s * (len(batch.pair) + 1) + applied)] = row
    corpus.n_tokens[s] -= n_merged
    batch.applied[s] = applied
    events.size[s] = event - events.event_start[s]


@inner
def reserve(index: Index, s: int, n_places: int) -> int:
    """Return where a new run of a shard begins."""
    start: int = index.used[U(s)]
    if n_places <= index.hole_end[U(s)] - index.hole_start[U(s)]:
        start = index.hole_start[U(s)]
        index.hole_start[U(s)] += n_places
    else:
        index.used[U(s)] += n_places
    return start


@inner
def reduce_rows(
    pairs: Pairs,
    index: Index,
    batch: Batch,
    rows: Rows,
    heap: Heap,
    ties: Ties | None,
    token_len: Int32,
    first_id: int,
    limits: Limits,
) -> None:
    """Sum the rows over the shards: take from the old pairs, number the new ones worth keeping.

    These stand theta times and make no token longer than the longest. Leaves where to post each
    row's events. Requires: room for a pair a row and, in each shard, for a posting an event.
    """
    theta, longest = limits.theta, limits.longest
    n_shards = len(index.used)
    vocab_size = len(rows.total) // 2
    first_pair = pairs.size[0]
    for m in range(batch.size[0]):
        left = pairs.left[batch.pair[U(m)]]
        right = pairs.right[batch.pair[U(m)]]
        merged = first_id + m
        for s in range(n_shards):
            run = batch.pair[U(m)] * n_shards + s
            if index.run_len[U(run)] > index.hole_end[U(s)] - index.hole_start[U(s)]:
                index.hole_start[U(s)] = index.run_start[U(run)]
                index.hole_end[U(s)] = index.run_start[U(run)] + index.run_len[U(run)]
        for s in range(n_shards):
            merge = s * (len(batch.pair) + 1) + m
            for r in range(rows.merge_start[U(merge)], rows.merge_start[U(merge + 1)]):
                rows.total[rows.key[U(r)]] += rows.weight[U(r)]
        for s in range(n_shards):
            merge = s * (len(batch.pair) + 1) + m
            for r in range(rows.merge_start[U(merge)], rows.merge_start[U(merge + 1)]):
                key = rows.key[U(r)]
                total = rows.total[U(key)]
                if total > 0:  # the first row of the key
                    rows.total[U(key)] = 0
                    rows.pair_of[U(key)] = NOTHING
                    is_left = key < vocab_size
                    neighbour = key if is_left else key - vocab_size
                    old = rows.old[U(r)]
                    if neighbour >= first_id:  # made in this round: not in the table till now
                        before = (
                            pair_key(neighbour, left) if is_left else pair_key(right, neighbour)
                        )
                        old = pairs.table[U(find_slot(pairs.table, before) + 1)]
                    if old != NOTHING:
                        pairs.counts[U(old)] -= total
                    if total >= theta and token_len[U(neighbour)] + token_len[U(merged)] <= longest:
                        new = (neighbour, merged) if is_left else (merged, neighbour)
                        pair = add_pair(pairs, new[0], new[1], total)
                        rows.pair_of[U(key)] = pair
                        for t in range(n_shards):
                            index.run_start[U(pair * n_shards + t)] = 0
                            index.run_len[U(pair * n_shards + t)] = 0
                n_places = rows.places[U(r)]
                rows.places[U(r)] = NOTHING
                pair = rows.pair_of[U(key)]
                if pair != NOTHING:
                    start = reserve(index, s, n_places)
                    rows.places[U(r)] = start
                    index.run_start[U(pair * n_shards + s)] = start
                    index.run_len[U(pair * n_shards + s)] = n_places
    for pair in range(first_pair, pairs.size[0]):
        push(heap, ties, pairs, pair)


@inner
def spell(ties: Ties, pairs: Pairs, batch: Batch, first_id: int) -> bool:
    """Write the bytes of the tokens that a batch makes; return whether there was room for them."""
    for m in range(batch.size[0]):
        to: int = ties.text_start[first_id + m]
        for side in range(2):
            token = pairs.right[batch.pair[m]] if side else pairs.left[batch.pair[m]]
            start: int = ties.text_start[token]
            end: int = ties.text_start[token + 1]
            if to + end - start > len(ties.text):
                return False
            for i in range(start, end):
                ties.text[to] = ties.text[i]
                to += 1
        ties.text_start[first_id + m + 1] = to
    return True


@inner
def has_room_to_reduce(
    pairs: Pairs, index: Index, batch: Batch, rows: Rows, events: Events
) -> bool:
    """Tell whether there is room for a pair a row and a posting an event."""
    n_pairs: int = pairs.size[0]
    for s in range(len(index.used)):
        if index.used[U(s)] + events.size[U(s)] > index.posting_start[1]:
            return False
        first = s * (len(batch.pair) + 1)
        n_pairs += rows.merge_start[U(first + batch.size[0])] - rows.merge_start[U(first)]
    return n_pairs <= len(pairs.left)


@jit
def learn_rounds(
    corpus: Corpus,
    pairs: Pairs,
    index: Index,
    heap: Heap,
    ties: Ties | None,
    batch: Batch,
    learned: Learned,
    rows: Rows,
    events: Events,
    rounds: Rounds,
    limits: Limits,
) -> int:
    """Learn merges, round after round, until the caller has to do something; return what.

    PAUSE: nothing; call again if not all merges are learned. INDEX: no pair stands theta times any
    more. TEXT, PAIRS: there is no room for the bytes of this round's tokens, or for its pairs or
    their postings. APPLY: call `apply`, since the round is large. That most rounds need no call
    from Python saved 1/10 of the time of training on 100 MB of English.
    """
    n_shards = len(index.used)
    n_rounds = 0
    n_postings: Any = 0
    while n_rounds < limits.pause_rounds and n_postings < limits.pause_postings:
        if rounds.phase[0] == SELECTING:
            if rounds.n_learned[0] == limits.n_merges:
                break
            rounds.n_rounds[0] += 1
            if (
                select_batch(
                    heap, ties, pairs, index, batch, learned, corpus.token_len, rounds, limits
                )
                == 0
            ):
                return INDEX
            rounds.phase[0] = APPLYING
        first_id = limits.first_id + rounds.n_learned[0]
        if rounds.phase[0] == APPLYING:
            if ties is not None and not spell(ties, pairs, batch, first_id):
                return TEXT
            visits = np.int64(0)
            for s in range(n_shards):
                visits += batch.visits[U(s)]
            n_postings += visits
            rounds.phase[0] = REDUCING
            if n_shards > 1 and visits >= limits.parallel_postings:
                return APPLY
            for s in range(n_shards):
                apply_shard(s, corpus, pairs, index, batch, rows, events, first_id)
        if batch.applied[0] < batch.size[0]:
            put_back(heap, ties, pairs, batch, batch.applied[0])
        if not has_room_to_reduce(pairs, index, batch, rows, events):
            return PAIRS
        reduce_rows(pairs, index, batch, rows, heap, ties, corpus.token_len, first_id, limits)
        if ties is not None and ties.kind[0] == BY_PLACE:  # else the next round does it
            for s in range(n_shards):
                post_events(s, index, rows, events)
        rounds.n_learned[0] += batch.size[0]
        rounds.phase[0] = SELECTING
        n_rounds += 1
    return PAUSE


@jit_parallel
def count_pairs(corpus: Corpus, counts: PairCounts) -> None:
    """Call count_pairs_shard for each shard."""
    for s in prange(len(counts.size)):
        count_pairs_shard(s, corpus, counts)


@jit_parallel
def post_pairs(corpus: Corpus, counts: PairCounts, index: Index) -> None:
    """Call post_pairs_shard for each shard."""
    for s in prange(len(counts.size)):
        post_pairs_shard(s, corpus, counts, index)


@jit_parallel
def apply(
    corpus: Corpus,
    pairs: Pairs,
    index: Index,
    batch: Batch,
    rows: Rows,
    events: Events,
    first_id: int,
) -> None:
    """Call apply_shard for each shard."""
    for s in prange(len(index.used)):
        apply_shard(s, corpus, pairs, index, batch, rows, events, first_id)
