"""How merges were learned from a small text, step by step.

Nothing is chosen here: the merges come from the learner. Each is applied again to the different
words, and what it changes is written down: where its pair occurs, which counts fall and rise, and
which pair would have been next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from bpetok.base.limits import N_BYTES
from bpetok.base.records import NamedTuple


class PairCount(NamedTuple):
    """A pair of ids, and how often it occurs: words count as often as the text has them."""

    left: int
    right: int
    times: int


class PairChange(NamedTuple):
    """What one merge does to the count of a pair of ids."""

    left: int
    right: int
    before: int
    after: int


class LessonStep(NamedTuple):
    """One merge, as it was learned.

    Attributes
    ----------
    left, right : int
        The ids that it joins; the merge with the number i makes the id 256 + i.
    times : int
        How often the pair occurs in the text.
    runner_up : PairCount or None
        The pair that comes next in the order of the rule; None if no other pair is left.
    n_places : int
        In how many places of the different words the pair occurs: what an update has to look at.
    n_pairs : int
        How many pairs of neighbours the different words have: what a full recount looks at.
    changes : tuple of PairChange
        The counts that fall or rise, the greatest change first.
    n_tokens : int
        How many tokens the text has after it.
    """

    left: int
    right: int
    times: int
    runner_up: PairCount | None
    n_places: int
    n_pairs: int
    changes: tuple[PairChange, ...]
    n_tokens: int


class WordSlots(NamedTuple):
    """Where a word lies in the learner's flat array.

    Attributes
    ----------
    word : int
        The number of the word.
    shard : int
        The shard that owns it: on several threads, each thread works on shards of its own.
    start : int
        The slot of its first byte, counted from the shard's first.
    """

    word: int
    shard: int
    start: int


def tokens_of(steps: Iterable[LessonStep]) -> list[bytes]:
    """Return the bytes of each token, by id."""
    tokens = [bytes([byte]) for byte in range(N_BYTES)]
    for step in steps:
        tokens.append(tokens[step.left] + tokens[step.right])
    return tokens


def replay(
    words: Sequence[tuple[bytes, int]], merges: Iterable[tuple[int, int]]
) -> Iterator[LessonStep]:
    """Yield what each merge does to the words.

    Pair counts are kept as the learner keeps them: counted once, and then changed only in the words
    in which a merge's pair occurs.
    """
    tokens = [list(word) for word, _ in words]
    counts: Counter[tuple[int, int]] = Counter()
    words_with: dict[tuple[int, int], set[int]] = {}
    for number, ids in enumerate(tokens):
        for pair in pairwise(ids):
            counts[pair] += words[number][1]
            words_with.setdefault(pair, set()).add(number)
    n_pairs = sum(len(ids) - 1 for ids in tokens)
    n_tokens = sum(len(ids) * count for ids, (_, count) in zip(tokens, words, strict=True))
    for new_id, pair in enumerate(merges, N_BYTES):
        change: Counter[tuple[int, int]] = Counter()
        best, n_places, n_before = counts[pair], 0, n_pairs
        runner_up = min(counts.keys() - {pair}, key=lambda p: (-counts[p], p), default=None)
        for number in sorted(words_with[pair]):
            count = words[number][1]
            old, new = tokens[number], merged(tokens[number], pair, new_id)
            tokens[number] = new
            n_places += len(old) - len(new)
            n_tokens -= (len(old) - len(new)) * count
            for gone in pairwise(old):
                change[gone] -= count
                words_with[gone].discard(number)
            for made in pairwise(new):
                change[made] += count
                words_with.setdefault(made, set()).add(number)
        n_pairs -= n_places
        yield LessonStep(
            *pair,
            best,
            None if runner_up is None else PairCount(*runner_up, counts[runner_up]),
            n_places,
            n_before,
            _changes(counts, change),
            n_tokens,
        )


def _changes(
    counts: Counter[tuple[int, int]], change: Counter[tuple[int, int]]
) -> tuple[PairChange, ...]:
    """Change the counts of pairs, and return what has changed."""
    changes = []
    for pair, difference in change.items():
        if difference:
            before = counts[pair]
            counts[pair] += difference
            if not counts[pair]:
                del counts[pair]
            changes.append(PairChange(*pair, before, before + difference))
    changes.sort(key=lambda one: (-abs(one.after - one.before), one.left, one.right))
    return tuple(changes)


def merged(ids: Sequence[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """Return the ids with each place of a pair merged, from the left: ``aaa`` becomes ``X a``."""
    result: list[int] = []
    at = 0
    while at < len(ids):
        if ids[at : at + 2] == list(pair):
            result.append(new_id)
            at += 2
        else:
            result.append(ids[at])
            at += 1
    return result
