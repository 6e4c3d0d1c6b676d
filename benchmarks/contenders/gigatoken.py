"""gigatoken."""

from benchmarks.interface import Cuts, EncodeJob, Encoder, Learned, Output, Takes, Ties, TrainJob

label = "gigatoken (files)"
requirements: tuple[str, ...] = ("gigatoken==0.10.0",)
takes: Takes = "files"
cuts: Cuts = "texts"
ties: Ties = "raw ids"
compiles = False
train_settings = (
    "train_bpe(TextFileSource(files, separator), tie_breaking='raw_token_ids'), "
    "RAYON_NUM_THREADS; it takes one separator, and the gpt2 pattern only"
)
other_work = ""
outputs: tuple[Output, ...] = ("list", "array")
writes_files = True
encode_settings = (
    "array: encode_batch (an Awkward array); list: encode_batch_list; parallel=False on one "
    "thread, otherwise RAYON_NUM_THREADS; files: encode_files(TextFileSource), narrowed with NumPy"
)


def train(job: TrainJob) -> Learned:
    """Train from the files."""
    import gigatoken

    if job.pattern != "gpt2":
        raise NotImplementedError(f"gigatoken trains with the gpt2 pattern, got {job.pattern!r}")
    [separator] = job.special_tokens
    _, merges = gigatoken.train_bpe(
        gigatoken.TextFileSource(job.files, separator=separator),
        256 + job.n_merges + len(job.special_tokens),
        job.special_tokens,
        tie_breaking="raw_token_ids",
    )
    return lambda: merges


def load(job: EncodeJob) -> Encoder:
    """Load tokenizer.json."""
    import gigatoken
    import numpy

    tokenizer = gigatoken.Tokenizer(job.tokenizer_json)
    parallel = job.n_threads > 1

    def batch(texts: list[str]) -> object:
        encode = tokenizer.encode_batch if job.output == "array" else tokenizer.encode_batch_list
        return encode(texts, parallel=parallel)

    def to_file(files: list[str], output: str) -> None:
        [separator] = job.special_tokens
        source = gigatoken.TextFileSource(files, separator=separator)
        ids = tokenizer.encode_files(source, parallel=parallel).layout.content.data
        ids.astype("uint16" if max(job.special_tokens.values()) < 1 << 16 else "uint32").tofile(
            output
        )

    return Encoder(
        batch=batch,
        one=tokenizer.encode,
        ids=lambda encoded: (numpy.asarray(row).tolist() for row in encoded),
        decode=tokenizer.decode,
        to_file=to_file,
    )
