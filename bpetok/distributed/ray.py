"""Counting words with Ray Data."""

from __future__ import annotations

from typing import Any

from bpetok._extras import require
from bpetok._options import check_integer
from bpetok.distributed.counting import (
    CountPlan,
    collect,
    count_batch,
    merge_counts,
    split_by_bucket,
)
from bpetok.words import Words

require("ray.data", "ray")
pa = require("pyarrow", "ray")


def count_words(dataset: Any, plan: CountPlan, *, n_buckets: int = 16) -> Words:
    """Count the words of a Ray dataset, on the cluster that Ray runs on.

    Each block is counted where it is; then Ray shuffles words with their counts by bucket, spilling
    to disk where memory ends. What a lost worker had done is done again; the result is the same.

    Parameters
    ----------
    dataset : ray.data.Dataset
        With a column `plan.text_column`, one text a row.
    plan : CountPlan
    n_buckets : int
        A worker merges this part of the different words at a time.

    Returns
    -------
    Words
        In this process; equal to what `bpetok.count_words` gives for the same texts.

    Raises
    ------
    ValueError
        If `n_buckets` is out of its range.
    """
    plan.check()
    check_integer("n_buckets", n_buckets, 1, 1 << 16)
    counted = dataset.select_columns([plan.column]).map_batches(
        _count, fn_args=(plan, n_buckets), batch_format="pyarrow", batch_size=None
    )
    merged = counted.groupby("bucket", num_partitions=n_buckets).map_groups(
        _merge, fn_args=(plan,), batch_format="pyarrow"
    )
    return collect(merged.iter_batches(batch_size=None, batch_format="pyarrow"), plan)


def _count(table: Any, plan: CountPlan, n_buckets: int) -> Any:
    """Count a block; the column `bucket` says what to group by."""
    parts = split_by_bucket(count_batch(table, plan), n_buckets)
    return pa.concat_tables(
        part.append_column("bucket", pa.array([bucket] * part.num_rows, pa.int64()))
        for bucket, part in enumerate(parts)
    )


def _merge(table: Any, plan: CountPlan) -> Any:
    return merge_counts([table], plan, complete=True)
