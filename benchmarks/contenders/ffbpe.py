"""ffbpe."""

from benchmarks.interface import Cuts, Learned, Takes, Ties, TrainJob

label = "ffbpe (texts)"
requirements: tuple[str, ...] = ("ffbpe==0.1.10",)
takes: Takes = "texts"
cuts: Cuts = "texts"
ties: Ties = "raw ids"
compiles = False
train_settings = (
    "word_counter().add_source(texts), its faster way (get_words_from_file makes a Python dict), "
    "raw bytes, smallest pair id; threads by RAYON_NUM_THREADS"
)
other_work = ""


def train(job: TrainJob) -> Learned:
    """Train from the texts."""
    import ffbpe

    counter = ffbpe.PreTokenizer(job.special_tokens, pat_str=job.pattern_text).word_counter()
    counter.add_source(job.texts)
    trainer = ffbpe.BpeTrainer(
        job.special_tokens, unit="byte", initial_alphabet="raw", tie_break="smallest_pair_id"
    )
    trainer.add_word_counter(counter)
    trainer.train(256 + job.n_merges + len(job.special_tokens))
    special = {token.encode() for token in job.special_tokens}
    return lambda: _tokens(trainer.vocab, special)


def _tokens(vocab: dict[bytes, int], special: set[bytes]) -> list[tuple[bytes]]:
    by_id = sorted((rank, token) for token, rank in vocab.items() if token not in special)
    return [(token,) for _, token in by_id[256:]]
