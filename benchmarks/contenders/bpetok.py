"""bpetok itself, installed from this checkout."""

from benchmarks.interface import Cuts, Learned, Takes, Ties, TrainJob

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
    from bpetok._timing import collect

    with collect() as seconds:
        train(job)
    return dict(seconds)
