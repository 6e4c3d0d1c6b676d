"""The loops that read merges: each name is found by what it spells."""

from __future__ import annotations

import gc
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpetok.base.byte_characters import CHARACTERS, from_text
from bpetok.encoding.vocab import check_merges
from bpetok.formats.files import read_json
from bpetok.formats.recovery import from_merges
from bpetok.formats.token_merges import Names

# Characters that spell bytes, in one and two bytes, and some that do not: names of special tokens.
names = st.lists(
    st.text("ab\u0120\u0100\u00e9<\u4e2d \U0001f600", min_size=1, max_size=12), unique=True
)


@given(names=names, data=st.data())
def test_names_are_numbered_as_a_dict_numbers_them(names: list[str], data: st.DataObject) -> None:
    """Of any characters, with and without an id; what is no pair of them is told by its place."""
    names = [*CHARACTERS, *(name for name in names if name not in CHARACTERS)]
    ids = [None if character in "bc" else i for i, character in enumerate(names)]
    numbers = {name: i for i, name in enumerate(names) if ids[i] is not None}
    part = st.sampled_from(names[97:98] + names[255:]) | st.text("ab\u4e2d", max_size=3)
    merges = data.draw(st.lists(st.tuples(part, part), max_size=6))
    expected: list[int] = []
    bad = -1
    for i, (left, right) in enumerate(merges):
        row = [numbers.get(name, -1) for name in (left, right, left + right)]
        if -1 in row or not left or not right:
            bad = i
            break
        expected += row
    table = Names(names, ids, CHARACTERS)
    flat, found = table.number_merges(merges)
    assert (list(flat[: len(expected)]), found) == (expected, bad)
    assert table.words == [_spelled(name) for name in names]


def _spelled(name: str) -> bytes | None:
    try:
        return from_text(name)
    except ValueError:
        return None


@pytest.mark.parametrize("row", ["ab", " b", ("a",), ("a", 5), ["a", "b", "c"], 5, None])
def test_what_is_no_merge_is_told_by_its_place(row: object) -> None:
    """After one that is."""
    names = [*CHARACTERS, "ab"]
    table = Names(names, list(range(257)), CHARACTERS)
    assert table.number_merges(["a b", ["a", "b"], row])[1] == 2


def test_merges_are_used_up() -> None:
    """A tree of them takes more memory than all that is made of it."""
    vocab = {character: i for i, character in enumerate([*CHARACTERS, "ab"])}
    merges = [["a", "b"]]
    parts = from_merges(vocab, merges, "gpt2", {})
    assert check_merges(parts.merges).tolist() == [97, 98]
    assert not merges


def test_the_garbage_collector_is_as_it_was() -> None:
    """Also after what is no JSON."""
    assert gc.isenabled()
    assert read_json(b"[1]") == [1]
    with pytest.raises(json.JSONDecodeError):
        read_json(b"[1")
    assert gc.isenabled()
    gc.disable()
    try:
        assert read_json(b"[1]") == [1]
        assert not gc.isenabled()
    finally:
        gc.enable()
