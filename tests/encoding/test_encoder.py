"""The compiled encoder and decoder against a plain one, tokenizers and tiktoken."""

from __future__ import annotations

import itertools
import os
import threading
from array import array
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from bpetok.encoding.decoder import Decoder
from bpetok.encoding.encoder import Encoder, Specials
from bpetok.patterns.builtin import PATTERNS
from bpetok.patterns.scan import PATTERN_NAMES, split_words
from bpetok.patterns.special import SpecialTokens
from strategies import ALPHABETS, GPT2, TEXT, in_letters, merge_lists, respelled, texts

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Merges: TypeAlias = list[tuple[int, int]]


class PlainEncoder:
    """The compiled encoder without special tokens."""

    def __init__(self, merges: Merges, token_ids: list[int] | None = None) -> None:
        pairs = array("i", [token_id for pair in merges for token_id in pair])
        ids = None if token_ids is None else array("i", token_ids)
        self.compiled = Encoder(pairs, 1 + max(token_ids or [255 + len(merges)]), ids)

    def encode(self, text: str | bytes) -> list[int]:
        return self.compiled.encode(text, NO_SPECIALS)

    def encode_word(self, word: bytes) -> list[int]:
        return self.compiled.encode_word(word)


NO_SPECIALS = Specials(SpecialTokens(()), [], SpecialTokens(()))


def encoder(merges: Merges) -> PlainEncoder:
    return PlainEncoder(merges)


def count(words: list[bytes]) -> dict[bytes, int]:
    return {word: words.count(word) for word in dict.fromkeys(words)}


@pytest.fixture(scope="module")
def merges() -> Merges:
    """200 merges learned from TEXT, no two of the same bytes."""
    merges, _ = reference.learn_merges(count(split_words(TEXT.encode())), 200)
    assert len(set(reference.token_bytes(merges))) == 456
    return merges


@given(merge_lists(30), st.lists(st.text("abc", min_size=1, max_size=90), max_size=5), ALPHABETS)
def test_words_get_the_ids_of_plain_bpe(merges: Merges, words: list[str], letters: bytes) -> None:
    """Also where tokens spell the same bytes, or merging never leaves some of them."""
    merges = respelled(merges, letters)
    compiled = encoder(merges)
    for word in (*words, "".join(words)):
        data = in_letters(word, letters)
        assert compiled.encode_word(data) == reference.encode_word(data, merges)


@pytest.mark.parametrize("n", [2, 15, 16, 255, 256, 300, 5000])
@pytest.mark.parametrize("byte", [0, 1, 255])
def test_the_merge_of_a_byte_with_itself_is_found(n: int, byte: int) -> None:
    """Also that of NULs, whose key is 0: by search, run by run, and in long words."""
    merges = [(byte, byte), (33, byte), (256, 256)]
    compiled = encoder(merges)
    for word in (bytes([byte]) * n, b"!" + bytes([byte]) * n, (b"!" + bytes([byte]) * 3) * n):
        assert compiled.encode_word(word) == reference.encode_word(word, merges)


@given(merge_lists(30), st.lists(st.text("abc", min_size=1, max_size=40), max_size=5), ALPHABETS)
def test_words_of_a_text_get_the_ids_of_plain_bpe(
    merges: Merges, words: list[str], letters: bytes
) -> None:
    """New words and those in the cache, packed ones and long ones, of NULs too."""
    merges = respelled(merges, letters)
    compiled = encoder(merges)
    for text in [" ".join(words)] * 2:
        data = in_letters(text, letters).decode("utf-8", "ignore").encode()
        expected = [reference.encode_word(word, merges) for word in split_words(data)]
        assert compiled.encode(data) == list(itertools.chain.from_iterable(expected))


@settings(max_examples=30)
@given(
    merge_lists(30),
    st.integers(256, 900),
    st.sampled_from(["a", "ab", "abc", "aaab"]),
    ALPHABETS,
    st.data(),
)
def test_long_words_get_the_ids_of_plain_bpe(
    merges: Merges, n: int, some: str, letters: bytes, data: st.DataObject
) -> None:
    """Searched for from the left, and merged where that takes too long or a token is longer."""
    merges = respelled(merges, letters)
    drawn = "".join(data.draw(st.lists(st.sampled_from(some), min_size=n, max_size=n)))
    word = in_letters(drawn, letters)
    assert encoder(merges).encode_word(word) == reference.encode_word(word, merges)


@settings(max_examples=60)
@given(
    merge_lists(30),
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 200)), min_size=1, max_size=20),
    ALPHABETS,
)
def test_long_words_of_few_runs_get_the_ids_of_plain_bpe(
    merges: Merges, runs: list[tuple[str, int]], letters: bytes
) -> None:
    """Merged run by run, if they have at least 256 bytes and don't fall into too many runs."""
    merges = respelled(merges, letters)
    word = in_letters("".join(letter * n for letter, n in runs), letters)
    assert encoder(merges).encode_word(word) == reference.encode_word(word, merges)


def test_long_runs_of_one_byte_get_the_ids_of_plain_bpe() -> None:
    """Each run halves at each merge, with an odd one out or without."""
    merges = [(97, 97), (256, 256), (257, 97), (257, 257), (259, 256), (98, 260), (259, 99)]
    compiled = encoder(merges)
    for n in (*range(250, 300), 1_023, 1_024):
        for word in (b"a" * n, b"b" + b"a" * n + b"c", b"a" * n + b"b" + b"a" * n):
            assert compiled.encode(word) == reference.encode_word(word, merges), n


@pytest.mark.parametrize("unit", ["a", "aaaaaaaab"])
def test_words_with_a_token_of_each_length_get_the_ids_of_plain_bpe(unit: str) -> None:
    """Runs of one letter with tokens up to and beyond 255 bytes, where the search gives up."""
    for n_tokens in (200, 300):
        merges = [(97, 97), *((256 + i, 97) for i in range(n_tokens)), (97, 98), (98, 97)]
        for n in (255, 256, 300, 1_023, 2_000):
            word = (unit * n)[:n]
            assert encoder(merges).encode(word) == reference.encode_word(word.encode(), merges)


@given(merge_lists(30), st.integers(256, 600), ALPHABETS, st.randoms(use_true_random=False))
def test_long_words_are_cut_only_where_no_token_reaches_across(
    merges: Merges, n: int, letters: bytes, random: Random
) -> None:
    """Most pairs of bytes in them occur in no token."""
    merges = respelled(merges, letters)
    word = in_letters("".join(random.choices("abcdefgh", k=n)), letters)
    assert encoder(merges).encode_word(word) == reference.encode_word(word, merges)


@pytest.mark.parametrize("unit", ["a", "ab", "aab", "aabaa", "aaaaaab"])
def test_runs_merge_from_the_left(unit: str) -> None:
    """Overlapping places of one pair are the hard case: on both sides of each bound."""
    merges, _ = reference.learn_merges({(unit * 40).encode(): 1}, 12)
    compiled = encoder(merges)
    for n in (*range(1, 140), *range(250, 260)):
        word = (unit * n)[:n].encode()
        assert compiled.encode(word) == reference.encode_word(word, merges), n


@given(texts=st.lists(texts, max_size=4))
def test_text_is_encoded_word_by_word(merges: Merges, texts: list[str]) -> None:
    """What a word becomes depends on nothing before it, be it in the cache or not."""
    compiled = encoder(merges)
    for text in texts * 2:
        words = split_words(text.encode())
        expected = [token_id for word in words for token_id in reference.encode_word(word, merges)]
        assert compiled.encode(text) == expected
        assert compiled.encode(text.encode()) == expected


def test_the_cache_holds_words_of_every_length_and_number_of_ids(
    merges: Merges,
) -> None:
    """Words that fall apart into more ids than an entry holds, and words that push others out."""
    compiled = encoder(merges)
    words = ["qzxjkvwpybgfmuc"[:n] for n in range(1, 16)]
    words += ["the" * n for n in range(1, 8)]
    expected = [reference.encode_word(word.encode(), merges) for word in words]
    for _ in range(3):
        assert [compiled.encode(word) for word in words] == expected
        assert [compiled.encode(word) for word in words] == expected
        for n in range(3000):
            compiled.encode(f" {n:x}y{n:x}y")


def test_a_cache_grows_and_is_emptied_when_it_is_full() -> None:
    """More words of few ids than there is room for, twice: the ids do not change."""
    pairs = list(itertools.product(b"abcdefghijklm", b"nopqrstuvwxyz"))
    compiled = encoder(pairs)
    numbers = range(256, 256 + len(pairs))
    syllables = [bytes(pair).decode() for pair in pairs]
    n_words = 800_000
    text = "\n".join(
        map("".join, itertools.islice(itertools.product(syllables, repeat=3), n_words))
    )
    expected = [
        [*ids, 10] for ids in itertools.islice(itertools.product(numbers, repeat=3), n_words)
    ]
    flat = list(itertools.chain.from_iterable(expected))[:-1]
    for _ in range(2):
        assert compiled.encode(text) == flat


@pytest.fixture(scope="module")
def their_tokenizer(merges: Merges) -> Tokenizer:
    """The same vocabulary in Hugging Face tokenizers."""
    tokenizers = pytest.importorskip("tokenizers")
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    characters = {byte: chr(byte) for byte in printable}
    characters |= {byte: chr(256 + i) for i, byte in enumerate(others)}
    tokens = [
        "".join(characters[byte] for byte in token) for token in reference.token_bytes(merges)
    ]
    model = tokenizers.models.BPE(
        vocab={token: i for i, token in enumerate(tokens)},
        merges=[(tokens[left], tokens[right]) for left, right in merges],
    )
    theirs: Tokenizer = tokenizers.Tokenizer(model)
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Split(tokenizers.Regex(GPT2), "isolated"),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return theirs


@given(text=texts)
def test_ids_are_those_of_tokenizers(merges: Merges, their_tokenizer: Tokenizer, text: str) -> None:
    """Hugging Face's BPE with the same merges gives the same ids."""
    assert encoder(merges).encode(text) == their_tokenizer.encode(text).ids


@given(text=texts)
def test_ids_are_those_of_tiktoken(merges: Merges, text: str) -> None:
    """tiktoken with the same tokens gives the same ids."""
    tiktoken = pytest.importorskip("tiktoken")
    ranks = {token: i for i, token in enumerate(reference.token_bytes(merges))}
    theirs = tiktoken.Encoding("x", pat_str=GPT2, mergeable_ranks=ranks, special_tokens={})
    assert encoder(merges).encode(text) == theirs.encode_ordinary(text)


def test_long_words_take_linear_time(merges: Merges) -> None:
    """A word of 1 MB: with the quadratic method, this test would run for hours."""
    merges = [pair for pair in merges[:50] if max(pair) < 256]
    n = 256 + len(merges)
    merges += [(97, 97), (n, n)]
    compiled = encoder(merges)
    decoder = Decoder([*reference.token_bytes(merges)])
    for text in ("a" * 1_000_000, " " * 1_000_000, "thequickbrown" * 77_000, "你好世界" * 83_000):
        assert decoder.decode(compiled.encode(text)) == text.encode()
    assert len(compiled.encode("a" * 1_000_001)) == 250_001


def test_a_vocabulary_of_millions_of_ids(merges: Merges) -> None:
    """Ids that need more than 21 bits have a table of their own."""
    known = set(merges)
    pairs = [(left, right) for left in range(256) for right in range(256)]
    pairs = merges + [pair for pair in pairs if pair not in known]
    filling = [(256 + i, 256 + j) for i in range(201, 1_651) for j in range(1_450)]
    compiled = encoder(pairs + filling)
    assert 256 + len(pairs) + len(filling) > 1 << 21
    ids = {pair: 256 + i for i, pair in enumerate(pairs + filling)}
    for word in ("the", " 你好世界", "qzxjkvwpybgfmuc", "xyz" * 20, "\0\1"):
        expected = list(word.encode())
        while best := min(filter(None, map(ids.get, itertools.pairwise(expected))), default=0):
            expected = reference.merge_ids(expected, (pairs + filling)[best - 256], best)
        assert compiled.encode(word) == expected


@given(
    merges=merge_lists(),
    texts=st.lists(texts, max_size=4),
    letters=ALPHABETS,
    first=st.sampled_from([0, 3, 1_000_000]),
    seed=st.randoms(),
)
def test_ids_may_be_any_numbers(
    merges: Merges, texts: list[str], letters: bytes, first: int, seed: Random
) -> None:
    """A vocabulary from elsewhere: other ids, otherwise the same."""
    merges = respelled(merges, letters)
    token_ids = list(range(first, first + 256 + len(merges)))
    seed.shuffle(token_ids)
    compiled, plain = encoder(merges), PlainEncoder(merges, token_ids)
    for text in texts * 2:
        assert plain.encode(text) == [token_ids[number] for number in compiled.encode(text)]


def test_words_of_every_length_are_cached_by_all_their_bytes(merges: Merges) -> None:
    """Long words that differ in one byte only, on both sides of each bound, twice."""
    compiled = encoder(merges)
    words = []
    for n in (14, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 255, 256, 257, 300):
        word = ("thequickbrownfox" * 20)[:n]
        words += [word, *(word[:i] + "z" + word[i + 1 :] for i in range(0, n, 7))]
    expected = [reference.encode_word(word.encode(), merges) for word in words]
    for _ in range(3):
        assert [compiled.encode(word) for word in words] == expected


def test_the_cache_is_emptied_when_it_is_full(merges: Merges) -> None:
    """More bytes of long words than there is room for: the ids do not change."""
    compiled = encoder(merges)
    tail = "quickbrownfox" * 15
    texts = [
        " ".join(
            f"{chr(97 + i % 26) * (i % 40)}{tail}{chr(97 + i // 700)}" for i in range(n, n + 700)
        )
        for n in range(0, 14_000, 700)
    ]
    for _ in range(2):
        for text in (*texts, texts[0]):
            words = split_words(text.encode())
            ids = compiled.encode(text)
            assert Decoder([*reference.token_bytes(merges)]).decode(ids) == text.encode()
        alone = [token_id for word in words for token_id in encoder(merges).encode(word)]
        assert ids == alone


def test_threads_share_an_encoder(merges: Merges) -> None:
    """Each borrows a cache of its own; all get the same ids."""
    compiled = encoder(merges)
    text = TEXT * 50
    expected = compiled.encode(text)
    wrong: list[int] = []

    def work() -> None:
        for _ in range(20):
            if compiled.encode(text) != expected or compiled.encode("the day") != expected_short:
                wrong.append(1)

    expected_short = compiled.encode("the day")
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_encodes(merges: Merges) -> None:
    """An encoder that was used before works in the child."""
    compiled = encoder(merges)
    expected = compiled.encode(TEXT)
    child = os.fork()
    if child == 0:
        os._exit(0 if compiled.encode(TEXT) == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_lone_surrogate_leaves_the_encoder_usable(merges: Merges) -> None:
    """Nothing of the text is kept."""
    compiled = encoder(merges)
    with pytest.raises(ValueError, match="surrogate"):
        compiled.encode("é\ud800")
    assert compiled.encode("a") == [97]
    with pytest.raises(TypeError):
        compiled.encode(None)  # type: ignore[arg-type]  # this is what is tested


EDGES = "\x7f\x80\xff\u0100\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff"


@given(st.text(st.sampled_from("ab " + EDGES) | st.characters(exclude_categories=["Cs"])))
def test_a_str_has_the_ids_of_its_utf8(text: str) -> None:
    """Whatever width its code points have, also where the width of their UTF-8 changes."""
    compiled = encoder([(97, 98), (0xC3, 0xBF), (0xE0, 0xA0)])
    assert compiled.encode(text) == compiled.encode(text.encode())


@pytest.mark.parametrize("name", PATTERN_NAMES)
def test_what_a_text_leaves_behind_is_no_part_of_the_next(name: str) -> None:
    """Short texts are copied to one place, and read there 64 bytes at a time."""
    text = "It's 1234 \u6f22\u5b57 \u00e9t\u00e9\r\n  if \U0001f600 x:\n\u00a0\u2028 END/\n ok\n "
    text *= 3
    # All pairs of neighbours are merged, so that the ids tell where words end.
    pairs = dict.fromkeys(itertools.pairwise(text.encode()))
    merges = array("i", itertools.chain.from_iterable(pairs))
    compiled = Encoder(merges, 256 + len(pairs), None, PATTERN_NAMES.index(name))
    for before in ("\u6f22" * 80, "\u0434" * 120, "aA" * 125, "1" * 250, "\n" * 250, "/'s" * 80):
        for n in range(len(text)):
            words = regex.findall(PATTERNS[name], text[:n])
            ids = [token_id for word in words for token_id in compiled.encode_word(word.encode())]
            compiled.encode(before, NO_SPECIALS)
            assert compiled.encode(text[:n], NO_SPECIALS) == ids, (before[0], text[:n])


@pytest.mark.parametrize("surrogate", [0xD800, 0xDBFF, 0xDC00, 0xDFFF])
@pytest.mark.parametrize("last", ["", "\U0001f600"])
def test_a_lone_surrogate_is_found_at_any_place(surrogate: int, last: str) -> None:
    """In a str of two bytes a code point and in one of four."""
    compiled = encoder([])
    for n in range(20):
        with pytest.raises(ValueError, match="surrogate"):
            compiled.encode("a" * n + chr(surrogate) + "é" * (20 - n) + last)


class Changing:
    """A number that changes the list that holds it when it is asked for its value."""

    def __init__(self, numbers: list[Any], change: Callable[[list[Any]], object]) -> None:
        self.numbers = numbers
        self.change = change

    def __index__(self) -> int:
        self.change(self.numbers)
        return 97


@pytest.mark.parametrize(
    ("change", "expected"),
    [(list.clear, b"a"), (lambda ids: ids.extend([98] * 1000), b"abc" + b"b" * 1000)],
)
def test_a_list_that_changes_while_it_is_decoded(
    change: Callable[[list[Any]], object], expected: bytes
) -> None:
    """What is there when its turn comes counts; nothing is read that is not there."""
    ids: list[Any] = []
    ids += [Changing(ids, change), 98, 99]
    assert Decoder([bytes([byte]) for byte in range(256)]).decode(ids) == expected


def test_ends_of_words_that_do_not_ascend_are_refused() -> None:
    """Whatever another thread has written there."""
    compiled = encoder([(97, 98)]).compiled
    lengths = array("q", [0, 0])
    ids = compiled.encode_words(b"ababa", array("q", [2, 5]), lengths)
    assert memoryview(ids).tolist() == [256, 256, 97]
    assert lengths.tolist() == [1, 2]
    for ends in ([2, 1], [5], [2, 2], [-1], [2**62]):
        with pytest.raises(IndexError, match="ends must ascend within data"):
            compiled.encode_words(b"abab", array("q", ends), array("q", ends))
    with pytest.raises(IndexError, match="lengths must have a place for each word"):
        compiled.encode_words(b"abab", array("q", [2, 4]), array("q", [0]))


@given(st.lists(st.integers(0, 258)))
def test_decoding_joins_the_bytes_of_the_ids(ids: list[int]) -> None:
    """Of a list or any other iterable, empty tokens included."""
    tokens = [*(bytes([byte]) for byte in range(256)), b"abc", b"", b"xy" * 100]
    expected = b"".join(tokens[token_id] for token_id in ids)
    decoder = Decoder([*tokens])
    assert (
        decoder.decode(ids) == decoder.decode(iter(ids)) == decoder.decode(tuple(ids)) == expected
    )


@pytest.mark.parametrize("kind", ["int64", "uint16", "Int64", "Index", "polars", "pyarrow"])
def test_ids_may_be_a_column(kind: str) -> None:
    """A Series has a dtype and flags, as an array has, but others."""
    ids: Any = [0, 2, 1]
    if kind in ("polars", "pyarrow"):
        library = pytest.importorskip(kind)
        ids = library.Series(ids) if kind == "polars" else library.array(ids)
    else:
        pandas = pytest.importorskip("pandas")
        ids = pandas.Index(ids) if kind == "Index" else pandas.Series(ids, dtype=kind)
    assert Decoder([b"a", b"b", b"c"]).decode(ids) == b"acb"


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.int32, np.int64, ">i4"])
def test_ids_need_not_be_aligned(dtype: Any) -> None:
    """As in a file that has a header of some bytes; compiled code must not read them as they are.

    What it would do with them is undefined: the campaign `sanitize` sees it, a result may not.
    """
    ids = np.array([0, 2, 1], dtype)
    moved = np.frombuffer(b"." + ids.tobytes(), ids.dtype, offset=1)
    assert not moved.flags.aligned
    assert Decoder([b"a", b"b", b"c"]).decode(moved) == b"acb"
    with pytest.raises(ValueError, match="ids must be from 0 to 1, got 2 at index 1"):
        Decoder([b"a", b"b"]).decode(moved)


@pytest.mark.parametrize("wrong", [-1, 3, 2**31, 2**32, -(2**32), 2**63, 10**30])
def test_an_id_outside_the_vocabulary_is_refused(wrong: int) -> None:
    """The message has the bound, the id and its index."""
    with pytest.raises(ValueError, match=f"ids must be from 0 to 2, got {wrong} at index 1"):
        Decoder([b"a", b"b", b"c"]).decode([0, wrong])


@pytest.mark.parametrize("wrong", [1.0, "1", None, b"1"])
def test_an_id_that_is_no_integer_is_refused(wrong: Any) -> None:
    """Floats too: an id that was computed with is a mistake."""
    with pytest.raises(TypeError, match=r"ids must be integers, got .* at index 0"):
        Decoder([b"a", b"b"]).decode([wrong])
