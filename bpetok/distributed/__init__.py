"""Counting words on a cluster, with whatever engine runs it.

A plan says how; `count_batch` turns a table of texts into a table of words with counts, on the
worker that has the texts; `merge_counts` adds such tables up. Both are pure functions of Arrow
tables, and sums may be taken in any order, so an engine may run them where, when and as often as it
likes. `bpetok.distributed.ray` and `bpetok.distributed.dask` wire them up.
"""

from bpetok.distributed.counting import CountPlan as CountPlan
from bpetok.distributed.counting import PlanError as PlanError
from bpetok.distributed.counting import collect as collect
from bpetok.distributed.counting import count_batch as count_batch
from bpetok.distributed.counting import merge_counts as merge_counts
from bpetok.distributed.counting import split_by_bucket as split_by_bucket

__all__ = [
    "CountPlan",
    "PlanError",
    "collect",
    "count_batch",
    "merge_counts",
    "split_by_bucket",
]
