"""The pre-tokenizers of a tokenizer.json as patterns, and patterns as pre-tokenizers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from bpetok.base.checks import shorten
from bpetok.patterns.builtin import CHAINS, DEEPSEEK, PATTERNS, SPELLINGS, expression_of, name_of
from bpetok.patterns.chains import BYTE_LEVEL, STEPS, Pattern, Step, is_chain, steps_of
from bpetok.patterns.dialects import from_oniguruma, to_oniguruma

BEHAVIORS = {
    "Isolated": "isolated",
    "Removed": "removed",
    "MergedWithPrevious": "merged_with_previous",
    "MergedWithNext": "merged_with_next",
    "Contiguous": "contiguous",
}
INVERTED = {
    "removed": "kept",
    "merged_with_previous": "merged_with_next",
    "merged_with_next": "merged_with_previous",
}
THEIRS = {behavior: name for name, behavior in BEHAVIORS.items()}

BYTE_LEVEL_ALONE: dict[str, Any] = {
    "type": "ByteLevel",
    "add_prefix_space": False,
    "trim_offsets": True,
    "use_regex": False,
}

# What tiktoken takes for an interval that gives nothing back, and the engine of these files for one
# that is repeated.
_INTERVAL_WITH_PLUS = re.compile(r"\{\d+(?:,\d*)?\}\+")

# Patterns as other readers know them: tokenizers 1.0 and transformers.js go by the spelling.
SPELLED = {
    pattern: next(
        expression
        for expression, name in SPELLINGS.items()
        if name == pattern and expression.startswith(begin)
    )
    for pattern, begin in (
        ("gpt2", "'s|"),
        ("cl100k", "(?i:"),
        ("nanochat", "(?i:"),
        ("kimi", "["),
    )
}


# The steps of DeepSeek's file, which has the characters themselves.
SPELLED |= {
    DEEPSEEK[1]: "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    DEEPSEEK[2]: DEEPSEEK[2].replace(r"\"", '"').replace(r"\r", "\r").replace(r"\n", "\n"),
}
_STEPS_BY_SPELLING = {spelling: step for step, spelling in SPELLED.items() if step in DEEPSEEK}


def read(pre_tokenizer: Any) -> tuple[Pattern, bool]:
    """Return the pattern that splits as a pre-tokenizer does, and whether it adds a space first.

    Raises
    ------
    ValueError
        If it is not byte-level, or does what no pattern can say; the message says what.
    """
    rows = _flatten(pre_tokenizer, "pre_tokenizer")
    kinds = [row["type"] for row, _ in rows]
    if kinds.count("ByteLevel") != 1:
        refuse("pre_tokenizer", pre_tokenizer, "must have one ByteLevel, and no more than that")
    at = kinds.index("ByteLevel")
    prefix_space = bool(rows[at][0].get("add_prefix_space", True))
    if prefix_space and at > 0:
        refuse(
            f"{rows[at][1]}.add_prefix_space", True, "a space before each piece, not before a text"
        )
    steps: list[Step] = []
    for row, name in rows:
        steps += _steps_of(row, name)
    if steps[-1] == BYTE_LEVEL:
        steps.pop()
    if not steps:
        return "none", prefix_space
    if len(steps) == 1:
        return _pattern_of(steps[0]), prefix_space
    return steps, prefix_space


def _pattern_of(step: Step) -> Pattern:
    """Return a chain of one step, as the name or expression that it is if it can be."""
    expression, behavior = (step, "isolated") if isinstance(step, str) else step
    if expression not in STEPS:
        # All text matches the expressions that have names, so there is nothing between the matches.
        if expression in PATTERNS and behavior in ("isolated", "kept"):
            return expression
        if behavior == "isolated":
            return next(
                (name for name, chain in CHAINS.items() if chain == (expression,)), expression
            )
    return [(expression, behavior)]


def _flatten(value: Any, name: str) -> list[tuple[dict[str, Any], str]]:
    """Return the steps of nested sequences, each with its place."""
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        refuse(name, value, "must be ByteLevel, or a Sequence with one")
    if value["type"] != "Sequence":
        return [(value, name)]
    rows = value.get("pretokenizers")
    if not isinstance(rows, list):
        raise ValueError(f"{name}.pretokenizers must be an array, got {shorten(rows)}")
    return [
        pair for i, row in enumerate(rows) for pair in _flatten(row, f"{name}.pretokenizers[{i}]")
    ]


def _steps_of(row: Mapping[str, Any], name: str) -> list[Step]:
    kind = row["type"]
    if kind == "ByteLevel":
        return ["gpt2", BYTE_LEVEL] if row.get("use_regex", True) else [BYTE_LEVEL]
    if kind == "Split":
        expression = _expression_of(row, name)
        expression = _STEPS_BY_SPELLING.get(expression, expression)
        return [(name_of(expression) or expression, _behavior_of(row, name))]
    if kind == "Digits":
        return [("digits", "isolated" if row.get("individual_digits") else "contiguous")]
    if kind == "Punctuation":
        return [("punctuation", _behavior_of({"behavior": "Isolated"} | dict(row), name))]
    if kind == "WhitespaceSplit":
        return [("whitespace", "removed")]
    if kind == "Whitespace":
        return [(r"\w+|[^\w\s]+", "kept")]
    if kind == "BertPreTokenizer":
        return [("whitespace", "removed"), ("punctuation", "isolated")]
    if kind == "CharDelimiterSplit" and isinstance(row.get("delimiter"), str):
        return [(_literal(row["delimiter"]), "removed")]
    return refuse(name, dict(row), "no pattern can say that")


def _behavior_of(row: Mapping[str, Any], name: str) -> str:
    behavior = BEHAVIORS.get(str(row.get("behavior")))
    if behavior is None:
        refuse(f"{name}.behavior", row.get("behavior"), f"must be one of {', '.join(BEHAVIORS)}")
    return INVERTED.get(behavior, behavior) if row.get("invert") else behavior


def _expression_of(row: Mapping[str, Any], name: str) -> str:
    pattern = row.get("pattern")
    if isinstance(pattern, dict) and isinstance(pattern.get("String"), str):
        return _literal(pattern["String"])
    expression = pattern.get("Regex") if isinstance(pattern, dict) else None
    if not isinstance(expression, str) or not expression:
        raise ValueError(f"{name}.pattern.Regex must be a string, got {shorten(expression)}")
    # The expressions that have names are known to mean the same, but for these intervals.
    if name_of(expression) is None or _INTERVAL_WITH_PLUS.search(expression):
        try:
            expression = from_oniguruma(expression)
        except ValueError as error:
            refuse(f"{name}.pattern.Regex", expression, str(error))
    # As a step, a name would mean its pattern: as an expression, it matches only itself.
    return expression if re.search(r"\W", expression) else f"(?:{expression})"


def _literal(text: str) -> str:
    """Return the expression that matches a text only; no name of a step looks like it."""
    return "(?:" + re.sub(r"[\\.^$|?*+()\[\]{}&~#-]", r"\\\g<0>", text) + ")"


def write(pattern: str, *, prefix_space: bool) -> dict[str, Any]:
    """Return the pre-tokenizer that splits as a pattern does, which has been checked.

    Raises
    ------
    ValueError
        If a space is to come before each text: the one that says so splits by GPT-2's pattern.
    """
    if prefix_space:
        if pattern not in ("gpt2", "none"):
            raise ValueError(
                "tokenizer.json can say prefix_space only with the patterns 'gpt2' and 'none', "
                f"this tokenizer has {pattern!r}"
            )
        return BYTE_LEVEL_ALONE | {"add_prefix_space": True, "use_regex": pattern == "gpt2"}
    if pattern == "none":
        return BYTE_LEVEL_ALONE
    steps: Sequence[Step] = [pattern]
    if pattern in CHAINS:
        steps = CHAINS[pattern]
    elif is_chain(pattern):
        steps = steps_of(pattern)
    rows = [_row_of(*(step if not isinstance(step, str) else (step, "isolated"))) for step in steps]
    if BYTE_LEVEL_ALONE not in rows:
        rows.append(BYTE_LEVEL_ALONE)
    return {"type": "Sequence", "pretokenizers": rows}


def _row_of(step: str, behavior: str) -> dict[str, Any]:
    if step == BYTE_LEVEL:
        return BYTE_LEVEL_ALONE
    if step == "digits" and behavior in ("isolated", "contiguous"):
        return {"type": "Digits", "individual_digits": behavior == "isolated"}
    if step == "punctuation" and behavior != "kept":
        return {"type": "Punctuation", "behavior": THEIRS[behavior]}
    return {
        "type": "Split",
        "pattern": {"Regex": _spell(step)},
        "behavior": "Removed" if behavior == "kept" else THEIRS[behavior],
        "invert": behavior == "kept",
    }


def _spell(step: str) -> str:
    if step in SPELLED or step in STEPS:
        return SPELLED.get(step) or STEPS[step]
    return expression_of(step) if step in PATTERNS else to_oniguruma(expression_of(step))


def refuse(name: str, value: object, why: str) -> NoReturn:
    """Raise the error that says what can't be represented, and why."""
    raise ValueError(f"{name}: {shorten(value)} can't be represented: {why}")
