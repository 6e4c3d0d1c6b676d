"""Exact byte-level BPE tokenizers, trained fast.

The names below are imported when they are first used, so that ``import bpetok`` takes no time, and
encoding needs neither NumPy nor Numba.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from bpetok.base.forking import let_forks_wait as _let_forks_wait
from bpetok.base.version import __version__ as __version__

if TYPE_CHECKING:
    from bpetok import patterns as patterns
    from bpetok.base.checks import Reserved as Reserved
    from bpetok.counting.count import count_words as count_words
    from bpetok.counting.count import count_words_from_iterator as count_words_from_iterator
    from bpetok.counting.words import Words as Words
    from bpetok.encoding.added_tokens import AddedToken as AddedToken
    from bpetok.encoding.facts import TrainingFacts as TrainingFacts
    from bpetok.encoding.texts import SpecialTokenError as SpecialTokenError
    from bpetok.learning.rule import MergeFilter as MergeFilter
    from bpetok.patterns.pretokenize import pretokenize as pretokenize
    from bpetok.sequences import Sequences as Sequences
    from bpetok.sequences import SequenceTokenizer as SequenceTokenizer
    from bpetok.showing.explanation import Explanation as Explanation
    from bpetok.showing.lesson import Lesson as Lesson
    from bpetok.showing.report import Report as Report
    from bpetok.showing.report import report as report
    from bpetok.sources.reading import Reading as Reading
    from bpetok.tokenizer import Tokenizer as Tokenizer
    from bpetok.training.estimate import Estimate as Estimate
    from bpetok.training.estimate import estimate as estimate
    from bpetok.training.parity import Parity as Parity
    from bpetok.training.retraining import train_new_from_iterator as train_new_from_iterator
    from bpetok.training.sequences import train_from_sequences as train_from_sequences
    from bpetok.training.superwords import Superwords as Superwords
    from bpetok.training.train import train as train
    from bpetok.training.train import train_from_iterator as train_from_iterator
    from bpetok.training.train import train_from_words as train_from_words
    from bpetok.training.watch import watch as watch


_let_forks_wait()

_MODULE_OF = {
    "AddedToken": "encoding.added_tokens",
    "Explanation": "showing.explanation",
    "MergeFilter": "learning.rule",
    "Lesson": "showing.lesson",
    "Report": "showing.report",
    "SequenceTokenizer": "sequences",
    "Sequences": "sequences",
    "SpecialTokenError": "encoding.texts",
    "Estimate": "training.estimate",
    "Parity": "training.parity",
    "Tokenizer": "tokenizer",
    "Superwords": "training.superwords",
    "TrainingFacts": "encoding.facts",
    "Reserved": "base.checks",
    "Reading": "sources.reading",
    "Words": "counting.words",
    "count_words": "counting.count",
    "count_words_from_iterator": "counting.count",
    "estimate": "training.estimate",
    "pretokenize": "patterns.pretokenize",
    "report": "showing.report",
    "train": "training.train",
    "train_from_iterator": "training.train",
    "train_from_sequences": "training.sequences",
    "train_from_words": "training.train",
    "train_new_from_iterator": "training.retraining",
    "watch": "training.watch",
}

_WITHOUT_NUMPY = {"base", "encoding", "patterns", "tokenizer"}

__all__ = ["__version__", "patterns", *_MODULE_OF]


def __getattr__(name: str) -> object:
    if name == "patterns":
        return import_module("bpetok.patterns")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'bpetok' has no attribute {name!r}")
    value = getattr(_import(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def _import(module: str) -> object:
    """Import a module; one that imports NumPy whole, since half of it would break the process."""
    if module.partition(".")[0] in _WITHOUT_NUMPY:
        return import_module(f"bpetok.{module}")
    from bpetok.base.importing import import_whole

    return import_whole(f"bpetok.{module}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
