"""The words of a text, for people who want to look."""

from bpetok._scan import split_words
from bpetok.patterns import check_pattern, scanner_of
from bpetok.vocab import encode_utf8


def pretokenize(text: str, pattern: str = "gpt2") -> list[str]:
    """Return the words that a pattern splits a text into; together they are the text.

    Parameters
    ----------
    text : str
        Special tokens in it are text like any other.
    pattern : str
        Name of a split pattern (`bpetok.patterns.names`), or a built-in one's expression.

    Raises
    ------
    TypeError, ValueError
        If `text` is no str, if there is no such pattern, or the text has a lone surrogate.

    Examples
    --------
    >>> pretokenize("It's 2024 now", "cl100k")
    ['It', "'s", ' ', '202', '4', ' now']
    """
    scanner = scanner_of(check_pattern(pattern))
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, got {text!r}")
    return [word.decode() for word in split_words(encode_utf8(text, "text"), scanner)]
