"""Words of several sources as one, each source with a weight: exact sums, rounded once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from bpetok.base.array_types import Int64
from bpetok.base.checks import shorten
from bpetok.base.limits import MAX_INT64
from bpetok.counting.arrays import WordArrays, combine_tables
from bpetok.counting.word_table import WordTable
from bpetok.patterns.special import SpecialTokens

if TYPE_CHECKING:
    from fractions import Fraction

DECIMALS = 12
Parts: TypeAlias = "Sequence[tuple[WordArrays, Fraction]]"


def check_weight(number: int, weight: object) -> Fraction:
    """Return the weight of a part of `Words.combine`, a fraction of 10**12."""
    from fractions import Fraction  # takes 2 ms, which trainings without weights need not

    if isinstance(weight, bool) or not isinstance(weight, Real):
        raise TypeError(f"the weight of part {number} must be a number, got {shorten(weight)}")
    try:
        value = float(weight)
    except OverflowError:  # of an int or a fraction
        value = math.inf
    scaled = round(Fraction(value) * 10**DECIMALS) if math.isfinite(value) else 0
    if scaled < 1:
        raise ValueError(
            f"the weight of part {number} must be finite and at least 1e-{DECIMALS}, got "
            f"{shorten(weight)}"
        )
    return Fraction(scaled, 10**DECIMALS)


def weighted_sum(parts: Parts) -> WordArrays:
    """Return the words of all parts. Requires: checked weights whose sums fit in int64."""
    denominator = math.lcm(*(weight.denominator for _, weight in parts))
    wholes: list[Int64] = []
    rests: list[Int64] = []
    for words, weight in parts:
        numerator = weight.numerator * (denominator // weight.denominator)
        whole, rest = _divided(words.counts, numerator, denominator)
        wholes.append(whole)
        rests.append(rest)
    summed = _summed(parts, wholes)
    counts = summed.counts
    if denominator > 1:
        # The words come in the same order again.
        carry, rest = np.divmod(_summed(parts, rests).counts, denominator)
        counts += carry
        counts += (2 * rest > denominator) | ((2 * rest == denominator) & (counts % 2 == 1))
    return summed.select(counts > 0)


def _divided(counts: Int64, numerator: int, denominator: int) -> tuple[Int64, Int64]:
    """Return counts * numerator / denominator as whole numbers and numerators of what is left."""
    products: Any = counts
    if int(counts.max(initial=0)) * numerator > MAX_INT64:
        products = counts.astype(object)  # Python's integers, of any size
    products = products * numerator
    whole = products // denominator
    return whole.astype(np.int64), (products - whole * denominator).astype(np.int64)


def _summed(parts: Parts, counts: Sequence[Int64]) -> WordArrays:
    """Return the words of all parts with the sums of the given counts."""
    tables = []
    for (words, _), part_counts in zip(parts, counts, strict=True):
        table = WordTable(SpecialTokens([]))
        table.add_words(words.ids.astype(np.uint8).data, words.offsets[1:], part_counts)
        tables.append(table)
    return combine_tables(tables)
