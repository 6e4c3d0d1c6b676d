"""Checks that packed files are those of git: ``contents.py CHECKOUT ARCHIVE ...``.

An ARCHIVE is a source distribution, a wheel, or the word ``installed`` for what this Python has.
A source distribution holds all that the tests need; a wheel what runs, and types.
"""

import re
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

# Which a source distribution does without.
ONLY_IN_GIT = re.compile(r"\.ci/|\.github/|\.gitignore$|\.pre-commit-config\.yaml$")
MADE = re.compile(r"PKG-INFO$|setup\.cfg$|bpetok\.egg-info/")
IN_WHEEL = re.compile(r"bpetok/(.*\.pyi?|.*\.html|py\.typed)$")
SHARED = "bpetok/base/cython_shared.pyx"  # there is no such file: see setup.py
BINARY = re.compile(r"\.(cpython|cp)[\w-]+\.(so|pyd)$")


def list_git(checkout: str, *options: str) -> set[str]:
    """Return the files that git knows and that are there."""
    command = ["git", "-c", "safe.directory=*", "-C", checkout, "ls-files", "-z", *options]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    return {name for name in names if name and Path(checkout, name).exists()}


def check(what: str, found: set[str], expected: set[str], new: set[str]) -> None:
    """Print what is missing and what is too much, and end if anything is.

    Files that are new, and not known to git yet, may be packed or not.
    """
    wrong = [f"lacks {name}" for name in sorted(expected - found)]
    wrong += [f"has {name}" for name in sorted(found - expected - new)]
    print(f"contents: {what}: {len(found)} files", *wrong, sep="\n  ")
    if wrong:
        sys.exit(1)


def check_sdist(path: str, files: set[str], new: set[str]) -> None:
    """Check that a source distribution holds the files of git and its metadata."""
    with tarfile.open(path) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    found = {name for name in names if not MADE.match(name)}
    check(path, found, {name for name in files if not ONLY_IN_GIT.match(name)}, new)


def check_wheel(what: str, names: set[str], files: set[str], new: set[str]) -> None:
    """Check that a wheel holds Python files, types, pages, and binaries of all .pyx files."""
    names = {name for name in names if name.startswith("bpetok/") and "/__pycache__/" not in name}
    found = {BINARY.sub(".pyx", name) for name in names}
    expected = {name for name in files if IN_WHEEL.match(name)}
    expected |= {SHARED, *(name for name in files if re.match(r"bpetok/.*\.pyx$", name))}
    check(what, found, expected, new)


def main(checkout: str, *archives: str) -> None:
    """Check each archive."""
    files = list_git(checkout)
    new = list_git(checkout, "--others", "--exclude-standard")
    for archive in archives:
        if archive == "installed":
            installed = metadata.files("bpetok") or []
            check_wheel(archive, {path.as_posix() for path in installed}, files, new)
        elif archive.endswith(".whl"):
            with zipfile.ZipFile(archive) as wheel:
                names = set(wheel.namelist())
            check_wheel(archive, names, files, new)
            others = {name for name in names if not re.match(r"bpetok(-[\w.]+\.dist-info)?/", name)}
            check(f"{archive}, beside the package", others, set(), set())
        else:
            check_sdist(archive, files, new)


if __name__ == "__main__":
    main(*sys.argv[1:])
