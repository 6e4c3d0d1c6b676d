"""Threads that work next to the caller's, and with it."""

import gc
import signal
import threading
import weakref

import pytest

from bpetok.base.threads import Task, ThreadPool, map_threads
from processes import run_python


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


def test_ctrl_c_while_a_thread_begins_waits_until_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a lock that it needs could stay taken, and Python would wait for it for ever."""
    start = threading.Thread.start
    begun: list[threading.Thread] = []

    def interrupted(thread: threading.Thread) -> None:
        signal.raise_signal(signal.SIGINT)
        start(thread)
        begun.append(thread)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt), ThreadPool(1) as pool:
        pool.submit(len, "low")
    assert len(begun) == 1
    assert not begun[0].is_alive()


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


def test_a_task_that_is_taken_is_not_begun() -> None:
    """And the thread takes the next one."""
    gate = threading.Event()
    with ThreadPool(1) as pool:
        first = pool.submit(gate.wait, 10)
        second = pool.submit(print, "never")
        third = pool.submit(int, "3")
        assert second.take()
        gate.set()
        assert (first.result(), third.result()) == (True, 3)


def test_an_error_does_not_keep_what_its_task_held() -> None:
    """Until Python's collector comes: it may be a chunk of megabytes."""

    class Large:
        pass

    def fail(_: Large) -> None:
        raise ValueError("no use")

    def run(given: Large) -> None:
        task = Task(fail, given)
        task.run()
        task.result()

    large = Large()
    kept = weakref.ref(large)
    gc.disable()
    try:
        with pytest.raises(ValueError, match="no use"):
            run(large)
        del large
        assert kept() is None
    finally:
        gc.enable()
