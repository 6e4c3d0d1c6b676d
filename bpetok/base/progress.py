"""Progress of phases, "count" and "encode" (bytes), "learn" (merges): a bar or a callback.

The phase "memory" has no progress: its total is what the phases that follow may take.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from bpetok.base.checks import shorten
from bpetok.base.display import show_size
from bpetok.base.importing import whole

if TYPE_CHECKING:
    from tqdm import tqdm

OnProgress: TypeAlias = Callable[[str, int, int | None], object]
"""Called as ``on_progress(phase, done, total)``; total is None while it is not known."""
Progress: TypeAlias = bool | OnProgress


@contextmanager
def reporting(progress: Progress) -> Iterator[OnProgress]:
    """Give the function that the pipeline calls as it goes on; close the bars at the end.

    Raises
    ------
    TypeError
        If `progress` is neither a bool nor callable.
    """
    if callable(progress):
        yield progress
    elif progress is True:
        bars = _Bars()
        try:
            yield bars.report
        finally:
            bars.close()
    elif progress is False:
        yield _ignore
    else:
        raise TypeError(f"progress must be True, False or a callable, got {shorten(progress)}")


def _ignore(phase: str, done: int, total: int | None) -> None:
    pass


class _Bars:
    """One tqdm bar a phase, in a terminal or a notebook."""

    def __init__(self) -> None:
        self.phase = ""
        self.bar: tqdm[Any] | None = None

    def report(self, phase: str, done: int, total: int | None) -> None:
        if phase == "memory":
            self.close()
            self.bar = None
            sys.stderr.write(f"superwords: up to {show_size(total or 0)} of memory\n")
            return
        if self.bar is None or phase != self.phase or done < self.bar.n:  # of another language
            self.close()
            self.phase = phase
            self.bar = _new_bar(phase, total)
        self.bar.update(done - self.bar.n)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def _new_bar(phase: str, total: int | None) -> tqdm[Any]:
    with whole(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # in a notebook without ipywidgets a bar of text will do
        from tqdm.auto import tqdm

    if phase == "learn":
        return tqdm(desc=phase, total=total, unit=" merges", unit_scale=True)
    if phase == "load":
        return tqdm(desc="compile", total=total, unit=" kernels")
    return tqdm(desc=phase, total=total, unit="B", unit_scale=True, unit_divisor=1000)
