"""Which format a tokenizer's file or folder has: told by names and contents."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

from bpetok.base.files import check_no_pipe, check_path, read_bounded
from bpetok.formats.files import read_json
from bpetok.formats.native import FORMAT
from bpetok.formats.tekken import is_tekken

_RANK = re.compile(rb"[A-Za-z0-9+/]+={0,2} \d+\r?\n[A-Za-z0-9+/]+={0,2} \d+(?:\r?\n|$)")
"""How a file of tiktoken's ranks begins: tokens in base64, each with its rank."""
Format = Literal["bpetok", "huggingface", "gpt2", "tiktoken", "minbpe", "tekken"]


def detect(path: str | os.PathLike[str]) -> Format:
    """Return which of the formats that this package reads a file or folder has.

    Parameters
    ----------
    path : path
        A file of `Tokenizer.save`; a tokenizer.json, or a folder with one or with vocab.json and
        merges.txt; a file of tiktoken's ranks, also a .model; a .model of minbpe; a tekken.json, or
        a folder with one.

    Raises
    ------
    OSError
        If it can't be read.
    ValueError
        If it is a folder without these files, a pipe, or a file too long to be read. Any other file
        is taken for one of `Tokenizer.save`, whose reader says what is wrong with it.
    """
    file = check_path(path)
    if file.is_dir():
        return _format_of_folder(file)
    if file.suffix == ".tiktoken":
        return "tiktoken"
    check_no_pipe(file)
    data = read_bounded(file)
    if _RANK.match(data):
        return "tiktoken"  # some are named .model, as those of Llama 3 and Kimi K2
    if file.suffix == ".model":
        return "minbpe"
    content = _content_of(data)
    if is_tekken(content):
        return "tekken"
    if isinstance(content, dict) and content.get("format") != FORMAT and "model" in content:
        return "huggingface"
    return "bpetok"


def _format_of_folder(folder: Path) -> Format:
    if (folder / "tokenizer.json").exists():
        return "huggingface"
    if (folder / "vocab.json").exists() and (folder / "merges.txt").exists():
        return "gpt2"
    if (folder / "tekken.json").exists():
        return "tekken"
    raise ValueError(
        f"{folder}: holds neither tokenizer.json, vocab.json and merges.txt, nor tekken.json"
    )


def _content_of(data: bytes) -> object:
    try:
        return read_json(data)
    except (ValueError, RecursionError):
        return None
