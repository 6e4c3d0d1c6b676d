"""An expression may not take all memory or time: its size is known before it is compiled."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

import bpetok
from bpetok.patterns.bounds import MAX_NODES, MAX_STEPS, check_size, count_nodes
from bpetok.patterns.builtin import PATTERNS, SPELLINGS, check_pattern
from bpetok.patterns.normalizers import Spec


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


@pytest.mark.parametrize("kind", [list, json.dumps])
def test_a_chain_of_very_many_steps_is_refused(kind: Callable[[Any], Any]) -> None:
    """Each step is compiled, with tables of its own: 100,000 took 26 s, where they were alike."""
    steps = [["digits", "isolated"]] * MAX_STEPS
    assert bpetok.pretokenize("a12", kind(steps)) == ["a", "1", "2"]
    with pytest.raises(ValueError, match="must have at most 100 steps, got 101: put several"):
        check_pattern(kind([*steps, ["gpt2", "isolated"]]))
    with pytest.raises(ValueError, match="its steps have more than 100,000 parts"):
        check_pattern(kind([["a{1,30000}", "isolated"], ["b{1,30000}", "isolated"]] * 2))


def test_a_file_with_very_many_steps_is_refused(tmp_path: Path) -> None:
    """The pattern of a tokenizer.json and of counted words is that of a stranger."""
    bpetok.Tokenizer(merges=[], pattern="none").save_pretrained(tmp_path)
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    splits = [
        {"type": "Split", "pattern": {"String": f"a{i}"}, "behavior": "Isolated", "invert": False}
        for i in range(3000)
    ]
    content["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [*splits, content["pre_tokenizer"]],
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"tokenizer\.json: .*at most 100 steps, got 3,000"):
        bpetok.Tokenizer.from_pretrained(tmp_path)


@pytest.mark.parametrize("by", ["String", "Regex"])
def test_a_normalizer_may_not_take_all_memory(by: str) -> None:
    """Forty steps that double a letter; or one that makes very much of each."""
    double = {"type": "Replace", "pattern": {by: "a"}, "content": "aa"}
    much = {"type": "Replace", "pattern": {by: "a"}, "content": "b" * 10_000}
    cases: list[tuple[Spec, str]] = [([double] * 40, "a"), (much, "a" * 1000)]
    for normalizer, text in cases:
        tokenizer = bpetok.Tokenizer(merges=[], normalizer=normalizer)
        calls: list[Callable[[], object]] = [
            partial(tokenizer.encode, text),
            partial(tokenizer.encode_with_offsets, text),
            partial(bpetok.count_words_from_iterator, [text], normalizer=normalizer),
        ]
        for call in calls:
            with pytest.raises(ValueError, match="more than 100 times: leave out those that add"):
                call()
    ten = bpetok.Tokenizer(merges=[], normalizer=[double] * 10)
    assert ten.encode("ab") == [97] * 1024 + [98]
    assert len(bpetok.Tokenizer(merges=[], normalizer=much).encode("a")) == 10_000


def test_a_decoder_may_not_take_all_memory(tmp_path: Path) -> None:
    """Its steps are those of a stranger, too."""
    bpetok.Tokenizer(merges=[], pattern="none").save_pretrained(tmp_path)
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    double = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
    content["decoder"] = {"type": "Sequence", "decoders": [content["decoder"], *[double] * 40]}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    tokenizer = bpetok.Tokenizer.from_pretrained(tmp_path)
    assert tokenizer.decode([98]) == "b"
    with pytest.raises(ValueError, match="more than 100 times"):
        tokenizer.decode([97])


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
