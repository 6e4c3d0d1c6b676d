"""The tokenizers' own files: JSON, one line for each merge."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from bpetok.base.byte_characters import from_text, to_text
from bpetok.base.checks import shorten
from bpetok.base.files import read_bounded
from bpetok.encoding.added_tokens import AddedToken
from bpetok.encoding.facts import TrainingFacts
from bpetok.formats.files import expect, naming_file, read_json
from bpetok.formats.parts import Parts

FORMAT = "bpetok tokenizer"
SEQUENCE_FORMAT = "bpetok sequence tokenizer"
FORMAT_VERSION = 1
WHAT = "is not a tokenizer: "
"""What errors say of a file that is none."""


def to_json(
    *,
    pairs: Sequence[int],
    pattern: str,
    special_tokens: Mapping[str, int],
    added_tokens: Sequence[AddedToken],
    counts: Sequence[int] | None,
    token_ids: Sequence[int] | None,
    training: Mapping[str, int | str] | None,
    whole_words: Mapping[bytes, int],
    other_tokens: Mapping[bytes, int],
    normalizer: object,
    prefix_space: bool,
    unk_id: int | None,
    fuse_unk: bool,
    merge_order: Sequence[int] | None,
    settings: Mapping[str, object],
) -> bytes:
    """Return what `Tokenizer.save` writes. `pairs`: left 0, right 0, left 1, right 1, ..."""
    ids = "" if token_ids is None else f'  "token_ids": {json.dumps(list(token_ids))},\n'
    facts = "" if training is None else f'  "training": {json.dumps(training)},\n'
    more = "" if normalizer is None else f'  "normalizer": {json.dumps(normalizer)},\n'
    if prefix_space:
        more += '  "prefix_space": true,\n'
    if unk_id is not None:
        more += f'  "unk_id": {unk_id},\n  "fuse_unk": {json.dumps(fuse_unk)},\n'
    if merge_order is not None:
        more += f'  "merge_order": {json.dumps(merge_order)},\n'
    if settings:
        more += f'  "settings": {json.dumps(settings, ensure_ascii=False)},\n'
    flagged = [token for token in added_tokens if token != AddedToken(token.content, token.id)]
    if flagged:
        rows_of = [json.dumps(token._asdict(), ensure_ascii=False) for token in flagged]
        more += '  "added_tokens": [\n    ' + ",\n    ".join(rows_of) + "\n  ],\n"
    for name, tokens in (("whole_words", whole_words), ("other_tokens", other_tokens)):
        if tokens:
            # Equal tokenizers have equal files, and so one hash, whatever the order was.
            by_id = sorted((token_id, to_text(token)) for token, token_id in tokens.items())
            spelled = {name: token_id for token_id, name in by_id}
            more += f'  "{name}": {json.dumps(spelled, ensure_ascii=False)},\n'
    text = (
        "{\n"
        f'  "format": {json.dumps(FORMAT)},\n'
        f'  "version": {FORMAT_VERSION},\n'
        f'  "pattern": {json.dumps(pattern, ensure_ascii=False)},\n'
        f'  "special_tokens": {json.dumps(special_tokens, ensure_ascii=False)},\n'
        f"{more}{ids}{facts}"
        f"{_merges_to_json(pairs, counts)}"
    )
    return text.encode()


def _merges_to_json(pairs: Sequence[int], counts: Sequence[int] | None) -> str:
    """Return the end of a file, from the counts of the merges on."""
    # All at once, since one by one takes twice as long: 20 ms for 32,000 merges.
    rows = ",\n".join(["    [%d, %d]"] * (len(pairs) // 2)) % tuple(pairs)
    return (
        f'  "merge_counts": {json.dumps(None if counts is None else list(counts))},\n'
        f'  "merges": [\n{rows}\n  ]\n'
        "}\n"
    )


def sequences_to_json(n_symbols: int, pairs: Sequence[int], counts: Sequence[int] | None) -> bytes:
    """Return what `SequenceTokenizer.save` writes. `pairs`: left 0, right 0, left 1, ..."""
    text = (
        "{\n"
        f'  "format": {json.dumps(SEQUENCE_FORMAT)},\n'
        f'  "version": {FORMAT_VERSION},\n'
        f'  "n_symbols": {n_symbols},\n'
        f"{_merges_to_json(pairs, counts)}"
    )
    return text.encode()


def read_sequences(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the parameters of a SequenceTokenizer from such a file.

    Raises
    ------
    OSError, ValueError
        If it can't be read, or is none; the message names the file.
    """
    data = read_bounded(path)
    with naming_file(path, what="is not a tokenizer of sequences: "):
        content = _read_format(data, SEQUENCE_FORMAT)
        names = ("n_symbols", "merges", "merge_counts")
        for name in names:
            if name not in content:
                raise ValueError(f"it has no {name}")
        expect(content["merges"], list, "merges")
        return {name: content[name] for name in names}


def read(path: str | os.PathLike[str]) -> Parts:
    """Return the parts of a tokenizer from such a file.

    Raises
    ------
    OSError, ValueError
        If it can't be read, or is none; the message names the file.
    """
    data = read_bounded(path)
    with naming_file(path, what=WHAT):
        return parse(data)


def parse(data: bytes) -> Parts:
    """Return the parts of a tokenizer from what such a file holds.

    Raises
    ------
    ValueError, RecursionError
        If they are not there, or nested too deeply.
    """
    content = _read_format(data, FORMAT)
    for name, kind, json_kind in (
        ("pattern", str, "a string"),
        ("special_tokens", dict, "an object"),
        ("merges", list, "an array"),
    ):
        if not isinstance(content.get(name), kind):
            raise ValueError(f"{name} must be {json_kind}, got {shorten(content.get(name))}")
    for name in ("whole_words", "other_tokens", "settings"):
        if not isinstance(content.setdefault(name, {}), dict):
            raise ValueError(f"{name} must be an object, got {shorten(content[name])}")
    added = content.get("added_tokens", [])
    if not isinstance(added, list):
        raise ValueError(f"added_tokens must be an array, got {shorten(added)}")
    facts = content.get("training")
    return Parts(
        merges=content["merges"],
        pattern=content["pattern"],
        special_tokens=content["special_tokens"],
        added_tokens=[_read_added(row, i) for i, row in enumerate(added)],
        token_ids=content.get("token_ids"),
        whole_words={from_text(name): i for name, i in content["whole_words"].items()},
        other_tokens={from_text(name): i for name, i in content["other_tokens"].items()},
        normalizer=content.get("normalizer"),
        merge_counts=content.get("merge_counts"),
        prefix_space=content.get("prefix_space", False),
        unk_id=content.get("unk_id"),
        fuse_unk=content.get("fuse_unk", False),
        merge_order=content.get("merge_order"),
        settings=content["settings"],
        training=None if facts is None else TrainingFacts.from_json(facts),
    )


def _read_format(data: bytes, name: str) -> dict[str, Any]:
    """Return what a file holds that says it is of this format, in its version."""
    content = read_json(data)
    if not isinstance(content, dict) or content.get("format") != name:
        raise ValueError(f'it does not say "format": "{name}"')
    version = content.get("version")
    if version != FORMAT_VERSION or isinstance(version, bool):
        raise ValueError(
            f"version must be {FORMAT_VERSION}, got {shorten(version)}; another bpetok wrote it"
        )
    return content


def _read_added(row: object, i: int) -> AddedToken:
    if not isinstance(row, dict) or set(row) != set(AddedToken._fields):
        raise ValueError(
            f"added_tokens[{i}] must be an object with {', '.join(AddedToken._fields)}, "
            f"got {shorten(row)}"
        )
    return AddedToken(**row)
