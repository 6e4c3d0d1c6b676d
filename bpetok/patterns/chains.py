r"""Chains: patterns of several steps, each of which splits the pieces that the one before leaves.

What a step is, in ``pattern=[step, step, ...]``:

* an expression or the name of a pattern, ``r"\p{N}{1,3}"`` or ``"gpt2"``: its matches become pieces
  of their own, and so does what is between them;
* a pair of that and of a behaviour, ``(r"\s+", "removed")``:

  ======================  =====================================================================
  isolated                each match is a piece, and so is what is between two matches
  removed                 a match is left out, from counting and from encoding
  kept                    each match is a piece, and what is between them is left out
  merged_with_previous    a match is joined to what is before it, unless that is a match, too
  merged_with_next        a match is joined to what follows it, unless that is a match, too
  contiguous              matches that follow each other are one piece
  ======================  =====================================================================

* the name of a step: ``"digits"`` (each character that is a number), ``"punctuation"`` (each one of
  ASCII's or Unicode's punctuation), ``"whitespace"`` (what Unicode calls white space),
  ``"right_to_left_digits"`` (numbers in groups of three, counted from the right), ``"scripts"``
  (text of one script, as tokenizers knows them); also in a pair;
* ``"byte_level"``, which splits nothing: the later steps see each byte as the character that
  GPT-2 writes for it, as steps after ByteLevel do in a tokenizer.json;
* ``"prefix_space"``, which splits nothing either: it puts a space before each piece that does not
  begin with one. Once in a chain, after a step that splits, and before ``"byte_level"``.

Where an expression matches the empty text, a piece ends if it is isolated. Each piece
is a text to the next step: look-ahead sees its end, not what follows there.

These are the pre-tokenizers of Hugging Face's tokenizers, which are the oracle: ``Sequence`` is the
chain, ``Split(Regex)`` a pair (``invert=True`` turns removed into kept and kept into removed, the
two that merge into each other, and changes nothing else), ``Digits`` is ``"digits"`` (contiguous
unless ``individual_digits``), ``Punctuation`` ``"punctuation"`` with its behaviour, ``ByteLevel``
``"prefix_space"`` if it has ``add_prefix_space`` and is not the first, ``"gpt2"`` if it has
``use_regex``, and then ``"byte_level"``, ``WhitespaceSplit`` ``("whitespace", "removed")``,
``Whitespace`` ``(r"\w+|[^\w\s]+", "kept")``, ``FixedLength`` ``r"[\s\S]{1,5}"`` for a length of 5,
``UnicodeScripts`` ``("scripts", "kept")``.

In files, in `Tokenizer.pattern` and on the command line a chain is a str, JSON as
``[["\\p{N}{1,3}", "isolated"], ["gpt2", "isolated"]]``: `spell_chain`. That str is a pattern, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

from bpetok.base.checks import encode_utf8, shorten
from bpetok.base.records import NamedTuple

Step: TypeAlias = str | tuple[str, str]
Pattern: TypeAlias = str | Sequence[Step]
"""What users give for a pattern: a name, an expression, or a chain."""

BYTE_LEVEL = "byte_level"
PREFIX_SPACE = "prefix_space"
N_SCRIPTS = 135
"""Scripts that ``"scripts"`` knows: `older_scripts` has them."""

# ASCII and general category P, but for what tokenizers' table of Unicode 8.0 does not have yet.
_NEWER_PUNCTUATION = (
    r"\u061d\u09fd\u0a76\u0c77\u0c84\u166d\u1b4e\u1b4f\u1b7d-\u1b7f\u2e43-\u2e4f\u2e52-\u2e5d"
    r"\U00010d6e\U00010ead\U00010f55-\U00010f59\U00010f86-\U00010f89\U000111c9\U000113d4\U000113d5"
    r"\U000113d7\U000113d8\U0001144b-\U0001144f\U0001145a\U0001145b\U0001145d\U00011660-\U0001166c"
    r"\U000116b9\U0001183b\U00011944-\U00011946\U000119e2\U00011a3f-\U00011a46\U00011a9a-\U00011a9c"
    r"\U00011a9e-\U00011aa2\U00011b00-\U00011b09\U00011be1\U00011c41-\U00011c45\U00011c70\U00011c71"
    r"\U00011ef7\U00011ef8\U00011f43-\U00011f4f\U00011fff\U00012ff1\U00012ff2\U00016d6d-\U00016d6f"
    r"\U00016e97-\U00016e9a\U00016fe2\U0001e5ff\U0001e95e\U0001e95f"
)

STEPS = {
    "digits": r"\p{N}",
    "punctuation": rf"[!-/:-@\[-`{{-~\p{{P}}&&[^{_NEWER_PUNCTUATION}]]",
    "whitespace": r"\s",
    # Lazy, which gives the same words, since just one length leaves groups of three, and of which
    # each end is seen at once.
    "right_to_left_digits": r"\p{N}{1,3}?(?=(?:\p{N}{3})*(?!\p{N}))",
    "scripts": "|".join(
        rf"[\p{{UnicodeScripts={i}}}][\p{{UnicodeScripts={i}}}\p{{UnicodeScripts=any}}]*"
        for i in range(N_SCRIPTS)
    ),
}
"""The steps that have names of their own, as expressions."""


BEHAVIORS = (
    "isolated",
    "removed",
    "kept",
    "merged_with_previous",
    "merged_with_next",
    "contiguous",
)
"""What becomes of the matches of a step: the docstring above says what each means."""


class SplitStep(NamedTuple):
    """A step of a chain: an expression and what becomes of its matches.

    behavior : str
        One of `BEHAVIORS`.
    by_byte : bool
        The expression sees each byte as the character that GPT-2 writes for it.
    spaced : bool
        A space is put before each piece that it leaves, unless it begins with one.
    """

    expression: str
    behavior: str = "isolated"
    by_byte: bool = False
    spaced: bool = False


def is_chain(pattern: str) -> bool:
    """Tell whether a str is the spelling of a chain."""
    return pattern.startswith("[[") and _read(pattern) is not None


def spell_chain(pattern: Sequence[Step]) -> str:
    """Return the str that a chain is in files.

    Raises
    ------
    TypeError, ValueError
        If it has no step, a step is neither a str nor a pair of them, or there is no such
        behaviour.
    """
    import json

    if not pattern:
        raise ValueError("pattern must have at least one step, got none")
    return json.dumps([_check_step(step) for step in pattern], ensure_ascii=False)


def _check_step(step: object) -> tuple[str, str]:
    pair = (step, "isolated") if isinstance(step, str) else step
    if (
        not isinstance(pair, tuple | list)
        or len(pair) != 2
        or not all(isinstance(part, str) for part in pair)
    ):
        raise TypeError(
            "a step of a pattern must be an expression, a name, or a pair of one and a behaviour, "
            f"got {shorten(step)}"
        )
    expression, behavior = pair
    if behavior not in BEHAVIORS:
        raise ValueError(
            f"the behaviour of a step must be one of {', '.join(map(repr, BEHAVIORS))}, "
            f"got {shorten(behavior)}"
        )
    if expression == "":
        raise ValueError("a step of a pattern must not be empty")
    encode_utf8(expression, "pattern")
    return expression, behavior


@lru_cache(maxsize=64)
def _read(spelling: str) -> list[tuple[str, str]] | None:
    import json

    try:
        steps = json.loads(spelling)
        if not all(isinstance(step, list) for step in steps):
            return None
        return [_check_step(step) for step in steps] or None
    except (ValueError, TypeError, RecursionError):
        return None


def steps_of(spelling: str) -> list[tuple[str, str]]:
    """Return the steps of a chain: (expression or name, behaviour)."""
    return _read(spelling) or []


def around_spaces(spelling: str) -> tuple[str, str] | None:
    """Return what splits before a chain puts spaces before pieces, and what splits each of these.

    Both are patterns; None if it puts none.
    """
    steps = steps_of(spelling)
    places = [i for i, (step, _) in enumerate(steps) if step == PREFIX_SPACE]
    if not places:
        return None
    after = steps[places[0] + 1 :]
    splits = any(step != BYTE_LEVEL for step, _ in after)
    return spell_chain(steps[: places[0]]), spell_chain(after) if splits else "none"


def put_space(piece: bytes) -> bytes:
    """Return a piece with a space before it, unless it begins with one."""
    return piece if piece.startswith(b" ") else b" " + piece


def splits_of(spelling: str, expressions: dict[str, str]) -> list[SplitStep]:
    """Return the steps of a chain as expressions; `expressions` has those of the named patterns."""
    splits: list[SplitStep] = []
    by_byte = False
    for step, behavior in steps_of(spelling):
        if step == BYTE_LEVEL:
            by_byte = True
            continue
        if step == PREFIX_SPACE:
            splits[-1:] = [split._replace(spaced=True) for split in splits[-1:]]
            continue
        expression = STEPS.get(step) or expressions.get(step, step)
        splits.append(SplitStep(expression, behavior, by_byte))
    return splits
