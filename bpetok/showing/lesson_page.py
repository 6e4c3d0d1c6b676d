"""The page of a lesson. Python computes all of it; the page only shows."""

from __future__ import annotations

import base64
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bpetok.base.display import show_bytes
from bpetok.base.limits import N_BYTES
from bpetok.showing.lesson_steps import LessonStep, WordSlots, tokens_of
from bpetok.showing.lesson_texts import TEXTS
from bpetok.showing.pages import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_CHANGES = 24
"""Changed counts that are shown of one step."""


def lesson_page(
    counts: Sequence[tuple[bytes, int]],
    steps: Sequence[LessonStep],
    rounds: Sequence[int],
    slots: Sequence[WordSlots],
    *,
    notes: Sequence[str],
    lang: str,
) -> str:
    """Return the page in which one steps through a training: see `Lesson`.

    Parameters
    ----------
    counts : sequence of (bytes, int)
        The different words and their counts.
    """
    texts = TEXTS[lang]
    names = [show_bytes(token) for token in tokens_of(steps)]
    words = [word for word, _ in counts]
    n_bytes = sum(len(word) * count for word, count in counts)
    return render(
        "lesson.html",
        lang="zh-Hans" if lang == "zh" else "en",
        t=texts,
        intro=texts["intro"].format(f"{n_bytes:,}", f"{len(words):,}", f"{len(steps):,}"),
        notes=notes,
        rows=[
            (number, names[step.left], names[step.right], names[N_BYTES + number - 1], step)
            for number, step in enumerate(steps, 1)
        ],
        data={
            "t": texts,
            "names": names,
            "bytes": base64.b64encode(b"".join(words)).decode(),
            "lengths": list(map(len, words)),
            "counts": [count for _, count in counts],
            "closed": ",".join(_closings(words, steps)),
            "steps": [_step(step) for step in steps],
            "rounds": _rounds(steps, rounds),
            "slots": slots,
            "nBytes": n_bytes,
        },
    )


def _step(step: LessonStep) -> list[Any]:
    shown = step.changes[:MAX_CHANGES]
    return [
        step.left,
        step.right,
        step.times,
        step.runner_up,
        step.n_places,
        step.n_pairs,
        [number for change in shown for number in change],
        len(step.changes) - len(shown),
        step.n_tokens,
    ]


def _closings(words: Sequence[bytes], steps: Sequence[LessonStep]) -> list[str]:
    """Return, for each byte of each word, which merge joins it to the byte before it.

    Merges count from 1; the text is empty where none does, as for the first byte of a word.
    """
    number_of = {(step.left, step.right): number for number, step in enumerate(steps, 1)}
    return [text for word in words for text in _word_closings(word, number_of)]


def _word_closings(word: bytes, number_of: Mapping[tuple[int, int], int]) -> list[str]:
    ids, starts = list(word), list(range(len(word)))
    closed = [""] * len(word)
    never = len(number_of) + 1
    while True:
        numbers = [number_of.get(pair, never) for pair in pairwise(ids)]
        first = min(numbers, default=never)
        if first == never:
            return closed
        at = numbers.index(first)
        closed[starts.pop(at + 1)] = str(first)
        ids[at : at + 2] = [N_BYTES + first - 1]


def _rounds(steps: Sequence[LessonStep], rounds: Sequence[int]) -> list[tuple[int, str, int]]:
    """Return for each round its last merge, why the next merge is not in it, and for which id."""
    result = []
    for first, last in pairwise([0, *rounds]):
        if last == len(steps):
            result.append((last, "round_last", -1))
            continue
        pair = steps[last].left, steps[last].right
        made = range(N_BYTES + first, N_BYTES + last)
        batch = steps[first:last]
        new = [token for token in pair if token in made]
        shared = [pair[0]] if any(step.right == pair[0] for step in batch) else []
        shared += [pair[1]] if any(step.left == pair[1] for step in batch) else []
        if new:
            result.append((last, "round_new", new[0]))
        elif shared:
            result.append((last, "round_chain", shared[0]))
        else:
            result.append((last, "round_other", -1))
    return result
