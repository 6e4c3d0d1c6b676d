"""Campaigns with a fault in each third input, for the tests of the runner."""

import os
import signal
import time
from pathlib import Path
from random import Random
from typing import NamedTuple

from campaigns.campaign import Campaign, expect
from campaigns.runner import WAITING


class Numbers(NamedTuple):
    """Some numbers."""

    values: list[int]


class Failing(Campaign[Numbers]):
    """Fails where a number is 7."""

    case = Numbers
    seconds_each = 1.0

    def draw(self, random: Random) -> Numbers:
        """Numbers in any order, the first of them 7 in a third of the inputs."""
        values = random.choices([1, 2, 3], k=9)
        values[0] = random.choice([1, 2, 7])
        return Numbers(values)

    def check(self, case: Numbers) -> None:
        """Fail if 7 is there."""
        if 7 in case.values:
            self.fail()

    def fail(self) -> None:
        """Fail as an oracle does that gives something else."""
        expect(1, 2, "numbers")


class Crashing(Failing):
    """Fails by a signal."""

    def fail(self) -> None:
        """End this process."""
        os.kill(os.getpid(), signal.SIGABRT)  # which sanitizers let pass


class Spinning(Failing):
    """Fails by never ending."""

    def fail(self) -> None:
        """Take a processor."""
        while True:
            pass


class Hanging(Failing):
    """Fails by doing nothing."""

    seconds_each = 0.2

    def fail(self) -> None:
        """Do nothing for long."""
        time.sleep(1000)


class SlowToBegin(Failing):
    """Takes longer to begin than an input may take, and fails nowhere."""

    seconds_each = 0.2

    def __init__(self, scratch: Path) -> None:
        super().__init__(scratch)
        time.sleep(WAITING * self.seconds_each + 0.5)

    def fail(self) -> None:
        """Do nothing."""
