"""Segments are worked on by several threads; the results come in order, and few of them wait."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain, repeat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpetok.base.threads import Stop
from bpetok.sources import sharing
from bpetok.sources.pieces import Chunk
from bpetok.sources.reading import NullTexts
from bpetok.sources.segments import Items, Segment
from bpetok.sources.sharing import Readers, SharedReading


def segment(
    names: Iterable[str],
    seconds: float = 0,
    error: BaseException | None = None,
    *,
    is_remote: bool = False,
) -> Segment:
    """Return one of chunks, before each of which its reader sleeps; in the end it may fail."""

    def items(_: NullTexts) -> Items:
        for name in names:
            time.sleep(seconds)
            yield Chunk(name.encode(), np.array([len(name)]), [])
        if error is not None:
            raise error

    return Segment(items, is_remote=is_remote)


def worked(chunk: Chunk) -> str:
    """Return the text; some take longer than others."""
    text = bytes(chunk.data).decode()
    time.sleep(0.002 * (sum(map(ord, text)) % 3))
    return text


latencies = st.sampled_from([0, 0, 0.001, 0.004])


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(0, 6), latencies), max_size=7),
    st.sampled_from([1, 2, 3, 8]),
    st.sampled_from([1, 3, 20, 1 << 20]),
    st.booleans(),
)
def test_results_come_in_order(
    parts: list[tuple[int, float]], n_threads: int, room: int, is_remote: bool
) -> None:
    """However long each takes, and however little may wait."""
    names = [[f"{i}.{k}" for k in range(n)] for i, (n, _) in enumerate(parts)]
    segments = [
        segment(part, seconds, is_remote=is_remote)
        for part, (_, seconds) in zip(names, parts, strict=True)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharing, "AHEAD", room)
        patch.setattr(sharing, "LEAST_AHEAD", room)
        reading = SharedReading(worked, n_threads, Readers(n_threads, 8), Stop(), size_of=len)
        assert list(reading.results(segments, NullTexts())) == list(chain.from_iterable(names))


def test_few_results_wait_and_their_readers_help_the_first_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A first file that is large would be worked on by one thread while the others wait."""
    monkeypatch.setattr(sharing, "AHEAD", 50)
    n_ahead = 0
    working: dict[str, set[int]] = {"a": set(), "b": set()}

    def work(chunk: Chunk) -> str:
        nonlocal n_ahead
        name = bytes(chunk.data).decode()
        working[name].add(threading.get_ident())
        n_ahead += name == "b" and not is_done.is_set()
        time.sleep(0.003)
        return name

    is_done = threading.Event()
    segments = [segment(["a"] * 60), *(segment(["b"] * 60) for _ in range(3))]
    reading = SharedReading(work, 4, Readers(4, 8), Stop(), size_of=lambda _: 10)
    found = []
    for name in reading.results(segments, NullTexts()):
        found.append(name)
        if found.count("a") == 60:
            is_done.set()
    assert found == ["a"] * 60 + ["b"] * 180
    assert n_ahead <= 5 + 2 * 3  # which the three others had begun when there was no more room
    assert len(working["a"]) > 1


@pytest.mark.parametrize("n_threads", [1, 2, 8])
def test_all_before_the_first_error_comes(n_threads: int) -> None:
    """By the order of the segments, not of time; and nothing after it."""
    segments = [
        segment(["a", "b"], 0.002),
        segment(["c", "d"], 0.002, ValueError("first")),
        segment([], 0, ValueError("second")),
        segment(["e"]),
    ]
    n_before = threading.active_count()
    reading = SharedReading(worked, n_threads, Readers(n_threads, 8), Stop())
    found = []

    def read() -> None:
        for name in reading.results(segments, NullTexts()):
            found.append(name)  # kept when it fails

    with pytest.raises(ValueError, match="first"):
        read()
    assert found == ["a", "b", "c", "d"]
    assert threading.active_count() == n_before


@pytest.mark.parametrize("n_threads", [1, 2, 8])
def test_what_is_no_exception_ends_the_reading_too(n_threads: int) -> None:
    """Such as what Rust raises when it panics: a segment would seem to end there."""

    class Panic(BaseException):
        pass

    for segments in (
        [segment(["a", "b"], 0, Panic()), segment(["c"])],
        [segment(["a"]), segment(["b"], 0, Panic())],
        [segment(["a", "b"], 0, Panic())],
    ):
        reading = SharedReading(worked, n_threads, Readers(n_threads, 8), Stop())
        with pytest.raises(Panic):
            list(reading.results(segments, NullTexts()))


def test_the_first_of_two_errors_in_a_segment_is_raised() -> None:
    """Though the chunks are worked on at the same time."""
    both = threading.Barrier(2)

    def work(chunk: Chunk) -> str:
        if chunk.data in (b"a", b"b"):
            both.wait(60)
        raise ValueError(bytes(chunk.data))

    for reading in (SharedReading(work, 3, Readers(3, 8), Stop()) for _ in range(9)):
        with pytest.raises(ValueError, match="b'a'"):
            list(reading.results([segment(["a", "b", "c", "d"])], NullTexts()))


@pytest.mark.parametrize("n_before", [0, 1, 2, 5])
def test_a_segment_before_those_that_cannot_be_found_fails_first(n_before: int) -> None:
    """As one does of a file whose parts are not there to be found."""

    def segments() -> Iterator[Segment]:
        yield from (segment(["a", "b"]) for _ in range(n_before - 1))
        if n_before:
            yield segment(["c"], 0.01, ValueError("first"))
        raise ValueError("second")

    reading = SharedReading(worked, 2, Readers(2, 8), Stop())
    with pytest.raises(ValueError, match="first" if n_before else "second"):
        list(reading.results(segments(), NullTexts()))


@pytest.mark.parametrize("n_threads", [1, 3])
def test_who_wants_no_more_waits_for_nothing(
    n_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the disk is full: threads end that wait for room, and that read."""
    monkeypatch.setattr(sharing, "AHEAD", 2)
    monkeypatch.setattr(sharing, "LEAST_AHEAD", 2)
    segments = [segment(repeat("a"), 0.01) for _ in range(5)]  # none of which ever ends
    n_before = threading.active_count()
    stop = Stop()
    reading = SharedReading(worked, n_threads, Readers(n_threads, 8), stop, size_of=len)
    with closing(reading.results(segments, NullTexts())) as results:
        assert next(results) == "a"
        time.sleep(0.1)
    assert stop.is_set()
    assert threading.active_count() == n_before


def test_segments_are_asked_for_when_there_is_a_reader_for_them() -> None:
    """Each may hold a file open."""
    n_open = most = 0

    def items(_: NullTexts) -> Items:
        nonlocal n_open, most
        n_open += 1
        most = max(most, n_open)
        time.sleep(0.005)
        yield Chunk(b"a", np.array([1]), [])
        n_open -= 1

    def segments() -> Iterator[Segment]:
        for _ in range(20):
            yield Segment(items)

    reading = SharedReading(worked, 2, Readers(2, 8), Stop())
    assert list(reading.results(segments(), NullTexts())) == ["a"] * 20
    assert most == 2
