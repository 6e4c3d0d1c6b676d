"""Lines of JSON against `orjson` and `json`: mutated lines, escapes, nesting, marks, long lines."""

from __future__ import annotations

import gzip
import json
import re
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import orjson

import bpetok
from bpetok import Tokenizer
from bpetok.sources import jsonl
from campaigns.campaign import Campaign, expect

MARK = b"\xef\xbb\xbf"
COLUMNS = ["text", "text", "text", "a.text", "list[].text", "t\u00e9xt", "texts[]"]
CHARACTERS = 'abcdef "\\\n\t\x00/é中\U0001f600\u2028\x7f'
NEW_BYTES = [
    b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\\u", b"\\ud83d", b"\\ude00", b"-", b"0",
    b".", b"e1", b"1e", b"1e999", b"null", b"tru", b"NaN", b"\n", b"\r", b'"text":"b"', b"\xff",
    b"\x1f", b"\x00", MARK, b"Infinity", b" ", b'"text":null,', b"\xed\xa0\x80",
]  # fmt: skip
TOK = Tokenizer(merges=[], special_tokens=["<|end|>"])
END = 256


class Case(NamedTuple):
    """A file of JSON lines; a line of more than `chunk_size` bytes is a long one."""

    lines: list[bytes]
    column: str
    chunk_size: int
    compressed: bool


class Refused(Exception):  # noqa: N818  # no error, but what is right
    """Some lines have no texts."""

    def __init__(self, numbers: list[int]) -> None:
        super().__init__(numbers)
        self.numbers = numbers


class JsonLines(Campaign[Case]):
    """Texts in their order; where a line is wrong, an error that has the file and the line."""

    case = Case

    def draw(self, random: Random) -> Case:
        """Records as programs write them, some with bytes replaced, added and left out."""
        column = random.choice(COLUMNS)
        lines = []
        for _ in range(random.randint(0, 6)):
            line = _written(random, _record(random, column))
            if random.random() < 0.4:
                line = mutated(random, line, NEW_BYTES)
            lines.append(line + random.choice((b"", b"", b"\r")))
        if random.random() < 0.1:
            lines.insert(0, MARK + (lines.pop(0) if lines else b""))
        return Case(lines, column, random.choice((16, 60, 300, 1 << 21)), random.random() < 0.1)

    def check(self, case: Case) -> None:
        """The first line has the column, so that it is not missed."""
        lines = [_written(None, _nested(case.column, "first")), *case.lines]
        data = b"\n".join(lines)
        path = self.scratch / ("a.jsonl.gz" if case.compressed else "a.jsonl")
        path.write_bytes(gzip.compress(data) if case.compressed else data)
        try:
            right: list[bytes] | Refused = right_texts(data.split(b"\n"), case.column)
        except Refused as refused:
            right = refused
        with patch.object(jsonl, "CHUNK_SIZE", case.chunk_size), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # null texts
            _check(case, path, right, self.scratch / "ids.bin")


def mutated(random: Random, data: bytes, new: list[bytes]) -> bytes:
    """Return the bytes with some of them replaced, left out or repeated."""
    for _ in range(random.randint(1, 3)):
        at = random.randint(0, len(data))
        end = min(len(data), at + random.choice((0, 0, 1, 2, 5)))
        part = random.choice((b"", data[at:end] * 2, random.choice(new), random.choice(new)))
        data = data[:at] + part + data[end:]
    return data


def _record(random: Random, column: str) -> Any:
    text = None if random.random() < 0.1 else _string(random)
    record = _nested(column, text)
    if random.random() < 0.1:
        record = {}
    extra: dict[str, Any] = {
        _string(random)[:5]: _value(random) for _ in range(random.randint(0, 2))
    }
    return {**extra, **record} if random.random() < 0.5 else {**record, **extra}


def _nested(column: str, text: str | None) -> Any:
    """Return a record that has the text where the column says."""
    value: Any = text
    for step in reversed(_steps(column)):
        value = [value, value] if step == "[]" else {step: value}
    return value


def _steps(column: str) -> list[str]:
    return column.replace("[]", ".[]").split(".")


def _string(random: Random) -> str:
    if random.random() < 0.1:
        return random.choice(CHARACTERS) * random.choice((15, 16, 17, 64, 300))
    return "".join(random.choices(CHARACTERS, k=random.choice((0, 1, 5, 30))))


def _value(random: Random) -> Any:
    kind = random.randrange(6)
    if kind == 0:
        return random.choice((0, -1, 1.5e-7, 10**30, True, False, None, 1 << 63))
    if kind == 1:
        return [_value(random) for _ in range(random.randint(0, 3))]
    if kind == 2:
        return {_string(random)[:3]: _value(random) for _ in range(random.randint(0, 2))}
    if kind == 3:
        value: Any = []
        for _ in range(random.choice((1, 62, 63, 64, 65, 250))):
            value = [value] if random.random() < 0.5 else {"a": value}
        return value
    return _string(random)


def _written(random: Random | None, record: Any) -> bytes:
    if random is None:
        return json.dumps(record).encode()
    separators = random.choice(((", ", ": "), (",", ":"), (" ,\t", "\r:  ")))
    ensure_ascii = random.random() < 0.5
    return json.dumps(record, ensure_ascii=ensure_ascii, separators=separators).encode()


def right_texts(lines: list[bytes], column: str) -> list[bytes]:
    """Return the texts of lines, by other parsers; Refused if some have none."""
    texts: list[bytes] = []
    refused = []
    for number, line in enumerate(lines, 1):
        while line.startswith(MARK):  # several where files with marks were joined
            line = line[len(MARK) :]
        if not line or line.isspace():
            continue
        try:
            record = _loads(line)
            texts += [text.encode() for text in _find(record, _steps(column)) if text is not None]
        except (ValueError, RecursionError):
            refused.append(number)
    if refused:
        raise Refused(refused)
    return texts


def _loads(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except ValueError:
        return json.loads(line.decode())  # NaN, lone surrogates, numbers that are too large


def _find(value: Any, steps: list[str]) -> list[str | None]:
    if not steps:
        if not isinstance(value, str | None):
            raise ValueError("no text")
        return [value]
    if value is None:
        return [None]
    if steps[0] == "[]" and isinstance(value, list):
        return [text for item in value for text in _find(item, steps[1:])]
    if steps[0] != "[]" and isinstance(value, dict):
        return _find(value.get(steps[0]), steps[1:])
    raise ValueError("no such step")


def _check(case: Case, path: Path, right: list[bytes] | Refused, output: Path) -> None:
    try:
        written = TOK.encode_files(path, output, eot="<|end|>", text_column=case.column)
        counts = bpetok.count_words(path, pattern="none", text_column=case.column).to_dict()
    except ValueError as error:
        _check_error(case, path, right, error)
        return
    ids = np.fromfile(written.files[0], np.uint16)
    got = [part[:-1].astype(np.uint8).tobytes() for part in np.split(ids, ends_of(ids))][:-1]
    if isinstance(right, Refused):
        raise AssertionError(f"lines {right.numbers} are wrong, and {got!r:.500} is read")
    expect(got, right, "texts in their order")
    expect(counts, Counter(text for text in right if text), "texts that are counted")


def ends_of(ids: np.ndarray[Any, Any]) -> list[int]:
    """Return where each text ends, after its END."""
    ends: list[int] = (np.flatnonzero(ids == END) + 1).tolist()
    return ends


def _check_error(case: Case, path: Path, right: list[bytes] | Refused, error: ValueError) -> None:
    expect(str(path) in str(error), True, f"the message names {path}: {error}")
    found = re.search(r", line (\d+)", str(error))
    if "has a name twice" in str(error):
        # Only of a long line, and after all before it was right.
        expect(found is not None, True, f"the message has the line: {error}")
        return
    if not isinstance(right, Refused):
        raise AssertionError(f"all lines are right: {error}") from error
    number = int(found.group(1)) if found else None
    expect(number in right.numbers, True, f"the message has one of {right.numbers}: {error}")
