"""The files that commands take as they are: expanded, opened, and checked to be text."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from bpetok.cli.common import NAMES, CommandError, describe, on_terminal

STANDARD_INPUT = "standard input"


def say_if_waiting() -> None:
    """Tell somebody at a terminal what is waited for."""
    if on_terminal() and sys.stdin is not None and sys.stdin.isatty():
        print("Reading standard input; end it with Ctrl-D.", file=sys.stderr)


def expand_inputs(files: list[str], hint: str = "") -> list[str]:
    """Return the files of paths, patterns and folders; "-", or none at all, is standard input.

    `hint` is said where there is no such file.
    """
    return [*chain.from_iterable(_expand(path, hint) for path in files or ["-"])]


def open_inputs(files: list[str]) -> Iterator[tuple[str, BinaryIO]]:
    """Yield (name, open file) for each file of `expand_inputs`."""
    from bpetok.sources.streams import LocalFile, StandardInput  # most commands open none here

    for path in files:
        if path == "-":
            if sys.stdin is None:
                raise CommandError("give FILEs: standard input is closed")
            say_if_waiting()
            # Waits, also if it does not block.
            yield STANDARD_INPUT, BufferedReader(StandardInput(sys.stdin.buffer))
            continue
        try:
            with BufferedReader(LocalFile(path)) as file:
                yield path, file
        except OSError as error:
            raise CommandError(describe(error)) from None


def _expand(path: str, hint: str) -> list[str]:
    if path == "-" or Path(path).is_file():
        return [path]
    if "://" in path:
        raise CommandError(f"{path} is a URL, which is read with --output only: copy it first")
    from bpetok.sources.files import resolve_files  # takes NumPy

    try:
        return resolve_files(path)
    except FileNotFoundError as error:
        raise CommandError(f"{describe(error)}{hint}") from None
    except (ValueError, OSError, ImportError) as error:
        raise CommandError(describe(error)) from None


def check_no_input(output: str | os.PathLike[str], inputs: Iterable[str], name: str) -> None:
    """Make sure that a file to be written, by the option `name`, is none of those to be read.

    Of a folder all files are meant.
    """
    from bpetok.base.files import check_no_input

    files: list[str] = []
    for path in inputs:
        folder = Path(path)
        files += map(str, folder.iterdir()) if folder.is_dir() else [path]
    try:
        check_no_input(output, files)
    except ValueError as error:
        raise CommandError(f"{name}: {error}") from None


def refuse_ids(path: str) -> None:
    """Refuse a file of ids, which is no text."""
    from bpetok.base.id_summary import IDS_ENDING, check_no_ids

    try:
        if path.endswith(IDS_ENDING):
            check_no_ids(path)
    except ValueError as error:
        raise CommandError(error) from None


def check_plain(data: bytes, name: str) -> None:
    """Refuse bytes that are no plain text, and say what they are."""
    from bpetok.sources.compression import compression_of
    from bpetok.sources.contents import N_FIRST, check_text
    from bpetok.sources.files import format_of

    kind = compression_of(name, data[:N_FIRST]) or format_of(name)
    if kind not in ("text", "json"):
        raise CommandError(f"{name}: give plain text in UTF-8, this is {NAMES.get(kind, kind)}")
    try:
        check_text(name, data[:N_FIRST])
    except ValueError as error:
        raise CommandError(error) from None


def plain_text(data: bytes, name: str) -> str:
    """Return the text of bytes, which must be text in UTF-8, or say what they are."""
    check_plain(data, name)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CommandError(
            f"{name} is not UTF-8: byte {error.start} (0x{data[error.start]:02x}); convert it, as "
            "by iconv -f LATIN1 -t UTF-8"
        ) from None
