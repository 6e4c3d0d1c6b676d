r"""Steps of a chain to one automaton, which reads a text once and tells where words end.

A step splits the pieces that the steps before it leave. Its state is START at the begin of a piece,
that of a match (`matcher.py`), or BETWEEN matches. Over a symbol either the piece goes on, or it
ends in front of that symbol, and then the later steps begin anew. All steps together are one
automaton whose states are the tuples of theirs.

That needs steps whose ends are known at once, as those of ``\p{N}{1,3}``. Only the last step may
end further back: ``\s+(?!\S)`` gives its last character back when the next is a letter. Then an
entry of the table is an *action*: most often a word ends one character back, and it is known what
that character begins; otherwise the word is read again (`Action.SEARCH`).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import TypeAlias

from bpetok.base.records import NamedTuple
from bpetok.patterns.matcher import DEAD, Matcher
from bpetok.patterns.parse import Unsupported

MOST_ENTRIES = 100_000
"""Entries of a table, of 4 bytes; a larger automaton is given up while it is being made, after
about a second."""


class Phase(IntEnum):
    """Where a step is in a piece."""

    START = 0
    MATCH = 1
    BETWEEN = 2
    MAYBE = 3  # as BETWEEN, but a match may have begun at the last symbol


class Behavior(IntEnum):
    """What becomes of a match: the behaviours of Split in Hugging Face's tokenizers."""

    ISOLATED = 0
    REMOVED = 1
    MERGED_WITH_PREVIOUS = 2
    MERGED_WITH_NEXT = 3


class End(IntEnum):
    """Whether a piece ends in front of a symbol."""

    NO = 0
    HERE = 1
    BACK = 2  # or there is no match at all


class Part(NamedTuple):
    """The state of a step.

    phase : Phase
    value : int
        The matcher's state in MATCH and MAYBE, otherwise the last symbol's group.
    failed : Part, optional
        Of a MATCH that has not been able to end yet: the state if it turns out to be none.
    """

    phase: Phase
    value: int
    failed: Part | None = None


class Step:
    """A step of a chain, as an automaton.

    Parameters
    ----------
    matcher : Matcher
    behavior : Behavior
    drop_between : bool
        Leave out what is between matches.

    Attributes
    ----------
    defers : bool
        Whether it goes to MAYBE where it can't tell if a match begins.
    """

    def __init__(
        self,
        matcher: Matcher,
        behavior: Behavior = Behavior.ISOLATED,
        *,
        drop_between: bool = False,
    ) -> None:
        self.matcher = matcher
        self._behavior = behavior
        self.drop_between = drop_between
        self.defers = False
        self.first = Part(Phase.START, matcher.behind[matcher.begin])

    def drops(self, part: Part) -> bool:
        """Tell whether the piece that is being read is left out."""
        if part.phase is Phase.MATCH:
            return self._behavior is Behavior.REMOVED
        return part.phase is Phase.BETWEEN and self.drop_between

    def group(self, part: Part) -> int:
        """Return the group of the symbol that a state has read last."""
        in_match = part.phase in (Phase.MATCH, Phase.MAYBE)
        return self.matcher.group[part.value] if in_match else part.value

    def again(self, part: Part) -> Part:
        """Return the state where a piece begins after what this state has read."""
        return Part(Phase.START, self.group(part))

    def between(self, part: Part) -> Part:
        """Return the state of having read the same without a match."""
        return Part(Phase.BETWEEN, self.group(part))

    def read(self, part: Part, symbol: int) -> tuple[End, Part]:
        """Return whether the piece ends in front of a symbol, and the state after it."""
        matcher = self.matcher
        if part.phase is Phase.MATCH:
            row = matcher.row(part.value)
            if row.next[symbol] != DEAD:
                failed = None if row.ends[symbol] else self._failed(part, symbol)
                return End.NO, Part(Phase.MATCH, row.next[symbol], failed)
            if not row.ends[symbol]:
                return (End.BACK, part) if part.failed is None else self.read(part.failed, symbol)
            _, following = self.read(self.again(part), symbol)
            if self._behavior is Behavior.MERGED_WITH_NEXT and symbol != matcher.end:
                if following.phase is Phase.BETWEEN:
                    return End.NO, following
                if not matcher.is_sure(following.value, symbol):
                    return End.BACK, part  # if that is no match, it belongs to this piece
            return End.HERE, following
        if part.phase is Phase.MAYBE:
            row = matcher.row(part.value)
            if row.next[symbol] != DEAD or row.ends[symbol]:
                return End.BACK, part
            return self.read(self.between(part), symbol)
        start = matcher.start(part.value)
        state = matcher.row(start).next[symbol] if start != DEAD else DEAD
        if state == DEAD:
            end = part.phase is Phase.BETWEEN and symbol == matcher.end
            return End.HERE if end else End.NO, Part(Phase.BETWEEN, matcher.behind[symbol])
        if part.phase is Phase.START:
            drops = self.drop_between or self._behavior is Behavior.REMOVED
            failed = None if drops else Part(Phase.BETWEEN, matcher.behind[symbol])
            return End.NO, Part(Phase.MATCH, state, failed)
        if not matcher.is_sure(state, symbol):
            return (End.NO, Part(Phase.MAYBE, state)) if self.defers else (End.BACK, part)
        merges = self._behavior is Behavior.MERGED_WITH_PREVIOUS
        return End.NO if merges else End.HERE, Part(Phase.MATCH, state)

    def _failed(self, match: Part, symbol: int) -> Part | None:
        """Return the state `failed` after one more symbol, if no piece ends there."""
        if match.failed is None:
            return None
        end, following = self.read(match.failed, symbol)
        return following if end is End.NO and following.phase is not Phase.MATCH else None

    def ends(self, part: Part, symbol: int) -> bool:
        """Tell whether a match may end in front of a symbol, even if it may also go on."""
        return part.phase is Phase.MATCH and self.matcher.row(part.value).ends[symbol]

    def is_isolated(self) -> bool:
        """Tell whether each match is a word."""
        return self._behavior is Behavior.ISOLATED

    def is_immediate(self) -> bool:
        """Tell whether each end of a piece is seen at once."""
        matcher = self.matcher
        stack = [(self.first, matcher.begin)]
        seen = set(stack)
        while stack:
            part, before = stack.pop()
            for symbol in matcher.followers(before):
                end, after = self.read(part, symbol)
                if end is End.BACK:
                    return False
                if symbol != matcher.end and (after, symbol) not in seen:
                    seen.add((after, symbol))
                    stack.append((after, symbol))
        return True

    def ends_later(self, part: Part, symbol: int) -> bool:
        """Tell whether a match goes on over a symbol, to an end in any case."""
        following = self.matcher.row(part.value).next[symbol]
        return following != DEAD and self.matcher.is_sure(following, symbol)


class SplitAt:
    r"""A step that splits where the empty text matches, as ``(?=(\d{3})+(?!\d))`` does."""

    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher
        self.first = Part(Phase.START, matcher.behind[matcher.begin])

    def drops(self, part: Part) -> bool:
        """Tell whether the piece that is being read is left out."""
        return False

    def again(self, part: Part) -> Part:
        """Return the state where a piece begins after what this state has read."""
        return Part(Phase.START, part.value)

    def between(self, part: Part) -> Part:
        """Return the state of having read the same without a match, which is the same state."""
        return part

    def read(self, part: Part, symbol: int) -> tuple[End, Part]:
        """Return whether the piece ends in front of a symbol, and the state after it."""
        ends = part.phase is not Phase.START and self.ends(part, symbol)
        return End.HERE if ends else End.NO, Part(Phase.BETWEEN, self.matcher.behind[symbol])

    def ends(self, part: Part, symbol: int) -> bool:
        """Tell whether a piece may end in front of a symbol, even if it may also go on."""
        start = self.matcher.start(part.value)
        return symbol == self.matcher.end or (
            start != DEAD and self.matcher.row(start).ends[symbol]
        )

    def ends_later(self, part: Part, symbol: int) -> bool:
        """Tell whether a match goes on over a symbol, which has no length here."""
        return False

    def is_isolated(self) -> bool:
        """Tell whether each match is a word."""
        return False

    def is_immediate(self) -> bool:
        """Tell whether each end of a piece is seen at once."""
        return True


AnyStep: TypeAlias = "Step | SplitAt"
Parts: TypeAlias = "tuple[Part, ...]"


class Action(IntEnum):
    """What happens in front of a symbol. Words that are left out end by DROP."""

    NONE = 0  # the word goes on
    END = 1  # a word ends
    DROP = 2  # a word ends and is left out
    BACK = 3  # a word ends one character back
    BACK_END = 4  # and the next one, of that character, ends here
    SEARCH = 5  # a word has ended before, or has not matched: read it again
    TRY = 6  # between matches: one may begin here
    TRY_BACK = 7  # or one may have begun at the character before
    LOOK = 8  # it depends on what follows the symbol: only tables have it, see `tables._looking`


class Entry(NamedTuple):
    """What a state does over a symbol: the action, and the state after the symbol."""

    action: Action
    target: int


class State(NamedTuple):
    """A state of all steps; `back`: of another reading, for which a word began a symbol earlier."""

    parts: Parts
    back: Parts | None


class Automaton:
    """All steps together.

    Attributes
    ----------
    states : dict of State to int
        Number 0 is the first one.
    rows : list of list of Entry
        By state and symbol.
    ends : list of list of bool
        ends[state][symbol]: whether a word may end in front of the symbol, and perhaps not later.
    again, between : list of int
        The state where a word begins after what a state has read, and the one of having read the
        same without a match; -1 where they are never asked for.
    back : list of int
        The state of a word that began at the last symbol, where `Action.BACK` may follow; or -1.
    read : list of set of int
        The symbols that lead to each state.
    searches : bool
        Whether a match may turn out to be none, or to have ended further back than a symbol.
    """

    def __init__(self, steps: list[AnyStep]) -> None:
        self._steps = steps
        last = steps[-1]
        if isinstance(last, Step) and not last.drop_between and not last.is_immediate():
            last.defers = True
        self._matcher = steps[-1].matcher
        self.end = self._matcher.end
        self.states: dict[State, int] = {}
        self.rows: list[list[Entry]] = []
        self.ends: list[list[bool]] = []
        self.again: list[int] = []
        self.between: list[int] = []
        self.back: list[int] = []
        self.read: list[set[int]] = []
        self._has_back: dict[Parts, bool] = {}
        self._number(State(tuple(step.first for step in steps), None))
        self.searches = False
        for number, state in self._growing():
            row = [self._entry(state, symbol) for symbol in range(self.end + 1)]
            self.rows.append(row)
            self.ends.append([self._ends_at_last(state.parts, s) for s in range(self.end + 1)])
            for symbol, (_, target) in enumerate(row):
                if target >= 0:
                    self.read[target].add(symbol)
            self.searches |= any(entry.action >= Action.SEARCH for entry in row)
            if self.searches:
                self._add_alternatives(number)

    def _growing(self) -> Iterator[tuple[int, State]]:
        number = 0
        while number < len(self.states):
            for state in list(self.states)[number:]:
                yield number, state
                number += 1
                if number * (self.end + 1) > MOST_ENTRIES:
                    raise Unsupported(f"an automaton of more than {MOST_ENTRIES} entries")

    def _number(self, state: State) -> int:
        number = self.states.setdefault(state, len(self.states))
        if number == len(self.again):
            self.again.append(-1)
            self.between.append(-1)
            self.back.append(-1)
            self.read.append(set())
        return number

    def _add_alternatives(self, last: int) -> None:
        """Add the states that a search may lead to, of all states up to `last`."""
        states = list(self.states)
        for number in range(last, -1, -1):
            if self.again[number] >= 0:
                break
            *outer, part = states[number].parts
            again = (*outer, self._steps[-1].again(part))
            between = (*outer, self._steps[-1].between(part))
            self.again[number] = self._number(State(again, None))
            self.between[number] = self._number(State(between, None))
            self.read[self.again[number]] |= self.read[number]
            self.read[self.between[number]] |= self.read[number]

    def searches_in_texts(self) -> bool:
        """Tell whether a text leads to a search; some symbols follow no others. For one step."""
        matcher = self._matcher
        seen = {(0, matcher.begin)}
        stack = [*seen]
        while stack and self.searches:
            state, before = stack.pop()
            for symbol in matcher.followers(before):
                action, target = self.rows[state][symbol]
                if action >= Action.SEARCH:
                    return True
                if target >= 0 and (target, symbol) not in seen:
                    seen.add((target, symbol))
                    stack.append((target, symbol))
        return False

    def drops(self, parts: Parts) -> bool:
        """Tell whether the word that is being read is left out."""
        return any(step.drops(part) for step, part in zip(self._steps, parts, strict=True))

    def _step_all(self, parts: Parts, symbol: int) -> tuple[End, Parts]:
        following = []
        ended = False
        for step, part in zip(self._steps, parts, strict=True):
            if ended:
                # The piece of the steps before ends here, and so must this one's.
                if part.phase is not Phase.START and step.read(part, self.end)[0] is not End.HERE:
                    return End.BACK, parts
                part = step.first
            end, after = step.read(part, symbol)
            if end is End.BACK:
                return End.BACK, parts
            ended = ended or end is End.HERE
            following.append(after)
        begun = parts[-1].phase is not Phase.START
        return End.HERE if ended and begun else End.NO, tuple(following)

    def _next_of_last(self, parts: Parts, symbol: int) -> int:
        """Return what the last step sees next: END where a piece of the steps before ends."""
        outer = list(zip(self._steps, parts, strict=True))[:-1]
        ends = any(step.read(part, symbol)[0] is End.HERE for step, part in outer)
        return self.end if ends else symbol

    def _may_end(self, parts: Parts, symbol: int) -> bool:
        return self._steps[-1].ends(parts[-1], self._next_of_last(parts, symbol))

    def _ends_at_last(self, parts: Parts, symbol: int) -> bool:
        """Tell whether a word may end in front of a symbol, and might end nowhere later."""
        symbol = self._next_of_last(parts, symbol)
        last = self._steps[-1]
        return last.ends(parts[-1], symbol) and not last.ends_later(parts[-1], symbol)

    def _after(self, before: Parts, symbol: int, parts: Parts) -> int:
        """Return the number of the state `parts` after a symbol that has ended no word."""
        back = None
        goes_back = before[-1].phase is Phase.MATCH and self._goes_back(parts)
        if goes_back and self._may_end(before, symbol):
            again = (*before[:-1], self._steps[-1].again(before[-1]))
            _, back = self._step_all(again, symbol)
        number = self._number(State(parts, back))
        if back is not None:
            self.back[number] = self._number(State(back, None))
            self.read[self.back[number]].add(symbol)
        return number

    def _goes_back(self, parts: Parts) -> bool:
        if parts not in self._has_back:
            ends = (self._step_all(parts, symbol)[0] for symbol in range(self.end + 1))
            self._has_back[parts] = End.BACK in ends
        return self._has_back[parts]

    def _entry(self, state: State, symbol: int) -> Entry:
        parts, back = state
        end, following = self._step_all(parts, symbol)
        if end is End.NO:
            if symbol == self.end:
                return Entry(Action.NONE, -1)
            return Entry(Action.NONE, self._after(parts, symbol, following))
        drops = self.drops(parts)
        if end is End.HERE:
            target = self._number(State(following, None)) if symbol != self.end else -1
            return Entry(Action.DROP if drops else Action.END, target)
        if parts[-1].phase is Phase.BETWEEN:
            return Entry(Action.TRY, -1)
        if parts[-1].phase is Phase.MAYBE:
            return self._entry_of_maybe(state, symbol)
        if back is None or drops or self.drops(back):
            return Entry(Action.SEARCH, -1)
        end, following = self._step_all(back, symbol)
        if end is End.BACK:
            return Entry(Action.SEARCH, -1)
        if end is End.HERE:
            target = self._number(State(following, None)) if symbol != self.end else -1
            return Entry(Action.BACK_END, target)
        if following[-1].phase is Phase.MAYBE:
            # A row has one `back`: of a row after BACK it is that of the word which has begun, and
            # TRY_BACK would take it for that of the match which may have begun.
            return Entry(Action.SEARCH, -1)
        return Entry(Action.BACK, self._after(back, symbol, following))

    def _entry_of_maybe(self, state: State, symbol: int) -> Entry:
        """Return the entry where a match that may have begun at the last symbol goes on or ends."""
        *outer, part = state.parts
        match = (*outer, Part(Phase.MATCH, part.value))
        number = self.states[state]
        self.back[number] = self._number(State(match, None))
        self.read[self.back[number]] |= self.read[number]
        end, following = self._step_all(match, symbol)
        if self.drops(state.parts) or self.drops(match) or end is End.BACK:
            return Entry(Action.TRY_BACK, -1)
        if end is End.HERE:
            target = self._number(State(following, None)) if symbol != self.end else -1
            return Entry(Action.BACK_END, target)
        if not self._matcher.is_sure(following[-1].value, symbol):
            return Entry(Action.TRY_BACK, -1)
        return Entry(Action.BACK, self._after(match, symbol, following))
