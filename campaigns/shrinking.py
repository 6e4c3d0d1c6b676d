"""Smaller inputs that fail as a large one does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from campaigns.campaign import Case


def shrink(case: Case, fails: Callable[[Case], bool], seconds: float) -> Case:
    """Return a case that still fails when nothing more can be left out, or when time is over."""
    deadline = monotonic() + seconds
    smaller: Case | None = case
    while smaller is not None:
        case, smaller = smaller, None
        for candidate in smaller_cases(case):
            if monotonic() > deadline:
                return case
            if fails(candidate):
                smaller = candidate
                break
    return case


def smaller_cases(case: Case) -> Iterator[Case]:
    """Yield the case with one of its fields made smaller, the greatest steps first."""
    named: Any = case  # a NamedTuple
    for field, value in zip(named._fields, case, strict=True):
        for smaller in smaller_values(value):
            yield named._replace(**{field: smaller})


def smaller_values(value: Any) -> Iterator[Any]:
    """Yield what is left of a value when some of it is left out.

    >>> list(smaller_values("abc"))
    ['', 'c', 'a', 'bc', 'ac', 'ab']
    """
    if isinstance(value, dict):
        for items in smaller_values(list(value.items())):
            if all(isinstance(item, tuple) and len(item) == 2 for item in items):
                yield dict(items)
    elif isinstance(value, int) and not isinstance(value, bool):
        # Sizes stay positive: most things are not defined for 0.
        yield from sorted({1, value // 2, value - 1}) if value > 1 else ()
    elif isinstance(value, str | bytes | list | tuple):
        sequence: Any = value
        size = len(value)
        while size:
            for at in range(0, len(value), size):
                yield sequence[:at] + sequence[at + size :]
            size //= 2
        if isinstance(value, list | tuple):
            for i, item in enumerate(value):
                for smaller in smaller_values(item):
                    yield type(value)([*value[:i], smaller, *value[i + 1 :]])
