"""Text and merges to test with."""

from collections.abc import Iterator

from hypothesis import strategies as st

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
TEXT = """The quick brown fox jumps over the lazy dog. It's the dog's day, isn't it? We'll see.
    for i in range(100):\n\t\tprint(i, "the", 'quick')\n\n\n   the   end   of   the   day
Größe straße été où naïve; Привет, мир! Привет; 你好，世界。你好 世界;
こんにちは世界; 안녕하세요 세계
नमस्ते दुनिया नमस्ते; مرحبا بالعالم; ١٢٣ ½ Ⅷ x² 1234567890 12 34;
👩🏽‍💻👩🏽‍💻 🎉🎉 ————— ..... ===== -----
"""
# Letters, numbers, spaces and others of one to four bytes, with what joins and modifies them.
CHARACTERS = sorted({*TEXT, *"\u00a0\u3000\u2028\u200d\ufeff\0\x1f\x7f’‘éẞǆ٣𝟗𐍈𐞁🇩🇪"})
TOY = "low " * 5 + "lower " * 2 + "newest " * 6 + "widest " * 3
"""The example of README and docs: Sennrich, Haddow and Birch (2016), with spaces."""
texts = st.text(st.sampled_from(CHARACTERS), max_size=60)


@st.composite
def merge_lists(draw: st.DrawFn, max_size: int = 12) -> list[tuple[int, int]]:
    """Any merges that could be learned from text of the letters a, b, c."""
    merges: list[tuple[int, int]] = []
    for i in range(draw(st.integers(0, max_size))):
        ids = st.sampled_from([*b"abc", *range(256, 256 + i)])
        pair = draw(st.tuples(ids, ids).filter(lambda pair: pair not in merges))
        merges.append(pair)
    return merges


ALPHABETS = st.sampled_from([b"abc", b"\0ab", b"a\0\x7f", b"\0\xff\1", b"\xff\xfe\0", b"!a\xa1"])
"""Letters in the place of a, b, c: ids at both ends, as 0 is, whose pair with itself is 0, 0; the
last ones have the same six low bits."""


def respelled(merges: list[tuple[int, int]], letters: bytes) -> list[tuple[int, int]]:
    """Return merges of a, b, c as merges of other letters."""
    number = dict(zip(b"abc", letters, strict=True))
    return [(number.get(left, left), number.get(right, right)) for left, right in merges]


def in_letters(word: str, letters: bytes) -> bytes:
    """Return a word of a, b, c in other letters; d to z are not among them and stay."""
    return word.encode().translate(bytes.maketrans(b"abc", letters))


def no_texts() -> Iterator[str]:
    """Texts for what must fail before it takes one."""
    raise AssertionError("a text was taken")
    yield ""  # type: ignore[unreachable]  # what makes it a generator
