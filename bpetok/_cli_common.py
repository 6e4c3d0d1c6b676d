"""What the commands share: errors in one line, tokenizers and inputs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer


class CommandError(Exception):
    """What the user is told in one line, and the exit status."""

    def __init__(self, message: object, status: int = 2) -> None:
        super().__init__(str(message))
        self.status = status


def describe(error: Exception) -> str:
    """Return what an exception says, an OSError's without its number."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def load_tokenizer(path: str, pattern: str | None = None, name: str = "--tokenizer") -> Tokenizer:
    """Return the tokenizer of a file or folder of any format; `name` is said in the error."""
    from bpetok.formats.detection import load_any

    try:
        return load_any(path, pattern)
    except (ValueError, OSError) as error:
        raise CommandError(f"{name}: {describe(error)}") from None


def open_inputs(files: list[str]) -> Iterator[tuple[str, BinaryIO]]:
    """Yield (name, open file) for each file, or standard input if there is none."""
    if not files:
        if sys.stdin is None:
            raise CommandError("give FILEs, there is no standard input")
        yield "standard input", sys.stdin.buffer
    for path in files:
        try:
            with Path(path).open("rb") as file:
                yield path, file
        except OSError as error:
            raise CommandError(describe(error)) from None
