"""Train a tokenizer, encode a corpus to .bin files, and read batches from them as nanoGPT does.

python examples/train_bin.py [FILE...]
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

import bpetok
from bpetok.base.demo import demo_files

END = "<|endoftext|>"


def get_batch(
    ids: np.ndarray, batch_size: int, block_size: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return random blocks of ids and, for each id, the one that follows: nanoGPT's get_batch."""
    starts = random.integers(len(ids) - block_size, size=batch_size)
    x = np.stack([ids[i : i + block_size].astype(np.int64) for i in starts])
    y = np.stack([ids[i + 1 : i + 1 + block_size].astype(np.int64) for i in starts])
    return x, y


def main(files: list[str]) -> None:
    """Train on all files; the last tenth of them is for validation."""
    tok = bpetok.train(files, vocab_size=4096, special_tokens=[END])
    n_train = max(1, len(files) * 9 // 10)
    with tempfile.TemporaryDirectory() as folder:
        for name, part in (("train", files[:n_train]), ("val", files[n_train:] or files)):
            written = tok.encode_files(
                part, Path(folder) / f"{name}.bin", eot=END, allowed_special="all"
            )
            summary = json.loads(written.summary.read_text())
            print(f"{name}.bin: {summary['n_ids']} ids of {summary['dtype']}")

        # In a training script: np.memmap once for each batch, so that nothing piles up in memory.
        ids = np.memmap(Path(folder) / "train.bin", dtype=tok.id_dtype, mode="r")
        x, y = get_batch(ids, batch_size=4, block_size=64, random=np.random.default_rng(0))
        assert (x[:, 1:] == y[:, :-1]).all()
        print(f"a batch: {x.shape}, its first text begins with {tok.decode(x[0])[:40]!r}")
        del ids


if __name__ == "__main__":
    main(sys.argv[1:] or demo_files()[:200])
