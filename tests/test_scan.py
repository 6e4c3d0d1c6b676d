"""The scanner gives the words that the `regex` module gives, on every instruction set."""

from collections.abc import Iterator

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from bpetok import _scan
from bpetok.patterns import GPT2
from reference import assigned_in_unicode_16

PATTERN = regex.compile(GPT2)

# One or more characters of each class and length in UTF-8, and all that contractions are made of.
CHARACTERS = (
    "astmdrevlTL '\t\n\r019!-\x00\x1c\x7féßжñ٣½中あ한\u0301\u2019\u00a0\u0085\u2003\u3000𝔸𝟘🙂"
)


@pytest.fixture(params=_scan.instruction_sets(), autouse=True)
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run each test with each instruction set of this processor."""
    _scan.use_instruction_set(request.param)
    yield request.param
    _scan.use_instruction_set(_scan.instruction_sets()[-1])


def words(text: str) -> list[str]:
    return [word.decode() for word in _scan.split_words(text.encode())]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "   ",
        "a",
        "don't we'll I'd they've 're's 'S",
        "'s's''s ' 's\t's\n's !'s 1's 'st 'lll 'l 'r 're",
        "a  b\t\tc \n d\u3000\u3000e\u00a0 f ",
        "x" * 200 + " " * 200 + "1" * 200,
        "中文，没有空格。" * 40,
    ],
)
def test_words_equal_those_of_regex(text: str) -> None:
    """Contractions, runs of white space, long runs and text without spaces."""
    assert words(text) == PATTERN.findall(text)


@pytest.mark.parametrize("filler", ["x", " ", "é", "中", "🙂", "'", "\u3000"])
@pytest.mark.parametrize(
    "part", ["'s", "'ll", "'llx", " 's", "\u00a0a", "\u3000\u3000a", "é ", "🙂1", "  b", "\n\n b"]
)
def test_a_block_may_end_anywhere(filler: str, part: str) -> None:
    """The same text with the 64-byte block's end before, in and behind each of its bytes."""
    for n in range(70):
        text = " " * (n % 3) + filler * n + part + filler * 3
        assert words(text) == PATTERN.findall(text)


@given(st.text(alphabet=CHARACTERS, max_size=200))
def test_random_text_equals_regex(text: str) -> None:
    """Words of random text in few characters, which makes rare sequences common."""
    assert words(text) == PATTERN.findall(text)


@given(st.text(max_size=100).filter(lambda text: all(map(assigned_in_unicode_16, text))))
def test_random_unicode_equals_regex(text: str) -> None:
    """Words of random characters of all planes."""
    assert words(text) == PATTERN.findall(text)


def test_every_code_point_has_the_class_that_regex_gives_it() -> None:
    """Each character assigned in Unicode 16.0 between a letter, a digit, a mark and a space."""
    characters = [
        chr(c)
        for c in range(0x110000)
        if not 0xD800 <= c < 0xE000 and assigned_in_unicode_16(chr(c))
    ]
    text = "".join(f"a{c}b1{c}2!{c}- {c} {c}\n" for c in characters)
    assert words(text) == PATTERN.findall(text)


@given(st.binary(max_size=100))
def test_utf8_is_checked_as_python_does(data: bytes) -> None:
    """The offset of the first invalid byte is that of bytes.decode."""
    try:
        data.decode()
        expected = -1
    except UnicodeDecodeError as error:
        expected = error.start
    assert _scan.check_utf8(data) == expected


@given(
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
    )
)
def test_nearly_valid_utf8_is_checked_as_python_does(parts: list[bytes]) -> None:
    """Overlong forms, surrogates, code points too large, and truncated characters."""
    test_utf8_is_checked_as_python_does.hypothesis.inner_test(b"".join(parts))  # type: ignore[attr-defined]  # set by given


def test_text_that_is_not_utf8_is_refused() -> None:
    """The scanner's precondition is checked where Python calls it."""
    with pytest.raises(ValueError, match="byte 3 is not"):
        _scan.split_words(b"abc\xff")


def test_an_unknown_instruction_set_is_refused() -> None:
    """The message lists those that there are."""
    with pytest.raises(ValueError, match="plain64"):
        _scan.use_instruction_set("mmx")


@given(st.text(alphabet=CHARACTERS, max_size=120), st.data())
def test_a_text_may_be_cut_at_a_word_end(text: str, data: st.DataObject) -> None:
    """The words of the two parts are those of the whole."""
    encoded = text.encode()
    if not encoded:
        return
    end = data.draw(st.integers(0, len(encoded)))
    cut = _scan.last_word_end(encoded, 0, end)
    assert cut == -1 or 0 < cut < end
    if cut > 0:
        assert _scan.split_words(encoded[:cut]) + _scan.split_words(
            encoded[cut:]
        ) == _scan.split_words(encoded)


def test_a_cut_is_found_in_text_without_spaces() -> None:
    """Punctuation behind a letter is as good as a space; one long run has no cut."""
    text = "中文，没有空格".encode()
    assert text[_scan.last_word_end(text, 0, len(text)) :].decode() == "，没有空格"
    assert _scan.last_word_end(b"a" * 100, 0, 100) == -1
