"""A long run of one byte: its merges are made in one pass, and are those of the learner."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from bpetok import MergeFilter, Words
from bpetok.encoding.token_bytes import build_token_bytes
from bpetok.learning.learner import Learner
from bpetok.learning.rule import Rule
from bpetok.learning.slots import count_runs, double_runs, longest_run
from bpetok.training.lengths import begin_with_run

RULES = st.builds(
    Rule,
    min_frequency=st.sampled_from([1, 2, 5, 20]),
    max_token_length=st.sampled_from([1, 2, 3, 7, 8, 1 << 30]),
    ties=st.sampled_from(["ids", "place", "bytes"]),
    byte_order=st.sampled_from([None, (*range(98, 256), *range(98))]),
    merge_filter=st.none(),
)
AROUND = st.text("ab\0", max_size=6).map(str.encode)


@given(
    around=st.tuples(AROUND, AROUND),
    byte=st.sampled_from(b"\0a\xff"),
    run=st.integers(1, 200),
    count=st.integers(1, 3),
    others=st.dictionaries(
        st.text("ab\0\u00ff", min_size=1, max_size=9).map(str.encode), st.integers(1, 4), max_size=6
    ),
    n_merges=st.sampled_from([1, 2, 5, 40]),
    rule=RULES,
)
def test_merges_are_those_of_the_naive_learner(
    around: tuple[bytes, bytes],
    byte: int,
    run: int,
    count: int,
    others: dict[bytes, int],
    n_merges: int,
    rule: Rule,
) -> None:
    """Those of the run, and all that come after them; whatever is around it and beside it."""
    counts = {**others, around[0] + bytes([byte]) * run + around[1]: count}
    pairs, merge_counts = reference.learn_merges(
        counts, n_merges, rule.min_frequency, rule.ties, rule.max_token_length, rule.byte_order
    )
    words = Words.from_counts(counts)
    begun, first = begin_with_run(words.arrays, n_merges, rule, shortest=1)
    n_first = len(first.counts)
    assert [*map(tuple, first.pairs.tolist())] == pairs[:n_first]
    assert first.counts.tolist() == merge_counts[:n_first]
    tokens = build_token_bytes(first.pairs.reshape(-1).data)
    rest = Learner(begun, n_merges - n_first, rule, tokens=tokens).learn()
    assert [*map(tuple, rest.pairs.tolist())] == pairs[n_first:]
    assert rest.counts.tolist() == merge_counts[n_first:]


def test_a_run_that_is_most_of_all_words_decides_merges() -> None:
    """Otherwise the test above would show nothing."""
    words = Words.from_counts({b"a" * 1000 + b"b": 2, b"low": 9})
    begun, first = begin_with_run(words.arrays, 40, Rule(), shortest=1)
    assert first.pairs.tolist() == [[97, 97], *([i, i] for i in range(256, 263))]
    assert first.counts.tolist() == [2 * 999, 2 * 499, 2 * 249, 2 * 124, 2 * 61, 2 * 30, 28, 12]
    assert begun.ids.tolist() == [263] * 3 + [262, 261, 260, 258, 98, *b"low"]
    assert begun.offsets.tolist() == [0, 8, 11]


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ({b"a" * 1000: 1, b"low": 1000}, Rule()),  # "l" + "o" occurs more often
        ({b"ab" * 500: 1}, Rule()),
        ({b"a" * 1000: 1}, Rule(merge_filter=MergeFilter(final=(b"aa",)))),
    ],
)
def test_other_words_are_left_to_the_learner(words: dict[bytes, int], rule: Rule) -> None:
    """Where a run does not decide what comes first."""
    arrays = Words.from_counts(words).arrays
    begun, first = begin_with_run(arrays, 40, rule, shortest=1)
    assert begun is arrays
    assert len(first.counts) == 0


def test_kernels_check_what_they_are_given() -> None:
    """Room for all words."""
    ids, counts = np.zeros(4, np.int32), np.ones(1, np.int64)
    offsets, n_pairs = np.array([0, 4], np.int64), np.zeros(1, np.int64)
    assert longest_run(np.array([1, 2, 2, 1, 1], np.int32)) == (2, 2)
    assert longest_run(ids) == (0, 4)
    for wrong in ((ids[:3], offsets), (ids, offsets[:1])):
        with pytest.raises(IndexError, match="a place for each"):
            double_runs(ids, offsets, counts, 0, 256, *wrong, n_pairs)
    with pytest.raises(IndexError, match="a place for each"):
        double_runs(ids[:3], offsets, counts, 0, 256, ids.copy(), offsets.copy(), n_pairs)
    with pytest.raises(IndexError, match="a place for each"):
        count_runs(ids[:3], offsets, counts, 0, n_pairs)
    with pytest.raises(IndexError, match="a place for each"):
        count_runs(ids, offsets[:1], counts, 0, n_pairs)
    runs = Words.from_counts({b"aaaaab": 2, b"aa": 3, b"bb": 7, b"caaa": 1}).arrays
    n_pairs = np.zeros(3, np.int64)
    assert count_runs(*runs, 97, n_pairs) == (7, 3)
    assert n_pairs.tolist() == [2 * 4 + 3 + 2, 2, 0]


def test_several_runs_decide_merges_together() -> None:
    """Each is less than half of the text."""
    words = Words.from_counts({b"a" * 1000 + b"b": 1, b"a" * 900: 1, b"low": 400, b"er": 500})
    begun, first = begin_with_run(words.arrays, 40, Rule(), shortest=1)
    assert first.pairs.tolist() == [[97, 97], [256, 256]]
    assert first.counts.tolist() == [999 + 899, 499 + 449]
    assert len(begun.ids) == 250 + 225 + len("blower")


@pytest.mark.parametrize("share", [0.999, 0.45, 0.2])
def test_a_file_with_a_hole_takes_little_memory(tmp_path: Path, share: float) -> None:
    """20 MB of one byte took 380 MB: five arrays of four bytes each."""
    path = tmp_path / "t.txt"
    with path.open("wb") as file:
        n_texts = int(20_000_000 * (1 - share) / share) // 11
        file.write(b"".join(b" w%09d" % (i * 7919 % 10**9) for i in range(997)) * (n_texts // 997))
        file.truncate(file.tell() + 20_000_000)
    code = """
import bpetok, resource, sys
bpetok.train_from_iterator(["low " * 9], vocab_size=260)
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
before = peak()
tok = bpetok.train(sys.argv[1], vocab_size=280, n_threads=1)
print(peak() - before, tok.merges[0][0], tok.vocab_size)
"""
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    more, first, vocab_size = done.stdout.split()
    assert (first, vocab_size) == (r"b'\x00'", "280")
    assert int(more) < 130
