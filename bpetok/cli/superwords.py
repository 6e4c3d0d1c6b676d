"""The options of `bpetok.Superwords`."""

from __future__ import annotations

import argparse

import bpetok
from bpetok.cli.common import count, number, options_about, whole
from bpetok.cli.completion import complete_with, pattern_names


def add_superwords(command: argparse.ArgumentParser, *, learns: bool = True) -> None:
    """Add the options; those of learning only for a command that does."""
    group = command.add_argument_group("tokens of several words")
    group.add_argument(
        "--superwords",
        type=count,
        metavar="N",
        help="after N ids learn tokens of several words, as SuperBPE does; FILEs are read twice",
    )
    pattern = group.add_argument(
        "--superwords-pattern",
        metavar="PATTERN",
        help="what splits lines, and is the tokenizer's (default: superbpe)",
    )
    complete_with(pattern, pattern_names)
    group.add_argument(
        "--superwords-sample",
        type=number,
        metavar="S",
        help="take only this share of the texts, the second time",
    )
    group.add_argument(
        "--superwords-max-bytes",
        metavar="SIZE",
        help="take only so many bytes of text, the second time",
    )
    if not learns:
        return
    group.add_argument(
        "--superwords-max-words",
        type=_bound,
        metavar="N",
        help='the most words of a token; "none": any number (default: 4)',
    )
    group.add_argument(
        "--superwords-colon-space",
        action="store_true",
        default=None,
        help="make tokens with a colon before a space, too",
    )
    group.add_argument(
        "--superwords-unused",
        choices=("keep", "drop"),
        help="merges of single words that whole lines have no use for (default: keep)",
    )


def _bound(text: str) -> int | str:
    return text if text == "none" else whole(text)


def superwords_of(options: argparse.Namespace) -> bpetok.Superwords | None:
    """Return what was asked for, if it was.

    Raises
    ------
    CommandError
        If there are options of superwords without any.
    """
    given = options_about(options, "superwords", bpetok.Superwords._fields, "N")
    if options.superwords is None:
        return None
    if given.get("max_words") == "none":
        given["max_words"] = None
    return bpetok.Superwords(options.superwords, **given)
