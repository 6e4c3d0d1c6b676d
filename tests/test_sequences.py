"""The SequenceTokenizer: ids of sequences and back, files, and what it must not be."""

import copy
import json
import pickle
import random
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from bpetok import SequenceTokenizer, Tokenizer, sequences

Pair = tuple[int, int]


@st.composite
def tokenizers(draw: st.DrawFn) -> tuple[int, list[Pair], list[int]]:
    """How many symbols, any merges of some of them, and these symbols."""
    n_symbols = draw(st.sampled_from([1, 2, 3, 255, 256, 257, 70_000]))
    some = sorted({0, n_symbols // 2, n_symbols - 1})
    pairs: list[Pair] = []
    for i in range(draw(st.integers(0, 8))):
        ids = st.sampled_from([*some, *range(n_symbols, n_symbols + i)])
        pairs.append(draw(st.tuples(ids, ids).filter(lambda pair: pair not in pairs)))
    return n_symbols, pairs, some


@settings(max_examples=150, deadline=None)
@given(given_tokenizer=tokenizers(), data=st.data())
def test_ids_are_those_of_the_reference_and_decode(
    given_tokenizer: tuple[int, list[Pair], list[int]], data: st.DataObject
) -> None:
    """One by one, as a batch, and flat, on any number of threads."""
    n_symbols, pairs, some = given_tokenizer
    tokenizer = SequenceTokenizer(n_symbols=n_symbols, merges=pairs)
    rows = data.draw(st.lists(st.lists(st.sampled_from(some), max_size=20), max_size=6))
    expected = [reference.encode_word(row, pairs, n_symbols) for row in rows]
    assert [tokenizer.encode(row).tolist() for row in rows] == expected
    n_threads = data.draw(st.sampled_from([1, 3]))
    batch = tokenizer.encode_batch(rows, n_threads=n_threads)
    assert batch.ids.tolist() == [token_id for row in expected for token_id in row]
    assert batch.offsets.tolist() == np.cumsum([0, *map(len, expected)]).tolist()
    flat = [symbol for row in rows for symbol in row]
    again = tokenizer.encode_batch((flat, np.cumsum([0, *map(len, rows)])), n_threads=n_threads)
    assert again.ids.tolist() == batch.ids.tolist()
    assert tokenizer.decode(batch.ids).tolist() == flat
    assert batch.ids.dtype == tokenizer.decode([]).dtype == np.int32
    symbols = reference.token_symbols(pairs, n_symbols)
    assert tokenizer.vocab_size == len(tokenizer) == len(symbols)
    for token_id in [0, n_symbols - 1, *range(n_symbols, len(symbols))]:
        assert tuple(tokenizer.token_symbols(token_id).tolist()) == symbols[token_id]


def test_shares_of_threads_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """In their order, also where one sequence is longer than a share."""
    monkeypatch.setattr(sequences, "SHARE_SYMBOLS", 10)
    rng = random.Random(1)
    tokenizer = SequenceTokenizer(n_symbols=3, merges=[(0, 1), (3, 2), (2, 2)])
    rows = [rng.choices(range(3), k=k) for k in (0, 40, 3, 3, 0, 0, 9, 10, 11, 1, 0)]
    one = [tokenizer.encode(row).tolist() for row in rows]
    batch = tokenizer.encode_batch(rows, n_threads=3)
    assert [
        batch.ids[begin:end].tolist()
        for begin, end in zip(batch.offsets[:-1], batch.offsets[1:], strict=True)
    ] == one


def test_what_was_given_is_not_written_to() -> None:
    """Encoding works in an array of its own."""
    tokenizer = SequenceTokenizer(n_symbols=2, merges=[(0, 1)])
    symbols = np.array([0, 1, 0, 1], np.int32)
    assert tokenizer.encode(symbols).tolist() == [2, 2]
    assert tokenizer.encode_batch((symbols, np.array([0, 4]))).ids.tolist() == [2, 2]
    assert symbols.tolist() == [0, 1, 0, 1]
    with pytest.raises(ValueError, match="read-only"):
        tokenizer.merge_pairs[0, 0] = 1


def test_threads_may_share_one() -> None:
    """Each call has its own lists."""
    rng = random.Random(5)
    tokenizer = SequenceTokenizer(n_symbols=4, merges=[(0, 1), (4, 4), (2, 3), (5, 6)])
    rows = [rng.choices(range(4), k=2000) for _ in range(8)]
    expected = [tokenizer.encode(row).tolist() for row in rows]
    found: list[Any] = [None] * 8

    def run(i: int) -> None:
        for _ in range(20):
            found[i] = tokenizer.encode(rows[i]).tolist()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected


def test_save_load_pickle_and_copy_give_an_equal_one(tmp_path: Path) -> None:
    """With the counts, which equality does not look at."""
    tokenizer = SequenceTokenizer(n_symbols=300, merges=[(299, 0), (300, 7)], merge_counts=[5, 2])
    tokenizer.save(tmp_path / "codes.json")
    others = [
        SequenceTokenizer.load(tmp_path / "codes.json"),
        pickle.loads(pickle.dumps(tokenizer)),
        copy.deepcopy(tokenizer),
    ]
    for other in others:
        assert other == tokenizer
        assert hash(other) == hash(tokenizer)
        assert other.merge_counts is not None
        assert other.merge_counts.tolist() == [5, 2]
        assert other.encode([299, 0, 7]).tolist() == [301]
    assert tokenizer != SequenceTokenizer(n_symbols=301, merges=[(299, 0)])
    assert tokenizer != 3
    assert repr(tokenizer) == "SequenceTokenizer(vocab_size=302, n_symbols=300, merges=2)"


def test_a_file_of_text_is_not_one_of_sequences(tmp_path: Path) -> None:
    """Nor the reverse; the errors say what the file is not."""
    Tokenizer(merges=[]).save(tmp_path / "text.json")
    SequenceTokenizer(n_symbols=2, merges=[]).save(tmp_path / "codes.json")
    with pytest.raises(ValueError, match=r"text.json: is not a tokenizer of sequences: it does"):
        SequenceTokenizer.load(tmp_path / "text.json")
    with pytest.raises(ValueError, match=r"codes.json: is not a tokenizer: it does not say"):
        Tokenizer.load(tmp_path / "codes.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version must be 1, got 2"),
        ({"n_symbols": 0}, "n_symbols must be in 1..1048576, got 0"),
        ({"n_symbols": "2"}, "n_symbols must be an int"),
        ({"n_symbols": None}, "n_symbols must be an int"),
        ({"merges": {}}, "merges must be an array"),
        ({"merges": [[0, 2]]}, r"merges\[0\] must join ids from 0 to 1, those of the symbols"),
        ({"merges": [[0, 1], [0, 1]]}, "which an earlier merge"),
        ({"merges": [[0]]}, "must be a pair"),
        ({"merge_counts": [1, 2]}, "one count for each of 1 merges, got 2"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """The message names the file and what is wrong."""
    path = tmp_path / "codes.json"
    SequenceTokenizer(n_symbols=2, merges=[(0, 1)]).save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=f"codes.json: .*{message}"):
        SequenceTokenizer.load(path)
    content = json.loads(path.read_text())
    del content[next(iter(change))]
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"codes.json: "):
        SequenceTokenizer.load(path)


@pytest.mark.parametrize(
    ("merges", "error", "message"),
    [
        ([(0, 4)], ValueError, r"merges\[0\] must join ids from 0 to 3, those of the symbols and"),
        ([(b"\0", b"\1")], TypeError, r"merges\[0\] must be an int"),
        ([(i, i) for i in range(3, 40)], ValueError, r"a token of 134217728 symbols, and all"),
    ],
)
def test_merges_that_can_not_be_are_refused(
    merges: Any, error: type[Exception], message: str
) -> None:
    """As those of text, in other units."""
    with pytest.raises(error, match=message):
        SequenceTokenizer(n_symbols=4, merges=merges)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t: t.encode([0, 2]), ValueError, r"sequence\[1\] must be in 0..1, got 2"),
        (lambda t: t.encode(3), TypeError, "sequence must be a sequence of integers, got 3"),
        (lambda t: t.encode([[0]]), TypeError, "sequence must be a sequence of integers"),
        (lambda t: t.encode("01"), TypeError, "sequence must be a sequence of integers"),
        (lambda t: t.encode_batch([0]), TypeError, r"sequences\[0\] must be a sequence"),
        (lambda t: t.encode_batch([[0], [2]]), ValueError, r"sequences\[1\]\[0\] must be in 0..1"),
        (lambda t: t.decode([0, 3]), ValueError, r"ids\[1\] must be in 0..2, got 3"),
        (lambda t: t.decode([-1]), ValueError, r"ids\[0\] must be in 0..2, got -1"),
        (lambda t: t.token_symbols(3), ValueError, "token_id must be in 0..2, got 3"),
        (lambda t: t.from_characters("a"), ValueError, r"text\[0\] is no symbol: 'a'"),
        (lambda t: t.from_characters("\ud800"), ValueError, "lone surrogate"),
        (lambda t: t.from_characters(b"a"), TypeError, "text must be a str"),
    ],
)
def test_what_is_no_sequence_is_refused(call: Any, error: type[Exception], message: str) -> None:
    """The message says where."""
    with pytest.raises(error, match=message):
        call(SequenceTokenizer(n_symbols=2, merges=[(0, 1)]))


def test_a_sequence_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any work."""
    monkeypatch.setattr(sequences, "MAX_ENCODED", 5)
    with pytest.raises(ValueError, match="at most 5 symbols, got one of 6: cut it"):
        SequenceTokenizer(n_symbols=2, merges=[]).encode([0] * 6)


def test_numbers_are_copied_before_they_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread may write to an array after the check: that is read without one."""
    check = sequences._first_outside
    given = np.array([0, 1, 0, 1])

    def check_and_write(ids: Any, n_symbols: int) -> int | None:
        found = check(ids, n_symbols)
        given[:] = -5
        return found

    monkeypatch.setattr(sequences, "_first_outside", check_and_write)
    tok = SequenceTokenizer(n_symbols=2, merges=[(0, 1)])
    for dtype in (np.int32, np.int64, np.int8):
        given = np.array([0, 1, 0, 1], dtype)
        assert tok.encode(given).tolist() == [2, 2]
        given = np.array([2, 2], dtype)
        assert tok.decode(given).tolist() == [0, 1, 0, 1]
