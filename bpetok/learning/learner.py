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
from bpetok.learning.packing import Packed, join_languages, pack
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
SMALL_TABLE = 1 << 13
"""A table for so many pairs is 0.4 MB large."""
LARGE_TABLE = 1 << 20
"""A table of so many entries is 25 MB large: one that is too small is only doubled from here on.
Counting again from the beginning costs time, and a table twice as large as needed, memory."""
SHORT_WORDS = 16
"""Words of fewer ids than this on average are short: 7 to 8 in English, 11 to 14 in many languages.
Where there are fewer of them than merges, to count once only, with 1 as the threshold, takes 0.81
to 0.97 of the time of learning from 100 kB and 1 MB of English, many languages and code."""
FEW_IDS = 1 << 20
"""Where words have more ids than that, it gains less (0.95 to 1.05 of the time of 10 MB of many
languages) and takes memory, a sixth of all there."""

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
    more : sequence of CountedWords
        The words of other languages, in which the same merges are made: see `ParityLearner`.

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
        more: Sequence[CountedWords] = (),
    ) -> None:
        self.tuning = tuning or DEFAULT_TUNING
        self.rule = rule
        self.first_id = tokens if isinstance(tokens, int) else len(tokens)
        self.tokens = () if isinstance(tokens, int) else tokens
        languages = [words, *more]
        # Each takes at least one token away, and each word keeps one: a larger number asks for
        # memory and gives nothing.
        most = sum(len(words.ids) - len(words.counts) for words in languages)
        self.n_merges = min(n_merges, most)
        self.n_learned = 0
        self.most_bytes = most_bytes
        self.is_full = False
        self.vocab_size = self.first_id + self.n_merges
        self.left = np.empty(self.n_merges, np.int32)
        self.right = np.empty(self.n_merges, np.int32)
        self.counts = np.empty(self.n_merges, np.int64)
        self.word_counts = [_nth_word_count(words, self.n_merges) for words in languages]
        with stage("pack"):
            self._pack(languages, n_threads)
        self._make_batch()
        self.token_filter = rule.merge_filter.ready() if rule.merge_filter is not None else None
        self.least_counts: list[int] = []  # of each language that chooses; nothing is counted yet

    def _pack(self, languages: Sequence[CountedWords], n_threads: int) -> None:
        """Lay the words out in slots, in shards if there are many."""
        packed = join_languages([self._pack_language(words, n_threads) for words in languages])
        self.n_languages = len(languages)
        self.n_shards = len(packed.slot_start) - 1
        self.n_threads = min(n_threads, self.n_shards)
        token_len = np.ones(self.vocab_size, np.int32)
        self.byte_len = token_len.copy()
        self.byte_len[: len(self.tokens)] = list(map(len, self.tokens))
        n_tokens = np.zeros(self.n_shards * self.n_languages, np.int64)
        for language, words in enumerate(languages):
            n_tokens[language] = (words.counts * np.diff(words.offsets)).sum()
        self.shards = Shards(
            *packed,
            token_len=token_len,
            n_tokens=n_tokens,
            postings=np.empty(0, np.int32),
            posting_start=np.zeros(self.n_shards + 1, np.int64),
        )

    def _pack_language(self, words: CountedWords, n_threads: int) -> Packed:
        ids = words.ids
        if self.rule.byte_order is not None:
            renumbered = np.arange(self.first_id, dtype=np.int32)
            renumbered[np.array(self.rule.byte_order)] = np.arange(N_BYTES)
            ids = renumbered[ids]
        n_slots = len(ids) + len(words.counts)
        shared = n_slots >= self.tuning.parallel_slots and not self.rule.batches_may_end_early
        return pack(words, ids, n_threads if shared else 1, self.rule.keeps_word_order)

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
        found = self._select() if self.least_counts else 0
        while not found:
            if self.is_full or self.least_counts == [self.rule.min_frequency]:
                return False
            with stage("index"):
                self._build_index()
            found = self._select()
        self._make_merges()
        return True

    def _select(self) -> int:
        """Choose the merges of the next round; return their number."""
        with stage("select"):
            found = self.pairs.select(self.n_merges, self.tuning.batch_postings, self.most_bytes)
        self.is_full = self.pairs.is_full
        return found

    def _make_merges(self) -> None:
        """Make the merges of a round, and know them as learned."""
        with stage("apply"):
            self._apply()
        with stage("reduce"):
            self._reduce()

    def _apply(self) -> None:
        """Apply them, on several threads if that is worth it."""
        first_id = self.first_id + self.n_learned
        pays = self.pairs.n_visits >= self.tuning.parallel_postings
        name = "apply" if self.n_languages == 1 else "apply_languages"
        self._run(name, self.shards, self.batch, self.rows, first_id, in_parallel=pays)

    def _reduce(self) -> None:
        """Sum what has changed, and know the merges as learned."""
        while not self.pairs.reduce(self.rule.max_token_length):
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

    def _first_least_count(self, language: int, counts: PairCounts) -> int:
        """Return a threshold that most likely serves to the last merge.

        The n-th most frequent word occurs less often than the n-th merge did: by a factor of 2 to
        3.5 at 30,000 merges in English, code and mixed languages. Where there are fewer words than
        merges, and short ones, most words become a token each, and the last merges occur once. With
        few, long words there is no such guide, and the threshold is good for about a hundred. Where
        merges were known already the guide is the n-th most frequent pair: 7,744 merges after the
        first 24,000 of 100 MB of English, in whole lines, ended at a third of it.
        """
        if self.tuning.least_count is not None:
            return self.tuning.least_count
        tables = range(language, len(counts.size), self.n_languages)
        weights = np.concatenate([table_of(counts, table)[1::3] for table in tables])
        if self.first_id > N_BYTES:
            return max(_nth_count(weights, self.n_merges) * self.n_shards // 4, 1)
        best_count = int(weights.max()) * self.n_shards
        if self.word_counts[language]:
            # Each of several languages chooses a part of the merges: so it ends at a higher count.
            halves = 3 if self.n_languages == 1 else 4
            return min(self.word_counts[language] * halves // 2, best_count, MAX_INT64)
        # Each language would come to its end at another merge, and all would be counted again.
        return best_count // 500 if self.n_languages == 1 else 1

    def _next_least_count(self, language: int, chosen: Int64) -> int:
        """Return a lower threshold: the last merge's count, extrapolated, with a margin.

        The counts of the merges so far are a line on log-log paper that steepens slowly.

        Parameters
        ----------
        language : int
        chosen : int64 array
            How often each pair that it has chosen occurred in it.
        """
        n = len(chosen)
        if n < 30:
            return self.least_counts[language] // 8
        slope = math.log(chosen[n // 3] / chosen[n - 1]) / math.log(3)
        ahead = min(self.n_merges / self.n_learned, 32)
        # At least half, for counts that drop steeply: each pass costs as much as many merges.
        lower = int(chosen[n - 1] * ahead ** -(slope + 0.3))
        return min(lower, self.least_counts[language] // 2)

    def _new_least_counts(self, counts: PairCounts) -> list[int]:
        """Return the thresholds for what has been counted."""
        if self.least_counts:
            return [self._next_least_count(0, self.counts[: self.n_learned])]
        return [self._first_least_count(0, counts)]

    def _build_index(self) -> None:
        """Count all adjacent pairs; number, post and queue those that occur least_count times."""
        counts = self._count_pairs()
        self.least_counts = [
            max(count, self.rule.min_frequency) for count in self._new_least_counts(counts)
        ]
        keys, totals, places, entries = self._kept_pairs(counts)
        # Of each pair the places in one language come after those in the language before it.
        n = self.n_shards, self.n_languages, len(keys)
        sizes = places.reshape(n).sum(axis=1)
        starts = np.cumsum(sizes, axis=1) - sizes
        ends = starts[:, None] + np.cumsum(places.reshape(n), axis=1)
        self._make_postings(sizes)
        self._make_rows(sizes)
        self.pairs = Pairs(
            self.shards,
            self.batch,
            self.rows,
            (self.left, self.right, self.counts),
            self.n_learned,
            self.first_id,
            self._first_tokens(),
            self.byte_len,
            self.least_counts,
            self.rule.tie_number,
            self.rule.batches_may_end_early,
            self.token_filter,
        )
        self.pairs.add(keys, totals, starts, sizes)
        counts.entries[2::3] = NOTHING
        present = entries >= 0
        counts.entries[entries[present] + 2] = (ends.reshape(places.shape) - places)[present]
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
        """Count all adjacent pairs, in a hash table for each shard and language."""
        n = self.n_shards, self.n_languages
        n_slots = np.diff(self.shards.language_start.reshape(n[0], -1), axis=1).reshape(-1)
        # Later there is about one distinct pair for 30 slots; more where these are few.
        likely = np.maximum(n_slots // 16, np.minimum(2 * n_slots, SMALL_TABLE))
        bits = [2 * self._symbol_bits() or int(size).bit_length() for size in likely]
        capacity = 1 << np.array(bits, np.int64)
        while True:
            start = np.insert(np.cumsum(capacity * 3), 0, 0)
            entries = np.zeros(start[-1], np.int64)
            entries[::3] = NOTHING
            counts = PairCounts(entries, start, np.zeros(len(capacity), np.int64), FACTORS)
            self._run("index_pairs", self.shards, counts, False, self._symbol_bits())
            full = counts.size >= capacity // 8 * 5
            if not full.any():
                return counts
            del counts, entries  # before there are larger ones
            capacity[full] *= np.where(capacity < LARGE_TABLE, 4, 2)[full]

    def _kept_pairs(self, counts: PairCounts) -> tuple[Int64, Int64, Int64, Int64]:
        """Return the pairs that occur least_count times in a language.

        They are the keys, the counts by [pair, language], and by [table, pair] the places and the
        entries, or NOTHING.
        """
        n = self.n_shards
        if len(counts.size) == 1:  # the entries are where the pairs are found
            often = np.flatnonzero(counts.entries[1::3] >= max(1, self.least_counts[0]))
            keys = counts.entries[::3][often]
            order = np.argsort(keys)
            keys, entries = keys[order], 3 * often[order][np.newaxis]
        else:
            keys = self._frequent_keys(counts)
            entries = _find_entries(counts, keys)
        if self.rule.max_token_length < MAX_TOTAL_BYTES:
            lengths = self.byte_len[keys >> 32] + self.byte_len[keys & 0xFFFFFFFF]
            short = lengths <= self.rule.max_token_length
            keys, entries = keys[short], entries[:, short]
        weight = np.where(entries >= 0, counts.entries[entries + 1], 0)
        totals = weight.reshape(n, self.n_languages, -1).sum(axis=0).T
        kept = (totals[:, : len(self.least_counts)] >= self.least_counts).any(axis=1)
        places = np.where(entries >= 0, counts.entries[entries + 2], 0)
        totals = np.ascontiguousarray(totals[kept])
        return keys[kept], totals, places[:, kept], entries[:, kept]

    def _frequent_keys(self, counts: PairCounts) -> Int64:
        """Return the pairs, ascending, that may occur least_count times in a language."""
        n = self.n_shards
        found = []
        for table in range(len(counts.size)):
            language = table % self.n_languages
            if language < len(self.least_counts):
                # What occurs least_count times in all shards does so least_count / n times in one.
                least = max(1, -(-self.least_counts[language] // n))
                entries = table_of(counts, table)
                found.append(entries[::3][entries[1::3] >= least])
        keys = np.concatenate(found)
        keys.sort()
        return keys[np.diff(keys, prepend=-1) > 0]  # np.unique imports numpy.ma, for 20 ms

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
            sums=np.empty((self.n_languages + 1) * start[-1], np.int64),
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


def _nth_word_count(words: CountedWords, n: int) -> int:
    """Return how often the n-th most frequent word occurs, 0 if that is no guide."""
    n_words, n_ids = len(words.counts), len(words.ids)
    if 0 < n_words <= n and n_ids < min(SHORT_WORDS * n_words, FEW_IDS):
        return 1
    return _nth_count(words.counts, n)


def _nth_count(counts: Int64, n: int) -> int:
    """Return the n-th greatest count, 0 if there is none."""
    if not 0 < n < len(counts):
        return 0
    rank = len(counts) - n
    return int(np.partition(counts, rank)[rank])


def table_of(counts: PairCounts, table: int) -> Int64:
    """Return the entries of a table, of three numbers each."""
    return counts.entries[counts.table_start[table] : counts.table_start[table + 1]]


def _find_entries(counts: PairCounts, keys: Int64) -> Int64:
    """Return by [table, key] where each table has the ascending keys, or NOTHING."""
    found = np.full((len(counts.size), len(keys)), NOTHING, np.int64)
    for number, start in enumerate(counts.table_start[:-1].tolist()):
        table = table_of(counts, number)[::3]
        used = np.flatnonzero(table != NOTHING)
        used = used[np.argsort(table[used])]
        present = table[used]
        # Ascending keys in ascending keys: each search begins where the one before ended.
        places = np.minimum(np.searchsorted(present, keys), max(len(present) - 1, 0))
        equal = np.flatnonzero(present[places] == keys) if len(present) else places[:0]
        found[number, equal] = start + 3 * used[places[equal]]
    return found
