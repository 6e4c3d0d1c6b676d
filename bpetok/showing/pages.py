"""HTML pages, whole in themselves: nothing is fetched. Templates stand in `templates/`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

from bpetok.base.display import show_bytes
from bpetok.base.extras import MissingExtraError, require

if TYPE_CHECKING:
    from bpetok.showing.explanation import Explanation, MergeStep

MAX_SHOWN = 48


def check_extra() -> None:
    """Raise a MissingExtraError if what pages are made with is not installed."""
    require("jinja2", "report")
    require("matplotlib", "report")


def render(template: str, **values: Any) -> str:
    """Return a page of a template."""
    jinja2 = require("jinja2", "report")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bpetok.showing"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.filters["bytes"] = _show_bounded
    page: str = environment.get_template(template).render(**values)
    return page


def _show_bounded(token: bytes) -> str:
    text = show_bytes(token)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 20]}… ({len(token)} bytes)"


def framed(title: str, make_page: Callable[[], str]) -> str | None:
    """Return a page as a notebook can show it: in a frame, its styles its own.

    None, so that the notebook shows the text, where what pages are made with is not installed.
    """
    try:
        page = make_page()
    except MissingExtraError:
        return None
    return (
        f'<iframe title="{escape(title)}" srcdoc="{escape(page)}" '
        'style="width:100%;height:40rem;border:0"></iframe>'
    )


def explanation_page(explanation: Explanation) -> str:
    """Return the page in which one steps through the merges of a text."""
    words = explanation.words
    steps: dict[int, list[MergeStep]] = {}
    for word in words:
        for step in word.steps:
            steps.setdefault(step.rank, []).append(step)
    table = [_step_row(steps[rank]) for rank in sorted(steps)]
    number_of = {rank: i for i, rank in enumerate(sorted(steps), 1)}
    never = len(steps) + 1
    starts: list[int] = []
    gone: list[int] = []
    for word in words:
        starts.append(len(gone))
        boundaries = [never] * len(word.word)
        # From the last to the first, so that the step which took a boundary away has the last word.
        for step in reversed(word.steps):
            for start in _inner_bytes(step):
                boundaries[start] = number_of[step.rank]
        gone += boundaries
    times = Counter(word.word for word in words)
    return render(
        "explain.html",
        n_words=len(words),
        n_bytes=explanation.n_bytes,
        n_tokens=len(explanation.ids),
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
            "byteIds": explanation.byte_ids,
        },
    )


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
