"""Counting and learning, each alone."""

from pathlib import Path

from benchmarks import parts
from strategies import TEXT


def test_all_parts_are_measured(tmp_path: Path) -> None:
    """Each turn has the seconds of each part."""
    file = tmp_path / "text.txt"
    file.write_text(TEXT)
    turns = parts.measure([str(file)], n_threads=3, n_repeats=2, vocab_size=270)
    assert len(turns) == 2
    for turn in turns:
        assert list(turn) == [
            *("wc -w, C", "wc -w, C.UTF-8"),
            *("count, 1", "count, 3", "learn, 1", "learn, 3"),
        ]
        assert min(turn.values()) > 0


def test_ratios_are_medians_within_a_turn() -> None:
    """A slow turn does not compare one part's luck with another's."""
    names = ("wc -w, C", "wc -w, C.UTF-8", "count, 1", "count, 2", "learn, 1", "learn, 2")
    rows = ((2, 4, 1, 0.5, 3, 2), (20, 40, 10, 5, 30, 20), (3, 4, 1, 0.5, 3, 1))
    turns = [dict(zip(names, map(float, row), strict=True)) for row in rows]
    printed = parts.to_markdown(turns, 2).splitlines()
    assert printed[4] == "| count, 1 | 1.000 | wc -w, C: 2.00; wc -w, C.UTF-8: 4.00 |"
    assert printed[-1] == "| learn, 2 | 2.000 | learn, 1: 1.50 |"
