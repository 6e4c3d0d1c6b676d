"""Whether an expression matches anywhere: as `regex` finds it, also in what is no UTF-8."""

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bpetok.patterns.parse import Unsupported
from bpetok.patterns.searching import compile_search
from reference import assigned_in_unicode_16

ATOMS = st.sampled_from(
    [
        *["a", "b", " ", r"\n", ".", "(?-s:.)", "[^a]", r"\s", "\u4e2d", "\udc80"],
        *[r"\p{L}", r"\p{N}", r"\P{L}", r"\p{Cs}", "(?>a+)", "a++", "b{2,3}"],
        *["(?<=ab)", "(?=ba)", "(?<=a+b|b)a", "(?>a(?=bb))", "(?<=a++b)a"],
        *[r"\b", "^", "$", r"\A", r"\z", r"(?=a)", "(?!b)", "(?<=a)", r"(?<!\n)", "(?m:^a$)"],
    ]
)
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda part: st.one_of(
        st.lists(part, min_size=1, max_size=3).map("".join),
        st.lists(part, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(part, st.sampled_from(["*", "+", "?", "{2}", "*?", "{1,3}"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=6,
)
TEXTS = st.one_of(
    st.text("ab1 \n\u00e9\u4e2d\U0001f642", max_size=8).map(str.encode),
    st.lists(
        st.sampled_from(b"ab\n\x80\xa9\xbf\xc0\xc3\xe0\xe4\xb8\xed\xf0\x9f\xf4\xf5\xff"), max_size=8
    ).map(bytes),
)


@settings(max_examples=1500, deadline=None)
@given(EXPRESSIONS, st.lists(TEXTS, min_size=5, max_size=12))
@example(".", [b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe0\x80\x80", b"\xc0\x80", b""])
@example(r"^\p{Cs}{3}$", [b"\xed\xa0\x80", b"\xe4\xb8a", b"\xe4\xb8\xad", b"\xff\xe4\xb8\n"])
@example(r"a$", [b"a\n", b"a\n\n", b"a"])
@example("", [b""])
def test_what_is_found_is_what_regex_finds(expression: str, texts: list[bytes]) -> None:
    """Characters are those that Python decodes with surrogateescape."""
    check_as_regex(expression, texts)


def check_as_regex(expression: str, texts: list[bytes]) -> None:
    """Compare an expression, if it is compiled, with `regex` on each text."""
    try:
        search = compile_search(expression)
    except Unsupported:
        return
    expected = regex.compile(expression, regex.VERSION1 | regex.DOTALL)
    for text in texts:
        found = expected.search(text.decode("utf-8", "surrogateescape")) is not None
        assert search.finds_in(text) == found, text


@pytest.mark.parametrize(
    "expression",
    [
        r"\p{L}\p{N}|\p{N}\p{L}",
        r".\n.",
        r"\d{3}",
        r"^ ?\p{Lu}+ ",
        r"(?:\p{Han}|\d)\p{Latin}",
        "(?x) a b",
        r"(?<=\p{L}{2})\p{N}",
        r"(?<=[a-z]\d)\p{L}(?=1)|\p{N}(?=\p{Han}\n)",
        r"(?i)https?|(?i:www\.)",
    ],
)
def test_usual_expressions_are_compiled(expression: str) -> None:
    """All characters alone, and next to a letter and a digit."""
    search = compile_search(expression)
    expected = regex.compile(expression, regex.VERSION1 | regex.DOTALL)
    for code in [*range(0x3000), *range(0xD7F0, 0xE010), *range(0x10000, 0x10400), 0x10FFFF]:
        if 0xD800 <= code < 0xE000 or not assigned_in_unicode_16(chr(code)):
            continue
        for text in (chr(code), f"a{chr(code)}1", f" {chr(code)}\n", f"1{chr(code)}"):
            assert search.finds_in(text.encode()) == bool(expected.search(text)), hex(code)


LETTERS = st.sampled_from(
    [
        *[
            "a",
            "K",
            "s",
            "I",
            "http",
            "ing",
            "k+",
            "[a-k]",
            "[^s]",
            "[A-Z0-9]",
            r"[\w.]",
            "x*",
            "f",
            "l",
        ],
        *[
            r"\d",
            r"\s",
            r"\w",
            ".",
            "t?",
            r"\b",
            "$",
            "(?=k)",
            "(?<=s)",
            "(?!i)",
            "(?:k|s)",
            "(?-i:k)",
        ],
    ]
)
CASES = st.text(
    "aKk\u212asS\u017fiI\u0130\u0131\u00df\u1e9e\ufb01\ufb00\ufb02\ufb06tTfFlL 1\u0307", max_size=5
)


@settings(max_examples=600, deadline=None)
@given(st.lists(LETTERS, min_size=1, max_size=4), st.lists(CASES, min_size=10, max_size=20))
@example(["s", "s"], ["\u00df"])
@example(["f", "I"], ["\ufb01"])
@example([r"[\u00df]"], ["ss"])
@example(["K"], ["\u212a"])
@example(["\u00e9"], ["\u00c9"])
def test_case_is_ignored_as_regex_does(parts: list[str], texts: list[str]) -> None:
    """Also where one character is several others: what may have such ones is left to `regex`."""
    check_as_regex(f"(?i){''.join(parts)}", [text.encode() for text in texts])


@pytest.mark.parametrize(
    "expression", [r"(a)\1", "b(?<=ab)c", "(?<!ab)c", "(?R)?a", "a.{20}b", "(?=ab)a", "(", "(?i)ss"]
)
def test_what_can_not_be_compiled_is_said(expression: str) -> None:
    """Also what would have too many states."""
    with pytest.raises(Unsupported):
        compile_search(expression)
