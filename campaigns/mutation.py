"""Files that are nearly right: bytes changed anywhere, values changed in JSON."""

from __future__ import annotations

import json
from random import Random
from typing import Any

NUMBERS = [0, 1, 2, 127, 128, 255, 256, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF,
           (1 << 63) - 1, 1 << 63, (1 << 64) - 1]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, -1, 1.5, 1e300, 1 << 31, 1 << 63, 1 << 70, 10**400, "", "a", "\0", "é",
    "\ud800", "Ġ", "a b", "\n", "x" * 300, "(?:a{900}){900}", "(a*)*b", "[", [], [0], [[0, 0]],
    [-1, 1 << 40], {}, {"a": 1}, "1.0", "<|end|>", "gpt2", "BPE", "ByteLevel",
]  # fmt: skip


def mutated_bytes(random: Random, data: bytes) -> bytes:
    """Return the bytes with a few of them changed, left out, moved or added."""
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        at = random.randrange(len(data) + 1)
        if random.random() < 0.3:  # where formats have their heads and feet
            at = random.choice((min(at, 40), max(0, len(data) - 1 - at % 200)))
        data = _changed_at(random, data, at)
    return data


def _changed_at(random: Random, data: bytes, at: int) -> bytes:
    kind = random.randrange(8)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + data[at + random.choice((1, 2, 4, 8, 100)) :]
    if kind == 2:
        return data[:at] + random.randbytes(random.choice((1, 2, 4, 9))) + data[at:]
    if kind == 3:
        size = random.choice((1, 2, 4, 8))
        number = random.choice(NUMBERS) & ((1 << 8 * size) - 1)
        return data[:at] + number.to_bytes(size, "little") + data[at + size :]
    if kind == 4:
        size = random.choice((4, 16, 200))
        return data[:at] + data[at : at + size] * 2 + data[at + size :]
    if kind == 5:
        size = random.choice((4, 16, 200))
        return data[:at] + bytes(len(data[at : at + size])) + data[at + size :]
    if at == len(data):
        return data
    if kind == 6:
        return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]
    return data[:at] + random.randbytes(1) + data[at + 1 :]


def mutated_json(random: Random, data: bytes) -> bytes:
    """Return a JSON document with a few values changed, missing or repeated."""
    content = json.loads(data)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        content = _changed(random, content)
    return json.dumps(content, ensure_ascii=random.random() < 0.5).encode(errors="surrogatepass")


def _changed(random: Random, value: Any) -> Any:
    if not isinstance(value, dict | list) or not value or random.random() < 0.15:
        return _other(random, value)
    if isinstance(value, list):
        at = random.randrange(len(value))
        kind = random.random()
        if kind < 0.1:
            return value[:at] + value[at + 1 :]
        if kind < 0.2:
            return value[: at + 1] + value[random.randrange(len(value)) :]
        return [*value[:at], _changed(random, value[at]), *value[at + 1 :]]
    name = random.choice(list(value))
    kind = random.random()
    if kind < 0.1:
        return {key: item for key, item in value.items() if key != name}
    if kind < 0.2:
        return {(name + "x" if key == name else key): item for key, item in value.items()}
    return {**value, name: _changed(random, value[name])}


def _other(random: Random, value: Any) -> Any:
    if isinstance(value, bool) or random.random() < 0.4:
        return random.choice(VALUES)
    if isinstance(value, int):
        return random.choice((value + 1, value - 1, -value, value << 32, 1.5, str(value)))
    if isinstance(value, str):
        at = random.randint(0, len(value))
        return value[:at] + random.choice(("", "a", "\0", " ", "é", "\n", "{9}")) + value[at + 1 :]
    return random.choice(VALUES)
