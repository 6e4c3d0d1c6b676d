"""Normalizers: what a text becomes before it is split, said as tokenizer.json says it.

A normalizer is a list of steps. Some look at a character and those right before it (NFC, NFD, NFKC,
NFKD, Lowercase, StripAccents); they are applied only where they may change something, which a
compiled loop finds (`normalize.pyx`), for nearly all text is normal already. The others are applied
to the whole text (Strip, Replace, Prepend, Nmt, BertNormalizer). A text is what lies between two
added tokens that are found before normalizing.
"""

from __future__ import annotations

import json
import re
import unicodedata
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import accumulate, groupby, pairwise
from typing import TYPE_CHECKING, Any, Literal

from bpetok.base.checks import did_you_mean, encode_utf8, shorten
from bpetok.base.records import NamedTuple
from bpetok.patterns.bounds import MOST_GROWTH, check_growth
from bpetok.patterns.classes import WHITE_SPACE, contains, named_set
from bpetok.patterns.normalize import (
    LocalNormalizer,
    holds,
    strip_accents,
    strip_spaces,
    strip_texts,
)

if TYPE_CHECKING:
    from typing import TypeAlias

    from bpetok.base.array_types import Int64  # of NumPy, which encoding does without

    Buffer: TypeAlias = bytes | memoryview
    StepOfTexts: TypeAlias = Callable[[Buffer, Int64], tuple[Buffer, array[int]]]

Spec = str | Mapping[str, Any] | Sequence[Any]
"""How a user says a normalizer: "NFKC", an object of tokenizer.json, or a list of these."""

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]

# Capitals that came after Unicode 13, the tables of Python 3.10, with their small letters. Capital
# sigma becomes the usual small one at the end of a word, too: tokenizers looks at each character
# alone.
_LATER_CAPITALS = {
    "\u03a3": "\u03c3",
    "\u1c89": "\u1c8a",
    "\u2c2f": "\u2c5f",
    "\ua7c0": "\ua7c1",
    "\ua7cb": "\u0264",
    "\ua7cc": "\ua7cd",
    "\ua7ce": "\ua7cf",
    "\ua7d0": "\ua7d1",
    "\ua7d2": "\ua7d3",
    "\ua7d4": "\ua7d5",
    "\ua7d6": "\ua7d7",
    "\ua7d8": "\ua7d9",
    "\ua7da": "\ua7db",
    "\ua7dc": "\u019b",
    **{chr(0x10570 + i): chr(0x10597 + i) for i in range(38) if i not in (11, 27, 35)},
    **{chr(0x10D50 + i): chr(0x10D70 + i) for i in range(22)},
    **{chr(0x16EA0 + i): chr(0x16EBB + i) for i in range(25)},
}
_LOWER = str.maketrans(_LATER_CAPITALS)


def lower(text: str) -> str:
    """Return a text with each character in lower case, by the same tables in every Python."""
    return text.translate(_LOWER).lower()


# Flags of `normal.h` that say where a step may change something. The canonical order of combining
# marks is a matter of all forms.
_NFC, _NFD, _NFKC, _NFKD, _MARK, _ACCENT, _UPPER, _LATER, _SECOND = (1 << i for i in range(9))


class _Local(NamedTuple):
    flags: int
    apply: Callable[[str], str]


class _Changed(dict[int, str]):
    """What each character becomes, as `str.translate` takes it; filled when it is asked."""

    def __init__(self, change: Callable[[str], str]) -> None:
        super().__init__()
        self._change = change

    def __missing__(self, code: int) -> str:
        changed = self[code] = self._change(chr(code))
        return changed


_MANY = 1000
"""Combining marks in a row from which on they are put in order here: that takes `unicodedata` time
that grows with the square of their number, minutes for a megabyte."""


def _form(form: Form) -> Callable[[str], str]:
    whole: Form = "NFKD" if form in ("NFKC", "NFKD") else "NFD"
    decomposed = _Changed(lambda character: unicodedata.normalize(whole, character))

    def apply(text: str) -> str:
        if len(text) >= _MANY and _many_marks().search(text):
            text = _in_order(text.translate(decomposed))
        return unicodedata.normalize(form, text)

    return apply


@cache
def _many_marks() -> re.Pattern[str]:
    """Return what finds `_MANY` characters in a row that are combining marks, or become some."""
    marks = (
        character
        for character in map(chr, range(0x80, 0x1F000))  # no mark comes after them
        if unicodedata.combining(unicodedata.normalize("NFKD", character)[0])
    )
    return re.compile(f"[{''.join(marks)}]{{{_MANY}}}")


def _in_order(text: str) -> str:
    """Return a text with the marks after each character in canonical order.

    Requires: each character is decomposed.
    """
    runs = groupby(text, lambda character: unicodedata.combining(character) > 0)
    return "".join(
        "".join(sorted(run, key=unicodedata.combining) if are_marks else run)
        for are_marks, run in runs
    )


_LOCAL = {
    "NFC": _Local(_NFC | _MARK | _SECOND, _form("NFC")),
    "NFD": _Local(_NFD | _MARK, _form("NFD")),
    "NFKC": _Local(_NFKC | _MARK | _SECOND, _form("NFKC")),
    "NFKD": _Local(_NFKD | _MARK, _form("NFKD")),
    "StripAccents": _Local(_ACCENT, strip_accents),
    "Lowercase": _Local(_UPPER, lower),
}


class Aligned(NamedTuple):
    """A text, and where in the text that was given each of its characters comes from."""

    text: str
    starts: list[int]
    ends: list[int]


class _Group:
    """Local steps in a row: applied where the text may change, and nowhere else."""

    def __init__(self, names: Iterable[str]) -> None:
        steps = [_LOCAL[name] for name in names]
        flags = 0
        for step in steps:
            flags |= step.flags
        self._steps = [step.apply for step in steps]
        self.local = LocalNormalizer(flags, lambda span: self._change(span.decode()).encode())
        self.normalize = self.local.normalize
        self.normalize_texts: StepOfTexts = self.local.normalize_texts
        self.leaves = self.local.is_normal

    def _change(self, text: str) -> str:
        for apply in self._steps:
            text = apply(text)
        return text

    def align(self, text: str) -> Aligned:
        data = text.encode()
        spans = self.local.spans(data)
        result = Aligned("", [], [])
        parts: list[str] = []
        at = done = 0
        for start, end in zip(spans[::2], spans[1::2], strict=True):
            for piece, changed in ((data[done:start], False), (data[start:end], True)):
                old = piece.decode()
                new = self._change(old) if changed else old
                parts.append(new)
                places = range(at, at + len(old))
                result.starts.extend([at] * len(new) if changed else places)
                result.ends.extend(
                    [at + len(old)] * len(new) if changed else (place + 1 for place in places)
                )
                at += len(old)
            done = end
        rest = data[done:].decode()
        parts.append(rest)
        result.starts.extend(range(at, at + len(rest)))
        result.ends.extend(range(at + 1, at + len(rest) + 1))
        return result._replace(text="".join(parts))


class _Strip:
    def __init__(self, left: bool, right: bool) -> None:
        self._left, self._right = left, right

    def align(self, text: str) -> Aligned:
        data = text.encode()
        end = len(strip_spaces(data, False, self._right).decode())
        start = min(end, len(text) - len(strip_spaces(data, self._left, False).decode()))
        return Aligned(text[start:end], list(range(start, end)), list(range(start + 1, end + 1)))

    def normalize(self, text: bytes) -> bytes:
        return strip_spaces(text, self._left, self._right)

    def normalize_texts(self, data: Buffer, ends: Int64) -> tuple[bytes, array[int]]:
        return strip_texts(data, ends, self._left, self._right)

    def leaves(self, text: bytes | memoryview) -> bool:
        return True  # but for its ends


class _Prepend:
    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def align(self, text: str) -> Aligned:
        n = len(self._prefix) if text else 0
        places = range(len(text))
        return Aligned(
            self._prefix[:n] + text, [0] * n + list(places), [0] * n + [i + 1 for i in places]
        )

    def normalize(self, text: bytes) -> bytes:
        return self._prefix.encode() + text if text else text

    def leaves(self, text: bytes | memoryview) -> bool:
        return not self._prefix


class _Each:
    """Change each character on its own."""

    def __init__(self, change: Callable[[str], str]) -> None:
        self._change = change
        self._changed = _Changed(change)

    def align(self, text: str) -> Aligned:
        parts = [self._change(character) for character in text]
        starts = [at for at, part in enumerate(parts) for _ in part]
        return Aligned("".join(parts), starts, [at + 1 for at in starts])

    def normalize(self, text: bytes) -> bytes:
        return text.decode().translate(self._changed).encode()

    def leaves(self, text: bytes | memoryview) -> bool:
        return False


class _Replace:
    def __init__(self, pattern: Mapping[str, str], content: str) -> None:
        string = pattern.get("String")
        # Bytes are found where characters are, since UTF-8 tells where one begins.
        self._string = None if string is None else string.encode()
        self._matches = (
            _find_expression(pattern["Regex"]) if string is None else _find_string(string)
        )
        self._content = content

    def align(self, text: str) -> Aligned:
        parts: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        at = 0
        matches = list(self._matches(text)) if text else []
        check_growth(len(text), len(matches) * len(self._content))
        for start, end in matches:
            parts += (text[at:start], self._content)
            starts.extend(range(at, start))
            ends.extend(range(at + 1, start + 1))
            starts.extend([start] * len(self._content))
            ends.extend([end] * len(self._content))
            at = end
        parts.append(text[at:])
        starts.extend(range(at, len(text)))
        ends.extend(range(at + 1, len(text) + 1))
        return Aligned("".join(parts), starts, ends)

    def normalize(self, text: bytes) -> bytes:
        if self._string is not None:
            content = self._content.encode()
            if len(content) > MOST_GROWTH * len(self._string):  # less can't become too long
                check_growth(len(text), text.count(self._string) * len(content))
            # `replace` alone takes 14 ms for 12 MB that hardly hold any, `holds` half of one.
            return text.replace(self._string, content) if holds(text, self._string) else text
        if not text:
            return text
        decoded = text.decode()
        parts: list[str] = []
        at = 0
        matches = list(self._matches(decoded))
        check_growth(len(text), len(matches) * len(self._content))
        for start, end in matches:
            parts += (decoded[at:start], self._content)
            at = end
        parts.append(decoded[at:])
        return "".join(parts).encode()

    def leaves(self, text: bytes | memoryview) -> bool:
        return self._string is not None and not holds(text, self._string)


def _find_string(string: str) -> Callable[[str], Iterable[tuple[int, int]]]:
    def find(text: str) -> Iterable[tuple[int, int]]:
        at = text.find(string)
        while at >= 0:
            yield at, at + len(string)
            at = text.find(string, at + len(string))

    return find


def _find_expression(expression: str) -> Callable[[str], Iterable[tuple[int, int]]]:
    from bpetok.patterns.dialects import from_oniguruma
    from bpetok.patterns.errors import LIMIT
    from bpetok.patterns.expressions import compile_expression, matches_of

    compiled = compile_expression(from_oniguruma(expression), may_be_empty=True)

    def find(text: str) -> Iterable[tuple[int, int]]:
        try:
            return matches_of(compiled, text, LIMIT.seconds(text))
        except TimeoutError:
            raise TimeoutError(
                f"the normalizer's expression {shorten(expression)} takes more than "
                f"{LIMIT.seconds(text):.0f} s for a text of {len(text)} characters"
            ) from None

    return find


_Step = _Group | _Strip | _Prepend | _Each | _Replace


class Normalizer:
    """Normalize texts. Threads may share it.

    Parameters
    ----------
    spec : str, mapping, or sequence of these
        The type of a step, "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Strip", "StripAccents",
        "Nmt" or "BertNormalizer"; a step as tokenizer.json has it,
        ``{"type": "Replace", "pattern": {"String": "a"}, "content": "b"}``; several in a row;
        or these as JSON in a str.

    Attributes
    ----------
    spec : dict or list
        As tokenizer.json has it: one step, or a list of them.
    local : LocalNormalizer or None
        What does the same, if all steps look only at a character and those right before it.
    strips : bool
        Whether a step takes white space from the ends of a text.
    of_texts : list of callable
        What does the same to texts that lie one after another in memory, one after another: each
        takes, and returns, the bytes and where each text ends.

    Raises
    ------
    TypeError, ValueError
        If it is no such step; the message says which.
    """

    def __init__(self, spec: Spec) -> None:
        try:
            steps = _read_steps(spec, "normalizer")
        except RecursionError:  # or it holds itself
            raise ValueError("normalizer has steps nested too deeply") from None
        self.spec: Any = steps[0] if isinstance(spec, str | Mapping) and len(steps) == 1 else steps
        self._steps: list[_Step] = []
        for local, group in groupby(steps, lambda step: step["type"] in _LOCAL):
            if local:
                self._steps.append(_Group(step["type"] for step in group))
            else:
                self._steps.extend(part for step in group for part in _build_step(step))
        self.strips = any(isinstance(step, _Strip) for step in self._steps)
        # 12 MB that are counted in 0.05 s are stripped in 1 ms so, and in 12 to 16 text by text.
        compiled = [step for step in self._steps if isinstance(step, _Group | _Strip)]
        self.of_texts: list[StepOfTexts] = [self._one_by_one]
        if len(compiled) == len(self._steps):
            self.of_texts = [step.normalize_texts for step in compiled]
        self.local: LocalNormalizer | None = None
        if len(self._steps) == 1 and isinstance(self._steps[0], _Group):
            self.local = self._steps[0].local

    def __call__(self, text: bytes) -> bytes:
        """Return a text in UTF-8 as it is after all steps.

        Raises
        ------
        ValueError
            If it becomes too long: see `MOST_GROWTH`.
        """
        n_given = len(text)
        for step in self._steps:
            text = step.normalize(text)
            check_growth(n_given, len(text))
        return text

    def _one_by_one(self, data: Buffer, ends: Int64) -> tuple[bytes, array[int]]:
        bounds = pairwise([0, *ends.tolist()])
        texts = [self(bytes(data[begin:end])) for begin, end in bounds]
        return b"".join(texts), array("q", accumulate(map(len, texts)))

    def leaves(self, text: bytes | memoryview) -> bool:
        """Tell whether a text stays as it is, and each part of it, too: surely, if it says so.

        But for what is stripped of its ends, if `strips`.
        """
        return all(step.leaves(text) for step in self._steps)

    def align(self, text: str) -> Aligned:
        """Return a text as it is after all steps, and where its characters come from.

        Where several characters become others, each of the new ones comes from all of the old.
        Raises what the call raises.
        """
        result = Aligned(text, list(range(len(text))), list(range(1, len(text) + 1)))
        for step in self._steps:
            new = step.align(result.text)
            check_growth(len(text), len(new.text))
            result = Aligned(
                new.text,
                [_at(result.starts, start, result.ends) for start in new.starts],
                [
                    max(
                        [
                            _at(result.starts, start, result.ends),
                            *result.ends[max(0, end - 1) : end],
                        ]
                    )
                    for start, end in zip(new.starts, new.ends, strict=True)
                ],
            )
        return result

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Normalizer) and self.spec == other.spec

    def __hash__(self) -> int:
        return hash(self.to_json())

    def to_json(self) -> str:
        """Return `spec` as JSON: equal normalizers give equal text."""
        return json.dumps(self.spec, sort_keys=True)

    def __repr__(self) -> str:
        return f"Normalizer({self.spec!r})"


def _at(starts: Sequence[int], place: int, ends: Sequence[int]) -> int:
    # Where the character at `place` begins; after the last one, where that ends.
    if place < len(starts):
        return starts[place]
    return ends[-1] if ends else 0


def _read_steps(spec: Any, name: str) -> list[dict[str, Any]]:
    """Return the steps, each as tokenizer.json has it; a Sequence becomes its steps."""
    if isinstance(spec, str) and spec[:1] in ("{", "["):
        try:
            return _read_steps(json.loads(spec), name)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"{name} must be JSON, got {shorten(spec)}: {error}") from None
    if isinstance(spec, str):
        return [_check_step({"type": spec}, name)]
    if isinstance(spec, Mapping):
        if spec.get("type") == "Sequence":
            return _read_steps(spec.get("normalizers"), f"{name}.normalizers")
        return [_check_step(dict(spec), name)]
    if not isinstance(spec, Sequence):
        raise TypeError(
            f"{name} must be a str, a mapping or a sequence of them, got {shorten(spec)}"
        )
    steps = [_read_steps(step, f"{name}[{i}]") for i, step in enumerate(spec)]
    return [step for row in steps for step in row]


def _check_step(step: dict[str, Any], name: str) -> dict[str, Any]:
    kind = step.get("type")
    fields: dict[str, type] = {}
    if kind == "Strip":
        step = {"strip_left": True, "strip_right": True} | step
        fields = {"strip_left": bool, "strip_right": bool}
    elif kind == "Prepend":
        fields = {"prepend": str}
    elif kind == "BertNormalizer":
        step = {"clean_text": True, "handle_chinese_chars": True, "lowercase": True} | step
        fields = {"clean_text": bool, "handle_chinese_chars": bool, "lowercase": bool}
        if type(step.setdefault("strip_accents", None)) not in (bool, type(None)):
            raise ValueError(
                f"{name}.strip_accents must be a bool or null, got {shorten(step['strip_accents'])}"
            )
    elif kind == "Replace":
        fields = {"pattern": dict, "content": str}
    elif kind not in _LOCAL and kind != "Nmt":
        kinds = [*_LOCAL, "Strip", "Prepend", "Replace", "Nmt", "BertNormalizer", "Sequence"]
        raise ValueError(
            f"{name}: {shorten(kind)} can't be represented: a step must be one of "
            f"{', '.join(kinds)}{did_you_mean(str(kind), kinds)}"
        )
    for field, field_type in fields.items():
        if not isinstance(step.get(field), field_type):
            raise ValueError(
                f"{name}.{field} must be a {field_type.__name__}, got {shorten(step.get(field))}"
            )
        if field_type is str:
            encode_utf8(step[field], f"{name}.{field}")
    if kind == "Replace":
        _check_pattern(step["pattern"], f"{name}.pattern")
    if kind == "BertNormalizer":
        fields["strip_accents"] = object
    return {"type": kind} | {field: step[field] for field in fields}


def _check_pattern(pattern: Mapping[str, Any], name: str) -> None:
    values = list(pattern.items())
    if len(values) != 1 or values[0][0] not in ("String", "Regex"):
        raise ValueError(f"{name} must have String or Regex, got {shorten(dict(pattern))}")
    if not isinstance(values[0][1], str) or not values[0][1]:
        raise ValueError(
            f"{name}.{values[0][0]} must be a str, not empty, got {shorten(values[0][1])}"
        )
    encode_utf8(values[0][1], name)


def _build_step(step: Mapping[str, Any]) -> list[_Step]:
    if step["type"] == "Strip":
        return [_Strip(step["strip_left"], step["strip_right"])]
    if step["type"] == "Prepend":
        return [_Prepend(step["prepend"])]
    if step["type"] == "Nmt":
        return [_Each(_nmt)]
    if step["type"] == "BertNormalizer":
        return _build_bert(step)
    return [_Replace(step["pattern"], step["content"])]


def _build_bert(step: Mapping[str, Any]) -> list[_Step]:
    steps: list[_Step] = []
    if step["clean_text"]:
        steps.append(_Each(_clean))
    if step["handle_chinese_chars"]:
        steps.append(_Each(_with_spaces))
    if step["lowercase"] if step["strip_accents"] is None else step["strip_accents"]:
        steps += [_Group(["NFD"]), _Each(_without_mark)]
    if step["lowercase"]:
        steps.append(_Group(["Lowercase"]))
    return steps


# What tokenizers' tables of Unicode 8 do not have yet, or not as such.
_LATER_CONTROLS = (*range(0x890, 0x892), 0x8E2, 0x110CD, *range(0x13430, 0x13440))
_LATER_MARKS = (
    *(0x8D4, 0x8E2, 0x1885, 0x1887, 0x1DFB, 0x1DFC, 0xA8C5, 0xA8C6, 0xA9BD, 0xA9BE),
    *(0x1123E, 0x1123F, 0x11438, 0x11440, 0x11442, 0x11445, 0x11446, 0x11447),
    *(0x11C30, 0x11C37, 0x11C38, 0x11C3E, 0x11C3F, 0x11C40, 0x11C92, 0x11CA8, 0x11CAA, 0x11CB1),
    *(0x11CB2, 0x11CB4, 0x11CB5, 0x11CB7, 0x1E000, 0x1E007, 0x1E008, 0x1E019, 0x1E01B, 0x1E022),
    *(0x1E023, 0x1E025, 0x1E026, 0x1E02B, 0x1E944, 0x1E94B),
)
_IDEOGRAPHS = (
    *(0x3400, 0x4DC0, 0x4E00, 0xA000, 0xF900, 0xFB00, 0x20000, 0x2A6E0, 0x2A700, 0x2B820),
    *(0x2B920, 0x2CEB0, 0x2F800, 0x2FA20),
)


@cache
def _clean(character: str) -> str:
    """Return a character as BERT cleans it: controls are left out, white space is a space."""
    code = ord(character)
    if character in "\t\n\r":
        return " "
    kinds = (named_set(name) or () for name in ("Cc", "Cf", "Co"))
    if character == "\ufffd" or (
        code not in _LATER_CONTROLS and any(contains(kind, code) for kind in kinds)
    ):
        return ""
    return " " if contains(WHITE_SPACE, code) else character


def _with_spaces(character: str) -> str:
    return f" {character} " if contains(_IDEOGRAPHS, ord(character)) else character


@cache
def _without_mark(character: str) -> str:
    """Return nothing for a mark without a width of its own."""
    code = ord(character)
    is_mark = contains(named_set("Mn") or (), code) and not contains(_LATER_MARKS, code)
    if code in (0x1734, 0x1171E):  # they were then
        is_mark = True
    return strip_accents(character) if is_mark else character


def _nmt(character: str) -> str:
    if character in _NMT_SPACES:
        return " "
    return "" if character in _NMT_CONTROLS else character


_NMT_SPACES = "\t\n\f\r\u1680\u2028\u2029\u2581\ufeff\ufffd" + "".join(
    map(chr, range(0x200B, 0x2010))
)
_NMT_CONTROLS = "".join(map(chr, (*range(1, 9), 11, *range(14, 32), 0x7F, 0x8F, 0x9F)))
