"""Words with an id of their own, and bytes that have none."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

import reference
from bpetok.encoding.encoder import Encoder, Specials
from bpetok.encoding.whole_words import WholeWords
from bpetok.patterns.scan import PATTERN_NAMES, split_words
from bpetok.patterns.special import SpecialTokens

MERGES = [(97, 98), (256, 99), (0, 255), (97, 0)]
PAIRS = array("i", [token for pair in MERGES for token in pair])
ORDINARY = Specials(SpecialTokens(()), [], SpecialTokens(()))
words = st.binary(max_size=40) | st.text("ab \0", max_size=20).map(str.encode)


@given(whole=st.dictionaries(words, st.integers(300, 400), max_size=20), word=words)
def test_a_word_that_has_an_id_gets_it(whole: dict[bytes, int], word: bytes) -> None:
    """Any bytes, the empty word too; others are merged."""
    encoder = Encoder(PAIRS, 401, whole_words=WholeWords(whole))
    for each in (word, *whole):
        expected = [whole[each]] if each in whole else reference.encode_word(each, MERGES)
        assert encoder.encode_word(each) == (expected if each else [])


@given(text=st.text("abc \0\u00ff", max_size=60), without=st.sets(st.sampled_from(b"a \0\xc3\xbf")))
def test_bytes_without_an_id_are_left_out_before_merging(text: str, without: set[int]) -> None:
    """So that their neighbours merge; also of words that are not cached, and of whole texts."""
    ids = array(
        "i", [-1 if byte in without else byte for byte in range(256)] + [256, 257, 258, 259]
    )
    for number in (PATTERN_NAMES.index("gpt2"), PATTERN_NAMES.index("none")):
        encoder = Encoder(PAIRS, 260, ids, number)
        for _ in range(2):
            found = encoder.encode(text * 3, ORDINARY)
            assert found == [
                token
                for word in split_words((text * 3).encode(), number)
                for token in reference.encode_word(
                    bytes(byte for byte in word if byte not in without), MERGES
                )
            ]
