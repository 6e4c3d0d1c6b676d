"""Tokens of other libraries to merges: what a file says becomes the parts of a Tokenizer."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from bpetok.base.checks import shorten
from bpetok.base.limits import N_BYTES
from bpetok.formats.byte_level import BYTES_BY_CHARACTER, CHARACTERS, from_text
from bpetok.formats.parts import Pair, Parts
from bpetok.formats.token_merges import bytes_of_names, merges_of_ranks, merges_taken, number_merges
from bpetok.patterns.chains import Pattern

# The parts of a token are searched for in quadratic time: some seconds for this many steps.
# cl100k_base takes 8 million.
MAX_STEPS = 50_000_000


def from_ranks(
    ranks: Mapping[bytes, int], pattern: Pattern, special_tokens: Mapping[str, int]
) -> Parts:
    """Return the parts of a tokenizer from tokens with ranks, as tiktoken has them.

    The merge that makes a token is the last one that is made when its bytes are merged with the
    tokens of lower rank. A token that comes to other than two parts is made by no merge; tiktoken
    finds it only where it is a whole word.

    Raises
    ------
    ValueError
        If a byte is missing, or a token comes to no two parts and tokens of higher rank may make
        it: then there are no merges that give the ids that tiktoken gives.
    """
    _check_lengths(ranks)
    missing = [byte for byte in range(N_BYTES) if bytes([byte]) not in ranks]
    if missing:
        raise ValueError(
            f"{len(missing)} of 256 bytes have no rank, first {missing[0]:#04x}: tiktoken can't "
            "encode text that holds them"
        )
    tokens = sorted((token for token in ranks if len(token) != 1), key=ranks.__getitem__)
    pairs = merges_of_ranks(tokens)
    whole = [i for i, left in enumerate(pairs[::2]) if left < 0]
    for i in whole:
        _check_never_made(tokens[i], ranks, pairs[2 * i + 1])
    numbers = [-1 if pairs[2 * i] < 0 else i for i in range(len(tokens))]
    if whole:
        pairs = _renumber(pairs)
    ids = [ranks[bytes([byte])] for byte in range(N_BYTES)]
    ids += [ranks[tokens[i]] for i in numbers if i >= 0]
    return Parts(
        _as_pairs(pairs),
        pattern,
        special_tokens,
        ids,
        whole_words={tokens[i]: ranks[tokens[i]] for i in whole},
    )


def _check_never_made(token: bytes, ranks: Mapping[bytes, int], n_parts: int) -> None:
    """Refuse a token of no two parts if tokens of higher rank could become it after all."""
    for at in range(1, len(token)):
        parts = ranks.get(token[:at]), ranks.get(token[at:])
        if None not in parts and max(filter(None, parts), default=0) > ranks[token]:
            raise ValueError(
                f"the token {shorten(token)}, rank {ranks[token]}, comes to {n_parts} parts and "
                "not to two by the tokens of lower ranks, but tokens of higher ranks may become "
                "it, so merges can't say what ranks say here"
            )


def _renumber(pairs: array[int]) -> array[int]:
    """Return the pairs without those of -1, with the numbers that are left."""
    numbers = list(range(N_BYTES))
    kept = 0
    for left in pairs[::2]:
        numbers.append(-1 if left < 0 else N_BYTES + kept)
        kept += left >= 0
    rows = zip(pairs[::2], pairs[1::2], strict=True)
    return array("i", [numbers[part] for row in rows if row[0] >= 0 for part in row])


def from_merges(
    vocab: Mapping[str, int],
    merges: Sequence[Any],
    pattern: Pattern,
    special_tokens: Mapping[str, int],
    *,
    whole_words_first: bool = False,
) -> Parts:
    """Return the parts of a tokenizer from tokens with ids and merges, as Hugging Face has them.

    Parameters
    ----------
    vocab : mapping of str to int
        Spelled as in `byte_level`, without special tokens. What no merge makes is never found in a
        text, and neither is a name that is not spelled so.
    merges : sequence of pairs of str, or of str with a space between the two
        Several may make one token: those that no text ever takes are left out.
    whole_words_first : bool
        A word that is a token is that token, whatever the merges are ("ignore_merges").

    Raises
    ------
    ValueError
        If a merge is no pair, or uses or makes what is not there.
    """
    names = [*CHARACTERS, *(name for name in vocab if name not in BYTES_BY_CHARACTER)]
    rows = _number_merges(merges, names, vocab)
    try:
        words = bytes_of_names(names, CHARACTERS)
        pairs, made = merges_taken(rows, words, whole_words_first)
    except ValueError as error:
        place: int = error.args[0]
        left, right = (names[rows[3 * place + i]] for i in range(2))
        raise ValueError(
            f"merges[{place}] joins {left!r} and {right!r}, of which one is made by a later merge, "
            "and comes before others of that: no order of merges gives the same"
        ) from None
    made_names = [names[number] for number in made]
    rest = vocab.keys() - set(CHARACTERS).union(made_names)
    other: dict[bytes, int] = {_decoded(name): vocab[name] for name in sorted(rest)}
    if len(other) < len(rest):
        raise ValueError(f"two of the tokens {shorten(sorted(rest))} are decoded to the same bytes")
    ids = [vocab.get(character, -1) for character in CHARACTERS]
    ids += [vocab[name] for name in made_names]
    return Parts(
        _as_pairs(pairs),
        pattern,
        special_tokens,
        ids,
        whole_words=other if whole_words_first else None,
        other_tokens=None if whole_words_first else other,
    )


def _number_merges(
    merges: Sequence[Any], names: Sequence[str], vocab: Collection[str]
) -> array[int]:
    """Return left, right, and what they make, of each merge, as indices of `names`."""
    numbers = {name: number for number, name in enumerate(names) if name in vocab}
    flat, bad = number_merges(list(merges), numbers)
    if bad < 0:
        return flat
    parts = merges[bad].split(" ") if isinstance(merges[bad], str) else merges[bad]
    is_pair = isinstance(parts, list | tuple) and len(parts) == 2
    if not is_pair or not all(isinstance(part, str) and part for part in parts):
        raise ValueError(
            f"merges[{bad}]: {shorten(merges[bad])} can't be represented: a merge is a pair of "
            "tokens"
        )
    left, right = parts
    what, name = "makes", left + right
    if left not in numbers or right not in numbers:
        what, name = "joins", right if left in numbers else left
    raise ValueError(
        f"merges[{bad}] {what} {shorten(_decoded(name))}, which is not in the vocabulary"
    )


def _decoded(name: str) -> bytes:
    """Return the bytes that an entry of a vocabulary is decoded to."""
    try:
        return from_text(name)
    except ValueError:
        return name.encode()


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


def _as_pairs(flat: array[int]) -> list[Pair]:
    return list(zip(flat[::2], flat[1::2], strict=True))
