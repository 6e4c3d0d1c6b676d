"""Random chains, and expressions alone, against `tokenizers`: words, counts with any cuts, ids."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from io import BytesIO
from random import Random
from typing import Any, NamedTuple

import bpetok
from bpetok.counting.chunks import count_pieces
from bpetok.counting.memory import RareWords
from bpetok.counting.options import check_count_options
from bpetok.patterns.builtin import PATTERNS, check_pattern, scanner_of
from bpetok.patterns.chains import (
    BEHAVIORS,
    BYTE_LEVEL,
    PREFIX_SPACE,
    Step,
    put_space,
    splits_of,
)
from bpetok.patterns.expressions import compile_expression, compile_splitter, split_piece
from bpetok.patterns.scan import split_words
from bpetok.sources.pieces import Chunk, Piece, cut, read_into, text_pieces
from campaigns.campaign import Campaign, expect
from campaigns.encoder import draw_merges
from campaigns.scanner import Scanning
from oracles import tokenizers_words
from reference import Pair, encode_word

ATOMS = [
    "a", "b", "c", "ab", "[ab]", "[^a]", "[a-c]", r"\p{L}", r"\p{N}", r"\s", r"\S",
    r"[^\s\p{L}\p{N}]", r"[^\r\n\p{L}\p{N}]", r"[\s\S]", " ", "!", r"\d", "é", r"[\r\n]", r"\p{Lu}",
    "(?:ab|a)", "(?:b|bc)", "中",
]  # fmt: skip
QUANTIFIERS = ["", "", "", "?", "*", "+", "{1,3}", "{2}", "+?", "??", "{2,}", "?+", "++"]
BEGINS = ["", "", "", "", "(?<=a)", "(?<!a)", r"(?<=\s)", "(?<![ab])", r"(?<=\d)", "^"]
ENDS = ["", "", "", "", r"(?!\S)", r"(?=\s)", "(?!a)", "(?=b)", r"(?=\d)", "(?![ab])", "$",
        "(?=a+b)", r"(?=\d*c)"]  # fmt: skip
NAMED = ["gpt2", "cl100k", "o200k", "superbpe", "qwen3.5", "tekken"]
WHOLE = [
    r"[\s\S]+", ".", r"[^\r\n\p{L}\p{N}]?\p{L}+", r"\s+(?!\S)", r"\s+(?!\S)|\s", "a+b|a", "a+b",
    "(?:ab)+c|a", r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))", r" ?[^\s\p{L}\p{N}]+", r"x+y|\s+(?!\S)",
    r"(?<=[a-s])[a-z]+|\d+", r"\w+@\w+|\w|\W", "a*b|a|b+c", "$", "(?=a)", "(?<=b)(?=a)",
    r"(?=(?:\d{3})+(?!\d))",
]  # fmt: skip
# Most of what these match is read again: what begins a match, what it then lacks, what remains.
LONG = [r"\w", r"[a-z]", "a", "[ab]", r"\S", "é", r"\p{L}", r"\d", r"(?<=a)b", r"(?<!a)\w"]
LACKED = ["@", ":", r"\.", "c", "1", "é@", "ab", r"\W", r"@\w+", r"-\w+", r"\n"]
SHORT = [r"\w", r"[\s\S]", r"\S", "[ab]", "a", "b", "(?<=a)b", "(?<!b)a", r"\w{2}", r"\w{1,2}",
         r"\W", r"\s", r" ?\w", r"\w(?!a)", r"\w(?=b)", r"(?<=a)\w+"]  # fmt: skip
ALPHABETS = ["ab", " ab", "abc1 ", "aab!\n", "ab é中", "a1 2b\n", "abcABC 12!.\r\n", "aé中🙂 1",
             "abc@", "aé@ ", "abé中:-1 "]  # fmt: skip

FEW = 5
"""Texts of a chain that is not compiled."""


class Case(NamedTuple):
    """A chain, texts, and the size of the chunks that they are cut into."""

    steps: list[tuple[str, str]]
    texts: list[str]
    merges: list[Pair]
    chunk_size: int


class Chains(Campaign[Case]):
    """Words of chains of one to four steps; counts of texts and files in chunks; ids."""

    case = Case

    def draw(self, random: Random) -> Case:
        """Few letters, some in long runs: what is compiled is tried in many states."""
        return Case(
            _steps(random),
            [_text(random) for _ in range(60)],
            draw_merges(random, b"ab c1\xc3\xa9"),
            random.choice((1, 3, 16, 64)),
        )

    def check(self, case: Case) -> None:
        """Where `regex`, step by step, finds what we find, engines differ in what they mean."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that an expression which is not compiled is slow
            try:
                pattern = check_pattern(_given(case.steps))
                scanner = scanner_of(pattern)
            except ValueError:
                self.counts["refused"] += 1
                return
            self._check(case, pattern, scanner)

    def _check(self, case: Case, pattern: str, scanner: Scanning | None) -> None:
        self.counts["not compiled" if scanner is None else "compiled"] += 1
        texts = case.texts if scanner is not None else case.texts[:FEW]
        steps = _given(case.steps)
        words = []
        for text in texts:
            found: Sequence[str | bytes]
            if scanner is None:
                found = [*compile_splitter(pattern)(text, "word", None)]
            else:
                found = split_words(text.encode(), scanner)
            right = tokenizers_words(steps, text)
            if found != right and found == words_by_regex(pattern, text):
                self.counts["engines differ"] += 1
                return
            expect(found, right, f"words of {text!r}")
            shown = [word.decode(errors="replace") for word in right]
            expect(bpetok.pretokenize(text, steps), shown, f"pretokenize({text!r})")
            words.append(right)
        _check_counts(texts, words, pattern, case.chunk_size)
        tok = bpetok.Tokenizer(merges=case.merges, pattern=steps)
        for text, right in zip(texts, words, strict=True):
            ids = [number for word in right for number in encode_word(word, case.merges)]
            expect(tok.encode(text), ids, f"encode({text!r})")


def words_by_regex(pattern: str, text: str) -> list[bytes]:
    """Return the words of a chain, each step by `regex`."""
    pieces = [text.encode()]
    for split in splits_of(pattern, PATTERNS):
        compiled = compile_expression(split.expression, may_be_empty=True)
        pieces = [
            piece[begin:end]
            for piece in pieces
            for begin, end in split_piece(compiled, split, piece, None)
        ]
        if split.spaced:
            pieces = [*map(put_space, pieces)]
    return pieces


def _given(steps: list[tuple[str, str]]) -> list[Step]:
    """Return a chain as users give it."""
    return [
        name if name in (BYTE_LEVEL, PREFIX_SPACE) else (name, behavior) for name, behavior in steps
    ]


def _check_counts(
    texts: list[str], words: list[list[bytes]], pattern: str, chunk_size: int
) -> None:
    options = check_count_options(pattern, ["<|>"], 1, "strict")
    cutting = options.cutting._replace(chunk_size=chunk_size)
    options = options._replace(cutting=cutting)

    def counted(pieces: Iterable[Piece | Chunk]) -> dict[bytes, int]:
        return count_pieces(pieces, options, RareWords()).to_dict()

    size = f"in pieces of {chunk_size}"
    right = Counter(word for some in words for word in some)
    expect(counted(text_pieces(texts, cutting)), right, f"counts of all texts {size}")
    text, longest = max(zip(texts, words, strict=True), key=lambda pair: len(pair[0]))
    file = cut("file", read_into(BytesIO(text.encode()).read), cutting)
    expect(counted(file), Counter(longest), f"counts of a file with {text!r} {size}")


def _steps(random: Random) -> list[tuple[str, str]]:
    steps: list[tuple[str, str]] = []
    for _ in range(random.choice((1, 2, 2, 2, 3, 3, 4))):
        behavior = random.choice(BEHAVIORS)
        kind = random.random()
        if kind < 0.07:
            steps.append(("digits", behavior))
        elif kind < 0.12:
            steps.append(("punctuation", behavior if behavior != "kept" else "removed"))
        elif kind < 0.15:
            steps.append(("whitespace", behavior))
        else:
            steps.append((_expression(random), behavior))
    if random.random() < 0.08:
        steps.insert(random.randrange(len(steps) + 1), (BYTE_LEVEL, "isolated"))
    if random.random() < 0.15:
        steps.insert(random.randint(1, len(steps)), (PREFIX_SPACE, "isolated"))
    return steps


def _expression(random: Random) -> str:
    kind = random.random()
    if kind < 0.2:
        return random.choice(WHOLE)
    if kind < 0.25:
        return random.choice(NAMED)
    if kind < 0.45:
        return _read_again(random)
    branches = []
    for _ in range(random.choice((1, 1, 1, 2, 2, 3))):
        parts = [
            random.choice(ATOMS) + random.choice(QUANTIFIERS)
            for _ in range(random.choice((1, 1, 2, 2, 3)))
        ]
        branches.append(random.choice(BEGINS) + "".join(parts) + random.choice(ENDS))
    return "|".join(branches)


def _read_again(random: Random) -> str:
    branches = [
        random.choice(("", "", " ?", "[^a]?"))
        + random.choice(LONG)
        + random.choice(("+", "+", "*", "{2,}", "{3,}", "+?"))
        + random.choice(LACKED)
        for _ in range(random.choice((1, 1, 2)))
    ]
    return "|".join([*branches, *random.choices(SHORT, k=random.choice((0, 1, 1, 2, 3)))])


def _text(random: Random) -> str:
    letters: Any = random.choice(ALPHABETS)
    text = "".join(random.choices(letters, k=random.randrange(random.choice((4, 8, 16, 40)))))
    if random.random() < 0.05:
        text += random.choice(letters) * random.choice((5, 17, 70, 300, 700))
        text += "".join(random.choices(letters, k=random.randrange(9)))
        text += random.choice(letters) * random.choice((0, 5, 300))
    return text
