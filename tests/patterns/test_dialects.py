"""Expressions of tokenizer.json and of tiktoken mean here what their engines take them for."""

from __future__ import annotations

import re
import string
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from bpetok.formats.recovery import from_ranks
from bpetok.patterns.builtin import PATTERNS
from bpetok.patterns.dialects import (
    from_fancy_regex,
    from_oniguruma,
    to_fancy_regex,
    to_oniguruma,
)
from bpetok.patterns.pretokenize import pretokenize
from bpetok.tokenizer import Tokenizer
from oracles import regex_words
from published import EXPRESSIONS as PUBLISHED

HERE = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d"

PLAIN = [
    *(expression for name, expression in PATTERNS.items()),
    r"(?i:'s|'t)|[a-z-]+\{2\}|\p{N}{1,3}(?!\p{N})|[^\s\]\[]|\u4e00",
]
OTHERWISE = {
    r"\s+$": r"\s+(?![^\n])",
    r"\p{N}{1,3}+": r"(?:\p{N}{1,3})+",
    r"x(?:ab|c){2,}+": r"x(?:(?:ab|c){2,})+",
    r"[ab]{2}?": r"(?:[ab]{2})?",
    r"a{2,3}?": r"a{2,3}?",
    r"[^(\s|[.,\u3001])]+": r"[^(\s|.,\u3001)]+",
    r"[a[^bc]]": r"[a[^bc]&&[\s\S]]",
    r"[a[-z]]": r"[a\-z]",
    r"[[:digit:]x]": r"[\p{Nd}x]",
    r"[(||)]": r"[(|\|)]",
    r"(?m:.)": r"(?s:.)",
    r"a{b}": r"a\{b}",
    r"\h": "[0-9a-fA-F]",
}


@pytest.mark.parametrize("expression", PLAIN)
def test_what_all_engines_read_alike_stays_as_it_is(expression: str) -> None:
    """So that the name of a pattern is found by its expression."""
    assert from_oniguruma(expression) == from_fancy_regex(expression) == expression


@pytest.mark.parametrize("expression", OTHERWISE)
def test_what_it_takes_otherwise_is_spelled_anew(expression: str) -> None:
    """As short as can be."""
    assert from_oniguruma(expression) == OTHERWISE[expression]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (r"\X+", r"takes \\X for a grapheme"),
        (r"a\Kb", r"takes \\K for a match that begins later"),
        (r"a(?i)b", r"takes \(\?i\) for what follows it only"),
        (r"(?x: a)", r"takes \(\?x: for a flag that is not known here"),
        (r"[ab", r"takes \[ for a class without an end"),
        (r"[[:new:]]", r"takes \[:new:\] for a class that is not known here"),
    ],
)
def test_what_can_not_be_said_is_refused(expression: str, message: str) -> None:
    """By its construct."""
    with pytest.raises(ValueError, match=message):
        from_oniguruma(expression)


@cache
def splitter(expression: str) -> Any:
    tokenizers: Any = pytest.importorskip("tokenizers")
    return tokenizers.pre_tokenizers.Split(tokenizers.Regex(expression), "isolated")


def pieces_of(expression: str, text: str) -> list[str]:
    """Return the pieces into which tokenizers cuts a text at the matches."""
    return [piece for piece, _ in splitter(expression).pre_tokenize_str(text)]


atoms = st.sampled_from(
    [
        *("a", "b", "-", r"\n", " ", r"\w", r"\W", r"\d", r"\h", r"\H", r"\s", r"\R", r"\O", r"\N"),
        *(
            ".",
            "[ab]",
            "[^ab]",
            "[a[b-]]",
            "[^a[^b ]]",
            r"[\w&&[^a]]",
            "[[:punct:]]",
            "[[:^alpha:]]",
        ),
        *(
            "[[:word:]-]",
            "[[:xdigit:]]",
            "(?:a|b )",
            "(?i:b)",
            "(?m:.)",
            r"[^\n]",
            r"[\H]",
            r"[\W]",
        ),
    ]
)
places = st.sampled_from([r"\b", r"\B", "^", "$", r"\A", r"\z", r"\Z", r"(?!a)", r"(?<=b)"])
signs = st.sampled_from(
    ["", "", "+", "?", "{1,2}", "{2}", "{2}+", "{1,2}+", "{2}?", "{1,3}?", "*?"]
)
parts = st.tuples(atoms, signs).map("".join)
expressions = st.lists(st.one_of(parts, parts, places), min_size=1, max_size=4).map("".join)


@pytest.mark.filterwarnings("ignore:pattern .* can't be compiled to a scanner:UserWarning")
@given(
    expression=st.lists(expressions, min_size=1, max_size=2).map("|".join),
    texts=st.lists(st.text("abB-1\u00e9\u0301_!\u200d\u00bd \n\r", max_size=12), max_size=8),
)
def test_any_expression_means_the_same(expression: str, texts: list[str]) -> None:
    """Unless it is refused, or too much for the compiler here."""
    try:
        here = f"(?:{from_oniguruma(expression)})"  # not to be taken for a name
        pretokenize("", [here])
    except ValueError as error:
        if re.search("can't be compiled|must not match the empty", str(error)):
            return
        raise
    for text in texts:
        assert pretokenize(text, [here]) == pieces_of(expression, text)


@pytest.mark.parametrize("letter", sorted({*string.ascii_letters} - {*"cgkpPuxyGKXYCM"}))
@pytest.mark.filterwarnings("ignore:pattern .* can't be compiled to a scanner:UserWarning")
def test_a_letter_that_means_nothing_is_that_letter(letter: str) -> None:
    """After a backslash; other engines have a meaning for some of them."""
    text = string.ascii_letters + "01_\u200c\n\r\x07\x1b\x08\x0b \u00e9 T"
    repeated = [] if letter in "ABZbz" else [f"\\{letter}+a"]
    for expression in (f"\\{letter}", *repeated, f"[\\{letter}1]", f"[^\\{letter}b]"):
        here = f"(?:{from_oniguruma(expression)})"
        assert pretokenize(text, [here]) == pieces_of(expression, text)


@pytest.mark.parametrize(
    "expression",
    [
        *(rf"[[:{name}:]]" for name in ("alnum", "alpha", "blank", "cntrl", "digit", "lower")),
        *(rf"[[:{name}:]]" for name in ("punct", "space", "upper", "word", "xdigit")),
        *(r"\w", r"\h"),
    ],
)
def test_names_of_characters_are_what_they_are_there(expression: str) -> None:
    """Every character that Unicode 16 has assigned."""
    tokenizers: Any = pytest.importorskip("tokenizers")
    theirs = tokenizers.pre_tokenizers.Split(tokenizers.Regex(expression), "removed")
    assigned = reference.assigned_characters()
    chain = [(from_oniguruma(expression), "removed")]
    for first in range(0, len(assigned), 1000):
        text = assigned[first : first + 1000]
        kept = "".join(piece for piece, _ in theirs.pre_tokenize_str(text))
        assert "".join(pretokenize(text, chain)) == kept


FANCY = {
    r"\s+$": r"\s+(?![\s\S])",
    r"(?m)\s+$": r"(?m)\s+$",
    r"\p{N}{1,3}+|a{2}?": r"\p{N}{1,3}+|a{2}?",
    r"[a[bc]]": "[abc]",
    r"[[:punct:]]\h": r"[!-/:-@\[-`{-\~][0-9a-fA-F]",
}


@pytest.mark.parametrize("expression", FANCY)
def test_what_tiktokens_engine_takes_otherwise_is_spelled_anew(expression: str) -> None:
    """As short as can be."""
    assert from_fancy_regex(expression) == FANCY[expression]


@pytest.mark.parametrize("expression", [r"a\Kb", r"[a--b]", r"[a~~b]", r"a(?i)b", r"(?U:a+)"])
def test_what_can_not_be_said_of_tiktokens_is_refused(expression: str) -> None:
    """By its construct."""
    with pytest.raises(ValueError, match="the file's engine takes"):
        from_fancy_regex(expression)


RANKS = {bytes([byte]): byte for byte in range(256)}
LETTERS = ["a", "b", "B", "-", "1", "_", "!", " ", "\n", "\r"]
RANKS |= {pair.encode(): 256 + i for i, pair in enumerate(a + b for a in LETTERS for b in LETTERS)}
fancy_atoms = st.sampled_from(
    [
        *(
            "a",
            "b",
            "-",
            r"\n",
            " ",
            r"\w",
            r"\W",
            r"\d",
            r"\h",
            r"\H",
            r"\s",
            ".",
            "[ab]",
            "[^ab]",
        ),
        *("[a[b-]]", "[^a[^b ]]", r"[\w&&[^a]]", "[[:punct:]]", "[[:^alpha:]]", "[[:word:]-]"),
        *("(?:a|b )", "(?i:b)", "(?s:.)", r"[^\n]", r"[\H]", r"[\W]"),
    ]
)
fancy_signs = st.sampled_from(["", "", "+", "?", "{1,2}", "{2}", "{2}+", "{1,2}+", "{1,3}?", "++"])
fancy_places = st.sampled_from([r"\b", r"\B", "^", "$", r"\A", r"\z", "(?!a)", "(?<=b)", "(?m:$)"])
fancy_parts = st.tuples(fancy_atoms, fancy_signs).map("".join)
fancy = st.lists(st.one_of(fancy_parts, fancy_parts, fancy_places), min_size=1, max_size=4)


@pytest.mark.filterwarnings("ignore:pattern .* can't be compiled:UserWarning")
@given(
    expression=st.lists(fancy.map("".join), min_size=1, max_size=2).map("|".join),
    texts=st.lists(st.text("".join(LETTERS), max_size=12), max_size=8),
)
def test_any_expression_means_what_it_means_in_tiktoken(expression: str, texts: list[str]) -> None:
    """Unless it is refused, or too much for the compiler here."""
    expression += r"|[\s\S]"  # it leaves out what is not matched
    tiktoken: Any = pytest.importorskip("tiktoken")
    try:
        pattern = from_fancy_regex(expression)
        tok = from_ranks(RANKS, pattern, {})
        codec = Tokenizer(**tok._asdict())
    except ValueError as error:
        if re.search("must not match the empty", str(error)):
            return
        raise
    theirs = tiktoken.Encoding("t", pat_str=expression, mergeable_ranks=RANKS, special_tokens={})
    for text in texts:
        assert codec.encode_ordinary(text) == theirs.encode_ordinary(text)


@pytest.mark.parametrize(
    ("expression", "there"),
    [
        (r"\w+|\W", rf"[{HERE}]+|[^{HERE}]"),
        (r"^a|\s+$|.|\n", r"\Aa|\s+\Z|.|\n"),
        (r"\p{N}{1,3}+|\P{N}", r"(?>\p{N}{1,3})|\P{N}"),
        (r"\d{1,3}(?=(?:\d{3})*(?:\D|$))|.|\n", r"\d{1,3}(?=(?:\d{3})*(?:\D|\Z))|.|\n"),
        ("(?s).a|.", "(?m).a|."),
        (r"(?i:'s|'t)|[a-z]+|[^a-z]", r"(?i:'s|'t)|[a-z]+|[^a-z]"),
        (r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))|.", r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))|."),
        (r"[[:digit:]]+|\h|\R|[^\h\d\n]", r"[0-9]+|[\p{Zs}\t]|\R|[^\p{Zs}\t\d\n]"),
        ("(?x) [[:alpha:]]+ # letters\n|[ 1]|.", "[[:alpha:]]+|[ 1]|."),
    ],
)
@given(text=st.text("asAB1\u00e9\u0301_\u200d\u00bd \n\r", max_size=12))
def test_an_expression_is_written_so_that_it_means_the_same(
    expression: str, there: str, text: str
) -> None:
    """And is read back as that."""
    spelled, here = there_and_back(expression)
    assert spelled == there
    words = regex_words(expression, text)
    assert pieces_of(there, text) == words
    assert pretokenize(text, [here]) == words


@cache
def there_and_back(expression: str) -> tuple[str, str]:
    """Return it as it is written, and what that is read as: once for all texts."""
    spelled = to_oniguruma(expression)
    return spelled, from_oniguruma(spelled)


@pytest.mark.parametrize("expression", [r"(?m)a.b|\w|\W", "(?i:ss)|.", r"(.)\1|\w|\W"])
def test_what_is_not_known_to_mean_the_same_is_not_written(expression: str) -> None:
    """Oniguruma takes (?i:ss) for a sharp s, too."""
    with pytest.raises(ValueError, match="not known to mean the same to Oniguruma"):
        to_oniguruma(expression)


CLASSIFIED = [*"asA1$ \n\r", "\u24b6", "\u00e9", "\u2003", "\u2028"]
PAIRS = {bytes([byte]): byte for byte in range(256)}
for spelled in (*CLASSIFIED, *(a + b for a in CLASSIFIED for b in CLASSIFIED)):
    for end in range(2, len(spelled.encode()) + 1):
        PAIRS.setdefault(spelled.encode()[:end], len(PAIRS))


@pytest.mark.parametrize(
    ("expression", "there"),
    [
        (r"\w+|\s+$|\W", r"\w+|\s+$|\W"),
        (r"[[:alpha:]]+|[^[:alpha:]]", r"[\p{Alphabetic}]+|[^\p{Alphabetic}]"),
        (r"[[:^punct:]]|[[:punct:]]+", None),
        (r"[[:graph:]]+|[[:print:]]|[\s\S]", None),
        (r"\h+|\R|[^\h]", r"[\p{Zs}\t]+|(?>\r\n|[\n-\r\x85\u2028\u2029])|[^\p{Zs}\t]"),
        (r"\w+\Z|\W|\w", r"\w+\z|\W|\w"),
        ("(?xi) [a \\] ]+ # a letter or\n | [^a] \\ ? | .", "(?i)[a \\] ]+|[^a]\\ ?|."),
    ],
)
@given(text=st.text("".join(CLASSIFIED), max_size=12))
def test_an_expression_is_told_tiktoken_so_that_it_means_the_same(
    expression: str, there: str | None, text: str
) -> None:
    """Its engine takes names of classes for ASCII, and backslash h for a hexadecimal digit."""
    spelled, theirs, codec = told_tiktoken(expression)
    assert there is None or spelled == there
    assert theirs.encode_ordinary(text) == codec.encode_ordinary(text)


@cache
def told_tiktoken(expression: str) -> tuple[str, Any, Tokenizer]:
    """Return how it is spelled there, and tokenizers there and here: once for all texts."""
    tiktoken: Any = pytest.importorskip("tiktoken")
    spelled = to_fancy_regex(expression)
    theirs = tiktoken.Encoding("t", pat_str=spelled, mergeable_ranks=PAIRS, special_tokens={})
    return spelled, theirs, Tokenizer(**from_ranks(PAIRS, expression, {})._asdict())


def test_what_tiktoken_takes_otherwise_is_not_told_it() -> None:
    """Nothing that `regex` alone can run is known to mean the same."""
    with pytest.raises(ValueError, match=r"(?s)\(\.\).*not known to mean the same in tiktoken"):
        to_fancy_regex(r"(.)\1|[[:alpha:]]|\W")


@pytest.mark.parametrize("expression", PUBLISHED.values())
def test_published_expressions_are_told_tiktoken_as_they_are(expression: str) -> None:
    """So that its users find what they know."""
    assert to_fancy_regex(expression) == expression
