"""Learn merges from counted words, in rounds: see ``rule.py`` for what is learned and why so."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence

import numpy as np

from bpetok.base.array_types import Int64
from bpetok.base.limits import MAX_INT64, MAX_TOTAL_BYTES, N_BYTES
from bpetok.base.timing import stage
from bpetok.learning.arrays import (
    FILTER_BITS,
    NOTHING,
    Batch,
    CountedWords,
    PairCounts,
    Rows,
    Shards,
)
from bpetok.learning.loading import (
    KERNELS,
    load_parallel_kernels,
    may_share,
    numba_threads,
    run_parallel,
)
from bpetok.learning.packing import pack
from bpetok.learning.pairs import Pairs
from bpetok.learning.rule import (
    DEFAULT_RULE,
    DEFAULT_TUNING,
    Merges,
    Rule,
    Tuning,
)


def learn_merges(
    words: CountedWords,
    n_merges: int,
    rule: Rule = DEFAULT_RULE,
    *,
    n_threads: int = 1,
    progress: Callable[[int], object] | None = None,
    tuning: Tuning | None = None,
) -> Merges:
    """Learn up to `n_merges` merges; fewer where no pair occurs often enough any more.

    Parameters
    ----------
    words : CountedWords
        `Words`, or what else has the same three arrays.
    n_merges : int
    rule : Rule
    n_threads : int, at least 1
        The result does not depend on it.
    progress : callable, optional
        Called with the number of merges learned so far, every few milliseconds.
    """
    return Learner(words, n_merges, rule, n_threads, tuning).learn(progress)


BYTE_BITS = 8
MOST_BITS = 10
"""A table of all pairs of ids of so many bits is 25 MB large."""
LARGE_TABLE = 1 << 20
"""A table of so many entries is 25 MB large: one that is too small is only doubled from here on.
Counting again from the beginning costs time, and a table twice as large as needed, memory."""

FACTORS = np.frombuffer(os.urandom(8), np.uint32).astype(np.int64) >> 1 | 1
"""Of the hash of pairs, odd and below 2**31: others in each process. The result is the same."""

BYTES = tuple(bytes([byte]) for byte in range(N_BYTES))


class Learner:
    """The state of learning: the words as slots, the pairs, and the arrays that kernels share.

    Parameters
    ----------
    words, n_merges, rule, n_threads
        As `learn_merges` takes them.
    tuning : Tuning, optional
    tokens : sequence of bytes or int
        What each number in `words.ids` means: the bytes, or those and what merges have made of them
        that are known already. An int: so many symbols that are no bytes, which rules that ask for
        the bytes of tokens can't have.
    most_bytes : int
        Of all tokens together, each once; or so many symbols.

    Attributes
    ----------
    is_full : bool
        Whether learning has ended since the next token would have made all of them together longer
        than `most_bytes`.
    """

    def __init__(
        self,
        words: CountedWords,
        n_merges: int,
        rule: Rule = DEFAULT_RULE,
        n_threads: int = 1,
        tuning: Tuning | None = None,
        tokens: Sequence[bytes] | int = BYTES,
        most_bytes: int = MAX_TOTAL_BYTES,
    ) -> None:
        self.tuning = tuning or DEFAULT_TUNING
        self.rule = rule
        self.first_id = tokens if isinstance(tokens, int) else len(tokens)
        self.tokens = () if isinstance(tokens, int) else tokens
        self.n_merges = self._most_merges(words, n_merges)
        self.n_learned = 0
        self.most_bytes = most_bytes
        self.is_full = False
        self.vocab_size = self.first_id + self.n_merges
        self.left = np.empty(self.n_merges, np.int32)
        self.right = np.empty(self.n_merges, np.int32)
        self.counts = np.empty(self.n_merges, np.int64)
        self.word_count = _nth_count(words.counts, self.n_merges)
        with stage("pack"):
            self._pack(words, n_threads)
        self._make_batch()
        self.token_filter = rule.merge_filter.ready() if rule.merge_filter is not None else None
        self.least_count = 0  # nothing is counted yet

    def _most_merges(self, words: CountedWords, n_merges: int) -> int:
        """Return how many merges there may be.

        Each takes at least one token away, and each word keeps one: a larger number asks for memory
        and gives nothing.
        """
        return min(n_merges, len(words.ids) - len(words.counts))

    def _pack(self, words: CountedWords, n_threads: int) -> None:
        """Lay the words out in slots, in shards if there are many."""
        ids = words.ids
        if self.rule.byte_order is not None:
            renumbered = np.arange(self.first_id, dtype=np.int32)
            renumbered[np.array(self.rule.byte_order)] = np.arange(N_BYTES)
            ids = renumbered[ids]
        n_slots = len(ids) + len(words.counts)
        shared = n_slots >= self.tuning.parallel_slots and not self.rule.batches_may_end_early
        packed = pack(words, ids, n_threads if shared else 1, self.rule.keeps_word_order)
        self.n_shards = len(packed.slot_start) - 1
        self.n_threads = min(n_threads, self.n_shards)
        token_len = np.ones(self.vocab_size, np.int32)
        self.byte_len = token_len.copy()
        self.byte_len[: len(self.tokens)] = list(map(len, self.tokens))
        n_tokens = np.zeros(self.n_shards, np.int64)
        n_tokens[0] = (words.counts * np.diff(words.offsets)).sum()
        self.shards = Shards(
            *packed,
            token_len=token_len,
            n_tokens=n_tokens,
            postings=np.empty(0, np.int32),
            posting_start=np.zeros(self.n_shards + 1, np.int64),
        )

    def _make_batch(self) -> None:
        n = self.n_shards
        # Where one shard finds that the batch ends early, the others would have to end there, too.
        alone = self.rule.batches_may_end_early and n > 1
        most = 1 if alone else self.tuning.batch_merges
        self.batch = Batch(
            left=np.empty(most, np.int32),
            right=np.empty(most, np.int32),
            run_start=np.empty(most * n, np.int64),
            run_end=np.empty(most * n, np.int64),
            yields_to=np.empty(most, np.int64),
            size=np.zeros(1, np.int64),
            applied=np.empty(n, np.int64),
            filter=np.zeros(1 << FILTER_BITS >> 6, np.uint64),
            overtaking=np.zeros(1 << FILTER_BITS >> 6, np.uint64),
        )

    def load(self, progress: Callable[[int, int], object] = lambda *_: None) -> None:
        """Load or compile the kernels for several threads, if `learn` will need them.

        `progress` is then called with the number of kernels that are there, and that of all.
        """
        if self.n_threads > 1 and may_share():
            load_parallel_kernels(progress)

    def learn(self, progress: Callable[[int], object] | None = None) -> Merges:
        """Learn to the end; `progress` is called with the number of merges every few rounds."""
        with numba_threads(self.n_threads):
            going = True
            while going:
                before = self.n_learned
                for _ in range(self.tuning.pause_rounds):
                    going = self._learn_round()
                    if not going:
                        break
                if progress is not None and self.n_learned > before:
                    progress(self.n_learned)
        return self.merges()

    def merges(self) -> Merges:
        """Return the merges learned so far."""
        n = self.n_learned
        pairs = np.stack([self.left[:n], self.right[:n]], axis=1)
        if self.rule.byte_order is not None:
            numbers = np.arange(self.vocab_size, dtype=np.int32)
            numbers[:N_BYTES] = self.rule.byte_order
            pairs = numbers[pairs]
        return Merges(pairs, self.counts[:n].copy())

    def count_tokens(self) -> int:
        """Return the number of tokens that the words have by now, repetitions included."""
        return int(self.shards.n_tokens.sum())

    def _learn_round(self) -> bool:
        """Learn the merges of a round; return whether there were any."""
        if self.n_learned == self.n_merges:
            return False
        with stage("select"):
            found = self.least_count and self._select()
        while not found:
            if self.is_full or self.least_count == self.rule.min_frequency:
                return False
            with stage("index"):
                self._build_index()
            found = self._select()
        with stage("apply"):
            self._apply()
        with stage("reduce"):
            self._reduce()
        return True

    def _select(self) -> int:
        """Choose the merges of the next round; return their number."""
        found = self.pairs.select(
            self.least_count, self.n_merges, self.tuning.batch_postings, self.most_bytes
        )
        self.is_full = self.pairs.is_full
        return found

    def _apply(self) -> None:
        """Apply them, on several threads if that is worth it."""
        first_id = self.first_id + self.n_learned
        pays = self.pairs.n_visits >= self.tuning.parallel_postings
        self._run("apply", self.shards, self.batch, self.rows, first_id, in_parallel=pays)

    def _reduce(self) -> None:
        """Sum what has changed, and know the merges as learned."""
        while not self.pairs.reduce(self.least_count, self.rule.max_token_length):
            self._reserve_postings()
        if self.rule.reads_postings:  # otherwise the next round posts the new pairs
            nothing = self.batch._replace(size=np.zeros(1, np.int64))
            self._run("apply", self.shards, nothing, self.rows, 0, in_parallel=False)
        self.n_learned = self.pairs.n_learned

    def _run(self, name: str, *args: object, in_parallel: bool = True) -> None:
        """Call a kernel on all shards, on several threads if there are any and if told so."""
        if self.n_threads == 1 or not in_parallel or not may_share():
            on_shard = getattr(KERNELS, f"{name}_shard")
            for s in range(self.n_shards):
                on_shard(s, *args)
        else:
            run_parallel(name, *args)

    def _first_least_count(self, best_count: int, counts: PairCounts) -> int:
        """Return a threshold that most likely serves to the last merge.

        The n-th most frequent word occurs less often than the n-th merge did: by a factor of 2 to
        3.5 at 30,000 merges in English, code and mixed languages. With few, long words there is no
        such guide, and the threshold is good for about a hundred merges. Where merges were known
        already the guide is the n-th most frequent pair: 7,744 merges after the first 24,000 of
        100 MB of English, in whole lines, ended at a third of it.
        """
        if self.tuning.least_count is not None:
            return self.tuning.least_count
        if self.first_id > N_BYTES:
            return max(_nth_count(counts.entries[1::3], self.n_merges) * self.n_shards // 4, 1)
        if self.word_count == 0:
            return best_count // 500
        return min(self.word_count * 3 // 2, best_count, MAX_INT64)

    def _next_least_count(self) -> int:
        """Return a lower threshold: the last merge's count, extrapolated, with a margin.

        The counts of the merges so far are a line on log-log paper that steepens slowly.
        """
        n = self.n_learned
        if n < 30:
            return self.least_count // 8
        slope = math.log(self.counts[n // 3] / self.counts[n - 1]) / math.log(3)
        ahead = min(self.n_merges / n, 32)
        # At least half, for counts that drop steeply: each pass costs as much as many merges.
        return min(int(self.counts[n - 1] * ahead ** -(slope + 0.3)), self.least_count // 2)

    def _build_index(self) -> None:
        """Count all adjacent pairs; number, post and heap those that occur least_count times."""
        counts = self._count_pairs()
        best_count = int(counts.entries[1::3].max()) * self.n_shards
        least_count = (
            self._next_least_count()
            if self.least_count
            else self._first_least_count(best_count, counts)
        )
        self.least_count = max(least_count, self.rule.min_frequency)
        keys, totals, places, entries = self._kept_pairs(counts)
        starts = np.cumsum(places, axis=1) - places
        self._make_postings(places)
        self._make_rows(places)
        self.pairs = Pairs(
            self.shards,
            self.batch,
            self.rows,
            (self.left, self.right, self.counts),
            self.n_learned,
            self.first_id,
            self._first_tokens(),
            self.byte_len,
            self.rule.tie_number,
            self.rule.batches_may_end_early,
            self.token_filter,
        )
        self.pairs.add(keys, totals, starts, places)
        counts.entries[2::3] = NOTHING
        present = entries >= 0
        counts.entries[entries[present] + 2] = starts[present]
        self._run("index_pairs", self.shards, counts, True, self._symbol_bits())

    def _symbol_bits(self) -> int:
        """Return how many bits ids have while a table has an entry for each pair, otherwise 0.

        It has before the first merge, for up to 1,024 symbols. For more than the 256 bytes only if
        there is more text than table: the table has to be emptied.
        """
        if self.n_learned:
            return 0
        n_slots = len(self.shards.symbols) // self.n_shards
        bits = max(BYTE_BITS, (self.first_id - 1).bit_length())
        if bits > BYTE_BITS and (bits > MOST_BITS or n_slots >> 2 * bits == 0):
            return 0
        return bits

    def _count_pairs(self) -> PairCounts:
        """Count all adjacent pairs, in a hash table for each shard."""
        n = self.n_shards
        n_slots = len(self.shards.symbols) // n
        # Later there is about one distinct pair for 30 slots.
        bits = 2 * self._symbol_bits() or (n_slots // 16).bit_length()
        capacity = 1 << bits
        while True:
            entries = np.zeros(n * capacity * 3, np.int64)
            entries[::3] = NOTHING
            counts = PairCounts(
                entries=entries,
                table_start=np.arange(n + 1, dtype=np.int64) * (capacity * 3),
                size=np.zeros(n, np.int64),
                factors=FACTORS,
            )
            self._run("index_pairs", self.shards, counts, False, self._symbol_bits())
            if counts.size.max() < capacity // 8 * 5:
                return counts
            del counts, entries  # before there are larger ones
            capacity *= 4 if capacity < LARGE_TABLE else 2

    def _kept_pairs(self, counts: PairCounts) -> tuple[Int64, Int64, Int64, Int64]:
        """Return the pairs that occur least_count times.

        They are the keys, the counts, and by [shard, pair] the places and the entries, or NOTHING.
        """
        n = self.n_shards
        # A pair that occurs least_count times in all shards does so least_count / n times in one.
        keys = counts.entries[::3][counts.entries[1::3] >= max(1, -(-self.least_count // n))]
        keys.sort()
        keys = keys[np.diff(keys, prepend=-1) > 0]  # np.unique imports numpy.ma, for 20 ms
        lengths = self.byte_len[keys >> 32] + self.byte_len[keys & 0xFFFFFFFF]
        keys = keys[lengths <= self.rule.max_token_length]
        entries = _find_entries(counts, keys)
        weight = np.where(entries >= 0, counts.entries[entries + 1], 0)
        totals = weight.sum(axis=0)
        kept = totals >= self.least_count
        places = np.where(entries >= 0, counts.entries[entries + 2], 0)
        return keys[kept], totals[kept], places[:, kept], entries[:, kept]

    def _first_tokens(self) -> list[bytes]:
        """Return the bytes of the tokens before the first merge, by the ids that learning uses."""
        order = self.rule.byte_order or ()
        return [*(self.tokens[byte] for byte in order), *self.tokens[len(order) :]]

    def _make_rows(self, places: Int64) -> None:
        """Make room for the rows and the events of any round; what is not used takes no memory.

        A pair that a round makes occurs in at most as many places as the pair that was merged, so
        none has more postings than the first ones. A merge adds at most two and takes a token away.
        """
        n = self.n_shards
        most_of_all = int((places.sum(axis=1) + 2 * np.diff(self.shards.slot_start)).max())
        most = max(int(places.max(initial=0)), min(self.tuning.batch_postings, most_of_all))
        start = np.arange(n + 1, dtype=np.int64) * 2 * most
        self.rows = Rows(
            key=np.empty(start[-1], np.int32),
            sums=np.empty(2 * start[-1], np.int64),
            row_start=start,
            merge_rows=np.empty(n * (len(self.batch.left) + 1), np.int64),
            row_of=np.full(n * 2 * self.vocab_size, NOTHING, np.int32),
            event_row=np.empty(start[-1], np.int32),
            event_slot=np.empty(start[-1], np.int32),
            event_start=start,
            n_events=np.zeros(n, np.int64),
        )

    def _make_postings(self, places: Int64) -> None:
        """Make room for the postings of the first pairs, and for as many again."""
        self._use_postings(int(places.sum(axis=1).max(initial=0)) * 2 + self.tuning.room)

    def _use_postings(self, room: int) -> None:
        """Take new arrays, with so much room for each shard."""
        self.shards = self.shards._replace(
            postings=np.empty(self.n_shards * room, np.int32),
            posting_start=np.arange(self.n_shards + 1, dtype=np.int64) * room,
        )

    def _reserve_postings(self) -> None:
        """Make more room for postings and keep those that there are."""
        old = self.shards.postings.reshape(self.n_shards, -1)
        n = old.shape[1]
        self._use_postings(2 * n + int(self.rows.n_events.max()))
        self.shards.postings.reshape(self.n_shards, -1)[:, :n] = old
        self.pairs.use_postings(self.shards.postings, self.shards.posting_start)


def _nth_count(counts: Int64, n: int) -> int:
    """Return the n-th greatest count, 0 if there is none."""
    if not 0 < n < len(counts):
        return 0
    rank = len(counts) - n
    return int(np.partition(counts, rank)[rank])


def _find_entries(counts: PairCounts, keys: Int64) -> Int64:
    """Return by [shard, key] where each shard's table has the ascending keys, or NOTHING."""
    found = np.full((len(counts.size), len(keys)), NOTHING, np.int64)
    for s, start in enumerate(counts.table_start[:-1].tolist()):
        table = counts.entries[start : counts.table_start[s + 1] : 3]
        used = np.flatnonzero(table != NOTHING)
        used = used[np.argsort(table[used])]
        present = table[used]
        # Ascending keys in ascending keys: each search begins where the one before ended.
        places = np.minimum(np.searchsorted(present, keys), max(len(present) - 1, 0))
        equal = np.flatnonzero(present[places] == keys) if len(present) else places[:0]
        found[s, equal] = start + 3 * used[places[equal]]
    return found
