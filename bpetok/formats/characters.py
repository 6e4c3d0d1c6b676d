"""Sequences of integers as text: each symbol is a character, and a tokenizer.json has the merges.

Characters begin at U+4E00, after all that mean a space or a control to some reader, and leave out
the surrogates, which no text may hold.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from bpetok.base.array_types import Int32, Int64
from bpetok.base.checks import encode_utf8
from bpetok.base.files import check_folder, write_together
from bpetok.base.records import NamedTuple
from bpetok.formats.huggingface import BPE, READ_TOO, TEMPLATE, check_no_leftovers, dump, load

if TYPE_CHECKING:
    import tokenizers

FIRST = 0x4E00
SURROGATES = range(0xD800, 0xE000)
N_CHECKED = 200
"""Sequences whose ids are compared before anything is written."""


class SequenceVocabulary(NamedTuple):
    """What a file has to say.

    pairs : int32 array, shape (n_merges, 2)
    starts : int64 array, shape (n_ids + 1,)
        Where the symbols of each token begin, and the end.
    symbols : int32 array
    encode : callable
        Returns the ids of a sequence.
    """

    pairs: Int32
    starts: Int64
    symbols: Int32
    encode: Callable[[Int32], Int32]


def to_characters(symbols: Int32) -> str:
    """Return a character for each symbol."""
    points = symbols.astype("<u4") + FIRST
    points[points >= SURROGATES.start] += len(SURROGATES)
    return points.tobytes().decode("utf-32-le")


def from_characters(text: str) -> Int32:
    """Return the symbols of a text; of a character that is none's, something out of range."""
    points = np.frombuffer(encode_utf8(text, "text").decode().encode("utf-32-le"), "<u4")
    symbols = points.astype(np.int32) - FIRST
    symbols[points >= SURROGATES.stop] -= len(SURROGATES)
    return symbols


def save_pretrained(vocabulary: SequenceVocabulary, folder: str | os.PathLike[str]) -> None:
    """Write tokenizer.json and tokenizer_config.json.

    Raises
    ------
    OSError, ValueError
        If the folder can't be written to, or holds files of another tokenizer; or if two tokens
        have the same symbols.
    """
    target = check_folder(folder)
    check_no_leftovers(target, (*READ_TOO, TEMPLATE))
    document = build_document(vocabulary)
    with suppress(ImportError):  # of tokenizers: nothing else here reads such a file
        check(vocabulary, load(document))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
    }
    target.mkdir(exist_ok=True)
    files = {"tokenizer.json": dump(document), "tokenizer_config.json": dump(config)}
    write_together({target / name: data for name, data in files.items()})


def to_tokenizers(vocabulary: SequenceVocabulary) -> tokenizers.Tokenizer:
    """Return an object of the tokenizers library; ValueError as in `save_pretrained`."""
    tokenizer = load(build_document(vocabulary))
    check(vocabulary, tokenizer)
    return tokenizer


def build_document(vocabulary: SequenceVocabulary) -> dict[str, Any]:
    """Return what tokenizer.json holds."""
    text = to_characters(vocabulary.symbols)
    names = [text[start:end] for start, end in pairwise(vocabulary.starts.tolist())]
    vocab = {name: token_id for token_id, name in enumerate(names)}
    if len(vocab) < len(names):
        twice = next(i for i, name in enumerate(names) if vocab[name] != i)
        raise ValueError(
            f"the tokens {twice} and {vocab[names[twice]]} have the same symbols, which "
            "tokenizer.json can't say: SequenceTokenizer.save keeps both"
        )
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {"type": "Fuse"},
        "model": {
            **BPE,
            "vocab": vocab,
            "merges": [
                f"{names[left]} {names[right]}" for left, right in vocabulary.pairs.tolist()
            ],
        },
    }


def check(vocabulary: SequenceVocabulary, tokenizer: tokenizers.Tokenizer) -> None:
    """Compare ids of sequences that are made of tokens, some cut in two.

    Raises
    ------
    ValueError
        If tokenizers gives others.
    """
    rng = random.Random(0)
    n_ids = len(vocabulary.starts) - 1
    for _ in range(N_CHECKED):
        chosen = [rng.randrange(n_ids) for _ in range(rng.randrange(1, 9))]
        parts = [
            vocabulary.symbols[vocabulary.starts[i] : vocabulary.starts[i + 1]][-1000:]
            for i in chosen
        ]
        sequence = np.concatenate(parts)[rng.randrange(len(parts[0])) :]
        ours = vocabulary.encode(sequence).tolist()
        theirs = tokenizer.encode(to_characters(sequence)).ids
        if ours != theirs:
            raise ValueError(
                f"tokenizers gives other ids for {sequence.tolist()}: {theirs}, not {ours}"
            )
