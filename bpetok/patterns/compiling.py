"""Patterns to scanners: the steps of a chain, compiled and packed into as few levels as can be."""

from __future__ import annotations

from bpetok.patterns.automaton import AnyStep, Automaton, Behavior, SplitAt, Step
from bpetok.patterns.chains import SplitStep
from bpetok.patterns.dfa import CompiledPattern
from bpetok.patterns.lookahead import Lookahead
from bpetok.patterns.matcher import Matcher
from bpetok.patterns.nfa import Alphabet, Program, Symbol
from bpetok.patterns.parse import Node, Repeat, Unsupported, parse
from bpetok.patterns.provisional import Kinds, Provisional, Words
from bpetok.patterns.tables import (
    Tables,
    build_tables,
    has_room,
    symbols_of_columns,
    takes_last_line_alike,
)

MOST_LEVELS = 4


def compile_expression(expression: str, unmatched: str) -> CompiledPattern:
    """Return the scanner of an expression on its own.

    Parameters
    ----------
    expression : str
    unmatched : {"error", "word", "drop"}
        What becomes of text that the expression does not match.

    Raises
    ------
    Unsupported
        If there is a construct that can't be compiled.
    """
    return _compile([SplitStep(expression)], unmatched)


def compile_chain(splits: list[SplitStep]) -> CompiledPattern:
    """Return the scanner of a chain; what an expression does not match stays a piece.

    Raises
    ------
    Unsupported
        If there is a construct that can't be compiled.
    """
    return _compile(splits, None)


def _compile(splits: list[SplitStep], unmatched: str | None) -> CompiledPattern:
    try:
        trees = [_tree(split) for split in splits]
        levels: list[Tables] = []
        provisional: list[Provisional | None] = []
        done = 0
        spaced_level = -1
        while done < len(splits):
            if len(levels) == MOST_LEVELS:
                raise Unsupported(f"more than {MOST_LEVELS} steps whose ends are not seen at once")
            tables, words, n = _level(splits[done:], trees[done:], unmatched)
            levels.append(tables)
            provisional.append(words)
            done += n
            if splits[done - 1].spaced:
                spaced_level = len(levels) - 1
    except RecursionError:
        raise Unsupported("too many parts inside each other") from None
    return CompiledPattern(tuple(levels), tuple(provisional), unmatched == "error", spaced_level)


def _tree(split: SplitStep) -> Node:
    tree = parse(split.expression)
    return Repeat(tree, 1, None) if split.behavior == "contiguous" else tree


def _level(
    splits: list[SplitStep], trees: list[Node], unmatched: str | None
) -> tuple[Tables, Provisional | None, int]:
    """Compile as many steps as one automaton can hold; return its tables and their number."""
    n = 1
    while n < len(splits) and splits[n].by_byte == splits[0].by_byte and not splits[n - 1].spaced:
        n += 1
    alphabet = Alphabet(trees[:n])
    steps: list[AnyStep] = []
    lookahead = None
    symbols = [Symbol(base) for base in range(alphabet.n)]
    followers = None
    for split, tree in zip(splits[:n], trees[:n], strict=True):
        program = Program(tree, alphabet)
        if program.looks and steps:
            break  # what it looks at ends with the pieces of the steps before
        if program.looks:
            lookahead = Lookahead(program.looks, alphabet)
            symbols, followers = lookahead.symbols, lookahead.followers
        step = _step(split, Matcher(program, symbols, followers), unmatched)
        if followers is not None and not steps:
            # A piece of this step may end after any symbol.
            followers = [[*{*some, len(symbols) - 1}] for some in followers]
        if (
            steps
            and program.tells_last_line()
            and not splits[0].by_byte
            and (lookahead is not None or not takes_last_line_alike(Automaton([step]), alphabet))
        ):
            break  # whether a line feed is the last one of a piece is known only after it
        steps.append(step)
        if not step.is_immediate():
            break
    automaton = Automaton(steps)
    kinds: Kinds | None = None
    provisional = None
    if len(steps) == 1 and steps[0].is_isolated() and automaton.searches_in_texts():
        kinds, provisional = _provisional(
            automaton, steps[0].matcher, alphabet, fails=unmatched == "error"
        )
    tables = build_tables(automaton, alphabet, lookahead, by_byte=splits[0].by_byte, kinds=kinds)
    return tables, provisional, len(steps)


def _provisional(
    automaton: Automaton, matcher: Matcher, alphabet: Alphabet, *, fails: bool
) -> tuple[Kinds | None, Provisional | None]:
    """Return the tables of words that stand until a longer match is found, if there can be some.

    With long look-ahead they may tell more symbols apart than the automaton: these are the kinds.
    """
    has_looks = matcher.has_followers
    symbols = range(automaton.end + 1) if has_looks else symbols_of_columns(automaton)
    try:
        words = Words(matcher, symbols, fails=fails)
    except Unsupported:
        return None, None
    if not has_looks:
        return None, words.tables(symbols)
    kinds = words.kinds()
    symbols = symbols_of_columns(automaton, kinds)
    if not has_room(len(symbols), alphabet):
        return None, None
    return kinds, words.tables(symbols)


def _step(split: SplitStep, matcher: Matcher, unmatched: str | None) -> AnyStep:
    if matcher.may_be_empty():
        if unmatched is None and matcher.is_place() and split.behavior == "isolated":
            return SplitAt(matcher)
        raise Unsupported("a match of nothing at all")
    step = Step(
        matcher,
        _BEHAVIOR_OF_MATCHES.get(split.behavior, Behavior.ISOLATED),
        drop_between=split.behavior == "kept" or unmatched in ("error", "drop"),
    )
    if split.behavior.startswith("merged") and not step.is_immediate():
        raise Unsupported(f"{split.behavior} of matches whose ends are not seen at once")
    return step


_BEHAVIOR_OF_MATCHES = {
    "removed": Behavior.REMOVED,
    "merged_with_previous": Behavior.MERGED_WITH_PREVIOUS,
    "merged_with_next": Behavior.MERGED_WITH_NEXT,
}
