"""Why two merge lists part: both pairs are counted in the corpus after the merges in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.byte_level import CHARACTERS
from benchmarks.interface import Cuts, Ties
from benchmarks.merges import Merge, encode, first_difference

Words = Mapping[bytes, int]
"""Distinct words with their counts, in the order in which they are first seen."""


@dataclass(frozen=True)
class Learned:
    """A merge list, and by which rules its trainer says it goes."""

    merges: Sequence[Merge]
    cuts: Cuts
    ties: Ties


@dataclass(frozen=True)
class Difference:
    """Where two merge lists part: the first index, both merges there, and why."""

    index: int
    pairs: tuple[Merge, Merge]
    kind: str
    why: str


@dataclass(frozen=True)
class CorpusWords:
    """The corpus as words, for each way of cutting it; made when asked for."""

    by_cut: Mapping[Cuts, Callable[[], Words]]

    def cut(self, cuts: Cuts) -> Words:
        """Give the words of a trainer that cuts so."""
        return self.by_cut[cuts]()


def compare(first: Learned, second: Learned, words: CorpusWords) -> Difference | None:
    """Compare two lists; None where they are equal."""
    index = first_difference(first.merges, second.merges)
    if index is None:
        return None
    ends = [each.merges[index] if index < len(each.merges) else () for each in (first, second)]
    pairs = (ends[0], ends[1])
    if () in pairs:
        why = f"{len(first.merges):,} merges against {len(second.merges):,}"
        return Difference(index, pairs, "number of merges", why)
    if second.cuts == "own" or any(len(pair) != 2 for pair in pairs):
        return Difference(index, pairs, "splitting", "words by a rule of its own")
    return Difference(index, pairs, *_reason(first, second, index, words))


def _reason(first: Learned, second: Learned, index: int, words: CorpusWords) -> tuple[str, str]:
    """Give the kind of a difference and the numbers that show it."""
    merged, pairs = first.merges[:index], (first.merges[index], second.merges[index])
    counts = [
        [count_pair(words.cut(each.cuts), merged, pair) for pair in pairs]
        for each in (first, second)
    ]
    (usual, other), (its_usual, its_other) = counts
    if usual == other and its_usual == its_other:
        return _tie(second.ties, pairs, merged, words.cut(second.cuts), other)
    if first.cuts != second.cuts and its_other >= its_usual:
        where = {"texts": "whole texts", "lines": "lines cut alone", "files": "texts joined"}
        told = f"they occur {usual:,} and {other:,} times in {where[first.cuts]}"
        return "splitting", f"{told}, {its_usual:,} and {its_other:,} in {where[second.cuts]}"
    apart = [count_pair(words.cut(second.cuts), merged, pair, overlaps=False) for pair in pairs]
    if apart[1] >= apart[0]:
        told = (
            f"without overlaps (aaa holds aa once) they occur {apart[0]:,} and {apart[1]:,} times"
        )
        return "counting", f"{told}, otherwise {its_usual:,} and {its_other:,}"
    return (
        "unexplained",
        f"they occur {its_usual:,} and {its_other:,} times, yet it takes the second",
    )


def _tie(
    ties: Ties, pairs: tuple[Merge, Merge], merged: Sequence[Merge], words: Words, count: int
) -> tuple[str, str]:
    both = f"both occur {count:,} times"
    if ties == "unknown":
        return "tie rule", f"{both}; its rule isn't known to us"
    if not TIE_RULES[ties](pairs[1], pairs[0], merged, words):
        return "unexplained", f"{both}, and its rule ({RULES_SAID[ties]}) would take the first"
    return (
        "byte order" if ties == "byte order" else "tie rule",
        f"{both}; it takes {RULES_SAID[ties]}",
    )


def count_pair(words: Words, merged: Sequence[Merge], pair: Merge, overlaps: bool = True) -> int:
    """Count a pair of tokens over all words after some merges."""
    found = _occurrences(words, merged, pair)
    return sum(n * len(places if overlaps else _apart(places)) for _, places, n in found)


def _apart(places: Sequence[int]) -> list[int]:
    """Keep the places that don't overlap the one kept before."""
    kept: list[int] = []
    for place in places:
        if not kept or place > kept[-1] + 1:
            kept.append(place)
    return kept


def _occurrences(
    words: Words, merged: Sequence[Merge], pair: Merge
) -> list[tuple[int, list[int], int]]:
    """Give (index of the word, places in it, count of the word) for the words that hold a pair."""
    ranks = {merge: rank for rank, merge in reversed(list(enumerate(merged)))}
    spelled = b"".join(pair)
    found = []
    for number, (word, n) in enumerate(words.items()):
        if spelled in word:
            parts = encode(word, ranks.get)
            places = [i for i, both in enumerate(pairwise(parts)) if both == pair]
            if places:
                found.append((number, places, n))
    return found


def _ids(pair: Merge, merged: Sequence[Merge], alphabet: Sequence[int]) -> list[int]:
    ids = {bytes([byte]): i for i, byte in enumerate(alphabet)}
    for rank, merge in enumerate(merged):
        ids.setdefault(b"".join(merge), 256 + rank)
    return [ids[token] for token in pair]


def _smaller_raw(chosen: Merge, other: Merge, merged: Sequence[Merge], words: Words) -> bool:
    return _ids(chosen, merged, range(256)) < _ids(other, merged, range(256))


def _smaller_moved(chosen: Merge, other: Merge, merged: Sequence[Merge], words: Words) -> bool:
    alphabet = sorted(CHARACTERS, key=lambda byte: CHARACTERS[byte])
    return _ids(chosen, merged, alphabet) < _ids(other, merged, alphabet)


def _seen_first(chosen: Merge, other: Merge, merged: Sequence[Merge], words: Words) -> bool:
    first, second = (_occurrences(words, merged, pair)[:1] for pair in (chosen, other))
    return [(i, places[0]) for i, places, _ in first] < [(i, places[0]) for i, places, _ in second]


Rule = Callable[[Merge, Merge, Sequence[Merge], Words], bool]
TIE_RULES: dict[Ties, Rule] = {
    "raw ids": _smaller_raw,
    "byte order": _smaller_moved,
    "seen first": _seen_first,
}
"""For each rule: does it take the first of two equally frequent pairs?"""

RULES_SAID: dict[Ties, str] = {
    "raw ids": "the smallest pair of ids, bytes in order",
    "byte order": "the smallest pair of ids, bytes in Hugging Face's order",
    "seen first": "the pair seen first",
}


def count_words(texts: Iterable[str], pattern: str) -> Counter[bytes]:
    """Count words with the ``regex`` module, in first-seen order."""
    import regex

    find = regex.compile(pattern).findall
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(find(text))
    return Counter({word.encode(): n for word, n in counts.items()})
