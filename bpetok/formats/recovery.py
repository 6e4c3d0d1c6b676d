"""Tokens of other libraries to merges: what a file says becomes the parts of a Tokenizer."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from typing import Any

from bpetok.base.byte_characters import (
    BYTES_BY_CHARACTER,
    CHARACTERS,
    from_text,
    spells_bytes,
)
from bpetok.base.checks import shorten
from bpetok.base.limits import N_BYTES
from bpetok.formats.files import Rows
from bpetok.formats.parts import Pair, Parts
from bpetok.formats.token_merges import Names, merges_of_ranks, merges_taken
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
        If a byte is missing, or there are no merges that give the ids that tiktoken gives.
    """
    if b"" in ranks:  # which no text gives
        others = {token: rank for token, rank in ranks.items() if token}
        return from_ranks(others, pattern, special_tokens)._replace(other_tokens={b"": ranks[b""]})
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
    if any(_may_be_made(tokens[i], ranks) for i in whole):
        return _from_all_splits(tokens, ranks, pattern, special_tokens)
    numbers = [-1 if pairs[2 * i] < 0 else i for i in range(len(tokens))]
    if whole:
        pairs = _renumber(pairs)
    ids = [ranks[bytes([byte])] for byte in range(N_BYTES)]
    ids += [ranks[tokens[i]] for i in numbers if i >= 0]
    return Parts(
        _as_rows(pairs),
        pattern,
        special_tokens,
        ids,
        whole_words={tokens[i]: ranks[tokens[i]] for i in whole},
    )


def _may_be_made(token: bytes, ranks: Mapping[bytes, int]) -> bool:
    """Tell whether tokens of higher rank may become one that those of lower rank do not become."""
    for at in range(1, len(token)):
        parts = ranks.get(token[:at]), ranks.get(token[at:])
        if None not in parts and max(filter(None, parts), default=0) > ranks[token]:
            return True
    return False


def _from_all_splits(
    tokens: list[bytes], ranks: Mapping[bytes, int], pattern: Pattern, special: Mapping[str, int]
) -> Parts:
    """Return the same where a token is made of one with a higher rank, as in Qwen 3.6.

    All ways to each token are listed as merges, and those that are taken are kept, in an order in
    which they can be made.
    """
    words = [*(bytes([byte]) for byte in range(N_BYTES)), *tokens]
    numbers = {word: number for number, word in enumerate(words)}
    rows = array("i")
    for number, token in enumerate(tokens, N_BYTES):
        for at in range(1, len(token)):
            left, right = numbers.get(token[:at]), numbers.get(token[at:])
            if left is not None and right is not None:
                rows.extend((left, right, number))
    pairs, made, order = merges_taken(rows, [*words], True)
    is_made = set(made)
    return Parts(
        _as_rows(pairs),
        pattern,
        special,
        [ranks[words[number]] for number in (*range(N_BYTES), *made)],
        whole_words={
            token: ranks[token]
            for number, token in enumerate(tokens, N_BYTES)
            if number not in is_made
        },
        merge_order=order,
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
    merges: list[Any] | Rows,
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
    merges : list of pairs of str, or of str with a space between the two
        Several may make one token: those that no text ever takes are left out. The list is emptied
        once it is read, since it takes more memory than all that is made of it. Of `Rows` an error
        has no place in the whole list.
    whole_words_first : bool
        A word that is a token is that token, whatever the merges are ("ignore_merges").

    Raises
    ------
    ValueError
        If a merge is no pair, or uses or makes what is not there.
    """
    names, ids = list(CHARACTERS), list(map(vocab.get, CHARACTERS))
    for name, token_id in vocab.items():
        if name not in BYTES_BY_CHARACTER:
            names.append(name)
            ids.append(token_id)
    table = Names(names, ids, CHARACTERS)
    rows = _number_merges(merges, table, vocab)
    merges.clear()
    pairs, made, order = merges_taken(rows, table.words, whole_words_first)
    is_made = bytearray(len(names))
    for number in chain(range(N_BYTES), made):
        is_made[number] = 1
    rest = sorted(names[number] for number, taken in enumerate(is_made) if not taken)
    whole: dict[bytes, int] = {}
    other: dict[bytes, int] = {}
    for name in rest:
        is_word = whole_words_first and spells_bytes(name)
        (whole if is_word else other)[_decoded(name)] = vocab[name]
    if len(whole) + len(other) < len(rest):
        raise ValueError(f"two of the tokens {shorten(rest)} are decoded to the same bytes")
    in_order = chain(ids[:N_BYTES], map(ids.__getitem__, made))
    token_ids = [-1 if token_id is None else token_id for token_id in in_order]
    return Parts(
        _as_rows(pairs),
        pattern,
        special_tokens,
        token_ids,
        whole_words=whole,
        other_tokens=other,
        merge_order=order,
    )


def _number_merges(merges: list[Any] | Rows, names: Names, vocab: Collection[str]) -> array[int]:
    """Return left, right, and what they make, of each merge, by the places of the names."""
    if isinstance(merges, Rows):
        numbers = array("i")
        for part in merges.parts():
            numbers += names.read_merges(part) or _number_merges(merges.rows(part), names, vocab)
        return numbers
    flat, bad = names.number_merges(merges)
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
    if left not in vocab or right not in vocab:
        what, name = "joins", right if left in vocab else left
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


def _as_rows(flat: array[int]) -> memoryview | list[Pair]:
    """Return pairs that lie one after another as rows of two; no list of them, which is large."""
    if not flat:
        return []
    return memoryview(flat).cast("B").cast("i", (len(flat) // 2, 2))
