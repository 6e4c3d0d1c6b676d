"""What is interrupted: jobs that read `in`, write `out` and keep checkpoints in `run`.

``python -c "from campaigns.jobs import main; main(NAME)"`` runs one in the current folder. On
standard output it tells of its phases. An error that a user may see is the last line there, and the
exit status is REFUSED.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq

import bpetok
from bpetok import Tokenizer
from bpetok.counting import checkpoint, memory
from bpetok.learning import learner
from bpetok.learning.rule import Tuning
from campaigns import ROOT

REFUSED = 3
SPECIAL = ["<|end|>"]
SECONDS = 120.0
"""A job takes a second or two."""


def tell(phase: str, *_: int | None) -> None:
    """Say on standard output that a phase of the job is going on."""
    print(phase, flush=True)


def train() -> None:
    """Train on all kinds of files."""
    options: Any = {"vocab_size": 600, "special_tokens": SPECIAL, "n_threads": 2, "progress": tell}
    bpetok.train("in", **options, checkpoint="run").save("out/tok.json")


def count() -> None:
    """Count within a bound, which is so small that words go to files."""
    options: Any = {"max_memory": "100MB", "n_threads": 2, "progress": tell}
    words = bpetok.count_words("in", checkpoint="run", **options)
    words.save("out/words.parquet")


def spill() -> None:
    """The same without a checkpoint."""
    options: Any = {"max_memory": "100MB", "n_threads": 2, "progress": tell}
    bpetok.count_words("in", **options).save("out/words.parquet")


def expression() -> None:
    """Count by an expression, in processes."""
    words = bpetok.count_words("in", pattern=r"\w+|\W", n_threads=2, progress=tell)
    words.save("out/words.parquet")


def encode() -> None:
    """Replace the shards of an earlier run."""
    tok = bpetok.Tokenizer.load("tok.json")
    options: Any = {"eot": "<|end|>", "shard_size": 30_000, "n_threads": 2, "progress": tell}
    tok.encode_files("in", "out/ids.bin", **options)


def save() -> None:
    """Replace files of all formats."""
    tok = bpetok.Tokenizer.load("tok.json")
    tok.save("out/tok.json")
    tok.save_gpt2("out/gpt2")
    tok.save_minbpe("out/m")
    tok.save_tiktoken("out/t.tiktoken")


def command() -> None:
    """The command, which clears up when it is told to end."""
    from bpetok.cli.main import run

    options = "--vocab-size 600 --max-memory 1GB --output out/tok.json"
    sys.argv = ["bpetok", "train", "in", *options.split()]
    run()


JOBS = {job.__name__: job for job in (train, count, spill, expression, encode, save, command)}


def main(name: str) -> None:
    """Run a job; what is saved now and then is saved always."""
    with (
        patch.object(checkpoint, "SECONDS", 0.0),
        patch.object(learner, "DEFAULT_TUNING", Tuning(pause_rounds=1)),
        patch.object(memory.CountLimits, "table_limit", lambda *_: 400_000),
    ):
        tell("begin")
        _run(name)


PHASES = {
    "train": ("begin", "count", "learn"),
    "count": ("begin", "count"),
    "spill": ("begin", "count"),
    "expression": ("begin", "count"),
    "encode": ("begin", "encode"),
    "save": ("begin",),
    "command": ("begin",),
}
"""Those that a job tells of."""


def wait_for(process: subprocess.Popen[str], phase: str) -> bool:
    """Wait until a job tells of a phase; returns False if it ends before."""
    assert process.stdout is not None
    return any(line == f"{phase}\n" for line in process.stdout)


def _run(name: str) -> None:
    try:
        JOBS[name]()
    except (OSError, ValueError) as error:
        print(json.dumps(f"{type(error).__name__}: {error}"), flush=True)
        sys.exit(REFUSED)


def prepare(folder: Path) -> None:
    """Write what the jobs read, and what they are to replace."""
    for name in ("in", "out", "tmp"):
        (folder / name).mkdir(parents=True)
    random = Random(1)
    texts = [
        " ".join(f"{random.randrange(2000):x} word{random.randrange(40)}s" for _ in range(150))
        for _ in range(60)
    ]
    for i, text in enumerate(texts[:20]):
        (folder / f"in/{i:02}.txt").write_text(text)
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts[20:40])
    (folder / "in/lines.jsonl").write_text(lines)
    pq.write_table(pa.table({"text": texts[40:]}), folder / "in/t.parquet", row_group_size=5)
    for i, path in enumerate(sorted((folder / "in").iterdir())):
        os.utime(path, (i, i))  # checkpoints know the times
    tok = bpetok.train_from_iterator(texts[:3], vocab_size=400, special_tokens=SPECIAL)
    tok.save(folder / "tok.json")
    older = Tokenizer(merges=tok.merge_pairs[:20], special_tokens=SPECIAL)
    older.encode_files(folder / "in", folder / "out/ids.bin", shard_size=20_000)
    older.save(folder / "out/tok.json")
    older.save_gpt2(folder / "out/gpt2")
    older.save_minbpe(folder / "out/m")
    older.save_tiktoken(folder / "out/t.tiktoken")


def start(name: str, folder: Path, more: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a job in a folder, in a group of processes of its own."""
    paths = [str(Path(bpetok.__file__).parents[1]), str(ROOT), str(ROOT / "tests")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.Popen(
        [sys.executable, "-c", f"from campaigns.jobs import main; main({name!r})"],
        cwd=folder,
        env={**environment, "TMPDIR": str(folder / "tmp"), **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )


class Done(NamedTuple):
    """How a job ended."""

    status: int
    output: str
    errors: str


def finish(process: subprocess.Popen[str]) -> Done:
    """Wait for a job, and for the processes that it has started.

    Raises
    ------
    AssertionError
        If one of them does not end.
    """
    try:
        output, errors = process.communicate(timeout=SECONDS)
        deadline = time.monotonic() + 20
        while _is_alive(process.pid):
            if time.monotonic() > deadline:
                raise AssertionError("a process that the job has started does not end")
            time.sleep(0.01)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"the job takes more than {SECONDS:.0f} seconds") from None
    finally:
        if _is_alive(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
    return Done(process.returncode, output[-2000:], errors[-2000:])


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def contents(folder: Path) -> dict[str, bytes]:
    """Return what is in the files of `out` that a user sees."""
    files = (path for path in sorted((folder / "out").rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in files
        if not path.name.startswith(".")
    }


def is_interim(name: str, data: bytes) -> bool:
    """Tell whether a file is the summary of ids that is there while shards get their names."""
    return name == "out/ids.json" and json.loads(data).get("complete") is False


def scratch_files(folder: Path) -> list[str]:
    """Return what is left that only a running job needs."""
    found = [*(folder / "tmp").rglob("*")]
    for name in ("out", "run"):
        found += (folder / name).rglob(".*")
    return sorted(str(path.relative_to(folder)) for path in found)
