"""gigabpe: Hugging Face's merges, faster."""

from benchmarks.interface import Cuts, Learned, Takes, Ties, TrainJob

label = "gigabpe (plain files)"
requirements: tuple[str, ...] = ("gigabpe==0.1.0",)
takes: Takes = "plain files"
cuts: Cuts = "lines"
ties: Ties = "byte order"
compiles = False
train_settings = (
    "train_bpe(files, pretokenizer='bytelevel'), its only input: special tokens are cut out "
    "beforehand (it would count them as text), it cuts words at every line end; its alphabet is "
    "the bytes seen, vocab_size is lowered by the others"
)
other_work = ""


def train(job: TrainJob) -> Learned:
    """Train from the files."""
    import gigabpe

    if job.pattern != "gpt2":
        raise NotImplementedError(f"gigabpe has only the gpt2 pattern, got {job.pattern!r}")
    _, merges = gigabpe.train_bpe(
        job.files,
        vocab_size=256 - job.n_absent_bytes + job.n_merges + len(job.special_tokens),
        special_tokens=job.special_tokens,
        min_frequency=1,
        pretokenizer="bytelevel",
        threads=job.n_threads,
    )
    return lambda: _merges(merges)


def _merges(merges: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    from benchmarks.byte_level import to_bytes

    return [(to_bytes(left), to_bytes(right)) for left, right in merges]
