"""rustbpe: nanochat's trainer."""

from benchmarks.interface import Cuts, Learned, Takes, Ties, TrainJob

label = "rustbpe (texts)"
requirements: tuple[str, ...] = ("rustbpe==0.1.0",)
takes: Takes = "texts"
cuts: Cuts = "texts"
ties: Ties = "raw ids"
compiles = False
train_settings = (
    "train_from_iterator(texts, buffer_size=8192, its default); threads by RAYON_NUM_THREADS"
)
other_work = ""


def train(job: TrainJob) -> Learned:
    """Train from the texts."""
    import rustbpe

    tokenizer = rustbpe.Tokenizer()
    tokenizer.train_from_iterator(job.texts, 256 + job.n_merges, pattern=job.pattern_text)
    return lambda: [
        (bytes(token),) for token, _ in sorted(tokenizer.get_mergeable_ranks(), key=_rank)[256:]
    ]


def _rank(item: tuple[list[int], int]) -> int:
    return item[1]
