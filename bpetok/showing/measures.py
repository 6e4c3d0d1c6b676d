"""Measures of a tokenizer: numbers about its vocabulary, and about texts that it encodes.

The whole curve of tokens against vocabulary size comes from one encoding. A token says which merges
made it (see `steps`), so the counts of the tokens in a text give how often each merge is applied
in it; and a smaller vocabulary of the same training is the same merges, cut. So with the first r
merges the text has one token more for each place where one of the others is applied.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bpetok.base.array_types import Int64
from bpetok.base.limits import N_BYTES
from bpetok.counting.words import Words
from bpetok.encoding.pruning import by_number, count_ids

if TYPE_CHECKING:
    from bpetok.encoding.codec import Codec


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
        """How many bytes of text a token has on average; more is better. NaN without text."""
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
    tokenizer : Codec
    sources : tuple of SourceReport
    total : SourceReport
        All sources together.
    ids, tokens : list of int, list of bytes
        The id and the bytes of each ordinary token, in the order of `merge_pairs`; a byte without
        an id is none.
    unused : list of int
        Ids of merged tokens that the texts never use.
    n_by_length : int64 array
        The number of ordinary tokens of each length in bytes, from length 0.
    not_utf8 : list of int
        Ids of merged tokens that are no whole characters: parts of them, or more than some.
    variants : list of list of int
        Ids of tokens alike but for case or a leading space, in groups, the largest first.
    """

    name: str
    tokenizer: Codec
    sources: tuple[SourceReport, ...]
    total: SourceReport
    ids: list[int]
    tokens: list[bytes]
    unused: list[int]
    n_by_length: Int64
    not_utf8: list[int]
    variants: list[list[int]]

    @property
    def n_merges(self) -> int:
        """The number of merges."""
        return len(self.tokenizer.merge_pairs)

    @property
    def vocab_sizes(self) -> Int64:
        """The vocabulary with the first r merges, for each r: int64, shape (n_merges + 1,)."""
        return np.arange(self.n_merges + 1) + N_BYTES + len(self.tokenizer.special_tokens)

    def rare(self, n: int) -> list[tuple[int, int]]:
        """Return the `n` merged tokens that are used least, but used: (id, count)."""
        counts = self.total.token_counts
        order = np.argsort(counts, kind="stable")
        used = order[(counts[order] > 0) & (order >= N_BYTES)][:n]
        ids = self.tokenizer.token_ids
        return [(int(ids[i]), int(counts[i])) for i in used.tolist()]

    def longest(self, n: int) -> list[int]:
        """Return the ids of the `n` longest tokens."""
        known = zip(self.ids, self.tokens, strict=True)
        return [i for i, _ in sorted(known, key=lambda token: -len(token[1]))[:n]]


def measure(name: str, tokenizer: Codec, sources: Sequence[tuple[str, Words]]) -> TokenizerReport:
    """Return what is to be known of a tokenizer, on the words of some sources."""
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
    all_ids: list[int] = tokenizer.token_ids.tolist()
    known = [(i, tokenizer.token_bytes(i)) for i in all_ids if i >= 0]
    tokens = [token for _, token in known]
    return TokenizerReport(
        name,
        tokenizer,
        reports,
        total,
        ids=[i for i, _ in known],
        tokens=tokens,
        unused=[
            all_ids[i] for i in np.flatnonzero(total.token_counts == 0).tolist() if i >= N_BYTES
        ],
        n_by_length=np.bincount([len(token) for token in tokens]),
        not_utf8=[i for i, token in known if len(token) > 1 and _decoded(token) is None],
        variants=_variants(known),
    )


def _variants(known: Sequence[tuple[int, bytes]]) -> list[list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for token_id, token in known:
        text = _decoded(token)
        if text is not None and (core := text.removeprefix(" ")):
            groups[core.casefold()].append(token_id)
    return sorted((group for group in groups.values() if len(group) > 1), key=lambda g: -len(g))


def _source_report(name: str, tokenizer: Codec, words: Words) -> SourceReport:
    by_id = count_ids(tokenizer, words)
    counts = by_number(tokenizer, by_id)
    curve = int(by_id.sum()) + _left_out(tokenizer, counts)
    return SourceReport(name, words.n_bytes, words.total, counts, curve)


def _left_out(tokenizer: Codec, token_counts: Int64) -> Int64:
    """Return how many more tokens there are with the first r merges only, for each r."""
    made = token_counts.tolist()
    pairs = tokenizer.merge_pairs.tolist()
    for rank in range(len(pairs) - 1, -1, -1):
        left, right = pairs[rank]
        times = made[N_BYTES + rank]
        made[left] += times
        made[right] += times
    applied = np.array(made[N_BYTES:], np.int64)
    return np.concatenate([np.cumsum(applied[::-1])[::-1], np.zeros(1, np.int64)])


def _decoded(token: bytes) -> str | None:
    try:
        return token.decode()
    except UnicodeDecodeError:
        return None
