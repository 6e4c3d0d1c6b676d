r"""Expressions of tokenizer.json as they are spelled here.

Hugging Face's tokenizers runs them with Oniguruma, by Ruby's syntax, which takes some constructs
otherwise than `regex`, fancy-regex and our own compiler do. `from_oniguruma` spells these so that
they mean here what they mean there; all else stays as it is.
"""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

_IN_CLASS_WORD = (
    r"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\u24b6-\u24e9"
    r"\U0001f130-\U0001f149\U0001f150-\U0001f169\U0001f170-\U0001f189"
)
r"""What \w is in a class. `regex` has other circled letters, and U+200D."""

WORD = r"\xb2\xb3\xb9\xbc-\xbe" + _IN_CLASS_WORD
r"""What \w is outside of classes, as items of one: Latin-1's superscripts and fractions, too."""

# Escapes, outside of classes. A line begins after a line feed, but not at the end of the text.
_ESCAPES = {
    "w": f"[{WORD}]",
    "W": f"[^{WORD}]",
    "b": f"(?:(?<=[{WORD}])(?![{WORD}])|(?<![{WORD}])(?=[{WORD}]))",
    "B": f"(?:(?<=[{WORD}])(?=[{WORD}])|(?<![{WORD}])(?![{WORD}]))",
    "h": "[0-9a-fA-F]",
    "H": "[^0-9a-fA-F]",
    "R": r"(?>\r\n|[\n-\r\x85\u2028\u2029])",
    "N": r"[^\n]",
    "O": r"[\s\S]",
    "z": r"(?![\s\S])",
    "Z": r"(?=\n?(?![\s\S]))",
}
_SIGNS = {"^": r"(?:(?<![\s\S])|(?<=\n)(?=[\s\S]))", "$": r"(?![^\n])"}
_REFUSED = {"X": "a grapheme", "K": "a match that begins later", "G": "the last match"}
_REFUSED |= dict.fromkeys("kgyY", "something else")

# What escapes and names are in a class: items of it.
_IN_CLASS = {
    "w": _IN_CLASS_WORD,
    "W": f"[^{_IN_CLASS_WORD}]",
    "h": "0-9a-fA-F",
    "H": "[^0-9a-fA-F]",
}
_POSIX = {
    "alnum": r"\p{Alphabetic}\p{Nd}",
    "alpha": r"\p{Alphabetic}",
    "blank": r"\p{Zs}\t",
    "cntrl": r"\p{Cc}",
    "digit": r"\p{Nd}",
    "lower": r"\p{Lowercase}",
    "punct": r"\p{P}\p{S}",
    "space": r"\s",
    "upper": r"\p{Uppercase}",
    "word": _IN_CLASS_WORD,
    "xdigit": "0-9a-fA-F",
}

_TOKENS = re.compile(
    r"""
    \\(?:[pPx]\{[^}]*\} | (?P<escape>.))
    | (?P<open>
        \( (?: (?P<comment> \?\#[^)]*\) ) | \?(?P<flags>[imx-]+)(?P<end>[:)]) | \?[:=!>~]
        | \?<[=!] )?
      )
    | \{ (?P<interval> \d+(?:,\d*)? | ,\d+ ) \} (?P<after>[+?]?)
    | .
    """,
    re.VERBOSE | re.DOTALL,
)
_CLASS_TOKENS = re.compile(
    r"\\(?:[pPx]\{[^}]*\}|(?P<escape>.))|\[:(?P<not>\^?)(?P<name>\w+):\]|&&|.", re.DOTALL
)


class _Class(NamedTuple):
    """A class as it is spelled here."""

    text: str  # between its brackets
    end: int  # where it ends in the expression
    is_plain: bool  # whether it may stand in another class without its brackets


def from_oniguruma(expression: str) -> str:
    """Return an expression that means here what another one means in tokenizer.json.

    Raises
    ------
    ValueError
        If no expression means that, or a class has no end; the message names the construct.
    """
    pieces: list[str] = []
    atom = at = 0  # the piece at which what a quantifier repeats begins; the place in `expression`
    opened: list[int] = []
    while at < len(expression):
        if expression[at] == "[":
            found = _read_class(expression, at + 1)
            atom, at = len(pieces), found.end
            pieces.append(f"[{found.text}]")
            continue
        match = _TOKENS.match(expression, at)
        assert match is not None  # since "." matches any character
        token, at = match[0], match.end()
        if match["interval"]:
            pieces[atom:] = [_repeated("".join(pieces[atom:]), match)]
        elif match["open"]:
            opened.append(len(pieces))
            pieces.append(_open(match, is_first=not "".join(pieces)))
            if match["comment"] or match["end"] == ")":
                opened.pop()
            atom = len(pieces)
        elif token == ")":
            atom = opened.pop() if opened else len(pieces)
            pieces.append(token)
        elif token in ("*", "+", "?"):
            pieces.append(token)
        else:
            atom = len(pieces) + (token == "|")
            pieces.append(_as_here(token, match["escape"]))
    return "".join(pieces)


def _repeated(part: str, match: re.Match[str]) -> str:
    """Return what an interval repeats, with it; a sign after that repeats both, unless lazy."""
    interval, after = match["interval"], match["after"]
    if after == "?" and "," in interval:
        return f"{part}{{{interval}}}?"
    return f"(?:{part}{{{interval}}}){after}" if after else f"{part}{{{interval}}}"


def _open(match: re.Match[str], *, is_first: bool) -> str:
    """Return the begin of a group, or flags."""
    if match["comment"]:
        return ""
    flags = match["flags"]
    if flags is None:
        return match[0]
    if "x" in flags.partition("-")[0]:
        _refuse(match[0], "spaces that have no meaning")
    if match["end"] == ")" and not is_first:
        _refuse(match[0], "what follows it only")
    return match[0].replace("m", "s").replace("x", "").replace("-)", ")").replace("-:", ":")


def _as_here(token: str, escape: str | None) -> str:
    """Return a sign or an escape outside of classes."""
    if escape is None:
        return r"\{" if token == "{" else _SIGNS.get(token, token)
    if escape in _REFUSED:
        _refuse(token, _REFUSED[escape])
    return _ESCAPES.get(escape, token)


def _read_class(expression: str, begin: int, *, inner: bool = False) -> _Class:
    """Return the class that begins after a bracket, spelled so that all engines read it alike."""
    items: list[str] = []
    at = begin + expression.startswith("^", begin)
    head = expression[begin:at]
    nested = operands = False
    if expression.startswith("]", at):
        items.append(r"\]")
        at += 1
    while not expression.startswith("]", at):
        match = _CLASS_TOKENS.match(expression, at)
        if match is None:
            _refuse("[", "a class without an end")
        item, at = match[0], match.end()
        if item == "[":
            found = _read_class(expression, at, inner=True)
            at = found.end
            item = found.text if found.is_plain else f"[{found.text}]"
        elif match["name"]:
            item = _named(match)
        elif match["escape"]:
            item = _IN_CLASS.get(match["escape"], item)
            if match["escape"] in ("R", "X", "K", "G"):
                _refuse(item, "a letter in a class")
        elif item == "-":
            at_edge = not items or expression[at : at + 1] == "]"
            item = r"\-" if (at_edge and inner) or expression[at : at + 1] == "[" else "-"
        elif item in ("|", "~") and items and items[-1] == item:
            item = "\\" + item  # two of them have a meaning in `regex`
        nested = nested or item.startswith("[")
        operands = operands or item == "&&"
        items.append(item)
    text = head + "".join(items) + (r"&&[\s\S]" if nested and not operands else "")
    return _Class(text, at + 1, not (head or nested or operands))


def _named(match: re.Match[str]) -> str:
    """Return the items of a class that has a POSIX name."""
    items = _POSIX.get(match["name"])
    if items is None:
        _refuse(match[0], "a class that is not known here")
    return f"[^{items}]" if match["not"] else items


def _refuse(construct: str, meaning: str) -> NoReturn:
    raise ValueError(f"the file's engine takes {construct} for {meaning}")
