"""Jobs that are killed at random moments, and begun again until they end: with equal files."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path
from random import Random
from typing import ClassVar, NamedTuple

from campaigns import jobs
from campaigns.campaign import Campaign, expect


class Case(NamedTuple):
    """A job, and when it is ended.

    moments : list of float
        Each as a share of the time that the job takes: 1.2 is most often too late.
    """

    job: str
    signal: str
    moments: list[float]


class Kills(Campaign[Case]):
    """SIGKILL and SIGTERM."""

    case = Case
    seconds_each: ClassVar[float] = 300.0
    shrinks: ClassVar[bool] = False

    def __init__(self, scratch: Path) -> None:
        super().__init__(scratch)
        self._whole = scratch / "whole"
        jobs.prepare(self._whole)
        self._right: dict[str, tuple[dict[str, bytes], float]] = {}

    def draw(self, random: Random) -> Case:
        """Any job, ended a few times; only the command is asked to end."""
        job = random.choice(list(jobs.JOBS))
        ended_by = "SIGTERM" if job == "command" and random.random() < 0.7 else "SIGKILL"
        return Case(job, ended_by, [random.random() * 1.2 for _ in range(random.randint(1, 4))])

    def check(self, case: Case) -> None:
        """Kill, then let it end."""
        right, seconds = self._straight(case.job)
        folder = self._copy()
        for moment in case.moments:
            process = jobs.start(case.job, folder, {})
            time.sleep(moment * seconds)
            process.send_signal(signal.Signals[case.signal])
            done = jobs.finish(process)
            if done.status > 0 and case.signal == "SIGKILL":
                raise AssertionError(f"{case.job} fails after it was killed:\n{done.errors}")
            if case.signal == "SIGTERM":
                expect(jobs.scratch_files(folder), [], f"left by {case.job} after SIGTERM")
            _check_whole(self._whole, folder, right)
        done = jobs.finish(jobs.start(case.job, folder, {}))
        expect(done.status, 0, f"the status of the last {case.job}: {done.output}{done.errors}")
        expect(_differing(jobs.contents(folder), right), [], "files that are not as they should be")

    def _straight(self, job: str) -> tuple[dict[str, bytes], float]:
        if job not in self._right:
            for _ in range(2):  # the first may compile kernels
                folder = self._copy()
                began = time.monotonic()
                done = jobs.finish(jobs.start(job, folder, {}))
                seconds = time.monotonic() - began
            expect(done.status, 0, f"the status of {job}: {done.output}{done.errors}")
            expect(jobs.scratch_files(folder), [], f"left by {job}")
            self._right[job] = jobs.contents(folder), seconds
        return self._right[job]

    def _copy(self) -> Path:
        folder = self.scratch / "job"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._whole, folder)
        return folder


def _check_whole(before: Path, folder: Path, right: dict[str, bytes]) -> None:
    """See that each file that can be seen is an old or a new one, whole."""
    old = jobs.contents(before)
    for name, data in jobs.contents(folder).items():
        if data not in (old.get(name), right.get(name)):
            raise AssertionError(f"{name} is neither the old nor the new file")


def _differing(got: dict[str, bytes], right: dict[str, bytes]) -> list[str]:
    return sorted(name for name in {*got, *right} if got.get(name) != right.get(name))
