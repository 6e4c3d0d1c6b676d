"""Special tokens are found leftmost first, and the longest where several begin."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpetok.patterns.special import SpecialTokens

TOKENS = st.lists(st.text("ab<", min_size=1, max_size=4).map(str.encode), unique=True, max_size=4)


@given(TOKENS, st.text("ab<", max_size=40).map(str.encode))
def test_spans_equal_those_of_re(tokens: list[bytes], text: bytes) -> None:
    """An alternation of the tokens, longest first, finds the same."""
    longest_first = sorted(tokens, key=len, reverse=True)
    pattern = re.compile(b"|".join(map(re.escape, longest_first)) or rb"(?!)")
    expected = [match.span() for match in pattern.finditer(text)]
    assert SpecialTokens(tokens).spans(text) == expected


@given(TOKENS, st.text("ab<", max_size=20).map(str.encode), st.integers(-2, 22))
def test_first_across_sees_every_place(tokens: list[bytes], text: bytes, at: int) -> None:
    """The first place, if any, where a token has bytes on both sides, also inside another token."""
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


@pytest.mark.parametrize("text", [b"", bytearray(b"<a"), memoryview(b"<a>")])
def test_any_buffer_is_searched(text: bytes) -> None:
    """bytes, bytearray and memoryview; an empty one has no tokens."""
    assert SpecialTokens([b"<a"]).spans(text) == ([(0, 2)] if text else [])
