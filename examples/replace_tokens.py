"""Fit a tokenizer to other text: tokens that it never uses make room for those that it needs.

    python examples/replace_tokens.py [FILE...]

The tokenizer here is trained on the beginning of each file; the other text is Python's keywords
in every order. All ids that stay are packed, and a table says where the rows of a model go.
"""

from __future__ import annotations

import itertools
import keyword
import sys
from pathlib import Path

import bpetok
from bpetok.base.demo import demo_files

VOCAB_SIZE = 1000
N_KEPT = 950


def main(files: list[str]) -> None:
    """Prune a tokenizer and learn as many tokens from the text that it is to be for, at once."""
    general = [Path(file).read_text("utf-8", "replace")[:20_000] for file in files]
    special = [" ".join(words) for words in itertools.permutations(keyword.kwlist, 2)]
    tok = bpetok.train_from_iterator(general, vocab_size=VOCAB_SIZE)

    fitted = bpetok.train_from_iterator(
        special,
        vocab_size=VOCAB_SIZE,
        initial=(pruned := tok.prune(special, N_KEPT)).tokenizer,
        min_frequency=2,
    )
    before, after = (sum(map(len, t.encode_batch(special))) for t in (tok, fitted))
    assert after < before
    assert fitted.decode(fitted.encode(general[0])) == general[0]
    kept = int((pruned.new_ids >= 0).sum())
    assert kept == N_KEPT
    print(f"{before} tokens with {tok.vocab_size} ids, {after} with {fitted.vocab_size}")
    print(f"rows of the model: {kept} move, {fitted.vocab_size - kept} are new")


if __name__ == "__main__":
    main(sys.argv[1:] or demo_files()[:200])
