"""The suite and the other campaigns with a build that sees wrong memory and undefined behaviour.

The extensions are built with the address and the undefined behaviour sanitizer of gcc in a copy of
the checkout, and run with each instruction set of this processor. Numba's kernels are as always.
What the address sanitizer says is in a file for each process, also of one that a test starts; the
other one of gcc 12 writes to standard error whatever it is told, which pytest lets through here.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bpetok.patterns.scan import instruction_sets
from campaigns import ROOT
from campaigns.instruction_set import VARIABLE

CAMPAIGNS = ("scanner", "learner", "encoder", "documents", "chains", "json", "files")
"""Those that call the extensions in their own process."""
ALL = ["tests"]
LEFT_OUT = "tests/benchmarks"
"""They install bpetok in environments of their own, without sanitizers."""
SOME = ["tests/patterns/test_scan.py", "tests/encoding", "tests/counting", "tests/sources"]
"""Tests that depend on the instruction set, of all."""
FLAGS = (
    "-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"
)
NOT_COPIED = (
    *("*.so", "build", "dist", "findings", "*.egg-info", "__pycache__"),
    *(".git", ".venv", ".*_cache", ".hypothesis"),
)


def run(
    seconds: float, seed: int, folder: Path, tests: Sequence[str], sets: Sequence[str] = ()
) -> int:
    """Build, and run tests, then each campaign for some seconds; returns 1 if something failed.

    Parameters
    ----------
    seconds : float
        For each campaign with each instruction set.
    seed : int
    folder : Path
        For findings, and for what the sanitizers say: ``sanitizer.PID``.
    tests : sequence of str
        Paths of tests, as for pytest; none if empty. Of ALL only the best instruction set runs all
        of them, the others those that depend on it.
    sets : sequence of str
        Instruction sets of `bpetok.patterns.scan.instruction_sets`; all of them if empty.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = {*folder.glob("sanitizer.*")}
    best = instruction_sets()[-1]
    failed = []
    with tempfile.TemporaryDirectory(prefix="campaign-") as scratch:
        tree = build(Path(scratch))
        for name in sets or reversed(instruction_sets()):  # the best one first: it runs most
            where = {**environment(tree, folder / "sanitizer"), VARIABLE: name}
            commands = [
                [campaign, "--seconds", str(seconds), "--seed", str(seed), "--output", str(folder)]
                for campaign in CAMPAIGNS
            ]
            modules = [["campaigns", *command] for command in commands]
            chosen = SOME if [*tests] == ALL and name != best else tests
            if chosen:
                modules.insert(0, ["pytest", *_pytest_options(), *chosen])
            for module in modules:
                what = f"{name}: {' '.join(module)}"
                print(f"sanitize: {what}", flush=True)
                done = subprocess.run([sys.executable, "-m", *module], cwd=tree, env=where)
                if done.returncode:
                    failed.append(what)
    reports = sorted({*folder.glob("sanitizer.*")} - before)
    for line in (*(f"failed: {what}" for what in failed), *(f"report: {path}" for path in reports)):
        print(f"sanitize: {line}", flush=True)
    if not failed and not reports:
        print("sanitize: nothing is wrong", flush=True)
    return 1 if failed or reports else 0


def _pytest_options() -> list[str]:
    options = ["-q", "--capture=sys", "-p", "campaigns.instruction_set", "-p", "no:cacheprovider"]
    options.append(f"--ignore={LEFT_OUT}")
    return [*options, "-n", "auto"] if importlib.util.find_spec("xdist") else options


def build(scratch: Path) -> Path:
    """Build the extensions in a copy of the checkout; returns the copy."""
    tree = scratch / "tree"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*NOT_COPIED))
    compiler = write_compiler(scratch)
    print(f"sanitize: building in {tree}", flush=True)
    subprocess.run(
        [sys.executable, "setup.py", "-q", "egg_info", "build_ext", "--inplace"],
        cwd=tree,
        env={**os.environ, "CC": str(compiler), "LDSHARED": f"{compiler} -shared"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return tree


def write_compiler(folder: Path) -> Path:
    """Write a compiler whose flags come last, after those of the build."""
    path = folder / "cc"
    path.write_text(f'#!/bin/sh\nexec gcc "$@" {FLAGS}\n')
    path.chmod(0o755)
    return path


def environment(tree: Path, reports: Path) -> dict[str, str]:
    """Return the environment of a Python that may load what was built.

    Parameters
    ----------
    tree : Path
        What `build` returned.
    reports : Path
        Where sanitizers write, less the number of the process at the end.
    """
    libraries = [_library("libasan.so"), _library("libstdc++.so")]
    return {
        **os.environ,
        "LD_PRELOAD": " ".join(libraries),  # Python itself is not built so
        "PYTHONMALLOC": "malloc",  # objects by themselves, not in Python's own pools
        "PYTHONPATH": str(tree),
        # Python does not free all it has at the end. Stacks of allocations are kept for ever, and
        # looked up at each: with 30 callers, millions of them made an hour's tests ever slower.
        "ASAN_OPTIONS": (
            "detect_leaks=0:abort_on_error=1:allocator_may_return_null=1:malloc_context_size=8:"
            f"log_path={reports}"
        ),
        "UBSAN_OPTIONS": (
            f"print_stacktrace=1:halt_on_error=1:abort_on_error=1:log_path={reports}"
        ),
    }


def _library(name: str) -> str:
    done = subprocess.run(
        ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
