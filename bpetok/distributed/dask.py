"""Counting words with Dask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bpetok.base.extras import require, require_pyarrow
from bpetok.counting.words import Words
from bpetok.distributed.counting import (
    CountPlan,
    collect,
    count_texts,
    merge_counts,
    split_by_bucket,
)
from bpetok.sources.reading import NullTexts

dask = require("dask", "dask")
pa = require_pyarrow("dask")

FAN_IN = 16
"""How many tables are merged at a time."""


def count_words(dataset: Any, plan: CountPlan, *, n_buckets: int = 16) -> Words:
    """Count the words of a Dask dataset, on whatever Dask computes with.

    Each partition is counted where it is, then neighbours are merged, then words are shared out to
    buckets. With `dask.distributed` what a lost worker had done is done again; the result is the
    same.

    Parameters
    ----------
    dataset : dask.dataframe.DataFrame or dask.bag.Bag
        With a column `plan.text_column`; or of texts. Partitions of about 100 MB are a good size.
    plan : CountPlan
    n_buckets : int
        No worker holds more than this part of the different words, several times over.

    Returns
    -------
    Words
        In this process; equal to what `bpetok.count_words` gives for the same texts. A warning says
        how many texts were null, and so left out.

    Raises
    ------
    TypeError, ValueError
        If the dataset is neither, or `n_buckets` is out of its range.
    """
    plan.check(n_buckets)
    if not hasattr(dataset, "to_delayed"):
        raise TypeError(f"dataset must be a Dask DataFrame or Bag, got {type(dataset).__name__}")
    if hasattr(dataset, "columns"):
        dataset = dataset[[plan.column]]
    count = dask.delayed(_count, nout=2)
    combine = dask.delayed(_combine, nout=n_buckets)
    counted = [tuple(count(part, plan)) for part in dataset.to_delayed()]
    combined = [combine(group, plan, n_buckets) for group in _groups([c for c, _ in counted])]
    merged = [_merge([tables[b] for tables in combined], plan) for b in range(n_buckets)]
    tables, n_null = dask.compute(merged, [n for _, n in counted])
    NullTexts(sum(n_null)).warn(stacklevel=3)
    return collect(tables, plan)


def _count(part: Any, plan: CountPlan) -> tuple[Any, int]:
    """Count a partition, a pandas DataFrame or an iterable of texts; and the nulls in it."""
    if hasattr(part, "columns"):
        table = pa.Table.from_pandas(part, preserve_index=False)
    else:
        table = pa.table({plan.text_column: list(part)})
    return count_texts(table, plan)


def _combine(tables: Sequence[Any], plan: CountPlan, n_buckets: int) -> list[Any]:
    return split_by_bucket(merge_counts(tables, plan), n_buckets)


def _merge(tables: Sequence[Any], plan: CountPlan) -> Any:
    """Merge the tables of a bucket, some at a time."""
    merge = dask.delayed(merge_counts)
    while len(tables) > FAN_IN:
        tables = [merge(group, plan) for group in _groups(tables)]
    return merge(tables, plan, complete=True)


def _groups(items: Sequence[Any]) -> list[Sequence[Any]]:
    return [items[i : i + FAN_IN] for i in range(0, len(items), FAN_IN)]
