"""Merges are those of the naive learner, for any threads, batches and thresholds."""

import json
import random
import subprocess
import sys
import threading
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import reference
from bpetok import Words
from bpetok.learning import learner
from bpetok.learning.learner import Learner, learn_merges
from bpetok.learning.packing import by_count, pack
from bpetok.learning.rule import Rule, Ties, Tuning
from processes import run_python

# Few letters force ties and overlaps; multi-byte text has its own structure.
WORDS = st.dictionaries(
    st.one_of(
        st.text("abc", min_size=1, max_size=12).map(str.encode),
        st.integers(1, 20).map(lambda n: b"a" * n),
        st.lists(st.sampled_from(b"\0\1\xff"), min_size=1, max_size=12).map(bytes),
        st.text("ab\u00e9\u4e2d\u6587\U0001f642", min_size=1, max_size=8).map(str.encode),
    ),
    st.integers(1, 9),
    min_size=1,
    max_size=25,
)
TUNINGS = st.builds(
    Tuning,
    parallel_slots=st.sampled_from([0, 20, 10_000]),
    parallel_postings=st.sampled_from([0, 5, 10_000]),
    batch_merges=st.sampled_from([1, 2, 256]),
    batch_postings=st.sampled_from([1, 10, 1 << 20]),
    pause_rounds=st.sampled_from([1, 3]),
    room=st.sampled_from([0, 100]),
    least_count=st.sampled_from([None, 1, 2, 10, 1000]),
)


RULES = st.tuples(
    st.integers(1, 4),
    st.sampled_from([1, 2, 3, 5, 1 << 30]),
    st.sampled_from(
        [
            ("ids", None),
            ("ids", (*range(98, 256), *range(98))),
            ("place", None),
            ("bytes", None),
            ("bytes", (*range(98, 256), *range(98))),
        ]
    ),
).map(lambda values: Rule(*values[:2], *values[2]))


def check(
    counts: dict[bytes, int],
    n_merges: int,
    rule: Rule = Rule(),  # noqa: B008 - immutable
    n_threads: int = 1,
    tuning: Tuning = Tuning(),  # noqa: B008 - immutable
) -> None:
    pairs, merge_counts = reference.learn_merges(
        counts, n_merges, rule.min_frequency, rule.ties, rule.max_token_length, rule.byte_order
    )
    merges = learn_merges(
        Words.from_counts(counts), n_merges, rule, n_threads=n_threads, tuning=tuning
    )
    assert [tuple(pair) for pair in merges.pairs.tolist()] == pairs
    assert merges.counts.tolist() == merge_counts


@settings(max_examples=300)
@given(WORDS, st.sampled_from([1, 5, 60]), RULES, st.integers(1, 3), TUNINGS)
@example({b"aaaa": 1, b"aaaaa": 1, b"aaa": 2}, 60, Rule(), 2, Tuning(0, 0, room=0))
@example({b"abab": 1, b"baba": 1, b"abcabc": 1}, 60, Rule(), 3, Tuning(0, 0, room=0, least_count=3))
def test_merges_equal_the_naive_ones(
    counts: dict[bytes, int], n_merges: int, rule: Rule, n_threads: int, tuning: Tuning
) -> None:
    """Whole merge lists with their counts."""
    check(counts, n_merges, rule, n_threads, tuning)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize(
    ("least_count", "rule"),
    [
        (None, Rule()),
        (1, Rule(max_token_length=6)),
        (40, Rule(ties="place")),
        (None, Rule(ties="bytes")),
    ],
)
def test_thousands_of_merges_equal_the_naive_ones(
    n_threads: int, least_count: int | None, rule: Rule
) -> None:
    """A corpus with a word distribution like that of text, merged until nothing is left."""
    rng = random.Random(7)
    letters = "abcdehilnorst\u00e9"
    syllables = ["".join(rng.choices(letters, k=rng.randint(1, 3))) for _ in range(60)]
    counts = {
        "".join(rng.choices(syllables, k=rng.randint(1, 4))).encode(): max(1, 2000 // (rank + 1))
        for rank in range(700)
    }
    check(
        counts,
        1500,
        rule,
        n_threads,
        Tuning(parallel_slots=0, parallel_postings=50, least_count=least_count),
    )


@pytest.mark.parametrize("factors", [(1, 1), (3, (1 << 31) - 1)])
def test_the_hash_of_pairs_does_not_change_the_merges(
    factors: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not if many pairs have one place: with (1, 1) all that have ids of one sum."""
    monkeypatch.setattr(learner, "FACTORS", np.array(factors, np.int64))
    rng = random.Random(3)
    counts = {bytes(rng.choices(b"abcdefgh", k=rng.randint(2, 9))): 1 + i % 9 for i in range(300)}
    check(counts, 300, tuning=Tuning(least_count=20))


def test_pairs_have_other_places_in_each_process() -> None:
    """So that nobody can make a text whose pairs collide: 200,000 of them took 26 s, not 0.1."""
    code = "from bpetok.learning.learner import FACTORS; print(*FACTORS)"
    found = [run_python(code).split() for _ in range(2)]
    assert found[0] != found[1]
    for factor in map(int, found[0] + found[1]):
        assert factor % 2 == 1
        assert 0 < factor < 1 << 31


def test_counts_do_not_wrap_around() -> None:
    """Counts near 2**62 add up as Python's integers do."""
    check({b"ab": 1 << 60, b"abc": 1 << 60, b"xy": 1 << 59}, 5)
    check({b"ab": (1 << 62) - 1, b"c": 1}, 1)


def test_a_number_of_merges_that_the_words_cannot_give_costs_nothing() -> None:
    """Memory is taken for the merges that there can be, not for those requested."""
    merges = learn_merges(Words.from_counts({b"abc": 1, b"ab": 2}), (1 << 31) - 257)
    assert merges.pairs.tolist() == [[97, 98], [256, 99]]


def test_shards_are_split_until_they_are_small_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short words take more slots than their bytes tell; a word that is too long is refused."""
    monkeypatch.setattr("bpetok.learning.packing.MAX_SHARD_SLOTS", 2_000)
    words = Words.from_counts({b"%03d" % i: 1 + i % 2 for i in range(900)} | {b"x" * 900: 3})
    packed = pack(words, words.ids, 1, in_order=True)
    assert np.diff(packed.slot_start).max() <= 2_000
    with pytest.raises(ValueError, match="less than 2000 bytes"):
        pack(Words.from_counts({b"x" * 3_000: 1}), np.zeros(3_000, np.int32), 1, in_order=False)


def test_words_are_ordered_in_a_thread_with_a_small_stack() -> None:
    """As embedding programs make them."""
    found: list[list[int]] = []
    before = threading.stack_size(256 * 1024)
    try:
        counts = np.array([3, 1 << 20, 1, 3])
        thread = threading.Thread(target=lambda: found.append(by_count(counts).tolist()))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert found == [[2, 0, 3, 1]]


def test_one_byte_words_have_no_pairs() -> None:
    """Nothing can be learned from them, and nothing is."""
    check({b"a": 5, b"b": 3}, 5)


def test_a_long_word_costs_no_more_than_short_ones() -> None:
    """One word of a million bytes: each merge is O(1) at each place."""
    word = bytes(np.random.default_rng(0).integers(97, 101, 1_000_000).astype(np.uint8))
    one = learn_merges(Words.from_counts({word: 1}), 300)
    assert len(one.counts) == 300
    assert one.counts[0] > 60_000


def test_progress_ascends_to_the_number_of_merges() -> None:
    """It is called after every few rounds."""
    calls: list[int] = []
    learn_merges(Words.from_counts({b"abcdefgh": 3, b"abab": 1}), 6, progress=calls.append)
    assert calls == sorted(set(calls))
    assert calls[-1] == 6


@pytest.mark.parametrize("ties", ["ids", "place", "bytes"])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_learning_ends_before_all_tokens_are_too_long(ties: Ties, n_threads: int) -> None:
    """Exactly there: with the merges that fit, however many a round would take."""
    words = Words.from_counts({b"a" * 300: 3, b"low": 7, b"lower": 5, b"widest low": 2})
    tuning = Tuning(parallel_slots=0, parallel_postings=0)
    rule = Rule(ties=ties)
    right = learn_merges(words, 100, rule=rule, n_threads=n_threads, tuning=tuning)
    sizes = [1] * 256
    for left, other in right.pairs.tolist():
        sizes.append(sizes[left] + sizes[other])
    totals = list(accumulate(sizes))
    for most in sorted({at for total in totals[255:] for at in (total - 1, total) if at >= 256}):
        n = bisect_right(totals, most) - 256
        learner = Learner(words, 100, rule, n_threads, tuning, most_bytes=most)
        got = learner.learn()
        assert got.pairs.tolist() == right.pairs[:n].tolist()
        assert got.counts.tolist() == right.counts[:n].tolist()
        assert learner.is_full == (n < len(right.pairs))


def test_counts_that_drop_steeply_take_few_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pass over the words at least halves the threshold, however far the next pair is."""
    words = Words.from_counts({bytes(range(97, 137)): 10**9, b"AB": 1})
    learner = Learner(words, 40)
    passes = []
    build = learner._build_index

    def counted() -> None:
        passes.append(learner.least_counts)
        build()

    monkeypatch.setattr(learner, "_build_index", counted)
    assert learner.learn().counts.tolist() == [10**9] * 39 + [1]
    assert len(passes) < 40


def test_kernels_are_compiled_for_one_set_of_types(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """Each is compiled for a second and more: the parallel ones must call it as Python does.

    With ties by place, where one posts by itself, too.
    """
    code = """
from bpetok import Words
from bpetok.learning import kernels
from bpetok.learning.learner import Learner
from bpetok.learning.rule import Rule, Tuning
words = Words.from_counts({b"abcdabcd": 2, b"abc": 1})
tuning = Tuning(parallel_slots=0, parallel_postings=0)
for n_threads in (1, 2):
    Learner(words, 3, Rule(ties="place"), n_threads, tuning).learn()
compiled = {name: k for name, k in vars(kernels).items() if hasattr(k, "signatures")}
assert not compiled.pop("apply_languages_shard").signatures  # no parallel kernel calls it
print([len(k.signatures) for k in compiled.values()])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "NUMBA_CACHE_DIR": str(tmp_path)},  # what is cached has no signatures
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(json.loads(done.stdout)) == {1}
    assert len(json.loads(done.stdout)) > 5
