"""The scanner against `regex`: every pattern, every instruction set, any chunks."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache, lru_cache
from io import BytesIO
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import regex

from bpetok.counting.word_table import WordTable
from bpetok.patterns import scan
from bpetok.patterns.builtin import PATTERNS, scanner_of
from bpetok.patterns.dfa import CompiledPattern
from bpetok.patterns.special import SpecialTokens
from bpetok.sources.pieces import Cutting, cut, cut_text, read_into
from campaigns.campaign import Campaign, expect
from reference import assigned_in_unicode_16

ATOMS = [
    r"\p{L}", r"\p{N}", r"\p{Lu}", r"\p{Ll}", r"\p{M}", r"\s", r"\S", r"[^\s\p{L}\p{N}]", r"[\r\n]",
    r"[^\r\n\p{L}\p{N}]", "[a-z]", "[A-Z]", " ",
    "'", "a", "é", "(?i:'s|'t)", r"\w", r"\d", r"[\p{L}\p{M}]",
]  # fmt: skip
QUANTIFIERS = ["", "", "?", "*", "+", "{1,3}", "{2}", "+?", "*?", "++", "?+"]
ENDS = ["", "", "", r"(?!\S)", r"(?=\s)", "(?![a-z])"]
LATE_ATOMS = [
    "a", "b", "ab", "aa", "@", " ", r"\.", "[ab]", "[^a]", "[^.]", r"[^\n]", r"[\s\S]", r"\p{L}",
    r"\p{N}", r"\s", r"\S", r"\w", r"\d", "(?:ab|a)", "(?:b|ba)",
]  # fmt: skip
LATE_QUANTIFIERS = ["", "", "", "?", "*", "+", "{2}", "{3}", "{2,4}", "{2,}", "+?", "??", "++"]
LATE_ENDS = ["", "", "", r"(?!\S)", "(?!a)", "(?=b)", "$"]
LOOKS = [
    "(?=ab)", "(?=a+b)", r"(?!b?\d)", r"(?=[^.]*b)", r"(?![^\n]*@)", "(?=.*a)", r"(?!\w*b\b)",
    r"(?=(?:aa)*(?!a))", r"(?=[\s\S]*!)", r"(?=\w+\s*$)", r"(?!\s+\S)", r"(?=\w+@\w)",
]  # fmt: skip
OTHERWISE = ["", r"|[\s\S]", r"|\w|\W", r"|..|.|\n", r"|[\s\S]{1,2}", r"|\w{1,2}|\W"]
LETTERS = ["ab", " ab", "aaab", "ab1 ", "ab!\n", "ab@. ", "abé中\n", "Ab 1a.\r\n@", "a中🙂 1"]
MOST_SECONDS = 2.0
"""For `regex` on a text: there are expressions whose time grows with the cube of its length."""
MOST_REPEATS = 3
"""Repeats without an end in a branch; with more of them texts are cut after `SHORT` characters."""
SHORT = 150
CHANGED_SINCE = "\u0295"
"""Unicode 17.0 made this lower case letter into one without case."""
CHARACTERS = (
    "astmdrevlTLSREVLD'''\t\n\r019!-/ \x00\x1c\x7féßжñ٣½中海あ한낙\u0301\u0903\u2019\u00a0\u0085"
    "\u2003\u3000\u2028\u200d\ufeff𝔸𝟘🙂ſÀǅʰª\U0001e943"
)
WHITE = " \n\r\t\u00a0\u3000\u2003"
BAD_BYTES = [b"\x80", b"\xbf", b"\xc0\x80", b"\xe0\x9f", b"\xed\xa0\x80", b"\xf0\x8f", b"\xf4\x90",
             b"\xf5", b"\xff", b"\xc3", b"\xe4\xb8", b"\xf0\x9f\x99"]  # fmt: skip

Scanning: TypeAlias = int | CompiledPattern


class Case(NamedTuple):
    """Bytes, most often UTF-8, and the size of the chunks that they are cut into."""

    data: bytes
    pattern: str
    chunk_size: int


class Scanner(Campaign[Case]):
    """Words and counts of random text."""

    case = Case

    def draw(self, random: Random) -> Case:
        """Text of few characters or of all, with long runs, some of it not UTF-8."""
        data = random.choice((few_characters, all_characters, long_runs))(random).encode()
        if random.random() < 0.2:
            data = with_bad_bytes(random, data)
        pattern = random.choice(list(PATTERNS))
        kind = random.random()
        if kind < 0.3:
            pattern = expression(random)
        elif kind < 0.5:
            pattern, text = late_expression(random), few_letters(random)
            data = (text[:SHORT] if _takes_long(pattern) else text).encode()
        return Case(data, pattern, random.choice((1, 3, 64, 100, 1000)))

    def check(self, case: Case) -> None:
        """With each instruction set."""
        sets = scan.instruction_sets()
        try:
            for name in sets:
                scan.use_instruction_set(name)
                _check(case, name)
        finally:
            scan.use_instruction_set(sets[-1])


def expression(random: Random) -> str:
    """Return an expression that may be compiled, or not."""
    branches = []
    for _ in range(random.randint(1, 4)):
        parts = [
            random.choice(ATOMS) + random.choice(QUANTIFIERS) for _ in range(random.randint(1, 3))
        ]
        branches.append("".join(parts) + random.choice(ENDS))
    return "|".join(branches)


def late_expression(random: Random) -> str:
    """Return an expression whose matches fail late, often: what was found meanwhile is words.

    Many look far ahead.
    """
    branches = []
    for _ in range(random.randint(1, 4)):
        parts = [
            random.choice(LATE_ATOMS) + random.choice(LATE_QUANTIFIERS)
            for _ in range(random.randint(1, 4))
        ]
        if random.random() < 0.4:
            parts.insert(random.randint(0, len(parts)), random.choice(LOOKS))
        branches.append("".join(parts) + random.choice(LATE_ENDS))
    return "|".join(branches) + random.choice(OTHERWISE)


def _takes_long(pattern: str) -> bool:
    """Tell whether `regex` may take a high power of the length of a text.

    It took 43 s for 450 characters: it looks at its limit of time now and then only.
    """
    branches = re.sub(r"\(\?:[^()]*\)", "a", pattern).split("|")
    return max(len(re.findall(r"[+*]|,\}", branch)) for branch in branches) > MOST_REPEATS


def few_letters(random: Random) -> str:
    """Return text of what `late_expression` is made of, now and then with long runs."""
    parts = []
    for _ in range(random.randint(1, 6)):
        letters = random.choice(LETTERS)
        parts += random.choices(letters, k=random.randint(0, 60))
        parts.append(random.choice(letters) * random.choice((0, 0, 0, 5, 70, 300)))
    return "".join(parts)


def few_characters(random: Random) -> str:
    """Return text in few characters, which makes rare sequences common."""
    some = random.choices(CHARACTERS, k=random.randint(1, 12))
    run = random.choice(some) * random.choice((0, 0, random.randint(0, 140)))
    return run + "".join(random.choices(some, k=random.randint(0, 200)))


def all_characters(random: Random) -> str:
    """Return text of characters of all planes, next to common ones."""
    some = random.choices(in_order(), k=random.randint(1, 20)) + random.choices(CHARACTERS, k=10)
    return "".join(random.choices(some, k=random.randint(1, 150)))


def long_runs(random: Random) -> str:
    """Return runs that end near the ends of blocks of 64 bytes; most are of white space."""
    parts = []
    for _ in range(random.randint(1, 5)):
        unit = "".join(random.choices(WHITE * 3 + CHARACTERS, k=random.choice((1, 1, 2))))
        n_bytes = 64 * random.randint(0, 4) + random.randint(-4, 4)
        parts.append(unit * max(0, n_bytes // len(unit.encode())))
        parts += random.choices(CHARACTERS, k=random.randint(0, 3))
    return "".join(parts)


def with_bad_bytes(random: Random, data: bytes) -> bytes:
    """Return bytes; some are not UTF-8."""
    for _ in range(random.randint(1, 3)):
        at = random.randint(0, len(data))
        data = data[:at] + random.choice(BAD_BYTES) + data[at + random.randint(0, 2) :]
    return data


@cache
def assigned() -> frozenset[str]:
    """Return all characters that every library here knows alike."""
    return frozenset(
        chr(code)
        for code in range(0x110000)
        if not 0xD800 <= code < 0xE000
        and assigned_in_unicode_16(chr(code))
        and chr(code) != CHANGED_SINCE
    )


@cache
def in_order() -> list[str]:
    """Return the same in an order that is always the same."""
    return sorted(assigned())


def regex_words(text: str, pattern: str, seconds: float | None = None) -> list[bytes]:
    """Return the words that `regex` finds, and what is between them, as words, too.

    Raises
    ------
    TimeoutError
        If that takes longer than `seconds`.
    """
    words = []
    at = 0
    for match in compiled(pattern).finditer(text, timeout=seconds):
        words += [text[at : match.start()], match.group()]
        at = match.end()
    return [word.encode() for word in (*words, text[at:]) if word]


def re_words(text: str, expression: str) -> list[bytes] | None:
    """Return what `regex_words` does, by Python's own module; None for what that does not know."""
    try:
        matches = [*re.finditer(expression, text)]
    except re.error:
        return None
    borders = [0, *(place for match in matches for place in match.span()), len(text)]
    return [text[begin:end].encode() for begin, end in pairwise(borders) if begin < end]


@lru_cache(200)
def compiled(pattern: str) -> Any:
    """Return the expression of a name, or an expression, for `regex`."""
    return regex.compile(PATTERNS.get(pattern, pattern))


def _check(case: Case, instruction_set: str) -> None:
    data, pattern, _ = case
    scanner = scanner_of(pattern)
    if scanner is None:
        return  # `regex` itself runs it
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        expect(scan.check_utf8(data), error.start, f"first bad byte, {instruction_set}")
        _check_refused(data, scanner, error.start)
        return
    expect(scan.check_utf8(data), -1, f"UTF-8 is refused, {instruction_set}")
    if not assigned().issuperset(text):
        return  # a changed byte has made a character that `regex` may know and others not
    try:
        right = regex_words(text, pattern, MOST_SECONDS)
    except TimeoutError:
        return  # some expressions take `regex` minutes
    found = scan.split_words(data, scanner)
    if found != right and found == re_words(text, pattern):
        right = found  # `regex` 2026.11.19 finds "ab" by [^.]|[^a]|aa|ab, not its first character
    expect(found, right, f"words of {pattern}, {instruction_set}")
    _check_chunks(case, scanner, right, instruction_set)


def _check_refused(data: bytes, scanner: Scanning, first_bad: int) -> None:
    try:
        scan.split_words(data, scanner)
    except ValueError as error:
        expect(f"byte {first_bad} " in str(error), True, f"the message names the byte: {error}")
    else:
        raise AssertionError("bytes that are not UTF-8 are split into words")
    table = WordTable(SpecialTokens([]), scanner)
    expect(table.count(data, np.array([len(data)])), first_bad, "counting returns the bad byte")


def _check_chunks(case: Case, scanner: Scanning, right: list[bytes], instruction_set: str) -> None:
    data, pattern, chunk_size = case
    specials = SpecialTokens([])
    cutting = Cutting(specials, pattern, chunk_size)
    pieces = {
        "a text": list(cut_text("text", data, cutting)),
        "a file": list(cut("file", read_into(BytesIO(data).read), cutting)),
    }
    counts = list(Counter(right).items())  # in the order of their first places
    for what, parts in pieces.items():
        joined = b"".join(bytes(part.data) for part in parts)
        expect(joined, data, f"{what} in pieces of {chunk_size} bytes")
        table = WordTable(specials, scanner, in_order=True)
        for part in parts:
            expect(table.count(part.data, np.array([len(part.data)])), -1, "counting fails")
        expect(words_of(table), counts, f"{what} in pieces of {chunk_size}, {instruction_set}")


def words_of(table: WordTable) -> list[tuple[bytes, int]]:
    """Return the words of a table with their counts, in order."""
    ids, offsets, counts = table.words_in_order()
    data = ids.astype(np.uint8).tobytes()
    ends = offsets.tolist()
    words = [data[begin:end] for begin, end in pairwise(ends)]
    return list(zip(words, counts.tolist(), strict=True))
