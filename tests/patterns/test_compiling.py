"""Expressions compiled to automata give the words of `regex`, chains those of tokenizers."""

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bpetok.patterns.builtin import PATTERNS, check_pattern, scanner_of
from bpetok.patterns.compiling import compile_expression
from bpetok.patterns.dfa import CompiledPattern
from bpetok.patterns.parse import Unsupported
from bpetok.patterns.scan import PATTERN_NAMES, split_words

CHARACTERS = (
    "astmdrevlTLSREVLD'''\t\n\r019!-/ \x00\x1c\x7féßжñ٣½中海あ한낙\u0301\u0903\u2019\u00a0\u0085"
    "\u2003\u3000𝔸𝟘🙂ſÀǅʰª\U0001e943"
)

EXPRESSIONS = [
    # what people write
    r"[a-z]+|[^a-z]",
    r"[a-z]+",
    r"\w+|[^\w\s]+|\s+",
    r"\w+|[^\w\s]+",
    r"\S+|\s+",
    r"\s?\S+",
    r" ?\S+|\s",
    r".+|\n",
    r"(?s).",
    r"[0-9][0-9][0-9]",
    r"\d+|\D+",
    r"\p{L}+|\p{N}+|[^\p{L}\p{N}]+",
    r"\p{L}\p{M}*|.|\n",
    r"(?i)the|[a-z]|[^a-z]+",
    r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d|[^A-Za-z\d]+",
    r"\b\w+\b|\W",
    r"\B.|\b.|\n",
    # published
    r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}{1,3}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+",
    r"\p{N}{1,3}(?=(?:\p{N}{3})*(?:\P{N}|$))|\P{N}+",
    r" ?\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))| ?[^\s\p{N}]+|\s+(?!\S)|\s+",
    r"\d{1,3}(?=(?:\d{3})*\b)",
    r"(?<=\d)(?=(?:\d{3})+(?!\d))\d|\d+?(?=\d{3})|.",
    r"'(?i:[sdmt]|ll|ve|re)| ?[\p{Lu}]+(?=[\p{Lu}][\p{Ll}])| ?[\p{Lu}]?[\p{Ll}]+| ?[\p{Lu}]+"
    r"| ?[\p{Lt}\p{Lm}\p{Lo}]+|\p{N}{1,3}(?=(?:\p{N}{3})*(?:\P{N}|$))| ?[^\s\p{L}\p{N}]++[\r\n]*"
    r"|\s*[\r\n]|\s+",
    r" ?[^\s\[.,!?…。，、।۔،\]]+|\s|[\[.,!?…。，、।۔،\]]",
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+| {2,}(?=\S)|\s+(?!\S)",
    r"\s?\p{L}+|\s?\p{P}+|[一-龥ࠀ-一가-퟿]+|\p{N}|\s+",
    r"(?:\r?\n)+(?!\r?\n)|[^\r\n]+|\r",
    r" ?(?:\p{L}\p{M}*)+['\u2019](?:\p{L}\p{M}*)+|_(?:\p{Ll}\p{M}*)+|(?:\p{L}\p{M}*)+|.|\s",
    r"(?:[\p{L}\p{M}]|(?<=\p{L})'(?=\p{L}))+|\p{N}|[^\p{L}\p{M}\p{N}]",
    r"\p{Han}|\p{Hiragana}+|\p{Katakana}+|\p{Hangul}+|\p{Latin}+|[\s\S]",
    r"[^\S\r\n]+|\S+|[\r\n]",
    # possessive and atomic, lazy, counted
    r"\p{L}++|\s++|.",
    r"[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s",
    r"(?>ab|a)|.|\s",
    r"(?>\s+)|(?>\S+)",
    r"a{2,4}?|a|[^a]{2}|[^a]",
    r"(?:ab|a){2,3}|[ab]|[^ab]+",
    r".{1,5}|\n",
    r".{3,}?|.|\n",
    # places
    r"^\s+|\s+$|\S+|\s",
    r"(?m)^\w+|\w+$|\W|\w",
    r"\A\w+|\w|\W+\Z|\W",
    r"\s+(?=\S)|\S+(?=\s)|\S+|\s",
    r"(?<!\w)\w|\w+|\W",
    r"(?<=[a-z])[A-Z]|[A-Z]+|[^A-Z]+",
    r"a(?!b)|ab?|[^a]",
    r"\n(?!\n)|\n\n|[^\n]+(?=\n|$)|.",
    # a match that is given up late
    r"a+b|a|[^a]",
    r"[0-9]{3}|[a-z]+!",
    r"\w+@\w+|\w|\W",
    r"(?:ab)+c|a|[^a]",
]


def regex_words(expression: str, text: str) -> list[str]:
    """Split with `regex`; what is not matched is a word."""
    words, at = [], 0
    for match in regex.finditer(expression, text):
        start, end = match.span()
        words += [text[at:start], text[start:end]]
        at = end
    return [word for word in [*words, text[at:]] if word]


def compiled(pattern: str, unmatched: str = "word") -> CompiledPattern:
    scanner = scanner_of(check_pattern(pattern), unmatched)
    assert isinstance(scanner, CompiledPattern)
    return scanner


def words(text: str, pattern: str) -> list[str]:
    return [word.decode() for word in split_words(text.encode(), compiled(pattern))]


@st.composite
def texts(draw: st.DrawFn, max_size: int = 60) -> str:
    """Text in few characters, which makes rare sequences common; it may begin with a long run."""
    characters = draw(st.lists(st.sampled_from(CHARACTERS), min_size=1, max_size=8))
    run = draw(st.sampled_from(characters)) * draw(st.sampled_from([0, 1, 2, 3, 7, 340]))
    return run + draw(st.text(st.sampled_from(characters), max_size=max_size))


COMPILED_NAMES = [name for name in PATTERNS if name not in PATTERN_NAMES]


@pytest.mark.parametrize("expression", [*EXPRESSIONS, *(PATTERNS[name] for name in COMPILED_NAMES)])
@given(texts())
@example("It's 2024  now\n\n x")
@example("don't we'll I'd 're's\t\t'S\n  \n")
@example("HTTPServer aBC中DEF 1234567 a1234é!!\n")
@example("\n")
def test_words_equal_those_of_regex(expression: str, text: str) -> None:
    """Expressions that people use, and all that the compiler knows."""
    assert words(text, expression) == regex_words(expression, text)


def expressions() -> st.SearchStrategy[str]:
    """Expressions of all that the compiler knows, over few characters."""
    sets = st.sampled_from(
        [
            "a",
            "b",
            "'",
            " ",
            r"\n",
            "[ab]",
            "[^a]",
            "[^ab ]",
            r"\p{L}",
            r"\s",
            r"\S",
            r"\w",
            r"\d",
            ".",
        ]
        + ["(?i:a)", r"[a-c&&[^b]]", "é", r"[\s\d]", r"\p{Lu}"]
    )
    place = st.sampled_from(
        [r"(?!\S)", r"(?=a)", r"(?<=a)", r"(?<!a)", "^", "$", r"\b", r"\B", r"\Z", r"(?=\s|$)"]
        + [r"(?=a+b)", r"(?!aa)", r"(?=(?:ab)*(?!b))", r"(?=.\b)"]
    )
    repeat = st.sampled_from(["*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{,2}?", "{2,}"])
    possessive = st.sampled_from(["*+", "++", "?+", "{1,2}+"])

    def larger(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        group = st.builds("(?:{})".format, part)
        return (
            st.builds("{}{}".format, part, part)
            | st.builds("{}|{}".format, part, part)
            | st.builds("{}{}".format, group, repeat)
            | st.builds("{}{}".format, group, place)
            | st.builds("{}{}".format, place, group)
        )

    leaf = (
        sets | st.builds("{}{}".format, sets, repeat) | st.builds("{}{}".format, sets, possessive)
    )
    return st.recursive(leaf, larger, max_leaves=6)


@settings(max_examples=300)
@given(expressions(), st.lists(st.text("ab' \n1éA", max_size=20), min_size=1, max_size=6))
def test_any_expression_gives_the_words_of_regex(expression: str, some: list[str]) -> None:
    """If it compiles; what does not has a reason."""
    try:
        pattern = compile_expression(expression, "word")
    except Unsupported as reason:
        assert str(reason)
        return
    for text in some:
        if "&&" in expression:
            expected = regex_words("(?V1)" + expression, text)
        else:
            expected = regex_words(expression, text)
        assert [word.decode() for word in split_words(text.encode(), pattern)] == expected, text
