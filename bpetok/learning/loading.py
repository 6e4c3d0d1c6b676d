"""The kernels, ready to be called, from any thread and after a fork.

Those of one shard come with the package. Those for several threads are Numba's, which loads or,
the first time, compiles them: all of it whole (`bpetok.base.importing`), since a half imported
Numba, or a lock of the compiler's that a forked child inherits, would break what comes later.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bpetok.base.collector import without_collector
from bpetok.base.forking import hold_while_forking
from bpetok.base.importing import environment, whole
from bpetok.base.records import NamedTuple
from bpetok.base.timing import stage

_parallel_lock = threading.RLock()
"""Held while a parallel kernel runs: Numba's workqueue aborts when two threads enter it."""
_is_forked_child = False


def _after_fork_in_child() -> None:
    """Learn on one thread from now on: OpenMP kills the child of a process that has used it."""
    global _is_forked_child
    _is_forked_child = True


hold_while_forking(_parallel_lock)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


class Kernels(NamedTuple):
    """The kernels that work on one shard; see those of the same names in ``kernels.py``."""

    index_pairs_shard: Callable[..., object]
    apply_shard: Callable[..., object]
    apply_languages_shard: Callable[..., object]


def _load_kernels() -> Kernels:
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        from bpetok.learning import kernels

        return Kernels(*(getattr(kernels, name) for name in Kernels._fields))
    from bpetok.learning import machine_code

    return Kernels(*(getattr(machine_code, name) for name in Kernels._fields))


KERNELS = _load_kernels()
"""As they were compiled; in Python with the environment variable NUMBA_DISABLE_JIT."""


PARALLEL_KERNELS = ("index_pairs", "apply")


def load_parallel_kernels(progress: Callable[[int, int], object] = lambda *_: None) -> None:
    """Import Numba, and load or compile the kernels that work on all shards.

    Parameters
    ----------
    progress : callable
        Called with the number of kernels that are there by now, and that of all.
    """
    for i, name in enumerate(PARALLEL_KERNELS):
        progress(i, len(PARALLEL_KERNELS))
        with stage("load"), whole(), without_collector():
            _load_parallel(name)
    progress(len(PARALLEL_KERNELS), len(PARALLEL_KERNELS))


def _load_parallel(name: str) -> None:
    from bpetok.learning import kernels
    from bpetok.learning.signatures import argument_types

    kernel = getattr(kernels, name)
    if hasattr(kernel, "compile") and not kernel.overloads:  # no Python function, and not there yet
        kernel.compile(tuple(argument_types(kernel)))


def may_share() -> bool:
    """Tell whether parallel kernels may be used in this process."""
    return not _is_forked_child


def run_parallel(name: str, *args: object) -> None:
    """Call a kernel on all shards. Requires: `numba_threads` is entered."""
    from bpetok.learning import kernels

    with _parallel_lock:
        getattr(kernels, name)(*args)


OMP_THREADS = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "2000"}
"""For OpenMP, which reads them once. By default its threads spin for 15 ms and more between rounds,
and where another process has the core each round takes ten times as long; where they sleep at
once, waking them takes as long as most rounds. 2,000 turns are about 0.1 ms."""


@contextmanager
def numba_threads(n: int) -> Iterator[None]:
    """Let parallel kernels of this thread use up to `n` threads; load them, if they are needed."""
    if n == 1 or _is_forked_child:
        yield
        return
    load_parallel_kernels()
    with whole(), environment(OMP_THREADS):
        import numba

        before = numba.get_num_threads()  # Numba starts its threads now
    numba.set_num_threads(min(n, numba.config.NUMBA_NUM_THREADS))
    try:
        yield
    finally:
        numba.set_num_threads(before)
