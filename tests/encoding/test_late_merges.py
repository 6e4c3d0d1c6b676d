"""Words that are cut into parts, with late merges across them, against plain BPE."""

from __future__ import annotations

from array import array
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from bpetok import Superwords, Tokenizer, pretokenize, train_from_iterator
from bpetok.encoding.encoder import Encoder, Specials
from bpetok.encoding.whole_words import WholeWords
from bpetok.patterns.scan import PATTERN_NAMES
from bpetok.patterns.special import SpecialTokens
from strategies import TEXT

NO_SPECIALS = Specials(SpecialTokens(()), [], SpecialTokens(()))
LETTERS = b"ab .\n\xc3\xa9"
EARLY = [*zip(b"abaxbxx.. \n\n\xc3.", b"baabbxa.\n \na\xa9x", strict=True)]
"""Merges that reach over no space after a letter."""
texts = st.lists(
    st.sampled_from(["a", "b", "ab", "aab", " ", " a", " b", " ab", ".", "\n", "é", "x"]),
    max_size=90,
).map("".join)


def encoder(
    merges: list[reference.Pair], token_ids: list[int] | None = None, **options: Any
) -> Encoder:
    """Return an encoder to which a text is one word."""
    pairs = array("i", [number for pair in merges for number in pair])
    ids = None if token_ids is None else array("i", token_ids)
    return Encoder(pairs, 256 + len(merges), ids, PATTERN_NAMES.index("none"), **options)


@st.composite
def late_merges(draw: st.DrawFn) -> list[reference.Pair]:
    """Any merges of LETTERS after EARLY ones, of which the first ones cross a space."""
    merges = dict.fromkeys(EARLY)
    merges.setdefault((draw(st.sampled_from(b"ab")), 0x20))
    merges.setdefault((0x20, draw(st.sampled_from(b"ab"))))
    for _ in range(draw(st.integers(0, 40))):
        ids = st.sampled_from([*LETTERS, *range(256, 256 + len(merges))])
        merges.setdefault((draw(ids), draw(ids)))
    return list(merges)


@given(late_merges(), st.lists(texts, max_size=4))
def test_words_get_the_ids_of_plain_bpe(merges: list[reference.Pair], words: list[str]) -> None:
    """As one word of a text, from the cache of parts, too, and as a word alone."""
    compiled = encoder(merges)
    assert 256 < compiled.first_late <= 256 + len(EARLY) + 2
    for word in (*words, "".join(words)) * 2:
        right = reference.encode_word(word.encode(), merges)
        assert compiled.encode(word, NO_SPECIALS) == right
        assert compiled.encode_word(word.encode()) == right


@given(late_merges(), texts)
def test_bytes_without_an_id_are_left_out_or_unknown(
    merges: list[reference.Pair], word: str
) -> None:
    """Late merges join what is around a byte that is left out, but not around `unk_id`."""
    ids = [-1 if number == ord("x") else number for number in range(256 + len(merges))]
    left_out = encoder(merges, ids)
    unknown = encoder(merges, ids, unk_id=ord("~"))
    assert left_out.first_late
    right = reference.encode_word(word.replace("x", "").encode(), merges)
    assert left_out.encode(word, NO_SPECIALS) == right
    parts = [reference.encode_word(part.encode(), merges) for part in word.split("x")]
    right = [number for part in parts for number in (ord("~"), *part)][1:]
    assert unknown.encode(word, NO_SPECIALS) == right


@given(late_merges(), texts)
def test_whole_words_are_no_part_of_others(merges: list[reference.Pair], word: str) -> None:
    """A word that has an id of its own gets that only where it is all of a word."""
    whole = encoder(merges, whole_words=WholeWords({b"ab a": 7}))
    assert whole.encode("ab a", NO_SPECIALS) == [7]
    text = f"ab a {word}"
    right = reference.encode_word(text.encode(), merges)
    assert whole.encode(text, NO_SPECIALS) == right


@pytest.mark.parametrize("n", [61, 62, 63, 64, 65, 200, 320, 321, 5000])
@pytest.mark.parametrize("unit", ["a b", " a", "a  ", "ab.", ". ", "x a\n"])
def test_long_runs_of_ids_that_may_join(unit: str, n: int) -> None:
    """Of all lengths about those of blocks, with a long part next to them."""
    merges = [*EARLY, (0x61, 0x20), (0x20, 0x61), (0x20, 0x62), (270, 272), (271, 270), (272, 271)]
    merges += [(273, 273), (274, 274), (277, 277), (0x2E, 0x20), (279, 279)]
    assert len(EARLY) == 14
    compiled = encoder(merges)
    assert compiled.first_late
    for word in (unit * n, "x" * 300 + unit * n, unit * n + "b" * 300 + unit):
        assert compiled.encode(word, NO_SPECIALS) == reference.encode_word(word.encode(), merges)


def test_ids_of_superwords_whatever_their_numbers_are() -> None:
    """Learned from text; of a tokenizer with other ids, from text of many words and lines."""
    tok = train_from_iterator([TEXT * 3], vocab_size=420, superwords=Superwords(start=330))
    merges = [(int(left), int(right)) for left, right in tok.merge_pairs]
    assert 330 < tok._encoder.first_late < 420
    random = Random(0)
    other_ids = random.sample(range(1000), 256 + len(merges))
    other = Tokenizer(merges=tok.merges, token_ids=other_ids, pattern="superbpe")
    pieces = TEXT.replace("\n", "\n ").split(" ")
    text = " ".join(random.choices(pieces, k=5000))
    ids = tok.encode(text)
    assert tok.decode(ids) == text
    assert other.encode(text) == [other_ids[number] for number in ids]
    words = [word.encode() for word in pretokenize(text, "superbpe")]
    assert ids == [number for word in words for number in reference.encode_word(word, merges)]


def test_few_early_merges_are_not_made_first() -> None:
    """It would take longer: with more than 20 late ones for each of them, all are made at once."""
    digits = [(left, right) for left in b"0123" for right in b"0123456789"]
    capitals = [(left, right) for left in range(0x41, 0x5B) for right in range(0x41, 0x5B)]
    merges = [*digits, (0x20, 0x61), (0x61, 0x20), *capitals]  # 297 is `a `, so 288 is late
    assert encoder(merges[: 32 + 20 * 32]).first_late == 288
    assert encoder(merges[: 32 + 20 * 32 + 1]).first_late == 0
