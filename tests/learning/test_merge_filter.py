"""Filters: the merges are those of the naive rule with the same predicate."""

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import reference
from bpetok import MergeFilter, Words
from bpetok.learning.learner import learn_merges
from bpetok.learning.rule import Rule, Ties, Tuning

WORDS = st.dictionaries(
    st.one_of(
        st.text("ab: ", min_size=1, max_size=14).map(str.encode),
        st.text("a\u00e9\u4e2d\u4e2e\u6587\U0001f642\U0001f643\n", min_size=1, max_size=8).map(
            str.encode
        ),
        st.lists(st.sampled_from(b"\xe2\x80\x99\x9a a"), min_size=1, max_size=9).map(bytes),
    ),
    st.integers(1, 9),
    min_size=1,
    max_size=25,
)
FILTERS = st.builds(
    MergeFilter,
    utf8=st.booleans(),
    forbid=st.sampled_from([None, "ab", "a$", "^ ?a", r".\n", r"\p{Cs}a", r"(?<=.a)b", r"(?i)B"]),
    final=st.sampled_from([(), (b"a",), (" a", b"ab"), ("\u4e2d",)]),
    max_words=st.sampled_from([None, 1, 2]),
    no_colon_space=st.booleans(),
)


def has_no_broken_characters(counts: dict[bytes, int], rules: MergeFilter) -> bool:
    """script_bpe takes what is longer than four bytes for whole characters, even stray bytes."""
    if not rules.utf8:
        return True
    return all(word.decode("utf-8", "ignore").encode() == word for word in counts)


@settings(max_examples=300, deadline=None)
@given(
    counts=WORDS,
    rules=FILTERS,
    ties=st.sampled_from(["ids", "place", "bytes"]),
    tuning=st.builds(
        Tuning,
        parallel_slots=st.sampled_from([0, 10_000]),
        parallel_postings=st.just(0),
        batch_merges=st.sampled_from([1, 2, 256]),
        batch_postings=st.sampled_from([1, 1 << 20]),
        pause_rounds=st.sampled_from([1, 3]),
        least_count=st.sampled_from([None, 1, 2, 10]),
        room=st.sampled_from([0, 100]),
    ),
    n_threads=st.sampled_from([1, 1, 1, 2, 3]),
)
@example(
    counts={b"a: b: a: b": 3, b"a b a b a b": 2},
    rules=MergeFilter(no_colon_space=True, max_words=2),
    ties="ids",
    tuning=Tuning(),
    n_threads=1,
)
@example(
    counts={"\u2019\n".encode(): 5, "\u2019s".encode(): 3, "\u201a".encode(): 2},
    rules=MergeFilter(utf8=True),
    ties="ids",
    tuning=Tuning(),
    n_threads=1,
)
def test_merges_equal_the_naive_ones(
    counts: dict[bytes, int], rules: MergeFilter, ties: Ties, tuning: Tuning, n_threads: int
) -> None:
    """Whole merge lists with their counts, for any batches, shards and least counts."""
    if not has_no_broken_characters(counts, rules):
        rules = rules._replace(utf8=False)
    pairs, merge_counts = reference.learn_merges(
        counts, 60, ties=ties, allows=reference.filter_allows(rules)
    )
    merges = learn_merges(
        Words.from_counts(counts),
        60,
        Rule(ties=ties, merge_filter=rules),
        n_threads=n_threads,
        tuning=tuning,
    )
    assert [tuple(pair) for pair in merges.pairs.tolist()] == pairs
    assert merges.counts.tolist() == merge_counts


@pytest.mark.parametrize(
    "rules",
    [
        MergeFilter(utf8=True),
        MergeFilter(max_words=2, no_colon_space=True),
        MergeFilter(forbid=r"\p{L}\p{N}|\p{N}\p{L}", final=(" the", "\u4e2d")),
        MergeFilter(forbid=r"(?i)HE A|(?<=the )b"),
    ],
)
def test_thousands_of_merges_equal_the_naive_ones(rules: MergeFilter) -> None:
    """On words that look like text, merged until nothing is left."""
    rng = random.Random(5)
    letters = ["a", "b", "the ", " the", ": ", "1", "2", "\u00e9", "\u4e2d", "\u4e2e", "\u2019"]
    counts = {
        "".join(rng.choices(letters, k=rng.randint(1, 6))).encode(): max(1, 2000 // (rank + 1))
        for rank in range(400)
    }
    pairs, _ = reference.learn_merges(counts, 900, allows=reference.filter_allows(rules))
    for n_threads in (1, 2):
        merges = learn_merges(
            Words.from_counts(counts),
            900,
            Rule(merge_filter=rules),
            n_threads=n_threads,
            tuning=Tuning(parallel_slots=0, parallel_postings=20),
        )
        assert [tuple(pair) for pair in merges.pairs.tolist()] == pairs


@pytest.mark.parametrize(
    ("rules", "error", "message"),
    [
        (MergeFilter(max_words=0), ValueError, r"max_words must be in 1\.\."),
        (MergeFilter(forbid="(" * 9000), ValueError, "forbid must be .* characters in all"),
        (MergeFilter(forbid="("), ValueError, "forbid must be a regular expression, got '\\('"),
        (MergeFilter(forbid=3), TypeError, "forbid must be a str, got 3"),  # type: ignore[arg-type]  # what is tested
        (MergeFilter(final="a"), TypeError, "final must be a list of tokens, got 'a'"),
        (MergeFilter(final=(3,)), TypeError, r"final\[0\] must be bytes or str, got 3"),  # type: ignore[arg-type]  # as above
        (MergeFilter(final=("\ud800",)), ValueError, "lone surrogate"),
    ],
)
def test_wrong_filters_are_refused(
    rules: MergeFilter, error: type[Exception], message: str
) -> None:
    """Before any work, with what was given."""
    with pytest.raises(error, match=message):
        rules.ready()


def test_what_comes_up_in_the_filter_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a MemoryError of the regex module, from where Python's errors can't pass."""
    from bpetok.learning import forbidden

    def failing(expression: str) -> object:
        def search(token: bytes) -> bool:
            if len(token) > 2:
                raise ZeroDivisionError(expression)
            return False

        return search

    monkeypatch.setattr(forbidden, "_finder", failing)
    with pytest.raises(ZeroDivisionError, match="me"):
        learn_merges(
            Words.from_counts({b"aaab": 9}), 5, Rule(merge_filter=MergeFilter(forbid="(?<!so)me"))
        )
