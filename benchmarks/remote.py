"""Counting objects of a web server that is as slow as an object store: several against one.

    python -m benchmarks.remote [--corpus FILE...] [--megabytes 10] [--threads 2] [--repeats 3]

Objects of text, of Parquet (zstd, 1,000 rows in a group) and of JSON lines (zstd) are served by
another process on this machine, which waits before each answer and sends so many bytes a second on
each connection. Each measured count is a process of its own, and they take turns. Printed are
medians: seconds of 1 and of N objects; how much more memory N readers take than one, both for all
objects (on Linux); and seconds from Ctrl-C to its end while N objects are read.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bpetok.base.demo import demo_files

ROW_CHARACTERS = 3000
KINDS = ("txt", "parquet", "jsonl.zst")
COUNT = """
import json, signal, sys, threading, time
began = time.perf_counter()
import bpetok
job = json.loads(sys.argv[1])
interrupted = 0.0

def interrupt():
    global interrupted
    time.sleep(job["interrupt_after"])
    interrupted = time.perf_counter()
    signal.raise_signal(signal.SIGINT)

if job["interrupt_after"]:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt, daemon=True).start()
try:
    bpetok.count_words(job["urls"], n_readers=job["n_readers"], n_threads=job["n_threads"])
except KeyboardInterrupt:
    pass
now = time.perf_counter()
# Not what getrusage says: that begins with what the process had that started this one.
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(json.dumps({
    "seconds": now - began,
    "peak_bytes": peak * 1024,
    "interrupted": now - interrupted if interrupted else None,
}))
"""
Answer = dict[str, Any]


def write_objects(files: Sequence[Path], folder: Path, n_objects: int, n_bytes: int) -> None:
    """Write objects of each kind, of so many bytes of text each; the text is repeated as needed."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import zstandard

    text = b"".join(file.read_bytes() for file in files)
    text *= 1 + n_objects * n_bytes // max(1, len(text))
    for number in range(n_objects):
        part = text[number * n_bytes : (number + 1) * n_bytes].decode(errors="ignore")
        rows = [part[i : i + ROW_CHARACTERS] for i in range(0, len(part), ROW_CHARACTERS)]
        (folder / f"{number}.txt").write_text(part, "utf-8", newline="")
        table = pa.table({"text": rows})
        pq.write_table(table, folder / f"{number}.parquet", row_group_size=1000, compression="zstd")
        lines = "".join(json.dumps({"text": row}, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{number}.jsonl.zst").write_bytes(zstandard.compress(lines.encode()))


@contextmanager
def served(folder: Path, latency: float, rate: float) -> Iterator[str]:
    """Serve the files of a folder by another process; give the URL that names are added to."""
    command = [sys.executable, "-m", "benchmarks.servers", str(folder)]
    command += ["--latency", str(latency), "--rate", str(rate)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[1],
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.communicate()


def count(
    urls: Sequence[str], n_readers: int, n_threads: int, interrupt_after: float = 0
) -> Answer:
    """Count in a process of its own; return its seconds, peak of memory and end after Ctrl-C."""
    job = {
        "urls": list(urls),
        "n_readers": n_readers,
        "n_threads": n_threads,
        "interrupt_after": interrupt_after,
    }
    done = subprocess.run(
        [sys.executable, "-c", COUNT, json.dumps(job)],
        stdout=subprocess.PIPE,
        check=True,
    )
    answer: Answer = json.loads(done.stdout)
    return answer


def measure(url: str, kind: str, n_objects: int, n_threads: int, n_repeats: int) -> Answer:
    """Return the medians for one kind of objects."""
    urls = [f"{url}{number}.{kind}" for number in range(n_objects)]
    turns = []
    for _ in range(n_repeats):
        one = count(urls[:1], n_objects, n_threads)
        many = count(urls, n_objects, n_threads)
        in_order = count(urls, 1, n_threads)
        stopped = count(urls, n_objects, n_threads, interrupt_after=many["seconds"] / 2)
        turns.append(
            {
                "one": one["seconds"],
                "many": many["seconds"],
                "ratio": many["seconds"] / one["seconds"],
                "memory": many["peak_bytes"] - in_order["peak_bytes"],
                "interrupted": stopped["interrupted"],
            }
        )
    return {name: _median([turn[name] for turn in turns]) for name in turns[0]}


def _median(values: Sequence[float | None]) -> float:
    """Return the median of those that are known, as where Ctrl-C came before the end."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else float("nan")


def to_markdown(rows: dict[str, Answer], n_objects: int) -> str:
    """Return a table of what was measured, by the kind of the objects."""
    lines = [
        f"| objects | 1, s | {n_objects}, s | times one | {n_objects} readers, MB more than 1 "
        "| Ctrl-C, s |",
        "|:--|--:|--:|--:|--:|--:|",
    ]
    for kind, row in rows.items():
        lines.append(
            f"| .{kind} | {row['one']:.2f} | {row['many']:.2f} | {row['ratio']:.2f} "
            f"| {row['memory'] / 1e6:+.0f} | {row['interrupted']:.3f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", nargs="+", type=Path, help="default: bpetok's sample")
    parser.add_argument("--objects", type=int, default=8, help="default: %(default)s")
    parser.add_argument(
        "--megabytes", type=float, default=10, help="text of an object (default: %(default)s)"
    )
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="default: all")
    parser.add_argument("--latency", type=float, default=0.06, help="seconds (%(default)s)")
    parser.add_argument(
        "--rate", type=float, default=20e6, help="bytes a second of a connection (%(default)s)"
    )
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--repeats", type=int, default=3, help="default: %(default)s")
    options = parser.parse_args()
    if options.objects < 2 or options.repeats < 1 or options.megabytes <= 0:
        parser.error("--objects must be at least 2, --repeats 1, --megabytes above 0")
    files = [Path(file) for file in options.corpus or demo_files()]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_objects(files, folder, options.objects, int(options.megabytes * 1e6))
        with served(folder, options.latency, options.rate) as url:
            rows = {
                kind: measure(url, kind, options.objects, options.threads, options.repeats)
                for kind in options.kinds
            }
    print(to_markdown(rows, options.objects))


if __name__ == "__main__":
    main()
