"""Words are counted exactly, however the text is cut and shared."""

import copy
import json
import pickle
import subprocess
import sys
import warnings
from collections import Counter
from fractions import Fraction
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import pytest
import regex
from hypothesis import assume, given
from hypothesis import strategies as st

import bpetok
from bpetok import Words
from bpetok.counting.chunks import count_pieces
from bpetok.counting.memory import RareWords
from bpetok.counting.options import check_count_options
from bpetok.patterns.builtin import GPT2, PATTERNS
from bpetok.sources.pieces import text_pieces
from reference import assigned_in_unicode_16
from strategies import no_texts

CHARACTERS = "aastlS ' \n1!/\u00e9\u4e2d\u3002\u3000<|>"
SPECIAL_TOKENS = ["<|a|>", "<|", "a ", "\u4e2d"]


def naive_counts(
    texts: list[str], special_tokens: list[str], pattern: str = GPT2
) -> dict[bytes, int]:
    """Count words with `regex` alone."""
    longest_first = sorted(special_tokens, key=len, reverse=True)
    special = regex.compile("|".join(map(regex.escape, longest_first)) or "(?!)")
    counts: Counter[bytes] = Counter()
    for text in texts:
        for part in special.splititer(text):
            counts.update(word.encode() for word in regex.findall(pattern, part))
    return dict(counts)


@pytest.mark.parametrize("pattern", PATTERNS)
@given(
    st.lists(st.text(CHARACTERS, max_size=80), max_size=4),
    st.lists(st.sampled_from(SPECIAL_TOKENS), unique=True),
    st.integers(1, 3),
    st.sampled_from([1, 7, 30, 1 << 20]),
)
def test_counts_equal_those_of_regex(
    pattern: str, texts: list[str], special_tokens: list[str], n_threads: int, chunk_size: int
) -> None:
    """Any number of threads, any chunk size, overlapping special tokens."""
    options = check_count_options(pattern, special_tokens, n_threads, "strict")
    options = options._replace(cutting=options.cutting._replace(chunk_size=chunk_size))
    pieces = text_pieces(texts, options.cutting)
    words = count_pieces(pieces, options, RareWords())
    assert words.to_dict() == naive_counts(texts, special_tokens, PATTERNS[pattern])


def letters(number: int) -> str:
    """Return a different word for each number."""
    return "".join(chr(97 + number // 26**i % 26) for i in range(5))


def test_the_order_of_words_depends_on_the_words_alone() -> None:
    """Threads, chunks and the order of texts leave the arrays as they are."""
    texts = [f"{letters(i)} {letters(i * 31)}n {'long' * (i % 30)}" for i in range(5000)]
    one = bpetok.count_words_from_iterator(texts, n_threads=1)
    three = bpetok.count_words_from_iterator(reversed(texts), n_threads=3)
    assert len(one) > 6000
    np.testing.assert_array_equal(one.ids, three.ids)
    np.testing.assert_array_equal(one.offsets, three.offsets)
    np.testing.assert_array_equal(one.counts, three.counts)


def test_many_long_words_are_counted() -> None:
    """Words of 15 to 100 bytes, in tables that grow several times."""
    texts = [letters(i) * 3 + "x" * (i % 86) for i in range(9000)]
    words = bpetok.count_words_from_iterator(texts * 2, n_threads=2)
    assert words.to_dict() == {word: 2 * n for word, n in naive_counts(texts, []).items()}


def test_files_and_iterators_give_the_same_counts(tmp_path: Path) -> None:
    """One file, many files, str, bytes and generators; special tokens are not counted."""
    texts = [f"text {i}, it's {i % 7} \u4e2d\u6587\n" for i in range(300)]
    for i, text in enumerate(texts):
        (tmp_path / f"{i:03}.txt").write_bytes(text.encode())
    (tmp_path / "all").write_bytes("<|end|>".join(texts).encode())
    expected = naive_counts(texts, [])
    special = {"special_tokens": ["<|end|>"]}
    for words in (
        bpetok.count_words(str(tmp_path / "*.txt")),
        bpetok.count_words(tmp_path / "all", special_tokens=["<|end|>"]),
        bpetok.count_words_from_iterator(texts),
        bpetok.count_words_from_iterator((text.encode() for text in texts), n_threads=1),
        bpetok.count_words_from_iterator(["<|end|>".join(texts)], **special),  # type: ignore[arg-type]  # mypy can't tell the keys
    ):
        assert words.to_dict() == expected
        assert words.total == sum(expected.values())
        assert words.n_bytes == sum(len(text.encode()) for text in texts)


def test_a_file_that_is_not_utf8_is_named_with_the_offset(tmp_path: Path) -> None:
    """Also after the first chunk, and in the middle of several files."""
    path = tmp_path / "latin1.txt"
    path.write_bytes(b"word " * 500_000 + b"caf\xe9 " + b"word " * 10)
    (tmp_path / "good.txt").write_bytes(b"good")
    with pytest.raises(ValueError, match=r"latin1\.txt is not UTF-8: byte 2500003 \(0xe9\)"):
        bpetok.count_words([tmp_path / "good.txt", path])
    small = tmp_path / "small.txt"
    small.write_bytes("ok \u00e9".encode()[:-1])
    with pytest.raises(ValueError, match=r"small\.txt is not UTF-8: byte 3 \(0xc3\)"):
        bpetok.count_words([tmp_path / "good.txt", small, tmp_path / "good.txt"])


def test_a_text_may_end_anywhere_in_a_block() -> None:
    """The memory of the text ends with it: nothing after it is read, or written over."""
    for n in range(1, 200):
        counts = bpetok.count_words_from_iterator([b"a" * n, b"b" * n + b" c"]).to_dict()
        assert counts == {b"a" * n: 1, b"b" * n: 1, b" c": 1}


def test_a_failure_in_each_thread_ends_the_run(tmp_path: Path) -> None:
    """As with a large file in Latin-1, of which no chunk can be counted; none waits for ever."""
    path = tmp_path / "latin1.txt"
    path.write_bytes(b"caf\xe9 and some more words\n" * 500_000)
    code = "import sys, bpetok; bpetok.count_words(sys.argv[1], n_threads=2)"
    command = [sys.executable, "-c", code, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert f"ValueError: {path} is not UTF-8: byte 3 (0xe9)" in run.stderr


@given(st.lists(st.binary(max_size=40), max_size=3), st.sampled_from([1, 8, 1 << 20]))
def test_replaced_bytes_are_counted_as_python_replaces_them(
    datas: list[bytes], chunk_size: int
) -> None:
    """errors="replace" counts the text that bytes.decode gives."""
    texts = [data.decode(errors="replace") for data in datas]
    assume(all(map(assigned_in_unicode_16, "".join(texts))))  # `regex` knows later letters
    options = check_count_options("gpt2", [], 1, "replace")
    options = options._replace(cutting=options.cutting._replace(chunk_size=chunk_size))
    pieces = text_pieces(datas, options.cutting)
    words = count_pieces(pieces, options, RareWords())
    assert words.to_dict() == naive_counts(texts, [])


@pytest.mark.parametrize("n_threads", [1, 2])
def test_progress_is_told_bytes_done_of_all(tmp_path: Path, n_threads: int) -> None:
    """The callback sees the phase, an ascending count and the size of all files.

    The caller's thread tells what all have done. It may come late, when others have done most.
    """
    (tmp_path / "a.txt").write_bytes(b"some words " * 900_000)
    calls: list[tuple[str, int, int | None]] = []
    path = tmp_path / "a.txt"
    bpetok.count_words(path, n_threads=n_threads, progress=lambda *call: calls.append(call))
    assert len(calls) > 2 or n_threads > 1
    assert calls == sorted(calls)
    assert calls[-1] == ("count", 9_900_000, 9_900_000)


@pytest.mark.parametrize(
    "text", ["a\ud800b", "\udc00", "é\ud83d\ude00\udfffx", "\ud83d\ud83d\ude00"]
)
@pytest.mark.parametrize("n", [0, 5_000_000])
def test_a_lone_surrogate_is_replaced_by_one_character(text: str, n: int, tmp_path: Path) -> None:
    """As in tiktoken, whose oracle this is; from texts and JSON, in short and long lines."""
    tiktoken = pytest.importorskip("tiktoken")
    ranks = {bytes([byte]): byte for byte in range(256)}
    theirs = tiktoken.Encoding("bytes", pat_str=r".+", mergeable_ranks=ranks, special_tokens={})
    expected = bytes(theirs.encode_ordinary(text))
    text = "x" * n + " " + text
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": text}) + "\n")
    options: dict[str, Any] = {"errors": "replace", "pattern": "none"}
    words = {b"x" * n + b" " + expected: 1}
    assert bpetok.count_words_from_iterator([text], **options).to_dict() == words
    assert bpetok.count_words(path, **options).to_dict() == words
    tok = bpetok.Tokenizer(merges=[], pattern="none")
    if n == 0:
        tok.encode_files(path, tmp_path / "out", errors="replace")
        ids = np.fromfile(tmp_path / "out", np.uint16)
        assert ids.tolist() == list(b" " + expected)
    with pytest.raises(ValueError, match=r"a\.jsonl, line 1.* is not UTF-8"):
        bpetok.count_words(path, pattern="none")


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ("one text", TypeError, "wrap it in a list"),
        (["ok", "bad \ud800"], ValueError, "text 1 has a lone surrogate, .* at index 4"),
        (["ok", 3], TypeError, "text 1 must be a str or bytes, got int"),
        ([b"\xff"], ValueError, "text 0 is not UTF-8: byte 0"),
    ],
)
def test_bad_texts_are_refused(texts: object, error: type[Exception], message: str) -> None:
    """The message says which text it was."""
    with pytest.raises(error, match=message):
        bpetok.count_words_from_iterator(texts)  # type: ignore[arg-type]  # the mistakes tested


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"pattern": "gpt9"}, ValueError, "pattern must be one of 'gpt2', .* got 'gpt9'"),
        ({"special_tokens": "<|end|>"}, TypeError, "wrap it in a list"),
        ({"special_tokens": [b"<|end|>"]}, TypeError, "must be a str"),
        ({"special_tokens": [""]}, ValueError, "must not be empty"),
        ({"special_tokens": ["a", "b", "a"]}, ValueError, "'a'"),
        ({"special_tokens": ["\ud800"]}, ValueError, "surrogate"),
        ({"n_threads": 0}, ValueError, r"n_threads must be in 1\.\.1024, got 0"),
        ({"n_threads": 1.5}, TypeError, "n_threads must be an int"),
        ({"errors": "ignore"}, ValueError, "errors must be 'strict' or 'replace'"),
        ({"progress": "yes"}, TypeError, "progress must be True, False or a callable"),
        ({"special_tokens": {"<|a|>": 0}}, TypeError, "those of a mapping can't be kept"),
    ],
)
def test_bad_options_are_refused_before_any_text_is_taken(
    options: dict[str, object], error: type[Exception], message: str
) -> None:
    """The message has the parameter, the value and the bound."""

    with pytest.raises(error, match=message):
        bpetok.count_words_from_iterator(no_texts(), **options)  # type: ignore[arg-type]  # the mistakes tested


def test_the_number_of_threads_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """BPETOK_NUM_THREADS holds where n_threads is not given, and is checked."""
    monkeypatch.setenv("BPETOK_NUM_THREADS", "3")
    assert check_count_options("gpt2", [], None, "strict").n_threads == 3
    assert check_count_options("gpt2", [], 2, "strict").n_threads == 2
    monkeypatch.setenv("BPETOK_NUM_THREADS", "many")
    with pytest.raises(ValueError, match=r"must be in 1\.\.1024, got 'many'"):
        check_count_options("gpt2", [], None, "strict")


def test_words_are_packed_from_counts() -> None:
    """Repeated words add up; empty ones and counts of 0 are left out."""
    words = Words.from_counts([(b"ab", 1), (b"c", 2), (b"ab", 4), (b"", 3), (b"d", 0)])
    assert words.to_dict() == {b"ab": 5, b"c": 2}
    assert words.ids.dtype == np.int32
    assert words.offsets.dtype == words.counts.dtype == np.int64
    assert words == Words.from_counts({b"c": 2, b"ab": 5})
    assert words != Words.from_counts({b"c": 2})
    assert repr(words) == "Words(2 unique of 7, pattern='gpt2')"
    with pytest.raises(ValueError, match="read-only"):
        words.counts[0] = 1


@pytest.mark.parametrize(
    ("counts", "error", "message"),
    [
        ([("ab", 1)], TypeError, "a word must be bytes"),
        ([(b"ab", 1.0)], TypeError, "must be an int"),
        ([(b"ab", True)], TypeError, "must be an int"),
        ([(b"ab", -1)], ValueError, r"must be in 0..2\*\*63 - 1, got -1"),
        ([(b"ab", 1 << 63)], ValueError, r"must be in 0..2\*\*63 - 1"),
        (
            [(b"ab", 1 << 61), (b"cd", 1 << 61)],
            ValueError,
            r"below 2\*\*63, got 9223372036854775808",
        ),
        ([(b"aaaa", 1 << 62)], ValueError, "scale the counts down"),
        (5, TypeError, "words must be a mapping or pairs"),
        ([b"ab"], TypeError, "pairs"),
    ],
)
def test_bad_counts_are_refused(counts: object, error: type[Exception], message: str) -> None:
    """Nothing wraps around, nothing is rounded."""
    with pytest.raises(error, match=message):
        Words.from_counts(counts)  # type: ignore[arg-type]  # the mistakes tested


@pytest.mark.parametrize(
    ("ids", "offsets", "counts", "error", "message"),
    [
        ([97, 97], [10**12, 10**12 + 2], [5], ValueError, "offsets must ascend"),
        ([97, 98], [0, 2, 2], [5, 5], ValueError, "offsets must ascend"),
        ([97, 98], [0, 1, -(1 << 63), -1, 2], [1] * 4, ValueError, "offsets must ascend"),
        ([97, 98], [0, 2], [5, 5], ValueError, "offsets must have one element more"),
        ([1000, 97], [0, 2], [5], ValueError, "ids must be bytes"),
        ([97, 98], [0, 2], [0], ValueError, "counts must be at least 1, got 0"),
        ([97, 98, 99], [0, 3], [1 << 62], ValueError, "scale the counts down"),
    ],
)
def test_arrays_that_are_no_words_are_refused(
    ids: list[int], offsets: list[int], counts: list[int], error: type[Exception], message: str
) -> None:
    """Kernels trust the arrays, so the class checks them."""
    with pytest.raises(error, match=message):
        Words(np.array(ids, np.int32), np.array(offsets, np.int64), np.array(counts, np.int64))
    with pytest.raises(TypeError, match="ids must be a 1-D array of int32"):
        Words(np.array(ids, np.int64), np.array(offsets, np.int64), np.array(counts, np.int64))


def naive_combination(parts: list[tuple[dict[bytes, int], Fraction]]) -> dict[bytes, int]:
    """Add counts up as fractions; Python rounds them half to even."""
    sums: Counter[bytes] = Counter()
    for counts, weight in parts:
        for word, count in counts.items():
            sums[word] += weight * count  # type: ignore[assignment]  # fractions
    rounded = {word: round(total) for word, total in sums.items()}
    return {word: count for word, count in rounded.items() if count}


word_counts = st.dictionaries(
    st.text("ab", min_size=1, max_size=20).map(str.encode),
    st.integers(1, 50) | st.integers(1, 10**13),
)
weights = st.integers(1, 12 * 10**12) | st.sampled_from([10**11, 25 * 10**10, 5 * 10**11, 10**12])


@given(st.lists(st.tuples(word_counts, weights), min_size=1, max_size=4), st.randoms())
def test_weighted_words_add_up_as_fractions_do(
    parts: list[tuple[dict[bytes, int], int]], random: Random
) -> None:
    """Exactly, rounded once, whatever the order of the parts."""
    expected = naive_combination([(counts, Fraction(n, 10**12)) for counts, n in parts])
    packed = [(Words.from_counts(counts), n / 10**12) for counts, n in parts]
    assert Words.combine(packed).to_dict() == expected
    one = Words.combine(packed)
    random.shuffle(packed)
    other = Words.combine(iter(packed))
    for name in ("ids", "offsets", "counts"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_halves_go_to_the_even_count_and_zeros_are_left_out() -> None:
    """The rule of rounding, in numbers: once, of the sum, not of each part."""
    words = Words.from_counts({b"a": 1, b"b": 2, b"c": 3, b"d": 5})
    assert Words.combine([(words, 0.5)]).to_dict() == {b"b": 1, b"c": 2, b"d": 2}
    tenths = Words.combine([(Words.from_counts({b"d": 5, b"e": 15}), 0.1)])
    assert tenths.to_dict() == {b"e": 2}
    assert Words.combine([(words, 0.5), (words, 0.5)]) == words
    assert Words.combine([(words, 3)]).to_dict() == {b"a": 3, b"b": 6, b"c": 9, b"d": 15}
    assert len(Words.combine([(Words.from_counts({}), 1.0)])) == 0


def test_many_words_combine() -> None:
    """Tables that grow, words in the order of their hashes, inline and long ones."""
    texts = [letters(i) + "x" * (i % 40) for i in range(30_000)]
    words = bpetok.count_words_from_iterator(texts)
    half = bpetok.count_words_from_iterator(texts[::2])
    combined = Words.combine([(words, 2.0), (half, 0.4)])
    expected = naive_combination([(words.to_dict(), Fraction(2)), (half.to_dict(), Fraction(2, 5))])
    assert combined.to_dict() == expected


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ([], ValueError, "at least one pair"),
        ([(Words.from_counts({}), 0.0)], ValueError, "part 0 must be finite and at least 1e-12"),
        ([(Words.from_counts({}), 10**400)], ValueError, "part 0 must be finite and at least"),
        ([(Words.from_counts({}), -1)], ValueError, "got -1"),
        ([(Words.from_counts({}), float("nan"))], ValueError, "got nan"),
        ([(Words.from_counts({}), float("inf"))], ValueError, "got inf"),
        ([(Words.from_counts({}), "1")], TypeError, "must be a number, got '1'"),
        ([(Words.from_counts({}), True)], TypeError, "must be a number, got True"),
        ([Words.from_counts({})], TypeError, "part 0 must be a pair"),
        ([({}, 1.0)], TypeError, "part 0 must be a pair"),
        (
            [(Words.from_counts({}), 1), (Words.from_counts({}, pattern="none"), 1)],
            ValueError,
            "same pattern: part 0 has 'gpt2', part 1 has 'none'",
        ),
        (
            [(Words.from_counts({}), 1), (Words.from_counts({}, special_tokens=["<s>"]), 1)],
            ValueError,
            "same special_tokens",
        ),
        ([(Words.from_counts({b"ab": 1 << 61}), 2.0)] * 2, ValueError, "scale the weights down"),
        ([(Words.from_counts({b"ab": 1}), 1e300)], ValueError, "scale the weights down"),
    ],
)  # fmt: skip
def test_parts_that_cannot_be_combined_are_refused(
    parts: object, error: type[Exception], message: str
) -> None:
    """The message has the number of the part."""
    with pytest.raises(error, match=message):
        Words.combine(parts)  # type: ignore[arg-type]  # the mistakes tested


@pytest.mark.parametrize("counts", [[2**61, 2**61], [2**61, 2**61 + 1], [2**62]])
def test_a_sum_of_2_to_the_63_is_too_large(counts: list[int]) -> None:
    """It is checked exactly, though floats would round the sum."""
    ids = np.array([97, 98] * len(counts), np.int32)
    offsets = np.arange(0, 2 * len(counts) + 1, 2)
    with pytest.raises(ValueError, match=r"must be below 2\*\*63"):
        Words(ids, offsets, np.array(counts))
    assert Words(ids, offsets, np.array(counts) - 1).n_bytes == 2 * (sum(counts) - len(counts))


def test_nobody_can_change_words_that_were_checked() -> None:
    """Neither the arrays that were given, nor those of the words, a pickle or a copy."""
    given = (
        np.frombuffer(b"lowlower", np.uint8).astype(np.int32),
        np.array([0, 3, 8]),
        np.ones(2, int),
    )
    special_tokens = ["<|end|>"]
    words = Words(*given, "gpt2", special_tokens)  # type: ignore[arg-type]  # a list, which can change
    for array in given:
        array[:] = 1_000_000_000
    special_tokens.append(7)  # type: ignore[arg-type]  # no token
    assert words.to_dict() == {b"low": 1, b"lower": 1}
    assert words.special_tokens == ("<|end|>",)
    made = [
        words,
        pickle.loads(pickle.dumps(words)),
        copy.copy(words),
        copy.deepcopy(words),
        words.select(np.array([True, True])),
        Words.from_counts({b"low": 1, b"lower": 1}),
        Words.combine([(words, 1)]),
        Words.from_arrow(words.to_arrow()),
        bpetok.count_words_from_iterator(["low lower"]),
        Words.of_arrays(words.arrays, words.split),
    ]
    for one in made:
        for array in one.arrays:
            assert not array.flags.writeable
            with pytest.raises(ValueError, match="WRITEABLE"):
                array.flags.writeable = True
        assert sorted(word.strip() for word in one.to_dict()) == [b"low", b"lower"]
        for name in ("ids", "pattern"):
            with pytest.raises(AttributeError, match=f"'{name}' can't be set"):
                setattr(one, name, getattr(words, name))
            with pytest.raises(AttributeError, match=f"'{name}' can't be deleted"):
                delattr(one, name)
    assert made[1:4] == [words] * 3


def test_arrays_of_words_may_be_taken_for_something_else() -> None:
    """Each is an object of its own: one of another dtype or shape is not that of the words."""
    words = Words.from_counts({b"abab": 2, b"ba": 1})
    for array in (words.ids, words.offsets, words.counts, *words.arrays):
        cast("Any", array).dtype = np.uint8  # which NumPy lets everybody do
        array.shape = (-1, 1)
    assert words.to_dict() == {b"abab": 2, b"ba": 1}
    assert words == pickle.loads(pickle.dumps(words))
    assert bpetok.train_from_words(words, vocab_size=257).merges == [(b"a", b"b")]


def test_arrays_that_were_given_may_change_afterwards() -> None:
    """The kernels read arrays unchecked: an id of 2**30 ended the process."""
    words = Words.from_counts({b"abab": 2, b"ba": 1})
    arrays = words.arrays._replace(ids=np.array(words.ids))
    taken = Words.of_arrays(arrays, words.split)
    arrays.ids[:] = 1 << 30
    assert taken == words
    with pytest.raises(ValueError, match="pattern must be one of"):
        Words.of_arrays(arrays, words.split._replace(pattern="gtp2"))


def test_what_words_were_split_by_is_checked() -> None:
    """A Words with a pattern that nobody knows would fail when it is used."""
    arrays = np.array([97], np.int32), np.array([0, 1]), np.array([1])
    with pytest.raises(ValueError, match="pattern"):
        Words(*arrays, pattern="(")
    with pytest.raises(TypeError, match="special_tokens must be a list"):
        Words(*arrays, special_tokens="end")  # type: ignore[arg-type]  # what is refused


@pytest.mark.filterwarnings("ignore:vocab_size is")
@pytest.mark.parametrize("word", [b"\0", b"\xff", b"\0\0", b"\xff" * 15, b"\0" * 15, b"\0" * 16])
def test_words_of_the_least_and_the_greatest_bytes_are_words(word: bytes) -> None:
    """None of them is what marks a free entry of a table."""
    counts = {word: 3, b"a": 2}
    words = Words.from_counts(counts)
    assert Words.combine([(words, 1), (words, 2)]).to_dict() == {word: 9, b"a": 6}
    assert Words.from_arrow(words.to_arrow()) == words
    tok = bpetok.train_from_words(words, vocab_size=280, min_word_count=1)
    assert tok.merges == bpetok.train_from_words(counts, vocab_size=280).merges
    assert len(word) < 2 or tok.merges[0] == (word[:1], word[:1])


@pytest.mark.parametrize("kind", [dict, Counter, MappingProxyType])
def test_a_mapping_of_counts_is_no_iterable_of_texts(kind: Any) -> None:
    """Its keys would be read, each once, and the counts be lost."""
    counts = kind({"plum": 900})
    for call in (
        lambda: bpetok.count_words_from_iterator(counts),
        lambda: bpetok.train_from_iterator(counts, vocab_size=300),
    ):
        with pytest.raises(TypeError, match=r"not a mapping, .*train_from_words"):
            call()
    with pytest.raises(TypeError, match=r"special_tokens must be a list .* of a mapping"):
        bpetok.count_words(__file__, special_tokens=kind({"<|end|>": 7}))
    for call in (
        lambda: bpetok.count_words({__file__: 2.0}),
        lambda: bpetok.train({__file__: 2.0}, vocab_size=300),
    ):
        with pytest.raises(TypeError, match=r"not a mapping: .*\.items\(\)"):
            call()


@pytest.mark.parametrize("pattern", ["gpt2", r"[a-z]+|[^a-z]", r"(a)\1|.|\n", "none"])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_special_tokens_that_never_occur_are_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, pattern: str, n_threads: int
) -> None:
    """Of files and of texts, once; one that is inside of a longer one does not occur by itself."""
    tokens = ["<|a|>", "<|b|>", "<|b|><|c|>", "<|c|>"]
    texts = ["low <|a|> low", "low <|b|><|c|><|a|>"]
    for i, text in enumerate(texts):
        (tmp_path / f"{i}.txt").write_text(text)
    options: dict[str, Any] = {"pattern": pattern, "n_threads": n_threads, "special_tokens": tokens}
    for count in (
        lambda: bpetok.count_words(tmp_path, **options),
        lambda: bpetok.count_words_from_iterator(texts, **options),
        lambda: bpetok.train(tmp_path, vocab_size=261, **options),
        lambda: bpetok.train_from_iterator(texts, vocab_size=261, **options),
    ):
        caplog.clear()
        with warnings.catch_warnings(), caplog.at_level("INFO", "bpetok"):
            warnings.simplefilter("ignore")
            count()
        (record,) = caplog.records
        assert record.message == "2 special tokens never occur in the text: <|b|>, <|c|>"
        assert record.__dict__["unseen"] == ["<|b|>", "<|c|>"]


def test_nothing_is_logged_where_nothing_is_known(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A run that goes on has not read all the text; where all occur, nothing is said."""
    (tmp_path / "a.txt").write_text("low <|a|> low")
    options: dict[str, Any] = {"special_tokens": ["<|a|>", "<|b|>"]}
    with caplog.at_level("INFO", "bpetok"):
        bpetok.count_words(tmp_path / "a.txt", special_tokens=["<|a|>"])
        bpetok.count_words(tmp_path / "a.txt")
        assert caplog.records == []
        for _ in range(2):
            bpetok.count_words(tmp_path / "a.txt", checkpoint=tmp_path / "run", **options)
    assert [record.message for record in caplog.records] == [
        "1 special token never occurs in the text: <|b|>"
    ]
    caplog.clear()
    with caplog.at_level("INFO", "bpetok"):
        bpetok.count_words(tmp_path / "a.txt", special_tokens=[f"<{i}>" for i in range(300)])
    assert caplog.records[0].message.endswith("text: <0>, <1>, <2>, <3> and 296 more")
