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

    moments : list of (str, float)
        One for each time that it is begun: after it has told of this phase, or ended without it,
        and after this share of the time that is left then. What is more than 1 is most often too
        late.
    """

    job: str
    signal: str
    moments: list[tuple[str, float]]


class Kills(Campaign[Case]):
    """SIGKILL and SIGTERM. Those that came before the job had ended are counted."""

    case = Case
    seconds_each: ClassVar[float] = 300.0
    shrinks: ClassVar[bool] = False

    def __init__(self, scratch: Path) -> None:
        super().__init__(scratch)
        self._whole = scratch / "whole"
        jobs.prepare(self._whole)
        self._right: dict[str, tuple[dict[str, bytes], dict[str, float]]] = {}

    def draw(self, random: Random) -> Case:
        """Any job, ended a few times in any of its phases; only the command is asked to end."""
        job = random.choice(list(jobs.JOBS))
        ended_by = "SIGTERM" if job == "command" and random.random() < 0.7 else "SIGKILL"
        phases = jobs.PHASES[job]
        moments = [
            (random.choice(phases), random.random() * 1.1) for _ in range(random.randint(1, 4))
        ]
        return Case(job, ended_by, moments)

    def check(self, case: Case) -> None:
        """Kill, then let it end."""
        right, seconds = self._straight(case.job)
        folder = self._copy()
        number = signal.Signals[case.signal]
        for phase, share in case.moments:
            process = jobs.start(case.job, folder, {})
            if jobs.wait_for(process, phase):
                time.sleep(share * seconds[phase])
            process.send_signal(number)
            done = jobs.finish(process)
            if done.status > 0 and case.signal == "SIGKILL":
                raise AssertionError(f"{case.job} fails after it was killed:\n{done.errors}")
            if case.signal == "SIGTERM":
                expect(jobs.scratch_files(folder), [], f"left by {case.job} after SIGTERM")
            if done.status != 0:
                self.counts[f"{case.signal} in time"] += 1
            _check_whole(self._whole, folder, right)
        done = jobs.finish(jobs.start(case.job, folder, {}))
        expect(done.status, 0, f"the status of the last {case.job}: {done.output}{done.errors}")
        expect(_differing(jobs.contents(folder), right), [], "files that are not as they should be")
        self.counts["equal results"] += 1

    def _straight(self, job: str) -> tuple[dict[str, bytes], dict[str, float]]:
        """Return what a job writes, and the seconds from each of its phases to the end."""
        if job not in self._right:
            for _ in range(2):  # the first may compile kernels
                folder = self._copy()
                process = jobs.start(job, folder, {})
                began: dict[str, float] = {}
                for phase in jobs.PHASES[job]:
                    expect(jobs.wait_for(process, phase), True, f"{job} tells of {phase}")
                    began[phase] = time.monotonic()
                done = jobs.finish(process)
                end = time.monotonic()
            expect(done.status, 0, f"the status of {job}: {done.output}{done.errors}")
            expect(jobs.scratch_files(folder), [], f"left by {job}")
            seconds = {phase: end - at for phase, at in began.items()}
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
        if data not in (old.get(name), right.get(name)) and not jobs.is_interim(name, data):
            raise AssertionError(f"{name} is neither the old nor the new file")


def _differing(got: dict[str, bytes], right: dict[str, bytes]) -> list[str]:
    return sorted(name for name in {*got, *right} if got.get(name) != right.get(name))
