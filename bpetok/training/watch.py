"""Training on a small text in a way that can be watched: `watch`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bpetok.base.checks import check_integer, encode_utf8, is_one_of, shorten
from bpetok.base.limits import DEFAULT_PATTERN, MAX_INT32, N_BYTES
from bpetok.counting.words import Words
from bpetok.learning.learner import Learner
from bpetok.learning.packing import pack
from bpetok.learning.rule import Tuning
from bpetok.patterns.builtin import check_pattern
from bpetok.patterns.chains import Pattern
from bpetok.patterns.pretokenize import pretokenize
from bpetok.showing.lesson import Lesson
from bpetok.showing.lesson_steps import WordSlots, replay
from bpetok.showing.lesson_texts import TEXTS

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 100_000
"""A page of more text would be slow, and nobody would read it."""
MAX_MERGES = 300
N_SHARDS = 2
"""So that one can see what two threads would share out."""
ONE_ROUND_AT_A_TIME = Tuning(pause_rounds=1)


def watch(
    text: str,
    *,
    vocab_size: int | None = None,
    pattern: Pattern = DEFAULT_PATTERN,
    lang: str = "en",
) -> Lesson:
    """Train on a small text, and return the training as something that one can step through.

    Parameters
    ----------
    text : str
        At most 100,000 bytes of it are used; a note in the result says if it was cut.
    vocab_size : int, optional
        256 bytes and at most 300 merges; by default 356.
    pattern : str
        The split pattern, as in `train`.
    lang : {"en", "zh"}
        The language of the page that `Lesson.save` writes.

    Raises
    ------
    TypeError, ValueError
        If an option is out of its range, the text is no str or has no word in it.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, got {type(text).__name__}: read the file first")
    if not is_one_of(lang, TEXTS):
        raise ValueError(f"lang must be one of {', '.join(map(repr, TEXTS))}, got {shorten(lang)}")
    size = N_BYTES + 100 if vocab_size is None else vocab_size
    n_merges = check_integer("vocab_size", size, N_BYTES, MAX_INT32) - N_BYTES
    pattern = check_pattern(pattern)
    data = encode_utf8(text, "text")
    notes = []
    if len(data) > MAX_BYTES:
        notes.append(TEXTS[lang]["cut_text"].format(MAX_BYTES, len(data)))
        text = data[:MAX_BYTES].decode(errors="ignore")
    if n_merges > MAX_MERGES:
        notes.append(TEXTS[lang]["cut_merges"].format(MAX_MERGES, n_merges))
        n_merges = MAX_MERGES
    words = Words.from_counts((word.encode(), 1) for word in pretokenize(text, pattern))
    if len(words) == 0:
        raise ValueError("text must have at least one word, but it is empty")
    learner = Learner(words, n_merges, tuning=ONE_ROUND_AT_A_TIME)
    rounds: list[int] = []
    pairs = learner.learn(rounds.append).pairs
    listed = sorted(words, key=lambda item: (-item[1], item[0]))
    merges = [(left, right) for left, right in pairs.tolist()]
    return Lesson(
        tuple(listed),
        tuple(replay(listed, merges)),
        tuple(rounds),
        tuple(_slots(words, {word: number for number, (word, _) in enumerate(listed)})),
        tuple(notes),
        lang,
    )


def _slots(words: Words, numbers: dict[bytes, int]) -> Iterator[WordSlots]:
    """Yield where each word lies in the flat array, as the learner packs it for two threads.

    Its slots are read back: a word is what lies between two slots of -1.
    """
    packed = pack(words, words.ids, N_SHARDS, in_order=False)
    for shard, (first, last) in enumerate(
        zip(packed.slot_start[:-1], packed.slot_start[1:], strict=True)
    ):
        symbols = packed.symbols[first:last]
        ends = np.flatnonzero(symbols < 0)
        for before, after in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
            word = symbols[before + 1 : after].astype(np.uint8).tobytes()
            if word:
                yield WordSlots(numbers[word], shard, before + 1)
