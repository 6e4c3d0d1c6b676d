"""`&&` in a class is what is in both, as in Rust, which tiktoken runs, and in Oniguruma."""

import pytest

from bpetok.patterns.pretokenize import pretokenize


def test_two_ampersands_are_what_is_in_both() -> None:
    """One of them is a character like any other."""
    assert pretokenize("aAbB", "[[a-z]&&[^b]]+|.") == ["a", "A", "b", "B"]
    assert pretokenize("a&b", r"[a&]+|\w") == ["a&", "b"]


def test_tiktoken_splits_in_the_same_way() -> None:
    """Where a word goes on across the border, a merge gives it away."""
    tiktoken = pytest.importorskip("tiktoken")
    expression = r"[\p{L}&&[^\p{Han}]]+|\p{Han}+|[^\p{L}]+"
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"b\xe4": 256, b"bc": 257}
    theirs = tiktoken.Encoding("x", pat_str=expression, mergeable_ranks=ranks, special_tokens={})
    text = "ab\u4e2d\u6587c & bc\u4e2d"
    assert pretokenize(text, expression) == ["ab", "\u4e2d\u6587", "c", " & ", "bc", "\u4e2d"]
    ids = theirs.encode(text)
    assert 256 not in ids
    assert 257 in ids
