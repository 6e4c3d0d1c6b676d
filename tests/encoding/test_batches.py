"""Many texts at once, arrays, counts, offsets, streams: they give what `encode` and `decode` do."""

import io
import itertools
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from bpetok import SpecialTokenError, Tokenizer
from bpetok.patterns.scan import split_words
from strategies import CHARACTERS, TEXT

SPECIAL = ["<|end|>", "<|x|>"]
texts = st.lists(
    st.lists(st.sampled_from([*CHARACTERS, *SPECIAL, "the end", "<|"]), max_size=20).map("".join),
    max_size=8,
)


def learned(n_merges: int) -> list[tuple[int, int]]:
    words = split_words(TEXT.encode())
    return reference.learn_merges({word: words.count(word) for word in words}, n_merges)[0]


MERGES = learned(150)
TOKENIZERS = {
    "as trained": Tokenizer(merges=MERGES, special_tokens=SPECIAL),
    "other ids": Tokenizer(
        merges=MERGES,
        token_ids=range(406, 0, -1),
        special_tokens={"<|end|>": 0, "<|x|>": 66_000},
    ),
}


@pytest.fixture(params=TOKENIZERS)
def tok(request: pytest.FixtureRequest) -> Tokenizer:
    return TOKENIZERS[request.param]


@pytest.mark.parametrize("name", TOKENIZERS)
@given(texts=texts, allowed=st.sets(st.sampled_from(SPECIAL)), n_threads=st.integers(1, 3))
def test_all_ways_of_encoding_give_the_same_ids(
    name: str, texts: list[str], allowed: set[str], n_threads: int
) -> None:
    """Lists, arrays, batches, generators and counts; with and without special tokens."""
    tok = TOKENIZERS[name]
    options: dict[str, Any] = {"allowed_special": allowed, "disallowed_special": ()}
    expected = [tok.encode(text, **options) for text in texts]
    assert tok.encode_batch(texts, n_threads=n_threads, **options) == expected
    ids, offsets = tok.encode_batch_to_numpy(texts, n_threads=n_threads, **options)
    assert ids.dtype == tok.id_dtype
    assert offsets.dtype == np.int64
    assert [ids[a:b].tolist() for a, b in itertools.pairwise(offsets)] == expected
    flat = [token_id for row in expected for token_id in row]
    assert list(tok.encode_iterable(iter(texts), **options)) == flat
    for text, row in zip(texts, expected, strict=True):
        array = tok.encode_to_numpy(text.encode(), **options)
        assert array.dtype == tok.id_dtype
        assert array.tolist() == row
        assert tok.count_tokens(text, **options) == len(row)
        assert tok.decode(array) == tok.decode(array.astype(np.int32)) == text
        assert tok.decode(array.astype(np.int64)) == tok.decode(array[:, None].ravel()) == text
    assert tok.decode_batch(expected) == texts


def test_arrays_are_as_narrow_as_the_vocabulary_allows() -> None:
    """65,536 ids fit in uint16, 65,537 don't."""
    narrow = Tokenizer(merges=[], special_tokens={"<s>": 65_535})
    wide = Tokenizer(merges=[], special_tokens={"<s>": 65_536})
    for tok, dtype, largest in ((narrow, np.uint16, 65_535), (wide, np.uint32, 65_536)):
        array = tok.encode_to_numpy("a<s>", allowed_special="all")
        assert array.dtype == tok.id_dtype == dtype
        assert array.tolist() == [97, largest]
        assert tok.vocab_size == largest + 1
        array[0] = 1  # it is the caller's own


def test_large_batches_are_shared_out_among_threads(tok: Tokenizer) -> None:
    """Many parts, empty texts among them; the order stays."""
    texts = [TEXT * (i % 7) for i in range(400)] + ["", "x" * 2_000_000, ""]
    expected = [tok.encode(text) for text in texts]
    for n_threads in (1, 2, 5):
        assert tok.encode_batch(texts, n_threads=n_threads) == expected
        ids, offsets = tok.encode_batch_to_numpy(texts, n_threads=n_threads)
        assert np.diff(offsets).tolist() == list(map(len, expected))
        assert ids[offsets[-3] :].tolist() == expected[-2]
    ids, offsets = tok.encode_batch_to_numpy([])
    assert (ids.dtype, ids.tolist(), offsets.tolist()) == (tok.id_dtype, [], [0])


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_wrong_text_is_named_by_its_index(tok: Tokenizer, n_threads: int) -> None:
    """The first wrong one of a batch, of an iterable; the tokenizer can be used as before."""
    good = ["a" * 600_000] * 3
    wrong: Any
    for wrong, error, message in (
        ("é<|end|>", SpecialTokenError, r"texts\[3\] holds the special token '<|end|>' at index 1"),
        ("a\ud800", ValueError, r"texts\[3\] has a lone surrogate, .* at index 1"),
        (b"a\xff", ValueError, r"texts\[3\] must be UTF-8, but byte 1 is not"),
        (7, TypeError, r"texts\[3\] must be str or bytes, got int"),
    ):
        with pytest.raises(error, match=message):
            tok.encode_batch([*good, wrong], n_threads=n_threads)
        with pytest.raises(error, match=message):
            tok.encode_batch_to_numpy([*good, wrong], n_threads=n_threads)
        with pytest.raises(error, match=message):
            list(tok.encode_iterable([*good, wrong]))
        with pytest.raises(error):
            tok.encode_to_numpy(wrong)
        with pytest.raises(error):
            tok.count_tokens(wrong)
    assert tok.decode(tok.encode_batch(["the end"])[0]) == "the end"


def test_a_single_text_is_no_batch(tok: Tokenizer) -> None:
    """It would be taken for a list of characters."""
    for method in (tok.encode_batch, tok.encode_batch_to_numpy, tok.encode_iterable):
        with pytest.raises(TypeError, match="wrap it in"):
            method("text")
    with pytest.raises(ValueError, match="n_threads must be in 1"):
        tok.encode_batch([], n_threads=0)


def test_a_file_is_encoded_line_by_line(tok: Tokenizer) -> None:
    """The generator takes a line when it needs one, no earlier."""
    file = io.StringIO("one\ntwo\nthree\n")
    ids = tok.encode_iterable(file)
    assert next(ids) == tok.encode("one\n")[0]
    assert file.tell() == 4
    assert tok.decode([*tok.encode("one\n")[:1], *ids]) == "one\ntwo\nthree\n"


@given(texts=texts)
def test_offsets_say_where_the_text_of_an_id_stands(texts: list[str]) -> None:
    """In characters; where ids share a character, each has it whole."""
    tok = TOKENIZERS["as trained"]
    for text in texts:
        ids, offsets = tok.encode_with_offsets(text, allowed_special="all")
        assert ids == tok.encode(text, allowed_special="all")
        assert len(offsets) == len(ids)
        data, at = text.encode(), 0
        for token_id, (start, end) in zip(ids, offsets, strict=True):
            n = len(tok.token_bytes(token_id))
            assert start == len(data[:at].decode(errors="ignore"))
            assert end == len(data[: at + n].decode(errors="replace"))
            assert data[at : at + n] in text[start:end].encode()
            at += n
        assert [end for _, end in offsets][-1:] == ([len(text)] if text else [])


def test_offsets_are_those_of_tokenizers(tok: Tokenizer) -> None:
    """A character of several ids belongs to each, as there."""

    ids, offsets = Tokenizer(merges=[]).encode_with_offsets("aé")
    assert (ids, offsets) == ([97, 195, 169], [(0, 1), (1, 2), (1, 2)])


@given(text=st.text(st.sampled_from(CHARACTERS)), data=st.data())
def test_a_stream_gives_whole_characters_only(text: str, data: st.DataObject) -> None:
    """One id at a time or several: all together it is the text."""
    tok = TOKENIZERS["other ids"]
    ids = tok.encode(text)
    stream = tok.decode_stream()
    parts = []
    while ids:
        n = data.draw(st.integers(1, 3))
        parts.append(stream.feed(ids[0] if n == 1 else ids[:n]))
        ids = ids[n:]
    assert all("\N{REPLACEMENT CHARACTER}" not in part for part in parts)
    assert "".join(parts) == text
    assert stream.finish() == ""


def test_a_stream_that_ends_inside_a_character() -> None:
    """Replaced or refused, as in `decode`; then the stream begins anew."""
    tok = Tokenizer(merges=[])
    stream = tok.decode_stream()
    assert stream.feed([97, 0xC3]) == "a"
    assert stream.finish() == "\N{REPLACEMENT CHARACTER}"
    assert stream.feed(98) == "b"
    strict = tok.decode_stream(errors="strict")
    assert strict.feed(0xC3) == ""
    with pytest.raises(UnicodeDecodeError):
        strict.finish()
    assert strict.feed([np.uint16(97)]) == "a"
    with pytest.raises(ValueError, match="ids must be from 0 to 255"):
        strict.feed(256)


def test_ids_that_are_not_used_are_refused() -> None:
    """A vocabulary may leave ids out."""
    tok = TOKENIZERS["other ids"]
    assert tok.vocab_size == 66_001
    for ids in ([407], np.array([407]), np.array([65_000], dtype=np.uint16)):
        with pytest.raises(ValueError, match="ids must be in the vocabulary, which has no"):
            tok.decode(ids)
    with pytest.raises(ValueError, match="ids must be from 0 to 66000, got -1 at index 1"):
        tok.decode(np.array([0, -1]))
    with pytest.raises(ValueError, match="ids must be from 0 to 66000, got 70000 at index 0"):
        tok.decode(np.array([70_000], dtype=np.uint32))


def test_other_ids_are_kept_by_files_and_pickles(tmp_path: Path) -> None:
    """All of the vocabulary: equal tokenizers have equal ids."""
    tok = TOKENIZERS["other ids"]
    tok.save(tmp_path / "tok.json")
    for same in (Tokenizer.load(tmp_path / "tok.json"), pickle.loads(pickle.dumps(tok))):
        assert same == tok
        assert same.special_tokens == {"<|end|>": 0, "<|x|>": 66_000}
        assert same.token_ids.tolist() == list(range(406, 0, -1))
        assert same.vocab == tok.vocab
        assert same.vocab[b"a"] == 406 - 97
        assert same.encode(TEXT) == tok.encode(TEXT)
        assert same.token_bytes(0) == b"<|end|>"
    assert tok != TOKENIZERS["as trained"]
