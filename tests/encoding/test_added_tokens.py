"""Special tokens with the flags of Hugging Face's files mean what they mean in tokenizers."""

import json
import pickle
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpetok import Tokenizer
from bpetok.encoding.added_tokens import AddedToken
from reference import assigned_in_unicode_16

NAMES = ["<m>", "<m>a", "<m", " ", "a b", "öé"]
OTHERS = [*"a1_é.\n", "\u0301", "\u200d", "\u00a0", "\x1c", "\x85", "\u3000"]
TEXTS = st.lists(st.sampled_from([*NAMES, *OTHERS]), max_size=12).map("".join)
FLAGS = st.tuples(*[st.booleans()] * 4)


def tokenizer_of(tokens: list[AddedToken]) -> Tokenizer:
    """A tokenizer of bytes."""
    special = {token.content: token.id for token in tokens}
    return Tokenizer(merges=[], special_tokens=special, added_tokens=tokens)


@cache
def bytes_of_tokenizers() -> str:
    """Return a tokenizer of bytes as tokenizers writes it."""
    document: str = Tokenizer(merges=[]).to_tokenizers().to_str()
    return document


@settings(max_examples=200)
@given(
    st.dictionaries(st.sampled_from(NAMES), FLAGS, min_size=1, max_size=4),
    st.lists(TEXTS, max_size=3),
)
def test_ids_and_texts_are_those_of_tokenizers(
    flags: dict[str, tuple[bool, ...]], texts: list[str]
) -> None:
    """With every mixture of flags; and with `skip_special_tokens`."""
    tokenizers = pytest.importorskip("tokenizers")
    names = ("lstrip", "rstrip", "single_word", "normalized")
    tokens = [
        AddedToken(name, 256 + i, i % 2 == 0, **dict(zip(names, values, strict=True)))
        for i, (name, values) in enumerate(flags.items())
    ]
    tok = tokenizer_of(tokens)
    plain = tokenizers.Tokenizer.from_str(bytes_of_tokenizers())
    for token in tokens:
        options = dict(zip(names, token[3:], strict=True))
        plain.add_tokens([tokenizers.AddedToken(token.content, special=token.special, **options)])
    for text in texts:
        expected = plain.encode(text).ids
        assert tok.encode(text, allowed_special="all") == expected
        assert tok.encode_batch([text], allowed_special="all") == [expected]
        assert tok.count_tokens(text, allowed_special="all") == len(expected)
        ids, spans = tok.encode_with_offsets(text, allowed_special="all")
        assert ids == expected
        assert [span[0] for span in spans] == sorted(span[0] for span in spans)
        explained = tok.explain(text)
        assert explained.ids == expected
        assert b"".join(word.word for word in explained.words) == text.encode()
        left = [i for i in expected if i < 256 or not tokens[i - 256].special]
        assert tok.decode(expected, skip_special_tokens=True) == tok.decode(left)
        assert tok.decode_batch([expected], skip_special_tokens=True) == [tok.decode(left)]


@pytest.mark.parametrize(
    ("special", "right"),
    [((True,) * 4, 300), ((False,) * 4, 300), ((False, False, True, True), 302)],
)
def test_one_of_the_tokens_that_become_equal_is_found(
    special: tuple[bool, ...], right: int
) -> None:
    """A special one before others, then by id (tokenizers 0.22), however they are given."""
    names = ["XX", "Xx", "xX", "xx"]
    tokens = [
        AddedToken(name, 300 + i, special=special[i], normalized=True)
        for i, name in enumerate(names)
    ]
    for order in (tokens, tokens[::-1]):
        tok = Tokenizer(
            merges=[],
            special_tokens={token.content: token.id for token in order},
            added_tokens=order,
            normalizer="Lowercase",
        )
        assert tok.encode("axx", allowed_special="all") == [97, right]
        assert tok.encode("axx", allowed_special={"xx", "xX"}) == [97, max(right, 302)]


def test_white_space_belongs_to_the_token() -> None:
    """As `<mask>` of RoBERTa has it; where it is not allowed, all is text."""
    tok = tokenizer_of([AddedToken("<m>", 256, lstrip=True), AddedToken("<x>", 257, rstrip=True)])
    text = "a \n<m> <x>\u3000b"
    assert tok.encode(text, allowed_special="all") == [97, 256, 32, 257, 98]
    assert tok.encode_with_offsets(text, allowed_special="all")[1] == [
        (0, 1),
        (1, 6),
        (6, 7),
        (7, 11),
        (11, 12),
    ]
    assert tok.encode_ordinary(text) == [*text.encode()]
    assert tok.encode(text, allowed_special={"<x>"}, disallowed_special=()) == [
        *b"a \n<m> ",
        257,
        98,
    ]


def test_a_text_of_a_file_is_not_cut_in_its_white_space(tmp_path: Path) -> None:
    """Millions of spaces before a token are its own."""
    tok = tokenizer_of([AddedToken("<m>", 256, lstrip=True)])
    (tmp_path / "t.txt").write_text("a" + " " * 5_000_000 + "<m>b")
    tok.encode_files(tmp_path / "t.txt", tmp_path / "t.bin", allowed_special="all")
    assert np.fromfile(tmp_path / "t.bin", np.uint16).tolist() == [97, 256, 98]


def test_flags_are_kept(tmp_path: Path) -> None:
    """By files, pickles and smaller tokenizers; they are part of equality."""
    special = {"<a>": 257, "<b>": 258}
    added = [AddedToken("<b>", 258, special=False, rstrip=True)]
    tok = Tokenizer(merges=[(97, 98)], special_tokens=special, added_tokens=added)
    assert tok.added_tokens == [AddedToken("<a>", 257), *added]
    assert tok.special_tokens == special
    tok.save(tmp_path / "tok.json")
    assert len(json.loads((tmp_path / "tok.json").read_text())["added_tokens"]) == 1
    for same in (Tokenizer.load(tmp_path / "tok.json"), pickle.loads(pickle.dumps(tok))):
        assert same == tok
        assert same.added_tokens == tok.added_tokens
        assert same.vocabulary_sha256 == tok.vocabulary_sha256
    smaller = tok.truncate(258)
    assert smaller.added_tokens[1] == AddedToken("<b>", 257, special=False, rstrip=True)
    assert tok != Tokenizer(merges=[(97, 98)], special_tokens=special)
    assert tok.decode([97, 257, 258, 98], skip_special_tokens=True) == "a<b>b"
    with pytest.raises(ValueError, match="ids must be from 0 to 258"):
        tok.decode([300], skip_special_tokens=True)


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ([AddedToken("<b>", 256)], "added_tokens[0] must be among special_tokens with its id 256"),
        ([AddedToken("<a>", 257)], "added_tokens[0] must be among special_tokens with its id 257"),
        ([AddedToken("<a>", 256)] * 2, "added_tokens[1] is '<a>', given already"),
        ([("<a>", 256)], "added_tokens[0] must be an AddedToken, got ('<a>', 256)"),
        ([AddedToken("<a>", 256, lstrip=1)], "added_tokens[0].lstrip must be a bool, got 1"),  # type: ignore[arg-type]  # refused
    ],
)
def test_flags_of_nothing_are_refused(added: list[Any], message: str) -> None:
    """Before anything is made."""
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        Tokenizer(merges=[], special_tokens=["<a>"], added_tokens=added)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    """The message names the file and the place."""
    path = tmp_path / "tok.json"
    Tokenizer(merges=[], special_tokens=["<a>"]).save(path)
    content = json.loads(path.read_text())
    good = AddedToken("<a>", 256, lstrip=True)._asdict()
    bad = [{}, [1], [{**good, "x": 1}], [{**good, "id": 1}], [{**good, "lstrip": None}], [good] * 2]
    for rows in bad:
        path.write_text(json.dumps({**content, "added_tokens": rows}))
        with pytest.raises(ValueError, match=r"tok\.json: is not a tokenizer: added_tokens"):
            Tokenizer.load(path)


def test_all_words_are_words_to_tokenizers_too() -> None:
    """What may be next to a `single_word` token, for each character up to U+3FFF."""
    tokenizers = pytest.importorskip("tokenizers")
    tok = tokenizer_of([AddedToken("<m>", 256, single_word=True)])
    theirs = tokenizers.Tokenizer.from_str(bytes_of_tokenizers())
    theirs.add_tokens([tokenizers.AddedToken("<m>", single_word=True, normalized=False)])
    differ = []
    for code in filter(lambda code: assigned_in_unicode_16(chr(code)), range(0x4000)):
        text = f"<m>{chr(code)}"
        if tok.encode(text, allowed_special="all") != theirs.encode(text).ids:
            differ.append(hex(code))
    assert differ == []
