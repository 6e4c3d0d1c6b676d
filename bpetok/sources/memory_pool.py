"""Where pyarrow takes memory from for what is read here, and when it lets go of it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from bpetok.base.importing import first_use

if TYPE_CHECKING:
    import pyarrow as pa

RELEASED = 1 << 25
"""Bytes of batches after which a thread lets go of memory."""


class _Counted(threading.local):
    """Bytes of batches that this thread has had since it let go of memory."""

    n_bytes = 0


_counted = _Counted()


@cache
def memory_pool() -> Any:
    """Return pyarrow's pool for what is read here; that of all else stays as it is.

    pyarrow's own choice is mimalloc, which gives pages back to the system as soon as a thread has
    come to its end or lets go of memory: with two threads, Parquet took three times as many page
    faults. jemalloc keeps them for a second. Who has chosen a pool, in whatever way, gets that.
    """
    import pyarrow as pa

    pool = pa.default_memory_pool()
    is_chosen = "ARROW_DEFAULT_MEMORY_POOL" in os.environ or pool.backend_name != "mimalloc"
    if is_chosen or "jemalloc" not in pa.supported_memory_backends():
        return pool
    return pa.jemalloc_memory_pool()


def releasing(batches: Iterable[pa.RecordBatch], of: str) -> Iterator[pa.RecordBatch]:
    """Yield the same batches of a format; now and then, after one, let go of memory not in use.

    pyarrow would keep it from the system: on 100 to 180 MB of text that is 40 to 100 MB. After each
    few megabytes it took a tenth of the time of counting, since memory that the system gives anew
    is cleared first. jemalloc does it by itself.
    """
    by_itself = memory_pool().backend_name == "jemalloc"
    rest = iter(batches)
    while True:
        with first_use(f"batches of {of}"):
            batch = next(rest, None)
        if batch is None:
            return
        _counted.n_bytes += batch.get_total_buffer_size()
        yield batch
        del batch
        if _counted.n_bytes >= RELEASED and not by_itself:
            release_memory()


def release_memory() -> None:
    """Let the system have the memory that pyarrow no longer uses, if pyarrow is there at all."""
    _counted.n_bytes = 0
    if "pyarrow" in sys.modules:
        import pyarrow as pa

        for pool in {id(pool): pool for pool in (memory_pool(), pa.default_memory_pool())}.values():
            pool.release_unused()
