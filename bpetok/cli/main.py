"""The command `bpetok`; encode and decode are here, the others in the modules beside it.

Data goes to stdout, all else to stderr. Exit status: 0; 1 if the result could not be kept; 2 for
bad usage or input; 130 after Ctrl-C. Modules that do the work are imported where they are used, so
that `--help` is instant.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn, TextIO

import bpetok
from bpetok.base.extras import MissingExtraError
from bpetok.cli import estimate, showing, training
from bpetok.cli.common import (
    READING,
    CommandError,
    add_reading,
    describe,
    load_tokenizer,
    on_terminal,
    open_inputs,
    reading_of,
)
from bpetok.encoding.texts import SpecialTokenError

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

IDS_AT_ONCE = 65_536


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{message} (see {self.prog} --help)")


def run() -> NoReturn:
    """Run the command as a process of its own, and end it.

    Nearly all objects of NumPy and Numba live until the end. To look through them for cyclic
    garbage again and again, most of all at the end, took 0.3 of the 0.9 s of training on 1 MB.
    """
    gc.set_threshold(50_000)
    status = main()
    gc.freeze()
    sys.exit(status)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            options = _build_parser().parse_args(arguments)
            options.run(options)
            if sys.stdout is not None:  # closed, as a daemon's is
                sys.stdout.flush()
    except CommandError as error:
        return _fail(error, error.status)
    except MissingExtraError as error:
        return _fail(error, 2)
    except MemoryError:
        return _fail("not enough memory", 1)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader, such as `head`, has had enough.
        _drop_output()
        return 141
    except OSError as error:
        _drop_output()
        return _fail(describe(error), 1)
    return 0


def _build_parser() -> Parser:
    parser = Parser(prog="bpetok", description="Train and use exact byte-level BPE tokenizers.")
    parser.add_argument("--version", action="version", version=f"bpetok {bpetok.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    training.add_parsers(commands)
    encode = commands.add_parser(
        "encode", help="text to ids: one line of ids for each input, or --output train.bin"
    )
    encode.add_argument(
        "--special",
        choices=("refuse", "ids", "text"),
        default="refuse",
        help="special tokens in the text: refuse them, give them their ids, or treat them as "
        "ordinary text (default: %(default)s)",
    )
    encode.add_argument(
        "--output",
        metavar="TRAIN.bin",
        help="write ids as uint16 (uint32 where one is larger) and TRAIN.json about them",
    )
    encode.add_argument(
        "--eot", metavar="TOKEN", help="with --output: a special token to write behind each FILE"
    )
    encode.add_argument(
        "--shard-size",
        type=int,
        metavar="N",
        help="with --output: at most N ids a file, TRAIN_000000.bin, TRAIN_000001.bin...",
    )
    encode.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="with --output; default: $BPETOK_NUM_THREADS, else all CPUs",
    )
    encode.add_argument(
        "--errors",
        choices=("strict", "replace"),
        default="strict",
        help="with --output: text that is not UTF-8: refuse it or replace what is wrong "
        "(default: %(default)s)",
    )
    encode.add_argument("--quiet", action="store_true", help="with --output: no progress bar")
    add_reading(encode, "with --output: ")
    encode.set_defaults(run=_encode)
    decode = commands.add_parser("decode", help="ids, separated by white space, to text")
    decode.set_defaults(run=_decode)
    for command in (encode, decode):
        command.add_argument("files", nargs="*", metavar="FILE", help="default: standard input")
        command.add_argument("--tokenizer", required=True, metavar="TOK.json")
    showing.add_parsers(commands)
    estimate.add_parser(commands)
    return parser


def _encode(options: argparse.Namespace) -> None:

    tokenizer = load_tokenizer(options.tokenizer)
    if options.output is not None:
        _encode_to_file(tokenizer, options)
        return
    for name in ("eot", "shard_size", "threads", *READING):
        if getattr(options, name) is not None:
            raise CommandError(f"--{name.replace('_', '-')} needs --output")
    allowed = "all" if options.special == "ids" else ()
    disallowed = "all" if options.special == "refuse" else ()
    for name, file in open_inputs(options.files):
        try:
            ids = tokenizer.encode(
                file.read(), allowed_special=allowed, disallowed_special=disallowed
            )
        except SpecialTokenError as error:
            error.name = name
            raise _special_token(error) from None
        except ValueError as error:
            raise CommandError(f"{name}: {error}") from None
        for start in range(0, len(ids), IDS_AT_ONCE):
            separator = " " if start else ""
            sys.stdout.write(separator + " ".join(map(str, ids[start : start + IDS_AT_ONCE])))
        sys.stdout.write("\n")


def _special_token(error: SpecialTokenError) -> CommandError:
    return CommandError(
        f"{error.place}; give it its own id with --special ids, or encode it as ordinary text with "
        "--special text"
    )


def _encode_to_file(tokenizer: Tokenizer, options: argparse.Namespace) -> None:
    if not options.files:
        raise CommandError("give FILEs to encode into --output")
    reading = reading_of(options)
    begin = time.perf_counter()
    try:
        written = tokenizer.encode_files(
            options.files,
            options.output,
            eot=options.eot,
            shard_size=options.shard_size,
            allowed_special="all" if options.special == "ids" else (),
            disallowed_special="all" if options.special == "refuse" else (),
            n_threads=options.threads,
            errors=options.errors,
            progress=on_terminal() and not options.quiet,
            **reading,
        )
    except SpecialTokenError as error:
        raise _special_token(error) from None
    except ValueError as error:
        raise CommandError(str(error)) from None
    except (OSError, ImportError) as error:
        raise CommandError(describe(error)) from None
    if not options.quiet:
        n_files = len(written.files)
        print(
            f"Encoded in {time.perf_counter() - begin:.1f} s: {written.n_ids} ids of "
            f"{written.dtype} in {n_files} file{'' if n_files == 1 else 's'}.\n"
            f"Saved to {options.output if n_files == 1 else written.files[0]}"
            f"{'' if n_files == 1 else '...'}, described in {written.summary}.",
            file=sys.stderr,
        )


def _decode(options: argparse.Namespace) -> None:
    tokenizer = load_tokenizer(options.tokenizer)
    for name, file in open_inputs(options.files):
        for number, line in enumerate(file, 1):
            try:
                sys.stdout.buffer.write(tokenizer.decode_bytes(_parse_ids(line)))
            except ValueError as error:
                raise CommandError(f"{name}, line {number}: {error}") from None
    sys.stdout.buffer.flush()


def _parse_ids(line: bytes) -> list[int]:
    words = line.split()
    for word in words:
        if not word.isdigit() or len(word) > 10:  # int() takes more, such as 1_000
            raise ValueError(f"{word[:40].decode(errors='replace')!r} is not an id")
    return list(map(int, words))


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    print(f"bpetok: warning: {message}", file=sys.stderr)


def _drop_output() -> None:
    # What is still in the buffer can't be written; Python would try again on its way out.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: object, status: int) -> int:
    print(f"bpetok: error: {' '.join(str(message).split())}", file=sys.stderr)
    return status
