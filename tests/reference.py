"""Byte-level BPE in its plainest form: the oracle of the tests. No NumPy, no cleverness."""

import itertools
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

import regex

from bpetok import MergeFilter

Pair = tuple[int, int]


def merge_ids(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """Return `ids` with each `pair`, from the left, replaced by `new_id`."""
    merged = []
    i = 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == pair:
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


def count_pairs(words: Iterable[tuple[list[int], int]]) -> Counter[Pair]:
    """Return how often each pair occurs in words with counts; `aaa` holds (a, a) twice."""
    counts: Counter[Pair] = Counter()
    for ids, count in words:
        for pair in itertools.pairwise(ids):
            counts[pair] += count
    return counts


def learn_merges(
    word_counts: Mapping[bytes, int] | Mapping[tuple[int, ...], int],
    n_merges: int,
    min_frequency: int = 1,
    ties: str = "ids",
    max_token_length: int = sys.maxsize,
    byte_order: Sequence[int] | None = None,
    initial: Sequence[Pair] = (),
    allows: Callable[[bytes, bytes], bool] | None = None,
    n_symbols: int = 256,
) -> tuple[list[Pair], list[int]]:
    """Return the merges, as pairs of ids, and how often each pair occurred when it was merged.

    All pairs are counted anew for every merge. The best has the highest count and, among equals,
    the smallest (left id, right id); or, as `ties` says, the first "place" in the words in their
    order, or the greatest (left "bytes", right bytes). For ties the bytes are numbered in
    `byte_order`. `allows` says which tokens may be joined. The words begin as what the `initial`
    merges make of them. Words are bytes, or sequences of `n_symbols` other symbols.
    """
    words = [(encode_word(word, initial, n_symbols), count) for word, count in word_counts.items()]
    tokens = token_symbols(initial, n_symbols)
    order = list(range(n_symbols + len(initial) + n_merges))
    for i, byte in enumerate(byte_order or ()):
        order[byte] = i
    merges: list[Pair] = []
    merge_counts = []
    while len(merges) < n_merges:
        counts = count_pairs(words)  # in the order of first places
        for left, right in list(counts):
            too_long = len(tokens[left]) + len(tokens[right]) > max_token_length
            if too_long or not (allows is None or allows(*spelled(tokens, left, right))):
                del counts[left, right]
        if not counts:
            break
        most = max(counts.values())
        tied = [pair for pair in counts if counts[pair] == most]
        pair = min(tied, key=lambda pair: (order[pair[0]], order[pair[1]]))
        if ties == "place":
            pair = tied[0]
        if ties == "bytes":
            pair = max(tied, key=lambda pair: (tokens[pair[0]], tokens[pair[1]]))
        if most < max(min_frequency, 1):
            break
        new_id = len(tokens)
        words = [(merge_ids(ids, pair, new_id), count) for ids, count in words]
        tokens.append(tokens[pair[0]] + tokens[pair[1]])
        merges.append(pair)
        merge_counts.append(most)
    return merges, merge_counts


def spelled(tokens: Sequence[tuple[int, ...]], left: int, right: int) -> tuple[bytes, bytes]:
    """Return the bytes of two tokens."""
    return bytes(tokens[left]), bytes(tokens[right])


def encode_word(word: Iterable[int], merges: Sequence[Pair], n_symbols: int = 256) -> list[int]:
    """Return the ids of one word: every merge in turn, in the order of learning."""
    ids = list(word)
    for i, pair in enumerate(merges):
        ids = merge_ids(ids, pair, n_symbols + i)
    return ids


def token_bytes(merges: Sequence[Pair]) -> list[bytes]:
    """Return the bytes of each id."""
    return [bytes(token) for token in token_symbols(merges, 256)]


def token_symbols(merges: Sequence[Pair], n_symbols: int) -> list[tuple[int, ...]]:
    """Return the symbols of each id; of text they are bytes."""
    tokens: list[tuple[int, ...]] = [(symbol,) for symbol in range(n_symbols)]
    for left, right in merges:
        tokens.append(tokens[left] + tokens[right])
    return tokens


def assigned_in_unicode_16(character: str) -> bool:
    """Tell whether Unicode 16.0, which the scanner is frozen at, has the character.

    Other versions, such as the one of the `regex` module, may class later ones differently.
    """
    return category_in_unicode_16(character) != "Cn"


def category_in_unicode_16(character: str) -> str:
    """Return the general category, such as "Lu"."""
    if sys.version_info >= (3, 14):
        import unicodedata
    else:
        import unicodedata2 as unicodedata
    category: str = unicodedata.category(character)
    return category


@cache
def assigned_characters() -> str:
    """Return all that are assigned in Unicode 16.0, but surrogates."""
    characters = map(chr, (*range(0xD800), *range(0xE000, 0x110000)))
    return "".join(filter(assigned_in_unicode_16, characters))


def _is_partial(token: bytes) -> tuple[int, bool]:
    """script_bpe, pretokenize/pretokenizer.py: `_is_partial_seq`, with its types of bytes."""
    kinds = [
        1 if b < 0x80 else 0 if b < 0xC0 else 2 if b < 0xE0 else 3 if b < 0xF0 else 4 for b in token
    ]
    if len(token) > 4:
        return 1, False
    if kinds[0] == 0:
        return 0, True
    if sum(kind > 0 for kind in kinds) > 1:
        return kinds[0], False
    return kinds[0], len(token) != kinds[0]


def filter_allows(rules: MergeFilter) -> Callable[[bytes, bytes], bool]:
    """Return what tells in the plainest way whether two tokens may be joined."""
    return lambda left, right: _allows(rules, left, right)


def _allows(rules: MergeFilter, left: bytes, right: bytes) -> bool:
    made = left + right
    if rules.utf8:
        (kind_l, partial_l), (kind_r, partial_r) = _is_partial(left), _is_partial(right)
        if partial_l != partial_r or (partial_l and (kind_l == 0 or kind_r != 0)):
            return False
    if rules.forbid is not None and regex.search(
        rules.forbid, made.decode("utf-8", "surrogateescape"), regex.DOTALL | regex.VERSION1
    ):
        return False
    final = {token.encode() if isinstance(token, str) else token for token in rules.final}
    if left in final or right in final:
        return False
    if rules.no_colon_space and b": " in made:
        return False
    return rules.max_words is None or len(list(filter(None, made.split(b" ")))) <= rules.max_words
