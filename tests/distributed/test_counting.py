"""Counting on a cluster: equal to one machine, whatever the engine cuts, repeats or loses."""

import os
import pickle
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import dask.bag
import dask.dataframe
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from dask.delayed import delayed
from dask.distributed import Client, LocalCluster
from hypothesis import given
from hypothesis import strategies as st

import bpetok
from bpetok.base import importing
from bpetok.base.forking import first_uses
from bpetok.distributed import (
    CountPlan,
    PlanError,
    collect,
    count_batch,
    counting,
    merge_counts,
    split_by_bucket,
)
from bpetok.distributed.dask import count_words
from strategies import texts as any_text

TEXTS = [f"text {i % 70}, the {i * i} and\u4e2d\u6587 {i % 3} <|end|> it's\n" for i in range(400)]


def expected(texts: list[str], **options: Any) -> bpetok.Words:
    return bpetok.count_words_from_iterator(texts, **options)


@given(st.lists(any_text, max_size=12), st.integers(1, 4), st.integers(1, 5))
def test_any_cut_and_any_order_of_merging_give_the_counts(
    texts: list[str], size: int, n_buckets: int
) -> None:
    """Batches, partial merges and buckets, as an engine might arrange them."""
    plan = CountPlan(special_tokens=("a", "\u4e2d"))
    batches = [
        count_batch(pa.table({"text": pa.array(texts[i : i + size], pa.string())}), plan)
        for i in range(0, len(texts), size)
    ]
    halves = [merge_counts(batches[::2], plan), merge_counts(batches[1::2], plan)]
    shares = zip(*(split_by_bucket(table, n_buckets) for table in halves), strict=True)
    merged = [merge_counts(share, plan, complete=True) for share in shares]
    assert collect(merged, plan) == expected(texts, special_tokens=["a", "\u4e2d"])
    words = [word for table in merged for word in table["word"].to_pylist()]
    assert len(set(words)) == len(words)


def test_rare_words_are_left_out_when_all_counts_are_there() -> None:
    """Not before: two halves of a word may be rare and the whole not."""
    plan = CountPlan(min_word_count=3)
    with pytest.warns(UserWarning, match="1 text was null"):
        one = count_batch(pa.table({"text": ["a a b", None]}), plan)
    two = count_batch(pa.table({"text": ["a b"]}), plan)
    assert len(merge_counts([one, two], plan)) == 3
    assert collect([merge_counts([one, two], plan, complete=True)], plan).to_dict() == {}
    three = merge_counts([one, two, one], plan, complete=True)
    assert collect([three], plan).to_dict() == {b"a": 3, b" b": 3}


def test_forks_wait_for_first_uses_of_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """In each call of its functions: a child that is forked in the first one would hang."""
    waits = []

    class Functions:
        def __getattr__(self, name: str) -> Any:
            waits.append(bool(first_uses))
            return getattr(pc, name)

    monkeypatch.setattr(counting, "pc", Functions())
    monkeypatch.setattr(importing, "_used", set())
    plan = CountPlan(min_word_count=3)
    counts = count_batch(pa.table({"text": ["a a a a b"]}), plan)
    merged = merge_counts([counts], plan, complete=True)
    assert merged.to_pydict() == {"word": [b" a"], "count": [3]}
    assert len(split_by_bucket(counts, 4)) == 4
    assert len(waits) == 5
    assert all(waits)


def test_a_text_column_may_be_nested() -> None:
    """Chat data: a text for each message."""
    records = [{"messages": [{"content": "a b"}, {"content": "a"}]}, {"messages": []}]
    table = pa.table({"chat": records, "id": [1, 2]})
    plan = CountPlan("chat.messages[].content")
    assert plan.column == "chat"
    assert collect([count_batch(table, plan)], plan).to_dict() == {b"a": 2, b" b": 1}


def test_a_plan_can_be_pickled_and_is_checked_by_workers() -> None:
    """Another bpetok, or a plan that was changed on its way, is refused before any counting."""
    plan = CountPlan(pattern="cl100k", special_tokens=["<|end|>"])  # type: ignore[arg-type]  # taken too
    assert pickle.loads(pickle.dumps(plan)) == plan
    assert {plan: 1}[CountPlan(pattern="cl100k", special_tokens=("<|end|>",))] == 1
    assert plan.digest != CountPlan(pattern="gpt2", special_tokens=("<|end|>",)).digest
    table = pa.table({"text": ["a"]})
    other = pickle.loads(pickle.dumps(plan).replace(b"cl100k", b"qwen27"))
    with pytest.raises(PlanError, match="not what it was when it was made"):
        count_batch(table, other)
    version = bpetok.__version__.encode()
    other = pickle.loads(pickle.dumps(plan).replace(version, b"9" * len(version)))
    with pytest.raises(PlanError, match=r"made by bpetok 9+ and this worker has"):
        merge_counts([table], other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pattern": "gpt9"}, "pattern must be one of"),
        ({"special_tokens": ("",)}, "must not be empty"),
        ({"errors": "ignore"}, "errors must be"),
        ({"unmatched": "keep"}, "unmatched must be"),
        ({"min_word_count": 0}, "min_word_count must be in 1"),
        ({"text_column": ""}, "text_column must be names"),
    ],
)
def test_bad_plans_are_refused_when_they_are_made(options: dict[str, Any], message: str) -> None:
    """On the machine of the user, not on the workers."""
    with pytest.raises(ValueError, match=message):
        CountPlan(**options)


def test_dask_bags_and_data_frames_count_as_one_machine_does() -> None:
    """With more partitions than are merged at a time, nulls, special tokens and a column's name."""
    plan = CountPlan("body", special_tokens=("<|end|>",))
    words = expected(TEXTS, special_tokens=["<|end|>"])
    bag = dask.bag.from_sequence(TEXTS, npartitions=40)
    frame = pd.DataFrame({"body": [None, *TEXTS, None, None], "id": range(403)})
    frames = dask.dataframe.from_pandas(frame, npartitions=7)
    with dask.config.set(scheduler="synchronous"):
        assert count_words(bag, plan) == words
        with pytest.warns(UserWarning, match="3 texts were null") as told:
            assert count_words(frames, plan, n_buckets=3) == words
        assert [item.filename for item in told] == [__file__]
        common = count_words(bag, CountPlan(special_tokens=("<|end|>",), min_word_count=50))
    assert common.to_dict() == {word: n for word, n in words.to_dict().items() if n >= 50}
    with pytest.raises(TypeError, match="a Dask DataFrame or Bag, got list"):
        count_words(TEXTS, plan)


def dying_once(texts: list[str | None], marker: Path) -> Iterator[str | None]:
    """Give the texts; the first worker to ask is killed, with what it had counted before."""
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    yield from texts


@pytest.mark.filterwarnings("default")  # of the cluster about the worker that it lost
def test_a_killed_dask_worker_changes_nothing(tmp_path: Path) -> None:
    """Two processes; one is killed when most partitions are counted, and started again.

    Here it is said how many texts were null, each of them counted once.
    """
    parts = [delayed([*TEXTS[i::20], None]) for i in range(19)]
    parts.append(delayed(dying_once)([*TEXTS[19::20], None], tmp_path / "killed"))
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
        pytest.warns(UserWarning, match="20 texts were null"),
    ):
        words = count_words(dask.bag.from_delayed(parts), CountPlan(), n_buckets=3)
    assert (tmp_path / "killed").exists()
    assert words == expected(TEXTS)


@pytest.mark.parametrize(
    ("table", "n_buckets", "message"),
    [
        # No bucket at all, and so no word; -1 gave none either, 0 ended in ZeroDivisionError.
        (pa.table({"word": [b"a"], "count": [1]}), 0, r"n_buckets must be in 1\.\.65536, got 0"),
        (pa.table({"word": [b"a"], "count": [1]}), -1, r"n_buckets must be in 1\.\.65536, got -1"),
        (pa.table({"word": [b"a"], "count": [1]}), "2", "n_buckets must be an int, got '2'"),
        (pa.table({"word": [b"a"], "count": [1]}), True, "n_buckets must be an int, got True"),
        (pa.table({"text": ["a"]}), 2, r"one column word \(binary\), .* text \(string\)"),
        (pa.table({"word": ["a"], "count": [1]}), 2, r"are word \(string\), count \(int64\)"),
        (pa.table({"word": [b"a", None]}), 2, "table has a word that is null"),
        (None, 2, "table must be a pyarrow.Table, got None"),
    ],
)
def test_what_cannot_be_shared_out_is_refused(table: Any, n_buckets: Any, message: str) -> None:
    """Whatever is shared out, each word is in one bucket."""
    with pytest.raises((TypeError, ValueError), match=message):
        split_by_bucket(table, n_buckets)
