"""Learning by turns: each merge is the best pair of the language that needs it most.

Parity-aware BPE (Foroutan et al. 2025), as the `ParityBpeTrainer` of Hugging Face's tokenizers
(parity_trainer.rs) does it. Every merge is made in the words of all languages. A language may
choose any pair, however rare that is in another one. So all pairs of all languages are counted and
posted.

Merges that other languages have chosen wait until a language's pairs must be right again: when it
is its own turn, or when a pair comes that chains with one of them. Up to then each takes away as
many tokens as it occurs, as `rule.py` says of batches; all are applied in one round.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from bpetok.learning.arrays import CountedWords
from bpetok.learning.learner import BYTES, Learner
from bpetok.learning.rule import DEFAULT_RULE, DEFAULT_TUNING, Merges, Rule

TUNING = DEFAULT_TUNING._replace(least_count=1, parallel_slots=sys.maxsize)
PAUSE_MERGES = 100
"""Merges between two reports of progress."""


class Turns:
    """Whose turn it is.

    As in tokenizers, but for languages that have no pair any more: they are never chosen again.
    There, with a window, they take turns in vain, and sometimes for ever.

    Parameters
    ----------
    first_lengths : sequence of int
        How many symbols the text of each language has at first.
    ratio : sequence of float, optional
        How many times shorter each is to become, in relation to the others; by default the longest
        text is the next, whatever it was at first.
    window_size : int, optional
        Whoever was chosen in more than ``alpha / n_languages`` of so many turns has to wait.
    alpha : float
    """

    def __init__(
        self,
        first_lengths: Sequence[int],
        ratio: Sequence[float] | None = None,
        window_size: int | None = None,
        alpha: float = 2.0,
    ) -> None:
        self.first_lengths = [float(length) for length in first_lengths]
        self.ratio = ratio
        self.window_size = window_size
        self.most = alpha / len(first_lengths)
        self.exhausted: set[int] = set()
        self.chosen: deque[int] = deque(maxlen=window_size or 0)

    def next(self, lengths: Sequence[int]) -> int | None:
        """Return the language that chooses the next merge; None if none has a pair any more."""
        if len(self.exhausted) == len(lengths):
            return None
        needs = [float(length) for length in lengths]
        if self.ratio is None and self.window_size is None and not self.exhausted:
            return needs.index(max(needs))  # as below, in a third of the time
        if self.ratio is not None:
            # In this order, since what is rounded decides ties.
            now = zip(self.first_lengths, needs, self.ratio, strict=True)
            needs = [-(first / length / ratio) for first, length, ratio in now]
        left = [language for language in range(len(needs)) if language not in self.exhausted]
        language = max(left, key=needs.__getitem__)
        while len(left) > 1 and self._is_too_often(language):
            left.remove(language)
            language = max(left, key=needs.__getitem__)
        self.chosen.append(language)
        return language

    def _is_too_often(self, language: int) -> bool:
        if self.window_size is None:
            return False
        return self.chosen.count(language) / self.window_size > self.most


class LanguageLearner(Learner):
    """The words of one language, in which merges are made that any of them has chosen."""

    def _most_merges(self, words: CountedWords, n_merges: int) -> int:
        return n_merges  # most have no place here

    def begin(self) -> None:
        """Count and post all pairs."""
        self._build_index()
        self.length = self.count_tokens()  # of tokens, after all merges

    def find(self, min_frequency: int) -> tuple[int, int] | None:
        """Begin a round with the best pair and return it, if it occurs often enough."""
        self.apply()
        n_found = self.pairs.select(min_frequency, self.n_learned + 1, sys.maxsize, self.most_bytes)
        self.is_full = self.pairs.is_full
        if n_found == 0:
            return None
        pair = int(self.batch.left[0]), int(self.batch.right[0])
        self._shorten(*pair, int(self.counts[self.n_learned]))
        return pair

    def merge(self, left: int, right: int) -> None:
        """Take the next merge, which another one has found."""
        count = self.pairs.join(left, right, self.tuning.batch_postings)
        if count < 0:
            self.apply()
            count = self.pairs.join(left, right, self.tuning.batch_postings)
        self._shorten(left, right, count)

    def _shorten(self, left: int, right: int, count: int) -> None:
        if left == right:
            self.apply()  # where it overlaps itself it takes less away
        else:
            self.length -= count

    def apply(self) -> None:
        """Make the merges that wait."""
        if self.batch.size[0]:
            self._apply()
            self._reduce()
            self.length = self.count_tokens()


class ParityLearner:
    """The state of learning by turns.

    Parameters
    ----------
    languages : sequence of CountedWords
        Those that are learned from, at least one word each.
    n_merges : int
    rule : Rule
    development : sequence of CountedWords, optional
        For each language, the words by whose length in tokens turns are taken; by default those
        that are learned from.
    ratio, window_size, alpha
        As `Turns` takes them; `ratio` goes by the words that are learned from.
    tokens : sequence of bytes
        What each number in the words' ids means; ties go by these bytes, if the rule says so.
    first_lengths : sequence of int, optional
        How many symbols each language has; by default as many as ids.
    """

    def __init__(
        self,
        languages: Sequence[CountedWords],
        n_merges: int,
        rule: Rule = DEFAULT_RULE,
        *,
        development: Sequence[CountedWords] | None = None,
        ratio: Sequence[float] | None = None,
        window_size: int | None = None,
        alpha: float = 2.0,
        tokens: Sequence[bytes] = BYTES,
        first_lengths: Sequence[int] | None = None,
    ) -> None:
        # Each merge takes at least one token away from some language.
        n_merges = min(n_merges, sum(len(words.ids) - len(words.counts) for words in languages))
        self.n_merges = n_merges
        self.n_learned = 0
        self.min_frequency = rule.min_frequency
        everything = rule._replace(min_frequency=1)
        measured = [] if ratio is not None or development is None else development
        self.languages, self.measured = (
            [LanguageLearner(words, n_merges, everything, 1, TUNING, tokens) for words in given]
            for given in (languages, measured)
        )
        if first_lengths is None:
            first_lengths = [learner.count_tokens() for learner in self.languages]
        self.turns = Turns(first_lengths, ratio, window_size, alpha)
        self.is_full = False

    def learn(self, progress: Callable[[int], object] | None = None) -> Merges:
        """Learn to the end; `progress` is called with the number of merges now and then."""
        learners = [*self.languages, *self.measured]
        for learner in learners:
            learner.begin()
        while self.n_learned < self.n_merges and self._learn_one(learners):
            if progress is not None and self.n_learned % PAUSE_MERGES == 0:
                progress(self.n_learned)
        if progress is not None and self.n_learned:
            progress(self.n_learned)
        return self.merges()

    def _learn_one(self, learners: Sequence[LanguageLearner]) -> bool:
        """Learn the next merge; return whether there was one."""
        while True:
            lengths = [learner.length for learner in self.measured or self.languages]
            turn = self.turns.next(lengths)
            if turn is None:
                return False
            pair = self.languages[turn].find(self.min_frequency)
            if pair is not None:
                break
            if self.languages[turn].is_full:
                self.is_full = True
                return False
            self.turns.exhausted.add(turn)
        for learner in learners:
            if learner is not self.languages[turn]:
                learner.merge(*pair)
        self.n_learned += 1
        return True

    def merges(self) -> Merges:
        """Return the merges learned so far; the counts are those of all languages together."""
        n = self.n_learned
        counts = np.zeros(n, np.int64)
        for learner in self.languages:
            learner.apply()
            counts += learner.counts[:n]
        return Merges(self.languages[0].merges().pairs, counts)

    def count_tokens(self) -> int:
        """Return the number of tokens that all languages have by now, repetitions included."""
        return sum(learner.length for learner in self.languages)
