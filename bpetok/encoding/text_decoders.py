"""What the decoder of a tokenizer.json does to a text after its bytes are put together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from bpetok.base.checks import shorten

TextStep = Callable[[str], str]


READ_ELSEWHERE = (
    "tokenizers.Tokenizer.from_file reads it, and bpetok.train makes a byte-level tokenizer of the "
    "texts that it was made of"
)
"""What to do about a tokenizer that is no byte-level BPE."""


def text_steps(decoder: Any) -> list[TextStep]:
    """Return what happens to a text after the step ByteLevel; nothing if there is no decoder.

    Raises
    ------
    ValueError
        If it has no ByteLevel, does something before it, or what is not known here after it.
    """
    if decoder is None:
        return []
    rows = [row for row in _flatten(decoder, "decoder") if row[0]["type"] != "Fuse"]
    if not rows or rows[0][0]["type"] != "ByteLevel":
        raise ValueError(
            f"decoder: {shorten(decoder)} can't be represented: only one that begins with "
            f"ByteLevel is byte-level; {READ_ELSEWHERE}"
        )
    return [_step(row, name) for row, name in rows[1:]]


def _flatten(decoder: Any, name: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield the steps of nested sequences, each with its place."""
    kind = decoder.get("type") if isinstance(decoder, Mapping) else None
    if not isinstance(kind, str):
        raise ValueError(f"{name}: {shorten(decoder)} can't be represented: it has no type")
    if kind != "Sequence":
        yield decoder, name
        return
    rows = decoder.get("decoders")
    if not isinstance(rows, list):
        raise ValueError(f"{name}.decoders must be a list, got {shorten(rows)}")
    for i, row in enumerate(rows):
        yield from _flatten(row, f"{name}.decoders[{i}]")


def _step(row: Mapping[str, Any], name: str) -> TextStep:
    kind = row["type"]
    try:
        if kind == "Strip":
            sign, start, stop = row["content"], row["start"], row["stop"]
            if isinstance(sign, str) and len(sign) == 1 and type(start) is type(stop) is int:
                return partial(_strip, sign=sign, start=start, stop=stop)
        if kind == "Replace":
            from bpetok.patterns.normalizers import Normalizer

            replaced = Normalizer(row)
            return lambda text: replaced.align(text).text
        if kind == "Metaspace":
            sign = row["replacement"]
            keeps = row.get("prepend_scheme", "always") == "never"
            if isinstance(sign, str) and len(sign) == 1:
                return lambda text: text.replace(sign, " " if keeps else "")
        if kind == "ByteFallback":
            return _byte_fallback
    except KeyError as error:
        raise ValueError(f"{name}.{error.args[0]} is missing") from None
    raise ValueError(
        f"{name}: {shorten(dict(row))} can't be represented: after ByteLevel only Strip, Replace, "
        "Metaspace, ByteFallback and Fuse are known here"
    )


def _strip(text: str, *, sign: str, start: int, stop: int) -> str:
    begin, end = 0, len(text)
    while begin < min(start, end) and text[begin] == sign:
        begin += 1
    while end > max(begin, len(text) - stop) and text[end - 1] == sign:
        end -= 1
    return text[begin:end]


def _byte_fallback(text: str) -> str:
    """Return the byte that a text spells, if that is all it is: ByteLevel has made one token."""
    if not re.fullmatch(r"<0x[0-9A-Fa-f]{2}>", text):
        return text
    return bytes([int(text[3:5], 16)]).decode(errors="replace")
