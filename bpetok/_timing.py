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


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time a block as part of the named stage; next to nothing where nobody collects."""
    if not _collectors:
        yield
        return
    start = perf_counter()
    try:
        yield
    finally:
        elapsed = perf_counter() - start
        for seconds in _collectors:
            seconds[name] = seconds.get(name, 0.0) + elapsed
