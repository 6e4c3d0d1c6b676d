"""The learner against the naive one: all rules, threads and tunings, going on and cutting off."""

from __future__ import annotations

import warnings
from random import Random
from typing import NamedTuple

import numpy as np

import bpetok
import reference
from bpetok import Tokenizer, Words
from bpetok.learning.learner import learn_merges
from bpetok.learning.rule import Rule, Tuning
from campaigns.campaign import Campaign, expect
from campaigns.encoder import draw_merges
from reference import Pair

ALPHABETS = [b"a", b"ab", b"abc", b"\0", b"\0\1", b"\0\xff", b"\xfe\xff", bytes(range(256)),
             "aé中🙂".encode(), b"abcdefghij"]  # fmt: skip
COMPATS = {"ids": None, "place": "minbpe", "bytes": "cs336"}
"""The public name of each way to break ties."""


class Case(NamedTuple):
    """Words with counts, a rule, a tuning, and merges to begin with.

    byte_order : list of int or None
        The bytes by the ids that break ties.
    tuning : list
        The fields of `Tuning`.
    truncate : int
        How many of the merges that are learned are left out again.
    """

    counts: dict[bytes, int]
    n_merges: int
    min_frequency: int
    max_token_length: int
    ties: str
    byte_order: list[int] | None
    n_threads: int
    tuning: list[int | None]
    initial: list[Pair]
    truncate: int


class Learner(Campaign[Case]):
    """Merges with their counts."""

    case = Case

    def draw(self, random: Random) -> Case:
        """Few bytes force ties and overlaps; counts may be near the largest."""
        alphabet = random.choice(ALPHABETS)
        largest = random.choice((1, 3, 9, 1000, 1 << 49))
        counts = {
            _word(random, alphabet): random.randint(1, largest)
            for _ in range(random.choice((1, 3, 10, 40)))
        }
        return Case(
            counts,
            random.choice((0, 1, 5, 20, 80)),
            random.choice((1, 1, 2, 4)),
            random.choice((1, 2, 3, 5, 1 << 30, 1 << 30)),
            random.choice(list(COMPATS)),
            random.choice((None, None, random.sample(range(256), 256))),
            random.randint(1, 3),
            [
                random.choice((0, 20, 10_000)),
                random.choice((0, 5, 10_000)),
                random.choice((1, 2, 256)),
                random.choice((1, 10, 1 << 20)),
                random.choice((1, 3)),
                random.choice((0, 1, 100)),
                random.choice((None, 1, 2, 10, 1000)),
            ],
            draw_merges(random, bytes(random.choices(alphabet, k=3)))[: random.choice((0, 5, 20))],
            random.randint(0, 10),
        )

    def check(self, case: Case) -> None:
        """With the rule from nothing, then the public way from `initial`."""
        rule = Rule(
            case.min_frequency,
            case.max_token_length,
            case.ties,  # type: ignore[arg-type]  # one of COMPATS
            None if case.byte_order is None else tuple(case.byte_order),
        )
        right, right_counts = reference.learn_merges(case.counts, case.n_merges, *_options(case))
        words = Words.from_counts(case.counts)
        tuning = Tuning(*case.tuning)  # type: ignore[arg-type]  # its fields
        merges = learn_merges(words, case.n_merges, rule, n_threads=case.n_threads, tuning=tuning)
        expect(list(map(tuple, merges.pairs.tolist())), right, "merges")
        expect(merges.counts.tolist(), right_counts, "counts of merges")
        _check_public(case)


def _word(random: Random, alphabet: bytes) -> bytes:
    kind = random.random()
    if kind < 0.3:
        return bytes(random.choices(alphabet, k=1)) * random.choice((1, 2, 3, 15, 16, 17, 64, 200))
    if kind < 0.5:
        unit = bytes(random.choices(alphabet, k=random.randint(2, 4)))
        return unit * random.randint(1, 20)
    return bytes(random.choices(alphabet, k=random.choice((1, 2, 5, 14, 15, 16, 30))))


def _options(case: Case) -> tuple[int, str, int, list[int] | None]:
    return case.min_frequency, case.ties, case.max_token_length, case.byte_order


def _check_public(case: Case) -> None:
    """`train_from_words` from the initial merges on, and `truncate` of what it gives."""
    old = case.initial
    min_frequency = case.min_frequency if case.ties == "ids" else 1  # others have no such bound
    initial = Tokenizer(merges=old, special_tokens=["<|end|>"]) if old else None
    right, right_counts = reference.learn_merges(
        case.counts, case.n_merges, min_frequency, case.ties, initial=old
    )
    first_id = 257 if old else 256  # of the merges that are learned, after the special token

    def train(n_merges: int) -> Tokenizer:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fewer merges than asked for
            return bpetok.train_from_words(
                case.counts,
                vocab_size=first_id + len(old) + n_merges,
                min_frequency=min_frequency,
                compat=COMPATS[case.ties],
                initial=initial,
                n_threads=case.n_threads,
            )

    tok = train(case.n_merges)
    expect(list(map(tuple, tok.merge_pairs.tolist())), [*old, *right], "merges from initial ones")
    counts = tok.merge_counts
    if counts is not None:
        expect(counts[len(old) :].tolist(), right_counts, "counts of merges from initial ones")
    left_out = min(case.truncate, len(right))
    smaller = tok.truncate(tok.vocab_size - left_out)
    expect(smaller, train(len(right) - left_out), f"without {left_out} merges")
    _check_ids(tok, case)


def _check_ids(tok: Tokenizer, case: Case) -> None:
    """Words of any bytes are encoded by all the merges in turn."""
    pairs: list[Pair] = list(map(tuple, tok.merge_pairs.tolist()))
    for word in case.counts:
        right = np.array(reference.encode_word(word, pairs))
        expect(tok._encode_word(word), tok.token_ids[right].tolist(), f"ids of {word!r}")
