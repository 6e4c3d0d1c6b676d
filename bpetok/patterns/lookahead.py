"""Look-ahead of more than one character: an automaton that reads the text backwards.

Its state after a symbol, read from the end of the text, tells which look-aheads hold in front of
that symbol. So each text is read twice: backwards, which turns a symbol into the pair of it and of
what holds there, and then forwards by the automaton of the words (`automaton.py`), to which these
pairs are symbols. Any number of look-aheads of any length take the same time. (The method of
"bimachines": Schützenberger 1961; grep's of "regular look-ahead".)
"""

from __future__ import annotations

from collections.abc import Iterator

from bpetok.patterns.nfa import Alphabet, Kind, Program, Symbol
from bpetok.patterns.parse import Unsupported

MOST_WORK = 50_000
"""States times nodes: about 0.3 s."""


class Lookahead:
    """The automaton of some look-aheads.

    Attributes
    ----------
    symbols : list of Symbol
        The pairs that a text may have; those of END come last.
    rows : list of (list of int)
        rows[state][base] is the state before the symbol `base`, read in front of `state`.
    numbers : list of (list of int)
        numbers[state][base]: the symbol of `base` that leads to `state`, -1 if none does.
    followers : list of (list of int)
        The symbols that may follow each.
    begin : int
        The state before END, in front of which nothing is read.
    """

    def __init__(self, looks: list[Program], alphabet: Alphabet) -> None:
        self._looks = looks
        self._alphabet = alphabet
        self._anything = (1 << alphabet.begin + 1) - 1
        states: dict[tuple[tuple[int, ...], ...], int] = {}
        first = tuple(self._before(look, None, alphabet.end) for look in looks)
        states[first] = 0
        self.rows: list[list[int]] = []
        for state in _growing(states):
            row = []
            for base in range(alphabet.end):
                before = tuple(
                    self._before(look, after, base)
                    for look, after in zip(looks, state, strict=True)
                )
                row.append(states.setdefault(before, len(states)))
            if len(states) * sum(len(look.nodes) for look in looks) > MOST_WORK:
                raise Unsupported("look-ahead that is too long")
            self.rows.append(row)
        self.begin = 0
        self._number([self._holding(state) for state in states])

    def _number(self, holding: list[tuple[int, ...]]) -> None:
        end = self._alphabet.end
        bases_of: dict[int, set[int]] = {}
        for row in self.rows:
            for base, state in enumerate(row):
                bases_of.setdefault(state, set()).add(base)
        self.symbols: list[Symbol] = []
        self.numbers = [[-1] * end for _ in self.rows]
        for state, bases in bases_of.items():
            for base in sorted(bases):
                self.numbers[state][base] = len(self.symbols)
                self.symbols.append(Symbol(base, holding[state], state))
        self.symbols.append(Symbol(end, holding[0], self.begin))
        self.followers = [
            [number for number, after in enumerate(self.symbols) if self._leads_to(after, symbol)]
            for symbol in self.symbols
        ]

    def _leads_to(self, after: Symbol, symbol: Symbol) -> bool:
        end = self._alphabet.end
        return symbol.base != end and self.rows[after.state][symbol.base] == symbol.state

    def _holding(self, state: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
        return tuple(nodes[look.start] for look, nodes in zip(self._looks, state, strict=True))

    def _before(self, look: Program, after: tuple[int, ...] | None, base: int) -> tuple[int, ...]:
        """Return what each node needs before the place in front of `base` in order to match.

        `after` is the same for the place after `base`, None for the place in front of END.
        """
        found: dict[int, int] = {}

        def needs(number: int) -> int:
            if number in found:
                return found[number]
            found[number] = 0
            node = look.nodes[number]
            symbols = self._anything
            if node.kind is Kind.TAKE:
                takes = after is not None and node.symbols >> base & 1
                if not (takes and after is not None and after[node.targets[0]] >> base & 1):
                    symbols = 0
            elif node.kind is Kind.SPLIT:
                symbols = 0
                for target in node.targets:
                    symbols |= needs(target)
            elif node.kind is Kind.AHEAD:
                symbols = needs(node.targets[0]) if node.symbols >> base & 1 else 0
            elif node.kind is Kind.BEHIND:
                symbols = needs(node.targets[0]) & node.symbols
            found[number] = symbols
            return symbols

        return tuple(needs(number) for number in range(len(look.nodes)))


def _growing(
    states: dict[tuple[tuple[int, ...], ...], int],
) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Yield all states, also those that are added meanwhile."""
    done = 0
    while done < len(states):
        for state in list(states)[done:]:
            done += 1
            yield state
