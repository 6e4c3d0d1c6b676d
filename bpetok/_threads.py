"""A function of many items, from some threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_threads(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    n_threads: int,
    on_failure: Callable[[], None] = lambda: None,
) -> Iterator[Result]:
    """Yield function(item) for each item, in order, from some threads; take few items ahead.

    `on_failure` is called before threads are waited for that work when something fails.
    """
    if n_threads == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        pending: deque[Future[Result]] = deque()
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > n_threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BaseException:
            on_failure()
            raise


def exhaust(results: Iterable[object]) -> None:
    """Wait for all results."""
    for _ in results:
        pass
