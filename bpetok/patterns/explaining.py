"""What scans a pattern, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpetok.base.records import NamedTuple
from bpetok.patterns.builtin import check_pattern, scanner_of, why_not_compiled

if TYPE_CHECKING:
    from bpetok.patterns.chains import Pattern


class Engine(NamedTuple):
    """What finds the words of a pattern.

    name : {"scanner", "automaton", "regex"}
        A scanner that was written by hand, an automaton that the pattern was compiled to, or the
        `regex` module, which takes about forty times as long.
    reason : str or None
        The construct that can't be compiled, if it is "regex".
    n_levels : int
        Automata, each of which splits the words of the one before; more than one only in chains.
    n_states : int
        Rows of their tables.
    memory : int
        Bytes of their tables.
    can_be_cut : bool
        Whether there are places where a long text can be cut, so that threads share it and memory
        does not grow with it.
    """

    name: str
    reason: str | None = None
    n_levels: int = 0
    n_states: int = 0
    memory: int = 0
    can_be_cut: bool = True


def explain(pattern: Pattern) -> Engine:
    """Tell which way a pattern goes, and how large its automaton is.

    Raises
    ------
    TypeError, ValueError
        If it can't split text at all.

    Examples
    --------
    >>> explain("gpt2").name, explain(r"[a-z]+|[^a-z]").name
    ('scanner', 'automaton')
    """
    name = check_pattern(pattern)
    scanner = scanner_of(name)
    if isinstance(scanner, int):
        return Engine("scanner", can_be_cut=name != "none")
    if scanner is None:
        return Engine("regex", why_not_compiled(name), can_be_cut=False)
    n_states = sum(len(tables.table) // tables.width for tables in scanner.tables)
    return Engine("automaton", None, scanner.n_levels, n_states, scanner.memory, scanner.can_be_cut)
