"""Sets of code points: what a class of an expression matches, by Unicode 16.0.

A set is a tuple of code points in ascending order at which membership changes: ``(65, 91)`` is A to
Z, and the complement of a set begins with 0 where the set does not. Surrogates, which UTF-8 can't
hold, may be on either side.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from functools import cache
from typing import TypeAlias

CodeSet: TypeAlias = tuple[int, ...]

N_CODE_POINTS = 0x110000
EMPTY: CodeSet = ()
ALL: CodeSet = (0, N_CODE_POINTS)
WHITE_SPACE: CodeSet = (
    *(0x9, 0xE, 0x20, 0x21, 0x85, 0x86, 0xA0, 0xA1, 0x1680, 0x1681, 0x2000, 0x200B),
    *(0x2028, 0x202A, 0x202F, 0x2030, 0x205F, 0x2060, 0x3000, 0x3001),
)

# The names of general categories, as UAX #44 has them; a group is all that begins with its letter.
_CATEGORIES = {
    "letter": "l",
    "casedletter": "lc",
    "uppercaseletter": "lu",
    "lowercaseletter": "ll",
    "titlecaseletter": "lt",
    "modifierletter": "lm",
    "otherletter": "lo",
    "mark": "m",
    "combiningmark": "m",
    "nonspacingmark": "mn",
    "spacingmark": "mc",
    "enclosingmark": "me",
    "number": "n",
    "decimalnumber": "nd",
    "letternumber": "nl",
    "othernumber": "no",
    "punctuation": "p",
    "punct": "p",
    "connectorpunctuation": "pc",
    "dashpunctuation": "pd",
    "openpunctuation": "ps",
    "closepunctuation": "pe",
    "initialpunctuation": "pi",
    "finalpunctuation": "pf",
    "otherpunctuation": "po",
    "symbol": "s",
    "mathsymbol": "sm",
    "currencysymbol": "sc",
    "modifiersymbol": "sk",
    "othersymbol": "so",
    "separator": "z",
    "spaceseparator": "zs",
    "lineseparator": "zl",
    "paragraphseparator": "zp",
    "other": "c",
    "control": "cc",
    "format": "cf",
    "privateuse": "co",
    "unassigned": "cn",
}


WORD = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d"
r"""What ``\w`` matches, as items of a class."""
BLANK = r"\p{Zs}\t"
HEX = "0-9a-fA-F"
POSIX = {
    "alnum": r"\p{Alphabetic}0-9",
    "alpha": r"\p{Alphabetic}",
    "blank": BLANK,
    "cntrl": r"\p{Cc}",
    "digit": "0-9",
    "graph": r"[^\s\p{Cc}\p{Cs}\p{Cn}]",
    "lower": r"\p{Lowercase}",
    "print": r"[^\s\p{Cc}\p{Cs}\p{Cn}]\p{Zs}",
    "punct": r"\p{P}[\p{S}&&[^\p{Alphabetic}]]",
    "space": r"\s",
    "upper": r"\p{Uppercase}",
    "word": WORD,
    "xdigit": HEX,
}
"""What ``[:name:]`` matches in a class, as items of one, as `regex` has it."""


def union(sets: Iterable[CodeSet]) -> CodeSet:
    """Return all code points of some sets."""
    pairs = sorted((s[i], s[i + 1]) for s in sets for i in range(0, len(s), 2))
    result: list[int] = []
    for begin, end in pairs:
        if result and begin <= result[-1]:
            result[-1] = max(result[-1], end)
        else:
            result += (begin, end)
    return tuple(result)


def intersection(a: CodeSet, b: CodeSet) -> CodeSet:
    """Return the code points of both sets."""
    return complement(union([complement(a), complement(b)]))


def complement(a: CodeSet) -> CodeSet:
    """Return all other code points."""
    toggled = a[1:] if a[:1] == (0,) else (0, *a)
    return toggled[:-1] if toggled[-1:] == (N_CODE_POINTS,) else (*toggled, N_CODE_POINTS)


def code_range(first: int, last: int) -> CodeSet:
    """Return the code points from `first` to `last`."""
    return (first, last + 1)


def contains(a: CodeSet, code: int) -> bool:
    """Tell whether a code point is in a set."""
    return bisect_right(a, code) % 2 == 1


def fold_case(a: CodeSet) -> CodeSet:
    """Return the code points that are in a set when case is ignored."""
    variants = _case_variants()
    if sum(a[1::2]) - sum(a[::2]) < len(variants):
        codes = (code for i in range(0, len(a), 2) for code in range(a[i], a[i + 1]))
        inside = [code for code in codes if code in variants]
    else:
        inside = [code for code in variants if contains(a, code)]
    return union([a, *(code_range(other, other) for code in inside for other in variants[code])])


@cache
def word_characters() -> CodeSet:
    r"""Return what ``\w`` matches."""
    named = [named_set(name) or EMPTY for name in ("Alphabetic", "M", "Nd", "Pc")]
    return union([*named, code_range(0x200C, 0x200D)])


def named_set(name: str) -> CodeSet | None:
    r"""Return the code points of a property as ``\p{name}`` spells it, None if it is not known.

    General categories, scripts, some binary properties; also ``gc=...``, ``script=...``.
    """
    kind, _, value = name.replace(":", "=").rpartition("=")
    kind, value = _simple(kind), _simple(value)
    if value.startswith("^"):
        found = named_set((kind + "=" if kind else "") + value[1:])
        return None if found is None else complement(found)
    if kind not in ("", "gc", "generalcategory", "category", "sc", "script"):
        return None
    return _property(value, kind)


@cache
def _property(value: str, kind: str = "") -> CodeSet | None:
    category = _CATEGORIES.get(value, value)
    if kind in ("", "gc", "generalcategory", "category"):
        names = [n for n in _category_sets() if n.startswith(category)] if len(category) < 3 else []
        if category == "lc":
            names = ["lu", "ll", "lt"]
        if names:
            return union(_category_sets()[n] for n in names)
    if kind == "":
        if value == "any":
            return ALL
        if value == "ascii":
            return (0, 128)
        if value in ("whitespace", "wspace", "space"):
            return WHITE_SPACE
        if value in _binary_sets():
            return _binary_sets()[value]
    return None if "category" in kind or kind == "gc" else _script_sets().get(value)


def _simple(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


@cache
def _category_sets() -> dict[str, CodeSet]:
    from bpetok.patterns.unicode_properties import CATEGORY_NAMES, CATEGORY_RUNS

    return dict(zip(map(str.lower, CATEGORY_NAMES), _sets(CATEGORY_RUNS), strict=True))


@cache
def _script_sets() -> dict[str, CodeSet]:
    from bpetok.patterns.unicode_properties import SCRIPT_NAMES

    sets = zip(SCRIPT_NAMES, script_sets().values(), strict=True)
    return {name: code_set for names, code_set in sets for name in names.split()}


def script_sets() -> dict[str, CodeSet]:
    """Return the code points of each script, by the first of its names."""
    from bpetok.patterns.unicode_properties import SCRIPT_NAMES, SCRIPT_RUNS

    sets = zip(SCRIPT_NAMES, _sets(SCRIPT_RUNS), strict=True)
    return {names.split()[0]: code_set for names, code_set in sets}


@cache
def _binary_sets() -> dict[str, CodeSet]:
    from bpetok.patterns.unicode_properties import BINARY_NAMES, BINARY_RUNS

    result = {}
    for names, runs in zip(BINARY_NAMES, BINARY_RUNS, strict=True):
        at = 0
        toggles = [at := at + int(length, 36) for length in runs.split()]
        result.update(dict.fromkeys(names.split(), tuple(toggles[: len(toggles) // 2 * 2])))
    return result


def _sets(runs: str) -> list[CodeSet]:
    found: dict[int, list[int]] = {}
    at = 0
    for run in runs.split():
        length, value = run.split(":")
        end = at + int(length, 36)
        found.setdefault(int(value, 36), []).extend((at, end))
        at = end
    return [tuple(found.get(number, ())) for number in range(max(found) + 1)]


@cache
def _case_variants() -> dict[int, list[int]]:
    from bpetok.patterns.unicode_properties import CASES

    return {ord(word[0]): [ord(c) for c in word[1:]] for word in CASES.split(" ")}


def partition(sets: Iterable[CodeSet]) -> tuple[list[int], list[int], list[int]]:
    """Cut the code points into atoms: of each set, either all of an atom are in it or none.

    Returns
    -------
    starts, atoms : list of int
        The atom of each run of code points: run i begins at starts[i].
    members : list of int
        For each atom, a bit for each set that it is in, in the order of `sets`.
    """
    events: dict[int, int] = {0: 0}
    for number, code_set in enumerate(sets):
        for at in code_set:
            events[at] = events.get(at, 0) ^ (1 << number)
    events.pop(N_CODE_POINTS, None)
    numbers: dict[int, int] = {}
    starts, atoms = [], []
    mask = 0
    for at in sorted(events):
        mask ^= events[at]
        starts.append(at)
        atoms.append(numbers.setdefault(mask, len(numbers)))
    return starts, atoms, list(numbers)
