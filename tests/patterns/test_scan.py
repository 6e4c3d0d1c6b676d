"""The scanner gives the words that `regex` gives: every pattern, every instruction set."""

from array import array
from collections.abc import Iterator
from functools import cache
from itertools import groupby

import pytest
import regex
import tokenizers
from hypothesis import example, given
from hypothesis import strategies as st

import bpetok
from bpetok.patterns import scan
from bpetok.patterns.builtin import PATTERNS, SPELLINGS
from reference import assigned_characters, assigned_in_unicode_16, category_in_unicode_16

COMPILED = {name: regex.compile(PATTERNS[name]) for name in scan.PATTERN_NAMES}

# Unicode 17.0 made a lower case letter into one without case. tiktoken and tokenizers go by 16.0.
CHANGED_SINCE = "\u0295"

# One or more characters of each class and length in UTF-8, and all that contractions are made of.
CHARACTERS = (
    "astmdrevlTLSREVLD'''\t\n\r019!-/ \x00\x1c\x7féßжñ٣½中海あ한낙\u0301\u0903\u2019\u00a0\u0085"
    "\u2003\u3000𝔸𝟘🙂ſÀǅʰª\U0001e943"
)


@pytest.fixture(params=scan.instruction_sets(), autouse=True)
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run each test with each instruction set of this processor."""
    scan.use_instruction_set(request.param)
    yield request.param
    scan.use_instruction_set(scan.instruction_sets()[-1])


def words(text: str, pattern: str) -> list[str]:
    number = scan.PATTERN_NAMES.index(pattern)
    return [word.decode() for word in scan.split_words(text.encode(), number)]


@st.composite
def texts(draw: st.DrawFn, max_size: int = 200) -> str:
    """Text in few characters, which makes rare sequences common; it may begin with a long run."""
    characters = draw(st.lists(st.sampled_from(CHARACTERS), min_size=1, max_size=12))
    run = draw(st.sampled_from(characters)) * draw(st.integers(0, 140))
    return run + draw(st.text(st.sampled_from(characters), max_size=max_size))


def test_the_scanner_knows_the_patterns() -> None:
    """Each name, in the same order; the patterns after them are compiled."""
    assert tuple(PATTERNS)[: len(scan.PATTERN_NAMES)] == scan.PATTERN_NAMES
    with pytest.raises(IndexError, match=r"pattern must be in 0\.\.6, got 7"):
        scan.split_words(b"", 7)


@pytest.mark.parametrize("pattern", scan.PATTERN_NAMES)
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "   ",
        "a",
        "don't we'll I'd they've 're's 'S",
        "'s's''s ' 's\t's\n's !'s 1's 'st 'lll 'l 'r 're",
        "x's's DON'Tx DON'LLx it'ſx 'ſ it's\u0301 it's! it's'tx it's中A it's中Ab",
        "a  b\t\tc \n d\u3000\u3000e\u00a0 f ",
        "a \n  ",
        "a\r\n \r\n   b!\n\n \n  /\n//x !\n/\n//x !\n/\u0301 !!\u0301\n//\u0301 !\n/!\u0301",
        "x" * 200 + " " * 200 + "1" * 200,
        "x\n" + " " * 200 + "\n" + " " * 200 + "y\n" + " " * 200,
        "1" * 200 + "𝟘" * 100 + "12٣½" * 40,
        "中文，没有空格。" * 40,
        "HTTPServer aBC中DEF aBC中DEf 中ABC中 ABCʰD ʰABC ǅungla",
        "\u0301ABC !\u0301 !!\u0301a !\u0301!\u0301 1\u0301 \u0301\n\u0301 !\u0301'sa",
        "的API接口" * 20 + "中" + "A" * 200 + "b中" + "A" * 200,
    ],
)
def test_words_equal_those_of_regex(text: str, pattern: str) -> None:
    """Contractions, runs of white space, long runs, case, marks and text without spaces."""
    assert words(text, pattern) == COMPILED[pattern].findall(text)


@pytest.mark.parametrize(
    "filler", ["x", "X", " ", "\n", "é", "中", "🙂", "'", "1", "𝟘", "\u0301", "\u3000"]
)
@pytest.mark.parametrize(
    "part",
    [
        "'s",
        "'ll",
        "'llx",
        " 's",
        "a'ſx",
        "\u00a0a",
        "\u3000\u3000a",
        "é ",
        "🙂1",
        "🙂a",
        "  b",
        "\n\n b",
        "\n  \n  b",
        "!\n/\n/",
        "1234567",
        "𝟘𝟘𝟘𝟘𝟘",
        "aB",
        "中AA",
        "中AAb",
        "!!\u0301a",
        "!\u0301a",
    ],
)
def test_a_block_may_end_anywhere(filler: str, part: str) -> None:
    """The same text with the 64-byte block's end before, in and after each of its bytes."""
    for pattern, compiled in COMPILED.items():
        for n in range(66):
            text = " " * (n % 3) + filler * n + part + filler * 3
            assert words(text, pattern) == compiled.findall(text), (pattern, n)


@pytest.mark.parametrize("pattern", scan.PATTERN_NAMES)
@pytest.mark.parametrize("white", ["\u2028", "\u00a0", "\u3000", "\u00a0\u3000", " \u2003"])
def test_long_runs_of_white_space_equal_those_of_regex(white: str, pattern: str) -> None:
    """Whether a newline ends them is seen blocks ahead, which may begin within a character."""
    for n in range(20, 150):
        for begin, end in (("\n", "\n"), ("\n", ""), ("\n", "x"), ("a\n\n", "\r"), ("\n", "1")):
            text = begin + (white * n)[:n] + end
            assert words(text, pattern) == COMPILED[pattern].findall(text), (begin, n, end)


@pytest.mark.parametrize("pattern", scan.PATTERN_NAMES)
@given(text=texts())
def test_random_text_equals_regex(text: str, pattern: str) -> None:
    """Words of random text in few characters."""
    assert words(text, pattern) == COMPILED[pattern].findall(text)


def is_same_in_regex(character: str) -> bool:
    return assigned_in_unicode_16(character) and character != CHANGED_SINCE


@given(st.text(max_size=100).filter(lambda text: all(map(is_same_in_regex, text))))
def test_random_unicode_equals_regex(text: str) -> None:
    """Words of random characters of all planes."""
    for pattern, compiled in COMPILED.items():
        assert words(text, pattern) == compiled.findall(text)


CONTEXTS = (
    "a{0}b1{0}2!{0}- ",
    "{0} {0}\nA{0}B{0}a\n",
    "{0}\n{0}/ !{0}a '{0}e",
    "{0}l'l{0} a'{0}A中{0}A\u0301{0}A!!{0}a",
)
"""On both sides of each class."""
LONG_RUN = 1000
"""So many characters of one category, such as ideographs, take turns with the contexts."""


@cache
def every_code_point() -> str:
    """Each character assigned in Unicode 16.0 in all contexts, or in one where it is one of many.

    The first and the last of many come in all, too.
    """
    parts = []
    characters = filter(is_same_in_regex, assigned_characters())
    for _, group in groupby(characters, category_in_unicode_16):
        run = list(group)
        for i, c in enumerate(run):
            is_inside = len(run) >= LONG_RUN and 0 < i < len(run) - 1
            contexts = CONTEXTS[i % 4 :][:1] if is_inside else CONTEXTS
            parts += [context.format(c) for context in contexts]
    return "".join(parts)


@cache
def lengths_for_every_code_point(pattern: str) -> "array[int]":
    """The lengths of the words, which say as much as the words and take a tenth of the memory."""
    return array("I", map(len, COMPILED[pattern].findall(every_code_point())))


@pytest.mark.parametrize("pattern", scan.PATTERN_NAMES)
def test_every_code_point_has_the_class_that_regex_gives_it(pattern: str) -> None:
    """Next to letters of each case, a digit, marks, white space, newlines and in contractions."""
    lengths = array("I", map(len, words(every_code_point(), pattern)))
    same = lengths == lengths_for_every_code_point(pattern)
    assert same  # the arrays are too long to be compared by pytest


@pytest.mark.parametrize("spelling", SPELLINGS)
@given(text=texts())
def test_other_spellings_give_the_same_words(spelling: str, text: str) -> None:
    """What others have published for a pattern is that pattern."""
    # Without (?V1) `regex` takes && for two characters.
    compiled = regex.compile("(?V1)" + spelling if "&&" in spelling else spelling)
    assert bpetok.pretokenize(text, SPELLINGS[spelling]) == compiled.findall(text)


@pytest.mark.parametrize("pattern", [name for name in scan.PATTERN_NAMES if name != "none"])
@given(text=texts(60))
@example(text=f"A{CHANGED_SINCE}A{CHANGED_SINCE}a")
def test_words_equal_those_of_tokenizers(pattern: str, text: str) -> None:
    """Hugging Face's Split, whose engine is Oniguruma, reads the expression as we do."""
    split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(PATTERNS[pattern]), "isolated")
    assert words(text, pattern) == [word for word, _ in split.pre_tokenize_str(text)]


def invalid_byte(data: bytes) -> int:
    """Return the offset of the first byte that bytes.decode refuses, or -1."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start
    return -1


@given(st.binary(max_size=100))
def test_utf8_is_checked_as_python_does(data: bytes) -> None:
    """The offset of the first invalid byte is that of bytes.decode."""
    assert scan.check_utf8(data) == invalid_byte(data)


def test_any_three_bytes_across_blocks_are_checked_as_python_does() -> None:
    """Three bytes, the last from each class of them, on both sides of the end of 32 bytes."""
    before, behind = "é".encode() * 15, b"\x80" + b"a" * 64
    for first in range(256):
        for second in range(256):
            for third in (0x41, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC2, 0xE1, 0xF1):
                data = before + bytes((first, second, third)) + behind
                if scan.check_utf8(data) != invalid_byte(data):
                    pytest.fail(f"{first:02x} {second:02x} {third:02x}")


@given(
    st.text(max_size=80),
    st.lists(
        st.sampled_from(
            [
                b"\xe0",
                b"\x80",
                b"\xa0",
                b"\xed",
                b"\xf0",
                b"\x90",
                b"\xf4",
                b"\x8f",
                b"\xc2",
                b"\xbf",
                b"a" * 9,
                "é".encode(),
                b"\xff",
            ]
        )
    ),
    st.text(max_size=80),
)
def test_nearly_valid_utf8_is_checked_as_python_does(
    before: str, parts: list[bytes], behind: str
) -> None:
    """Overlong forms, surrogates, code points too large, and truncated characters."""
    data = before.encode() + b"".join(parts) + behind.encode()
    assert scan.check_utf8(data) == invalid_byte(data)


def test_text_that_is_not_utf8_is_refused() -> None:
    """The scanner's precondition is checked where Python calls it."""
    with pytest.raises(ValueError, match="byte 3 is not"):
        scan.split_words(b"abc\xff")


def test_an_unknown_instruction_set_is_refused() -> None:
    """The message lists those that there are."""
    with pytest.raises(ValueError, match=", ".join(scan.instruction_sets())):
        scan.use_instruction_set("mmx")


@given(texts(120), st.data())
def test_a_text_may_be_cut_at_a_word_end(text: str, data: st.DataObject) -> None:
    """The words of the two parts are those of the whole, but for `none`."""
    encoded = text.encode()
    if not encoded:
        return
    end = data.draw(st.integers(0, len(encoded)))
    cut = scan.last_word_end(encoded, 0, end)
    assert cut == -1 or 0 < cut < end
    if cut > 0:
        left, right = encoded[:cut].decode(), encoded[cut:].decode()
        for pattern in [name for name in scan.PATTERN_NAMES if name != "none"]:
            assert words(left, pattern) + words(right, pattern) == words(text, pattern)


def test_a_cut_is_found_in_text_without_spaces() -> None:
    """Punctuation after a letter is as good as a space; one long run has no cut."""
    text = "中文，没有空格".encode()
    assert text[scan.last_word_end(text, 0, len(text)) :].decode() == "，没有空格"
    assert scan.last_word_end(b"a" * 100, 0, 100) == -1
