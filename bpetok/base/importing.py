"""Imports that end whole, whatever comes meanwhile: Ctrl-C, a fork.

An import that Ctrl-C ends leaves modules half made, and no later import mends them: NumPy then
fails for the rest of the process. And a child that is forked while another thread imports would
wait for ever for that thread, which it does not have.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib import import_module
from types import FrameType
from typing import Any

from bpetok.base.collector import without_collector
from bpetok.base.forking import hold_while_forking, let_forks_wait

_lock = threading.RLock()
"""Held while something is imported or compiled; a fork waits for it."""


hold_while_forking(_lock)


@cache
def _wait_before_logging() -> None:
    """Let a fork wait for `_lock` before it takes the lock of logging.

    What was registered last for a fork runs first, and logging registers, too. If a fork took its
    lock first, an import that makes a logger meanwhile, and the fork, would wait for each other.
    """
    import logging  # noqa: F401

    let_forks_wait()
    hold_while_forking(_lock)


def import_whole(name: str, *, makes_loggers: bool = True) -> Any:
    """Return a module, imported without a break.

    `makes_loggers` tells whether it may import logging, or something that does.
    """
    with whole(makes_loggers=makes_loggers), without_collector():
        return import_module(name)


@contextmanager
def whole(*, makes_loggers: bool = True) -> Iterator[None]:
    """Let forks and the handlers of signals wait until the block ends; see `import_whole`."""
    if makes_loggers:
        _wait_before_logging()
    with _lock, _signals_deferred():
        yield


@contextmanager
def _signals_deferred() -> Iterator[None]:
    """Call handlers of signals, such as the one that raises KeyboardInterrupt, after the block.

    Python calls them in the main thread only, between any two of its steps.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with ExitStack() as to_raise, ExitStack() as to_restore:  # the last is left first

        def note(number: int, _: FrameType | None) -> None:
            to_raise.callback(signal.raise_signal, number)

        for number in signal.valid_signals():
            handler = signal.getsignal(number)
            if callable(handler):
                to_restore.callback(signal.signal, number, handler)
                signal.signal(number, note)
        yield
