"""Syntax trees to programs: nodes that a thread walks through, from one symbol to the next.

A *symbol* is what the scanner sees of a character: the atom that it is of (`classes.partition`), or
that it is the line feed at the end of the text; and END, after the last one. A set of symbols is an
int with a bit for each. Before a place there is a symbol, too, or BEGIN.

Look-ahead and look-behind of one character are sets of symbols, so they cost nothing. A longer
look-ahead is a program of its own (`lookahead.py`).
"""

from __future__ import annotations

from bisect import bisect_right
from enum import IntEnum

from bpetok.base.records import NamedTuple
from bpetok.patterns.classes import CodeSet, contains, partition, word_characters
from bpetok.patterns.parse import (
    Atomic,
    Chars,
    Choice,
    Edge,
    Look,
    Node,
    Repeat,
    Sequence,
    Unsupported,
    WordBoundary,
)

MOST_NODES = 20_000
MOST_KINDS = 200
LINE_FEED = 10


class Kind(IntEnum):
    """What a node of a program does."""

    MATCH = 0  # ends the match, if the next symbol is of `symbols`
    TAKE = 1  # goes to the first target over a symbol of `symbols`
    SPLIT = 2  # goes to each target, the first one first
    AHEAD = 3  # goes on if the next symbol is of `symbols`
    BEHIND = 4  # goes on if the symbol before is of `symbols`
    LONG = 5  # goes on if the look-ahead number `symbols` holds
    NOT_LONG = 6  # goes on if it does not


class Instruction(NamedTuple):
    """A node of a program."""

    kind: Kind
    symbols: int
    targets: tuple[int, ...]


class Symbol(NamedTuple):
    """A symbol as the automaton sees it: which one, and which look-aheads hold in front of it.

    looks : tuple of int
        For each look-ahead, the symbols (and BEGIN) that may come before the place where it holds.
    state : int
        The state of the look-ahead's automaton there.
    """

    base: int
    looks: tuple[int, ...] = ()
    state: int = 0


class Alphabet:
    """The symbols of some expressions.

    Parameters
    ----------
    trees : list of Node

    Attributes
    ----------
    starts, atoms : list of int
        Runs of code points and the atom of each.
    line_feed, last_line : int
        The atom of a line feed, and the symbol of one at the end of the text.
    n : int
        Symbols, END included. Before a place there may also be `begin`, the symbol n.
    """

    def __init__(self, trees: list[Node]) -> None:
        sets: dict[CodeSet, int] = {}
        self.uses_last_line = False
        for tree in trees:
            self._collect(tree, sets)
        if self.uses_last_line:
            sets.setdefault((LINE_FEED, LINE_FEED + 1), len(sets))
        self.starts, self.atoms, members = partition(sets)
        n_atoms = len(members)
        if n_atoms > MOST_KINDS:
            raise Unsupported(f"more than {MOST_KINDS} kinds of characters")
        self.line_feed = self.atoms[bisect_right(self.starts, LINE_FEED) - 1]
        self.last_line = n_atoms  # a line feed at the end of the text
        self.end = n_atoms + 1
        self.begin = self.n = n_atoms + 2
        self.everything = (1 << self.n) - 1
        self._masks = {}
        for code_set, number in sets.items():
            mask = sum(1 << atom for atom in range(n_atoms) if members[atom] >> number & 1)
            if contains(code_set, LINE_FEED):
                mask |= 1 << self.last_line
            self._masks[code_set] = mask

    def _collect(self, tree: Node, sets: dict[CodeSet, int]) -> None:
        match tree:
            case Chars(code_set):
                sets.setdefault(code_set, len(sets))
            case Sequence(parts) | Choice(parts):
                for part in parts:
                    self._collect(part, sets)
            case Repeat() | Look() | Atomic():
                self._collect(tree.part, sets)
            case WordBoundary():
                sets.setdefault(word_characters(), len(sets))
            case Edge(name):
                self.uses_last_line |= name == "last line"

    def symbols(self, code_set: CodeSet) -> int:
        """Return the symbols of a set of characters."""
        return self._masks[code_set]

    def outside(self, symbols: int) -> int:
        """Return the other symbols."""
        return self.everything & ~symbols


class Program:
    """The nodes of an expression; node 0 is its match. `looks`: the longer look-aheads."""

    def __init__(self, tree: Node, alphabet: Alphabet, *, is_look: bool = False) -> None:
        self.alphabet = alphabet
        self.nodes = [Instruction(Kind.MATCH, 0, ())]
        self.looks: list[Program] = []
        self._is_look = is_look
        self.start = self._compile(tree, 0)

    def behind_masks(self) -> set[int]:
        """Return the sets of symbols that it asks for before a place."""
        return {node.symbols for node in self.nodes if node.kind is Kind.BEHIND}

    def tells_last_line(self) -> bool:
        """Tell whether it asks if a line feed is the last character of the text."""
        last, other = self.alphabet.last_line, self.alphabet.line_feed
        return any((node.symbols >> last ^ node.symbols >> other) & 1 for node in self.nodes)

    def _add(self, kind: Kind, symbols: int, *targets: int) -> int:
        if len(self.nodes) >= MOST_NODES:
            raise Unsupported(f"more than {MOST_NODES} states")
        self.nodes.append(Instruction(kind, symbols, targets))
        return len(self.nodes) - 1

    def _compile(self, tree: Node, then: int) -> int:
        """Add what matches `tree` and goes on to the node `then`; return where it begins."""
        match tree:
            case Chars(code_set):
                return self._add(Kind.TAKE, self.alphabet.symbols(code_set), then)
            case Sequence(parts):
                for part in reversed(parts):
                    then = self._compile(part, then)
                return then
            case Choice(parts):
                return self._add(Kind.SPLIT, 0, *[self._compile(part, then) for part in parts])
            case Repeat():
                return self._possessive(tree, then) if tree.possessive else self._repeat(tree, then)
            case Look():
                return self._look(tree, then)
            case Edge("begin"):
                return self._add(Kind.BEHIND, 1 << self.alphabet.begin, then)
            case Edge():
                return self._add(Kind.AHEAD, self._one_symbol(tree, as_prefix=True) or 0, then)
            case WordBoundary(negative):
                return self._word_boundary(negative, then)
            case Atomic(part):
                # At the end of a match the first way is taken anyhow.
                return self._compile(part if then == 0 else first_way(part), then)

    def _repeat(self, tree: Repeat, then: int) -> int:
        part, least, most, lazy, _ = tree
        if most is None or most > 1:
            self._check_advances(part)

        def split(again: int, leave: int) -> tuple[int, int]:
            return (leave, again) if lazy else (again, leave)

        begin = then
        if most is None:
            loop = self._add(Kind.SPLIT, 0)
            again = self._compile(part, loop)
            self.nodes[loop] = Instruction(Kind.SPLIT, 0, split(again, then))
            if least == 0:
                return loop
            begin, least = again, least - 1
        else:
            for _ in range(most - least):
                again = self._compile(part, begin)
                begin = self._add(Kind.SPLIT, 0, *split(again, then))
        for _ in range(least):
            begin = self._compile(part, begin)
        return begin

    def _possessive(self, tree: Repeat, then: int) -> int:
        # Of one character: it goes on where the next is another, so nothing is given back.
        part, least, most, _, _ = tree
        symbols = self._one_symbol(part)
        if symbols is None:
            if then == 0:
                return self._repeat(tree, then)
            raise Unsupported("a possessive repetition of more than one character")
        leave = self._add(Kind.AHEAD, self.alphabet.outside(symbols), then)
        if most is None:
            loop = self._add(Kind.SPLIT, 0)
            again = self._add(Kind.TAKE, symbols, loop)
            self.nodes[loop] = Instruction(Kind.SPLIT, 0, (again, leave))
            begin = loop
        else:
            begin = then
            for _ in range(most - least):
                again = self._add(Kind.TAKE, symbols, begin)
                begin = self._add(Kind.SPLIT, 0, again, leave)
        for _ in range(least):
            begin = self._add(Kind.TAKE, symbols, begin)
        return begin

    def _check_advances(self, part: Node) -> None:
        if may_be_empty(part):
            raise Unsupported("a repetition of what may match nothing")

    def _look(self, tree: Look, then: int) -> int:
        if not tree.ahead:
            symbols = self._symbol_behind(tree.part)
            if tree.negative:
                symbols = ((1 << self.alphabet.begin + 1) - 1) & ~symbols
            return self._add(Kind.BEHIND, symbols, then)
        ahead = self._one_symbol(tree.part, as_prefix=True)
        if ahead is not None:
            ahead = self.alphabet.outside(ahead) if tree.negative else ahead
            return self._add(Kind.AHEAD, ahead, then)
        if self._is_look:
            raise Unsupported("a long look-ahead inside a look-ahead")
        self.looks.append(Program(tree.part, self.alphabet, is_look=True))
        kind = Kind.NOT_LONG if tree.negative else Kind.LONG
        return self._add(kind, len(self.looks) - 1, then)

    def _word_boundary(self, negative: bool, then: int) -> int:
        word = self.alphabet.symbols(word_characters())
        other = self.alphabet.outside(word)
        ahead_of_word, ahead_of_other = (word, other) if negative else (other, word)
        after_word = self._add(Kind.AHEAD, ahead_of_word, then)
        after_other = self._add(Kind.AHEAD, ahead_of_other, then)
        behind_other = other | 1 << self.alphabet.begin
        return self._add(
            Kind.SPLIT,
            0,
            self._add(Kind.BEHIND, word, after_word),
            self._add(Kind.BEHIND, behind_other, after_other),
        )

    def _one_symbol(self, tree: Node, *, as_prefix: bool = False) -> int | None:
        """Return the symbols that a part matches if it always matches one, else None.

        `as_prefix`: what the next symbol must be for the part to match, if that decides it.
        """
        match tree:
            case Chars(code_set):
                return self.alphabet.symbols(code_set)
            case Edge("end") if as_prefix:
                return 1 << self.alphabet.end
            case Edge("last line") if as_prefix:
                return 1 << self.alphabet.end | 1 << self.alphabet.last_line
            case Choice(parts):
                return self._symbols_of_all(parts, as_prefix)
            case Sequence([]) if as_prefix:
                return self.alphabet.everything
            case Sequence([part]) | Atomic(part):
                return self._one_symbol(part, as_prefix=as_prefix)
            case Sequence([first, *rest]) if as_prefix and all(map(may_be_skipped, rest)):
                return self._one_symbol(first, as_prefix=True)
            case Repeat(part, least, _) if as_prefix:
                if least == 0:
                    return self.alphabet.everything
                return self._one_symbol(part, as_prefix=True) if least == 1 else None
            case Repeat(part, 1, 1):
                return self._one_symbol(part)
        return None

    def _symbols_of_all(self, parts: list[Node], as_prefix: bool) -> int | None:
        symbols = 0
        for part in parts:
            found = self._one_symbol(part, as_prefix=as_prefix)
            if found is None:
                return None
            symbols |= found
        return symbols

    def _symbol_behind(self, tree: Node) -> int:
        match tree:
            case Chars(code_set):
                return self.alphabet.symbols(code_set)
            case Edge("begin"):
                return 1 << self.alphabet.begin
            case Choice(parts):
                symbols = 0
                for part in parts:
                    symbols |= self._symbol_behind(part)
                return symbols
            case Sequence([part]) | Atomic(part) | Repeat(part, 1, _):
                return self._symbol_behind(part)
        raise Unsupported("a look-behind of more than one character")


def first_way(tree: Node) -> Node:
    """Return a part that matches only as this one does at first, where nothing is given back.

    Raises
    ------
    Unsupported
        If it may match in ways that are not seen from what follows.
    """
    match tree:
        case Atomic(part):
            return first_way(part)
        case Repeat(part, least, most, lazy, _) if has_one_way(part):
            if lazy:
                return Repeat(part, least, least)
            return Repeat(part, least, most, possessive=True)
        case Choice(parts):
            ways: list[Node] = []
            for number, part in enumerate(parts):
                others = [Look(other, ahead=True, negative=True) for other in parts[:number]]
                ways.append(Sequence([*others, first_way(part)]))
            return Choice(ways)
        case Sequence([Repeat(part, 0, 1, lazy, False), *rest]) if has_one_way(part):
            both: list[Node] = [Sequence([part, *rest]), Sequence(rest)]
            return first_way(Choice(both[::-1] if lazy else both))
        case Sequence([*parts, last]) if all(map(has_one_way, parts)):
            return Sequence([*parts, first_way(last)])
    if has_one_way(tree):
        return tree
    raise Unsupported("(?>...) before other parts, of which the length is not known at once")


def has_one_way(tree: Node) -> bool:
    """Tell whether a part matches the same, or nothing, however often it is asked."""
    match tree:
        case Chars() | Look() | Edge() | WordBoundary():
            return True
        case Sequence(parts):
            return all(map(has_one_way, parts))
        case Repeat(part, least, most):
            return least == most and has_one_way(part)
    return False


def may_be_empty(tree: Node) -> bool:
    """Tell whether a part may match without taking a character."""
    match tree:
        case Chars():
            return False
        case Sequence(parts):
            return all(map(may_be_empty, parts))
        case Choice(parts):
            return any(map(may_be_empty, parts))
        case Repeat(part, least, _):
            return least == 0 or may_be_empty(part)
        case Atomic(part):
            return may_be_empty(part)
    return True


def may_be_skipped(tree: Node) -> bool:
    """Tell whether a part matches nothing wherever it is, so that it asks for nothing."""
    match tree:
        case Sequence(parts):
            return all(map(may_be_skipped, parts))
        case Choice(parts):
            return any(map(may_be_skipped, parts))
        case Repeat(part, least, _, _, possessive):
            return not possessive and (least == 0 or may_be_skipped(part))
        case Atomic(part):
            return may_be_skipped(part)
    return False
