"""Trained once, cut later; going on from a tokenizer."""

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bpetok
import reference
from bpetok import Tokenizer
from bpetok.encoding.added_tokens import AddedToken
from strategies import TEXT, no_texts

TRAINERS = [None, "huggingface", "rustbpe", "minbpe", "cs336"]
SPECIAL = ["<|end|>", "<x>"]
OTHER = "other words: the lazy otter, the laziest of others. Größer 你好 " * 4
ascii_texts = st.text("ab c", min_size=1, max_size=60).map(lambda text: text + "a")


def train(text: str, vocab_size: int, **options: Any) -> Tokenizer:
    """Train on one text."""
    return bpetok.train_from_iterator([text], vocab_size=vocab_size, **options)


def counts_of(tok: Tokenizer) -> list[int]:
    """Return how often the pair of each merge occurred."""
    assert tok.merge_counts is not None
    found: list[int] = tok.merge_counts.tolist()
    return found


def test_going_on_keeps_all_that_a_tokenizer_has() -> None:
    """Flags, whole words, tokens that no text gives, what changes texts (here, too), settings."""
    parts: dict[str, Any] = {
        "whole_words": {b"xyz": 258},
        "other_tokens": {b"\xff\xff": 259},
        "normalizer": {"type": "Lowercase"},
        "prefix_space": True,
        "settings": {"truncation": {"max_length": 3}},
    }
    flags = AddedToken("<s>", 257, lstrip=True, special=False)
    tok = Tokenizer(merges=[(97, 98)], special_tokens={"<s>": 257}, added_tokens=[flags], **parts)
    more = train("AB ab cd", 261, initial=tok)
    assert more.merges == [(b"a", b"b"), (b" ", b"ab")]
    assert more.added_tokens == [flags]
    for name, value in parts.items():
        assert getattr(more, name) == value


@pytest.mark.parametrize("compat", TRAINERS)
@pytest.mark.parametrize("special_tokens", [[], SPECIAL])
def test_a_truncated_tokenizer_is_that_of_a_smaller_training(
    compat: str | None, special_tokens: list[str], tmp_path: Path
) -> None:
    """Merges, counts and ids, those of special tokens too; it can be saved and truncated again."""
    options = {"compat": compat, "special_tokens": special_tokens}
    full = train(TEXT, 420, **options)
    for vocab_size in (256 + len(special_tokens), 300, 420):
        small = full.truncate(vocab_size)
        same = train(TEXT, vocab_size, **options)
        assert small == same
        assert small.vocab_size == vocab_size
        assert small.merge_counts is not None
        assert counts_of(small) == counts_of(same)
        assert small.merge_counts.dtype == np.int64
        small.save(tmp_path / "tok.json")
        loaded = Tokenizer.load(tmp_path / "tok.json")
        assert loaded == small
        assert counts_of(loaded) == counts_of(small)
        assert loaded.training is None
    assert full.truncate(400).truncate(300) == full.truncate(300)


def test_ids_that_came_from_elsewhere_close_up() -> None:
    """Only larger ids than those that go move down; unused ones stay unused."""
    tok = Tokenizer(
        merges=[(97, 98), (256, 99), (257, 100)],
        token_ids=[*range(1, 257), 300, 290, 280],
        special_tokens={"<a>": 0, "<b>": 295, "<c>": 400},
    )
    small = tok.truncate(400)
    assert small.token_ids[-2:].tolist() == [299, 289]
    assert small.special_tokens == {"<a>": 0, "<b>": 294, "<c>": 399}
    assert small.merge_counts is None
    assert tok.truncate(399).special_tokens == {"<a>": 0, "<b>": 293, "<c>": 398}
    for vocab_size in (397, 402):
        with pytest.raises(ValueError, match=f"vocab_size must be in 398..401, got {vocab_size}"):
            tok.truncate(vocab_size)
    with pytest.raises(TypeError, match="vocab_size must be an int"):
        tok.truncate("398")  # type: ignore[arg-type]  # the mistake tested


@pytest.mark.parametrize("compat", TRAINERS)
def test_going_on_gives_what_one_training_gives(compat: str | None, tmp_path: Path) -> None:
    """From the same text: all ids, merges and counts; from a loaded tokenizer, too."""
    small = train(TEXT, 300, compat=compat)
    small.save(tmp_path / "small.json")
    larger = train(TEXT, 420, compat=compat)
    for initial in (small, Tokenizer.load(tmp_path / "small.json")):
        more = train(TEXT, 420, compat=compat, initial=initial)
        assert more == larger
        assert counts_of(more) == counts_of(larger)
        assert more.training is not None
        assert more.training is not None
        assert larger.training is not None
        assert more.training.n_tokens == larger.training.n_tokens
    assert train(TEXT, 300, compat=compat, initial=small) == small


@settings(max_examples=30, deadline=None)
@given(ascii_texts, ascii_texts, st.sampled_from(["ids", "place", "bytes"]))
@pytest.mark.filterwarnings("ignore:vocab_size is")
def test_going_on_in_other_text_is_the_naive_way(first: str, second: str, ties: str) -> None:
    """The words begin in the old tokens; ties are broken by the ids of all."""
    compat = {"ids": None, "place": "minbpe", "bytes": "cs336"}[ties]
    initial = train(first, 262, compat=compat)
    tok = train(second, initial.vocab_size + 8, compat=compat, initial=initial)
    counts: dict[bytes, int] = {}
    for word in bpetok.pretokenize(second):
        counts[word.encode()] = counts.get(word.encode(), 0) + 1
    old = list(map(tuple, initial.merge_pairs.tolist()))
    pairs, merge_counts = reference.learn_merges(counts, 8, ties=ties, initial=old)
    assert list(map(tuple, tok.merge_pairs.tolist())) == old + pairs
    assert counts_of(tok)[len(old) :] == merge_counts


@pytest.mark.parametrize("n_threads", [1, 2])
def test_ids_of_any_order_are_kept(n_threads: int, tmp_path: Path) -> None:
    """Of tokenizers that other libraries made; special tokens stay where they are."""
    trained = train(TEXT, 300, special_tokens=SPECIAL)
    trained.save_pretrained(tmp_path)
    shuffled = Tokenizer(
        merges=trained.merge_pairs,
        token_ids=range(300, 2, -1),
        special_tokens={"<|end|>": 0, "<x>": 310},
        pattern="llama3",
    )
    for initial in (
        trained,
        Tokenizer.from_pretrained(tmp_path),
        Tokenizer.from_tiktoken(trained.to_tiktoken()),
        shuffled,
    ):
        vocab_size = initial.vocab_size + 31
        tok = bpetok.train_from_iterator(
            [OTHER, "<|new|>" + OTHER],
            vocab_size=vocab_size,
            special_tokens=["<x>", "<|new|>"],
            initial=initial,
            n_threads=n_threads,
        )
        assert tok.vocab_size == vocab_size
        assert tok.pattern == initial.pattern
        assert tok.special_tokens == initial.special_tokens | {"<|new|>": vocab_size - 1}
        assert tok.merges[: len(initial.merges)] == initial.merges
        assert tok.token_ids[:298].tolist() == initial.token_ids.tolist()
        assert tok.token_ids[298:].tolist() == list(range(vocab_size - 31, vocab_size - 1))
        assert len(tok.encode(OTHER)) < len(initial.encode(OTHER))
        assert tok.decode(tok.encode(OTHER)) == OTHER
        known = initial.merge_counts is not None
        assert (tok.merge_counts is not None) == known
        # All of the text was in the old tokens before the first new merge.
        counts = tok.merge_counts if known else None
        ids = initial.encode(OTHER) * 2
        pair = tok.merges[298 - 256]
        places = sum(
            (initial.token_bytes(a), initial.token_bytes(b)) == pair
            for a, b in itertools.pairwise(ids)
        )
        assert counts is None or places >= counts[298 - 256] > 1


def test_files_and_words_go_on_too(tmp_path: Path) -> None:
    """All ways of training have `initial`; and the command."""
    path = tmp_path / "text.txt"
    path.write_bytes((TEXT + OTHER).encode())
    initial = train(TEXT, 300)
    tok = train(TEXT + OTHER, 320, initial=initial)
    assert bpetok.train(path, vocab_size=320, initial=initial) == tok
    words = bpetok.count_words(path)
    assert bpetok.train_from_words(words, vocab_size=320, initial=initial) == tok
    initial.save(tmp_path / "initial.json")
    command = [sys.executable, "-m", "bpetok", "train", str(path), "--vocab-size", "320"]
    output = ["--output", str(tmp_path / "tok.json"), "--quiet"]
    subprocess.run([*command, *output, "--initial", str(tmp_path / "initial.json")], check=True)
    assert Tokenizer.load(tmp_path / "tok.json") == tok
    options = ["--compat", "huggingface", "--max-token-length", "9"]
    subprocess.run([*command, *output, *options], check=True)
    assert Tokenizer.load(tmp_path / "tok.json") == bpetok.train(
        path, vocab_size=320, compat="huggingface", max_token_length=9
    )
    with pytest.warns(
        UserWarning, match="no pair is left that may be merged and fits in max_token_length=3"
    ):
        bpetok.train(path, vocab_size=3000, max_token_length=3)
    missing = subprocess.run([*command, *output, "--initial", "no.json"], capture_output=True)
    assert missing.returncode == 2
    assert missing.stderr == b"bpetok: error: --initial: no.json: No such file or directory\n"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"pattern": "o200k"}, ValueError, "pattern must be that of initial, 'gpt2', or not given"),
        ({"vocab_size": 299}, ValueError, "vocab_size must be at least 300, .*initial.*, got 299"),
        (
            {"vocab_size": 300, "special_tokens": ["<n>"]},
            ValueError,
            "at least 301, the 300 ids of initial and 1 new special token, got 300",
        ),
        ({"initial": "tok.json"}, TypeError, "initial must be a Tokenizer, got str"),
    ],
)
def test_what_can_not_go_on_is_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Before any text is taken."""

    options = {"vocab_size": 310, "initial": train(TEXT, 300), **options}
    with pytest.raises(error, match=message):
        bpetok.train_from_iterator(no_texts(), **options)


def test_a_checkpoint_is_of_one_initial_and_one_compat(tmp_path: Path) -> None:
    """And an interrupted run goes on from both: the initial merges and its own."""
    pytest.importorskip("pyarrow")
    words = bpetok.count_words_from_iterator([TEXT])
    initial = train(TEXT, 300, compat="cs336")
    options: dict[str, Any] = {"compat": "cs336", "checkpoint": tmp_path / "saved"}
    expected = bpetok.train_from_words(words, vocab_size=400, initial=initial, compat="cs336")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bpetok.counting.checkpoint.SECONDS", 0.0)

        def stop(phase: str, done: int, total: int | None) -> None:
            if phase == "learn" and done >= 40:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            bpetok.train_from_words(
                words, vocab_size=400, initial=initial, progress=stop, **options
            )
    assert (tmp_path / "saved" / "merges.parquet").exists()
    for changed in ({"initial": train(TEXT, 301)}, {"initial": initial, "compat": "rustbpe"}):
        with pytest.raises(ValueError, match=f"another run, {list(changed)[-1]} was"):
            bpetok.train_from_words(words, vocab_size=400, **{**options, **changed})
    tok = bpetok.train_from_words(words, vocab_size=400, initial=initial, **options)
    assert tok == expected
    assert counts_of(tok) == counts_of(expected)
