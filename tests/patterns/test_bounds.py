"""An expression may not take all memory or time: its size is known before it is compiled."""

from __future__ import annotations

import tracemalloc

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

import bpetok
from bpetok.patterns.bounds import MAX_NODES, check_size, count_nodes
from bpetok.patterns.builtin import PATTERNS, SPELLINGS, check_pattern


@pytest.mark.parametrize("expression", [*PATTERNS.values(), *SPELLINGS])
def test_patterns_that_are_used_are_small(expression: str) -> None:
    """By far."""
    assert 0 < count_nodes(expression) < 500


@pytest.mark.parametrize(
    "expression",
    [
        "a{1000000}|.",
        "a{1000000000}|.",
        "a{0,1000000}|.",
        "a{,1000000}|.",
        "(?:a{1000}){100000}|.",
        "(?:(?:ab){1000}){100000}|.",
        "(?:(?:(?:ab){100}){100}){1000}|.",
        r"(?:\p{L}{1000}|[^\]a[b]&&c]{10}){1000}|.",
        r"(?:x\){500}){500}|.",
        "a{" + "9" * 5000 + "}|.",
        "|".join(["ab"] * MAX_NODES),
    ],
)
def test_an_expression_that_would_take_all_memory_is_refused(expression: str) -> None:
    """Before anything is compiled."""
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"is too large: with its repeats|does not compile"):
        check_pattern(expression)
    with pytest.raises(ValueError, match=r"is too large: with its repeats|does not compile"):
        check_pattern([expression, "digits"])
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()


parts = st.recursive(
    st.sampled_from(["a", r"\p{L}", "[b-d]", r"[^\]a]", r"\)", ".", "x+", "(?:y)?"]),
    lambda inner: st.tuples(
        st.lists(inner, min_size=1, max_size=3).map("|".join), st.integers(2, 9)
    ).map(lambda pair: f"(?:{pair[0]}){{{pair[1]}}}"),
    max_leaves=6,
)


@given(expression=parts)
def test_the_count_is_about_what_regex_makes_of_it(expression: str) -> None:
    """Never far below: written out by hand it is not longer."""
    regex.compile(expression)
    at_once = regex.sub(r"\{\d+\}", "", expression)
    assert count_nodes(expression) >= count_nodes(at_once)
    check_size(expression)
    assert count_nodes(f"(?:{expression}){{7}}") >= 7 * count_nodes(expression)


@pytest.mark.parametrize("pattern", ["a" * 200_000, "(" * 9000 + "a" + ")" * 9000])
def test_a_long_pattern_is_not_all_of_the_message(pattern: str) -> None:
    """It may come from a stranger's file."""
    with pytest.raises(ValueError, match="characters in all") as caught:
        bpetok.pretokenize("aaa", pattern)
    assert len(str(caught.value)) < 500
