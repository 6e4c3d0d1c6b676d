"""Counting and learning, each alone: on one thread and on several, next to `wc -w`.

    python -m benchmarks.parts [--corpus FILE...] [--threads 2] [--repeats 5]

What is compared takes turns, in one process that has loaded everything, so that a noisy machine
hurts all alike: printed are the median of each, and of the ratios within a turn. `wc` is that of
this system, run with LC_ALL=C, where it looks at bytes, and with C.UTF-8, where it decodes them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import bpetok
from benchmarks.worker import timed
from bpetok.base.demo import demo_files

SPECIAL_TOKENS = ["<|endoftext|>"]
Turn = dict[str, float]


def wc(files: Sequence[str], locale: str) -> None:
    """Count words as the shell does."""
    subprocess.run(
        ["wc", "-w", *files],
        stdout=subprocess.DEVNULL,
        env=os.environ | {"LC_ALL": locale},
        check=True,
    )


def measure(files: Sequence[str], n_threads: int, n_repeats: int, vocab_size: int) -> list[Turn]:
    """Return the seconds of each part for each turn."""
    count = partial(bpetok.count_words, files, special_tokens=SPECIAL_TOKENS)
    counting = in_turns(
        {
            "wc -w, C": partial(wc, files, "C"),
            "wc -w, C.UTF-8": partial(wc, files, "C.UTF-8"),
            "count, 1": partial(count, n_threads=1),
            f"count, {n_threads}": partial(count, n_threads=n_threads),
        },
        n_repeats,
    )
    learn = partial(bpetok.train_from_words, count(), vocab_size=vocab_size)
    learning = in_turns(
        {
            "learn, 1": partial(learn, n_threads=1),
            f"learn, {n_threads}": partial(learn, n_threads=n_threads),
        },
        n_repeats,
    )
    return [one | other for one, other in zip(counting, learning, strict=True)]


def in_turns(parts: dict[str, Callable[[], object]], n_repeats: int) -> list[Turn]:
    """Time all parts again and again; a first turn, which loads, is left out."""
    turns = [{name: timed(part)[0] for name, part in parts.items()} for _ in range(n_repeats + 1)]
    return turns[1:]


def to_markdown(turns: Sequence[Turn], n_threads: int) -> str:
    """Return a table of the medians, with what each is compared with."""
    bases = {
        "count, 1": ["wc -w, C", "wc -w, C.UTF-8"],
        f"count, {n_threads}": ["count, 1"],
        f"learn, {n_threads}": ["learn, 1"],
    }
    lines = ["| part, threads | s | times as fast as |", "|:--|--:|:--|"]
    for name in turns[0]:
        median = statistics.median(turn[name] for turn in turns)
        ratios = [
            f"{base}: {statistics.median(turn[base] / turn[name] for turn in turns):.2f}"
            for base in bases.get(name, [])
        ]
        lines.append(f"| {name} | {median:.3f} | {'; '.join(ratios)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", nargs="+", type=Path, help="default: bpetok's sample")
    parser.add_argument("--threads", type=int, default=2, help="2 and more (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--vocab-size", type=int, default=32_000, help="default: %(default)s")
    options = parser.parse_args()
    if options.threads < 2 or options.repeats < 1:
        parser.error("--threads must be at least 2, --repeats at least 1")
    files = [Path(file) for file in options.corpus or demo_files()]
    print(f"{sum(file.stat().st_size for file in files) / 1e6:.1f} MB", file=sys.stderr)
    names = [str(file) for file in files]
    turns = measure(names, options.threads, options.repeats, options.vocab_size)
    print(to_markdown(turns, options.threads))


if __name__ == "__main__":
    main()
