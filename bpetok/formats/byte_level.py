"""Tokens as text: how GPT-2's vocab.json and tokenizer.json spell them."""

from __future__ import annotations

from bpetok.base.byte_characters import BYTES_BY_CHARACTER as BYTES_BY_CHARACTER
from bpetok.base.byte_characters import CHARACTERS as CHARACTERS

_TO_TEXT = dict(enumerate(CHARACTERS))


def to_text(token: bytes) -> str:
    """Return how a token is spelled."""
    return token.decode("latin-1").translate(_TO_TEXT)


def from_text(text: str) -> bytes:
    """Return the token that is spelled so; ValueError if a character stands for no byte."""
    try:
        return bytes(map(BYTES_BY_CHARACTER.__getitem__, text))
    except KeyError as error:
        raise ValueError(f"the character {error.args[0]!r} stands for no byte") from None
