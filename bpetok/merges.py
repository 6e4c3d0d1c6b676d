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

import logging  # noqa: F401  # before _before_fork is registered, see there
import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bpetok._timing import stage
from bpetok._wordtable import fill_symbols

if TYPE_CHECKING:
    from bpetok import _kernels
    from bpetok.words import Words

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

N_BYTES = 256
MAX_SHARD_SLOTS = (1 << 31) - 1


class Tuning(NamedTuple):
    """Bounds that decide how fast merges are learned, and never which."""

    parallel_slots: int = 6_000_000
    """Words that fill fewer slots are one shard: sharing costs their small rounds what it saves
    the large ones."""
    parallel_postings: int = 4_000
    """A round of fewer postings runs on one thread: sharing costs some 20 us."""
    batch_merges: int = 256
    """Most merges of a round; on 100 MB of English text the mean is 23."""
    batch_postings: int = 1 << 20
    """Most postings of a round of several merges: bounds the memory of a round."""
    pause_rounds: int = 8
    """Rounds between two looks at progress and Ctrl-C."""
    pause_postings: int = 1 << 18
    """Postings between two of them: some milliseconds."""
    room: int = 1 << 16
    """Pairs and postings that there is room for at first, beyond those of the words."""
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
"""Held while Numba is imported and kernels are compiled: a fork waits for it, since the child
could never take the locks that Numba's own thread held."""
_are_loaded = False


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


def load_kernels() -> None:
    """Import Numba and compile or load the kernels, so that learning need not wait for them.

    The parallel ones are left out: only a large number of words needs them.
    """
    from bpetok.words import Words

    global _are_loaded
    with _load_lock:
        if not _are_loaded:
            toy = Words.from_counts({b"abcdabcd": 2, b"abc": 1})
            with stage("load"):
                Learner(toy, 5).learn()
            _are_loaded = True


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
    load_kernels()
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
    import numba

    with _environment(OMP_THREADS):
        before = numba.get_num_threads()  # Numba starts its threads now
    numba.set_num_threads(min(n, numba.config.NUMBA_NUM_THREADS))
    try:
        yield
    finally:
        numba.set_num_threads(before)


class Learner:
    """The state of learning: the words as slots, the pairs, their postings, and a heap."""

    def __init__(
        self,
        words: Words,
        n_merges: int,
        rule: Rule = DEFAULT_RULE,
        n_threads: int = 1,
        tuning: Tuning | None = None,
        start: Start | None = None,
    ) -> None:
        from bpetok import _kernels

        self.kernels = _kernels
        self.tuning = tuning or DEFAULT_TUNING
        self.rule = rule
        self.floor = rule.min_frequency
        if start is None:
            start = Start(words.ids, [bytes([byte]) for byte in range(N_BYTES)], words.n_bytes)
        # Each merge takes at least one token away, and each word keeps one: a larger number asks
        # for memory and gives nothing.
        n_merges = min(n_merges, len(words.ids) - len(words))
        self.n_merges = n_merges
        zeros = np.zeros((3, 1), np.int64)
        self.rounds = _kernels.Rounds(*zeros)
        self.first_id = len(start.tokens)
        self.vocab_size = self.first_id + n_merges
        self.learned = _kernels.Learned(
            left=np.empty(n_merges, np.int32),
            right=np.empty(n_merges, np.int32),
            counts=np.empty(n_merges, np.int64),
        )
        with stage("pack"):
            self._pack(words, start, n_threads)
        self._make_batch()
        self._make_ties(start.tokens)
        self.theta = 0  # nothing is counted yet

    def _pack(self, words: Words, start: Start, n_threads: int) -> None:
        """Lay the words out in slots, in shards of about the same number of them."""
        n_words = len(words.counts)
        n_slots = len(words.ids) + n_words
        self.n_shards = 1 + n_slots // MAX_SHARD_SLOTS
        if n_slots >= self.tuning.parallel_slots and self.rule.ties != "bytes":
            self.n_shards = max(self.n_shards, n_threads)
        ends = words.offsets[1:] + np.arange(1, n_words + 1) if self.n_shards > 1 else None
        if ends is None:
            word_start = np.array([0, n_words], np.int64)
        else:
            shares = np.arange(1, self.n_shards) * n_slots // self.n_shards
            word_start = np.concatenate([[0], np.searchsorted(ends, shares), [n_words]])
        sizes = np.diff(words.offsets[word_start]) + np.diff(word_start) + 1
        corpus = self.kernels.Corpus(
            symbols=np.empty(sizes.sum(), np.int32),
            slot_start=_starts(sizes),
            word_counts=words.counts,
            word_start=word_start.astype(np.int64),
            token_len=np.ones(self.vocab_size, np.int32),
            n_tokens=np.zeros(self.n_shards, np.int64),
        )
        corpus.token_len[: self.first_id] = list(map(len, start.tokens))
        slots = start.slots
        if self.rule.byte_order is not None:
            ids = np.arange(-1, self.first_id, dtype=np.int32)  # and -1 for what is inside a token
            ids[1 + np.array(self.rule.byte_order)] = np.arange(N_BYTES)
            slots = ids[slots + 1]
        for s in range(self.n_shards):
            first, last = word_start[s], word_start[s + 1]
            symbols = corpus.symbols[corpus.slot_start[s] : corpus.slot_start[s + 1]]
            fill_symbols(slots, words.offsets[first : last + 1], symbols)
        corpus.n_tokens[0] = start.n_tokens
        self.corpus = corpus

    def _make_batch(self) -> None:
        k, n, v = self.kernels, self.n_shards, self.vocab_size
        # Where a batch may end early, in one shard, the others would have to end there too.
        most = self.tuning.batch_merges if self.rule.ties != "bytes" or n == 1 else 1
        self.batch = k.Batch(
            pair=np.empty(most, np.int64),
            size=np.zeros(1, np.int64),
            yields_to=np.empty(most, np.int64),
            applied=np.empty(n, np.int64),
            visits=np.empty(n, np.int64),
            left_round=np.zeros(v, np.int32),
            right_round=np.zeros(v, np.int32),
        )

    def _make_ties(self, tokens: Sequence[bytes]) -> None:
        """Make what ties are broken by; a new token's bytes are added when it is made."""
        k = self.kernels
        self.ties: _kernels.Ties | None = None
        if self.rule.ties != "ids":
            text_start = np.zeros(self.vocab_size + 1, np.int64)
            text_start[1 : len(tokens) + 1] = np.cumsum(list(map(len, tokens)))
            self.ties = k.Ties(
                kind=np.array([k.BY_PLACE if self.rule.ties == "place" else k.BY_BYTES]),
                symbols=self.corpus.symbols,
                slot_start=self.corpus.slot_start,
                place=np.empty(0, np.int64),
                text=np.frombuffer(b"".join(tokens), np.uint8).astype(np.int32),
                text_start=text_start,
            )

    def learn(self, progress: Callable[[int], object] | None = None) -> Merges:
        """Learn to the end; `progress` is called with the number of merges every few rounds."""
        with _numba_threads(self.n_shards):
            while self._learn_some():
                if progress is not None:
                    progress(self.n_learned)
        return self.merges()

    def merges(self) -> Merges:
        """Return the merges learned so far."""
        n = self.n_learned
        left, right, counts = self.learned
        pairs = np.stack([left[:n], right[:n]], axis=1)
        if self.rule.byte_order is not None:
            numbers = np.arange(self.vocab_size, dtype=np.int32)
            numbers[:N_BYTES] = self.rule.byte_order
            pairs = numbers[pairs]
        return Merges(pairs, counts[:n].copy())

    def _learn_some(self) -> bool:
        """Learn merges for some milliseconds; return whether there were more to learn."""
        if self.n_learned == self.n_merges:
            return False
        if self.theta == 0:
            self._build_index()
        k = self.kernels
        while True:
            need = self._learn_rounds()
            if need == k.PAUSE:
                return True
            if need == k.INDEX:
                if self.theta == self.floor:
                    return False
                self._build_index()
            elif need == k.APPLY:
                self._apply()
            else:
                self._make_room(need)

    @property
    def n_learned(self) -> int:
        """How many merges are learned."""
        return int(self.rounds.n_learned[0])

    def count_tokens(self) -> int:
        """Return the number of tokens that the words have by now, repetitions included."""
        return int(self.corpus.n_tokens.sum())

    def _learn_rounds(self) -> int:
        """Learn until something must be done first; return what, as the kernel says it."""
        k = self.kernels
        limits = k.Limits(
            first_id=self.first_id,
            n_merges=self.n_merges,
            theta=self.theta,
            longest=self.rule.max_token_length,
            most_postings=self.tuning.batch_postings,
            parallel_postings=k.NEVER if _is_forked_child else self.tuning.parallel_postings,
            pause_rounds=self.tuning.pause_rounds,
            pause_postings=self.tuning.pause_postings,
        )
        with stage("rounds"):
            need: int = k.learn_rounds(
                self.corpus,
                self.pairs,
                self.index,
                self.heap,
                self.ties,
                self.batch,
                self.learned,
                self.rows,
                self.events,
                self.rounds,
                limits,
            )
        return need

    def _apply(self) -> None:
        """Apply the merges of a large round."""
        with stage("apply"), _parallel_lock:
            self.kernels.apply(
                self.corpus,
                self.pairs,
                self.index,
                self.batch,
                self.rows,
                self.events,
                self.first_id + self.n_learned,
            )

    def _make_room(self, need: int) -> None:
        """Make room for what the next kernel call needs."""
        if need == self.kernels.PAIRS:
            merge_start = self.rows.merge_start.reshape(self.n_shards, -1)
            n = self.batch.size[0]
            self._reserve_pairs(int((merge_start[:, n] - merge_start[:, 0]).sum()))
            self._reserve_postings()
        elif self.ties is not None:
            self.ties = self.ties._replace(text=_grown(self.ties.text, 2 * len(self.ties.text)))

    def _run(self, name: str, *args: object) -> None:
        """Call a kernel on all shards."""
        if self.n_shards == 1 or _is_forked_child:
            on_shard = getattr(self.kernels, f"{name}_shard")
            for s in range(self.n_shards):
                on_shard(s, *args)
        else:
            with _parallel_lock:
                getattr(self.kernels, name)(*args)

    def _first_theta(self, best_count: int) -> int:
        """Return a threshold that most likely serves to the last merge.

        The n-th most frequent word stands less often than the n-th merge did: by a factor of 2 to
        3.5 at 30,000 merges in English, code and mixed languages. With few, long words there is no
        such guide, and the threshold serves some hundred merges.
        """
        counts = self.corpus.word_counts
        if self.tuning.theta is not None:
            return self.tuning.theta
        if len(counts) <= self.n_merges:
            return best_count // 500
        rank = len(counts) - self.n_merges
        return min(int(np.partition(counts, rank)[rank]) * 3 // 2, best_count, (1 << 63) - 1)

    def _next_theta(self) -> int:
        """Return a lower threshold: the last merge's count, extrapolated, with a margin.

        The counts of the merges so far are a line on log-log paper that steepens slowly.
        """
        n = self.n_learned
        if n < 30:
            return self.theta // 8
        counts = self.learned.counts
        slope = math.log(counts[n // 3] / counts[n - 1]) / math.log(3)
        ahead = min(self.n_merges / n, 32)
        # At least half, for counts that drop steeply: each pass costs as much as many merges.
        return min(int(counts[n - 1] * ahead ** -(slope + 0.3)), self.theta // 2)

    def _build_index(self) -> None:
        """Count all adjacent pairs; number, post and heap those that stand theta times."""
        with stage("index"):
            counts = self._count_pairs()
            best_count = int(counts.entries[1::3].max()) * self.n_shards
            theta = self._next_theta() if self.theta else self._first_theta(best_count)
            self.theta = max(theta, self.floor)
            keys, totals, places, entries = self._kept_pairs(counts)
            self._make_index(len(keys), places)
            self._make_rows(places)
            self.kernels.add_pairs(self.pairs, self.heap, self.ties, keys, totals)
            counts.entries[2::3] = self.kernels.NOTHING
            present = entries >= 0
            starts = self.index.run_start[: places.size].reshape(-1, self.n_shards).T
            counts.entries[entries[present] + 2] = starts[present]
            self._run("post_pairs", self.corpus, counts, self.index)

    def _count_pairs(self) -> _kernels.PairCounts:
        """Count all adjacent pairs, in a hash table for each shard."""
        n = self.n_shards
        n_slots = len(self.corpus.symbols) // n
        # There are 65,536 pairs of bytes; later there is about one distinct pair for 30 slots.
        capacity = 1 << (n_slots // 16).bit_length() if self.n_learned else 1 << 16
        while True:
            entries = np.zeros(n * capacity * 3, np.int64)
            entries[::3] = self.kernels.NOTHING
            counts = self.kernels.PairCounts(
                entries=entries,
                table_start=np.arange(n + 1, dtype=np.int64) * (capacity * 3),
                size=np.zeros(n, np.int64),
            )
            self._run("count_pairs", self.corpus, counts)
            if counts.size.max() < capacity // 8 * 5:
                return counts
            capacity *= 4

    def _kept_pairs(self, counts: _kernels.PairCounts) -> tuple[Int64, Int64, Int64, Int64]:
        """Return the pairs that stand theta times.

        They are the keys, the counts, and by [shard, pair] the places and the entries, or NOTHING.
        """
        n = self.n_shards
        # A pair that stands theta times in all shards stands theta / n times in one of them.
        keys = np.unique(counts.entries[::3][counts.entries[1::3] >= max(1, -(-self.theta // n))])
        token_len = self.corpus.token_len
        lengths = token_len[keys >> 32] + token_len[keys & 0xFFFFFFFF]
        keys = keys[lengths <= self.rule.max_token_length]
        entries = np.empty((n, len(keys)), np.int64)
        self.kernels.find_entries(counts, keys, entries.reshape(-1))
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
        k, n, v = self.kernels, self.n_shards, self.vocab_size
        most_of_all = int((places.sum(axis=1) + 2 * np.diff(self.corpus.slot_start)).max())
        most = max(int(places.max(initial=0)), min(self.tuning.batch_postings, most_of_all))
        start = np.arange(n + 1, dtype=np.int64) * 2 * most
        self.rows = k.Rows(
            key=np.empty(start[-1], np.int32),
            weight=np.empty(start[-1], np.int64),
            places=np.empty(start[-1], np.int64),
            old=np.empty(start[-1], np.int64),
            row_start=start,
            merge_start=np.empty(n * (len(self.batch.pair) + 1), np.int64),
            row_of=np.full(n * 2 * v, k.NOTHING, np.int32),
            total=np.zeros(2 * v, np.int64),
            pair_of=np.empty(2 * v, np.int32),
        )
        self.events = k.Events(
            row=np.empty(start[-1], np.int32),
            posting=np.empty(start[-1], np.int64),
            event_start=start,
            size=np.zeros(n, np.int64),
        )

    def _make_index(self, n_pairs: int, places: Int64) -> None:
        """Make room for the pairs and their postings."""
        k, n = self.kernels, self.n_shards
        capacity = n_pairs + self.tuning.room
        self.pairs = k.Pairs(
            left=np.empty(capacity, np.int32),
            right=np.empty(capacity, np.int32),
            counts=np.empty(capacity, np.int64),
            table=_empty_table(capacity),
            size=np.zeros(1, np.int64),
        )
        self.heap = k.Heap(
            counts=np.empty(capacity, np.int64),
            pair=np.empty(capacity, np.int64),
            size=np.zeros(1, np.int64),
        )
        if self.ties is not None:
            self.ties = self.ties._replace(place=np.empty(capacity, np.int64))
        used = places.sum(axis=1)
        room = int(used.max(initial=0)) * 2 + self.tuning.room
        run_start = np.empty(capacity * n, np.int64)
        run_len = np.empty(capacity * n, np.int64)
        run_start[: n_pairs * n] = (np.cumsum(places, axis=1) - places).T.reshape(-1)
        run_len[: n_pairs * n] = places.T.reshape(-1)
        self.index = k.Index(
            postings=np.empty(n * room, np.int64),
            posting_start=np.arange(n + 1, dtype=np.int64) * room,
            used=used,
            hole_start=np.zeros(n, np.int64),
            hole_end=np.zeros(n, np.int64),
            run_start=run_start,
            run_len=run_len,
        )

    def _reserve_pairs(self, n_new: int) -> None:
        """Make room for so many more pairs."""
        wanted = int(self.pairs.size[0]) + n_new
        if wanted <= len(self.pairs.left):
            return
        capacity = wanted + wanted // 2
        self.pairs = self.pairs._replace(
            left=_grown(self.pairs.left, capacity),
            right=_grown(self.pairs.right, capacity),
            counts=_grown(self.pairs.counts, capacity),
            table=_empty_table(capacity),
        )
        self.kernels.rehash_pairs(self.pairs)
        self.heap = self.heap._replace(
            counts=_grown(self.heap.counts, capacity), pair=_grown(self.heap.pair, capacity)
        )
        if self.ties is not None:
            self.ties = self.ties._replace(place=_grown(self.ties.place, capacity))
        self.index = self.index._replace(
            run_start=_grown(self.index.run_start, capacity * self.n_shards),
            run_len=_grown(self.index.run_len, capacity * self.n_shards),
        )

    def _reserve_postings(self) -> None:
        """Make room for the postings of the round's events."""
        wanted = int((self.index.used + self.events.size).max())
        if wanted <= self.index.posting_start[1]:
            return
        larger = np.empty(self.n_shards * 2 * wanted, np.int64)
        start = np.arange(self.n_shards + 1, dtype=np.int64) * 2 * wanted
        for s, used in enumerate(self.index.used):
            old = self.index.posting_start[s]
            larger[start[s] : start[s] + used] = self.index.postings[old : old + used]
        self.index = self.index._replace(postings=larger, posting_start=start)


def _starts(sizes: Int64) -> Int64:
    """Return where consecutive ranges of the given sizes start, and the end of the last."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _empty_table(n_pairs: int) -> Int64:
    """Return an empty hash table, at most half full with so many pairs."""
    return np.full(2 << (2 * n_pairs).bit_length(), -1, np.int64)


def _grown(array: NDArray[Any], size: int) -> NDArray[Any]:
    """Return a copy of a 1-D array with room for `size` elements."""
    larger = np.empty(size, array.dtype)
    larger[: len(array)] = array
    return larger
