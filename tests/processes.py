"""Programs that tests run in a process of their own."""

import os
import subprocess
import sys
import textwrap

import pytest

needs_fork = pytest.mark.skipif(
    not hasattr(os, "fork") or "ASAN_OPTIONS" in os.environ,
    # https://github.com/llvm/llvm-project/pull/75290, which gcc 12 does not have
    reason="this system has no fork, or the sanitizer hangs in a child if its parent had threads",
)
measures_memory = pytest.mark.skipif(
    "ASAN_OPTIONS" in os.environ, reason="the sanitizer takes memory of its own"
)
needs_signals = pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise there")

ACT_AT_IMPORT = """
    import os, signal, sys, threading, time, warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # of fork with threads, from Python 3.12 on
    class Finder:
        def __init__(self, module, act):
            self.module, self.act = module, act
            sys.meta_path.insert(0, self)
        def find_spec(self, name, *_):
            if name == self.module:
                sys.meta_path.remove(self)
                self.act()
"""
"""The begin of a program: Finder(module, act) calls `act` once, when the module is imported."""


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
