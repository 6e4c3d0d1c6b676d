"""What a tokenizer knows of its training, how it is kept, and what a notebook shows."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

import bpetok
from bpetok import Tokenizer, TrainingFacts, Words
from bpetok.learning.learner import Learner
from bpetok.learning.rule import Rule, Tuning

TEXTS = ["aaaa aaaaa the cat sat on the mat", "  the   end<end>\n\n\n" * 3]


def test_the_facts_are_those_of_the_text() -> None:
    """Sizes and words of it, and the tokens that it becomes, whatever the last merges are."""
    words = bpetok.count_words_from_iterator(TEXTS)
    for vocab_size in range(256, 275):  # pairs of equal ids are among the last in some
        tok = bpetok.train_from_iterator(TEXTS, vocab_size=vocab_size)
        facts = tok.training
        assert facts is not None
        assert facts.n_tokens == sum(map(len, tok.encode_batch(TEXTS)))
        assert facts.n_bytes == sum(map(len, TEXTS))
        assert (facts.n_words, facts.n_unique_words) == (words.total, len(words))
        assert facts.bytes_per_token == facts.n_bytes / facts.n_tokens
        assert (facts.min_frequency, facts.version) == (1, bpetok.__version__)
        assert set(facts.seconds) == {"count", "load", "learn"}


@pytest.mark.parametrize("n_threads", [1, 3])
def test_tokens_are_counted_in_all_shards(n_threads: int) -> None:
    """However the words are shared out."""
    words = bpetok.count_words_from_iterator(TEXTS)
    learner = Learner(words, 12, Rule(), n_threads, Tuning(parallel_slots=1))
    assert learner.n_shards == n_threads
    assert learner.count_tokens() == words.n_bytes
    learner.learn()
    tok = bpetok.train_from_words(words, vocab_size=268)
    assert learner.count_tokens() == sum(map(len, tok.encode_batch(TEXTS)))


@pytest.mark.parametrize("special_tokens", [(), ["gpt2", "".join(["0.", "1.0"]), "<|é|>"]])
def test_equal_tokenizers_have_equal_pickles(tmp_path: Path, special_tokens: list[str]) -> None:
    """However they came to be: caches of datasets and of Dask know a function by its pickle."""
    options: dict[str, Any] = {"vocab_size": 265, "special_tokens": special_tokens}
    one, two = (bpetok.train_from_iterator(TEXTS, **options) for _ in range(2))
    one.save(tmp_path / "tok.json")
    loaded = Tokenizer.load(tmp_path / "tok.json")
    expected = pickle.dumps(one)
    for same in (two, loaded, pickle.loads(expected)):
        assert same == one
        assert pickle.dumps(same) == expected
    one.encode(TEXTS[0], disallowed_special=())
    assert pickle.dumps(one) == expected


def test_a_file_keeps_all_but_the_seconds(tmp_path: Path) -> None:
    """So that the same training writes the same bytes, and the same pickles."""
    tok = bpetok.train_from_iterator(TEXTS, vocab_size=260)
    tok.save(tmp_path / "tok.json")
    loaded = Tokenizer.load(tmp_path / "tok.json")
    assert loaded.training == tok.training
    assert loaded.training is not None
    assert loaded.training.seconds == {}
    pickled = pickle.loads(pickle.dumps(tok))
    assert pickled.training == tok.training
    assert pickled.training.seconds == {}
    assert copy.deepcopy(tok) is copy.copy(tok) is tok
    again = bpetok.train_from_iterator(TEXTS, vocab_size=260)
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "tok.json").read_bytes()
    plain = Tokenizer(merges=tok.merge_pairs)
    assert plain.training is None
    assert plain == tok
    assert plain.vocabulary_sha256 == tok.vocabulary_sha256


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n_bytes": 0}, r"training.n_bytes must be in 1\.\."),
        ({"n_tokens": "7"}, "training.n_tokens must be an int"),
        ({"version": 1}, "training.version must be a str"),
        ({"more": 1}, "training must have exactly"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, changed: object, message: str) -> None:
    """The error says which number is wrong."""
    path = tmp_path / "tok.json"
    bpetok.train_from_iterator(TEXTS, vocab_size=260).save(path)
    content = json.loads(path.read_bytes())
    content["training"].update(changed)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        Tokenizer.load(path)
    with pytest.raises((ValueError, TypeError), match=message):
        TrainingFacts.from_json(content["training"])


def test_a_notebook_shows_a_table() -> None:
    """Of first and last merges, or of the most frequent words; what they hold is escaped."""
    tok = bpetok.train_from_iterator(["<b> <b> <b>\n" * 3], vocab_size=257)
    html = tok._repr_html_()
    assert "&lt;Tokenizer: 2" in html
    assert "<code>&lt;</code>" in html
    assert "<b>" not in html
    assert "bytes a token in training" in html
    html = Words.from_counts({b"a b\xff": 1234, b"<": 1})._repr_html_()
    assert "<code>a␣b\\xff</code></td><td><code>1,234</code>" in html
    assert "&lt;" in html
