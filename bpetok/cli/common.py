"""What the commands share: errors in one line, tokenizers and inputs."""

from __future__ import annotations

import argparse
import errno
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from bpetok.base.checks import parse_count, shorten

if TYPE_CHECKING:
    from bpetok.sources.reading import Reading
    from bpetok.tokenizer import Tokenizer


TOKENIZER = (
    "bpetok's file, tokenizer.json, a folder of it or of GPT-2's, a .tiktoken file, a .model"
)
TIKTOKEN_PATTERN = "of a .tiktoken file, which does not say it"
NAMES = {
    "text": "text",
    "jsonl": "JSON lines",
    "parquet": "Parquet",
    "arrow": "Arrow",
    "csv": "a table in text",
}
"""What people call the formats."""
NO_SPACE = {errno.ENOSPC, errno.EFBIG, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)}
READING = ("format", "text_column", "max_text_chars", "max_bytes", "sample", "seed", "n_readers")


def flag_of(name: str) -> str:
    """Return the option of a name as argparse has it."""
    return f"--{name.replace('_', '-')}"


FLAGS = {
    **{name: flag_of(name) for name in READING},
    "n_readers": "--readers",  # not what READING would make of it
    "vocab_size": "--vocab-size",
    "pattern": "--pattern",
    "normalizer": "--normalizer",
    "unmatched": "--unmatched",
    "special_tokens": "--special-token",
    "min_frequency": "--min-frequency",
    "max_token_length": "--max-token-length",
    "compat": "--compat",
    "initial": "--initial",
    "superwords": "--superwords",
    "superwords.start": "--superwords",
    **{
        f"superwords.{name}": flag_of(f"superwords_{name}")
        for name in ("pattern", "max_words", "unused", "sample", "max_bytes")
    },
    "balance": "--balance",
    **{
        f"balance.{name}": flag_of(f"balance_{name}")
        for name in ("development", "ratio", "window_size", "alpha", "global_merges")
    },
    "like": "--like",
    "initial_tokens": "--initial-token",
    "special_ids": "--special-ids",
    "n_threads": "--threads",
    "errors": "--errors",
    "checkpoint": "--checkpoint",
    "max_memory": "--max-memory",
    "min_word_count": "--min-word-count",
    "sample_size": "--sample-size",
    "shard_size": "--shard-size",
    "eot": "--eot",
    "lang": "--lang",
    "forbid": "--forbid",
    "output": "--output",
    "chat_template": "--chat-template",
    "model_max_length": "--model-max-length",
    **{f"{role}_token": f"--{role}-token" for role in ("bos", "eos", "pad", "unk")},
}
"""The command's names of the library's options."""
PHRASES = {
    "or use what takes texts, such as train_from_iterator, or texts= of report": "or pipe it in",
    "Words.load and --counts of the command read those": "--counts reads those",
    "encode_files or `bpetok encode`": "`bpetok encode`",
    " and Words.save write those": " writes those",
    "Tokenizer.save and save_pretrained keep it": "--to bpetok and --to huggingface keep it",
    "Tokenizer.save and to_tiktoken keep both": "--to bpetok and --to tiktoken keep both",
    "Tokenizer.save keeps both": "--to bpetok keeps both",
    "save_pretrained keeps the pattern": "--to huggingface keeps the pattern",
    "the name of reserved tokens": "--reserved NAME",
    "the number of reserved tokens": "--reserved N",
}
"""What the library says of its functions, in the words of the command."""


class CommandError(Exception):
    """What the user is told in one line, and the exit status."""

    def __init__(self, message: object, status: int = 2) -> None:
        super().__init__(str(message))
        self.status = status


def options_about(
    options: argparse.Namespace, name: str, parts: Iterable[str], value: str
) -> dict[str, Any]:
    """Return the given ones of the options NAME_PART, by their parts.

    Raises
    ------
    CommandError
        If there are some without the option `name`; `value` is what that could have.
    """
    found = {part: getattr(options, f"{name}_{part}", None) for part in parts}
    given = {part: value for part, value in found.items() if value is not None}
    if given and getattr(options, name) is None:
        flag = flag_of(f"{name}_{next(iter(given))}")
        raise CommandError(f"{flag} is of no use without {flag_of(name)} {value}")
    return given


def add_command(
    commands: Any, name: str, usage: str, help: str, examples: str = ""
) -> argparse.ArgumentParser:
    """Add a command to the subparsers of `bpetok`; `usage` has what it needs, not all options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        usage=f"bpetok {name} [OPTIONS] {usage}",
        help=help,
        description=f"{help[0].upper()}{help[1:]}.",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def on_terminal() -> bool:
    """Tell whether there is somebody to see progress."""
    return sys.stderr is not None and sys.stderr.isatty()


COLORS = {"error": "31", "warning": "33", "note": "36"}
"""The codes of a terminal for red, yellow and cyan."""


def say(kind: str, message: str) -> None:
    """Print an error, a warning or a note: a line on standard error, between bars if there are any.

    In a terminal the kind has a color, unless the environment has NO_COLOR or a TERM without any;
    elsewhere it has one with FORCE_COLOR.
    """
    shown = f"\x1b[1;{COLORS[kind]}m{kind}:\x1b[0m" if _in_colors() else f"{kind}:"
    tqdm = sys.modules.get("tqdm")
    with nullcontext() if tqdm is None else tqdm.tqdm.external_write_mode(sys.stderr):
        print(f"bpetok: {shown} {message}", file=sys.stderr)


def _in_colors() -> bool:
    """Tell whether standard error takes colors; rich and Python itself ask the same variables."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return on_terminal() and os.environ.get("TERM") != "dumb"


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


def program() -> str:
    """Return how this command was called, as a shell takes it."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{quoted(sys.executable)} -m bpetok"
    found = shutil.which("bpetok")
    if found is not None and called.exists() and called.samefile(found):
        return "bpetok"
    return quoted(sys.argv[0])


def quoted(word: str) -> str:
    """Return a word as bash and zsh take it, in one line.

    What can't be printed, such as a byte that is not UTF-8, is written as its number.
    """
    if word.isprintable():
        return shlex.quote(word)
    shown = re.sub(rb"[^\w /.=-]", lambda other: b"\\%03o" % other[0][0], os.fsencode(word))
    return f"$'{shown.decode()}'"


def count(text: str) -> int:
    """Return a number, given as 32000, 32_000 or 32k."""
    number = parse_count(text)
    if number is None:
        raise argparse.ArgumentTypeError(f"must be a number such as 32000 or 32k, got {text!r}")
    return number


def with_flags(message: str) -> str:
    """Return a message of the library with the command's names of options.

    ``vocab_size must be`` becomes ``--vocab-size must be``, ``errors='replace'`` becomes
    ``--errors replace``.
    """
    for phrase, of_command in PHRASES.items():
        message = message.replace(phrase, of_command)
    message = re.sub(r"text\.decode\((\w+='\w+')\)", r"\1", message)
    message = re.sub(r"(?<![\w./'-])([\w.]+)='(\w+)'", _flag_and_value, message)
    message = re.sub(r"(?<![\w./'-])([\w.]+)=", _flag_and_value, message)
    # Nobody writes these but as names of options; "pattern" may be any pattern.
    message = re.sub(r"(?<![\w./'-])(\w+_\w+)(?![\w.'-])", _flag_and_value, message)
    message = re.sub(
        r"^(pattern|checkpoint|forbid)(?= ')|^(normalizer)(?=: )", _flag_and_value, message
    )
    message = re.sub(
        r"(?<=with )(like|balance)(?=,)|(?<=of )(initial)(?=[,:]| and)", _flag_and_value, message
    )
    message = re.sub(r"(?<=; leave )(\w+)(?= out)", _flag_and_value, message)
    message = re.sub(r"(?<![\w./'-])((?:superwords|balance)\.\w+)", _flag_and_value, message)
    message = re.sub(r"counted with (\w+) (.*), but the caller says", _conflict, message)
    return re.sub(r"(?<![\w./'-])([\w.]+)(?= must| needs)", _flag_and_value, message)


def _flag_and_value(match: re.Match[str]) -> str:
    name, *value = filter(None, match.groups())
    if name not in FLAGS:
        return match[0]
    return " ".join([FLAGS[name], *value]) + (" " if match[0].endswith("=") else "")


def _conflict(match: re.Match[str]) -> str:
    flag = FLAGS[match[1]]
    return f"counted with {flag} {match[2]}, but {flag} says"


def number(text: str) -> float:
    """Return a number, which need not be whole."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number such as 0.5, got {text!r}") from None


def weight(text: str) -> float:
    """Return a number above 0."""
    value = number(text)
    if not 1e-12 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of at least 1e-12, got {text!r}")
    return value


def whole(text: str) -> int:
    """Return a whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, got {text!r}") from None


def describe(error: Exception) -> str:
    """Return what an exception says, an OSError's without its number."""
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        from bpetok.sources.files import meant_file

        return f"{error.filename}: {error.strerror}{meant_file(os.fsdecode(error.filename))}"
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def failed(error: Exception) -> CommandError:
    """Return what the command says of an exception, with status 1 if there is no space left."""
    is_full = isinstance(error, OSError) and error.errno in NO_SPACE
    return CommandError(describe(error), status=1 if is_full else 2)


def load_tokenizer(path: str, pattern: str | None = None, name: str = "--tokenizer") -> Tokenizer:
    """Return the tokenizer of a file or folder of any format; `name` is said in the error."""
    from bpetok.formats.files import seems_of_hub

    try:
        return _load_any(path, pattern)
    except (ValueError, OSError) as error:
        message = describe(error)
        if "is not a tokenizer" in message:
            message += f"; give {TOKENIZER}"
        if isinstance(error, FileNotFoundError) and "?" not in message and seems_of_hub(path):
            message += (
                f"; a tokenizer of the Hugging Face hub is downloaded first: hf download {path} "
                "tokenizer.json --local-dir FOLDER"
            )
        named = message.startswith(f"{name}: ")
        raise CommandError(message if named else f"{name}: {message}") from None


def load_only_tokenizer(options: argparse.Namespace, name: str = "--tokenizer") -> Tokenizer:
    """Return the tokenizer that a command takes; its pattern must be given if it says none."""
    tokenizer = load_tokenizer(options.tokenizer, options.pattern, name)
    if options.pattern not in (None, tokenizer.pattern):
        raise CommandError(
            f"--pattern is only for a .tiktoken file: {options.tokenizer} says "
            f"{shorten(tokenizer.pattern)}, leave it out"
        )
    return tokenizer


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
    if form == "tekken":
        return Tokenizer.from_tekken(path)
    if form == "bpetok":
        return Tokenizer.load(path)
    if pattern is None:
        raise ValueError(
            f"{path}: a .tiktoken file does not say its pattern, so give one with --pattern"
        )
    return Tokenizer.from_tiktoken(path, pattern=pattern)


def add_reading(command: argparse.ArgumentParser, condition: str = "") -> None:
    """Add the options of reading, `bpetok.Reading`."""
    group = command.add_argument_group(f"{condition}what is taken of the files")
    group.add_argument(
        "--format",
        choices=("text", "jsonl", "parquet", "arrow"),
        help="what the files are (default: what their names say)",
    )
    group.add_argument(
        "--text-column",
        metavar="[FILE=]NAME",
        action="append",
        help="where records have their text, such as messages[].content (default: text); "
        "for files of their own, by path or pattern: --text-column 'web/*.parquet=content'",
    )
    group.add_argument("--max-text-chars", type=count, metavar="N", help="characters of each text")
    group.add_argument("--max-bytes", metavar="SIZE", help="bytes of text in all, such as 2G")
    group.add_argument(
        "--sample",
        type=number,
        metavar="S",
        help="take about this share of the texts, chosen at random",
    )
    group.add_argument("--seed", type=whole, metavar="N", help="another seed, another sample")
    group.add_argument(
        "--readers",
        dest="n_readers",
        type=whole,
        metavar="N",
        help="objects of other machines that are read at a time (default: 8, or the threads)",
    )


def add_threads(group: argparse._ActionsContainer) -> None:
    """Add how many threads work."""
    group.add_argument(
        "--threads",
        dest="n_threads",
        type=whole,
        metavar="N",
        help="threads that work (default: $BPETOK_NUM_THREADS, otherwise all CPUs)",
    )


def add_errors(group: argparse._ActionsContainer) -> None:
    """Add what becomes of bytes that are not UTF-8."""
    group.add_argument(
        "--errors",
        choices=("strict", "replace"),
        default="strict",
        help="text that is not UTF-8: refuse it or replace what is wrong (default: %(default)s)",
    )


def reading_of(options: argparse.Namespace, *, samples: bool = False) -> Reading:
    """Return the options of reading that were given; `samples`: a seed is of use in any case."""
    given = {name: getattr(options, name, None) for name in READING}
    if given["seed"] is not None and given["sample"] is None and not samples:
        raise CommandError("--seed needs --sample")
    given["text_column"] = _columns(options.text_column)
    return cast("Reading", {name: value for name, value in given.items() if value is not None})


def _columns(given: list[str] | None) -> str | dict[str, str] | None:
    """Return the column of all files, or those of each: FILE=NAME, in which FILE may have a "="."""
    if given is None:
        return None
    pairs = [text.rpartition("=") for text in given]
    of_all = [name for _, sign, name in pairs if not sign]
    columns = {file: name for file, sign, name in pairs if sign}
    if "" in columns:
        raise CommandError(f"--text-column ={columns['']} has no FILE: leave the = out")
    if len(of_all) > 1 or len(columns) < len(pairs) - len(of_all):
        raise CommandError(
            f"--text-column {of_all[-1] if len(of_all) > 1 else given[-1]} is one too many: give "
            "one NAME for all files, and FILE=NAME once for each that differs"
        )
    if not columns:
        return of_all[0]
    return {**({"*": of_all[0]} if of_all else {}), **columns}
