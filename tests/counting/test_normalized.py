"""Counting with a normalizer: however the text is cut and shared, and in whatever way it comes."""

from __future__ import annotations

import io
import json
import pickle
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import regex
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import models, pre_tokenizers, trainers

import bpetok
from bpetok import Words
from bpetok.base.byte_characters import from_text
from bpetok.counting.chunks import count_pieces
from bpetok.counting.memory import RareWords
from bpetok.counting.options import check_count_options
from bpetok.patterns.builtin import GPT2, PATTERNS
from bpetok.patterns.changes import check_changes
from bpetok.sources.pieces import cut, cut_lines, split_lines, text_pieces
from strategies import no_texts

FORMS: list[Any] = ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents"]
STEPS = [
    *FORMS,
    "Strip",
    {"type": "Prepend", "prepend": "_"},
    {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "\u2581"},
]
# Letters with marks, some of which join with what is before them; jamo; what becomes a special
# token, white space or several characters.
CHARACTERS = (
    "aAe '\t\n\r1\u00e9\u00c5\u212b\u0130\u0301\u0316\u0338\u1100\u1161\u11a8\uac00\u0958"
    "\u09c7\u09be"
    "\uff1c\uff5c\uff1e<|>\u00bd\u3000\ufb01\u07fd\U00011935\U00011930"
)
awkward = st.text(st.sampled_from(CHARACTERS), max_size=60)
specs = st.one_of(st.sampled_from(STEPS), st.lists(st.sampled_from(STEPS), max_size=3))


def theirs(spec: Any, text: str) -> str:
    """Return a text as a normalizer of tokenizers leaves it."""
    document = {
        "normalizer": {"type": "Sequence", "normalizers": normalizer_rows(spec)},
        "model": {"type": "BPE", "vocab": {}, "merges": []},
    }
    normalizer = tokenizers.Tokenizer.from_str(json.dumps(document)).normalizer
    assert normalizer is not None
    normal: str = normalizer.normalize_str(text)
    return normal


def normalizer_rows(spec: Any) -> list[Any]:
    """Return the steps of a normalizer as tokenizers has them."""
    steps = spec if isinstance(spec, list) else [spec]
    rows: list[Any] = [{"type": step} if isinstance(step, str) else dict(step) for step in steps]
    for row in rows:
        if row["type"] == "Strip":
            row |= {"strip_left": True, "strip_right": True}
    return rows


def naive(parts: list[str], spec: Any, pattern: str, *, prefix_space: bool) -> dict[bytes, int]:
    """Count the words of texts without special tokens with tokenizers and `regex` alone."""
    parts = [theirs(spec, part) for part in parts]
    if prefix_space:
        parts = [" " + part if part[:1] not in ("", " ") else part for part in parts]
    words = [word.encode() for part in parts for word in regex.findall(pattern, part)]
    return dict(Counter(words))


@given(
    texts=st.lists(awkward, max_size=4),
    spec=specs,
    pattern=st.sampled_from(["gpt2", "cl100k", "none", r"\p{L}+|[^\p{L}]"]),
    prefix_space=st.booleans(),
    n_threads=st.integers(1, 2),
    chunk_size=st.sampled_from([1, 5, 30, 1 << 20]),
)
def test_counts_equal_those_of_tokenizers_and_regex(
    texts: list[str], spec: Any, pattern: str, prefix_space: bool, n_threads: int, chunk_size: int
) -> None:
    """Any chunk size; special tokens are found before normalizing, and none that this makes."""
    options = check_count_options(
        pattern, ["<|>"], n_threads, "strict", changes=check_changes(spec, prefix_space)
    )
    options = options._replace(cutting=options.cutting._replace(chunk_size=chunk_size))
    parts = [part for text in texts for part in text.split("<|>")]
    expected = naive(parts, spec, PATTERNS.get(pattern, pattern), prefix_space=prefix_space)
    words = count_pieces(text_pieces(texts, options.cutting), options, RareWords())
    assert words.to_dict() == expected
    assert words.normalizer == check_changes(spec).spec
    # The same as files that are read block by block.
    files = [io.BytesIO(text.encode()) for text in texts]
    pieces = (piece for file in files for piece in cut("f", file.readinto, options.cutting))
    assert count_pieces(pieces, options, RareWords()).to_dict() == expected


@given(
    text=awkward,
    spec=specs,
    prefix_space=st.booleans(),
    chunk_size=st.sampled_from([1, 5, 30]),
)
def test_lines_of_a_file_are_normalized_alone(
    text: str, spec: Any, prefix_space: bool, chunk_size: int
) -> None:
    """As the trainer of tokenizers reads files: wherever the file is cut."""
    changes = check_changes(spec, prefix_space)
    options = check_count_options("gpt2", [], 1, "strict", changes=changes)
    cutting = options.cutting._replace(chunk_size=chunk_size, by_line=True)
    pieces = map(split_lines, cut_lines("f", io.BytesIO(text.encode()).readinto, cutting))
    words = count_pieces(pieces, options._replace(cutting=cutting), RareWords())
    lines = [line for line in re.split(r"(?<=\n)", text) if line]
    assert words.to_dict() == naive(lines, spec, GPT2, prefix_space=prefix_space)


@pytest.mark.parametrize("spec", [*STEPS, ["NFD", "StripAccents", "Lowercase"]])
def test_a_training_is_that_of_tokenizers(spec: Any) -> None:
    """With compat="huggingface": special tokens in the text are text, which is normalized."""
    texts = [*SOME, "<|s|>A\u00c9\uff21 <|s|>", "  two  spaces "] * 3
    theirs_trained = tokenizers.Tokenizer(models.BPE())
    rows = normalizer_rows(spec)
    document = json.loads(theirs_trained.to_str()) | {
        "normalizer": {"type": "Sequence", "normalizers": rows}
    }
    theirs_trained = tokenizers.Tokenizer.from_str(json.dumps(document))
    theirs_trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=285,
        special_tokens=["<|s|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    theirs_trained.train_from_iterator(texts, trainer)
    model = json.loads(theirs_trained.to_str())["model"]
    tok = bpetok.train_from_iterator(
        texts, vocab_size=285, compat="huggingface", normalizer=spec, special_tokens=["<|s|>"]
    )
    assert tok.merges == [(from_text(left), from_text(right)) for left, right in model["merges"]]
    for text in texts:
        expected = theirs_trained.encode(text).ids
        assert tok.encode(text, allowed_special="all") == expected


SOME = [
    "e\u0301t\u00e9 \ufb01ne \uff11\uff12 Stra\u00dfe",
    "\u1112\u1161\u11ab\uae00 \u212b",
]


def test_every_door_takes_a_normalizer_and_keeps_it(tmp_path: Path) -> None:
    """Files, texts, counts in memory and in files, workers, checkpoints, bounded memory."""
    (tmp_path / "a.txt").write_text(SOME[0], encoding="utf-8")
    (tmp_path / "b.txt").write_text(SOME[1], encoding="utf-8")
    files = [tmp_path / "a.txt", tmp_path / "b.txt"]
    words = bpetok.count_words(files, normalizer="NFKC")
    assert words.to_dict() == naive(SOME, "NFKC", GPT2, prefix_space=False)
    assert words.normalizer == {"type": "NFKC"}
    assert bpetok.count_words_from_iterator(SOME, normalizer="NFKC") == words
    assert bpetok.count_words(files, normalizer="NFKC", max_memory="200MB") == words
    assert pickle.loads(pickle.dumps(words)) == words
    assert words != bpetok.Words.from_counts(words.to_dict())
    tok = bpetok.train(files, vocab_size=259, normalizer="NFKC")
    assert tok.normalizer == {"type": "NFKC"}
    assert bpetok.train_from_iterator(SOME, vocab_size=259, normalizer="NFKC") == tok
    assert bpetok.train_from_words(words, vocab_size=259) == tok
    split = [word for text in SOME for word in bpetok.pretokenize(text, normalizer="NFKC")]
    assert Counter(word.encode() for word in split) == words.to_dict()
    assert bpetok.pretokenize("A", normalizer='["NFC", "Lowercase"]') == ["a"]


def test_counts_of_another_normalizer_are_refused(tmp_path: Path) -> None:
    """In files, in tables, added up, and by what goes on from a checkpoint."""
    pytest.importorskip("pyarrow")
    (tmp_path / "a.txt").write_text(SOME[0], encoding="utf-8")
    words = bpetok.count_words(tmp_path / "a.txt", normalizer="NFKC")
    plain = bpetok.count_words(tmp_path / "a.txt")
    words.save(tmp_path / "words.parquet")
    plain.save(tmp_path / "plain.parquet")
    assert Words.load(tmp_path / "words.parquet") == words
    assert Words.load(tmp_path / "words.parquet", normalizer="NFKC") == words
    assert Words.from_arrow(words.to_arrow()) == words
    with pytest.raises(ValueError, match=r"with normalizer {'type': 'NFKC'}, but the caller"):
        Words.load(tmp_path / "words.parquet", normalizer="NFC")
    with pytest.raises(ValueError, match=r"with normalizer {'type': 'NFKC'}, but .*plain"):
        Words.load([tmp_path / "plain.parquet", tmp_path / "words.parquet"])
    with pytest.raises(ValueError, match="parts must have the same normalizer"):
        Words.combine([(words, 1), (plain, 1)])
    run: dict[str, Any] = {"vocab_size": 258, "checkpoint": tmp_path / "run"}
    tok = bpetok.train(tmp_path / "a.txt", normalizer="NFKC", **run)
    assert bpetok.train(tmp_path / "a.txt", normalizer="NFKC", **run) == tok
    with pytest.raises(ValueError, match=r"normalizer was {'type': 'NFKC'} and is None"):
        bpetok.train(tmp_path / "a.txt", **run)


def test_a_plan_has_a_normalizer() -> None:
    """Workers count what one process counts; the plan is hashed and compared by it."""
    pa = pytest.importorskip("pyarrow")
    from bpetok.distributed import CountPlan, collect, count_batch

    plan = CountPlan(normalizer=["NFKC", "Lowercase"])
    assert plan == CountPlan(normalizer=plan.normalizer)
    assert hash(plan) != hash(CountPlan())
    words = collect([count_batch(pa.table({"text": SOME}), plan)], plan)
    assert words == bpetok.count_words_from_iterator(SOME, normalizer=["NFKC", "Lowercase"])
    with pytest.raises(ValueError, match="normalizer"):
        collect([count_batch(pa.table({"text": SOME}), CountPlan())], plan)


def test_what_is_wrong_is_found_before_anything_is_normalized() -> None:
    """Bytes that are not UTF-8, at the end of memory, too; text that nothing matches."""
    for data in (
        b"e\xcc",
        b"\xf8\xa0\xa0\xa0" * 20,
        b"A" * 40 + b"\xf4\xbf\xbf\xbf",
        b"\xed\xa0\x80",
    ):
        with pytest.raises(ValueError, match="text 1 is not UTF-8: byte "):
            bpetok.count_words_from_iterator([b"\xc3\x89", data], normalizer="NFD")
        words = bpetok.count_words_from_iterator([data], normalizer="NFD", errors="replace")
        text = data.decode(errors="replace")
        assert words.to_dict() == naive([text], "NFD", GPT2, prefix_space=False)
    with pytest.raises(ValueError, match=r"text 1, as it is normalized: .* at byte 2"):
        bpetok.count_words_from_iterator(["a", "a\u00e9"], normalizer="NFD", pattern="[a-z]+")
    with pytest.raises(ValueError, match="normalizer: 'nfc' can't be represented"):
        bpetok.count_words_from_iterator(no_texts(), normalizer="nfc")
    with pytest.raises(ValueError, match="normalizer must be JSON"):
        bpetok.pretokenize("a", normalizer="[")


@given(specs, awkward.filter(bool), st.data())
def test_what_a_byte_of_a_normalized_text_is_from(
    spec: Any, text: str, data: st.DataObject
) -> None:
    """What becomes of the text from there on has that byte where it is said."""
    changes = check_changes(spec)
    normal = theirs(spec, text).encode()
    offset = data.draw(st.integers(0, len(normal)))
    begin, after = changes.source_of(text.encode(), offset)
    rest = theirs(spec, text.encode()[begin:].decode()).encode()
    assert rest[after:] == normal[offset:]
    assert begin == 0 or changes.are_local


@pytest.mark.parametrize("n_threads", [1, 3])
def test_an_error_in_a_normalized_text_names_the_place_in_the_file(
    n_threads: int, tmp_path: Path
) -> None:
    """However the file is cut, and whatever special tokens come before."""
    path = tmp_path / "a.txt"
    text = "caf\u00e9 de <s> " * 300_000 + "x <s>\u00e9 \u00e9 1"
    path.write_text(text, "utf-8")
    at = len(text.encode()) - 1
    with pytest.raises(ValueError, match=rf"from byte {at} on as it is normalized: .* at byte 0;"):
        bpetok.count_words(
            path,
            normalizer="NFD",
            pattern="[a-z\u0301]+| ",
            special_tokens=["<s>"],
            n_threads=n_threads,
        )
    with pytest.raises(
        ValueError, match=r"text 0, from byte 4 on as it is normalized: .* at byte 4;"
    ):
        bpetok.count_words_from_iterator(
            ["a<s>bb 1"], prefix_space=True, pattern="[a-z ]+", special_tokens=["<s>"]
        )


def test_a_tokenizer_with_a_normalizer_is_pruned_and_continued_by_its_words() -> None:
    """Texts are changed there as in encoding."""
    tok = bpetok.train_from_iterator(["ab ab \uff41\uff42"] * 3, vocab_size=258, normalizer="NFKC")
    more = bpetok.train_from_iterator(["\uff43\uff44 cd"], vocab_size=259, initial=tok)
    assert more.normalizer == tok.normalizer
    assert more.merges[2:] == [(b"c", b"d")]
    assert more.prune(["\uff43\uff44"], 258).tokenizer.merges == [(b"a", b"b"), (b"c", b"d")]
    with pytest.raises(ValueError, match="normalizer must be that of initial"):
        bpetok.train_from_iterator(no_texts(), vocab_size=259, initial=tok, normalizer="NFC")
