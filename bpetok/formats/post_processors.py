"""The tokens that a post-processor of a tokenizer.json puts around a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bpetok.base.checks import shorten


def ids_around(processor: Any) -> tuple[list[int], list[int]]:
    """Return the ids that come before and after those of a single text.

    Raises
    ------
    ValueError
        If it is no post-processor of one text that is known here.
    """
    if processor is None:
        return [], []
    kind = processor.get("type") if isinstance(processor, Mapping) else None
    try:
        if kind == "ByteLevel":
            return [], []
        if kind in ("RobertaProcessing", "BertProcessing"):
            return [_id(processor["cls"][1])], [_id(processor["sep"][1])]
        if kind == "TemplateProcessing":
            return _ids_of_template(processor)
        if kind == "Sequence":
            before: list[int] = []
            after: list[int] = []
            for step in processor["processors"]:
                first, last = ids_around(step)
                before, after = first + before, after + last
            return before, after
    except (LookupError, TypeError):
        pass
    raise ValueError(f"post_processor: {shorten(processor)} can't be applied here")


def _ids_of_template(processor: Mapping[str, Any]) -> tuple[list[int], list[int]]:
    before: list[int] = []
    after: list[int] = []
    place = before
    for piece in processor["single"]:
        if "Sequence" in piece:
            if place is after or piece["Sequence"]["id"] != "A":
                raise LookupError
            place = after
        else:
            place += map(_id, processor["special_tokens"][piece["SpecialToken"]["id"]]["ids"])
    if place is before:
        raise LookupError
    return before, after


def _id(value: Any) -> int:
    if type(value) is not int:
        raise TypeError
    return value


def with_ids(settings: Mapping[str, Any], new_id: Callable[[int], int]) -> dict[str, Any]:
    """Return what a folder of Hugging Face says besides ids after tokens have got other ids.

    Parameters
    ----------
    settings : mapping of str
        See `Codec.settings`.
    new_id : callable
        Returns the new id of an old one.

    Raises
    ------
    ValueError
        If there are ids where none are known, or other things where ids belong.
    """
    changed = dict(settings)
    config = changed.get("tokenizer_config") or {}
    try:
        if changed.get("post_processor") is not None:
            changed["post_processor"] = processor_with_ids(changed["post_processor"], new_id)
        if changed.get("padding") is not None:
            padding = changed["padding"]
            changed["padding"] = {**padding, "pad_id": new_id(padding["pad_id"])}
        if "added_tokens_decoder" in config:
            rows = config["added_tokens_decoder"].items()
            moved = {str(new_id(int(token_id))): row for token_id, row in rows}
            changed["tokenizer_config"] = {**config, "added_tokens_decoder": moved}
    except (AttributeError, LookupError, TypeError, ValueError):
        raise ValueError(
            f"settings: {shorten(settings)} hold ids in a form that is not known, so the ids of "
            "tokens can't change"
        ) from None
    return changed


def processor_with_ids(processor: Any, new_id: Callable[[int], int]) -> Any:
    """Return a post-processor after tokens have got other ids."""
    kind = processor.get("type")
    if kind in ("RobertaProcessing", "BertProcessing"):
        moved = {name: [processor[name][0], new_id(processor[name][1])] for name in ("sep", "cls")}
        return processor | moved
    if kind == "TemplateProcessing":
        tokens = {
            name: token | {"ids": [new_id(token_id) for token_id in token["ids"]]}
            for name, token in processor["special_tokens"].items()
        }
        return processor | {"special_tokens": tokens}
    if kind == "Sequence":
        steps = [processor_with_ids(step, new_id) for step in processor["processors"]]
        return processor | {"processors": steps}
    return processor
