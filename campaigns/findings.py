"""Inputs that failed, in files that a person reads and `--repeat` runs."""

from __future__ import annotations

import ast
import pprint
import sys
import textwrap
import traceback
from pathlib import Path
from typing import Any, TypeAlias

from campaigns.campaign import Campaign

Place: TypeAlias = tuple[str, str, int]


def place_of(error: BaseException) -> Place:
    """Return the kind of an error and the line that raised it: equal for the same fault."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.name != "expect"]
    line = (frames[-1].filename, frames[-1].lineno or 0) if frames else ("", 0)
    return (type(error).__name__, *line)


def save(folder: Path, name: str, seed: int, number: int, case: Any, what: str) -> Path:
    """Write an input that failed, and how; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = file_of(folder, name, seed, number)
    head = f"{what.rstrip()}\n\n{command(path)}"
    content = pprint.pformat(case._asdict(), width=100, sort_dicts=False)
    text = textwrap.indent(head, "# ", lambda line: True) + "\n" + content + "\n"
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
    return path


def file_of(folder: Path, name: str, seed: int, number: int) -> Path:
    """Return where an input is saved."""
    return folder / f"{name}-{seed}-{number}.txt"


def command(path: Path) -> str:
    """Return the command that checks a saved input again."""
    return f"{Path(sys.executable).name} -m campaigns {path.name.split('-')[0]} --repeat {path}"


def load(path: Path, campaign: Campaign[Any]) -> Any:
    """Return the input of a file that `save` wrote."""
    return campaign.case(**ast.literal_eval(path.read_text(encoding="utf-8")))
