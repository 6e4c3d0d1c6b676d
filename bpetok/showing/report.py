"""How good one or more tokenizers are on texts, as a table and as a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from bpetok.base.checks import is_one_of, plain, shorten
from bpetok.base.display import show_name, show_size
from bpetok.base.extras import require
from bpetok.counting.words import Words
from bpetok.encoding.codec import Codec
from bpetok.showing.measures import TokenizerReport, measure
from bpetok.showing.pages import Page
from bpetok.showing.report_page import X, curves_of, report_page
from bpetok.showing.report_texts import Texts, count_source, read_excerpt, resolve_sources
from bpetok.showing.verdict import learn_reference, verdict
from bpetok.sources.corpus import Files
from bpetok.sources.reading import Reading

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from rich.console import Group
    from typing_extensions import Unpack


MEASURES = ("bytes per token", "tokens per word")


@dataclass(frozen=True, eq=False, repr=False)
class Report(Page):
    """What `report` returns: one or more tokenizers on the same texts.

    ``str`` and `rich.print` give it as a table, a notebook shows the page that `save` writes.

    Attributes
    ----------
    tokenizers : tuple of TokenizerReport
    reference : TokenizerReport
        A tokenizer learned from these texts, with the pattern and special tokens of the first and
        as many merges as the largest: about what training on such texts can reach. It has fewer
        merges where no pair is left that occurs twice.
    excerpt : bytes
        The beginning of the first text.
    """

    _title: ClassVar[str] = "Report on tokenizers"
    tokenizers: tuple[TokenizerReport, ...]
    reference: TokenizerReport
    excerpt: bytes

    @property
    def verdict(self) -> list[str]:
        """What the numbers say in sentences: how good, where weak, how others compare."""
        return verdict(self.tokenizers, self.reference)

    def rows(self) -> list[tuple[str, list[str]]]:
        """Return what the table shows: a label, and a value for each tokenizer."""
        columns = [_facts(one) for one in self.tokenizers]
        rows = [(label, [column[label] for column in columns]) for label in columns[0]]
        if len(columns) > 1:
            first = self.tokenizers[0]
            shared = [set(first.tokens) & set(one.tokens) for one in self.tokenizers]
            values = [
                f"{len(tokens):,} ({len(tokens) / len(set(one.tokens)):.1%})"
                for tokens, one in zip(shared, self.tokenizers, strict=True)
            ]
            rows.append((f"tokens shared with {first.name}", values))
        return rows

    def to_dicts(self) -> list[dict[str, str | int | float | None]]:
        """Return numbers by tokenizer and source, as a DataFrame takes them.

        Each row has the names of the `tokenizer` and the `source`, "all" for all sources together,
        `n_bytes`, `n_words`, `n_tokens`, `bytes_per_token` and `tokens_per_word`, which are None
        where there is no text. ``pandas.DataFrame(report.to_dicts())`` is a table of them.
        """
        return [
            {
                "tokenizer": one.name,
                "source": source.name,
                "n_bytes": source.n_bytes,
                "n_words": source.n_words,
                "n_tokens": source.n_tokens,
                "bytes_per_token": source.bytes_per_token if source.n_tokens else None,
                "tokens_per_word": source.tokens_per_word if source.n_words else None,
            }
            for one in self.tokenizers
            for source in (*one.sources, one.total)
        ]

    def plot(self, y: str = "bytes per token", ax: Axes | None = None) -> Axes:
        """Plot against vocabulary size how good each tokenizer is, with Matplotlib.

        Parameters
        ----------
        y : {"bytes per token", "tokens per word"}
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default in a new figure of pyplot, which notebooks show.

        Raises
        ------
        MissingExtraError
            If Matplotlib is not installed: ``pip install "bpetok[report]"``.
        ValueError
            If there is no such measure.
        """
        if not is_one_of(y, MEASURES):
            raise ValueError(f"y must be one of {', '.join(map(repr, MEASURES))}, got {shorten(y)}")
        if ax is None:
            ax = require("matplotlib.pyplot", "report").subplots()[1]
        from bpetok.showing.plots import draw_lines

        named = {one.name: (one, one.total) for one in self.tokenizers}
        draw_lines(ax, curves_of(named, y), x=X, y=y)
        if len(named) > 1:
            ax.legend()
        return ax

    def __rich__(self) -> Group:
        from rich.console import Group
        from rich.markup import escape
        from rich.table import Table
        from rich.text import Text

        names = [escape(one.name) for one in self.tokenizers]
        table = Table("", *names, title="Tokenizers on the text")
        for column in table.columns[1:]:
            column.justify = "right"
        for label, values in self.rows():
            table.add_row(label, *map(escape, values))
        return Group(*map(Text, self.verdict), "", table)

    def __repr__(self) -> str:
        names = ", ".join(one.name for one in self.tokenizers)
        return f"<Report on {names}; print it, or save it as a page>"

    def __str__(self) -> str:
        from rich.console import Console

        # In a notebook Rich would show what is captured, too.
        width = 60 + 24 * len(self.tokenizers)
        console = Console(width=width, color_system=None, force_jupyter=False)
        with console.capture() as capture:
            console.print(self)
        plain: str = capture.get()
        return plain.rstrip("\n")

    def to_html(self) -> str:
        """Return a page, whole in itself, with tables and plots.

        Raises
        ------
        MissingExtraError
            If Jinja or Matplotlib is not installed: ``pip install "bpetok[report]"``.
        """
        return report_page(self.tokenizers, self.reference, self.rows(), self.excerpt)


def report(
    tokenizers: Codec | Sequence[Codec] | Mapping[str, Codec],
    files: Files | Mapping[str, Files] | None = None,
    *,
    texts: Texts | Mapping[str, Texts] | None = None,
    n_threads: int | None = None,
    errors: str = "strict",
    **reading: Unpack[Reading],
) -> Report:
    """Return how good one or more tokenizers are on files, or on texts.

    Parameters
    ----------
    tokenizers : Tokenizer, sequence of them, or mapping of names to them
    files : path, URL, table, an iterable of them, or a mapping of names to these, optional
        What to encode, as in `train`. Each name of a mapping is a source that is also looked at
        alone, as a language is; otherwise each file is one, each folder of more than 40 files, or
        all of more than 40 folders. Special tokens in them are boundaries and not counted.
    texts : str, bytes, an iterable of them, or a mapping of names to these, optional
        Texts themselves, instead of `files`; bytes are UTF-8.
    n_threads : int, optional
        For counting words, as in `count_words`.
    errors : {"strict", "replace"}
        What to do with bytes that are not UTF-8, as in `count_words`.
    **reading
        What to take of files: see `bpetok.Reading`.

    Raises
    ------
    TypeError, ValueError
        If there is no tokenizer or no text, a text is of another type, or is not UTF-8.
    FileNotFoundError, IsADirectoryError, PermissionError
        If a path cannot be read as a file.
    """
    named = _named(tokenizers)
    options: dict[str, Any] = {"n_threads": n_threads, "errors": errors}
    sources = resolve_sources(files, texts, reading)
    known: dict[object, list[tuple[str, Words]]] = {}
    reports = []
    for name, tokenizer in named.items():
        changes = json.dumps(tokenizer.normalizer, sort_keys=True), tokenizer.prefix_space
        split = tokenizer.pattern, frozenset(tokenizer.special_tokens), changes
        if split not in known:
            known[split] = [
                (show_name(source), count_source(given, tokenizer, options, reading))
                for source, given in sources.items()
            ]
        reports.append(measure(show_name(name), tokenizer, known[split]))
    first = reports[0].tokenizer
    n_merges = max(one.n_merges for one in reports)
    reference = learn_reference(first, next(iter(known.values())), n_merges)
    excerpt = read_excerpt(next(iter(sources.values())), errors, reading)
    return Report(tuple(reports), reference, excerpt)


def _named(tokenizers: Codec | Sequence[Codec] | Mapping[str, Codec]) -> dict[str, Codec]:
    """Return the tokenizers by name: "tokenizer", or "tokenizer 1" and so on, if they have none."""
    if isinstance(tokenizers, Codec):
        return {"tokenizer": tokenizers}
    given, tokenizers = tokenizers, plain("tokenizers", tokenizers)
    if isinstance(tokenizers, Mapping):
        named = {str(name): one for name, one in tokenizers.items()}
    else:
        listed = tokenizers if isinstance(tokenizers, Sequence) else ()
        named = {f"tokenizer {i}": one for i, one in enumerate(listed, 1)}
    if not named or not all(isinstance(one, Codec) for one in named.values()):
        raise TypeError(
            "tokenizers must be a Tokenizer, a sequence of them or a mapping of names to them, got "
            f"{shorten(given)}"
        )
    return named


def _facts(one: TokenizerReport) -> dict[str, str]:
    """Return what the summary says of a tokenizer, by label."""
    total, n_merges = one.total, max(1, one.n_merges)
    n_variants = sum(map(len, one.variants))
    return {
        "vocabulary": f"{one.tokenizer.vocab_size:,}",
        "pattern": one.tokenizer.pattern,
        "text": f"{show_size(total.n_bytes)}, {total.n_words:,} words",
        "tokens": f"{total.n_tokens:,}",
        "bytes per token": f"{total.bytes_per_token:.3f}",
        "tokens per word": f"{total.tokens_per_word:.3f}",
        "merged tokens never used": f"{len(one.unused):,} ({len(one.unused) / n_merges:.1%})",
        "merged tokens not UTF-8": f"{len(one.not_utf8):,} ({len(one.not_utf8) / n_merges:.1%})",
        "alike but for case or space": f"{n_variants:,} in {len(one.variants):,} groups",
        "longest token": f"{len(one.n_by_length) - 1:,} bytes",
    }
