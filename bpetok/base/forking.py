"""Forks wait for imports and first uses that bpetok has begun in other threads, and for its locks.

A child has the thread that forked only. A module that another one was importing stays locked in it,
so who imports that module there waits for ever. This holds for each import in a function, too, so
it is not left to those who write one: what other threads are doing is looked at.

Between that look and the fork no other thread may go on. Python takes the GIL from a thread that
has had it for some milliseconds, so a fork looks when it has just got it: after a pause, if another
thread is in bpetok, where it could begin to import.
"""

from __future__ import annotations

import os
import sys
from _imp import lock_held
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
_imported_before: set[str] = set()
"""Those of them that were there before bpetok. What was registered last for a fork runs first: it
takes their locks when `_before_fork` has ended, and those of the others before it begins."""

_locks: list[RLock] = []
"""In the order in which every fork takes them, so that no two forks wait for each other."""
_held: list[RLock] = []
"""Those that a fork holds until it is made. They are of one thread: no other can have the first. If
a handler of a signal forks between that and the fork itself, they are released too early."""
first_uses: dict[object, int] = {}
"""The threads that use something of a library for the first time: see `importing.first_use`."""
_take, _give = methodcaller("acquire", timeout=0.1), methodcaller("release")
_try, _wait_for = methodcaller("acquire", False), methodcaller("acquire")


class _Released:
    """Releases locks, whenever it is iterated over, and yields nothing."""

    __iter__ = staticmethod(partial(filter, _give, _held))  # `release` returns None


# Nothing in it is written in Python: Ctrl-C that has come inside of fork(2) would be raised in its
# first line, be ignored there, and all would stay taken.
_after_fork = partial(_held.__setitem__, slice(None), _Released())


def let_forks_wait() -> None:
    """Let forks wait for imports and locks, before they do what was registered earlier."""
    if hasattr(os, "register_at_fork"):
        _imported_before.update(_locks_of_python())
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
    there = _locks_of_python()
    theirs = [lock for n, lock in there.items() if n not in _imported_before and _is_taken(lock)]
    held = [*theirs]
    is_interrupted = False
    try:
        while True:
            try:
                held[:] = filter(_give, held)
                _wait(theirs, held)
                # All of ours, in one call: see `_wait`.
                _held.extend(map(held.pop, repeat(0, len(held) - len(theirs))))
                break
            except KeyboardInterrupt:  # Python would ignore it here, with a line on stderr
                is_interrupted = True
    except BaseException:  # that of another signal's handler, which it tells of there
        held[:] = filter(_give, held)
        held.extend(filter(_wait_for, theirs))
        raise
    if is_interrupted:
        start_new_thread(_interrupt, (get_ident(),))
    # What is registered while a fork waits is called after it, and not before: Python would release
    # what was not taken, with a line on stderr, too.
    for name, lock in _locks_of_python().items():
        if name not in there and not getattr(sys.modules[name].__spec__, "_initializing", True):
            lock.acquire()


def _wait(theirs: list[Any], held: list[Any]) -> None:
    """Take all locks at a time when nothing is imported or used for the first time.

    What is imported may need one of them, or of `theirs`, which Python had taken for this fork.
    Those are taken last, so that nobody waits for them while this waits for ours; and in any case,
    since Python releases them.
    """
    n_modules, end = 0, 0.0
    end_of_uses = monotonic() + LONGEST_USE
    has_paused = False
    while True:
        # In one call, which a signal can't end between a lock that is taken and its place in the
        # list: it would never be released. A lock that is not free for a while is not waited for.
        locks = [*_locks, *theirs]
        held.extend(takewhile(_take, locks))
        frames = sys._current_frames()
        frames.pop(get_ident())
        doing = {*map(_doing, frames.values())}
        if _IMPORTS in doing:
            if len(sys.modules) != n_modules:
                n_modules, end = len(sys.modules), monotonic() + LONGEST
            elif monotonic() > end:
                held[:] = filter(_give, held)  # who has theirs may wait for one of ours
                held.extend(filter(_wait_for, theirs))
                return
        elif len(held) == len(locks):
            may_begin = _IS_IN in doing and not has_paused
            is_used = monotonic() < end_of_uses and (
                lock_held() or bool({*first_uses.values()} - {get_ident()})
            )
            if not (may_begin or is_used or _would_wait(theirs)):
                return
        held[:] = filter(_give, held)  # all, and none is kept
        sleep(_STEP)
        has_paused = True


def _locks_of_python() -> dict[str, Any]:
    """Return the locks of those modules that are imported."""
    modules = {name: sys.modules.get(name) for name in _LOCKS_OF_PYTHON}
    return {
        name: getattr(module, _LOCKS_OF_PYTHON[name])
        for name, module in modules.items()
        if hasattr(module, _LOCKS_OF_PYTHON[name])
    }


def _is_taken(lock: Any) -> bool:
    """Tell whether this thread has a lock; for one that does not know, whether any thread has."""
    return bool(lock._is_owned() if hasattr(lock, "_is_owned") else lock.locked())


def _would_wait(theirs: list[Any]) -> bool:
    """Tell whether Python would wait for a lock, and give the GIL away after this fork's look.

    Who has that lock may wait for one of ours, so it is not taken before, however long it takes.
    """
    locks = [lock for lock in _locks_of_python().values() if lock not in theirs]
    return len([*map(_give, filter(_try, locks))]) < len(locks)  # in one call, see above


def _interrupt(thread: int) -> None:
    """Send the main thread Ctrl-C again, when nothing that is called after a fork is left."""
    import signal

    while _held:
        sleep(_STEP)
    sleep(0.05)
    signal.pthread_kill(thread, signal.SIGINT)


_IMPORTS, _IS_IN = "imports", "is in bpetok"
_FIND_AND_LOAD = getattr(vars(_bootstrap).get("_find_and_load"), "__code__", None)
"""What imports a module that is not there yet, whose name is in its variable ``name``. Private, but
the same from Python 3.10 to 3.14."""


def _doing(frame: FrameType | None) -> str | None:
    """Tell whether a thread imports because bpetok does, or a part of it, or is in bpetok at all.

    bpetok that is called by what others import is not what imports.
    """
    doing = None
    imports = False
    while frame is not None:
        if frame.f_globals is vars(_bootstrap):
            if frame.f_code is _FIND_AND_LOAD and _is_ours(frame.f_locals["name"]):
                return _IMPORTS
            imports = True
        elif _is_ours(str(frame.f_globals.get("__name__"))):
            if imports:
                return _IMPORTS
            doing = _IS_IN
        frame = frame.f_back
    return doing


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == "bpetok"
