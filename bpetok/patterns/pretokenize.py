"""The words of a text, for people who want to look."""

from bpetok.base.checks import check_unmatched, encode_utf8
from bpetok.patterns.builtin import check_pattern, scanner_of
from bpetok.patterns.scan import split_words


def pretokenize(text: str, pattern: str = "gpt2", *, unmatched: str = "error") -> list[str]:
    """Return the words that a pattern splits a text into.

    Parameters
    ----------
    text : str
        Special tokens in it are text like any other.
    pattern : str
        Name of a split pattern (`bpetok.patterns.names`), or a regular expression.
    unmatched : {"error", "word", "drop"}
        What becomes of text that an expression does not match; built-in patterns match all.

    Raises
    ------
    TypeError, ValueError
        If an option is out of its range, `text` is no str or has a lone surrogate, or the
        expression does not match all of it.
    TimeoutError
        If the expression takes too long.

    Examples
    --------
    >>> pretokenize("It's 2024 now", "cl100k")
    ['It', "'s", ' ', '202', '4', ' now']
    """
    pattern = check_pattern(pattern)
    check_unmatched(unmatched)
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, got {text!r}")
    data = encode_utf8(text, "text")
    if scanner_of(pattern) >= 0:
        return [word.decode() for word in split_words(data, scanner_of(pattern))]
    from bpetok.patterns.expressions import split_once

    return split_once(pattern, text, unmatched)
