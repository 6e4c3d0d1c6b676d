"""Expressions to automata that tell whether they match anywhere, in time that bytes bound."""

from __future__ import annotations

import re
from array import array
from functools import lru_cache

from bpetok.patterns.classes import ALL
from bpetok.patterns.matcher import DEAD, Matcher
from bpetok.patterns.nfa import Alphabet, Program, Symbol
from bpetok.patterns.parse import (
    Atomic,
    Chars,
    Choice,
    Look,
    Node,
    Repeat,
    Sequence,
    Unsupported,
    parse,
)
from bpetok.patterns.search import Search

MOST_STATES = 500
"""More take long to find, and are of expressions with many repeats: ``a.{9}b`` has 512."""

_IGNORING_CASE = re.compile(r"\(\?\w*i")
_MAY_BE_SEVERAL = re.compile(r"[^\0-\x7F]|\\[xuUN]|\[[^\]]*\\[pPwWSDh]")
"""To `regex` some characters are several others when case is ignored. An expression may have one of
them if it has this, or one of ..."""
_LIGATURES = ("ss", "ff", "fi", "fl", "st")
"""... these letters one after another."""


@lru_cache(maxsize=16)
def compile_search(expression: str) -> Search:
    """Return what tells whether an expression matches anywhere; a dot is any character.

    Raises
    ------
    Unsupported
        If there is a construct that can't be compiled.
    """
    if _IGNORING_CASE.search(expression) and _has_several(expression):
        raise Unsupported("characters that are several others with case ignored, as ß is ss")
    try:
        # What is looked for comes after as few characters as can be. Where one match ends all is
        # known, so which way the expression prefers does not matter.
        sought = _without_outer_looks(parse(f"(?s){expression}"))
        tree = Sequence([Repeat(Chars(ALL), 0, None, lazy=True), sought])
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


def _has_several(expression: str) -> bool:
    """Tell whether some characters may be one other without case: ss is ß, fi is ﬁ."""
    letters = re.sub("[^a-z]", "", expression.lower())
    return bool(_MAY_BE_SEVERAL.search(expression)) or any(map(letters.count, _LIGATURES))


def _without_outer_looks(node: Node) -> Node:
    """Return what matches somewhere where the expression does, with less to look back and ahead at.

    ``(?<=ab)c(?=de)`` is somewhere if, and only if, ``abcde`` is. Looks of several characters can't
    be compiled.
    """
    return _outer(_outer(node, ahead=False), ahead=True)


def _outer(node: Node, *, ahead: bool) -> Node:
    """Take the look that a node ends with, if `ahead`, or begins with, for a part of the text."""
    if isinstance(node, Choice):
        return Choice([_outer(part, ahead=ahead) for part in node.parts])
    if isinstance(node, Sequence) and node.parts:
        at = -1 if ahead else 0
        parts = [*node.parts]
        parts[at] = _outer(parts[at], ahead=ahead)
        return Sequence(parts)
    # What is atomic looks behind from its end, so it could match in another way there.
    if isinstance(node, Look) and not node.negative and node.ahead == ahead:
        return node.part if ahead or not _is_atomic(node.part) else node
    return node


def _is_atomic(node: Node) -> bool:
    """Tell whether a part of it is tried in one way only."""
    if isinstance(node, Sequence | Choice):
        return any(map(_is_atomic, node.parts))
    if isinstance(node, Repeat):
        return node.possessive or _is_atomic(node.part)
    return isinstance(node, Atomic)


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
