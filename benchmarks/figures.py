"""The figures of docs/, as SVG for light and dark grounds.

    python -m benchmarks.figures [--output docs]

`choosing_*.svg` show what is measured anew on bpetok's sample, the sources of Python's standard
library, as is `phases.svg`; the table for `choosing.md` is printed. The others are drawn from the
toy example of README.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

import bpetok
from bpetok.base.demo import demo_files
from bpetok.base.timing import collect
from bpetok.learning.learner import learn_merges
from bpetok.learning.rule import DEFAULT_TUNING
from bpetok.showing import plots
from bpetok.showing.measures import TokenizerReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TOY = "low " * 5 + "lower " * 2 + "newest " * 6 + "widest " * 3
PARALLEL = {"count", "combine", "pack", "index", "apply"}
SIZES = [512 << i for i in range(7)]
VOCAB_SIZE = 32_768


def chips(
    axes: Axes, y: float, parts: Sequence[str], grounds: Sequence[int], x: float = 0
) -> float:
    """Draw boxes with text in a row; return where it ends."""
    for part, ground in zip(parts, grounds, strict=True):
        width = 0.6 * len(part) + 0.5
        box = mpl.patches.FancyBboxPatch(
            (x, y), width, 0.9, boxstyle="round,pad=0,rounding_size=.15",
            facecolor=plots.GROUNDS[ground], edgecolor="none",
        )  # fmt: skip
        axes.add_patch(box)
        axes.text(x + width / 2, y + 0.42, part, ha="center", va="center", family="monospace")
        x += width + 0.15
    return x


def canvas(width: float, height: float, x: float, y: float) -> tuple[Figure, Axes]:
    """Return a figure of inches, and axes without any lines from 0 to x and to y."""
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-0.3, x), ylim=(0, y))
    axes.axis("off")
    return figure, axes


def words_figure() -> bytes:
    """Draw why words keep their leading space."""
    figure, axes = canvas(7.2, 2.5, 26, 9)
    rows = [
        ("the text", ["low␣lower␣newest"]),
        ("cut at spaces: five words, as each space is one",
         ["low", "␣", "lower", "␣", "newest"]),
        ("a space leads the next word: three words, and joined they are the text",
         ["low", "␣lower", "␣newest"]),
    ]  # fmt: skip
    for i, (label, parts) in enumerate(rows):
        y = 6.2 - 3 * i
        axes.text(0, y + 1.3, label, fontsize=10)
        chips(axes, y, parts, [part == "␣" for part in parts])
    return plots.to_svg(figure)


def deltas_figure() -> bytes:
    """Draw the counts that one merge of the toy changes."""
    tok = bpetok.train_from_iterator([TOY], vocab_size=266)
    rank = tok.merges.index((b"e", b"w"))
    step = next(step for step in tok.explain(" newest").words[0].steps if step.rank == rank)
    after = [token.decode().replace(" ", "␣") for token in step.tokens]
    at = step.made[0]
    before = [*after[:at], "e", "w", *after[at + 1 :]]
    assert tok.merge_counts is not None  # it was trained just now
    count = int(tok.merge_counts[rank])
    figure, axes = canvas(7.2, 2.5, 26, 9)
    axes.text(0, 7.7, f"before merge {rank}, in a word that occurs {count} times", fontsize=10)
    marks = [1 if at <= i < at + 2 else 0 for i in range(len(before))]
    chips(axes, 6.4, before, marks)
    axes.text(0, 3.7, "after it", fontsize=10)
    chips(axes, 2.4, after, [2 if i == at else 0 for i in range(len(after))])
    axes.text(12, 6.6, f"({before[at - 1]}, e) -{count}    (e, w) -{count}    "
                       f"(w, {before[at + 2]}) -{count}", color=plots.COLOURS[1])  # fmt: skip
    axes.text(12, 2.6, f"({after[at - 1]}, ew) +{count}    (ew, {after[at + 1]}) +{count}",
              color=plots.COLOURS[2])  # fmt: skip
    axes.text(0, 0.6, "all other counts stay: nothing is counted again", fontsize=10)
    return plots.to_svg(figure)


def arrays_figure() -> bytes:
    """Draw two words of the toy in one array of slots, before and after two merges."""
    tok = bpetok.train_from_iterator([TOY], vocab_size=266)
    words = [b" low", b"low"]
    figure, axes = canvas(7.2, 3.1, 26, 11.2)
    starts = [1, 1 + len(words[0]) + 1]
    n_slots = starts[-1] + len(words[-1]) + 1
    stages = [
        ("each byte has a slot; -1 before and after each word", tok.truncate(256)),
        ("after l + o: the pair (lo, w) begins in slots {}", tok.truncate(259)),
        ("after lo + w: no slot has moved; a dot is not looked at", tok.truncate(260)),
    ]
    axes.text(0, 10.3, "slot", fontsize=9)
    for slot in range(n_slots):
        axes.text(3.2 + 2.2 * slot, 10.3, str(slot), ha="center", fontsize=9)
    for row, (label, stage) in enumerate(stages):
        slots, lit, postings = _slots(stage, words, starts, n_slots)
        y = 8.6 - 3.1 * row
        for slot, (text, is_lit) in enumerate(zip(slots, lit, strict=True)):
            ground = 2 if is_lit else 0
            box = mpl.patches.Rectangle(
                (2.2 + 2.2 * slot, y), 2.0, 1.0, facecolor=plots.GROUNDS[ground], edgecolor="none"
            )
            axes.add_patch(box)
            axes.text(3.2 + 2.2 * slot, y + 0.45, text, ha="center", va="center",
                      family="monospace", fontsize=9)  # fmt: skip
        axes.text(2.2, y - 0.9, label.format(" and ".join(map(str, postings))), fontsize=10)
    return plots.to_svg(figure)


def _slots(
    tok: bpetok.Tokenizer, words: Sequence[bytes], starts: Sequence[int], n_slots: int
) -> tuple[list[str], list[bool], list[int]]:
    """Return what the slots hold, which are of tokens longer than a byte, and where those begin."""
    slots, lit, postings = ["-1"] * n_slots, [False] * n_slots, []
    for word, start in zip(words, starts, strict=True):
        for token_id in tok.encode(word.decode()):
            size = len(tok.token_bytes(token_id))
            slots[start : start + size] = ["·"] * size
            slots[start] = slots[start + size - 1] = str(token_id)
            if size > 1:
                lit[start : start + size] = [True] * size
                postings.append(start)
            start += size
    return slots, lit, postings


def phases_figure(files: list[str], n_threads: int) -> bytes:
    """Draw the measured seconds of each stage of training, serial ones apart.

    All rounds are shared out, so that applying merges can be told apart, however little text it is.
    """
    tuning = DEFAULT_TUNING._replace(parallel_slots=0, parallel_postings=0)
    with collect() as seconds:
        words = bpetok.count_words(files, n_threads=n_threads)
        learn_merges(words, VOCAB_SIZE - 256, n_threads=n_threads, tuning=tuning)
    seconds = {name: spent for name, spent in seconds.items() if name not in ("load", "read")}
    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axes = figure.add_subplot()
    names = list(seconds)[::-1]
    colours = [plots.COLOURS[0 if name in PARALLEL else 1] for name in names]
    bars = axes.barh(names, [seconds[name] * 1000 for name in names], color=colours)
    axes.bar_label(bars, fmt=" %.0f", color=plots.INK)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("milliseconds, summed over threads")
    handles = [mpl.patches.Patch(color=colour) for colour in plots.COLOURS[:2]]
    names = ["can be shared out among threads", "needs the whole: one thread"]
    figure.legend(handles, names, loc="outside upper left", frameon=False)
    return plots.to_svg(figure)


def choosing_figures(files: list[str], shares: Sequence[int]) -> dict[str, bytes]:
    """Draw how patterns, and the amount of text, change what a vocabulary is worth.

    Each tenth file is kept out of training, to measure on; the second figure is of all the rest
    and of each n-th file of it.
    """
    kept = files[::10]
    rest = [file for i, file in enumerate(files) if i % 10]
    kept_paths = {"kept": list(map(Path, kept))}
    patterns = {}
    for pattern in ("gpt2", "cl100k", "o200k"):
        tok = bpetok.train(rest, vocab_size=VOCAB_SIZE, pattern=pattern)
        patterns[pattern] = bpetok.report(tok, kept_paths).tokenizers[0]
    amounts = {}
    for share in shares:
        part = rest[::share]
        tok = bpetok.train(part, vocab_size=VOCAB_SIZE, min_frequency=2)
        facts = bpetok.report(tok, kept_paths).tokenizers[0]
        amounts[f"{tok.training.n_bytes / 1e6:.2g} MB" if tok.training else ""] = facts
    counts = patterns["gpt2"].tokenizer.merge_counts
    assert counts is not None  # as above
    print("\ntimes that the last merge occurred:", [int(counts[size - 257]) for size in SIZES])
    for title, reports in (("pattern", patterns), ("text", amounts)):
        print(f"\n| {title} | " + " | ".join(f"{size:,}" for size in SIZES) + " |")
        print("|---|" + "--:|" * len(SIZES))
        for name, one in reports.items():
            cells = [_bytes_per_token(one, size) for size in SIZES]
            print(f"| {name} | " + " | ".join(cells) + " |")
    return {
        "choosing_pattern": plots.lines(
            {name: _curve(one) for name, one in patterns.items()},
            x="vocabulary size", y="bytes per token, unseen text"),
        "choosing_text": plots.lines(
            {name: _curve(one) for name, one in amounts.items()},
            x="vocabulary size", y="bytes per token, unseen text"),
    }  # fmt: skip


def _bytes_per_token(one: TokenizerReport, size: int) -> str:
    if size > one.vocab_sizes[-1]:
        return "-"
    return f"{one.total.n_bytes / one.total.n_tokens_by_merges[size - one.vocab_sizes[0]]:.2f}"


def _curve(one: TokenizerReport) -> tuple[list[float], list[float]]:
    picked = np.unique(np.geomspace(1, one.n_merges + 1, 150).astype(int) - 1)
    ys = one.total.n_bytes / one.total.n_tokens_by_merges[picked]
    return one.vocab_sizes[picked].tolist(), ys.tolist()


def main() -> None:
    """Write all figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("docs"))
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    files = demo_files()
    phases_figure(files[:20], options.threads)  # loads the kernels
    with mpl.rc_context(plots.STYLE):
        figures = {
            "words": words_figure(),
            "deltas": deltas_figure(),
            "arrays": arrays_figure(),
            "phases": phases_figure(files, options.threads),
            **choosing_figures(files, (64, 16, 4, 1)),
        }
    for name, svg in figures.items():
        (options.output / f"{name}.svg").write_bytes(svg)


if __name__ == "__main__":
    main()
