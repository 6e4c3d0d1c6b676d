"""Bounds of what is read, the same for every format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bpetok.tokenizer import Tokenizer
from samples import TOKENIZERS


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
