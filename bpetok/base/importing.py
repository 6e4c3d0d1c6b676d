"""Imports that end whole, whatever comes meanwhile: Ctrl-C, a fork.

An import that Ctrl-C ends leaves modules half made, and no later import mends them: NumPy then
fails for the rest of the process. And a child that is forked while another thread imports would
wait for ever for that thread, which it does not have.
"""

from __future__ import annotations

import logging  # noqa: F401  # before forks are made to wait, see `_lock`
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from types import FrameType
from typing import Any

_lock = threading.RLock()
"""Held while something is imported or compiled; a fork waits for it. What is registered last for a
fork runs first: logging must come before this, or it would take the lock that an import waits for
when it makes a logger."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )


def import_whole(name: str) -> Any:
    """Return a module, imported without a break."""
    with whole():
        return import_module(name)


@contextmanager
def whole() -> Iterator[None]:
    """Let forks and the handlers of signals wait until the block ends."""
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
