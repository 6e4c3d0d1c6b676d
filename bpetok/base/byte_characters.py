"""Bytes as printable characters, as GPT-2 spells tokens.

From openai/gpt-2, encoder.py, ``bytes_to_unicode``: bytes that print stand for themselves, the
others for the characters from U+0100 on.
"""

_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHERS = [byte for byte in range(256) if byte not in _PRINTABLE]
BYTES_BY_CHARACTER = {chr(byte): byte for byte in _PRINTABLE} | {
    chr(0x100 + i): byte for i, byte in enumerate(_OTHERS)
}
CHARACTERS = "".join(sorted(BYTES_BY_CHARACTER, key=BYTES_BY_CHARACTER.__getitem__))
"""The character of each byte, in the order of the bytes."""
