"""One process to be measured, and the loop that runs many in turn."""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.corpus import Corpus, plain_files
from benchmarks.interface import TrainJob
from benchmarks.measure import JobError, Measurement, run_job
from benchmarks.patterns import PATTERNS
from benchmarks.records import Record, RunFolder, key
from benchmarks.roster import Ready

FORMATS = ("txt", "parquet", "jsonl.zst")
"""What the names of files end in of which counting is measured."""
N_FILES = 8


@dataclass(frozen=True)
class Settings:
    """What is asked of every contender, and how it's measured."""

    corpus: Corpus
    vocab_size: int
    pattern: str
    threads: list[int]
    repeats: int
    timeout: float
    cache: Path

    @property
    def n_merges(self) -> int:
        """Merges to learn: the vocabulary without bytes and special tokens."""
        return self.vocab_size - 256 - len(self.corpus.special_tokens)


@dataclass(frozen=True)
class Task:
    """One process: who, what, and the fields that identify it in the records."""

    contender: Ready
    spec: dict[str, Any]
    identity: Record
    extra: Record = field(default_factory=dict)


def identity(
    kind: str, contender: Ready, settings: Settings, threads: int, state: str = ""
) -> Record:
    """Build the identifying fields of a record."""
    return {
        "kind": kind,
        "contender": contender.name,
        "fingerprint": contender.fingerprint,
        "state": state,
        "threads": threads,
        "repeat": 0,
        "corpus": settings.corpus.digest,
        "vocab_size": settings.vocab_size,
        "pattern": settings.pattern,
        "special_tokens": list(settings.corpus.special_tokens),
    }


def states(contender: Ready) -> tuple[str, ...]:
    """Cold and cached kernels are two measurements where there are kernels."""
    return ("cold", "cached") if contender.module.compiles else ("",)


def train_task(kind: str, contender: Ready, settings: Settings, threads: int, state: str) -> Task:
    """Describe one training."""
    corpus = settings.corpus
    plain = contender.module.takes == "plain files"
    files = plain_files(corpus, settings.cache) if plain else corpus.files
    job = TrainJob(
        files=[str(file.resolve()) for file in files],
        texts=[],
        n_merges=settings.n_merges,
        special_tokens=list(corpus.special_tokens),
        pattern=settings.pattern,
        pattern_text=PATTERNS[settings.pattern],
        n_absent_bytes=corpus.n_absent_bytes,
        n_threads=threads,
    )
    action = kind if kind in ("again", "stages") else "train"
    spec = {"action": action, "contender": contender.name, "job": asdict(job), "learned_file": ""}
    return Task(
        contender,
        spec,
        identity(kind, contender, settings, threads, state),
        about(corpus, contender),
    )


def written_formats(contender: Ready, settings: Settings) -> dict[str, list[str]]:
    """Return the corpus as `N_FILES` files of each format, which are written if need be."""
    corpus = settings.corpus
    place = settings.cache / "formats" / f"{corpus.digest}-{N_FILES}"
    if not place.exists():
        part = place.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        spec = {
            "action": "write formats",
            "contender": contender.name,
            "files": [str(file.resolve()) for file in corpus.files],
            "special_tokens": list(corpus.special_tokens),
            "n_files": N_FILES,
            "folder": str(part),
        }
        run_job(contender.python, spec, 1, None, settings.timeout)
        part.rename(place)
    return {name: [str(place / f"{i}.{name}") for i in range(N_FILES)] for name in FORMATS}


def count_task(
    contender: Ready,
    settings: Settings,
    files: list[str],
    format_name: str,
    threads: int,
    *,
    apart: bool,
) -> Task:
    """Describe one counting: by threads, or by processes of one thread with files of their own."""
    spec = {
        "action": "count",
        "contender": contender.name,
        "files": files,
        "n_threads": threads,
        "apart": apart,
    }
    own = {"format": format_name, "apart": apart}
    return Task(
        contender,
        spec,
        identity("formats", contender, settings, threads) | own,
        about(settings.corpus, contender),
    )


def about(corpus: Corpus, contender: Ready) -> Record:
    """Give the fields that describe a record without identifying it."""
    return {
        "label": contender.module.label,
        "version": contender.version,
        "n_bytes": corpus.n_bytes,
        "corpus_name": corpus.name,
    }


def in_turns(tasks: Sequence[Task], repeats: int) -> list[Task]:
    """Order repeats as A B C A B C, so that a noisy machine hurts all alike."""
    return [
        replace(task, identity=task.identity | {"repeat": i})
        for i in range(repeats)
        for task in tasks
    ]


def execute(tasks: Sequence[Task], folder: RunFolder, settings: Settings, title: str) -> None:
    """Run the tasks that aren't in the records yet; a failure is recorded and the run goes on."""
    waiting = [task for task in tasks if key(task.identity) not in folder.done]
    failed: set[str] = set()
    with tqdm(waiting, desc=title, unit="run", disable=not waiting) as bar:
        for task in bar:
            bar.set_postfix_str(
                " ".join(
                    f"{task.identity[name]}" for name in ("contender", "state", "threads")
                ).strip()
            )
            again = key(task.identity | {"repeat": 0})
            if again in failed:
                continue
            try:
                record = _record(task, _measure(task, settings))
            except JobError as error:
                failed.add(again)
                bar.write(f"{task.contender.name} failed: {error}", file=sys.stderr)
                record = task.identity | task.extra | {"error": str(error)}
            folder.add(record)


def _record(task: Task, measured: Measurement) -> Record:
    costs = {
        "wall_seconds": measured.wall_seconds,
        "cpu_seconds": measured.cpu_seconds,
        "peak_bytes": measured.peak_bytes,
    }
    return task.identity | task.extra | costs | measured.answer


def _measure(task: Task, settings: Settings) -> Measurement:
    threads, state = task.identity["threads"], task.identity["state"]
    if state == "cold":
        kernels = Path(tempfile.mkdtemp(prefix="kernels-"))
        try:
            return run_job(task.contender.python, task.spec, threads, kernels, settings.timeout)
        finally:
            shutil.rmtree(kernels)
    if state == "cached":
        return run_job(
            task.contender.python,
            task.spec,
            threads,
            _warm_kernels(task, settings),
            settings.timeout,
        )
    return run_job(task.contender.python, task.spec, threads, None, settings.timeout)


def _warm_kernels(task: Task, settings: Settings) -> Path:
    """Give the folder of compiled kernels, after the same job has run in it once unmeasured."""
    kernels = settings.cache / "kernels" / f"{task.contender.name}-{task.contender.fingerprint}"
    kernels.mkdir(parents=True, exist_ok=True)
    same = key(task.identity | {"repeat": 0, "kind": task.spec["action"]})
    mark = kernels / f"warm-{hashlib.sha256(same.encode()).hexdigest()[:12]}"
    if not mark.exists():
        run_job(
            task.contender.python, task.spec, task.identity["threads"], kernels, settings.timeout
        )
        mark.touch()
    return kernels
