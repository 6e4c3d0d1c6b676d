"""What a contender is: a module with these names.

This file and the contenders run inside the contenders' own environments, so they import nothing but
the standard library at import time; a contender imports its library in the functions that use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

Takes = Literal["files", "plain files", "texts"]
"""The input a trainer is given.

``files``: the corpus as it is; the trainer itself keeps special tokens out of the words.
``plain files``: copies of the files with the special tokens cut out, made before the clock starts.
``texts``: a list of str, the texts between the special tokens, read and split within the process's
time, before the trainer's own call.
"""

Cuts = Literal["texts", "lines", "files", "own"]
"""What a trainer applies the pattern to.

Whole texts, lines alone, whole plain files (one text runs on into the next), or words by a rule of
its own.
"""

Ties = Literal["raw ids", "byte order", "seen first", "unknown"]
"""Which of several equally frequent pairs comes first.

``raw ids``: the smallest (left id, right id), bytes being 0-255. ``byte order``: the same with
bytes in Hugging Face's order. ``seen first``: the pair whose first place in the words is earliest.
"""

Output = Literal["list", "array"]
"""What an encoder gives: lists of int, or one flat buffer of integers."""

Learned = Callable[[], Sequence[Sequence[bytes]]]
"""Called after the clock has stopped: the merges as (left, right), or (token,) from a library that
keeps only tokens."""


@dataclass(frozen=True)
class TrainJob:
    """One training: the same request to every contender.

    ``n_merges`` is what counts as the same work: libraries count vocabulary sizes differently.
    """

    files: list[str]
    texts: list[str]
    n_merges: int
    special_tokens: list[str]
    pattern: str
    pattern_text: str
    n_absent_bytes: int
    n_threads: int


@dataclass(frozen=True)
class EncodeJob:
    """One vocabulary to load, with the same ids in all files.

    Bytes are 0-255, then come the merges, then the special tokens. ``merges`` is a JSON list of
    (left id, right id), for a library that reads neither of the usual formats.
    """

    tokenizer_json: str
    tiktoken_ranks: str
    merges: str
    special_tokens: dict[str, int]
    pattern: str
    pattern_text: str
    n_threads: int
    output: Output


class Encoder(NamedTuple):
    """A loaded vocabulary: how to use it, and how to read what it gives.

    ``batch`` encodes texts in the output asked for; ``one`` encodes one short text to the library's
    usual result; ``ids`` turns what ``batch`` gave into one sequence of ids a text; ``decode``
    turns ids back into str or bytes.
    """

    batch: Callable[[list[str]], Any]
    one: Callable[[str], Any]
    ids: Callable[[Any], Iterable[Sequence[int]]]
    decode: Callable[[list[int]], Any]
    to_file: Callable[[list[str], str], Any] | None = None
    """Encode files, each of which is one text but for the special tokens, to a file of integers as
    narrow as the library writes them; None where it can't without a loop in Python."""


class Contender(Protocol):
    """What every contender says of itself."""

    label: str
    requirements: tuple[str, ...]
    """Pinned, for pip; the first one is the contender's own. Empty for bpetok: the checkout."""


class Trainer(Contender, Protocol):
    """A contender that trains."""

    takes: Takes
    cuts: Cuts
    ties: Ties
    """What its sources say; a comparison checks whether that explains a difference."""
    compiles: bool
    """Whether kernels are compiled at run time: cold and cached are then measured apart."""
    train_settings: str
    other_work: str
    """Why the result isn't comparable, or an empty string."""

    def train(self, job: TrainJob) -> Learned:
        """Train; everything in this call is the trainer's own time."""


class EncodingContender(Contender, Protocol):
    """A contender that encodes."""

    outputs: tuple[Output, ...]
    encode_settings: str
    writes_files: bool
    """Whether the encoders that give arrays have a `to_file`."""

    def load(self, job: EncodeJob) -> Encoder:
        """Load the vocabulary."""
