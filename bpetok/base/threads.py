"""A function of many items, from some threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_threads(
    function: Callable[[Item], Result], items: Iterable[Item], n_threads: int
) -> Iterator[Result]:
    """Yield function(item) for each item, in order, from some threads; take few items ahead."""
    if n_threads == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        pending: deque[Future[Result]] = deque()
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > n_threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def map_with_caller(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    n_threads: int,
    on_failure: Callable[[], None],
) -> Iterator[Result]:
    """Yield the same where it takes time to get the items; the caller's thread is one of them all.

    It gets the items and, when the others have enough to do, works on one itself: with one thread
    more than CPUs, these were idle a tenth of the time. `on_failure` is called before threads are
    waited for that work when something fails.
    """
    if n_threads == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(n_threads - 1) as pool:
        pending: deque[Future[Result]] = deque()
        try:
            for item in items:
                if sum(not future.done() for future in pending) < n_threads:
                    pending.append(pool.submit(function, item))
                else:
                    pending.append(_done(function, item))
                while pending and (pending[0].done() or len(pending) > 2 * n_threads):
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BaseException:
            on_failure()
            raise


def _done(function: Callable[[Item], Result], item: Item) -> Future[Result]:
    future: Future[Result] = Future()
    try:
        future.set_result(function(item))
    except Exception as error:  # raised in its turn
        future.set_exception(error)
    return future


def exhaust(results: Iterable[object]) -> None:
    """Wait for all results."""
    for _ in results:
        pass
