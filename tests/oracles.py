"""The words that other libraries split a text into."""

from collections.abc import Sequence

import regex
from tokenizers import Regex, pre_tokenizers

from bpetok.base.byte_characters import BYTES_BY_CHARACTER
from bpetok.patterns.builtin import PATTERNS
from bpetok.patterns.chains import STEPS, Step


def step_of(step: Step) -> pre_tokenizers.PreTokenizer:
    """Return what `tokenizers` calls a step."""
    name, behavior = step if isinstance(step, tuple) else (step, "isolated")
    if name == "byte_level":
        return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    if name == "prefix_space":  # what it replaces is what it replaces it by
        return pre_tokenizers.Metaspace(" ", "always", split=False)
    if name == "digits" and behavior in ("isolated", "contiguous"):
        return pre_tokenizers.Digits(individual_digits=behavior == "isolated")
    if name == "punctuation":
        return pre_tokenizers.Punctuation(behavior)
    if name == "whitespace" and behavior == "removed":
        return pre_tokenizers.WhitespaceSplit()
    if (name, behavior) == (r"\w+|[^\w\s]+", "kept"):
        return pre_tokenizers.Whitespace()
    expression = Regex(STEPS.get(name) or PATTERNS.get(name, name))
    if behavior == "kept":
        return pre_tokenizers.Split(expression, "removed", invert=True)
    return pre_tokenizers.Split(expression, behavior)


def tokenizers_words(steps: Sequence[Step], text: str) -> list[bytes]:
    """Return the words of a chain, as `tokenizers` finds them."""
    names = [step if isinstance(step, str) else step[0] for step in steps]
    sequence = pre_tokenizers.Sequence([*map(step_of, steps)])
    words = [word for word, _ in sequence.pre_tokenize_str(text)]
    if "byte_level" in names:
        return [bytes(BYTES_BY_CHARACTER[c] for c in word) for word in words]
    return [word.encode() for word in words]


def regex_words(expression: str, text: str) -> list[str]:
    """Return the words that `regex` finds; what is not matched is a word."""
    compiled = regex.compile(expression, regex.V1 if "&&" in expression else regex.V0)
    if not compiled.groups:
        found: list[str] = compiled.findall(text)
        if sum(map(len, found)) == len(text):
            return found
    words: list[str] = []
    at = 0
    for match in compiled.finditer(text):
        start, end = match.span()
        words += [text[at:start], text[start:end]]
        at = end
    return [word for word in [*words, text[at:]] if word]
