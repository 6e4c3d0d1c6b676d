"""The folder of a run: raw JSON lines, one a measurement, each on the disk before the next."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.environments import CHECKOUT

Record = dict[str, Any]
KEY_FIELDS = (
    "kind",
    "contender",
    "fingerprint",
    "state",
    "threads",
    "repeat",
    "corpus",
    "vocab_size",
    "pattern",
    "special_tokens",
    "output",
    "format",
    "apart",
)
"""What makes two measurements the same one."""


class RunFolder:
    """The records of a run, in memory and in ``records.jsonl``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "records.jsonl"
        self.learned = folder / "learned"
        self.learned.mkdir(parents=True, exist_ok=True)
        _end_last_line(self.file)
        self.records = list(_read(self.file)) if self.file.exists() else []
        self.done = {key(record) for record in self.records if "error" not in record}

    def add(self, record: Record) -> None:
        """Append one record; it's on the disk when this returns."""
        complete = record | {
            "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "load": load_average(),
        }
        complete |= {"git": git_state(), "machine": machine()}
        with self.file.open("a") as lines:
            lines.write(json.dumps(complete) + "\n")
            lines.flush()
            os.fsync(lines.fileno())
        self.records.append(complete)
        if "error" not in record:
            self.done.add(key(record))

    def learned_file(self, identity: Mapping[str, Any]) -> Path:
        """Name the file for what a contender learned, or for its ids."""
        name = hashlib.sha256(key(identity).encode()).hexdigest()[:12]
        return self.learned / f"{identity['contender']}-{name}.txt"


def key(record: Mapping[str, Any]) -> str:
    """Give the identity of a record as text."""
    return json.dumps([record.get(field) for field in KEY_FIELDS])


def _end_last_line(file: Path) -> None:
    """End a line that a crash has cut short, so that the next record isn't joined to it."""
    if file.exists() and not file.read_bytes().endswith(b"\n"):
        with file.open("a") as lines:
            lines.write("\n")


def _read(file: Path) -> Iterable[Record]:
    """Read records; a line cut short by a crash is left out."""
    for line in file.read_text().splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def latest(records: Iterable[Record]) -> list[Record]:
    """Keep the last record of each identity: a failure that was tried again is no longer one."""
    return list({key(record): record for record in records}.values())


def load_average() -> float:
    """Load of the machine over the last minute."""
    return round(os.getloadavg()[0], 2)


@cache
def git_state() -> str:
    """Commit of the checkout, with a mark where files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "not a git checkout"


@cache
def machine() -> dict[str, str | int]:
    """Describe processor, cores, memory and system."""
    return {
        "processor": _first_line_value("/proc/cpuinfo", "model name")
        or platform.processor()
        or platform.machine(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _first_line_value(file: str, name: str) -> str:
    if not Path(file).exists():
        return ""
    lines = Path(file).read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
