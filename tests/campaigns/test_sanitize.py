"""A build with sanitizers ends where memory is read that is not there."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource")  # Windows has none

from campaigns import sanitize

SOURCE = """
#include <stdlib.h>
int read_at(int at) {
    char *volatile data = calloc(16, 1);
    int value = data[at];
    free(data);
    return value;
}
int shift(int n) { return 1 << n; }
"""
CALL = """
import ctypes, sys
getattr(ctypes.CDLL(sys.argv[1]), sys.argv[2])(int(sys.argv[3]))
"""


@pytest.mark.skipif(
    shutil.which("gcc") is None or sys.platform != "linux", reason="gcc's sanitizers"
)
@pytest.mark.parametrize(
    ("function", "right", "wrong", "message"),
    [("read_at", 15, 16, "heap-buffer-overflow"), ("shift", 30, 40, "shift exponent")],
)
def test_a_planted_fault_is_found(
    function: str, right: int, wrong: int, message: str, tmp_path: Path
) -> None:
    """In a library that is built and loaded as the extensions are."""
    (tmp_path / "a.c").write_text(SOURCE)
    compiler = sanitize.write_compiler(tmp_path)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", "a.so", "a.c"], cwd=tmp_path, check=True)
    for value in (right, wrong):
        done = subprocess.run(
            [sys.executable, "-c", CALL, tmp_path / "a.so", function, str(value)],
            env=sanitize.environment(tmp_path, tmp_path / "report"),
            capture_output=True,
            text=True,
        )
        assert (done.returncode == 0) == (value == right), done.stderr
        told = [done.stderr, *(path.read_text() for path in tmp_path.glob("report.*"))]
        assert (message in "".join(told)) == (value == wrong)
