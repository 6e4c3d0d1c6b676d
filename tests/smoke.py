"""Tries an installed bpetok: train, encode, save, load, and the command.

``python tests/smoke.py`` needs nothing else than the package, so that a wheel is tried as a user
would have it. Errors are raised, not asserted: this also runs under ``python -O``.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

TEXT = "low lower lowest newer newest wider <|end|> déjà vu 你好 1234 " * 50


def check(holds: bool, what: str) -> None:
    """Raise an error that says what does not hold."""
    if not holds:
        raise SystemExit(f"smoke: {what}")


def main() -> None:
    """Try it all, in a folder that is removed."""
    import bpetok

    with tempfile.TemporaryDirectory() as folder:
        corpus, saved = Path(folder, "corpus.txt"), Path(folder, "tok.json")
        corpus.write_text(TEXT, "utf-8")
        tok = bpetok.train([corpus], vocab_size=280, special_tokens=["<|end|>"], n_threads=2)
        check("numba" not in sys.modules, "the kernels were not compiled with the package")
        ids = tok.encode(TEXT, allowed_special="all")
        check(tok.decode(ids) == TEXT, "decoding gives another text")
        check(ids.count(tok.special_tokens["<|end|>"]) == 50, "special tokens are not found")
        tok.save(saved)
        loaded = bpetok.Tokenizer.load(saved)
        check(loaded.merges == tok.merges, "loading gives other merges")
        check(loaded.encode(TEXT, allowed_special="all") == ids, "loading gives other ids")
        command = [sys.executable, "-m", "bpetok", "train", str(corpus), "--vocab-size", "280"]
        command += ["--special-token", "<|end|>", "--output", str(Path(folder, "other.json"))]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)
        check(Path(folder, "other.json").read_bytes() == saved.read_bytes(), "the command differs")
    print(f"smoke: bpetok {bpetok.__version__} of {Path(bpetok.__file__).parent} works")


if __name__ == "__main__":
    main()
