"""GPT-2's spelling of bytes as printable characters, which tokenizer.json uses."""

PRINTABLE = (*range(33, 127), *range(161, 173), *range(174, 256))
"""The bytes that stand for themselves; the others are moved to 256, 257, ..."""


def _characters() -> dict[int, str]:
    moved = [byte for byte in range(256) if byte not in PRINTABLE]
    return {byte: chr(byte) for byte in PRINTABLE} | {
        byte: chr(256 + i) for i, byte in enumerate(moved)
    }


CHARACTERS = _characters()
BYTES = {character: byte for byte, character in CHARACTERS.items()}


def to_text(token: bytes) -> str:
    """Spell bytes in printable characters."""
    return "".join(CHARACTERS[byte] for byte in token)


def to_bytes(token: str) -> bytes:
    """Undo :func:`to_text`."""
    return bytes(BYTES[character] for character in token)
