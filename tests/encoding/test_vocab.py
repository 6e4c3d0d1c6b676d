"""Merges to token bytes, and what a list of merges must not be."""

from array import array
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from bpetok.base.checks import encode_utf8
from bpetok.encoding.token_bytes import build_token_bytes, find_repeated
from bpetok.encoding.vocab import (
    build_vocab,
    check_ids,
    check_merge_counts,
    check_merges,
)
from strategies import ALPHABETS, merge_lists, respelled

A, B, C = b"abc"


@given(merge_lists(), ALPHABETS)
def test_token_bytes_are_those_of_the_reference(
    merges: list[tuple[int, int]], letters: bytes
) -> None:
    """Each id has the bytes of its two parts, one after the other."""
    merges = respelled(merges, letters)
    assert build_token_bytes(check_merges(merges)) == reference.token_bytes(merges)


def test_pairs_may_come_as_lists_tuples_and_arrays() -> None:
    """Merges from Python, from a JSON file and from the trainer are one and the same."""
    expected = [A, B, 256, C]
    merges: Any
    for merges in (
        [(A, B), (256, C)],
        [[A, B], [256, C]],
        ((np.int32(A), np.int64(B)), (256, C)),
        np.array([[A, B], [256, C]], dtype=np.int32),
        np.array([[A, B], [256, C]], dtype=np.uint64),
    ):
        assert check_merges(merges).tolist() == expected
    assert check_merges([]).tolist() == []
    assert check_merges(np.empty((0, 2), dtype=np.int32)).tolist() == []


@pytest.mark.parametrize(
    ("merges", "message"),
    [
        ([(A, B), (257, C)], r"merges\[1\] must join ids from 0 to 256, .* got \(257, 99\)"),
        ([(A, 256)], r"merges\[0\] must join ids from 0 to 255"),
        ([(-1, A)], r"merges\[0\] must join ids from 0 to 255"),
        ([(A, B), (A, B)], r"merges\[1\] joins \(97, 98\), which an earlier merge"),
        ([(A, 10**12)], r"got \(97, 1000000000000\)"),
        ([(A, B, C)], r"merges\[0\] must be a pair of ids, got \(97, 98, 99\)"),
        ([A], r"merges\[0\] must be a pair of ids, got 97"),
        ([None], r"merges\[0\] must be a pair"),
        (np.array([A, B]), r"merges\[0\] must be a pair"),
    ],
)
def test_a_damaged_list_is_refused(merges: list[tuple[int, int]], message: str) -> None:
    """The message names the merge, what was given and what is possible."""
    with pytest.raises(ValueError, match=message):
        check_merges(merges)


@pytest.mark.parametrize(
    ("merges", "message"),
    [
        ([(A, B), (257, C)], r"merges\[1\] must join ids from 0 to 256, .* got \(257, 99\)"),
        ([(-1, A)], r"merges\[0\] must join ids from 0 to 255"),
        ([(A, B), (B, C), (A, B)], r"merges\[2\] joins \(97, 98\), which an earlier merge"),
        ([(A, B, C)], r"merges\[0\] must be a pair of ids"),
    ],
)
def test_a_damaged_array_is_refused_as_a_list_is(
    merges: list[tuple[int, int]], message: str
) -> None:
    """Arrays of int32 are not looked at id by id in Python."""
    with pytest.raises(ValueError, match=message):
        check_merges(np.array(merges, np.int32))


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 2), max_size=12))
def test_the_first_repeated_merge_is_found(merges: list[tuple[int, int]]) -> None:
    """Whatever lies between, and whichever ids they share."""
    expected = next((i for i, merge in enumerate(merges) if merge in merges[:i]), -1)
    flat = array("i", [token_id for merge in merges for token_id in merge])
    assert find_repeated(flat, 256) == expected


@pytest.mark.parametrize(
    "merges",
    ["ab", b"abcd", None, 3, [(A, "b")], [(A, 1.0)], [(True, A)]],
)
def test_ids_that_are_no_integers_are_refused(merges: list[tuple[int, int]]) -> None:
    """Also floats and bools, which would pass as numbers elsewhere."""
    with pytest.raises(TypeError):
        check_merges(merges)


def test_merges_that_double_are_refused_before_they_fill_memory() -> None:
    """60 merges could make a token of 2**60 bytes."""
    merges = [(0, 0)] + [(256 + i, 256 + i) for i in range(59)]
    with pytest.raises(ValueError, match=r"makes a token of .* bytes"):
        check_merges(merges)


def test_two_merges_may_spell_the_same_bytes() -> None:
    """Each has its own id; the vocabulary, by bytes, has the first."""
    tokens = build_token_bytes(check_merges([(A, B), (B, C), (A, 257), (256, C)]))
    assert tokens[256:] == [b"ab", b"bc", b"abc", b"abc"]
    vocab = build_vocab(zip(tokens, range(260), strict=True))
    assert vocab[b"abc"] == 258
    assert len(vocab) == 259


def test_counts_are_one_for_each_merge_and_fit_in_64_bits() -> None:
    """Anything else is refused with the place."""
    assert check_merge_counts([3, 2**63 - 1], 2).tolist() == [3, 2**63 - 1]
    assert check_merge_counts(np.array([3, 2]), 2).tolist() == [3, 2]
    with pytest.raises(ValueError, match="one count for each of 2 merges, got 1"):
        check_merge_counts([3], 2)
    with pytest.raises(ValueError, match=r"merge_counts\[1\] must be from 0"):
        check_merge_counts([3, 2**63], 2)
    with pytest.raises(ValueError, match=r"merge_counts\[0\] must be from 0"):
        check_merge_counts([-1, 2], 2)
    with pytest.raises(ValueError, match=r"merge_counts\[1\] must be from 0"):
        check_merge_counts(np.array([1, -2]), 2)
    with pytest.raises(TypeError, match=r"merge_counts\[0\] must be an int"):
        check_merge_counts([0.5, 2], 2)  # type: ignore[list-item]  # this is what is tested


def test_the_message_about_a_lone_surrogate_says_where_and_what_to_do() -> None:
    """The remedy in the message works."""
    text = "ab\ud800c"
    with pytest.raises(ValueError, match=r"text has a lone surrogate, '\\ud800', at index 2"):
        encode_utf8(text, "text")
    repaired = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert encode_utf8(repaired, "text") == "ab\N{REPLACEMENT CHARACTER}c".encode()


def test_ids_of_a_vocabulary_from_elsewhere_are_all_different() -> None:
    """Any ids with some gaps will do; what is wrong with others is said with the place."""
    assert check_ids(None, None, 2) == (None, [])
    assert check_ids(range(258), {"<s>": 300}, 2) == (None, [300])
    ids, special = check_ids(np.arange(258)[::-1] + 1, {"<s>": 0}, 2)
    assert ids is not None
    assert ids.tolist() == list(range(258, 0, -1))
    assert special == [0]
    assert check_ids(None, {"<s>": 300, "<t>": 300, "<u>": 301}, 2) == (None, [300, 300, 301])
    for token_ids, special_tokens, message in (
        (range(257), {}, "an id for each of 256 bytes and 2 merges, got 257"),
        ([0, *range(257)], {}, r"token_ids\[1\] is 0, the id of an earlier token"),
        (None, {"<s>": 257}, "the id of '<s>' is 257, which another token has"),
        (None, {"<s>": -1}, "must be from 0 to"),
        (None, {"<s>": 10**12}, "must be from 0 to"),
        (None, {"<s>": 2**31 - 1}, "ids must be less than 1000259"),
        ([*range(257), 10**12], {}, r"token_ids\[257\] must be from 0 to"),
    ):
        with pytest.raises(ValueError, match=message):
            check_ids(token_ids, special_tokens, 2)
    with pytest.raises(TypeError, match="must be an int"):
        check_ids(None, {"<s>": "300"}, 2)
