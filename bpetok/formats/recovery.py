"""Tokens of other libraries to merges: what a file says becomes the parts of a Tokenizer."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Mapping

from bpetok.base.checks import shorten
from bpetok.encoding.vocab import N_BYTES
from bpetok.formats.byte_level import BYTES_BY_CHARACTER, CHARACTERS, from_text
from bpetok.formats.parts import Pair, Parts
from bpetok.formats.ways import merges_of_ranks, merges_taken

# The parts of a token are searched for in quadratic time: some seconds for this many steps.
# cl100k_base takes 8 million.
MAX_STEPS = 50_000_000


def from_ranks(
    ranks: Mapping[bytes, int], pattern: str, special_tokens: Mapping[str, int]
) -> Parts:
    """Return the parts of a tokenizer from tokens with ranks, as tiktoken has them.

    The merge that makes a token is the last one that is made when its bytes are merged with the
    tokens of lower rank.

    Raises
    ------
    ValueError
        If a byte is missing, or a token comes to no two parts: then there are no merges that give
        the ids that tiktoken gives.
    """
    _check_lengths(ranks)
    _check_bytes(ranks, [bytes([byte]) for byte in range(N_BYTES)])
    tokens = sorted((token for token in ranks if len(token) != 1), key=ranks.__getitem__)
    pairs = merges_of_ranks(tokens)
    if min(pairs, default=0) < 0:
        at = pairs.index(-1) // 2
        raise ValueError(
            f"the token {shorten(tokens[at])}, rank {ranks[tokens[at]]}, comes to "
            f"{pairs[2 * at + 1]} parts and not to two by the tokens of lower ranks, so merges "
            "can't say what ranks say here"
        )
    ids = [ranks[bytes([byte])] for byte in range(N_BYTES)]
    ids += map(ranks.__getitem__, tokens)
    return Parts(_as_pairs(pairs), pattern, special_tokens, ids)


def from_merges(
    vocab: Mapping[str, int],
    merges: Iterable[tuple[str, str]],
    pattern: str,
    special_tokens: Mapping[str, int],
    *,
    whole_words_first: bool = False,
) -> Parts:
    """Return the parts of a tokenizer from tokens with ids and merges, as Hugging Face has them.

    Parameters
    ----------
    vocab : mapping of str to int
        Spelled as in `byte_level`, without special tokens.
    merges : iterable of pairs of str
        Several may make one token: those that no text ever takes are left out.
    whole_words_first : bool
        A word that is a token is that token, whatever the merges are ("ignore_merges").

    Raises
    ------
    ValueError
        If a byte is missing, a merge uses or makes what is not there, or a token is made by no
        merge.
    """
    _check_bytes(vocab, CHARACTERS)
    numbers, rows = _number_tokens(vocab, merges)
    names = list(numbers)
    try:
        pairs, made = merges_taken(rows, len(numbers), whole_words_first)
    except ValueError as error:
        raise _not_yet_made(error.args[0], names[rows[3 * error.args[0]]]) from None
    made_names = [names[number] for number in made]
    _check_all_made(vocab, [*CHARACTERS, *made_names], whole_words_first)
    ids = [vocab[name] for name in (*CHARACTERS, *made_names)]
    return Parts(_as_pairs(pairs), pattern, special_tokens, ids)


def _number_tokens(
    vocab: Mapping[str, int], merges: Iterable[tuple[str, str]]
) -> tuple[dict[str, int], array[int]]:
    """Return the number of each token as it is first made, and left, right, made of each merge."""
    numbers = dict(BYTES_BY_CHARACTER)
    rows = array("i")
    for i, (left, right) in enumerate(merges):
        if left not in numbers or right not in numbers:
            raise _not_yet_made(i, right if left in numbers else left)
        token = left + right
        if token not in vocab:
            raise ValueError(
                f"merges[{i}] makes {shorten(from_text(token))}, which is not in the vocabulary"
            )
        rows.append(numbers[left])
        rows.append(numbers[right])
        rows.append(numbers.setdefault(token, len(numbers)))
    return dict(sorted(numbers.items(), key=lambda item: item[1])), rows


def _not_yet_made(place: int, name: str) -> ValueError:
    return ValueError(
        f"merges[{place}] joins {shorten(from_text(name))}, which nothing before it makes"
    )


def _check_all_made(vocab: Mapping[str, int], made: Collection[str], whole: bool) -> None:
    unmade = vocab.keys() - made
    if unmade:
        first = min(unmade, key=vocab.__getitem__)
        if whole:
            raise ValueError(
                f"the token {shorten(from_text(first))}, id {vocab[first]}, can't be made by "
                "merges but is taken whole (ignore_merges)"
            )
        raise ValueError(
            f"no merge makes {shorten(from_text(first))}, id {vocab[first]}"
            + (f", and {len(unmade) - 1} other tokens" if len(unmade) > 1 else "")
            + ": merges are missing, or it is a special token and must be given as one"
        )


def _check_bytes(tokens: Collection[object], spelled: Iterable[object]) -> None:
    missing = [byte for byte, token in enumerate(spelled) if token not in tokens]
    if missing:
        raise ValueError(
            f"{len(missing)} of 256 bytes have no id, first {missing[0]:#04x}: text that holds "
            "them would be lost"
        )


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
