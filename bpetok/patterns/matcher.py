"""A program as a deterministic automaton of matches, leftmost first.

A state is a list of threads in the order in which they are preferred: a node, and the symbols that
may follow where look-ahead on the way there has restricted them. Over a symbol each thread goes to
its node's target; where a match ends, the threads after it are given up, since the match is
preferred to all that they may find. That is the order in which a backtracking engine tries. (Pike's
machine, made deterministic as in RE2 and in Rust's regex-automata.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bpetok.base.records import NamedTuple
from bpetok.patterns.nfa import Instruction, Kind, Program, Symbol
from bpetok.patterns.parse import Unsupported

MOST_STATES = 3000
MOST_WORK = 3_000_000
"""How many threads may be followed for all states together, about a second's work: a state may have
as many as there are nodes. Published patterns take up to 4,000, a choice of 1,500 words 140,000."""
DEAD = -1


class Row(NamedTuple):
    """What a state does with each symbol.

    next : list of int
        The state after the symbol, DEAD if no match can take it.
    ends : list of bool
        Whether a match ends in front of the symbol.
    """

    next: list[int]
    ends: list[bool]


class Matcher:
    """Matches of one expression from where they begin. States are numbers.

    Parameters
    ----------
    program : Program
    symbols : list of Symbol
        The last one is END. All masks below are of their numbers.
    followers : list of list of int, optional
        The symbols that may follow each of them, if not all do.

    Attributes
    ----------
    behind : list of int
        For each symbol, and then for BEGIN, which group it is of before a place: the program can't
        tell symbols of one group apart there. A state knows the group of what it has read last.
    """

    def __init__(
        self,
        program: Program,
        symbols: list[Symbol],
        followers: list[list[int]] | None = None,
    ) -> None:
        self.symbols = symbols
        self.end = len(symbols) - 1
        self.begin = len(symbols)
        self.everything = (1 << len(symbols)) - 1
        self._nodes = program.nodes
        self._start = program.start
        base_begin = program.alphabet.begin
        bases = [symbol.base for symbol in symbols] + [base_begin]
        self._widened: dict[int, int] = {}
        self._masks = [self._symbols_of(node) for node in program.nodes]
        self._holds = [
            [
                sum(1 << i for i, symbol in enumerate(symbols) if symbol.looks[look] >> base & 1)
                for base in bases
            ]
            for look in range(len(program.looks))
        ]
        groups: dict[tuple[int, ...], int] = {}
        asked = sorted(program.behind_masks())
        self.behind = []
        self._one_behind: list[int] = []  # for each group, a symbol of it
        for i, base in enumerate(bases):
            told = (*(mask >> base & 1 for mask in asked), *(holds[i] for holds in self._holds))
            if told not in groups:
                self._one_behind.append(i)
            self.behind.append(groups.setdefault(told, len(groups)))
        self._bases = bases
        self._states: dict[tuple[tuple[tuple[int, int], ...], int], int] = {}
        self._threads: list[tuple[tuple[int, int], ...]] = []
        self.group: list[int] = []  # of a state: the last symbol's
        self._rows: dict[int, Row] = {}
        self._followers = followers
        self._sure: dict[tuple[int, int], bool] = {}
        self._whole_rows: dict[int, Row] = {}
        self._in_vain: dict[tuple[int, int], bool] = {}
        self._closures: dict[tuple[tuple[int, ...], int], int] = {}
        self._work = 0

    def _symbols_of(self, node: Instruction) -> int:
        """Return what a node asks for; for those that go by what is ahead, in symbols here."""
        if node.kind not in (Kind.TAKE, Kind.AHEAD):
            return node.symbols
        if node.symbols not in self._widened:
            self._widened[node.symbols] = sum(
                1 << i for i, symbol in enumerate(self.symbols) if node.symbols >> symbol.base & 1
            )
        return self._widened[node.symbols]

    def start(self, group: int) -> int:
        """Return the state at the begin of a match, after a symbol of a group."""
        return self._closure((self._start,), group)

    def row(self, state: int) -> Row:
        """Return what a state does with each symbol."""
        if state not in self._rows:
            row = self._whole_row(state)
            if self._followers is not None:
                following = [
                    DEAD if after != DEAD and self._is_in_vain(after, symbol) else after
                    for symbol, after in enumerate(row.next)
                ]
                row = Row(following, row.ends)
            self._rows[state] = row
        return self._rows[state]

    def _whole_row(self, state: int) -> Row:
        """Return the same with matches that go on in vain, since no text lets them end."""
        if state not in self._whole_rows:
            self._whole_rows[state] = self._make_row(self._threads[state])
        return self._whole_rows[state]

    def _is_in_vain(self, state: int, symbol: int) -> bool:
        r"""Tell whether no match ends after a state, which a symbol has led to.

        What follows is known in part with long look-ahead: by ``\w+(?=[^.]*;)`` a match goes on
        only where there is a ``;`` before the next dot.
        """
        if (state, symbol) not in self._in_vain:
            seen = {(state, symbol)}
            stack = [(state, symbol)]
            ends = False
            while stack and not ends:
                at, before = stack.pop()
                row = self._whole_row(at)
                followers = self.followers(before)
                self._add_work(len(followers))
                for after in followers:
                    if row.ends[after] or self._in_vain.get((row.next[after], after)) is False:
                        ends = True
                        break
                    pair = (row.next[after], after)
                    if row.next[after] != DEAD and pair not in seen and pair not in self._in_vain:
                        seen.add(pair)
                        stack.append(pair)
            if ends:
                self._in_vain[state, symbol] = False
            else:
                self._in_vain.update(dict.fromkeys(seen, True))
        return self._in_vain[state, symbol]

    def _add_work(self, n_threads: int) -> None:
        self._work += n_threads
        if self._work > MOST_WORK:
            raise Unsupported("too many ways to match the same text")

    def _make_row(self, threads: tuple[tuple[int, int], ...]) -> Row:
        self._add_work(len(threads) * len(self.symbols))
        following, ends = [], []
        for symbol in range(len(self.symbols)):
            targets = []
            match = False
            for number, allowed in threads:
                if allowed >> symbol & 1:
                    if number == 0:
                        match = True
                        break
                    targets.append(self._nodes[number].targets[0])
            ends.append(match)
            following.append(
                self._closure(tuple(targets), self.behind[symbol]) if targets else DEAD
            )
        return Row(following, ends)

    def _closure(self, targets: tuple[int, ...], group: int) -> int:
        """Return the state of threads that have come to some nodes, after a symbol of a group."""
        key = (targets, group)
        if key not in self._closures:
            threads = tuple(self._walk(targets, self._one_behind[group]))
            if not threads:
                self._closures[key] = DEAD
                return DEAD
            state = self._states.setdefault((threads, group), len(self._states))
            if state == len(self._threads):
                if state >= MOST_STATES:
                    raise Unsupported(f"more than {MOST_STATES} states")
                self._threads.append(threads)
                self.group.append(group)
            self._closures[key] = state
        return self._closures[key]

    def _walk(self, targets: Iterable[int], behind: int) -> list[tuple[int, int]]:
        """Follow the nodes that take no symbol, in order, to those that do, or match."""
        threads: list[tuple[int, int]] = []
        seen: dict[int, int] = {}  # node: the next symbols for which a thread has been there
        unmatched = self.everything  # the next symbols in front of which no match ends yet
        base = self._bases[behind]
        stack = [(target, self.everything) for target in reversed(list(targets))]
        while stack:
            number, allowed = stack.pop()
            before = seen.get(number, 0)
            allowed &= unmatched & ~before
            if not allowed:
                continue
            seen[number] = before | allowed
            kind, _, following = self._nodes[number]
            mask = self._masks[number]
            if kind is Kind.SPLIT:
                stack += [(target, allowed) for target in reversed(following)]
            elif kind is Kind.TAKE:
                if allowed & mask:
                    threads.append((number, allowed & mask))
            elif kind is Kind.MATCH:
                threads.append((number, allowed))
                unmatched &= ~allowed
            elif kind is Kind.BEHIND:
                if mask >> base & 1:
                    stack.append((following[0], allowed))
            else:
                if kind is not Kind.AHEAD:
                    mask = self._holds[mask][behind]
                    if kind is Kind.NOT_LONG:
                        mask = ~mask
                stack.append((following[0], allowed & mask))
        self._add_work(len(seen))
        return threads

    @property
    def has_followers(self) -> bool:
        """Whether not all symbols may follow each."""
        return self._followers is not None

    def followers(self, symbol: int) -> Sequence[int]:
        """Return the symbols that may come after a symbol, or after BEGIN."""
        if self._followers is None or symbol == self.begin:
            return range(len(self.symbols))
        return self._followers[symbol]

    def is_sure(self, state: int, symbol: int) -> bool:
        """Tell whether a match ends somewhere after a state, which a symbol has led to."""
        if (state, symbol) not in self._sure:
            self._sure[state, symbol] = self._find_sure(state, symbol)
        return self._sure[state, symbol]

    def _find_sure(self, state: int, symbol: int) -> bool:
        seen = set()
        stack = [(state, symbol)]
        while stack:
            state, symbol = stack.pop()
            if (state, symbol) in seen:
                continue
            seen.add((state, symbol))
            row = self.row(state)
            for after in self.followers(symbol):
                if not row.ends[after]:
                    pair = (row.next[after], after)
                    if row.next[after] == DEAD or self._sure.get(pair) is False:
                        return False
                    if pair not in self._sure:
                        stack.append(pair)
        self._sure.update(dict.fromkeys(seen, True))
        return True

    def starts(self) -> set[int]:
        """Return the states at the begin of a match, after anything."""
        return {self.start(group) for group in set(self.behind)} - {DEAD}

    def may_be_empty(self) -> bool:
        """Tell whether a match may end where it begins."""
        return any(any(self.row(state).ends) for state in self.starts())

    def is_place(self) -> bool:
        """Tell whether all matches end where they begin."""
        return all(
            following == DEAD for state in self.starts() for following in self.row(state).next
        )
