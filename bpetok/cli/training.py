"""The commands that learn: train, count, merge-counts."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpetok
from bpetok.cli.common import (
    READING,
    CommandError,
    add_reading,
    count,
    describe,
    load_tokenizer,
    on_terminal,
    plural,
    program,
    reading_of,
)
from bpetok.cli.showing import check_training_report, save_training_report

if TYPE_CHECKING:
    from bpetok.counting.words import Words
    from bpetok.tokenizer import Tokenizer

FILES = (
    "text in UTF-8, JSON lines, Parquet, Arrow: paths, globs, folders, URLs; - is standard input"
)


EXAMPLES = """examples:
  bpetok train corpus/*.txt --vocab-size 32k --special-token "<|endoftext|>" -o tok.json
  bpetok train chats.jsonl.zst --text-column "messages[].content" --max-memory 4GB -o tok.json
"""


def add_parsers(commands: Any) -> None:
    """Add the commands to the subparsers of `bpetok`."""
    _add_train(commands)
    _add_count(commands)
    _add_merge_counts(commands)


def _add_train(commands: Any) -> None:
    train = commands.add_parser(
        "train",
        help="learn a tokenizer from files",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    group = train.add_argument_group("input")
    group.add_argument("files", nargs="*", metavar="FILE", help=FILES)
    group.add_argument(
        "--counts",
        nargs="+",
        metavar="COUNTS.parquet",
        help="train on words that were counted before, instead of FILEs",
    )
    group.add_argument(
        "--demo",
        action="store_true",
        help="train on the sources of Python's own standard library instead of FILEs",
    )
    add_reading(train)
    _add_vocabulary_options(train.add_argument_group("vocabulary"))
    _add_split_options(train)
    group = train.add_argument_group("output")
    group.add_argument(
        "-o", "--output", required=True, metavar="TOK.json", help="where to save; replaced"
    )
    group.add_argument(
        "--report", metavar="FILE.html", help="write a page on how good it is on the FILEs"
    )
    _add_quiet_options(group)
    _add_count_options(train)
    train.set_defaults(run=_train)


def _add_vocabulary_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--vocab-size",
        type=count,
        default=32_000,
        metavar="N",
        help="bytes + merges + special tokens, such as 32000 or 32k (default: %(default)s)",
    )
    group.add_argument(
        "--min-frequency",
        type=count,
        default=1,
        metavar="N",
        help="stop when the most frequent pair occurs less often (default: %(default)s)",
    )
    group.add_argument(
        "--max-token-length", type=int, metavar="N", help="the longest token in bytes"
    )
    group.add_argument(
        "--whole-characters",
        action="store_true",
        help="make no token of a part of one character and something else",
    )
    group.add_argument(
        "--forbid",
        metavar="EXPRESSION",
        help=r"make no token in which this expression finds something, such as '\p{L}\p{N}'",
    )
    group.add_argument(
        "--compat",
        metavar="TRAINER",
        help="learn the merges that another trainer learns: huggingface, rustbpe, bpeasy, minbpe "
        "or cs336",
    )
    group.add_argument(
        "--initial", metavar="TOKENIZER", help="keep the ids of this tokenizer and learn more"
    )
    group.add_argument(
        "--superwords",
        type=count,
        metavar="N",
        help="after N ids learn tokens of several words, as SuperBPE does; FILEs are read twice",
    )


def _add_count(commands: Any) -> None:
    count = commands.add_parser("count", help="count the words of files, to train on later")
    group = count.add_argument_group("input")
    group.add_argument("files", nargs="+", metavar="FILE", help=FILES)
    add_reading(count)
    _add_split_options(count)
    group = count.add_argument_group("output")
    group.add_argument(
        "-o", "--output", required=True, metavar="COUNTS.parquet", help="where to save"
    )
    _add_quiet_options(group)
    _add_count_options(count)
    count.set_defaults(run=_count)


def _add_merge_counts(commands: Any) -> None:
    merge = commands.add_parser("merge-counts", help="add counts up, with weights if wanted")
    merge.add_argument("files", nargs="+", metavar="COUNTS.parquet")
    merge.add_argument(
        "-o", "--output", required=True, metavar="COUNTS.parquet", help="where to save"
    )
    merge.add_argument(
        "--weight",
        type=float,
        action="append",
        metavar="W",
        dest="weights",
        help="what to multiply the counts of a file by: once for each file, in their order",
    )
    _add_split_options(merge)
    merge.add_argument("--quiet", action="store_true", help="no summary")
    merge.set_defaults(run=_merge_counts)


def _add_split_options(command: argparse.ArgumentParser) -> None:
    """Add what says how text is split; files of counts say it themselves, most of them."""
    group = command.add_argument_group("text")
    group.add_argument(
        "--pattern",
        help="what splits text into words: the name of a pattern, or a regular expression "
        "(default: that of the counts, otherwise gpt2)",
    )
    group.add_argument(
        "--special-token",
        action="append",
        metavar="S",
        dest="special_tokens",
        help="a token that is never split or counted; may be given several times",
    )


def _add_quiet_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--no-progress", action="store_true", help="no progress bar")
    group.add_argument("--quiet", action="store_true", help="no progress bar, no summary")


def _add_count_options(command: argparse.ArgumentParser) -> None:
    """Add what says how text is counted."""
    group = command.add_argument_group("bytes that are wrong")
    group.add_argument(
        "--unmatched",
        choices=("error", "word", "drop"),
        help="text that the expression does not match (default: error, or as --compat does)",
    )
    group.add_argument(
        "--errors",
        choices=("strict", "replace"),
        default="strict",
        help="text that is not UTF-8: refuse it or replace what is wrong (default: %(default)s)",
    )
    group = command.add_argument_group("resources")
    group.add_argument(
        "--threads", type=int, metavar="N", help="default: $BPETOK_NUM_THREADS, otherwise all CPUs"
    )
    group.add_argument(
        "--max-memory",
        metavar="SIZE",
        help="what counting and learning may take, such as 4GB; more goes to files in $TMPDIR",
    )
    group.add_argument(
        "--min-word-count",
        metavar="N",
        default="1",
        help='leave out words that occur less often; "auto": as many as --max-memory demands',
    )
    group.add_argument(
        "--checkpoint",
        metavar="DIR",
        help="a folder that keeps what is done: after an interruption the same command goes on",
    )


def _train(options: argparse.Namespace) -> None:
    if bool(options.files) + options.demo + bool(options.counts) > 1:
        raise CommandError("give FILEs, --counts or --demo, only one of them")
    if options.demo:
        from bpetok.base.demo import demo_files

        options.files = demo_files()
    if not options.files and not options.counts:
        raise CommandError("give FILEs to train on, or --counts, or --demo")
    if options.counts:
        _check_not_counting(options)
    check_training_report(options)
    replaces = _check_output(options.output, options.counts or options.files)
    _note_commas(options)
    begin = time.perf_counter()
    try:
        tokenizer = _trained_on_counts(options) if options.counts else _trained_on_files(options)
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise CommandError(describe(error)) from None
    seconds = time.perf_counter() - begin
    try:
        tokenizer.save(options.output)
    except OSError as error:
        raise CommandError(describe(error), status=1) from None
    if not options.quiet:
        print(_summary(tokenizer, seconds, options, replaces), file=sys.stderr)
    if options.report is not None:
        save_training_report(tokenizer, options)


def _check_not_counting(options: argparse.Namespace) -> None:
    """Refuse options that would have no effect, since the words are counted already."""
    given = [name for name in (*READING, "unmatched") if getattr(options, name) is not None]
    if options.errors != "strict":
        given.append("errors")
    if options.superwords is not None:
        raise CommandError("--superwords reads text, not --counts: give FILEs")
    if given:
        raise CommandError(
            f"--{given[0].replace('_', '-')} is of no use with --counts, which are counted already"
        )


def _trained_on_files(options: argparse.Namespace) -> Tokenizer:
    return bpetok.train(
        options.files,
        pattern=options.pattern,
        unmatched=options.unmatched,
        superwords=None if options.superwords is None else bpetok.Superwords(options.superwords),
        **_count_options(options),
        **_learn_options(options),
    )


def _trained_on_counts(options: argparse.Namespace) -> Tokenizer:
    return bpetok.train_from_words(
        _load_words(options.counts, options),
        n_threads=options.threads,
        **_bounds(options),
        progress=_wants_progress(options),
        checkpoint=options.checkpoint,
        **_learn_options(options),
    )


def _learn_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `bpetok.train` that are about learning."""
    initial = options.initial
    if initial is not None:
        initial = load_tokenizer(initial, options.pattern, "--initial")
    return {
        "vocab_size": options.vocab_size,
        "min_frequency": options.min_frequency,
        "max_token_length": options.max_token_length,
        "merge_filter": _merge_filter(options),
        "compat": options.compat,
        "initial": initial,
    }


def _merge_filter(options: argparse.Namespace) -> bpetok.MergeFilter | None:
    if not options.whole_characters and options.forbid is None:
        return None
    return bpetok.MergeFilter(utf8=options.whole_characters, forbid=options.forbid)


def _count_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `bpetok.count_words` and `bpetok.train` that are about counting."""
    return {
        "special_tokens": options.special_tokens or (),
        "n_threads": options.threads,
        "errors": options.errors,
        "progress": _wants_progress(options),
        "checkpoint": options.checkpoint,
        **_bounds(options),
        **reading_of(options),
    }


def _bounds(options: argparse.Namespace) -> dict[str, Any]:
    least = options.min_word_count
    return {
        "max_memory": options.max_memory,
        "min_word_count": int(least) if least.isdigit() else least,
    }


def _wants_progress(options: argparse.Namespace) -> bool:
    return on_terminal() and not (options.quiet or options.no_progress)


def _load_words(files: str | list[str], options: argparse.Namespace) -> Words:
    return bpetok.Words.load(files, pattern=options.pattern, special_tokens=options.special_tokens)


def _note_commas(options: argparse.Namespace) -> None:
    """Say that a special token with a comma, which may be meant as a list, is one."""
    for token in options.special_tokens or ():
        if "," in token.strip(",") and not options.quiet:
            print(
                f"bpetok: note: --special-token {shlex.quote(token)} is one token: give the option "
                "once for each",
                file=sys.stderr,
            )


def _check_output(output: str, inputs: list[str]) -> str:
    """Make sure, before any work, that the output can be written and is no input.

    Returns what to say in the end of a file that was there before.
    """
    from bpetok.base.files import check_no_input, check_writable
    from bpetok.sources.files import local_files, resolve_files

    try:
        check_writable(output)
    except OSError as error:
        raise CommandError(f"--output: {describe(error)}") from None
    try:
        check_no_input(output, local_files(resolve_files(inputs)))
    except (ValueError, OSError, ImportError) as error:
        raise CommandError(describe(error)) from None
    return ", in the place of the file that was there" if Path(output).exists() else ""


def _count(options: argparse.Namespace) -> None:
    import bpetok.counting.tables  # says before any work if pyarrow is missing

    replaces = _check_output(options.output, options.files)
    _note_commas(options)
    begin = time.perf_counter()
    try:
        words = bpetok.count_words(
            options.files,
            pattern=options.pattern or "gpt2",
            unmatched=options.unmatched or "error",
            **_count_options(options),
        )
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise CommandError(describe(error)) from None
    _save_words(words, options, f"Counted in {time.perf_counter() - begin:.1f} s", replaces)


def _merge_counts(options: argparse.Namespace) -> None:
    weights = options.weights
    if weights is not None and len(weights) != len(options.files):
        raise CommandError(
            f"give --weight for each of the {len(options.files)} files, or none; got {len(weights)}"
        )
    replaces = _check_output(options.output, options.files)
    _note_commas(options)
    begin = time.perf_counter()
    try:
        if weights is None:
            words = _load_words(options.files, options)
        else:
            sources = [_load_words(file, options) for file in options.files]
            words = bpetok.Words.combine(zip(sources, weights, strict=True))
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise CommandError(describe(error)) from None
    _save_words(words, options, f"Added up in {time.perf_counter() - begin:.1f} s", replaces)


def _save_words(words: Words, options: argparse.Namespace, done: str, replaces: str) -> None:
    try:
        words.save(options.output)
    except OSError as error:
        raise CommandError(describe(error), status=1) from None
    if not options.quiet:
        print(
            f"{done} and saved to {options.output}{replaces}: {words.total:,} words, "
            f"{len(words):,} different ones, {words.n_bytes / 1e6:,.2f} MB of text.\n"
            "Next:\n"
            f"  {program()} train --counts {shlex.quote(options.output)} --output tok.json",
            file=sys.stderr,
        )


def _summary(
    tokenizer: Tokenizer, seconds: float, options: argparse.Namespace, replaces: str
) -> str:
    from bpetok.base.display import show_size

    facts = tokenizer.training
    assert facts is not None  # it has just been trained
    n_special = len(tokenizer.special_tokens)
    n_merges = len(tokenizer.merges)
    phases = ", ".join(f"{phase} {spent:.2f} s" for phase, spent in facts.seconds.items())
    return (
        f"Trained in {seconds:.1f} s ({phases}) and saved to {options.output}{replaces}.\n"
        f"  vocabulary   {tokenizer.vocab_size:,} ids = 256 bytes + {plural(n_merges, 'merge')} + "
        f"{plural(n_special, 'special token')}\n"
        f"  text         {show_size(facts.n_bytes)}, {facts.n_words:,} words, "
        f"{facts.n_unique_words:,} different ones\n"
        f"  compression  {facts.bytes_per_token:.2f} bytes a token, "
        f"{facts.n_tokens / facts.n_words:.2f} tokens a word\n"
        "Next:\n"
    ) + "\n".join(f"  {line}" for line in _next_steps(options))


def _next_steps(options: argparse.Namespace) -> list[str]:
    """Return commands that run as they are printed."""
    name, called = shlex.quote(options.output), program()
    folder = shlex.quote(str(Path(options.output).with_suffix("")))
    return [
        f'{called} explain "Hello world" --tokenizer {name}',
        f'echo "Hello world" | {called} encode --tokenizer {name}',
        f"{called} export {name} --to tiktoken -o {folder}.tiktoken",
    ]
