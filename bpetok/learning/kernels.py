"""The inner loops of learning, compiled by Numba. Nothing here checks its input or raises.

``arrays.py`` says what the arrays mean, ``rule.py`` why the whole is exact. What one thread does
for all shards is in ``pairs.pyx``.

The kernels of one shard are compiled when the package is built (``compile_kernels.py``, beside
setup.py); those for several threads, at the end, by the first training that is large enough.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba import prange
from numba.extending import intrinsic
from numpy.typing import NDArray

from bpetok.base.array_types import Int32, Int64, UInt64
from bpetok.learning.arrays import (
    BLOCK_BITS,
    DROPPED,
    FILTER_BITS,
    NOTHING,
    Batch,
    PairCounts,
    Rows,
    Shards,
)

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

PREFETCH_AHEAD = 16
"""Postings looked ahead: apply is bound by cache misses, and asking early halves its time."""

U = np.uint64
"""Marks an index that is never negative: what is compiled need not ask whether to count from the
end, which took a quarter of the time of learning."""


def inner(function: Kernel) -> Kernel:
    """Compile a function that only compiled ones call, into each of them.

    That way LLVM sees that nothing raises, also in a division, and leaves the code for it out.
    Nothing is allocated, so arrays need not be counted as references to be freed: without that code
    (_nrt) all compiles in 3/4 of the time.
    """
    options: dict[str, Any] = {"_nrt": False, "forceinline": True}
    options |= {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "error_model": "numpy"}
    return cast("Kernel", numba.njit(**options)(function))


def jit_parallel(function: Kernel) -> Kernel:
    """Compile a function whose prange loop runs on several threads; Numba keeps it if it can.

    The index of the loop is unsigned: the functions that it is given to would be compiled once more
    for that if it were not made signed.
    """
    options = {"parallel": True, "nogil": True, "_nrt": False}
    try:
        compiled = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder to cache in: compile anew in each process
        compiled = numba.njit(**options)(function)
    return cast("Kernel", compiled)


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
def find_entry(entries: Int64, factors: Int64, left: int, right: int) -> int:
    """Return where the entry of a pair begins, or the empty one for it."""
    mask = len(entries) // 3 - 1
    key = np.int64(left) << 32 | right
    # The factors are small enough for ids below 2**31 not to overflow.
    mixed = np.int64(left) * factors[U(0)] + np.int64(right) * factors[U(1)]
    slot: Any = (mixed ^ mixed >> 21) & mask
    while entries[U(3 * slot)] != key and entries[U(3 * slot)] != NOTHING:
        slot = (slot + 1) & mask
    entry: int = 3 * slot
    return entry


@inner
def index_pairs_shard(
    s: int | np.int64, shards: Shards, counts: PairCounts, posting: bool, symbol_bits: int
) -> None:
    """Count all adjacent pairs of a shard, or write the postings of those whose entries say where.

    For each language in a table of its own.

    Both in one function, since compiling each would take a third of a second. Counting requires an
    empty table, and stops early, with the table 5/8 full, where that is too small.

    Requires of `symbol_bits`, if it is not 0: no merge has been made, so that each token has one
    slot, ids have so many bits, and the table has an entry for each pair: that of (left, right) is
    the number left << symbol_bits | right. The next token is then one slot on: without looking its
    length up, counting takes half as long and posting 3/4.
    """
    symbols = shards.symbols[shards.slot_start[s] : shards.slot_start[s + 1]]
    weights = shards.weights[shards.slot_start[s] >> BLOCK_BITS :]
    postings = shards.postings[shards.posting_start[s] :]
    n_languages = len(counts.size) // (len(shards.slot_start) - 1)
    for language in range(n_languages):
        table = s * n_languages + language
        entries = counts.entries[counts.table_start[table] : counts.table_start[table + 1]]
        most = len(entries) // 3 // 8 * 5
        size = 0
        at = shards.language_start[table + s]
        end = shards.language_start[table + s + 1]
        while at < end and size < most:
            start = at
            left = symbols[U(at)]
            if left == NOTHING:
                at += 1
                continue
            if symbol_bits:
                at += 1
            else:
                at += shards.token_len[U(left)]
            right = symbols[U(at)]
            if right == NOTHING:
                continue
            if symbol_bits:
                entry = 3 * (np.int64(left) << symbol_bits | right)
            else:
                entry = find_entry(entries, counts.factors, left, right)
            if posting:
                to = entries[U(entry + 2)]
                if to != NOTHING:
                    postings[U(to)] = start
                    entries[U(entry + 2)] = to + 1
                continue
            if entries[U(entry)] == NOTHING:
                entries[U(entry)] = np.int64(left) << 32 | right
                size += 1
            entries[U(entry + 1)] += weights[U(start >> BLOCK_BITS)]
            entries[U(entry + 2)] += 1
        if not posting:
            counts.size[table] = size


@inner
def post_events(s: int | np.int64, shards: Shards, rows: Rows, width: int) -> None:
    """Write the postings of a shard's new pairs that are kept, and forget the events.

    `width` is how many sums a row has.
    """
    postings = shards.postings[shards.posting_start[s] :]
    sums = rows.sums[width * rows.row_start[s] :]
    start = rows.event_start[s]
    for event in range(start, start + rows.n_events[s]):
        at = width * (rows.event_row[U(event)] + 1) - 1
        to = sums[U(at)]
        if to != NOTHING:
            postings[U(to)] = rows.event_slot[U(event)]
            sums[U(at)] = to + 1
    rows.n_events[s] = 0


@inner
def prefetch_place(symbols: Int32, weights: Int64, slot: int, length: int) -> None:
    """Ask for what a merge that makes a token of so many bytes needs at a place.

    At both ends: the tokens before and after it are often in another cache line.
    """
    prefetch(symbols, slot - 1)
    prefetch(symbols, slot + length)
    prefetch(weights, slot >> BLOCK_BITS)


@inner
def look_ahead(
    s: int | np.int64,
    m: int,
    symbols: Int32,
    weights: Int64,
    postings: Int32,
    token_len: Int32,
    batch: Batch,
) -> None:
    """Ask for the first places of the merge after m, and the first postings of the one after that.

    Most merges have about a hundred postings; without this apply took 1/10 longer.
    """
    n_shards = len(batch.applied)
    run = (m + 1) * n_shards + s
    if m + 1 < batch.size[0]:
        length = token_len[U(batch.left[U(m + 1)])] + token_len[U(batch.right[U(m + 1)])]
        for i in range(batch.run_start[U(run)], batch.run_end[U(run)]):
            if i == batch.run_start[U(run)] + PREFETCH_AHEAD:
                break
            prefetch_place(symbols, weights, postings[U(i)], length)
    if m + 2 < batch.size[0]:
        prefetch(postings, batch.run_start[U(run + n_shards)])


@inner
def may_be_in(filter: UInt64, left: int | np.int32, right: int | np.int32) -> bool:
    """Tell whether a pair may be among those of a filter; the hash is that of ``pairs.pyx``.

    If it is not among those that are counted, it occurs less than `least_count` times. So does the
    pair that a merge makes of it, which is not counted either, and needs no row: that saves half of
    the rows and a tenth of the events of 180 MB of text.
    """
    mixed = np.int64(left) * 0x1F123BB5 + np.int64(right) * 0x2545F491
    bit = (mixed ^ mixed >> FILTER_BITS) & ((1 << FILTER_BITS) - 1)
    is_set: bool = filter[U(bit >> 6)] >> U(bit & 63) & U(1) != U(0)
    return is_set


@inner
def apply_in(
    s: int | np.int64, shards: Shards, batch: Batch, rows: Rows, first_id: int, n_languages: int
) -> None:
    """Post the last round's events in one shard, then apply the merges of this round.

    The docstring of `arrays.py` has an example with its numbers.
    Leaves its rows and events. These are posted at the start of the next round, so that a round has
    one parallel region only. One long function: the parts of its loop share about twenty variables
    and arrays, which smaller functions would have to take and give back.

    Merging a pair at p clears the first slot of the right token, unless it is the last slot too: a
    stale posting there could match again. All other slots inside the new token held nothing, or
    the left token's id in a place where no token of that id has begun.
    """
    width = n_languages + 1
    post_events(s, shards, rows, width)
    token_len = shards.token_len
    vocab_size = len(token_len)
    symbols = shards.symbols[shards.slot_start[s] :]
    weights = shards.weights[shards.slot_start[s] >> BLOCK_BITS :]
    postings = shards.postings[shards.posting_start[s] :]
    language_end = shards.language_start[s * width + 1 :]
    n_tokens = shards.n_tokens[s * n_languages :]
    row_of = rows.row_of[s * 2 * vocab_size :]
    keys = rows.key[rows.row_start[s] : rows.row_start[s + 1]]
    sums = rows.sums[width * rows.row_start[s] :]
    merge_rows = rows.merge_rows[s * (len(batch.left) + 1) :]
    row = np.int64(0)
    event = rows.event_start[s]
    most_new = np.int64(0)
    # What occurs less often comes after all of the batch.
    least = batch.yields_to[U(max(batch.size[0] - 1, 0))]
    m: Any = np.int64(0)
    while m < batch.size[0] and most_new < batch.yields_to[U(m)]:
        look_ahead(s, m, symbols, weights, postings, token_len, batch)
        merge_rows[U(m)] = row
        left = batch.left[U(m)]
        right = batch.right[U(m)]
        merged = np.int32(first_id + m)
        dropped = len(keys)  # from the end of the rows down: keys without a row
        left_len = token_len[U(left)]
        last_at = left_len + token_len[U(right)] - 1
        end = batch.run_end[U(m * len(batch.applied) + s)]
        language = np.int64(0)
        n_merged = np.int64(0)
        for i in range(batch.run_start[U(m * len(batch.applied) + s)], end):
            if i + PREFETCH_AHEAD < end:
                prefetch_place(symbols, weights, postings[U(i + PREFETCH_AHEAD)], last_at + 1)
            p = np.int64(postings[U(i)])
            q = p + left_len
            if symbols[U(p)] != left or symbols[U(q)] != right:
                continue  # stale: an earlier merge took one of the two
            last = p + last_at
            while language < n_languages - 1 and p >= language_end[U(language)]:
                n_tokens[U(language)] -= n_merged
                n_merged = np.int64(0)
                language += 1
            before = symbols[U(p - 1)]
            after = symbols[U(last + 1)]
            symbols[U(p)] = merged
            symbols[U(q)] = NOTHING
            symbols[U(last)] = merged
            weight = weights[U(p >> BLOCK_BITS)]
            n_merged += weight
            # The neighbour x before it leaves (x, left) for (x, merged); y after it (right, y) for
            # (merged, y).
            for side in range(2):  # 0: the token before the pair, 1: the one after it
                neighbour = after if side else before
                if neighbour == NOTHING:
                    continue
                key = neighbour + side * vocab_size
                r = row_of[U(key)]
                if r == DROPPED:
                    continue
                if r == NOTHING:
                    old_left = right if side else neighbour
                    old_right = neighbour if side else left
                    if neighbour < first_id and not may_be_in(batch.filter, old_left, old_right):
                        dropped -= 1
                        keys[U(dropped)] = key
                        row_of[U(key)] = DROPPED
                        continue
                    r = np.int32(row)
                    row += 1
                    row_of[U(key)] = r
                    keys[U(r)] = key
                    for k in range(width * r, width * r + width):
                        sums[U(k)] = 0
                sums[U(width * r + language)] += weight
                sums[U(width * r + n_languages)] += 1
                rows.event_row[U(event)] = r
                rows.event_slot[U(event)] = p if side else p - token_len[U(neighbour)]
                event += 1
        n_tokens[U(language)] -= n_merged
        for r in range(merge_rows[U(m)], row):
            row_of[U(keys[U(r)])] = NOTHING
            # Of several languages no batch ends early: `least` is more than all counts.
            if sums[U(width * r)] > most_new and sums[U(width * r)] >= least:
                side = 1 if keys[U(r)] >= vocab_size else 0
                neighbour = np.int32(keys[U(r)] - side * vocab_size)
                old_left = right if side else neighbour
                old_right = neighbour if side else left
                if neighbour >= first_id or may_be_in(batch.overtaking, old_left, old_right):
                    most_new = sums[U(width * r)]
        for r in range(dropped, len(keys)):
            row_of[U(keys[U(r)])] = NOTHING
        m += 1
    merge_rows[U(m)] = row
    batch.applied[s] = m
    rows.n_events[s] = event - rows.event_start[s]


@inner
def apply_shard(s: int | np.int64, shards: Shards, batch: Batch, rows: Rows, first_id: int) -> None:
    """Apply the merges of a round in one shard, of one language.

    LLVM leaves out what several languages need, a seventh of the instructions.
    """
    apply_in(s, shards, batch, rows, first_id, 1)


@inner
def apply_languages_shard(
    s: int | np.int64, shards: Shards, batch: Batch, rows: Rows, first_id: int
) -> None:
    """Apply the merges of a round in one shard, of any number of languages."""
    apply_in(s, shards, batch, rows, first_id, len(shards.n_tokens) // len(batch.applied))


@jit_parallel
def index_pairs(shards: Shards, counts: PairCounts, posting: bool, symbol_bits: int) -> None:
    """Call index_pairs_shard for each shard."""
    for s in prange(len(counts.size)):
        index_pairs_shard(np.int64(s), shards, counts, posting, symbol_bits)


@jit_parallel
def apply(shards: Shards, batch: Batch, rows: Rows, first_id: int) -> None:
    """Call apply_shard for each shard."""
    for s in prange(len(batch.applied)):
        apply_shard(np.int64(s), shards, batch, rows, first_id)
