r"""Counting with expressions that are hard on the scanner, against the `gpt2` pattern.

    python -m benchmarks.hostile [--corpus FILE...] [--megabytes 5] [--repeats 5]

Some have very short words; others read far ahead, often in vain. Each is counted on one thread, in
turns with `gpt2`. Printed are medians of the processor's time of a call, and the rate as a part of
`gpt2`'s. What is near or below 0.35 is worth a look.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import bpetok
from bpetok.base.demo import demo_files

EXPRESSIONS = (
    r"\w|\W",
    r"\w{1,2}|\W",
    r"..|.|\n",
    r"\w\w?|\s+|\W",
    r"[\s\S]{3}|[\s\S]",
    r"[aeiou]|[^aeiou]+",
    r"(?<=a)\w|\w{1,2}|\W",
    r"(?:\w+-)+\w+|\w+|\W",
    # Matches that fail late.
    r"\w+@\w+|\w|\W",
    r"[A-Za-z]+:|.|\n",
    r" ?\w+(?=,)|\w|\W",
    r"\S+\.\S+|\S|\s",
    r"[a-z]+[0-9]|[\s\S]",
    r"\w+@\w+|\w\w?|\W",
    r"\w+@|..|.|\n",
    r"\S+;|\S{1,2}|\s",
    r"[^\n]+\t|[^\n]|\n",
    r"[^.]+\.\n|[\s\S]{1,2}",
    r"\w+(?=\d)|\w{1,2}|\W+",
    # Long look-ahead.
    r"(?=\w+@\w)\w+@\w+|\w|\W",
    r"\w+(?=[^.]*;)|\w|\W",
    r"\w+(?![^\n]*#)|\w|\W",
    r"(?!\w*ing\b)\w+|\w|\W",
    # Some fail late, too.
    r"\w+(?=\d\d)|\w|\W",
    r"[^.\n]+(?=\.\n)|\w|\W",
    r"\w+@(?=[^.]*;)\w+|\w|\W",
)


def measure(data: bytes, expressions: Sequence[str], n_repeats: int) -> dict[str, float]:
    """Return the medians of the processor's seconds, by expression."""
    seconds: dict[str, list[float]] = {expression: [] for expression in expressions}
    for expression in expressions:  # which compiles it
        bpetok.count_words_from_iterator([data[:100]], pattern=expression, n_threads=1)
    for _ in range(n_repeats):
        for expression, times in seconds.items():
            began = time.process_time()
            bpetok.count_words_from_iterator([data], pattern=expression, n_threads=1)
            times.append(time.process_time() - began)
    return {expression: statistics.median(times) for expression, times in seconds.items()}


def to_markdown(medians: dict[str, float], n_bytes: int) -> str:
    """Return a table of what was measured; `gpt2` is one of the expressions."""
    lines = [f"| {n_bytes / 1e6:.1f} MB | ms | of gpt2's rate |", "|:--|--:|--:|"]
    for expression, median in medians.items():
        name = expression.replace("|", "\\|")
        lines.append(f"| `{name}` | {median * 1e3:.1f} | {medians['gpt2'] / median:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", nargs="+", type=Path, help="default: bpetok's sample")
    parser.add_argument("--megabytes", type=float, default=5, help="default: %(default)s")
    parser.add_argument("--repeats", type=int, default=5, help="default: %(default)s")
    options = parser.parse_args()
    if options.repeats < 1 or options.megabytes <= 0:
        parser.error("--repeats must be at least 1, --megabytes above 0")
    files = [Path(file) for file in options.corpus or demo_files()]
    data = b"\n".join(file.read_bytes() for file in files)[: int(options.megabytes * 1e6)]
    data = data.decode(errors="ignore").encode()
    print(to_markdown(measure(data, ["gpt2", *EXPRESSIONS], options.repeats), len(data)))


if __name__ == "__main__":
    main()
