"""Learning by turns: each merge is the best pair of the language that needs it most.

Parity-aware BPE (Foroutan et al. 2025), as the `ParityBpeTrainer` of Hugging Face's tokenizers
(parity_trainer.rs) does it. Every merge is made in the words of all languages, whoever chose it: so
all are slots of one `Learner`, which counts each pair by language.

**Batches.** A language chooses by what was counted before the round, as long as its first pair Q
does not chain with a merge that waits in the round. Then Q is what it would choose with those
merges made. They take nothing from Q, and of other pairs they only take away. A pair N that they
make is where a pair that chains with them was, which comes after Q: N does, too, for the reasons in
`rule.py`. Where these leave ties open Q waits for the round to end if another pair may occur as
often; with a filter that is so for every Q. Each merge takes as many tokens away as it occurs, in
each language, so that it is known whose turn is next. One whose ids are equal takes less: it ends
the round.

**The least count** is another one for each language. A pair is counted and posted in all, if it
occurs that often in one that chooses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from bpetok.base.array_types import Int64
from bpetok.base.timing import stage
from bpetok.learning.arrays import CountedWords, PairCounts
from bpetok.learning.learner import BYTES, Learner
from bpetok.learning.rule import DEFAULT_RULE, Rule, Tuning


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

    def next(self, lengths: list[int]) -> int | None:
        """Return the language that chooses the next merge; None if none has a pair any more."""
        if self.ratio is None and self.window_size is None and not self.exhausted:
            return lengths.index(max(lengths))  # as below, in a fifth of the time
        if len(self.exhausted) == len(lengths):
            return None
        needs = [float(length) for length in lengths]
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


class ParityLearner(Learner):
    """The state of learning by turns.

    Parameters
    ----------
    languages : sequence of CountedWords
        Those that are learned from, at least one word each.
    n_merges : int
    rule : Rule
        With ties by ids or by bytes.
    tuning : Tuning, optional
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
        tuning: Tuning | None = None,
        development: Sequence[CountedWords] | None = None,
        ratio: Sequence[float] | None = None,
        window_size: int | None = None,
        alpha: float = 2.0,
        tokens: Sequence[bytes] = BYTES,
        first_lengths: Sequence[int] | None = None,
    ) -> None:
        # Each merge takes at least one token away from some language.
        n_merges = min(n_merges, sum(len(words.ids) - len(words.counts) for words in languages))
        measured = [] if ratio is not None or development is None else development
        more = [*languages[1:], *measured]
        super().__init__(languages[0], n_merges, rule, 1, tuning, tokens, more=more)
        self.n_choosing = len(languages)
        self.lengths = self._count_lengths()
        if first_lengths is None:
            first_lengths = self.lengths[: self.n_choosing].tolist()
        self.turns = Turns(first_lengths, ratio, window_size, alpha)
        self.turn: int | None = None
        """Whose turn it is, while that one has not chosen."""
        self.choices: list[list[int]] = [[] for _ in languages]
        """How often the pairs that each has chosen occurred in it."""

    def _count_lengths(self) -> Int64:
        """Return how many tokens each language has, those of the development texts last."""
        lengths: Int64 = self.shards.n_tokens.reshape(self.n_shards, -1).sum(axis=0)
        return lengths

    def count_tokens(self) -> int:
        """Return the number of tokens that all languages have by now, repetitions included."""
        return int(self._count_lengths()[: self.n_choosing].sum())

    def _learn_round(self) -> bool:
        """Learn the merges of a round; return whether there were any."""
        if not self.least_counts:
            with stage("index"):
                self._build_index()
        with stage("select"):
            n_chosen = self._choose()
        if n_chosen:
            self._make_merges()
            self.lengths = self._count_lengths()
        return n_chosen > 0

    def _choose(self) -> int:
        """Let languages choose the merges of a round, by turns; return their number."""
        n = 0
        while self.n_learned + n < self.n_merges and not self.is_full:
            if self.turn is None:
                # The last ones measure: they are the languages, if there is no development text.
                self.turn = self.turns.next(self.lengths[-self.n_choosing :].tolist())
            if self.turn is None:
                break
            count = self.pairs.select_for(
                self.turn, self.lengths, self.tuning.batch_postings, self.most_bytes
            )
            if count > 0:
                self.choices[self.turn].append(count)
                self.turn = None
                n += 1
                if self.pairs.is_closed:
                    break
            elif n or count < 0:
                break
            elif self.pairs.is_full:
                self.is_full = True
            elif self.least_counts[self.turn] > self.rule.min_frequency:
                with stage("index"):
                    self._build_index()
            else:
                self.turns.exhausted.add(self.turn)
                self.turn = None
        return n

    def _new_least_counts(self, counts: PairCounts) -> list[int]:
        """Return the thresholds for what has been counted."""
        if not self.least_counts:
            return [self._first_least_count(i, counts) for i in range(self.n_choosing)]
        new = []
        for language, least in enumerate(self.least_counts):
            chosen = np.array(self.choices[language], np.int64)
            lower = self._next_least_count(language, chosen)
            # Others than the one that needs it are counted anew, too, and no sooner than that.
            new.append(lower if language == self.turn else min(least, max(lower, 1)))
        return new
