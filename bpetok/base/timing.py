"""Seconds spent in each stage of the pipeline, for whoever asks (the benchmarks do)."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

_collectors: list[dict[str, float]] = []


@contextmanager
def collect() -> Iterator[dict[str, float]]:
    """Give a dict that fills with seconds by stage, summed over threads, until the block ends."""
    seconds: dict[str, float] = {}
    _collectors.append(seconds)
    try:
        yield seconds
    finally:
        _collectors.remove(seconds)


class stage:  # noqa: N801  # called like a function, and faster than one made of a generator
    """Time a block as part of the named stage; next to nothing where nobody collects."""

    __slots__ = ("_name", "_start")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        if _collectors:
            self._start = perf_counter()

    def __exit__(self, *error: object) -> None:
        if not _collectors:
            return
        elapsed = perf_counter() - self._start
        for seconds in _collectors:
            seconds[self._name] = seconds.get(self._name, 0.0) + elapsed
