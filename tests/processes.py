"""Programs that tests run in a process of their own."""

import os
import subprocess
import sys
import textwrap


def run_python(code: str, timeout: float = 100, **environment: str) -> str:
    """Run a program and return what it prints; it must end well, and without a warning."""
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, **environment},
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout
