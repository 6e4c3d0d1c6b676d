"""The expression of ``MergeFilter(forbid=)``, ready to be asked about tokens."""

from __future__ import annotations

from collections.abc import Callable

from bpetok.base.checks import shorten
from bpetok.patterns.bounds import check_size
from bpetok.patterns.errors import LIMIT
from bpetok.patterns.parse import Unsupported
from bpetok.patterns.search import Search
from bpetok.patterns.searching import compile_search

UNWATCHED = 8
"""Characters in which no expression that ends at all backtracks for long. In longer tokens `regex`
watches the time, which takes six times as long."""
OF_ALL_KINDS = ("a", "A", "é", "中", "1", " ", "\n", "\0", ".", "+", "\udcff")
"""What finds something in all of these, as ``x*`` does, forbids every token."""


def search_of(expression: str) -> Search | Callable[[bytes], object]:
    """Return what finds an expression in the bytes of a token; see `MergeFilter.forbid`.

    Raises
    ------
    TypeError, ValueError
        If it is no expression, one that is too large or comes to no end, or one that finds
        something in every token.
    """
    if not isinstance(expression, str):
        raise TypeError(f"forbid must be a str, got {shorten(expression)}")
    check_size(expression, "forbid")
    search = _compiled(expression) or _finder(expression)
    find = search.finds_in if isinstance(search, Search) else search
    if all(find(text.encode("utf-8", "surrogateescape")) for text in OF_ALL_KINDS):
        raise ValueError(
            f"forbid {shorten(expression)} finds something in every token, so none could be made"
        )
    return search


def _compiled(expression: str) -> Search | None:
    try:
        return compile_search(expression)
    except Unsupported:
        return None  # `regex` says what is wrong, if anything is


def _finder(expression: str) -> Callable[[bytes], object]:
    import regex

    try:
        search = regex.compile(expression, regex.VERSION1 | regex.DOTALL).search
    except (regex.error, RecursionError, OverflowError, MemoryError) as error:
        raise ValueError(
            f"forbid must be a regular expression, got {shorten(expression)}: {error}"
        ) from None

    def find(token: bytes) -> object:
        text = token.decode("utf-8", "surrogateescape")
        if len(text) <= UNWATCHED:
            return search(text)
        return find_in_time(text)

    def find_in_time(text: str) -> object:
        try:
            return search(text, timeout=LIMIT.seconds(text), concurrent=False)
        except TimeoutError:
            raise TimeoutError(
                f"forbid {shorten(expression)} takes more than {LIMIT.seconds(text):.0f} s for a "
                f"token of {len(text)} characters, {shorten(text)}: make it possessive or atomic "
                "where it backtracks"
            ) from None

    for probe in ("", " a", "\n", "é1", "aaaaaaaa"):
        try:
            search(probe, timeout=1, concurrent=False)
        except (TimeoutError, MemoryError):
            raise ValueError(
                f"forbid {shorten(expression)} comes to no end in {probe!r}: it calls itself, or "
                "backtracks without end"
            ) from None
    return find
