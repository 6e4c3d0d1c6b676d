"""What a tokenizer.json says: read, or refused where it can't be represented here."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any, NoReturn

from bpetok.base.checks import shorten
from bpetok.formats import pre_tokenizers
from bpetok.formats.byte_level import CHARACTERS
from bpetok.formats.checks import names_within_names
from bpetok.formats.parts import Parts
from bpetok.formats.pre_tokenizers import refuse
from bpetok.formats.recovery import from_merges

CARRIED = ("truncation", "padding", "pre_tokenizer", "post_processor", "decoder")
CARRIED_OF_MODEL = ("unk_token", "fuse_unk", "byte_fallback")
"""Parts of a tokenizer.json that are written back as they were."""


def parse(document: Any) -> Parts:
    """Return the parts of the tokenizer that a tokenizer.json describes.

    Raises
    ------
    ValueError
        If it is not byte-level BPE, or does what can't be represented; the message says where and
        why.
    """
    content = _expect(document, dict, "the file")
    model = _expect(content.get("model"), dict, "model")
    _check_model(model)
    decoder = content.get("decoder")
    if decoder is not None and _type_of(decoder) != "ByteLevel":
        refuse("decoder", decoder, "only ByteLevel is byte-level")
    pattern, prefix_space = pre_tokenizers.read(content.get("pre_tokenizer"))
    special = _read_added_tokens(content.get("added_tokens", []))
    vocab = _read_vocab(model.get("vocab"), special)
    _check_missing_bytes(model, vocab)
    parts = from_merges(
        vocab,
        _read_merges(model.get("merges")),
        pattern,
        special,
        whole_words_first=bool(model.get("ignore_merges")),
    )
    return parts._replace(
        normalizer=content.get("normalizer"),
        prefix_space=prefix_space,
        settings=_read_settings(content, model),
    )


def _read_settings(content: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    """Return what has no meaning here, to be written back."""
    settings = {name: content.get(name) for name in CARRIED}
    settings["model"] = {name: model[name] for name in CARRIED_OF_MODEL if model.get(name)}
    flags = ("single_word", "lstrip", "rstrip", "normalized", "special")
    settings["added_tokens"] = {
        row["content"]: {flag: bool(row.get(flag)) for flag in flags}
        for row in content.get("added_tokens", [])
    }
    return settings


def _check_model(model: dict[str, Any]) -> None:
    if model.get("type", "BPE") != "BPE":
        refuse("model.type", model["type"], "only BPE can be read")
    for name, why in (
        ("dropout", "ids are not drawn at random here"),
        ("continuing_subword_prefix", "a token is its bytes here"),
        ("end_of_word_suffix", "a token is its bytes here"),
    ):
        if model.get(name):
            refuse(f"model.{name}", model[name], why)


def _check_missing_bytes(model: dict[str, Any], vocab: Mapping[str, int]) -> None:
    """Refuse bytes without an id where the model has something else in their place."""
    missing = [byte for byte, character in enumerate(CHARACTERS) if character not in vocab]
    if len(missing) == len(CHARACTERS):
        raise ValueError("model.vocab: no byte has an id, so it is not byte-level")
    for name in ("unk_token", "byte_fallback"):
        if missing and model.get(name):
            refuse(
                f"model.{name}",
                model[name],
                f"{len(missing)} of 256 bytes have no id, first {missing[0]:#04x}, and a byte "
                "without an id is left out here",
            )


def _read_vocab(rows: Any, special: Mapping[str, int]) -> dict[str, int]:
    """Return the vocabulary without the added tokens."""
    vocab = dict(_expect(rows, dict, "model.vocab"))
    if set(map(type, vocab.values())) - {int}:
        for name, token_id in vocab.items():
            if type(token_id) is not int:
                refuse(f"model.vocab[{shorten(name)}]", token_id, "an id is an integer")
    for name, token_id in special.items():
        if vocab.pop(name, token_id) != token_id:
            refuse(
                f"model.vocab[{shorten(name)}]",
                rows[name],
                f"added_tokens gives it the id {token_id}",
            )
    return vocab


def _read_added_tokens(rows: Any) -> dict[str, int]:
    special: dict[str, int] = {}
    normalized: dict[str, bool] = {}
    for i, row in enumerate(_expect(rows, list, "added_tokens")):
        token = _expect(row, dict, f"added_tokens[{i}]")
        name = _expect(token.get("content"), str, f"added_tokens[{i}].content")
        if type(token.get("id")) is not int:
            refuse(f"added_tokens[{i}].id", token.get("id"), "an id is an integer")
        for flag in ("lstrip", "rstrip", "single_word"):
            if token.get(flag):
                refuse(f"added_tokens[{i}].{flag}", True, "special tokens match exactly here")
        if name in special:
            refuse(f"added_tokens[{i}].content", name, "it occurs there twice")
        special[name] = token["id"]
        normalized[name] = bool(token.get("normalized"))
    _check_one_search(normalized)
    return special


def _check_one_search(normalized: dict[str, bool]) -> None:
    """Refuse added tokens that are not found in one search, leftmost first and longest, as here.

    tokenizers looks for all that are not "normalized" first, and for the others in what is left.
    That is the same if none of one kind can overlap one of the other in a text: if none begins
    with another, and the first character of none occurs further on in another.
    """
    groups = [[name for name in normalized if normalized[name] is kind] for kind in (True, False)]
    firsts, others = ({name[:1]: name for name in group} for group in groups), groups[::-1]
    for first, group in zip(firsts, others, strict=True):
        for name in group:
            inside = first.keys() & set(name[1:])
            if inside:
                _refuse_mixed(first[inside.pop()], name)
    for name, begin in names_within_names(normalized):
        if normalized[begin] is not normalized[name]:
            _refuse_mixed(begin, name)


def _refuse_mixed(name: str, other: str) -> NoReturn:
    refuse(
        "added_tokens",
        [name, other],
        'one is "normalized" and the other is not, so where they overlap it is not the leftmost '
        "that is found",
    )


def _read_merges(rows: Any) -> list[tuple[str, str]]:
    """Return the merges: pairs, or as most files have them, strings with a space between."""
    merges = [
        row.split(" ") if isinstance(row, str) else row
        for row in _expect(rows, list, "model.merges")
    ]
    if set(map(type, merges)) <= {list} and set(map(len, merges)) <= {2}:
        flat = list(chain.from_iterable(merges))
        if set(map(type, flat)) <= {str} and "" not in flat:
            return list(zip(flat[::2], flat[1::2], strict=True))
    for i, parts in enumerate(merges):
        is_pair = isinstance(parts, list) and len(parts) == 2
        if not is_pair or not all(isinstance(part, str) and part for part in parts):
            refuse(f"model.merges[{i}]", rows[i], "a merge is a pair of tokens")
    return []  # never: one of them is no pair


def _type_of(value: Any) -> Any:
    return value.get("type") if isinstance(value, dict) else None


def _expect(value: Any, kind: type, name: str) -> Any:
    if not isinstance(value, kind):
        names: dict[type, str] = {dict: "an object", list: "an array", str: "a string"}
        raise ValueError(f"{name} must be {names[kind]}, got {shorten(value)}")
    return value
