"""What a tokenizer.json says is read, or refused by its place and the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from bpetok.base.byte_characters import CHARACTERS as SPELLED
from bpetok.encoding.added_tokens import AddedToken
from bpetok.encoding.text_decoders import text_steps
from bpetok.formats.checks import check_ids_equal
from bpetok.formats.pre_tokenizers import read
from bpetok.formats.tokenizer_json import parse
from bpetok.patterns.builtin import GPT2, PATTERNS, SPELLINGS
from bpetok.patterns.pretokenize import pretokenize
from bpetok.tokenizer import Tokenizer
from samples import BYTE_LEVEL, TOKENIZERS, document, vocab_without


def test_a_text_that_is_not_split_is_one_word(tmp_path: Path) -> None:
    """ByteLevel(use_regex=False) alone."""
    (tmp_path / "tokenizer.json").write_bytes(document(pre_tokenizer=BYTE_LEVEL))
    tok = Tokenizer.from_pretrained(tmp_path)
    assert tok.pattern == "none"
    assert tok.encode("abc abc") == [258, 32, 258]


TIKTOKENS = next(e for e, name in SPELLINGS.items() if name == "cl100k")


def split(expression: str, behavior: str = "Isolated", invert: bool = False) -> dict[str, Any]:
    """Return a step that splits by an expression."""
    pattern = {"Regex": expression}
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def sequence(*steps: dict[str, Any], key: str = "pretokenizers") -> dict[str, Any]:
    """Return a pre-tokenizer of several steps; or a normalizer, a decoder, by another key."""
    return {"type": "Sequence", key: list(steps)}


METASPACE = {"type": "Metaspace", "replacement": "\u2581", "split": True}
SPACED = BYTE_LEVEL | {"add_prefix_space": True, "use_regex": False}


DAMAGED_JSON = {
    "empty": (b"", "line 1 column 1"),
    "cut": (document()[:-40], "line 1 column"),
    "not UTF-8": (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
    "deep": (b"[" * 200_000, "nested too deeply"),
    "array": (b"[]", "the file must be an object, got "),
    "no model": (b"{}", "model must be an object, got None"),
    "twice": (b'{"model": 1, "model": 2}', "a name occurs twice"),
    "other model": (document(model__type="Unigram"), "model.type: 'Unigram' can't be"),
    "dropout": (document(model__dropout=1.1), "model.dropout: 1.1 can't be represented"),
    "prefix": (document(model__continuing_subword_prefix="##"), "continuing_subword_prefix"),
    "suffix": (document(model__end_of_word_suffix="</w>"), "end_of_word_suffix: '</w>'"),
    "decoder": (document(decoder={"type": "Metaspace"}), "decoder: .*Metaspace"),
    "no pre-tokenizer": (document(pre_tokenizer=None), "pre_tokenizer: None can't be"),
    "split by what is no expression": (
        document(pre_tokenizer=sequence({"type": "Split", "behavior": "Isolated"}, BYTE_LEVEL)),
        r"pretokenizers\[0\]\.pattern\.Regex must be a string, got None",
    ),
    "no ByteLevel": (
        document(pre_tokenizer=sequence({"type": "Digits", "individual_digits": True})),
        "pre_tokenizer: .* must have one ByteLevel",
    ),
    "two ByteLevels": (document(pre_tokenizer=sequence(BYTE_LEVEL, BYTE_LEVEL)), "have one"),
    "an unknown pre-tokenizer": (
        document(pre_tokenizer=sequence({"type": "Chunks"}, BYTE_LEVEL)),
        r"pretokenizers\[0\]: .*Chunks.* no pattern can say that",
    ),
    "an unknown behavior": (
        document(pre_tokenizer=sequence(split("x+", "Doubled"), BYTE_LEVEL)),
        r"pretokenizers\[0\]\.behavior: 'Doubled'",
    ),
    "a sequence of nothing": (document(pre_tokenizer={"type": "Sequence"}), "must be an array"),
    "an escape of Oniguruma": (
        document(pre_tokenizer=sequence(split(r"\X+"), BYTE_LEVEL)),
        r"Regex: .* can't be represented: the file's engine takes .*X for a grapheme",
    ),
    "huge id": (document(model__vocab=vocab_without(ab=10**12)), "must be from 0 to 2[*][*]31"),
    "far id": (document(model__vocab=vocab_without(ab=2 * 10**9)), "ids must be less than"),
    "negative id": (document(model__vocab=vocab_without(ab=-1)), "must be from 0 to"),
    "id of text": (document(model__vocab=vocab_without(ab="256")), "vocab.*'256' can't be"),
    "true id": (document(model__vocab=vocab_without(ab=True)), "True can't be represented"),
    "same id": (document(model__vocab=vocab_without(ab=97)), "97, the id of an earlier token"),
    "a token of which nothing is left": (
        document(
            normalizer={"type": "Strip", "strip_left": True, "strip_right": True},
            model__vocab=vocab_without("<s>"),
            added_tokens__0__content="  ",
            added_tokens__0__normalized=True,
        ),
        r"added_tokens\[0\]\.content: '  ' can't be represented: the normalizer leaves nothing",
    ),
    "a flag of text": (
        document(added_tokens__0__special="false"),
        r"added_tokens\[0\]\.special must be true or false, got 'false'",
    ),
    "a flag of a number": (document(added_tokens__0__rstrip=3), "rstrip must be true or false"),
    "special taken": (
        document(model__vocab=vocab_without("<s>") | {"ab": 259, "abc": 500}),
        "the id of '<s>' is 259, which another token has",
    ),
    "unknown and not there": (
        document(model__vocab=vocab_without("q"), model__unk_token="<unk>"),
        "model.unk_token: '<unk>' .* has no id, and 1 of 256 bytes have none, first 0x71",
    ),
    "unknown and merged": (
        document(model__vocab=vocab_without("q"), model__unk_token="ab"),
        "model.unk_token: 'ab' .* the merge 'ab c' joins it",
    ),
    "bytes that become others": (
        document(model__vocab=vocab_without("q", **{"<0x71>": 300}), model__byte_fallback=True),
        "model.byte_fallback: .* 0x71 has no id and would become <0x71>",
    ),
    "special number": (document(added_tokens__0__content=5), r"added_tokens\[0\].content must be"),
    "cyclic": (document(model__merges=["ab ab", "a b"]), r"merges\[0\] makes b'abab'"),
    "not in vocab": (document(model__merges=["a b", "x y"]), r"merges\[1\] makes b'xy'"),
    "three": (document(model__merges=["a b c"]), r"merges\[0\]: 'a b c' can't be"),
    "merge of numbers": (document(model__merges=[[1, 2]]), r"merges\[0\]: \[1, 2\] can't be"),
    "merges object": (document(model__merges={}), "model.merges must be an array"),
}


@pytest.mark.parametrize("name", DAMAGED_JSON)
def test_a_damaged_tokenizer_json_is_refused_by_name_and_place(name: str, tmp_path: Path) -> None:
    """Or what can't be represented."""
    data, message = DAMAGED_JSON[name]
    path = tmp_path / "tokenizer.json"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"tokenizer.json: .*{message}"):
        Tokenizer.from_pretrained(tmp_path)


def test_words_are_what_they_are_in_oniguruma() -> None:
    """Every character that Unicode 16 has assigned."""
    tokenizers = pytest.importorskip("tokenizers")
    theirs = tokenizers.pre_tokenizers.Split(tokenizers.Regex(r"\w"), "removed")
    pattern = read(sequence(split(r"\w", "Removed"), BYTE_LEVEL)).pattern
    assigned = reference.assigned_characters()
    for first in range(0, len(assigned), 1000):
        text = assigned[first : first + 1000]
        kept = "".join(piece for piece, _ in theirs.pre_tokenize_str(text))
        assert "".join(pretokenize(text, pattern)) == kept


def added(*rows: AddedToken) -> dict[str, Any]:
    """Return what changes a document has so that it has these added tokens."""
    vocab = vocab_without("<s>") | {row.content: row.id for row in rows}
    return {"model__vocab": vocab, "added_tokens": [row._asdict() for row in rows]}


READ = {
    "names that spell no bytes, which are no words": document(
        model__vocab=vocab_without(**{" b": 260, "xyz": 261, "\u00a0x": 262}),
        model__ignore_merges=True,
    ),
    "such names only": document(
        model__vocab=vocab_without(**{"  ": 260, "\U0001f642": 261}), model__ignore_merges=True
    ),
    "added tokens with flags": document(
        **added(
            AddedToken("<s>", 259, lstrip=True),
            AddedToken("<t>", 260, rstrip=True, special=False),
            AddedToken("ab", 261, single_word=True),
        )
    ),
    "added tokens of two kinds": document(
        **added(AddedToken("xy", 300, normalized=True), AddedToken("yz", 301))
    ),
    "added tokens of two kinds that begin alike": document(
        **added(AddedToken("<t>", 300, normalized=True), AddedToken("<t>s", 301))
    ),
    "normalized tokens": document(
        normalizer={
            "type": "Sequence",
            "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}],
        },
        **added(
            AddedToken("<S>", 259, normalized=True),
            AddedToken("\u4e2d<A", 260, normalized=True, lstrip=True),
            AddedToken("  ", 261, normalized=True, special=False),
            AddedToken("<T>", 262),
        ),
    ),
    "byte fallback that is never needed": document(model__byte_fallback=True),
    "a normalizer": document(normalizer={"type": "NFC"}),
    "a normalizer without steps": document(normalizer={"type": "Sequence", "normalizers": []}),
    "several normalizers": document(
        normalizer={
            "type": "Sequence",
            "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"}],
        }
    ),
    "a missing byte": document(model__vocab=vocab_without("q")),
    "missing bytes": document(
        model__vocab=vocab_without("q", "Ġ", "Ã"),
        model__merges=["a b", "b c", "ab c"],
    ),
    "a name that no bytes spell": document(model__vocab=vocab_without(**{"a b": 300})),
    "such names, and tokens of the same bytes that a text gives": document(
        model__vocab=vocab_without(
            **{"\u00a0": 300, "\u00c2\u0142": 301, " b": 302, "\u0120b": 303}
        ),
        model__merges=["\u00c2 \u0142", "a b", "b c", "ab c", "\u0120 b"],
    ),
    "such names, words are taken whole": document(
        model__vocab=vocab_without(**{"\u4e2d": 300, "\u00e4\u00b8\u0143": 301}),
        model__ignore_merges=True,
    ),
    "a token that no merge makes next to a name": document(
        model__vocab=vocab_without(**{"\u4e2d": 300, "\u0120\u0120": 301, "\u00a0": 302}),
    ),
    "such a name, words are taken whole": document(
        model__vocab=vocab_without(**{"a b": 300, "é e": 301}),
        model__ignore_merges=True,
        pre_tokenizer=BYTE_LEVEL,
    ),
    "an empty name": document(model__vocab=vocab_without(**{"": 300})),
    "no merge for a token": document(model__vocab=vocab_without(xyz=300)),
    "a token that is taken whole": document(
        model__ignore_merges=True, model__merges=["a b", "b c", "a bc"]
    ),
    "a merge before that of its part": document(model__merges=["ab c", "a b"]),
    "a space before each text": document(pre_tokenizer=BYTE_LEVEL | {"add_prefix_space": True}),
    "a space before each piece": document(pre_tokenizer=sequence(split("x+"), SPACED)),
    "a space before each piece, which is then split": document(
        pre_tokenizer=sequence(split(r"\s+", "Removed"), SPACED | {"use_regex": True})
    ),
    "a space before each piece, split again by characters of bytes": document(
        pre_tokenizer=sequence({"type": "Whitespace"}, SPACED, split("\u0120a|\u00c3"))
    ),
    "a space before each piece, taken whole": document(
        pre_tokenizer=sequence({"type": "Digits", "individual_digits": True}, SPACED),
        model__vocab=vocab_without() | {"\u0120xy": 300},
        model__ignore_merges=True,
    ),
    "a space before each piece that signs make": document(
        pre_tokenizer=sequence(METASPACE, SPACED | {"use_regex": True})
    ),
    "a space before a text of signs": document(
        pre_tokenizer=sequence(METASPACE | {"split": False}, SPACED)
    ),
    "a space before a text of signs, split again": document(
        pre_tokenizer=sequence(
            METASPACE | {"split": False}, SPACED | {"use_regex": True}, split("a")
        )
    ),
    "two splits": document(
        pre_tokenizer=sequence(
            {"type": "Digits", "individual_digits": True}, split(r"\s+", "Removed"), BYTE_LEVEL
        )
    ),
    "another pattern": document(pre_tokenizer=sequence(split("b+"), BYTE_LEVEL)),
    "a name for an expression": document(pre_tokenizer=sequence(split("llama3"), BYTE_LEVEL)),
    "a step's name for an expression": document(
        pre_tokenizer=sequence(split("digits"), split("b", "MergedWithNext"), BYTE_LEVEL)
    ),
    "an interval with a plus": document(pre_tokenizer=sequence(split(TIKTOKENS), BYTE_LEVEL)),
    "another interval with a plus": document(
        pre_tokenizer=sequence(split(r"\w{2}+|\W"), BYTE_LEVEL)
    ),
    "the end of a line": document(pre_tokenizer=sequence(split(r"\s+$|[$^]x"), BYTE_LEVEL)),
    "hexadecimal digits": document(pre_tokenizer=sequence(split(r"\h+"), BYTE_LEVEL)),
    "borders of words": document(pre_tokenizer=sequence(split(r"\bt\w+\B"), BYTE_LEVEL)),
    "a class in a class": document(pre_tokenizer=sequence(split(r"[^(\s|[.,])]+"), BYTE_LEVEL)),
    "replaced at each end of a line": document(
        normalizer={"type": "Replace", "pattern": {"Regex": r" +$"}, "content": "_"}
    ),
    "a decoder in a sequence": document(decoder={"type": "Sequence", "decoders": [BYTE_LEVEL]}),
    "a byte that is unknown": document(
        model__vocab=vocab_without("q", "\u0120"), model__unk_token="<s>", model__byte_fallback=True
    ),
    "bytes that are unknown together": document(
        model__vocab=vocab_without(*SPELLED[0x80:], "q"),
        model__unk_token="<s>",
        model__fuse_unk=True,
    ),
    "what is unknown, by a name that no bytes spell": document(
        model__vocab=vocab_without("q", **{"\u2047": 300}), model__unk_token="\u2047"
    ),
    "an unknown word": document(
        model__vocab=vocab_without("q", "zq"), model__unk_token="abc", model__ignore_merges=True
    ),
    "removed matches": document(pre_tokenizer=sequence(split("b+", "Removed"), BYTE_LEVEL)),
    "kept matches": document(pre_tokenizer=sequence(split(r"\w+", "Removed", True), BYTE_LEVEL)),
    "split by a string": document(
        pre_tokenizer=sequence(
            split("") | {"pattern": {"String": "b."}}, {"type": "Punctuation"}, BYTE_LEVEL
        )
    ),
    "split twice": document(pre_tokenizer=sequence(split(GPT2), BYTE_LEVEL | {"use_regex": True})),
    "sequences in sequences": document(
        pre_tokenizer=sequence(
            sequence({"type": "Digits", "individual_digits": False}), sequence(BYTE_LEVEL)
        )
    ),
    "as BERT splits": document(pre_tokenizer=sequence({"type": "BertPreTokenizer"}, BYTE_LEVEL)),
    "spaces left out": document(pre_tokenizer=sequence({"type": "WhitespaceSplit"}, BYTE_LEVEL)),
    "all but words": document(pre_tokenizer=sequence(split(r"[^\w\s]+|\W\w"), BYTE_LEVEL)),
    "words of white space": document(pre_tokenizer=sequence({"type": "Whitespace"}, BYTE_LEVEL)),
    "a delimiter": document(
        pre_tokenizer=sequence({"type": "CharDelimiterSplit", "delimiter": "-"}, BYTE_LEVEL)
    ),
    "characters of bytes, made by the normalizer": document(
        normalizer={"type": "ByteLevel"}, pre_tokenizer=None
    ),
    "characters of bytes, which are split": document(
        normalizer=sequence({"type": "NFC"}, {"type": "ByteLevel"}, key="normalizers"),
        pre_tokenizer=split("\u0120|\u00c3"),
        added_tokens__0__normalized=True,
    ),
    "signs for spaces": document(
        pre_tokenizer=sequence(METASPACE | {"prepend_scheme": "always"}, BYTE_LEVEL)
    ),
    "signs for spaces, none before": document(
        normalizer={"type": "NFC"},
        pre_tokenizer=sequence(METASPACE | {"prepend_scheme": "never", "split": False}, BYTE_LEVEL),
    ),
    "signs for spaces, and split again": document(
        pre_tokenizer=sequence(METASPACE, {"type": "Punctuation"}, BYTE_LEVEL)
    ),
    "pieces of a length": document(
        pre_tokenizer=sequence({"type": "FixedLength", "length": 3}, BYTE_LEVEL)
    ),
    "pieces of a length, of bytes": document(
        pre_tokenizer=sequence(BYTE_LEVEL, {"type": "FixedLength", "length": 2})
    ),
    "scripts": document(pre_tokenizer=sequence({"type": "UnicodeScripts"}, BYTE_LEVEL)),
    "as BERT normalizes": document(
        normalizer={
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        }
    ),
    "as NMT normalizes": document(normalizer={"type": "Nmt"}),
    "signs for spaces, both ways": document(
        pre_tokenizer=sequence(METASPACE | {"prepend_scheme": "never"}, BYTE_LEVEL),
        decoder=sequence(BYTE_LEVEL, METASPACE | {"prepend_scheme": "never"}, key="decoders"),
    ),
    "two ways, the first is taken": document(model__merges=["b c", "a bc", "a b", "ab c"]),
    "two ways, the second is taken": document(model__merges=["a b", "b c", "a bc", "ab c"]),
}


# What no automaton can say, so that the `regex` module splits.
READ_BY_REGEX = {
    "a space before each piece": document(pre_tokenizer=sequence(split(r"b|\s*"), SPACED)),
    "scripts, of bytes": document(
        pre_tokenizer=sequence(split(r"b|\s*"), BYTE_LEVEL, {"type": "UnicodeScripts"})
    ),
    "a match of nothing": document(pre_tokenizer=sequence(split(r"b|\s*"), BYTE_LEVEL)),
    "matches of nothing that are joined": document(
        pre_tokenizer=sequence(split(r"b|\s*", "MergedWithNext"), BYTE_LEVEL)
    ),
    "left out by what is not compiled": document(
        pre_tokenizer=sequence(split(r"(a)\1|\s(?=.b)", "Removed"), BYTE_LEVEL)
    ),
}


@pytest.mark.parametrize("name", READ_BY_REGEX)
@pytest.mark.filterwarnings("ignore:pattern .* can't be compiled to a scanner:UserWarning")
def test_what_is_not_compiled_is_read(name: str, tmp_path: Path) -> None:
    """As that which is."""
    check_read(READ_BY_REGEX[name], tmp_path)


LOWER = {"type": "Lowercase"}


@pytest.mark.parametrize("ignore_merges", [True, False])
@pytest.mark.parametrize("in_vocabulary", [True, False])
@pytest.mark.parametrize(
    ("flags", "normalizer"),
    [
        ({"single_word": True}, None),
        ({"single_word": True, "normalized": True}, LOWER),
        ({"normalized": False}, LOWER),
        ({"normalized": True}, LOWER),
        ({}, None),
    ],
)
def test_a_word_may_be_spelled_as_an_added_token(
    flags: dict[str, bool],
    normalizer: dict[str, str] | None,
    in_vocabulary: bool,
    ignore_merges: bool,
    tmp_path: Path,
) -> None:
    """Where it is not matched as one: words that are taken whole are then found in the vocabulary.

    So it matters whether the token is there, also in what is written.
    """
    tokenizers = pytest.importorskip("tokenizers")
    split_off = sequence(split("x", "Removed"), BYTE_LEVEL | {"use_regex": False})
    changes = {f"added_tokens__0__{name}": value for name, value in flags.items()}
    vocab = vocab_without() if in_vocabulary else vocab_without("<s>")
    model = {"model__vocab": vocab, "model__ignore_merges": ignore_merges}
    content = document(pre_tokenizer=split_off, normalizer=normalizer, **changes, **model)
    (tmp_path / "tokenizer.json").write_bytes(content)
    tok = Tokenizer.from_pretrained(tmp_path)
    tok.save_pretrained(tmp_path / "again")
    texts = ("<s>", "x<s>x", "a<s>xb", "x<S>x", "x<S>", "ab<s>", "<s>ab x<s> <s>x")
    for folder in (tmp_path, tmp_path / "again"):
        theirs = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        ours = Tokenizer.from_pretrained(folder)
        for text in texts:
            right = theirs.encode(text).ids
            for each in (tok, ours):
                assert each.encode(text, allowed_special="all") == right, text


def replace(pattern: str, content: str) -> dict[str, Any]:
    """Return a normalizer."""
    return {"type": "Replace", "pattern": {"String": pattern}, "content": content}


KEPT: dict[str, tuple[dict[str, Any], list[AddedToken], dict[str, Any] | None]] = {
    "one before it, one after it": (
        {},
        [AddedToken("<t>", 260), AddedToken("<u>", 261, single_word=True), AddedToken("<v>", 262)],
        None,
    ),
    "one after it with an id far behind, in the vocabulary": (
        {"<t>": 300},
        [AddedToken("<u>", 261, single_word=True), AddedToken("<t>", 300)],
        None,
    ),
    "one after it beside, one in the vocabulary": (
        {"<t>": 300},
        [
            AddedToken("<u>", 261, single_word=True),
            AddedToken("<v>", 262),
            AddedToken("<t>", 300),
        ],
        None,
    ),
    "in the vocabulary with an id far behind, then beside": (
        {"<t>": 300},
        [AddedToken("<t>", 300), AddedToken("<u>", 261)],
        None,
    ),
    "inside of one that is not matched": (
        {"<u>": 260, "a<u>": 261},
        [AddedToken("<u>", 260), AddedToken("a<u>", 261, single_word=True)],
        None,
    ),
    "where one that is not matched ends": (
        {"<u>": 260, "a<": 261},
        [AddedToken("<u>", 260), AddedToken("a<", 261, single_word=True)],
        None,
    ),
    "inside of one, beside": (
        {},
        [AddedToken("<u>", 260), AddedToken("a<u>", 261, single_word=True)],
        None,
    ),
    "what the normalizer replaces, and makes later": (
        {"<u>": 260},
        [AddedToken("<u>", 260, normalized=True)],
        sequence(replace("u", "v"), replace("a", "u"), key="normalizers"),
    ),
    "what comes before each text": (
        {"<u>": 260},
        [AddedToken("<u>", 260, normalized=True)],
        {"type": "Prepend", "prepend": "b"},
    ),
    "a normalizer without steps": (
        {"<u>": 260},
        [AddedToken("<u>", 260)],
        sequence(key="normalizers"),
    ),
    "spelled as another word, beside": ({}, [AddedToken("\u0120a", 260)], None),
    "spelled as no text is, in it": ({"b\u00e9": 260}, [AddedToken("b\u00e9", 260)], None),
    "that no bytes spell, in it": (
        {"<\u4e2d>": 310},
        [AddedToken("<\u4e2d>", 310, single_word=True)],
        None,
    ),
}


@pytest.mark.filterwarnings("ignore:.* spell bytes:UserWarning")
@pytest.mark.parametrize("name", KEPT)
def test_words_and_special_tokens_keep_their_ids(name: str, tmp_path: Path) -> None:
    """In the vocabulary and beside it, as tokenizers gives them, and nothing is warned of."""
    tokenizers = pytest.importorskip("tokenizers", minversion="0.22.2")
    more, rows, normalizer = KEPT[name]
    content = document(
        pre_tokenizer=sequence(split("x|ca|b", "Removed"), BYTE_LEVEL | {"use_regex": False}),
        normalizer=normalizer,
        model__vocab=vocab_without(**more),
        model__ignore_merges=True,
    )
    rows = [AddedToken("<s>", 259), *rows]
    changed = json.loads(content) | {"added_tokens": [row._asdict() for row in rows]}
    (tmp_path / "tokenizer.json").write_text(json.dumps(changed))
    tok = Tokenizer.from_pretrained(tmp_path)
    assert tok.special_tokens == {row.content: row.id for row in rows}
    tok.save_pretrained(tmp_path / "again")
    for folder in (tmp_path, tmp_path / "again"):
        theirs = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        for row in rows:
            for text in (row.content, f"x{row.content}x", f"xca{row.content}x", "x<a>x", "b a"):
                ids = tok.encode(text, allowed_special="all")
                assert ids == theirs.encode(text).ids, text
            flags = theirs.get_added_tokens_decoder()[row.id]
            assert row == AddedToken(
                row.content, row.id, *(getattr(flags, flag) for flag in row._fields[2:])
            )
    assert Tokenizer.from_pretrained(tmp_path / "again") == tok


REFUSED_WORDS = {
    "spelled as another word": (
        {"\u0120a": 260},
        ["\u0120a"],
        "added_tokens: '\u0120a' .* in model.vocab it spells b' a', a word that is taken whole",
    ),
    "with the id of another one": (
        {"<t>": 261},
        ["<t>", "<u>"],
        r"added_tokens\[1\].content: '<u>' .* gives it the id of '<t>', 261, and finds one",
    ),
}


@pytest.mark.filterwarnings("ignore:.* spell bytes:UserWarning")
@pytest.mark.parametrize("name", REFUSED_WORDS)
def test_what_has_the_id_of_an_added_token_is_refused(name: str, tmp_path: Path) -> None:
    """Another word, another added token."""
    more, names, message = REFUSED_WORDS[name]
    content = document(
        pre_tokenizer=BYTE_LEVEL,
        model__vocab=vocab_without(**more),
        model__ignore_merges=True,
        added_tokens=[AddedToken(name, more.get(name, 261))._asdict() for name in names],
    )
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        Tokenizer.from_pretrained(tmp_path)


def test_a_special_token_that_would_be_a_word_is_warned_of(tmp_path: Path) -> None:
    """Beside the vocabulary it would have another id, the one that follows."""
    token = AddedToken("<s>", 300, single_word=True)
    tok = Tokenizer(
        merges=[(97, 98)],
        whole_words={b"abc": 257},
        added_tokens=[token],
        special_tokens={"<s>": 300},
    )
    for save in (tok.save_pretrained, lambda _: tok.to_tokenizers()):
        with pytest.warns(UserWarning, match="a word '<s>' that is left .* has the id 300") as seen:
            save(tmp_path)
        assert seen[0].filename == __file__
    again = Tokenizer.from_pretrained(tmp_path)
    assert again.special_tokens == tok.special_tokens
    assert again.encode("<s> a<s>b abc", allowed_special="all")[:1] == [300]


@pytest.mark.filterwarnings("ignore:.* spell bytes:UserWarning")
def test_a_special_token_that_would_be_another_word_is_refused(tmp_path: Path) -> None:
    """If it can't be beside the vocabulary: all words of that spelling would have its id."""
    tok = Tokenizer(merges=[(97, 98)], whole_words={b"abc": 257}, special_tokens={"\u0120a": 300})
    message = "'\u0120a' spells b' a' in tokenizer.json, a word that would have its id, 300"
    with pytest.raises(ValueError, match=message):
        tok.save_pretrained(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_token_for_what_is_unknown_stays_in_the_vocabulary(tmp_path: Path) -> None:
    """Readers look for it there, so one that would be beside it is warned of."""
    tok = Tokenizer(
        merges=[],
        token_ids=[-1 if byte == ord("q") else byte - (byte > ord("q")) for byte in range(256)],
        whole_words={b"abc": 255},
        added_tokens=[AddedToken("<s>", 256, single_word=True)],
        special_tokens={"<s>": 256, "<unk>": 257},
        unk_id=257,
    )
    with pytest.warns(UserWarning, match="a word '<s>' that is left"):
        tok.save_pretrained(tmp_path)
    again = Tokenizer.from_pretrained(tmp_path)
    assert again.encode("<s> q", allowed_special="all") == tok.encode(
        "<s> q", allowed_special="all"
    )


@pytest.mark.parametrize("name", READ)
def test_what_is_peculiar_is_read(name: str, tmp_path: Path) -> None:
    """With the ids and the texts that tokenizers gives; also when it is written and read again."""
    check_read(READ[name], tmp_path)


def check_read(data: bytes, tmp_path: Path) -> None:
    """Compare a tokenizer.json here with the same in tokenizers."""
    tokenizers = pytest.importorskip("tokenizers")
    (tmp_path / "tokenizer.json").write_bytes(data)
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tok = Tokenizer.from_pretrained(tmp_path)
    check_ids_equal(tok, lambda text: theirs.encode(text).ids, "tokenizers")
    for text in (
        "abc",
        "q a",
        "a\u00e9 e\u0301 xyz",
        "aabcabc<s>qab",
        "<t> <S><s> ab <T>",
        "  x   y",
    ):
        ids = tok.encode(text, allowed_special="all")
        assert tok.decode(ids) == theirs.decode(ids, skip_special_tokens=False)
    vocab = json.loads(data)["model"]["vocab"]
    assert {tok.token_bytes(token_id) for token_id in vocab.values()} == {
        theirs.decode([token_id], skip_special_tokens=False).encode()
        if token_id > 255
        else tok.token_bytes(token_id)
        for token_id in vocab.values()
    }
    tok.save(tmp_path / "tok.json")
    assert Tokenizer.load(tmp_path / "tok.json") == tok
    tok.save_pretrained(tmp_path)
    assert Tokenizer.from_pretrained(tmp_path) == tok
    written = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert written.get_vocab() == theirs.get_vocab()
    check_ids_equal(tok, lambda text: written.encode(text).ids, "tokenizers, what is written")


before_spaces = st.sampled_from(
    [
        [{"type": "Whitespace"}],
        [{"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": "MergedWithPrevious"}],
        [{"type": "Digits", "individual_digits": True}, split(r"\s+", "MergedWithNext")],
        [{"type": "FixedLength", "length": 3}],
        [split(r" ?[a-c]+|\n", "Removed", True)],
        [split(r"[ab]+(?=c)|\s", "Contiguous"), split(GPT2)],
        [split(r"(b)\1|\s+(?!\S)"), {"type": "Digits", "individual_digits": False}],
    ]
)
of_bytes = st.sampled_from([[], [{"type": "FixedLength", "length": 2}]])


@pytest.mark.filterwarnings("ignore:pattern .* can't be compiled to a scanner:UserWarning")
@given(
    before=before_spaces,
    after=of_bytes,
    use_regex=st.booleans(),
    is_carried=st.booleans(),
    texts=st.lists(st.text("abc 1\n.\u00e9\u3000<s>", max_size=12), max_size=4),
)
def test_a_space_before_each_piece(
    before: list[dict[str, Any]],
    after: list[dict[str, Any]],
    use_regex: bool,
    is_carried: bool,
    texts: list[str],
) -> None:
    """Ids, their places, texts of ids, and files: equal to those of tokenizers."""
    tokenizers = pytest.importorskip("tokenizers")
    byte_level = SPACED | {"use_regex": use_regex, "trim_offsets": False}
    merges = ["\u0120 a", "\u0120 \u0120", "\u0120a b", "\u0120 1"]
    names = ["\u0120a", "\u0120\u0120", "\u0120ab", "\u01201"]
    data = document(
        model__vocab={name: i for i, name in enumerate([*SPELLED, *names, "<s>"])},
        model__merges=merges,
        pre_tokenizer=sequence(*before, byte_level, *after),
        added_tokens=[AddedToken("<s>", 260)._asdict()],
    )
    theirs = tokenizers.Tokenizer.from_str(data.decode())
    parts = parse(json.loads(data))._asdict()
    if not is_carried:  # so that it is written from the pattern
        settings = {key: part for key, part in parts["settings"].items() if key != "pre_tokenizer"}
        parts["settings"] = settings
    tok = Tokenizer(**parts)
    written = tok.to_tokenizers()
    for text in texts:
        expected = theirs.encode(text)
        ids, offsets = tok.encode_with_offsets(text, allowed_special="all")
        assert tok.encode(text, allowed_special="all") == ids == expected.ids
        assert offsets == expected.offsets
        assert tok.decode(ids) == theirs.decode(ids, skip_special_tokens=False)
        assert written.encode(text).ids == expected.ids


OTHER_IDS = {
    "in use": ([AddedToken("<s>", 258)], 1),
    "of the vocabulary": ([AddedToken("<s>", 300)], 0),
    "far": ([AddedToken("<t>", 300), AddedToken("<s>", 400), AddedToken("<u>", 500)], 1),
    "one": ([AddedToken("<s>", 259), AddedToken("<t>", 259)], 0),
    "twice": ([AddedToken("<t>", 259), AddedToken("<t>", 300, lstrip=True, special=False)], 1),
    "of nothing": ([AddedToken("", 259), AddedToken("<t>", 300)], 1),
}


@pytest.mark.parametrize("name", OTHER_IDS)
def test_an_added_token_has_the_id_that_tokenizers_gives_it(name: str, tmp_path: Path) -> None:
    """Whatever its file says, which is warned of; also in the file that is written."""
    tokenizers = pytest.importorskip("tokenizers")
    rows, n_gone = OTHER_IDS[name]
    vocab = vocab_without(*["<s>"] * n_gone)
    data = document(added_tokens=[row._asdict() for row in rows], model__vocab=vocab)
    (tmp_path / "tokenizer.json").write_bytes(data)
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    with pytest.warns(UserWarning, match=r"added_tokens\[.\]: '<.>' has the id .* gives it 2"):
        tok = Tokenizer.from_pretrained(tmp_path)
    check_ids_equal(tok, lambda text: theirs.encode(text).ids, "tokenizers")
    ids = tok.encode("ab  <t> <s>c<u>", allowed_special="all")
    for skip in (False, True):
        decoded = tok.decode(ids, skip_special_tokens=skip)
        assert decoded == theirs.decode(ids, skip_special_tokens=skip)
    tok.save_pretrained(tmp_path)
    assert Tokenizer.from_pretrained(tmp_path) == tok


@given(
    missing=st.sets(st.sampled_from("abxyz \u0120\u00c3"), min_size=1),
    options=st.fixed_dictionaries({"fuse_unk": st.booleans(), "ignore_merges": st.booleans()}),
    unknown=st.sampled_from(["<s>", "<unk>", None]),
    text=st.text("abcxyz\u00e9\u0120 <s", max_size=20),
)
def test_bytes_without_an_id(
    missing: set[str], options: dict[str, Any], unknown: str | None, text: str
) -> None:
    """They are what "unk_token" says, and nothing otherwise; their places are those of the text."""
    tokenizers = pytest.importorskip("tokenizers")
    names = [name for name in ("a", "b", "c", "ab", "bc", "abc") if not missing.intersection(name)]
    alphabet = [character for character in SPELLED if character not in missing]
    vocab = {name: i for i, name in enumerate([*alphabet, *names, "<unk>", "<s>", "zy"])}
    merges = [row for row in ("a b", "b c", "ab c") if vocab.keys() >= {*row.split(" ")}]
    changes = {f"model__{name}": value for name, value in options.items()}
    data = document(
        model__vocab=vocab,
        model__merges=merges,
        model__unk_token=unknown,
        added_tokens=[AddedToken("<s>", vocab["<s>"])._asdict()],
        **changes,
    )
    theirs = tokenizers.Tokenizer.from_str(data.decode())
    tok = Tokenizer(**parse(json.loads(data))._asdict())
    expected = theirs.encode(text)
    ids, offsets = tok.encode_with_offsets(text, allowed_special="all")
    assert ids == expected.ids
    assert tok.decode(ids) == theirs.decode(ids, skip_special_tokens=False)
    assert len(offsets) == len(ids)
    for token_id, (start, end) in zip(ids, offsets, strict=True):
        if token_id not in (vocab["<unk>"], vocab["<s>"]):
            assert tok.token_bytes(token_id) in text[start:end].encode()


tokens = st.text("ab", min_size=2, max_size=5)


@given(
    names=st.lists(tokens, unique=True, max_size=12),
    chosen=st.lists(st.integers(0, 99), max_size=40),
    whole=st.booleans(),
    text=st.text("ab ", max_size=30),
)
def test_any_list_of_merges_is_read(
    names: list[str], chosen: list[int], whole: bool, text: str
) -> None:
    """All splits of a token or some, in any order: never other ids than those of tokenizers."""
    tokenizers = pytest.importorskip("tokenizers")
    vocab = {character: i for i, character in enumerate([*SPELLED, *names])}
    splits = [[name[:i], name[i:]] for name in names for i in range(1, len(name))]
    splits = [split for split in splits if vocab.keys() >= set(split)]
    if chosen and splits:
        splits = [splits[i % len(splits)] for i in chosen]
    changes = {"model__vocab": vocab, "model__merges": splits, "model__ignore_merges": whole}
    content = json.loads(document(added_tokens=[], **changes))
    theirs = tokenizers.Tokenizer.from_str(json.dumps(content))
    tok = Tokenizer(**parse(content)._asdict())
    for each in (text, text * 3, *names, *(a + b for a in names for b in names)):
        assert tok.encode(each) == theirs.encode(each).ids


@pytest.mark.parametrize(
    ("merges", "text"),
    [
        ("b a|aba bab|bab b|a ba|ba b|bab aba|ababab ba", "abababbb"),
        ("ba bba|bba a|b b|b a|bb ba|b bba|bb a|a a", "bbbbaaababbaa"),
        # The first one waits for another that comes as late, and has another way.
        ("aba bab|ba bab|bab b|a ba|b a|ba b|bab aba", "abababbb"),
    ],
)
def test_merges_that_wait_for_the_same_one_are_made_in_the_order_of_the_list(
    merges: str, text: str
) -> None:
    """Whichever of their parts was there sooner."""
    tokenizers = pytest.importorskip("tokenizers")
    splits = [pair.split() for pair in merges.split("|")]
    names = dict.fromkeys(left + right for left, right in splits)
    vocab = {character: i for i, character in enumerate([*SPELLED, *names])}
    changes = {"model__vocab": vocab, "model__merges": splits}
    content = json.loads(document(added_tokens=[], **changes))
    theirs = tokenizers.Tokenizer.from_str(json.dumps(content))
    tok = Tokenizer(**parse(content)._asdict())
    for each in (text, text * 3, *names):
        assert tok.encode(each) == theirs.encode(each).ids


@given(
    start=st.integers(0, len(document())),
    length=st.integers(0, 30),
    new=st.one_of(st.binary(max_size=4), st.sampled_from([b"1e9", b"[[", b'"', b"null", b"-1"])),
)
def test_whatever_happens_to_a_tokenizer_json(
    tmp_path_factory: pytest.TempPathFactory, start: int, length: int, new: bytes
) -> None:
    """A ValueError that names the file, or a tokenizer."""
    path = tmp_path_factory.getbasetemp() / "changed.json"
    path.write_bytes(document()[:start] + new + document()[start + length :])
    message = ""
    try:
        Tokenizer.from_pretrained(path).encode("abc")
    except ValueError as error:
        message = str(error)
    assert message == "" or message.startswith(str(path))


@pytest.mark.parametrize("expression", [*PATTERNS.values(), *SPELLINGS])
def test_expressions_that_are_read_mean_the_same_there(expression: str, tmp_path: Path) -> None:
    """Oniguruma does not read all as the engines that they were written for."""
    tokenizers = pytest.importorskip("tokenizers")
    split = {"Regex": expression}
    content = json.loads(TOKENIZERS["as trained"].to_tokenizers().to_str())
    content["pre_tokenizer"]["pretokenizers"][0]["pattern"] = split
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    check_ids_equal(
        Tokenizer.from_pretrained(tmp_path), lambda text: theirs.encode(text).ids, "tokenizers"
    )


def test_a_merge_that_is_listed_twice_comes_as_late_as_there(tmp_path: Path) -> None:
    """tokenizers and GPT-2's encoder.py keep the last place in the list."""
    tokenizers = pytest.importorskip("tokenizers")
    content = json.loads(Tokenizer(merges=[]).to_tokenizers().to_str())
    content["model"]["vocab"] |= {"ab": 256, "bc": 257}
    content["model"]["merges"] = [["a", "b"], ["b", "c"], ["a", "b"]]
    theirs = tokenizers.Tokenizer.from_str(json.dumps(content))
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    tok = Tokenizer.from_pretrained(tmp_path)
    assert tok.encode("abcab") == theirs.encode("abcab").ids == [97, 257, 256]


SPACE_FIRST: dict[str, Any] = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
DECODERS: dict[str, list[dict[str, Any]]] = {
    "a space before": [SPACE_FIRST],
    "replaced": [
        {"type": "Replace", "pattern": {"String": "b"}, "content": "B"},
        {"type": "Fuse"},
        {"type": "Replace", "pattern": {"Regex": "[cq]+"}, "content": ""},
    ],
    "signs": [METASPACE | {"prepend_scheme": "always"}],
    "signs, none before": [METASPACE | {"prepend_scheme": "never"}, SPACE_FIRST],
    "what looks like a byte": [{"type": "ByteFallback"}],
}


@pytest.mark.parametrize("name", DECODERS)
def test_a_text_is_changed_when_it_is_decoded(name: str, tmp_path: Path) -> None:
    """As tokenizers changes it; parts of a text are not decoded then."""
    tokenizers = pytest.importorskip("tokenizers")
    decoder = sequence(BYTE_LEVEL, *DECODERS[name], key="decoders")
    (tmp_path / "tokenizer.json").write_bytes(document(decoder=decoder))
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tok = Tokenizer.from_pretrained(tmp_path)
    tok.save(tmp_path / "tok.json")
    tok.save_pretrained(tmp_path / "again")
    for again in (
        tok,
        Tokenizer.load(tmp_path / "tok.json"),
        Tokenizer.from_pretrained(tmp_path / "again"),
    ):
        for text in (
            "",
            " ",
            " abcb",
            "  b",
            "b",
            "\u2581a\u2581b <s>cqb",
            "<0x41>",
            "<0xE9>",
            "<s> b",
        ):
            ids = tok.encode(text, allowed_special="all")
            for skip in (False, True):
                expected = theirs.decode(ids, skip_special_tokens=skip)
                assert again.decode(ids, skip_special_tokens=skip) == expected
    with pytest.raises(ValueError, match="decode_stream can't be used where a decoder changes"):
        tok.decode_stream()
    with pytest.raises(ValueError, match="decode_with_offsets can't be used"):
        tok.decode_with_offsets([97])


@given(text=st.text("ab", min_size=6), start=st.integers(0, 3), stop=st.integers(0, 3))
def test_what_is_stripped_of_a_text(text: str, start: int, stop: int) -> None:
    """At both ends; tokenizers 0.23 panics where a text is shorter than that."""
    tokenizers = pytest.importorskip("tokenizers")
    theirs = tokenizers.decoders.Strip("a", start, stop).decode([text])
    (step,) = text_steps(
        sequence(
            BYTE_LEVEL,
            {"type": "Strip", "content": "a", "start": start, "stop": stop},
            key="decoders",
        )
    )
    assert step(text) == theirs
    assert step("aa"[:stop]) in ("", "a", "aa")


BAD_DECODERS = {
    "for WordPiece": (
        sequence(BYTE_LEVEL, {"type": "WordPiece"}, key="decoders"),
        "after ByteLevel",
    ),
    "before ByteLevel": (
        sequence(SPACE_FIRST, BYTE_LEVEL, key="decoders"),
        "begins with ByteLevel",
    ),
    "without a number": (
        sequence(BYTE_LEVEL, {"type": "Strip"}, key="decoders"),
        "content is missing",
    ),
    "of nothing": ({"type": "Sequence"}, "must be a list"),
}


@pytest.mark.parametrize("name", BAD_DECODERS)
def test_a_decoder_that_is_not_known_is_refused(name: str, tmp_path: Path) -> None:
    """With its place."""
    decoder, message = BAD_DECODERS[name]
    (tmp_path / "tokenizer.json").write_bytes(document(decoder=decoder))
    with pytest.raises(ValueError, match=f"decoder.*{message}"):
        Tokenizer.from_pretrained(tmp_path)


def test_a_file_without_a_decoder_is_warned_of(tmp_path: Path) -> None:
    """Since texts are not what was encoded then; they are what they are in tokenizers."""
    tokenizers = pytest.importorskip("tokenizers")
    (tmp_path / "tokenizer.json").write_bytes(document(decoder=None))
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    with pytest.warns(UserWarning, match="has no decoder"):
        tok = Tokenizer.from_pretrained(tmp_path)
    tok.save(tmp_path / "tok.json")
    for again in (tok, Tokenizer.load(tmp_path / "tok.json")):
        for text in ("", "ab c", "<s> \u00e9\n<s>abc"):
            ids = tok.encode(text, allowed_special="all")
            for skip in (False, True):
                expected = theirs.decode(ids, skip_special_tokens=skip)
                assert again.decode(ids, skip_special_tokens=skip) == expected
            assert again.decode_bytes(ids).decode() == text
    with pytest.raises(ValueError, match="or there is none"):
        tok.decode_stream()


def test_ids_are_those_without_dropout(tmp_path: Path) -> None:
    """With a warning, since those of tokenizers are others each time; it is written back."""
    tokenizers = pytest.importorskip("tokenizers")
    (tmp_path / "tokenizer.json").write_bytes(document(model__dropout=0.5))
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    theirs.model.dropout = None
    with pytest.warns(UserWarning, match=r"model\.dropout is 0\.5: .* set it to null"):
        tok = Tokenizer.from_pretrained(tmp_path)
    check_ids_equal(tok, lambda text: theirs.encode(text).ids, "tokenizers")
    folder = tmp_path / "saved"
    tok.save_pretrained(folder)
    assert json.loads((folder / "tokenizer.json").read_bytes())["model"]["dropout"] == 0.5


@pytest.mark.parametrize("in_vocab", [False, True], ids=["", "in the vocabulary"])
def test_added_tokens_that_spell_bytes_are_decoded_as_there(in_vocab: bool, tmp_path: Path) -> None:
    """DeepSeek-Coder's: characters of bytes that no text has. The text is in decode_bytes."""
    tokenizers = pytest.importorskip("tokenizers")
    kept = vocab_without("\u00f5", "\u00f7", "<s>")
    vocab = {name: i for i, name in enumerate(kept)}
    names = ["\u00f5", "\u00f7", "<s>", "\u20ac", "\u0120\u00ff"]
    ids = {name: len(vocab) + i for i, name in enumerate(names)}
    rows = [AddedToken(name, token_id)._asdict() for name, token_id in ids.items()]
    data = document(added_tokens=rows, model__vocab={**vocab, **ids} if in_vocab else vocab)
    (tmp_path / "tokenizer.json").write_bytes(data)
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    with pytest.warns(UserWarning, match=r"added_tokens: all characters of .* decode_bytes gives"):
        tok = Tokenizer.from_pretrained(tmp_path)
    tok.save(tmp_path / "tok.json")
    tok.save_pretrained(tmp_path / "saved")
    saved = tokenizers.Tokenizer.from_file(str(tmp_path / "saved" / "tokenizer.json"))
    with pytest.warns(UserWarning, match="decode_bytes gives"):
        read_again = Tokenizer.from_pretrained(tmp_path / "saved")
    assert read_again == tok
    text = "a\u00f5 \u00f7\u00f5<s>\u20acb\u0120\u00ff \u0120"
    for again in (tok, Tokenizer.load(tmp_path / "tok.json"), read_again):
        encoded = again.encode(text, allowed_special="all")
        assert encoded == theirs.encode(text).ids == saved.encode(text).ids
        expected = theirs.decode(encoded, skip_special_tokens=False)
        assert again.decode(encoded) == expected
        stream = again.decode_stream()
        assert "".join(map(stream.feed, encoded)) + stream.finish() == expected
        assert again.decode_bytes(encoded).decode() == text


def test_a_special_token_that_would_give_a_byte_an_id_is_not_written() -> None:
    """In tokenizer.json both are spelled alike."""
    ids = [-1 if byte == 0xE9 else byte for byte in range(256)]
    tok = Tokenizer(merges=[], token_ids=ids, special_tokens={"\u00e9": 256})
    with (
        pytest.warns(UserWarning, match="spell bytes"),
        pytest.raises(ValueError, match=r"'\u00e9' spells the byte 0xe9 .* would have one there"),
    ):
        tok.to_tokenizers()


@pytest.mark.parametrize(
    "changes",
    [
        {"model__type": "WordLevel"},
        {"model__type": "Unigram"},
        {"model__end_of_word_suffix": "</w>"},
        {"model__continuing_subword_prefix": "##"},
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"pre_tokenizer": None},
        {"decoder": {"type": "Metaspace", "replacement": "\u2581"}},
    ],
    ids=str,
)
def test_what_is_not_byte_level_says_what_reads_it(changes: dict[str, Any]) -> None:
    """And how to get a byte-level one in its place."""
    with pytest.raises(ValueError, match=r"Tokenizer\.from_file reads it, and bpetok\.train makes"):
        parse(json.loads(document(**changes)))
