"""The pictures of a report, each as SVG and PNG."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

from benchmarks.records import Record
from benchmarks.summary import MB, Group, exponent, groups
from bpetok.showing import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

STYLE: dict[Any, Any] = {**plots.STYLE, "font.size": 10}
COLOURS = (
    "#4477aa",
    "#ee6677",
    "#228833",
    "#ccbb44",
    "#66ccee",
    "#aa3377",
    "#999933",
    "#882255",
    "#44aa99",
    "#777777",
)
"""Distinct for the colour-blind too (Paul Tol's)."""
MARKS = "osD^vP*Xdh"
MEANWHILE = "load"
"""The stage that runs while the others do."""


def write_plots(records: Sequence[Record], folder: Path) -> list[str]:
    """Draw what the records allow; returns the names of the pictures."""
    mpl.use("Agg")
    other = frozenset(r["contender"] for r in records if r.get("other_work"))
    trained = groups(records, "train")
    drawn = {
        "time": bars(trained, Bars("wall_seconds", 1, "whole process, seconds", other)),
        "memory": bars(trained, Bars("peak_bytes", MB, "peak resident memory, MB", other)),
        "growth": growth(groups(records, "scaling")),
        "stages": stages(groups(records, "stages")),
        "encoding": encoding(groups(records, "encode")),
    }
    for name, figure in drawn.items():
        if figure is not None:
            with mpl.rc_context(STYLE):  # what is drawn late, such as ticks, asks for it again
                (folder / f"{name}.svg").write_bytes(plots.to_svg(figure))
                figure.savefig(folder / f"{name}.png", dpi=150, facecolor="white")
    return [name for name, figure in drawn.items() if figure is not None]


def _figure(width: float, height: float, n_columns: int = 1) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(1, n_columns, squeeze=False)[0]
    return figure, list(axes)


@dataclass(frozen=True)
class Bars:
    """What a chart of bars shows: a cost, its unit and name, and whose work is other."""

    cost: str
    unit: float
    label: str
    other_work: frozenset[str]


def bars(rows: Sequence[Group], shown: Bars) -> Figure | None:
    """Draw a bar for each contender and number of threads, a line from least to most."""
    if not rows:
        return None
    threads = sorted({row.threads for row in rows})
    order = _slowest_first(rows, shown.cost)
    figure, (axes,) = _figure(9, 1.4 + 0.32 * len(order) * len(threads))
    height = 0.8 / len(threads)
    for i, n_threads in enumerate(threads):
        mine = [row for row in rows if row.threads == n_threads]
        places = [order.index(row.name) + 0.4 - height * (i + 0.5) for row in mine]
        look = {"height": height * 0.92, "color": COLOURS[i], "label": _threads(n_threads)}
        _draw_bars(axes, mine, places, shown, look)
    other = {row.name for row in rows if row.contender in shown.other_work}
    axes.set_yticks(range(len(order)), [n + ", other work" * (n in other) for n in order])
    for tick, name in zip(axes.get_yticklabels(), order, strict=True):
        tick.set_fontweight("bold" if name.startswith("bpetok") else "normal")
    most = max(max(row.values(shown.cost)) for row in rows) / shown.unit
    axes.set(ylim=(-0.6, len(order) - 0.4), xlim=(0, 1.12 * most))
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(f"{shown.label}: median; line: least to most")
    axes.set_title(_title(rows), fontsize=11, loc="left")
    figure.legend(loc="outside lower right", ncols=len(threads), frameon=False)
    return figure


def _slowest_first(rows: Sequence[Group], cost: str) -> list[str]:
    least: dict[str, float] = {}
    for row in rows:
        least[row.name] = min(row.median(cost), least.get(row.name, math.inf))
    return sorted(least, key=lambda name: -least[name])


def _draw_bars(
    axes: Axes, rows: Sequence[Group], places: Sequence[float], shown: Bars, look: dict[str, Any]
) -> None:
    values = [[value / shown.unit for value in row.values(shown.cost)] for row in rows]
    middles = [statistics.median(each) for each in values]
    below = [middle - min(each) for middle, each in zip(middles, values, strict=True)]
    above = [max(each) - middle for middle, each in zip(middles, values, strict=True)]
    line = {"ecolor": plots.INK, "elinewidth": 1}
    axes.barh(places, middles, xerr=[below, above], error_kw=line, **look)
    for place, middle, each in zip(places, middles, values, strict=True):
        at: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": 8}
        axes.annotate(_number(middle), (max(each), place), (4, 0), **at)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _threads(n_threads: int) -> str:
    return f"{n_threads} thread" + ("s" if n_threads > 1 else "")


def _title(rows: Sequence[Group]) -> str:
    largest = max(rows, key=lambda row: row.n_bytes)
    first = largest.records[0]
    size = f"{first['corpus_name']}, {largest.n_bytes / MB:,.0f} MB"
    return f"{size}; vocabulary {first['vocab_size']:,}, pattern {first['pattern']}"


def growth(rows: Sequence[Group]) -> Figure | None:
    """Draw time and memory against the size of the corpus, and time against threads."""
    if not rows:
        return None
    most = max(row.threads for row in rows)
    full = max(row.n_bytes for row in rows)
    figure, panels = _figure(13, 5.2, 3)
    for i, name in enumerate(dict.fromkeys(row.name for row in rows)):
        look = {"color": COLOURS[i % len(COLOURS)], "marker": MARKS[i % len(MARKS)]}
        _draw_growth(panels, [row for row in rows if row.name == name], most, full, look)
    costs = ("whole process, seconds", "peak resident memory, MB")
    for axes, what in zip(panels, costs, strict=False):
        axes.set(xscale="log", yscale="log", xlabel="corpus, MB", ylabel=what)
        _plain_ticks(axes.xaxis)
        _plain_ticks(axes.yaxis)
    panels[2].set(yscale="log", xticks=sorted({row.threads for row in rows}))
    panels[2].set(xlabel=f"threads ({full / MB:,.0f} MB)", ylabel="whole process, seconds")
    _plain_ticks(panels[2].yaxis)
    figure.suptitle(f"{_title(rows)}; {_threads(most)} in the first two", fontsize=11)
    told = "in brackets: fitted exponents of time and memory"
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9, title=told)
    return figure


def _draw_growth(
    panels: Sequence[Axes], rows: Sequence[Group], most: int, full: int, look: dict[str, Any]
) -> None:
    by_size = sorted((r for r in rows if r.threads == most), key=lambda row: row.n_bytes)
    by_threads = sorted((r for r in rows if r.n_bytes == full), key=lambda row: row.threads)
    sizes = [row.n_bytes / MB for row in by_size]
    seconds = [row.median("wall_seconds") for row in by_size]
    peaks = [row.median("peak_bytes") / MB for row in by_size]
    fits = [exponent(sizes, costs) for costs in (seconds, peaks)]
    told = ", ".join("-" if fit is None else f"{fit:.2f}" for fit in fits)
    line = look | {"markersize": 5, "linewidth": 1.4}
    panels[0].plot(sizes, seconds, label=f"{rows[0].name} ({told})", **line)
    panels[1].plot(sizes, peaks, **line)
    threads = [row.threads for row in by_threads]
    panels[2].plot(threads, [row.median("wall_seconds") for row in by_threads], **line)


def _plain_ticks(axis: Axis) -> None:
    """Write 1, 2, 5, 10 ... on a logarithmic axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def stages(rows: Sequence[Group]) -> Figure | None:
    """Draw the stages as one bar a number of threads, cold and cached kernels apart.

    Loading kernels runs while other stages do, so it has a bar of its own.
    """
    if not rows:
        return None
    names = list(dict.fromkeys(name for row in rows for name in row.stage_names()))
    titles = list(dict.fromkeys(row.name for row in rows))
    figure, panels = _figure(12, 2.2 + 0.6 * len(rows) / len(titles), len(titles))
    for axes, title in zip(panels, titles, strict=True):
        mine = [row for row in rows if row.name == title]
        _draw_stages(axes, mine, names)
        axes.set(title=title, xlabel="seconds, summed over threads: median")
    figure.suptitle(_title(rows), fontsize=11)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False)
    return figure


def _draw_stages(axes: Axes, rows: Sequence[Group], names: Sequence[str]) -> None:
    left = [0.0] * len(rows)
    places = list(range(len(rows)))
    for i, name in enumerate(names):
        widths = [row.stage(name) for row in rows]
        colour = COLOURS[i % len(COLOURS)]
        if name == MEANWHILE:
            below = [place - 0.3 for place in places]
            axes.barh(below, widths, 0.15, color=colour, label=f"{name} (meanwhile)")
            continue
        axes.barh(
            [place + 0.1 for place in places], widths, 0.6, left=left, color=colour, label=name
        )
        left = [start + width for start, width in zip(left, widths, strict=True)]
    whole = [row.median("wall_seconds") for row in rows]
    low, high = ([place + side for place in places] for side in (-0.4, 0.42))
    axes.vlines(whole, low, high, colors=plots.INK, linewidth=2, label="whole process")
    axes.set_yticks(places, [_threads(row.threads) for row in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.grid(visible=False, axis="y")


def encoding(rows: Sequence[Group]) -> Figure | None:
    """Draw speed at first sight and on a second pass, lists and arrays apart."""
    if not rows:
        return None
    most = max(row.threads for row in rows)
    outputs = sorted({row.output for row in rows}, reverse=True)
    figure, panels = _figure(12, 1.8 + 0.45 * len({row.name for row in rows}), len(outputs))
    for axes, output in zip(panels, outputs, strict=True):
        mine = [row for row in rows if row.output == output and row.threads == most]
        mine.sort(key=lambda row: -row.median("call_seconds"))
        passes = {"call_seconds": "first pass", "second_seconds": "second pass"}
        for i, (name, label) in enumerate(passes.items()):
            speeds = [row.median("n_bytes") / MB / row.median(name) for row in mine]
            places = [y + 0.2 - 0.4 * i for y in range(len(mine))]
            said = label if axes is panels[0] else None
            drawn = axes.barh(places, speeds, 0.37, color=COLOURS[i], label=said)
            axes.bar_label(drawn, [f"{speed:,.0f}" for speed in speeds], padding=3, fontsize=8)
        axes.set_yticks(range(len(mine)), [row.name for row in mine])
        axes.set_xlim(0, axes.get_xlim()[1] * 1.1)
        axes.grid(visible=False, axis="y")
        axes.set(xlabel="MB/s of text", title=f"{output}, {_threads(most)}")
    figure.suptitle(_title(rows), fontsize=11)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure
