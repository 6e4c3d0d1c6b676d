r"""The split patterns: the regular expressions that cut text into words before any merging.

Each built-in one is scanned by a compiled scanner (`scan.pyx`), which gives the words that the
expression gives. The expressions here are spelled so that the engines of `regex`, tiktoken and
Hugging Face tokenizers read them alike; other published spellings are recognised (`SPELLINGS`).

`cl100k` and `llama3` differ in one place: white space at the end of a text is one word in what
tiktoken has had as cl100k since it is spelled with ``\s++$``, and ends at its last newline in the
older spellings, which Llama 3, minbpe and rustbpe go by.

Any other expression is a pattern too; the `regex` module finds its words (`expressions.py`).
"""

import re

from bpetok.base.checks import encode_utf8, shorten
from bpetok.patterns.scan import PATTERN_NAMES

UNICODE_VERSION = "16.0"
"""The version whose letters, numbers and spaces the scanners go by."""

GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""GPT-2, r50k and p50k: tiktoken, tiktoken_ext/openai_public.py, without possessive quantifiers."""

CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s+(?![\s\S])|\s*[\r\n]|\s+(?!\S)|\s"
)
r"""GPT-3.5 and GPT-4: tiktoken, tiktoken_ext/openai_public.py, without possessive quantifiers
(Oniguruma reads ``{1,3}+`` otherwise) and with ``\s+(?![\s\S])`` for ``\s++$``."""

O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""GPT-4o: tiktoken, tiktoken_ext/openai_public.py."""

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Llama 3: meta-llama/llama3, llama/tokenizer.py."""

QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Qwen2 and Qwen3: huggingface/transformers, models/qwen2/tokenization_qwen2.py."""

NANOCHAT = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)
"""nanochat: karpathy/nanochat, nanochat/tokenizer.py."""

NONE = r"[\s\S]+"
"""A text is one word: karpathy/minbpe, minbpe/basic.py. For DNA, or to see what plain BPE does."""

PATTERNS = {
    "gpt2": GPT2,
    "cl100k": CL100K,
    "o200k": O200K,
    "llama3": LLAMA3,
    "qwen2": QWEN2,
    "nanochat": NANOCHAT,
    "none": NONE,
}

SPELLINGS = {
    # openai/gpt-2, src/encoder.py; tiktoken now
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+": "gpt2",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s": "gpt2",
    # tiktoken now
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s": "cl100k",
    # tiktoken 0.6 as cl100k; karpathy/minbpe, minbpe/regex.py; karpathy/rustbpe, src/lib.rs
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*"
    r"|\s*[\r\n]|\s+(?!\S)|\s+": "llama3",
}
"""Other published spellings of a built-in pattern, for the engines that their authors use."""

_NAMES = {
    **{name: name for name in PATTERNS},
    **{expression: name for name, expression in PATTERNS.items()},
    **SPELLINGS,
}


def names() -> list[str]:
    """Return the names of the built-in patterns."""
    return list(PATTERNS)


def check_builtin(pattern: str) -> str:
    """Return the name of a built-in pattern, given by name or as the expression itself.

    Raises
    ------
    ValueError
        If there is no such pattern.
    """
    if pattern not in _NAMES:
        raise ValueError(
            f"pattern must be one of {', '.join(map(repr, PATTERNS))}, got {pattern!r}"
        )
    return _NAMES[pattern]


def name_of(expression: str) -> str | None:
    """Return the name of the built-in pattern that an expression of another library spells.

    None if it spells none; as an expression, a name matches only itself.
    """
    return None if expression in PATTERNS else _NAMES.get(expression)


def check_expression(expression: str) -> str:
    """Return the name of the built-in pattern that an expression of another library spells.

    Raises
    ------
    ValueError
        If it spells none.
    """
    name = name_of(expression)
    if name is None:
        raise ValueError(
            f"pattern must be one of {', '.join(map(repr, PATTERNS))}, spelled as an expression, "
            f"got {shorten(expression)}"
        )
    return name


def check_pattern(pattern: str) -> str:
    """Return a pattern: the name of a built-in one, else the expression.

    Raises
    ------
    TypeError
        If it is no str.
    ValueError
        If it is neither a name nor an expression that can split text: one that compiles and
        cannot match the empty text.
    """
    if not isinstance(pattern, str):
        raise TypeError(f"pattern must be a str, got {pattern!r}")
    # A word without any sign in it is a misspelled name: as an expression it matches only itself.
    if pattern in _NAMES or re.fullmatch(r"[\w-]*", pattern):
        return check_builtin(pattern)
    encode_utf8(pattern, "pattern")
    from bpetok.patterns.expressions import compile_expression

    compile_expression(pattern)
    return pattern


def scanner_of(pattern: str) -> int:
    """Return the number that the scanner knows a pattern by, or -1. Requires: checked."""
    return PATTERN_NAMES.index(pattern) if pattern in PATTERNS else -1


def expression_of(pattern: str) -> str:
    """Return the regular expression of a pattern. Requires: checked."""
    return PATTERNS.get(pattern, pattern)


def ends_at_spaces(pattern: str) -> bool:
    """Tell whether a word is sure to end between a letter and a space. Requires: checked."""
    return pattern in PATTERNS and pattern != "none"
