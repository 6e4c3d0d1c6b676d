"""Texts as they are given: to UTF-8, and what a user is told of one that can't be encoded."""

from __future__ import annotations

from collections.abc import Iterable

from bpetok.base.checks import (
    check_errors,
    check_texts,
    encode_replacing,
    encode_utf8,
    shorten,
    type_and_value,
)
from bpetok.patterns.scan import check_utf8


class SpecialTokenError(ValueError):
    """A text holds a special token that is not allowed: `token`, at `index` in characters.

    `name` says which text: "text", "texts[3]" of a batch, or a file, where `index` is in bytes.
    """

    def __init__(self, token: str, index: int, name: str = "text", unit: str = "index") -> None:
        super().__init__(token, index, name, unit)
        self.token = token
        self.index = index
        self.name = name
        self.unit = unit

    def __str__(self) -> str:
        token = shorten(self.token)
        return (
            f"{self.place}. To give it its own id, pass allowed_special={{{token}}} or "
            "'all'; to encode it as ordinary text, pass disallowed_special=()"
        )

    @property
    def place(self) -> str:
        """The message without its remedies, which are other ones on a command line."""
        token = shorten(self.token)
        return f"{self.name} holds the special token {token} at {self.unit} {self.index}"


def special_token_error(text: object, name: str, start: int, length: int) -> SpecialTokenError:
    """Return the error of a text whose bytes start:start + length are a special token."""
    data = to_utf8(text, name)
    token = data[start : start + length].decode()
    return SpecialTokenError(token, len(data[:start].decode()), name)


def to_utf8(text: object, name: str = "text") -> bytes:
    """Return the UTF-8 form of a str; bytes as they are, if they are UTF-8.

    Raises
    ------
    TypeError
        If it is neither.
    ValueError
        If a str has a lone surrogate, or bytes are not UTF-8; the message says `name` and where.
    """
    if isinstance(text, str):
        return encode_utf8(text, name)
    if not isinstance(text, bytes):
        raise TypeError(f"{name} must be str or bytes, got {type_and_value(text)}")
    at = check_utf8(text)
    if at >= 0:
        raise ValueError(
            f"{name} must be UTF-8, but byte {at} is not; "
            f"{name}.decode(errors='replace') replaces what is not"
        )
    return text


def replaced(text: str | bytes, errors: str) -> str | bytes:
    """Return a text to be encoded, with U+FFFD for what is not UTF-8 if `errors` is "replace"."""
    if check_errors(errors) == "strict":
        return text
    if isinstance(text, bytes):
        return text.decode(errors="replace").encode()
    return encode_replacing(text) if isinstance(text, str) else text


def replaced_texts(texts: Iterable[str | bytes], errors: str) -> Iterable[str | bytes]:
    """Return texts as `replaced` returns each."""
    if check_errors(errors) == "strict":
        return texts
    return (replaced(text, errors) for text in check_texts(texts))
