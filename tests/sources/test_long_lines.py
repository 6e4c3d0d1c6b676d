"""A long line of JSON is read in pieces, and says what it says as a whole."""

import gzip
import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

import bpetok
from bpetok.patterns.special import SpecialTokens
from bpetok.sources import jsonl, long_lines
from bpetok.sources.jsonl import JsonLines
from bpetok.sources.long_lines import LONGEST_ESCAPE, cut_string
from bpetok.sources.pieces import Chunk, Cutting, Piece
from bpetok.sources.reading import NullTexts, Position, ReadContext, ReadOptions
from bpetok.sources.streams import Stream
from processes import measures_memory

PARTS = ["\\", '"', "\n", "a", " ", "u", "d83d", "\u00e9", "\u4e2d", "\U0001f600", "\x01"]
TEXTS = st.lists(st.sampled_from(PARTS) | st.characters(), max_size=60).map("".join)
LONG_TEXT = "".join(f'line {i} "quoted" \\ \u00e9\u4e2d\U0001f600 ' for i in range(9))

BEHIND_ONE = Position(record=1)
WAYS = ["text", "a.text", "text[]", "a[].text", "a[][]", "a[].a.text"]
NAMES = st.sampled_from(
    ['"text"', '"a"', '"\\u0061"', '"te\\u0078t"', '"[]"', '"b"', '"te\\\\xt"', f'"{"a" * 30}"']
)
STRINGS = st.builds(json.dumps, TEXTS, ensure_ascii=st.booleans()) | st.sampled_from(
    ['""', '"text"', r'"\ud83d\ude00"', r'"{\"text\": \"a\", [],"', r'"\\"', r'"\\\""', r'"\ud83d"']
)
SCALARS = STRINGS | st.sampled_from(["null", "null", "1.5e3", "true", "NaN", "[]", "{}", " \t"])
SPACES = st.sampled_from(["", "", " ", "  \t\r" * 9])


def brackets(items: st.SearchStrategy[str], both: str) -> st.SearchStrategy[str]:
    """Return a list or an object, with white space somewhere."""
    return st.builds(
        lambda found, space: both[0] + space + f"{space},".join(found) + both[1],
        st.lists(items, max_size=4),
        SPACES,
    )


def members(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return names with values; a name may come twice."""
    return st.builds("{}{}:{}{}".format, NAMES, SPACES, SPACES, values)


VALUES = st.recursive(
    SCALARS,
    lambda values: brackets(values, "[]") | brackets(members(values), "{}"),
    max_leaves=12,
)


def object_with(name: str, values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return objects with a name, mostly once, and others."""
    return st.builds(
        lambda before, value, behind: (
            "{" + ", ".join([*before, f'"{name}": {value}', *behind]) + "}"
        ),
        st.lists(members(VALUES), max_size=2),
        values,
        st.lists(members(VALUES), max_size=1),
    )


def on_the_way(way: str) -> st.SearchStrategy[str]:
    """Return records that have something where the way leads."""
    values = STRINGS | VALUES
    for step in reversed(ReadOptions(text_column=way).steps):
        values = brackets(values, "[]") if step == "[]" else object_with(step, values)
    return values


BREAKS = st.binary(max_size=2) | st.sampled_from(
    [b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\\u", b"\\ud83d", b"\\ude00", b"\xff",
     b"\xe4\xb8", b"\xed\xa0\x80", b"\x1f", b'"text":"b",', b"\x80\x80\x80\x80\x80"]
)  # fmt: skip


@st.composite
def lines_and_ways(draw: st.DrawFn) -> tuple[bytes, str]:
    """Return a line, which may be broken, and a way to its texts."""
    way = draw(st.sampled_from(WAYS))
    line = draw(on_the_way(way) | VALUES).encode(errors="surrogatepass")
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(line)))
        line = line[:at] + draw(BREAKS) + line[at + draw(st.integers(0, 2)) :]
    return line.replace(b"\n", b" "), way


def found_in(
    data: bytes, file: Stream, options: ReadOptions, errors: str
) -> tuple[list[tuple[str, bytes]], int] | str:
    """Return texts with their names, and the number of nulls; or what is wrong."""
    tally = NullTexts()
    context = ReadContext(options, Cutting(SpecialTokens([]), chunk_size=64), errors, tally)
    texts: list[tuple[str, bytes]] = []
    try:
        for item in JsonLines("file", context).read_items(file, BEHIND_ONE):
            if isinstance(item, Position):
                assert data[: item.at].count(b"\n") == item.record - BEHIND_ONE.record
                assert data[item.at - 1 : item.at] == b"\n"
                continue
            for piece in [item] if isinstance(item, Piece) else pieces_of(item):
                if piece.offset == 0:
                    texts.append((str(piece.origin), b""))
                name, begin = texts[-1]
                assert piece.origin == name
                assert piece.offset == len(begin)
                texts[-1] = name, begin + piece.data
    except ValueError as error:
        # Without the values that are named, which are left out where they are long.
        return re.split(", got | in UTF-8: ", str(error))[0]
    return texts, tally.n_null


def pieces_of(chunk: Chunk) -> list[Piece]:
    """Return the pieces of a chunk; each is a text."""
    ends = chunk.ends.tolist()
    return [
        Piece(origin.name, origin.offset, chunk.data[begin:end])
        for origin, begin, end in zip(chunk.origins, [0, *ends], ends, strict=False)
    ]


def is_doubled(line: bytes, options: ReadOptions, errors: str) -> bool:
    """Tell whether fewer texts are left where of a name that comes twice the last one counts."""

    def n_texts(pairs_of: Callable[[list[tuple[str, Any]]], tuple[tuple[str, Any], ...]]) -> int:
        values = [json.loads(line.decode(errors=errors), object_pairs_hook=pairs_of)]
        for step in options.steps:
            kind = list if step == "[]" else tuple
            items = [item for value in values if isinstance(value, kind) for item in value]
            values = items if step == "[]" else [value for name, value in items if name == step]
        return sum(isinstance(value, str) for value in values)

    return n_texts(tuple) > n_texts(lambda pairs: tuple(dict(pairs).items()))


class InParts(BytesIO):
    """Reads some bytes at a time."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        super().__init__(data)
        self._sizes = cycle(sizes)

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        return super().read(min(size, next(self._sizes)))

    def readinto(self, buffer: Any, /) -> int:
        return super().readinto(memoryview(buffer)[: next(self._sizes)])


@settings(max_examples=300)
@given(
    lines_and_ways(),
    st.sampled_from(["strict", "replace"]),
    st.sampled_from([None, 1, 7]),
    st.tuples(st.integers(1, 40), st.integers(1, 60)),
    st.lists(st.integers(1, 40), min_size=1, max_size=3),
    st.sampled_from([b"", b"\n", b"\n" + b" " * 90 + b'\n{"text": "b", "a": [1]}\n\n{"a": []}']),
)
def test_a_line_says_the_same_read_in_parts_and_as_a_whole(
    line_and_way: tuple[bytes, str],
    errors: str,
    limit: int | None,
    bounds: tuple[int, int],
    sizes: list[int],
    more: bytes,
) -> None:
    """Its texts, in order, its nulls, what is wrong, what follows; unless a name comes twice."""
    line, way = line_and_way
    options = ReadOptions(text_column=way, max_text_chars=limit)
    data = line + more
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonl, "CHUNK_SIZE", bounds[0])
        patch.setattr(long_lines, "PART_SIZE", bounds[0])
        patch.setattr(long_lines, "LONG", bounds[1])
        found = found_in(data, InParts(data, sizes), options, errors)
    if isinstance(found, str) and "has a name twice" in found:
        assert is_doubled(line, options, errors)
    else:
        assert found == found_in(data, BytesIO(data), options, errors)


@given(TEXTS, st.booleans(), st.data())
def test_a_cut_leaves_characters_and_escapes_whole(
    text: str, ensure_ascii: bool, data: st.DataObject
) -> None:
    """The parts parse, and are the whole; no more than one character or escape is left behind."""
    string = "head of it: " + text + " tail of it"
    line = json.dumps(string, ensure_ascii=ensure_ascii).encode(errors="surrogatepass")
    stop = data.draw(st.integers(LONGEST_ESCAPE + 2, len(line) - 1))
    cut = cut_string(line[:stop], 1)
    assert stop - LONGEST_ESCAPE <= cut <= stop
    parts = [
        json.loads('"' + part.decode(errors="surrogatepass") + '"')
        for part in (line[1:cut], line[cut:-1])
    ]
    assert utf16("".join(parts)) == utf16(string)


@pytest.mark.parametrize(
    ("end", "n_left"),
    [
        (b"a", 0),
        (b"\xc3\xa9", 0),
        (b"\xe4\xb8\xad", 0),
        (b"\xf0\x9f\x98\x80", 0),
        (b"\xc3", 1),
        (b"\xe4\xb8", 2),
        (b"\xf0\x9f\x98", 3),
        (b"\x80\x80\x80\x80", 0),
        (b"\\\\\\n", 2),
        (b"\\naaaa", 6),
        (b"\\naaaaa", 0),
        (b"\\\\aaaa", 0),
        (b"\\ud83d\\u", 8),
        (b"aa\\ud800\\udc00a\\", 1),
    ],
)
def test_a_cut_leaves_no_more_than_it_must(end: bytes, n_left: int) -> None:
    """What has no end yet, and what ends in the last bytes and has a backslash there."""
    data = b'"head of it: ' + end
    assert cut_string(data, 1) == len(data) - n_left


def utf16(text: str) -> bytes:
    """Return what two surrogates and the character that they stand for have in common."""
    return text.encode("utf-16", "surrogatepass")


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small bounds: what is long is short enough for a test."""
    monkeypatch.setattr(jsonl, "CHUNK_SIZE", 64)
    monkeypatch.setattr(long_lines, "PART_SIZE", 64)
    monkeypatch.setattr(long_lines, "LONG", 20)


RECORDS: list[dict[str, Any]] = [
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


@pytest.mark.usefixtures("_short")
def test_a_name_that_comes_twice_is_refused_in_a_long_line(tmp_path: Path) -> None:
    """On the way to the texts, where the last one counts and others have been counted."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": {"b": "' + "a" * 90 + '", "b": "b"}, "c": {"d": 1, "d": 2, "e": "e"}}')
    message = (
        r"a\.jsonl, line 1: an object has a name twice on the way to its texts.* leave one out"
    )
    with pytest.raises(ValueError, match=message):
        bpetok.count_words(path, text_column="a.b")
    assert bpetok.count_words(path, text_column="c.e").n_bytes == 1


@pytest.mark.usefixtures("_short")
def test_whether_a_line_is_long_depends_on_its_length_only(tmp_path: Path) -> None:
    """Not on where it lies, as in a part of a file: a short one may have a name twice."""
    path = tmp_path / "a.jsonl"
    longest = b'{"text": "a", "id": ' + b"1" * 30 + b', "text": "b"}'
    assert len(longest) == 64
    for n_before in range(130):
        before = b" " * n_before + b"\n" if n_before else b""
        path.write_bytes(before + longest + b"\n")
        assert list(bpetok.count_words(path)) == [(b"b", 1)]
        path.write_bytes(before + longest.replace(b"a", b"aa") + b"\n")
        with pytest.raises(ValueError, match="an object has a name twice"):
            bpetok.count_words(path)


@pytest.mark.usefixtures("_short")
@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_file_that_ends_in_a_long_line_is_damaged(tmp_path: Path, ending: str) -> None:
    """What came before its end has been counted by then, and is not taken for the whole."""
    path = tmp_path / f"a.jsonl{ending}"
    line = b'{"text": "' + bytes(random.Random(0).choices(b"abcdefgh ", k=100_000)) + b'"}'
    data = gzip.compress(line) if ending == ".gz" else zstandard.compress(line)
    path.write_bytes(data)
    assert bpetok.count_words(path).n_bytes == 100_000
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=rf"a\.jsonl\{ending} is damaged or not whole"):
        bpetok.count_words(path)


@measures_memory
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_a_long_record_is_never_in_memory(
    tmp_path: Path, environment: dict[str, str], ending: str
) -> None:
    """Neither its text nor another long string of it."""
    # Not to be compressed to nothing, but of few different words.
    letters = bytes.maketrans(bytes(range(256)), b" a" * 128)
    text = random.Random(0).randbytes(40_000_000).translate(letters)
    line = b'{"other": "' + text + b'", "text": "' + text + "\U0001f600".encode() + b'"}'
    compressors: dict[str, Callable[[bytes], bytes]] = {
        "": bytes,
        ".gz": partial(gzip.compress, compresslevel=1),
        ".zst": zstandard.compress,
    }
    (tmp_path / f"a.jsonl{ending}").write_bytes(compressors[ending](line))
    code = f"""
import bpetok.counting.count, orjson, zstandard
def peak(name):
    return int(dict(line.split(":") for line in open("/proc/self/status"))[name].split()[0]) * 1024
idle = peak("VmRSS")
assert bpetok.count_words("a.jsonl{ending}", n_threads=2).n_bytes == 40_000_004
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
    assert int(done.stdout) < 40_000_000


@pytest.mark.parametrize("shift", range(-2, 3))
def test_an_empty_text_is_a_text_wherever_its_quotes_are(tmp_path: Path, shift: int) -> None:
    """Also where one is read, and then the other: encode_files ends each text."""
    tok = bpetok.Tokenizer(merges=[], special_tokens=["<|end|>"])
    head, middle = b'{"x":"', b'","text":"'
    pad = (6 << 20) + shift - len(head) - len(middle)
    line = head + b"p" * pad + middle + b'","y":"' + b"q" * 1000 + b'"}\n'
    (tmp_path / "t.jsonl").write_bytes(line + b'{"text":"a"}\n')
    written = tok.encode_files(tmp_path / "t.jsonl", tmp_path / "t.bin", eot="<|end|>", n_threads=1)
    assert written.n_ids == 3  # the end of none, "a", its end


@pytest.mark.parametrize("depth", [900, 1100, 100_000])
@pytest.mark.parametrize("size", [0, 3_000_000])
def test_a_line_of_deep_nesting_is_named(tmp_path: Path, depth: int, size: int) -> None:
    """If the parsers do not read it; and where the text is such a value."""
    path = tmp_path / "deep.jsonl"
    deep = b"[" * depth + b"]" * depth
    path.write_bytes(b'{"text":"ok"}\n{"text":"a","p":"' + b"p" * size + b'","x":' + deep + b"}\n")
    if depth < 1000:
        assert bpetok.count_words(path).to_dict() == {b"ok": 1, b"a": 1}
    else:
        with pytest.raises(ValueError, match=r"deep\.jsonl, line 2 has values nested too deeply"):
            bpetok.count_words(path)
    path.write_bytes(b'{"text":"ok"}\n{"text":' + deep + b"}\n")
    with pytest.raises(ValueError, match=r"deep\.jsonl, line 2"):
        bpetok.count_words(path)
