"""Words of several sources as one, each source with a weight: exact sums, rounded once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from bpetok.counting.word_table import WordTable
from bpetok.counting.words import MAX_COUNT, Int32, Int64, Words, combine_tables, select
from bpetok.patterns.special import SpecialTokens

DECIMALS = 12
Parts: TypeAlias = Sequence[tuple[Words, Fraction]]


def check_parts(parts: Iterable[tuple[Words, float]]) -> Parts:
    """Return the parts of `Words.combine`, their weights as fractions of 10**12."""
    checked: list[tuple[Words, Fraction]] = []
    for number, part in enumerate(parts):
        if not isinstance(part, tuple) or len(part) != 2 or not isinstance(part[0], Words):
            raise TypeError(f"part {number} must be a pair (Words, weight), got {part!r}")
        words, weight = part
        checked.append((words, _check_weight(number, weight)))
        for name in ("pattern", "special_tokens"):
            ours, first = getattr(words, name), getattr(checked[0][0], name)
            if ours != first:
                raise ValueError(
                    f"parts must have the same {name}: part 0 has {first!r}, part {number} has "
                    f"{ours!r}; count them with the same"
                )
    if not checked:
        raise ValueError("parts must have at least one pair (Words, weight), got none")
    if sum(weight * words.n_bytes for words, weight in checked) > MAX_COUNT:
        raise ValueError(
            "the sum of weight * count * length over the words must be below 2**63: "
            "scale the weights down"
        )
    return checked


def _check_weight(number: int, weight: object) -> Fraction:
    if isinstance(weight, bool) or not isinstance(weight, Real):
        raise TypeError(f"the weight of part {number} must be a number, got {weight!r}")
    scaled = round(Fraction(float(weight)) * 10**DECIMALS) if math.isfinite(weight) else 0
    if scaled < 1:
        raise ValueError(
            f"the weight of part {number} must be finite and at least 1e-{DECIMALS}, got {weight!r}"
        )
    return Fraction(scaled, 10**DECIMALS)


def weighted_sum(parts: Parts) -> tuple[Int32, Int64, Int64]:
    """Return ids, offsets and counts of the words of all parts. Requires: checked parts."""
    denominator = math.lcm(*(weight.denominator for _, weight in parts))
    wholes: list[Int64] = []
    rests: list[Int64] = []
    for words, weight in parts:
        numerator = weight.numerator * (denominator // weight.denominator)
        whole, rest = _divided(words.counts, numerator, denominator)
        wholes.append(whole)
        rests.append(rest)
    ids, offsets, counts = _summed(parts, wholes)
    if denominator > 1:
        carry, rest = np.divmod(
            _summed(parts, rests)[2], denominator
        )  # the words in the same order
        counts += carry
        counts += (2 * rest > denominator) | ((2 * rest == denominator) & (counts % 2 == 1))
    return select(ids, offsets, counts, counts > 0)


def _divided(counts: Int64, numerator: int, denominator: int) -> tuple[Int64, Int64]:
    """Return counts * numerator / denominator as whole numbers and numerators of what is left."""
    products: Any = counts
    if int(counts.max(initial=0)) * numerator > MAX_COUNT:
        products = counts.astype(object)  # Python's integers, of any size
    products = products * numerator
    whole = products // denominator
    return whole.astype(np.int64), (products - whole * denominator).astype(np.int64)


def _summed(parts: Parts, counts: Sequence[Int64]) -> tuple[Int32, Int64, Int64]:
    """Return ids and offsets of the words of all parts, and the sums of the given counts."""
    tables = []
    for (words, _), part_counts in zip(parts, counts, strict=True):
        table = WordTable(SpecialTokens([]))
        table.add_words(words.ids.astype(np.uint8).data, words.offsets[1:], part_counts)
        tables.append(table)
    return combine_tables(tables)
