"""Hugging Face tokenizers 1.0, before it is out: the encoder."""

from benchmarks.interface import EncodeJob, Encoder, Output

label = "tokenizers 1.0.0rc3"
requirements: tuple[str, ...] = ("tokenizers==1.0.0rc3",)
outputs: tuple[Output, ...] = ("list",)
writes_files = False
encode_settings = (
    "encode_batch(add_special_tokens=False, encode_special_tokens=True).ids; special tokens in the "
    "text are not looked for"
)


def load(job: EncodeJob) -> Encoder:
    """Load tokenizer.json."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(job.tokenizer_json)
    options = {"add_special_tokens": False, "encode_special_tokens": True}
    return Encoder(
        batch=lambda texts: [each.ids for each in tokenizer.encode_batch(texts, **options)],
        one=lambda text: tokenizer.encode(text, **options).ids,
        ids=lambda encoded: encoded,
        decode=tokenizer.decode,
    )
