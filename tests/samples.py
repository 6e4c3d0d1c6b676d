"""Tokenizers to write and files to read, for the tests of formats."""

from __future__ import annotations

import json
from typing import Any

import reference
from bpetok.base.byte_characters import CHARACTERS as SPELLED
from bpetok.base.byte_characters import to_text
from bpetok.patterns.scan import split_words
from bpetok.tokenizer import Tokenizer
from strategies import TEXT

SPECIAL = ["<|end|>", "<|im_start|>", "a b"]


def learned(n_merges: int) -> list[tuple[int, int]]:
    words = split_words(TEXT.encode())
    return reference.learn_merges({word: words.count(word) for word in words}, n_merges)[0]


MERGES = learned(150)
# Bytes in GPT-2's order, special tokens first, one id left out.
GPT2_BYTES = sorted(range(256), key=lambda byte: ord(SPELLED[byte]))
TOKENIZERS = {
    "as trained": Tokenizer(merges=MERGES, special_tokens=SPECIAL),
    "other ids": Tokenizer(
        merges=MERGES,
        token_ids=[3 + GPT2_BYTES.index(byte) for byte in range(256)] + list(range(260, 410)),
        special_tokens={"<|end|>": 0, "<|im_start|>": 2, "a b": 1},
    ),
    "no merges": Tokenizer(merges=[]),
}


BYTE_LEVEL = {
    "type": "ByteLevel",
    "add_prefix_space": False,
    "trim_offsets": True,
    "use_regex": False,
}


def document(**changes: Any) -> bytes:
    """A tokenizer.json of three merges and a special token, with changes at dotted places."""
    vocab = {to_text(bytes([byte])): byte for byte in range(256)}
    vocab |= {"ab": 256, "bc": 257, "abc": 258, "<s>": 259}
    content: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": 259,
                "content": "<s>",
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
        ],
        "normalizer": None,
        "pre_tokenizer": BYTE_LEVEL | {"use_regex": True},
        "post_processor": None,
        "decoder": BYTE_LEVEL,
        "model": {"type": "BPE", "vocab": vocab, "merges": ["a b", "b c", "ab c"]},
    }
    for place, value in changes.items():
        at: Any = content
        *folders, name = place.split("__")
        for folder in folders:
            at = at[int(folder) if folder.isdigit() else folder]
        at[int(name) if name.isdigit() else name] = value
    return json.dumps(content).encode()


def vocab_without(*names: str, **new: int | str | bool) -> dict[str, int]:
    vocab = json.loads(document())["model"]["vocab"] | new
    return {name: token_id for name, token_id in vocab.items() if name not in names}
