"""Which format a tokenizer's file or folder has: told by names and contents."""

from __future__ import annotations

import os
from pathlib import Path

from bpetok.base.files import read_bounded
from bpetok.formats.native import FORMAT, read_json
from bpetok.tokenizer import MAX_FILE_BYTES, Tokenizer


def load_any(path: str | os.PathLike[str], pattern: str | None = None) -> Tokenizer:
    """Return the tokenizer of a file or folder of any format that this package reads.

    Parameters
    ----------
    path : path
        A file of `Tokenizer.save`; a tokenizer.json, or a folder with one or with vocab.json and
        merges.txt; a .tiktoken file; a .model of minbpe.
    pattern : str, optional
        For a .tiktoken file, which does not say it.

    Raises
    ------
    OSError
        If it can't be read.
    ValueError
        If it is none of these, or damaged.
    """
    path = Path(path)
    if path.is_dir():
        return _from_folder(path)
    if path.suffix == ".tiktoken":
        if pattern is None:
            raise ValueError(f"{path}: a .tiktoken file does not say its pattern, so give one")
        return Tokenizer.from_tiktoken(path, pattern=pattern)
    if path.suffix == ".model":
        return Tokenizer.from_minbpe(path)
    return Tokenizer.from_pretrained(path) if _is_huggingface(path) else Tokenizer.load(path)


def _from_folder(folder: Path) -> Tokenizer:
    if (folder / "tokenizer.json").exists():
        return Tokenizer.from_pretrained(folder)
    if (folder / "vocab.json").exists() and (folder / "merges.txt").exists():
        return Tokenizer.from_gpt2(folder / "vocab.json", folder / "merges.txt")
    raise ValueError(f"{folder}: holds neither tokenizer.json nor vocab.json and merges.txt")


def _is_huggingface(path: Path) -> bool:
    try:
        content = read_json(read_bounded(path, MAX_FILE_BYTES))
    except (ValueError, RecursionError):
        return False  # Tokenizer.load says what is wrong
    return isinstance(content, dict) and content.get("format") != FORMAT and "model" in content
