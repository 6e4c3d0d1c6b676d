"""One job in a process of its own: ``python -I worker.py JOB RESULT``.

Runs with the contender's interpreter, so only the standard library may be imported.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.interface import Encoder

HARD_TEXTS: dict[str, Callable[[], str]] = {
    "spaces": lambda: " " * 1_000_000,
    "one letter": lambda: "a" * 1_000_000,
    "letters": lambda: "".join(random.Random(0).choices("abcdefghijklmnopqrstuvwxyz", k=1_000_000)),
    "CJK": lambda: "".join(map(chr, random.Random(0).choices(range(0x4E00, 0xA000), k=100_000))),
}
"""Texts in which a splitter, or a merge that is quadratic in a word's length, comes to a halt."""
SHORT_TEXT_LENGTHS = range(20, 51)
MAX_SHORT_TEXTS = 20_000
RECORD_LENGTH = 3000
"""Characters of a record, at most."""


def main(job_file: str, result_file: str) -> None:
    """Do the job and write the result."""
    spec = json.loads(Path(job_file).read_bytes())
    _register_package()
    contender = importlib.import_module(f"benchmarks.contenders.{spec['contender']}")
    actions: dict[str, Callable[[Any, dict[str, Any]], dict[str, Any]]] = {
        "probe": probe,
        "train": train,
        "again": again,
        "stages": stages,
        "count": count,
        "write formats": write_formats,
        "encode": encode,
        "hard": hard,
        "to file": to_file,
        "start": start,
        "idle": idle,
    }
    result = actions[spec["action"]](contender, spec)
    result["peak_bytes"] = peak_bytes()
    Path(result_file).write_text(json.dumps(result))


def _register_package() -> None:
    """Make ``benchmarks`` importable without the checkout on ``sys.path``.

    bpetok's sources in it would hide the bpetok that is installed.
    """
    folder = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        "benchmarks", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} is not a package")
    package = importlib.util.module_from_spec(spec)
    sys.modules["benchmarks"] = package
    spec.loader.exec_module(package)


def peak_bytes() -> int:
    """Peak resident memory of this process since it began.

    On Linux not ``ru_maxrss``: at the start of a child that one takes over the parent's peak.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) * 1024


def probe(contender: Any, spec: dict[str, Any]) -> dict[str, Any]:
    """Give the version and a checksum of what is installed, and load nothing else."""
    distribution = (
        contender.requirements[0].partition("==")[0] if contender.requirements else "bpetok"
    )
    installed = importlib.metadata.distribution(distribution)
    contents = (installed.read_text("RECORD") or "").encode()
    if (
        json.loads(installed.read_text("direct_url.json") or "{}")
        .get("dir_info", {})
        .get("editable")
    ):
        contents += package_contents(distribution)  # which RECORD does not know
    return {"version": installed.version, "fingerprint": f"{zlib.crc32(contents):08x}"}


def package_contents(name: str) -> bytes:
    """Give the names and check sums of a package's files, compiled ones too, without its import."""
    found = importlib.util.find_spec(name)
    folders = [Path(folder) for folder in (found and found.submodule_search_locations) or ()]
    files = sorted(file for folder in folders for file in folder.rglob("*") if file.is_file())
    return b"".join(
        f"{file} {zlib.crc32(file.read_bytes()):08x}\n".encode()
        for file in files
        if file.parent.name != "__pycache__"
    )


def read_texts(files: list[str], special_tokens: list[str]) -> list[str]:
    """Read files and cut them into the texts between the special tokens, empty ones left out."""
    texts = [Path(file).read_bytes().decode() for file in files]
    for token in special_tokens:
        texts = [part for text in texts for part in text.split(token)]
    return [text for text in texts if text]


def _train_job(contender: Any, spec: dict[str, Any]) -> Any:
    from benchmarks.interface import TrainJob

    job = dict(spec["job"])
    if contender.takes == "texts":
        job["texts"] = read_texts(job["files"], job["special_tokens"])
        job["files"] = []
    return TrainJob(**job)


def train(contender: Any, spec: dict[str, Any]) -> dict[str, Any]:
    """Train once; what was learned is written only on request."""
    job = _train_job(contender, spec)
    started = time.perf_counter()
    learned = contender.train(job)
    result: dict[str, Any] = {"call_seconds": time.perf_counter() - started}
    if spec["learned_file"]:
        rows = [" ".join(part.hex() for part in merge) for merge in learned()]
        Path(spec["learned_file"]).write_text("\n".join(rows))
        result["n_merges"] = len(rows)
    return result


def again(contender: Any, spec: dict[str, Any]) -> dict[str, Any]:
    """Train twice and give the seconds of the second call, which finds all loaded."""
    job = _train_job(contender, spec)
    contender.train(job)
    return {"call_seconds": timed(lambda: contender.train(job))[0]}


def stages(contender: Any, spec: dict[str, Any]) -> dict[str, Any]:
    """Train once and give seconds by stage."""
    job = _train_job(contender, spec)
    started = time.perf_counter()
    seconds = contender.stages(job)
    return {"call_seconds": time.perf_counter() - started, "stages": seconds}


def count(contender: Any, spec: dict[str, Any]) -> dict[str, Any]:
    """Count the words of files; where it says so, each thread is a process with its own files."""
    files, n = spec["files"], spec["n_threads"]
    if not spec["apart"]:
        seconds, n_words = timed(lambda: contender.count(files, n))
        return {"call_seconds": seconds, "n_words": n_words}
    with tempfile.TemporaryDirectory() as folder:
        seconds, parts = timed(
            lambda: _all_of(
                [spec | {"files": files[i::n], "n_threads": 1, "apart": False} for i in range(n)],
                Path(folder),
            )
        )
    return {"call_seconds": seconds, "n_words": sum(part["n_words"] for part in parts)}


def _all_of(specs: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Do jobs at the same time, each in a process."""
    running = []
    for i, spec in enumerate(specs):
        (folder / f"{i}.json").write_text(json.dumps(spec))
        command = [sys.executable, "-I", __file__, f"{folder}/{i}.json", f"{folder}/{i}.result"]
        running.append(subprocess.Popen(command))
    if sum(process.wait() != 0 for process in running):
        raise RuntimeError("one of the processes has failed")
    return [json.loads((folder / f"{i}.result").read_text()) for i in range(len(specs))]


def write_formats(contender: Any, spec: dict[str, Any]) -> dict[str, Any]:
    """Write the texts of files, in records, as a number of files of each format."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import zstandard

    folder = Path(spec["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    texts = read_texts(spec["files"], spec["special_tokens"])
    size = RECORD_LENGTH
    records = [text[at : at + size] for text in texts for at in range(0, len(text), size)]
    n = spec["n_files"]
    for i in range(n):
        part = records[len(records) * i // n : len(records) * (i + 1) // n]
        (folder / f"{i}.txt").write_text("".join(part), newline="")
        table = pa.table({"text": pa.array(part, pa.string())})
        pq.write_table(table, folder / f"{i}.parquet", row_group_size=1000, compression="zstd")
        lines = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in part)
        (folder / f"{i}.jsonl.zst").write_bytes(zstandard.compress(lines.encode()))
    return {"n_records": len(records)}


def encode(contender: Any, spec: dict[str, Any]) -> dict[str, Any]:
    """Load, encode all texts twice, decode, then encode short texts one by one.

    These come last, with nothing large left alive: Python's garbage collector, which runs while
    their lists are made, would walk through all ids. A first batch of one space belongs to loading:
    libraries import and allocate what's left then.
    """
    from benchmarks.interface import EncodeJob

    job = EncodeJob(**spec["job"])
    texts = read_texts(spec["files"], list(job.special_tokens))
    started = time.perf_counter()
    encoder = contender.load(job)
    encoder.batch([" "])
    load_seconds = time.perf_counter() - started
    first_seconds, encoded = timed(lambda: encoder.batch(texts))
    if spec["learned_file"]:
        write_ids(encoder.ids(encoded), Path(spec["learned_file"]))
    second_seconds, encoded = timed(lambda: encoder.batch(texts))
    ids = [list(map(int, row)) for row in encoder.ids(encoded)]
    del encoded
    n_ids = sum(map(len, ids))
    decode_seconds = seconds_to_decode(encoder, ids)
    del ids
    return {
        "call_seconds": first_seconds,
        "load_seconds": load_seconds,
        "second_seconds": second_seconds,
        "short_seconds": short_seconds(encoder, texts),
        "decode_seconds": decode_seconds,
        "n_ids": n_ids,
        "n_bytes": sum(len(text.encode()) for text in texts),
    }


def hard(contender: Any, spec: dict[str, Any]) -> dict[str, Any]:
    """Load, then encode one text that is hard: the median of three times."""
    from benchmarks.interface import EncodeJob

    text = HARD_TEXTS[spec["case"]]()
    encoder = contender.load(EncodeJob(**spec["job"]))
    encoder.batch([" "])
    return {"call_seconds": sorted(timed(lambda: encoder.batch([text]))[0] for _ in range(3))[1]}


def to_file(contender: Any, spec: dict[str, Any]) -> dict[str, Any]:
    """Load, then encode the files to a file of integers, reading and writing included."""
    from benchmarks.interface import EncodeJob

    encoder = contender.load(EncodeJob(**spec["job"]))
    encoder.batch([" "])
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "ids.bin"
        seconds, _ = timed(lambda: encoder.to_file(spec["files"], str(output)))
        return {"call_seconds": seconds, "file_bytes": output.stat().st_size}


def start(contender: Any, spec: dict[str, Any]) -> dict[str, Any]:
    """Load and encode one short text: what matters is the whole process."""
    from benchmarks.interface import EncodeJob

    contender.load(EncodeJob(**spec["job"])).one("How long does it take to begin?")
    return {}


def idle(contender: Any, spec: dict[str, Any]) -> dict[str, Any]:
    """Do nothing: what a process costs before it begins."""
    return {}


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Give the seconds of a call, and its value."""
    started = time.perf_counter()
    value = call()
    return time.perf_counter() - started, value


def seconds_to_decode(encoder: Encoder, rows: list[list[int]]) -> float:
    """Seconds for all rows, one after another."""
    return timed(lambda: [encoder.decode(row) for row in rows])[0]


def short_seconds(encoder: Encoder, texts: list[str]) -> float:
    """Median over five rounds of the mean seconds a call, on pieces of 20 to 50 characters."""
    pieces: list[str] = []
    for text in texts:
        for start in range(0, len(text) - SHORT_TEXT_LENGTHS[-1], 1_000):
            pieces.append(
                text[start : start + SHORT_TEXT_LENGTHS[len(pieces) % len(SHORT_TEXT_LENGTHS)]]
            )
        if len(pieces) >= MAX_SHORT_TEXTS:
            break
    rounds = sorted(timed(lambda: [encoder.one(piece) for piece in pieces])[0] for _ in range(5))
    return rounds[2] / max(len(pieces), 1)


def write_ids(rows: Any, file: Path) -> None:
    """Write number of ids and a checksum for each text, one line a text."""
    with file.open("w") as lines:
        for row in rows:
            lines.write(
                f"{len(row)} {zlib.crc32(array('I', [int(i) for i in row]).tobytes()):08x}\n"
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
