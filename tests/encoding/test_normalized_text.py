"""Codecs that change a text before it is split, or have no id for some bytes: ids and offsets."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from bpetok.encoding.codec import Codec
from bpetok.patterns.normalizers import Normalizer

MERGES, _ = reference.learn_merges({"e\u0301e\u00e9 \u00e9\u00e9".encode(): 1}, 8)
texts = st.text("ae\u0301\u0323\u00e9\ufb01 \u1100\u1161", max_size=20)


@given(text=texts, form=st.sampled_from(["NFC", "NFKD", ["Strip", "NFC"]]))
def test_ids_are_those_of_the_normalized_text(text: str, form: Any) -> None:
    """Special tokens are found before that, and are not changed; offsets are of the text given."""
    plain = Codec(merges=MERGES, special_tokens=["\ufb01<e\u0301>"])
    codec = Codec(merges=MERGES, special_tokens=["\ufb01<e\u0301>"], normalizer=form)
    normalizer = Normalizer(form)

    def expected(part: str) -> list[int]:
        return plain.encode(normalizer(part.encode()))

    assert codec.encode(text) == expected(text)
    whole = text + "\ufb01<e\u0301>" + text
    ids, offsets = codec.encode_with_offsets(whole, allowed_special="all")
    special_id = codec.special_tokens["\ufb01<e\u0301>"]
    assert ids == [*expected(text), special_id, *expected(text)]
    assert offsets[ids.index(special_id)] == (len(text), len(text) + 5)
    assert offsets == sorted(offsets)
    assert pickle.loads(pickle.dumps(codec)) == codec != plain


def test_offsets_are_of_the_text_that_was_given() -> None:
    """A character that came from two belongs to both; bytes without an id belong to nobody."""
    codec = Codec(merges=[(0xC3, 0xA9)], normalizer="NFC")
    assert codec.encode_with_offsets("xe\u0301y") == ([120, 256, 121], [(0, 1), (1, 3), (3, 4)])
    ids = [-1 if byte == ord("x") else byte for byte in range(256)]
    codec = Codec(merges=[(97, 98)], token_ids=[*ids, 256], whole_words={b"xa": 300})
    ids, offsets = codec.encode_with_offsets("axb xx b")
    assert ids == [256, 32, 32, 98]
    assert offsets == [(0, 3), (3, 4), (6, 7), (7, 8)]
    assert codec.encode_with_offsets("xa") == ([300], [(0, 2)])
    assert codec.decode([300]) == "xa"


@pytest.mark.parametrize(
    ("option", "error", "message"),
    [
        ({"normalizer": "NFX"}, ValueError, "normalizer: 'NFX' can't be represented"),
        ({"whole_words": [b"a"]}, TypeError, "whole_words must be a mapping of bytes to int"),
        ({"other_tokens": {"a": 300}}, TypeError, "other_tokens must hold bytes only, got 'a'"),
        ({"other_tokens": {b"a": 97}}, ValueError, "other_tokens: the id of b'a' is 97, which"),
        ({"other_tokens": {b"a": -1}}, ValueError, "must be from 0 to"),
        (
            {"other_tokens": {b"x": 300}, "whole_words": {b"y": 300}},
            ValueError,
            "the id of b'x' is 300, which another token has",
        ),
    ],
)
def test_options_are_checked(option: dict[str, Any], error: type[Exception], message: str) -> None:
    """By name and value."""
    with pytest.raises(error, match=message):
        Codec(merges=[], **option)
