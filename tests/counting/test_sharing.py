"""Segments are read and counted by several threads, with the result of one."""

import threading
import time
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bpetok
from bpetok.base.threads import Stop
from bpetok.counting import sharing
from bpetok.counting.chunks import count_segments
from bpetok.counting.memory import RareWords
from bpetok.counting.options import check_count_options
from bpetok.sources.pieces import Chunk, Piece
from bpetok.sources.reading import NullTexts
from bpetok.sources.segments import Items, Segment
from bpetok.sources.sharing import Readers


def segment(
    texts: list[str], seconds: float = 0, n_null: int = 0, *, is_remote: bool = False
) -> Segment:
    """Return one whose reader sleeps before each text, which is a chunk."""

    def items(null_texts: NullTexts) -> Items:
        null_texts.n_null += n_null
        for text in texts:
            time.sleep(seconds)
            data = text.encode()
            yield Chunk(data, np.array([len(data)]), [])

    return Segment(items, is_remote=is_remote)


def count(segments: list[Segment], n_threads: int) -> tuple[bpetok.Words, NullTexts, list[int]]:
    null_texts, reports = NullTexts(), list[int]()
    options = check_count_options("gpt2", (), n_threads, "strict")
    readers = Readers(n_threads, 8)
    words = count_segments(
        iter(segments), options, RareWords(), null_texts, readers, Stop(), reports.append
    )
    return words, null_texts, reports


latencies = st.sampled_from([0, 0, 0.001, 0.004])


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.lists(st.text("ab ", max_size=8), max_size=5), latencies), max_size=9),
    st.sampled_from([1, 2, 3, 8]),
    st.booleans(),
)
def test_threads_do_not_change_what_is_counted(
    parts: list[tuple[list[str], float]], n_threads: int, is_remote: bool
) -> None:
    """Whatever reading takes; nulls are added up, and what is reported only rises, to the end."""
    segments = [segment(texts, wait, n_null=1, is_remote=is_remote) for texts, wait in parts]
    words, null_texts, reports = count(segments, n_threads)
    all_texts = [text for texts, _ in parts for text in texts]
    expected = bpetok.count_words_from_iterator(all_texts)
    for name in ("ids", "offsets", "counts"):
        np.testing.assert_array_equal(getattr(words, name), getattr(expected, name))
    assert null_texts.n_null == len(parts)
    assert all(before < after for before, after in pairwise(reports))
    assert reports[-1:] == [sum(map(len, all_texts))] or not any(all_texts)


def meeting(readers: threading.Barrier, *, is_remote: bool = False) -> Segment:
    """Return a segment whose reader waits until as many others are being read."""

    def items(null_texts: NullTexts) -> Items:
        readers.wait(60)
        yield Chunk(b"a b", np.array([3]), [])

    return Segment(items, is_remote=is_remote)


@pytest.mark.parametrize("n_threads", [2, 16])
def test_threads_read_at_the_same_time(n_threads: int) -> None:
    """Each a segment; otherwise the first ones would wait for the others for ever."""
    readers = threading.Barrier(n_threads)
    words, _, _ = count([meeting(readers) for _ in range(2 * n_threads)], n_threads)
    assert words.total == 2 * 2 * n_threads


def test_objects_of_other_machines_are_read_at_the_same_time() -> None:
    """Also where one thread counts: eight, as `count` says."""
    readers = threading.Barrier(8)
    words, _, _ = count([meeting(readers, is_remote=True) for _ in range(16)], 1)
    assert words.total == 2 * 16


def failing(texts: list[str], error: Exception, seconds: float = 0) -> Segment:
    def items(null_texts: NullTexts) -> Items:
        yield from segment(texts, seconds).items(null_texts)
        raise error

    return Segment(items)


@pytest.mark.parametrize("n_threads", [1, 2, 8])
def test_the_first_thing_that_is_wrong_is_raised(n_threads: int) -> None:
    """By the order of the segments, not by when it is found; and nothing goes on after it."""
    begun = set()

    def noting(number: int) -> Segment:
        def items(null_texts: NullTexts) -> Items:
            begun.add(number)
            return segment(["a"], 0.005).items(null_texts)

        return Segment(items)

    first = failing(["a"] * 10, ValueError("first"), 0.005)
    second = failing([], ValueError("second"))
    n_before = threading.active_count()
    with pytest.raises(ValueError, match="first"):
        count([segment(["a"]), first, second, *map(noting, range(200))], n_threads)
    assert len(begun) < 100
    assert threading.active_count() == n_before


def test_what_is_wrong_in_an_earlier_chunk_is_raised_first() -> None:
    """Where another thread counts it while its reader reads on, and fails, too."""

    def items(_: NullTexts) -> Items:
        yield Piece("a.txt", 0, b"a" * sharing_size)
        yield Piece("a.txt", 7, b"\xff" + b"a" * sharing_size)
        raise ValueError("the end is damaged")

    sharing_size = 3 << 20
    for n_threads in (1, 2, 3):
        for segments in ([Segment(items)], [Segment(items), segment(["a"])]):
            with pytest.raises(ValueError, match=r"a\.txt is not UTF-8: byte 7 "):
                count(segments, n_threads)


def test_a_list_that_fails_after_a_segment_does_is_not_told() -> None:
    """The error of the segment comes first."""

    def segments() -> Iterator[Segment]:
        yield segment(["a"])
        yield failing([], ValueError("segment"), 0.01)
        raise ValueError("list")

    options = check_count_options("gpt2", (), 2, "strict")
    with pytest.raises(ValueError, match="segment"):
        count_segments(segments(), options, RareWords(), NullTexts(), Readers(2, 8), Stop())


def test_ctrl_c_ends_all_threads_soon() -> None:
    """While they read."""
    n_read = 0

    def items(_: NullTexts) -> Items:
        nonlocal n_read
        for _text in range(100):
            n_read += 1
            time.sleep(0.01)
            yield Chunk(b"a", np.array([1]), [])

    segments = [Segment(items) for _ in range(80)]
    options = check_count_options("gpt2", (), 4, "strict")
    n_before = threading.active_count()

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        count_segments(
            segments, options, RareWords(), NullTexts(), Readers(4, 8), Stop(), interrupt
        )
    assert n_read < 8_000
    assert threading.active_count() == n_before


def threads_that_count(segments: list[Segment], n_threads: int) -> set[int]:
    """Return the threads that count chunks, each of which takes a while."""
    counting = set()

    def noting(*args: object) -> None:
        counting.add(threading.get_ident())
        time.sleep(0.002)
        count_chunk(*args)  # type: ignore[arg-type]  # those of the call

    count_chunk = sharing.count_chunk
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharing, "count_chunk", noting)
        count(segments, n_threads)
    return counting


def test_a_long_segment_is_counted_by_threads_that_have_nothing_else_to_do() -> None:
    """The last file may be the longest."""
    assert len(threads_that_count([segment([]), segment([]), segment(["a"] * 50)], 3)) > 1


def test_the_caller_counts_when_the_others_have_enough_to_do() -> None:
    """If it reads; where there is one thread, that is the caller's."""
    assert threading.get_ident() in threads_that_count([segment(["a"] * 50)], 2)
    assert threads_that_count([segment(["a"] * 5)], 1) == {threading.get_ident()}
