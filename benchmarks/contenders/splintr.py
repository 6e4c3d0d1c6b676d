"""splintr (splintr-rs on the index)."""

from benchmarks.flat import rows
from benchmarks.interface import EncodeJob, Encoder, Output

label = "splintr"
requirements: tuple[str, ...] = ("splintr-rs==0.22.0",)
outputs: tuple[Output, ...] = ("list", "array")
writes_files = False
encode_settings = (
    "array: encode_batch_flat; list: encode_batch; from the tiktoken ranks; RAYON_NUM_THREADS"
)


def load(job: EncodeJob) -> Encoder:
    """Load the ranks."""
    from splintr import Tokenizer

    tokenizer = Tokenizer(job.tiktoken_ranks, job.pattern_text, job.special_tokens)
    if job.output == "array":
        return Encoder(
            tokenizer.encode_batch_flat, tokenizer.encode_ordinary, rows, tokenizer.decode_bytes
        )
    return Encoder(
        tokenizer.encode_batch,
        tokenizer.encode_ordinary,
        lambda encoded: encoded,
        tokenizer.decode_bytes,
    )
