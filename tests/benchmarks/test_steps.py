"""The steps from the naive loop to bpetok, of the table in docs/bpe.md."""

import pytest

import bpetok
from benchmarks import steps
from strategies import TEXT, TOY


def test_all_steps_learn_the_same() -> None:
    """Whatever the merges; and where there are no more."""
    words = bpetok.count_words_from_iterator([TOY, TEXT, "aaaa aaaaaaa"])
    expected = steps.STEPS["recount"](words, 150)
    for learn in steps.STEPS.values():
        assert learn(words, 150) == expected
    few = bpetok.Words.from_counts({b"ab": 1})
    for learn in steps.STEPS.values():
        assert learn(few, 9) == [(97, 98)]


def test_the_table_has_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that would take too long is not run; one that differs is an error."""
    words = bpetok.count_words_from_iterator([TOY])
    table = steps.measure(words, [2, 10], 1e-7, ["recount", "batches"])
    assert [seconds is None for seconds in table["recount"]] == [False, True]
    printed = steps.to_markdown({"a": [2.0, None], "b": [0.5, 1.0]}, [2, 10]).splitlines()
    assert printed[0] == "| step | 2 merges, s | gain | 10 merges, s | gain |"
    assert printed[2:] == ["| a | 2 |  | - |  |", "| b | 0.5 | 4.0 | 1 |  |"]
    monkeypatch.setitem(steps.STEPS, "batches", lambda words, n: [])
    with pytest.raises(RuntimeError, match="different merges"):
        steps.measure(words, [2], 1.0, ["batches"])
