"""`like=`: another tokenizer's splits, tokens, ids and settings, with merges of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import (
    AddedToken,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

import bpetok
from bpetok import Tokenizer
from bpetok.base.byte_characters import CHARACTERS, from_text
from strategies import TEXT, no_texts

TEXTS = [*TEXT.splitlines(keepends=True), "<s>\ufb01e\u0301 <think> <mask>"] * 2
CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": "<s>",
    "mask_token": "<mask>",
    "chat_template": "{{ messages }}",
    "model_max_length": 77,
    "added_tokens_decoder": {
        "0": {"content": "<s>", "special": True},
        "MASK": {"content": "<mask>", "special": True},
        "9999": {"content": "not there", "special": True},
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tokenizer with special tokens before and after all others, flags, template, roles."""
    source = tokenizers.Tokenizer(models.BPE(unk_token="<unk>"))
    source.normalizer = normalizers.NFKC()
    source.decoder = decoders.ByteLevel()
    split = pre_tokenizers.Split(tokenizers.Regex(r"\p{N}| ?\p{L}+|\s+|[^\s\p{L}]"), "isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    source.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    trainer = trainers.BpeTrainer(
        vocab_size=280,
        special_tokens=["<s>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    source.train_from_iterator(["other text, other words"] * 9, trainer)
    source.add_tokens([AddedToken("<think>", normalized=False)])
    source.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
    mask = source.token_to_id("<mask>")
    source.post_processor = processors.TemplateProcessing(
        "<s> $A <mask>", None, [("<s>", 0), ("<mask>", mask)]
    )
    source.enable_truncation(60)
    source.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(CONFIG).replace("MASK", str(mask)))
    return tmp_path


def test_all_but_the_merges_is_that_of_the_other(folder: Path, tmp_path: Path) -> None:
    """Flags and places of tokens, template, roles, settings; what is written says so."""
    old = Tokenizer.from_pretrained(folder)
    tok = bpetok.train_from_iterator(TEXTS, vocab_size=400, like=folder)
    assert (tok.pattern, tok.normalizer) == (old.pattern, old.normalizer)
    assert tok.special_tokens == {"<s>": 0, "<unk>": 1, "<think>": 398, "<mask>": 399}
    flags = [[token._replace(id=0) for token in one.added_tokens] for one in (tok, old)]
    assert flags[0] == flags[1]
    assert tok.token_ids.tolist() == [*old.token_ids[:256], *range(258, 398)]
    assert tok.encode("a", add_special_tokens=True) == [0, *tok.encode("a"), 399]
    written = tmp_path / "written"
    tok.save_pretrained(written)
    before, after = (
        json.loads((path / "tokenizer.json").read_text(encoding="utf-8"))
        for path in (folder, written)
    )
    for part in ("normalizer", "pre_tokenizer", "decoder", "truncation", "padding"):
        assert after[part] == before[part]
    assert after["model"]["unk_token"] == "<unk>"
    config = json.loads((written / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert set(config.pop("added_tokens_decoder")) == {"0", "399"}
    assert config == {
        name: value for name, value in CONFIG.items() if name != "added_tokens_decoder"
    } | {"clean_up_tokenization_spaces": False}
    theirs = tokenizers.Tokenizer.from_file(str(written / "tokenizer.json"))
    theirs.no_truncation()
    for text in TEXTS:
        ids = tok.encode(text, allowed_special="all", add_special_tokens=True)
        assert theirs.encode(text).ids == ids


def test_the_merges_are_those_of_tokenizers(folder: Path) -> None:
    """And other ones if `compat` says so: then special tokens are no text."""
    document = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    document["model"] |= {"vocab": {}, "merges": []}
    theirs = tokenizers.Tokenizer.from_str(
        json.dumps(document | {"added_tokens": [], "post_processor": None})
    )
    trainer = trainers.BpeTrainer(
        vocab_size=396,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    theirs.train_from_iterator(TEXTS, trainer)
    merges = json.loads(theirs.to_str())["model"]["merges"]
    tok = bpetok.train_from_iterator(TEXTS, vocab_size=400, like=folder)
    assert tok.merges == [(from_text(left), from_text(right)) for left, right in merges]
    own = bpetok.train_from_iterator(TEXTS, vocab_size=400, like=folder, compat="bpetok")
    plain = bpetok.train_from_iterator(
        TEXTS,
        vocab_size=400,
        pattern=tok.pattern,
        normalizer="NFKC",
        special_tokens=tok.special_tokens.keys(),
        unmatched="word",
    )
    assert own.merges == plain.merges != tok.merges
    assert own.special_tokens == tok.special_tokens


def test_every_door_takes_it(folder: Path, tmp_path: Path) -> None:
    """Files, a tokenizer, its own file, words; a checkpoint of another one is refused."""
    path = tmp_path / "text.txt"
    path.write_text("".join(TEXTS), encoding="utf-8")
    old = Tokenizer.from_pretrained(folder)
    old.save(tmp_path / "old.json")
    tok = bpetok.train(path, vocab_size=400, like=folder)
    for like in (old, tmp_path / "old.json", folder / "tokenizer.json"):
        same = bpetok.train(path, vocab_size=400, like=like)
        assert same == tok
    words = bpetok.count_words_from_iterator(
        path.read_text(encoding="utf-8").splitlines(keepends=True),
        pattern=old.pattern,
        normalizer=old.normalizer,
        unmatched="word",
    )
    assert bpetok.train_from_words(words, vocab_size=400, like=folder) == tok
    assert bpetok.train_from_words(words.to_dict(), vocab_size=400, like=folder) == tok
    plain = bpetok.count_words(path, pattern=old.pattern, unmatched="word")
    with pytest.raises(ValueError, match="counted with the normalizer of like"):
        bpetok.train_from_words(plain, vocab_size=400, like=old)
    more = bpetok.train(path, vocab_size=400, like=old, special_tokens=["<new>", "<s>"])
    assert more.special_tokens["<new>"] == 399
    run: dict[str, Any] = {"vocab_size": 300, "checkpoint": tmp_path / "run"}
    bpetok.train(path, like=old, **run)
    with pytest.raises(ValueError, match=r"like was .* and is "):
        bpetok.train(path, like=old.truncate(262), **run)


def test_what_like_says_must_not_be_said_again(folder: Path, tmp_path: Path) -> None:
    """Nor what it can't be."""
    (tmp_path / "vocab.json").write_text("{}")
    (tmp_path / "merges.txt").write_text("")
    (tmp_path / "tokenizer.json").rename(tmp_path / "other.json")
    tok = Tokenizer.from_pretrained(tmp_path / "other.json")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"pattern": "gpt2", "like": tok}, "pattern must not be given with like"),
        ({"normalizer": "NFC", "like": tok}, "normalizer must not be given with like"),
        ({"initial": tok, "like": tok}, "initial must not be given with like"),
        (
            {"superwords": bpetok.Superwords(300), "like": tok},
            "superwords and like exclude each other, since stage 2 has a pattern of its own",
        ),
        ({"like": 5}, "like must be a Tokenizer or a path, got int"),
        ({"like": tmp_path / "merges.txt"}, "is not a tokenizer"),
        ({"like": tmp_path}, "is of gpt2: read it with Tokenizer.from_gpt2"),
        (
            {"like": tok, "vocab_size": 259},
            "vocab_size must be at least 260, 256 bytes and 4 special tokens",
        ),
        ({"like": tmp_path / "nothing.json"}, "No such file"),
    ]
    for options, message in cases:
        more = {"vocab_size": 400} | options
        with pytest.raises((TypeError, ValueError, OSError), match=message):
            bpetok.train_from_iterator(no_texts(), **more)


@given(data=st.data(), n_merges=st.integers(0, 12))
def test_places(data: st.DataObject, n_merges: int) -> None:
    """Those before the last other token keep their ids if there are as many; others come last."""
    order = list(range(256 + 5))
    names = [f"<{i}>" for i in range(data.draw(st.integers(0, 5)))]
    for name in names:
        order.insert(data.draw(st.integers(0, len(order))), name)  # type: ignore[arg-type]  # both
    ids: dict[Any, int] = {entry: token_id for token_id, entry in enumerate(order)}
    old = Tokenizer(
        merges=[(97 + i, 98 + i) for i in range(5)],
        token_ids=[ids[number] for number in range(261)],
        special_tokens={name: ids[name] for name in names},
    )
    text = " ".join("abcdefghijklm"[:i] for i in range(14))
    size = 256 + n_merges + len(names)
    tok = bpetok.train_from_iterator([text], vocab_size=size, like=old)
    assert sorted([*tok.token_ids.tolist(), *tok.special_tokens.values()]) == [*range(size)]
    last = max(old.token_ids.tolist())
    for name in names:
        if ids[name] < min(last, size - len(names)):
            assert tok.special_tokens[name] == ids[name]
        elif ids[name] > last:
            assert tok.special_tokens[name] > max(tok.token_ids.tolist())
    assert sorted(names, key=tok.special_tokens.__getitem__) == sorted(names, key=ids.__getitem__)


def test_a_special_token_that_is_a_byte_has_its_id(folder: Path) -> None:
    """As in the file that says so; bytes that had no id get one after the others."""
    document = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    vocab = document["model"]["vocab"]
    row = document["added_tokens"][0]
    document["added_tokens"].append(row | {"id": vocab["!"], "content": "!"})
    vocab["never made"] = vocab.pop(CHARACTERS[0xFF])
    document["model"]["unk_token"] = None
    (folder / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    tok = bpetok.train_from_iterator(TEXTS, vocab_size=400, like=folder)
    assert tok.vocab_size == 400
    assert tok.special_tokens["!"] == tok.token_ids[ord("!")]
    assert tok.token_ids[0xFF] == max(tok.token_ids[:256])
    assert tok.encode("a!", allowed_special="all") == [*tok.encode("a"), tok.special_tokens["!"]]


def test_template_tokens_without_an_id_are_refused(folder: Path) -> None:
    """A template may say ids of tokens that training does not make."""
    document = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    document["post_processor"]["special_tokens"]["<s>"]["ids"] = [100]
    (folder / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ValueError, match="hold ids in a form that is not known"):
        bpetok.train_from_iterator(no_texts(), vocab_size=400, like=folder)
