"""``python -m campaigns.texts FILE...``: the words of whole files, against three other libraries.

Each pattern that has a name and each expression of ``tests/published.py`` is held against `regex`,
each chain against `tokenizers`, and the ids of a small tokenizer against `tiktoken` with the same
expression. A file is taken in parts that end where a line does. Characters that these libraries
know from other versions of Unicode are left out. About half a minute for each MB.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import regex

import bpetok
from bpetok.patterns.builtin import CHAINS, PATTERNS, check_pattern, scanner_of
from bpetok.patterns.chains import Step
from bpetok.patterns.scan import split_words
from campaigns.scanner import CHANGED_SINCE
from oracles import regex_words, tokenizers_words
from published import CHAINS as PUBLISHED_CHAINS
from published import EXPRESSIONS
from reference import assigned_in_unicode_16

PART = 2_000_000
TRAINED_ON = 500_000
VOCAB_SIZE = 2_000

Check: TypeAlias = Callable[[str], bool]
"""Tells whether a text is split alike."""


def _alike(words: Sequence[bytes], others: Sequence[bytes]) -> bool:
    return len(words) == len(others) and b"\0".join(words) == b"\0".join(others)


def _check_expression(expression: str) -> Check:
    scanner = scanner_of(check_pattern(expression), "word")
    assert scanner is not None, expression

    def check(text: str) -> bool:
        words, others = split_words(text.encode(), scanner), regex_words(expression, text)
        return len(words) == len(others) and b"\0".join(words) == "\0".join(others).encode()

    return check


def _check_chain(steps: list[Step]) -> Check:
    scanner = scanner_of(check_pattern(steps))
    assert scanner is not None, steps
    return lambda text: _alike(split_words(text.encode(), scanner), tokenizers_words(steps, text))


def _check_ids(expression: str, sample: str) -> Check:
    options = {"pattern": expression, "unmatched": "word", "vocab_size": VOCAB_SIZE}
    tokenizer = bpetok.train_from_iterator([sample], **options)  # type: ignore[arg-type]  # a mixed dict
    encoding = tokenizer.to_tiktoken()
    return lambda text: tokenizer.encode(text) == encoding.encode_ordinary(text)


def checks(sample: str) -> dict[str, Check]:
    """Return all that is held against other libraries."""
    found: dict[str, Check] = {}
    expressions = {**{n: PATTERNS[n] for n in PATTERNS if n != "none"}, **EXPRESSIONS}
    for name, expression in expressions.items():
        found[f"regex: {name}"] = _check_expression(expression)
        text = sample[:100_000]
        if not regex.sub(expression, "", text, flags=regex.V1 if "&&" in expression else regex.V0):
            found[f"tiktoken: {name}"] = _check_ids(expression, sample)
    for name, steps in {**CHAINS, **PUBLISHED_CHAINS}.items():
        found[f"tokenizers: {name}"] = _check_chain(list(steps))
    return found


def parts(path: Path) -> Iterator[str]:
    """Yield a text in parts."""
    with path.open(encoding="utf-8", errors="ignore", newline="") as file:
        while part := file.read(PART):
            part += file.readline()
            unknown = {c for c in set(part) if not assigned_in_unicode_16(c)} | {CHANGED_SINCE}
            yield part.translate(dict.fromkeys(map(ord, unknown)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare; returns 1 if words differ."""
    parser = argparse.ArgumentParser(prog="python -m campaigns.texts", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--only", default="", help="those whose names have this in them")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    status = 0
    for path in options.files:
        sample = next(parts(path))[:TRAINED_ON]
        wanted = {n: check for n, check in checks(sample).items() if options.only in n}
        differ = dict.fromkeys(wanted, 0)
        n_characters = 0
        for text in parts(path):
            n_characters += len(text)
            for name, check in wanted.items():
                differ[name] += not check(text)
        for name, n in differ.items():
            print(f"{path.name}: {name}: {n_characters:,} characters, {n} parts differ")
            status |= n > 0
    return status


if __name__ == "__main__":
    sys.exit(main())
