"""The corpus as contenders are given it: as it is, without special tokens, or a prefix of it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

SAMPLE = """
import json
from bpetok.base.demo import demo_files
print(json.dumps([str(file) for file in demo_files()]))
"""


@dataclass(frozen=True)
class Corpus:
    """Files, their total size and a digest of their contents."""

    files: tuple[Path, ...]
    special_tokens: tuple[str, ...]
    n_bytes: int
    digest: str
    n_absent_bytes: int
    """How many of the 256 byte values don't occur between the special tokens."""
    name: str = field(default="", compare=False)


def open_corpus(files: Sequence[Path], special_tokens: Sequence[str]) -> Corpus:
    """Read the files once: their digest, and which bytes they hold.

    Raises
    ------
    ValueError
        Where a file isn't UTF-8: half of the contenders take str, so the work would differ.
    """
    digest, seen, n_bytes = hashlib.sha256(), b"", 0
    for file in files:
        data = file.read_bytes()
        n_bytes += len(data)
        digest.update(len(data).to_bytes(8, "little") + data)
        try:
            data.decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"{file} is not UTF-8: {error}; convert it first") from error
        for token in special_tokens:
            data = data.replace(token.encode(), b"")
        seen = bytes(set(seen) | set(data))
    digest.update("\0".join(special_tokens).encode())
    name = files[0].name if len(files) == 1 else f"{len(files)} files"
    return Corpus(
        tuple(files), tuple(special_tokens), n_bytes, digest.hexdigest()[:12], 256 - len(seen), name
    )


@cache
def plain_files(corpus: Corpus, folder: Path) -> list[Path]:
    """Make copies with the special tokens cut out; files without any are used as they are."""
    place = folder / "plain" / corpus.digest
    return [
        _without_tokens(file, corpus.special_tokens, place / f"{i}.txt")
        for i, file in enumerate(corpus.files)
    ]


def demo_files(python: Path) -> list[Path]:
    """Ask the installed bpetok for its sample, the standard library of that Python."""
    listed = subprocess.run(
        [str(python), "-I", "-c", SAMPLE], capture_output=True, text=True, check=True
    )
    return [Path(name) for name in json.loads(listed.stdout)]


def prefixes(corpus: Corpus, sizes: Sequence[int], folder: Path) -> list[Corpus]:
    """Cut the corpus to each size.

    A cut is at the end of a text if there is one in the last tenth, otherwise at a line end.
    """
    between = corpus.special_tokens[0].encode()  # files stay texts of their own
    data = between.join(file.read_bytes() for file in corpus.files)
    cuts = []
    for size in sizes:
        whole = size >= corpus.n_bytes
        end = len(data) if whole else _cut_place(data, size, corpus.special_tokens)
        file = folder / "prefixes" / f"{corpus.digest}-{end}.txt"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            _write(file, data[:end])
        cuts.append(replace(open_corpus([file], corpus.special_tokens), name=corpus.name))
    return cuts


def _cut_place(data: bytes, size: int, special_tokens: Sequence[str]) -> int:
    for mark in [*(token.encode() for token in special_tokens), b"\n"]:
        place = data.rfind(mark, size * 9 // 10, size)
        if place >= 0:
            return place + len(mark)
    return size


def _without_tokens(file: Path, special_tokens: Sequence[str], target: Path) -> Path:
    data = file.read_bytes()
    plain = data
    for token in special_tokens:
        plain = plain.replace(token.encode(), b"")
    if plain == data:
        return file
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(target, plain)
    return target


def _write(file: Path, data: bytes) -> None:
    """Write whole or not at all."""
    part = file.with_suffix(".part")
    part.write_bytes(data)
    part.replace(file)
