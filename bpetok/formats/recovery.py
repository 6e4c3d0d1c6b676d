"""Tokens of other libraries to merges: what a reader has found becomes a Tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bpetok.base.checks import shorten
from bpetok.encoding.vocab import N_BYTES

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

Pair = tuple[int, int]

# The parts of a token are searched for in quadratic time: some ten seconds for this many steps.
# cl100k_base takes 8 million.
MAX_STEPS = 50_000_000


def from_ranks(
    ranks: Mapping[bytes, int], pattern: str, special_tokens: Mapping[str, int]
) -> Tokenizer:
    """Return the tokenizer of tokens with ranks, as tiktoken has them.

    The merge that makes a token is the last one that is made when its bytes are merged with the
    tokens of lower rank.

    Raises
    ------
    ValueError
        If a byte is missing, or a token comes to no two parts: then there are no merges that give
        the ids that tiktoken gives.
    """
    _check_lengths(ranks)
    numbers = _byte_numbers(ranks)
    merges: dict[Pair, int] = {}
    pairs: list[Pair] = []
    for token in sorted((token for token in ranks if len(token) != 1), key=ranks.__getitem__):
        parts = _merge(list(token), merges)
        if len(parts) != 2:
            raise ValueError(
                f"the token {shorten(token)}, rank {ranks[token]}, comes to {len(parts)} parts and "
                "not to two by the tokens of lower ranks, so merges can't say what ranks say here"
            )
        pair = (parts[0], parts[1])
        merges[pair] = N_BYTES + len(pairs)
        numbers[token] = N_BYTES + len(pairs)
        pairs.append(pair)
    return _build(pairs, numbers, ranks, pattern, special_tokens)


def from_merges(
    vocab: Mapping[bytes, int],
    merges: Iterable[tuple[bytes, bytes]],
    pattern: str,
    special_tokens: Mapping[str, int],
    *,
    whole_words_first: bool = False,
) -> Tokenizer:
    """Return the tokenizer of tokens with ids and a list of merges, as Hugging Face has them.

    Parameters
    ----------
    whole_words_first : bool
        A word that is a token is that token, whatever the merges are ("ignore_merges").

    Raises
    ------
    ValueError
        If a byte is missing, a merge uses or makes what is not there, a token is made by no merge,
        or by two that can both happen.
    """
    numbers = _byte_numbers(vocab)
    pairs: list[Pair] = []
    again: set[bytes] = set()
    rows = list(merges)
    last = {row: i for i, row in enumerate(rows)}  # a merge that is listed twice comes late there
    for i, (left, right) in enumerate(rows):
        if last[left, right] != i:
            continue
        for part in (left, right):
            if part not in numbers:
                raise ValueError(
                    f"merges[{i}] joins {shorten(part)}, which nothing before it makes"
                )
        token = left + right
        if token not in vocab:
            raise ValueError(f"merges[{i}] makes {shorten(token)}, which is not in the vocabulary")
        if token in numbers:
            again.add(token)
            continue
        numbers[token] = N_BYTES + len(pairs)
        pairs.append((numbers[left], numbers[right]))
    unmade = [token for token in vocab if token not in numbers]
    if unmade:
        raise ValueError(
            f"no merge makes {shorten(unmade[0])}, id {vocab[unmade[0]]}"
            + (f", and {len(unmade) - 1} other tokens" if len(unmade) > 1 else "")
            + ": merges are missing, or it is a special token and must be given as one"
        )
    # A second way to a token is harmless if the first is always taken: if the token's bytes as a
    # word of their own come to the token, no other pair that spells it ever stands in a text.
    tokenizer = _build(pairs, numbers, vocab, pattern, special_tokens)
    doubtful = set(vocab) if whole_words_first else again
    for token in doubtful:
        if tokenizer._encode_word(token) != [vocab[token]]:
            raise ValueError(
                f"the token {shorten(token)}, id {vocab[token]}, "
                + (
                    "can't be made by merges but is taken whole (ignore_merges)"
                    if whole_words_first
                    else "is made by several merges, which can't be represented here"
                )
            )
    return tokenizer


def _byte_numbers(vocab: Mapping[bytes, int]) -> dict[bytes, int]:
    missing = [byte for byte in range(N_BYTES) if bytes([byte]) not in vocab]
    if missing:
        raise ValueError(
            f"{len(missing)} of 256 bytes have no id, first {missing[0]:#04x}: text that holds "
            "them would be lost"
        )
    return {bytes([byte]): byte for byte in range(N_BYTES)}


def _check_lengths(tokens: Iterable[bytes]) -> None:
    steps = 0
    for token in tokens:
        steps += len(token) ** 2
        if not token:
            raise ValueError("a token is empty")
        if steps > MAX_STEPS:
            raise ValueError(
                f"the token {shorten(token)} of {len(token)} bytes is too long to find its parts"
            )


def _merge(word: list[int], merges: Mapping[Pair, int]) -> list[int]:
    # Merge in place, smallest number first.
    while len(word) > 1:
        best, at = min((merges.get(pair, 1 << 62), i) for i, pair in enumerate(pairwise(word)))
        if best == 1 << 62:
            break
        word[at : at + 2] = [best]
    return word


def _build(
    pairs: Sequence[Pair],
    numbers: Mapping[bytes, int],
    ids: Mapping[bytes, int],
    pattern: str,
    special_tokens: Mapping[str, int],
) -> Tokenizer:
    from bpetok.tokenizer import Tokenizer

    token_ids: list[Any] = [0] * (N_BYTES + len(pairs))
    for token, number in numbers.items():
        token_ids[number] = ids[token]
    return Tokenizer(
        merges=pairs, pattern=pattern, special_tokens=special_tokens, token_ids=token_ids
    )


def reading(path: Any, read: Callable[[], Tokenizer]) -> Tokenizer:
    """Return what `read` returns; what it can't read is a ValueError that names the file."""
    try:
        return read()
    except RecursionError:
        raise ValueError(f"{path}: nested too deeply") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None
