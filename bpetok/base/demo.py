"""Text that every machine has, to try things with."""

from __future__ import annotations

import sysconfig
from pathlib import Path


def demo_files() -> list[str]:
    """Return the sources of the running Python's standard library: text that every machine has.

    Links are left out: Debian has two names for one file.
    """
    library = Path(sysconfig.get_path("stdlib"))
    left_out = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"}
    return [
        str(path)
        for path in sorted(library.rglob("*.py"))
        if left_out.isdisjoint(path.relative_to(library).parts) and not path.is_symlink()
    ]
