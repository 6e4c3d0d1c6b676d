"""Tokens that a vocabulary must have, whatever the text: their merges come before all others."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from bpetok.base.array_types import Int32, Int64
from bpetok.base.checks import encode_utf8, shorten
from bpetok.base.limits import N_BYTES
from bpetok.counting.arrays import WordArrays
from bpetok.patterns.pretokenize import pretokenize

Pair = tuple[int, int]


def check_initial_tokens(given: Sequence[object]) -> tuple[bytes, ...]:
    """Return the tokens as bytes.

    Raises
    ------
    TypeError, ValueError
        If one is neither str nor bytes, or is empty.
    """
    tokens = []
    for i, token in enumerate(given):
        if not isinstance(token, str | bytes):
            raise TypeError(f"initial_tokens[{i}] must be bytes or str, got {shorten(token)}")
        if not token:
            raise ValueError("an element of initial_tokens must not be empty: leave it out")
        tokens.append(
            encode_utf8(token, f"initial_tokens[{i}]") if isinstance(token, str) else token
        )
    return tuple(tokens)


def warn_of_split(given: Sequence[str | bytes], pattern: str) -> None:
    """Warn if the pattern of the tokenizer splits one, so that no text can give it."""
    for token in given:
        if isinstance(token, str) and len(words := list(pretokenize(token, pattern))) > 1:
            warnings.warn(
                f"initial_tokens: {shorten(token)} is {len(words)} words with this pattern, so "
                "that no text gives it: take another pattern, or leave it out",
                stacklevel=4,
            )


def merges_of(tokens: Sequence[bytes], known: Sequence[Pair] = ()) -> list[Pair]:
    """Return the merges that make some tokens, after those that are known already.

    Each token is taken as the merges so far leave it; its first two pieces are merged, again and
    again, until it is one: as in "Add initial_tokens to BpeTrainer", tokenizers' pull request 1862.
    """
    numbers = {pair: N_BYTES + i for i, pair in enumerate(known)}
    made: list[Pair] = []
    for token in tokens:
        pieces = _merged([*token], numbers)
        while len(pieces) > 1:
            pair = pieces[0], pieces[1]
            numbers[pair] = N_BYTES + len(numbers)
            made.append(pair)
            pieces = _merged(pieces, numbers)
    return made


def _merged(pieces: list[int], numbers: dict[Pair, int]) -> list[int]:
    """Return what the merges leave of a token's pieces."""
    while True:
        found = [numbers[pair] for pair in pairwise(pieces) if pair in numbers]
        if not found:
            return pieces
        number = min(found)
        merged: list[int] = []
        for piece in pieces:
            if merged and numbers.get((merged[-1], piece)) == number:
                merged[-1] = number
            else:
                merged.append(piece)
        pieces = merged


def count_merges(words: WordArrays, pairs: Int32) -> Int64:
    """Return how often each merge was made in words.

    Parameters
    ----------
    words : WordArrays
        In the tokens that `pairs` leave.
    """
    times = np.zeros(N_BYTES + len(pairs), np.int64)
    np.add.at(times, words.ids, np.repeat(words.counts, words.lengths))
    made: list[int] = times.tolist()
    for number, pair in reversed([*enumerate(pairs.tolist(), N_BYTES)]):
        for part in pair:
            made[part] += made[number]
    return np.array(made[N_BYTES:], np.int64)
