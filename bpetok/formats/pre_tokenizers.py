"""The pre-tokenizers of a tokenizer.json as patterns, and patterns as pre-tokenizers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from bpetok.base.checks import shorten
from bpetok.base.records import NamedTuple
from bpetok.encoding.text_decoders import READ_ELSEWHERE
from bpetok.patterns.builtin import (
    CHAINS,
    DEEPSEEK,
    PATTERNS,
    SPELLINGS,
    expression_of,
    name_of,
    steps_of_pattern,
    why_not_compiled,
)
from bpetok.patterns.chains import (
    BYTE_LEVEL,
    PREFIX_SPACE,
    STEPS,
    Pattern,
    Step,
    around_spaces,
)
from bpetok.patterns.dialects import from_oniguruma, to_oniguruma
from bpetok.patterns.expressions import compile_expression
from bpetok.patterns.portable import portable_steps

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

LONGEST_PIECE = 1000
"""Of what FixedLength splits off: a repetition of more is not compiled."""

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


class Splitting(NamedTuple):
    """What splits as a pre-tokenizer does: see `Tokenizer`.

    normalizer : list of dict
        Steps that are applied before, as tokenizer.json has them.
    """

    pattern: Pattern
    prefix_space: bool
    normalizer: list[dict[str, Any]]


def read(pre_tokenizer: Any, *, spelled: bool = False) -> Splitting:
    """Return what splits as a pre-tokenizer does.

    Parameters
    ----------
    pre_tokenizer : object
        As tokenizer.json has it.
    spelled : bool
        The text is spelled as ByteLevel spells it, before this is applied.

    Raises
    ------
    ValueError
        If it is not byte-level, or does what no pattern can say; the message says what.
    """
    rows = [] if pre_tokenizer is None else _flatten(pre_tokenizer, "pre_tokenizer")
    normalizer: list[dict[str, Any]] = []
    steps: list[Step] = [BYTE_LEVEL] if spelled else []
    if rows and rows[0][0]["type"] == "Metaspace":
        row, name = rows.pop(0)
        normalizer = _metaspace(row, name)
        if row.get("split", True):
            steps.append((_literal(row["replacement"]), "merged_with_next"))
    kinds = [row["type"] for row, _ in rows]
    if spelled and "ByteLevel" in kinds:
        refuse("pre_tokenizer", pre_tokenizer, "the normalizer has made characters of bytes before")
    if not spelled and kinds.count("ByteLevel") != 1:
        refuse(
            "pre_tokenizer",
            pre_tokenizer,
            "must have one ByteLevel, and no more than that: otherwise the characters of the text "
            "are not those that spell bytes, so it is no byte-level BPE; " + READ_ELSEWHERE,
        )
    prefix_space = False
    for row, name in rows:
        if row["type"] == "ByteLevel" and row.get("add_prefix_space", True):
            if steps:
                steps.append(PREFIX_SPACE)
            else:
                prefix_space = True
        steps += _steps_of(row, name)
    if steps[-1] == BYTE_LEVEL:
        steps.pop()
    return Splitting(_pattern_of_steps(steps), prefix_space, normalizer)


def _metaspace(row: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return what Metaspace does to a text, as a normalizer; it is the first step."""
    sign = row.get("replacement")
    if not isinstance(sign, str) or len(sign) != 1:
        refuse(f"{name}.replacement", sign, "must be one character")
    # Files from before there were schemes have add_prefix_space.
    scheme = row.get("prepend_scheme", "always" if row.get("add_prefix_space", True) else "never")
    steps: list[dict[str, Any]] = [_replace({"String": " "}, sign)]
    if scheme == "always":
        twice = rf"\A{_literal(sign * 2)}"
        steps += [{"type": "Prepend", "prepend": sign}, _replace({"Regex": twice}, sign)]
    elif scheme != "never":
        refuse(
            f"{name}.prepend_scheme",
            scheme,
            "what comes before a text depends on the added tokens before it; only 'always' and "
            "'never' can be read",
        )
    return steps


def _replace(pattern: Mapping[str, str], content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": dict(pattern), "content": content}


def _pattern_of_steps(steps: list[Step]) -> Pattern:
    if not steps:
        return "none"
    return _pattern_of(steps[0]) if len(steps) == 1 else steps


def _pattern_of(step: Step) -> Pattern:
    """Return a chain of one step, as the name or expression that it is if it can be."""
    expression, behavior = (step, "isolated") if isinstance(step, str) else step
    if expression not in STEPS:
        # All text matches the expressions that have names, so there is nothing between the matches.
        if expression in PATTERNS and behavior in ("isolated", "kept"):
            return expression
        if behavior == "isolated" and not _is_ever_empty(expression):
            return next(
                (name for name, chain in CHAINS.items() if chain == (expression,)), expression
            )
    return [(expression, behavior)]


def _is_ever_empty(expression: str) -> bool:
    """Tell whether an expression may match the empty text, which only a step of a chain may."""
    if why_not_compiled(expression) is None:
        return False
    try:
        compile_expression(expression)
    except ValueError:
        return True  # for another reason perhaps, which is told when it is needed
    return False


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
    if kind == "UnicodeScripts":
        return [("scripts", "kept")]
    if kind == "FixedLength":
        length = row.get("length", 5)
        if type(length) is not int or not 1 <= length <= LONGEST_PIECE:
            refuse(f"{name}.length", length, f"must be an integer from 1 to {LONGEST_PIECE}")
        return [rf"[\s\S]{{1,{length}}}"]
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
        If a space is to come before each text or piece, and then another pattern than GPT-2's
        splits: the one that says so splits by this one or not at all.
    """
    given: Sequence[Step] = [] if pattern == "none" else steps_of_pattern(pattern)
    steps = [(step, "isolated") if isinstance(step, str) else step for step in given]
    spaced = [i for i, (step, _) in enumerate(steps) if step == PREFIX_SPACE]
    if prefix_space or spaced:
        if prefix_space and spaced:
            raise ValueError(
                "tokenizer.json can't say both, prefix_space=True and a pattern with the step "
                f"{PREFIX_SPACE!r}"
            )
        at = spaced[0] if spaced else 0
        rows = [
            *(_row_of(*step) for step in steps[:at]),
            *_rows_after_space(steps[at + len(spaced) :], pattern),
        ]
    else:
        rows = [_row_of(*step) for step in steps]
        if BYTE_LEVEL_ALONE not in rows:
            rows.append(BYTE_LEVEL_ALONE)
    return rows[0] if len(rows) == 1 else {"type": "Sequence", "pretokenizers": rows}


def _rows_after_space(steps: list[tuple[str, str]], pattern: str) -> list[dict[str, Any]]:
    """Return the ByteLevel that puts a space before what these steps split, and what follows it."""
    is_gpt2 = steps[:1] == [("gpt2", "isolated")]
    rest = steps[is_gpt2:]
    if rest and rest[0][0] != BYTE_LEVEL:
        raise ValueError(
            "tokenizer.json can put a space before what is split then only if that is split by "
            f"'gpt2' or not at all (prefix_space), this tokenizer has the pattern "
            f"{shorten(pattern)}"
        )
    space = BYTE_LEVEL_ALONE | {"add_prefix_space": True, "use_regex": is_gpt2}
    return [space, *(_row_of(*step) for step in rest[1:])]


def write_portable(pattern: str, *, prefix_space: bool) -> dict[str, Any]:
    """Return the pre-tokenizer that splits as a pattern does in every engine.

    Raises
    ------
    ValueError
        If no expression does, or a space is to come before each text or piece.
    """
    if prefix_space or around_spaces(pattern) is not None:
        if pattern != "none":
            raise ValueError(
                "portable=True: only the pre-tokenizer that splits as GPT-2 does by itself can put "
                "a space before each text or piece of one (prefix_space), and it takes white space "
                "otherwise in JavaScript"
            )
        return write(pattern, prefix_space=True)
    rows = [
        BYTE_LEVEL_ALONE if step == BYTE_LEVEL else _split(step, behavior)
        for step, behavior in portable_steps(pattern)
    ]
    if BYTE_LEVEL_ALONE not in rows:
        rows.append(BYTE_LEVEL_ALONE)
    return {"type": "Sequence", "pretokenizers": rows}


def _row_of(step: str, behavior: str) -> dict[str, Any]:
    if step == BYTE_LEVEL:
        return BYTE_LEVEL_ALONE
    if step == "digits" and behavior in ("isolated", "contiguous"):
        return {"type": "Digits", "individual_digits": behavior == "isolated"}
    if step == "scripts" and behavior == "kept":
        return {"type": "UnicodeScripts"}
    if step == "punctuation" and behavior != "kept":
        return {"type": "Punctuation", "behavior": THEIRS[behavior]}
    return _split(_spell(step), behavior)


def _split(expression: str, behavior: str) -> dict[str, Any]:
    return {
        "type": "Split",
        "pattern": {"Regex": expression},
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
