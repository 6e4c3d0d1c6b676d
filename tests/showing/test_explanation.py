"""Explanations: the encoder's ids, the merges in order, as text, in colours and as a page."""

import json
import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from rich.console import Console

import bpetok
import reference
from bpetok import Tokenizer
from bpetok.base.extras import MissingExtraError
from bpetok.encoding.added_tokens import AddedToken
from strategies import TEXT, TOY, merge_lists, texts

SPECIAL = ["<|end|>", "<|"]


@pytest.fixture(scope="module")
def toy() -> Tokenizer:
    """The tokenizer of README and docs."""
    return bpetok.train_from_iterator([TOY], vocab_size=266)


@given(merges=merge_lists(), text=texts)
def test_all_merges_of_a_word_are_there_in_order(merges: list[tuple[int, int]], text: str) -> None:
    """Each step is the naive merge of the one before, all the way from the bytes to the ids."""
    tok = Tokenizer(merges=merges, special_tokens=SPECIAL, merge_counts=range(len(merges), 0, -1))
    text = f"aab abc{text}<|end|>abcab"
    explanation = tok.explain(text)
    assert explanation.ids == tok.encode(text, allowed_special="all")
    assert b"".join(word.word for word in explanation.words) == text.encode()
    assert explanation.n_bytes == len(text.encode())
    for word in explanation.words:
        assert b"".join(word.tokens) == word.word
        ids = list(word.word)
        assert all(a.rank < b.rank for a, b in pairwise(word.steps))
        for step in word.steps:
            ids = reference.merge_ids(ids, merges[step.rank], 256 + step.rank)
            assert step.tokens == tuple(tok.token_bytes(i) for i in ids)
            assert step.made == tuple(at for at, i in enumerate(ids) if i == 256 + step.rank)
            assert step.left + step.right == tok.token_bytes(step.token_id)
            assert step.count == len(merges) - step.rank
        if not word.is_special:
            assert tuple(ids) == word.ids


def test_special_tokens_have_their_ids_or_are_text() -> None:
    """All of them by default, or the ones that are allowed."""
    tok = Tokenizer(merges=[], special_tokens=SPECIAL)
    assert [word.is_special for word in tok.explain("a<|end|>").words] == [False, True]
    assert tok.explain("<|end|>", allowed_special=()).ids == list(b"<|end|>")
    assert tok.explain("<|end|>", allowed_special={"<|"}).ids == [257, *b"end|>"]
    with pytest.raises(ValueError, match="allowed_special must be 'all' or a set"):
        tok.explain("", allowed_special="<|")
    with pytest.raises(TypeError, match="text must be str or bytes"):
        tok.explain(3)  # type: ignore[arg-type]  # this is what is tested
    with pytest.raises(ValueError, match="byte 0 is not"):
        tok.explain(b"\xff")


def test_plain_text_says_rank_and_count(toy: Tokenizer) -> None:
    """Each different word once; counts if they are known."""
    text = str(toy.explain("low low low"))
    assert text.splitlines()[0] == "3 words, 11 bytes, 3 tokens"
    assert text.count("␣low\n") == 1
    assert re.search(r"  lo w +merge 2: l \+ o, 7 times in training\n", text)
    plain = Tokenizer(merges=toy.merge_pairs)
    assert "in training" not in str(plain.explain("low"))
    assert str(plain.explain("")) == "0 words, 0 bytes, 0 tokens"
    assert "\\xe4" in str(plain.explain("中"))


def test_a_terminal_gets_colours(toy: Tokenizer) -> None:
    """The same text as without."""
    explanation = toy.explain("low lowest")
    console = Console(color_system="standard", force_terminal=True, width=20)
    with console.capture() as capture:
        console.print(explanation, end="", soft_wrap=True)
    coloured = capture.get().rstrip("\n")
    assert "\x1b[1;32m" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == str(explanation)


@pytest.mark.parametrize("kind", ["tokenizers", "tiktoken"])
def test_imported_tokenizers_explain_too(toy: Tokenizer, kind: str, tmp_path: Path) -> None:
    """Their ids, which need not be bytes and merges in this order; counts are not known."""
    pytest.importorskip(kind)
    if kind == "tiktoken":
        tok = Tokenizer.from_tiktoken(toy.to_tiktoken())
    else:
        toy.save_pretrained(tmp_path)
        content = json.loads((tmp_path / "tokenizer.json").read_text())
        vocab = content["model"]["vocab"]
        content["model"]["vocab"] = {token: len(vocab) - 1 - i for token, i in vocab.items()}
        (tmp_path / "tokenizer.json").write_text(json.dumps(content))
        tok = Tokenizer.from_pretrained(tmp_path)
        assert tok.encode("low") != toy.encode("low")
    ours, theirs = toy.explain(TEXT + TOY), tok.explain(TEXT + TOY)
    assert theirs.ids == tok.encode(TEXT + TOY)
    assert [w.tokens for w in theirs.words] == [w.tokens for w in ours.words]
    assert [[(s.rank, s.tokens) for s in w.steps] for w in theirs.words] == [
        [(s.rank, s.tokens) for s in w.steps] for w in ours.words
    ]


def test_the_page_holds_what_it_needs(toy: Tokenizer, tmp_path: Path) -> None:
    """All text is escaped; a notebook shows it in a frame; a file is whole or not there."""
    explanation = toy.explain("</script><b> & low")
    page = explanation.to_html()
    assert "</script><b>" not in page
    found = re.search(r'type="application/json" id="data">(.*?)</script>', page)
    assert found
    data = json.loads(found[1])
    assert bytes(data["bytes"]).decode() == "</script><b> & low"
    # With all steps taken, the boundaries that are left are those of tokens and words.
    n_left = sum(gone > len(data["steps"]) for gone in data["gone"])
    assert n_left == len(explanation.ids)
    explanation.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text("utf-8") == page
    frame = explanation._repr_html_()
    assert frame is not None
    assert "<iframe title=" in frame
    assert "<script>" not in frame
    sizes = str(explanation).splitlines()[0]
    assert repr(explanation) == f"<Explanation: {sizes}; print it, or save it as a page>"
    with pytest.raises(FileNotFoundError):
        explanation.save(tmp_path / "no" / "page.html")


def test_pages_need_an_extra(toy: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which; a notebook shows the text instead."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    explanation = toy.explain("low")
    with pytest.raises(MissingExtraError, match=r"pip install 'bpetok\[report\]'"):
        explanation.to_html()
    assert explanation._repr_html_() is None
    assert bpetok.report(toy, texts="low")._repr_html_() is None


@pytest.mark.parametrize(
    "options",
    [
        {"normalizer": "NFC"},
        {"prefix_space": True},
        {"pattern": [("whitespace", "removed"), "prefix_space", "gpt2"]},
        {"pattern": "falcon"},
        {"token_ids": [-1 if byte == ord("x") else byte for byte in range(256)] + [256, 257]},
        {"whole_words": {b"xa": 400, b" e\xcc\x81": 401}},
        {
            "normalizer": ["NFC", "Lowercase"],
            "special_tokens": {"<S>": 300, "  ": 301},
            "added_tokens": [
                AddedToken("<S>", 300, normalized=True),
                AddedToken("  ", 301),
            ],
        },
    ],
)
def test_ids_are_those_of_encode_whatever_changes_the_text(options: dict[str, Any]) -> None:
    """Normalizers, spaces before texts and pieces, words that end inside of a character, bytes
    without an id, words that are whole.
    """
    tok = bpetok.Tokenizer(merges=[(97, 98), (0xC3, 0xA9)], **options)
    for text in ("xab xx e\u0301 ab", "xa", "e\u0301<S>a  b<s>", "", "x", "\u00f2 1 \u00f3"):
        explanation = tok.explain(text)
        assert explanation.ids == tok.encode(text, allowed_special="all")
        assert str(explanation)
