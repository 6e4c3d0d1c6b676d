"""Segments of a corpus shared out to threads: each reads one and counts it, or helps another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from itertools import chain, islice, pairwise
from queue import SimpleQueue
from threading import Lock
from typing import NamedTuple, TypeAlias

import numpy as np

from bpetok.base.array_types import Int64
from bpetok.base.threads import Stop, ThreadPool
from bpetok.base.timing import stage
from bpetok.counting.counters import Counter
from bpetok.counting.options import CountOptions
from bpetok.patterns.errors import SplitError
from bpetok.patterns.scan import check_utf8
from bpetok.sources.pieces import Buffer, Chunk, Cutting, Origin, Origins, chunks_of, join
from bpetok.sources.reading import NullTexts, unmarked
from bpetok.sources.segments import Segment

SECONDS = 0.1
"""Between two reports while threads work."""

_Reading: TypeAlias = deque[tuple[Future[None], NullTexts]]
_HandedOver: TypeAlias = deque[tuple[Future[None], Chunk]]


class Readers(NamedTuple):
    """How many segments are read at a time: of this machine, and of other machines."""

    local: int
    remote: int


class SharedCounting:
    """Counts the words of segments, from some threads.

    Parameters
    ----------
    counters : list of Counter
        One for each thread that counts; more threads may read, and wait for a counter.
    options : CountOptions
    readers : Readers
    stop : Stop
        Is set when counting fails, for those that read.
    on_count : callable, optional
        Called by the caller's thread with the number of bytes counted so far.
    """

    def __init__(
        self,
        counters: list[Counter],
        options: CountOptions,
        readers: Readers,
        stop: Stop,
        on_count: Callable[[int], object] | None,
    ) -> None:
        self._counters = counters
        self._options = options
        self._readers = readers
        self._on_count = on_count
        self._idle: SimpleQueue[Counter] = SimpleQueue()
        for counter in counters:
            self._idle.put(counter)
        self._lock = Lock()
        self._n_tasks = 0  # segments that are being read, and chunks that were handed over
        self._n_bytes = self._n_reported = 0
        self._stop = stop

    def count_all(self, segments: Iterable[Segment], null_texts: NullTexts) -> None:
        """Count all segments; of the first one in which something is wrong, that is raised.

        If there is one segment, the caller's thread reads it. With one thread more than CPUs, these
        were idle a tenth of the time. If there are more, other threads read them.
        """
        rest = iter(segments)
        first = list(islice(rest, 2))
        if len(first) > 1:
            with ThreadPool(max(len(self._counters), *self._readers)) as pool:
                self._stopping_on_failure(self._read_all, chain(first, rest), null_texts, pool)
        else:
            with ThreadPool(len(self._counters) - 1) as pool:
                for segment in first:
                    self._begin()
                    self._stopping_on_failure(self._read, segment, null_texts, pool, True)

    def _stopping_on_failure(self, function: Callable[..., None], *args: object) -> None:
        """Call a function; if it fails, let threads end before they are waited for."""
        try:
            function(*args)
        except BaseException:
            self._stop.set()
            for counter in self._counters:
                counter.close()
            raise

    def _read_all(
        self, segments: Iterator[Segment], null_texts: NullTexts, pool: ThreadPool
    ) -> None:
        reading: _Reading = deque()
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
            self._settle(reading, null_texts, most - 1)
            own = NullTexts()
            self._begin()
            reading.append((pool.submit(self._read, segment, own, pool, False), own))
        self._settle(reading, null_texts, 0)
        self._report()
        if failure is not None:  # what is wrong in a segment before comes first
            raise failure

    def _settle(self, reading: _Reading, null_texts: NullTexts, most: int) -> None:
        """Wait until at most so many segments are being read; all if something is wrong in one."""
        while reading:
            first, own = reading[0]
            if first.done():
                reading.popleft()
                first.result()
                null_texts.n_null += own.n_null
                continue
            busy = [task for task, _ in reading if not task.done()]
            failed = any(task.done() and task.exception() for task, _ in reading)
            if len(busy) <= most and not failed:
                return
            wait(busy, SECONDS, FIRST_COMPLETED)
            self._report()

    def _read(
        self, segment: Segment, null_texts: NullTexts, pool: ThreadPool, by_caller: bool
    ) -> None:
        """Read a segment and count it; hand chunks over to threads that have nothing to do."""
        handed: _HandedOver = deque()
        # The caller's thread reads on while each of the others counts, and one more chunk waits.
        n_counters = len(self._counters)
        most = n_counters + (by_caller and n_counters > 1)
        try:
            for chunk in self._chunks(segment, null_texts):
                if self._stop.is_set():
                    return
                if self._begins(most):
                    handed.append((pool.submit(self._count_handed, chunk), chunk))
                else:
                    self._count(chunk)
                while handed and (handed[0][0].done() or len(handed) > 2 * n_counters):
                    self._finish(*handed.popleft())
                del chunk
                if by_caller:
                    self._report()
            while handed:
                self._finish(*handed.popleft())
                if by_caller:
                    self._report()
        except Exception as error:
            if self._stop.is_set():
                return
            for task, chunk in handed:  # what is wrong before that comes first
                self._finish(task, chunk)
            raise error from None
        finally:
            self._end()

    def _chunks(self, segment: Segment, null_texts: NullTexts) -> Iterator[Chunk]:
        """Yield the chunks of a segment, timing what it takes to get them as the stage "read"."""
        with stage("read"):
            items = unmarked(segment.items(null_texts))
            chunks = chunks_of(items, self._options.cutting.chunk_size)
        while True:
            with stage("read"):
                chunk = next(chunks, None)
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

    def _count_handed(self, chunk: Chunk) -> None:
        try:
            self._count(chunk)
        finally:
            self._end()

    def _finish(self, task: Future[None], chunk: Chunk) -> None:
        """Wait for a chunk that was handed over; count it if no thread has begun to."""
        if task.cancel():
            self._count_handed(chunk)
        else:
            task.result()

    def _count(self, chunk: Chunk) -> None:
        counter = self._idle.get()
        try:
            if self._stop.is_set():
                return
            with stage("count"):
                count_chunk(counter.count, chunk, self._options)
        finally:
            self._idle.put(counter)  # also for those who wait when something fails
        with self._lock:
            self._n_bytes += len(chunk.data)

    def _report(self) -> None:
        n_bytes = self._n_bytes
        if self._on_count is not None and n_bytes > self._n_reported:
            self._n_reported = n_bytes
            self._on_count(n_bytes)


def count_chunk(count: Callable[[Buffer, Int64], int], chunk: Chunk, options: CountOptions) -> None:
    """Count the words of a chunk with a counter's `count`.

    Raises
    ------
    ValueError
        If it has bytes that are not UTF-8 and `options.errors` is "strict", or text that the
        pattern does not match; the message has the text's name and the offset.
    """
    cutting = options.cutting
    try:
        # Texts that are changed are checked before that, others while they are counted.
        is_changed = _is_changed(chunk, cutting)
        invalid = (check_utf8 if is_changed else count)(chunk.data, chunk.ends)
        if invalid >= 0:
            if options.errors == "strict":
                origin = _place(chunk, invalid)
                raise ValueError(
                    f"{origin.name} is not UTF-8: byte {origin.offset} "
                    f"(0x{chunk.data[invalid]:02x}); errors='replace' would count U+FFFD there"
                )
            chunk = _replace_invalid(chunk)
            is_changed = _is_changed(chunk, cutting)
        if is_changed:
            chunk = _changed(chunk, cutting)
        if is_changed or invalid >= 0:
            count(chunk.data, chunk.ends)
    except SplitError as error:
        origin = _place(chunk, error.offset)
        raise error.explain(options.pattern, origin.name, origin.offset) from None


def _is_changed(chunk: Chunk, cutting: Cutting) -> bool:
    """Tell whether something may become of the texts before they are split.

    Special tokens are found before that, and so not in what becomes of the text between them.
    """
    changes = cutting.changes
    return bool(changes) and (
        not changes.leave(chunk.data) or bool(cutting.special_tokens.spans(chunk.data))
    )


def _changed(chunk: Chunk, cutting: Cutting) -> Chunk:
    """Return what becomes of texts before they are split; offsets are those of the new ones."""
    data, ends, numbers = cutting.changes.apply(chunk.data, chunk.ends, cutting.special_tokens)
    origins = Origins(
        lambda i: Origin(f"{chunk.origins[numbers[i]].name}, as it is normalized", 0),
        range(len(ends)),
    )
    return Chunk(data, ends, origins)


def _replace_invalid(chunk: Chunk) -> Chunk:
    data = bytes(chunk.data)
    pieces = (data[begin:end] for begin, end in pairwise([0, *chunk.ends.tolist()]))
    replaced = [piece.decode(errors="replace").encode() for piece in pieces]
    return join(replaced, chunk.origins)


def _place(chunk: Chunk, offset: int) -> Origin:
    """Return the text that a byte of a chunk belongs to, and its offset in the text."""
    number = int(np.searchsorted(chunk.ends[:-1], offset, side="right"))
    begin = int(chunk.ends[number - 1]) if number else 0
    origin = chunk.origins[number]
    return Origin(origin.name, origin.offset + offset - begin)
