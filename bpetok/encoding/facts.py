"""What a training run knows of itself: `Tokenizer.training`."""

from __future__ import annotations

from collections.abc import Mapping
from sys import intern
from typing import Any

from bpetok.base.checks import check_integer, shorten
from bpetok.base.limits import MAX_INT64
from bpetok.base.records import NamedTuple

_COUNTS = ("n_bytes", "n_words", "n_unique_words", "n_tokens", "min_frequency")


class TrainingFacts(NamedTuple):
    """What a tokenizer was trained on; equality ignores `seconds`.

    No dataclass, whose module takes as long to import as a tokenizer to load.

    Attributes
    ----------
    n_bytes : int
        Bytes of the training text, special tokens excluded.
    n_words : int
        Words in it, repetitions included.
    n_unique_words : int
        Different words.
    n_tokens : int
        Tokens that the text becomes with this tokenizer.
    min_frequency : int
        How often a pair had to occur to be merged.
    version : str
        The bpetok that trained.
    seconds : mapping of str to float
        Wall time of the phases "count", "load" (the words are laid out; if they are very many, the
        kernels for several threads are loaded) and "learn": together all of a training. Neither a
        file nor a pickle keeps it, so that the same training always gives the same bytes; in a
        loaded tokenizer it is empty.
    """

    n_bytes: int
    n_words: int
    n_unique_words: int
    n_tokens: int
    min_frequency: int
    version: str
    seconds: Mapping[str, float]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TrainingFacts):
            return NotImplemented
        return self[:-1] == other[:-1]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self[:-1])

    def __reduce__(self) -> tuple[Any, ...]:
        # Equal ones have equal pickles, by which datasets and Dask know what they have cached.
        return type(self), (*self[:-2], intern(self.version), {})

    @property
    def bytes_per_token(self) -> float:
        """Bytes of the training text a token: what the vocabulary compresses it by."""
        return self.n_bytes / self.n_tokens

    def to_json(self) -> dict[str, int | str]:
        """Return what a tokenizer's file keeps."""
        return {**{name: getattr(self, name) for name in _COUNTS}, "version": self.version}

    @classmethod
    def from_json(cls, content: Any) -> TrainingFacts:
        """Return the facts in a file.

        Raises
        ------
        TypeError, ValueError
            If they are not what `to_json` gives.
        """
        if not isinstance(content, dict) or set(content) != {*_COUNTS, "version"}:
            raise ValueError(f"training must have exactly {', '.join(_COUNTS)} and version")
        if not isinstance(content["version"], str):
            raise TypeError(f"training.version must be a str, got {shorten(content['version'])}")
        for name in _COUNTS:
            check_integer(f"training.{name}", content[name], 1, MAX_INT64)
        return cls(**content, seconds={})
