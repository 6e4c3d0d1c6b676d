"""Python's garbage collector."""

from __future__ import annotations

import gc
import os
from _thread import get_ident
from collections.abc import Iterator
from contextlib import contextmanager

_threads: list[int] = []
"""Those in which it is off for now."""


@contextmanager
def without_collector() -> Iterator[None]:
    """Leave cyclic garbage alone while many objects are made that live on.

    It walks through all of them again and again: an eighth of the time of compiling, a third of
    that of reading a large JSON file, a tenth of that of the imports of a training.
    """
    if not gc.isenabled():
        yield
        return
    _threads.append(get_ident())
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        _threads.remove(get_ident())


def count_as_old() -> None:
    """Let the collector take all objects for old, so that it leaves them alone for long.

    What becomes garbage later is then found later. So not for what is done again and again.
    """
    if gc.get_freeze_count() == 0:  # those that somebody has frozen stay so
        gc.freeze()
        gc.unfreeze()


def _after_fork_in_child() -> None:
    """Turn it on again, where a thread would that the child does not have."""
    own = [thread for thread in _threads if thread == get_ident()]
    if _threads and not own:
        gc.enable()
    _threads[:] = own


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
