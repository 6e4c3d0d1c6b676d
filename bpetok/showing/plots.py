"""Plots as SVG that follow light and dark themes, drawn by Matplotlib.

Lines and letters get stand-in colours, which become CSS variables in the SVG: so one picture is
right on both grounds, also as an image of its own.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Stand-in: on light ground, on dark ground. The lines' colours differ in lightness too.
INK, LINE = "#010101", "#020202"
THEME = {
    INK: ("#1b1f24", "#e6e9ed"),
    LINE: ("#d5d9de", "#3a424c"),
    "#030301": ("#0b5cad", "#7cb7f5"),
    "#030302": ("#c2410c", "#ffab70"),
    "#030303": ("#15803d", "#6fdc8c"),
    "#030304": ("#7e22ce", "#cfa6f7"),
    "#030305": ("#be185d", "#ff9ac1"),
    "#030306": ("#57534e", "#c9c2bb"),
    "#030307": ("#0e7490", "#67d3e8"),
    "#030308": ("#854d0e", "#e7c65a"),
    "#040401": ("#cfe4fa", "#1f4264"),
    "#040402": ("#fbe0c4", "#5c3c17"),
    "#040403": ("#d3efd3", "#23502a"),
    "#040404": ("#eadcf7", "#4a3266"),
}
COLOURS = [stand_in for stand_in in THEME if stand_in.startswith("#0303")]
GROUNDS = [stand_in for stand_in in THEME if stand_in.startswith("#0404")]
"""Behind letters, as the chips of the pages."""
DASHES: list[Any] = ["-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (9, 2))]
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bpetok",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 12,
    "text.parse_math": False,  # names may hold dollars
    "text.color": INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 2,
}


def lines(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    x: str,
    y: str,
) -> bytes:
    """Return a plot of named curves, (xs, ys) each, against powers of two."""
    with mpl.rc_context(STYLE):
        figure, axes = _figure()
        draw_lines(axes, curves, x=x, y=y, colours=COLOURS)
        if len(curves) > 1:
            figure.legend(loc="outside upper left", ncols=2, frameon=False)
        return to_svg(figure)


def draw_lines(
    axes: Axes,
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    x: str,
    y: str,
    colours: Sequence[str | None] = (None,),
) -> None:
    """Draw named curves, (xs, ys) each, against powers of two; None is the next colour."""
    for i, (name, (xs, ys)) in enumerate(curves.items()):
        # A label that begins with "_" is left out of the legend.
        colour, dashes = colours[i % len(colours)], DASHES[i % len(DASHES)]
        axes.plot(xs, ys, label=f" {name}", color=colour, linestyle=dashes)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(FuncFormatter(_power_of_two))
    axes.set(xlabel=x, ylabel=y)


def bars(heights: Mapping[str, Sequence[float]], *, x: str, y: str, last_is_more: bool) -> bytes:
    """Return a plot of named rows of bars at 0, 1, 2, ..., side by side.

    With `last_is_more` the last ones count all that follows.
    """
    with mpl.rc_context(STYLE):
        figure, axes = _figure()
        width = 0.8 / len(heights)
        for i, (name, row) in enumerate(heights.items()):
            left = (i - (len(heights) - 1) / 2) * width
            axes.bar(
                [at + left for at in range(len(row))],
                row,
                width,
                color=COLOURS[i % len(COLOURS)],
                label=f" {name}",
            )
        axes.grid(visible=False, axis="x")
        last = max(map(len, heights.values())) - 1
        ticks = range(0, last + 1, 4)
        axes.set_xticks(ticks, [f"{t}+" if last_is_more and t == last else str(t) for t in ticks])
        axes.yaxis.set_major_formatter(FuncFormatter(_short))
        axes.set(xlabel=x, ylabel=y)
        if len(heights) > 1:
            figure.legend(loc="outside upper left", ncols=2, frameon=False)
        return to_svg(figure)


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    return figure, figure.add_subplot()


def _short(value: float, _: object) -> str:
    if value >= 1000:
        return f"{value / 1000:g}k"
    return f"{value:g}"


def _power_of_two(value: float, _: object) -> str:
    return f"{value / 1024:g}k" if value >= 1024 else f"{value:g}"


def to_svg(figure: Figure) -> bytes:
    """Return a figure drawn in stand-in colours as SVG that has a light and a dark theme."""
    target = io.BytesIO()
    figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    svg = target.getvalue().decode()
    variables = {stand_in: f"--{stand_in[1:]}" for stand_in in THEME}
    for stand_in, variable in variables.items():
        svg = svg.replace(stand_in, f"var({variable})")
    light, dark = (
        ";".join(f"{variables[stand_in]}:{pair[i]}" for stand_in, pair in THEME.items())
        for i in range(2)
    )
    theme = f"<style>:root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}</style>"
    return re.sub(r"(<svg [^>]*>)", rf"\1{theme}", svg, count=1).encode()
