"""Learn merges from counted words.

**The rule.** Merge the pair of adjacent tokens that stands most often, words counting as often as
they occur; among equals the smallest (left id, right id), bytes being ids 0-255 and merge i making
id 256 + i. Repeat. Overlapping places all count (``aaa`` holds ``(a, a)`` twice); they are merged
from the left.

**Batches.** Many merges are applied in one round: the first pairs in the order of the rule, up to
the first whose left id is another's right id or the reverse (a pair of equal ids goes alone).
That gives exactly the merges of one at a time. Applying one of them takes places only from pairs
that share a token with it end to end, so from none of the others. A pair N that it makes stands
where the adjacent pair Q = (r, l) stood, with r a right id of the batch or l a left one; Q chains
with the batch, so it comes after all of it, and N stands no more often than Q. Where all three
counts are equal, N still comes after: its ids are those of Q or new, and new ids are the largest.

**Other rules** (`Rule`), for the merges of other trainers. *The earliest first place* of a pair
only ever moves on, as its count only falls, so the heap needs no more than for counts. Batches are
exact as they are: with equal counts, N stands wherever Q stood, or one token before, which is where
the merge that makes N stood; so N comes after every other merge that comes before Q. *The greatest
bytes*: there N may come before a merge of the batch that stands as often. So no merge is applied
after one that makes such a pair; the rest of the batch is chosen anew. *Longest tokens*: a pair
that would be longer is left out. It needs no place in the batches' argument: where Q is too long,
N, which has all of its bytes and more, is too long as well.

**Spelling.** No two merges spell the same bytes, whatever the rule. As long as no merge crosses the
ends of two spans of the same bytes, all that happens inside happens in both; so when the bytes are
one token in the one, they are in the other.

**The threshold.** Only pairs that stand at least `theta` times are numbered, counted and posted,
since hardly any other is ever chosen. While the best pair stands at least `theta` times that is
exact: the pairs left out stand less often. When it no longer does, all pairs are counted anew with
a lower theta. A good theta saves half of the time; a bad one costs a pass over the words.
"""

from __future__ import annotations

import gc
import logging  # noqa: F401  # before _before_fork is registered, see there
import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bpetok.base.timing import stage
from bpetok.learning.arrays import NOTHING, Batch, PairCounts, Rows, Shards
from bpetok.learning.packing import pack
from bpetok.learning.pairs import FILTER_BITS, TIES, Pairs

if TYPE_CHECKING:
    from bpetok.counting.words import Words
    from bpetok.learning.machine_code import Kernels

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

N_BYTES = 256


class Tuning(NamedTuple):
    """Bounds that decide how fast merges are learned, and never which."""

    parallel_slots: int = 12_000_000
    """Words that fill fewer slots are one shard: sharing costs their small rounds what it saves
    the large ones, and needs Numba, which takes half a second to load. From here on a second
    thread saves that in three trainings, and at ten times as many slots in the first."""
    parallel_postings: int = 2_000
    """A round of fewer postings runs on one thread: sharing costs some 40 us."""
    batch_merges: int = 256
    """Most merges of a round; on 100 MB of English text the mean is 23."""
    batch_postings: int = 1 << 20
    """Most postings of a round of several merges: bounds the memory of a round."""
    pause_rounds: int = 8
    """Rounds between two reports of progress."""
    room: int = 1 << 16
    """Postings that there is room for at first, beyond those of the words."""
    theta: int | None = None
    """The first threshold; by default estimated from the words."""


DEFAULT_TUNING = Tuning()


class Rule(NamedTuple):
    """Which pair is merged next; what is not the default imitates other trainers."""

    min_frequency: int = 1
    """Learning ends where the best pair stands less often."""
    max_token_length: int = (1 << 31) - 1
    """No merge makes a token of more bytes."""
    ties: Literal["ids", "place", "bytes"] = "ids"
    """What comes first among equal counts: the smallest ids, the earliest first place in the words
    as they come, or the greatest (bytes of the left, bytes of the right)."""
    byte_order: tuple[int, ...] | None = None
    """The bytes by the ids that break ties; by default a byte is its id."""


DEFAULT_RULE = Rule()


class Start(NamedTuple):
    """Words in the tokens of merges that were made before.

    slots : int32 array, shape (total bytes of the words,)
        The number of each token at its first and its last byte, -1 at the others.
    tokens : sequence of bytes
        What each number stands for: the bytes, then what each merge has made.
    n_tokens : int
        How many tokens the words have, repetitions included.
    """

    slots: Int32
    tokens: Sequence[bytes]
    n_tokens: int


class Merges(NamedTuple):
    """Learned merges, in order.

    pairs : int32 array, shape (n_merges, 2)
        Ids of the left and the right token; row i makes the token with id 256 + i.
    counts : int64 array, shape (n_merges,)
        How often the pair stood when it was merged.
    """

    pairs: Int32
    counts: Int64


_parallel_lock = threading.Lock()
"""Held while a parallel kernel runs: Numba's workqueue aborts when two threads enter it."""
_is_forked_child = False


_load_lock = threading.RLock()
"""Held while kernels are loaded or compiled: a fork waits for it, since the child could never take
the locks that Numba's own thread held."""


def _after_fork_in_child() -> None:
    """Learn serially from now on: OpenMP kills the child of a process that has used it."""
    global _is_forked_child
    _is_forked_child = True
    _after_fork()


def _before_fork() -> None:
    """Wait for what Numba does. What was registered last runs first: logging's handler must come
    after this one, else it takes the lock that the compiler waits for when it logs."""
    _load_lock.acquire()
    _parallel_lock.acquire()


def _after_fork() -> None:
    _parallel_lock.release()
    _load_lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child
    )


def load_kernels() -> Kernels:
    """Return the kernels of one thread, loaded or, if need be, compiled."""
    with _load_lock, stage("load"), _without_collector():
        from bpetok.learning.machine_code import (
            kernels,  # in the lock: a child could never end this import
        )

        return kernels()


def load_parallel_kernels() -> None:
    """Load or compile the parallel kernels, which a large number of words needs, and Numba."""
    from bpetok.counting.words import Words

    toy = Words.from_counts({b"abcdabcd": 2, b"abc": 1})
    at_once = Tuning(parallel_slots=0, parallel_postings=0)
    Learner(toy, 5, n_threads=2, tuning=at_once).learn()


@contextmanager
def _without_collector() -> Iterator[None]:
    """Leave cyclic garbage alone: looking for it is an eighth of the time of compiling."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def learn_merges(
    words: Words,
    n_merges: int,
    rule: Rule = DEFAULT_RULE,
    *,
    n_threads: int = 1,
    progress: Callable[[int], object] | None = None,
    tuning: Tuning | None = None,
) -> Merges:
    """Learn up to `n_merges` merges; fewer where no pair stands often enough any more.

    Parameters
    ----------
    words : Words
    n_merges : int
    rule : Rule
    n_threads : int, at least 1
        The result does not depend on it.
    progress : callable, optional
        Called with the number of merges learned so far, every few milliseconds.
    """
    return Learner(words, n_merges, rule, n_threads, tuning).learn(progress)


OMP_THREADS = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "2000"}
"""For OpenMP, which reads them once. By default its threads spin for 15 ms and more between rounds,
and where another process has the core each round takes ten times as long; where they sleep at
once, waking them takes as long as most rounds. 2,000 turns are some 0.1 ms."""


@contextmanager
def _environment(defaults: dict[str, str]) -> Iterator[None]:
    """Set environment variables that are not set, and unset them afterwards."""
    added = [name for name in defaults if name not in os.environ]
    os.environ.update({name: defaults[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


@contextmanager
def _numba_threads(n: int) -> Iterator[None]:
    """Let parallel kernels of this thread use up to `n` threads."""
    if n == 1 or _is_forked_child:
        yield
        return
    with _load_lock:
        import numba

    with _environment(OMP_THREADS):
        before = numba.get_num_threads()  # Numba starts its threads now
    numba.set_num_threads(min(n, numba.config.NUMBA_NUM_THREADS))
    try:
        yield
    finally:
        numba.set_num_threads(before)


class Learner:
    """The state of learning: the words as slots, the pairs, and the arrays that kernels share."""

    def __init__(
        self,
        words: Words,
        n_merges: int,
        rule: Rule = DEFAULT_RULE,
        n_threads: int = 1,
        tuning: Tuning | None = None,
        start: Start | None = None,
    ) -> None:
        self.kernels = load_kernels()
        self.tuning = tuning or DEFAULT_TUNING
        self.rule = rule
        if start is None:
            start = Start(words.ids, [bytes([byte]) for byte in range(N_BYTES)], words.n_bytes)
        self.tokens = start.tokens
        # Each merge takes at least one token away, and each word keeps one: a larger number asks
        # for memory and gives nothing.
        self.n_merges = min(n_merges, len(words.ids) - len(words))
        self.n_learned = 0
        self.vocab_size = len(self.tokens) + self.n_merges
        self.left = np.empty(self.n_merges, np.int32)
        self.right = np.empty(self.n_merges, np.int32)
        self.counts = np.empty(self.n_merges, np.int64)
        self.word_count = _nth_count(words.counts, self.n_merges)
        with stage("pack"):
            self._pack(words, start, n_threads)
        self._make_batch()
        self.theta = 0  # nothing is counted yet

    def _pack(self, words: Words, start: Start, n_threads: int) -> None:
        """Lay the words out in slots, in shards if there are many."""
        ids = start.slots
        if self.rule.byte_order is not None:
            renumbered = np.arange(-1, len(self.tokens), dtype=np.int32)  # -1 is inside a token
            renumbered[1 + np.array(self.rule.byte_order)] = np.arange(N_BYTES)
            ids = renumbered[ids + 1]
        shared = len(ids) + len(words) >= self.tuning.parallel_slots and self.rule.ties != "bytes"
        packed = pack(words, ids, n_threads if shared else 1, self.rule.ties == "place")
        self.n_shards = len(packed.slot_start) - 1
        token_len = np.ones(self.vocab_size, np.int32)
        token_len[: len(self.tokens)] = list(map(len, self.tokens))
        n_tokens = np.zeros(self.n_shards, np.int64)
        n_tokens[0] = start.n_tokens
        self.shards = Shards(
            *packed,
            token_len=token_len,
            n_tokens=n_tokens,
            postings=np.empty(0, np.int32),
            posting_start=np.zeros(self.n_shards + 1, np.int64),
        )

    def _make_batch(self) -> None:
        n = self.n_shards
        # Where a batch may end early, in one shard, the others would have to end there too.
        most = self.tuning.batch_merges if self.rule.ties != "bytes" or n == 1 else 1
        self.batch = Batch(
            left=np.empty(most, np.int32),
            right=np.empty(most, np.int32),
            run_start=np.empty(most * n, np.int64),
            run_end=np.empty(most * n, np.int64),
            yields_to=np.empty(most, np.int64),
            size=np.zeros(1, np.int64),
            applied=np.empty(n, np.int64),
            filter=np.zeros(1 << FILTER_BITS >> 6, np.uint64),
        )

    def learn(self, progress: Callable[[int], object] | None = None) -> Merges:
        """Learn to the end; `progress` is called with the number of merges every few rounds."""
        with _numba_threads(self.n_shards):
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
            found = self.theta and self._select()
        while not found:
            if self.theta == self.rule.min_frequency:
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
        return self.pairs.select(self.theta, self.n_merges, self.tuning.batch_postings)

    def _apply(self) -> None:
        """Apply them, on several threads if that is worth it."""
        first_id = len(self.tokens) + self.n_learned
        pays = self.pairs.n_visits >= self.tuning.parallel_postings
        self._run("apply", self.shards, self.batch, self.rows, first_id, in_parallel=pays)

    def _reduce(self) -> None:
        """Sum what has changed, and know the merges as learned."""
        while not self.pairs.reduce(self.theta, self.rule.max_token_length):
            self._reserve_postings()
        if self.rule.ties == "place":  # else the next round does it
            nothing = self.batch._replace(size=np.zeros(1, np.int64))
            self._run("apply", self.shards, nothing, self.rows, 0, in_parallel=False)
        self.n_learned = self.pairs.n_learned

    def _run(self, name: str, *args: object, in_parallel: bool = True) -> None:
        """Call a kernel on all shards, on several threads if there are any and if told so."""
        if self.n_shards == 1 or not in_parallel or _is_forked_child:
            on_shard = getattr(self.kernels, f"{name}_shard")
            for s in range(self.n_shards):
                on_shard(s, *args)
        else:
            with _parallel_lock:
                from bpetok.learning import kernels

                getattr(kernels, name)(*args)

    def _first_theta(self, best_count: int) -> int:
        """Return a threshold that most likely serves to the last merge.

        The n-th most frequent word stands less often than the n-th merge did: by a factor of 2 to
        3.5 at 30,000 merges in English, code and mixed languages. With few, long words there is no
        such guide, and the threshold serves some hundred merges.
        """
        if self.tuning.theta is not None:
            return self.tuning.theta
        if self.word_count == 0:
            return best_count // 500
        return min(self.word_count * 3 // 2, best_count, (1 << 63) - 1)

    def _next_theta(self) -> int:
        """Return a lower threshold: the last merge's count, extrapolated, with a margin.

        The counts of the merges so far are a line on log-log paper that steepens slowly.
        """
        n = self.n_learned
        if n < 30:
            return self.theta // 8
        slope = math.log(self.counts[n // 3] / self.counts[n - 1]) / math.log(3)
        ahead = min(self.n_merges / n, 32)
        # At least half, for counts that drop steeply: each pass costs as much as many merges.
        return min(int(self.counts[n - 1] * ahead ** -(slope + 0.3)), self.theta // 2)

    def _build_index(self) -> None:
        """Count all adjacent pairs; number, post and heap those that stand theta times."""
        counts = self._count_pairs()
        best_count = int(counts.entries[1::3].max()) * self.n_shards
        theta = self._next_theta() if self.theta else self._first_theta(best_count)
        self.theta = max(theta, self.rule.min_frequency)
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
            [self.tokens[byte] for byte in self.rule.byte_order or ()]
            + list(self.tokens[N_BYTES if self.rule.byte_order else 0 :]),
            TIES[self.rule.ties],
        )
        self.pairs.add(keys, totals, starts, places)
        counts.entries[2::3] = NOTHING
        present = entries >= 0
        counts.entries[entries[present] + 2] = starts[present]
        self._run("index_pairs", self.shards, counts, True, self._only_bytes())

    def _only_bytes(self) -> bool:
        """Tell whether no merge has been made yet."""
        return self.n_learned + len(self.tokens) == N_BYTES

    def _count_pairs(self) -> PairCounts:
        """Count all adjacent pairs, in a hash table for each shard."""
        n = self.n_shards
        n_slots = len(self.shards.symbols) // n
        # There are 65,536 pairs of bytes; later there is about one distinct pair for 30 slots.
        capacity = 1 << 16
        if not self._only_bytes():
            capacity = 1 << (n_slots // 16).bit_length()
        while True:
            entries = np.zeros(n * capacity * 3, np.int64)
            entries[::3] = NOTHING
            counts = PairCounts(
                entries=entries,
                table_start=np.arange(n + 1, dtype=np.int64) * (capacity * 3),
                size=np.zeros(n, np.int64),
            )
            self._run("index_pairs", self.shards, counts, False, self._only_bytes())
            if counts.size.max() < capacity // 8 * 5:
                return counts
            capacity *= 4

    def _kept_pairs(self, counts: PairCounts) -> tuple[Int64, Int64, Int64, Int64]:
        """Return the pairs that stand theta times.

        They are the keys, the counts, and by [shard, pair] the places and the entries, or NOTHING.
        """
        n = self.n_shards
        # A pair that stands theta times in all shards stands theta / n times in one of them.
        keys = counts.entries[::3][counts.entries[1::3] >= max(1, -(-self.theta // n))]
        keys.sort()
        keys = keys[np.diff(keys, prepend=-1) > 0]  # np.unique imports numpy.ma, for 20 ms
        token_len = self.shards.token_len
        lengths = token_len[keys >> 32] + token_len[keys & 0xFFFFFFFF]
        keys = keys[lengths <= self.rule.max_token_length]
        entries = _find_entries(counts, keys)
        weight = np.where(entries >= 0, counts.entries[entries + 1], 0)
        totals = weight.sum(axis=0)
        kept = totals >= self.theta
        places = np.where(entries >= 0, counts.entries[entries + 2], 0)
        return keys[kept], totals[kept], places[:, kept], entries[:, kept]

    def _make_rows(self, places: Int64) -> None:
        """Make room for the rows and the events of any round; what is not used takes no memory.

        A pair that a round makes stands in at most as many places as the pair that was merged, so
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
    found = np.full((len(counts.size), len(keys)), -1, np.int64)
    if len(keys) == 0:
        return found
    for s, start in enumerate(counts.table_start[:-1].tolist()):
        present = counts.entries[start : counts.table_start[s + 1] : 3]
        places = np.minimum(np.searchsorted(keys, present), len(keys) - 1)
        equal = np.flatnonzero(keys[places] == present)
        found[s, places[equal]] = start + 3 * equal
    return found
