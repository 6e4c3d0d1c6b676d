"""Hugging Face tokenizers."""

import json

from benchmarks.interface import Cuts, EncodeJob, Encoder, Learned, Output, Takes, Ties, TrainJob

label = "tokenizers (texts)"
requirements: tuple[str, ...] = ("tokenizers==0.23.3",)
takes: Takes = "texts"
cuts: Cuts = "texts"
ties: Ties = "byte order"
compiles = False
train_settings = (
    "BpeTrainer, all 256 bytes as the alphabet, ByteLevel(add_prefix_space=False), "
    "train_from_iterator: train(files) would cut words at every line end and count the special "
    "tokens as text"
)
other_work = ""
outputs: tuple[Output, ...] = ("list",)
writes_files = False
encode_settings = (
    "encode_batch_fast(add_special_tokens=False).ids; special tokens in the text are not looked for"
)


def train(job: TrainJob) -> Learned:
    """Train from the texts."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    if job.pattern == "gpt2":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        split = pre_tokenizers.Split(Regex(job.pattern_text), "isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        )
    trainer = trainers.BpeTrainer(
        vocab_size=256 + job.n_merges + len(job.special_tokens),
        min_frequency=1,
        special_tokens=job.special_tokens,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(job.texts, trainer)
    return lambda: _merges(tokenizer.to_str())


def _merges(tokenizer_json: str) -> list[tuple[bytes, bytes]]:
    from benchmarks.byte_level import to_bytes

    return [
        (to_bytes(left), to_bytes(right))
        for left, right in json.loads(tokenizer_json)["model"]["merges"]
    ]


def load(job: EncodeJob) -> Encoder:
    """Load tokenizer.json."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(job.tokenizer_json)
    tokenizer.encode_special_tokens = True
    return Encoder(
        batch=lambda texts: [
            each.ids for each in tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        ],
        one=lambda text: tokenizer.encode(text, add_special_tokens=False).ids,
        ids=lambda encoded: encoded,
        decode=tokenizer.decode,
    )
