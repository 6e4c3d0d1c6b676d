"""Patterns spelled for every engine: JavaScript's own, and others, split by them as here."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess

import pytest

from bpetok.patterns.builtin import NONE, PATTERNS, names
from bpetok.patterns.portable import portable_expression, portable_steps
from bpetok.patterns.pretokenize import pretokenize
from oracles import regex_words, tokenizers_words

OF_USERS = [
    r"(?i:kelvin|strasse)+|\w+|\W",
    r"\b\w+\b|[\s\S]",
    r"\p{Greek}+|\p{Han}|[^\p{Greek}\p{Han}]",
    r"\A-|[a-z&&[^aeiou]]++|.|\n",
    r"a{2}?b|\d{1,2}|[\]\-^\\~#&|/]+|[\s\S]",
    r"\s+$|\h+|[[:punct:]]|[\s\S]",
]
# Also what JavaScript takes otherwise: white space, long s and the Kelvin sign, digits.
PIECES = [
    *("'ſ", "'S", "'lL", "It's", "\ufeff", "\x85", "\u2028", "\x0b", "\x1c", "\u180e", "\u200b"),
    *(" ", "  ", "\t", "\n", "\r\n", "a", "É", "é", "\u0301", "中", "〇", "ー", "𠮷", "λ", "ǅ"),
    *("\u212aelvin", "STRASSE", "aab", "1", "12345", "½", "٣", "²", "𝟗", "Ⅷ"),
    *("_", "-", "'", "/", "!", "。", "$", "€", "🎉", "\u200d", "~", "#", "&", "\\", "]", "^", "|"),
]
SPLIT = """
const { steps, texts } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const split = (text, source) => {
  const pieces = [];
  let end = 0;
  for (const match of text.matchAll(new RegExp(source, "gu"))) {
    if (end < match.index) pieces.push(text.slice(end, match.index));
    pieces.push(match[0]);
    end = match.index + match[0].length;
  }
  return end < text.length ? [...pieces, text.slice(end)] : pieces;
};
const pieces = texts.map((t) => steps.reduce((all, s) => all.flatMap((x) => split(x, s)), [t]));
console.log(JSON.stringify(pieces));
"""


def made_texts() -> list[str]:
    choose = random.Random(0)
    made = ("".join(choose.choices(PIECES, k=choose.randint(1, 9))) for _ in range(400))
    return [*PIECES, *made]


TEXTS = made_texts()


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize("pattern", [*(name for name in names() if name != "falcon"), *OF_USERS])
def test_javascript_splits_alike(pattern: str) -> None:
    """Each step by its own engine; "falcon" sees spelled bytes, so tests/readers has it."""
    steps = [step for step, _ in portable_steps(pattern)]
    asked = json.dumps({"steps": steps, "texts": TEXTS})
    done = subprocess.run(
        ["node", "-e", SPLIT], input=asked.encode(), capture_output=True, check=True
    )
    assert json.loads(done.stdout) == [pretokenize(text, pattern) for text in TEXTS]


@pytest.mark.parametrize("pattern", names())
def test_tokenizers_splits_alike(pattern: str) -> None:
    """Chains, too; a word of "falcon" may end inside of a character."""
    steps = portable_steps(pattern)
    for text in TEXTS[:300]:
        words = [word.decode(errors="replace") for word in tokenizers_words(steps, text)]
        assert words == (pretokenize(text, pattern) if steps else [text])


@pytest.mark.parametrize("pattern", [*PATTERNS, *OF_USERS])
def test_regex_splits_alike(pattern: str) -> None:
    """And nothing is there that an engine lacks or takes otherwise."""
    expression = portable_expression(pattern)
    assert not re.search(r"\(\?[imsx>]|[+*?]\+|\\[bBdDhRwWAzZ]|&&|\[\[|\\s(?!\\S)", expression)
    for text in TEXTS:
        assert regex_words(expression, text) == pretokenize(text, pattern)


def test_what_has_no_such_spelling_is_refused() -> None:
    """With the reason."""
    for pattern, reason in (
        ("(?>a|ab)c|[\\s\\S]", "only what JavaScript lacks"),
        ("(?=a)|b", "a match of nothing at all"),
        ('[["-", "merged_with_next"]]', "does not know 'merged_with_next'"),
    ):
        with pytest.raises(ValueError, match=reason):
            portable_steps(pattern)
    with pytest.raises(ValueError, match="is a chain of steps"):
        portable_expression("deepseek")


def test_contiguous_matches_are_one_repetition() -> None:
    """Since transformers.js takes each behaviour but two for "isolated"."""
    steps = portable_steps('[["\\\\d", "contiguous"], ["[a-c]", "kept"]]')
    assert steps == [(r"(?:\p{Nd})+", "isolated"), ("[a-c]", "kept")]
    assert portable_steps("none") == []
    assert portable_expression("none") == NONE
