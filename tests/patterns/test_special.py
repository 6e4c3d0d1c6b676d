"""Special tokens are found leftmost first, and the longest where several begin."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bpetok.patterns.special import SpecialTokens

LETTERS = st.sampled_from([b"ab<", b"\0\xffa"])


def strings(letters: bytes, max_size: int, min_size: int = 0) -> st.SearchStrategy[bytes]:
    """Bytes of a few letters."""
    sampled = st.lists(st.sampled_from(letters), min_size=min_size, max_size=max_size)
    return sampled.map(bytes)


TOKENS_AND_TEXT = LETTERS.flatmap(
    lambda letters: st.tuples(
        st.lists(strings(letters, 6, 1), unique=True, max_size=8), strings(letters, 60)
    )
)


@settings(max_examples=500)
@given(TOKENS_AND_TEXT)
@example(([b"abcd", b"bc"], b"xabcexabcd"))  # what is found inside of what may become a token
@example(([b"a", b"ab", b"abcd"], b"abcabcd"))  # and a shorter one where a longer one may come
def test_spans_equal_those_of_re(tokens_and_text: tuple[list[bytes], bytes]) -> None:
    """An alternation of the tokens, longest first, finds the same."""
    tokens, text = tokens_and_text
    longest_first = sorted(tokens, key=len, reverse=True)
    pattern = re.compile(b"|".join(map(re.escape, longest_first)) or rb"(?!)", re.DOTALL)
    expected = [match.span() for match in pattern.finditer(text)]
    assert SpecialTokens(tokens).spans(text) == expected


@given(TOKENS_AND_TEXT, st.integers(-2, 62))
def test_first_across_sees_every_place(tokens_and_text: tuple[list[bytes], bytes], at: int) -> None:
    """The first place, if any, where a token has bytes on both sides, also inside another token."""
    tokens, text = tokens_and_text
    across = [
        start
        for start in range(len(text))
        for token in tokens
        if text.startswith(token, start) and start < at < start + len(token)
    ]
    assert SpecialTokens(tokens).first_across(text, at) == min(across, default=-1)


def test_many_tokens_with_one_prefix() -> None:
    """Reserved tokens by the hundred: each is found as itself."""
    tokens = [f"<|reserved_{i}|>".encode() for i in range(300)]
    text = b"x".join(tokens)
    spans = SpecialTokens(tokens).spans(text)
    assert [text[start:end] for start, end in spans] == tokens


def test_the_time_does_not_depend_on_the_number_of_tokens() -> None:
    """One by one, the last of these would take minutes: 50,000 tokens at each of 2 MB."""
    tokens = [f"the{i} of".encode() for i in range(50_000)]
    text = b"the quick brown fox; the49999 of the lazy dog" * 50_000
    spans = SpecialTokens(tokens).spans(text)
    assert len(spans) == 50_000
    assert {text[start:end] for start, end in spans} == {b"the49999 of"}


def test_a_text_of_beginnings_takes_linear_time() -> None:
    """Each place might begin a token of 100,000 bytes; none does."""
    text = b"a" * 1_000_000
    assert SpecialTokens([b"a" * 100_000 + b"b"]).spans(text) == []


@pytest.mark.parametrize("text", [b"", bytearray(b"<a"), memoryview(b"<a>")])
def test_any_buffer_is_searched(text: bytes) -> None:
    """bytes, bytearray and memoryview; an empty one has no tokens."""
    assert SpecialTokens([b"<a"]).spans(text) == ([(0, 2)] if text else [])
