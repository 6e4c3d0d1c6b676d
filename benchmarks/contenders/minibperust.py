"""MiniBpeRust: minbpe's rule in Rust."""

from benchmarks.interface import Cuts, Learned, Takes, Ties, TrainJob

label = "minibperust (plain files)"
requirements: tuple[str, ...] = ("minibperust==0.1.0",)
takes: Takes = "plain files"
cuts: Cuts = "files"
ties: Ties = "seen first"
compiles = False
train_settings = (
    "FastRegexTokenizer(pattern).train_files(files), special tokens cut out beforehand; "
    "RAYON_NUM_THREADS"
)
other_work = "minbpe's rule: among equal counts, the pair seen first in the text"


def train(job: TrainJob) -> Learned:
    """Train from the files."""
    import MiniBpeRust

    tokenizer = MiniBpeRust.FastRegexTokenizer(job.pattern_text)
    tokenizer.train_files(job.files, 256 + job.n_merges)
    vocab = tokenizer.vocab
    return lambda: [(vocab[left], vocab[right]) for left, right in tokenizer.merges]
