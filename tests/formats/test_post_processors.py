"""What a file says of more than ids is kept and written back; its template can be applied."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bpetok.formats.post_processors import ids_around
from bpetok.tokenizer import Tokenizer
from samples import BYTE_LEVEL, document, vocab_without

START = {"SpecialToken": {"id": "<s>", "type_id": 0}}
TEXT = {"Sequence": {"id": "A", "type_id": 0}}
TEMPLATE = {
    "type": "TemplateProcessing",
    "single": [START, TEXT, START],
    "pair": [START, TEXT, START, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {"<s>": {"id": "<s>", "ids": [259], "tokens": ["<s>"]}},
}
ROBERTA = {
    "type": "RobertaProcessing",
    "sep": ["<s>", 259],
    "cls": ["<s>", 259],
    "trim_offsets": True,
    "add_prefix_space": False,
}
SEQUENCE = {"type": "Sequence", "processors": [BYTE_LEVEL, TEMPLATE]}


@pytest.mark.parametrize("processor", [None, BYTE_LEVEL, TEMPLATE, ROBERTA, SEQUENCE])
def test_the_template_of_a_file_is_applied_if_one_asks_for_it(
    processor: Any, tmp_path: Path
) -> None:
    """As in tokenizers; a tokenizer that is loaded from its own file does it, too."""
    tokenizers = pytest.importorskip("tokenizers")
    (tmp_path / "tokenizer.json").write_bytes(document(post_processor=processor))
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tok = Tokenizer.from_pretrained(tmp_path)
    tok.save(tmp_path / "tok.json")
    for each in (tok, Tokenizer.load(tmp_path / "tok.json")):
        assert each.encode("abc") == [258]
        assert each.encode("abc", add_special_tokens=True) == theirs.encode("abc").ids
        assert each.encode("", add_special_tokens=True) == theirs.encode("").ids


@pytest.mark.parametrize(
    "processor",
    [
        {"type": "Unknown"},
        5,
        TEMPLATE | {"single": [START]},
        TEMPLATE | {"single": [TEXT, TEXT]},
        TEMPLATE | {"special_tokens": {}},
        {"type": "Sequence"},
        ROBERTA | {"sep": ["<s>", "1"]},
    ],
)
def test_a_template_that_is_not_understood_is_not_applied(processor: Any) -> None:
    """Nor left out: it is an error."""
    with pytest.raises(ValueError, match=r"post_processor: .* can't be applied here"):
        ids_around(processor)


def test_all_of_a_folder_is_written_back(tmp_path: Path) -> None:
    """Flags of added tokens, templates, truncation, padding, the config and the chat template."""
    tokenizers = pytest.importorskip("tokenizers")
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    added = [
        {"id": 259, "content": "<s>", **flags, "special": True},
        {"id": 260, "content": "<think>", **flags, "special": False},
    ]
    changes = {
        "added_tokens": added,
        "model__vocab": vocab_without(**{"<think>": 260}),
        "model__unk_token": "<s>",
        "post_processor": TEMPLATE,
        "truncation": {
            "direction": "Right",
            "max_length": 8,
            "strategy": "LongestFirst",
            "stride": 0,
        },
        "padding": {
            "strategy": {"Fixed": 8},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 259,
            "pad_type_id": 0,
            "pad_token": "<s>",
        },
    }
    source = tmp_path / "source"
    source.mkdir()
    (source / "tokenizer.json").write_bytes(document(**changes))
    config = {"tokenizer_class": "GPT2Tokenizer", "model_max_length": 8, "errors": "replace"}
    (source / "tokenizer_config.json").write_text(json.dumps(config))
    (source / "special_tokens_map.json").write_text('{"eos_token": "<s>"}')
    (source / "chat_template.jinja").write_text("{{ messages }} \u4e2d", encoding="utf-8")
    tok = Tokenizer.from_pretrained(source)
    tok.save(tmp_path / "tok.json")
    Tokenizer.load(tmp_path / "tok.json").save_pretrained(tmp_path / "new")
    written = json.loads((tmp_path / "new" / "tokenizer.json").read_text())
    expected = json.loads((source / "tokenizer.json").read_text())
    assert written["added_tokens"] == added
    for name in ("post_processor", "truncation", "padding", "pre_tokenizer", "decoder"):
        assert written[name] == expected[name]
    assert written["model"]["unk_token"] == "<s>"
    assert json.loads((tmp_path / "new" / "tokenizer_config.json").read_text()) == config | {
        "eos_token": "<s>",
        "chat_template": "{{ messages }} \u4e2d",
        "clean_up_tokenization_spaces": False,
    }
    template = (tmp_path / "new" / "chat_template.jinja").read_text(encoding="utf-8")
    assert template == "{{ messages }} \u4e2d"
    before, after = (
        tokenizers.Tokenizer.from_file(str(tmp_path / name / "tokenizer.json"))
        for name in ("source", "new")
    )
    ids = before.encode("<think>abc<s>").ids
    assert after.encode("<think>abc<s>").ids == ids
    assert after.decode(ids) == before.decode(ids) == "<think>abc"


@pytest.mark.parametrize("processor", [None, BYTE_LEVEL, TEMPLATE, ROBERTA, SEQUENCE])
def test_a_smaller_tokenizer_keeps_what_its_file_said_with_the_ids_that_tokens_have_now(
    processor: Any, tmp_path: Path
) -> None:
    """The id of <s> is 259 before, and 257 after two of three merges have gone."""
    config = {
        "added_tokens_decoder": {"259": {"content": "<s>", "special": True}},
        "model_max_length": 99,
        "chat_template": "{{ x }}",
    }
    padding = {
        "strategy": "BatchLongest",
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 259,
        "pad_type_id": 0,
        "pad_token": "<s>",
    }
    content = document(post_processor=processor, padding=padding)
    (tmp_path / "tokenizer.json").write_bytes(content)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    tok = Tokenizer.from_pretrained(tmp_path)
    before, after = ids_around(processor)
    for smaller in (tok.truncate(258), tok.prune(["ab"], 258).tokenizer):
        assert smaller.special_tokens == {"<s>": 257}
        ids = smaller.encode("ab", add_special_tokens=True)
        assert ids == [257 for _ in before] + [256] + [257 for _ in after]
        saved = tmp_path / "smaller"
        smaller.save_pretrained(saved)
        assert Tokenizer.from_pretrained(saved) == smaller
        again = Tokenizer.from_pretrained(saved).settings
        assert again["post_processor"] == smaller.settings["post_processor"]
        assert again["padding"] == smaller.settings["padding"]
        assert again["tokenizer_config"].items() >= smaller.settings["tokenizer_config"].items()
        assert smaller.settings["padding"] == padding | {"pad_id": 257}
        assert smaller.settings["tokenizer_config"] == config | {
            "added_tokens_decoder": {"257": {"content": "<s>", "special": True}}
        }
    kept = tok.prune(["ab"], 258, keep_ids=True).tokenizer
    assert kept.settings == tok.settings


@pytest.mark.parametrize(
    "settings",
    [
        {"post_processor": 3},
        {"post_processor": {"type": "TemplateProcessing"}},
        {"post_processor": {"type": "RobertaProcessing", "cls": [1], "sep": []}},
        {"padding": {}},
        {"tokenizer_config": {"added_tokens_decoder": {"x": 1}}},
        {"padding": {"pad_id": 256}},  # of the merge that goes
    ],
)
def test_ids_in_a_form_that_is_not_known_do_not_change(settings: dict[str, Any]) -> None:
    """They would be those of other tokens."""
    tok = Tokenizer(merges=[(97, 98)], settings=settings)
    assert tok.truncate(257).settings == settings
    with pytest.raises(ValueError, match=r"settings: .* so the ids of tokens can't change"):
        tok.truncate(256)
