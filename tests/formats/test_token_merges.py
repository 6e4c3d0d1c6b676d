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


SPELLED = [*CHARACTERS, *(a + b for a in 'ab"\\\u0120\u0143' for b in 'ab"\\\u0120\u0143')]
TABLE = Names(SPELLED, list(range(len(SPELLED))), CHARACTERS)
parts = st.sampled_from('ab"\\\u0120\u0143') | st.sampled_from(["", "ab", "\u4e2d", "\n", "c"])


@given(
    merges=st.lists(st.tuples(parts, parts), min_size=1, max_size=5),
    as_pairs=st.booleans(),
    indent=st.sampled_from([None, 0, 2]),
    ascii_only=st.booleans(),
)
def test_merges_are_read_from_json_as_from_what_it_holds(
    merges: list[tuple[str, str]], as_pairs: bool, indent: int | None, ascii_only: bool
) -> None:
    """In both forms and however it is spaced; or not, and then JSON is read as all is."""
    rows = merges if as_pairs else [f"{left} {right}" for left, right in merges]
    data = json.dumps(rows, indent=indent, ensure_ascii=ascii_only).encode()[1:-1]
    read = TABLE.read_merges(data)
    flat, bad = TABLE.number_merges(json.loads(f"[{data.decode()}]"))
    if bad >= 0:
        assert read is None
    elif read is None:
        assert b"\\u" in data
    else:
        assert read == flat


@pytest.mark.parametrize("cut", range(1, 29))
def test_what_is_cut_off_is_not_read(cut: int) -> None:
    """Nor what is damaged."""
    for data in (b'["a", "b"], ["\\\\", "\xc4\xa0"] ', b'"a b" , "\\\\ \xc4\xa0", "\\" a"'):
        assert TABLE.read_merges(data) is not None
        for damaged in (data[:-cut], data[: cut - 1] + b"\x01" + data[cut:]):
            try:
                rows = json.loads(f"[{damaged.decode()}]")
            except ValueError:
                assert TABLE.read_merges(damaged) is None
            else:
                flat, bad = TABLE.number_merges(rows)
                read = TABLE.read_merges(damaged)
                assert read is None if bad >= 0 or not rows else read == flat


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
