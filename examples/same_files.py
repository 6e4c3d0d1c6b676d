"""What the scripts of happy-llm and minimind make with tokenizers, made by bpetok: equal files.

    python examples/same_files.py [FILE...]

Each script learns merges with a BpeTrainer and then sets by hand what the files say besides: which
added tokens are special, roles, the chat template. Here both are written side by side. Where
tokenizers is installed, the files of both are compared.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import bpetok
from bpetok.base.demo import demo_files

IN_TEXT = [f"<|{name}|>" for name in ("endoftext", "im_start", "im_end")]
OF_MEDIA = [
    f"<|{kind}_{end}|>"
    for kind, ends in {
        "object_ref": ("start", "end"),
        "box": ("start", "end"),
        "quad": ("start", "end"),
        "vision": ("start", "end", "pad"),
        "image": ("pad",),
        "video": ("pad",),
        "audio": ("start", "end", "pad"),
    }.items()
    for end in ends
]
OF_SPEECH = ["<tts_pad>", "<tts_text_bos>", "<tts_text_eod>", "<tts_text_bos_single>"]
OF_TOOLS = [
    f"<{slash}{name}>" for name in ("tool_call", "tool_response", "think") for slash in ("", "/")
]
CHAT_TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% endif -%}
"""


class Recipe(NamedTuple):
    """What a script says besides the calls that both have.

    special, others : list of str
        The added tokens, in the order of their ids; those that decoding does not leave out last.
    """

    vocab_size: int
    special: list[str]
    others: list[str]
    min_frequency: int
    normalizer: str | None
    unk_token: str | None
    config: dict[str, Any]


RECIPES = {
    "happy-llm": Recipe(
        vocab_size=6_144,
        special=["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"],
        others=[],
        min_frequency=2,
        normalizer="NFKC",
        unk_token="<unk>",
        config={
            "bos_token": "<|im_start|>",
            "eos_token": "<|im_end|>",
            "pad_token": "<|im_end|>",
            "unk_token": "<unk>",
            # Their script has these in special_tokens_map.json; transformers takes both.
            "additional_special_tokens": ["<s>", "</s>"],
            "model_max_length": 1000000000000000019884624838656,
        },
    ),
    "minimind": Recipe(
        vocab_size=6_400,
        special=[*IN_TEXT, *OF_MEDIA, *OF_SPEECH],
        others=[*OF_TOOLS, *(f"<|buffer{i}|>" for i in range(1, 10))],
        min_frequency=0,
        normalizer=None,
        unk_token=None,
        config={
            "additional_special_tokens": [*IN_TEXT[1:], *OF_MEDIA, *OF_SPEECH],
            "bos_token": "<|im_start|>",
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "unk_token": "<|endoftext|>",
            "model_max_length": 131_072,
        },
    ),
}


def config_of(recipe: Recipe) -> dict[str, Any]:
    """Return the tokenizer_config.json, which both scripts write by hand."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": False,
        "add_eos_token": False,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
        **recipe.config,
    }


def texts_of(file: Path) -> Iterator[str]:
    """Yield the texts of a file of JSON lines."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["text"]


def ours(recipe: Recipe, corpus: Path, folder: Path) -> bpetok.Tokenizer:
    """Train with bpetok, and write the files."""
    tok = bpetok.train(
        corpus,
        vocab_size=recipe.vocab_size,
        special_tokens=[*recipe.special, *recipe.others],
        min_frequency=max(1, recipe.min_frequency),
        normalizer=recipe.normalizer,
        compat="huggingface",  # their alphabet, their order of ids
    )
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": True,
    }
    tok = bpetok.Tokenizer(
        merges=tok.merges,
        pattern=tok.pattern,
        normalizer=tok.normalizer,
        token_ids=tok.token_ids,
        special_tokens=tok.special_tokens,
        added_tokens=[
            bpetok.AddedToken(name, token_id, special=name in recipe.special)
            for name, token_id in tok.special_tokens.items()
        ],
        settings={
            "pre_tokenizer": byte_level,
            "decoder": byte_level | {"add_prefix_space": True},
            "model": {"unk_token": recipe.unk_token},
            "tokenizer_config": config_of(recipe),
        },
    )
    tok.save_pretrained(folder)
    return tok


def theirs(recipe: Recipe, corpus: Path, folder: Path) -> None:
    """Train with tokenizers as the scripts do, and write the files."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=recipe.unk_token))
    if recipe.normalizer is not None:
        tokenizer.normalizer = getattr(normalizers, recipe.normalizer)()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=recipe.vocab_size,
        special_tokens=[*recipe.special, *recipe.others],
        min_frequency=recipe.min_frequency,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts_of(corpus), trainer)
    document = json.loads(tokenizer.to_str())
    for row in document["added_tokens"]:
        row["special"] = row["content"] in recipe.special
    folder.mkdir()
    for name, content in (("tokenizer", document), ("tokenizer_config", config_of(recipe))):
        (folder / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False), "utf-8")


def compare(tok: bpetok.Tokenizer, ours: Path, theirs: Path) -> None:
    """Compare the files of two folders, and the ids that they give."""
    from tokenizers import Tokenizer

    for name in ("tokenizer.json", "tokenizer_config.json"):
        one, other = (json.loads((path / name).read_text("utf-8")) for path in (ours, theirs))
        if "model" in other:  # pairs, which old readers do not take
            other["model"]["merges"] = list(map(" ".join, other["model"]["merges"]))
        assert one == other, name
    other = Tokenizer.from_file(str(theirs / "tokenizer.json"))
    text = "<|im_start|>user\n\uff11 \ufb01ne day?<|im_end|>\n<think>\n</think>"
    ids = tok.encode(text, allowed_special="all")
    assert ids == other.encode(text).ids
    for skip in (False, True):
        decoded = other.decode(ids, skip_special_tokens=skip)
        assert tok.decode(ids, skip_special_tokens=skip) == decoded


def main(files: list[str]) -> None:
    """Make a file of JSON lines of the files; train and write with both."""
    has_theirs = importlib.util.find_spec("tokenizers") is not None
    for name, recipe in RECIPES.items():
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            corpus = folder / "corpus.jsonl"
            with corpus.open("w", encoding="utf-8") as output:
                for file in files:
                    text = Path(file).read_text("utf-8", "replace")
                    output.write(json.dumps({"text": text}) + "\n")
            tok = ours(recipe, corpus, folder / "ours")
            n_special = sum(token.special for token in tok.added_tokens)
            print(f"{name}: {tok.vocab_size} ids, {n_special} of them special")
            if has_theirs:
                theirs(recipe, corpus, folder / "theirs")
                compare(tok, folder / "ours", folder / "theirs")
                print("the files of tokenizers are equal")
            else:
                print("tokenizers is not installed: nothing to compare with")


if __name__ == "__main__":
    main(sys.argv[1:] or demo_files()[:200])
