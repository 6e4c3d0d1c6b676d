"""``python -m benchmarks``: arguments, and what each command does."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import commands, encoding
from benchmarks.corpus import Corpus, demo_files, open_corpus
from benchmarks.environments import InstallError, default_cache
from benchmarks.measure import JobError
from benchmarks.patterns import PATTERNS
from benchmarks.records import RunFolder
from benchmarks.report import write_report
from benchmarks.roster import ENCODERS, TRAINERS, Ready, chosen, install
from benchmarks.tasks import Settings

INTERRUPTED = 130
COMMANDS = {
    "train": "compare what trainers learn, then their time and memory",
    "encode": "compare the ids of encoders that load one vocabulary, then their time and memory",
    "stages": "seconds for each stage of bpetok",
    "scaling": "time and memory as the corpus and the threads grow",
    "all": "train, scaling, stages and encode, into one report",
}


def parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    top = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    kinds = top.add_subparsers(dest="command", required=True)
    for name, summary in COMMANDS.items():
        sub = kinds.add_parser(name, help=summary, description=summary)
        for flag, details in OPTIONS.items():
            sub.add_argument(flag, **details)
        if name == "stages":
            sub.set_defaults(contenders="bpetok")
    report = kinds.add_parser(
        "report", help="write report.md and the plots again from a run's records"
    )
    report.add_argument("output", type=Path, metavar="DIR")
    return top


def _interpreter(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if name not in (*TRAINERS, *ENCODERS) or not Path(path).is_file():
        raise argparse.ArgumentTypeError(f"must be NAME=INTERPRETER, got {text!r}")
    return name, Path(path).absolute()


def _threads(text: str) -> list[int]:
    numbers = sorted({int(part) for part in text.split(",")})
    if numbers[0] < 1:
        raise argparse.ArgumentTypeError(f"threads must be at least 1, got {text!r}")
    return numbers


OPTIONS: dict[str, dict[str, Any]] = {
    "--corpus": {
        "type": Path,
        "nargs": "+",
        "metavar": "FILE",
        "help": "UTF-8 text (default: bpetok's sample)",
    },
    "--output": {
        "type": Path,
        "required": True,
        "metavar": "DIR",
        "help": "records and report; a run that is there goes on",
    },
    "--vocab-size": {
        "type": int,
        "default": 32_000,
        "metavar": "N",
        "help": "bytes, merges and special tokens (default 32000)",
    },
    "--contenders": {"default": "all", "metavar": "NAMES", "help": "all, or names with commas"},
    "--threads": {
        "type": _threads,
        "default": [1, 2],
        "metavar": "N,N",
        "help": "numbers of threads (default 1,2)",
    },
    "--repeats": {
        "type": int,
        "default": 3,
        "metavar": "N",
        "help": "measurements of each (default 3)",
    },
    "--pattern": {
        "choices": list(PATTERNS),
        "default": "gpt2",
        "help": "split pattern (default gpt2)",
    },
    "--special-token": {
        "action": "append",
        "metavar": "TOKEN",
        "help": "repeatable (default <|endoftext|>)",
    },
    "--reference": {
        "default": "bpetok",
        "metavar": "NAME",
        "help": "whose merges the others are compared with (default bpetok)",
    },
    "--timeout": {
        "type": float,
        "default": 3600.0,
        "metavar": "SECONDS",
        "help": "for one process (default 3600)",
    },
    "--cache": {
        "type": Path,
        "default": default_cache(),
        "metavar": "DIR",
        "help": f"environments (default {default_cache()})",
    },
    "--python": {
        "type": _interpreter,
        "action": "append",
        "default": [],
        "metavar": "NAME=INTERPRETER",
        "help": "where a contender is installed already",
    },
}
"""The options of all measuring commands."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    options = parser().parse_args(arguments)
    try:
        if options.command == "report":
            if not (options.output / "records.jsonl").exists():
                raise ValueError(
                    f"{options.output} holds no records.jsonl: give the --output of a run"
                )
        else:
            measure(options)
    except KeyboardInterrupt:
        print(
            f"interrupted: the same command goes on from what {options.output} holds",
            file=sys.stderr,
        )
        return INTERRUPTED
    except (ValueError, OSError, InstallError, JobError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(write_report(options.output))
    return 0


def measure(options: argparse.Namespace) -> None:
    """Install the contenders and run the command's measurements."""
    command = options.command
    if options.repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {options.repeats}")
    settings = _settings(options)
    folder = RunFolder(options.output)
    check_same_request(folder, settings)
    trains = [] if command == "encode" else _install(options, folder, TRAINERS, "train")
    if command in ("train", "all"):
        commands.run_train(trains, folder, settings, options.reference)
    if command in ("scaling", "all"):
        commands.run_scaling(trains, folder, settings)
    if command in ("stages", "all"):
        commands.run_stages(trains, folder, settings)
    if command in ("encode", "all"):
        encoders = _install(options, folder, ENCODERS, "encode")
        vocabulary = encoding.train_vocabulary(_ready("tokenizers", options), settings)
        encoding.run_encode(encoders, folder, settings, vocabulary)


def check_same_request(folder: RunFolder, settings: Settings) -> None:
    """Refuse to put two corpora, vocabularies or patterns into one report."""
    asked: dict[str, object] = {
        "corpus": settings.corpus.digest,
        "special_tokens": list(settings.corpus.special_tokens),
        "vocab_size": settings.vocab_size,
        "pattern": settings.pattern,
    }
    for record in folder.records:
        if record["kind"] in ("check", "check ids", "stages"):
            other = [name for name, value in asked.items() if record[name] != value]
            if other:
                raise ValueError(
                    f"{folder.folder} holds a run with another {', '.join(other)}: "
                    "give another --output"
                )


def _settings(options: argparse.Namespace) -> Settings:
    least = 256 + len(options.special_token or [""])
    if options.vocab_size < least:
        raise ValueError(
            f"vocab_size must be at least 256 + special tokens = {least}, got {options.vocab_size}"
        )
    return Settings(
        corpus=_corpus(options),
        vocab_size=options.vocab_size,
        pattern=options.pattern,
        threads=options.threads,
        repeats=options.repeats,
        timeout=options.timeout,
        cache=options.cache.resolve(),
    )


def _corpus(options: argparse.Namespace) -> Corpus:
    special_tokens = options.special_token or ["<|endoftext|>"]
    return open_corpus(
        options.corpus or demo_files(_ready("bpetok", options).python), special_tokens
    )


def _ready(name: str, options: argparse.Namespace) -> Ready:
    """Install one contender that the command can't do without."""
    ready, missing = install([name], options.cache.resolve(), dict(options.python), _tell)
    if missing:
        raise InstallError(f"{name} is needed and can't be installed: {missing[name]}")
    return ready[0]


def _install(
    options: argparse.Namespace, folder: RunFolder, known: Sequence[str], kind: str
) -> list[Ready]:
    """Install the contenders asked for; record the ones that can't be."""
    all_names = list(dict.fromkeys((*TRAINERS, *ENCODERS)))
    names = chosen(options.contenders, all_names if options.command == "all" else known)
    names = [name for name in names if name in known]
    ready, missing = install(names, options.cache.resolve(), dict(options.python), _tell)
    failed_before = {r["contender"] for r in folder.records if r["kind"] == f"install {kind}"}
    for name in names:
        if name in missing:
            folder.add({"kind": f"install {kind}", "contender": name, "error": missing[name]})
        elif name in failed_before:
            folder.add({"kind": f"install {kind}", "contender": name})
    return ready


def _tell(message: str) -> None:
    print(message, file=sys.stderr)
