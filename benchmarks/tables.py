"""The tables of a report; a section without records is an empty string."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.records import Record
from benchmarks.summary import MB, Group, base_of, exponent, groups, ratio
from benchmarks.worker import HARD_TEXTS

Row = dict[str, str]
"""Cells by column."""

TEXT_COLUMNS = (
    "trainer (its input)",
    "files",
    "encoder",
    "version",
    "merges",
    "output",
    "comparison",
)


def table(rows: Sequence[Row]) -> str:
    """Lay out a Markdown table; columns of text are aligned left, numbers right."""
    head = list(dict.fromkeys(column for row in rows for column in row))
    rule = [":--" if column in TEXT_COLUMNS else "--:" for column in head]
    lines = [head, rule, *([row.get(column, "") for column in head] for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def section(title: str, note: str, rows: Sequence[Row]) -> str:
    """Put a table under its title, or give nothing where it has no rows."""
    return f"## {title}\n\n{note}\n\n{table(rows)}" if rows else ""


def learned(records: Sequence[Record]) -> str:
    """Tell who trains the same merges, and where and why the others part."""
    checks = {r["contender"]: r for r in records if r["kind"] == "check" and "error" not in r}
    found = [record for record in records if record["kind"] == "comparison"]
    rows = [
        {
            "trainer (its input)": checks[row["contender"]]["label"],
            "version": checks[row["contender"]]["version"],
            "number of merges": f"{row['n_merges']:,}",
            "tokens in common": f"{row['n_common']:,}",
            "comparison": said(row),
        }
        for row in found
        if row["contender"] in checks
    ]
    note = f"Compared with {found[0]['reference']}, before any time is." if found else ""
    return section("What each learns", note, rows)


def said(row: Record) -> str:
    """Put a comparison of merges into words."""
    notes = ["**other work**: " + row["other_work"]] if row["other_work"] else []
    if row["equal"]:
        notes.append("equal")
    else:
        pairs = " / ".join(f"`{pair}`" for pair in row["pairs"]).replace("|", "\\|")
        place = f"differs from merge {row['index']:,} on ({pairs})"
        notes.append(f"{place}: {row['difference']}: {row['why']}")
        if row["equal_to"]:
            notes.append("equal to " + ", ".join(row["equal_to"]))
    if "nearest" in row:
        place = f"from {row['nearest']} only from merge {row['nearest_index']:,} on"
        notes.append(f"{place}: {row['nearest_difference']}: {row['nearest_why']}")
    if not row["same_in_every_run"]:
        notes.append("**not the same in every run**")
    return "; ".join(notes)


def mark(row: Record) -> str:
    """Say in a word or two whether a trainer's work is the same."""
    if row["other_work"]:
        return "other work"
    if row["equal"]:
        return "equal"
    kinds = dict.fromkeys([row["difference"], row.get("nearest_difference", row["difference"])])
    return "differ: " + ", ".join(kinds)


def trained(records: Sequence[Record]) -> str:
    """Lay out time and memory of training, with ratios."""
    measured = groups(records, "train")
    again = {
        (row.name, row.threads): f"{row.median('call_seconds'):.2f}"
        for row in groups(records, "again")
    }
    marks = {r["contender"]: mark(r) for r in records if r["kind"] == "comparison"}
    rows = [
        {
            "trainer (its input)": row.name,
            "merges": marks.get(row.contender, ""),
            "threads": str(row.threads),
            "whole process, s": f"{row.median('wall_seconds'):.2f}",
            "least": f"{row.least('wall_seconds'):.2f}",
            "spread": f"{row.spread('wall_seconds'):.0%}",
            "own call, s": f"{row.median('call_seconds'):.2f}",
            "a second one, s": again.get((row.name, row.threads), ""),
            "CPU, s": f"{row.median('cpu_seconds'):.2f}",
            "peak, MB": f"{row.median('peak_bytes') / MB:,.0f}",
            "ratio": f"{ratio(row, base_of(measured, row.threads)):.1f}",
        }
        for row in sorted(measured, key=lambda row: (row.threads, row.median("wall_seconds")))
    ]
    base = base_of(measured, measured[0].threads).name if measured else ""
    note = (
        "Medians; the least of the repeats; spread is (most - least) / median. "
        f"The ratio is of whole processes, to {base}, with as many threads. A trainer that takes "
        "texts reads and splits the files before its own call; one that takes files, within it. A "
        "second call of the same process is measured where kernels are loaded in the first."
    )
    return section("Training", note, rows)


def grown(records: Sequence[Record]) -> str:
    """Lay out growth with the corpus and with threads."""
    measured = groups(records, "scaling")
    if not measured:
        return ""
    most = max(row.threads for row in measured)
    rows = []
    for name in dict.fromkeys(row.name for row in measured):
        mine = [row for row in measured if row.name == name and row.threads == most]
        mine.sort(key=lambda row: row.n_bytes)
        rows.append(
            {
                "trainer (its input)": name,
                **{f"{row.n_bytes / MB:.1f} MB": _cost(row) for row in (mine[0], mine[-1])},
                "exponent: whole process": _fit(mine, "wall_seconds"),
                "own call": _fit(mine, "call_seconds"),
                "peak memory": _fit(mine, "peak_bytes"),
                "speed-up by threads": speed_up(measured, mine[-1]),
            }
        )
    sizes = [row.n_bytes for row in measured]
    note = (
        f"Cost = a x size^p, fitted to medians over {max(sizes) / min(sizes):.0f} times in size, "
        f"with {most} threads; the speed-up is of the whole corpus."
    )
    return section("Growth", note, rows)


def formats(records: Sequence[Record]) -> str:
    """Lay out counting of files of each format, by threads and by processes."""
    measured = groups(records, "formats")
    found = {(row.field("format"), row.threads, row.field("apart")): row for row in measured}
    rows = []
    for name in dict.fromkeys(str(row.field("format")) for row in measured):
        mine = [row for key, row in found.items() if key[0] == name and not key[2]]
        base = min(mine, key=lambda row: row.threads)
        shown = {
            "files": f"8 x .{name}",
            "whole process, s": f"{base.median('wall_seconds'):.2f}",
            "MB/s": f"{base.n_bytes / base.median('wall_seconds') / MB:.0f}",
        }
        for row in sorted(mine, key=lambda row: row.threads):
            if row is base:
                continue
            shown[f"{row.threads} threads: speed"] = f"{ratio(base, row):.2f}"
            shown[f"{row.threads}: CPU"] = f"{_cpu(row, base):.2f}"
            apart = found.get((name, row.threads, True))
            if apart is not None:
                shown[f"{row.threads} processes: speed"] = f"{ratio(base, apart):.2f}"
                shown[f"{row.threads} processes: CPU"] = f"{_cpu(apart, base):.2f}"
        rows.append(shown)
    note = (
        "Counting the corpus, cut into records. Speed and CPU seconds: times those of the fewest "
        "threads, medians of whole processes. Processes of one thread, each with its part of the "
        "files, share nothing and add up nothing: what they give is what the machine gives."
    )
    return section("Formats", note, rows)


def _cpu(row: Group, base: Group) -> float:
    return row.median("cpu_seconds") / base.median("cpu_seconds")


def _cost(row: Group) -> str:
    return f"{row.median('wall_seconds'):.2f} s, {row.median('peak_bytes') / MB:,.0f} MB"


def _fit(rows: Sequence[Group], cost: str) -> str:
    fit = exponent([row.n_bytes for row in rows], [row.median(cost) for row in rows])
    return "" if fit is None else f"{fit:.2f}"


def speed_up(rows: Sequence[Group], full: Group) -> str:
    """Give how many times faster the whole corpus is with more threads than with the fewest."""
    mine = [row for row in rows if row.name == full.name and row.n_bytes == full.n_bytes]
    fewest = min(mine, key=lambda row: row.threads)
    return ", ".join(
        f"{row.threads}: {ratio(fewest, row):.2f}"
        for row in sorted(mine, key=lambda row: row.threads)
        if row is not fewest
    )


def staged(records: Sequence[Record]) -> str:
    """Lay out seconds by stage."""
    measured = groups(records, "stages")
    names = dict.fromkeys(name for row in measured for name in row.stage_names())
    rows = [
        {
            "trainer (its input)": row.name,
            "threads": str(row.threads),
            "whole process": f"{row.median('wall_seconds'):.2f}",
            **{name: f"{row.stage(name):.3f}" for name in names},
        }
        for row in measured
    ]
    note = "Seconds, medians; a stage that runs on several threads is summed over them."
    return section("Stages", note, rows)


def ids(records: Sequence[Record]) -> str:
    """Tell whose ids are right."""
    found = [record for record in records if record["kind"] == "ids"]
    rows = [
        {"encoder": row["contender"], "output": row["output"], "comparison": said_of_ids(row)}
        for row in found
    ]
    note = f"Compared with {found[0]['reference']}, before any time is." if found else ""
    return section("Ids", note, rows)


def said_of_ids(row: Record) -> str:
    """Put a comparison of ids into words."""
    if row["equal"]:
        return "equal"
    return f"**wrong** in {row['n_wrong']:,} of {row['n_texts']:,} texts, first in {row['index']:,}"


def encoded(records: Sequence[Record]) -> str:
    """Lay out the encoders' speeds."""
    wrong = {
        (r["contender"], r["output"]) for r in records if r["kind"] == "ids" and not r["equal"]
    }
    measured = groups(records, "encode")
    measured.sort(key=lambda row: (row.output, row.threads, row.median("call_seconds")))
    rows = []
    for row in measured:
        size = row.median("n_bytes") / MB
        bad = " (**wrong ids**)" if (row.contender, row.output) in wrong else ""
        rows.append(
            {
                "encoder": row.name + bad,
                "output": row.output,
                "threads": str(row.threads),
                "first pass, MB/s": f"{size / row.median('call_seconds'):,.0f}",
                "second pass, MB/s": f"{size / row.median('second_seconds'):,.0f}",
                "short text, us": f"{row.median('short_seconds') * 1e6:.2f}",
                "decode, MB/s": f"{size / row.median('decode_seconds'):,.0f}",
                "load, ms": f"{row.median('load_seconds') * 1e3:,.0f}",
                "whole process, s": f"{row.median('wall_seconds'):.2f}",
                "peak, MB": f"{row.median('peak_bytes') / MB:,.0f}",
            }
        )
    note = "Medians. The whole process also reads the files, and does all of these in turn."
    return section("Encoding", note, rows)


def hard(records: Sequence[Record]) -> str:
    """Lay out hard texts, how long a process takes to begin, and files to files."""
    measured = groups(records, "hard")
    failed = {
        (r["contender"], r["output"]): "fails"
        for r in records
        if r["kind"] == "hard" and "error" in r
    }
    seconds = failed | {
        (row.contender, row.output): f"{row.median('call_seconds'):.3f}" for row in measured
    }
    begins = {row.contender: row.median("wall_seconds") for row in groups(records, "start")}
    idle = {row.contender: row.median("wall_seconds") for row in groups(records, "idle")}
    files = {
        (row.contender, row.threads): row.n_bytes / MB / row.median("call_seconds")
        for row in groups(records, "to file")
    }
    threads = sorted({each for _, each in files})
    rows = [
        {
            "encoder": name,
            **{f"{case}, s": seconds.get((name, case), "") for case in HARD_TEXTS},
            "start, ms": f"{(begins[name] - idle[name]) * 1e3:.0f}",
            **{
                f"files to a file, {n} thread{'s' * (n > 1)}, MB/s": (
                    f"{files[name, n]:,.0f}" if (name, n) in files else ""
                )
                for n in threads
            },
        }
        for name in begins
        if name in idle
    ]
    note = (
        "Medians. A million spaces, a million times one letter, a million random letters, 100,000 "
        "random CJK characters, each as one text. Start: a process that loads the vocabulary and "
        "encodes one short text, less a process that does neither. Files: reading and writing "
        "included, integers of the least width."
    )
    return section("Hard texts, start, files", note, rows)
