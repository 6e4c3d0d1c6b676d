r"""The source of an expression to a syntax tree.

What is read is what the engines of `regex`, fancy-regex (tiktoken) and Oniguruma (Hugging Face
tokenizers) have in common, and it is read as `regex` does. A class with ``&&`` or with a class
inside is read as the other two do, since `regex` by default takes these characters as they are.
All else raises `Unsupported`, which names what can't be compiled.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TypeAlias

from bpetok.base.records import NamedTuple
from bpetok.patterns.classes import (
    ALL,
    N_CODE_POINTS,
    POSIX,
    WHITE_SPACE,
    CodeSet,
    code_range,
    complement,
    fold_case,
    intersection,
    named_set,
    union,
    word_characters,
)
from bpetok.patterns.older_scripts import older_script

MOST_REPEATS = 1000
"""Repetitions that are counted; each is a copy of what is repeated."""

_ESCAPES = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13, "a": 7}
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}
_LINE_END_AFTER: CodeSet = (0xA, 0xE, 0x85, 0x86, 0x2028, 0x202A)
r"""What ``\R`` matches besides a carriage return with a line feed."""
_POSIX_NAME = re.compile(r"\[:(\^?)(\w+):\]")
_IGNORED = re.compile(r"(?:\s|#.*(?:\n|\Z))*")
"""What ``(?x)`` leaves out."""


class Unsupported(Exception):  # noqa: N818  # it is an answer, not an error
    """An expression can't be compiled to a scanner: the construct that it has."""


class Chars(NamedTuple):
    """One character of a set."""

    code_set: CodeSet


class Sequence(NamedTuple):
    """One part after another."""

    parts: list[Node]


class Choice(NamedTuple):
    """The first of some parts that leads to a match."""

    parts: list[Node]


class Repeat(NamedTuple):
    """A part several times; `most` is None without a limit."""

    part: Node
    least: int
    most: int | None
    lazy: bool = False
    possessive: bool = False


class Look(NamedTuple):
    """What must, or must not, follow (`ahead`) or come before a place."""

    part: Node
    ahead: bool
    negative: bool


class Edge(NamedTuple):
    """The begin or the end of the text, or its end before a last line feed."""

    name: str  # "begin", "end", "last line"


class WordBoundary(NamedTuple):
    r"""``\b`` or, if negative, ``\B``."""

    negative: bool


class Atomic(NamedTuple):
    """The first way in which a part matches; no other is tried."""

    part: Node


Node: TypeAlias = Chars | Sequence | Choice | Repeat | Look | Edge | WordBoundary | Atomic


class _Flags(NamedTuple):
    ignore_case: bool = False
    dot_all: bool = False
    multi_line: bool = False
    verbose: bool = False


def parse(expression: str) -> Node:
    """Return the syntax tree of an expression.

    Raises
    ------
    Unsupported
        If it has what can't be compiled, or is not well formed.
    """
    parser = _Parser(expression)
    try:
        node = parser.whole()
    except RecursionError:
        raise Unsupported("too many groups inside each other") from None
    if parser.at < len(expression):
        raise Unsupported("a ) too many")
    return node


def quote(construct: str, what: str) -> str:
    """Name a construct."""
    return f"{construct} ({what})"


class _Parser:
    def __init__(self, expression: str) -> None:
        self.text = expression
        self.at = 0
        self.nested = self.intersected = False  # of the class that is being read

    def peek(self, n: int = 1) -> str:
        return self.text[self.at : self.at + n]

    def take(self, n: int = 1) -> str:
        taken = self.peek(n)
        if len(taken) < n:
            raise Unsupported("an expression that ends too early")
        self.at += n
        return taken

    def accept(self, text: str) -> bool:
        if self.text.startswith(text, self.at):
            self.at += len(text)
            return True
        return False

    # ---- expressions ----

    def skip(self, flags: _Flags) -> None:
        """Pass over white space and comments where they mean nothing."""
        if flags.verbose:
            ignored = _IGNORED.match(self.text, self.at)
            assert ignored is not None  # since it may be empty
            self.at = ignored.end()

    def choice(self, flags: _Flags) -> Node:
        parts: list[Node] = []
        sequence: list[Node] = []
        self.skip(flags)
        while self.at < len(self.text) and self.peek() != ")":
            if self.accept("|"):
                parts.append(Sequence(sequence))
                sequence = []
            else:
                part = self.atom(flags)
                if part is not None:
                    sequence.append(self.repeated(part, flags))
            self.skip(flags)
        parts.append(Sequence(sequence))
        return parts[0] if len(parts) == 1 else Choice(parts)

    def whole(self) -> Node:
        """Take the expression, and flags such as ``(?i)`` that it begins with."""
        flags = _Flags()
        while True:
            begin = self.at
            changed = self.flag_letters(flags) if self.accept("(?") else None
            if changed is None or not self.accept(")"):
                self.at = begin
                return self.choice(flags)
            flags = changed

    def flag_letters(self, flags: _Flags) -> _Flags | None:
        names = {
            "i": "ignore_case",
            "s": "dot_all",
            "m": "multi_line",
            "x": "verbose",
            "u": None,
        }
        on, begin = True, self.at
        taken: dict[str, bool] = {}
        while self.peek() and (self.peek() in names or self.peek() == "-"):
            letter = self.take()
            name = names.get(letter)
            if letter == "-":
                on = False
            elif taken.setdefault(letter, on) != on:
                raise Unsupported(quote(letter, "a flag turned on and off"))
            elif name is not None:
                flags = flags._replace(**{name: on})
        return flags if self.at > begin else None

    def atom(self, flags: _Flags) -> Node | None:
        character = self.take()
        if character == "(":
            return self.group(flags)
        if character == "[":
            self.nested = self.intersected = False
            code_set = self.char_class(flags)
            if self.nested and not self.intersected:
                # `regex` takes it as a character, the other engines as a class inside the class.
                raise Unsupported("a [ inside a class: write \\[ for the character")
            return Chars(code_set)
        if character == "\\":
            return self.escape(flags)
        if character == ".":
            return Chars(ALL if flags.dot_all else complement(code_range(10, 10)))
        if character == "^":
            return _line_begin() if flags.multi_line else Edge("begin")
        if character == "$":
            return _line_end() if flags.multi_line else Edge("last line")
        if character in "*+?":
            raise Unsupported(f"a {character} with nothing to repeat")
        if character == "{":
            self.at -= 1
            raise Unsupported(quote(self.peek(8), "an approximate match or a lone brace"))
        return Chars(_literal(ord(character), flags))

    def group(self, flags: _Flags) -> Node | None:
        if not self.accept("?"):
            return self.closed(flags)
        if self.accept("#"):
            end = self.text.find(")", self.at)
            if end < 0:
                raise Unsupported("a comment without an end")
            self.at = end + 1
            return None
        if self.accept(":"):
            return self.closed(flags)
        if self.accept(">"):
            return Atomic(self.closed(flags))
        for sign, ahead, negative in (
            ("=", True, False),
            ("!", True, True),
            ("<=", False, False),
            ("<!", False, True),
        ):
            if self.accept(sign):
                return Look(self.closed(flags), ahead, negative)
        if self.accept("P<") or self.accept("<"):
            self.at = self.text.find(">", self.at) + 1
            if self.at == 0:
                raise Unsupported("a name of a group without an end")
            return self.closed(flags)
        changed = self.flag_letters(flags)
        if changed is not None and self.accept(":"):
            return self.closed(changed)
        raise Unsupported(quote("(?" + self.peek(3), "a kind of group"))

    def closed(self, flags: _Flags) -> Node:
        node = self.choice(flags)
        if not self.accept(")"):
            raise Unsupported("a group without an end")
        return node

    def repeated(self, part: Node, flags: _Flags) -> Node:
        self.skip(flags)
        bounds = self.bounds()
        if bounds is None:
            return part
        self.skip(flags)
        if isinstance(part, Look | Edge | WordBoundary):
            raise Unsupported("a place that is repeated")
        least, most = bounds
        if least > MOST_REPEATS or (most or 0) > MOST_REPEATS:
            raise Unsupported(f"more than {MOST_REPEATS} repetitions")
        if most is not None and most < least:
            raise Unsupported("a repetition whose limits are in the wrong order")
        lazy = self.accept("?")
        possessive = not lazy and self.accept("+")
        self.skip(flags)
        if self.peek() in ("*", "+", "?") or self.bounds() is not None:
            raise Unsupported("a repetition that is repeated")
        return Repeat(part, least, most, lazy, possessive)

    def bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self.accept(sign):
                return bounds
        end = self.text.find("}", self.at)
        if self.peek() != "{" or end < 0:
            return None
        low, comma, high = self.text[self.at + 1 : end].partition(",")
        if not (low or comma) or any(part and not part.isdecimal() for part in (low, high)):
            return None
        self.at = end + 1
        least = int(low or 0)
        return (least, int(high) if high else None) if comma else (least, least)

    # ---- characters ----

    def escape(self, flags: _Flags) -> Node:
        letter = self.peek()
        if letter in ("b", "B"):
            self.take()
            return WordBoundary(letter == "B")
        edges = {"A": "begin", "z": "end", "Z": "end"}
        if letter in edges:
            self.take()
            return Edge(edges[letter])
        if self.accept("R"):
            return_and_feed = [Chars(code_range(13, 13)), Chars(code_range(10, 10))]
            return Atomic(Choice([Sequence([*return_and_feed]), Chars(_LINE_END_AFTER)]))
        code_set = self.escaped_set(flags)
        return Chars(_literal(self.escaped_code(), flags) if code_set is None else code_set)

    def escaped_set(self, flags: _Flags) -> CodeSet | None:
        r"""Take what stands for a set after a backslash, such as ``\d`` or ``\p{L}``."""
        letter = self.peek()
        simple = {"d": named_set("Nd"), "s": WHITE_SPACE}
        if letter in ("p", "P"):
            return self.property(flags)
        if letter.lower() not in ("d", "s", "w") and letter != "h":
            return None
        self.take()
        if letter == "h":
            return _posix_set("blank")
        code_set = simple.get(letter.lower()) or word_characters()
        return code_set if letter.islower() else complement(code_set)

    def property(self, flags: _Flags) -> CodeSet:
        negative = self.take() == "P"
        begin = self.at
        name = self.take()
        if name == "{":
            end = self.text.find("}", self.at)
            if end < 0:
                raise Unsupported("a property without an end")
            name = self.text[self.at : end]
            self.at = end + 1
        code_set = older_script(name) or named_set(name)
        if code_set is None:
            raise Unsupported(quote("\\p" + self.text[begin : self.at], "a property"))
        if flags.ignore_case and fold_case(code_set) != code_set:
            raise Unsupported(quote("\\p" + self.text[begin : self.at], "with case ignored"))
        return complement(code_set) if negative else code_set

    def escaped_code(self) -> int:
        letter = self.take()
        if letter in _ESCAPES:
            return _ESCAPES[letter]
        if letter in _HEX_DIGITS:
            return self.hex_code(letter)
        if letter == "0" and not self.peek().isdecimal():
            return 0
        if letter.isalnum():
            what = "a back reference" if letter.isdecimal() else "an escape"
            raise Unsupported(quote("\\" + letter, what))
        return ord(letter)

    def hex_code(self, letter: str) -> int:
        begin = self.at
        if letter == "x" and self.accept("{"):
            end = self.text.find("}", self.at)
            digits = self.text[self.at : end] if end > 0 else ""
            self.at = end + 1
        else:
            digits = self.take(_HEX_DIGITS[letter])
        if not digits or any(c not in "0123456789abcdefABCDEF" for c in digits):
            construct = f"\\{letter}{self.text[begin : begin + 8]}"
            raise Unsupported(quote(construct, "the number of a character"))
        code = int(digits, 16)
        if code >= N_CODE_POINTS:
            raise Unsupported(f"the character {code:x}, beyond the last of Unicode")
        return code

    def char_class(self, flags: _Flags) -> CodeSet:
        """Take a class after its opening bracket."""
        negative = self.accept("^")
        sets: list[CodeSet] = []
        operands: list[CodeSet] = []
        first = True
        while first or self.peek() != "]":
            first = False
            if self.accept("&&"):
                self.intersected = True
                operands.append(union(sets))
                sets = []
                continue
            if any(self.peek(2) == sign for sign in ("--", "||", "~~")):
                raise Unsupported(quote(self.peek(2), "of classes"))
            sets.append(self.class_item(flags))
        self.take()
        result = union(sets)
        for operand in operands:
            result = intersection(operand, result)
        return complement(result) if negative else result

    def class_item(self, flags: _Flags) -> CodeSet:
        if self.peek() == "[":
            return self.inner_class(flags)
        low = self.class_code(flags)
        if not isinstance(low, int):
            return low
        if self.peek() != "-" or self.peek(2) == "-]":
            return _literal(low, flags)
        self.take()
        if _POSIX_NAME.match(self.text, self.at):
            raise Unsupported("a range that ends with a class")
        high = self.class_code(flags)
        if not isinstance(high, int) or high < low:
            raise Unsupported("a range of characters whose ends are in the wrong order")
        code_set = code_range(low, high)
        return fold_case(code_set) if flags.ignore_case else code_set

    def inner_class(self, flags: _Flags) -> CodeSet:
        named = _POSIX_NAME.match(self.text, self.at)
        if named is not None:
            self.at = named.end()
            return self.posix_class(named, flags)
        if self.peek(2) in ("[:", "[.", "[="):
            raise Unsupported(quote(self.peek(2), "a class by its POSIX name"))
        self.take()
        self.nested = True
        return self.char_class(flags)

    def posix_class(self, named: re.Match[str], flags: _Flags) -> CodeSet:
        if named[2] not in POSIX:
            raise Unsupported(quote(named[0], "a class by its POSIX name"))
        code_set = _posix_set(named[2])
        if flags.ignore_case and fold_case(code_set) != code_set:
            raise Unsupported(quote(named[0], "with case ignored"))
        return complement(code_set) if named[1] else code_set

    def class_code(self, flags: _Flags) -> CodeSet | int:
        if not self.accept("\\"):
            return ord(self.take())
        if self.peek() == "b":
            self.take()
            return 8
        code_set = self.escaped_set(flags)
        return self.escaped_code() if code_set is None else code_set


@cache
def _posix_set(name: str) -> CodeSet:
    return _Parser(POSIX[name] + "]").char_class(_Flags())


def _literal(code: int, flags: _Flags) -> CodeSet:
    code_set = code_range(code, code)
    return fold_case(code_set) if flags.ignore_case else code_set


def _line_begin() -> Node:
    return Choice([Edge("begin"), Look(Chars(code_range(10, 10)), ahead=False, negative=False)])


def _line_end() -> Node:
    return Choice([Edge("end"), Look(Chars(code_range(10, 10)), ahead=True, negative=False)])
