"""Small doors of a tokenizer: merges as bytes, ids of tokens, tiktoken's names."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

import bpetok
from bpetok import Tokenizer
from bpetok.patterns.builtin import GPT2
from strategies import ALPHABETS, TEXT, merge_lists, respelled

SPECIAL = ["<|end|>", "<|ö|>"]


@pytest.fixture(scope="module")
def tok() -> Tokenizer:
    """A tokenizer with two special tokens."""
    return bpetok.train_from_iterator([TEXT] * 3, vocab_size=350, special_tokens=SPECIAL)


@given(merges=merge_lists(), letters=ALPHABETS)
def test_merges_may_be_pairs_of_bytes(merges: list[tuple[int, int]], letters: bytes) -> None:
    """What `tok.merges` gives, unless the bytes do not say which token is meant."""
    tok = Tokenizer(merges=respelled(merges, letters))
    made = [left + right for left, right in tok.merges]
    for form in (tok.merges, [list(pair) for pair in tok.merges], tuple(tok.merges)):
        try:
            same = Tokenizer(merges=form)
        except ValueError:  # "more than one earlier merge makes"
            assert len(set(made)) < len(made)
        else:
            assert same == tok


@pytest.mark.parametrize(
    ("merges", "message"),
    [
        ([(b"a", b"bc")], r"merges\[0\] joins b'bc', which is no byte and made by no earlier"),
        ([(b"a", b"b"), (b"ab", b"")], r"merges\[1\] joins b'', which is no byte"),
        ([(b"a", b"b"), (97, 98)], r"merges\[1\] must be a pair of bytes, .* got \(97, 98\)"),
        ([(b"a", 98)], r"merges\[0\] must be a pair of bytes"),
        ([(b"a", b"b", b"c")], r"merges\[0\] must be a pair of bytes"),
        ([(b"a", b"b"), (b"a", b"b")], r"merges\[1\] joins \(97, 98\), which an earlier merge"),
        (
            [(b"a", b"b"), (b"b", b"c"), (b"ab", b"c"), (b"a", b"bc"), (b"abc", b"d")],
            r"merges\[4\] joins b'abc', which more than one earlier merge makes, .*merges\[3\]",
        ),
    ],
)
def test_merges_of_bytes_that_say_nothing_are_refused(
    merges: list[tuple[bytes, bytes]], message: str
) -> None:
    """The message names the merge."""
    with pytest.raises(ValueError, match=message):
        Tokenizer(merges=merges)


def test_each_token_has_its_id(tok: Tokenizer) -> None:
    """Ordinary and special, as bytes and as str; the inverse of `token_bytes`."""
    for token_id in range(tok.vocab_size):
        token = tok.token_bytes(token_id)
        assert tok.token_id(token) == tok.encode_single_token(token) == token_id
    assert tok.token_id("<|ö|>") == tok.token_id("<|ö|>".encode()) == tok.special_tokens["<|ö|>"]
    for unknown in ("no such token", b"no such token", "", b""):
        with pytest.raises(ValueError, match=r"token must be in the vocabulary, got b?'"):
            tok.token_id(unknown)
        with pytest.raises(KeyError):
            tok.encode_single_token(unknown)
    with pytest.raises(TypeError, match="must be bytes or str, got int"):
        tok.token_id(97)  # type: ignore[arg-type]  # refused


def test_of_tokens_with_the_same_bytes_the_first_ordinary_one_counts() -> None:
    """As in `vocab`, and as in tiktoken."""
    tok = Tokenizer(
        merges=[(97, 98), (98, 99), (97, 257), (256, 99)], special_tokens={"abc": 300, "x": 301}
    )
    assert tok.token_id("abc") == 258
    assert tok.token_id("x") == ord("x")


def test_names_of_tiktoken_mean_what_they_mean_there(tok: Tokenizer) -> None:
    """`decode_with_offsets`, `encode_single_token`, `encode_ordinary_batch`."""
    pytest.importorskip("tiktoken")
    theirs = tok.to_tiktoken()
    texts = [TEXT, "é<|end|>你好", "", "<|ö|>🎉"]
    assert tok.encode_ordinary_batch(texts) == theirs.encode_ordinary_batch(texts)
    for text in texts:
        ids = tok.encode(text, allowed_special="all")
        assert tok.decode_with_offsets(ids) == theirs.decode_with_offsets(ids)
        assert tok.decode_with_offsets(iter(ids)) == theirs.decode_with_offsets(ids)
    for token in (b"a", "a", " the", "<|end|>", "<|ö|>"):
        assert tok.encode_single_token(token) == theirs.encode_single_token(token)
    half = tok.encode("é")[:1] if len(tok.encode("é")) > 1 else [0xC3]
    with pytest.raises(UnicodeDecodeError):
        tok.decode_with_offsets(half)


@given(st.text())
def test_offsets_are_where_ids_begin(text: str) -> None:
    """Also of ids that begin inside of a character."""
    tok = Tokenizer(merges=[(0xE4, 0xBD), (0xA0, 0xE4)])
    ids, spans = tok.encode_with_offsets(text)
    assert tok.decode_with_offsets(ids) == (text, [start for start, _ in spans])


def test_the_length_is_the_number_of_ids(tok: Tokenizer) -> None:
    """Rows of an embedding."""
    assert len(tok) == tok.vocab_size == 350


@given(st.text(st.characters(exclude_categories=()) | st.sampled_from("\ud83d\ude00a<|")))
def test_a_lone_surrogate_is_replaced_as_tiktoken_does(text: str) -> None:
    """In all ways to encode."""
    tok = Tokenizer(merges=[(239, 191), (256, 189)], special_tokens=["<|"])
    text += "\ud800<|"
    ranks = {bytes([byte]): byte for byte in range(256)}
    ranks |= {b"\xef\xbf": 256, b"\xef\xbf\xbd": 257}
    theirs = tiktoken.Encoding("t", pat_str=GPT2, mergeable_ranks=ranks, special_tokens={"<|": 258})
    expected = theirs.encode(text, allowed_special="all")
    plain = theirs.encode_ordinary(text)
    given: dict[str, Any] = {"allowed_special": "all", "errors": "replace"}
    assert tok.encode(text, **given) == expected
    assert tok.encode(text, add_special_tokens=True, **given) == expected
    assert tok.encode_ordinary(text, errors="replace") == plain
    assert tok.encode_to_numpy(text, **given).tolist() == expected
    assert tok.count_tokens(text, **given) == len(expected)
    assert tok.encode_with_offsets(text, **given)[0] == expected
    assert tok.encode_batch([text], **given) == [expected]
    assert tok.encode_batch_to_numpy([text], **given).ids.tolist() == expected
    assert tok.encode_ordinary_batch([text], errors="replace") == [plain]
    assert list(tok.encode_iterable([text], **given)) == expected
    with pytest.raises(ValueError, match="surrogate"):
        tok.encode(text, allowed_special="all")


def test_bytes_are_replaced_as_python_does() -> None:
    """And nothing else but "strict" and "replace" is known."""
    tok = Tokenizer(merges=[])
    data = b"a\xffb\xe2\x82"
    replaced = list(data.decode(errors="replace").encode())
    assert tok.encode(data, errors="replace") == replaced
    assert tok.encode_batch([data], errors="replace") == [replaced]
    with pytest.raises(ValueError, match="errors must be 'strict' or 'replace', got 'ignore'"):
        tok.encode("a", errors="ignore")
    with pytest.raises(ValueError, match="errors must be 'strict' or 'replace', got 'ignore'"):
        tok.encode_batch(["a"], errors="ignore")
    with pytest.raises(TypeError, match="text must be str or bytes, got int"):
        tok.encode(3, errors="replace")  # type: ignore[arg-type]  # the mistake tested


def test_two_names_may_have_one_id(tmp_path: Path) -> None:
    """As in o200k_harmony: both are found; the first one is what the id is decoded to."""
    names = {"<|end|>": 300, "<|reserved_301|>": 301, "<|call|>": 301, "<|a|>": 301}
    tok = Tokenizer(merges=[(97, 98)], special_tokens=names)
    assert tok.encode("ab<|call|><|reserved_301|>", allowed_special="all") == [256, 301, 301]
    assert tok.decode([300, 301]) == "<|end|><|reserved_301|>"
    assert (tok.token_id("<|a|>"), tok.vocab_size) == (301, 302)
    assert [token.content for token in tok.added_tokens] == list(names)
    tok.save(tmp_path / "tok.json")
    assert Tokenizer.load(tmp_path / "tok.json") == tok == pickle.loads(pickle.dumps(tok))
    theirs = tok.to_tiktoken()
    assert Tokenizer.from_tiktoken(theirs) == tok
    assert tok.truncate(301).special_tokens == {name: names[name] - 1 for name in names}
    with pytest.raises(ValueError, match=r"have one id, 301, which tokenizer\.json can't say"):
        tok.save_pretrained(tmp_path / "new")


def test_bytes_without_an_id_may_be_unknown(tmp_path: Path) -> None:
    """What they become is kept by everything that copies a tokenizer."""
    ids = [*range(97), -1, *range(97, 256)]
    tok = Tokenizer(
        merges=[(98, 99)], token_ids=ids, special_tokens={"<u>": 300}, unk_id=300, fuse_unk=True
    )
    assert (tok.unk_id, tok.fuse_unk) == (300, True)
    assert tok.encode("abcaa bcb") == [300, 255, 300, 32, 255, 97]
    assert tok.encode_batch(["aa a"]) == [[300, 32, 300]]
    assert tok.encode_with_offsets("baa a") == (
        [97, 300, 32, 300],
        [(0, 1), (1, 3), (3, 4), (4, 5)],
    )
    tok.save(tmp_path / "tok.json")
    assert Tokenizer.load(tmp_path / "tok.json") == tok == pickle.loads(pickle.dumps(tok))
    assert tok.truncate(300).unk_id == 299
    assert tok.truncate(300).encode("ab") == [299, 97]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"unk_id": 5}, ValueError, "unk_id must not be given where all bytes have an id, got 5"),
        ({"fuse_unk": True}, ValueError, "fuse_unk must not be True without unk_id"),
        ({"fuse_unk": 1}, TypeError, "fuse_unk must be a bool, got 1"),
        ({"unk_id": 400, "token_ids": [-1, *range(255)]}, ValueError, "the id of a token, got 400"),
        ({"unk_id": "<u>", "token_ids": [-1, *range(255)]}, TypeError, "unk_id must be an int"),
    ],
)
def test_what_unknown_bytes_become_is_checked(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """When the tokenizer is made."""
    with pytest.raises(error, match=message):
        Tokenizer(merges=[], **options)


def test_added_tokens_are_made_of_what_is_public() -> None:
    """`bpetok.AddedToken`."""
    token = bpetok.AddedToken("<t>", 256, special=False, lstrip=True)
    tok = Tokenizer(merges=[], special_tokens=["<t>"], added_tokens=[token])
    assert tok.added_tokens == [token]
    assert tok.decode([256], skip_special_tokens=True) == "<t>"
