"""A long line of JSON is read in pieces, and says what it says as a whole."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bpetok
from bpetok import sources
from bpetok._jsonstrings import long_strings
from bpetok.sources import longlines
from bpetok.sources.longlines import LONGEST_ESCAPE, cut_string

PARTS = ["\\", '"', "\n", "a", " ", "u", "d83d", "\u00e9", "\u4e2d", "\U0001f600", "\x01"]
TEXTS = st.lists(st.sampled_from(PARTS) | st.characters(), max_size=60).map("".join)
LONG_TEXT = "".join(f'line {i} "quoted" \\ \u00e9\u4e2d\U0001f600 ' for i in range(9))


@given(st.lists(TEXTS), st.booleans(), st.integers(1, 20))
def test_strings_are_found_between_their_quotes(
    texts: list[str], ensure_ascii: bool, least: int
) -> None:
    """As a regular expression finds them; those that are shorter than asked for are passed over."""
    line = json.dumps(texts, ensure_ascii=ensure_ascii).encode(errors="surrogatepass")
    found = [match.span(1) for match in re.finditer(rb'"((?:[^"\\]|\\.)*)"', line)]
    expected = [(begin, end) for begin, end in found if end - begin >= least]
    assert long_strings(line, least) == expected


@given(st.binary(max_size=40), st.integers(1, 5))
def test_strings_of_any_bytes_do_not_overlap(line: bytes, least: int) -> None:
    """What is no JSON is told by the parser, not here."""
    spans = long_strings(line, least)
    places = [place for span in spans for place in span]
    assert places == sorted(places)
    assert all(end - begin >= least for begin, end in spans)


@given(TEXTS, st.booleans(), st.data())
def test_a_cut_leaves_characters_and_escapes_whole(
    text: str, ensure_ascii: bool, data: st.DataObject
) -> None:
    """The parts parse, and are the whole; the cut is about where it was wanted."""
    string = "head of it: " + text
    line = bytearray(json.dumps(string, ensure_ascii=ensure_ascii).encode(errors="surrogatepass"))
    begin, end = 1, len(line) - 1
    stop = data.draw(st.integers(begin + LONGEST_ESCAPE, end))
    cut = cut_string(line, begin, stop, end)
    assert stop - LONGEST_ESCAPE <= cut <= stop
    parts = [
        json.loads('"' + bytes(part).decode(errors="surrogatepass") + '"')
        for part in (line[begin:cut], line[cut:end])
    ]
    assert utf16("".join(parts)) == utf16(string)


def test_a_cut_behind_a_character_of_two_escapes_does_not_go_back_to_it() -> None:
    """What ends before the place where it is wanted is in no way of it."""
    line = bytearray(json.dumps("head of it: aa\U00010000a\\").encode())
    assert cut_string(line, 1, 28, len(line) - 1) == 28


def utf16(text: str) -> bytes:
    """Return what two surrogates and the character that they stand for have in common."""
    return text.encode("utf-16", "surrogatepass")


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small bounds: what is long is short enough for a test."""
    monkeypatch.setattr(sources.jsonl, "CHUNK_SIZE", 64)
    monkeypatch.setattr(longlines, "LONG", 20)
    monkeypatch.setattr(longlines, "PIECE_SIZE", 32)


RECORDS = [
    {"text": LONG_TEXT, "id": "b" * 50},
    {"text": "short", "id": "c" * 200},
    {"id": LONG_TEXT, "text": None},
    {"text": "short"},
    {"text": ""},
    {"text": "last " + LONG_TEXT},
]


@pytest.mark.usefixtures("_short")
@pytest.mark.parametrize("ensure_ascii", [False, True])
@pytest.mark.parametrize("limit", [None, 1, 30, 100])
def test_long_lines_have_the_texts_of_their_records(
    tmp_path: Path, ensure_ascii: bool, limit: int | None
) -> None:
    """Between short ones, with other long strings, nulls, escapes, and limits."""
    lines = [json.dumps(record, ensure_ascii=ensure_ascii) for record in RECORDS]
    lines.insert(2, " " * 200)
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    expected = [record["text"][:limit] for record in RECORDS if record["text"] is not None]
    with pytest.warns(UserWarning, match="1 text was null"):
        words = bpetok.count_words(path, max_text_chars=limit, n_threads=1)
    assert words == bpetok.count_words_from_iterator(expected)


@pytest.mark.usefixtures("_short")
def test_texts_lie_deep_in_long_lines(tmp_path: Path) -> None:
    """Some of them long, some not."""
    texts = [LONG_TEXT, "short", LONG_TEXT + "!"]
    record = {"messages": [{"content": text} for text in texts]}
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(record))
    words = bpetok.count_words(path, text_column="messages[].content")
    assert words == bpetok.count_words_from_iterator(texts)


@pytest.mark.usefixtures("_short")
@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"text": "' + b"a" * 200, "line 2 is no JSON in UTF-8: Unterminated"),
        (b'{"text": "' + b"a" * 200 + b'\\x"}', "line 2 is no JSON in UTF-8: Invalid .escape"),
        (b'{"text": "' + b"a" * 200 + b'\xff"}', "line 2 is no JSON in UTF-8: .* byte 0xff"),
        (b'{"text": "' + b"a" * 200 + b'\\ud800"}', r"line 2 is not UTF-8: byte 200 \(0xed\)"),
        (b'{"text": ["' + b"a" * 200 + b'"]}', "line 2: the text must be a string, got"),
    ],
)
def test_what_is_wrong_in_a_long_line_is_said(tmp_path: Path, line: bytes, message: str) -> None:
    """With the file and the line; and wrong bytes can be replaced."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "a"}\n' + line)
    with pytest.raises(ValueError, match=rf"a\.jsonl, {message}"):
        bpetok.count_words(path)
    if line.endswith((b'\xff"}', b'ud800"}')):
        words = bpetok.count_words(path, errors="replace")
        assert any(b"\xef\xbf\xbd" in word for word, _ in words)


@pytest.mark.usefixtures("_short")
def test_a_long_first_line_without_the_column_is_refused(tmp_path: Path) -> None:
    """As a short one is."""
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"content": LONG_TEXT}))
    with pytest.raises(ValueError, match="none of its first records has 'text'"):
        bpetok.count_words(path)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_a_long_record_is_in_memory_once(tmp_path: Path, environment: dict[str, str]) -> None:
    """Not as str too, which takes four bytes a character where one of them is an emoji."""
    text = "some text, " * 6_000_000 + "\U0001f600"
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": text}, ensure_ascii=False), "utf-8")
    code = """
import bpetok.counting, orjson
def peak(name):
    return int(dict(line.split(":") for line in open("/proc/self/status"))[name].split()[0]) * 1024
idle = peak("VmRSS")
assert bpetok.count_words("a.jsonl", n_threads=2).n_bytes == 66_000_004
print(peak("VmHWM") - idle)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 2 * 66_000_000
