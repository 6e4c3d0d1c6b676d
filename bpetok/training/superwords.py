"""Superwords: tokens of several words, learned after those within words (SuperBPE).

Liu, Hayase, Hofmann, Oh, Smith and Choi (2025). Two trainings, one after the other: the ordinary
one, then one on whole lines, which begins with the merges of the first and passes over pairs as the
authors' trainer does (alisawuffles/tokenizers-superbpe, `do_train_extend` in trainer.rs).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast

import numpy as np

from bpetok.base.array_types import Int32
from bpetok.base.checks import check_bool, check_integer, is_one_of, shorten
from bpetok.base.limits import N_BYTES
from bpetok.base.records import NamedTuple
from bpetok.counting.count import CountJob
from bpetok.counting.memory import RareWords
from bpetok.counting.options import CountOptions
from bpetok.learning.rule import MergeFilter, Merges, Rule
from bpetok.patterns.builtin import check_pattern, steps_of_pattern
from bpetok.patterns.chains import Pattern
from bpetok.sources.reading import NullTexts, Reading, check_reading

LINES = (r"\n", "merged_with_previous")
"""The step of a pattern that ends a word after each line."""


class Superwords(NamedTuple):
    """Tokens of several words: stage 2 of a training, on whole lines.

    Stage 1 is the ordinary training. Then the text is read again, line by line, and split by
    another pattern; what that does not match is a word, too, so that most words are whole lines.
    Learning goes on from the merges of stage 1. The tokenizer has the pattern of stage 2, and all
    merges of both stages. So it has merges of stage 1 that stage 2's words never need, such as that
    of " 2" with a pattern that splits numbers from spaces. The authors' trainer leaves out those
    that have no place in the text of stage 2: `unused="drop"` does.

    Attributes
    ----------
    start : int
        The ids of stage 1: 256 bytes and its merges. Special tokens are not among them: they come
        after all merges.
    pattern : str or list
        How lines are split.
    max_words : int or None
        No token of stage 2 has more words, which are what is between spaces.
    colon_space : bool
        Whether a token may have ``:`` before a space; not in the authors' trainer.
    unused : {"keep", "drop"}
        What becomes of merges of stage 1 that make no token of the text of stage 2. Where they are
        dropped there are as many more merges of stage 2.
    sample : float, optional
        Read only such a share of the texts in stage 2; otherwise as stage 1 does. For files.
    max_bytes : int or str, optional
        Read only so many bytes of text in stage 2, such as "2GB". For files.
    """

    start: int
    pattern: Pattern = "superbpe"
    max_words: int | None = 4
    colon_space: bool = False
    unused: Literal["keep", "drop"] = "keep"
    sample: float | None = None
    max_bytes: int | str | None = None


class SecondStage(NamedTuple):
    """The checked options of stage 2.

    n_first : int
        How many merges stage 1 learns.
    pattern : str
        That of the tokenizer; that of `counting` splits lines first.
    reading : dict
        What is read otherwise than in stage 1.
    """

    n_first: int
    pattern: str
    drops_unused: bool
    counting: CountOptions
    rule: Rule
    reading: dict[str, Any]

    def job(self, job: CountJob, *, saves: bool = False) -> CountJob:
        """Return what is counted in stage 2, from what is counted in stage 1.

        Raises
        ------
        ValueError
            If some of it can't be read twice, or it `saves` what can't be saved.
        """
        if saves and "max_bytes" in self.reading:
            raise ValueError(
                "checkpoint and superwords.max_bytes exclude each other: give superwords.sample"
            )
        for corpus, _ in job.parts:
            if once := corpus.read_once:
                raise ValueError(
                    f"superwords needs text that can be read twice, got {once[0]!r}: save it to a "
                    "file first"
                )
        reading = job.reading._replace(**self.reading)
        rare, null_texts = RareWords(job.rare.limits), NullTexts()
        return job._replace(
            options=self.counting, reading=reading, rare=rare, null_texts=null_texts
        )

    def most_text(self, job: CountJob, n_counted: int) -> int:
        """Return how many bytes of text stage 2 reads at most.

        Stage 1 has counted `n_counted`, before weights.
        """
        sample, most = job.reading.sample, job.reading.max_bytes
        n_all: int = round(n_counted / sample * self.reading.get("sample", sample))
        if "max_bytes" not in self.reading:
            return n_all
        allowed: int = self.reading["max_bytes"] * len(job.parts)
        return min(n_all, allowed) if most is None else allowed

    def check_texts(self, texts: object) -> None:
        """Raise a ValueError if texts can't be iterated over twice, or are to be read in part."""
        if self.reading:
            raise ValueError(
                f"superwords: {next(iter(self.reading))} must not be given with texts, it is about "
                "files: call train, or leave it out"
            )
        if hasattr(texts, "__next__"):
            raise ValueError(
                f"superwords needs texts that can be read twice, got a {type(texts).__name__}: "
                "give a list, or an object whose __iter__ begins anew each time"
            )


def check_superwords(
    given: Superwords,
    counting: CountOptions,
    rule: Rule,
    least: int,
    n_initial: int,
    n_merges: int,
) -> SecondStage:
    """Check the options of stage 2.

    Parameters
    ----------
    given : Superwords
    counting, rule
        Of stage 1.
    least : int
        The ids before its first merge, without new special tokens.
    n_initial : int
        The merges of tokens that must exist, which come first.
    n_merges : int
        Of both stages.

    Raises
    ------
    TypeError, ValueError
        If one is out of its range.
    """
    if not isinstance(given, Superwords):
        raise TypeError(f"superwords must be a bpetok.Superwords, got {shorten(given)}")
    start = check_integer("superwords.start", given.start, least + n_initial, least + n_merges)
    if not is_one_of(given.unused, ("keep", "drop")):
        raise ValueError(f"superwords.unused must be 'keep' or 'drop', got {shorten(given.unused)}")
    check_bool("superwords.colon_space", given.colon_space)
    drops = given.unused == "drop"
    if drops and least != N_BYTES:
        raise ValueError("superwords.unused='drop' would take ids of initial away: leave it out")
    with _named():
        pattern = check_pattern(given.pattern)
        lines = check_pattern([LINES, *steps_of_pattern(pattern)])
        merge_filter = _bounded(given, rule.merge_filter or MergeFilter())
        given_reading = {"sample": given.sample, "max_bytes": given.max_bytes}
        reading = {name: value for name, value in given_reading.items() if value is not None}
        checked = check_reading(cast("Reading", reading))
    return SecondStage(
        start - least,
        pattern,
        drops,
        counting._replace(cutting=counting.cutting._replace(pattern=lines)),
        rule._replace(merge_filter=merge_filter),
        {name: getattr(checked, name) for name in reading},
    )


def _bounded(given: Superwords, first: MergeFilter) -> MergeFilter:
    """Return the filter of stage 2, from that of stage 1."""
    MergeFilter(max_words=given.max_words).ready()
    bounds = [most for most in (first.max_words, given.max_words) if most is not None]
    return first._replace(
        max_words=min(bounds, default=None),
        no_colon_space=first.no_colon_space or not given.colon_space,
    )


@contextmanager
def _named() -> Iterator[None]:
    """Say in errors of an option that it is one of superwords."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"superwords.{error}") from None


def without_unused(merges: Merges, n_initial: int, ids: Int32) -> Merges:
    """Return the first merges, those that make the tokens `ids`, and those that these need."""
    is_used = np.zeros(N_BYTES + len(merges.counts), bool)
    is_used[ids] = True
    is_used[N_BYTES : N_BYTES + n_initial] = True
    used = is_used.tolist()
    for number, (left, right) in reversed([*enumerate(merges.pairs.tolist(), N_BYTES)]):
        if used[number]:
            used[left] = used[right] = True
    kept = np.array(used[N_BYTES:], bool)
    new_numbers = np.arange(len(used), dtype=np.int32)
    new_numbers[N_BYTES:] = N_BYTES + np.cumsum(kept) - 1
    return Merges(new_numbers[merges.pairs[kept]], merges.counts[kept])
