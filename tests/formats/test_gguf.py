"""GGUF files for llama.cpp: what is in them, and refusals where it would give other ids."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from bpetok.encoding.added_tokens import AddedToken
from bpetok.formats.checks import check_ids_equal
from bpetok.formats.gguf import OTHERWISE, PRE
from bpetok.patterns.builtin import names
from bpetok.tokenizer import Tokenizer
from samples import MERGES

gguf = pytest.importorskip("gguf")
ENDS = {"<|end|>": 500, "<|im_start|>": 501, "<think>": 503}


def fields_of(file: Path) -> dict[str, Any]:
    """Return what a file says of its tokenizer."""
    fields = gguf.GGUFReader(file).fields.items()
    return {
        name.removeprefix("tokenizer.").removeprefix("ggml."): field.contents()
        for name, field in fields
        if name.startswith("tokenizer.")
    }


@pytest.mark.parametrize("pattern", PRE)
def test_the_vocabulary_is_written_as_llama_cpp_reads_it(pattern: str, tmp_path: Path) -> None:
    """Kinds of tokens, unused ids, roles and the template."""
    tok = Tokenizer(
        merges=MERGES,
        pattern=pattern,
        special_tokens=ENDS,
        added_tokens=[AddedToken("<think>", 503, special=False)],
    )
    file = tmp_path / "vocab.gguf"
    tok.save_gguf(file, bos_token="<|im_start|>", eos_token="<|end|>", chat_template="{{ x }}")
    fields = fields_of(file)
    assert (fields["model"], fields["pre"]) == ("gpt2", PRE[pattern][0])
    tokens, types = fields["tokens"], fields["token_type"]
    assert len(tokens) == len(types) == tok.vocab_size == 504
    assert (tokens[0], tokens[32], types[32]) == ("\u0100", "\u0120", 1)
    assert (tokens[450], types[450]) == ("[PAD450]", 5)
    assert [(tokens[i], types[i]) for i in (500, 501)] == [("<|end|>", 3), ("<|im_start|>", 3)]
    assert (tokens[502], types[502], tokens[503], types[503]) == ("[PAD502]", 5, "<think>", 4)
    assert len(fields["merges"]) == len(MERGES)
    left, right = fields["merges"][0].split(" ")
    assert left + right == tokens[256]
    assert (fields["bos_token_id"], fields["eos_token_id"]) == (501, 500)
    assert (fields["add_bos_token"], fields["add_eos_token"]) == (False, False)
    assert fields["chat_template"] == "{{ x }}"
    assert "unknown_token_id" not in fields


def test_what_comes_around_a_text_is_written(tmp_path: Path) -> None:
    """As bos and eos; other tokens can't be said."""
    processor = {"type": "RobertaProcessing", "cls": ["<|im_start|>", 501], "sep": ["<|end|>", 500]}
    config = {"bos_token": {"content": "<|im_start|>"}, "eos_token": "<|end|>"}
    settings = {"post_processor": processor, "tokenizer_config": config}
    tok = Tokenizer(merges=MERGES, special_tokens=ENDS, settings=settings)
    tok.save_gguf(tmp_path / "vocab.gguf")
    fields = fields_of(tmp_path / "vocab.gguf")
    assert (fields["add_bos_token"], fields["add_eos_token"]) == (True, True)
    tok = Tokenizer(
        merges=MERGES, special_tokens=ENDS, settings={"post_processor": settings["post_processor"]}
    )
    with pytest.raises(ValueError, match=r"the ids \[501\] come before each text, .* bos_token"):
        tok.save_gguf(tmp_path / "other.gguf")
    assert not (tmp_path / "other.gguf").exists()


def test_words_that_are_taken_whole_need_one_that_does_so(tmp_path: Path) -> None:
    """And where they are not, tokens that no text gives need one that does not."""
    tok = Tokenizer(merges=MERGES, pattern="llama3", whole_words={b"xyz": 406})
    tok.save_gguf(tmp_path / "whole.gguf")
    assert fields_of(tmp_path / "whole.gguf")["pre"] == "llama-bpe"
    tok = Tokenizer(merges=MERGES, pattern="llama3", other_tokens={b"xyz": 406})
    tok.save_gguf(tmp_path / "other.gguf")
    assert fields_of(tmp_path / "other.gguf")["pre"] == "dbrx"
    tok = Tokenizer(merges=MERGES, pattern="qwen2", whole_words={b"xyz": 406})
    with pytest.raises(ValueError, match=r"takes no words whole .* 'qwen2', .* for b'xyz'"):
        tok.save_gguf(tmp_path / "new.gguf")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a normalizer": ({"normalizer": "NFC"}, "llama.cpp can't say .* normalizer"),
    "a space": ({"prefix_space": True}, "llama.cpp can't say .* prefix_space"),
    "a byte": ({"merges": [(97, 98)], "token_ids": [-1, *range(256)]}, "bytes without an id"),
    "an expression": ({"pattern": r"\w+|\W"}, "no pre-tokenizer for the pattern"),
    "no merges": ({"merges": []}, "reads no tokenizer without merges"),
    "two names": ({"special_tokens": {"<a>": 406, "<b>": 406}}, "two special tokens have one id"),
    "overlaps": (
        {"special_tokens": ["<a>b", "b<long>"]},
        "'<a>b' may overlap the longer one 'b<long>', which llama.cpp finds first",
    ),
    "spaces": (
        {"special_tokens": ["<a>"], "added_tokens": [AddedToken("<a>", 406, lstrip=True)]},
        "'<a>' has lstrip, rstrip or single_word",
    ),
    "spelled alike": ({"special_tokens": ["\u0120"]}, "two tokens are spelled '\u0120' in a GGUF"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_llama_cpp_does_otherwise_is_refused(name: str, tmp_path: Path) -> None:
    """With the reason, and nothing is written."""
    options, message = REFUSED[name]
    tok = Tokenizer(**{"merges": MERGES, **options})
    with pytest.raises(ValueError, match=message):
        tok.save_gguf(tmp_path / "new.gguf")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pattern", sorted({*names()} - PRE.keys()))
def test_patterns_that_it_splits_otherwise_are_refused(pattern: str, tmp_path: Path) -> None:
    """By a text that shows it, where it has something similar."""
    tok = Tokenizer(merges=MERGES, pattern=pattern)
    message = f"not for {OTHERWISE[pattern]}" if pattern in OTHERWISE else "has no pre-tokenizer"
    with pytest.raises(ValueError, match=r"llama\.cpp") as error:
        tok.save_gguf(tmp_path / "new.gguf")
    assert message in str(error.value)


def test_runs_of_one_character_may_overlap(tmp_path: Path) -> None:
    """The longest ones are found from the left both there and here."""
    tok = Tokenizer(merges=MERGES, special_tokens=["\t\t", "\t\t\t\t"])
    tok.save_gguf(tmp_path / "vocab.gguf")
    assert fields_of(tmp_path / "vocab.gguf")["tokens"][406:] == ["\t\t", "\t\t\t\t"]


def test_without_the_package_what_brings_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(ImportError, match=r"pip install 'bpetok\[gguf\]'"):
        Tokenizer(merges=MERGES).save_gguf(tmp_path / "vocab.gguf")


@pytest.mark.parametrize("pattern", PRE)
def test_llama_cpp_gives_the_same_ids(pattern: str, tmp_path: Path) -> None:
    """Where it is installed: it has to be compiled."""
    llama_cpp = pytest.importorskip("llama_cpp")
    tok = Tokenizer(merges=MERGES, pattern=pattern, special_tokens=["<|end|>"])
    tok.save_gguf(tmp_path / "vocab.gguf")
    path = str(tmp_path / "vocab.gguf")
    model = llama_cpp.Llama(model_path=path, vocab_only=True, verbose=False)

    def encode(text: str) -> list[int]:
        ids: list[int] = model.tokenize(text.encode(), add_bos=False, special=True)
        return ids

    check_ids_equal(tok, lambda text: encode(text) if text else [], "llama.cpp")
