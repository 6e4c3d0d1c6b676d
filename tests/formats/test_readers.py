"""The scripts that compare exports in other readers: they tell what is equal from what is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

READERS = Path(__file__).parents[1] / "readers"


def test_exports_are_compared(tmp_path: Path) -> None:
    """Equal ones pass; one that differs, and one that is said to differ and does not, fail."""
    pytest.importorskip("tokenizers")
    patterns = ["gpt2", "smollm"]
    subprocess.run(
        [sys.executable, str(READERS / "export.py"), str(tmp_path), *patterns], check=True
    )
    command = [sys.executable, str(READERS / "read_tokenizers.py"), str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout.splitlines()[1:]) == (
        0,
        ["gpt2: equal", "smollm: equal"],
    )
    assert subprocess.run([*command, "gpt2"], capture_output=True, check=False).returncode == 1
    texts = json.loads((tmp_path / "texts.json").read_text())
    texts["smollm"][5][1].append(0)
    (tmp_path / "texts.json").write_text(json.dumps(texts))
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "smollm: 1 of 3006 texts, such as " in result.stdout
