"""How much memory an expression, a chain or a normalizer may take: those of files are strangers'.

`regex` writes repeats out when it compiles: ``(?:a{1000}){1000}`` takes a million nodes. Time and
memory grow with their number only, and that can be told from the expression beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bpetok.base.checks import shorten

MAX_NODES = 100_000
"""About 0.1 s and 20 MB; the largest of the built-in patterns has about 150."""
MAX_STEPS = 100
"""Of a chain, each of which is compiled: a step takes up to about 0.3 s and 1 MB."""
MOST_GROWTH = 100
ALWAYS_ALLOWED = 1 << 16
"""A text may become `MOST_GROWTH` times as long, or that many bytes: the most that Unicode's forms
do is 11 times. Forty steps of a stranger's file that double a letter would take all memory."""

# `re` compiles it when it is first needed, half a millisecond that most trainings do not take.
_TOKENS = r"""(?xs)
    \\[pPNxuU]?\{[^}]*\}                    # \p{Lu}, \x{41}
    | \\.                                   # any other escape
    | \[\^?\]?(?:\\.|\[(?:\\.|[^\]\\])*\]|[^\]\\\[])*\]   # a class, perhaps with a class inside
    | \{(?P<least>\d*)(?P<comma>,(?P<most>\d*))?\}        # an interval
    | .
"""


def count_nodes(expression: str) -> int:
    """Return about how many nodes an expression has when its repeats are written out."""
    groups = [0]  # nodes of each group that is open, outermost first
    last = 0  # nodes of what an interval would repeat
    for match in re.finditer(_TOKENS, expression):
        token = match[0]
        if match["least"] is not None and (match["least"] or match["most"]):
            # Seven digits are more than enough; a number may have thousands.
            times = max(1, *(int((match[name] or "0")[:7]) for name in ("least", "most")))
            groups[-1] += last * (times - 1)
            last *= times
        elif token == "(":
            groups.append(0)
        elif token == ")" and len(groups) > 1:
            last = groups.pop() + 1
            groups[-1] += last
        elif token not in "?*+":
            last = 1
            groups[-1] += 1
    return sum(groups)


def check_steps(expressions: Sequence[str]) -> None:
    """Refuse a chain that would take too much memory or time: by each of its steps, and by all.

    Raises
    ------
    ValueError
        If it has more than MAX_STEPS steps, or MAX_NODES nodes in all.
    """
    if len(expressions) > MAX_STEPS:
        raise ValueError(
            f"pattern must have at most {MAX_STEPS} steps, got {len(expressions):,}: put several "
            "into one expression, with | between them"
        )
    for expression in expressions:
        check_size(expression)
    if sum(map(count_nodes, expressions)) > MAX_NODES:
        raise ValueError(
            f"pattern {shorten(expressions)} is too large: with their repeats written out its "
            f"steps have more than {MAX_NODES:,} parts"
        )


def check_size(expression: str, name: str = "pattern") -> None:
    """Refuse an expression, the value of the option `name`, that would take too much memory.

    Raises
    ------
    ValueError
        If it has more than MAX_NODES nodes.
    """
    if len(expression) > MAX_NODES or count_nodes(expression) > MAX_NODES:
        raise ValueError(
            f"{name} {shorten(expression)} is too large: with its repeats written out it has more "
            f"than {MAX_NODES:,} parts"
        )


def check_growth(before: int, after: int) -> None:
    """Refuse what would make a text much longer, which may take all memory.

    Raises
    ------
    ValueError
        If it is more than `MOST_GROWTH` times as long, and longer than `ALWAYS_ALLOWED`.
    """
    if after > ALWAYS_ALLOWED and after > MOST_GROWTH * before:
        raise ValueError(
            f"the steps Replace or Prepend make a text of {before:,} bytes or characters at least "
            f"{after:,} long, more than {MOST_GROWTH} times: leave out those that add so much"
        )
