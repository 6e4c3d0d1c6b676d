"""The command `bpetok`: its parser, its errors and exit statuses.

Data goes to stdout, everything else to stderr. Modules that do the work are imported where they
are used, so that `--help` is instant.
"""

from __future__ import annotations

import argparse
import gc
import os
import re
import signal
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO

import bpetok
from bpetok.base.checks import closest
from bpetok.base.extras import MissingExtraError
from bpetok.cli import completion, encoding, estimate, exporting, info, showing, training
from bpetok.cli.common import CommandError, describe, quoted, say, with_flags
from bpetok.cli.completion import complete

EPILOG = """examples:
  bpetok train corpus.txt -o tok.json
  bpetok explain "Hello world" --tokenizer tok.json
  bpetok watch "low lower lowest" --html page.html

exit status:
  0    done
  1    the result could not be kept: no space, no memory, standard output closed
  2    an option or an input is wrong: nothing was written; a line says what to do
  130  Ctrl-C: nothing is half written
  141  what reads the output has ended, such as head
"""
SYNONYMS = {
    "tokenize": "encode",
    "detokenize": "decode",
    "learn": "train",
    "fit": "train",
    "convert": "export",
    "save": "export",
    "evaluate": "report",
    "eval": "report",
    "compare": "report",
    "inspect": "info",
    "show": "info",
    "vocab": "info",
    "merge": "merge-counts",
    "hf": "huggingface",
    "transformers": "huggingface",
    "tokenizers": "huggingface",
    "llama.cpp": "gguf",
    "ndjson": "jsonl",
    "json": "jsonl",
    "feather": "arrow",
    "--model-prefix": "--output",
    "--num-threads": "--threads",
    "--jobs": "--threads",
    "--silent": "--quiet",
    "--user-defined-symbols": "--special-token",
    "--normalization-rule-name": "--normalizer",
    "--column": "--text-column",
    "--field": "--text-column",
    "--tokens-per-shard": "--shard-size",
}
"""What other commands and libraries call the same."""


class Ended(KeyboardInterrupt):
    """The process is asked to end by a signal."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Once(argparse._StoreAction):
    """Takes the value of an option, and refuses a second one, which would replace the first."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        given = namespace.__dict__.setdefault("_given", set())
        if self.option_strings and self.dest in given:
            parser.error(f"{'/'.join(self.option_strings)} is given twice: leave one out")
        given.add(self.dest)
        super().__call__(parser, namespace, values, option_string)


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.register("action", None, Once)
        self.register("action", "store", Once)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print the text of --help or --version; argparse passes over what can't be written."""
        (file or sys.stderr).write(message)

    def error(self, message: str) -> NoReturn:
        message = message.removeprefix("argument ")
        message = re.sub("ignored explicit argument (.*)", r"takes no value, got \1", message)
        wrong = re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message)
        if wrong is not None:
            meant = _meant(wrong[1], re.findall(r"[\w.-]+", wrong[2]))
            message += "" if meant is None else f"; did you mean {meant!r}?"
        raise CommandError(f"{message} (see {self.prog} --help)")


def run() -> NoReturn:
    """Run the command as a process of its own, and end it.

    Nearly all objects of NumPy and Numba live until the end. Searching them for cyclic garbage,
    above all at exit, took 0.3 of the 0.9 s of training on 1 MB.
    """
    # NumPy's library of linear algebra, which nothing here calls, starts a thread for each CPU when
    # it is imported. They spin for 60 ms each, on CPUs that counting needs.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _fill_closed_files()
    _clear_up_when_ended()
    gc.set_threshold(50_000)
    try:
        status = main()
    except Ended as ended:  # how the process has ended is seen by who sent the signal
        signal.signal(ended.number, signal.SIG_DFL)
        signal.raise_signal(ended.number)
    except KeyboardInterrupt:  # a second Ctrl-C, while it was said what the first has left
        status = _fail("interrupted", 130)
    gc.freeze()
    sys.exit(status)


def _clear_up_when_ended() -> None:
    """Let a signal that asks the process to end do what Ctrl-C does, so that nothing is left.

    Without that, files of ids that are being written would stay under their temporary names.
    """

    def end(number: int, _: object) -> NoReturn:
        raise Ended(number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:  # not so under nohup
            signal.signal(number, end)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = argparse.Namespace()
    if "_ARGCOMPLETE" in os.environ:
        complete(build_parser())
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            if not arguments:
                build_parser().print_help(sys.stderr)
                return 2  # as uv and ruff
            try:
                options = _parse(arguments)
                options.run(options)
            except SystemExit:  # --help or --version, whose text may not have been written
                _flush_output()
                raise
            _flush_output()
    except CommandError as error:
        return _fail(error, error.status)
    except MissingExtraError as error:
        return _fail(error, 2)
    except MemoryError:
        return _fail("not enough memory", 1)
    except Ended:
        raise
    except KeyboardInterrupt:
        return _fail(f"interrupted{_how_to_go_on(options)}", 130)
    except BrokenPipeError:
        # The reader, such as `head`, has had enough.
        _drop_output()
        return 141
    except OSError as error:
        _drop_output()
        return _fail("standard output: " * (error.filename is None) + describe(error), 1)
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options, or say which command or option was probably meant."""
    parser = build_parser()
    commands = commands_of(parser)
    if arguments[0] == "help":  # as uv and ruff have it
        arguments = [*arguments[1:], "--help"]
    name = arguments[0]
    if name in commands:
        _check_options(commands[name], arguments[1:])
    elif name.startswith("-"):
        if name not in parser._option_string_actions:
            _check_order(commands, arguments)
        _check_options(parser, arguments[:1])
    else:
        known = (*commands, "--help", "--version")
        hint = _hint(name, known)
        if not hint and Path(name).exists():
            hint = ": a command comes before the name of a file"
        raise CommandError(f"unknown command {name!r}{hint} (see bpetok --help)")
    options, more = parser.parse_known_args(arguments)
    if more:
        hint = ": give a text in quotes" if name in ("explain", "watch") else ""
        shown = " ".join(map(quoted, more))
        commands[name].error(f"unrecognized arguments {shown}{hint}")
    _check_values(commands[name], options)
    return options


def commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the commands' parsers by name."""
    found: dict[str, argparse.ArgumentParser]
    found = next(a.choices for a in parser._actions if isinstance(a.choices, dict))
    return found


def _check_order(commands: dict[str, argparse.ArgumentParser], arguments: Sequence[str]) -> None:
    """Refuse the options of a command before its name."""
    option = arguments[0].partition("=")[0]
    for number, name in enumerate(arguments):
        if name in commands and option in commands[name]._option_string_actions:
            after = " ".join(map(quoted, (*arguments[:number], *arguments[number + 1 :])))
            raise CommandError(f"{option} comes after the command: bpetok {name} {after}")


def _check_values(command: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse empty values, as of variables that are not set; a text to explain may be empty.

    And ``-`` as an output: of an input it is a standard stream, and here it would be a file.
    """
    for action in command._actions:
        value = getattr(options, action.dest, None)
        if action.dest in ("output", "html", "report") and value == "-":
            option = "/".join(action.option_strings)
            command.error(f"{option} must be the name of a file, got '-': ./- is one of that name")
        if action.dest != "text" and (value == "" or (isinstance(value, list) and "" in value)):
            name = "/".join(action.option_strings) or action.metavar
            command.error(f"{name} must not be empty")


def _check_options(command: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Refuse an option that is none before argparse misses one that is required."""
    known = command._option_string_actions
    for argument in arguments:
        name = argument.partition("=")[0]
        if name == "--":
            return
        if name[:1] != "-" or name == "-" or name[1].isdigit():
            continue
        # The value of a short option may follow at once.
        if name[:2] not in known and not any(option.startswith(name) for option in known):
            is_file = Path(argument).exists()
            hint = f"; for the file of that name: ./{argument}" if is_file else _hint(name, known)
            command.error(f"unknown option {name}{hint}")


def _meant(name: str, known: Iterable[str]) -> str | None:
    """Return which of the known names was probably meant, if any."""
    known = list(known)
    meant = closest(name, known) or SYNONYMS.get(name.casefold().replace("_", "-"))
    return meant if meant in known else None


def _hint(name: str, known: Iterable[str]) -> str:
    meant = _meant(name, known)
    return "" if meant is None else f", did you mean {meant}?"


def build_parser() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(
        prog="bpetok",
        description="Train and use exact byte-level BPE tokenizers.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-V", "--version", action="version", version=f"bpetok {bpetok.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    training.add_parsers(commands)
    encoding.add_parsers(commands)
    exporting.add_parser(commands)
    info.add_parser(commands)
    showing.add_parsers(commands)
    estimate.add_parser(commands)
    completion.add_parser(commands)
    return parser


def _how_to_go_on(options: argparse.Namespace) -> str:
    """Return what is left after Ctrl-C of commands whose files are kept at the end."""
    if "saved" in options:
        return f": {options.saved} was saved before"
    folder = getattr(options, "checkpoint", None)
    if folder is not None:
        return f": {_saved_in(folder)}"
    if not getattr(options, "output", None) or "to" in options:
        return ""
    hint = "; with --checkpoint DIR the same command goes on where it was" * (
        "checkpoint" in options
    )
    return f": nothing was written{hint}"


def _saved_in(folder: str) -> str:
    """Say what a run has saved in its folder, and what giving the command again does."""
    from bpetok.base.display import plural, show_size
    from bpetok.base.extras import load_numpy

    load_numpy()
    from bpetok.counting.checkpoint import saved_in

    try:
        n_bytes, n_merges = saved_in(folder)
    except (OSError, ValueError) as error:
        return describe(error)
    saved = [f"{show_size(n_bytes)} of text counted"] if n_bytes else []
    saved += [f"{plural(n_merges, 'merge')} learned"] if n_merges else []
    if not saved:
        return f"{folder} has nothing yet, since it is saved to once a minute: begin anew"
    return f"{folder} has {' and '.join(saved)}: the same command goes on there"


def _fill_closed_files() -> None:
    """Make sure that no file which is opened gets the number of a standard one that is closed.

    Otherwise what is meant for standard output or standard error could end in it. `print` would
    write what is meant for a closed standard error to standard output.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8")


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    say("warning", with_flags(str(message)))


def _flush_output() -> None:
    if sys.stdout is not None:  # closed, as a daemon's is
        sys.stdout.flush()


def _drop_output() -> None:
    # What is still in the buffer can't be written; Python would try again on its way out.
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: object, status: int) -> int:
    say("error", " ".join(with_flags(str(message)).split()))
    return status
