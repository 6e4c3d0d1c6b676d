"""Exact byte-level BPE tokenizers, trained fast.

The names below are imported when they are first used, so that ``import bpetok`` takes no time, and
encoding needs neither NumPy nor Numba.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpetok import patterns as patterns
    from bpetok._pretokenize import pretokenize as pretokenize
    from bpetok._texts import SpecialTokenError as SpecialTokenError
    from bpetok.counting import count_words as count_words
    from bpetok.counting import count_words_from_iterator as count_words_from_iterator
    from bpetok.estimating import Estimate as Estimate
    from bpetok.estimating import estimate as estimate
    from bpetok.explain import Explanation as Explanation
    from bpetok.facts import TrainingFacts as TrainingFacts
    from bpetok.reports import Report as Report
    from bpetok.reports import report as report
    from bpetok.tokenizer import Tokenizer as Tokenizer
    from bpetok.training import train as train
    from bpetok.training import train_from_iterator as train_from_iterator
    from bpetok.training import train_from_words as train_from_words
    from bpetok.words import Words as Words

__version__ = "0.1.0"

_MODULE_OF = {
    "Explanation": "explain",
    "Report": "reports",
    "SpecialTokenError": "_texts",
    "Estimate": "estimating",
    "Tokenizer": "tokenizer",
    "TrainingFacts": "facts",
    "Words": "words",
    "count_words": "counting",
    "count_words_from_iterator": "counting",
    "estimate": "estimating",
    "pretokenize": "_pretokenize",
    "report": "reports",
    "train": "training",
    "train_from_iterator": "training",
    "train_from_words": "training",
}

__all__ = ["__version__", "patterns", *_MODULE_OF]


def __getattr__(name: str) -> object:
    if name == "patterns":
        return import_module("bpetok.patterns")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'bpetok' has no attribute {name!r}")
    value = getattr(import_module(f"bpetok.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
