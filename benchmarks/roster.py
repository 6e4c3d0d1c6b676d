"""The contenders by name, and their environments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.environments import Environment, InstallError, prepare
from benchmarks.measure import JobError, run_job

TRAINERS = (
    "bpetok",
    "tokenizers",
    "gigabpe",
    "gigatoken",
    "rustbpe",
    "ffbpe",
    "fast_bpe_rs",
    "bpeasy",
    "minibperust",
    "sentencepiece",
)
ENCODERS = (
    "bpetok",
    "tokenizers",
    "tokenizers_1",
    "tiktoken",
    "gigatoken",
    "fastokens",
    "snaptokens",
    "splintr",
    "tuetoken",
)
PROBE_SECONDS = 120.0


@dataclass(frozen=True)
class Ready:
    """A contender that is installed: its module (see ``interface.py``), interpreter and version."""

    name: str
    module: Any
    python: Path
    fingerprint: str
    version: str


def chosen(asked: str, known: Sequence[str]) -> list[str]:
    """Turn ``all`` or a list of names with commas into names; ``-`` and ``_`` are the same.

    Raises
    ------
    ValueError
        Where a name isn't known.
    """
    if asked == "all":
        return list(known)
    names = [name.strip().replace("-", "_") for name in asked.split(",")]
    for name in names:
        if name not in known:
            raise ValueError(f"contender must be one of {', '.join(known)}, got {name!r}")
    return list(dict.fromkeys(names))


def install(
    names: Sequence[str], cache: Path, pythons: Mapping[str, Path], tell: Callable[[str], None]
) -> tuple[list[Ready], dict[str, str]]:
    """Make the environments; what doesn't install is given with its reason.

    Parameters
    ----------
    names : sequence of str
        The contenders.
    cache : Path
        Where environments are kept.
    pythons : mapping of str to Path
        Interpreters of contenders that are installed already.
    tell : callable
        Called with a line for the user.
    """
    ready: list[Ready] = []
    missing: dict[str, str] = {}
    for name in names:
        tell(f"environment of {name}")
        try:
            ready.append(_install_one(name, cache, pythons.get(name)))
        except (InstallError, JobError) as error:
            tell(f"{name} can't be installed: {error}")
            missing[name] = str(error)
    return ready, missing


def _install_one(name: str, cache: Path, python: Path | None) -> Ready:
    module: Any = import_module(f"benchmarks.contenders.{name}")
    made = prepare(name, module.requirements, cache) if python is None else Environment(python, "")
    spec = {"action": "probe", "contender": name}
    found = run_job(made.python, spec, 1, None, PROBE_SECONDS).answer
    fingerprint = made.fingerprint or found["fingerprint"]
    return Ready(name, module, made.python, fingerprint, found["version"])
