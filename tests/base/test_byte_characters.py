"""Bytes as characters."""

from __future__ import annotations

import pytest

from bpetok.base.byte_characters import CHARACTERS as SPELLED
from bpetok.base.byte_characters import from_text, to_text


def test_bytes_are_spelled_as_in_gpt2() -> None:
    """From openai/gpt-2's encoder.py."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1)]
    printable += range(ord("®"), ord("ÿ") + 1)
    spelled, n = {}, 0
    for byte in range(256):
        spelled[byte] = chr(byte if byte in printable else 256 + n)
        n += byte not in printable
    assert list(SPELLED) == [spelled[byte] for byte in range(256)]
    assert to_text(b" a\n\xff") == "ĠaĊÿ"
    assert from_text("ĠaĊÿ") == b" a\n\xff"
    with pytest.raises(ValueError, match="' ' stands for no byte"):
        from_text("a b")
