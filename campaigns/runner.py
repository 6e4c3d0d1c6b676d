"""Run a campaign: inputs are drawn and checked in a process of their own.

An input is known by its seed and number: the same input is drawn again from them, also by the
process that watches, when the other one has crashed or hangs.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import Synchronized, SynchronizedArray
from pathlib import Path
from random import Random
from time import monotonic, process_time
from typing import Any, NamedTuple

from campaigns import instruction_set  # noqa: F401  # uses the one that is asked for
from campaigns.campaign import Campaign
from campaigns.findings import Place, file_of, place_of, save
from campaigns.registry import CAMPAIGNS, campaign_class, open_campaign
from campaigns.shrinking import shrink

MOST_FINDINGS = 10
"""A campaign ends when it has found so many different things."""
SHRINK_SECONDS = 30.0
START_SECONDS = 600.0
"""Those that a process has more before its first input: on a busy machine its imports take long."""
WAITING = 10
"""So many times its seconds of processor an input may take by the clock: others may use it, too."""


class Options(NamedTuple):
    """How long a campaign runs, and where findings go.

    seconds : float
        No input begins after so many seconds.
    inputs : int or None
        How many inputs at most.
    seed : int
        Another seed, other inputs.
    first : int
        The number of the first input.
    folder : Path
        For findings; made when there is one.
    """

    seconds: float
    inputs: int | None
    seed: int
    first: int
    folder: Path


class Outcome(NamedTuple):
    """What a campaign has checked and found; `counts` is what it counts beside inputs."""

    inputs: int
    seconds: float
    findings: list[Path]
    counts: Mapping[str, int] = {}


def draw(campaign: Campaign[Any], name: str, seed: int, number: int) -> Any:
    """Return the input that a seed and a number give."""
    return campaign.draw(Random(f"{name} {seed} {number}"))


def run(name: str, options: Options) -> Outcome:
    """Run a campaign until its time or its inputs are used up."""
    began = monotonic()
    findings: list[Path] = []
    places: set[Place] = set()
    counts: Counter[str] = Counter()
    first = options.first
    end = sys.maxsize if options.inputs is None else first + options.inputs
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="campaign-") as scratch:
        while first < end and len(findings) < MOST_FINDINGS:
            left = options.seconds - (monotonic() - began)
            if left <= 0:
                break
            number = context.Value("q", first - 1)
            since = context.Array("d", [monotonic() + START_SECONDS, START_SECONDS])
            found, found_here = context.Pipe(duplex=False)
            job = (name, CAMPAIGNS[name], options, left, first, end, places)
            process = context.Process(target=_work, args=(*job, scratch, number, since, found_here))
            process.start()
            found_here.close()
            failure = _watch(process, name, since)
            try:
                while found.poll():
                    told = found.recv()
                    if isinstance(told, Counter):
                        counts += told
                    else:
                        places.add(told[0])
                        findings.append(told[1])
            except EOFError:
                pass
            first = number.value + 1
            if failure is None:
                break
            findings.append(_save_failure(name, options, number.value, failure))
    return Outcome(first - options.first, monotonic() - began, findings, counts)


def _watch(process: BaseProcess, name: str, since: SynchronizedArray[float]) -> str | None:
    """Wait for the process; returns how it failed, None if it has ended by itself.

    `since` is the time at which its input began, by the clock and of its processor.
    """
    limit = campaign_class(CAMPAIGNS[name]).seconds_each
    try:
        while process.is_alive():
            process.join(0.2)
            began, began_of_processor = since[:]
            if _processor_seconds(process) - began_of_processor > limit:
                failure = f"took more than {limit:.0f} seconds of processor"
            elif monotonic() - began > WAITING * limit:
                failure = f"took more than {WAITING * limit:.0f} seconds"
            else:
                continue
            process.kill()
            process.join()
            return failure
    except BaseException:
        process.kill()
        raise
    if not process.exitcode:
        return None
    if process.exitcode < 0:
        return f"ended by {signal.Signals(-process.exitcode).name}"
    return f"ended with status {process.exitcode}"


def _processor_seconds(process: BaseProcess) -> float:
    """Return the seconds that a process has taken of processors, 0 if it has ended."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")  # user's and system's


def _save_failure(name: str, options: Options, number: int, failure: str) -> Path:
    path = file_of(options.folder, name, options.seed, number)
    if path.exists():
        return path  # it failed before the process did, which was making it smaller
    with tempfile.TemporaryDirectory(prefix="campaign-") as scratch:
        campaign = open_campaign(CAMPAIGNS[name], Path(scratch))
        case = draw(campaign, name, options.seed, max(number, options.first))
    what = f"the process {failure}"
    print(f"{name}: input {number}: {what}", file=sys.stderr)
    return save(options.folder, name, options.seed, number, case, what)


def _work(
    name: str,
    place: str,
    options: Options,
    seconds: float,
    first: int,
    end: int,
    places: set[Place],
    scratch: str,
    number: Synchronized[int],
    since: SynchronizedArray[float],
    found: Any,
) -> None:
    # The process that draws and checks.
    faulthandler.enable()
    deadline = monotonic() + seconds
    os.chdir(scratch)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        campaign = open_campaign(place, Path(folder))
        limit_memory(campaign.memory)
        try:
            for i in count(first):
                if i == end or monotonic() > deadline or len(places) >= MOST_FINDINGS:
                    return
                number.value, since[:] = i, (monotonic(), process_time())
                case = draw(campaign, name, options.seed, i)
                error = failure_of(campaign, case)
                if error is None or place_of(error) in places:
                    continue
                places.add(place_of(error))
                _save_error(name, options, i, case, error)  # in case making it smaller crashes
                if campaign.shrinks:
                    case = shrink(case, _fails_alike(campaign, error, since), SHRINK_SECONDS)
                    error = failure_of(campaign, case) or error
                found.send((place_of(error), _save_error(name, options, i, case, error)))
                print(f"{name}: input {i}: {type(error).__name__}: {error!s:.500}", file=sys.stderr)
        finally:
            found.send(campaign.counts)


def _fails_alike(
    campaign: Campaign[Any], error: Exception, since: SynchronizedArray[float]
) -> Callable[[Any], bool]:
    place = place_of(error)

    def fails(case: Any) -> bool:
        since[:] = monotonic(), process_time()
        other = failure_of(campaign, case)
        return other is not None and place_of(other) == place

    return fails


def failure_of(campaign: Campaign[Any], case: Any) -> Exception | None:
    """Check an input; returns what was raised."""
    try:
        campaign.check(case)
    except Exception as error:
        return error
    return None


def _save_error(name: str, options: Options, number: int, case: Any, error: Exception) -> Path:
    what = "".join(traceback.format_exception(error))
    return save(options.folder, name, options.seed, number, case, what)


def limit_memory(n_bytes: int) -> None:
    """Let this process take so many bytes more than it has now; 0 for no bound."""
    if n_bytes == 0 or "ASAN_OPTIONS" in os.environ:  # which maps far more than it uses
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + n_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))
