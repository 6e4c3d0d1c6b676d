"""Counting words with Ray Data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bpetok.base.extras import require, require_pyarrow
from bpetok.base.importing import first_use
from bpetok.counting.tables import SCHEMA
from bpetok.counting.words import Words
from bpetok.distributed.counting import (
    CountPlan,
    collect,
    count_texts,
    merge_counts,
    split_by_bucket,
)
from bpetok.sources.reading import NullTexts

require("ray.data", "ray")
pa = require_pyarrow("ray")
pc = require("pyarrow.compute", "ray")


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
        In this process; equal to what `bpetok.count_words` gives for the same texts. A warning says
        how many texts were null, and so left out.

    Raises
    ------
    ValueError
        If `n_buckets` is out of its range.
    """
    plan.check(n_buckets)
    counted = dataset.select_columns([plan.column]).map_batches(
        _count, fn_args=(plan, n_buckets), batch_format="pyarrow", batch_size=None
    )
    merged = counted.groupby("bucket", num_partitions=n_buckets).map_groups(
        _merge, fn_args=(plan,), batch_format="pyarrow"
    )
    tally = NullTexts()

    def counts() -> Iterator[Any]:
        for table in merged.iter_batches(batch_size=None, batch_format="pyarrow"):
            words, n_null = _without_nulls(table)
            tally.n_null += n_null
            yield words

    words = collect(counts(), plan)
    tally.warn(stacklevel=3)
    return words


def _count(table: Any, plan: CountPlan, n_buckets: int) -> Any:
    """Count a block; the column `bucket` says what to group by."""
    counts, n_null = count_texts(table, plan)
    parts = split_by_bucket(counts, n_buckets)
    parts[0] = _with_nulls(parts[0], n_null)
    return pa.concat_tables(
        part.append_column("bucket", pa.array([bucket] * part.num_rows, pa.int64()))
        for bucket, part in enumerate(parts)
    )


def _merge(table: Any, plan: CountPlan) -> Any:
    counts, n_null = _without_nulls(table)
    return _with_nulls(merge_counts([counts], plan, complete=True), n_null)


def _with_nulls(counts: Any, n_null: int) -> Any:
    """Append a row, without a word, of how many texts were null: it goes where the words go."""
    if n_null == 0:
        return counts
    row = pa.table({"word": [None], "count": [n_null]}, schema=SCHEMA)
    return pa.concat_tables([counts.select(SCHEMA.names).cast(SCHEMA), row])


def _without_nulls(table: Any) -> tuple[Any, int]:
    """Return the counts of words, and how many texts were null."""
    with first_use("nulls in counts"):
        null = pc.is_null(table["word"])
        return table.filter(pc.invert(null)), pc.sum(table.filter(null)["count"]).as_py() or 0
