"""Forks wait for imports that bpetok has begun in other threads, and for locks of bpetok.

A child has the thread that forked only. A module that another one was importing stays locked in it,
so who imports that module there waits for ever. This holds for each import in a function, too, so
it is not left to those who write one: what Python's import knows of its locks is looked at.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock, get_ident, start_new_thread  # threading takes a millisecond
from importlib import _bootstrap  # Python's import itself
from itertools import takewhile
from operator import methodcaller
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

LONGEST = 30.0
"""Seconds without a new module after which a fork goes on: the thread that imports may wait for
something that the one that forks has. An import may take as long on a machine that is slow."""
_STEP = 0.0005

_LOCKS_OF_PYTHON = {"logging": "_lock", "concurrent.futures.thread": "_global_shutdown_lock"}
"""Modules, each with a lock that it lets forks take and release once it is imported."""

_locks: list[RLock] = []
"""In the order in which every fork takes them, so that no two forks wait for each other."""
_held: dict[int, list[list[RLock]]] = {}
"""Those that forks have taken, of each thread that forks. There may be several: the handler of a
signal may fork while another fork waits."""
_take, _give = methodcaller("acquire", timeout=0.1), methodcaller("release")
_interrupted: set[int] = set()
"""The threads in whose fork Ctrl-C has come."""


def let_forks_wait() -> None:
    """Let forks wait for imports and locks, before they do what was registered earlier."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child
        )


def hold_while_forking(lock: RLock) -> None:
    """Let forks wait for a lock, which the thread that forks holds until it has.

    A handler of a signal may fork where its thread has the lock: it must be one for that.
    """
    _locks.append(lock)


def _before_fork() -> None:
    later = [n for n, lock in _LOCKS_OF_PYTHON.items() if not hasattr(sys.modules.get(n), lock)]
    held: list[RLock] = []
    _held.setdefault(get_ident(), []).append(held)
    while True:
        try:
            _wait(held)
            break
        except KeyboardInterrupt:  # Python would ignore it here, with a line on stderr
            _interrupted.add(get_ident())
    # What is registered while a fork waits is called after it, and not before: Python would release
    # what was not taken, with a line on stderr, too.
    for name in later:
        module = sys.modules.get(name)
        if module is not None and not getattr(module.__spec__, "_initializing", True):
            getattr(module, _LOCKS_OF_PYTHON[name]).acquire()


def _wait(held: list[RLock]) -> None:
    """Take all locks at a time when nothing is imported; what is imported may need one of them."""
    n_modules, end = 0, 0.0
    while True:
        # In one call, which a signal can't end between a lock that is taken and its place in the
        # list: it would never be released. A lock that is not free for a while is not waited for.
        held.extend(takewhile(_take, _locks[len(held) :]))
        if not _are_importing():
            if len(held) == len(_locks):
                return
        elif len(sys.modules) != n_modules:
            n_modules, end = len(sys.modules), monotonic() + LONGEST
        elif monotonic() > end:
            return
        _release(held)
        sleep(_STEP)


def _release(held: list[RLock]) -> None:
    held[:] = filter(_give, held)  # all, and none is kept, since `release` returns None: as above


def _release_last() -> None:
    """Release what the fork that has just been made has taken."""
    forks = _held.get(get_ident(), [])
    if forks:  # what is registered while a fork waits is called once more after it than before it
        _release(forks.pop())
    if not forks:
        _held.pop(get_ident(), None)


def _after_in_parent() -> None:
    _release_last()
    if get_ident() in _interrupted:
        _interrupted.discard(get_ident())
        start_new_thread(_interrupt, (get_ident(),))


def _after_in_child() -> None:
    _release_last()
    _interrupted.clear()


def _interrupt(thread: int) -> None:
    """Send the main thread Ctrl-C again, when nothing that is called after a fork is left."""
    import signal

    sleep(0.05)
    signal.pthread_kill(thread, signal.SIGINT)


def _are_importing() -> bool:
    """Tell whether another thread imports something because bpetok does, or a part of bpetok."""
    # Private, but the same from Python 3.10 to 3.14: name of a module -> weak reference to its
    # lock, which knows the thread that has it. Where it is another one day, no fork waits.
    locks: dict[str, Any] = getattr(_bootstrap, "_module_locks", {})
    owners = {name: getattr(lock(), "owner", None) for name, lock in locks.copy().items()}
    others = {name: owner for name, owner in owners.items() if owner not in (None, get_ident())}
    if not others:
        return False
    frames = sys._current_frames()
    return any(_is_ours(name) or _imports_for_us(frames.get(others[name])) for name in others)


def _imports_for_us(frame: FrameType | None) -> bool:
    """Tell whether an import was called in bpetok, and not bpetok in an import of others."""
    imports = False
    while frame is not None:
        if frame.f_globals is vars(_bootstrap):
            imports = True
        elif imports and _is_ours(str(frame.f_globals.get("__name__"))):
            return True
        frame = frame.f_back
    return False


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == "bpetok"
