"""Patterns without a scanner of their own: words by the `regex` module.

Nothing is known of such a pattern, so a text is never cut: it is split as a whole.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from typing import Any

from bpetok.patterns.bounds import check_size
from bpetok.patterns.errors import LIMIT, SplitError

_PROBES = ("", "a", "A1", " a", "a b", "\n", "\n\n a", "'s", "!?", "\u00e9\u4e2d", "1 ", "\t")


@lru_cache(maxsize=16)
def compile_expression(expression: str) -> Any:
    """Return the compiled expression.

    Raises
    ------
    ValueError
        If it is too large, does not compile, can match the empty text, searches backwards, or has
        no end.
    """
    check_size(expression)
    import regex  # not needed, so not imported, where all patterns are built in

    # V1 has && as in Rust and Oniguruma: what is in both. V0 takes it for two characters.
    version = regex.V1 if "&&" in expression else regex.V0
    try:
        compiled = regex.compile(expression, version)
    except (regex.error, RecursionError, OverflowError, MemoryError) as error:
        raise ValueError(f"pattern {expression!r} does not compile: {error}") from None
    if compiled.flags & regex.REVERSE:
        raise ValueError(f"pattern {expression!r} must not search backwards: leave out (?r)")
    for probe in _PROBES:
        try:
            spans = [match.span() for match in compiled.finditer(probe, timeout=1)]
        except (TimeoutError, MemoryError):
            raise ValueError(
                f"pattern {expression!r} comes to no end in {probe!r}: it calls itself, or "
                "backtracks without end"
            ) from None
        if any(start == end for start, end in spans):
            raise ValueError(
                f"pattern {expression!r} must not match the empty text, as it does in {probe!r}: "
                "put + for *"
            )
    return compiled


def split_text(compiled: Any, text: str, unmatched: str, seconds: float | None) -> list[str]:
    """Return the words of a text; with `seconds`, `regex` watches the time, which doubles its own.

    Raises
    ------
    SplitError
        If a match is empty, or there is text without one and `unmatched` is "error".
    TimeoutError
        If it takes longer.
    """
    if compiled.groups:
        matches = compiled.finditer(text, timeout=seconds, concurrent=False)
        words = [match.group() for match in matches]
    else:
        words = compiled.findall(text, timeout=seconds, concurrent=False)
    if "" not in words and sum(map(len, words)) == len(text):
        return words
    return list(_with_unmatched(compiled, text, unmatched, seconds))


def _with_unmatched(
    compiled: Any, text: str, unmatched: str, seconds: float | None
) -> Iterator[str]:
    at = 0
    for match in compiled.finditer(text, timeout=seconds, concurrent=False):
        start, end = match.span()
        if start == end:
            raise SplitError("empty", len(text[:start].encode()))
        if at < start:
            yield from _unmatched(text, at, start, unmatched)
        yield text[start:end]
        at = end
    if at < len(text):
        yield from _unmatched(text, at, len(text), unmatched)


def _unmatched(text: str, start: int, end: int, unmatched: str) -> Iterator[str]:
    if unmatched == "error":
        raise SplitError("unmatched", len(text[:start].encode()))
    if unmatched == "word":
        yield text[start:end]


def split_once(expression: str, text: str, unmatched: str) -> list[str]:
    """Return the words of a text on its own.

    Raises
    ------
    TimeoutError, ValueError
        If the text can't be split.
    """
    try:
        return split_text(compile_expression(expression), text, unmatched, LIMIT.seconds(text))
    except TimeoutError:
        raise SplitError("time", 0).explain(expression, "text", 0) from None
    except SplitError as error:
        raise error.explain(expression, "text", error.offset) from None


class Splitter:
    """Split texts to encode; what the pattern does not match is a word, so that nothing is lost."""

    def __init__(self, expression: str) -> None:
        self._expression = expression

    def __call__(self, text: bytes) -> array[int]:
        """Return where each word of a text in UTF-8 ends, in bytes, as int64.

        Raises
        ------
        TimeoutError, ValueError
            If a match takes too long or is empty.
        """
        words = split_once(self._expression, text.decode(), "word")
        return array("q", accumulate(len(word.encode()) for word in words))
