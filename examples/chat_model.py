"""Tokenizers for small chat models, as happy-llm (6,144 ids) and minimind (6,400) make theirs.

    python examples/chat_model.py [FILE...]

The special tokens have the ids after the merges; reserved ones keep ids for later use.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from typing import NamedTuple

import bpetok
from bpetok.base.demo import demo_files


class Recipe(NamedTuple):
    """What a chat model's tokenizer has besides its merges."""

    vocab_size: int
    special_tokens: list[str]
    pad_token: str
    unk_token: str


RECIPES = {
    "happy-llm": Recipe(
        6_144, ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"], "<|im_end|>", "<unk>"
    ),
    "minimind": Recipe(
        6_400,
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] + [f"<|reserved_{i}|>" for i in range(33)],
        "<|endoftext|>",
        "<|endoftext|>",
    ),
}
CHAT_TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% endif -%}
"""


def main(files: list[str]) -> None:
    """Count once; for each recipe learn, save for transformers, and load what was saved."""
    words = bpetok.count_words(files, special_tokens=["<|endoftext|>"])
    for name, recipe in RECIPES.items():
        tok = bpetok.train_from_words(
            words, vocab_size=recipe.vocab_size, special_tokens=recipe.special_tokens
        )
        with tempfile.TemporaryDirectory() as folder:
            tok.save_pretrained(
                folder,
                bos_token="<|im_start|>",
                eos_token="<|im_end|>",
                pad_token=recipe.pad_token,
                unk_token=recipe.unk_token,
                chat_template=CHAT_TEMPLATE,
                model_max_length=32_768,
            )
            assert bpetok.Tokenizer.from_pretrained(folder) == tok
            print(f"{name}: saved {tok.vocab_size} ids, {len(tok.special_tokens)} of them special")
            if importlib.util.find_spec("transformers") is None:
                print("transformers is not installed: nothing more to see")
            else:
                chat(tok, folder)


def chat(tok: bpetok.Tokenizer, folder: str) -> None:
    """Load with transformers, apply the chat template, and compare ids."""
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(folder)
    messages = [
        {"role": "user", "content": "What is 2 + 2?"},
        {"role": "assistant", "content": "4, as far as I know."},
    ]
    text = theirs.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    ids = theirs.encode(text)
    assert len(theirs) == tok.vocab_size
    assert ids == tok.encode(text, allowed_special="all")
    assert theirs.decode(ids) == tok.decode(ids) == text
    print(text)
    print(f"{len(ids)} ids, the same in transformers and here: {ids[:12]}...")


if __name__ == "__main__":
    main(sys.argv[1:] or demo_files()[:200])
