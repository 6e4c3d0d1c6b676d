"""Tokens that must exist, special tokens in reserve and before all others."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bpetok
import reference
from bpetok import MergeFilter, Reserved, Superwords, Tokenizer
from bpetok.cli.main import main
from strategies import TEXT, no_texts

pytestmark = pytest.mark.filterwarnings("ignore:vocab_size is")
TOKENS = st.lists(st.text("abc", min_size=1, max_size=9), max_size=5)


def folded(tokens: list[bytes], known: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the merges of tokens: the first two pieces are joined until one is left."""
    merges = list(known)
    for token in tokens:
        while len(ids := reference.encode_word(token, merges)) > 1:
            merges.append((ids[0], ids[1]))
    return merges[len(known) :]


@settings(max_examples=200)
@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=12), st.integers(1, 9), max_size=9),
    TOKENS,
    st.integers(0, 20),
    st.integers(0, 6),
)
def test_merges_equal_the_naive_ones(
    counts: dict[str, int], tokens: list[str], n_merges: int, n_known: int
) -> None:
    """The tokens' merges, then those that are learned; each token is one."""
    words = {word.encode(): count for word, count in {**counts, "ab": 1}.items()}
    known, _ = reference.learn_merges(words, n_known)
    first = folded([token.encode() for token in tokens], known)
    learned, times = reference.learn_merges(words, n_merges, initial=known + first)
    initial = Tokenizer(merges=np.array(known, np.int32).reshape(-1, 2)) if known else None
    tok = bpetok.train_from_words(
        words,
        vocab_size=256 + len(known) + len(first) + n_merges,
        initial_tokens=tokens,
        initial=initial,
    )
    assert [tuple(pair) for pair in tok.merge_pairs.tolist()] == known + first + learned
    for token in tokens:
        (number,) = tok._encode_word(token.encode())
        assert tok.vocab[token.encode()] == number
    assert len(set(tok.vocab)) == tok.vocab_size
    if initial is None:
        assert tok.merge_counts is not None
        expected = [
            sum(count * applied(word, first, i) for word, count in words.items())
            for i in range(len(first))
        ]
        assert tok.merge_counts.tolist() == expected + times


def applied(word: bytes, merges: list[tuple[int, int]], number: int) -> int:
    """Return how often a merge is made in a word."""
    before = reference.encode_word(word, merges[:number])
    return len(before) - len(reference.encode_word(word, merges[: number + 1]))


def test_all_ways_to_train_learn_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With superwords, a filter and a checkpoint, too; other libraries read the result."""
    monkeypatch.setattr("bpetok.counting.checkpoint.SECONDS", 0.0)
    path = tmp_path / "a.txt"
    path.write_text(TEXT * 3, encoding="utf-8")
    options: dict[str, Any] = {
        "vocab_size": 420,
        "initial_tokens": [" lazier", b"\xff\xfe", "世界"],
    }
    options["merge_filter"] = MergeFilter(max_words=1)
    tok = bpetok.train(path, **options, checkpoint=tmp_path / "run")
    assert tok == bpetok.train_from_iterator([TEXT * 3], **options)
    assert tok == bpetok.train_from_words(bpetok.count_words(path), **options)
    assert tok == bpetok.train(path, **options, checkpoint=tmp_path / "run")
    with pytest.raises(ValueError, match="initial_tokens was"):
        bpetok.train(path, **options | {"initial_tokens": ()}, checkpoint=tmp_path / "run")
    assert {b" lazier", b"\xff\xfe", "世界".encode()} <= set(tok.vocab)
    assert tok.encode(" lazier") == [tok.vocab[b" lazier"]]
    assert tok.to_tokenizers().encode(TEXT).ids == tok.encode(TEXT)
    for unused in ("keep", "drop"):
        more = bpetok.train(path, **options, superwords=Superwords(320, unused=unused))
        assert more.vocab_size == 420
        assert more.encode(" lazier") == [more.vocab[b" lazier"]]


def test_a_token_that_no_text_gives_is_warned_of() -> None:
    """The pattern splits it."""
    with pytest.warns(UserWarning, match="'New York' is 2 words with this pattern"):
        tok = bpetok.train_from_iterator(["New York"], vocab_size=264, initial_tokens=["New York"])
    assert b"New York" in tok.vocab


def test_with_superwords_the_pattern_of_lines_decides() -> None:
    """It is the tokenizer's: phrases are one word there, and numbers are split from spaces."""
    options: dict[str, Any] = {"vocab_size": 290, "superwords": Superwords(270)}
    text = "to New York\nin New York\nand so on and on, 45\n"
    tok = bpetok.train_from_iterator([text], initial_tokens=["New York"], **options)
    assert tok.encode("New York") == [tok.vocab[b"New York"]]
    with pytest.warns(UserWarning, match="' 45' is 2 words with this pattern"):
        bpetok.train_from_iterator([text], initial_tokens=[" 45"], **options)


def test_special_tokens_in_reserve_come_first_or_last(tmp_path: Path) -> None:
    """Everywhere where special tokens are given; ids are kept by every file format."""
    names: list[str | Reserved] = ["<|end|>", Reserved("<|reserved_{}|>", 3)]
    spelled = ["<|end|>", "<|reserved_0|>", "<|reserved_1|>", "<|reserved_2|>"]
    options: dict[str, Any] = {"vocab_size": 320, "special_tokens": names}
    last = bpetok.train_from_iterator([TEXT], **options)
    assert last.special_tokens == dict(zip(spelled, range(316, 320), strict=True))
    assert Tokenizer(merges=last.merge_pairs, special_tokens=names) == last
    words = bpetok.count_words_from_iterator([TEXT], special_tokens=names)
    assert words.special_tokens == tuple(spelled)
    assert bpetok.train_from_words(words, vocab_size=320) == last
    first = bpetok.train_from_iterator([TEXT], **options, special_ids="first")
    assert first.special_tokens == dict(zip(spelled, range(4), strict=True))
    assert first.token_ids.tolist() == list(range(4, 320))
    assert first.merges == last.merges
    text = TEXT + "<|reserved_1|>"
    ids = first.encode(text, allowed_special="all")
    assert ids == [(i + 4) % 320 for i in last.encode(text, allowed_special="all")]
    first.save(tmp_path / "tok.json")
    first.save_pretrained(tmp_path / "hf")
    first.save_tiktoken(tmp_path / "tok.tiktoken")
    assert Tokenizer.load(tmp_path / "tok.json") == first
    assert Tokenizer.from_pretrained(tmp_path / "hf") == first
    assert first.to_tokenizers().encode(text).ids == ids
    assert first.to_tiktoken().encode(text, allowed_special="all") == ids
    assert first.truncate(300).special_tokens == first.special_tokens
    pruned = first.prune([TEXT], 310).tokenizer
    assert pruned.special_tokens == first.special_tokens


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"initial_tokens": "abc"}, TypeError, "initial_tokens must be a list of tokens"),
        ({"initial_tokens": [1]}, TypeError, r"initial_tokens\[0\] must be bytes or str, got 1"),
        ({"initial_tokens": [""]}, ValueError, "must not be empty"),
        ({"initial_tokens": ["\ud800"]}, ValueError, r"initial_tokens\[0\] has a lone surrogate"),
        ({"initial_tokens": ["abcdefghijklmn"]}, ValueError, "room for 4 merges.*needs 13"),
        ({"initial_tokens": ["ab"], "compat": "rustbpe"}, ValueError, "compat='rustbpe'"),
        ({"special_ids": "middle"}, ValueError, "special_ids must be 'first' or 'last'"),
        ({"special_ids": "first", "compat": "huggingface"}, ValueError, "an order of its own"),
        (
            {"special_ids": "first", "initial": Tokenizer(merges=[])},
            ValueError,
            "the ids of initial",
        ),
        ({"special_tokens": [Reserved("<r>", 2)]}, ValueError, "must have one {} for the number"),
        ({"special_tokens": [Reserved("<{}>", -1)]}, ValueError, "number of reserved tokens"),
        (
            {"special_tokens": [Reserved("<{}>", 10**9)]},
            ValueError,
            r"reserved .* in 0..1048576, got",
        ),
        ({"special_tokens": ["<0>", Reserved("<{}>", 1)]}, ValueError, "'<0>' comes twice"),
        ({"special_tokens": Reserved("<{}>", 1)}, TypeError, "wrap it in a list"),
    ],
)
def test_what_is_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    """Before any text is taken."""
    with pytest.raises(error, match=message):
        bpetok.train_from_iterator(no_texts(), vocab_size=260, **options)


def test_the_command(tmp_path: Path) -> None:
    """The same as the library."""
    path, output = tmp_path / "a.txt", tmp_path / "tok.json"
    path.write_text(TEXT, encoding="utf-8")
    arguments = "--vocab-size 300 --initial-token lazier --special-ids first --special-token <s>"
    assert main(["train", str(path), "-o", str(output), "--quiet", *arguments.split()]) == 0
    assert Tokenizer.load(output) == bpetok.train(
        path, vocab_size=300, initial_tokens=["lazier"], special_ids="first", special_tokens=["<s>"]
    )
