"""Segments of a corpus shared out to threads: each reads one and works on it, or helps another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import chain, islice
from threading import Condition, RLock
from typing import Any, Generic, TypeVar

from bpetok.base.records import NamedTuple
from bpetok.base.threads import Stop, StoppedError, Task, ThreadPool
from bpetok.base.timing import stage
from bpetok.sources.memory_pool import release_memory
from bpetok.sources.pieces import CHUNK_SIZE, REMOTE_SIZE, Chunk, chunks_of
from bpetok.sources.reading import NullTexts, unmarked
from bpetok.sources.segments import Segment

SECONDS = 0.1
"""Between two calls of `on_wait` while threads work."""
AHEAD = 1 << 25
"""Bytes of results that may wait until those of the segments before them have been taken."""
LEAST_AHEAD = 1 << 23
"""The same for results that are next."""

Argument = TypeVar("Argument")
Result = TypeVar("Result")


class Readers(NamedTuple):
    """How many segments are read at a time: of this machine, and of other machines."""

    local: int
    remote: int


class _Pools(NamedTuple):
    """The threads that read segments: of this machine, and of other machines."""

    local: ThreadPool
    remote: ThreadPool


class _Part(Generic[Result]):
    """A segment that is being read, and its results that have not been taken."""

    def __init__(self) -> None:
        self.null_texts = NullTexts()
        self.results: deque[Result] = deque()
        self.size = 0
        self.has_ended = False
        self.error: BaseException | None = None


def _no_size(_: object) -> int:
    return 0


def _nothing() -> None:
    pass


class SharedReading(Generic[Result]):
    """Reads segments and works on their chunks, on some threads; gives the results in order.

    Parameters
    ----------
    work : callable
        Called with each chunk, in no order and by up to `n_threads` threads at a time.
    n_threads : int
        More threads may read, and wait to work.
    readers : Readers
    stop : Stop
        Is set when something fails, for those that read.
    chunk_size : int
        About the bytes of a chunk.
    size_of : callable
        Returns how many bytes a result takes. By default results take no room, and wait for those
        before them however many they are, and up to `SECONDS` until they are taken.
    on_wait : callable
        Called by the caller's thread now and then.
    on_failure : callable
        Called when something has failed, to end what `work` does.
    """

    def __init__(
        self,
        work: Callable[[Chunk], Result],
        n_threads: int,
        readers: Readers,
        stop: Stop,
        *,
        chunk_size: int = CHUNK_SIZE,
        size_of: Callable[[Result], int] = _no_size,
        on_wait: Callable[[], object] = _nothing,
        on_failure: Callable[[], object] = _nothing,
    ) -> None:
        self._work = work
        self._n_threads = n_threads
        self._readers = readers
        self._stop = stop
        self._chunk_size = chunk_size
        self._size_of = size_of
        self._on_wait = on_wait
        self._on_failure = on_failure
        self._lock = RLock()
        self._changed = Condition(self._lock)  # entered by the lock: see `Stop`
        self._has_ended = Condition(self._lock)  # one of those that work on a chunk
        self._n_tasks = 0  # segments that are being read, and chunks that were handed over
        self._n_working = 0  # threads that work on a chunk
        self._first: _Part[Result] | None = None  # whose results are taken next
        self._size = 0  # of all results that wait

    def results(
        self, segments: Iterable[Segment], null_texts: NullTexts
    ) -> Generator[Result, None, None]:
        """Yield what comes of each chunk; of the first segment that fails, the error is raised.

        To be closed where it is not read to its end. If there is one segment, the caller's thread
        reads it. With one thread more than CPUs, these were idle a tenth of the time. If there are
        more, other threads read them.
        """
        try:
            yield from self._results(segments, null_texts)
        finally:
            release_memory()

    def _results(self, segments: Iterable[Segment], null_texts: NullTexts) -> Iterator[Result]:
        rest = iter(segments)
        first = list(islice(rest, 1))
        second: list[Segment] | Iterator[Segment]
        try:
            second = list(islice(rest, 1))
        except Exception as error:  # what is wrong in the first one comes before
            second = map(_raise, [error])
        if second:
            # A thread that reads, and waits for room, does nothing else: others work meanwhile.
            with (
                ThreadPool(self._n_threads) as pool,
                ThreadPool(self._readers.local) as local,
                ThreadPool(self._readers.remote) as remote,
            ):
                parts = chain(first, second, rest)
                results = self._all(parts, null_texts, pool, _Pools(local, remote))
                yield from self._until_failure(results)
        else:
            with ThreadPool(self._n_threads - 1) as pool:
                for segment in first:
                    self._begin()
                    results = self._read(segment, null_texts, pool, by_caller=True)
                    yield from self._until_failure(results)

    def _until_failure(self, results: Iterator[Result]) -> Iterator[Result]:
        """Yield the same; if it fails, or no more is wanted, let threads end: the pool waits."""
        try:
            yield from results
        except BaseException:
            self._stop.set()
            with self._lock:
                self._changed.notify_all()
                self._has_ended.notify_all()
            self._on_failure()
            raise

    def _all(
        self,
        segments: Iterator[Segment],
        null_texts: NullTexts,
        pool: ThreadPool,
        readers: _Pools,
    ) -> Iterator[Result]:
        parts: deque[_Part[Result]] = deque()
        failure: Exception | None = None
        while True:
            try:
                segment = next(segments, None)
            except Exception as error:
                failure = error
                break
            if segment is None:
                break
            most = self._readers.remote if segment.is_remote else self._readers.local
            # One waits to be read: a thread that has none ends, and to start another takes 0.3 ms.
            yield from self._taken(parts, null_texts, most)
            parts.append(_Part())
            reader = readers.remote if segment.is_remote else readers.local
            reader.submit(self._fill, parts[-1], segment, pool)
        yield from self._taken(parts, null_texts, 0)
        self._on_wait()
        if failure is not None:  # what is wrong in a segment before comes first
            raise failure

    def _taken(
        self, parts: deque[_Part[Result]], null_texts: NullTexts, most: int
    ) -> Iterator[Result]:
        """Yield what is next, until at most so many segments are being read; all if one failed."""
        while parts:
            first = parts[0]
            with self._lock:
                self._first = first
                results, first.results = first.results, deque()
                self._size -= first.size
                first.size = 0
                has_ended = first.has_ended
                n_busy = sum(not part.has_ended for part in parts)
                goes_on = n_busy > most or any(part.error for part in parts)
                self._changed.notify_all()
                if not (results or has_ended) and goes_on:
                    self._changed.wait(SECONDS)
            yield from results
            if has_ended:
                parts.popleft()
                if first.error is not None:
                    raise first.error
                null_texts.n_null += first.null_texts.n_null
            elif not goes_on:
                return
            self._on_wait()

    def _fill(self, part: _Part[Result], segment: Segment, pool: ThreadPool) -> None:
        """Read a segment; the caller's thread takes its results."""
        self._begin()
        try:
            for result in self._read(segment, part.null_texts, pool, by_caller=False):
                self._put(part, result)
                del result
        except BaseException as error:  # else the rest of the segment would be missing, unsaid
            part.error = error
        finally:
            with self._lock:
                part.has_ended = True
                self._changed.notify_all()

    def _put(self, part: _Part[Result], result: Result) -> None:
        """Let a result wait, as soon as there is room; until then another task may begin."""
        with self._lock:
            if not self._has_room(part):
                self._n_tasks -= 1
                while not (self._has_room(part) or self._stop.is_set()):
                    self._changed.wait()
                self._n_tasks += 1
            size = self._size_of(result)
            part.results.append(result)
            part.size += size
            self._size += size
            # What takes no room can wait: to wake the caller's thread for each took a CPU from
            # those that count, 2 % of counting Parquet with two threads.
            if size and part is self._first:
                self._changed.notify_all()

    def _has_room(self, part: _Part[Result]) -> bool:
        return self._size < AHEAD or (part is self._first and part.size < LEAST_AHEAD)

    def _read(
        self, segment: Segment, null_texts: NullTexts, pool: ThreadPool, *, by_caller: bool
    ) -> Iterator[Result]:
        """Read a segment and work on it; hand chunks over to threads that have nothing to do."""
        handed: deque[tuple[Task[Result], Chunk | None]] = deque()
        # The caller's thread reads on while each of the others works, and one more chunk waits.
        most = self._n_threads + (by_caller and self._n_threads > 1)
        try:
            for chunk in self._chunks(segment, null_texts):
                if self._stop.is_set():
                    return
                if isinstance(chunk, Exception):
                    handed.append((_done(_raise, chunk), None))
                elif self._begins(most):
                    handed.append((pool.submit(self._work_handed, chunk), chunk))
                else:
                    handed.append((self._worked_here(chunk), None))
                del chunk  # before more is read
                while handed and (handed[0][0].done() or len(handed) > 2 * self._n_threads):
                    yield self._finished(*handed.popleft())
                if by_caller:
                    self._on_wait()
            while handed:
                yield self._finished(*handed.popleft())
                if by_caller:
                    self._on_wait()
        except Exception:
            if not self._stop.is_set():
                raise
        finally:
            self._end()

    def _chunks(self, segment: Segment, null_texts: NullTexts) -> Iterator[Chunk | Exception]:
        """Yield the chunks of a segment, and at the end what was wrong, for which others wait.

        What it takes to get them is timed as the stage "read".
        """
        with stage("read"):
            items = unmarked(segment.items(null_texts))
            size = min(self._chunk_size, REMOTE_SIZE) if segment.is_remote else self._chunk_size
            chunks = chunks_of(items, size)
        while True:
            with stage("read"):
                try:
                    chunk = next(chunks, None)
                except Exception as error:
                    yield error
                    return
            if chunk is None:
                return
            yield chunk
            del chunk  # before more is read

    def _begin(self) -> None:
        with self._lock:
            self._n_tasks += 1

    def _begins(self, most: int) -> bool:
        """Begin a task if there are fewer than so many."""
        with self._lock:
            begins = self._n_tasks < most
            self._n_tasks += begins
        return begins

    def _end(self) -> None:
        with self._lock:
            self._n_tasks -= 1

    def _worked(self, chunk: Chunk) -> Result:
        with self._lock:
            while self._n_working == self._n_threads and not self._stop.is_set():
                self._has_ended.wait()
            if self._stop.is_set():
                self._has_ended.notify()  # the next one that waits
                raise StoppedError
            self._n_working += 1
        # Ctrl-C may come here, and one thread less would work: but all are stopped then.
        try:
            return self._work(chunk)
        finally:
            with self._lock:
                self._n_working -= 1
                self._has_ended.notify()

    def _worked_here(self, chunk: Chunk) -> Task[Result]:
        """Work on a chunk; what is wrong with it waits for what is wrong before."""
        return _done(self._worked, chunk)

    def _work_handed(self, chunk: Chunk) -> Result:
        try:
            return self._worked(chunk)
        finally:
            self._end()

    def _finished(self, task: Task[Result], chunk: Chunk | None) -> Result:
        """Return what comes of a chunk; work on it here if no thread has begun to."""
        if chunk is not None and task.take():
            return self._work_handed(chunk)
        return task.result()


def _raise(error: Exception) -> Any:
    raise error


def _done(function: Callable[[Argument], Result], argument: Argument) -> Task[Result]:
    """Return a task that is done."""
    task = Task(function, argument)
    task.run()
    return task
