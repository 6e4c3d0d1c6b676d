"""The page of a report: what its template shows, and the plots."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bpetok.base.version import __version__
from bpetok.showing.measures import SourceReport, TokenizerReport
from bpetok.showing.pages import check_extra, render
from bpetok.showing.verdict import excess, verdict

X = "vocabulary size"
N_POINTS = 200
"""Points of a curve: more can't be seen."""
N_LINES = 8
"""Most sources in one plot."""
N_SHOWN = 200
N_RARE = 60
N_LONGEST = 30
MAX_SHOWN_LENGTH = 24
"""Longer tokens share a bar."""


def report_page(
    tokenizers: Sequence[TokenizerReport],
    reference: TokenizerReport,
    rows: list[tuple[str, list[str]]],
    excerpt: bytes,
) -> str:
    """Return the page of a report.

    Parameters
    ----------
    tokenizers : sequence of TokenizerReport
        On the same sources.
    reference : TokenizerReport
        Learned from these: see `verdict`.
    rows : list of (label, value for each tokenizer)
        The summary.
    excerpt : bytes
        The beginning of the text, which is shown cut into tokens.
    """
    check_extra()
    from bpetok.showing import plots

    totals = {one.name: (one, one.total) for one in (*tokenizers, reference)}
    n_sources = len(tokenizers[0].sources)
    first = tokenizers[0]
    largest = sorted(first.sources, key=lambda source: -source.n_bytes)[:N_LINES]
    by_source = {source.name: (first, source) for source in largest if source.n_words}
    lengths = {one.name: _lengths(one) for one in tokenizers}
    figures = {
        "bytes_per_token": _curves(totals, "bytes per token"),
        "tokens_per_word": _curves(totals, "tokens per word"),
        "sources": _curves(by_source, "bytes per token") if n_sources > 1 else None,
        "lengths": _data_uri(
            plots.bars(lengths, x="length in bytes", y="tokens", last_is_more=_is_cut(tokenizers))
        ),
    }
    return render(
        "report.html",
        verdict=verdict(tokenizers, reference),
        tokenizers=[_values(one, reference, excerpt) for one in tokenizers],
        sources=[source.name for source in first.sources],
        rows=rows,
        plots=figures,
        n_plotted=len(by_source),
        cut_lengths=_is_cut(tokenizers),
        n_shown=N_SHOWN,
        version=__version__,
    )


def _values(one: TokenizerReport, reference: TokenizerReport, excerpt: bytes) -> dict[str, Any]:
    ids = one.tokenizer.encode(excerpt, allowed_special="all")
    return {
        "name": one.name,
        "tokenizer": one.tokenizer,
        "n_merges": one.n_merges,
        "sources": one.sources,
        "excess": [
            excess(source, known, one.n_merges)
            for source, known in zip(one.sources, reference.sources, strict=True)
        ],
        "sizes": [_at_size(one, n_merges) for n_merges in _round_sizes(one)],
        "excerpt": list(map(one.tokenizer.token_bytes, ids)),
        "unused": one.unused,
        "rare": one.rare(N_RARE),
        "longest": one.longest(N_LONGEST),
        "not_utf8": one.not_utf8,
        "variants": one.variants,
        "training": _training(one),
    }


def _round_sizes(one: TokenizerReport) -> list[int]:
    """Return numbers of merges that make vocabularies of 512, 1,024, ..., and all merges."""
    sizes = [1 << power for power in range(9, 31) if 1 << power < one.vocab_sizes[-1]]
    fitting = [size - int(one.vocab_sizes[0]) for size in sizes]
    return [n for n in fitting if n > 0] + [one.n_merges]


def _at_size(one: TokenizerReport, n_merges: int) -> dict[str, Any]:
    n_tokens = int(one.total.n_tokens_by_merges[n_merges])
    return {
        "vocab_size": int(one.vocab_sizes[n_merges]),
        "n_tokens": n_tokens,
        "bytes_per_token": one.total.n_bytes / n_tokens,
        "tokens_per_word": n_tokens / one.total.n_words,
    }


def _curves(named: dict[str, tuple[TokenizerReport, SourceReport]], y: str) -> str:
    from bpetok.showing import plots

    return _data_uri(plots.lines(curves_of(named, y), x=X, y=y))


def curves_of(
    named: Mapping[str, tuple[TokenizerReport, SourceReport]], y: str
) -> dict[str, tuple[list[float], list[float]]]:
    """Return by name the vocabulary sizes, and "bytes per token" or "tokens per word" with each."""
    curves = {}
    for name, (one, source) in named.items():
        picked = np.unique(np.geomspace(1, one.n_merges + 1, N_POINTS).astype(np.int64) - 1)
        n_tokens = source.n_tokens_by_merges[picked]
        ys = source.n_bytes / n_tokens if y == "bytes per token" else n_tokens / source.n_words
        curves[name] = one.vocab_sizes[picked].tolist(), ys.tolist()
    return curves


def _lengths(one: TokenizerReport) -> list[int]:
    shown = one.n_by_length[:MAX_SHOWN_LENGTH].tolist()
    return [*shown, int(one.n_by_length[MAX_SHOWN_LENGTH:].sum())]


def _is_cut(tokenizers: Sequence[TokenizerReport]) -> bool:
    return any(len(one.n_by_length) > MAX_SHOWN_LENGTH + 1 for one in tokenizers)


def _training(one: TokenizerReport) -> list[tuple[str, str]]:
    facts, counts = one.tokenizer.training, one.tokenizer.merge_counts
    rows = []
    if facts is not None:
        rows = [
            ("text", f"{facts.n_bytes:,} bytes"),
            ("words", f"{facts.n_words:,}"),
            ("different words", f"{facts.n_unique_words:,}"),
            ("tokens of the text", f"{facts.n_tokens:,}"),
            ("bytes per token", f"{facts.bytes_per_token:.3f}"),
            ("min_frequency", f"{facts.min_frequency:,}"),
            ("trained by", f"bpetok {facts.version}"),
            *((f"time to {phase}", f"{s:.2f} s") for phase, s in facts.seconds.items()),
        ]
    rows.append(("merges", f"{one.n_merges:,}"))
    if counts is not None and len(counts):
        rows.append(("count of the first merge", f"{counts[0]:,}"))
        rows.append(("count of the last merge", f"{counts[-1]:,}"))
    return rows if facts is not None or counts is not None else []


def _data_uri(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()
