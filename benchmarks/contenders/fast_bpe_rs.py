"""fast-bpe-rs."""

from benchmarks.interface import Cuts, Learned, Takes, Ties, TrainJob

label = "fast-bpe-rs (texts)"
requirements: tuple[str, ...] = ("fast-bpe-rs==0.6.1",)
takes: Takes = "texts"
cuts: Cuts = "texts"
ties: Ties = "unknown"
compiles = False
train_settings = (
    "BPE(pattern).train(vocab_size, list of str): the strings are borrowed, not copied; "
    "RAYON_NUM_THREADS"
)
other_work = ""


def train(job: TrainJob) -> Learned:
    """Train from the texts."""
    import fast_bpe_rs

    tokenizer = fast_bpe_rs.BPE(job.pattern_text)
    tokenizer.train(256 + job.n_merges, job.texts)
    return lambda: [(tokenizer.decode([256 + rank]),) for rank in range(job.n_merges)]
