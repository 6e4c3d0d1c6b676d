"""Learning by turns: the merges are those of `ParityBpeTrainer` of tokenizers, tie for tie."""

import json
import random
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import reference
from bpetok import Words
from bpetok.base.byte_characters import BYTES_BY_CHARACTER
from bpetok.learning.parity import ParityLearner
from bpetok.learning.rule import DEFAULT_TUNING, MergeFilter, Rule, Ties, Tuning

Pair = tuple[int, int]
Counts = dict[bytes, int]
BY_CHARACTER = [b""] * 256
for place, character in enumerate(sorted(BYTES_BY_CHARACTER)):
    BY_CHARACTER[BYTES_BY_CHARACTER[character]] = bytes([place])
"""The place of each byte's character among all: ties go by the characters."""

TUNINGS = st.builds(
    DEFAULT_TUNING._replace,
    least_count=st.sampled_from([None, 1, 4, 1000]),
    batch_merges=st.sampled_from([1, 2, 256]),
    batch_postings=st.sampled_from([1, 5, 1 << 20]),
    room=st.sampled_from([0, 1 << 16]),
)
"""None of which may change the merges."""

WORDS = st.dictionaries(
    st.text("ab é中", min_size=1, max_size=8).map(str.encode),
    st.integers(1, 9),
    min_size=1,
    max_size=8,
)


def theirs(
    languages: list[Counts], n_merges: int, development: list[Counts] | None, **options: Any
) -> list[tuple[bytes, bytes]]:
    """Return the merges that tokenizers learns, where each text is a word."""
    tokenizers = pytest.importorskip("tokenizers", minversion="0.23")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(
        add_prefix_space=False, use_regex=False
    )
    ratio = options.pop("ratio")
    trainer = tokenizers.trainers.ParityBpeTrainer(
        num_merges=n_merges, show_progress=False, **options
    )

    def texts(counts: Counts) -> list[str]:
        return [word.decode() for word, n in counts.items() for _ in range(n)]

    trainer.train_from_iterator(
        tokenizer,
        train_iterators=[*map(texts, languages)],
        dev_iterators=None if development is None else [*map(texts, development)],
        ratio=ratio,
    )
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [
        tuple(bytes(BYTES_BY_CHARACTER[c] for c in part) for part in pair)  # type: ignore[misc]  # of two
        for pair in merges
    ]


def ours(
    languages: list[Counts],
    n_merges: int,
    development: list[Counts] | None,
    rule: Rule,
    **options: Any,
) -> tuple[list[Pair], list[int]]:
    """Return the merges and their counts."""
    learner = learner_of(languages, n_merges, development, rule, **options)
    merges = learner.learn()
    pairs = [(left, right) for left, right in merges.pairs.tolist()]
    n_left = sum(
        len(reference.encode_word(word, pairs)) * n
        for counts in languages
        for word, n in counts.items()
    )
    assert learner.count_tokens() == n_left
    return pairs, merges.counts.tolist()


def learner_of(
    languages: list[Counts],
    n_merges: int,
    development: list[Counts] | None,
    rule: Rule,
    **options: Any,
) -> ParityLearner:
    """Return a learner of words that are given as mappings."""
    tokens = {"tokens": BY_CHARACTER} if rule.ties == "bytes" else {}
    return ParityLearner(
        [*map(Words.from_counts, languages)],
        n_merges,
        rule,
        development=None if development is None else [*map(Words.from_counts, development)],
        **tokens,  # type: ignore[arg-type]  # nothing else
        **options,
    )


@st.composite
def corpora(draw: st.DrawFn) -> tuple[list[Counts], list[Counts] | None, list[float] | None]:
    """Words of one to three languages, and maybe those of development or ratios."""
    n = draw(st.integers(1, 3))
    languages = draw(st.lists(WORDS, min_size=n, max_size=n))
    ratios = st.lists(st.sampled_from([0.5, 1.0, 1.3, 2.57]), min_size=n, max_size=n)
    by = draw(st.sampled_from(["development", "ratio", "neither"]))
    development = draw(st.lists(WORDS, min_size=n, max_size=n)) if by == "development" else None
    return languages, development, draw(ratios) if by == "ratio" else None


@settings(max_examples=300, deadline=None)
@given(
    corpus=corpora(),
    tuning=TUNINGS,
    window=st.sampled_from([None, None, 1, 3, 100]),
    alpha=st.sampled_from([0.5, 1.0, 2.0]),
    least=st.sampled_from([1, 1, 3]),
)
@example(
    corpus=([{b"aabb": 100}, {b"ccdd": 1}], None, None),
    tuning=DEFAULT_TUNING,
    window=2,
    alpha=1.0,
    least=1,
)
@example(
    corpus=([{b"ab": 10}, {b"cd": 5}], [{b"ab": 1}, {b"cd": 10}], None),
    tuning=DEFAULT_TUNING,
    window=None,
    alpha=2.0,
    least=1,
)
def test_merges_equal_those_of_tokenizers(
    corpus: tuple[list[Counts], list[Counts] | None, list[float] | None],
    tuning: Tuning,
    window: int | None,
    alpha: float,
    least: int,
) -> None:
    """By development text, by ratios, by what is learned from, and with a window.

    With a window theirs may never end once a language has no pair any more.
    """
    languages, development, ratio = corpus
    options: dict[str, Any] = {"alpha": alpha, "ratio": ratio}
    rule = Rule(min_frequency=least, ties="bytes")
    n_merges = 30
    if window is not None:
        n_merges = before_one_is_exhausted(
            learner_of(languages, 30, development, rule, window_size=window, **options)
        )
    expected = theirs(
        languages,
        n_merges,
        development,
        min_frequency=least,
        variant="base" if window is None else "window",
        window_size=window or 100,
        **options,
    )
    options["tuning"] = tuning
    pairs, counts = ours(languages, n_merges, development, rule, window_size=window, **options)
    tokens = reference.token_bytes(pairs)
    assert [(tokens[left], tokens[right]) for left, right in pairs] == expected
    assert counts == counts_of(languages, pairs)


def before_one_is_exhausted(learner: ParityLearner) -> int:
    """Return how many merges there are while each language has a pair."""
    n = 0
    while learner._learn_round() and not learner.turns.exhausted:
        n = learner.n_learned
    return n


def counts_of(languages: list[Counts], pairs: list[Pair]) -> list[int]:
    """Return how often each pair occurs in all languages together when it is merged."""
    words = [([*word], n) for counts in languages for word, n in counts.items()]
    found = []
    for new_id, pair in enumerate(pairs, 256):
        found.append(reference.count_pairs(words)[pair])
        words = [(reference.merge_ids(ids, pair, new_id), n) for ids, n in words]
    return found


@settings(max_examples=100, deadline=None)
@given(
    corpus=corpora(),
    tuning=TUNINGS,
    slots=st.sampled_from([1 << 31, 128]),
    merge_filter=st.sampled_from([None, MergeFilter(utf8=True), MergeFilter(forbid="aa")]),
    longest=st.sampled_from([99, 3]),
)
def test_merges_by_our_ties_equal_the_naive_ones(
    corpus: tuple[list[Counts], list[Counts] | None, list[float] | None],
    tuning: Tuning,
    slots: int,
    merge_filter: MergeFilter | None,
    longest: int,
) -> None:
    """The smallest ids, filters and the longest token, as without turns; also in several shards."""
    languages, development, _ = corpus
    rule = Rule(merge_filter=merge_filter, max_token_length=longest)
    allows = None if merge_filter is None else reference.filter_allows(merge_filter)
    words = [[([*word], n) for word, n in counts.items()] for counts in languages]
    measured = [[([*word], n) for word, n in c.items()] for c in development or languages]
    expected: list[Pair] = []
    exhausted: set[int] = set()
    while len(expected) < 20 and len(exhausted) < len(words):
        lengths = [sum(len(ids) * n for ids, n in language) for language in measured]
        turn = max({*range(len(words))} - exhausted, key=lambda i: (lengths[i], -i))
        counts = reference.count_pairs(words[turn])
        tokens = reference.token_bytes(expected)
        for left, right in list(counts):
            too_long = len(tokens[left] + tokens[right]) > longest
            if too_long or not (allows is None or allows(tokens[left], tokens[right])):
                del counts[left, right]
        if not counts:
            exhausted.add(turn)
            continue
        pair = min(counts, key=lambda pair: (-counts[pair], pair))
        for given_words in (words, measured):
            given_words[:] = [
                [(reference.merge_ids(ids, pair, 256 + len(expected)), n) for ids, n in language]
                for language in given_words
            ]
        expected.append(pair)
    with mock.patch("bpetok.learning.packing.MAX_SHARD_SLOTS", slots):
        assert ours(languages, 20, development, rule, tuning=tuning)[0] == expected


def test_thousands_of_merges_equal_those_of_tokenizers() -> None:
    """Of words that look like text, so that tables and postings have to grow."""
    rng = random.Random(7)
    languages: list[Counts] = []
    for letters in ("aeiounrst ", "абвгдеж ", "中文字符词语 "):
        words = ["".join(rng.choices(letters, k=rng.randrange(2, 9))) for _ in range(700)]
        counts = {word.encode(): 2000 // (i + 1) + 1 for i, word in enumerate(words)}
        languages.append(counts)
    development = [dict.fromkeys(rng.sample(sorted(counts), 200), 1) for counts in languages]
    pairs, _ = ours(languages, 1500, development, Rule(ties="bytes"))
    tokens = reference.token_bytes(pairs)
    expected = theirs(languages, 1500, development, min_frequency=1, ratio=None)
    assert len(expected) == 1500
    assert [(tokens[left], tokens[right]) for left, right in pairs] == expected


@pytest.mark.parametrize("ties", ["ids", "bytes"])
def test_the_least_counts_change_no_merge(ties: Ties) -> None:
    """That of a language is lowered when it has no other pair; all pairs are counted anew then."""
    rng = random.Random(8)
    languages: list[Counts] = []
    for letters in ("aeiounrst ", "eabcdfgh "):
        words = ["".join(rng.choices(letters, k=rng.randrange(2, 9))) for _ in range(900)]
        languages.append({word.encode(): 3000 // (i + 1) + 1 for i, word in enumerate(words)})
    rule = Rule(ties=ties)
    everything = DEFAULT_TUNING._replace(least_count=1)
    right = ours(languages, 700, None, rule, tuning=everything)
    learner = learner_of(languages, 700, None, rule)  # by the 700th word
    assert learner.learn().pairs.tolist() == [[*pair] for pair in right[0]]
    assert min(learner.least_counts) > 1
    few = learner_of(languages, 700, None, rule, tuning=everything._replace(least_count=3000))
    assert few.learn().pairs.tolist() == [[*pair] for pair in right[0]]
    assert max(few.least_counts) < 3000
