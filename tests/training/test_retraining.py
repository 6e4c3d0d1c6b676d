"""`train_new_from_iterator` and the merges by name: equal to transformers and tokenizers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import models, normalizers, pre_tokenizers, processors, trainers

import bpetok
from bpetok.base.byte_characters import CHARACTERS
from bpetok.counting.words import Words
from bpetok.learning.rule import Rule
from bpetok.training.naming import learn_named
from strategies import TEXT, no_texts

SPECIAL = ["<s>", "</s>", "<pad>"]
TEXTS = [*TEXT.splitlines(keepends=True), "", " ", "<s>e\u0301 \ufb01</s><pad>  x"] * 3
SPLIT = r"\p{N}{1,3}|(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\s+(?!\S)|\s+"
ALPHABET = pre_tokenizers.ByteLevel.alphabet()


def trained(**parts: Any) -> tokenizers.Tokenizer:
    """Return a tokenizer of tokenizers, trained on a little text."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    for name, part in parts.items():
        setattr(tokenizer, name, part)
    trainer = trainers.BpeTrainer(
        vocab_size=280, special_tokens=SPECIAL, initial_alphabet=ALPHABET, show_progress=False
    )
    tokenizer.train_from_iterator(["some text, some more text"], trainer)
    return tokenizer


SEQUENCE = pre_tokenizers.Sequence(
    [
        pre_tokenizers.Split(tokenizers.Regex(SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
)
TEMPLATE = processors.TemplateProcessing("<s> $A </s>", None, [("<s>", 0), ("</s>", 1)])
SOURCES: dict[str, dict[str, Any]] = {
    "gpt2": {},
    "normalized": {"normalizer": normalizers.NFKC(), "pre_tokenizer": SEQUENCE},
    "several steps": {
        "normalizer": normalizers.Sequence([normalizers.Strip(), normalizers.Lowercase()]),
        "pre_tokenizer": pre_tokenizers.ByteLevel(add_prefix_space=True),
    },
    "a space before each piece": {
        "pre_tokenizer": pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.Split(tokenizers.Regex(r"[,.]\s?"), "merged_with_previous"),
                pre_tokenizers.ByteLevel(),
            ]
        )
    },
    "a space before each word": {
        "pre_tokenizer": pre_tokenizers.Sequence(
            [pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(use_regex=False)]
        )
    },
    "template": {"post_processor": TEMPLATE},
    "roberta": {"post_processor": processors.RobertaProcessing(("</s>", 1), ("<s>", 0))},
}


@pytest.fixture
def transformers() -> Any:
    return pytest.importorskip("transformers")


def both(
    transformers: Any, source: tokenizers.Tokenizer, vocab_size: int, **options: Any
) -> tuple[Any, Any]:
    """Return what transformers makes of a tokenizer and a text, and what this package makes."""
    fast = transformers.PreTrainedTokenizerFast
    theirs = fast(tokenizer_object=source, bos_token="<s>", pad_token="[PAD]")
    # Tokens that are not special, of which one has a role, and one is text that will be a token.
    theirs.add_tokens(["<think>", "the"])
    more = {"show_progress": False} | options
    ours = bpetok.train_new_from_iterator(theirs, batches(), vocab_size, **more)
    return theirs.train_new_from_iterator(batches(), vocab_size, **more), ours


def batches() -> Iterator[Any]:
    """Texts one by one, in lists and in what can be iterated once."""
    yield TEXTS[0]
    yield TEXTS[1:9]
    yield (text for text in TEXTS[9:])


def files_of(tokenizer: Any, folder: Path) -> dict[str, Any]:
    """Return what a tokenizer of transformers writes."""
    tokenizer.save_pretrained(folder)
    texts = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
    return {
        name: json.loads(text) if name.endswith(".json") else text for name, text in texts.items()
    }


OPTIONS: list[dict[str, Any]] = [
    {},
    {"min_frequency": 4},
    {"max_token_length": 4},
    {"limit_alphabet": 1000, "length": 3},
    {"new_special_tokens": ["<new>", "the"], "special_tokens_map": {"<s>": "<begin>"}},
]


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "none")
def test_the_result_is_that_of_transformers(
    transformers: Any, name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    """Vocabulary, merges, ids, settings: all that both write."""
    theirs, ours = both(transformers, trained(**SOURCES[name]), 330, **options)
    assert type(ours) is type(theirs)
    assert json.loads(ours.backend_tokenizer.to_str()) == json.loads(
        theirs.backend_tokenizer.to_str()
    )
    assert files_of(ours, tmp_path / "ours") == files_of(theirs, tmp_path / "theirs")
    for text in TEXTS:
        assert ours(text)["input_ids"] == theirs(text)["input_ids"]


@pytest.mark.parametrize("vocab_size", [0, 100, 259, 260, 100_000])
def test_any_size_of_vocabulary(transformers: Any, vocab_size: int) -> None:
    """Fewer ids than bytes, and more than the text gives."""
    theirs, ours = both(transformers, trained(), vocab_size)
    assert ours.get_vocab() == theirs.get_vocab()


def test_progress_is_shown(transformers: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """As transformers does, unless it is told not to."""
    source = transformers.PreTrainedTokenizerFast(tokenizer_object=trained())
    bpetok.train_new_from_iterator(source, [TEXTS], 300, length=1)
    assert "learn" in capfd.readouterr().err
    bpetok.train_new_from_iterator(source, [TEXTS], 300, show_progress=False)
    assert capfd.readouterr().err == ""


def test_what_cannot_be_done_is_said_before_any_text_is_taken(transformers: Any) -> None:
    """With what to do; a text that is none is an error, too."""
    fast = transformers.PreTrainedTokenizerFast
    source = fast(tokenizer_object=trained())
    words = fast(tokenizer_object=tokenizers.Tokenizer(models.WordLevel({"a": 0}, "a")))
    bare = fast(tokenizer_object=trained(pre_tokenizer=pre_tokenizers.Whitespace()))
    for tokenizer, options, message in (
        (trained(), {}, "tokenizer must be a fast tokenizer of transformers"),
        (words, {}, "its model is WordLevel; use tokenizer.train_new_from_iterator"),
        (bare, {}, "must have one ByteLevel, .*; use tokenizer.train_new_from_iterator"),
        (source, {"end_of_word_suffix": "</w>"}, "end_of_word_suffix must be empty"),
        (source, {"limit_alphabet": 100}, "limit_alphabet must be at least 256, got 100"),
        (source, {"min_frequency": -1}, "min_frequency must be"),
        (source, {"max_token_length": "a"}, "max_token_length must be"),
        (source, {"new_special_tokens": "<e>"}, "new_special_tokens must be a list of tokens"),
        (source, {"new_special_tokens": 1}, "new_special_tokens must be a list of tokens"),
        (source, {"special_tokens_map": ["<e>"]}, "special_tokens_map must be a mapping of str"),
        (source, {"special_tokens_map": {1: "<e>"}}, "special_tokens_map must be a mapping of str"),
    ):
        more: Any = options
        with pytest.raises((TypeError, ValueError), match=message):
            bpetok.train_new_from_iterator(tokenizer, no_texts(), 300, **more)
    wrong: list[tuple[Any, str]] = [
        ("a text", "wrap it in a list"),
        ([b"bytes"], "texts: item 0 must be a str or a list of str, got bytes"),
        ([["a", 1]], "text 1 must be a str or bytes, got int"),
        ([1], "texts: item 0 must be"),
        ({"a": 1}, "texts must be an iterable of texts, not a mapping"),
        ([{"text": ["a"]}], "texts: item 0 must be a str or a list of str, got dict"),
        (["\ud800"], "text 0 has a lone surrogate"),
    ]
    for texts, message in wrong:
        with pytest.raises((TypeError, ValueError), match=message):
            bpetok.train_new_from_iterator(source, texts, 300, show_progress=False)


def learned_by_tokenizers(
    texts: list[str], vocab_size: int, special_tokens: list[str]
) -> dict[str, Any]:
    """Return the model that tokenizers learns."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=special_tokens,
        initial_alphabet=ALPHABET,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    model: dict[str, Any] = json.loads(tokenizer.to_str())["model"]
    return model


@given(
    text=st.text("abc ", max_size=60),
    special_tokens=st.lists(
        st.sampled_from(["a", "c", "ab", "bc", "aa", "aab", "\u0120a", "x y", "<s>"]), unique=True
    ),
    n_merges=st.integers(0, 25),
)
def test_a_name_has_one_id(text: str, special_tokens: list[str], n_merges: int) -> None:
    """Special tokens that are spelled as bytes, or as what merges make, which decides ties."""
    vocab = learned_by_tokenizers([], 0, special_tokens)["vocab"]
    model = learned_by_tokenizers([text], len(vocab) + n_merges, special_tokens)
    counts: dict[bytes, int] = {}
    for word in bpetok.pretokenize(text):
        counts[word.encode()] = counts.get(word.encode(), 0) + 1
    learned = learn_named(Words.from_counts(counts), vocab, n_merges, Rule(), 1, lambda *_: None)
    assert learned.vocab == model["vocab"]
    assert [list(merge) for merge in learned.merges] == model["merges"]
    assert set(CHARACTERS) <= set(learned.vocab)
