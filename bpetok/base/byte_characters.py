"""Bytes as printable characters: how GPT-2's vocab.json and tokenizer.json spell tokens.

From openai/gpt-2, encoder.py, ``bytes_to_unicode``: bytes that print stand for themselves, the
others for the characters from U+0100 on.
"""

from __future__ import annotations

from collections.abc import Iterable

_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHERS = sorted({*range(256)}.difference(_PRINTABLE))
BYTES_BY_CHARACTER = {chr(byte): byte for byte in _PRINTABLE} | {
    chr(0x100 + i): byte for i, byte in enumerate(_OTHERS)
}
CHARACTERS = "".join(sorted(BYTES_BY_CHARACTER, key=BYTES_BY_CHARACTER.__getitem__))
"""The character of each byte, in the order of the bytes."""
_TO_TEXT = dict(enumerate(CHARACTERS))
NEVER_IN_UTF8 = frozenset((0xC0, 0xC1, *range(0xF5, 0x100)))
"""Bytes that no text has."""


def to_text(token: bytes) -> str:
    """Return how a token is spelled."""
    return token.decode("latin-1").translate(_TO_TEXT)


def from_text(text: str) -> bytes:
    """Return the token that is spelled so; ValueError if a character stands for no byte."""
    try:
        return bytes(map(BYTES_BY_CHARACTER.__getitem__, text))
    except KeyError as error:
        raise ValueError(f"the character {error.args[0]!r} stands for no byte") from None


def spells_bytes(name: str) -> bool:
    """Tell whether each character of a name stands for a byte."""
    return BYTES_BY_CHARACTER.keys() >= set(name)


def spells_itself(name: str) -> bool:
    """Tell whether a name is its own UTF-8 when it is read as a token: ASCII that prints."""
    return name.isascii() and spells_bytes(name)


def never_found(token: bytes) -> str | None:
    """Return a name of a token that spells no bytes, so no text gives it; None if it has none.

    Such as " ": the byte is spelled "\u0120".
    """
    try:
        name = token.decode()
    except UnicodeDecodeError:
        return None
    return None if spells_bytes(name) else name


def other_word(name: str, *, cut: bool) -> bytes | None:
    """Return what a name is when it is read as a token, if a text may have it and it differs.

    "\u0120a" spells " a". Pieces of a text are UTF-8, unless characters are `cut`.
    """
    if not spelled_as_bytes([name]):
        return None
    word = from_text(name)
    return word if cut or word.decode(errors="ignore").encode() == word else None


def spelled_as_bytes(names: Iterable[str]) -> list[str]:
    """Return those names that are other bytes than their own UTF-8 when they are read as tokens.

    "\u00fc" spells the byte 0xfc, "<s>" its own three bytes, and "\u20ac" none.
    """
    return [name for name in names if not name.isascii() and spells_bytes(name)]
