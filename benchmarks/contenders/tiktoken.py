"""tiktoken."""

import base64
from pathlib import Path

from benchmarks.interface import EncodeJob, Encoder, Output

label = "tiktoken"
requirements: tuple[str, ...] = (
    "tiktoken==0.14.0",
    "numpy==2.2.6; python_version < '3.11'",
    "numpy==2.4.6; python_version >= '3.11'",
)
outputs: tuple[Output, ...] = ("list", "array")
writes_files = False
encode_settings = (
    "list: encode_ordinary for each text on one thread, encode_ordinary_batch on more; "
    "array: encode_to_numpy for each text (it has no batch form)"
)


def load(job: EncodeJob) -> Encoder:
    """Load the ranks."""
    import tiktoken

    lines = Path(job.tiktoken_ranks).read_bytes().splitlines()
    ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in lines)}
    encoding = tiktoken.Encoding(
        "benchmark",
        pat_str=job.pattern_text,
        mergeable_ranks=ranks,
        special_tokens=job.special_tokens,
    )

    def batch(texts: list[str]) -> object:
        if job.output == "array":
            return [encoding.encode_to_numpy(text, disallowed_special=()) for text in texts]
        if job.n_threads == 1:
            return [encoding.encode_ordinary(text) for text in texts]
        return encoding.encode_ordinary_batch(texts, num_threads=job.n_threads)

    return Encoder(batch, encoding.encode_ordinary, lambda encoded: encoded, encoding.decode_bytes)
