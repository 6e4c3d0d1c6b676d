"""The options of a training, checked, and the ids that come of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np

from bpetok.base.array_types import Int32
from bpetok.base.byte_characters import to_text
from bpetok.base.checks import (
    Reserved,
    check_integer,
    check_special_tokens,
    check_vocab_size,
    is_one_of,
    listed,
    refuse_set,
    shorten,
    with_integers,
)
from bpetok.base.display import plural
from bpetok.base.limits import DEFAULT_PATTERN, MAX_INT32, N_BYTES
from bpetok.base.records import NamedTuple
from bpetok.counting.memory import CountLimits, check_limits
from bpetok.counting.options import CountOptions, check_count_options
from bpetok.counting.words import Words
from bpetok.learning.rule import NO_MERGES, MergeFilter, Merges, Rule
from bpetok.patterns.chains import Pattern
from bpetok.patterns.changes import check_changes
from bpetok.sources.files import StrPath
from bpetok.tokenizer import Tokenizer
from bpetok.training.compat import Trainer, check_compat, check_counting, check_rule, lay_out

if TYPE_CHECKING:
    from bpetok.patterns.normalizers import Spec
    from bpetok.training.parity import Parity
    from bpetok.training.superwords import SecondStage, Superwords


class WordTraining(TypedDict, total=False):
    """The options of `train_from_words`, as `train` explains them."""

    pattern: Pattern | None
    special_tokens: Iterable[str | Reserved] | None
    min_frequency: int
    max_token_length: int | None
    merge_filter: MergeFilter | None
    n_threads: int | None
    compat: str | None
    initial: Tokenizer | None
    max_memory: int | str | None
    min_word_count: int | Literal["auto"]
    normalizer: Spec | None
    like: StrPath | Tokenizer | None
    initial_tokens: Iterable[str | bytes]
    special_ids: Literal["first", "last"]
    balance: Literal["parity"] | Parity | None


class Training(WordTraining, total=False):
    """The options of `train_from_iterator`, as `train` explains them."""

    errors: str
    unmatched: str | None
    superwords: Superwords | None


class TrainOptions(NamedTuple):
    """The options of a training, as the caller gives them; see `bpetok.train`."""

    vocab_size: int
    pattern: Pattern | None = None
    special_tokens: Iterable[str | Reserved] | None = None
    min_frequency: int = 1
    max_token_length: int | None = None
    merge_filter: MergeFilter | None = None
    n_threads: int | None = None
    compat: str | None = None
    initial: Tokenizer | None = None
    max_memory: int | str | None = None
    min_word_count: int | Literal["auto"] = 1
    errors: str = "strict"
    unmatched: str | None = None
    normalizer: Spec | None = None
    like: StrPath | Tokenizer | None = None
    superwords: Superwords | None = None
    initial_tokens: Iterable[str | bytes] = ()
    special_ids: Literal["first", "last"] = "last"
    balance: Literal["parity"] | Parity | None = None

    @classmethod
    def of(cls, vocab_size: int, options: WordTraining, known: Iterable[str]) -> TrainOptions:
        """Return the options that a function was called with, if it knows all of them."""
        unknown = sorted(set(options).difference(known))
        if unknown:
            raise TypeError(f"unexpected option {unknown[0]!r}; the options are {', '.join(known)}")
        return cls(vocab_size, **options)


class Plan(NamedTuple):
    """The checked options of a training.

    identity : dict
        What tells the result of learning from another one, by the names that the user knows.
    first_pairs : int32 array, shape (n_first, 2)
        The merges of tokens that must exist, before those that are learned; `n_merges` counts them.
    """

    counting: CountOptions
    limits: CountLimits
    rule: Rule
    trainer: Trainer
    n_merges: int
    initial: Tokenizer | None
    identity: dict[str, Any]
    second: SecondStage | None = None
    like: Tokenizer | None = None
    special_first: bool = False
    first_pairs: Int32 = NO_MERGES.pairs
    balance: Parity | None = None

    @property
    def pattern(self) -> str:
        """What the tokenizer splits text with."""
        return self.counting.pattern if self.second is None else self.second.pattern

    def check_order(self, *, weighted: bool = False, checkpoint: object = None) -> None:
        """Raise a ValueError if the order of the words is needed and would be lost."""
        if not self.counting.in_order:
            return
        if weighted or checkpoint is not None or self.limits.max_memory is not None:
            raise ValueError(
                f"compat={self.trainer.name!r} goes by the order of the words in the text, which "
                "weights, checkpoint and max_memory do not keep: leave them out"
            )

    def check_given(self, name: str, given: object) -> None:
        """Raise an error if the order of the words is needed, and what they come from has none."""
        if not self.counting.in_order:
            return
        refuse_set(name, given, f"in order with compat={self.trainer.name!r}")
        if isinstance(given, Words):
            raise ValueError(
                f"{name} must be a mapping or pairs with compat={self.trainer.name!r}, in the "
                "order in which the text has them first, and not a Words, which has lost it"
            )

    def build(self, merges: Merges) -> dict[str, Any]:
        """Return the parameters of a Tokenizer that say what was learned, and its ids."""
        special_tokens = self.counting.special_tokens
        if self.initial is not None:
            return _continued(self.initial, merges, special_tokens)
        learned = {"merges": merges.pairs, "merge_counts": merges.counts}
        if self.like is not None:
            from bpetok.training.like import lay_out_like

            return learned | lay_out_like(self.like, merges.pairs, special_tokens)
        ids = lay_out(self.trainer, merges.pairs, special_tokens)
        if self.special_first:
            n_special = len(special_tokens)
            last = n_special + N_BYTES + len(merges.counts)
            ids = {
                "token_ids": range(n_special, last),
                "special_tokens": {name: i for i, name in enumerate(special_tokens)},
            }
        return learned | {"normalizer": self.counting.split.normalizer} | ids


def make_plan(given: TrainOptions) -> Plan:
    """Check the options.

    Raises
    ------
    TypeError, ValueError
        If one is out of its range, or does not go with another.
    """
    given = with_integers(given)
    like, compat = _check_like(given)
    trainer = check_compat(compat)
    limits = check_limits(given.max_memory, given.min_word_count)
    options = _count_options(given, like)
    counting = check_counting(trainer, options, given.unmatched)
    rule = check_rule(trainer, given.min_frequency, given.max_token_length)
    given = given._replace(merge_filter=_check_filter(given.merge_filter, trainer.name))
    rule = rule._replace(merge_filter=given.merge_filter)
    initial = given.initial
    if initial is not None:
        _check_normalizer(initial, given.normalizer)
        n_merges = _check_continuation(initial, counting, given.vocab_size)
    else:
        n_own = len(counting.special_tokens)
        if like is not None:
            from bpetok.training.like import n_own_ids

            n_own = n_own_ids(counting.special_tokens, like)
        n_merges = check_vocab_size(given.vocab_size, n_own)
    spelled = listed("initial_tokens", given.initial_tokens, "a list of tokens")
    tokens: tuple[bytes, ...] = ()
    first_pairs = NO_MERGES.pairs
    if spelled:
        from bpetok.training.initial_tokens import check_initial_tokens

        tokens = check_initial_tokens(spelled)
        first_pairs = _initial_merges(tokens, initial, trainer.name, n_merges)
    given = given._replace(initial_tokens=tokens)
    special_first = _check_special_ids(given)
    second = _second_stage(given, trainer.name, counting, rule, len(first_pairs), n_merges)
    if spelled:
        from bpetok.training.initial_tokens import warn_of_split

        warn_of_split(spelled, counting.pattern if second is None else second.pattern)
    identity = _identity(given, trainer.name, like, tokens, limits)
    return Plan(
        counting,
        limits,
        rule,
        trainer,
        n_merges,
        initial,
        identity,
        second,
        like,
        special_first,
        first_pairs,
        _check_balance(given, trainer.name),
    )


def _identity(
    given: TrainOptions,
    compat: str | None,
    like: Tokenizer | None,
    tokens: Sequence[bytes],
    limits: CountLimits,
) -> dict[str, Any]:
    """Return what tells the result of learning from another one: see `Plan`."""
    initial = given.initial
    return {
        "vocab_size": given.vocab_size,
        "min_frequency": given.min_frequency,
        "max_token_length": given.max_token_length,
        "merge_filter": None if given.merge_filter is None else repr(given.merge_filter),
        "compat": compat,
        "initial": None if initial is None else initial.vocabulary_sha256,
        "superwords": None if given.superwords is None else repr(given.superwords),
        "like": None if like is None else like.vocabulary_sha256,
        "initial_tokens": [to_text(token) for token in tokens],
        **limits.identity(),
    }


def _count_options(given: TrainOptions, like: Tokenizer | None) -> CountOptions:
    """Return how words are counted, as `initial` or `like` says where there is one."""
    tokens = given.special_tokens
    special_tokens = check_special_tokens(() if tokens is None else tokens)
    changes = check_changes(given.normalizer)
    pattern = given.pattern
    if given.initial is not None and not isinstance(given.initial, Tokenizer):
        raise TypeError(f"initial must be a Tokenizer, got {type(given.initial).__name__}")
    known = given.initial or like
    if known is not None:
        names = known.special_tokens
        special_tokens = (*names, *(name for name in special_tokens if name not in names))
        pattern = known.pattern if pattern is None else pattern
        changes = check_changes(known.normalizer, known.prefix_space)
    return check_count_options(
        DEFAULT_PATTERN if pattern is None else pattern,
        special_tokens,
        given.n_threads,
        given.errors,
        changes=changes,
    )


def _initial_merges(
    tokens: Sequence[bytes], initial: Tokenizer | None, compat: str | None, n_merges: int
) -> Int32:
    """Return the merges that make the initial tokens, after those of a tokenizer."""
    from bpetok.training.initial_tokens import merges_of

    _refuse_compat("initial_tokens", compat, "which has none")
    pairs = [] if initial is None else initial.merge_pairs.tolist()
    made = merges_of(tokens, [(left, right) for left, right in pairs])
    if len(made) > n_merges:
        raise ValueError(
            f"vocab_size leaves room for {n_merges} merges, and initial_tokens needs "
            f"{len(made)}: give more, or leave some out"
        )
    return np.array(made, np.int32).reshape(-1, 2)


def _second_stage(
    given: TrainOptions,
    compat: str | None,
    counting: CountOptions,
    rule: Rule,
    n_first: int,
    n_merges: int,
) -> SecondStage | None:
    if given.superwords is None:
        return None
    from bpetok.training.superwords import check_superwords

    _refuse_compat("superwords", compat, "which has none")
    least = N_BYTES if given.initial is None else given.initial.vocab_size
    return check_superwords(given.superwords, counting, rule, least, n_first, n_merges)


def _refuse_compat(name: str, compat: str | None, reason: str) -> None:
    """Raise a ValueError if another trainer is followed, which does not know an option."""
    if compat is not None:
        raise ValueError(f"{name} must not be given with compat={shorten(compat)}, {reason}")


def _check_like(given: TrainOptions) -> tuple[Tokenizer | None, str | None]:
    """Return the tokenizer that another one is to be like, and the trainer that is followed.

    Raises
    ------
    OSError, TypeError, ValueError
        If it can't be read, or another option says what it says already or changes it.
    """
    if given.like is None:
        return None, given.compat
    for name in ("pattern", "normalizer", "initial"):
        if getattr(given, name) is not None:
            raise ValueError(f"{name} must not be given with like, which says it already")
    if given.superwords is not None:
        raise ValueError(
            "superwords and like exclude each other, since stage 2 has a pattern of its own: give "
            "pattern and special_tokens in place of like"
        )
    from bpetok.training.like import implied_compat, read_like

    like = read_like(given.like)
    return like, implied_compat(like) if given.compat is None else given.compat


def _check_special_ids(given: TrainOptions) -> bool:
    """Return whether special tokens have the first ids."""
    if not is_one_of(given.special_ids, ("first", "last")):
        raise ValueError(f"special_ids must be 'first' or 'last', got {shorten(given.special_ids)}")
    is_first = given.special_ids == "first"
    if is_first and (given.initial is not None or given.like is not None):
        name = "like" if given.initial is None else "initial"
        raise ValueError(f"special_ids='first' would change the ids of {name}: leave it out")
    if is_first:
        _refuse_compat("special_ids", given.compat, "which has an order of its own")
    return is_first


def _check_balance(given: TrainOptions, compat: str | None) -> Parity | None:
    if given.balance is None:
        return None
    from bpetok.training.parity import check_balance

    balance = check_balance(given.balance)
    if compat != "huggingface":
        _refuse_compat("balance", compat, "which has none")
    unset = TrainOptions(given.vocab_size)
    for name in ("initial", "superwords", "initial_tokens", "max_memory", "min_word_count"):
        if getattr(given, name) != getattr(unset, name):
            raise ValueError(f"{name} must not be given with balance, which does not know it")
    return balance


def _check_filter(merge_filter: MergeFilter | None, compat: str | None) -> MergeFilter | None:
    if merge_filter is None:
        return None
    if not isinstance(merge_filter, MergeFilter):
        raise TypeError(f"merge_filter must be a bpetok.MergeFilter, got {shorten(merge_filter)}")
    _refuse_compat("merge_filter", compat, "which has no such limit")
    settled = merge_filter.settled()
    settled.ready()
    return settled


def _check_normalizer(initial: Tokenizer, normalizer: Spec | None) -> None:
    if normalizer is not None and check_changes(normalizer).spec != initial.normalizer:
        raise ValueError(
            f"normalizer must be that of initial, {shorten(initial.normalizer)}, or not given, "
            f"got {shorten(normalizer)}"
        )


def _check_continuation(initial: Tokenizer, options: CountOptions, vocab_size: int) -> int:
    """Return how many merges come to those of a tokenizer."""
    if initial.merge_order is not None:
        raise ValueError(
            "initial takes its merges in another order than that of their list (its merge_order), "
            "as files of other trainers may have it, and can't get more merges: begin a new "
            "training with like=, which has its pattern, normalizer and special tokens"
        )
    if options.pattern != initial.pattern:
        raise ValueError(
            f"pattern must be that of initial, {shorten(initial.pattern)}, or not given, "
            f"got {shorten(options.pattern)}"
        )
    n_new = len(_new_special_tokens(initial, options.special_tokens))
    least = initial.vocab_size + n_new
    if isinstance(vocab_size, int) and vocab_size < least:
        raise ValueError(
            f"vocab_size must be at least {least:,}, the {initial.vocab_size:,} ids of initial and "
            f"{plural(n_new, 'new special token')}, got {vocab_size}"
        )
    return check_integer("vocab_size", vocab_size, least, MAX_INT32) - least


def _continued(initial: Tokenizer, merges: Merges, special_tokens: Sequence[str]) -> dict[str, Any]:
    """Return the parameters of a Tokenizer that has all ids of another, and new ones after them.

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
        "added_tokens": initial.added_tokens,
        "whole_words": initial.whole_words,
        "other_tokens": initial.other_tokens,
        "normalizer": initial.normalizer,
        "prefix_space": initial.prefix_space,
        "unk_id": initial.unk_id,
        "fuse_unk": initial.fuse_unk,
        "settings": initial.settings,
    }


def _new_special_tokens(initial: Tokenizer, special_tokens: Sequence[str]) -> list[str]:
    return [name for name in special_tokens if name not in initial.special_tokens]
