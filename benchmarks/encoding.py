"""The ``encode`` command: one vocabulary for all, ids compared before time is."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.byte_level import to_text
from benchmarks.interface import EncodeJob, Output
from benchmarks.measure import run_job
from benchmarks.merges import read_merges
from benchmarks.patterns import PATTERNS
from benchmarks.records import Record, RunFolder, key
from benchmarks.roster import Ready
from benchmarks.tasks import Settings, Task, about, execute, identity, in_turns, train_task
from benchmarks.worker import HARD_TEXTS

HARD_SECONDS = 120.0
"""After which a contender has failed at a hard text."""
REFERENCES = ("tokenizers", "tiktoken")
"""Whose ids are taken as right, the first that is there."""


@dataclass(frozen=True)
class Vocabulary:
    """The same vocabulary in three formats."""

    tokenizer_json: Path
    tiktoken_ranks: Path
    merges: Path
    special_tokens: dict[str, int]


def train_vocabulary(trainer: Ready, settings: Settings) -> Vocabulary:
    """Train the vocabulary that all encoders load, with Hugging Face's trainer."""
    task = train_task("vocabulary", trainer, settings, max(settings.threads), "")
    name = f"{settings.corpus.digest}-{settings.vocab_size}-{settings.pattern}"
    folder = settings.cache / "vocabularies" / name
    folder.mkdir(parents=True, exist_ok=True)
    learned = folder / "learned.txt"
    if not learned.exists():
        part = folder / "learned.part"
        spec = task.spec | {"learned_file": str(part.resolve())}
        run_job(trainer.python, spec, max(settings.threads), None, settings.timeout)
        part.replace(learned)
    merges = [(left, right) for left, right in read_merges(learned)]
    return write_vocabulary(merges, settings, folder)


def write_vocabulary(
    merges: Sequence[tuple[bytes, bytes]], settings: Settings, folder: Path
) -> Vocabulary:
    """Write tokenizer.json and tiktoken ranks; a token made twice keeps its first merge in both."""
    ids = {bytes([byte]): byte for byte in range(256)}
    kept = []
    for left, right in merges:
        if left + right not in ids:
            ids[left + right] = len(ids)
            kept.append((left, right))
    special = {token: len(ids) + i for i, token in enumerate(settings.corpus.special_tokens)}
    ranks = folder / "vocabulary.tiktoken"
    ranks.write_bytes(
        b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in ids.items())
    )
    document = folder / "tokenizer.json"
    spelled = {to_text(token): rank for token, rank in ids.items()} | special
    spelled_merges = [[to_text(left), to_text(right)] for left, right in kept]
    document.write_text(
        json.dumps(tokenizer_document(spelled, spelled_merges, special, settings.pattern))
    )
    pairs = folder / "merges.json"
    pairs.write_text(json.dumps([(ids[left], ids[right]) for left, right in kept]))
    return Vocabulary(document, ranks, pairs, special)


def tokenizer_document(
    vocab: dict[str, int], merges: list[list[str]], special: dict[str, int], pattern: str
) -> dict[str, Any]:
    """Lay out a tokenizer.json: GPT-2's layout for its own pattern, the usual one for others."""
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    tokens = [{"id": rank, "content": token, "special": True} for token, rank in special.items()]
    empty = dict.fromkeys(("dropout", "unk_token"))
    empty |= dict.fromkeys(("continuing_subword_prefix", "end_of_word_suffix"))
    switches = dict.fromkeys(("fuse_unk", "byte_fallback", "ignore_merges"), False)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [token | flags for token in tokens],
        "normalizer": None,
        "pre_tokenizer": _pre_tokenizer(pattern),
        "post_processor": None,
        "decoder": _byte_level(use_regex=True),
        "model": {"type": "BPE", **empty, **switches, "vocab": vocab, "merges": merges},
    }


def _pre_tokenizer(pattern: str) -> dict[str, Any]:
    if pattern == "gpt2":
        return _byte_level(use_regex=True)
    expression = {"Regex": PATTERNS[pattern]}
    split = {"type": "Split", "pattern": expression, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [split, _byte_level(use_regex=False)]}


def _byte_level(use_regex: bool) -> dict[str, Any]:
    flags = {"add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}
    return {"type": "ByteLevel"} | flags


def run_encode(
    ready: Sequence[Ready], folder: RunFolder, settings: Settings, vocabulary: Vocabulary
) -> None:
    """Compare the ids of all, then measure in turns those that gave some."""
    able = _check_ids(ready, folder, settings, vocabulary)
    tasks = [
        _task("encode", contender, settings, threads, output, vocabulary)
        for threads in settings.threads
        for contender, output in able
    ]
    execute(in_turns(tasks, settings.repeats), folder, settings, "encode")
    first = {contender.name: (contender, output) for contender, output in reversed(able)}
    _run_hard(list(reversed(first.values())), folder, settings, vocabulary)


def _run_hard(
    able: Sequence[tuple[Ready, Output]],
    folder: RunFolder,
    settings: Settings,
    vocabulary: Vocabulary,
) -> None:
    """Measure hard texts, whole processes that encode one short text, and files to files."""
    tasks = []
    for contender, output in able:
        for kind in ("start", "idle"):
            tasks.append(_task(kind, contender, settings, 1, output, vocabulary))
        for case in HARD_TEXTS:
            task = _task("hard", contender, settings, 1, output, vocabulary)
            tasks.append(
                replace(
                    task, spec=task.spec | {"case": case}, identity=task.identity | {"output": case}
                )
            )
        if contender.module.writes_files:
            tasks += [
                _task("to file", contender, settings, threads, "array", vocabulary)
                for threads in settings.threads
            ]
    limited = replace(settings, timeout=min(settings.timeout, HARD_SECONDS))
    execute(in_turns(tasks, settings.repeats), folder, limited, "hard texts, start, files")


def _task(
    kind: str,
    contender: Ready,
    settings: Settings,
    threads: int,
    output: Output,
    vocabulary: Vocabulary,
) -> Task:
    job = EncodeJob(
        tokenizer_json=str(vocabulary.tokenizer_json.resolve()),
        tiktoken_ranks=str(vocabulary.tiktoken_ranks.resolve()),
        merges=str(vocabulary.merges.resolve()),
        special_tokens=vocabulary.special_tokens,
        pattern=settings.pattern,
        pattern_text=PATTERNS[settings.pattern],
        n_threads=threads,
        output=output,
    )
    files = [str(file.resolve()) for file in settings.corpus.files]
    spec = {
        "action": "encode" if kind == "check ids" else kind,
        "contender": contender.name,
        "job": asdict(job),
        "files": files,
        "learned_file": "",
    }
    who = identity(kind, contender, settings, threads) | {"output": output}
    return Task(contender, spec, who, about(settings.corpus, contender) | {"label": contender.name})


def _check_ids(
    ready: Sequence[Ready], folder: RunFolder, settings: Settings, vocabulary: Vocabulary
) -> list[tuple[Ready, Output]]:
    """Let each contender encode once in each of its outputs, and compare the ids text by text."""
    tasks = []
    for contender in ready:
        for output in contender.module.outputs:
            most = max(settings.threads)
            task = _task("check ids", contender, settings, most, output, vocabulary)
            task.spec["learned_file"] = str(folder.learned_file(task.identity).resolve())
            tasks.append(task)
    execute(tasks, folder, settings, "ids of each")
    tasks = [task for task in tasks if key(task.identity) in folder.done]
    rows = [Path(task.spec["learned_file"]).read_text().splitlines() for task in tasks]
    by_name = {task.contender.name: each for task, each in zip(tasks, rows, strict=True)}
    reference = next((name for name in (*REFERENCES, *by_name) if name in by_name), "")
    for task, each in zip(tasks, rows, strict=True):
        found = compare_ids(by_name[reference], each) | {"reference": reference}
        folder.add(task.identity | {"kind": "ids"} | found)
    return [(task.contender, task.identity["output"]) for task in tasks]


def compare_ids(expected: Sequence[str], got: Sequence[str]) -> Record:
    """Compare two lists of (number of ids, checksum), one a text."""
    wrong = [i for i, rows in enumerate(zip(expected, got, strict=False)) if rows[0] != rows[1]]
    equal = not wrong and len(expected) == len(got)
    return {
        "equal": equal,
        "n_texts": len(expected),
        "n_wrong": len(wrong),
        "index": wrong[0] if wrong else None,
    }
