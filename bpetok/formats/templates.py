"""The tokens that a post-processor of a tokenizer.json puts around a text."""

from __future__ import annotations

from collections.abc import Mapping
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
