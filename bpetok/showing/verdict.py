"""Whether a tokenizer is good on texts: next to one that is learned from these texts themselves.

No other tokenizer need be there for that, and no network. What the texts themselves teach is about
what training on such texts can reach; where a tokenizer needs many more tokens, they are unlike
those that it was trained on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bpetok.base.display import show_size
from bpetok.counting.words import Words
from bpetok.encoding.codec import Codec
from bpetok.learning.learner import learn_merges
from bpetok.learning.rule import Rule
from bpetok.showing.measures import SourceReport, TokenizerReport, measure

NAME = "learned from this text"
ONCE_IS_CHANCE = Rule(min_frequency=2)
"""A pair that occurs once would make a token of a text's own word: the text, learned by heart."""


def learn_reference(
    codec: Codec, sources: Sequence[tuple[str, Words]], n_merges: int
) -> TokenizerReport:
    """Return the report of a tokenizer that is learned from the texts that it is measured on.

    Parameters
    ----------
    codec : Codec
        Whose pattern and special tokens it has.
    sources : sequence of (name, Words)
        Split as `codec` splits.
    n_merges : int
        It has fewer where no pair is left that occurs twice.
    """
    words = Words.combine([(words, 1) for _, words in sources])
    merges = learn_merges(words, n_merges, ONCE_IS_CHANCE)
    own = Codec(merges=merges.pairs, pattern=codec.pattern, special_tokens=[*codec.special_tokens])
    return measure(NAME, own, sources)


def excess(source: SourceReport, reference: SourceReport, n_merges: int) -> float:
    """Return how many more tokens a source has than with as many merges of the reference, as 0.1.

    NaN without text.
    """
    if not source.n_tokens:
        return float("nan")
    known = reference.n_tokens_by_merges
    return source.n_tokens / int(known[min(n_merges, len(known) - 1)]) - 1


def verdict(tokenizers: Sequence[TokenizerReport], reference: TokenizerReport) -> list[str]:
    """Return what the numbers say in sentences: how good, where weak, how others compare."""
    first, *others = tokenizers
    return [_how_good(first), *_next_to_itself(first, reference), *_where(first, reference),
            *(_next_to(one, first) for one in others)]  # fmt: skip


def _how_good(one: TokenizerReport) -> str:
    total = one.total
    return (
        f"{one.name} makes {total.n_tokens:,} tokens of these {show_size(total.n_bytes)}: "
        f"{total.bytes_per_token:.2f} bytes per token, {total.tokens_per_word:.2f} tokens per word."
    )


def _next_to_itself(one: TokenizerReport, reference: TokenizerReport) -> Iterator[str]:
    if not one.n_merges:
        return
    n_merges = min(one.n_merges, reference.n_merges)
    learned = f"{n_merges:,} merges learned from this very text, about what training can reach"
    yield f"That is {_compared(excess(one.total, reference.total, one.n_merges), learned)}."
    if n_merges < one.n_merges:
        yield (
            f"But the text is small for {one.n_merges:,} merges: it has only {n_merges:,} pairs "
            "that occur twice. With more text these numbers would say more."
        )


def _where(one: TokenizerReport, reference: TokenizerReport) -> Iterator[str]:
    pairs = zip(one.sources, reference.sources, strict=True)
    found = [
        (excess(source, known, one.n_merges), source) for source, known in pairs if source.n_words
    ]
    if len(found) < 2 or not one.n_merges:
        return
    worst = max(found, key=lambda item: item[0])
    best = min(found, key=lambda item: item[0])
    for what, (more, source) in ("worst", worst), ("best", best):
        yield (
            f"It is {what} on {source.name}: {source.bytes_per_token:.2f} bytes per token, "
            f"{_compared(more, 'those merges')}."
        )


def _next_to(one: TokenizerReport, first: TokenizerReport) -> str:
    """Compare a tokenizer with the first, whole and with as many merges of both."""
    text = f"{one.name} makes {_compared(_ratio(one, first), first.name)}"
    if one.n_merges == first.n_merges:
        return f"{text}, with as many merges."
    n_merges = min(one.n_merges, first.n_merges)
    cut = _compared(_ratio(one, first, n_merges), "those of the other")
    return (
        f"{text}, with {one.n_merges:,} merges to {first.n_merges:,}. Its first {n_merges:,} "
        f"merges make {cut}."
    )


def _ratio(one: TokenizerReport, other: TokenizerReport, n_merges: int = -1) -> float:
    """Return how many more tokens one makes, as 0.1, with its first or all (-1) merges."""
    ours, theirs = (each.total.n_tokens_by_merges for each in (one, other))
    return int(ours[n_merges]) / int(theirs[n_merges]) - 1


def _compared(difference: float, other: str) -> str:
    if abs(difference) < 0.0005:
        return f"as many tokens as {other}"
    return f"{abs(difference):.1%} {'more' if difference > 0 else 'fewer'} tokens than {other}"
