"""Normalizers: equal to those of Hugging Face tokenizers, on all characters and all ways."""

from __future__ import annotations

import json
import random
import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers.normalizers
from hypothesis import given
from hypothesis import strategies as st

from bpetok.patterns import scan
from bpetok.patterns.changes import Changes
from bpetok.patterns.generate_normal import MARK, NFC, NFKC, SECOND, flags, generate
from bpetok.patterns.normalize import (
    LocalNormalizer,
    have_space_at_ends,
    holds,
    prefix_texts,
    strip_spaces,
    strip_texts,
)
from bpetok.patterns.normalizers import Normalizer
from bpetok.patterns.special import SpecialTokens
from bpetok.tokenizer import Tokenizer

FORMS = ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents"]
BERT = {
    "type": "BertNormalizer",
    "clean_text": True,
    "handle_chinese_chars": True,
    "strip_accents": None,
    "lowercase": True,
}
SPACES = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "\u2581"}
AS = {"type": "Replace", "pattern": {"String": "aa"}, "content": "a\u0301\u0316"}
STEPS: list[Any] = [
    *FORMS,
    "Strip",
    {"type": "Strip", "strip_left": False, "strip_right": True},
    {"type": "Prepend", "prepend": "\u2581"},
    SPACES,
    AS,
    {"type": "Replace", "pattern": {"Regex": r"\s*$|(?=A)"}, "content": "x"},
    "Nmt",
    BERT,
    BERT | {"strip_accents": False, "clean_text": False},
    BERT | {"strip_accents": True, "lowercase": False, "handle_chinese_chars": False},
]
ASSIGNED = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
STRIP = tokenizers.normalizers.Strip()
WHITE_SPACE = [character for character in ASSIGNED if not STRIP.normalize_str(character)]

# Letters, all kinds of marks, jamo, white space, what came after Unicode 9.0.
awkward = st.text(
    st.sampled_from(
        "aAeE \t\u00e9\u00c5\u212b\u2126\u03a3\u0130\ufb01\u00bd\u3000\u0301\u0316\u0323\u0334"
        "\u0338\u0345\u1100\u1161\u11a8\uac00\uac01\u0915\u093c\u094d\u0958\u09c7\u09be\u0e33\u32ff\u07fd"
        "\u1dfa\u0c3c\u1715\U00011938\U00011935\U00011930\U00016123\U0001612f\U0001e4ec\u0344\u0340"
        "\u037e\u1e9b\u017f\u2f800"
    ),
    max_size=12,
)

# Letters of scripts that a fast way passes over, and marks that it must not.
SCRIPTS = (
    "ae \u044f\u4e2d\u6587\uac01\u3042\u3099\u0915\u093c\u0928\u0b95\u0bbe\u0bc6\u0644\u0651"
    "\u064e\u0e01\u0e38\u0e49\u05d0\u05bc\u05b7\U0001f600\U00011131\U00011127\u1100\u1161"
    "\u11a8\u00e9\u0301\u0323\u0321\u0316\u0327"
)
scripts = st.text(st.sampled_from(SCRIPTS), min_size=20, max_size=80)


@pytest.fixture(params=scan.instruction_sets(), scope="module")
def _each_way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Search character by character, and many bytes at a time as this machine can."""
    scan.use_instruction_set(request.param)
    yield
    scan.use_instruction_set(scan.instruction_sets()[-1])


def theirs(spec: Any) -> Any:
    """Return the same normalizer of tokenizers."""
    tokenizers = pytest.importorskip("tokenizers")
    steps = [spec] if isinstance(spec, str | dict) else spec
    rows: list[dict[str, Any]] = [
        {"type": step} if isinstance(step, str) else dict(step) for step in steps
    ]
    for row in rows:
        if row["type"] == "Strip":
            row.setdefault("strip_left", True)
            row.setdefault("strip_right", True)
    document = {
        "normalizer": {"type": "Sequence", "normalizers": rows},
        "model": {"type": "BPE", "vocab": {}, "merges": []},
    }
    return tokenizers.Tokenizer.from_str(json.dumps(document)).normalizer


@pytest.mark.usefixtures("_each_way")
@pytest.mark.parametrize("form", [*FORMS, "Nmt", BERT])
def test_each_character_becomes_what_it_becomes_in_tokenizers(form: Any) -> None:
    """All code points: those that came after the version it goes by, too."""
    normalizer, other = Normalizer(form), theirs(form)
    for first in range(0, len(ASSIGNED), 64):
        block = ASSIGNED[first : first + 64]
        text = "x".join(block)
        expected = other.normalize_str(text)
        assert normalizer(text.encode()).decode() == expected, hex(ord(block[0]))


@pytest.mark.parametrize("form", FORMS)
def test_the_order_of_marks_is_that_of_tokenizers(form: str) -> None:
    """Each character between two marks of the lowest and of a high class."""
    normalizer, other = Normalizer(form), theirs(form)
    for first in range(0x300, 0x1F000, 64):
        points = [p for p in range(first, first + 64) if not 0xD800 <= p < 0xE000]
        text = "".join(f"a\u0301{chr(point)}\u0334" for point in points)
        assert normalizer(text.encode()).decode() == other.normalize_str(text), hex(first)


@pytest.mark.usefixtures("_each_way")
@given(spec=st.lists(st.sampled_from(STEPS), min_size=1, max_size=3), text=awkward | scripts)
def test_steps_in_a_row_give_what_they_give_in_tokenizers(spec: list[Any], text: str) -> None:
    """Texts of all that interacts."""
    normalizer = Normalizer(spec)
    assert normalizer(text.encode()).decode() == theirs(spec).normalize_str(text)


@given(spec=st.lists(st.sampled_from(STEPS), min_size=1, max_size=3), text=awkward)
def test_each_character_knows_where_it_comes_from(spec: list[Any], text: str) -> None:
    """In order, within the text; what was not changed comes from itself."""
    normalizer = Normalizer(spec)
    new, starts, ends = normalizer.align(text)
    assert new == normalizer(text.encode()).decode()
    assert len(starts) == len(ends) == len(new)
    assert starts == sorted(starts)
    assert ends == sorted(ends)
    assert all(0 <= start <= end <= len(text) for start, end in zip(starts, ends, strict=True))
    plain = Normalizer("NFC").align("ab \u4e2d")
    assert plain == ("ab \u4e2d", [0, 1, 2, 3], [1, 2, 3, 4])
    assert Normalizer("NFC").align("xe\u0301y") == ("x\u00e9y", [0, 1, 3], [1, 3, 4])


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("Lowercase", "COMUNIDAD Él ǅ"),
        ("NFD", "한국어 ÅÉ x"),
        ("NFKD", "ＡＢ，한 ﬁx ㎏½"),
        ("NFKC", "ＡＢ，国（ﬁｎ）"),
        (["NFD", "Lowercase"], "ÀÉ 한국"),
    ],
)
def test_characters_that_change_in_a_row_come_each_from_itself(spec: Any, text: str) -> None:
    """As in tokenizers, but for a mark that joins what comes before: there it has no place."""
    tok = Tokenizer(merges=[], normalizer=spec)
    expected = tok.to_tokenizers().encode(text)
    assert tok.encode_with_offsets(text) == (expected.ids, expected.offsets)


MANY_MARKS = [  # in a row, in the wrong order; U+0F73, U+0F81, U+0344 and U+FF9E become marks
    "\u0301\u0316",
    "\u0f73\u0301\u0f81\u0316",
    "\u0344\u0345\uff9e\u0323",
    "\u3099\U0001e94a\u0301",
]


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_marks_in_a_row_take_no_time_that_grows_with_the_square(form: Any) -> None:
    """Python's own normalization of the last text takes minutes."""
    for marks in MANY_MARKS:
        for text in (f"e{marks * 600}e\u0301", f"x {marks * 249}e{marks * 600}"):
            assert Normalizer(form)(text.encode()).decode() == unicodedata.normalize(form, text)
    text = "a" + MANY_MARKS[0] * 100_000
    right = unicodedata.normalize(form, "a\u0316") + "\u0316" * 99_999 + "\u0301" * 100_000
    expected = unicodedata.normalize(form, right)
    assert Normalizer(form)(text.encode()).decode() == expected


def test_a_normalizer_says_what_it_is() -> None:
    """In one form, whatever form it was given in."""
    assert Normalizer("NFC").spec == {"type": "NFC"}
    assert Normalizer({"type": "Sequence", "normalizers": []}).spec == []
    nested = [{"type": "Sequence", "normalizers": ["NFD", "Lowercase"]}, "StripAccents"]
    assert Normalizer(nested).spec == [
        {"type": "NFD"},
        {"type": "Lowercase"},
        {"type": "StripAccents"},
    ]
    assert Normalizer("Strip") == Normalizer(
        {"type": "Strip", "strip_left": True, "strip_right": True}
    )
    assert hash(Normalizer("NFC")) == hash(Normalizer({"type": "NFC"}))
    assert Normalizer([])(b"e\xcc\x81") == b"e\xcc\x81"


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("nfc", ValueError, "normalizer: 'nfc' can't be represented: a step must be one of NFC"),
        (5, TypeError, "normalizer must be a str, a mapping or a sequence of them, got 5"),
        (["NFC", {"type": "Precompiled"}], ValueError, r"normalizer\[1\]: 'Precompiled'"),
        ({"type": "Prepend"}, ValueError, "normalizer.prepend must be a str, got None"),
        (SPACES | {"content": 5}, ValueError, "normalizer.content must be a str, got 5"),
        (SPACES | {"pattern": {}}, ValueError, "pattern must have String or Regex"),
        (SPACES | {"pattern": {"String": ""}}, ValueError, "String must be a str, not empty"),
        (SPACES | {"pattern": {"Regex": "("}}, ValueError, "'[(]' does not compile"),
        ({"type": "Strip", "strip_left": 1}, ValueError, "strip_left must be a bool, got 1"),
        ({"type": "Sequence", "normalizers": None}, TypeError, "normalizer.normalizers must be"),
    ],
)
def test_what_is_no_normalizer_is_refused(spec: Any, error: type[Exception], message: str) -> None:
    """By place and value."""
    with pytest.raises(error, match=message):
        Normalizer(spec)


def test_steps_that_hold_themselves() -> None:
    """Or are nested too deeply, in Python, which no file is."""
    steps: list[Any] = []
    steps.append(steps)
    for spec in (steps, {"type": "Sequence", "normalizers": steps}):
        with pytest.raises(ValueError, match=r"^normalizer has steps nested too deeply$"):
            Normalizer(spec)


@cache
def pairs_of_16() -> list[str]:
    """Return what characters of Unicode 16 are made of, where that is two characters."""
    unicodedata2 = pytest.importorskip("unicodedata2")
    parts = [unicodedata2.decomposition(chr(point)).split() for point in range(0x110000)]
    return [
        "".join(chr(int(p, 16)) for p in two)
        for two in parts
        if len(two) == 2 and "<" not in two[0]
    ]


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_pairs_that_may_become_one_character(form: str) -> None:
    """All of Unicode 16, with marks after them: as tokenizers, which knows those of Unicode 9."""
    pairs = pairs_of_16()
    assert len(pairs) > 1000
    ours, theirs = Normalizer(form), getattr(tokenizers.normalizers, form)()
    for pair in pairs:
        for text in (pair, f"{pair}\u0301\u0316"):
            assert ours(text.encode()) == theirs.normalize_str(text).encode()


@pytest.mark.parametrize(
    "spec", [["NFC"], ["NFD"], ["NFKC"], ["NFKD"], ["Lowercase", "NFKC"], ["StripAccents", "NFC"]]
)
def test_each_character_changes_after_letters_that_it_may_join_as_in_tokenizers(spec: Any) -> None:
    """Latin, Indic, Kana and jamo; also where the character is removed from before what joins."""
    normalizer, other = Normalizer(spec), theirs(spec)
    lefts = ["e", "e\u0327\u0301", "\u1100", "\uac00", "\u0928", "\u09c7", "\u304b", "\u0e01\u0e49"]
    points = [*range(0xAC40), *range(0xD780, 0x110000)]  # of Hangul the first and the last
    table = flags()
    changing = [chr(point) for point in points if table[point]]
    for first in range(0, len(changing), 64):
        block = changing[first : first + 64]
        for left in lefts:
            for right in ("", "\u1161", "\u0301"):
                text = "".join(left + character + right for character in block)
                assert normalizer(text.encode()).decode() == other.normalize_str(text), ascii(text)


def test_what_depends_on_nothing_before_it_is_one_span_after_all_letters() -> None:
    """The library is asked about full-width punctuation once, not once after each letter."""
    asked: list[bytes] = []

    def change(span: bytes) -> bytes:
        asked.append(span)
        return unicodedata.normalize("NFKC", span.decode()).encode()

    local = LocalNormalizer(NFKC | MARK | SECOND, change)
    text = "a\uff0c\u4e2d\uff0ce\u00a0\uff0c \ufb01\u0301"
    assert local.normalize(text.encode()).decode() == unicodedata.normalize("NFKC", text)
    assert asked == [span.encode() for span in ("\uff0c", "\u00a0\uff0c", "\ufb01\u0301")]


@pytest.mark.usefixtures("_each_way")
@given(text=scripts, form=st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_what_is_not_normal_is_known_to_be(text: str, form: Any) -> None:
    """By the library, which must be asked about each place that changes."""
    local = Normalizer(form).local
    assert local is not None
    normal = unicodedata.normalize(form, text)
    assert local.normalize(text.encode()) == normal.encode()
    assert local.normalize(normal.encode()) == normal.encode()
    assert normal == text or not local.is_normal(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "\u0b95\u0bbe \u09af\u09bc",  # vowels and marks that join other letters than these
        "\u0e01\u0e38\u0e49 \u05d0\u05bc\u05b7",  # marks; the second is Hebrew, out of order
        "\u0644\u064e\u0651 \u0644\u064e\u0653",
        "\u1eb9\u0301 \u1ea1\u0308",
    ],
)
def test_marks_in_order_cost_no_call_of_the_library(text: str) -> None:
    """Only what changes does, and it is asked once."""
    asked: list[bytes] = []

    def change(span: bytes) -> bytes:
        asked.append(span)
        return unicodedata.normalize("NFC", span.decode()).encode()

    local = LocalNormalizer(NFC | MARK | SECOND, change)
    normal = unicodedata.normalize("NFC", text)
    assert local.normalize(normal.encode()) == normal.encode()
    assert local.is_normal(normal.encode())
    assert not asked
    assert local.normalize("e\u0301 e\u0301".encode()) == "\u00e9 \u00e9".encode()
    assert local.normalize("e\u0301 e\u0301".encode()) == "\u00e9 \u00e9".encode()
    assert asked == ["e\u0301".encode()]


@pytest.mark.usefixtures("_each_way")
@pytest.mark.parametrize("form", ["NFC", "NFKC"])
def test_what_is_not_normal_is_found_at_each_place(form: str) -> None:
    """Across the borders of the blocks that are looked at together, and at the end."""
    local = Normalizer(form).local
    assert local is not None
    for padding in ("x", "\u044f", "\u4e2d", "\U0001f600"):
        for n in range(70):
            for accented, normal in (("e\u0301", "\u00e9"), ("\U0002f800", "\u4e3d")):
                text, expected = (padding * n + accented).encode(), (padding * n + normal).encode()
                assert local.normalize(text) == expected
                assert local.normalize(text + b"x" * 140) == expected + b"x" * 140
                assert not local.is_normal(text)


@pytest.mark.usefixtures("_each_way")
@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_marks_out_of_order_are_found_at_each_place(form: str) -> None:
    """Across the borders of the blocks; a mark alone, or after what it stays after, is normal."""
    local = Normalizer(form).local
    assert local is not None
    for padding in ("x", "\u044f", "\u4e2d", "q\u0301", "\U0001f600"):
        for n in range(70):
            for marks, changed in (("\u0301\u0316", True), ("\u0316\u0301", False)):
                text = padding * n + "q" + marks
                for rest in ("", padding * 140):
                    normal = padding * n + "q\u0316\u0301" + rest
                    assert local.normalize((text + rest).encode()) == normal.encode()
                    assert local.is_normal((text + rest).encode()) is not changed


@pytest.mark.usefixtures("_each_way")
@pytest.mark.parametrize("padding", ["x", "@", "[", "{", "\u044f", "\u4e2d", "\U0001f600"])
def test_a_capital_is_found_at_each_place(padding: str) -> None:
    """Of ASCII, the first and the last, and of other scripts; nothing next to them in the table."""
    local = Normalizer("Lowercase").local
    assert local is not None
    for n in range(70):
        for capital in "AZM\u0416\u00c5":
            text = padding * n + capital
            for rest in ("", padding * 140, padding * n + capital):
                expected = (text + rest).lower().encode()
                assert local.normalize((text + rest).encode()) == expected
                assert not local.is_normal((text + rest).encode())
        assert local.is_normal((padding * n).encode())
        assert local.is_normal((padding * n + "az").encode())


@pytest.mark.parametrize("name", FORMS)
def test_each_way_finds_the_same(name: str) -> None:
    """Of all characters: apart from one another, in order, and in any order."""
    local = Normalizer(name).local
    assert local is not None
    shuffled = random.Random(20).sample(ASSIGNED, len(ASSIGNED))
    for text in (" ".join(ASSIGNED), "".join(ASSIGNED), "".join(shuffled)):
        data = text.encode()
        found = []
        for way in scan.instruction_sets():  # the last one is what else is used
            scan.use_instruction_set(way)
            found.append(local.spans(data))
        assert all(spans == found[0] for spans in found)
        assert found[0]


@given(
    spec=st.lists(st.sampled_from([*STEPS, "Strip", AS]), min_size=1, max_size=2),
    texts=st.lists(awkward | st.text("ab.\u3002\u00a0\u2009\u3000 \n\x1c", max_size=5), max_size=4),
)
def test_texts_that_are_left_as_they_are(spec: list[Any], texts: list[str]) -> None:
    """Surely, if it is said; it is said of what is normal already."""
    normalizer = Normalizer(spec)
    changes = Changes(normalizer)
    rows = [text.encode() for text in texts]
    ends = np.cumsum([len(row) for row in rows]) if rows else np.zeros(0, np.int64)
    if changes.leave(b"".join(rows), ends):
        assert [normalizer(row) for row in rows] == rows
    plain = [b"ab.", b"", b"b", "\u00e9".encode() * 3000, b"c"]
    if all(step in ("NFC", "NFKC", "Lowercase", "Strip", AS) for step in spec):
        assert changes.leave(b"".join(plain), np.cumsum([len(row) for row in plain]))


@given(spec=st.lists(st.sampled_from(STEPS), max_size=3), texts=st.lists(awkward, max_size=4))
def test_texts_in_a_row_become_what_each_becomes_in_tokenizers(
    spec: list[Any], texts: list[str]
) -> None:
    """Nothing of one text gets into another."""
    data, ends, numbers = Changes(Normalizer(spec)).apply(
        "".join(texts).encode(),
        np.cumsum([len(text.encode()) for text in texts], dtype=np.int64),
        SpecialTokens([]),
    )
    starts = [0, *ends.tolist()]
    new = [data[start:end].decode() for start, end in pairwise(starts)]
    assert new == [theirs(spec).normalize_str(text) for text in texts]
    assert list(numbers) == list(range(len(texts)))


@given(
    texts=st.lists(st.text("ab.\u3002\u00a0\u2009\u3000\x85 \n\x1c\u200b", max_size=5), max_size=4),
    left=st.booleans(),
    right=st.booleans(),
)
def test_texts_are_stripped_as_by_tokenizers(texts: list[str], left: bool, right: bool) -> None:
    """Each alone, at the ends that are asked for."""
    strip = tokenizers.normalizers.Strip(left, right)
    ends = np.cumsum([len(text.encode()) for text in texts], dtype=np.int64)
    data, new_ends = strip_texts("".join(texts).encode(), ends, left, right)
    stripped = [strip.normalize_str(text) for text in texts]
    assert data.decode() == "".join(stripped)
    assert new_ends.tolist() == list(accumulate(len(text.encode()) for text in stripped))
    assert [strip_spaces(text.encode(), left, right).decode() for text in texts] == stripped


@given(data=st.binary(max_size=8) | st.text(WHITE_SPACE, max_size=3).map(lambda s: s.encode()[:-1]))
def test_stripping_what_is_not_utf8_does_no_harm(data: bytes) -> None:
    """Nothing outside of it is read, and only bytes at its ends are taken."""
    assert strip_spaces(data, True, True) in data
    with pytest.raises(IndexError, match="within"):
        strip_texts(data + b"x", np.array([len(data) + 2]), True, True)


def test_texts_that_are_normal_are_not_copied() -> None:
    """But for what comes after the last of them."""
    local = Normalizer("NFC").local
    assert local is not None
    data = b"abc" * 100
    new, new_ends = local.normalize_texts(data, np.array([3, 3, 300]))
    assert new is data
    assert new_ends.tolist() == [3, 3, 300]
    assert local.normalize_texts(data, np.array([2]))[0] == b"ab"


def test_ends_that_do_not_ascend_are_refused() -> None:
    """All are looked at, not only the last one."""
    local = Normalizer("NFC").local
    assert local is not None
    for change in (
        local.normalize_texts,
        prefix_texts,
        lambda data, ends: strip_texts(data, ends, True, True),
        have_space_at_ends,
    ):
        for ends in ([3, 1, 4], [9, 4], [-1, 4]):
            with pytest.raises(ValueError, match="ascend"):
                change(b"abcd", np.array(ends))
        with pytest.raises(IndexError, match="within"):
            change(b"abcd", np.array([1, 5]))
        change(b"", np.zeros(0, np.int64))
        change(b"", np.zeros(2, np.int64))


@given(texts=st.lists(st.text("ab \u00a0\n", max_size=3), max_size=5))
def test_a_space_comes_before_each_text(texts: list[str]) -> None:
    """Unless it begins with one, or has nothing in it."""
    ends = np.cumsum([len(text.encode()) for text in texts], dtype=np.int64)
    data, new_ends = prefix_texts("".join(texts).encode(), ends)
    prefixed = [f" {text}" if text and text[0] != " " else text for text in texts]
    assert data.decode() == "".join(prefixed)
    assert new_ends.tolist() == list(accumulate(len(text.encode()) for text in prefixed))


def test_white_space_at_the_ends_of_texts() -> None:
    """Of all characters that which Unicode says, as first and as last one, and no other."""
    for code in chain(range(0x3100), range(0xFE00, 0x10000)):
        for text in (f"{chr(code)}a", f"\u3042{chr(code)}", chr(code)):
            data = f"b\u3042{text}b".encode()
            ends = np.array([4, 4, len(data) - 1, len(data)])
            is_space = chr(code) in WHITE_SPACE
            assert have_space_at_ends(data, ends) is is_space
            assert not have_space_at_ends(data, ends[-1:])
    with pytest.raises(IndexError, match="within"):
        have_space_at_ends(b"ab", np.array([1, 3]))
    for damaged in (b"\xe3\x80", b"a\xc2", b"\x80", b"\xff"):
        assert have_space_at_ends(damaged, np.array([len(damaged)])) in (True, False)


@given(
    text=st.binary(max_size=50), string=st.binary(min_size=1, max_size=3), n=st.integers(0, 9000)
)
def test_a_string_is_found_wherever_it_is(text: bytes, string: bytes, n: int) -> None:
    """Across the borders of the blocks that are looked at together, too."""
    for searched in (text, b"." * n + string, string + b"." * n, b"." * n):
        assert holds(searched, string) == (string in searched)


@pytest.mark.usefixtures("_each_way")
@given(data=st.binary(max_size=100), form=st.sampled_from(["NFC", "NFKD", "Lowercase"]))
def test_bytes_that_are_not_utf8_do_no_harm(data: bytes, form: str) -> None:
    """Whether they are normal may be said either way; nothing outside of them is read."""
    local = Normalizer(form).local
    assert local is not None
    assert local.is_normal(data) in (True, False)


def test_the_table_is_generated() -> None:
    """By generate_normal.py, with Unicode 16 at hand."""
    header = Path(__file__).parents[2].joinpath("bpetok", "patterns", "normal.h").read_text()
    assert header == generate()
