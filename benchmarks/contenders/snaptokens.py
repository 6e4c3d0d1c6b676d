"""snaptokens."""

from benchmarks.flat import rows
from benchmarks.interface import EncodeJob, Encoder, Output

label = "snaptokens"
requirements: tuple[str, ...] = ("snaptokens==0.2.6",)
outputs: tuple[Output, ...] = ("list", "array")
writes_files = False
encode_settings = (
    "array: encode_batch_flat; list: [each.ids for each in encode_batch]; RAYON_NUM_THREADS"
)


def load(job: EncodeJob) -> Encoder:
    """Load tokenizer.json."""
    from snaptokens import Tokenizer

    tokenizer = Tokenizer.from_file(job.tokenizer_json)
    if job.output == "array":
        return Encoder(
            tokenizer.encode_batch_flat,
            lambda text: tokenizer.encode(text).ids,
            rows,
            tokenizer.decode,
        )
    return Encoder(
        batch=lambda texts: [each.ids for each in tokenizer.encode_batch(texts)],
        one=lambda text: tokenizer.encode(text).ids,
        ids=lambda encoded: encoded,
        decode=tokenizer.decode,
    )
