"""The options of a training, checked, and the ids that come of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from bpetok.base.checks import (
    MAX_VOCAB_SIZE,
    check_integer,
    check_special_tokens,
    check_vocab_size,
)
from bpetok.counting.words import CountOptions, check_count_options
from bpetok.learning.learner import Merges, Rule
from bpetok.tokenizer import Tokenizer
from bpetok.training.compat import Trainer, check_compat, check_counting, check_rule, lay_out


class Splitting(NamedTuple):
    """How text is split, as the caller says it."""

    pattern: str | None
    special_tokens: Iterable[str]
    n_threads: int | None
    errors: str = "strict"
    unmatched: str | None = None


class Learning(NamedTuple):
    """What is learned, as the caller says it."""

    vocab_size: int
    min_frequency: int
    max_token_length: int | None
    compat: str | None
    initial: Tokenizer | None

    def identity(self) -> dict[str, Any]:
        """Return what tells one result from another, in JSON's terms."""
        initial = None if self.initial is None else self.initial.vocabulary_sha256
        return {**self._asdict(), "initial": initial}


class Plan(NamedTuple):
    """The checked options of a training."""

    counting: CountOptions
    rule: Rule
    trainer: Trainer
    n_merges: int
    initial: Tokenizer | None

    def build(self, merges: Merges) -> dict[str, Any]:
        """Return the parameters of a Tokenizer that say what was learned, and its ids."""
        special_tokens = self.counting.special_tokens
        if self.initial is not None:
            return _continued(self.initial, merges, special_tokens)
        ids = lay_out(self.trainer, merges.pairs, special_tokens)
        return {"merges": merges.pairs, "merge_counts": merges.counts, **ids}


def make_plan(splitting: Splitting, learning: Learning) -> Plan:
    """Check the options.

    Raises
    ------
    TypeError, ValueError
        If one is out of its range, or does not go with another.
    """
    trainer = check_compat(learning.compat)
    initial = learning.initial
    pattern = splitting.pattern
    special_tokens = check_special_tokens(splitting.special_tokens)
    if initial is not None:
        if not isinstance(initial, Tokenizer):
            raise TypeError(f"initial must be a Tokenizer, got {type(initial).__name__}")
        known = initial.special_tokens
        special_tokens = (*known, *(name for name in special_tokens if name not in known))
        pattern = initial.pattern if pattern is None else pattern
    options = check_count_options(
        "gpt2" if pattern is None else pattern,
        special_tokens,
        splitting.n_threads,
        splitting.errors,
    )
    counting = check_counting(trainer, options, splitting.unmatched)
    rule = check_rule(trainer, learning.min_frequency, learning.max_token_length)
    if initial is None:
        n_merges = check_vocab_size(learning.vocab_size, len(special_tokens))
    else:
        n_merges = _check_continuation(initial, counting, learning.vocab_size)
    return Plan(counting, rule, trainer, n_merges, initial)


def _check_continuation(initial: Tokenizer, options: CountOptions, vocab_size: int) -> int:
    """Return how many merges come to those of a tokenizer."""
    if options.pattern != initial.pattern:
        raise ValueError(
            f"pattern must be that of initial, {initial.pattern!r}, or not given, "
            f"got {options.pattern!r}"
        )
    n_new = len(_new_special_tokens(initial, options.special_tokens))
    least = initial.vocab_size + n_new
    if isinstance(vocab_size, int) and vocab_size < least:
        raise ValueError(
            f"vocab_size must be at least initial.vocab_size + new special tokens = {least}, "
            f"got {vocab_size}"
        )
    return check_integer("vocab_size", vocab_size, least, MAX_VOCAB_SIZE) - least


def _continued(initial: Tokenizer, merges: Merges, special_tokens: Sequence[str]) -> dict[str, Any]:
    """Return the parameters of a Tokenizer that has all ids of another, and new ones behind them.

    First come the ids of new merges, then those of new special tokens.
    """
    first = initial.vocab_size
    first_special = first + len(merges.counts)
    new = _new_special_tokens(initial, special_tokens)
    counts = initial.merge_counts
    return {
        "merges": np.concatenate([initial.merge_pairs, merges.pairs]),
        "merge_counts": None if counts is None else np.concatenate([counts, merges.counts]),
        "token_ids": np.concatenate([initial.token_ids, np.arange(first, first_special)]),
        "special_tokens": initial.special_tokens
        | {name: first_special + i for i, name in enumerate(new)},
    }


def _new_special_tokens(initial: Tokenizer, special_tokens: Sequence[str]) -> list[str]:
    return [name for name in special_tokens if name not in initial.special_tokens]
