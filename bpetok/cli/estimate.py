"""The command that predicts what training needs."""

from __future__ import annotations

import argparse
from typing import Any

from bpetok.base.limits import DEFAULT_PATTERN
from bpetok.cli.common import (
    CommandError,
    add_command,
    add_errors,
    add_reading,
    add_threads,
    count,
    describe,
    reading_of,
    standard_output,
)
from bpetok.cli.facts import write_json
from bpetok.cli.next_steps import after_estimating, show_steps
from bpetok.cli.superwords import add_superwords, superwords_of


def add_parser(commands: Any) -> None:
    """Add the command to the subparsers of `bpetok`."""
    parser = add_command(
        commands,
        "estimate",
        "FILE...",
        "predict the words, memory and time of a training from a sample",
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="text, JSON lines, Parquet: as for train"
    )
    parser.add_argument(
        "--vocab-size",
        type=count,
        default=32_000,
        metavar="N",
        help="of the training (default: %(default)s)",
    )
    parser.add_argument(
        "--pattern", default=DEFAULT_PATTERN, help="as for train (default: %(default)s)"
    )
    parser.add_argument(
        "--special-token",
        action="append",
        default=[],
        metavar="S",
        dest="special_tokens",
        help="a token that is never split or counted; may be given several times",
    )
    add_superwords(parser, learns=False)
    add_threads(parser)
    add_errors(parser)
    parser.add_argument(
        "--sample-size",
        default="64MB",
        metavar="SIZE",
        help="how much text to look at (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="write it as JSON instead")
    add_reading(parser)
    parser.set_defaults(run=run_estimate)


def run_estimate(options: argparse.Namespace) -> None:
    """Print an estimate."""
    import bpetok
    from bpetok.cli.notes import noting

    output = standard_output()
    try:
        with noting(quiet=False):
            found = bpetok.estimate(
                options.files,
                vocab_size=options.vocab_size,
                pattern=options.pattern,
                special_tokens=options.special_tokens,
                superwords=superwords_of(options),
                n_threads=options.n_threads,
                errors=options.errors,
                sample_size=options.sample_size,
                **reading_of(options, samples=True),
            )
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise CommandError(describe(error)) from None
    if options.json:
        from dataclasses import asdict

        write_json({"version": bpetok.__version__, **asdict(found)})
        return
    output.write(f"{found}\n")
    output.flush()
    show_steps(after_estimating(options))
