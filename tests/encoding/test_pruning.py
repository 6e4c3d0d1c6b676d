"""Pruning: the order of leaves, and tokenizers with some of their merges."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bpetok
import reference
from bpetok import Tokenizer
from bpetok.encoding.added_tokens import AddedToken
from bpetok.encoding.pruning import count_tokens, pruning_order
from strategies import TEXT, TOY, merge_lists


def naive_order(merges: list[tuple[int, int]], counts: list[int]) -> list[int]:
    """Look at all leaves again for each merge that goes: tokenizer-extension's rule."""
    counts = list(counts)
    left = dict(enumerate(merges))
    order = []
    while left:
        used = {part for pair in left.values() for part in pair}
        leaves = [merge for merge in left if 256 + merge not in used]
        merge = min(leaves, key=lambda merge: (counts[256 + merge], -merge))
        for part in left.pop(merge):
            counts[part] += counts[256 + merge]
        order.append(merge)
    return order


@given(data=st.data(), merges=merge_lists())
def test_the_rarest_leaf_goes_first(data: st.DataObject, merges: list[tuple[int, int]]) -> None:
    """Its places go to its parts; ties go to the largest number."""
    n = 256 + len(merges)
    counts = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    assert pruning_order(merges, counts) == naive_order(merges, counts)


@given(merges=merge_lists(), words=st.dictionaries(st.text("abc", min_size=1), st.integers(1, 9)))
def test_tokens_are_counted_as_the_naive_encoder_gives_them(
    merges: list[tuple[int, int]], words: dict[str, int]
) -> None:
    """Whatever ids they have."""
    ids = list(range(1_000, 1_256 + len(merges)))
    tok = Tokenizer(merges=merges, token_ids=ids)
    expected = Counter[int]()
    for word, count in words.items():
        for number in reference.encode_word(word.encode(), merges):
            expected[number] += count
    found = count_tokens(tok, [(word.encode(), count) for word, count in words.items()])
    assert {number: n for number, n in enumerate(found.tolist()) if n} == dict(expected)


@given(data=st.data(), merges=merge_lists(), text=st.text("abc "))
def test_a_pruned_tokenizer_is_the_rest(
    data: st.DataObject, merges: list[tuple[int, int]], text: str
) -> None:
    """The same merges but those that are gone, and a table from old ids to new ones."""
    tok = Tokenizer(merges=merges, special_tokens=["<|a|>", "<|b|>"])
    n_gone = data.draw(st.integers(0, len(merges)))
    keep_ids = data.draw(st.booleans())
    pruned, new_ids = tok.prune([text], tok.vocab_size - n_gone, keep_ids=keep_ids)
    words = bpetok.pretokenize(text)
    counts = count_tokens(tok, [(word.encode(), 1) for word in words]).tolist()
    gone = {*naive_order(merges, counts)[:n_gone]}
    assert pruned.merges == [pair for i, pair in enumerate(tok.merges) if i not in gone]
    assert pruned.pattern == tok.pattern
    kept = [i for i in range(tok.vocab_size) if i - 256 not in gone]
    assert new_ids.dtype == np.int32
    assert np.flatnonzero(new_ids >= 0).tolist() == kept
    assert new_ids[kept].tolist() == (kept if keep_ids else list(range(len(kept))))
    for old in kept:
        assert pruned.token_bytes(int(new_ids[old])) == tok.token_bytes(old)
    text += "<|b|>"
    assert pruned.decode(pruned.encode(text, allowed_special="all")) == text


def test_what_a_text_needs_stays() -> None:
    """Encoded text is as long as before where only tokens that it does not use have gone."""
    tok = bpetok.train_from_iterator([TOY, TEXT], vocab_size=300)
    words = bpetok.count_words_from_iterator([TOY])
    used = {i for i in tok.encode(TOY) if i >= 256}
    needed = {*used}
    for number in range(tok.vocab_size - 1, 255, -1):  # what tokens in use are made of
        if number in needed:
            needed.update(part for part in tok.merge_pairs[number - 256].tolist() if part > 255)
    pruned, new_ids = tok.prune(words, 256 + len(needed))
    assert new_ids[tok.encode(TOY)].tolist() == pruned.encode(TOY)
    assert pruned.training is None
    more = bpetok.train_from_iterator([TEXT], vocab_size=300, initial=pruned)
    assert more.vocab_size == 300
    assert more.encode(TOY) == pruned.encode(TOY)


def test_wrong_options_are_refused() -> None:
    """Bounds of the vocabulary, other patterns, a single text."""
    tok = bpetok.train_from_iterator([TOY], vocab_size=267, special_tokens=["<|end|>"])
    with pytest.raises(ValueError, match=r"vocab_size must be in 257\.\.267, got 256"):
        tok.prune([TOY], 256)
    with pytest.raises(ValueError, match="texts must be words of the pattern 'gpt2', got words of"):
        tok.prune(bpetok.count_words_from_iterator([TOY], pattern="o200k"), 260)
    with pytest.raises(TypeError, match="texts must be an iterable of texts"):
        tok.prune(TOY, 260)
    assert tok.prune([TOY], 267).tokenizer == tok


@given(merges=merge_lists(), ids_from=st.sampled_from([0, 77]))
def test_unreachable_tokens(merges: list[tuple[int, int]], ids_from: int) -> None:
    """Those that the naive encoder does not give for their own bytes, nor for any longer word."""
    ids = list(range(ids_from, ids_from + 256 + len(merges)))
    tok = Tokenizer(merges=merges, token_ids=ids)
    tokens = reference.token_bytes(merges)
    expected = [
        ids_from + number
        for number, token in enumerate(tokens)
        if reference.encode_word(token, merges) != [number]
    ]
    assert tok.unreachable() == expected
    for token in tokens[256:]:
        for word in (b"a" + token, token + b"b", b"c" + token + b"a"):
            found = reference.encode_word(word, merges)
            assert not {ids_from + number for number in found} & {*expected}


def test_all_that_a_tokenizer_has_but_merges_is_kept() -> None:
    """Flags, whole words, tokens that no text gives, what changes texts; ids move down together."""
    flags = AddedToken("<s>", 258, lstrip=True, special=False)
    settings = {"truncation": {"max_length": 3}, "tokenizer_config": {"chat_template": "x"}}
    tok = Tokenizer(
        merges=[(97, 98), (99, 100)],
        special_tokens={"<s>": 258},
        added_tokens=[flags],
        whole_words={b"xyz": 259},
        other_tokens={b"\xff\xff": 260},
        normalizer={"type": "Lowercase"},
        prefix_space=True,
        settings=settings,
    )
    pruned, new_ids = tok.prune(["cd"], 260)
    assert new_ids.tolist() == [*range(256), -1, 256, 257, 258, 259]
    expected = Tokenizer(
        merges=[(99, 100)],
        special_tokens={"<s>": 257},
        added_tokens=[flags._replace(id=257)],
        whole_words={b"xyz": 258},
        other_tokens={b"\xff\xff": 259},
        normalizer={"type": "Lowercase"},
        prefix_space=True,
        settings=settings,
    )
    for smaller in (pruned, Tokenizer.truncate(expected, 260)):
        assert smaller == expected
        assert smaller.settings == settings
        assert smaller.added_tokens == expected.added_tokens
    assert tok.truncate(260).whole_words == {b"xyz": 258}
    with pytest.raises(ValueError, match=r"vocab_size must be in 259\.\.261, got 258"):
        tok.prune(["cd"], 258)
    kept, same_ids = tok.prune(["cd"], 260, keep_ids=True)
    assert same_ids.tolist() == [*range(256), -1, 257, 258, 259, 260]
    assert kept.other_tokens == tok.other_tokens
    assert kept.settings == settings
