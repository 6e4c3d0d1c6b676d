"""The commands that show: explain, report, watch."""

from __future__ import annotations

import argparse
import errno
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpetok.base.files import read_whole
from bpetok.base.limits import DEFAULT_PATTERN
from bpetok.cli.common import (
    TIKTOKEN_PATTERN,
    TOKENIZER,
    CommandError,
    add_command,
    add_errors,
    add_reading,
    add_threads,
    count,
    describe,
    load_only_tokenizer,
    load_tokenizer,
    program,
    quoted,
    reading_of,
    say,
    standard_output,
)
from bpetok.cli.facts import report_facts, saved_as, write_json
from bpetok.cli.inputs import check_no_input, open_inputs, plain_text, refuse_ids

if TYPE_CHECKING:
    from bpetok.showing.explanation import Explanation
    from bpetok.showing.lesson import Lesson
    from bpetok.showing.report import Report
    from bpetok.tokenizer import Tokenizer

DEMO = "Python's standard library"
HTML = "write a page instead, for a browser"


def add_parsers(commands: Any) -> None:
    """Add the commands to the subparsers of `bpetok`."""
    _add_explain(commands)
    _add_report(commands)
    _add_watch(commands)


def _add_explain(commands: Any) -> None:
    explain = add_command(
        commands,
        "explain",
        "[TEXT] --tokenizer TOK.json",
        "show how a text becomes tokens, step by step",
    )
    explain.add_argument("text", nargs="?", metavar="TEXT", help="default: standard input")
    explain.add_argument("--tokenizer", required=True, metavar="TOK.json", help=TOKENIZER)
    explain.add_argument(
        "--special",
        choices=("ids", "text"),
        default="ids",
        help="special tokens in the text: their ids, or ordinary text (default: %(default)s)",
    )
    explain.add_argument("--html", metavar="FILE", help=HTML)
    explain.add_argument("--pattern", help=TIKTOKEN_PATTERN)
    explain.set_defaults(run=run_explain)


def _add_report(commands: Any) -> None:
    report = add_command(
        commands,
        "report",
        "TOK.json... [--text FILE...]",
        "show how good a tokenizer is, or compare several, on text",
    )
    report.add_argument(
        "tokenizers",
        nargs="*",
        metavar="TOK.json",
        help=TOKENIZER,
    )
    report.add_argument(
        "--text",
        nargs="+",
        metavar="FILE",
        help="paths and globs (default: the sources of Python's standard library)",
    )
    add_threads(report)
    add_errors(report)
    report.add_argument("--html", metavar="FILE", help=HTML)
    report.add_argument(
        "--json", action="store_true", help="write numbers as JSON to standard output instead"
    )
    report.add_argument("--pattern", help=TIKTOKEN_PATTERN)
    add_reading(report)
    report.set_defaults(run=run_report)


def _add_watch(commands: Any) -> None:
    watch = add_command(
        commands, "watch", "TEXT|FILE", "train on a small text, and step through it merge by merge"
    )
    watch.add_argument(
        "text", metavar="TEXT|FILE", help="a text, or the name of a text file; - is standard input"
    )
    watch.add_argument(
        "--vocab-size",
        type=count,
        metavar="N",
        help="256 bytes and up to 300 merges (default: 356)",
    )
    watch.add_argument("--lang", default="en", help="language of the page: en or zh")
    watch.add_argument(
        "--pattern", default=DEFAULT_PATTERN, help="split pattern (default: %(default)s)"
    )
    watch.add_argument("--html", metavar="FILE", help=HTML)
    watch.set_defaults(run=run_watch)


def run_explain(options: argparse.Namespace) -> None:
    """Show how a text becomes tokens."""
    _check_html(options.html)
    tokenizer = load_only_tokenizer(options)
    _check_no_input(options.html, [options.tokenizer])
    text = options.text
    if text is None:
        text = plain_text(next(open_inputs(["-"]))[1].read(), "standard input")
    elif Path(text).is_file():
        say("note", f"{text} is taken as a text; for the file of that name: < {quoted(text)}")
    try:
        explanation = tokenizer.explain(
            text, allowed_special="all" if options.special == "ids" else ()
        )
    except ValueError as error:
        raise CommandError(error) from None
    _show(explanation, options.html)


def run_report(options: argparse.Namespace) -> None:
    """Show how good tokenizers are."""
    if not options.tokenizers:
        raise CommandError("give TOK.json, before --text, which takes all names that follow it")
    _check_html(options.html)
    if options.json and options.html is not None:
        raise CommandError("give --json or --html, one of the two")
    tokenizers = {
        name: load_tokenizer(path, options.pattern, path)
        for name, path in name_tokenizers(options.tokenizers).items()
    }
    _check_no_input(options.html, [*options.tokenizers, *_local_texts(options)])
    report = make_report(tokenizers, options.text, options)
    if options.json:
        write_json(report_facts(report))
    else:
        _show(report, options.html)


def run_watch(options: argparse.Namespace) -> None:
    """Show how merges are learned from a text."""
    _check_html(options.html)
    import bpetok

    text = _text_to_watch(options)
    try:
        lesson = bpetok.watch(
            text, vocab_size=options.vocab_size, pattern=options.pattern, lang=options.lang
        )
    except ValueError as error:
        raise CommandError(error) from None
    for note in lesson.notes if options.html is not None else ():  # the text has them itself
        say("note", note)
    _show(lesson, options.html)


def _text_to_watch(options: argparse.Namespace) -> str:
    """Return the text of a file, of standard input, or what was given as a text."""
    given: str = options.text
    if given == "-":
        return plain_text(next(open_inputs(["-"]))[1].read(), "standard input")
    as_text = f"; to take the name as a text: echo {quoted(given[:40])} | {program()} watch -"
    try:
        path = Path(given)
        if path.is_dir():
            raise CommandError(f"{given} is a folder: give one of its files{as_text}")
        if path.exists():
            _check_no_input(options.html, [given])
            refuse_ids(given)
            return plain_text(read_whole(path), given)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise CommandError(describe(error)) from None
    except ValueError:  # a zero byte
        return given
    if _seems_a_name(given):
        from bpetok.sources.files import meant_file

        raise CommandError(f"no such file: {given!r}{meant_file(given)}{as_text}")
    return given


def _seems_a_name(text: str) -> bool:
    """Tell whether one word looks like a path, as a.txt, data/a and ~/a do."""
    if re.search(r"\s", text):
        return False
    from bpetok.sources.compression import ENDINGS
    from bpetok.sources.files import FORMAT_OF, TEXT_ENDINGS

    known = {*FORMAT_OF, *TEXT_ENDINGS, *ENDINGS, ".md", ".py", ".html"}
    return os.sep in text or Path(text).suffix.lower() in known


def check_training_report(options: argparse.Namespace) -> None:
    """Make sure, before training, that its report can be made."""
    _check_html(options.report, "--report")
    if options.report is not None and Path(options.report) == Path(options.output):
        raise CommandError(f"--report: {options.report} is the --output, too: choose another name")
    if options.report is not None and options.counts:
        raise CommandError("--report needs FILEs: counts don't have the text")
    if options.report is not None and "-" in options.files:
        raise CommandError("--report reads FILEs again, so standard input (-) can't be one of them")


def save_training_report(tokenizer: Tokenizer, options: argparse.Namespace) -> None:
    """Write the report on a tokenizer that has just been trained, on the text of its training."""
    name = Path(options.output).stem
    files = None if options.demo else options.files
    _show(make_report({name: tokenizer}, files, options), options.report)


def name_tokenizers(paths: list[str]) -> dict[str, str]:
    """Return the paths by names: short ones if they differ."""
    stems = [Path(path).resolve().stem for path in paths]
    names = stems if len(set(stems)) == len(paths) else paths
    if len(set(names)) < len(paths):
        raise CommandError("a tokenizer is given twice")
    return dict(zip(names, paths, strict=True))


def make_report(
    tokenizers: dict[str, Tokenizer], files: list[str] | None, options: argparse.Namespace
) -> Report:
    """Return the report on files, or on the sources of Python's standard library."""
    import bpetok
    from bpetok.base.demo import demo_files

    sources: Any = {DEMO: demo_files()} if files is None else files
    try:
        return bpetok.report(
            tokenizers,
            sources,
            n_threads=options.n_threads,
            errors=options.errors,
            **reading_of(options),
        )
    except (ValueError, OSError, ImportError) as error:
        raise CommandError(describe(error)) from None


def _local_texts(options: argparse.Namespace) -> list[str]:
    if options.text is None or options.html is None:
        return []
    from bpetok.sources.files import local_files, resolve_files

    try:
        return local_files(resolve_files(options.text))
    except (ValueError, OSError, ImportError) as error:
        raise CommandError(describe(error)) from None


def _check_no_input(html: str | None, inputs: list[str], name: str = "--html") -> None:
    if html is not None:
        check_no_input(html, inputs, name)


def _check_html(html: str | None, name: str = "--html") -> None:
    """Make sure, before any work, that the page can be made and written."""
    if html is None:
        return
    from bpetok.base.files import check_writable
    from bpetok.showing.pages import check_extra

    check_extra()
    try:
        check_writable(html)
    except (ValueError, OSError) as error:
        raise CommandError(f"{name}: {describe(error)}") from None


def _show(result: Explanation | Lesson | Report, html: str | None) -> None:
    if html is not None:
        replaces = Path(html).exists()
        try:
            result.save(html)
        except OSError as error:
            raise CommandError(describe(error), status=1) from None
        sys.stderr.write(f"Saved to {saved_as(html, replaces)}: open it in a browser.\n")
        return
    output = standard_output()
    if output.isatty():
        from rich.console import Console

        Console().print(result, soft_wrap=True)  # otherwise it cuts lines at the terminal's width
    else:
        output.buffer.write(f"{result}\n".encode())
