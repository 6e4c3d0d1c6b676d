r"""Expressions of other libraries' engines, as they are spelled here.

Hugging Face's tokenizers runs those of tokenizer.json with Oniguruma, by Ruby's syntax, and
tiktoken its own with fancy-regex. Both take some constructs otherwise than `regex` and our own
compiler do. These are spelled anew, so that they mean here what they mean there; all else stays as
it is.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from typing import NoReturn

from bpetok.base.checks import shorten
from bpetok.base.records import NamedTuple
from bpetok.patterns import classes
from bpetok.patterns.classes import BLANK, HEX, POSIX
from bpetok.patterns.compiling import compile_expression
from bpetok.patterns.parse import Unsupported, parse
from bpetok.patterns.tables import fingerprint

_IN_CLASS_WORD = (
    r"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\u24b6-\u24e9"
    r"\U0001f130-\U0001f149\U0001f150-\U0001f169\U0001f170-\U0001f189"
)
r"""What \w is in a class. `regex` has other circled letters, and U+200D."""

WORD = r"\xb2\xb3\xb9\xbc-\xbe" + _IN_CLASS_WORD
r"""What \w is outside of classes, as items of one: Latin-1's superscripts and fractions, too."""

_END = r"(?![\s\S])"
_LINE_END = r"(?>\r\n|[\n-\r\x85\u2028\u2029])"


class _Dialect(NamedTuple):
    r"""What an engine takes otherwise, and what says that here.

    escapes, in_class : dict of str
        By the letter after the backslash: outside of classes, and as items of a class.
    signs : dict of str
    posix : dict of str
        ``[:name:]`` in a class, as items of one.
    refused : dict of str
        Escapes that nothing says here: what they mean.
    flags : dict of str
        Letters of ``(?...)`` that are spelled otherwise here.
    repeats_intervals : bool
        ``{2}+`` and ``{2}?`` repeat the interval once more.
    """

    escapes: dict[str, str]
    in_class: dict[str, str]
    signs: dict[str, str]
    posix: dict[str, str]
    refused: dict[str, str]
    flags: dict[str, str]
    repeats_intervals: bool


def _word_escapes(word: str) -> dict[str, str]:
    """Return what says the escapes that depend on which characters make words."""
    return {
        "w": f"[{word}]",
        "W": f"[^{word}]",
        "b": f"(?:(?<=[{word}])(?![{word}])|(?<![{word}])(?=[{word}]))",
        "B": f"(?:(?<=[{word}])(?=[{word}])|(?<![{word}])(?![{word}]))",
    }


_ONIGURUMA = _Dialect(
    escapes={
        **_word_escapes(WORD),
        "h": f"[{HEX}]",
        "H": f"[^{HEX}]",
        "R": _LINE_END,
        "N": r"[^\n]",
        "O": r"[\s\S]",
        "z": _END,
        "Z": "$",
        "e": r"\x1b",
        **{letter: letter for letter in "ijlmoqEFIJLQTUV"},
    },
    in_class={
        "w": _IN_CLASS_WORD,
        "W": f"[^{_IN_CLASS_WORD}]",
        "h": HEX,
        "H": f"[^{HEX}]",
        "e": r"\x1b",
        **{letter: letter for letter in "gijklmoqyzABEFGIJKLNOQRTUVXYZ"},
    },
    # A line begins after a line feed, but not at the end of the text.
    signs={"^": r"(?:(?<![\s\S])|(?<=\n)(?=[\s\S]))", "$": r"(?![^\n])"},
    posix={
        "alnum": r"\p{Alphabetic}\p{Nd}",
        "alpha": r"\p{Alphabetic}",
        "blank": BLANK,
        "cntrl": r"\p{Cc}",
        "digit": r"\p{Nd}",
        "lower": r"\p{Lowercase}",
        "punct": r"\p{P}\p{S}",
        "space": r"\s",
        "upper": r"\p{Uppercase}",
        "word": _IN_CLASS_WORD,
        "xdigit": HEX,
    },
    refused={
        "X": r"a grapheme of an older Unicode, which nothing finds here; take (?>\P{M}\p{M}*)",
        "K": "a match that begins later",
        "G": "the last match",
    }
    | dict.fromkeys("kgyY", "something else"),
    flags={"m": "s"},
    repeats_intervals=True,
)

_FANCY_REGEX = _Dialect(
    escapes={"h": f"[{HEX}]", "H": f"[^{HEX}]", "z": _END},
    in_class={"h": HEX, "H": f"[^{HEX}]"},
    signs={"$": _END},
    posix={
        "alnum": "0-9A-Za-z",
        "alpha": "A-Za-z",
        "blank": r"\t ",
        "cntrl": r"\x00-\x1f\x7f",
        "digit": "0-9",
        "lower": "a-z",
        "punct": r"!-/:-@\[-`{-\~",
        "space": r"\t-\r ",
        "upper": "A-Z",
        "word": "0-9A-Za-z_",
        "xdigit": HEX,
    },
    refused={"X": "a grapheme", "K": "a match that begins later", "G": "the last match"}
    | dict.fromkeys("kgZRNO", "something else"),
    flags={},
    repeats_intervals=False,
)

# Of `regex` and of the compiler here, as the other two are told.
_TO_ONIGURUMA = _Dialect(
    escapes={
        **_word_escapes(classes.WORD),
        "Z": r"\z",
        "h": f"[{BLANK}]",
    },
    in_class={"w": classes.WORD, "W": f"[^{classes.WORD}]", "h": BLANK},
    signs={"^": r"\A", "$": r"\Z"},
    posix=POSIX,
    refused={},
    flags={"s": "m"},
    repeats_intervals=False,
)

_TO_FANCY_REGEX = _Dialect(
    escapes={"Z": r"\z", "h": f"[{BLANK}]", "R": _LINE_END},
    in_class={"h": BLANK},
    signs={},
    posix=POSIX,
    refused={},
    flags={},
    repeats_intervals=False,
)

_TOKENS = re.compile(
    r"""
    \\(?:[pPx]\{[^}]*\} | (?P<escape>.))
    | (?P<open>
        \( (?: (?P<comment> \?\#[^)]*\) ) | \?(?P<flags>[a-zA-Z-]+)(?P<end>[:)]) | \?[:=!>~]
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
    return _respell(expression, _ONIGURUMA)


def from_fancy_regex(expression: str) -> str:
    """Return an expression that means here what another one means in tiktoken; as above."""
    if re.search(r"\(\?[a-z]*m", expression):  # then signs mean lines, in both
        return _respell(expression, _FANCY_REGEX._replace(signs={}))
    return _respell(expression, _FANCY_REGEX)


def to_oniguruma(expression: str) -> str:
    """Return an expression that means in tokenizer.json what another one means here.

    Raises
    ------
    ValueError
        If none is known.
    """
    plain = _without_spaces(expression)
    spellings = [plain]
    with suppress(ValueError):
        spellings.append(_possessive(_respell(plain, _TO_ONIGURUMA)))
    for spelling in spellings:
        if re.search(r"\(\?[a-z]*s", spelling) or _folds_several(spelling):
            continue  # it has no flag s
        with suppress(ValueError):
            if _same(from_oniguruma(spelling), expression):
                return spelling
    raise ValueError(
        f"pattern {shorten(expression)} can't be represented: it is not known to mean the same to "
        r"Oniguruma, which reads this file. There ^ and $ are at any line: write (?<![\s\S]) and "
        r"(?![\s\S]); (?m) and (?i:ss) mean other things, too"
    )


def to_fancy_regex(expression: str) -> str:
    """Return an expression that means in tiktoken what another one means here.

    It stays as it is where tiktoken takes it alike, or nothing but ``$`` in it otherwise: ids are
    compared afterwards, and most expressions of others have ``$`` only where it means the same.

    Raises
    ------
    ValueError
        If none is known.
    """
    plain = _without_spaces(expression)
    with suppress(ValueError):
        if _respell(plain, _FANCY_REGEX._replace(signs={})) == plain:
            return plain
    for spelling in (plain, _respell(plain, _TO_FANCY_REGEX)):
        with suppress(ValueError):
            if _same(from_fancy_regex(spelling), expression):
                return spelling
    raise ValueError(
        f"pattern {shorten(expression)} can't be represented: it is not known to mean the same in "
        r"tiktoken, where \h is a hexadecimal digit and [:alpha:] only ASCII: write properties, "
        r"such as \p{Alphabetic}"
    )


def _without_spaces(expression: str) -> str:
    """Return an expression without its ``(?x)``, and without what that leaves out."""
    flags = re.match(r"\(\?([a-z]*)x([a-z]*)\)", expression)
    if flags is None:
        return expression
    others = flags[1] + flags[2]
    plain = re.sub(
        r"(\\.|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\])|\s+|#.*",
        lambda match: match[1] or "",
        expression[flags.end() :],
    )
    plain = f"(?{others})" * bool(others) + plain
    with suppress(Unsupported):
        if parse(plain) == parse(expression):
            return plain
    return expression


def _possessive(expression: str) -> str:
    """Return an expression with intervals that are possessive here spelled as atomic groups."""
    return re.sub(
        r"(\\[pP]\{[^}]*\}|\\.|\[(?:\\.|[^\]\\\[])*\]|[^\\\])])(\{\d*,?\d*\})\+",
        r"(?>\1\2)",
        expression,
    )


def _folds_several(expression: str) -> bool:
    """Tell whether case is ignored where Oniguruma takes several characters for one."""
    if not re.search(r"\(\?[a-z]*i", expression):
        return False
    folded = expression.casefold()
    return any(several in folded for several in _several())


@cache
def _several() -> frozenset[str]:
    folds = (chr(code).casefold() for code in range(0x110000))
    return frozenset(fold[:2] for fold in folds if len(fold) > 1)


def _same(there: str, here: str) -> bool:
    """Tell whether two expressions split alike."""
    if there == here:
        return True
    try:
        if parse(there) == parse(here):
            return True
        one, other = (compile_expression(expression, "word").tables for expression in (there, here))
    except Unsupported:
        return False
    return fingerprint(one) == fingerprint(other)


def _respell(expression: str, dialect: _Dialect) -> str:
    pieces: list[str] = []
    atom = at = 0  # the piece at which what a quantifier repeats begins; the place in `expression`
    opened: list[int] = []
    while at < len(expression):
        if expression[at] == "[":
            found = _read_class(expression, at + 1, dialect)
            atom, at = len(pieces), found.end
            pieces.append(f"[{found.text}]")
            continue
        match = _TOKENS.match(expression, at)
        assert match is not None  # since "." matches any character
        token, at = match[0], match.end()
        if match["interval"]:
            part = "".join(pieces[atom:])
            pieces[atom:] = [_repeated(part, match) if dialect.repeats_intervals else part + token]
        elif match["open"]:
            opened.append(len(pieces))
            pieces.append(_open(match, dialect, is_first=not "".join(pieces)))
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
            pieces.append(_as_here(token, match["escape"], dialect))
    return "".join(pieces)


def _repeated(part: str, match: re.Match[str]) -> str:
    """Return what an interval repeats, with it; a sign after that repeats both, unless lazy."""
    interval, after = match["interval"], match["after"]
    if after == "?" and "," in interval:
        return f"{part}{{{interval}}}?"
    return f"(?:{part}{{{interval}}}){after}" if after else f"{part}{{{interval}}}"


def _open(match: re.Match[str], dialect: _Dialect, *, is_first: bool) -> str:
    """Return the begin of a group, or flags."""
    if match["comment"]:
        return ""
    flags = match["flags"]
    if flags is None:
        return match[0]
    on, minus, off = flags.partition("-")
    if not set(on + off) <= {*"imsx"} or "x" in on:
        _refuse(match[0], "a flag that is not known here")
    if match["end"] == ")" and not is_first:
        _refuse(match[0], "what follows it only")
    on, off = ("".join(dialect.flags.get(flag, flag) for flag in part) for part in (on, off))
    return (
        f"(?{on}{minus}{off}{match['end']}".replace("x", "").replace("-)", ")").replace("-:", ":")
    )


def _as_here(token: str, escape: str | None, dialect: _Dialect) -> str:
    """Return a sign or an escape outside of classes."""
    if escape is None:
        return r"\{" if token == "{" else dialect.signs.get(token, token)
    if escape in dialect.refused:
        _refuse(token, dialect.refused[escape])
    return dialect.escapes.get(escape, token)


def _read_class(expression: str, begin: int, dialect: _Dialect, *, inner: bool = False) -> _Class:
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
            found = _read_class(expression, at, dialect, inner=True)
            at = found.end
            item = found.text if found.is_plain else f"[{found.text}]"
        elif match["name"]:
            item = _named(match, dialect)
        elif match["escape"]:
            item = dialect.in_class.get(match["escape"], item)
            if item in (r"\R", r"\X", r"\K", r"\G"):
                _refuse(item, "a letter in a class")
        elif expression[at - 1 : at + 1] in ("--", "~~") and not dialect.repeats_intervals:
            _refuse(item * 2, "a difference of classes")
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


def _named(match: re.Match[str], dialect: _Dialect) -> str:
    """Return the items of a class that has a POSIX name."""
    items = dialect.posix.get(match["name"])
    if items is None:
        _refuse(match[0], "a class that is not known here")
    return f"[^{items}]" if match["not"] else items


def _refuse(construct: str, meaning: str) -> NoReturn:
    raise ValueError(f"the file's engine takes {construct} for {meaning}")
