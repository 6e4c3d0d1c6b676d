"""Mistral's tekken.json: read with the ids that mistral-common gives, or refused by place."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from bpetok.formats.detection import detect
from bpetok.formats.tekken import SPECIAL_TOKENS
from bpetok.patterns.builtin import TEKKEN
from bpetok.tokenizer import Tokenizer
from samples import MERGES
from strategies import TEXT

ORDINARY = [bytes([byte]) for byte in range(256)]
ORDINARY += [left + right for left, right in Tokenizer(merges=MERGES).merges]


def document(**changes: Any) -> dict[str, Any]:
    """Return a file with a block of 24 special tokens, and five tokens more than are used."""
    config = {
        "pattern": TEKKEN,
        "num_vocab_tokens": len(ORDINARY),
        "default_vocab_size": len(ORDINARY) + 24 - 5,
        "default_num_special_tokens": 24,
        "version": "v3",
    }
    vocab = [
        {"rank": i, "token_bytes": base64.b64encode(token).decode(), "token_str": None}
        for i, token in enumerate(ORDINARY)
    ]
    content: dict[str, Any] = {"config": config, "vocab": vocab}
    for place, value in changes.items():
        at: Any = content
        *folders, name = place.split("__")
        for folder in folders:
            at = at[int(folder) if folder.isdigit() else folder]
        at[int(name) if name.isdigit() else name] = value
    return content


def write(path: Path, content: object) -> Path:
    """Write a tekken.json into a folder."""
    file = path / "tekken.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def test_the_ids_are_those_of_mistral_common(tmp_path: Path) -> None:
    """tiktoken's, after the block of special tokens."""
    tiktoken = pytest.importorskip("tiktoken")
    file = write(tmp_path, document())
    tok = Tokenizer.from_tekken(file)
    assert tok == Tokenizer.from_tekken(tmp_path)
    assert detect(file) == detect(tmp_path) == "tekken"
    ranks = {token: i for i, token in enumerate(ORDINARY[:-5])}
    theirs = tiktoken.Encoding("t", pat_str=TEKKEN, mergeable_ranks=ranks, special_tokens={})
    text = TEXT + " It's 12345 <s>\n"
    assert tok.encode_ordinary(text) == [24 + i for i in theirs.encode_ordinary(text)]
    assert (tok.pattern, tok.vocab_size) == ("tekken", len(ORDINARY) + 19)
    names = [*SPECIAL_TOKENS, "<SPECIAL_20>", "<SPECIAL_21>", "<SPECIAL_22>", "<SPECIAL_23>"]
    assert tok.special_tokens == {name: i for i, name in enumerate(names)}
    tok.save_pretrained(tmp_path / "new")
    assert Tokenizer.from_pretrained(tmp_path / "new") == tok


def test_special_tokens_are_those_of_the_file(tmp_path: Path) -> None:
    """In any order; those that are no control tokens are not left out of texts."""
    special = [
        {"rank": 1, "token_str": "<s>", "is_control": True},
        {"rank": 0, "token_str": "<unk>", "is_control": True},
        {"rank": 2, "token_str": "[THINK]", "is_control": False},
    ]
    content = document(special_tokens=special, config__version="v13", image={}, type="Tekken")
    tok = Tokenizer.from_tekken(write(tmp_path, content))
    assert list(tok.special_tokens)[:5] == ["<unk>", "<s>", "[THINK]", "<SPECIAL_3>", "<SPECIAL_4>"]
    assert tok.decode([1, 2, 24 + 97], skip_special_tokens=True) == "[THINK]a"


def test_an_expression_without_a_name_is_that_of_tiktoken(tmp_path: Path) -> None:
    """Its ids are compared."""
    tiktoken = pytest.importorskip("tiktoken")
    expression = r"\w+$|[\s\S]"
    tok = Tokenizer.from_tekken(write(tmp_path, document(config__pattern=expression)))
    assert tok.pattern == r"\w+(?![\s\S])|[\s\S]"
    ranks = {token: 24 + i for i, token in enumerate(ORDINARY[:-5])}
    theirs = tiktoken.Encoding("t", pat_str=expression, mergeable_ranks=ranks, special_tokens={})
    assert tok.encode_ordinary("the end\n the") == theirs.encode_ordinary("the end\n the")


ROW = {"rank": 0, "token_str": "<a>"}
DAMAGED = {
    "no config": ({"vocab": []}, "config must be an object, got None"),
    "no pattern": (document(config__pattern=None), "config.pattern must be a string"),
    "too many ids": (document(config__default_vocab_size=10**6), "must be from 256 to 406"),
    "too few": (document(config__default_vocab_size=279), "= 255 must be from 256 to 406"),
    "true": (document(config__default_num_special_tokens=True), "must be an integer, got True"),
    "no special tokens": (document(config__version="v11"), "special_tokens must be an array"),
    "special twice": (document(special_tokens=[ROW, ROW]), r"special_tokens\[1\].rank must be"),
    "a name twice": (
        document(special_tokens=[ROW, ROW | {"rank": 1}]),
        "special_tokens: a name occurs twice",
    ),
    "a gap": (document(special_tokens=[ROW | {"rank": 7}]), "'<a>' comes after a gap"),
    "no base64": (document(vocab__300__token_bytes="*"), r"vocab\[300\] must be a token in base64"),
    "no text": (document(vocab__300__token_bytes=3), r"vocab\[300\] must be a token in base64"),
    "empty": (document(vocab__300__token_bytes=""), r"vocab\[300\] must be a token in base64"),
    "twice": (document(vocab__300__token_bytes="YQ=="), r"vocab\[300\] must be .* occurs once"),
    "other rank": (document(vocab__300__rank=301), r"vocab\[300\] must be .* the rank 300"),
    "other byte": (document(vocab__97__token_bytes="YWE="), r"vocab\[97\] must be the byte 97"),
    "no rows": (document(vocab__300=5), r"vocab\[300\] must be a token"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_refused_by_name_and_place(name: str, tmp_path: Path) -> None:
    """With the reason."""
    content, message = DAMAGED[name]
    with pytest.raises(ValueError, match=f"tekken.json: .*{message}"):
        Tokenizer.from_tekken(write(tmp_path, content))
