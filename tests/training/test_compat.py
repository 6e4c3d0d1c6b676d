"""`compat`: the merges of the real trainers, on text made of ties as on real text."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import regex
import rustbpe
import tokenizers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import models, pre_tokenizers, trainers

import bpetok
import reference
from bpetok.base.byte_characters import from_text
from bpetok.base.demo import demo_files
from bpetok.patterns.builtin import GPT2, LLAMA3
from strategies import TEXT, no_texts

Merge = tuple[bytes, bytes]
LETTERS = r"[ab]+|c+"  # does not match everything
# Three letters, two of space, and runs, so that most pairs occur equally often.
TIES = st.lists(
    st.one_of(st.text("abc \n", max_size=40), st.integers(1, 30).map(lambda n: "ab"[n % 2] * n)),
    min_size=1,
    max_size=8,
).map("".join)
SETTINGS = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def real_text() -> str:
    """A few hundred kilobytes of code and prose."""
    files = [Path(path) for path in demo_files()[:40]]
    return "".join(path.read_text(encoding="utf-8") for path in files)[:400_000] + TEXT


def train(
    text: str, n_merges: int, compat: str, special_tokens: Iterable[str] = (), **options: Any
) -> bpetok.Tokenizer:
    """Train on one text, fed as an iterator."""
    special = list(special_tokens)
    vocab_size = 256 + n_merges + len(special)
    return bpetok.train_from_iterator(
        [text], vocab_size=vocab_size, compat=compat, special_tokens=special, **options
    )


def spelled(tok: bpetok.Tokenizer) -> list[bytes]:
    """Return what each merge makes, for trainers that keep no more."""
    return [left + right for left, right in tok.merges]


def huggingface(
    feed: Callable[[tokenizers.Tokenizer, trainers.BpeTrainer], None],
    n_merges: int,
    pattern: str | None = None,
    special_tokens: Iterable[str] = (),
    **options: Any,
) -> tuple[list[Merge], dict[str, int]]:
    """Return merges and vocabulary that tokenizers learns."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)
    tokenizer.pre_tokenizer = byte_level
    if pattern is not None:
        split = pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    special = list(special_tokens)
    trainer = trainers.BpeTrainer(
        vocab_size=256 + n_merges + len(special),
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        **options,
    )
    feed(tokenizer, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return [(from_text(left), from_text(right)) for left, right in model["merges"]], model["vocab"]


def rustbpe_tokens(text: str, n_merges: int, pattern: str = GPT2) -> list[bytes]:
    """Return the tokens that rustbpe learns, in its order."""
    tokenizer = rustbpe.Tokenizer()
    tokenizer.train_from_iterator(iter([text]), 256 + n_merges, pattern=pattern)
    ranks = sorted(tokenizer.get_mergeable_ranks(), key=lambda item: item[1])
    return [bytes(token) for token, _ in ranks[256:]]


def bpeasy_tokens(
    text: str, n_merges: int, pattern: str = GPT2, longest: int = 1 << 30
) -> list[bytes]:
    """Return the tokens that bpeasy learns, in its order."""
    bpeasy = pytest.importorskip("bpeasy")
    vocab = bpeasy.train_bpe(iter([text]), pattern, longest, 256 + n_merges)
    return sorted(vocab, key=vocab.__getitem__)[256:]


def naive(text: str, n_merges: int, ties: str, pattern: str = GPT2) -> list[Merge]:
    """Return what the naive learner makes of the words of `regex`."""
    counts = Counter(word.encode() for word in regex.findall(pattern, text))
    pairs, _ = reference.learn_merges(counts, n_merges, ties=ties)
    tokens = reference.token_bytes(pairs)
    return [(tokens[left], tokens[right]) for left, right in pairs]


@pytest.mark.filterwarnings("ignore:vocab_size is")
@SETTINGS
@given(TIES, st.sampled_from([3, 30]), st.sampled_from([GPT2, LETTERS]), st.integers(1, 8))
def test_ties_are_broken_as_huggingface_does(
    tmp_path: Path, text: str, n_merges: int, pattern: str, longest: int
) -> None:
    """Lines of a file, one by one; unmatched text; both limits; the ids of all tokens."""
    path = tmp_path / "text.txt"
    path.write_bytes((text + "x").encode())
    special = ["<s>", "ab c"]
    merges, vocab = huggingface(
        lambda tokenizer, trainer: tokenizer.train([str(path)], trainer),
        n_merges,
        pattern,
        special,
        max_token_length=longest,
        min_frequency=longest % 4,
    )
    tok = bpetok.train(
        path,
        vocab_size=256 + n_merges + len(special),
        compat="huggingface",
        pattern=pattern,
        special_tokens=special,
        max_token_length=longest,
        min_frequency=max(longest % 4, 1),
    )
    assert tok.merges == merges
    ids = {from_text(name): number for name, number in vocab.items() if name not in special}
    assert tok.vocab == ids
    assert tok.special_tokens == {name: vocab[name] for name in special}


@pytest.mark.filterwarnings("ignore:vocab_size is")
@SETTINGS
@given(TIES, st.sampled_from([3, 30]), st.sampled_from([GPT2, LETTERS]), st.integers(2, 8))
def test_ties_are_broken_as_rustbpe_and_bpeasy_do(
    text: str, n_merges: int, pattern: str, longest: int
) -> None:
    """What the pattern does not match is left out; bpeasy has a limit."""
    text += "a"
    tok = train(text, n_merges, "rustbpe", pattern=pattern)
    assert spelled(tok) == rustbpe_tokens(text, n_merges, pattern)
    tok = train(text, n_merges, "bpeasy", pattern=pattern, max_token_length=longest)
    assert spelled(tok) == bpeasy_tokens(text, n_merges, pattern, longest)


@pytest.mark.filterwarnings("ignore:vocab_size is")
@SETTINGS
@given(TIES, st.sampled_from([3, 30]), st.sampled_from([GPT2, LETTERS]), st.integers(1, 3))
def test_ties_are_broken_as_minbpe_and_cs336_do(
    text: str, n_merges: int, pattern: str, n_threads: int
) -> None:
    """By first place, whatever the number of threads, and by the greatest bytes."""
    text += "a"
    options: dict[str, Any] = {"pattern": pattern, "n_threads": n_threads}
    assert train(text, n_merges, "minbpe", **options).merges == naive(
        text, n_merges, "place", pattern
    )
    assert train(text, n_merges, "cs336", **options).merges == naive(
        text, n_merges, "bytes", pattern
    )


def test_real_text(real_text: str, tmp_path: Path) -> None:
    """A thousand merges of each trainer; lines for files, whole texts for iterators."""
    path = tmp_path / "text.txt"
    path.write_bytes(real_text.encode())
    n = 1000
    merges, vocab = huggingface(
        lambda tokenizer, trainer: tokenizer.train([str(path)], trainer), n, LLAMA3
    )
    tok = bpetok.train(path, vocab_size=256 + n, compat="huggingface", pattern="llama3")
    assert tok.merges == merges
    tok.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    assert saved["model"]["vocab"] == vocab
    merges, _ = huggingface(
        lambda tokenizer, trainer: tokenizer.train_from_iterator([real_text], trainer), n
    )
    assert train(real_text, n, "huggingface").merges == merges
    assert spelled(train(real_text, n, "rustbpe")) == rustbpe_tokens(real_text, n)
    assert spelled(train(real_text, n, "bpeasy")) == bpeasy_tokens(real_text, n)


def test_minbpe_itself(real_text: str) -> None:
    """Its own code on a few kilobytes, its rule in Rust on the rest; words of `none`, too."""
    package = pytest.importorskip("MiniBpeRust")
    slow = package.RegexTokenizer(LLAMA3)
    slow.train(real_text[:6000], 256 + 60)
    tok = train(real_text[:6000], 60, "minbpe", pattern="llama3")
    assert list(slow.merges) == list(map(tuple, tok.merge_pairs.tolist()))
    fast = package.FastRegexTokenizer(LLAMA3)
    fast.train(real_text, 256 + 1000)
    tok = train(real_text, 1000, "minbpe", pattern="llama3", n_threads=3)
    assert list(fast.merges) == list(map(tuple, tok.merge_pairs.tolist()))
    basic = package.BasicTokenizer()
    basic.train(real_text[:6000], 256 + 60)
    tok = train(real_text[:6000], 60, "minbpe", pattern="none")
    assert list(basic.merges) == list(map(tuple, tok.merge_pairs.tolist()))


def test_shuffled_copies_tie_everywhere(real_text: str) -> None:
    """A text under three alphabets: each pair occurs as often as two others."""
    words = regex.findall(r"[a-z]{2,}", real_text[:20_000].lower())
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    text = ""
    for seed in range(3):
        letters = list(alphabet)
        random.Random(seed).shuffle(letters)
        text += " ".join(words).translate(str.maketrans(alphabet, "".join(letters))) + " "
    n = 200
    merges, _ = huggingface(
        lambda tokenizer, trainer: tokenizer.train_from_iterator([text], trainer), n
    )
    assert train(text, n, "huggingface").merges == merges
    assert spelled(train(text, n, "rustbpe")) == rustbpe_tokens(text, n)
    assert spelled(train(text, n, "bpeasy")) == bpeasy_tokens(text, n)
    assert train(text, n, "minbpe").merges == naive(text, n, "place")
    assert train(text, n, "cs336").merges == naive(text, n, "bytes")


def test_special_tokens_are_text_but_for_cs336() -> None:
    """Where they occur, and what they hold, is counted; their ids are theirs all the same."""
    text = "ab<|ab|>ab" * 5
    for compat in ("huggingface", "rustbpe", "bpeasy", "minbpe"):
        tok = train(text, 2, compat, special_tokens=["<|ab|>"])
        assert tok.merge_counts is not None
        assert tok.merge_counts[0] == 15
        assert tok.encode("<|ab|>", allowed_special="all") == [tok.special_tokens["<|ab|>"]]
    tok = train(text, 1, "cs336", special_tokens=["<|ab|>"])
    assert tok.merge_counts is not None
    assert tok.merge_counts.tolist() == [10]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"compat": ["rustbpe"]}, r"compat must be one of 'huggingface', .*, got \['rustbpe'\]"),
        ({"compat": "bpe"}, "compat must be one of 'huggingface', 'rustbpe', .*, got 'bpe'"),
        ({"compat": "rustbpe", "min_frequency": 2}, "min_frequency must be 1 with compat='rustbpe"),
        ({"compat": "minbpe", "max_token_length": 9}, "max_token_length must not be given with"),
        ({"max_token_length": 0}, "max_token_length must be in 1"),
        ({"compat": "minbpe", "unmatched": "word"}, "unmatched must be 'drop', or not given"),
        ({"compat": "minbpe", "pattern": "(a)|b"}, r"pattern '\(a\)\|b' must have no groups"),
        ({"compat": "huggingface", "unmatched": "keep"}, "unmatched must be 'error', 'word' or"),
    ],
)
def test_what_a_trainer_does_not_have_is_refused(options: dict[str, Any], message: str) -> None:
    """Before any text is taken."""

    with pytest.raises(ValueError, match=message):
        bpetok.train_from_iterator(no_texts(), vocab_size=300, **options)


def test_a_special_token_that_has_another_tokens_name_is_refused() -> None:
    """Hugging Face gives both one id."""
    for name in ("a", "ab"):
        with pytest.raises(ValueError, match=f"'{name}' is also the name of the token b'{name}'"):
            train("ab ab", 1, "huggingface", special_tokens=[name])


def test_lines_are_texts_in_text_files_only(tmp_path: Path) -> None:
    """A record is a text as it is; an error says where it is in the file."""
    text = "a\n\n\nb" * 40_000 + "\n\n\nb"
    (tmp_path / "a.txt").write_text(text)
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": text}))
    options: dict[str, Any] = {"compat": "huggingface", "pattern": r"\n+|."}
    lines = bpetok.train(tmp_path / "a.txt", vocab_size=256, **options)
    record = bpetok.train(tmp_path / "a.jsonl", vocab_size=256, **options)
    assert lines.training is not None
    assert record.training is not None
    assert (lines.training.n_words, record.training.n_words) == (200_004, 120_002)
    (tmp_path / "a.txt").write_bytes(text.encode() + b"\n\xff")
    with pytest.raises(ValueError, match=f"is not UTF-8: byte {len(text) + 1} "):
        bpetok.train(tmp_path / "a.txt", vocab_size=256, **options)
    replaced = bpetok.train(tmp_path / "a.txt", vocab_size=256, errors="replace", **options)
    assert replaced.training is not None
    assert replaced.training.n_bytes == len(text) + 1 + len("\ufffd".encode())


def test_an_order_that_is_not_kept_is_no_use(tmp_path: Path) -> None:
    """minbpe's ties need it."""
    (tmp_path / "a.txt").write_text("a text")
    options: dict[str, Any] = {"vocab_size": 257, "compat": "minbpe"}
    with pytest.raises(ValueError, match="compat='minbpe' goes by the order of the words"):
        bpetok.train([(tmp_path / "a.txt", 1.0)], **options)
    with pytest.raises(ValueError, match="compat='minbpe' goes by the order of the words"):
        bpetok.train(tmp_path / "a.txt", checkpoint=tmp_path / "saved", **options)
    with pytest.raises(ValueError, match="compat='minbpe' goes by the order of the words"):
        bpetok.train(tmp_path / "a.txt", max_memory="1GB", **options)
    assert not (tmp_path / "saved").exists()


def test_words_in_their_order_are_enough() -> None:
    """A mapping has an order; what `count_words` gives has none to rely on."""
    counts = {b"cd": 2, b"ab": 1, b"xabx": 1}
    tok = bpetok.train_from_words(counts, vocab_size=258, compat="minbpe")
    assert tok.merges == [(b"c", b"d"), (b"a", b"b")]
    tok = bpetok.train_from_words(dict(reversed(counts.items())), vocab_size=257, compat="minbpe")
    assert tok.merges == [(b"a", b"b")]
    with pytest.raises(ValueError, match="words must be a mapping or pairs with compat='minbpe'"):
        bpetok.train_from_words(bpetok.Words.from_counts(counts), vocab_size=258, compat="minbpe")


@pytest.mark.parametrize("compat", [None, "huggingface", "bpeasy"])
def test_a_limit_of_length_is_nothing_that_readers_must_know(
    compat: str | None, tmp_path: Path, real_text: str
) -> None:
    """No token is longer; other libraries give the same ids."""
    tok = bpetok.train_from_iterator([real_text], vocab_size=800, max_token_length=4, compat=compat)
    assert tok.vocab_size == 800
    assert max(map(len, spelled(tok))) == (4 if compat is None else 3)
    theirs = tok.to_tokenizers().encode(TEXT).ids
    assert theirs == tok.encode(TEXT) == tok.to_tiktoken().encode(TEXT)
    assert tok.merge_counts is not None
    assert np.all(np.diff(tok.merge_counts) <= 0)
