"""A function of many items, from some threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, InvalidStateError, wait
from contextlib import suppress
from threading import Lock, Thread, current_thread
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class StoppedError(Exception):
    """What a thread does is no longer wanted."""


class Stop:
    """Tells threads that what they do is no longer wanted; those that wait here are woken."""

    def __init__(self) -> None:
        self._future: Future[None] = Future()

    def set(self) -> None:
        """Tell it, for good."""
        with suppress(InvalidStateError):  # told before
            self._future.set_result(None)

    def is_set(self) -> bool:
        """Return whether it was told."""
        return self._future.done()

    def pause(self, seconds: float, *futures: Future[Any]) -> None:
        """Wait for so long, or until one of some futures is done.

        Raises
        ------
        StoppedError
            If that is no longer wanted.
        """
        wait([self._future, *futures], seconds, FIRST_COMPLETED)
        if self.is_set():
            raise StoppedError


class ThreadPool:
    """Up to `n_threads` threads, which end when there is nothing to do; the block ends after them.

    ThreadPoolExecutor takes no work once the main thread has come to its end, although Python goes
    on until all threads have: a thread that trains would fail then. And no thread may wait for work
    here: where an error keeps a generator alive that submits it, Python would wait for ever.
    """

    def __init__(self, n_threads: int) -> None:
        self._n_threads = n_threads
        self._lock = Lock()
        self._tasks: deque[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = deque()
        self._working: set[Thread] = set()

    def submit(self, function: Callable[..., Result], *args: object) -> Future[Result]:
        """Let a thread call a function."""
        future: Future[Result] = Future()
        with self._lock:
            self._tasks.append((future, function, args))
            if len(self._working) < self._n_threads:
                thread = Thread(target=self._work)
                thread.start()
                self._working.add(thread)
        return future

    def n_free(self) -> int:
        """Return how many tasks more would be begun at once; below 0 if some are waiting."""
        with self._lock:
            return self._n_threads - len(self._working) - len(self._tasks)

    def __enter__(self) -> ThreadPool:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        with self._lock:
            if kind is not None:
                self._tasks.clear()  # nobody takes what they would give
            working = [*self._working]
        for thread in working:
            thread.join()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._tasks:
                    self._working.discard(current_thread())
                    return
                task = self._tasks.popleft()
            if task[0].set_running_or_notify_cancel():
                _complete(*task)
            del task  # what it holds may be large


def _complete(
    future: Future[Result],
    function: Callable[..., Result],
    args: tuple[Any, ...],
) -> None:
    """Give a future its result, or the error that `future.result()` is to raise."""
    try:
        future.set_result(function(*args))
    except BaseException as error:
        future.set_exception(error)


def map_threads(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    n_threads: int,
    stop: Stop | None = None,
) -> Iterator[Result]:
    """Yield function(item) for each item, in order, from some threads; take few items ahead.

    `stop` is set if something fails, before threads are waited for.
    """
    if n_threads == 1:
        yield from map(function, items)
        return
    with ThreadPool(n_threads) as pool:
        pending: deque[Future[Result]] = deque()
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > n_threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BaseException:
            if stop is not None:
                stop.set()
            raise


def exhaust(results: Iterable[object]) -> None:
    """Wait for all results."""
    for _ in results:
        pass
