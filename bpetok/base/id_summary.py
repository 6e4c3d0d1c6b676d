"""The JSON file next to files of ids, which says what is in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bpetok.base.files import check_path, read_bounded

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = "bpetok ids"
IDS_ENDING = ".bin"


def summary_of(path: Path) -> Path:
    """Return where the summary of a file of ids is; all shards, TRAIN_000000.bin ..., share one."""
    return path.with_name(f"{re.sub(r'_[0-9]{6}$', '', path.stem)}.json")


def read_summary(path: Path) -> dict[str, Any] | None:
    """Return what a file says, None if it is no summary.

    Raises
    ------
    OSError
        If it can't be read.
    """
    import json

    try:
        content = json.loads(read_bounded(path))
    except (ValueError, RecursionError):
        return None
    is_summary = isinstance(content, dict) and content.get("format") == FORMAT
    return content if is_summary else None


def check_no_ids(path: str) -> None:
    """Refuse a file of ids that is taken for text: one in .bin whose summary lists it.

    Raises
    ------
    ValueError
        If it is one.
    """
    file = check_path(path)
    summary = summary_of(file)
    try:
        content = read_summary(summary) if summary.is_file() else None
        is_ids = content is not None and file.name in {one["name"] for one in content["files"]}
    except (OSError, TypeError, LookupError):
        return
    if is_ids:
        raise ValueError(
            f"{path} has ids that encode_files or `bpetok encode` has written, as {summary} says: "
            "give the text itself, which `bpetok decode` gives back"
        )
