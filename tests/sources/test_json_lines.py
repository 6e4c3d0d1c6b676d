"""Texts taken from lines of JSON without a parser are those that the parser finds."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import bpetok
from bpetok.sources import jsonl
from bpetok.sources.json_lines import number_of_lines, texts_of_lines, unescaped

CHARACTERS = st.sampled_from('abcdefgh "\\\n\t\x00/é中\U0001f600\u2028') | st.characters(
    exclude_categories=["Cs"]
)
STRINGS = st.text(CHARACTERS, max_size=20)
NUMBERS = st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | STRINGS,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(STRINGS, values, max_size=3),
    max_leaves=6,
)
RECORDS = st.fixed_dictionaries(
    {}, optional={"a": VALUES, "text": st.none() | STRINGS, "z": VALUES}
)


def taken(lines: bytes, name: str = "text") -> tuple[list[tuple[int, bytes]], int] | None:
    """Return pairs of a line's number and its text, and the number of nulls."""
    found = texts_of_lines(lines, lines.count(b"\n") + 1, name.encode())
    if found is None:
        return None
    data, offsets, numbers, n_null = found
    ends = offsets.tolist()
    texts = [bytes(data[begin:end]) for begin, end in pairwise(ends)]
    return list(zip(numbers.tolist(), texts, strict=True)), n_null


def loads(line: bytes) -> Any:
    """Parse a line; numbers that are too large for orjson are no fault of the line."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if "infinity" not in str(error):
            raise
        return json.loads(line)


def parsed(lines: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """Return the same of what orjson finds, and raise as it does."""
    records = [
        (number, loads(line))
        for number, line in enumerate(lines.split(b"\n"))
        if line.strip(b" \t\r")
    ]
    texts = [(number, record.get("text")) for number, record in records]
    some = [(number, text.encode()) for number, text in texts if text is not None]
    return some, len(texts) - len(some)


@given(st.lists(st.tuples(st.sampled_from([b"\n", b"a", b"\x8a"]), st.integers(0, 600))))
def test_lines_are_counted(runs: list[tuple[bytes, int]]) -> None:
    """Also where there are more line feeds than a byte can count."""
    lines = b"".join(byte * n for byte, n in runs)
    assert number_of_lines(lines) == lines.count(b"\n") + 1


def test_simple_lines_need_no_parser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first one on: many files are smaller than what is read at once."""
    path = tmp_path / "a.jsonl"
    path.write_text('\n{"id": 1}\n{"text": null}\n{"text": "aa bb"}\n')
    calls: list[bytes] = []

    def noted(line: bytes, loads: Any = orjson.loads) -> Any:
        calls.append(line)
        return loads(line)

    monkeypatch.setattr(orjson, "loads", noted)
    with pytest.warns(UserWarning, match="2 "):
        assert bpetok.count_words(path).to_dict() == {b"aa": 1, b" bb": 1}
    assert not calls
    path.write_text('{"id": 1}\n')
    with pytest.raises(ValueError, match="none of its first records has 'text'"):
        bpetok.count_words(path)
    assert calls


@given(
    st.lists(RECORDS | st.just("")),
    st.booleans(),
    st.sampled_from([(", ", ": "), (",", ":"), (" ,\t", "\r:  ")]),
)
def test_simple_lines_are_taken_as_the_parser_takes_them(
    records: list[dict[str, Any] | str], ensure_ascii: bool, separators: tuple[str, str]
) -> None:
    """Of all records that another program writes, but for names with an escape in them."""
    lines = [
        json.dumps(record, ensure_ascii=ensure_ascii, separators=separators) if record != "" else ""
        for record in records
    ]
    data = "\n".join(lines).encode()
    found = taken(data)
    assert found == parsed(data) or (found is None and b"\\" in data)


@given(RECORDS, st.data())
@example({"text": "a", "z": [1.5e-7, -0, {"b": [[]]}]}, None)
@example({"text": "a", "z": 10**309}, None)
def test_what_the_parser_refuses_is_never_taken(record: dict[str, Any], data: Any) -> None:
    """Bytes are replaced, added and removed: what is taken then is what the parser takes."""
    line = bytearray(json.dumps(record, ensure_ascii=False).encode())
    if data is not None:
        at = data.draw(st.integers(0, len(line)))
        new = data.draw(st.binary(max_size=2) | st.sampled_from(
            [b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\u", b"\\ud83d", b"\\ude00", b"-", b"0",
             b".", b"e1", b"1e", b"null", b"tru", b"NaN", b"\n", b'"text":"b"', b"\xff", b"\x1f"]
        ))  # fmt: skip
        line[at : at + data.draw(st.integers(0, 2))] = new
    found = taken(bytes(line))
    if found is not None:
        assert found == parsed(bytes(line))


@pytest.mark.parametrize(
    "line",
    [
        b'{"text": "a"',
        b'{"text": "a"} x',
        b'{"text": 1}',
        b'{"text": ["a"]}',
        b'{"te\\u0078t": "a"}',
        b'{"text": "\\ud83d"}',
        b'{"text": "\\ude00\\ud83d"}',
        b'{"text": "\\ud83d\\u0041"}',
        b'{"text": "\\u00g0"}',
        b'{"text": "\xff"}',
        b'{"text": "\x1f"}',
        b'{"a": 01, "text": "a"}',
        b'{"a": 1., "text": "a"}',
        b'{"a": .5, "text": "a"}',
        b'{"a": +1, "text": "a"}',
        b'{"a": 1e, "text": "a"}',
        b'{"a": nul, "text": "a"}',
        b'{"a": NaN, "text": "a"}',
        b'{"a": [1,], "text": "a"}',
        b'{"a": {"b" 1}, "text": "a"}',
        b'{"text": "a",}',
        b'{"text" "a"}',
        b"{text: 1}",
        b'["text"]',
        b"null",
        b'{"a": ' + b"[" * 65 + b"]" * 65 + b"}",
    ],
)
def test_what_is_not_simple_is_left_to_the_parser(line: bytes) -> None:
    """In whichever line it is."""
    assert taken(line) is None
    assert taken(b'{"text": "b"}\n' + line + b'\n{"text": "c"}') is None


def test_what_is_simple_is_taken() -> None:
    """A text that comes twice, other values, escapes, empty lines; deep ones, too."""
    assert taken(b'{"text": "ab", "text": "c"}\n \t\r\n{}\n{"text": null}\n{"text": ""}') == (
        [(0, b"c"), (4, b"")],
        2,
    )
    line = (
        b'{"a":'
        + b"[" * 64
        + b"]" * 64
        + rb',"text":"\"\\\/\b\f\n\r\t\u0041\u00e9\u4e2d\ud83d\uDE00"}'
    )
    expected = '"\\/\b\f\n\r\tA\u00e9\u4e2d\U0001f600'.encode()
    assert taken(line) == ([(0, expected)], 0)
    assert taken(b"") == ([], 0)
    assert taken(b"\n\n") == ([], 0)
    assert taken(b'{"\xc3\xa9": "a"}', "\u00e9") == ([(0, b"a")], 0)


@given(st.text(CHARACTERS), st.booleans())
def test_parts_of_strings_are_unescaped(text: str, ensure_ascii: bool) -> None:
    """To what they say; None where they say nothing."""
    string = bytearray(json.dumps(text, ensure_ascii=ensure_ascii).encode())
    assert unescaped(string, 1, len(string) - 1) == text.encode()
    assert unescaped(string + b"\xff", 1, len(string) + 1) is None
    assert unescaped(b"\\", 0, 1) is None
    with pytest.raises(IndexError):
        unescaped(b"a", 0, 2)


def test_lines_are_read_alike_with_and_without_the_parser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of lines with one that is not simple between others; what is wrong names its line."""
    monkeypatch.setattr(jsonl, "CHUNK_SIZE", 300)
    lines = [json.dumps({"id": i, "text": f"text {i} \u00e9"}) for i in range(100)]
    lines[40] = '{"te\\u0078t": "odd"}'
    lines[70] = "{}"
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines))
    texts = [json.loads(line).get("text") for line in lines]
    expected = bpetok.count_words_from_iterator([text for text in texts if text is not None])
    with pytest.warns(UserWarning, match="1 text was null"):
        assert bpetok.count_words(path) == expected
    lines[90] = '{"text": "a}'
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match="line 91 is no JSON"):
        bpetok.count_words(path)
