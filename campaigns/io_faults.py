"""Jobs in which one call of the system fails: nothing is half written, and the error says where."""

from __future__ import annotations

import errno
import json
import shutil
import signal
import subprocess
from pathlib import Path
from random import Random
from typing import ClassVar, NamedTuple

import numpy as np

from campaigns import jobs
from campaigns.campaign import Campaign, expect

ERRORS = {
    "read": ["EIO", "EINTR", "short", "kill"],
    "write": ["EIO", "ENOSPC", "EINTR", "short", "kill"],
    "open": ["EIO", "EMFILE", "EINTR", "kill"],
    "fsync": ["EIO", "ENOSPC", "kill"],
    "rename": ["EIO", "ENOSPC", "kill"],
    "unlink": ["EIO", "kill"],
    "mkdir": ["EIO", "ENOSPC"],
}
"""How each call fails; EINTR and "short" are no errors, and callers go on. "kill" ends the
process instead of the call, by SIGKILL."""
NUMBERS = {"short": 0, "kill": -1}
"""What `faults.c` calls them."""

COMMAND_REFUSED = (1, 2)
"""Exit statuses of the command where it has said why."""


class Case(NamedTuple):
    """Which call of a job fails.

    place : float
        Which of these calls: 0.5 is the one in the middle.
    always : bool
        Whether all later ones fail, too, as on a full disk.
    """

    job: str
    call: str
    error: str
    place: float
    always: bool


class IoFaults(Campaign[Case]):
    """Every call on every file, failing in every way. Needs a C compiler."""

    case = Case
    seconds_each: ClassVar[float] = 300.0
    shrinks: ClassVar[bool] = False

    def __init__(self, scratch: Path) -> None:
        super().__init__(scratch)
        self._whole = scratch / "whole"
        jobs.prepare(self._whole)
        self._folder = scratch / "job"
        self._library = scratch / "faults.so"
        source = Path(__file__).with_name("faults.c")
        subprocess.run(
            ["cc", "-O1", "-shared", "-fPIC", "-Wall", "-o", self._library, source, "-ldl"],
            check=True,
        )
        self._straight: dict[str, tuple[dict[str, bytes], dict[str, int]]] = {}

    def draw(self, random: Random) -> Case:
        """Any call of any job."""
        call = random.choice([*ERRORS, "read", "write", "open"])
        error = random.choice(ERRORS[call])
        # Where no file can be renamed any more, what was renamed before can't be undone.
        lasting = error not in ("EINTR", *NUMBERS) and call not in ("rename", "unlink")
        always = lasting and random.random() < 0.3
        return Case(random.choice(list(jobs.JOBS)), call, error, random.random(), always)

    def check(self, case: Case) -> None:
        """Let it fail; then do it again."""
        right, n_calls = self._counted(case.job)
        if n_calls[case.call] == 0:
            return
        number = 1 + int(case.place * n_calls[case.call])
        self._copy()
        faults = {
            "FAULTS_CALL": case.call,
            "FAULTS_AT": str(number),
            "FAULTS_ERROR": str(NUMBERS.get(case.error) or getattr(errno, case.error, 0)),
            "FAULTS_ALWAYS": str(int(case.always)),
        }
        done = self._run(case.job, faults)
        self.counts["kills"] += done.status == -signal.SIGKILL
        got = jobs.contents(self._folder)
        what = f"{case.call} {number} of {n_calls[case.call]} fails with {case.error}: "
        if done.status == 0:
            expect(_differing(got, right), [], f"{what}files that are wrong after {case.job}")
        elif case.error == "kill":
            expect(done.status, -signal.SIGKILL, f"{what}the status of {case.job}: {done.errors}")
            self._check_whole(what, got, right)
        elif case.error in ("EINTR", "short"):
            raise AssertionError(f"{what}{case.job} does not go on: {done.output}{done.errors}")
        else:
            self._check_refused(case, what, done, right)
        again = jobs.finish(jobs.start(case.job, self._folder, {}))
        expect(again.status, 0, f"{what}{case.job} again: {again.output}{again.errors}")
        got = jobs.contents(self._folder)
        expect(_differing(got, right), [], f"{what}files that are wrong after {case.job} again")

    def _check_refused(
        self, case: Case, what: str, done: jobs.Done, right: dict[str, bytes]
    ) -> None:
        refused = COMMAND_REFUSED if case.job == "command" else (jobs.REFUSED,)
        if done.status not in refused or "Traceback" in done.errors:
            raise AssertionError(f"{what}{case.job}: {done.status}, {done.output}{done.errors}")
        message = done.errors if case.job == "command" else done.output
        files = [path.name for path in self._whole.rglob("*.*")]
        if not any(name in message for name in ("in/", "out/", "run", "tmp/", *files)):
            raise AssertionError(f"{what}no file is named: {message}")
        self._check_whole(what, jobs.contents(self._folder), right)
        if case.call != "unlink" and not case.always:
            left = jobs.scratch_files(self._folder)
            # A folder that can't be opened to be removed stays, and the error names it.
            is_named = case.call == "open" and any(name in message for name in left)
            expect([] if is_named else left, [], f"{what}left by {case.job}: {message}")

    def _check_whole(self, what: str, got: dict[str, bytes], right: dict[str, bytes]) -> None:
        """See that each file is an old or a new one, and the shards of ids all of one kind."""
        old = jobs.contents(self._whole)
        for name, data in got.items():
            if data not in (old.get(name), right.get(name)) and not jobs.is_interim(name, data):
                raise AssertionError(f"{what}{name} is neither the old nor the new file")
        if _ids(got) not in (None, _ids(old), _ids(right)):
            raise AssertionError(f"{what}the summary of ids lists old and new shards")

    def _counted(self, job: str) -> tuple[dict[str, bytes], dict[str, int]]:
        """Return what the job writes, and how often it calls what."""
        if job not in self._straight:
            log = self.scratch / "calls"
            for _ in range(2):  # the first may compile kernels
                self._copy()
                done = self._run(job, {"FAULTS_LOG": str(log)})
            expect(done.status, 0, f"the status of {job}: {done.output}{done.errors}")
            lines = (line.split() for line in log.read_text().splitlines())
            calls = {name: int(number) for name, number in lines}
            self._straight[job] = jobs.contents(self._folder), calls
        return self._straight[job]

    def _run(self, job: str, faults: dict[str, str]) -> jobs.Done:
        more = {**faults, "LD_PRELOAD": str(self._library), "FAULTS_UNDER": str(self._folder)}
        return jobs.finish(jobs.start(job, self._folder, more))

    def _copy(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.copytree(self._whole, self._folder)


def _differing(got: dict[str, bytes], right: dict[str, bytes]) -> list[str]:
    return sorted(name for name in {*got, *right} if got.get(name) != right.get(name))


def _ids(files: dict[str, bytes]) -> list[int] | None:
    """Return the ids of all shards that the summary lists; None if there is no whole one."""
    if "out/ids.json" not in files:
        return None
    if jobs.is_interim("out/ids.json", files["out/ids.json"]):
        return None
    listed = json.loads(files["out/ids.json"])["files"]
    data = b"".join(files.get(f"out/{file['name']}", b"") for file in listed)
    ids: list[int] = np.frombuffer(data, np.uint16).tolist()
    return ids
