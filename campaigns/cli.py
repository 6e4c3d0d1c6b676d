"""``python -m campaigns``: arguments, and what is printed at the end."""

from __future__ import annotations

import argparse
import faulthandler
import os
from collections.abc import Sequence
from math import inf
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory

from bpetok.patterns.scan import instruction_sets
from campaigns import runner, sanitize
from campaigns.findings import command, load
from campaigns.registry import CAMPAIGNS, open_campaign

INTERRUPTED = 130
SECONDS = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run campaigns; returns 1 if one has found something."""
    options = _parser().parse_args(arguments)
    if options.repeat is not None:
        return _repeat(options.name[0], options.repeat.absolute())
    seed = SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    if "sanitize" in options.name:
        folder = options.output.absolute()
        return sanitize.run(_seconds(options, 1), seed, folder, options.tests, options.sets)
    names = list(CAMPAIGNS) if options.name == ["all"] else options.name
    seconds = _seconds(options, len(names))
    wanted = runner.Options(seconds, options.inputs, seed, options.first, options.output.absolute())
    _print_versions(seed)
    status = 0
    try:
        for name in names:
            status |= _run(name, wanted)
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def _seconds(options: argparse.Namespace, n_campaigns: int) -> float:
    """Return the seconds of one campaign: a given number of inputs is checked whole."""
    if options.seconds is None:
        return SECONDS if options.inputs is None else inf
    seconds: float = options.seconds
    return seconds / n_campaigns if options.together else seconds


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m campaigns", description=__doc__)
    add = parser.add_argument
    add("name", nargs="+", choices=[*CAMPAIGNS, "all", "sanitize"],
        help="one or more campaigns; all of them; or sanitize, alone")  # fmt: skip
    add("--seconds", type=float, metavar="N",
        help="for each campaign (default 60; no bound if --inputs is given)")  # fmt: skip
    add("--together", action="store_true", help="--seconds is for all of them together")
    add("--inputs", type=int, metavar="N", help="at most so many inputs for each campaign")
    add("--seed", type=int, metavar="N", help="another seed, other inputs (default: random)")
    add("--first", type=int, default=0, metavar="N", help="number of the first input (default 0)")
    add("--output", type=Path, default=Path("findings"), metavar="DIR",
        help="where inputs that fail are saved (default findings)")  # fmt: skip
    add("--tests", nargs="*", default=sanitize.ALL, metavar="PATH",
        help="for sanitize: tests to run, none if there is no path (default tests)")  # fmt: skip
    add("--sets", nargs="+", default=(), choices=instruction_sets(), metavar="NAME",
        help="for sanitize: instruction sets, in order (default all, best first)")  # fmt: skip
    add("--repeat", type=Path, metavar="FILE", help="check the input of such a file again")
    return parser


def _print_versions(seed: int) -> None:
    import bpetok

    sets = ", ".join(instruction_sets())
    folder = Path(bpetok.__file__).parent
    print(f"bpetok {bpetok.__version__} in {folder}; {sets}; seed {seed}", flush=True)


def _run(name: str, options: runner.Options) -> int:
    outcome = runner.run(name, options)
    found = len(outcome.findings)
    counts = "".join(f"{number:,} {what}, " for what, number in sorted(outcome.counts.items()))
    print(
        f"{name}: {outcome.inputs:,} inputs in {outcome.seconds:.0f} s, {counts}"
        f"{found} finding{'' if found == 1 else 's'}",
        flush=True,
    )
    for path in outcome.findings:
        print(f"  {command(path)}", flush=True)
    return 1 if found else 0


def _repeat(name: str, path: Path) -> int:
    faulthandler.enable()
    with TemporaryDirectory(prefix="campaign-") as scratch:
        os.chdir(scratch)
        campaign = open_campaign(CAMPAIGNS[name], Path(scratch))
        campaign.check(load(path, campaign))
        os.chdir("/")
    print(f"{path}: nothing is wrong")
    return 0
