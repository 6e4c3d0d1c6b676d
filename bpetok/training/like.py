"""A tokenizer that is like another one but for its merges: which ids its tokens have."""

from __future__ import annotations

import os
from array import array
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bpetok.base.byte_characters import BYTES_BY_CHARACTER, CHARACTERS, to_text
from bpetok.base.limits import N_BYTES
from bpetok.encoding.added_tokens import AddedToken
from bpetok.encoding.token_bytes import build_token_bytes
from bpetok.formats.post_processors import with_ids
from bpetok.sources.files import StrPath
from bpetok.tokenizer import Tokenizer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def read_like(like: StrPath | Tokenizer) -> Tokenizer:
    """Return a tokenizer that is given, or of which the file or folder is.

    Raises
    ------
    OSError, ValueError
        If it can't be read, or its template has tokens that are not special.
    TypeError
        If it is neither a Tokenizer nor a path.
    """
    tokenizer = like if isinstance(like, Tokenizer) else _load(like)
    _settings(tokenizer, tokenizer.special_tokens)  # so that errors come before any work
    return tokenizer


def _load(like: StrPath) -> Tokenizer:
    if not isinstance(like, str | os.PathLike):
        raise TypeError(f"like must be a Tokenizer or a path, got {type(like).__name__}")
    from bpetok.formats.detection import detect  # all readers, which take 6 ms

    kind = detect(like)
    if kind == "huggingface":
        return Tokenizer.from_pretrained(like)
    if kind == "bpetok":
        return Tokenizer.load(like)
    raise ValueError(
        f"like must be a tokenizer.json, a folder with one, or a file of Tokenizer.save; {like} is "
        f"of {kind}: read it with Tokenizer.from_{kind}, and give the Tokenizer"
    )


def implied_compat(like: Tokenizer) -> str | None:
    """Return the trainer whose merges a tokenizer has: "huggingface" if it came from its files."""
    return "huggingface" if "pre_tokenizer" in like.settings else None


def n_own_ids(special_tokens: Sequence[str], like: Tokenizer) -> int:
    """Return how many ids special tokens have that are not those of bytes, too."""
    return len(_with_own_ids(special_tokens, like, BYTES_BY_CHARACTER))


def _with_own_ids(
    special_tokens: Sequence[str], like: Tokenizer, ordinary: Container[str]
) -> list[str]:
    """Return the special tokens that have an id of their own.

    In a tokenizer.json a special token that is spelled as an ordinary one has the id of that. Of
    several that have one id the first one is returned.
    """
    first: dict[object, str] = {}
    for name in special_tokens:
        if name not in ordinary:
            first.setdefault(like.special_tokens.get(name, name), name)
    return list(first.values())


def lay_out_like(
    like: Tokenizer, pairs: NDArray[np.int32], special_tokens: Sequence[str]
) -> dict[str, Any]:
    """Return the parameters of a Tokenizer that is like another one, with other merges.

    A special token that came before the last other token has the same id again, if there are enough
    tokens; those that came after all others do so again, and new ones after them.
    """
    tokens = build_token_bytes(array("i", pairs.ravel().tolist()))
    numbers = {to_text(token): number for number, token in enumerate(tokens)}
    own = _with_own_ids(special_tokens, like, numbers)
    order = _order(like, len(tokens), own)
    ids = {entry: token_id for token_id, entry in enumerate(order)}
    of_old = {like.special_tokens.get(name, name): ids[name] for name in own}
    special = {
        name: ids[numbers[name]] if name in numbers else of_old[like.special_tokens.get(name, name)]
        for name in special_tokens
    }
    flags = {token.content: token for token in like.added_tokens}
    return {
        "token_ids": [ids[number] for number in range(len(tokens))],
        "special_tokens": special,
        "added_tokens": [
            flags.get(name, AddedToken(name, 0))._replace(id=token_id)
            for name, token_id in special.items()
        ],
        "normalizer": like.normalizer,
        "prefix_space": like.prefix_space,
        "settings": _settings(like, special),
    }


def _order(like: Tokenizer, n_tokens: int, own: Iterable[str]) -> list[int | str]:
    """Return all tokens by their new ids: ordinary ones are numbers, special ones names."""
    old = like.token_ids.tolist()
    # Bytes without an id get one after those that have one.
    in_order = sorted(range(N_BYTES), key=lambda byte: (old[byte] < 0, old[byte], CHARACTERS[byte]))
    ordinary = [*in_order, *range(N_BYTES, n_tokens)]
    last = max([*old, *like.whole_words.values(), *like.other_tokens.values()])
    old_ids = like.special_tokens
    order: list[int | str] = []
    at = 0
    behind = []
    for name in sorted(own, key=lambda name: old_ids.get(name, _NEW)):
        place = old_ids.get(name, _NEW)
        if place > last:
            behind.append(name)
            continue
        take = min(max(0, place - len(order)), len(ordinary) - at)
        order += ordinary[at : at + take]
        at += take
        order.append(name)
    return [*order, *ordinary[at:], *behind]


_NEW = 1 << 62
"""Where new special tokens come: after all others, in their order."""


def _settings(like: Tokenizer, special: Mapping[str, int]) -> dict[str, Any]:
    """Return the settings of a tokenizer with the new ids of its special tokens."""
    from bpetok.formats.tokenizer_json import RAW_NAMES  # what reads it takes 5 ms

    settings = dict(like.settings)
    settings.pop(RAW_NAMES, None)  # of tokens that no text gives, which are not made again
    new_ids = {token_id: special[name] for name, token_id in like.special_tokens.items()}
    padding = settings.pop("padding", None)
    config = settings.get("tokenizer_config") or {}
    if "added_tokens_decoder" in config:
        # Files name tokens there, too, that the tokenizer does not have.
        rows = config["added_tokens_decoder"].items()
        known = {token_id: row for token_id, row in rows if int(token_id) in new_ids}
        settings["tokenizer_config"] = {**config, "added_tokens_decoder": known}
    settings = with_ids(settings, new_ids.__getitem__)
    if padding is not None:
        # Files may have an id there that their tokenizer does not have.
        pad_id = special.get(padding.get("pad_token"), padding.get("pad_id"))
        settings["padding"] = {**padding, "pad_id": pad_id}
    return settings
