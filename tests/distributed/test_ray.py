"""Counting with Ray Data, where Ray is installed: `pip install "bpetok[ray]"`."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import bpetok
from bpetok.distributed import CountPlan

ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")

TEXTS = [f"text {i % 70}, the {i * i} and\u4e2d\u6587 {i % 3} <|end|> it's\n" for i in range(400)]

pytestmark = pytest.mark.filterwarnings("default")  # of the cluster


@pytest.fixture(scope="module", autouse=True)
def _cluster(_outside_of_the_source_tree: None) -> Iterator[None]:
    """A cluster of two processes on this machine."""
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def dataset() -> Any:
    """Blocks, most of them with a null text."""
    return ray.data.from_arrow(
        [pa.table({"text": [*TEXTS[i::12], *([None] if i else [])]}) for i in range(12)]
    )


def test_ray_counts_as_one_machine_does() -> None:
    """Special tokens, another number of buckets, rare words."""
    from bpetok.distributed.ray import count_words

    expected = bpetok.count_words_from_iterator(TEXTS, special_tokens=["<|end|>"])
    plan = CountPlan(special_tokens=("<|end|>",), min_word_count=50)
    common = {word: count for word, count in expected.to_dict().items() if count >= 50}
    with pytest.warns(UserWarning, match="11 texts were null"):
        assert count_words(dataset(), plan, n_buckets=3).to_dict() == common


def test_a_killed_ray_worker_changes_nothing(tmp_path: Path) -> None:
    """The process that counts the eighth block is killed."""
    from bpetok.distributed.ray import count_words

    def die_once(table: pa.Table) -> pa.Table:
        n_blocks = len(list(tmp_path.iterdir()))
        (tmp_path / f"{os.getpid()}-{n_blocks}").touch()
        if n_blocks >= 7 and not (tmp_path / "killed").exists():
            (tmp_path / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return table

    dying = dataset().map_batches(die_once, batch_format="pyarrow", batch_size=None)
    with pytest.warns(UserWarning, match="11 texts were null"):
        assert count_words(dying, CountPlan()) == bpetok.count_words_from_iterator(TEXTS)
    assert (tmp_path / "killed").exists()
