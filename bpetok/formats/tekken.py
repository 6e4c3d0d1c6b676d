"""Mistral's tekken.json: tokens with ranks as in tiktoken, after a block of special tokens."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bpetok.base.checks import shorten
from bpetok.base.files import read_bounded
from bpetok.base.limits import N_BYTES
from bpetok.encoding.added_tokens import AddedToken
from bpetok.formats.files import expect, naming_file, read_json
from bpetok.formats.parts import Parts
from bpetok.formats.recovery import from_ranks
from bpetok.formats.tiktoken import check_expression, pattern_of
from bpetok.patterns.builtin import names

# What mistral-common takes for the special tokens of a file that has none, in the order of ids.
SPECIAL_TOKENS = (
    *("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"),
    *("[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]"),
    *("[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"),
    "[TOOL_CONTENT]",
)
WITHOUT_THEM = ("v1", "v2", "v3", "v7")
"""Versions of files that need not have special tokens."""


def read(file: Path) -> Parts:
    """Return the parts of a tokenizer from a tekken.json."""
    data = read_bounded(file)
    with naming_file(file):
        return parse(read_json(data))


def is_tekken(content: object) -> bool:
    """Tell whether what a JSON file holds is a tekken.json."""
    return (
        isinstance(content, dict)
        and isinstance(content.get("vocab"), list)
        and isinstance(content.get("config"), dict)
    )


def parse(document: Any) -> Parts:
    """Return the parts of a tokenizer from what a tekken.json holds.

    Special tokens have the first ids, those without a name are called <SPECIAL_20> and so on. Of
    the others as many as `default_vocab_size` says are used.

    Raises
    ------
    ValueError
        If something is missing or out of its range; the message has the place.
    """
    content = expect(document, dict, "the file")
    config = expect(content.get("config"), dict, "config")
    expression = expect(config.get("pattern"), str, "config.pattern")
    n_special, n_ids = (
        expect(config.get(name), int, f"config.{name}")
        for name in ("default_num_special_tokens", "default_vocab_size")
    )
    rows = expect(content.get("vocab"), list, "vocab")
    n_tokens = n_ids - n_special
    if not N_BYTES <= n_tokens <= len(rows) or n_special < 0:
        raise ValueError(
            f"config.default_vocab_size - default_num_special_tokens = {n_tokens} must be from "
            f"{N_BYTES} to {len(rows)}, the number of tokens in vocab"
        )
    added = _read_special(content.get("special_tokens"), config.get("version"), n_special)
    ranks = _read_ranks(rows[:n_tokens], n_special)
    special = {token.content: token.id for token in added}
    parts = from_ranks(ranks, pattern_of(expression), special)._replace(added_tokens=added)
    if parts.pattern not in names():
        check_expression(parts, ranks, expression)
    return parts


def _read_special(rows: Any, version: Any, n_special: int) -> list[AddedToken]:
    if rows is None and version in WITHOUT_THEM:
        rows = [{"rank": i, "token_str": name} for i, name in enumerate(SPECIAL_TOKENS)]
    names: dict[int, AddedToken] = {}
    for i, row in enumerate(expect(rows, list, "special_tokens")):
        token = expect(row, dict, f"special_tokens[{i}]")
        name = expect(token.get("token_str"), str, f"special_tokens[{i}].token_str")
        rank = expect(token.get("rank"), int, f"special_tokens[{i}].rank")
        control = expect(token.get("is_control", True), bool, f"special_tokens[{i}].is_control")
        if rank in names or not 0 <= rank < n_special:
            raise ValueError(
                f"special_tokens[{i}].rank must be from 0 to {n_special - 1} and occur once, "
                f"got {rank}"
            )
        names[rank] = AddedToken(name, rank, special=control)
    for rank in range(len(names), n_special):
        if rank in names:
            raise ValueError(f"special_tokens: {shorten(names[rank].content)} comes after a gap")
        names[rank] = AddedToken(f"<SPECIAL_{rank}>", rank)
    added = [names[rank] for rank in range(n_special)]
    if len({token.content for token in added}) < n_special:
        raise ValueError("special_tokens: a name occurs twice")
    return added


def _read_ranks(rows: list[Any], first_id: int) -> Mapping[bytes, int]:
    ranks: dict[bytes, int] = {}
    for i, row in enumerate(rows):
        spelled = row.get("token_bytes") if isinstance(row, dict) else None
        try:
            token = base64.b64decode(spelled or "", validate=True)
        except (binascii.Error, TypeError, ValueError):
            token = b""
        if not token or token in ranks or row.get("rank") != i:
            raise ValueError(
                f"vocab[{i}] must be a token in base64 that occurs once, with the rank {i}, "
                f"got {shorten(row)}"
            )
        if i < N_BYTES and token != bytes([i]):
            raise ValueError(f"vocab[{i}] must be the byte {i}, got {shorten(token)}")
        ranks[token] = first_id + i
    return ranks
