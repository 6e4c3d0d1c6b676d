"""bpetok itself, installed from this checkout."""

import itertools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.interface import Cuts, EncodeJob, Encoder, Learned, Output, Takes, Ties, TrainJob

label = "bpetok (files)"
requirements: tuple[str, ...] = ()
takes: Takes = "files"
cuts: Cuts = "texts"
ties: Ties = "raw ids"
compiles = True
train_settings = (
    "train(files, special_tokens=...): files are read, split at special tokens and counted natively"
)
other_work = ""
outputs: tuple[Output, ...] = ("list", "array")
writes_files = True
encode_settings = (
    "array: encode_batch_to_numpy(n_threads); list: encode_batch(n_threads); files: encode_files"
)


def train(job: TrainJob) -> Learned:
    """Train from the files."""
    import bpetok

    tokenizer = bpetok.train(
        job.files,
        vocab_size=256 + job.n_merges + len(job.special_tokens),
        special_tokens=job.special_tokens,
        pattern=job.pattern,
        n_threads=job.n_threads,
        progress=False,
    )
    return lambda: tokenizer.merges


def stages(job: TrainJob) -> dict[str, float]:
    """Train and return seconds by stage."""
    from bpetok.base.timing import collect

    with collect() as seconds:
        train(job)
    return dict(seconds)


def count(files: list[str], n_threads: int) -> int:
    """Count the words of files of any format, and return how many there are."""
    import bpetok

    return bpetok.count_words(files, n_threads=n_threads).total


def load(job: EncodeJob) -> Encoder:
    """Make a tokenizer of the merges."""
    import bpetok

    tokenizer = bpetok.Tokenizer(
        merges=json.loads(Path(job.merges).read_bytes()),
        pattern=job.pattern,
        special_tokens=list(job.special_tokens),
    )
    options = {"n_threads": job.n_threads, "disallowed_special": ()}
    if job.output == "array":
        return Encoder(
            batch=lambda texts: tokenizer.encode_batch_to_numpy(texts, **options),
            one=tokenizer.encode_ordinary,
            ids=_rows,
            decode=tokenizer.decode_bytes,
            to_file=lambda files, output: tokenizer.encode_files(
                files, output, allowed_special="all", n_threads=job.n_threads
            ),
        )
    return Encoder(
        batch=lambda texts: tokenizer.encode_batch(texts, **options),
        one=tokenizer.encode_ordinary,
        ids=lambda encoded: encoded,
        decode=tokenizer.decode_bytes,
    )


def _rows(encoded: Any) -> Iterable[Sequence[int]]:
    ids, offsets = encoded
    return (ids[start:stop].tolist() for start, stop in itertools.pairwise(offsets.tolist()))
