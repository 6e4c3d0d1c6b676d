"""What other trainers do otherwise: all that `compat` switches, read from their own code.

Each has the merges of BPE. They part in how they cut text into words, which of two pairs with
equal counts they take, and in their limits.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, Literal

from bpetok.base.byte_characters import CHARACTERS, to_text
from bpetok.base.checks import (
    check_integer,
    check_min_frequency,
    check_unmatched,
    did_you_mean,
    shorten,
)
from bpetok.base.limits import MAX_INT32, N_BYTES
from bpetok.base.records import NamedTuple
from bpetok.encoding.token_bytes import build_token_bytes
from bpetok.learning.rule import Rule, Ties
from bpetok.patterns.builtin import CHAINS, PATTERNS
from bpetok.patterns.special import SpecialTokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from bpetok.counting.options import CountOptions


class Trainer(NamedTuple):
    """How a trainer differs; the defaults are bpetok's own ways."""

    name: str | None = None
    unmatched: Literal["error", "word", "drop"] | None = None
    """What becomes of text that the pattern does not match; None: what the caller says."""
    special_is_text: bool = False
    """Special tokens in the text are counted as text."""
    by_line: bool = False
    """Each line of a text file is a text."""
    takes_groups: bool = False
    """Of a pattern with groups it takes the groups for the words."""
    ties: Ties = "ids"
    """Which of two pairs with equal counts is merged first."""
    byte_order: tuple[int, ...] | None = None
    """The bytes by their ids; None: a byte is its id."""
    special_first: bool = False
    """Special tokens have the first ids, before the bytes."""
    min_frequency: bool = True
    """It knows this limit."""
    max_token_length: Literal["at most", "less than"] | None = "at most"
    """How it takes this limit, if it knows it. What is shorter than 3 bytes is never left out."""


_TRAINERS = (
    Trainer(
        "huggingface",  # tokenizers 0.23.3, models/bpe/trainer.rs, with a ByteLevel alphabet
        unmatched="word",
        special_is_text=True,
        by_line=True,
        byte_order=tuple(sorted(range(N_BYTES), key=CHARACTERS.__getitem__)),
        special_first=True,
        max_token_length="less than",
    ),
    Trainer(
        "rustbpe",  # rustbpe 0.1.0, src/lib.rs
        unmatched="drop",
        special_is_text=True,
        min_frequency=False,
        max_token_length=None,
    ),
    Trainer(
        "bpeasy",  # bpeasy 0.1.6, src/lib.rs
        unmatched="drop",
        special_is_text=True,
        min_frequency=False,
        max_token_length="less than",
    ),
    Trainer(
        "minbpe",  # karpathy/minbpe 1acefe8, minbpe/regex.py
        unmatched="drop",
        special_is_text=True,
        takes_groups=True,
        ties="place",
        min_frequency=False,
        max_token_length=None,
    ),
    Trainer(
        "cs336",  # Stanford CS336, assignment 1
        unmatched="drop",
        ties="bytes",
        min_frequency=False,
        max_token_length=None,
    ),
)
OURS = Trainer()
TRAINERS: dict[str | None, Trainer] = {
    **{trainer.name: trainer for trainer in _TRAINERS},
    "bpetok": OURS,
}


def check_compat(compat: str | None) -> Trainer:
    """Return what to do otherwise for the trainer of this name; "bpetok" is this one.

    Raises
    ------
    ValueError
        If it is not known.
    """
    if compat is None:
        return OURS
    if not isinstance(compat, str) or compat not in TRAINERS:
        raise ValueError(
            f"compat must be one of {', '.join(map(repr, TRAINERS))}, got {shorten(compat)}"
            f"{did_you_mean(str(compat), filter(None, TRAINERS))}"
        )
    return TRAINERS[compat]


def check_counting(trainer: Trainer, options: CountOptions, unmatched: str | None) -> CountOptions:
    """Return how the words of a trainer are counted.

    Raises
    ------
    ValueError
        If that is not what the caller wants, or not what the pattern allows.
    """
    wanted = trainer.unmatched or "error" if unmatched is None else check_unmatched(unmatched)
    if trainer.unmatched not in (None, wanted):
        raise ValueError(
            f"unmatched must be {trainer.unmatched!r}, or not given, with "
            f"compat={trainer.name!r}, got {shorten(unmatched)}"
        )
    if trainer.takes_groups and options.pattern not in (*PATTERNS, *CHAINS):
        from bpetok.patterns.expressions import compile_expression

        if compile_expression(options.pattern).groups:
            raise ValueError(
                f"pattern {options.pattern!r} must have no groups with compat={trainer.name!r}, "
                "which takes the groups for the words: write (?:...)"
            )
    cutting = options.cutting._replace(by_line=trainer.by_line)
    if trainer.special_is_text:
        cutting = cutting._replace(special_tokens=SpecialTokens([]))
    in_order = Rule(ties=trainer.ties).keeps_word_order
    return options._replace(cutting=cutting, unmatched=wanted, in_order=in_order)


def check_rule(trainer: Trainer, min_frequency: int, max_token_length: int | None) -> Rule:
    """Return the rule that a trainer learns by.

    Raises
    ------
    TypeError, ValueError
        If a limit is out of its range, or the trainer does not know it.
    """
    if check_min_frequency(min_frequency) != 1 and not trainer.min_frequency:
        raise ValueError(
            f"min_frequency must be 1 with compat={trainer.name!r}, which has no such limit, "
            f"got {min_frequency}"
        )
    longest = MAX_INT32
    if max_token_length is not None:
        longest = check_integer("max_token_length", max_token_length, 1, MAX_INT32)
        if trainer.max_token_length is None:
            raise ValueError(
                f"max_token_length must not be given with compat={trainer.name!r}, which has no "
                f"such limit, got {max_token_length}"
            )
        if trainer.max_token_length == "less than":
            longest = max(longest - 1, 2)
    return Rule(min_frequency, longest, trainer.ties, trainer.byte_order)


def lay_out(
    trainer: Trainer, pairs: NDArray[np.int32], special_tokens: Sequence[str]
) -> dict[str, Any]:
    """Return the ids that a trainer gives, as the parameters of a Tokenizer.

    Raises
    ------
    ValueError
        If the trainer would give a special token and another one id.
    """
    if not trainer.special_first:
        return {"special_tokens": special_tokens}
    tokens = build_token_bytes(array("i", pairs.ravel().tolist()))
    spelled = {to_text(token): token for token in tokens}
    for name in special_tokens:
        if name in spelled:
            raise ValueError(
                f"special_tokens: {name!r} is also the name of the token {spelled[name]!r}, and "
                f"{trainer.name} has one id for both, but a Tokenizer two: name it otherwise"
            )
    n_special = len(special_tokens)
    ids = list(range(n_special, n_special + len(tokens)))
    for i, byte in enumerate(trainer.byte_order or ()):
        ids[byte] = n_special + i
    return {
        "token_ids": ids,
        "special_tokens": {name: i for i, name in enumerate(special_tokens)},
    }
