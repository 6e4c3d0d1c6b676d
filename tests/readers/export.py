"""Write what other readers must read: a folder for each built-in pattern, and texts with their ids.

    python tests/readers/export.py FOLDER [--portable] [PATTERN ...]

Then, in an environment with that reader, `read_tokenizers.py` or `read.mjs`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import bpetok
from bpetok.formats.checks import awkward_texts
from strategies import TEXT

SPECIAL = ("<|end|>", "<|im_start|>")
# White space, the long s and digits, which JavaScript takes otherwise.
JAVASCRIPT = (
    "a \ufeff b",
    "\ufeff\ufeff",
    "a\x85\x85 b",
    " \x85",
    "it'\u017f",
    "\u0663\u0664 \xb2\xbd",
)


def export(folder: Path, names: list[str], *, portable: bool) -> None:
    """Write a tokenizer for each pattern, and texts.json: for each, texts with their ids."""
    rows: dict[str, list[tuple[str, list[int]]]] = {}
    texts = [*awkward_texts(SPECIAL), *JAVASCRIPT]
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        tok = bpetok.train_from_iterator(
            [TEXT, "madeupword0000 " * 4], vocab_size=480, pattern=name, special_tokens=SPECIAL
        )
        tok.save_pretrained(folder / name, eos_token=SPECIAL[0], portable=portable)
        rows[name] = [(text, tok.encode(text, allowed_special="all")) for text in texts]
    (folder / "texts.json").write_text(json.dumps(rows), encoding="utf-8")


if __name__ == "__main__":
    given = [name for name in sys.argv[2:] if name != "--portable"]
    is_portable = "--portable" in sys.argv
    export(Path(sys.argv[1]), given or bpetok.patterns.names(), portable=is_portable)
