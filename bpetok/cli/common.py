"""What the commands share: errors in one line, tokenizers and inputs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

if TYPE_CHECKING:
    from bpetok.sources.reading import Reading
    from bpetok.tokenizer import Tokenizer


READING = ("format", "text_column", "max_text_chars", "max_bytes", "sample", "seed")


class CommandError(Exception):
    """What the user is told in one line, and the exit status."""

    def __init__(self, message: object, status: int = 2) -> None:
        super().__init__(str(message))
        self.status = status


def on_terminal() -> bool:
    """Tell whether there is somebody to see progress."""
    return sys.stderr is not None and sys.stderr.isatty()


def standard_output() -> TextIO:
    """Return the standard output, for data.

    Raises
    ------
    CommandError
        If it is closed.
    """
    if sys.stdout is None:
        raise CommandError("standard output is closed, so the result can't be written", status=1)
    return sys.stdout


def describe(error: Exception) -> str:
    """Return what an exception says, an OSError's without its number."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def load_tokenizer(path: str, pattern: str | None = None, name: str = "--tokenizer") -> Tokenizer:
    """Return the tokenizer of a file or folder of any format; `name` is said in the error."""
    try:
        return _load_any(path, pattern)
    except (ValueError, OSError) as error:
        raise CommandError(f"{name}: {describe(error)}") from None


def _load_any(path: str, pattern: str | None) -> Tokenizer:
    from bpetok.formats.detection import detect
    from bpetok.tokenizer import Tokenizer

    form = detect(path)
    if form == "huggingface":
        return Tokenizer.from_pretrained(path)
    if form == "gpt2":
        return Tokenizer.from_gpt2(Path(path, "vocab.json"), Path(path, "merges.txt"))
    if form == "minbpe":
        return Tokenizer.from_minbpe(path)
    if form == "bpetok":
        return Tokenizer.load(path)
    if pattern is None:
        raise ValueError(f"{path}: a .tiktoken file does not say its pattern, so give one")
    return Tokenizer.from_tiktoken(path, pattern=pattern)


def open_inputs(files: list[str]) -> Iterator[tuple[str, BinaryIO]]:
    """Yield (name, open file) for each file, or standard input if there is none."""
    if not files:
        if sys.stdin is None:
            raise CommandError("give FILEs: standard input is closed")
        yield "standard input", sys.stdin.buffer
    for path in files:
        try:
            with Path(path).open("rb") as file:
                yield path, file
        except OSError as error:
            raise CommandError(describe(error)) from None


def add_reading(command: argparse.ArgumentParser, condition: str = "") -> None:
    """Add the options of reading, `bpetok.Reading`."""
    group = command.add_argument_group(f"{condition}what is taken of the files")
    group.add_argument(
        "--format",
        choices=("text", "jsonl", "parquet", "arrow"),
        help="default: what the names of the files say",
    )
    group.add_argument(
        "--text-column",
        metavar="NAME",
        help="where records have their text, such as messages[].content (default: text)",
    )
    group.add_argument("--max-text-chars", type=int, metavar="N", help="characters of each text")
    group.add_argument("--max-bytes", metavar="SIZE", help="bytes of text in all, such as 2GB")
    group.add_argument(
        "--sample",
        type=float,
        metavar="S",
        help="take about this share of the texts, chosen at random",
    )
    group.add_argument("--seed", type=int, metavar="N", help="another seed, another sample")


def reading_of(options: argparse.Namespace) -> Reading:
    """Return the options of reading that were given."""
    given = {name: getattr(options, name) for name in READING}
    return cast("Reading", {name: value for name, value in given.items() if value is not None})
