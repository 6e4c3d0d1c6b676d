"""Patterns without a scanner of their own: words by the `regex` module.

Nothing is known of such a pattern, so a text is never cut: it is split as a whole. Of a chain, the
steps that have a scanner are split by that.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import accumulate, pairwise
from typing import Any, TypeAlias

from bpetok.base.byte_characters import BYTES_BY_CHARACTER, CHARACTERS
from bpetok.base.checks import shorten
from bpetok.patterns.bounds import check_size
from bpetok.patterns.chains import SplitStep, is_chain, splits_of
from bpetok.patterns.compiling import compile_chain
from bpetok.patterns.errors import LIMIT, SplitError
from bpetok.patterns.named import PATTERNS
from bpetok.patterns.parse import Unsupported
from bpetok.patterns.scan import split_words

_PROBES = ("", "a", "A1", " a", "a b", "\n", "\n\n a", "'s", "!?", "\u00e9\u4e2d", "1 ", "\t")


@lru_cache(maxsize=64)
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


Split: TypeAlias = "Callable[[str, str, float | None], Sequence[str | bytes]]"
"""Text, what becomes of what is not matched, and seconds, to words: `split_text`."""


@lru_cache(maxsize=16)
def compile_splitter(pattern: str) -> Split:
    """Return what splits texts by an expression or a chain.

    Words are str, or bytes where they may end inside of a character.

    Raises
    ------
    ValueError
        As `compile_expression`; or if a chain leaves text out.
    """
    if not is_chain(pattern):
        return partial(split_text, compile_expression(pattern))
    splits = splits_of(pattern, PATTERNS)
    for expression, behavior, _ in splits:
        if behavior in ("removed", "kept"):
            raise ValueError(
                f"pattern {shorten(pattern)} has a step that can't be compiled to a scanner, and "
                f"then no step may leave text out, as {shorten(expression)} does: {behavior!r}"
            )
    return partial(_split_by_chain, [_compile_step(split) for split in splits])


_Step: TypeAlias = "Callable[[bytes, float | None], list[bytes]]"


def _compile_step(split: SplitStep) -> _Step:
    try:
        scanner = compile_chain([split])
    except Unsupported:
        return partial(_split_piece, compile_expression(split.expression), split)
    return lambda piece, _seconds: split_words(piece, scanner)


def _split_by_chain(
    steps: Sequence[_Step], text: str, _unmatched: str, seconds: float | None
) -> list[bytes]:
    pieces = [text.encode()]
    for step in steps:
        pieces = [word for piece in pieces for word in step(piece, seconds)]
    return pieces


def _split_piece(
    compiled: Any, split: SplitStep, piece: bytes, seconds: float | None
) -> list[bytes]:
    text = "".join(CHARACTERS[byte] for byte in piece) if split.by_byte else piece.decode()
    places = [0]
    is_match = []
    for match in compiled.finditer(text, timeout=seconds, concurrent=False):
        start, end = match.span()
        if start == end:
            raise SplitError("empty", len(text[:start].encode()))
        if places[-1] < start:
            places.append(start)
            is_match.append(False)
        places.append(end)
        is_match.append(True)
    if places[-1] < len(text):
        places.append(len(text))
        is_match.append(False)
    words = [text[start:end] for start, end in pairwise(places)]
    words = _join(words, is_match, split.behavior)
    if split.by_byte:
        return [bytes(BYTES_BY_CHARACTER[character] for character in word) for word in words]
    return [word.encode() for word in words]


def _join(words: list[str], is_match: list[bool], behavior: str) -> list[str]:
    """Join each word to the one before that it belongs to, by a behaviour of `chains`."""
    if behavior == "merged_with_next":
        joined = _join([w[::-1] for w in words[::-1]], is_match[::-1], "merged_with_previous")
        return [word[::-1] for word in joined[::-1]]
    result: list[str] = []
    was_match = behavior == "merged_with_previous"  # there is none before the first word
    for word, matches in zip(words, is_match, strict=True):
        joins = {
            "contiguous": matches and was_match,
            "merged_with_previous": matches and not was_match,
        }.get(behavior, False)
        if joins:
            result[-1] += word
        else:
            result.append(word)
        was_match = matches
    return result


def split_once(pattern: str, text: str, unmatched: str) -> list[str]:
    """Return the words of a text on its own; U+FFFD is where one ends inside of a character.

    Raises
    ------
    TimeoutError, ValueError
        If the text can't be split.
    """
    return [
        word if isinstance(word, str) else word.decode(errors="replace")
        for word in _split_once(pattern, text, unmatched)
    ]


def _split_once(pattern: str, text: str, unmatched: str) -> Sequence[str | bytes]:
    try:
        return compile_splitter(pattern)(text, unmatched, LIMIT.seconds(text))
    except TimeoutError:
        raise SplitError("time", 0).explain(pattern, "text", 0) from None
    except SplitError as error:
        raise error.explain(pattern, "text", error.offset) from None


class Splitter:
    """Split texts to encode; what the pattern does not match is a word, so that nothing is lost."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def __call__(self, text: bytes) -> array[int]:
        """Return where each word of a text in UTF-8 ends, in bytes, as int64.

        Raises
        ------
        TimeoutError, ValueError
            If a match takes too long or is empty.
        """
        words = _split_once(self._pattern, text.decode(), "word")
        return array("q", accumulate(map(n_bytes, words)))


def n_bytes(word: str | bytes) -> int:
    """Return the bytes of a word."""
    return len(word) if isinstance(word, bytes) else len(word.encode())
