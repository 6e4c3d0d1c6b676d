"""How much memory an expression may take: one that comes in a file is a stranger's.

`regex` writes repeats out when it compiles: ``(?:a{1000}){1000}`` takes a million nodes. Time and
memory grow with their number only, and that can be told from the expression beforehand.
"""

from __future__ import annotations

import re

from bpetok.base.checks import shorten

MAX_NODES = 100_000
"""About 0.1 s and 20 MB; the largest of the built-in patterns has about 150."""

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
