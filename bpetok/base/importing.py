"""Imports that end whole, whatever comes meanwhile: Ctrl-C, a fork.

An import that Ctrl-C ends leaves modules half made, and no later import mends them: NumPy then
fails for the rest of the process. And a child that is forked while another thread imports would
wait for ever for that thread, which it does not have.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib import import_module
from types import FrameType
from typing import Any

from bpetok.base.collector import count_as_old, without_collector
from bpetok.base.forking import first_uses, hold_while_forking

_lock = threading.RLock()
"""Held while something is imported or compiled; a fork waits for it."""


hold_while_forking(_lock)

BLAS_THREADS = {"OPENBLAS_THREAD_TIMEOUT": "24"}
"""For NumPy's OpenBLAS, which reads it once and starts a thread for each CPU. These look for work
for so many cycles, as a power of 2, before they sleep: 6 ms. By default it is 26, and they take
CPUs that we count on: a process that trains on 1 MB takes 0.10 of 0.28 s of processor less, and is
6 % faster. Where a call of OpenBLAS follows another within these 6 ms, nothing changes."""


_imported: dict[str, Any] = {}
"""The modules that `import_whole` has returned."""


def import_whole(name: str) -> Any:
    """Return a module, imported without a break."""
    # Each file that is opened asks for some: to wait for locks and look at the handlers of signals
    # each time took half of the time of counting files of 50 kB.
    module = _imported.get(name)
    if module is not None and sys.modules.get(name) is module:
        return module
    with whole(), without_collector(), environment(BLAS_THREADS):
        is_new = name not in sys.modules
        module = import_module(name)
        if is_new:
            count_as_old()  # or all of it would be walked through at once, for 6 ms
        _imported[name] = module
        return module


@contextmanager
def environment(defaults: dict[str, str]) -> Iterator[None]:
    """Set environment variables that are not set, and unset them afterwards."""
    added = [name for name in defaults if name not in os.environ]
    os.environ.update({name: defaults[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


_used: set[str] = set()


@contextmanager
def first_use(what: str) -> Iterator[None]:
    """Let forks wait until something of a library was used for the first time.

    C++ makes what a function needs when it is first called, and memory pools when they are first
    asked: a child that is forked meanwhile would wait for ever. Of 540 that were forked while
    another thread began to read Parquet, and then read it, too, 6 hung.
    """
    if what in _used:
        yield
        return
    this = object()
    try:
        with _lock:  # a fork that is being made has it
            first_uses[this] = threading.get_ident()
        yield
        _used.add(what)
    finally:
        first_uses.pop(this, None)  # it is gone in a child


@contextmanager
def whole() -> Iterator[None]:
    """Let forks and the handlers of signals wait until the block ends; see `import_whole`."""
    with _lock, signals_deferred():
        yield


@contextmanager
def signals_deferred(numbers: Iterable[int] | None = None) -> Iterator[None]:
    """Call handlers of signals, such as the one that raises KeyboardInterrupt, after the block.

    Python calls them in the main thread only, between any two of its steps. `numbers` are those of
    the signals; all if it is None.
    """
    handlers = _handlers(_valid_signals() if numbers is None else numbers)
    is_inside = True

    def note(number: int, frame: FrameType | None) -> None:
        if is_inside:
            # Not raised again: `signal.set_wakeup_fd` would tell of it twice.
            to_call.callback(handlers[number], number, frame)
        else:
            handlers[number](number, frame)

    with ExitStack() as to_call:
        try:
            with ExitStack() as to_restore:
                for number, handler in handlers.items():
                    to_restore.callback(signal.signal, number, handler)
                    signal.signal(number, note)
                yield
        finally:
            is_inside = False
            # A handler that was there again may have raised something before all others were.
            for number, handler in handlers.items():
                if signal.getsignal(number) is note:
                    signal.signal(number, handler)


@cache
def _valid_signals() -> list[int]:
    """Return the numbers of all signals of this system; to ask each time takes 0.06 ms."""
    return [int(number) for number in signal.valid_signals()]


def _handlers(numbers: Iterable[int]) -> dict[int, Callable[[int, FrameType | None], Any]]:
    """Return Python's handlers of signals, in the main thread; none in others."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    found = {number: signal.getsignal(number) for number in numbers}
    handlers = {number: handler for number, handler in found.items() if callable(handler)}
    try:
        for number in [*handlers][:1]:
            signal.signal(number, handlers[number])
    except ValueError:  # before Python 3.13 threading takes the thread that first imports it
        return {}
    return handlers
