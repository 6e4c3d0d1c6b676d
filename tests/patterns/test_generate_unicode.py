"""The generated character classes are those of Unicode 16.0."""

from pathlib import Path

from bpetok.patterns import generate_unicode


def test_header_is_what_the_generator_prints() -> None:
    """Nobody edited unicode.h by hand, and it is of Unicode 16.0."""
    header = Path(__file__).parents[2].joinpath("bpetok", "patterns", "unicode.h").read_text()
    assert header == generate_unicode.generate()
    assert "Unicode 16.0.0" in header
