"""The page of an explanation: what its template shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bpetok.base.display import show_bytes
from bpetok.showing.pages import render
from bpetok.showing.steps import ExplainedWord, MergeStep


def explanation_page(words: Sequence[ExplainedWord], byte_ids: Sequence[int]) -> str:
    """Return the page in which one steps through the merges of a text.

    Parameters
    ----------
    words : sequence of ExplainedWord
        All words of the text, in order.
    byte_ids : sequence of int
        The id of each of the 256 bytes.
    """
    steps: dict[int, list[MergeStep]] = {}
    for word in words:
        for step in word.steps:
            steps.setdefault(step.rank, []).append(step)
    table = [_step_row(steps[rank]) for rank in sorted(steps)]
    starts, gone = _boundaries(words, {rank: i for i, rank in enumerate(sorted(steps), 1)})
    times = Counter(word.word for word in words)
    return render(
        "explain.html",
        n_words=len(words),
        n_bytes=sum(len(word.word) for word in words),
        n_tokens=sum(len(word.ids) for word in words),
        steps=table,
        words=[
            {
                "text": show_bytes(word.word),
                "times": times[word.word],
                "tokens": list(map(show_bytes, word.tokens)),
                "ids": word.ids,
                "is_special": word.is_special,
            }
            for word in {word.word: word for word in words}.values()
        ],
        data={
            "bytes": list(b"".join(word.word for word in words)),
            "starts": starts,
            "special": [word.ids[0] if word.is_special else -1 for word in words],
            "gone": gone,
            "steps": table,
            "byteIds": byte_ids,
        },
    )


def _boundaries(
    words: Sequence[ExplainedWord], number_of: Mapping[int, int]
) -> tuple[list[int], list[int]]:
    """Return where each word starts, and which step joins each byte to the one before it.

    The number of a step is that of its rank in `number_of`; one more than all where none does.
    """
    starts: list[int] = []
    gone: list[int] = []
    for word in words:
        starts.append(len(gone))
        boundaries = [len(number_of) + 1] * len(word.word)
        # From the last to the first: the first step that took a boundary away is written last.
        for step in reversed(word.steps):
            for start in _inner_bytes(step):
                boundaries[start] = number_of[step.rank]
        gone += boundaries
    return starts, gone


def _step_row(steps: list[MergeStep]) -> dict[str, Any]:
    first = steps[0]
    return {
        "rank": first.rank,
        "count": first.count,
        "left": show_bytes(first.left),
        "right": show_bytes(first.right),
        "made": show_bytes(first.left + first.right),
        "id": first.token_id,
        "places": sum(len(step.made) for step in steps),
    }


def _inner_bytes(step: MergeStep) -> list[int]:
    """Return where in the word the tokens that a step has made have a byte before them."""
    starts = [0]
    for token in step.tokens:
        starts.append(starts[-1] + len(token))
    return [at for i in step.made for at in range(starts[i] + 1, starts[i + 1])]
