r"""Words that stand until a longer match is found, for expressions whose matches may fail late.

With ``\w+@\w+|\w|\W`` each letter is a word, unless an ``@`` comes. To read up to where none can
come, and then once more, takes twice as long, and twenty times with other expressions. So here
several matches are read at once, each after the last end of the one before it: words are those of
the matches that have ended, and where an older match ends, what was found meanwhile is given back.
A state is the list of these matches, oldest first. Of two in one state the later one can't win: it
ends where the older one does. So their number does not grow with the text.
(Li and Mathur, "Tokenization with lookahead in linear time", solve the same by a first pass from
the right.)
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import TypeAlias

from bpetok.base.records import NamedTuple
from bpetok.patterns.matcher import DEAD, Matcher, Row
from bpetok.patterns.parse import Unsupported

MOST_SLOTS = 7
"""Matches that have ended once and go on; another slot takes what is not asked for."""
MOST_ROWS = 1000
MOST_ENTRIES = 20_000
"""Which take a quarter of a second to find."""


class Kind(IntEnum):
    """What a symbol does, in the order of the rows after it."""

    NONE = 0
    END = 1  # the newest word ends in front of the symbol
    MOVE = 2  # the word before the newest ends here, not at the newest's begin


class Thread(NamedTuple):
    """A match that is being read: the matcher's state, and which slot holds the word's number."""

    state: int
    slot: int


class State(NamedTuple):
    """Matches that are being read.

    threads : tuple of Thread
        The newest word's has slot -1, unless an older one is in its state.
    newest : int
        The thread that stands for the newest word.
    next_to : bool
        Whether the newest word follows the word of the thread before its own at once.
    is_sure : bool
        Whether its one match is known to end somewhere.
    """

    threads: tuple[Thread, ...]
    newest: int
    next_to: bool
    is_sure: bool


class Provisional(NamedTuple):
    """The tables. A row's entries are as those of `tables.Tables`, by the same columns.

    table : array of uint32
        Row 0 is that of the begin of a text.
    width : int
        Columns of a row.
    first_ending, first_moving, first_action : int
        The first rows of `Kind.END` and of `Kind.MOVE`. An entry from the last one on gives words
        back.
    saves : bytes
        By entry that begins a row: the slot for the number of the word that was the newest.
    slots : bytes
    targets : array of uint32
        For each action: the slot of the match that ends, and the row after the symbol.
    open_at : array of uint32
        By row: where in `open_rows` and `open_slots` its matches begin; and the end of the last.
    open_rows, open_slots : array of uint32, bytes
        The rows that read each match alone, and their slots, oldest first.
    newest : bytes
        By row: which of its matches stands for the newest word.
    """

    table: array[int]
    width: int
    first_ending: int
    first_moving: int
    first_action: int
    saves: bytes
    slots: bytes
    targets: array[int]
    open_at: array[int]
    open_rows: array[int]
    open_slots: bytes
    newest: bytes


class _Entry(NamedTuple):
    kind: Kind
    target: State | None
    save: int = MOST_SLOTS
    gives_back: int | None = None


Kinds: TypeAlias = "list[tuple[_Entry, ...]]"


class Words:
    """The states and what they do, from which the tables are made.

    Parameters
    ----------
    matcher : Matcher
    symbols : sequence of int
        A symbol of each kind, or all; the last one is END.
    fails : bool
        Whether text that the expression does not match is an error.

    Raises
    ------
    Unsupported
        If they would be too large or miss words between matches.
    """

    def __init__(self, matcher: Matcher, symbols: Sequence[int], *, fails: bool) -> None:
        self._matcher = matcher
        n = len(matcher.symbols)
        self._nothing = Row([DEAD] * n, [False] * n)
        self._fails = fails
        self._symbols = symbols
        self._followers: dict[int, list[int]] = {matcher.end: []}
        # Rows of the same state differ by what led to it.
        self._rows: dict[tuple[State | None, Kind, int], int] = {}
        self._of_state: dict[State | None, dict[int, _Entry]] = {}
        self._row(None)
        n_entries = 0
        waiting: list[tuple[State | None, Iterable[int]]] = [(None, symbols)]
        while waiting:
            state, following = waiting.pop()
            entries = self._of_state.setdefault(state, {})
            new = [symbol for symbol in following if symbol not in entries]
            n_entries += len(new)
            if n_entries > MOST_ENTRIES:
                raise Unsupported("too much to find out of words that stand until a longer match")
            for symbol in new:
                entries[symbol] = entry = self._entry(state, symbol)
                self._row(entry.target, entry.kind, entry.save)
                waiting.append((entry.target, self._after(symbol)))
            for thread in state.threads if state is not None and new else ():
                self._row(_alone(thread))
                waiting.append((_alone(thread), new))

    def _after(self, symbol: int) -> Sequence[int]:
        """Return what may follow a symbol: no other entries are ever asked for."""
        if symbol not in self._followers:
            after = set(self._matcher.followers(symbol))
            self._followers[symbol] = [other for other in self._symbols if other in after]
        return self._followers[symbol]

    def _row(self, state: State | None, kind: Kind = Kind.NONE, save: int = MOST_SLOTS) -> int:
        number = self._rows.setdefault((state, kind, save), len(self._rows))
        if number >= MOST_ROWS:
            raise Unsupported("too many states of words that stand until a longer match is found")
        return number

    def _start(self, group: int, symbol: int) -> int:
        """Return the state after the first symbol of a word, which comes after one of a group."""
        return self._read(self._matcher.start(group)).next[symbol]

    def _read(self, state: int) -> Row:
        return self._matcher.row(state) if state != DEAD else self._nothing

    def _entry(self, state: State | None, symbol: int) -> _Entry:
        matcher = self._matcher
        at_end = symbol == matcher.end
        if state is None:
            if at_end:
                return _Entry(Kind.NONE, None)
            group = matcher.behind[matcher.begin]
            first = Thread(self._start(group, symbol), -1)
            return _Entry(Kind.NONE, State((first,), 0, False, False))
        threads: list[Thread] = []
        newest = 0
        for number, thread in enumerate(state.threads):
            row = self._read(thread.state)
            following = row.next[symbol]
            ends = row.ends[symbol]
            if ends and (following == DEAD or not matcher.is_sure(following, symbol)):
                return self._ended(state, number, threads, symbol)
            if following == DEAD:
                if number == state.newest:
                    if not (state.is_sure or self._fails):
                        raise Unsupported("words between matches, next to matches that fail late")
                    return _Entry(Kind.NONE, None, gives_back=MOST_SLOTS)
                continue
            if number == state.newest:
                newest = len(threads)
            threads.append(Thread(following, thread.slot))
        next_to = state.next_to and newest > 0 and len(threads) == len(state.threads)
        return self._going_on(threads, newest, next_to, state.is_sure)

    def _going_on(self, threads: list[Thread], newest: int, next_to: bool, is_sure: bool) -> _Entry:
        kept = _without_doubles(threads)
        next_to = next_to and len(kept) == len(threads)
        return _Entry(Kind.NONE, State(kept, _place(kept, threads[newest]), next_to, is_sure))

    def _ended(self, state: State, number: int, threads: list[Thread], symbol: int) -> _Entry:
        """Return the entry where a match ends in front of a symbol, and perhaps again later."""
        matcher = self._matcher
        thread = state.threads[number]
        is_newest = thread.slot < 0
        # The word before the newest ends here instead of at the newest's begin.
        moves = (
            state.next_to and number == state.newest - 1 and state.threads[state.newest].slot < 0
        )
        if symbol == matcher.end:
            target = None
            save = MOST_SLOTS
        else:
            group = matcher.group[thread.state]
            following = matcher.row(thread.state).next[symbol]
            save, next_to = MOST_SLOTS, following != DEAD
            if following != DEAD:
                slot = thread.slot
                if is_newest:
                    used = {other.slot for other in threads}
                    slot = min(set(range(MOST_SLOTS)) - used, default=-1)
                    if slot < 0:
                        raise Unsupported("too many matches at once")
                threads.append(Thread(following, slot))
            before = len(threads)
            kept = _without_doubles(threads)
            if is_newest and following != DEAD and kept[-1].slot == slot:
                save = slot  # also where two of the older ones have become one
            next_to = next_to and len(kept) == before
            threads = [*kept, Thread(self._start(group, symbol), -1)]
            kept = _without_doubles(threads)
            next_to = next_to and len(kept) == len(threads)
            target = State(kept, _place(kept, threads[-1]), next_to, False)
        if is_newest:
            return _Entry(Kind.END, target, save)
        if moves:
            return _Entry(Kind.MOVE, target)
        return _Entry(Kind.NONE, target, gives_back=thread.slot)

    def kinds(self) -> Kinds:
        """Return what tells the symbols apart here: equal ones for those that do the same."""
        return [
            tuple(_known(entries, symbol) for entries in self._of_state.values())
            for symbol in self._symbols
        ]

    def tables(self, symbols: Sequence[int]) -> Provisional:
        """Return the tables, with a column for each of some symbols, one of each kind."""
        width = len(symbols)
        keys = sorted(self._rows, key=lambda key: (key[1], self._rows[key]))
        offsets = {key: number * width for number, key in enumerate(keys)}
        first_action = len(keys) * width
        actions: dict[tuple[int, int], int] = {}
        table = array("I")
        saves = bytearray(first_action)
        open_at, open_rows, open_slots = array("I"), array("I"), bytearray()
        newest = bytearray()
        for key in keys:
            state, _, saves[offsets[key]] = key
            for symbol in symbols:
                entry = _known(self._of_state[state], symbol)
                target = offsets[entry.target, entry.kind, entry.save]
                if entry.gives_back is not None:
                    action = (entry.gives_back, target)
                    target = first_action + actions.setdefault(action, len(actions))
                table.append(target)
            open_at.append(len(open_rows))
            newest.append(state.newest if state is not None else 0)
            if state is not None:
                for thread in state.threads:
                    open_rows.append(offsets[_alone(thread), Kind.NONE, MOST_SLOTS])
                    open_slots.append(thread.slot if thread.slot >= 0 else MOST_SLOTS)
        open_at.append(len(open_rows))
        return Provisional(
            table=table,
            width=width,
            first_ending=width * sum(kind < Kind.END for _, kind, _ in keys),
            first_moving=width * sum(kind < Kind.MOVE for _, kind, _ in keys),
            first_action=first_action,
            saves=bytes(saves),
            slots=bytes(slot for slot, _ in actions),
            targets=array("I", (target for _, target in actions)),
            open_at=open_at,
            open_rows=open_rows,
            open_slots=bytes(open_slots),
            newest=bytes(newest),
        )


def _known(entries: dict[int, _Entry], symbol: int) -> _Entry:
    """Return the entry of a symbol, or any if it can't come."""
    return entries[symbol] if symbol in entries else next(iter(entries.values()))


def _alone(thread: Thread) -> State:
    return State((Thread(thread.state, -1),), 0, False, True)


def _without_doubles(threads: Sequence[Thread]) -> tuple[Thread, ...]:
    """Keep the first thread of each state."""
    kept: dict[int, Thread] = {}
    for thread in threads:
        kept.setdefault(thread.state, thread)
    return tuple(kept.values())


def _place(threads: Sequence[Thread], thread: Thread) -> int:
    """Return the index of the thread of the same state."""
    return [other.state for other in threads].index(thread.state)
