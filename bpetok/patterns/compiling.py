"""Patterns to scanners: the steps of a chain, compiled and packed into as few levels as can be."""

from __future__ import annotations

from bpetok.patterns.automaton import AnyStep, Automaton, Behavior, SplitAt, Step
from bpetok.patterns.chains import SplitStep
from bpetok.patterns.dfa import CompiledPattern
from bpetok.patterns.lookahead import Lookahead
from bpetok.patterns.matcher import Matcher
from bpetok.patterns.nfa import Alphabet, Program, Symbol
from bpetok.patterns.parse import Node, Repeat, Unsupported, parse
from bpetok.patterns.provisional import Provisional, build_provisional
from bpetok.patterns.tables import (
    Tables,
    build_tables,
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
        while done < len(splits):
            if len(levels) == MOST_LEVELS:
                raise Unsupported(f"more than {MOST_LEVELS} steps whose ends are not seen at once")
            tables, words, n = _level(splits[done:], trees[done:], unmatched)
            levels.append(tables)
            provisional.append(words)
            done += n
    except RecursionError:
        raise Unsupported("too many parts inside each other") from None
    return CompiledPattern(tuple(levels), tuple(provisional), unmatched == "error")


def _tree(split: SplitStep) -> Node:
    tree = parse(split.expression)
    return Repeat(tree, 1, None) if split.behavior == "contiguous" else tree


def _level(
    splits: list[SplitStep], trees: list[Node], unmatched: str | None
) -> tuple[Tables, Provisional | None, int]:
    """Compile as many steps as one automaton can hold; return its tables and their number."""
    n = 1
    while n < len(splits) and splits[n].by_byte == splits[0].by_byte:
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
    tables = build_tables(automaton, alphabet, lookahead, by_byte=splits[0].by_byte)
    provisional = None
    if automaton.searches and lookahead is None and len(steps) == 1 and steps[0].is_isolated():
        provisional = build_provisional(
            steps[0].matcher, symbols_of_columns(automaton), fails=unmatched == "error"
        )
    return tables, provisional, len(steps)


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
