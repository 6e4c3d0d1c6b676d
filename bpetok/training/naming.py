"""Merges by the names of tokens, as tokenizers learns them: a name has one id.

A special token that is spelled as a merge makes it has one id with what the merge makes, and that
decides between pairs with equal counts from then on. So learning begins anew there, with the tokens
in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bpetok.base.array_types import Int32
from bpetok.base.byte_characters import CHARACTERS
from bpetok.base.limits import N_BYTES
from bpetok.base.progress import OnProgress
from bpetok.base.records import NamedTuple
from bpetok.counting.words import Words
from bpetok.learning.learner import Learner
from bpetok.learning.rule import Rule
from bpetok.training.continuing import start_after


class NamedMerges(NamedTuple):
    """What was learned.

    vocab : dict
        The id of each name.
    merges : list
        The names that each merge joins, in learning order.
    """

    vocab: dict[str, int]
    merges: list[tuple[str, str]]


def learn_named(
    words: Words,
    vocab: Mapping[str, int],
    n_merges: int,
    rule: Rule,
    n_threads: int,
    report: OnProgress,
) -> NamedMerges:
    """Learn merges until so many new names are made, or no pair occurs often enough.

    Parameters
    ----------
    words : Words
    vocab : mapping of str to int
        The ids of special tokens and of all bytes, from 0 on.
    n_merges : int
    rule : Rule
        Without an order of bytes: `vocab` has it.
    n_threads : int
    report : callable
        Told of progress.
    """
    learned = _Learned(vocab)
    while len(words) and len(learned.vocab) < len(vocab) + n_merges:
        order = learned.order()
        begun, tokens = start_after(words.arrays, learned.pairs, n_threads)
        begun = begun._replace(ids=np.argsort(order).astype(np.int32)[begun.ids])
        n_left = len(vocab) + n_merges - len(learned.vocab)
        learner = Learner(
            begun, n_left, rule, n_threads, None, [tokens[number] for number in order]
        )
        learner.load(lambda done, total: report("load", done, total))
        n_before = len(learned.names) - N_BYTES

        def on_round(n_learned: int, n_before: int = n_before) -> None:
            report("learn", n_before + n_learned, n_merges)

        pairs = learner.learn(on_round).pairs
        numbers = np.concatenate([order, np.arange(len(order), len(order) + len(pairs))])
        if not learned.add(numbers[pairs]):
            break
    return NamedMerges(learned.vocab, learned.merges)


class _Learned:
    """Merges learned so far; tokens have numbers: the bytes, then what each merge makes."""

    def __init__(self, vocab: Mapping[str, int]) -> None:
        self.vocab = dict(vocab)
        self.names = list(CHARACTERS)
        self.merges: list[tuple[str, str]] = []
        self.pairs: Int32 = np.empty((0, 2), np.int32)

    def order(self) -> Int32:
        """Return the numbers of all tokens in the order of their ids."""
        return np.argsort([self.vocab[name] for name in self.names]).astype(np.int32)

    def add(self, pairs: Int32) -> bool:
        """Add merges up to the first one whose name there is already; tell whether there is one."""
        for n, (left, right) in enumerate(pairs.tolist(), 1):
            first, second = self.names[left], self.names[right]
            name = first + second
            is_known = name in self.vocab
            self.vocab.setdefault(name, len(self.vocab))
            self.names.append(name)
            self.merges.append((first, second))
            if is_known:
                self.pairs = np.concatenate([self.pairs, pairs[:n].astype(np.int32)])
                return True
        return False
