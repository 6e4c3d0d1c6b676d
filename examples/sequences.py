"""Learn tokens of something that is no text: the instructions that Python compiles files to.

    python examples/sequences.py [FILE...]

Each function is a sequence of numbers below 256, one for each instruction. A token is then a few
instructions that often come together. Audio codes, DNA, music and actions are sequences as well.
"""

from __future__ import annotations

import dis
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path

import bpetok
from bpetok.base.demo import demo_files

VOCAB_SIZE = 1000


def instructions(code: types.CodeType) -> Iterator[list[int]]:
    """Yield the numbers of the instructions of a module and of each function in it."""
    yield [instruction.opcode for instruction in dis.get_instructions(code)]
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from instructions(constant)


def main(files: list[str]) -> None:
    """Train, encode, decode, save; write what Hugging Face's libraries load."""
    sequences = []
    for file in files:
        try:
            code = compile(Path(file).read_bytes(), file, "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            continue  # not Python
        sequences += instructions(code)

    tok = bpetok.train_from_sequences(sequences, n_symbols=256, vocab_size=VOCAB_SIZE)
    ids, offsets = tok.encode_batch(sequences)
    assert tok.decode(ids[offsets[0] : offsets[1]]).tolist() == sequences[0]
    n_instructions = sum(map(len, sequences))
    print(f"{len(sequences)} functions, {n_instructions / len(ids):.1f} instructions a token")
    for token_id in range(tok.n_symbols, tok.n_symbols + 3):
        names = [dis.opname[opcode] for opcode in tok.token_symbols(token_id)]
        print(f"token {token_id}: {' '.join(names)}")

    with tempfile.TemporaryDirectory() as folder:
        tok.save(Path(folder, "instructions.json"))
        assert bpetok.SequenceTokenizer.load(Path(folder, "instructions.json")) == tok
        tok.save_pretrained(Path(folder, "hub"))
        print("for transformers:", *sorted(path.name for path in Path(folder, "hub").iterdir()))


if __name__ == "__main__":
    main(sys.argv[1:] or demo_files()[:60])
