"""How good a tokenizer is: numbers about its vocabulary, and about texts that it encodes.

The whole curve of tokens against vocabulary size comes from one encoding. A token says which merges
made it (see `explain`), so the counts of the tokens in a text give how often each merge is applied
in it; and a smaller vocabulary of the same training is the same merges, cut. So with r merges the
text has as many tokens as bytes, less one for each place where one of the first r is applied.
"""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bpetok.base.display import show_size
from bpetok.base.files import check_writable, write_whole
from bpetok.counting.words import Words
from bpetok.encoding.vocab import N_BYTES
from bpetok.showing.report_texts import Texts, count_source, read_excerpt, resolve_sources
from bpetok.sources.reading import Reading
from bpetok.tokenizer import Tokenizer

if TYPE_CHECKING:
    from rich.table import Table
    from typing_extensions import Unpack

Int64: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SourceReport:
    """A text, or several of one source, as a tokenizer encodes them.

    Attributes
    ----------
    name : str
    n_bytes, n_words : int
        Special tokens excluded; words with their repetitions.
    token_counts : int64 array, shape (256 + n_merges,)
        How often each byte and what each merge makes is used, in the order of `merge_pairs`.
    n_tokens_by_merges : int64 array, shape (n_merges + 1,)
        How many tokens there are with the first r merges only, for each r.
    """

    name: str
    n_bytes: int
    n_words: int
    token_counts: Int64
    n_tokens_by_merges: Int64

    @property
    def n_tokens(self) -> int:
        """The number of tokens with all merges."""
        return int(self.n_tokens_by_merges[-1])

    @property
    def bytes_per_token(self) -> float:
        """How many bytes of text a token stands for; more is better. NaN without text."""
        return self.n_bytes / self.n_tokens if self.n_tokens else math.nan

    @property
    def tokens_per_word(self) -> float:
        """Into how many tokens a word falls, or fertility; 1 is the least. NaN without text."""
        return self.n_tokens / self.n_words if self.n_words else math.nan


@dataclass(frozen=True, eq=False)
class TokenizerReport:
    """What is to be known of one tokenizer; ids are those of the tokenizer.

    Attributes
    ----------
    name : str
    tokenizer : Tokenizer
    sources : tuple of SourceReport
    total : SourceReport
        All sources together.
    """

    name: str
    tokenizer: Tokenizer
    sources: tuple[SourceReport, ...]
    total: SourceReport

    @cached_property
    def tokens(self) -> list[bytes]:
        """The bytes of each ordinary token, in the order of `merge_pairs`."""
        return list(map(self.tokenizer.token_bytes, self._ids))

    @cached_property
    def _ids(self) -> list[int]:
        return list(self.tokenizer.token_ids.tolist())

    @property
    def n_merges(self) -> int:
        """The number of merges."""
        return len(self._ids) - N_BYTES

    @property
    def vocab_sizes(self) -> Int64:
        """The vocabulary with the first r merges, for each r: int64, shape (n_merges + 1,)."""
        return np.arange(self.n_merges + 1) + N_BYTES + len(self.tokenizer.special_tokens)

    @cached_property
    def unused(self) -> list[int]:
        """Ids of merged tokens that the texts never use."""
        counts = self.total.token_counts
        return [self._ids[i] for i in np.flatnonzero(counts == 0).tolist() if i >= N_BYTES]

    def rare(self, n: int) -> list[tuple[int, int]]:
        """Return the `n` merged tokens that are used least, but used: (id, count)."""
        counts = self.total.token_counts
        order = np.argsort(counts, kind="stable")
        used = order[(counts[order] > 0) & (order >= N_BYTES)][:n]
        return [(self._ids[i], int(counts[i])) for i in used.tolist()]

    @cached_property
    def n_by_length(self) -> Int64:
        """The number of ordinary tokens of each length in bytes: int64, from length 0."""
        return np.bincount([len(token) for token in self.tokens])

    def longest(self, n: int) -> list[int]:
        """Return the ids of the `n` longest tokens."""
        order = sorted(range(len(self.tokens)), key=lambda i: -len(self.tokens[i]))
        return [self._ids[i] for i in order[:n]]

    @cached_property
    def not_utf8(self) -> list[int]:
        """Ids of merged tokens that are no whole characters: parts of them, or more than some."""
        return [
            self._ids[i]
            for i, token in enumerate(self.tokens)
            if i >= N_BYTES and _decoded(token) is None
        ]

    @cached_property
    def variants(self) -> list[list[int]]:
        """Ids of tokens alike but for case or a leading space, in groups, the largest first."""
        groups: dict[str, list[int]] = defaultdict(list)
        for token_id, token in zip(self._ids, self.tokens, strict=True):
            text = _decoded(token)
            if text is not None and (core := text.removeprefix(" ")):
                groups[core.casefold()].append(token_id)
        return sorted((group for group in groups.values() if len(group) > 1), key=lambda g: -len(g))


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """What `report` returns: one or more tokenizers on the same texts.

    ``str`` and `rich.print` give it as a table, a notebook shows the page that `save` writes.

    Attributes
    ----------
    tokenizers : tuple of TokenizerReport
    excerpt : bytes
        The beginning of the first text.
    """

    tokenizers: tuple[TokenizerReport, ...]
    excerpt: bytes

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

    def __rich__(self) -> Table:
        from rich.markup import escape
        from rich.table import Table

        names = [escape(one.name) for one in self.tokenizers]
        table = Table("", *names, title="Tokenizers on the text")
        for column in table.columns[1:]:
            column.justify = "right"
        for label, values in self.rows():
            table.add_row(label, *map(escape, values))
        return table

    def __repr__(self) -> str:
        names = ", ".join(one.name for one in self.tokenizers)
        return f"<Report on {names}; print it, or save it as a page>"

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=60 + 24 * len(self.tokenizers), color_system=None)
        with console.capture() as capture:
            console.print(self)
        plain: str = capture.get()
        return plain.rstrip("\n")

    def _repr_html_(self) -> str | None:
        from bpetok.showing import pages

        return pages.framed("Report on tokenizers", self.to_html)

    def to_html(self) -> str:
        """Return a page, whole in itself, with tables and plots.

        Raises
        ------
        MissingExtraError
            If Jinja or Matplotlib is not installed: ``pip install "bpetok[report]"``.
        """
        from bpetok.showing.report_page import report_page

        return report_page(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page of `to_html` to a file, whole or not at all.

        Raises
        ------
        OSError
            If the folder does not exist or can't be written to, or `path` is a folder.
        MissingExtraError
            As `to_html`.
        """
        check_writable(path)
        write_whole(path, self.to_html().encode())


def report(
    tokenizers: Tokenizer | Mapping[str, Tokenizer],
    texts: Texts | Mapping[str, Texts],
    *,
    n_threads: int | None = None,
    errors: str = "strict",
    **reading: Unpack[Reading],
) -> Report:
    """Return how good one or more tokenizers are on texts.

    Parameters
    ----------
    tokenizers : Tokenizer, or mapping of names to Tokenizer
    texts : str, bytes, Path, an iterable of them, or a mapping of names to these
        What to encode: str or bytes are texts, in UTF-8, a Path is a file. Each name of a mapping
        is a source that is also looked at alone, as a language is; otherwise each file is one, each
        folder of more than 40 files, or all of more than 40 folders.
        Special tokens in them are boundaries and not counted.
    n_threads : int, optional
        For counting words, as in `count_words`.
    errors : {"strict", "replace"}
        What to do with bytes that are not UTF-8, as in `count_words`.
    **reading
        What to take of files, as in `train`.

    Raises
    ------
    TypeError, ValueError
        If there is no tokenizer or no text, a text is of another type, or is not UTF-8.
    FileNotFoundError, IsADirectoryError, PermissionError
        If a path cannot be read as a file.
    """
    named = {"tokenizer": tokenizers} if isinstance(tokenizers, Tokenizer) else dict(tokenizers)
    if not named or not all(isinstance(one, Tokenizer) for one in named.values()):
        raise TypeError(f"tokenizers must be a Tokenizer or a mapping to them, got {tokenizers!r}")
    options: dict[str, Any] = {"n_threads": n_threads, "errors": errors}
    sources = resolve_sources(texts)
    known: dict[object, list[tuple[str, Words]]] = {}
    reports = []
    for name, tokenizer in named.items():
        split = tokenizer.pattern, frozenset(tokenizer.special_tokens)
        if split not in known:
            known[split] = [
                (source, count_source(given, tokenizer, options, reading))
                for source, given in sources.items()
            ]
        reports.append(_report_one(name, tokenizer, known[split]))
    return Report(tuple(reports), read_excerpt(next(iter(sources.values()))[0], errors, reading))


def _report_one(
    name: str, tokenizer: Tokenizer, sources: Sequence[tuple[str, Words]]
) -> TokenizerReport:
    reports = tuple(_source_report(source, tokenizer, words) for source, words in sources)
    total = SourceReport(
        "all",
        sum(one.n_bytes for one in reports),
        sum(one.n_words for one in reports),
        np.sum([one.token_counts for one in reports], axis=0),
        np.sum([one.n_tokens_by_merges for one in reports], axis=0),
    )
    if total.n_words == 0:
        raise ValueError("texts must have at least one word, but there is no text in them")
    return TokenizerReport(name, tokenizer, reports, total)


def _source_report(name: str, tokenizer: Tokenizer, words: Words) -> SourceReport:
    counts = _count_tokens(tokenizer, words)
    curve = _tokens_by_merges(tokenizer, counts, words.n_bytes)
    return SourceReport(name, words.n_bytes, words.total, counts, curve)


def _count_tokens(tokenizer: Tokenizer, words: Words) -> Int64:
    """Return how often each byte and merge is used, by its number."""
    numbers = np.empty(tokenizer.vocab_size, np.int64)
    numbers[tokenizer.token_ids] = np.arange(len(tokenizer.token_ids))
    ids: list[int] = []
    lengths = []
    for word, _ in words:
        found = tokenizer._encode_word(word)
        ids += found
        lengths.append(len(found))
    counts = np.zeros(len(tokenizer.token_ids), np.int64)
    np.add.at(counts, numbers[ids], np.repeat(words.counts, lengths))
    return counts


def _tokens_by_merges(tokenizer: Tokenizer, token_counts: Int64, n_bytes: int) -> Int64:
    """Return how many tokens there are with the first r merges, for each r."""
    made = token_counts.tolist()
    pairs = tokenizer.merge_pairs.tolist()
    for rank in range(len(pairs) - 1, -1, -1):
        left, right = pairs[rank]
        times = made[N_BYTES + rank]
        made[left] += times
        made[right] += times
    return n_bytes - np.concatenate([[0], np.cumsum(np.array(made[N_BYTES:], np.int64))])


def _decoded(token: bytes) -> str | None:
    try:
        return token.decode()
    except UnicodeDecodeError:
        return None


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
