"""Compare ids with those of the tokenizers library that is installed, whatever its version.

    python tests/readers/read_tokenizers.py FOLDER [PATTERN ...]

FOLDER is what `export.py` has written. The patterns are those that this version is known not to
read, or to read otherwise. It fails if any other has other ids, and if one of these has the same,
so that the list stays true. Needs only tokenizers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import tokenizers


def differing(folder: Path, rows: list[tuple[str, list[int]]]) -> str | None:
    """Return how the ids of a folder differ, None if they don't."""
    reader: Any = tokenizers.Tokenizer
    try:
        theirs = reader.from_file(str(folder / "tokenizer.json"))
        bad = [
            text
            for text, ids in rows
            if list(theirs.encode(text, add_special_tokens=False).ids) != ids
        ]
    except Exception as error:  # it raises this very class
        return f"not read: {error}"
    return f"{len(bad)} of {len(rows)} texts, such as {min(bad, key=len)!r}" if bad else None


def main(folder: Path, known: list[str]) -> int:
    """Print what differs; return the exit status."""
    texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    found = {name: differing(folder / name, rows) for name, rows in texts.items()}
    rows = [f"{name}: {difference or 'equal'}" for name, difference in found.items()]
    sys.stdout.write("\n".join([f"tokenizers {tokenizers.__version__}", *rows, ""]))
    return int({name for name, difference in found.items() if difference} != {*known})


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
