"""GPT-2: vocab.json and merges.txt, as openai/gpt-2's encoder.py and litGPT read them."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

from bpetok.base.byte_characters import CHARACTERS, from_text, to_text
from bpetok.base.checks import check_special_tokens, shorten
from bpetok.base.extras import importing_whole
from bpetok.base.files import check_folder, read_bounded, write_together
from bpetok.formats.checks import (
    check_ids_equal,
    check_plain,
    check_tokens_differ,
    encoder_of,
    ordinary_tokens,
)
from bpetok.formats.files import naming_file, read_json, temporary_files
from bpetok.formats.parts import Parts
from bpetok.formats.recovery import from_merges
from bpetok.patterns.scan import check_utf8, split_words

if TYPE_CHECKING:
    from bpetok.encoding.codec import Codec

HEADER = "#version: 0.2"


def save_gpt2(tokenizer: Codec, folder: str | os.PathLike[str]) -> None:
    """Write vocab.json and merges.txt; special tokens are in vocab.json only."""
    if tokenizer.pattern != "gpt2":
        raise ValueError(
            f"these files are read with the pattern 'gpt2', but this tokenizer has "
            f"{shorten(tokenizer.pattern)}; save_pretrained keeps the pattern"
        )
    target = check_folder(folder)
    check_plain(tokenizer, "these files")
    check_tokens_differ(tokenizer)
    vocab = {to_text(token): token_id for token_id, token in ordinary_tokens(tokenizer)}
    for name, token_id in tokenizer.special_tokens.items():
        if name in vocab:
            raise ValueError(
                f"the special token {name!r} is spelled as the ordinary token of id {vocab[name]} "
                "is in vocab.json"
            )
        vocab[name] = token_id
    vocab_file = json.dumps(dict(sorted(vocab.items(), key=lambda item: item[1]))).encode()
    rows = [f"{to_text(left)} {to_text(right)}" for left, right in tokenizer._merges_as_taken()]
    merges_file = ("\n".join([HEADER, *rows]) + "\n").encode()
    _check_files(tokenizer, vocab_file, merges_file)
    target.mkdir(exist_ok=True)
    write_together({target / "vocab.json": vocab_file, target / "merges.txt": merges_file})


def _check_files(tokenizer: Codec, vocab_file: bytes, merges_file: bytes) -> None:
    """Compare ids with those of the tokenizers library, or of the reader here without it."""
    try:
        with importing_whole():
            import tokenizers
            from tokenizers import models
    except ImportError:  # not installed, or 1.0, which does not read such files
        same = encoder_of(parse(vocab_file, merges_file, tokenizer.special_tokens))
        check_ids_equal(tokenizer, same, "the files")
        return
    with temporary_files({"vocab.json": vocab_file, "merges.txt": merges_file}) as folder:
        names = str(folder / "vocab.json"), str(folder / "merges.txt")
        other = tokenizers.Tokenizer(models.BPE.from_file(*names))
    other.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    other.add_special_tokens(list(tokenizer.special_tokens))
    check_ids_equal(tokenizer, lambda text: other.encode(text).ids, "tokenizers")


def read(
    vocab: str | os.PathLike[str],
    merges: str | os.PathLike[str],
    special_tokens: Iterable[str] | None,
    *,
    keep_unmade: bool = False,
) -> Parts:
    """Return the parts of a tokenizer from such files; the options are as in `parse`."""
    names = None if special_tokens is None else check_special_tokens(special_tokens)
    vocab_data = read_bounded(vocab)
    merges_data = read_bounded(merges)
    with naming_file(vocab, merges):
        return parse(vocab_data, merges_data, names, keep_unmade=keep_unmade)


def parse(
    vocab_data: bytes,
    merges_data: bytes,
    special_tokens: Iterable[str] | None = None,
    *,
    keep_unmade: bool = False,
) -> Parts:
    """Return the parts of a tokenizer from what such files hold.

    Parameters
    ----------
    special_tokens : iterable of str, optional
        What in the vocabulary is special. By default what no merge makes, unless a token whose
        merge is missing could be that.
    keep_unmade : bool
        Whether tokens that no merge makes, and that are not special, are kept. Otherwise only an
        empty one is, which Whisper has: no merge could make it.
    """
    vocab = read_json(vocab_data)
    if not isinstance(vocab, dict):
        raise ValueError(f"the vocabulary must be an object, got {shorten(vocab)}")
    merges = _parse_merges(merges_data)
    special = _find_special(vocab, merges) if special_tokens is None else set(special_tokens)
    for name in special:
        if name not in vocab:
            raise ValueError(f"the special token {shorten(name)} is not in the vocabulary")
    ids: dict[str, int] = {}
    for name, token_id in vocab.items():
        if type(token_id) is not int:
            raise ValueError(
                f"the id of {shorten(name)} must be an integer, got {shorten(token_id)}"
            )
        if name not in special:
            from_text(name)
            ids[name] = token_id
    missing = [byte for byte, name in enumerate(CHARACTERS) if name not in ids]
    if len(missing) == len(CHARACTERS):
        raise ValueError("no byte has an id, so the vocabulary is not byte-level")
    if missing:
        warnings.warn(
            f"{len(missing)} of 256 bytes have no id, first {missing[0]:#04x}: they are left out "
            "of texts, as tokenizers does",
            stacklevel=4,  # the caller of from_gpt2
        )
    parts = from_merges(ids, merges, "gpt2", {name: vocab[name] for name in special})
    unmade = [row for row in (parts.other_tokens or {}).items() if row[0]]
    if unmade and not keep_unmade:
        first, n_more = unmade[0], len(unmade) - 1
        raise ValueError(
            f"no merge makes {shorten(first[0])}, id {first[1]}"
            + (f", and {n_more} other tokens" if n_more else "")
            + ": merges are missing, or it is a special token and must be given as one, or no text "
            "is meant to give it and unmade='keep' keeps it"
        )
    return parts


def _find_special(vocab: Iterable[str], merges: Iterable[tuple[str, str]]) -> set[str]:
    """Return what no merge makes, but for what is one word: there a merge must be missing."""
    made = {left + right for left, right in merges}
    special: set[str] = set()
    for name in vocab:
        try:
            token = from_text(name)
        except ValueError:
            special.add(name)
            continue
        if name not in made and check_utf8(token) < 0 and len(split_words(token)) > 1:
            special.add(name)
    return special


def _parse_merges(data: bytes) -> list[tuple[str, str]]:
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} of the merges is not UTF-8") from None
    merges: list[tuple[str, str]] = []
    for number, line in enumerate(lines, 1):
        if (number == 1 and line.startswith("#version")) or not line.strip():
            continue
        parts = line.rstrip("\r").split(" ")
        if len(parts) != 2 or not all(parts):
            raise ValueError(
                f"line {number} of the merges: {shorten(line)} is not a pair of tokens"
            )
        try:
            from_text(parts[0] + parts[1])
        except ValueError as error:
            raise ValueError(f"line {number} of the merges: {error}") from None
        merges.append((parts[0], parts[1]))
    return merges
