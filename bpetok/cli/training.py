"""The commands that learn: train, count, merge-counts."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpetok
from bpetok.base.display import show_size
from bpetok.base.limits import DEFAULT_PATTERN
from bpetok.cli.balance import add_balance, balance_of
from bpetok.cli.common import (
    FLAGS,
    READING,
    CommandError,
    add_command,
    add_errors,
    add_reading,
    add_threads,
    count,
    describe,
    failed,
    load_tokenizer,
    on_terminal,
    quoted,
    reading_of,
    say,
    standard_output,
    weight,
    whole,
)
from bpetok.cli.completion import complete_with, pattern_names, trainer_names
from bpetok.cli.facts import (
    Inputs,
    counting_facts,
    counting_summary,
    training_facts,
    training_summary,
    write_json,
)
from bpetok.cli.inputs import say_if_waiting
from bpetok.cli.next_steps import after_counting, after_training, show_steps
from bpetok.cli.showing import check_training_report, save_training_report
from bpetok.cli.superwords import add_superwords, superwords_of

if TYPE_CHECKING:
    from bpetok.base.progress import Progress
    from bpetok.cli.notes import Notes
    from bpetok.counting.words import Words
    from bpetok.tokenizer import Tokenizer

FILES = (
    "text in UTF-8, JSON lines, Parquet, Arrow: paths, globs, folders, URLs; - is standard input"
)


EXAMPLES = """examples:
  bpetok train corpus/*.txt --vocab-size 32k -o tok.json \\
      --special-token "<|endoftext|>"
  bpetok train chats.jsonl.zst --text-column "messages[].content" -o tok.json
"""


def add_parsers(commands: Any) -> None:
    """Add the commands to the subparsers of `bpetok`."""
    _add_train(commands)
    _add_count(commands)
    _add_merge_counts(commands)


def _add_train(commands: Any) -> None:
    train = add_command(
        commands, "train", "FILE... -o TOK.json", "learn a tokenizer from files", examples=EXAMPLES
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
    add_superwords(train)
    add_balance(train)
    group = train.add_argument_group("output")
    group.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="TOK.json",
        help="where to save; a file that is there is replaced",
    )
    group.add_argument(
        "--report", metavar="FILE.html", help="write a page on how good it is on the FILEs"
    )
    _add_quiet_options(group)
    _add_count_options(train)
    train.set_defaults(run=_train)


def _add_vocabulary_options(group: argparse._ArgumentGroup) -> None:
    # Long: a list of options.
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
        "--max-token-length", type=count, metavar="N", help="the longest token in bytes"
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
        "--final-token",
        action="append",
        metavar="S",
        dest="final_tokens",
        help="a token that is part of no other, if it is made; may be given several times",
    )
    compat = group.add_argument(
        "--compat",
        metavar="TRAINER",
        help="learn the merges that another trainer learns: huggingface, rustbpe, bpeasy, minbpe "
        "or cs336; bpetok are those of this one, the default but with --like",
    )
    complete_with(compat, trainer_names)
    group.add_argument(
        "--initial", metavar="TOKENIZER", help="keep the ids of this tokenizer and learn more"
    )
    group.add_argument(
        "--initial-token",
        action="append",
        metavar="S",
        dest="initial_tokens",
        help="a token that there must be, whatever the text; may be given several times",
    )
    group.add_argument(
        "--special-ids",
        choices=("first", "last"),
        default="last",
        help="where the ids of special tokens are, before all others or after (default: last)",
    )
    group.add_argument(
        "--reserved",
        nargs=2,
        action="append",
        metavar=("NAME", "N"),
        help="N special tokens for later, after the others, with their number in the place of {} "
        "in NAME, such as '<|reserved_{}|>' 64; may be given several times",
    )
    group.add_argument(
        "--like",
        metavar="TOKENIZER",
        help="a tokenizer, or a folder with a tokenizer.json: take all of it but its merges",
    )


def _add_count(commands: Any) -> None:
    count = add_command(
        commands,
        "count",
        "FILE... -o COUNTS.parquet",
        "count the words of files, to train on later",
    )
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
    merge = add_command(
        commands,
        "merge-counts",
        "COUNTS.parquet... -o COUNTS.parquet",
        "add counts up, with weights if wanted",
    )
    merge.add_argument("files", nargs="+", metavar="COUNTS.parquet")
    merge.add_argument(
        "-o", "--output", required=True, metavar="COUNTS.parquet", help="where to save"
    )
    merge.add_argument(
        "--weight",
        type=weight,
        action="append",
        metavar="W",
        dest="weights",
        help="what to multiply the counts of a file by: once for each file, in their order",
    )
    _add_split_options(merge)
    merge.add_argument("-q", "--quiet", action="store_true", help="no summary")
    _add_json(merge)
    merge.set_defaults(run=_merge_counts)


def _add_split_options(command: argparse.ArgumentParser) -> None:
    """Add what says how text is split; files of counts say it themselves, most of them."""
    group = command.add_argument_group("text")
    pattern = group.add_argument(
        "--pattern",
        help="what splits text into words: the name of a pattern, or a regular expression "
        "(default: that of the counts, otherwise gpt2)",
    )
    complete_with(pattern, pattern_names)
    group.add_argument(
        "--normalizer",
        metavar="NFKC",
        help="what texts become before they are split: NFC, NFD, NFKC, NFKD, Lowercase, Strip, "
        "StripAccents, or steps as JSON (default: that of the counts, otherwise none)",
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
    group.add_argument("-q", "--quiet", action="store_true", help="no progress bar, no summary")
    _add_json(group)


def _add_json(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--json",
        action="store_true",
        help="write facts as JSON to standard output, in the place of the summary",
    )


def _add_count_options(command: argparse.ArgumentParser) -> None:
    """Add what says how text is counted."""
    group = command.add_argument_group("bytes that are wrong")
    group.add_argument(
        "--unmatched",
        choices=("error", "word", "drop"),
        help="text that the expression does not match (default: error, or as --compat does)",
    )
    add_errors(group)
    group = command.add_argument_group("resources")
    add_threads(group)
    group.add_argument(
        "--max-memory",
        metavar="SIZE",
        help="bytes that counting and learning may take, such as 4G (10^9) or 4GiB (2^30); more "
        "goes to files in $TMPDIR",
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
    reserved = _reserved(options)
    check_training_report(options)
    inputs = (
        _check_output(options, options.counts, "counts")
        if options.counts
        else _check_output(options, options.files, options.format)
    )
    from bpetok.cli.notes import noting

    begin = time.perf_counter()
    train = _trained_on_counts if options.counts else _trained_on_files
    try:
        with noting(quiet=options.quiet) as notes:
            tokenizer = train(options, reserved)
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise failed(error) from None
    seconds = time.perf_counter() - begin
    try:
        tokenizer.save(options.output)
    except OSError as error:
        raise CommandError(describe(error), status=1) from None
    options.saved = options.output
    if options.json:
        write_json(training_facts(tokenizer, inputs, notes, seconds))
    elif not options.quiet:
        print(training_summary(tokenizer, inputs, seconds), file=sys.stderr)
    if options.report is not None:
        save_training_report(tokenizer, options)
    if not options.quiet and not options.json:
        show_steps(after_training(options, tokenizer, notes.unseen))


def _check_not_counting(options: argparse.Namespace) -> None:
    """Refuse options that would have no effect, since the words are counted already."""
    given = [name for name in (*READING, "unmatched") if getattr(options, name) is not None]
    if options.errors != "strict":
        given.append("errors")
    if superwords_of(options) is not None:
        raise CommandError("--superwords reads text, not --counts: give FILEs")
    if given:
        raise CommandError(
            f"{FLAGS[given[0]]} is of no use with --counts, which are counted already"
        )


def _reserved(options: argparse.Namespace) -> list[bpetok.Reserved]:
    """Return the special tokens for later."""
    try:
        return [bpetok.Reserved(name, whole(n)) for name, n in options.reserved or ()]
    except argparse.ArgumentTypeError as error:
        raise CommandError(f"--reserved NAME N: N {error}") from None


def _trained_on_files(options: argparse.Namespace, reserved: list[bpetok.Reserved]) -> Tokenizer:
    counting = _count_options(options)
    counting["special_tokens"] = [*counting["special_tokens"], *reserved]
    return bpetok.train(
        options.files,
        pattern=options.pattern,
        normalizer=options.normalizer,
        unmatched=options.unmatched,
        superwords=superwords_of(options),
        balance=balance_of(options),
        **counting,
        **_learn_options(options),
    )


def _trained_on_counts(options: argparse.Namespace, reserved: list[bpetok.Reserved]) -> Tokenizer:
    load = partial(bpetok.Words.load, pattern=options.pattern, normalizer=options.normalizer)
    balance = balance_of(options, load)
    counted = [load(options.counts)] if balance is None else [*map(load, options.counts)]
    words = counted[0]
    given = options.special_tokens
    left_out = [] if given is None else [name for name in words.special_tokens if name not in given]
    if left_out:
        raise CommandError(
            f"the words were counted with --special-token {quoted(left_out[0])}: only what "
            "was counted alike can be used together; give it, too, or none for those of the counts"
        )
    return bpetok.train_from_words(
        words if balance is None else counted,
        balance=balance,
        special_tokens=[*(words.special_tokens if given is None else given), *reserved],
        n_threads=options.n_threads,
        **_bounds(options),
        progress=_progress(options),
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
        "like": None if options.like is None else load_tokenizer(options.like, name="--like"),
        "initial_tokens": options.initial_tokens or (),
        "special_ids": options.special_ids,
    }


def _merge_filter(options: argparse.Namespace) -> bpetok.MergeFilter | None:
    given = bpetok.MergeFilter(
        options.whole_characters, options.forbid, tuple(options.final_tokens or ())
    )
    return None if given == bpetok.MergeFilter() else given


def _count_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `bpetok.count_words` and `bpetok.train` that are about counting."""
    return {
        "special_tokens": options.special_tokens or (),
        "n_threads": options.n_threads,
        "errors": options.errors,
        "progress": _progress(options),
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


def _progress(options: argparse.Namespace) -> Progress:
    if options.quiet:
        return False
    return _say_memory if options.no_progress or not on_terminal() else True


def _say_memory(phase: str, _: int, total: int | None) -> None:
    """Say what stage 2 of superwords will take before it begins, where there are no bars."""
    if phase == "memory":
        say("note", f"superwords: up to {show_size(total or 0)} of memory")


def _load_words(files: str | list[str], options: argparse.Namespace) -> Words:
    return bpetok.Words.load(
        files,
        pattern=options.pattern,
        special_tokens=options.special_tokens,
        normalizer=options.normalizer,
    )


def _note_commas(options: argparse.Namespace) -> None:
    """Say that a special token with a comma, which may be meant as a list, is one."""
    for token in options.special_tokens or ():
        if "," in token.strip(",") and not options.quiet:
            option = f"--special-token {quoted(token)}"
            say("note", f"{option} is one token: give the option once for each")


def _check_output(options: argparse.Namespace, inputs: list[str], form: str | None) -> Inputs:
    """Make sure, before any work, that the results can be written and are no input.

    `form` is what the inputs are, None if their names say it.
    """
    from bpetok.base.extras import load_numpy
    from bpetok.base.files import check_folder, check_no_input, check_writable

    load_numpy()
    from bpetok.sources.files import STANDARD_INPUT, format_of, local_files, resolve_files

    if options.json:
        standard_output()
    output = options.output
    try:
        check_writable(output)
    except (ValueError, OSError) as error:
        raise CommandError(f"--output: {describe(error)}") from None
    checkpoint = getattr(options, "checkpoint", None)
    if checkpoint is not None and not Path(checkpoint).is_file():  # which has an error of its own
        try:
            check_folder(checkpoint)
        except (ValueError, OSError) as error:
            raise CommandError(f"--checkpoint: {describe(error)}") from None
    try:
        paths = resolve_files(inputs)
        read = resolve_files([*inputs, *(getattr(options, "balance_development", None) or ())])
        for path in filter(None, [output, getattr(options, "report", None)]):
            check_no_input(path, local_files(read))
    except (ValueError, OSError, ImportError) as error:
        raise failed(error) from None
    _note_commas(options)
    if STANDARD_INPUT in paths:
        say_if_waiting()
    formats = Counter(form or format_of(path) for path in paths)
    return Inputs(formats, output, Path(output).exists())


def _count(options: argparse.Namespace) -> None:
    import bpetok.counting.tables  # says before any work if pyarrow is missing
    from bpetok.cli.notes import noting

    inputs = _check_output(options, options.files, options.format)
    begin = time.perf_counter()
    try:
        with noting(quiet=options.quiet) as notes:
            words = bpetok.count_words(
                options.files,
                pattern=options.pattern or DEFAULT_PATTERN,
                normalizer=options.normalizer,
                unmatched=options.unmatched or "error",
                **_count_options(options),
            )
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise failed(error) from None
    _save_words(words, options, inputs, notes, begin)


def _merge_counts(options: argparse.Namespace) -> None:
    weights = options.weights
    if weights is not None and len(weights) != len(options.files):
        raise CommandError(
            f"give --weight for each of the {len(options.files)} files, or none; got {len(weights)}"
        )
    from bpetok.cli.notes import noting

    inputs = _check_output(options, options.files, "counts")
    begin = time.perf_counter()
    try:
        with noting(quiet=options.quiet) as notes:
            if weights is None:
                words = _load_words(options.files, options)
            else:
                sources = [_load_words(file, options) for file in options.files]
                words = bpetok.Words.combine(zip(sources, weights, strict=True))
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise failed(error) from None
    _save_words(words, options, inputs, notes, begin)


def _save_words(
    words: Words,
    options: argparse.Namespace,
    inputs: Inputs,
    notes: Notes,
    begin: float,
) -> None:
    try:
        words.save(options.output)
    except OSError as error:
        raise CommandError(describe(error), status=1) from None
    seconds = time.perf_counter() - begin
    if options.json:
        write_json(counting_facts(words, inputs, notes, seconds))
    elif not options.quiet:
        done = f"{'Counted' if options.run is _count else 'Added up'} in {seconds:.1f} s"
        print(counting_summary(words, inputs, done), file=sys.stderr)
        show_steps(after_counting(options) if len(words) else [])
