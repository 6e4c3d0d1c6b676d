"""Patterns as users choose them: names, expressions, what a Tokenizer keeps."""

from pathlib import Path

import pytest
import regex
import rustbpe
import tiktoken
from hypothesis import given
from hypothesis import strategies as st
from tiktoken_ext import openai_public

import bpetok
from bpetok.patterns.builtin import (
    CHAINS,
    FINGERPRINTS,
    PATTERNS,
    QWEN2,
    SPELLINGS,
    check_pattern,
    names,
)
from bpetok.patterns.chains import spell_chain, splits_of
from bpetok.patterns.compiling import compile_chain, compile_expression
from bpetok.patterns.tables import fingerprint
from published import EXPRESSIONS
from strategies import TEXT

CUTTING = [name for name in PATTERNS if name != "none"]


def test_names_are_listed() -> None:
    """The list that the documentation has."""
    written_by_hand = ["gpt2", "cl100k", "o200k", "llama3", "qwen2", "nanochat", "none"]
    compiled = ["qwen3.5", "tekken", "kimi", "deepseek", "smollm", "falcon", "superbpe"]
    assert names() == written_by_hand + compiled


@pytest.mark.parametrize(("expression", "name"), [*SPELLINGS.items()])
def test_a_published_expression_is_its_pattern(expression: str, name: str) -> None:
    """It is scanned by the compiled scanner; the name is kept."""
    assert check_pattern(expression) == name
    assert check_pattern(PATTERNS[name]) == name
    assert check_pattern(name) == name


def test_tiktoken_patterns_are_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the installed tiktoken registers is what is built in, letter by letter."""
    monkeypatch.setattr(openai_public, "load_tiktoken_bpe", lambda *_, **__: {})
    monkeypatch.setattr(openai_public, "data_gym_to_mergeable_bpe_ranks", lambda *_, **__: {})
    for encoding, name in [
        ("gpt2", "gpt2"),
        ("r50k_base", "gpt2"),
        ("p50k_base", "gpt2"),
        ("cl100k_base", "cl100k"),
        ("o200k_base", "o200k"),
    ]:
        assert check_pattern(getattr(openai_public, encoding)()["pat_str"]) == name


def test_fingerprints_are_those_of_the_automata() -> None:
    """After a change to the compiler, this is the table to write in `builtin.py`."""
    compiled = {
        **{name: compile_expression(PATTERNS[name], "error") for name in PATTERNS},
        **{n: compile_chain(splits_of(spell_chain(c), PATTERNS)) for n, c in CHAINS.items()},
    }
    assert {fingerprint(scanner.tables): name for name, scanner in compiled.items()} == FINGERPRINTS


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        *((f"(?:{expression})", name) for name, expression in PATTERNS.items()),
        (EXPRESSIONS["cl100k, atomic"], "llama3"),
        (EXPRESSIONS["bailing"], "qwen2"),
        (EXPRESSIONS["r50k"], "gpt2"),
        (QWEN2.replace(r"\s+(?!\S)", r"\s+(?=\s|$)").replace("'s|'t", "'t|'s"), "qwen2"),
    ],
)
def test_any_spelling_of_a_pattern_is_recognised(expression: str, name: str) -> None:
    """By its automaton."""
    assert check_pattern(expression) == name
    assert check_pattern([expression]) == name


def test_what_splits_otherwise_is_no_spelling() -> None:
    """Nor what leaves text unmatched, or has groups, which some trainers take for the words."""
    for expression in (
        EXPRESSIONS["llama.cpp: qwen 2"],  # without the long s
        PATTERNS["gpt2"].removesuffix(r"|\s+"),
        f"({PATTERNS['gpt2']})",
        PATTERNS["llama3"].replace("{1,3}", "{1,4}"),
    ):
        assert check_pattern(expression) == expression


@pytest.mark.parametrize("pattern", PATTERNS)
@given(text=st.text(st.sampled_from(sorted(set(TEXT))), max_size=60))
def test_pretokenize_returns_the_words(pattern: str, text: str) -> None:
    """Together they are the text."""
    words = bpetok.pretokenize(text, pattern)
    assert words == regex.findall(PATTERNS[pattern], text)
    assert "".join(words) == text


def test_pretokenize_refuses_what_is_no_text() -> None:
    """And what is no pattern."""
    with pytest.raises(TypeError, match="text must be a str, got b'a'"):
        bpetok.pretokenize(b"a")  # type: ignore[arg-type]  # the mistake tested
    with pytest.raises(ValueError, match="surrogate"):
        bpetok.pretokenize("\ud800")
    with pytest.raises(ValueError, match="pattern must be one of"):
        bpetok.pretokenize("a", "gpt9")


def trained(pattern: str) -> bpetok.Tokenizer:
    return bpetok.train_from_iterator([TEXT], vocab_size=330, pattern=pattern)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_tokenizer_splits_by_its_pattern(pattern: str, tmp_path: Path) -> None:
    """No token runs over a word's end; the pattern is saved and loaded."""
    tok = trained(pattern)
    tok.save(tmp_path / "tok.json")
    for same in (tok, bpetok.Tokenizer.load(tmp_path / "tok.json")):
        assert same.pattern == pattern
        assert same.encode(TEXT) == [
            token_id
            for word in bpetok.pretokenize(TEXT, pattern)
            for token_id in same._encode_word(word.encode())
        ]
        assert same.decode(same.encode(TEXT)) == TEXT
    assert trained(PATTERNS[pattern]) == tok


@pytest.mark.parametrize("pattern", CUTTING)
@given(text=st.text(st.sampled_from(sorted({*TEXT, *"ſ\r/\u0301ǅʰA"})), max_size=60))
def test_ids_are_those_of_tiktoken(pattern: str, text: str) -> None:
    """With the same tokens and every published spelling that tiktoken reads."""
    tok = trained(pattern)
    for expression in [PATTERNS[pattern], *(e for e, name in SPELLINGS.items() if name == pattern)]:
        theirs = tiktoken.Encoding(
            "x", pat_str=expression, mergeable_ranks=tok.vocab, special_tokens={}
        )
        assert tok.encode(text) == theirs.encode_ordinary(text)


@pytest.mark.parametrize("pattern", CUTTING)
def test_merges_are_those_of_rustbpe(pattern: str) -> None:
    """Training with the same expression gives the same ids."""
    theirs = rustbpe.Tokenizer()
    theirs.train_from_iterator(iter([TEXT] * 3), 330, pattern=PATTERNS[pattern])
    ours = bpetok.train_from_iterator([TEXT] * 3, vocab_size=330, pattern=pattern)
    assert ours.vocab == {bytes(token): number for token, number in theirs.get_mergeable_ranks()}


def test_a_text_is_one_word_without_a_pattern() -> None:
    """Merges run over spaces; special tokens still end a word, wherever the text is cut."""
    texts = ["ab ab ab<|x|>ab", "ab ab" * 3]
    words = bpetok.count_words_from_iterator(texts, pattern="none", special_tokens=["<|x|>"])
    assert words.to_dict() == {b"ab ab ab": 1, b"ab": 1, b"ab ab" * 3: 1}
    tok = bpetok.train_from_iterator(["ab ab ab ab"], vocab_size=258, pattern="none")
    assert tok.merges == [(b"a", b"b"), (b" ", b"ab")]
