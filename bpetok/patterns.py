"""The split patterns: the regular expressions that cut text into words before any merging.

Each is scanned by a compiled scanner of its own, which gives the words that the expression gives.
"""

GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""GPT-2, r50k and p50k: tiktoken's form (openai_public.py) of the pattern in openai/gpt-2's
encoder.py, which spells the contractions out: ``'s|'t|'re|'ve|'m|'ll|'d| ...``."""

PATTERNS = {"gpt2": GPT2}


def names() -> list[str]:
    """Return the names of the built-in patterns."""
    return list(PATTERNS)


def check_pattern(pattern: str) -> str:
    """Return the name of a built-in pattern, given by name or as the expression itself.

    Raises
    ------
    ValueError
        If there is no such pattern.
    """
    for name, expression in PATTERNS.items():
        if pattern in (name, expression):
            return name
    raise ValueError(f"pattern must be one of {', '.join(map(repr, PATTERNS))}, got {pattern!r}")
