"""Records grouped into what a table row or a bar shows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.records import Record, latest

GROUP_FIELDS = (
    "kind",
    "contender",
    "state",
    "threads",
    "corpus",
    "vocab_size",
    "pattern",
    "output",
    "format",
    "apart",
)


MB = 1_000_000


@dataclass(frozen=True)
class Group:
    """The repeats of one measurement."""

    records: list[Record]

    @property
    def name(self) -> str:
        """Contender and state, as a row or a bar is called."""
        first = self.records[0]
        return str(first["label"]) + (f", {first['state']} kernels" if first["state"] else "")

    @property
    def contender(self) -> str:
        """The contender's own name."""
        return str(self.records[0]["contender"])

    @property
    def threads(self) -> int:
        """Threads allowed."""
        return int(self.records[0]["threads"])

    @property
    def output(self) -> str:
        """What an encoder gave, or an empty string."""
        return str(self.records[0].get("output", ""))

    @property
    def n_bytes(self) -> int:
        """Size of the corpus."""
        return int(self.records[0]["n_bytes"])

    def field(self, name: str) -> object:
        """A field that all repeats have in common."""
        return self.records[0].get(name)

    def stage_names(self) -> list[str]:
        """List the stages, in the order in which they were told."""
        return list(dict.fromkeys(name for record in self.records for name in record["stages"]))

    def stage(self, name: str) -> float:
        """Median seconds of a stage."""
        values = [float(record["stages"].get(name, 0.0)) for record in self.records]
        return statistics.median(values)

    def values(self, name: str) -> list[float]:
        """Give one value a repeat."""
        return [float(record[name]) for record in self.records]

    def median(self, name: str) -> float:
        """Median over the repeats."""
        return statistics.median(self.values(name))

    def least(self, name: str) -> float:
        """Minimum over the repeats."""
        return min(self.values(name))

    def spread(self, name: str) -> float:
        """(maximum - minimum) / median."""
        values = self.values(name)
        return (
            (max(values) - min(values)) / statistics.median(values)
            if statistics.median(values)
            else 0.0
        )


def current(records: Iterable[Record]) -> list[Record]:
    """Drop failures that were mended, and measurements of a contender's earlier version."""
    kept = latest(records)
    versions = {(r["kind"], r["contender"]): r.get("fingerprint") for r in kept}
    return [r for r in kept if versions[r["kind"], r["contender"]] == r.get("fingerprint")]


def groups(records: Sequence[Record], kind: str) -> list[Group]:
    """Group the measurements of a kind, in the order in which they were first made."""
    found: dict[tuple[object, ...], list[Record]] = {}
    for record in records:
        if record["kind"] == kind and "error" not in record:
            found.setdefault(tuple(str(record.get(name)) for name in GROUP_FIELDS), []).append(
                record
            )
    return [Group(each) for each in found.values()]


def failures(records: Sequence[Record]) -> dict[str, str]:
    """Give the reason for each contender that failed somewhere."""
    reasons = {}
    for record in records:
        if "error" in record:
            what = " ".join([record["kind"], record.get("output") or ""]).strip()
            reasons[f"{record['contender']} ({what})"] = record["error"]
    return reasons


def base_of(rows: Sequence[Group], threads: int) -> Group:
    """Choose what ratios are taken to: bpetok with cached kernels, otherwise the first row."""
    same = [row for row in rows if row.threads == threads]
    ours = [row for row in same if row.contender == "bpetok" and row.records[0]["state"] != "cold"]
    return [*ours, *same][0]


def ratio(row: Group, base: Group) -> float:
    """Give how many times as long a whole process takes as another."""
    return row.median("wall_seconds") / base.median("wall_seconds")


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float | None:
    """Fit cost = a * size^p by least squares on logarithms; None with fewer than three sizes."""
    if len(set(sizes)) < 3 or min(costs) <= 0:
        return None
    return statistics.linear_regression(
        [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    ).slope
