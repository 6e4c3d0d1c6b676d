"""The options of `bpetok.Parity`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import bpetok
from bpetok.cli.common import CommandError, count, flag_of, options_about, weight


def add_balance(command: argparse.ArgumentParser) -> None:
    """Add the options."""
    group = command.add_argument_group("balance between languages")
    group.add_argument(
        "--balance",
        choices=("parity",),
        help="each FILE is a language: a file, a folder or a pattern in quotes; each merge is for "
        "the one whose text is longest in tokens",
    )
    group.add_argument(
        "--balance-development",
        action="append",
        metavar="FILE",
        help="compare the lengths of these, which should say the same: once for each language, in "
        "their order",
    )
    group.add_argument(
        "--balance-ratio",
        action="append",
        type=weight,
        metavar="R",
        help="how much shorter each is to become, in place of that: once for each language, in "
        "their order",
    )
    group.add_argument(
        "--balance-window-size",
        type=count,
        metavar="N",
        help="of so many turns no language has more than its share, times alpha",
    )
    group.add_argument(
        "--balance-alpha", type=weight, metavar="A", help="for the window (default: 2)"
    )
    group.add_argument(
        "--balance-global-merges",
        type=count,
        metavar="N",
        help="so many merges come first, of all languages as one text (default: 0)",
    )


def balance_of(
    options: argparse.Namespace, read: Callable[[str], Any] = lambda path: path
) -> bpetok.Parity | None:
    """Return what was asked for, if it was; `read` makes development texts of their names.

    Raises
    ------
    CommandError
        If there are options of balance without any, or not just one for each language.
    """
    given = options_about(options, "balance", bpetok.Parity._fields, "parity")
    if options.balance is None:
        return None
    languages = options.counts or options.files
    for name in ("development", "ratio"):
        if name in given and len(given[name]) != len(languages):
            flag = flag_of(f"balance_{name}")
            raise CommandError(
                f"give {flag} for each of the {len(languages)} languages, got {len(given[name])}; "
                "each FILE is a language"
            )
    if "development" in given:
        given["development"] = [*map(read, given["development"])]
    return bpetok.Parity(**given)
