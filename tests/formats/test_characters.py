"""Sequences as characters: the ids that Hugging Face's libraries give are the same."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bpetok
from bpetok.base.limits import MAX_SYMBOLS
from bpetok.formats.characters import from_characters, to_characters

SYMBOLS = st.integers(0, MAX_SYMBOLS - 1)


@given(st.lists(SYMBOLS))
def test_each_symbol_is_a_character_of_its_own(symbols: list[int]) -> None:
    """None a surrogate, so that all texts are UTF-8; and back."""
    text = to_characters(np.array(symbols, np.int32))
    assert len(text) == len(symbols)
    assert text.encode().decode() == text
    assert from_characters(text).tolist() == symbols


def test_the_characters_leave_surrogates_out() -> None:
    """What comes after the last character before them is the first after them."""
    around = np.array([0, 0xD7FF - 0x4E00, 0xD800 - 0x4E00, MAX_SYMBOLS - 1], np.int32)
    assert [*map(ord, to_characters(around))] == [0x4E00, 0xD7FF, 0xE000, 0x1055FF]


@pytest.mark.parametrize("n_symbols", [1, 5, 300, 40_000])
def test_ids_are_those_of_tokenizers_and_transformers(n_symbols: int, tmp_path: Path) -> None:
    """Symbols on both sides of the surrogates; decoding gives the text."""
    rng = random.Random(n_symbols)
    some = rng.sample(range(n_symbols), min(n_symbols, 12))
    rows = [rng.choices(some, k=rng.randrange(1, 40)) for _ in range(60)]
    tokenizer = bpetok.train_from_sequences(rows, n_symbols=n_symbols, vocab_size=n_symbols + 5)
    tokenizer.save_pretrained(tmp_path / "codes")
    theirs = tokenizer.to_tokenizers()
    auto = pytest.importorskip("transformers").AutoTokenizer.from_pretrained(tmp_path / "codes")
    assert theirs.get_vocab_size() == len(auto) == tokenizer.vocab_size
    for row in rows:
        ids = tokenizer.encode(row).tolist()
        text = tokenizer.to_characters(row)
        assert theirs.encode(text).ids == ids
        assert auto.encode(text, add_special_tokens=False) == ids
        assert theirs.decode(ids) == auto.decode(ids) == text
        assert tokenizer.from_characters(text).tolist() == row


def test_tokens_with_the_same_symbols_are_refused(tmp_path: Path) -> None:
    """A vocabulary has each once; nothing is written."""
    tokenizer = bpetok.SequenceTokenizer(n_symbols=3, merges=[(0, 1), (1, 2), (3, 2), (0, 4)])
    with pytest.raises(ValueError, match="the tokens 5 and 6 have the same symbols"):
        tokenizer.save_pretrained(tmp_path / "codes")
    with pytest.raises(ValueError, match="the tokens 5 and 6"):
        tokenizer.to_tokenizers()
    assert not (tmp_path / "codes").exists()


def test_a_folder_with_another_tokenizer_is_refused(tmp_path: Path) -> None:
    """Its files would be read with ours."""
    (tmp_path / "chat_template.jinja").write_text("")
    with pytest.raises(ValueError, match="belongs to another tokenizer"):
        bpetok.SequenceTokenizer(n_symbols=3, merges=[]).save_pretrained(tmp_path)
