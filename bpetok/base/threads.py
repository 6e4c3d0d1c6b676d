"""A function of many items, from some threads."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from functools import partial
from threading import Condition, Lock, RLock, Thread, current_thread
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from bpetok.base.importing import signals_deferred

if TYPE_CHECKING:
    from concurrent.futures import Future

_RAISING = [getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGALRM") if hasattr(signal, n)]

Item = TypeVar("Item")
Result = TypeVar("Result")


class StoppedError(Exception):
    """What a thread does is no longer wanted."""


class Stop:
    """Tells threads that what they do is no longer wanted; those that wait here are woken."""

    def __init__(self) -> None:
        self._is_set = False
        # A condition itself is entered in Python, where Ctrl-C may come when its lock is taken and
        # nothing would release it.
        self._lock = RLock()
        self._changed = Condition(self._lock)

    def set(self) -> None:
        """Tell it, for good."""
        with self._lock:
            self._is_set = True
            self._changed.notify_all()

    def is_set(self) -> bool:
        """Return whether it was told."""
        return self._is_set

    def pause(self, seconds: float, *futures: Future[Any]) -> None:
        """Wait for so long, or until one of some futures is done.

        Raises
        ------
        StoppedError
            If that is no longer wanted.
        """
        for future in futures:
            future.add_done_callback(self._wake)
        with self._lock:
            self._changed.wait_for(
                lambda: self._is_set or any(future.done() for future in futures), seconds
            )
        if self._is_set:
            raise StoppedError

    def _wake(self, _: object) -> None:
        with self._lock:
            self._changed.notify_all()


class Task(Generic[Result]):
    """A call that a thread makes, and then what comes of it.

    The future of the standard library has more, and takes 4 ms to import, since it logs.
    """

    def __init__(self, function: Callable[..., Result], *args: object) -> None:
        self._call: Callable[[], Result] | None = partial(function, *args)
        self._taken = Lock()
        # Held until the call was made. An Event has the gap that `Stop` tells of.
        self._unmade = Lock()
        self._unmade.acquire()
        self._result: Any = None
        self._error: BaseException | None = None

    def take(self) -> bool:
        """Return True once: who has taken the task, nobody else makes its call."""
        return self._taken.acquire(blocking=False)

    def run(self) -> None:
        """Make the call, if nobody has taken the task."""
        if not self.take():
            return
        call, self._call = self._call, None  # what it holds may be large
        assert call is not None
        try:
            self._result = call()
        except Exception as error:
            self._error = error
        except BaseException as error:  # such as Ctrl-C, which is raised here as well
            self._error = error
            raise
        finally:
            self._unmade.release()
            del self, call  # as in `result`

    def done(self) -> bool:
        """Return whether the call was made."""
        return not self._unmade.locked()

    def result(self) -> Result:
        """Wait for the call; return what it returned, or raise what it raised, once."""
        with self._unmade:
            pass
        # The error keeps all that its callers hold; if that were itself, all would stay.
        error, self._error = self._error, None
        try:
            if error is not None:
                raise error
            return cast("Result", self._result)
        finally:
            del error


def starting_threads() -> AbstractContextManager[None]:
    """Let signals whose handlers often raise something wait until the block has started threads.

    What is raised while `start` waits may leave a lock taken that the thread needs to begin: it
    never would, and Python waits for it at its end.
    """
    return signals_deferred(_RAISING)


class ThreadPool:
    """Up to `n_threads` threads, which end when there is nothing to do; the block ends after them.

    ThreadPoolExecutor takes no work once the main thread has come to its end, although Python goes
    on until all threads have: a thread that trains would fail then. And no thread may wait for work
    here: where an error keeps a generator alive that submits it, Python would wait for ever.
    """

    def __init__(self, n_threads: int) -> None:
        self._n_threads = n_threads
        self._lock = Lock()
        self._tasks: deque[Task[Any]] = deque()
        self._working: set[Thread] = set()

    def submit(self, function: Callable[..., Result], *args: object) -> Task[Result]:
        """Let a thread call a function."""
        task = Task(function, *args)
        with self._lock:
            self._tasks.append(task)
            if len(self._working) < self._n_threads:
                thread = Thread(target=self._work)
                with starting_threads():
                    thread.start()
                    self._working.add(thread)
        return task

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
            with suppress(BaseException):  # which the task keeps
                task.run()
            del task  # what came of it may be large


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
        pending: deque[Task[Result]] = deque()
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
