"""The benchmark of expressions that are hard on the scanner."""

from benchmarks.hostile import EXPRESSIONS, measure, to_markdown
from bpetok.patterns import explain


def test_all_are_compiled_counted_and_printed() -> None:
    """An expression that `regex` keeps would measure something else."""
    assert {explain(expression).name for expression in EXPRESSIONS} == {"automaton"}
    medians = measure("It's a@b.c, no: é\n\n".encode(), ["gpt2", *EXPRESSIONS], 1)
    assert list(medians) == ["gpt2", *EXPRESSIONS]
    table = to_markdown(medians, 20)
    assert table.count("\n") == len(EXPRESSIONS) + 2
    assert r"| `\w\|\W` |" in table
