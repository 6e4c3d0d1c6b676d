"""A virtual environment for each contender, made on demand from the package index."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
BUILD_FILES = ("bpetok", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")
"""What bpetok is built from."""


class InstallError(Exception):
    """A contender can't be installed here; the message is the reason."""


@dataclass(frozen=True)
class Environment:
    """Where a contender is installed; ``fingerprint`` changes when what is installed does."""

    python: Path
    fingerprint: str


def default_cache() -> Path:
    """Where environments, kernels and cut corpora are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "bpetok-benchmarks"


def prepare(name: str, requirements: Sequence[str], cache: Path) -> Environment:
    """Install a contender if it isn't there; no requirements means bpetok from this checkout.

    Raises
    ------
    InstallError
        Where pip fails; the reason is pip's last error.
    """
    fingerprint = requirements_fingerprint(requirements) if requirements else checkout_fingerprint()
    place = f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
    if not requirements:
        place += "-" + hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:8]
    folder = cache / "environments" / place
    stamp = folder / "installed"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if stamp.exists() and stamp.read_text() == fingerprint:
        return Environment(python, fingerprint)
    stamp.unlink(missing_ok=True)
    if not python.exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(folder)])
    if requirements:
        _pip(python, requirements)
    else:
        _install_checkout(python)
    stamp.write_text(fingerprint)
    return Environment(python, fingerprint)


def requirements_fingerprint(requirements: Sequence[str]) -> str:
    """Identify pinned requirements."""
    return hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:12]


def checkout_fingerprint() -> str:
    """Identify the contents of the files bpetok is built from, committed or not."""
    digest = hashlib.sha256()
    for name in source_files():
        digest.update(name.encode() + b"\0" + (CHECKOUT / name).read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def source_files() -> list[str]:
    """List the files bpetok is built from: those git tracks, or would, not what a build leaves."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *BUILD_FILES]
    listed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if listed.returncode:
        raise InstallError(f"git can't list the files of {CHECKOUT.name}: {listed.stderr.strip()}")
    return sorted(name for name in set(listed.stdout.splitlines()) if (CHECKOUT / name).is_file())


def _install_checkout(python: Path) -> None:
    """Install a copy of the sources, so that the build leaves nothing in the checkout."""
    with tempfile.TemporaryDirectory() as folder:
        for name in source_files():
            target = Path(folder) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, target)
        _pip(python, ["--force-reinstall", "--no-deps", folder])
        _pip(python, [folder])


def _pip(python: Path, arguments: Sequence[str]) -> None:
    _run(
        [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet", *arguments]
    )


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InstallError(failure_reason(done.stderr or done.stdout))


def failure_reason(output: str) -> str:
    """Take the line that says most from a failed program's output: the last error, or line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["no output"])[-1][:300]
