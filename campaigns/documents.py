"""Random tokenizer.json files against the library whose files they are."""

from __future__ import annotations

import json
import warnings
from random import Random
from typing import Any, NamedTuple

import tokenizers

from bpetok import Tokenizer
from bpetok.base.byte_characters import CHARACTERS
from bpetok.formats.pre_tokenizers import BYTE_LEVEL_ALONE
from bpetok.patterns.builtin import CHAINS, PATTERNS
from bpetok.patterns.normalizers import Normalizer
from campaigns.campaign import Campaign, expect
from campaigns.encoder import draw_merges
from reference import token_bytes

UNITS = [
    "a", "b", "A", "B", "ab", "I", "\u0130", "ß", "é", "e\u0301", "Å", "\u212b",
    "\ufb01", "\uff8a\uff9e", "한", "\u1112\u1161\u11ab", "中", "文", "🙂", "👍🏽", "\u200d",
    "\u0301", "\u0323\u0307", " ", " ", "  ", "\xa0", "\u3000", "\t", "\n", "\r\n",
    "\0", "\x7f", "1", "23", "٣", "²", "½", "'s", "'S", "don't", "!", "...", "_", "-",
    "<", ">", "|", "#",
]  # fmt: skip
NAMES = [
    "<s>", "a<s>", "a<", "<|end|>", "<|", "<|end|><", "ab", "AB", "a", "中<A", "🙂", " ", "  ", "!",
    "\u0120a", "b\u00e9", "\u00c3\u00a9",  # which spell " a", a byte that is no text alone, and "é"
]  # fmt: skip
EXPRESSIONS = [
    r"\p{L}+", r"\s+|\S", r"\w+|\W", r"\s+(?!\S)", r"[a-b]+", r"(?i:ab?)+", r"\p{N}{1,3}",
    r"'(?i:[sdmt]|ll)", r"[^\r\n\p{L}\p{N}]?\p{L}+", r"\bab?\b", r"\d", r"(?<=a)b", r"$",
    r"[[:punct:]]+", r"\X", r" ?[^\s\p{L}\p{N}]+", "b+?", "中|🙂",
]  # fmt: skip
BEHAVIORS = ["Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"]


class Case(NamedTuple):
    """A tokenizer.json, as text, and texts."""

    document: str
    texts: list[str]


class Documents(Campaign[Case]):
    """Normalizers, added tokens with flags, chains, expressions, whole words; written back, too."""

    case = Case

    def draw(self, random: Random) -> Case:
        """Each part is there in a half of the files."""
        units = random.sample(UNITS, random.randint(2, 12))
        merges = draw_merges(random, "".join(units).encode())
        spelled = list(map(_spelled, token_bytes(merges)))
        pairs = [f"{spelled[left]} {spelled[right]}" for left, right in merges]
        words = [_spelled(_text(random, units, 3).encode()) for _ in range(random.choice((0, 3)))]
        words += random.sample(NAMES, random.choice((0, 0, 1, 2)))
        # Names that are not spelled, perhaps of a token that is there spelled, too.
        words += [_text(random, units, 2) for _ in range(random.choice((0, 0, 3)))]
        names = dict.fromkeys([*spelled, *filter(None, words)])
        n_made = len({*spelled})  # two merges may make the same token
        gap = random.randint(n_made, len(names)) if random.random() < 0.2 else len(names)
        vocab = {name: number + 2 * (number >= gap) for number, name in enumerate(names)}
        added = [_added(random, name) for name in random.sample(NAMES, random.choice((0, 0, 1, 3)))]
        n_ids = len(vocab)
        for row in added:
            row["id"] = vocab.get(row["content"], n_ids)
            n_ids += row["id"] == n_ids
        document = {
            "version": "1.0",
            "added_tokens": added,
            "normalizer": _normalizer(random, units),
            "pre_tokenizer": _pre_tokenizer(random, units),
            "decoder": BYTE_LEVEL_ALONE,
            "model": {
                "type": "BPE",
                "ignore_merges": random.random() < 0.3,
                "vocab": vocab,
                "merges": list(dict.fromkeys(pairs)),
            },
        }
        contents = [row["content"] for row in added]
        texts = [
            _text(random, [*units, *units, *contents], 12) for _ in range(random.randint(1, 6))
        ]
        return Case(json.dumps(document, ensure_ascii=False), texts)

    def check(self, case: Case) -> None:
        """Ids and decoded text; then the same of the file that is written back."""
        path = self.scratch / "tokenizer.json"
        path.write_text(case.document)
        try:
            theirs = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # of this very class
            if type(error) is not Exception:
                raise
            self.counts["refused there"] += 1
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                tok = Tokenizer.from_pretrained(path)
            except ValueError as error:
                if "tokenizer.json: " not in str(error):
                    raise
                self.counts["refused"] += 1
                return
            if _is_drawn(tok):
                self.counts["drawn there"] += 1
                return
            _compare(tok, theirs, case.texts)
            warnings.filterwarnings("error", "a word .* that is left in a text")
            try:
                tok.save_pretrained(self.scratch / "saved")
            except (ValueError, UserWarning):
                self.counts["not written back"] += 1
                return
            saved = self.scratch / "saved" / "tokenizer.json"
            again = Tokenizer.from_pretrained(saved)
        written = tokenizers.Tokenizer.from_file(str(saved))
        _compare(tok, written, case.texts)
        expect(written.get_vocab(), theirs.get_vocab(), "the vocabulary that is written back")
        expect(again, tok, "a tokenizer that was written and read back")
        self.counts["written back"] += 1


def _is_drawn(tok: Tokenizer) -> bool:
    # Of added tokens that are one when they are normalized tokenizers 0.23 finds any one: it draws
    # which whenever it loads a file. Up to 0.22 it was the first one, special ones before others.
    if tok.normalizer is None:
        return False
    normalize = Normalizer(tok.normalizer)
    names = [normalize(t.content.encode()) for t in tok.added_tokens if t.normalized]
    return len({*names}) < len(names)


def _compare(tok: Tokenizer, theirs: tokenizers.Tokenizer, texts: list[str]) -> None:
    # Of a token that is normalized the result is decoded there: with other names for bytes, and not
    # known as special.
    decodes = tok.normalizer is None or not any(token.normalized for token in tok.added_tokens)
    for text in texts:
        ids = tok.encode(text, allowed_special="all")
        try:
            right = theirs.encode(text, add_special_tokens=False).ids
        except BaseException as error:  # what Rust calls a panic is no Exception
            if type(error).__name__ != "PanicException":
                raise
            return
        expect(ids, right, f"encode({text!r})")
        for skip in (False, True) if decodes else ():
            decoded = theirs.decode(ids, skip_special_tokens=skip)
            expect(tok.decode(ids, skip_special_tokens=skip), decoded, f"decode({ids}, {skip})")
    rows = tok.encode_batch(texts, allowed_special="all")
    batch = theirs.encode_batch(texts, add_special_tokens=False)
    expect(rows, [one.ids for one in batch], "encode_batch")


def _spelled(token: bytes) -> str:
    return "".join(CHARACTERS[byte] for byte in token)


def _text(random: Random, units: list[str], most: int) -> str:
    parts = random.choices(units, k=random.randint(0, most))
    return "".join(part * random.choice((1, 1, 1, 1, 2, 3, 17)) for part in parts)


def _added(random: Random, name: str) -> dict[str, Any]:
    flags = ("single_word", "lstrip", "rstrip", "normalized", "special")
    return {"content": name, **{flag: random.random() < 0.3 for flag in flags}}


def _normalizer(random: Random, units: list[str]) -> dict[str, Any] | None:
    if random.random() < 0.5:
        return None
    steps = [_normalizing(random, units) for _ in range(random.choice((1, 1, 2, 3)))]
    return steps[0] if len(steps) == 1 else {"type": "Sequence", "normalizers": steps}


def _normalizing(random: Random, units: list[str]) -> dict[str, Any]:
    kind = random.choice(["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Strip",
                          "Prepend", "Replace", "Replace", "Nmt"])  # fmt: skip
    step: dict[str, Any] = {"type": kind}
    if kind == "Strip":
        step |= {"strip_left": random.random() < 0.5, "strip_right": random.random() < 0.5}
    if kind == "Prepend":
        step["prepend"] = random.choice(units)
    if kind == "Replace":
        # Of a text with something where nothing was, tokenizers 0.23 takes parts twice, or panics.
        expressions = [expression for expression in EXPRESSIONS if expression != "$"]
        pattern = _pattern(random, units, expressions)
        step |= {"pattern": pattern, "content": random.choice(["", "_", "ab", " "])}
    return step


def _pattern(random: Random, units: list[str], expressions: list[str]) -> dict[str, str]:
    if random.random() < 0.3:
        return {"String": random.choice(units)}
    return {"Regex": random.choice(expressions)}


def _pre_tokenizer(random: Random, units: list[str]) -> dict[str, Any]:
    if random.random() < 0.2:
        flags = {"add_prefix_space": random.random() < 0.5, "use_regex": random.random() < 0.7}
        return BYTE_LEVEL_ALONE | flags
    steps = [_splitting(random, units) for _ in range(random.choice((1, 1, 1, 2, 3)))]
    if random.random() < 0.2:
        chain = random.choice([*CHAINS.values()])
        steps = [_split(step, "Isolated") for step in chain if isinstance(step, str)]
    flags = {}
    if random.random() < 0.2:
        flags = {"add_prefix_space": True, "use_regex": random.random() < 0.5}
    return {"type": "Sequence", "pretokenizers": [*steps, BYTE_LEVEL_ALONE | flags]}


def _split(expression: str, behavior: str, invert: bool = False) -> dict[str, Any]:
    pattern = {"Regex": PATTERNS.get(expression, expression)}
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def _splitting(random: Random, units: list[str]) -> dict[str, Any]:
    kind = random.choice(["Split", "Split", "Split", "Split", "Digits", "Punctuation",
                          "WhitespaceSplit", "Whitespace", "BertPreTokenizer"])  # fmt: skip
    if kind == "Split":
        expression = random.choice([*EXPRESSIONS, *PATTERNS.values()])
        split = _split(expression, random.choice(BEHAVIORS), random.random() < 0.3)
        if random.random() < 0.2:
            split["pattern"] = _pattern(random, units, EXPRESSIONS)
        return split
    if kind == "Digits":
        return {"type": kind, "individual_digits": random.random() < 0.5}
    if kind == "Punctuation":
        return {"type": kind, "behavior": random.choice(BEHAVIORS)}
    return {"type": kind}
