"""One instruction set for all of a process: a plugin of pytest, and for `runner`."""

from __future__ import annotations

import os

from bpetok.patterns import scan

VARIABLE = "CAMPAIGN_INSTRUCTION_SET"


def use_only(name: str) -> None:
    """Use one instruction set, also where tests would go through all of them."""
    scan.use_instruction_set(name)
    scan.instruction_sets = lambda: (name,)


if VARIABLE in os.environ:
    use_only(os.environ[VARIABLE])
