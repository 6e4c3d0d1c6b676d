"""Threads that work beside the caller's, and with it."""

import threading
from collections.abc import Callable

import pytest

from bpetok.base.threads import map_with_caller


def slow_first(fails: set[int]) -> tuple[Callable[[int], int], dict[int, int]]:
    """Return a function whose first call ends in the third's, and the threads that call it."""
    third = threading.Event()
    threads: dict[int, int] = {}

    def square(i: int) -> int:
        threads[i] = threading.get_ident()
        if i == 2:
            third.set()
        elif i == 0:
            assert third.wait(10)
        if i in fails:
            raise ValueError(f"{i} fails")
        return i * i

    return square, threads


def test_the_caller_works_when_the_others_have_enough_to_do() -> None:
    """Results come in the order of the items all the same."""
    square, threads = slow_first(set())
    assert list(map_with_caller(square, range(9), 2, lambda: None)) == [i * i for i in range(9)]
    assert threads[2] == threading.get_ident() != threads[0] == threads[1]


def test_the_first_failure_is_raised_whichever_thread_it_is_in() -> None:
    """Not that of the caller's, which comes sooner; those who wait are told once."""
    square, _ = slow_first({0, 2})
    told: list[bool] = []
    with pytest.raises(ValueError, match="0 fails"):
        list(map_with_caller(square, range(9), 2, lambda: told.append(True)))
    assert told == [True]


def test_one_thread_is_the_callers() -> None:
    """There is no other one."""
    found = map_with_caller(lambda _: threading.get_ident(), range(3), 1, lambda: None)
    assert set(found) == {threading.get_ident()}
