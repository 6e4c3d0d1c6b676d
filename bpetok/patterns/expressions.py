"""Patterns without a scanner of their own: words by the `regex` module.

Nothing is known of such a pattern, so a text is never cut: it is split as a whole. Of a chain, the
steps that have a scanner are split by that.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from itertools import accumulate, pairwise
from typing import Any, TypeAlias

from bpetok.base.byte_characters import to_text
from bpetok.base.checks import shorten
from bpetok.base.records import NamedTuple
from bpetok.patterns.bounds import check_size
from bpetok.patterns.chains import SplitStep, is_chain, put_space, splits_of
from bpetok.patterns.compiling import compile_chain
from bpetok.patterns.dfa import CompiledPattern
from bpetok.patterns.errors import LIMIT, SplitError
from bpetok.patterns.named import PATTERNS
from bpetok.patterns.parse import Unsupported
from bpetok.patterns.scan import word_spans

_PROBES = ("", "a", "A1", " a", "a b", "\n", "\n\n a", "'s", "!?", "\u00e9\u4e2d", "1 ", "\t")


@lru_cache(maxsize=64)
def compile_expression(expression: str, *, may_be_empty: bool = False) -> Any:
    """Return the compiled expression.

    Raises
    ------
    ValueError
        If it is too large, does not compile, searches backwards, has no end, or can match the empty
        text, unless it may.
    """
    check_size(expression)
    import regex  # not needed, so not imported, where all patterns are built in

    # V1 has && as in Rust and Oniguruma: what is in both. V0 takes it for two characters.
    version = regex.V1 if "&&" in expression else regex.V0
    try:
        compiled = regex.compile(expression, version)
    except (regex.error, RecursionError, OverflowError, MemoryError) as error:
        raise ValueError(f"pattern {shorten(expression)} does not compile: {error}") from None
    if compiled.flags & regex.REVERSE:
        raise ValueError(f"pattern {shorten(expression)} must not search backwards: leave out (?r)")
    for probe in _PROBES:
        try:
            spans = [match.span() for match in compiled.finditer(probe, timeout=1)]
        except (TimeoutError, MemoryError):
            raise ValueError(
                f"pattern {shorten(expression)} comes to no end in {probe!r}: it calls itself, or "
                "backtracks without end"
            ) from None
        if not may_be_empty and any(start == end for start, end in spans):
            raise ValueError(
                f"pattern {shorten(expression)} must not match the empty text, as it does in "
                f"{probe!r}: put + for *"
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
        As `compile_expression`; a step of a chain may match the empty text.
    """
    if not is_chain(pattern):
        return partial(split_text, compile_expression(pattern))
    return partial(_split_by_chain, _compile_steps(pattern))


Span: TypeAlias = "tuple[int, int]"
_SplitPiece: TypeAlias = "Callable[[bytes, float | None], list[Span]]"
"""A text in UTF-8 and seconds, to where each piece begins and ends in it."""


class _Step(NamedTuple):
    """A step of a chain.

    spaced : bool
        A space is put before each piece that it leaves, unless it begins with one.
    """

    split: _SplitPiece
    spaced: bool


@lru_cache(maxsize=16)
def _compile_steps(pattern: str) -> tuple[_Step, ...]:
    splits = splits_of(pattern, PATTERNS)
    return tuple(_Step(_compile_step(split), split.spaced) for split in splits)


def _compile_step(split: SplitStep) -> _SplitPiece:
    with suppress(Unsupported):
        scanner = compile_chain([SplitStep(split.expression, split.behavior)])
        if split.by_byte:  # whose pieces may end inside of a character, which no scanner takes
            return lambda piece, _seconds: _spans_of_spelled(to_text(piece), scanner)
        return lambda piece, _seconds: word_spans(piece, scanner)
    compiled = compile_expression(split.expression, may_be_empty=True)
    return partial(split_piece, compiled, split)


def _spans_of_spelled(text: str, scanner: CompiledPattern) -> list[Span]:
    """Return where each word of a text is, in characters."""
    ends = {end: i for i, end in enumerate(accumulate(map(n_bytes, text), initial=0))}
    return [(ends[begin], ends[end]) for begin, end in word_spans(text.encode(), scanner)]


def _split_by_chain(
    steps: Sequence[_Step], text: str, _unmatched: str, seconds: float | None
) -> list[bytes]:
    data, spans = _spans_of_chain(steps, text.encode(), seconds)
    return [data[begin:end] for begin, end in spans]


def _spans_of_chain(
    steps: Sequence[_Step], data: bytes, seconds: float | None
) -> tuple[bytes, list[Span]]:
    """Return what a chain makes of a text, in which there may be more spaces, and its pieces."""
    pieces = [(0, len(data))]
    for step in steps:
        pieces = [
            (at + begin, at + end)
            for at, stop in pieces
            for begin, end in step.split(data[at:stop], seconds)
        ]
        if step.spaced:
            data, pieces = _put_spaces(data, pieces)
    return data, pieces


def _put_spaces(data: bytes, pieces: Sequence[Span]) -> tuple[bytes, list[Span]]:
    """Return the pieces one after another, with a space before each, and where they are then."""
    spaced = [put_space(data[begin:end]) for begin, end in pieces]
    ends = [0, *accumulate(map(len, spaced))]
    return b"".join(spaced), [*pairwise(ends)]


def split_piece(compiled: Any, split: SplitStep, piece: bytes, seconds: float | None) -> list[Span]:
    """Return the pieces that a step of a chain makes of one, by `regex`."""
    text = to_text(piece) if split.by_byte else piece.decode()
    places = [0]
    is_match = []
    for start, end in matches_of(compiled, text, seconds):
        if places[-1] < start:
            places.append(start)
            is_match.append(False)
        places.append(end)
        is_match.append(True)
    if places[-1] < len(text):
        places.append(len(text))
        is_match.append(False)
    spans = [
        span for span in _join([*pairwise(places)], is_match, split.behavior) if span[0] < span[1]
    ]
    if split.by_byte or len(text) == len(piece):
        return spans
    starts = [0, *accumulate(len(character.encode()) for character in text)]
    return [(starts[begin], starts[end]) for begin, end in spans]


def matches_of(compiled: Any, text: str, seconds: float | None) -> list[Span]:
    """Return where an expression matches a text, as Oniguruma's iterator of matches does."""
    found = compiled.finditer(text, timeout=seconds, concurrent=False)
    spans: list[Span] = [match.span() for match in found]
    if all(start < end for start, end in spans):
        return spans
    # After an empty match, it searches from the next character on.
    spans = []
    at, last = 0, -1
    while at <= len(text):
        match = compiled.search(text, at, timeout=seconds, concurrent=False)
        if match is None:
            break
        start, end = match.span()
        if start == end == last:
            at += 1
            continue
        spans.append((start, end))
        at = last = end
    return spans


def _join(spans: list[Span], is_match: list[bool], behavior: str) -> list[Span]:
    """Join each piece to the one before that it belongs to, by a behaviour of `chains`."""
    if behavior in ("removed", "kept"):
        is_kept = behavior == "kept"
        return [span for span, matches in zip(spans, is_match, strict=True) if matches == is_kept]
    if behavior == "merged_with_next":
        mirrored = [(-end, -start) for start, end in spans[::-1]]
        joined = _join(mirrored, is_match[::-1], "merged_with_previous")
        return [(-end, -start) for start, end in joined[::-1]]
    result: list[Span] = []
    was_match = behavior == "merged_with_previous"  # there is none before the first word
    for (start, end), matches in zip(spans, is_match, strict=True):
        joins = {
            "contiguous": matches and was_match,
            "merged_with_previous": matches and not was_match,
        }.get(behavior, False)
        if joins:
            start = result.pop()[0]
        result.append((start, end))
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

    def __call__(self, text: bytes) -> tuple[bytes, array[int]]:
        """Return what a text in UTF-8 is split as, and where each word ends in it.

        Returns
        -------
        text : bytes
            The same, unless a step of a chain puts spaces before pieces.
        ends : array of int64
            In bytes. Where what is left out ends, less than 0.

        Raises
        ------
        TimeoutError, ValueError
            If a match takes too long or is empty.
        """
        if not is_chain(self._pattern):
            words = _split_once(self._pattern, text.decode(), "word")
            return text, array("q", accumulate(map(n_bytes, words)))
        seconds = LIMIT.seconds(text.decode())
        try:
            text, spans = _spans_of_chain(_compile_steps(self._pattern), text, seconds)
        except TimeoutError:
            raise SplitError("time", 0).explain(self._pattern, "text", 0) from None
        ends = array("q")
        at = 0
        for begin, end in spans:
            if at < begin:
                ends.append(-begin)
            ends.append(end)
            at = end
        if at < len(text):
            ends.append(-len(text))
        return text, ends


def n_bytes(word: str | bytes) -> int:
    """Return the bytes of a word."""
    return len(word) if isinstance(word, bytes) else len(word.encode())
