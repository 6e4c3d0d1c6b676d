"""From the naive loop to bpetok, step by step: the seconds that each step takes to learn.

    python -m benchmarks.steps [--corpus FILE...] [--merges 1000,31744] [--limit 600]

The first three are plain Python, to be read: the naive loop of `tests/reference.py`, and two here.
The others are bpetok's own learner with what comes later turned off. All learn the same merges from
the same counted words, which is checked. Compiling kernels is not part of it. A step that would
take longer than the limit, going by fewer merges, is not run.
"""

from __future__ import annotations

import argparse
import heapq
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import bpetok
from bpetok import Words
from bpetok.base.demo import demo_files
from bpetok.learning.learner import learn_merges
from bpetok.learning.rule import DEFAULT_TUNING, Tuning

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from reference import Pair, count_pairs, merge_ids
from reference import learn_merges as recount

Learn = Callable[[Words, int], list[Pair]]
Word = tuple[list[int], int]


def incremental(words: list[Word], n_merges: int) -> list[Pair]:
    """Count once; then change only the counts of pairs in words where something is merged."""
    counts = count_pairs(words)
    merges: list[Pair] = []
    while counts and len(merges) < n_merges:
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        for i, (ids, count) in enumerate(words):
            if best[0] in ids and best in pairwise(ids):
                merged = merge_ids(ids, best, 256 + len(merges))
                counts.subtract(count_pairs([(ids, count)]))
                counts.update(count_pairs([(merged, count)]))
                words[i] = merged, count
        counts = +counts  # without the zeros
        merges.append(best)
    return merges


def postings_and_heap(words: list[Word], n_merges: int) -> list[Pair]:
    """Know in which words a pair occurs, and keep the pairs in a heap, the best on top.

    A count only falls once its pair is made, so a stale top is put back with its count of now.
    """
    counts = count_pairs(words)
    postings: dict[Pair, set[int]] = defaultdict(set)
    for i, (ids, _) in enumerate(words):
        for pair in pairwise(ids):
            postings[pair].add(i)
    heap = [(-count, pair) for pair, count in counts.items()]
    heapq.heapify(heap)
    merges: list[Pair] = []
    while heap and len(merges) < n_merges:
        negative, best = heapq.heappop(heap)
        if counts[best] != -negative:
            if counts[best] > 0:
                heapq.heappush(heap, (-counts[best], best))
            continue
        made = set()
        for i in postings.pop(best):
            ids, count = words[i]
            merged = merge_ids(ids, best, 256 + len(merges))
            for pair in pairwise(ids):
                counts[pair] -= count
            for pair in pairwise(merged):
                counts[pair] += count
                if 256 + len(merges) in pair:
                    postings[pair].add(i)
                    made.add(pair)
            words[i] = merged, count
        for pair in made:
            heapq.heappush(heap, (-counts[pair], pair))
        merges.append(best)
    return merges


def in_python(learn: Callable[[list[Word], int], list[Pair]], words: Words, n: int) -> list[Pair]:
    """Learn with a function above."""
    return learn([(list(word), count) for word, count in words], n)


def in_kernels(tuning: Tuning, n_threads: int, words: Words, n: int) -> list[Pair]:
    """Learn with bpetok."""
    merges = learn_merges(words, n, n_threads=n_threads, tuning=tuning)
    return [(left, right) for left, right in merges.pairs.tolist()]


# No threshold: all pairs are counted and posted. No sharing: everything on one thread.
ALL_PAIRS = DEFAULT_TUNING._replace(least_count=1)
SHARED = DEFAULT_TUNING._replace(parallel_slots=1)
STEPS: dict[str, Learn] = {
    "recount": lambda words, n: recount(words.to_dict(), n)[0],
    "incremental": partial(in_python, incremental),
    "postings and heap": partial(in_python, postings_and_heap),
    "flat arrays": partial(in_kernels, ALL_PAIRS._replace(batch_merges=1), 1),
    "batches": partial(in_kernels, ALL_PAIRS, 1),
    "threshold": partial(in_kernels, DEFAULT_TUNING, 1),
    "parallel": partial(in_kernels, SHARED, 2),
}


Table = dict[str, list[float | None]]


def measure(words: Words, merges: Sequence[int], limit: float, names: Sequence[str]) -> Table:
    """Return the seconds of each step for each number of merges, ascending; None if not run."""
    STEPS["parallel"](words, 1)  # compiles what only threads need
    table: Table = {}
    for name in names:
        row: list[float | None] = []
        for i, n in enumerate(merges):
            last = row[-1] if row else 0.0
            if last is None or last * n / merges[i - 1] > limit:
                row.append(None)
                continue
            row.append(_time(STEPS[name], words, n))
        table[name] = row
    return table


def _time(learn: Learn, words: Words, n_merges: int) -> float:
    """Return the seconds of a step: the median of three where that is short."""
    expected = STEPS["threshold"](words, n_merges)
    seconds: list[float] = []
    while not seconds or (len(seconds) < 3 and sum(seconds) < 10):
        begin = perf_counter()
        merges = learn(words, n_merges)
        seconds.append(perf_counter() - begin)
        if merges != expected:
            raise RuntimeError("two steps learned different merges")
    return statistics.median(seconds)


def to_markdown(table: Table, merges: Sequence[int]) -> str:
    """Return the table, with what each step gains."""
    head = "| step |" + "".join(f" {n:,} merges, s | gain |" for n in merges)
    lines = [head, "|---|" + "--:|--:|" * len(merges)]
    before: list[float | None] = [None] * len(merges)
    for name, row in table.items():
        cells = ""
        for seconds, last in zip(row, before, strict=True):
            shown = "-" if seconds is None else f"{seconds:.3g}"
            gain = "" if seconds is None or last is None else f"{last / seconds:.1f}"
            cells += f" {shown} | {gain} |"
        lines.append(f"| {name} |{cells}")
        before = row
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", nargs="+", type=Path, help="default: bpetok's sample")
    parser.add_argument("--merges", default="1000,31744", help="ascending (default: %(default)s)")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds (default: %(default)s)")
    parser.add_argument("--steps", nargs="+", choices=list(STEPS), default=list(STEPS))
    options = parser.parse_args()
    merges = [int(n) for n in options.merges.split(",")]
    words = bpetok.count_words(options.corpus or demo_files())
    print(f"{words.n_bytes / 1e6:.1f} MB, {len(words):,} different words", file=sys.stderr)
    print(to_markdown(measure(words, merges, options.limit, options.steps), merges))


if __name__ == "__main__":
    main()
