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
BUILD_FILES = (
    *("setup.py", "compile_kernels.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"),
)
SOURCE_SUFFIXES = (".py", ".pyx", ".pxd", ".pyi", ".h", ".html", ".typed")
"""What bpetok is built from: these files, and those in its folder with these endings."""


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
    """List the files bpetok is built from, not what a build leaves; any copy will do."""
    found = [CHECKOUT / name for name in BUILD_FILES]
    found += [f for f in (CHECKOUT / "bpetok").rglob("*") if f.suffix in SOURCE_SUFFIXES]
    return sorted(str(file.relative_to(CHECKOUT)) for file in found if file.is_file())


def _install_checkout(python: Path) -> None:
    """Install a copy of the sources, so that the build leaves nothing in the checkout."""
    with tempfile.TemporaryDirectory() as folder:
        for name in source_files():
            target = Path(folder) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, target)
        _pip(python, [f"{folder}[arrow]"])  # pip installs a folder again, whatever its version


def _pip(python: Path, arguments: Sequence[str]) -> None:
    _run(
        [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet", *arguments]
    )


def _run(command: Sequence[str]) -> None:
    # What PYTHONPATH names would pass for installed.
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean)
    if done.returncode:
        raise InstallError(failure_reason(done.stderr or done.stdout))


def failure_reason(output: str) -> str:
    """Take the line that says most from a failed program's output: the last error, or line."""
    lines = [
        line.strip(" >\u2502\u2570\u2500\u00d7") for line in output.splitlines()
    ]  # pip's frame
    lines = [line for line in lines if line and not line.startswith(("note:", "hint:", "[end"))]
    errors = [line for line in lines if "error" in line.lower() and not line.endswith(":")]
    return (errors or lines or ["no output"])[-1][:300]
