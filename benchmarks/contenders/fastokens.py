"""fastokens."""

from benchmarks.flat import rows
from benchmarks.interface import EncodeJob, Encoder, Output
from benchmarks.worker import read_texts

label = "fastokens"
requirements: tuple[str, ...] = (
    "fastokens==0.3.5",
    "numpy==2.2.6; python_version < '3.11'",
    "numpy==2.4.6; python_version >= '3.11'",
)
outputs: tuple[Output, ...] = ("list", "array")
writes_files = True
encode_settings = (
    "array: encode_batch_flat; list: [each.ids for each in encode_batch]; RAYON_NUM_THREADS; "
    "files: read and cut in Python, narrowed with NumPy"
)


def load(job: EncodeJob) -> Encoder:
    """Load tokenizer.json."""
    from fastokens import Tokenizer

    tokenizer = Tokenizer.from_file(job.tokenizer_json)

    def to_file(files: list[str], output: str) -> None:
        import numpy

        ids, _ = tokenizer.encode_batch_flat(read_texts(files, list(job.special_tokens)))
        narrow = "uint16" if max(job.special_tokens.values()) < 1 << 16 else "uint32"
        numpy.frombuffer(ids, dtype="uint32").astype(narrow).tofile(output)

    if job.output == "array":
        return Encoder(
            tokenizer.encode_batch_flat,
            lambda text: tokenizer.encode(text).ids,
            rows,
            tokenizer.decode,
            to_file,
        )
    return Encoder(
        batch=lambda texts: [each.ids for each in tokenizer.encode_batch(texts)],
        one=lambda text: tokenizer.encode(text).ids,
        ids=lambda encoded: encoded,
        decode=tokenizer.decode,
    )
