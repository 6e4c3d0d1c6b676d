"""What the commands that count and learn say in the end: a summary, or facts as JSON."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bpetok.base.display import plural
from bpetok.base.records import NamedTuple
from bpetok.base.version import __version__
from bpetok.cli.common import NAMES, standard_output

if TYPE_CHECKING:
    from bpetok.cli.notes import Notes
    from bpetok.counting.words import Words
    from bpetok.showing.report import Report
    from bpetok.tokenizer import Tokenizer


def saved_as(output: str | os.PathLike[str], n_replaced: int) -> str:
    """Return where a result was saved, and whether there were files before."""
    earlier = "an earlier file" if n_replaced == 1 else "earlier files"
    return os.fsdecode(output) + f", in the place of {earlier}" * bool(n_replaced)


class Inputs(NamedTuple):
    """What is read, and where the result goes.

    formats : Counter of str
        How many files there are of each format.
    replaces : bool
        Whether the output was there before.
    """

    formats: Counter[str]
    output: str
    replaces: bool

    @property
    def saved(self) -> str:
        """Where the result was saved, as the summary says it."""
        return saved_as(self.output, self.replaces)

    @property
    def read(self) -> str:
        """What was read, as the summary says it."""
        return ", ".join(
            f"{plural(n, 'file')} of {NAMES.get(name, name)}"
            for name, n in self.formats.most_common()
        )

    def facts(self, notes: Notes) -> dict[str, object]:
        """Return the facts that all commands have; nobody knows what special tokens counts hold."""
        return {
            "version": __version__,
            "output": self.output,
            "replaced": self.replaces,
            "files": dict(self.formats),
            "n_repeated_files": notes.n_repeated,
            "unseen_special_tokens": None if "counts" in self.formats else notes.unseen,
        }


def write_json(facts: Mapping[str, object]) -> None:
    """Write facts to standard output, as one object of JSON."""
    import json  # here and not above, for `bpetok --version`: 1 ms

    standard_output().write(json.dumps(facts, indent=2, allow_nan=False) + "\n")


def training_facts(
    tokenizer: Tokenizer, inputs: Inputs, notes: Notes, seconds: float
) -> dict[str, object]:
    """Return the facts of a training."""
    facts = tokenizer.training
    assert facts is not None  # it has just been trained
    return {
        **inputs.facts(notes),
        "pattern": tokenizer.pattern,
        "vocab_size": tokenizer.vocab_size,
        "n_merges": len(tokenizer.merges),
        "special_tokens": tokenizer.special_tokens,
        "n_bytes": facts.n_bytes,
        "n_words": facts.n_words,
        "n_unique_words": facts.n_unique_words,
        "n_tokens": facts.n_tokens,
        "bytes_per_token": facts.bytes_per_token,
        "tokens_per_word": facts.n_tokens / facts.n_words,
        "min_frequency": facts.min_frequency,
        "seconds": {**facts.seconds, "all": seconds},
    }


def training_summary(tokenizer: Tokenizer, inputs: Inputs, seconds: float) -> str:
    """Return what people read after a training."""
    from bpetok.base.display import show_size

    facts = tokenizer.training
    assert facts is not None  # it has just been trained
    n_special = len(tokenizer.special_tokens)
    phases = ", ".join(f"{phase} {spent:.2f} s" for phase, spent in facts.seconds.items())
    return (
        f"Trained in {seconds:.1f} s ({phases}).\n"
        f"  saved to     {inputs.saved}\n"
        f"  read         {inputs.read}\n"
        f"  text         {show_size(facts.n_bytes)}, {plural(facts.n_words, 'word')}, "
        f"{facts.n_unique_words:,} different\n"
        f"  vocabulary   {tokenizer.vocab_size:,} ids = 256 bytes + "
        f"{plural(len(tokenizer.merges), 'merge')} + {plural(n_special, 'special token')}\n"
        f"  compression  {facts.bytes_per_token:.2f} bytes a token, "
        f"{facts.n_tokens / facts.n_words:.2f} tokens a word"
    )


def counting_facts(words: Words, inputs: Inputs, notes: Notes, seconds: float) -> dict[str, object]:
    """Return the facts of counted words."""
    return {
        **inputs.facts(notes),
        "pattern": words.pattern,
        "special_tokens": list(words.special_tokens),
        "n_bytes": words.n_bytes,
        "n_words": words.total,
        "n_unique_words": len(words),
        "seconds": {"all": seconds},
    }


def counting_summary(words: Words, inputs: Inputs, done: str) -> str:
    """Return what people read after counting."""
    from bpetok.base.display import show_size

    return (
        f"{done}.\n"
        f"  saved to     {inputs.saved}\n"
        f"  read         {inputs.read}\n"
        f"  text         {show_size(words.n_bytes)}, {plural(words.total, 'word')}, "
        f"{len(words):,} different"
    )


def report_facts(report: Report) -> dict[str, object]:
    """Return the numbers of a report: facts of each tokenizer, and its rows by source."""
    tokenizers = [
        {
            "name": one.name,
            "vocab_size": one.tokenizer.vocab_size,
            "n_merges": one.n_merges,
            "pattern": one.tokenizer.pattern,
            "special_tokens": one.tokenizer.special_tokens,
            "n_unused": len(one.unused),
            "n_not_utf8": len(one.not_utf8),
            "longest": len(one.n_by_length) - 1,
        }
        for one in report.tokenizers
    ]
    return {"version": __version__, "tokenizers": tokenizers, "rows": report.to_dicts()}
