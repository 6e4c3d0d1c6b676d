"""Threads that work beside the caller's, and with it."""

import threading
from collections.abc import Callable

import pytest

from bpetok.base.threads import ThreadPool, map_threads, map_with_caller
from processes import run_python


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


def test_work_goes_on_when_the_main_thread_has_ended() -> None:
    """Python waits for threads that are no daemons; ThreadPoolExecutor takes nothing from them."""
    out = run_python(
        """
    import bpetok, threading, time
    def work():
        threading.main_thread().join()
        time.sleep(0.1)  # Python has begun to end
        texts = ["low lower lowest %d " % i * 10_000 for i in range(40)]
        tok = bpetok.train_from_iterator(texts, vocab_size=300, n_threads=2)
        print(tok.vocab_size, tok.encode_batch(texts, n_threads=2) == list(map(tok.encode, texts)))
    threading.Thread(target=work).start()
    """
    )
    assert out == "300 True\n"


def test_what_fails_leaves_no_thread() -> None:
    """They are waited for: Python dies now and then when one imports while it ends."""
    before = threading.enumerate()
    with pytest.raises(ZeroDivisionError):
        list(map_threads(lambda i: 1 // (i - 3), range(9), 2))
    assert threading.enumerate() == before


def test_python_ends_though_an_error_keeps_a_generator_alive() -> None:
    """Whose threads must not wait for more work: Python waits for all threads."""
    out = run_python(
        """
    from bpetok.base.threads import map_threads
    kept = map_threads(str, range(9), 2)
    print(next(kept))
    """,
        timeout=20,
    )
    assert out == "0\n"


def test_a_task_that_is_cancelled_is_not_begun() -> None:
    """And the thread takes the next one."""
    gate = threading.Event()
    with ThreadPool(1) as pool:
        first = pool.submit(gate.wait, 10)
        second = pool.submit(print, "never")
        third = pool.submit(int, "3")
        assert second.cancel()
        gate.set()
        assert (first.result(), third.result()) == (True, 3)
