r"""Patterns spelled so that every engine takes them alike, JavaScript's among them.

JavaScript has no ``(?i:...)`` before 2025 and no possessive quantifiers, its ``\s`` has U+FEFF and
lacks U+0085, its ``\d`` is 0 to 9, and it knows neither ``&&`` nor ``\p{Han}``. Here classes are
spelled by general categories, ``\p{White_Space}``, ``\p{Alphabetic}`` and characters only. Whether
the result splits alike is not argued but compared: both are compiled.
"""

from __future__ import annotations

from functools import cache
from typing import NoReturn

from bpetok.base.checks import shorten
from bpetok.patterns.builtin import PATTERNS, expression_of, steps_of_pattern
from bpetok.patterns.chains import BYTE_LEVEL, STEPS, spell_chain, splits_of
from bpetok.patterns.classes import (
    ALL,
    CodeSet,
    complement,
    intersection,
    named_set,
    union,
    word_characters,
)
from bpetok.patterns.compiling import compile_chain
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
    parse,
)
from bpetok.patterns.tables import fingerprint

_NAMES = (
    *("White_Space", "Alphabetic", "L", "M", "N", "P", "S"),
    *("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No"),
    *("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Cc", "Cf", "Zs"),
)
"""Properties that Oniguruma, fancy-regex, `regex` and JavaScript know by these names, in the order
in which they are looked for in a set."""

_BEHAVIORS = ("isolated", "removed", "kept")
"""What transformers.js does with matches; it takes all others for "isolated"."""

_LONGEST_CLASS = 4000
_SURROGATES: CodeSet = (0xD800, 0xE000)
_EDGES = {
    "begin": r"(?<![\s\S])",
    "end": r"(?![\s\S])",
    "last line": r"(?![^\n]|\n[\s\S])",
}


def portable_steps(pattern: str) -> list[tuple[str, str]]:
    """Return the steps of a checked pattern, each as a portable expression and its behaviour.

    Raises
    ------
    ValueError
        If it has what can't be compiled, or no portable expression is known to split alike.
    """
    steps = [step if isinstance(step, tuple) else (step, "isolated") for step in _steps(pattern)]
    try:
        spelled = [_spell_step(*step, strict=False) for step in steps]
        # "$" gives another automaton than what spells it, so that is compared as it is spelled.
        strict = [_spell_step(*step, strict=True) for step in steps]
        if _fingerprint(spelled) not in map(_fingerprint, (steps, strict)):
            _refuse(pattern, "as far as is known, only what JavaScript lacks says where it splits")
    except Unsupported as error:
        _refuse(pattern, str(error))
    return spelled


def _steps(pattern: str) -> list[str | tuple[str, str]]:
    return [] if pattern == "none" else steps_of_pattern(pattern)


def portable_expression(pattern: str) -> str:
    """Return a checked pattern that is one expression, spelled as above.

    Raises
    ------
    ValueError
        As above, or if the pattern is a chain.
    """
    (step, _behavior), *_none = portable_steps(expression_of(pattern))
    return step


def _fingerprint(steps: list[tuple[str, str]]) -> str:
    if not steps:
        return ""
    return fingerprint(compile_chain(splits_of(spell_chain(steps), PATTERNS)).tables)


def _refuse(pattern: str, why: str) -> NoReturn:
    raise ValueError(
        f"pattern {shorten(pattern)} can't be spelled so that JavaScript takes it alike: {why}"
    )


def _spell_step(step: str, behavior: str, *, strict: bool) -> tuple[str, str]:
    """Return a portable step; if strict, with possessive and atomic parts, which are not."""
    if step == BYTE_LEVEL:
        return step, behavior
    tree = parse(STEPS.get(step) or PATTERNS.get(step, step))
    if behavior == "contiguous":
        tree, behavior = Repeat(tree, 1, None), "isolated"
    if behavior not in _BEHAVIORS:
        raise Unsupported(f"transformers.js does not know {behavior!r}")
    return _spell(tree, strict), behavior


def _spell(node: Node, strict: bool) -> str:
    """Return the source of a tree; its possessive and atomic parts give back unless strict."""
    if isinstance(node, Chars):
        return _spell_set(node.code_set)
    if isinstance(node, Sequence):
        return "".join(_spell_part(part, strict) for part in node.parts)
    if isinstance(node, Choice):
        return "|".join(_spell(part, strict) for part in node.parts)
    if isinstance(node, Repeat):
        source = _spell_group(node.part, strict) + _bounds(node)
        if node.possessive:
            return f"(?>{source})" if strict else source
        return source + "?" * (node.lazy and node.least != node.most)
    if isinstance(node, Look):
        sign = ("" if node.ahead else "<") + ("!" if node.negative else "=")
        return f"(?{sign}{_spell(node.part, strict)})"
    if isinstance(node, Edge):
        return _EDGES[node.name]
    if isinstance(node, Atomic):
        return f"(?>{_spell(node.part, strict)})" if strict else _spell_group(node.part, strict)
    word = _spell_set(word_characters())
    before, after = ("=", "=") if node.negative else ("=", "!")
    neither = ("!", "!") if node.negative else ("!", "=")
    return f"(?:(?<{before}{word})(?{after}{word})|(?<{neither[0]}{word})(?{neither[1]}{word}))"


def _spell_part(node: Node, strict: bool) -> str:
    return _spell_group(node, strict) if isinstance(node, Choice) else _spell(node, strict)


def _spell_group(node: Node, strict: bool) -> str:
    source = _spell(node, strict)
    return source if isinstance(node, Chars) else f"(?:{source})"


def _bounds(node: Repeat) -> str:
    least, most = node.least, node.most
    if (least, most) in ((0, None), (1, None), (0, 1)):
        return "?" if most else "*+"[least]
    if least == most:
        return f"{{{least}}}"
    return f"{{{least},{'' if most is None else most}}}"


@cache
def _spell_set(code_set: CodeSet) -> str:
    code_set = intersection(code_set, complement(_SURROGATES))
    if len(code_set) == 2 and code_set[1] == code_set[0] + 1:
        return _character(code_set[0], r"^$\.*+?()[]{}|")
    if union([code_set, _SURROGATES]) == ALL:
        return r"[\s\S]"
    inside = _items(code_set)
    outside = _items(intersection(complement(code_set), complement(_SURROGATES)))
    items, sign = min((inside, ""), (outside, "^"), key=lambda pair: len("".join(pair[0])))
    if len(items) == 1 and items[0].startswith(r"\p"):
        return (r"\P" if sign else r"\p") + items[0][2:]
    text = "".join(items)
    if len(text) > _LONGEST_CLASS:
        raise Unsupported("a class that only a long list of characters says")
    return f"[{sign}{text}]"


def _items(code_set: CodeSet) -> list[str]:
    """Return what a class of these code points holds: properties, then ranges."""
    items: list[str] = []
    left = code_set
    for name in _NAMES:
        named = named_set(name) or ()
        if intersection(named, code_set) == named and intersection(named, left) != ():
            items.append(rf"\p{{{name}}}")
            left = intersection(left, complement(named))
    for begin, end in zip(left[::2], left[1::2], strict=True):
        # What is between two ends may be a surrogate, or what a property has said before.
        first, last = (_character(code, r"\]-[^&") for code in (begin, end - 1))
        items.append(first if end == begin + 1 else first + ("-" * (end > begin + 2)) + last)
    return items


def _character(code: int, syntax: str) -> str:
    """Return a character as a part of an expression; `syntax` has those with a meaning there."""
    character = chr(code)
    if character in "\t\n\r":
        return {"\t": r"\t", "\n": r"\n", "\r": r"\r"}[character]
    if code < 0x20 or code == 0x7F or character in "#&~":
        return f"\\x{code:02x}"
    if character in syntax:
        return "\\" + character
    return character if code < 0x7F or code > 0xFFFF else f"\\u{code:04x}"
