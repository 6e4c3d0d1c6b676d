"""Expressions to automata that tell whether they match anywhere, in time that bytes bound."""

from __future__ import annotations

from array import array
from functools import lru_cache

from bpetok.patterns.classes import ALL
from bpetok.patterns.matcher import DEAD, Matcher
from bpetok.patterns.nfa import Alphabet, Program, Symbol
from bpetok.patterns.parse import Chars, Repeat, Sequence, Unsupported, parse
from bpetok.patterns.search import Search

MOST_STATES = 500
"""More take long to find, and are of expressions with many repeats: ``a.{9}b`` has 512."""


@lru_cache(maxsize=16)
def compile_search(expression: str) -> Search:
    """Return what tells whether an expression matches anywhere; a dot is any character.

    Raises
    ------
    Unsupported
        If there is a construct that can't be compiled.
    """
    try:
        # What is looked for comes after as few characters as can be. Where one match ends all is
        # known, so which way the expression prefers does not matter.
        tree = Sequence([Repeat(Chars(ALL), 0, None, lazy=True), parse(f"(?s){expression}")])
        alphabet = Alphabet([tree])
        program = Program(tree, alphabet)
    except RecursionError:
        raise Unsupported("too many parts inside each other") from None
    if program.looks:
        raise Unsupported("a look-ahead of more than one character")
    table, found = _table(Matcher(program, [Symbol(base) for base in range(alphabet.n)]), alphabet)
    return Search(
        array("I", alphabet.starts),
        bytes(alphabet.atoms),
        table,
        alphabet.n,
        alphabet.line_feed,
        found,
    )


def _table(matcher: Matcher, alphabet: Alphabet) -> tuple[array[int], int]:
    """Return the rows of all states, and the number that means that there is a match."""
    first = matcher.start(matcher.behind[matcher.begin])
    numbers = {first: 0}
    states = [first]
    rows: list[list[int]] = []
    found = MOST_STATES
    for state in states:
        row = matcher.row(state)
        entries = []
        for ends, following in zip(row.ends, row.next, strict=True):
            if ends:
                entries.append(found)
                continue
            if following == DEAD:
                following = first  # after the end of the text: never read
            if following not in numbers:
                if len(states) == MOST_STATES:
                    raise Unsupported(f"more than {MOST_STATES} states")
                numbers[following] = len(states)
                states.append(following)
            entries.append(numbers[following])
        rows.append(entries)
    return array("H", [entry for row in rows for entry in row]), found
