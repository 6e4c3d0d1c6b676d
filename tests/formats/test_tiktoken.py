"""Encodings and files of ranks: equal ids there and back, or a refusal with the reason."""

from __future__ import annotations

import base64
import sys
from collections.abc import Collection
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bpetok.encoding.codec import Codec
from bpetok.formats import tiktoken as tiktoken_format
from bpetok.formats.detection import detect
from bpetok.formats.recovery import from_ranks
from bpetok.formats.tiktoken import build_ranks
from bpetok.patterns.builtin import GPT2, PATTERNS
from bpetok.tokenizer import Tokenizer
from samples import TOKENIZERS
from strategies import TEXT


@pytest.mark.parametrize("name", TOKENIZERS)
def test_tiktoken_gives_the_same_ids(name: str, tmp_path: Path) -> None:
    """As an object and from a file, there and back."""
    tiktoken = pytest.importorskip("tiktoken")
    load = pytest.importorskip("tiktoken.load")
    tok = TOKENIZERS[name]
    theirs = tok.to_tiktoken("mine")
    assert theirs.name == "mine"
    assert theirs.n_vocab == tok.vocab_size
    text = TEXT * 2 + "".join(tok.special_tokens)
    ids = tok.encode(text, allowed_special="all")
    assert theirs.encode(text, allowed_special="all") == ids
    assert Tokenizer.from_tiktoken(theirs) == tok
    tok.save_tiktoken(tmp_path / "ranks.tiktoken")
    ranks = load.load_tiktoken_bpe(str(tmp_path / "ranks.tiktoken"))
    same = tiktoken.Encoding(
        "x", pat_str=GPT2, mergeable_ranks=ranks, special_tokens=tok.special_tokens
    )
    assert same.encode(text, allowed_special="all") == ids
    read = Tokenizer.from_tiktoken(
        tmp_path / "ranks.tiktoken", pattern="gpt2", special_tokens=tok.special_tokens
    )
    assert read == tok


@pytest.mark.parametrize(
    ("merges", "message"),
    [
        ([(97, 98), (98, 99), (97, 257), (256, 99)], "the ids 258 and 259 both mean b'abc'"),
        ([(97, 98), (98, 99), (97, 257)], "the token b'abc', id 258, is encoded as"),
    ],
)
def test_merges_that_ranks_can_not_say_are_refused(
    merges: list[tuple[int, int]], message: str, tmp_path: Path
) -> None:
    """Two tokens of the same bytes; a merge that never happens, as a forbidden one leaves."""
    tok = Tokenizer(merges=merges)
    for method in (tok.to_tiktoken, lambda: tok.save_tiktoken(tmp_path / "ranks")):
        with pytest.raises(ValueError, match=message):
            method()
    assert not (tmp_path / "ranks").exists()


def test_words_that_merges_bring_to_two_parts_are_refused() -> None:
    """tiktoken makes them of these two in longer words, too; not of three that it can't join."""
    tok = Tokenizer(merges=[(97, 98)], whole_words={b"abc": 257}, pattern="gpt2")
    with pytest.raises(ValueError, match=r"b'abc', id 257, is .* of b'ab' and b'c' in longer"):
        tok.to_tiktoken()
    tok = Tokenizer(merges=[(97, 98)], whole_words={b"abcd": 257}, pattern="gpt2")
    for text in ("abcd", "xabcd", "abcdx"):
        assert tok.to_tiktoken().encode(text) == tok.encode(text)


def test_a_merge_that_never_happens_is_no_matter_to_tokenizers(tmp_path: Path) -> None:
    """There the merges are in the file, so ids are equal; two tokens of the same bytes are not."""
    tok = Tokenizer(merges=[(97, 98), (98, 99), (97, 257)])
    tok.save_pretrained(tmp_path)
    assert Tokenizer.from_pretrained(tmp_path) == tok
    tok = Tokenizer(merges=[(97, 98), (98, 99), (97, 257), (256, 99)])
    for method in (tok.save_pretrained, tok.save_gpt2):
        with pytest.raises(ValueError, match="the ids 258 and 259 both mean b'abc'"):
            method(tmp_path / "new")
    tok.save_minbpe(tmp_path / "both")
    assert Tokenizer.from_minbpe(tmp_path / "both.model") == tok


def test_ids_that_are_no_ranks_are_refused() -> None:
    """Two merges with their ids exchanged."""
    tok = Tokenizer(merges=[(97, 98), (98, 99)], token_ids=[*range(256), 257, 256])
    with pytest.raises(ValueError, match="the id 256 belongs to a later merge than 257"):
        tok.to_tiktoken()
    with pytest.raises(ValueError, match="the ids must be the bytes 0 to 255"):
        tok.save_minbpe("nowhere")


def test_a_special_token_that_is_spelled_as_another_is_refused(tmp_path: Path) -> None:
    """Both would get one id."""
    tok = Tokenizer(merges=[(97, 98)], special_tokens=["ab"])
    for method in (tok.save_pretrained, tok.save_gpt2):
        with pytest.raises(ValueError, match="'ab' is spelled as the ordinary token of id 256"):
            method(tmp_path / "new")
    assert tok.to_tiktoken().encode("ab", allowed_special="all") == [257]


def ranks_file(*lines: bytes, without: Collection[int] = ()) -> bytes:
    rows = [(bytes([byte]), byte) for byte in range(256) if byte not in without]
    return b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in rows) + b"".join(
        line + b"\n" for line in lines
    )


DAMAGED_RANKS = {
    "empty": (b"", "256 of 256 bytes have no rank"),
    "missing": (ranks_file(without=[113]), "1 of 256 bytes have no rank, first 0x71"),
    "base64": (ranks_file(b"!!!! 256"), r"line 257: b'!!!!' is no base64"),
    "cut": (ranks_file(b"YWI="), "line 257: b'YWI=' is not a token and its rank"),
    "huge": (ranks_file(b"YWI= 1000000000000"), "line 257"),
    "large": (ranks_file(b"YWI= 2000000000"), "ids must be less than"),
    "token again": (ranks_file(b"YQ== 256"), "line 257: .* this token occurs there before"),
    "rank again": (ranks_file(b"YWI= 97"), "line 257: .* this rank occurs there before"),
    "long": (ranks_file(base64.b64encode(b"a" * 10_000) + b" 256"), "10000 bytes is too long"),
    "negative": (ranks_file(b"YWI= -1"), "line 257"),
}


@pytest.mark.parametrize("name", DAMAGED_RANKS)
def test_a_damaged_file_of_ranks_is_refused_by_name_and_line(name: str, tmp_path: Path) -> None:
    """Also what would take long to look through."""
    data, message = DAMAGED_RANKS[name]
    (tmp_path / "ranks").write_bytes(data)
    with pytest.raises(ValueError, match=f"ranks: .*{message}"):
        Tokenizer.from_tiktoken(tmp_path / "ranks", pattern="gpt2")


def test_a_file_of_ranks_needs_a_pattern(tmp_path: Path) -> None:
    """An Encoding has its own, and its own special tokens."""
    (tmp_path / "ranks").write_bytes(ranks_file(b"YWI= 256"))
    with pytest.raises(ValueError, match="pattern must be given"):
        Tokenizer.from_tiktoken(tmp_path / "ranks")
    tiktoken = pytest.importorskip("tiktoken")
    ranks = {bytes([byte]): byte for byte in range(256)}
    other = tiktoken.Encoding("x", pat_str="x+|[^x]+", mergeable_ranks=ranks, special_tokens={})
    assert Tokenizer.from_tiktoken(other) == Tokenizer(merges=[], pattern="x+|[^x]+")
    named = tiktoken.Encoding("x", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={})
    with pytest.raises(ValueError, match="the Encoding gives other ids than this tokenizer"):
        Tokenizer.from_tiktoken(named)  # it leaves out all that is not "gpt2"
    assert Tokenizer.from_tiktoken(other, pattern="gpt2") == Tokenizer(merges=[])
    with pytest.raises(ValueError, match="special_tokens must not be given"):
        Tokenizer.from_tiktoken(other, special_tokens={"<s>": 256})


def test_special_tokens_that_begin_alike_are_compared() -> None:
    """tiktoken finds one of them, not always the longest."""
    tiktoken = pytest.importorskip("tiktoken")
    names = ["<a>", "<a>b", "<a>bc"]
    ranks = {bytes([byte]): byte for byte in range(256)}
    special = {name: 256 + i for i, name in enumerate(names)}
    theirs = tiktoken.Encoding("x", pat_str=GPT2, mergeable_ranks=ranks, special_tokens=special)
    found = [theirs.encode(name, allowed_special="all") for name in names]
    assert found != [[256], [257], [258]]
    with pytest.raises(ValueError, match=r"begins with '<a>.*', which this Encoding finds"):
        Tokenizer.from_tiktoken(theirs)
    for others in ([], [f"<{i}>" for i in range(100)]):
        tok = Tokenizer(merges=[], special_tokens=[*others, *names])
        with pytest.raises(ValueError, match=r"gives other ids than this tokenizer for '<a>bc?'"):
            tok.to_tiktoken()


@pytest.mark.parametrize("installed", [True, False])
def test_a_file_of_ranks_is_checked_before_it_is_written(
    installed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With tiktoken, or with the reader here."""
    if installed:
        pytest.importorskip("tiktoken")
    else:
        monkeypatch.setitem(sys.modules, "tiktoken", None)
    parse = tiktoken_format.parse_ranks
    tok = TOKENIZERS["as trained"]
    tok.save_tiktoken(tmp_path / "right")
    last = tok.token_bytes(405)
    monkeypatch.setattr(
        tiktoken_format,
        "parse_ranks",
        lambda data: {token: rank for token, rank in parse(data).items() if token != last},
    )
    consumer = "tiktoken" if installed else "the file"
    with pytest.raises(ValueError, match=f"{consumer} gives other ids than this tokenizer for"):
        tok.save_tiktoken(tmp_path / "wrong")
    assert [path.name for path in tmp_path.iterdir()] == ["right"]


@pytest.mark.parametrize("name", PATTERNS)
def test_an_encoding_for_javascript_has_a_portable_expression(name: str) -> None:
    """With the same ids, and read back as the same pattern."""
    tok = Tokenizer(merges=TOKENIZERS["as trained"].merges, pattern=name)
    encoding = tok.to_tiktoken(portable=True)
    assert "(?i" not in encoding._pat_str
    assert Tokenizer.from_tiktoken(encoding) == tok


def test_ranks_are_known_whatever_the_file_is_called(tmp_path: Path) -> None:
    """Llama 3's and Kimi K2's are a .model, as minbpe's and SentencePiece's are."""
    ranks = b"".join(b"%s %d\n" % (base64.b64encode(bytes([byte])), byte) for byte in range(256))
    for name in ("tiktoken.model", "tokenizer.model", "x.tiktoken", "ranks"):
        (tmp_path / name).write_bytes(ranks)
        assert detect(tmp_path / name) == "tiktoken"
    (tmp_path / "minbpe.model").write_bytes(b"minbpe v1\n\n0\n97 97\n")
    assert detect(tmp_path / "minbpe.model") == "minbpe"


def in_abc(token: bytes) -> bytes:
    """Return bytes of three kinds only, which often become the same tokens."""
    return bytes(b"abc"[byte % 3] for byte in token)


@given(
    tokens=st.lists(st.binary(min_size=2, max_size=4).map(in_abc), unique=True, max_size=10),
    texts=st.lists(st.text("abc", max_size=16), min_size=1, max_size=5),
    empty=st.booleans(),
)
@example(tokens=[b"abc", b"ab"], texts=["abcab"], empty=False)  # as in Qwen 3.6
@example(tokens=[b"aabaa", b"aab", b"aa", b"bb"], texts=["aabaabbabbb"], empty=False)
@example(tokens=[b"aba", b"ab"], texts=["ababababa" * 40], empty=False)
def test_ranks_in_any_order_give_the_ids_of_tiktoken(
    tokens: list[bytes], texts: list[str], empty: bool
) -> None:
    """A token may be made of one with a higher rank; Whisper's empty one is made of nothing."""
    tiktoken = pytest.importorskip("tiktoken")
    ranks = {bytes([byte]): byte for byte in range(256)}
    ranks |= {token: 256 + i for i, token in enumerate([*tokens, b""] if empty else tokens)}
    codec = Codec(**from_ranks(ranks, "none", {})._asdict())
    theirs = tiktoken.Encoding("x", pat_str="(?s).+", mergeable_ranks=ranks, special_tokens={})
    for text in texts:
        assert codec.encode(text) == theirs.encode_ordinary(text)
    assert codec.vocab_size == len(ranks)
    if not empty:  # where other tokens are, `to_tiktoken` writes them, too, which is tried below
        assert build_ranks(codec) == ranks


def test_a_token_without_bytes_is_read_and_written(tmp_path: Path) -> None:
    """As Whisper's file of ranks has it: an equals sign."""
    (tmp_path / "ranks").write_bytes(ranks_file(b"YWI= 256", b"= 257"))
    tok = Tokenizer.from_tiktoken(tmp_path / "ranks", pattern="gpt2")
    assert tok.encode("abab") == [256, 256]
    assert tok.decode([256, 257]) == "ab"
    assert dict(tok.other_tokens) == {b"": 257}
    tok.save_tiktoken(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "ranks").read_bytes()
