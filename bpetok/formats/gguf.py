"""llama.cpp: a GGUF file that holds the vocabulary only, as its convert_hf_to_gguf.py writes it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bpetok.base.byte_characters import to_text
from bpetok.base.checks import shorten
from bpetok.base.extras import require
from bpetok.base.files import check_writable, read_whole, write_whole
from bpetok.encoding.added_tokens import AddedToken
from bpetok.formats.checks import (
    check_ids_equal,
    check_plain,
    check_tokens_differ,
    encoder_of,
    ordinary_tokens,
)
from bpetok.formats.files import temporary_files
from bpetok.formats.huggingface import build_config
from bpetok.formats.post_processors import ids_around
from bpetok.formats.recovery import from_merges

if TYPE_CHECKING:
    from bpetok.encoding.codec import Codec

PRE = {
    "gpt2": ("gpt-2",),
    "llama3": ("llama-bpe", "dbrx"),
    "qwen2": ("qwen2",),
    "qwen3.5": ("qwen35",),
    "smollm": ("smollm",),
    "deepseek": ("deepseek-v3",),
}
"""The names of llama.cpp's pre-tokenizers ("tokenizer.ggml.pre") that split as our patterns do.

Where there are two, the first one takes words whole, the second one does not."""

WHOLE_WORDS_FIRST = ("llama-bpe",)
"""Those with which llama.cpp takes a word that is a token whole, whatever the merges are."""

OTHERWISE = {
    "cl100k": "white space at the end of a text, which is one word here",
    "o200k": "'e\\u0301\\'s', since it takes marks for letters in other places ('gpt-4o')",
    "kimi": "'e\\u0301\\'s', since it takes marks for letters in other places ('kimi-k2')",
    "nanochat": "'1234', since it has no numbers of up to two digits",
    "tekken": "'\u2764\ufe0f'tis', since it takes marks for something else ('tekken')",
    "falcon": "letters whose bytes are spelled as digits, which end words here ('falcon')",
    "superbpe": "'  x', since it knows another stage of it only",
}
"""Patterns that llama.cpp splits otherwise, by a text that shows it."""

ROLES = {
    "bos_token": "bos",
    "eos_token": "eos",
    "unk_token": "unk",
    "sep_token": "sep",
    "pad_token": "pad",
    "mask_token": "mask",
}
NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5


def save_gguf(
    tokenizer: Codec,
    path: str | os.PathLike[str],
    roles: Mapping[str, str | None],
    chat_template: str | None,
) -> None:
    """Write the vocabulary, after what was written has been read and its ids compared."""
    gguf = require("gguf", "gguf")
    pre = choose_pre(tokenizer)
    _check_added_tokens(tokenizer.added_tokens)
    config = build_config(tokenizer, roles, chat_template, None)
    ids = _role_ids(tokenizer, config)
    check_writable(path)
    with temporary_files({}) as folder:
        file = folder / "vocab.gguf"
        writer = gguf.GGUFWriter(file, "llama")
        _add_vocab(writer, tokenizer, pre)
        _add_roles(writer, tokenizer, ids)
        if config.get("chat_template"):
            writer.add_chat_template(config["chat_template"])
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()
        _check_file(tokenizer, gguf.GGUFReader(file))
        write_whole(path, read_whole(file))


def choose_pre(tokenizer: Codec) -> str:
    """Return the name of the pre-tokenizer with which llama.cpp gives equal ids.

    Raises
    ------
    ValueError
        If there is none, or llama.cpp can't do what the tokenizer does; the message has the reason.
    """
    pattern = tokenizer.pattern
    if pattern not in PRE:
        text = OTHERWISE.get(pattern)
        raise ValueError(
            f"llama.cpp has no pre-tokenizer for the pattern {shorten(pattern)}"
            + (f" that gives the same ids: not for {text}" if text else "")
            + f"; it has those of {', '.join(map(repr, PRE))}"
        )
    check_plain(tokenizer, "llama.cpp", but=("whole_words", "other_tokens"))
    check_tokens_differ(tokenizer)
    if not tokenizer.whole_words:
        all_whole = all(
            tokenizer._encode_word(token) == [token_id]
            for token_id, token in ordinary_tokens(tokenizer)
        )
        return PRE[pattern][0 if all_whole else -1]
    if PRE[pattern][0] not in WHOLE_WORDS_FIRST:
        raise ValueError(
            f"llama.cpp takes no words whole (whole_words) with the pattern {shorten(pattern)}, "
            f"and gives other ids for {shorten(next(iter(tokenizer.whole_words)))}"
        )
    if tokenizer.other_tokens:
        raise ValueError(
            "llama.cpp takes all tokens for whole words or none, but some are here (whole_words) "
            "and others are not (other_tokens)"
        )
    return PRE[pattern][0]


def _check_added_tokens(tokens: list[AddedToken]) -> None:
    """Refuse special tokens that llama.cpp does not find where they are found here."""
    for token in tokens:
        if token.lstrip or token.rstrip or token.single_word:
            raise ValueError(
                f"the special token {shorten(token.content)} has lstrip, rstrip or single_word, "
                "which a GGUF file can't say"
            )
    ids = [token.id for token in tokens]
    if len(set(ids)) < len(ids):
        raise ValueError("two special tokens have one id, which a GGUF file can't say")
    # It looks for the longest ones first, in the whole text.
    longest: dict[str, str] = {}
    for token in sorted(tokens, key=lambda token: len(token.content)):
        name = token.content
        longest.update((name[:end], name) for end in range(1, len(name)))
    for token in tokens:
        name = token.content
        for start in range(1, len(name)):
            other = longest.get(name[start:], "")
            if len(other) > len(name) and len({*name, *other}) > 1:
                raise ValueError(
                    f"the special token {name!r} may overlap the longer one {other!r}, which "
                    "llama.cpp finds first"
                )


def _role_ids(tokenizer: Codec, config: Mapping[str, Any]) -> dict[str, int]:
    """Return the ids of the special tokens that have roles."""
    ids = {}
    for role, name in ROLES.items():
        token = config.get(role)
        token = token.get("content") if isinstance(token, Mapping) else token
        if token in tokenizer.special_tokens:
            ids[name] = tokenizer.special_tokens[token]
    return ids


def _add_vocab(writer: Any, tokenizer: Codec, pre: str) -> None:
    names = [f"[PAD{token_id}]" for token_id in range(tokenizer.vocab_size)]
    types = [UNUSED] * tokenizer.vocab_size
    for token_id, token in ordinary_tokens(tokenizer):
        names[token_id], types[token_id] = to_text(token), NORMAL
    for added in tokenizer.added_tokens:
        names[added.id] = added.content
        types[added.id] = CONTROL if added.special else USER_DEFINED
    if len({*names}) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise ValueError(f"two tokens are spelled {shorten(twice)} in a GGUF file")
    writer.add_vocab_size(tokenizer.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(names)
    writer.add_token_types(types)
    merges = [f"{to_text(left)} {to_text(right)}" for left, right in tokenizer._merges_as_taken()]
    if not merges:
        raise ValueError("llama.cpp reads no tokenizer without merges, and this one has none")
    writer.add_token_merges(merges)


def _add_roles(writer: Any, tokenizer: Codec, ids: Mapping[str, int]) -> None:
    """Write which tokens have roles, and which of them come before and after a text."""
    for name, token_id in ids.items():
        getattr(writer, f"add_{name}_token_id")(token_id)
    before, after = ids_around(tokenizer.settings.get("post_processor"))
    for place, around, name in (("before", before, "bos"), ("after", after, "eos")):
        if around not in ([], [ids.get(name)]):
            raise ValueError(
                f"the ids {around} come {place} each text, where llama.cpp can have only "
                f"{name}_token: give it, or leave post_processor out of settings"
            )
        getattr(writer, f"add_add_{name}_token")(around != [])


def _check_file(tokenizer: Codec, reader: Any) -> None:
    """Compare the ids of what was written, read with the package and the encoder here."""
    fields = {
        name.removeprefix("tokenizer.ggml."): field.contents()
        for name, field in reader.fields.items()
        if name.startswith("tokenizer.ggml.")
    }
    rows = list(enumerate(zip(fields["tokens"], fields["token_type"], strict=True)))
    parts = from_merges(
        {name: token_id for token_id, (name, kind) in rows if kind == NORMAL},
        fields["merges"],
        next(pattern for pattern, names in PRE.items() if fields["pre"] in names),
        {name: token_id for token_id, (name, kind) in rows if kind in (CONTROL, USER_DEFINED)},
        whole_words_first=fields["pre"] in WHOLE_WORDS_FIRST,
    )
    check_ids_equal(tokenizer, encoder_of(parts), "the file")
