"""Forks wait for imports that bpetok has begun in other threads.

A child has the thread that forked only. A module that another one was importing stays locked in it,
so who imports that module there waits for ever. This holds for each import in a function, too, so
it is not left to those who write one: what Python's import knows of its locks is looked at.
"""

from __future__ import annotations

import os
import sys
from _thread import get_ident  # threading takes a millisecond
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from types import FrameType

LONGEST = 10.0
"""Seconds after which a fork goes on: the other thread may wait for something that this one has."""
_STEP = 0.0005


def let_forks_wait() -> None:
    """Let forks wait for imports of other threads, before they do what was registered earlier."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_wait_for_imports)


def hold_while_forking(lock: AbstractContextManager[Any]) -> None:
    """Let forks wait for a lock, which the thread that forks holds until it has.

    What is registered while a fork waits is called after it, and not before: then there is nothing
    to release.
    """
    held: list[object] = []

    def acquire() -> None:
        lock.__enter__()
        held.append(lock)

    def release() -> None:
        if held:
            held.pop()
            lock.__exit__(None, None, None)

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=acquire, after_in_parent=release, after_in_child=release)


def _wait_for_imports() -> None:
    end = monotonic() + LONGEST
    while _are_importing() and monotonic() < end:
        sleep(_STEP)


def _are_importing() -> bool:
    """Tell whether another thread imports something because bpetok does, or a part of bpetok."""
    # Private, but the same from Python 3.10 to 3.14: name of a module -> weak reference to its
    # lock, which knows the thread that has it. Where it is another one day, no fork waits.
    locks: dict[str, Any] = getattr(sys.modules["_frozen_importlib"], "_module_locks", {})
    owners = {name: getattr(lock(), "owner", None) for name, lock in locks.copy().items()}
    others = {name: owner for name, owner in owners.items() if owner not in (None, get_ident())}
    if not others:
        return False
    frames = sys._current_frames()
    return any(_is_ours(name) or _is_in_ours(frames.get(others[name])) for name in others)


def _is_in_ours(frame: FrameType | None) -> bool:
    while frame is not None:
        if _is_ours(str(frame.f_globals.get("__name__"))):
            return True
        frame = frame.f_back
    return False


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == "bpetok"
