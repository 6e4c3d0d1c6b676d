"""Merges that are taken in another order than that of their list, as files of others have them."""

import pickle
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import bpetok
from bpetok import Tokenizer
from bpetok.formats.recovery import from_ranks

AB, ABA = (97, 98), (256, 97)
TOK = Tokenizer(merges=[AB, ABA], merge_order=[1, 0], pattern="none")
"""`ab` and another letter become `aba` at once."""


def merge(word: bytes, ranks: dict[bytes, int]) -> list[int]:
    """Return the ids of a word: always the pair of the lowest rank, the leftmost first."""
    parts = [word[i : i + 1] for i in range(len(word))]
    while True:
        pairs = [(ranks.get(a + b, 1 << 30), i) for i, (a, b) in enumerate(pairwise(parts))]
        rank, i = min(pairs, default=(1 << 30, 0))
        if rank == 1 << 30:
            return [ranks[part] for part in parts]
        parts[i : i + 2] = [parts[i] + parts[i + 1]]


def of_ranks(tokens: list[bytes]) -> tuple[Tokenizer, dict[bytes, int]]:
    """Return a tokenizer with the tokens in this order, as tiktoken's files have them."""
    ranks = {token: i for i, token in enumerate([*(bytes([b]) for b in range(256)), *tokens])}
    return Tokenizer(**from_ranks(ranks, "none", {})._asdict()), ranks


@given(
    tokens=st.lists(
        st.text("ab", min_size=2, max_size=6).map(str.encode), unique=True, max_size=12
    ),
    text=st.text("ab", max_size=60),
    times=st.sampled_from([1, 1, 20]),
)
@example(tokens=[b"aba", b"ab"], text="abab", times=300)
@example(tokens=[b"aabaa", b"aab", b"aa", b"bb"], text="aabaabbabbb", times=1)
def test_words_are_merged_by_their_ranks(tokens: list[bytes], text: str, times: int) -> None:
    """Whatever the order of tokens; the same after a way through files, processes and libraries."""
    tok, ranks = of_ranks(tokens)
    text *= times
    assert tok.encode(text) == (
        [ranks[text.encode()]] if text.encode() in ranks else merge(text.encode(), ranks)
    )
    again = pickle.loads(pickle.dumps(tok))
    assert (again, hash(again), again.vocabulary_sha256) == (tok, hash(tok), tok.vocabulary_sha256)
    assert again.encode(text) == tok.encode(text)


def test_more_tokens_than_are_looked_for() -> None:
    """Then all words are merged so."""
    letters = [(bytes([c]), bytes([c + 1])) for c in range(65, 65 + 40, 2)]
    tokens = [*(a + b + a for a, b in letters), *(a + b for a, b in letters)]
    tok, ranks = of_ranks(tokens)
    assert tok.merge_order is not None
    for a, b in letters:
        word = (a + b) * 9 + b + a * 3
        assert tok.encode(word) == merge(word, ranks)


def test_a_long_token() -> None:
    """It is not looked for at each place of a word."""
    doubled = [b"a" * 2**i for i in range(1, 12)]
    tok, ranks = of_ranks([*doubled, doubled[-1] + b"b" + doubled[-1], doubled[-1] + b"b"])
    assert tok.merge_order is not None
    word = (doubled[-1] + b"b") * 3 + b"a" * 50_000 + doubled[-1]
    naive = merge(word[: 4 * len(doubled[-1])], ranks)
    assert tok.encode(word[: 4 * len(doubled[-1])]) == naive
    assert len(tok.encode(b"a" * 3_000_000)) == 3_000_000 // 2048 + bin(3_000_000 % 2048).count("1")


def test_a_long_word() -> None:
    """In a time that does not grow with the square of its length."""
    assert TOK.encode("ab" * 500_000) == [257, 98] * 250_000
    assert TOK.count_tokens("b" + "ab" * 500_000) == 500_001


def test_it_is_kept(tmp_path: Path) -> None:
    """In files, copies, and with fewer merges; and it tells tokenizers apart."""
    plain = Tokenizer(merges=[AB, ABA], pattern="none")
    assert (TOK.encode("abab"), plain.encode("abab")) == ([257, 98], [256, 256])
    assert plain != TOK
    assert TOK.vocabulary_sha256 != plain.vocabulary_sha256
    TOK.save(tmp_path / "tok.json")
    assert Tokenizer.load(tmp_path / "tok.json") == TOK
    more = Tokenizer(merges=[AB, ABA, (257, 257)], merge_order=[1, 0, 2], pattern="none")
    assert more.truncate(258) == TOK
    assert TOK.truncate(257) == Tokenizer(merges=[AB], pattern="none")
    order = TOK.merge_order
    assert order is not None
    assert order.dtype == np.int32
    assert (order.tolist(), order.flags.writeable) == ([1, 0], False)


def test_other_libraries_give_the_same_ids(tmp_path: Path) -> None:
    """From what is written for them, which is read back as it was."""
    tokenizers = pytest.importorskip("tokenizers")
    tiktoken = pytest.importorskip("tiktoken")
    tok, ranks = of_ranks([b"aba", b"ab"])
    texts = ["abab", "ababa" * 5, "aab" * 4]
    tok.save_pretrained(tmp_path / "hf")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "hf" / "tokenizer.json"))
    tok.save_tiktoken(tmp_path / "ranks")
    encoding = tiktoken.Encoding("x", pat_str="(?s).+", mergeable_ranks=ranks, special_tokens={})
    for text in texts:
        assert tok.encode(text) == theirs.encode(text).ids == encoding.encode(text)
    for again in (
        Tokenizer.from_pretrained(tmp_path / "hf"),
        Tokenizer.from_tiktoken(tmp_path / "ranks", pattern="none"),
        Tokenizer.from_tiktoken(tok.to_tiktoken("x")),
    ):
        assert [again.encode(text) for text in texts] == [tok.encode(text) for text in texts]
        assert np.array_equal(again.merge_order, tok.merge_order)  # type: ignore[arg-type]  # None
    with pytest.raises(ValueError, match="the merges in their order"):
        TOK.save_minbpe(str(tmp_path / "minbpe"))


def test_words_that_are_whole_beside_it() -> None:
    """Whether merges would make them, too, is asked of merges in this order."""
    tiktoken = pytest.importorskip("tiktoken")
    tok, ranks = of_ranks([b"aba", b"ab", b"ababa"])
    assert list(tok.whole_words) == [b"ababa"]
    assert tok.to_tiktoken("x")._mergeable_ranks == ranks
    ids = [*range(256), 257, 256, 258]
    other = Tokenizer(
        merges=[AB, ABA, (98, 98)],
        merge_order=[1, 0, 2],
        token_ids=ids,
        whole_words={b"ababb": 259},
        pattern="none",
    )
    assert other.encode("xababb") == [120, 256, 258]
    with pytest.raises(ValueError, match="taken where it is a whole word only"):
        other.to_tiktoken("x")
    assert tiktoken is not None


@pytest.mark.parametrize("order", [[0, 1], [0, 1, 2]])
def test_an_order_that_cannot_matter_is_none(order: list[int]) -> None:
    """That of the list, or one in which a merge that waits can't meet another."""
    merges = [AB, ABA, (98, 99)][: len(order)]
    tok = Tokenizer(merges=merges, merge_order=order)
    assert tok.merge_order is None
    assert tok == Tokenizer(merges=merges)
    assert Tokenizer(merges=[AB, (256, 99)], merge_order=[1, 0]).merge_order is None


@pytest.mark.parametrize(
    ("order", "error", "message"),
    [
        ([1], ValueError, "must hold 0 to 2, each once: the places of the 3 merges; got 1, [1]"),
        ([0, 1, 1], ValueError, "must hold 0 to 2, each once"),
        ([0, 1, 3], ValueError, "must hold 0 to 2, each once"),
        ([-1, 0, 1], ValueError, "must hold 0 to 2, each once"),
        ([0, 1, "2"], TypeError, "merge_order[2] must be an int, got '2'"),
        ([0, 2, 1], ValueError, "merges[2], whose merge_order is"),
        ([2, 1, 0], ValueError, "merges[2], whose merge_order is"),
    ],
)
def test_a_wrong_order_is_refused(order: Any, error: type[Exception], message: str) -> None:
    """Also one in which a merge could come earlier in the list."""
    with pytest.raises(error, match=re.escape(message)):
        Tokenizer(merges=[AB, ABA, (98, 99)], merge_order=order)


def test_no_training_goes_on_from_it() -> None:
    """Learning makes merges in the order of their list."""
    with pytest.raises(ValueError, match=r"another order .* begin a new training with like="):
        bpetok.train_from_iterator(["abab"], vocab_size=260, initial=TOK)
    more = bpetok.train_from_iterator(["abab"], vocab_size=257, like=TOK)
    assert more.merge_order is None
