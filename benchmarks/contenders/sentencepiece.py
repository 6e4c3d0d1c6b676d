"""SentencePiece's BPE: other work, listed because people ask."""

import tempfile
from pathlib import Path

from benchmarks.interface import Cuts, Learned, Takes, Ties, TrainJob

label = "sentencepiece (plain files)"
requirements: tuple[str, ...] = ("sentencepiece==0.2.3",)
takes: Takes = "plain files"
cuts: Cuts = "own"
ties: Ties = "unknown"
compiles = False
train_settings = (
    "model_type=bpe, byte_fallback, identity normalization, no dummy prefix; special tokens cut "
    "out beforehand; vocab_size = 3 control symbols + 256 bytes + merges, of which its characters "
    "take some"
)
other_work = "merges characters, not bytes, and splits words at spaces by its own rule"


def train(job: TrainJob) -> Learned:
    """Train from the files."""
    import sentencepiece

    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder) / "model"
        sentencepiece.SentencePieceTrainer.train(
            input=job.files,
            model_prefix=str(prefix),
            model_type="bpe",
            vocab_size=256 + 3 + job.n_merges,
            byte_fallback=True,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            hard_vocab_limit=False,
            max_sentence_length=1 << 24,
            num_threads=job.n_threads,
            minloglevel=3,
        )
        pieces = prefix.with_suffix(".model").read_bytes()
    return lambda: _pieces(pieces)


def _pieces(model: bytes) -> list[tuple[bytes]]:
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    learned = [processor.id_to_piece(i) for i in range(259, processor.get_piece_size())]
    return [(piece.replace("\u2581", " ").encode(),) for piece in learned if len(piece) > 1]
