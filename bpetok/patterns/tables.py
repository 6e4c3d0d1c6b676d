"""An automaton as arrays, for the scanner (`dfa.pyx`), and where a text may be cut.

A state is a row of the table: an entry for each column, and symbols with the same entries in all
rows share one. Entries are offsets of rows. Rows below `first_ending` are reached while a word goes
on, those up to `first_back` when a new one begins in front of the symbol, and those up to
`first_action` when it has begun at the symbol before that. So a state may have several rows with
the same entries, and the number alone tells whether a word has ended. Greater entries are actions.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from bpetok.base.byte_characters import CHARACTERS
from bpetok.base.records import NamedTuple
from bpetok.patterns.automaton import Action, Automaton, Phase
from bpetok.patterns.classes import N_CODE_POINTS
from bpetok.patterns.lookahead import Lookahead
from bpetok.patterns.nfa import Alphabet
from bpetok.patterns.parse import Unsupported

BLOCK = 64
MOST_MINIMISED = 400
"""States up to which those that do the same are found: it takes longer than it gives for more."""


class Tables(NamedTuple):
    """What the scanner needs. Offsets are of entries, not of bytes.

    bytes_to_code : bytes, shape (256,)
        The code of each ASCII character, or of each byte where the text is read by byte.
    blocks : array of uint16, shape (17408,)
    block_codes : bytes
        The code of a character c is block_codes[blocks[c >> 6] * 64 + (c & 63)].
    end, last_line : int
        The codes of the end of the text, and of a line feed there; -1 if that is as any other.
    table : array of uint32
    first_ending, first_back, first_action : int
        The first row where a word has begun, the first one where it has begun at the symbol before,
        and the first entry that is an action.
    actions : bytes
    targets : array of uint32
        What each action is, and the row after the symbol.
    ends, drops : bytes
        By entry: whether a word may end in front of the symbol; by row: whether the word that is
        being read is left out.
    again, between, back : array of uint32
        By row: `Automaton.again`, `Automaton.between` and `Automaton.back`; of a row from
        `first_back` on the last is that of the state one symbol into the word.
    look_rows : array of uint32
    look_columns : bytes
        By state of `Lookahead` and code: the row of the state before, and the column; empty
        without.
    look_resets : bytes
        By code: whether the state before it is the same whatever follows.
    width : int
        Columns of a row.
    first_code, n_codes : int
        The codes of characters are first_code ... first_code + n_codes - 1, and columns, too. Below
        them are the columns of what a character and what follows it are together; they are
        none without `Lookahead`. The three tables by code begin with `first_code`.
    cuts : bytes, shape (n_codes * n_codes,)
        Whether a text may be cut between two characters.
    by_byte : bool
    """

    bytes_to_code: bytes
    blocks: array[int]
    block_codes: bytes
    end: int
    last_line: int
    table: array[int]
    first_ending: int
    first_back: int
    first_action: int
    actions: bytes
    targets: array[int]
    ends: bytes
    drops: bytes
    again: array[int]
    between: array[int]
    back: array[int]
    look_rows: array[int]
    look_columns: bytes
    look_resets: bytes
    width: int
    first_code: int
    n_codes: int
    cuts: bytes
    by_byte: bool


def build_tables(
    automaton: Automaton,
    alphabet: Alphabet,
    lookahead: Lookahead | None,
    *,
    by_byte: bool = False,
    kinds: Sequence[object] | None = None,
) -> Tables:
    """Return the tables of an automaton.

    `kinds`, if there are any: symbols of different kinds have columns of their own.
    """
    states = _merge_states(automaton)
    columns = _merge_columns(automaton, states, kinds)
    alike = lookahead is None and columns[alphabet.last_line] == columns[alphabet.line_feed]
    if alike or by_byte:  # as in ``\\s++$``; GPT-2's character for the byte is no line feed
        alphabet.uses_last_line = False
    bases = _bases(columns, lookahead) if lookahead is not None else []
    first_code = max(columns) + 1 if bases else 0
    codes = [first_code + base for base in range(len(bases))] if bases else columns
    n_codes = max(codes) + 1 - first_code
    width = first_code + n_codes
    if bases and not has_room(first_code, alphabet):
        raise Unsupported("look-ahead that tells too many kinds of characters apart")
    layout = _Layout(automaton, states, columns, bases)
    to_code, blocks, block_codes = _code_tables(alphabet, codes, by_byte)
    return Tables(
        bytes_to_code=to_code,
        blocks=blocks,
        block_codes=block_codes,
        end=columns[-1],
        last_line=codes[alphabet.last_line] if alphabet.uses_last_line else -1,
        **layout.fields(),
        **_look_fields(columns, lookahead),
        width=width,
        first_code=first_code,
        n_codes=n_codes,
        cuts=_cuts(automaton, states, alphabet, lookahead, [c - first_code for c in codes]),
        by_byte=by_byte,
    )


def has_room(n_columns: int, alphabet: Alphabet) -> bool:
    """Tell whether a byte can hold the number of a column, and of one more, with look-ahead."""
    return n_columns + alphabet.end < 1 << 8


def takes_last_line_alike(automaton: Automaton, alphabet: Alphabet) -> bool:
    """Tell whether a line feed at the end of the text is as any other; without `Lookahead`."""
    columns = _merge_columns(automaton, _merge_states(automaton))
    return columns[alphabet.last_line] == columns[alphabet.line_feed]


def symbols_of_columns(automaton: Automaton, kinds: Sequence[object] | None = None) -> list[int]:
    """Return a symbol of each column that `build_tables` makes."""
    columns = _merge_columns(automaton, _merge_states(automaton), kinds)
    return [columns.index(column) for column in range(max(columns) + 1)]


def _bases(columns: list[int], lookahead: Lookahead) -> list[set[int]]:
    """Return for each character the columns that it may have, by what follows it."""
    bases: list[set[int]] = [set() for _ in lookahead.rows[0]]
    for symbol, column in zip(lookahead.symbols[:-1], columns, strict=False):
        bases[symbol.base].add(column)
    return bases


def _look_fields(columns: list[int], lookahead: Lookahead | None) -> dict[str, Any]:
    """Return the fields of `Tables` that begin with ``look``."""
    rows, look_columns, resets = array("I"), b"", b""
    if lookahead is not None:
        for row in lookahead.rows:
            rows.extend(state * len(row) for state in row)
            look_columns += bytes(columns[lookahead.numbers[s][base]] for base, s in enumerate(row))
        resets = bytes(len(set(states)) == 1 for states in zip(*lookahead.rows, strict=True))
    return {"look_rows": rows, "look_columns": look_columns, "look_resets": resets}


def _merge_states(automaton: Automaton) -> list[int]:
    """Return a number for each state: equal ones for states that do the same (Moore, 1956)."""
    n = len(automaton.states)
    if n > MOST_MINIMISED:
        return list(range(n))
    merged = [0] * n
    fixed = [
        (automaton.drops(state.parts), tuple(ends), tuple(entry.action for entry in row))
        for state, ends, row in zip(automaton.states, automaton.ends, automaton.rows, strict=True)
    ]
    n_merged = 0
    while True:
        numbers: dict[object, int] = {}
        merged = [
            numbers.setdefault(
                (
                    merged[i],
                    fixed[i] if n_merged == 0 else None,
                    tuple(merged[target] if target >= 0 else -1 for _, target in row),
                    merged[automaton.again[i]] if automaton.again[i] >= 0 else -1,
                    merged[automaton.between[i]] if automaton.between[i] >= 0 else -1,
                    merged[automaton.back[i]] if automaton.back[i] >= 0 else -1,
                ),
                len(numbers),
            )
            for i, row in enumerate(automaton.rows)
        ]
        if len(numbers) == n_merged:
            return _in_order(automaton, merged)
        n_merged = len(numbers)


def _in_order(automaton: Automaton, merged: list[int]) -> list[int]:
    """Number merged states in the order in which they are come to, the same for equal automata."""
    places = {number: state for state, number in reversed([*enumerate(merged)])}
    order = {merged[0]: 0}
    queue = [merged[0]]
    for number in queue:
        state = places[number]
        targets = [target for _, target in automaton.rows[state]]
        targets += [automaton.again[state], automaton.between[state], automaton.back[state]]
        for target in targets:
            if target >= 0 and merged[target] not in order:
                order[merged[target]] = len(order)
                queue.append(merged[target])
    return [order[number] for number in merged]


def _merge_columns(
    automaton: Automaton, states: list[int], kinds: Sequence[object] | None = None
) -> list[int]:
    """Return a number for each symbol: equal ones for symbols that all states take alike."""
    numbers: dict[object, int] = {}
    columns = []
    for symbol in range(automaton.end + 1):
        column = (
            tuple(
                (row[symbol].action, states[row[symbol].target] if row[symbol].target >= 0 else -1)
                for row in automaton.rows
            ),
            tuple(ends[symbol] for ends in automaton.ends),
            kinds[symbol] if kinds is not None else None,
        )
        columns.append(numbers.setdefault(column, len(numbers)))
    return columns


def fingerprint(levels: Sequence[Tables]) -> str:
    """Return a str that is the same only for tables that split alike.

    Equal automata have equal tables, since states and columns are numbered in one order; so most
    spellings of an expression have one fingerprint.
    """
    from hashlib import sha256  # takes 3 MB, and patterns that have a name need none

    digest = sha256()
    for tables in levels:
        for field in tables:
            digest.update(repr(field).encode())
    return digest.hexdigest()[:32]


class _Layout:
    """The rows of a table and the places of its states."""

    def __init__(
        self,
        automaton: Automaton,
        states: list[int],
        columns: list[int],
        bases: list[set[int]],
    ) -> None:
        self._automaton = automaton
        self._states = states
        representatives = [states.index(number) for number in range(max(states) + 1)]
        self._representatives = representatives
        self._symbols = [columns.index(column) for column in range(max(columns) + 1)]
        self._bases = bases
        self._width = len(self._symbols) + len(bases)
        ending = {
            states[entry.target]
            for row in automaton.rows
            for entry in row
            if entry.action is Action.END and entry.target >= 0
        }
        n = len(representatives)
        self._ending = {state: n + i for i, state in enumerate(sorted(ending))}
        # At the end of a text there is no state: any row will do that says that a word has ended.
        self._no_state = n
        self._first_back = n + max(1, len(ending))
        self._backs: dict[tuple[int, int], int] = {}
        for number, row in enumerate(automaton.rows):
            for entry in row:
                if entry.action is Action.BACK:
                    self._backs.setdefault(self._pair(number, entry.target), len(self._backs))
        self._n_rows = self._first_back + len(self._backs)
        self._actions: dict[tuple[Action, int], int] = {}

    def _pair(self, state: int, target: int) -> tuple[int, int]:
        return self._states[target], self._states[self._automaton.back[state]]

    def _row_of(self, state: int) -> int:
        return self._states[state] * self._width if state >= 0 else 0

    def _entry(self, state: int, action: Action, target: int) -> int:
        if action is Action.NONE:
            return self._row_of(target)
        if action is Action.END:
            row = self._ending[self._states[target]] if target >= 0 else self._no_state
            return row * self._width
        if action is Action.BACK:
            return (self._first_back + self._backs[self._pair(state, target)]) * self._width
        number = self._actions.setdefault((action, self._row_of(target)), len(self._actions))
        return self._n_rows * self._width + number

    def _looking(self, row: list[int], columns: set[int]) -> int:
        """Return the entry over a character of which it is not known what follows."""
        entries = {row[column] for column in columns}
        return entries.pop() if len(entries) == 1 else self._entry(0, Action.LOOK, 0)

    def fields(self) -> dict[str, Any]:
        """Return the fields of `Tables` from `table` to `back`."""
        order = [*range(len(self._representatives)), *self._ending]
        order += [0] * (self._first_back - len(order))
        order += [target for target, _ in self._backs]
        chosen = [self._representatives[state] for state in order]
        automaton = self._automaton
        parts = [state.parts for state in automaton.states]
        back = [self._row_of(automaton.back[state]) for state in chosen[: self._first_back]]
        back += [state * self._width for _, state in self._backs]
        rows = [
            [self._entry(state, *automaton.rows[state][symbol]) for symbol in self._symbols]
            for state in chosen
        ]
        table = (
            entry
            for row in rows
            for entry in (*row, *(self._looking(row, columns) for columns in self._bases))
        )
        return {
            "table": array("I", table),
            "first_ending": len(self._representatives) * self._width,
            "first_back": self._first_back * self._width,
            "first_action": self._n_rows * self._width,
            "actions": bytes(action for action, _ in self._actions),
            "targets": array("I", (row for _, row in self._actions)),
            "ends": b"".join(
                bytes(automaton.ends[state][s] for s in self._symbols) + bytes(len(self._bases))
                for state in chosen
            ),
            "drops": bytes(automaton.drops(parts[state]) for state in chosen),
            "again": array("I", (self._row_of(automaton.again[state]) for state in chosen)),
            "between": array("I", (self._row_of(automaton.between[state]) for state in chosen)),
            "back": array("I", back),
        }


def _code_tables(
    alphabet: Alphabet, codes: Sequence[int], by_byte: bool
) -> tuple[bytes, array[int], bytes]:
    runs = list(zip(alphabet.starts, alphabet.atoms, strict=True))
    ends = [start for start, _ in runs[1:]] + [N_CODE_POINTS]
    all_codes = b"".join(
        bytes((codes[atom],)) * (end - start) for (start, atom), end in zip(runs, ends, strict=True)
    )
    if by_byte:
        return bytes(all_codes[ord(character)] for character in CHARACTERS), array("H"), b""
    leaves: dict[bytes, int] = {}
    blocks = array(
        "H",
        (
            leaves.setdefault(all_codes[at : at + BLOCK], len(leaves))
            for at in range(0, N_CODE_POINTS, BLOCK)
        ),
    )
    return all_codes[:256], blocks, b"".join(leaves)


def _cuts(
    automaton: Automaton,
    states: list[int],
    alphabet: Alphabet,
    lookahead: Lookahead | None,
    codes: Sequence[int],
) -> bytes:
    """Tell between which characters a text may be cut: where a word ends whatever is around them.

    In all states that a symbol leads to, a word ends in front of the next one, and what follows is
    as at the begin of a text.
    """
    symbol_bases = (
        [symbol.base for symbol in lookahead.symbols]
        if lookahead is not None
        else list(range(automaton.end + 1))
    )
    n = alphabet.end
    everything = (1 << n) - 1
    safe = [everything] * n
    first = automaton.rows[0]
    for state, row, read in zip(automaton.states, automaton.rows, automaton.read, strict=True):
        ended = (Action.END, Action.DROP)
        if state.parts[-1].phase is Phase.START:  # a word begins here in any case
            ended = (Action.NONE, Action.NONE)
        bases = everything if row[automaton.end].action in ended else 0
        for symbol, entry in enumerate(row[: automaton.end]):
            ends = entry.action in ended
            if not ends or states[entry.target] != states[first[symbol].target]:
                bases &= ~(1 << symbol_bases[symbol])
        for symbol in read:
            safe[symbol_bases[symbol]] &= bases
    n_codes = max(codes) + 1
    cuts = bytearray(n_codes * n_codes)
    unsafe = set()
    for before in range(n):
        ends_line = alphabet.uses_last_line and before == alphabet.line_feed
        for after in range(n):
            place = codes[before] * n_codes + codes[after]
            cuts[place] = 1
            if (
                ends_line
                or not safe[before] >> after & 1
                or not _looks_no_further(before, after, lookahead)
            ):
                unsafe.add(place)
    for place in unsafe:
        cuts[place] = 0
    return bytes(cuts)


def _looks_no_further(before: int, after: int, lookahead: Lookahead | None) -> bool:
    """Tell whether no look-ahead in front of `before` depends on `after` or what follows."""
    if lookahead is None:
        return True
    rows, numbers = lookahead.rows, lookahead.numbers
    behind = {state for state, row in enumerate(numbers) if row[after] >= 0}
    return {rows[state][before] for state in behind} == {rows[lookahead.begin][before]}
