"""The words of a text, for people who want to look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpetok.base.checks import check_unmatched, encode_utf8, shorten
from bpetok.base.limits import DEFAULT_PATTERN
from bpetok.patterns.builtin import check_pattern, scanner_of
from bpetok.patterns.chains import Pattern
from bpetok.patterns.errors import SplitError
from bpetok.patterns.scan import split_words

if TYPE_CHECKING:
    from bpetok.patterns.normalizers import Spec


def pretokenize(
    text: str,
    pattern: Pattern = DEFAULT_PATTERN,
    *,
    normalizer: Spec | None = None,
    unmatched: str = "error",
) -> list[str]:
    """Return the words that a pattern splits a text into.

    Parameters
    ----------
    text : str
        Special tokens in it are text like any other.
    pattern : str or list of steps
        Name of a split pattern (`bpetok.patterns.names`), a regular expression, or a chain of them
        (`bpetok.patterns.chains`). A word of "falcon" that ends inside of a character is shown with
        U+FFFD there.
    normalizer : str, mapping or list, optional
        What the text becomes before it is split, such as "NFKC": as `Tokenizer` takes it.
    unmatched : {"error", "word", "drop"}
        What becomes of text that an expression does not match; built-in patterns match all, and in
        a chain it stays a word.

    Raises
    ------
    TypeError, ValueError
        If an option is out of its range, `text` is no str or has a lone surrogate, or the
        expression does not match all of it.
    TimeoutError
        If an expression that can't be compiled takes too long.

    Examples
    --------
    >>> pretokenize("It's 2024 now", "cl100k")
    ['It', "'s", ' ', '202', '4', ' now']
    >>> pretokenize("It's 2024 now", ["digits", "gpt2"])
    ['It', "'s", ' ', '2', '0', '2', '4', ' now']
    """
    pattern = check_pattern(pattern)
    check_unmatched(unmatched)
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, got {shorten(text)}")
    data = encode_utf8(text, "text")
    if normalizer is not None:
        from bpetok.patterns.normalizers import Normalizer

        data = Normalizer(normalizer)(data)
    scanner = scanner_of(pattern, unmatched)
    if scanner is not None:
        try:
            return [word.decode(errors="replace") for word in split_words(data, scanner)]
        except SplitError as error:
            raise error.explain(pattern, "text", error.offset) from None
    from bpetok.patterns.expressions import split_once

    return split_once(pattern, data.decode(), unmatched)
