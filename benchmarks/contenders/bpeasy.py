"""bpeasy."""

from benchmarks.interface import Cuts, Learned, Takes, Ties, TrainJob

label = "bpeasy (texts)"
requirements: tuple[str, ...] = ("bpeasy==0.1.6",)
takes: Takes = "texts"
cuts: Cuts = "texts"
ties: Ties = "raw ids"
compiles = False
train_settings = (
    "train_bpe(iterator, max_token_length too large to matter, batch_size=1000, its default); "
    "RAYON_NUM_THREADS"
)
other_work = ""


def train(job: TrainJob) -> Learned:
    """Train from the texts."""
    import bpeasy

    vocab = bpeasy.train_bpe(iter(job.texts), job.pattern_text, 1 << 30, 256 + job.n_merges, 1000)
    return lambda: [
        (token,) for token, rank in sorted(vocab.items(), key=lambda item: item[1]) if rank >= 256
    ]
