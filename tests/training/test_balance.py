"""Balance between languages: the options, and the merges of `ParityBpeTrainer` on texts."""

import json
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bpetok
from bpetok.base.byte_characters import BYTES_BY_CHARACTER

ENGLISH = ["the quick brown fox jumps over the lazy dog", "the dog sleeps; the fox doesn't"] * 3
RUSSIAN = ["быстрая лиса прыгает через ленивую собаку", "собака спит, а лиса нет"] * 2
CHINESE = ["敏捷的狐狸跳过懒狗。狗睡了，狐狸没有睡。"]
TEXTS = [ENGLISH, RUSSIAN, CHINESE]
DEVELOPMENT = [["the fox and the dog"], ["лиса и собака спят"], ["狐狸和狗"]]


def theirs(n_merges: int, **options: Any) -> list[tuple[bytes, bytes]]:
    """Return the merges of tokenizers."""
    tokenizers = pytest.importorskip("tokenizers", minversion="0.23")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    development, ratio = options.pop("development", None), options.pop("ratio", None)
    window = options.pop("window_size", None)
    if window is not None:
        options |= {"window_size": window, "variant": "window"}
    tokenizers.trainers.ParityBpeTrainer(
        num_merges=n_merges, show_progress=False, **options
    ).train_from_iterator(tokenizer, TEXTS, dev_iterators=development, ratio=ratio)
    return [
        (spelled(left), spelled(right))
        for left, right in json.loads(tokenizer.to_str())["model"]["merges"]
    ]


def spelled(token: str) -> bytes:
    """Return the bytes of a token of theirs."""
    return bytes(BYTES_BY_CHARACTER[character] for character in token)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"development": DEVELOPMENT},
        {"ratio": [1.0, 2.0, 2.57]},
        {"development": DEVELOPMENT, "global_merges": 12},
        {"ratio": [2.0, 1.0, 1.0], "global_merges": 12},
        {"development": DEVELOPMENT, "window_size": 4, "alpha": 1.5},
    ],
)
def test_merges_are_those_of_tokenizers(options: dict[str, Any]) -> None:
    """With its ties; the ids are laid out as with that compat, too."""
    tokenizer = bpetok.train_from_iterator(
        TEXTS, vocab_size=256 + 60, compat="huggingface", balance=bpetok.Parity(**options)
    )
    assert tokenizer.merges == theirs(60, **options)
    assert tokenizer.token_id(b"!") == 0


def test_files_texts_and_words_give_the_same(tmp_path: Path) -> None:
    """Each element is a language, in all three forms; the facts are those of all."""
    files = []
    development = []
    for number, (texts, measured) in enumerate(zip(TEXTS, DEVELOPMENT, strict=True)):
        files.append(tmp_path / f"{number}.jsonl")
        files[-1].write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        development.append(tmp_path / f"{number}.txt")
        development[-1].write_text(measured[0], "utf-8")
    from_files = bpetok.train(
        files, vocab_size=300, balance=bpetok.Parity(development=development), n_threads=2
    )
    from_texts = bpetok.train_from_iterator(
        TEXTS, vocab_size=300, balance=bpetok.Parity(development=DEVELOPMENT)
    )
    words = [bpetok.count_words_from_iterator(texts) for texts in TEXTS]
    measured_words = [bpetok.count_words_from_iterator(texts) for texts in DEVELOPMENT]
    from_words = bpetok.train_from_words(
        [dict(language) for language in words],
        vocab_size=300,
        balance=bpetok.Parity(development=measured_words),
    )
    assert from_files == from_texts == from_words
    facts = from_texts.training
    assert facts is not None
    assert facts == from_files.training == from_words.training
    assert facts.n_bytes == sum(len(text.encode()) for texts in TEXTS for text in texts)
    assert facts.n_tokens == sum(len(from_texts.encode(text)) for texts in TEXTS for text in texts)
    assert from_texts.merge_counts is not None
    first = Counter(
        pair
        for texts in TEXTS
        for text in texts
        for word in bpetok.pretokenize(text)
        for pair in zip(word.encode()[:-1], word.encode()[1:], strict=True)
    )
    left, right = from_texts.merge_pairs[0].tolist()
    assert from_texts.merge_counts[0] == first[left, right]


def test_the_longest_text_gets_shorter() -> None:
    """Which is what balance is for: Chinese has few words here, and plain BPE gives it nothing."""
    plain = bpetok.train_from_iterator([text for texts in TEXTS for text in texts], vocab_size=290)
    balanced = bpetok.train_from_iterator(
        TEXTS,
        vocab_size=290,
        balance=bpetok.Parity(development=[["the fox"], ["лиса"], ["狐狸跳过懒狗。狐狸没有睡。"]]),
    )
    assert len(balanced.encode("狐狸跳过懒狗")) < len(plain.encode("狐狸跳过懒狗"))


@pytest.mark.parametrize(
    ("balance", "options", "error", "message"),
    [
        ("fair", {}, TypeError, "balance must be 'parity' or a bpetok.Parity, got 'fair'"),
        (3, {}, TypeError, "balance must be 'parity'"),
        ({"ratio": [1, 2]}, {}, ValueError, "one number for each of 3 languages in texts, got 2"),
        ({"ratio": [1, 2, 0]}, {}, ValueError, r"balance.ratio\[2\] must be greater than 0"),
        ({"ratio": [1, 2, float("nan")]}, {}, ValueError, r"balance.ratio\[2\]"),
        ({"ratio": [1, 2, "3"]}, {}, TypeError, r"balance.ratio\[2\] must be a number, got '3'"),
        ({"ratio": 3}, {}, TypeError, "balance.ratio must be a list of numbers, got 3"),
        ({"development": [["a"]]}, {}, ValueError, "one text for each of 3 languages"),
        ({"development": "a"}, {}, TypeError, "balance.development must be a list"),
        ({"development": TEXTS, "ratio": [1, 1, 1]}, {}, ValueError, "not be given together"),
        ({"development": [["a"], [], ["b"]]}, {}, ValueError, "balance.development 1 must have"),
        ({"window_size": 0}, {}, ValueError, "balance.window_size must be in 1.."),
        ({"alpha": 3}, {}, ValueError, "balance.alpha is of no use without balance.window_size"),
        ({"alpha": 0}, {}, ValueError, "balance.alpha must be greater than 0 and finite, got 0"),
        ({"global_merges": -1}, {}, ValueError, "balance.global_merges must be in 0.."),
        ("parity", {"compat": "minbpe"}, ValueError, "balance must not be given with compat="),
        ("parity", {"max_memory": "1GB"}, ValueError, "max_memory must not be given with balance"),
        ("parity", {"superwords": bpetok.Superwords(260)}, ValueError, "superwords must not be"),
        ("parity", {"initial_tokens": ["a"]}, ValueError, "initial_tokens must not be given"),
    ],
)
def test_what_is_wrong_is_refused(
    balance: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Before anything is learned; the message says what and the bound."""
    given = bpetok.Parity(**balance) if isinstance(balance, dict) else balance
    with pytest.raises(error, match=message):
        bpetok.train_from_iterator(TEXTS, vocab_size=300, balance=given, **options)


def test_no_initial_tokens_may_be_given() -> None:
    """In whatever form; an array of one is no less refused."""
    expected = bpetok.train_from_iterator(TEXTS, vocab_size=260, balance="parity")
    none: list[Any] = [[], iter(()), np.array([], str)]
    for tokens in none:
        options: dict[str, Any] = {"initial_tokens": tokens, "balance": "parity"}
        assert bpetok.train_from_iterator(TEXTS, vocab_size=260, **options) == expected
    options = {"initial_tokens": np.array(["a"]), "balance": "parity"}
    with pytest.raises(ValueError, match="initial_tokens must not be given with balance"):
        bpetok.train_from_iterator(TEXTS, vocab_size=260, **options)


def test_ratios_may_be_any_numbers() -> None:
    """Those of NumPy and fractions, too."""
    expected = balanced_by([1, 2, 1.5])
    assert balanced_by([np.float32(1), np.int64(2), Fraction(3, 2)]) == expected
    with pytest.raises(ValueError, match=r"balance.ratio\[0\] must be greater than 0 and finite"):
        balanced_by([10**400, 2, 1.5])


def balanced_by(ratio: list[Any]) -> bpetok.Tokenizer:
    """Return a tokenizer of the texts, balanced by a ratio."""
    return bpetok.train_from_iterator(TEXTS, vocab_size=290, balance=bpetok.Parity(ratio=ratio))


@pytest.mark.parametrize(
    ("languages", "development", "message"),
    [
        ([["a b"], "c d"], None, r"texts\[1\]: texts must be an iterable of texts, got a single"),
        ([["a b"], [b"\xff"]], None, r"texts\[1\]: text 0 is not UTF-8"),
        ([["a b"], ["c d"]], ["e", "f"], r"balance.development\[0\]: texts must be an iterable"),
        ([["a b"], ["c d"]], [["e"], [3]], r"balance.development\[1\]: text 0 must be a str"),
        ([(["a b"], 2), (["c d"], 1)], None, r"texts\[0\] must be all of a language.*in a list"),
    ],
)
def test_errors_say_which_language(languages: Any, development: Any, message: str) -> None:
    """The texts that are trained on and the development texts are counted alike."""
    balance = bpetok.Parity(development=development)
    with pytest.raises((TypeError, ValueError), match=message):
        bpetok.train_from_iterator(languages, vocab_size=300, balance=balance)


def test_weights_are_given_within_a_language(tmp_path: Path) -> None:
    """A pair in the list of languages is no language."""
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for path, texts in zip(paths, TEXTS, strict=False):
        path.write_text("".join(texts), encoding="utf-8")
    weighted: Any = [(paths[0], 3), (paths[1], 1)]
    with pytest.raises(TypeError, match=r"files\[0\] must be all of a language.*in a list"):
        bpetok.train(weighted, vocab_size=300, balance="parity")
    weighted = [[pair] for pair in weighted]
    assert bpetok.train(weighted, vocab_size=280, balance="parity").vocab_size == 280


def test_languages_must_be_listed(tmp_path: Path) -> None:
    """One text is no list of languages; a language needs text; there are no checkpoints."""
    path = tmp_path / "a.txt"
    path.write_text("")
    wrong: Any = "all"
    with pytest.raises(TypeError, match="texts must be a list with the texts of each language"):
        bpetok.train_from_iterator(wrong, vocab_size=300, balance="parity")
    with pytest.raises(TypeError, match="files must be a list with the texts of each language"):
        bpetok.train(str(path), vocab_size=300, balance="parity")
    with pytest.raises(ValueError, match="files must have at least one language"):
        bpetok.train([], vocab_size=300, balance="parity")
    with pytest.raises(ValueError, match="language 0 must have at least one word"):
        bpetok.train([path], vocab_size=300, balance="parity")
    with pytest.raises(ValueError, match="checkpoint must not be given with balance"):
        bpetok.train([path], vocab_size=300, balance="parity", checkpoint=tmp_path / "c")


def test_words_know_how_they_were_split() -> None:
    """The tokenizer splits as they were, which must be alike, development texts included."""

    def counted(texts: list[str], pattern: str) -> bpetok.Words:
        return bpetok.count_words_from_iterator(texts, pattern=pattern, special_tokens=["<|end|>"])

    words = [counted(texts, "llama3") for texts in TEXTS]
    for given in (words, iter(words)):
        tokenizer = bpetok.train_from_words(given, vocab_size=300, balance="parity")
        assert (tokenizer.pattern, [*tokenizer.special_tokens]) == ("llama3", ["<|end|>"])
    with pytest.raises(ValueError, match="same pattern: part 0 has 'llama3', part 2 has 'gpt2'"):
        bpetok.train_from_words(
            [*words[:2], counted(CHINESE, "gpt2")], vocab_size=300, balance="parity"
        )
    balance = bpetok.Parity([*words[:2], counted(CHINESE, "gpt2")])
    with pytest.raises(ValueError, match="same pattern: part 0 has 'llama3', part 5 has 'gpt2'"):
        bpetok.train_from_words(words, vocab_size=300, balance=balance)
