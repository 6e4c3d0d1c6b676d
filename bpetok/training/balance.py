"""A training that is balanced between languages, by turns: see `parity.Parity`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Real
from time import perf_counter
from typing import Any

from bpetok.base.checks import listed, shorten
from bpetok.base.limits import N_BYTES
from bpetok.base.progress import OnProgress
from bpetok.base.records import NamedTuple
from bpetok.counting.arrays import WordArrays
from bpetok.counting.words import Words
from bpetok.encoding.token_bytes import build_token_bytes
from bpetok.learning.learner import BYTES, Learner
from bpetok.learning.parity import ParityLearner
from bpetok.learning.rule import NO_MERGES, Merges
from bpetok.tokenizer import Tokenizer
from bpetok.training.continuing import start_after
from bpetok.training.pipeline import Learned, build, facts_of, joined
from bpetok.training.plan import Plan

Count = Callable[[], Words]


class Languages(NamedTuple):
    """What a balanced training counts: each element is a language.

    `name` is what errors call it.
    """

    training: Sequence[Count]
    development: Sequence[Count] | None
    name: str


def languages_of(given: object, plan: Plan, ready: Callable[[Any], Count], name: str) -> Languages:
    """Return what is to be counted, all of it checked.

    Parameters
    ----------
    given : iterable
        What is trained on, by language.
    ready : callable
        Checks the texts of one, and returns what counts them.
    name : str
        What errors call `given`.

    Raises
    ------
    TypeError, ValueError
        If it is no list of languages, or there is not just one ratio or development text for each.
    """
    assert plan.balance is not None
    languages = _listed(given, name)
    ratio, development = plan.balance.ratio, plan.balance.development
    if ratio is not None and len(ratio) != len(languages):
        raise ValueError(
            f"balance.ratio must be one number for each of {len(languages)} languages in {name}, "
            f"got {len(ratio)}"
        )
    measured = None if development is None else _listed(development, "balance.development")
    if measured is not None and len(measured) != len(languages):
        raise ValueError(
            f"balance.development must be one text for each of {len(languages)} languages in "
            f"{name}, got {len(measured)}"
        )
    parts = [(f"{name}[{i}]", part) for i, part in enumerate(languages)]
    parts += [(f"balance.development[{i}]", part) for i, part in enumerate(measured or ())]
    counts: list[Count] = []
    for place, part in parts:
        if isinstance(part, tuple) and len(part) == 2 and isinstance(part[1], Real):
            raise TypeError(
                f"{place} must be all of a language, with balance, got {shorten(part)}: wrap it "
                "in a list, if it is all"
            )
        with _saying(place, name):
            counts.append(ready(part))
    n = len(languages)
    return Languages(counts[:n], None if measured is None else counts[n:], name)


@contextmanager
def _saying(place: str, name: str) -> Iterator[None]:
    """Say in errors which language it is; those about files say which file."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if name == "files" or type(error) not in (TypeError, ValueError):
            raise
        raise type(error)(f"{place}: {error}") from None


def _listed(given: object, name: str) -> list[object]:
    what = "a list with the texts of each language, with balance"
    if isinstance(given, Words):
        raise TypeError(f"{name} must be {what}, got {shorten(given)}")
    if not (languages := listed(name, given, what)):
        raise ValueError(f"{name} must have at least one language")
    return languages


def train_balanced(plan: Plan, languages: Languages, report: OnProgress) -> Tokenizer:
    """Count the words of all languages, learn by turns, and make the tokenizer.

    Raises
    ------
    ValueError
        If a language has no text.
    """
    begin = perf_counter()
    training = _count(languages, languages.training, languages.name)
    development = _count(languages, languages.development or (), "balance.development")
    counted = perf_counter()
    merges, learner = _learn(plan, training, development or None, report)
    facts = [facts_of(words, plan) for words in training]
    total = facts[0]._replace(
        n_bytes=sum(fact.n_bytes for fact in facts),
        n_words=sum(fact.n_words for fact in facts),
        n_unique_words=sum(fact.n_unique_words for fact in facts),
        n_tokens=learner.count_tokens(),
        seconds={"count": counted - begin, "load": 0.0, "learn": perf_counter() - counted},
    )
    return build(Learned(merges, total, learner.is_full), plan)


def _count(languages: Languages, counts: Sequence[Count], name: str) -> list[Words]:
    words = []
    for number, count in enumerate(counts):
        with _saying(f"{name}[{number}]", languages.name):
            words.append(count())
        if len(words[-1]) == 0:
            what = "language" if counts is languages.training else name
            raise ValueError(f"{what} {number} must have at least one word, but has no text")
    return words


def _learn(
    plan: Plan, training: list[Words], development: list[Words] | None, report: OnProgress
) -> tuple[Merges, ParityLearner]:
    balance = plan.balance
    assert balance is not None
    rule = plan.rule
    places: bytes | None = None
    if rule.byte_order is not None:  # tokenizers breaks ties by characters
        places = bytes(map(rule.byte_order.index, range(N_BYTES)))
        rule = rule._replace(ties="bytes", byte_order=None)
    first = NO_MERGES
    if balance.global_merges:
        together = Words.combine((words, 1) for words in training).arrays
        n_first = min(balance.global_merges, plan.n_merges)
        first = Learner(together, n_first, rule, tokens=_placed(BYTES, places)).learn()

    def begun(words: Words) -> WordArrays:
        return start_after(words.arrays, first.pairs, plan.counting.n_threads)[0]

    tokens = build_token_bytes(first.pairs.reshape(-1).data)
    learner = ParityLearner(
        [*map(begun, training)],
        plan.n_merges - len(first.counts),
        rule,
        development=None if development is None else [*map(begun, development)],
        ratio=balance.ratio,
        window_size=balance.window_size,
        alpha=balance.alpha,
        tokens=_placed(tokens, places),
        first_lengths=[words.n_bytes for words in training],
    )
    n_first = len(first.counts)
    merges = learner.learn(lambda n: report("learn", n_first + n, plan.n_merges))
    return joined(first, merges), learner


def _placed(tokens: Sequence[bytes], places: bytes | None) -> list[bytes]:
    """Return tokens with each byte replaced by its place in another order, if there is one."""
    return [token.translate(places) for token in tokens]
