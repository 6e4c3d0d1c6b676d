"""Forks wait for imports and first uses that bpetok has begun in other threads, and for its locks.

A child has the thread that forked only. A module that another one was importing stays locked in it,
so who imports that module there waits for ever. This holds for each import in a function, too, so
it is not left to those who write one: what Python's import knows of its locks is looked at.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock, get_ident, start_new_thread  # threading takes a millisecond
from functools import partial
from importlib import _bootstrap  # Python's import itself
from itertools import repeat, takewhile
from operator import methodcaller
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

LONGEST = 30.0
"""Seconds without a new module after which a fork goes on: the thread that imports may wait for
something that the one that forks has. An import may take as long on a machine that is slow."""
LONGEST_USE = 1.0
"""Seconds for which a fork waits for a first use: what is made then takes milliseconds, but who
reads for the first time may wait for a network."""
_STEP = 0.0005

_LOCKS_OF_PYTHON = {"logging": "_lock", "concurrent.futures.thread": "_global_shutdown_lock"}
"""Modules, each with a lock that it lets forks take and release once it is imported."""

_locks: list[RLock] = []
"""In the order in which every fork takes them, so that no two forks wait for each other."""
_held: list[RLock] = []
"""Those that a fork holds until it is made. They are of one thread: no other can have the first. If
a handler of a signal forks between that and the fork itself, they are released too early."""
first_uses: dict[object, int] = {}
"""The threads that use something of a library for the first time: see `importing.first_use`."""
_take, _give = methodcaller("acquire", timeout=0.1), methodcaller("release")


class _Released:
    """Releases locks, whenever it is iterated over, and yields nothing."""

    __iter__ = staticmethod(partial(filter, _give, _held))  # `release` returns None


# Nothing in it is written in Python: Ctrl-C that has come inside of fork(2) would be raised in its
# first line, be ignored there, and all would stay taken.
_after_fork = partial(_held.__setitem__, slice(None), _Released())


def let_forks_wait() -> None:
    """Let forks wait for imports and locks, before they do what was registered earlier."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork
        )
        os.register_at_fork(after_in_child=first_uses.clear)


def hold_while_forking(lock: RLock) -> None:
    """Let forks wait for a lock, which the thread that forks holds until it has.

    A handler of a signal may fork where its thread has the lock: it must be one for that.
    """
    _locks.append(lock)


def _before_fork() -> None:
    later = [n for n, lock in _LOCKS_OF_PYTHON.items() if not hasattr(sys.modules.get(n), lock)]
    held: list[RLock] = []
    is_interrupted = False
    try:
        while True:
            try:
                _wait(held)
                _held.extend(map(held.pop, repeat(0, len(held))))  # all, in one call: see `_wait`
                break
            except KeyboardInterrupt:  # Python would ignore it here, with a line on stderr
                is_interrupted = True
    except BaseException:  # that of another signal's handler, which it tells of there
        held[:] = filter(_give, held)
        raise
    if is_interrupted:
        start_new_thread(_interrupt, (get_ident(),))
    # What is registered while a fork waits is called after it, and not before: Python would release
    # what was not taken, with a line on stderr, too.
    for name in later:
        module = sys.modules.get(name)
        if module is not None and not getattr(module.__spec__, "_initializing", True):
            getattr(module, _LOCKS_OF_PYTHON[name]).acquire()


def _wait(held: list[RLock]) -> None:
    """Take all locks at a time when nothing is imported or used for the first time.

    What is imported may need one of them.
    """
    n_modules, end = 0, 0.0
    end_of_uses = monotonic() + LONGEST_USE
    while True:
        # In one call, which a signal can't end between a lock that is taken and its place in the
        # list: it would never be released. A lock that is not free for a while is not waited for.
        held.extend(takewhile(_take, _locks[len(held) :]))
        # Once for a fork, although it calls this twice: what it holds already lets no use begin.
        waits = not _held and monotonic() < end_of_uses
        if not (_are_importing() or (waits and {*first_uses.values()} - {get_ident()})):
            if len(held) == len(_locks):
                return
        elif len(sys.modules) != n_modules:
            n_modules, end = len(sys.modules), monotonic() + LONGEST
        elif monotonic() > end:
            return
        held[:] = filter(_give, held)  # all, and none is kept
        sleep(_STEP)


def _interrupt(thread: int) -> None:
    """Send the main thread Ctrl-C again, when nothing that is called after a fork is left."""
    import signal

    while _held:
        sleep(_STEP)
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
