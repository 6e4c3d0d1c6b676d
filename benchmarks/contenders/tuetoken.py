"""tuetoken."""

import itertools
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.interface import EncodeJob, Encoder, Output

label = "tuetoken"
requirements: tuple[str, ...] = (
    "tuetoken==0.1.3",
    "numpy==2.2.6; python_version < '3.11'",
    "numpy==2.4.6; python_version >= '3.11'",
)
outputs: tuple[Output, ...] = ("list", "array")
writes_files = False
encode_settings = (
    "array: encode_ordinary_to_buffer(num_threads); list: encode_ordinary_batch(num_threads)"
)


def load(job: EncodeJob) -> Encoder:
    """Load tokenizer.json."""
    from tuetoken import Tokenizer

    tokenizer = Tokenizer(job.tokenizer_json)
    in_array = job.output == "array"
    encode = tokenizer.encode_ordinary_to_buffer if in_array else tokenizer.encode_ordinary_batch
    return Encoder(
        batch=lambda texts: encode(texts, num_threads=job.n_threads),
        one=tokenizer.encode_ordinary,
        ids=_rows if in_array else lambda encoded: encoded,
        decode=tokenizer.decode,
    )


def _rows(encoded: dict[str, Any]) -> Iterable[Sequence[int]]:
    data, offsets = encoded["data"], encoded["offsets"]
    return (array("I", data[start:stop].tobytes()) for start, stop in itertools.pairwise(offsets))
