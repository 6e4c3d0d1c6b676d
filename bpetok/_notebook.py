"""What a notebook shows of a Tokenizer and of Words: a caption and a table, in plain HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from bpetok.vocab import show_bytes

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer
    from bpetok.words import Words

N_ROWS = 8


def tokenizer_html(tokenizer: Tokenizer) -> str:
    """Return the sizes of a tokenizer, and its first and last merges."""
    merges, counts = tokenizer.merges, tokenizer.merge_counts
    n = len(merges)
    ranks = list(range(n)) if n <= N_ROWS else [*range(N_ROWS // 2), *range(n - N_ROWS // 2, n)]
    rows = [
        (f"{rank:,}", *map(show_bytes, merges[rank]), "" if counts is None else f"{counts[rank]:,}")
        for rank in ranks
    ]
    facts = tokenizer.training
    trained = "" if facts is None else f"; {facts.bytes_per_token:.2f} bytes a token in training"
    return _table(repr(tokenizer) + trained, ("rank", "left", "right", "count"), rows)


def words_html(words: Words) -> str:
    """Return how many words there are, and the most frequent ones."""
    best = np.argsort(-words.counts, kind="stable")[:N_ROWS]
    offsets = words.offsets
    rows = [
        (
            show_bytes(words.ids[offsets[i] : offsets[i + 1]].astype(np.uint8).tobytes()),
            f"{words.counts[i]:,}",
        )
        for i in best
    ]
    return _table(repr(words), ("word", "count"), rows)


def _table(caption: str, names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td><code>{escape(cell)}</code></td>" for cell in row) + "</tr>"
        for row in rows
    )
    return (
        f"<div>{escape(caption)}</div><table>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
