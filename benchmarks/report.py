"""The report of a run: Markdown tables, and the plots next to them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from benchmarks import plots, tables
from benchmarks.records import Record, RunFolder
from benchmarks.summary import MB, current, failures

SECTIONS = (
    tables.learned,
    tables.trained,
    tables.grown,
    tables.formats,
    tables.staged,
    tables.ids,
    tables.encoded,
    tables.hard,
)


def write_report(folder: Path) -> Path:
    """Write ``report.md`` and the plots into the folder of a run; returns the report's path."""
    records = current(RunFolder(folder).records)
    parts = [heading(records), *(section(records) for section in SECTIONS)]
    parts += [failed(records), settings(records)]
    parts += [f"![{name}]({name}.svg)" for name in plots.write_plots(records, folder)]
    file = folder / "report.md"
    file.write_text("\n\n".join(part for part in parts if part) + "\n")
    return file


def heading(records: Sequence[Record]) -> str:
    """Say what was measured, where and when."""
    measured = [record for record in records if "wall_seconds" in record]
    if not measured:
        return "# Benchmarks\n\nNothing is measured yet."
    last = measured[-1]
    whole = [record for record in measured if record["kind"] != "scaling"] or measured
    corpora = {f"{r['corpus_name']} ({r['n_bytes'] / MB:,.1f} MB)" for r in whole}
    asked = {f"vocabulary {r['vocab_size']:,}, pattern {r['pattern']}" for r in measured}
    loads = [record["load"] for record in measured]
    lines = [
        f"{'; '.join(sorted(corpora))}; {'; '.join(sorted(asked))}.",
        f"{said_of(last['machine'])}; commit {last['git']}; {last['at'][:10]}.",
        "Every measurement is a fresh process; contenders took turns.",
        f"Load of the machine at the end of each measurement: {min(loads)} to {max(loads)}.",
    ]
    return "# Benchmarks\n\n" + "\n".join(lines)


def said_of(machine: dict[str, str | int]) -> str:
    """Put the machine into words."""
    memory = f"{int(machine['memory_bytes']) / 2**30:.0f} GiB"
    parts = [machine["processor"], f"{machine['cores']} cores", memory, machine["system"]]
    return ", ".join(map(str, parts)) + f", Python {machine['python']}"


def failed(records: Sequence[Record]) -> str:
    """List what didn't install or run, with the reason."""
    lines = [f"* {who}: {why}" for who, why in failures(records).items()]
    return "## Not measured\n\n" + "\n".join(lines) if lines else ""


def settings(records: Sequence[Record]) -> str:
    """List how each contender is used."""
    names = dict.fromkeys(record["contender"] for record in records if "wall_seconds" in record)
    lines = []
    for name in names:
        module = import_module(f"benchmarks.contenders.{name}")
        kinds = ("train_settings", "encode_settings")
        used = [getattr(module, kind) for kind in kinds if hasattr(module, kind)]
        lines.append(f"* {name}: {'; '.join(used)}")
    return "## Settings\n\n" + "\n".join(lines) if lines else ""
