"""Bounds of what is read, the same for every format."""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpetok.formats.files import Rows, read_without_merges, temporary_files
from bpetok.formats.json_arrays import parts_of_array
from bpetok.tokenizer import Tokenizer
from samples import TOKENIZERS, document


@pytest.fixture(params=TOKENIZERS)
def tok(request: pytest.FixtureRequest) -> Tokenizer:
    return TOKENIZERS[request.param]


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded for every format."""
    path = tmp_path / "file"
    path.write_bytes(b" " * 1001)
    monkeypatch.setattr("bpetok.base.files.MAX_FILE_BYTES", 1000)
    readers: list[Callable[[Path], object]] = [
        Tokenizer.load,
        Tokenizer.from_pretrained,
        lambda path: Tokenizer.from_tiktoken(path, pattern="gpt2"),
        lambda path: Tokenizer.from_gpt2(path, path),
        Tokenizer.from_minbpe,
    ]
    for read in readers:
        with pytest.raises(ValueError, match=r"^[^:]*file: must be at most 1000 bytes long$"):
            read(path)


def test_more_values_than_any_tokenizer_has_are_not_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small file may take much memory: each list of `[],[],[]` takes twenty times its text."""
    tok = TOKENIZERS["as trained"]
    tok.save(tmp_path / "tok.json")
    tok.save_pretrained(tmp_path)
    tok.save_gpt2(tmp_path)
    monkeypatch.setattr("bpetok.formats.files.MAX_COMMAS", 100)
    readers: list[Callable[[], object]] = [
        lambda: Tokenizer.load(tmp_path / "tok.json"),
        lambda: Tokenizer.from_pretrained(tmp_path),
        lambda: Tokenizer.from_gpt2(tmp_path / "vocab.json", tmp_path / "merges.txt"),
    ]
    for read in readers:
        with pytest.raises(ValueError, match=r"json.*: it has \d+ commas, more values than 100"):
            read()


def test_a_mark_before_utf_8_is_no_part_of_any_file(tmp_path: Path) -> None:
    """Editors on Windows write EF BB BF; the files without it are read as before."""
    tok = TOKENIZERS["as trained"]
    plain = Tokenizer(merges=tok.merge_pairs, special_tokens=["<|end|>"])
    plain.save(tmp_path / "tok.json")
    tok.save_pretrained(tmp_path)
    plain.save_gpt2(tmp_path)
    plain.save_tiktoken(tmp_path / "tok.tiktoken")
    plain.save_minbpe(tmp_path / "tok")
    for path in tmp_path.iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert Tokenizer.load(tmp_path / "tok.json") == plain
    assert Tokenizer.from_pretrained(tmp_path) == tok
    assert Tokenizer.from_gpt2(tmp_path / "vocab.json", tmp_path / "merges.txt") == plain
    ranks = Tokenizer.from_tiktoken(
        tmp_path / "tok.tiktoken", pattern="gpt2", special_tokens=plain.special_tokens
    )
    assert ranks == plain
    assert Tokenizer.from_minbpe(tmp_path / "tok.model").merges == plain.merges


VALUES = st.recursive(
    st.text('a"\\[],{}:\u0120', max_size=5) | st.integers(0, 99) | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('a"]', max_size=2), inner),
    max_leaves=12,
)


@given(
    st.lists(VALUES, min_size=1), st.integers(1, 40), st.booleans(), st.sampled_from(["", ", 1]"])
)
def test_an_array_is_cut_between_its_elements(
    array: list[object], size: int, ascii_only: bool, after: str
) -> None:
    """The parts hold all of them, and are of about the size that was asked for."""
    text = json.dumps(array, ensure_ascii=ascii_only)
    data = b"  " + text.encode()
    places = parts_of_array(data + after.encode(), 2, size)
    assert places[-1] == len(data)
    parts = [data[a : b - 1] for a, b in pairwise(places)]
    assert [row for part in parts for row in json.loads(b"[" + part + b"]")] == array
    for part in parts[:-1]:
        assert len(part) + 1 >= size
    for end in range(3, len(data)):
        assert parts_of_array(data[:end], 2, size) == []


def test_the_beginning_of_an_array_is_within_the_data() -> None:
    """Nothing else is read."""
    for start in (-1, 2):
        with pytest.raises(IndexError, match="start must be in data"):
            parts_of_array(b"[]", start, 1)


MERGES = b'"merges": [["a", "b"], "ab a", ["c", "d"]]'
ALTERED = {
    "whole": lambda data: data,
    "cut": lambda data: data[:-40],
    "cut in merges": lambda data: data[: data.index(b'"ab a"') + 3],
    "a comma at the end": lambda data: data.replace(b'"d"]]', b'"d"],]'),
    "two commas": lambda data: data.replace(b', "ab a"', b',, "ab a"'),
    "no row": lambda data: data.replace(b'"ab a"', b"[]"),
    "three names": lambda data: data.replace(b'"ab a"', b'["a", "b", "c"]'),
    "no names": lambda data: data.replace(b'"ab a"', b"[1, 2]"),
    "an object": lambda data: data.replace(b'"ab a"', b'{"a": 1, "a": 2}'),
    "an unknown name": lambda data: data.replace(b'"ab a"', b'"ab zz"'),
    "half a character": lambda data: data.replace(b'"ab a"', b'"ab \xc4"'),
    "not UTF-8": lambda data: data.replace(b'"ab a"', b'"ab \xed\xa0\x80"'),
    "merges twice": lambda data: data.replace(MERGES, MERGES + b", " + MERGES),
    "no merges": lambda data: data.replace(MERGES, b'"merges": []'),
    "merges that are none": lambda data: data.replace(MERGES, b'"merges": {}'),
    "others before": lambda data: data.replace(b"{", b'{"x": {"merges": [1, 2]}, ', 1),
    "others after": lambda data: data[:-1] + b', "merges": [["x", "y"]]}',
    "spaces": lambda data: data.replace(b'"merges": [', b'"merges"\n :\t['),
    "escaped": lambda data: data.replace(b'"merges"', b'"m\\u0065rges"'),
}


@pytest.mark.parametrize("name", ALTERED)
def test_merges_that_are_read_apart_are_read_as_before(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small files are not: the result, or what is wrong and where, is the same."""
    whole = json.loads(document())
    vocab = whole["model"]["vocab"]
    for token in ("ab", "aba", "cd"):
        vocab.setdefault(token, max(vocab.values()) + 1)
    whole["model"]["merges"] = [["a", "b"], "ab a", ["c", "d"]]
    path = tmp_path / "tokenizer.json"
    path.write_bytes(ALTERED[name](json.dumps(whole, ensure_ascii=False).encode()))

    def read() -> object:
        try:
            return Tokenizer.from_pretrained(path)
        except ValueError as error:
            return str(error)

    expected = read()
    assert isinstance(expected, Tokenizer) == (
        name in ("whole", "no merges", "others before", "others after", "spaces", "escaped")
    ), expected
    for large in (1, 40, 4000):
        monkeypatch.setattr("bpetok.formats.files.LARGE", large)
        assert read() == expected


def test_merges_are_read_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the test above would show nothing."""
    data = document()
    assert read_without_merges(data) is None
    monkeypatch.setattr("bpetok.formats.files.LARGE", 8)
    content = read_without_merges(data)
    rows = content["model"]["merges"]
    assert isinstance(rows, Rows)
    content["model"]["merges"] = list(rows)
    assert content == json.loads(data)
    rows.clear()
    assert not list(rows)


def test_a_lone_surrogate_is_refused_where_it_is_read(tmp_path: Path) -> None:
    """Python's json takes one, tokenizers does not, and the file could not be written again."""
    Tokenizer(merges=[(97, 98)]).save_pretrained(tmp_path)
    path = tmp_path / "tokenizer.json"
    content = json.loads(path.read_text())
    for value, is_whole in (("\ud83d\ude42", True), ("\ud83d", False), ("\ude42 \\ud83d", False)):
        path.write_text(json.dumps(content | {"note": value.replace("\ud83d\ude42", "🙂")}))
        if is_whole:
            assert Tokenizer.from_pretrained(tmp_path).merges == [(b"a", b"b")]
        else:
            with pytest.raises(ValueError, match=r"tokenizer\.json: .*has a lone surrogate"):
                Tokenizer.from_pretrained(tmp_path)


def test_a_class_that_is_no_name_is_refused_where_it_is_read(tmp_path: Path) -> None:
    """The file is named; to write it ended in a TypeError of Python's own."""
    Tokenizer(merges=[]).save_pretrained(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    path.write_text('{"tokenizer_class": []}')
    with pytest.raises(ValueError, match=r"config\.json: tokenizer_class must be a string, got"):
        Tokenizer.from_pretrained(tmp_path)
    path.write_text('{"tokenizer_class": null}')
    Tokenizer.from_pretrained(tmp_path).save_pretrained(tmp_path / "again")


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("merges.txt", "from_gpt2"),
        ("tekken.json", "from_tekken"),
        ("qwen.tiktoken", "from_tiktoken"),
        ("tokenizer.json", "from_pretrained"),
    ],
)
def test_a_folder_of_another_format_says_what_reads_it(
    name: str, reader: str, tmp_path: Path
) -> None:
    """Each reader of a folder names the file that is there."""
    (tmp_path / name).touch()
    for load in (Tokenizer.from_pretrained, Tokenizer.from_tekken):
        if load.__name__ != reader:
            message = rf"has no \w+\.json, but {re.escape(name)}, which Tokenizer\.{reader} reads"
            with pytest.raises(FileNotFoundError, match=message):
                load(tmp_path)
        assert callable(getattr(Tokenizer, reader))


@pytest.mark.parametrize(("module", "name"), [(tempfile, "mkdtemp"), (os, "unlink"), (os, "rmdir")])
def test_ctrl_c_leaves_no_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    """When the folder has just been made, or a part of it removed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    function = getattr(module, name)

    def interrupted(*arguments: Any, **options: Any) -> Any:
        result = function(*arguments, **options)
        signal.raise_signal(signal.SIGINT)
        return result

    monkeypatch.setattr(module, name, interrupted)
    with pytest.raises(KeyboardInterrupt) as raised, temporary_files({"a": b"", "b": b""}):
        pass
    monkeypatch.undo()
    del raised  # with the frames, which might hold the folder
    gc.collect()
    assert not [*tmp_path.iterdir()]
