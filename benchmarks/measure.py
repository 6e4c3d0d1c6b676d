"""One job in a fresh process, measured from outside."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.environments import failure_reason

WORKER = Path(__file__).with_name("worker.py")
SAMPLE_SECONDS = 0.02


class JobError(Exception):
    """The contender failed; the message is the reason."""


@dataclass(frozen=True)
class Measurement:
    """What one process cost, and what it answered.

    ``peak_bytes`` is the peak resident memory of the process and all its descendants: the larger of
    the kernel's own peak of the process itself (exact) and the sampled sum over the tree (pages
    shared between processes count in each).
    """

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    answer: dict[str, Any]


def thread_environment(n_threads: int) -> dict[str, str]:
    """Limit the thread pools that have no argument for it."""
    return {
        "RAYON_NUM_THREADS": str(n_threads),
        "OMP_NUM_THREADS": str(n_threads),
        "OPENBLAS_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "true" if n_threads > 1 else "false",
    }


def run_job(
    python: Path, spec: dict[str, Any], n_threads: int, kernels: Path | None, timeout: float
) -> Measurement:
    """Run the worker once and wait for it.

    Parameters
    ----------
    python : Path
        The contender's interpreter.
    spec : dict
        The job, see ``worker.py``.
    n_threads : int
        Threads the contender may use.
    kernels : Path or None
        Folder of compiled kernels, for a contender that has some.
    timeout : float
        Seconds after which the process is ended and the job fails.

    Raises
    ------
    JobError
        Where the process fails or takes too long.
    """
    environment = os.environ | thread_environment(n_threads)
    if kernels is not None:
        environment["NUMBA_CACHE_DIR"] = str(kernels)
    with tempfile.TemporaryDirectory() as folder:
        job, result, output = (
            Path(folder) / name for name in ("job.json", "result.json", "output")
        )
        job.write_text(json.dumps(spec))
        command = [str(python), "-I", str(WORKER), str(job), str(result)]
        with output.open("wb") as log:
            started = time.perf_counter()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
            wall, cpu, status, sampled = _wait(process, started, timeout)
        if status or not result.exists():
            late = wall >= timeout
            said = failure_reason(output.read_text(errors="replace"))
            raise JobError(
                f"not done after {timeout:g} s" if late else f"exit status {status}: {said}"
            )
        answer = json.loads(result.read_text())
    return Measurement(wall, cpu, max(answer.pop("peak_bytes"), sampled), answer)


def _wait(
    process: subprocess.Popen[bytes], started: float, timeout: float
) -> tuple[float, float, int, int]:
    """Wait for a process: wall and CPU seconds, exit status, sampled peak of the tree."""
    peak = _TreePeak(process.pid)
    sampler = threading.Thread(target=peak.sample, daemon=True)
    timer = threading.Timer(timeout, _end_group, [process.pid])
    sampler.start()
    timer.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
    except BaseException:
        _end_group(process.pid)
        process.wait()
        raise
    finally:
        timer.cancel()
        peak.stop.set()
        sampler.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    return wall, usage.ru_utime + usage.ru_stime, process.returncode, peak.n_bytes


def _end_group(pid: int) -> None:
    """End a process that leads a group, and the group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


class _TreePeak:
    """Samples the resident memory of a process and its descendants until told to stop."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.n_bytes = 0
        self.stop = threading.Event()

    def sample(self) -> None:
        """Keep the highest sum seen."""
        while not self.stop.wait(SAMPLE_SECONDS):
            self.n_bytes = max(self.n_bytes, tree_bytes(self.pid))


def tree_bytes(pid: int) -> int:
    """Sum resident memory over a process and its descendants now; what has ended counts nothing."""
    folder = Path("/proc") / str(pid)
    try:
        pages = int((folder / "statm").read_text().split()[1])
        children = [
            child
            for task in (folder / "task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(tree_bytes(int(child)) for child in children)
