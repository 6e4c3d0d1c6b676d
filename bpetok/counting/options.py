"""The options of counting, checked, and what readers are told of them."""

from __future__ import annotations

from collections.abc import Iterable

from bpetok.base.checks import (
    Reserved,
    check_errors,
    check_special_tokens,
    check_unmatched,
    resolve_threads,
)
from bpetok.base.records import NamedTuple
from bpetok.base.threads import Stop
from bpetok.counting.arrays import Split
from bpetok.patterns.builtin import check_pattern
from bpetok.patterns.chains import Pattern
from bpetok.patterns.changes import NO_CHANGES, Changes
from bpetok.patterns.special import SpecialTokens
from bpetok.sources.pieces import Cutting, replacing_makes_tokens
from bpetok.sources.reading import NullTexts, ReadContext, ReadOptions


class CountOptions(NamedTuple):
    """The checked options of counting.

    special_tokens : tuple of str
        As the user gave them.
    cutting : Cutting
        The pattern, the special tokens that are looked for in the text (some trainers of `compat`
        look for none), and whether each line of a text file is a text.
    in_order : bool
        Keep the words in the order in which they are first seen.
    """

    special_tokens: tuple[str, ...]
    cutting: Cutting
    n_threads: int
    errors: str
    unmatched: str
    in_order: bool = False

    @property
    def pattern(self) -> str:
        """Name of the pattern, or the expression."""
        return self.cutting.pattern

    @property
    def split(self) -> Split:
        """What is to be said of words that are counted so."""
        changes = self.cutting.changes
        return Split(self.pattern, self.special_tokens, changes.spec, changes.prefix_space)

    def read_context(self, reading: ReadOptions, null_texts: NullTexts) -> ReadContext:
        """Return what the readers of files need to know."""
        return ReadContext(reading, self.cutting, self.errors, null_texts, self.n_threads, Stop())


def check_count_options(
    pattern: Pattern,
    special_tokens: Iterable[str | Reserved],
    n_threads: int | None,
    errors: str,
    unmatched: str = "error",
    *,
    changes: Changes = NO_CHANGES,
) -> CountOptions:
    """Check the options of counting.

    Raises
    ------
    TypeError, ValueError
        If one is out of its range.
    """
    tokens = check_special_tokens(special_tokens)
    return CountOptions(
        tokens,
        Cutting(
            SpecialTokens([token.encode() for token in tokens]),
            check_pattern(pattern),
            whole=replacing_makes_tokens(tokens, check_errors(errors)),
            changes=changes,
        ),
        resolve_threads(n_threads),
        errors,
        check_unmatched(unmatched),
    )
