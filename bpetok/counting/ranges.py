"""From where to where a corpus has been counted, and what is left."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from bpetok.base.records import NamedTuple
from bpetok.sources.reading import Position

Range: TypeAlias = tuple[Position, Position]
"""Texts from one position up to another."""


class Counted(NamedTuple):
    """Texts that were counted.

    ranges : tuple of Range
        In order; none is empty, and none touches another.
    n_bytes, n_null : int
        The bytes of these texts, and how many were null.
    """

    ranges: tuple[Range, ...]
    n_bytes: int
    n_null: int


def total_of(counted: Iterable[Counted]) -> Counted:
    """Return all together. Requires: no text is in two of them."""
    parts = list(counted)
    ranges = joined(found for part in parts for found in part.ranges)
    return Counted(
        tuple(ranges), sum(part.n_bytes for part in parts), sum(part.n_null for part in parts)
    )


def joined(ranges: Iterable[Range]) -> list[Range]:
    """Return ranges in order; those that touch are one, empty ones are none.

    Raises
    ------
    ValueError
        If two of them have something in common.
    """
    found: list[Range] = []
    for begin, end in sorted(ranges):
        if begin == end:
            continue
        if found and begin < found[-1][1]:
            raise ValueError(f"{begin} is before {found[-1][1]}, where another range ends")
        if found and begin == found[-1][1]:
            found[-1] = found[-1][0], end
        else:
            found.append((begin, end))
    return found


def gaps_between(ranges: Iterable[Range], end: Position) -> list[Range]:
    """Return what is before, between and after ranges, up to `end`."""
    gaps: list[Range] = []
    here = Position()
    for begin, after in [*joined(ranges), (end, end)]:
        if here < begin:
            gaps.append((here, begin))
        here = after
    return gaps
