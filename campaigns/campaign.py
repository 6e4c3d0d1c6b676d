"""What a campaign is: it draws inputs and checks each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, ClassVar, Generic, TypeVar

Case = TypeVar("Case", bound=tuple[Any, ...])
"""A NamedTuple of numbers, strings, bytes, and lists, tuples and dicts of these: what is saved in a
file, and what is made smaller."""


class Campaign(ABC, Generic[Case]):
    """Checks of random inputs.

    Attributes
    ----------
    case : type
        The NamedTuple that an input is.
    seconds_each : float
        An input that takes more of the processor hangs, or ten times as many by the clock.
    shrinks : bool
        Whether an input that fails is made smaller: not where each takes seconds.
    memory : int
        Bytes that the process may take for an input, beyond those it has at the start; 0 for no
        bound.
    counts : Counter of str
        What is worth to be counted beside inputs.

    Parameters
    ----------
    scratch : Path
        An empty folder that is removed at the end.
    """

    case: ClassVar[type[Any]]
    seconds_each: ClassVar[float] = 60.0
    shrinks: ClassVar[bool] = True
    memory: ClassVar[int] = 0

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.counts: Counter[str] = Counter()

    @abstractmethod
    def draw(self, random: Random) -> Case:
        """Return an input. It depends on nothing but `random`."""

    @abstractmethod
    def check(self, case: Case) -> None:
        """Raise an exception of any kind if something is wrong."""


def expect(got: object, right: object, what: str) -> None:
    """Raise an AssertionError if two values differ."""
    if got != right:
        raise AssertionError(f"{what}\n  got:   {got!r:.1000}\n  right: {right!r:.1000}")
