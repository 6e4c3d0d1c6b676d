"""The commands that encode and decode."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import bpetok
from bpetok.base.display import plural, show_bytes
from bpetok.base.files import check_writable
from bpetok.cli.common import (
    FLAGS,
    NAMES,
    READING,
    TIKTOKEN_PATTERN,
    TOKENIZER,
    CommandError,
    add_command,
    add_errors,
    add_reading,
    add_threads,
    count,
    describe,
    failed,
    load_only_tokenizer,
    on_terminal,
    program,
    quoted,
    reading_of,
    standard_output,
)
from bpetok.cli.facts import saved_as
from bpetok.cli.inputs import check_plain, expand_inputs, open_inputs, refuse_ids
from bpetok.cli.next_steps import after_encoding, show_steps

if TYPE_CHECKING:
    from bpetok.encoding.id_files import IdFiles
    from bpetok.tokenizer import Tokenizer

IDS_AT_ONCE = 65_536


def add_parsers(commands: Any) -> None:
    """Add the commands to the subparsers of `bpetok`."""
    encode = add_command(
        commands,
        "encode",
        "[FILE...] --tokenizer TOK.json",
        "text to ids: one line of ids for each input, or --output train.bin",
    )
    _add_inputs(encode)
    encode.add_argument(
        "--tokens",
        action="store_true",
        help="without --output: write tokens as people read them (a space as ␣) instead of ids",
    )
    encode.add_argument(
        "--special",
        choices=("refuse", "ids", "text"),
        default="refuse",
        help="special tokens in the text: refuse them, give them their ids, or treat them as "
        "ordinary text (default: %(default)s)",
    )
    add_errors(encode)
    _add_file_options(encode)
    encode.set_defaults(run=run_encode)
    decode = add_command(
        commands,
        "decode",
        "[FILE...] --tokenizer TOK.json",
        "ids to text: separated by white space, or a TRAIN.bin with its TRAIN.json",
    )
    _add_inputs(decode)
    decode.set_defaults(run=run_decode)


def _add_inputs(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "files", nargs="*", metavar="FILE", help="paths, globs, folders (default: standard input)"
    )
    command.add_argument("--tokenizer", required=True, metavar="TOK.json", help=TOKENIZER)
    command.add_argument("--pattern", help=TIKTOKEN_PATTERN)


def _add_file_options(encode: argparse.ArgumentParser) -> None:
    """Add what says how files of ids are written."""
    group = encode.add_argument_group("files of ids; all but -o need --output")
    group.add_argument(
        "-o",
        "--output",
        metavar="TRAIN.bin",
        help="write ids as uint16 (uint32 where one is larger) and TRAIN.json about them",
    )
    group.add_argument(
        "--eot",
        metavar="TOKEN",
        help="a special token to write after each text, a record or a plain file",
    )
    group.add_argument(
        "--shard-size",
        type=count,
        metavar="N",
        help="at most N ids a file, such as 100M: TRAIN_000000.bin and so on",
    )
    add_threads(group)
    group.add_argument("-q", "--quiet", action="store_true", help="no progress bar, no summary")
    add_reading(encode, "with --output: ")


def run_encode(options: argparse.Namespace) -> None:
    """Write the ids of texts, to standard output or to files of ids."""
    tokenizer = load_only_tokenizer(options)
    if options.output is not None:
        if options.tokens:
            raise CommandError("--tokens is of no use with --output, which is for ids")
        _encode_to_file(tokenizer, options)
        return
    for name in ("eot", "shard_size", "n_threads", *READING):
        if getattr(options, name) is not None:
            raise CommandError(f"{FLAGS[name]} needs --output")
    from bpetok.encoding.texts import replaced

    output = standard_output()
    allowed = "all" if options.special == "ids" else ()
    disallowed = "all" if options.special == "refuse" else ()
    hint = f'; a text itself is read from standard input: echo "..." | {program()} encode ...'
    files = expand_inputs(options.files, hint)
    for name in files:
        _check_plain(name)
    for name, file in open_inputs(files):
        try:
            ids = tokenizer.encode(
                replaced(file.read(), options.errors),
                allowed_special=allowed,
                disallowed_special=disallowed,
            )
        except bpetok.SpecialTokenError as error:
            error.name = name
            raise _special_token(error) from None
        except ValueError as error:
            if file.seekable():  # what the file is says more
                file.seek(0)
                check_plain(file.read(IDS_AT_ONCE), name)
            raise CommandError(f"{name}: {error}") from None
        for start in range(0, len(ids), IDS_AT_ONCE):
            separator = " " if start else ""
            some = ids[start : start + IDS_AT_ONCE]
            shown = map(show_bytes, tokenizer.decode_tokens_bytes(some)) if options.tokens else some
            output.write(separator + " ".join(map(str, shown)))
        output.write("\n")


def _check_plain(name: str) -> None:
    """Refuse files of records, which would be taken for text as they are."""
    if name.lower().endswith((".txt", ".md")) or "." not in name:
        return  # without NumPy
    from bpetok.base.files import ending_of
    from bpetok.sources.compression import ENDINGS
    from bpetok.sources.files import format_of

    refuse_ids(name)
    form = format_of(name)
    packed = ENDINGS.get(ending_of(name))
    if packed is not None or form not in ("text", "json"):
        what = "compressed" if packed is not None else NAMES[form]
        raise CommandError(
            f"{name} is {what}: the texts in it are encoded with --output TRAIN.bin, the file "
            f"itself as one text by < {quoted(name)}"
        )


def _special_token(error: bpetok.SpecialTokenError) -> CommandError:
    return CommandError(
        f"{error.place}; give it its own id with --special ids, or encode it as ordinary text with "
        "--special text"
    )


def _encode_to_file(tokenizer: Tokenizer, options: argparse.Namespace) -> None:
    if not options.files:
        raise CommandError("give FILEs to encode into --output")
    from bpetok.cli.notes import noting

    reading = reading_of(options)
    output = Path(options.output)
    try:
        check_writable(options.output)
        check_writable(output.with_suffix(".json"))
    except (ValueError, OSError) as error:
        raise CommandError(f"--output: {describe(error)}") from None
    replaced = output.exists() or output.with_suffix(".json").exists()
    begin = time.perf_counter()
    try:
        with noting(quiet=options.quiet):
            written = tokenizer.encode_files(
                options.files,
                options.output,
                eot=options.eot,
                shard_size=options.shard_size,
                allowed_special="all" if options.special == "ids" else (),
                disallowed_special="all" if options.special == "refuse" else (),
                n_threads=options.n_threads,
                errors=options.errors,
                progress=on_terminal() and not options.quiet,
                **reading,
            )
    except bpetok.SpecialTokenError as error:
        raise _special_token(error) from None
    except ValueError as error:
        raise CommandError(str(error)) from None
    except (OSError, ImportError) as error:
        raise failed(error) from None
    if not options.quiet:
        print(_summary(written, replaced, time.perf_counter() - begin), file=sys.stderr)
        show_steps(after_encoding(options, tokenizer))


def _summary(written: IdFiles, replaced: bool, seconds: float) -> str:
    n_files = len(written.files)
    saved = saved_as(f"{written.files[0]}{'...' * (n_files > 1)}", n_files * replaced)
    return (
        f"Encoded in {seconds:.1f} s: {plural(written.n_ids, 'id')} of {written.dtype} in "
        f"{plural(n_files, 'file')}.\n"
        f"Saved to {saved}, described in {written.summary}."
    )


def run_decode(options: argparse.Namespace) -> None:
    """Write the text of ids to standard output."""
    output = standard_output().buffer
    tokenizer = load_only_tokenizer(options)
    hint = f'; ids themselves are read from standard input: echo "1 2" | {program()} decode ...'
    for name, file in open_inputs(expand_inputs(options.files, hint)):
        if name.endswith(".bin"):
            _decode_file(tokenizer, Path(name), output)
            continue
        for number, line in enumerate(file, 1):
            try:
                output.write(tokenizer.decode_bytes(_parse_ids(line)))
            except ValueError as error:
                raise CommandError(f"{name}, line {number}: {error}") from None
    output.flush()


def _decode_file(tokenizer: Tokenizer, path: Path, output: BinaryIO) -> None:
    """Write the text of a file of ids that `bpetok encode --output` has written."""
    from bpetok.encoding.id_files import map_ids

    try:
        ids = map_ids(path, tokenizer.vocabulary_sha256)
    except (OSError, ValueError) as error:
        raise CommandError(describe(error)) from None
    for start in range(0, len(ids), IDS_AT_ONCE):
        try:
            output.write(tokenizer.decode_bytes(ids[start : start + IDS_AT_ONCE]))
        except ValueError as error:
            raise CommandError(f"{path}: {error}; was it written with this tokenizer?") from None


def _parse_ids(line: bytes) -> list[int]:
    words = line.split()
    for word in words:
        if not word.isdigit() or len(word) > 10:  # int() takes more, such as 1_000
            raise ValueError(
                f"{word[:40].decode(errors='replace')!r} is not an id: give whole numbers, "
                "separated by white space"
            )
    return list(map(int, words))
