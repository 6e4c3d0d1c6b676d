"""Go on from a tokenizer that exists: read it, encode with it, write it for other libraries.

    python examples/existing_tokenizer.py [FILE...]

The tokenizer here is made by Hugging Face's own trainer; `Tokenizer.from_pretrained` reads any
byte-level tokenizer.json with a built-in pattern, `from_tiktoken`, `from_gpt2` and `from_minbpe`
what their names say.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from pathlib import Path

from bpetok import Tokenizer
from bpetok.base.demo import demo_files

END = "<|endoftext|>"


def make_tokenizer_json(files: list[str], path: Path) -> None:
    """Train with the tokenizers library; special tokens get the first ids there."""
    import tokenizers

    theirs = tokenizers.Tokenizer(tokenizers.models.BPE())
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    theirs.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=2000,
        special_tokens=[END],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    theirs.train(files, trainer)
    theirs.save(str(path))


def main(files: list[str]) -> None:
    """Read a tokenizer.json, use it here, and hand it on."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_tokenizer_json(files, folder / "tokenizer.json")

        tok = Tokenizer.from_pretrained(folder)
        print(f"read {tok}; {END} has the id {tok.special_tokens[END]}")
        written = tok.encode_files(files, folder / "train.bin", eot=END, allowed_special="all")
        print(f"encoded {written.n_ids} ids of {written.dtype}")

        # Ids stay what they were, so a model that was trained with them can be trained on.
        tok.save_tiktoken(folder / "ranks.tiktoken")
        tok.save_gpt2(folder / "gpt2")
        same = Tokenizer.from_gpt2(folder / "gpt2" / "vocab.json", folder / "gpt2" / "merges.txt")
        assert same == tok
        text = "def main():\n    return 'hello world'"
        assert same.encode(text) == tok.encode(text)
        if importlib.util.find_spec("tiktoken") is not None:
            assert tok.to_tiktoken().encode(text) == tok.encode(text)
        print(f"{text!r} is {tok.encode(text)}")


if __name__ == "__main__":
    main(sys.argv[1:] or demo_files()[:200])
