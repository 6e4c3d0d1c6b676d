"""Training on sequences of integers: merges are those of the naive trainer with other symbols."""

import random
import warnings
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import bpetok
import reference
from bpetok.base.limits import MAX_SYMBOLS
from bpetok.learning.rule import DEFAULT_TUNING

N_SYMBOLS = st.sampled_from([1, 2, 3, 255, 256, 257, 1024, 70_000])


@st.composite
def alphabets(draw: st.DrawFn) -> tuple[int, list[int]]:
    """How many symbols there are, and a few of them, the first and the last among them."""
    n_symbols = draw(N_SYMBOLS)
    some = {0, n_symbols - 1, n_symbols // 2, min(256, n_symbols - 1), min(255, n_symbols - 1)}
    return n_symbols, sorted(some)


@st.composite
def cases(draw: st.DrawFn) -> tuple[int, list[list[int]]]:
    """A number of symbols, and sequences of some of them."""
    n_symbols, some = draw(alphabets())
    sequence = st.lists(st.sampled_from(some), max_size=12)
    return n_symbols, draw(st.lists(sequence, min_size=1, max_size=12))


def learned(
    sequences: Any, n_symbols: int, n_merges: int, **options: Any
) -> bpetok.SequenceTokenizer:
    """Train without the warning that there are fewer merges."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return bpetok.train_from_sequences(
            sequences, n_symbols=n_symbols, vocab_size=n_symbols + n_merges, **options
        )


@settings(max_examples=200, deadline=None)
@given(
    case=cases(),
    least=st.sampled_from([1, 1, 2]),
    longest=st.sampled_from([None, None, 1, 3]),
    n_threads=st.sampled_from([1, 2]),
)
@example(case=(1, [[0] * 11, [], [0]]), least=1, longest=None, n_threads=1)
@example(case=(MAX_SYMBOLS, [[0, MAX_SYMBOLS - 1, 0]]), least=1, longest=None, n_threads=1)
@example(case=(257, [[256, 256, 0, 256]]), least=1, longest=None, n_threads=1)
def test_merges_equal_the_naive_ones(
    case: tuple[int, list[list[int]]], least: int, longest: int | None, n_threads: int
) -> None:
    """Merges with their counts, and the ids of each sequence; both forms give the same."""
    n_symbols, sequences = case
    if not any(sequences):
        with pytest.raises(ValueError, match="at least one symbol"):
            learned(sequences, n_symbols, 1)
        return
    pairs, counts = reference.learn_merges(
        Counter(map(tuple, sequences)),
        20,
        min_frequency=least,
        max_token_length=longest or 99,
        n_symbols=n_symbols,
    )
    options = {"min_frequency": least, "max_token_length": longest, "n_threads": n_threads}
    tokenizer = learned(sequences, n_symbols, 20, **options)
    assert [tuple(pair) for pair in tokenizer.merge_pairs.tolist()] == pairs
    assert tokenizer.merge_counts is not None
    assert tokenizer.merge_counts.tolist() == counts
    flat = np.concatenate([np.array(sequence, np.uint32) for sequence in sequences])
    offsets = np.cumsum([0, *map(len, sequences)])
    assert learned((flat, offsets), n_symbols, 20, **options) == tokenizer
    for sequence in sequences:
        expected = reference.encode_word(sequence, pairs, n_symbols)
        assert tokenizer.encode(sequence).tolist() == expected


@pytest.mark.parametrize("n_symbols", [2, 7, 256, 300, 1024, 1025, 5000])
def test_hundreds_of_merges_equal_the_naive_ones(
    n_symbols: int,
) -> None:
    """Up to 1,024 symbols have a table of all pairs, where the text is longer than it."""
    rng = random.Random(n_symbols)
    symbols = rng.sample(range(n_symbols), min(n_symbols, 9))
    sequences = [rng.choices(symbols, range(1, len(symbols) + 1), k=40) for _ in range(50)]
    words = Counter(map(tuple, sequences))
    pairs, counts = reference.learn_merges(words, 150, n_symbols=n_symbols)
    # As many again as there are pairs; these have no neighbours.
    long = [*sequences, *([[symbols[0]]] * (n_symbols**2 // 2 if n_symbols <= 1024 else 0))]
    for given_sequences in (sequences, long):
        tokenizer = learned(given_sequences, n_symbols, 150)
        assert [tuple(pair) for pair in tokenizer.merge_pairs.tolist()] == pairs
        assert tokenizer.merge_counts is not None
        assert tokenizer.merge_counts.tolist() == counts


@settings(max_examples=100, deadline=None)
@given(case=cases(), data=st.data())
def test_no_token_reaches_across_a_boundary(
    case: tuple[int, list[list[int]]], data: st.DataObject
) -> None:
    """Merges are those of the parts between boundaries, which stay as they are."""
    n_symbols, sequences = case
    used = sorted({symbol for sequence in sequences for symbol in sequence})
    boundaries = data.draw(st.lists(st.sampled_from([*used, 0]), max_size=2))
    parts: list[list[int]] = []
    for sequence in sequences:
        parts.append([])
        for symbol in sequence:
            if symbol in boundaries:
                parts.append([])
            else:
                parts[-1].append(symbol)
    if not any(parts):
        with pytest.raises(ValueError, match="not in boundaries"):
            learned(sequences, n_symbols, 9, boundaries=boundaries)
        return
    tokenizer = learned(sequences, n_symbols, 9, boundaries=boundaries)
    assert tokenizer == learned(parts, n_symbols, 9)
    assert not {*boundaries} & {*tokenizer.merge_pairs.ravel().tolist()}
    for sequence in sequences:
        ids = tokenizer.encode(sequence).tolist()
        assert [i for i in ids if i in boundaries] == [i for i in sequence if i in boundaries]


def test_bytes_as_symbols_give_the_merges_of_text() -> None:
    """Sequences of 256 symbols are words."""
    words = [b"low", b"lower", b"newest", b"newest", b"widest"] * 3
    text = bpetok.train_from_words(Counter(words), vocab_size=268)
    tokenizer = learned(words, 256, 12)
    assert tokenizer.merge_pairs.tolist() == text.merge_pairs.tolist()


def test_rows_of_an_array_are_sequences() -> None:
    """As audio codes come: one row a recording."""
    codes = np.array([[1, 2, 1, 2], [3, 1, 2, 0]], np.uint16)
    assert learned(codes, 4, 2) == learned(codes.tolist(), 4, 2)


def test_merges_equal_those_of_unit_bpe() -> None:
    """Up to the first tie, which it breaks at random; it counts what overlaps once."""
    unit_bpe = pytest.importorskip("unit_bpe", reason="it has no wheels from Python 3.13 on")
    rng = random.Random(3)
    n_compared = 0
    for _ in range(30):
        sequence = [*range(6)]
        while len(sequence) < 400:
            (symbol,) = rng.choices(range(6), [1, 2, 4, 8, 16, 32])
            if symbol != sequence[-1]:
                sequence.append(symbol)
        _, merges = unit_bpe.fit_py(sequence, 18)
        theirs = [pair for pair, _ in sorted(merges, key=lambda merge: merge[1])]
        ids, n = sequence, 0
        while n < len(theirs):
            counts = reference.count_pairs([(ids, 1)])
            if [*counts.values()].count(max(counts.values())) > 1:
                break
            ids = reference.merge_ids(ids, theirs[n], 6 + n)
            n += 1
        ours = learned([sequence], 6, 12)
        assert [tuple(pair) for pair in ours.merge_pairs.tolist()][:n] == theirs[:n]
        n_compared += n
    assert n_compared > 100


def test_ids_equal_those_of_unit_bpe() -> None:
    """The merges of any tokenizer, on sequences with runs, too."""
    unit_bpe = pytest.importorskip("unit_bpe", reason="it has no wheels from Python 3.13 on")
    rng = random.Random(4)
    for n_symbols in (2, 3, 9) * 10:
        sequences = [rng.choices(range(n_symbols), k=rng.randrange(1, 30)) for _ in range(8)]
        tokenizer = learned(sequences, n_symbols, 30)
        pairs = enumerate(map(tuple, tokenizer.merge_pairs.tolist()), n_symbols)
        theirs = unit_bpe.encode_concurrent_py(
            sequences, [(pair, new_id) for new_id, pair in pairs]
        )
        assert [tokenizer.encode(sequence).tolist() for sequence in sequences] == theirs


def test_fewer_merges_are_warned_of() -> None:
    """The message says how many there are, and why."""
    with pytest.warns(UserWarning, match="vocab_size is 3: after 1 of 7 merges, no pair is left"):
        tokenizer = bpetok.train_from_sequences([[0, 1]], n_symbols=2, vocab_size=9)
    assert tokenizer.merge_pairs.tolist() == [[0, 1]]


WRONG: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    ([1, 2], {}, TypeError, r"sequences\[0\] must be a sequence of integers, got 1: wrap it"),
    (np.zeros(3, int), {}, TypeError, "wrap it in a list"),
    (5, {}, TypeError, "sequences must be a list"),
    ("01", {}, TypeError, "sequences must be a list"),
    (b"\0\1", {}, TypeError, "sequences must be a list"),
    ({1: [2]}, {}, TypeError, "sequences must be a list"),
    ([[0], ["a"]], {}, TypeError, r"sequences\[1\] must be a sequence of integers"),
    ([[0.5]], {}, TypeError, "must be a sequence of integers"),
    ([[True]], {}, TypeError, "must be a sequence of integers"),
    ([[[0]]], {}, TypeError, "must be a sequence of integers"),
    ([[0, [1]]], {}, TypeError, "must be a sequence of integers"),
    ([[2**70]], {}, TypeError, "must be a sequence of integers"),
    ([[0], [3, 6, 7]], {}, ValueError, r"sequences\[1\]\[1\] must be in 0..5, got 6"),
    ([[], [-1]], {}, ValueError, r"sequences\[1\]\[0\] must be in 0..5, got -1"),
    ([[2**63]], {}, ValueError, r"sequences\[0\]\[0\] must be in 0..5"),
    (([0, 9], [0, 2]), {}, ValueError, r"ids\[1\] must be in 0..5, got 9"),
    (([0, 1], [0, 1]), {}, ValueError, r"offsets must ascend from 0 to len\(ids\) = 2"),
    (([0, 1], [1, 2]), {}, ValueError, "offsets must ascend"),
    (([0, 1], [0, 2, 1, 2]), {}, ValueError, "offsets must ascend"),
    (([0, 1], []), {}, ValueError, "offsets must ascend"),
    (([0, 1],), {}, TypeError, "a tuple of 1: make it a list"),
    ([], {}, ValueError, "at least one symbol"),
    ([[0]], {"n_symbols": 0}, ValueError, "n_symbols must be in 1..1048576, got 0"),
    ([[0]], {"n_symbols": 1 << 21}, ValueError, "n_symbols must be in 1..1048576"),
    ([[0]], {"n_symbols": 2.0}, TypeError, "n_symbols must be an int"),
    ([[0]], {"vocab_size": 5}, ValueError, "vocab_size must be in 6.."),
    ([[0]], {"boundaries": [6]}, ValueError, r"boundaries\[0\] must be in 0..5, got 6"),
    ([[0]], {"boundaries": 3}, TypeError, "boundaries must be a list of symbols, got 3"),
    ([[0]], {"min_frequency": 0}, ValueError, "min_frequency"),
    ([[0]], {"max_token_length": 0}, ValueError, "max_token_length"),
    ([[0]], {"n_threads": 0}, ValueError, "n_threads"),
]


@pytest.mark.parametrize(("sequences", "options", "error", "message"), WRONG)
def test_what_is_wrong_is_refused(
    sequences: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """The message says what and where, and what to do."""
    with pytest.raises(error, match=message):
        bpetok.train_from_sequences(sequences, **{"n_symbols": 6, "vocab_size": 7, **options})


def test_the_result_does_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor on shards, into which a large text is cut."""
    rng = random.Random(2)
    sequences = [rng.choices(range(40), k=rng.randrange(60)) for _ in range(300)]
    one = learned(sequences, 300, 200, n_threads=1)
    tuning = DEFAULT_TUNING._replace(parallel_slots=0)
    monkeypatch.setattr("bpetok.learning.learner.DEFAULT_TUNING", tuning)
    assert learned(sequences, 300, 200, n_threads=3) == one


def test_progress_is_reported() -> None:
    """The phases, up to all merges."""
    seen: list[tuple[str, int, int]] = []
    learned([[0, 1, 2, 0, 1, 2]], 3, 2, progress=lambda *step: seen.append(step))
    assert seen[-1] == ("learn", 2, 2)
