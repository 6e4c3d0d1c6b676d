"""Merge lists: read back what a trainer learned, and find where two lists part."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

Merge = tuple[bytes, ...]
"""(left, right), or (token,) where the parts can't be recovered from what the library keeps."""


def read_merges(file: Path) -> list[Merge]:
    """Read a learned file of the worker: hexadecimal, one merge a line."""
    rows = [
        tuple(bytes.fromhex(part) for part in line.split(" "))
        for line in file.read_text().splitlines()
    ]
    return rows if all(len(row) == 2 for row in rows) else recover([b"".join(row) for row in rows])


def recover(tokens: Sequence[bytes]) -> list[Merge]:
    """Find each token's last merge from the tokens before it.

    A token that is there twice can't be recovered (the second time, its ranks give the first); nor
    can one that isn't made of two earlier tokens, as in a trainer that merges characters.
    """
    ranks: dict[bytes, int] = {}
    merges: list[Merge] = []
    for rank, token in enumerate(tokens):
        parts = (
            [token] if token in ranks else encode(token, lambda pair: ranks.get(pair[0] + pair[1]))
        )
        merges.append(tuple(parts) if len(parts) == 2 else (token,))
        ranks.setdefault(token, rank)
    return merges


def encode(word: bytes, rank: Callable[[tuple[bytes, bytes]], int | None]) -> list[bytes]:
    """Apply merges to a word, the one of smallest rank first, everywhere from the left."""
    parts = [word[i : i + 1] for i in range(len(word))]
    while True:
        ranked = [(r, pair) for pair in itertools.pairwise(parts) if (r := rank(pair)) is not None]
        if not ranked:
            return parts
        best = min(ranked)[1]
        merged: list[bytes] = []
        i = 0
        while i < len(parts):
            found = tuple(parts[i : i + 2]) == best
            merged.append(b"".join(best) if found else parts[i])
            i += 2 if found else 1
        parts = merged


def first_difference(first: Sequence[Merge], second: Sequence[Merge]) -> int | None:
    """Find the first index at which two lists differ; the end of the shorter one counts."""
    for index, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other and not (len(one) != len(other) and b"".join(one) == b"".join(other)):
            return index
    return None if len(first) == len(second) else min(len(first), len(second))
