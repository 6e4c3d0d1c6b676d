"""Chains give the words that the pre-tokenizers of Hugging Face's tokenizers give."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bpetok
from bpetok.counting.chunks import count_pieces
from bpetok.counting.memory import RareWords
from bpetok.counting.options import check_count_options
from bpetok.patterns.builtin import CHAINS, check_pattern, scanner_of
from bpetok.patterns.chains import BEHAVIORS, Step, spell_chain
from bpetok.patterns.expressions import compile_splitter
from bpetok.patterns.scan import split_words
from bpetok.sources.pieces import text_pieces
from oracles import tokenizers_words
from strategies import TEXT

CHARACTERS = "astmdrevlTLS'\t\n\r0129!-/ \x00éжñ²½中海あ\u0301\u00a0\u3000🙂ſÀª,.$+"

OTHERS: dict[str, list[Step]] = {
    "letters that are bytes": ["byte_level", (r"\p{L}+", "isolated")],
    "digits": ["digits"],
    "digits together": [("digits", "contiguous")],
    "punctuation": [("punctuation", "removed"), "gpt2"],
    "whitespace split": [("whitespace", "removed")],
    "whitespace": [(r"\w+|[^\w\s]+", "kept")],
    "to the one before": [(r"[,.]", "merged_with_previous")],
    "to the next": [(r"[\s,]", "merged_with_next")],
    "both": [(r"\s", "merged_with_next"), ("digits", "merged_with_previous"), "gpt2"],
    "runs": [(r"[a-z]{1,2}", "contiguous"), r"\p{L}"],
    "thousands": [r"(?=(\d{3})+(?!\d))", "gpt2"],
    "thousands of all numbers": ["right_to_left_digits", "o200k"],
    # What Oniguruma has for \b, which is another thing in `regex`: all numbers are of words.
    "thousands at edges": [r"\d{1,3}(?=(?:\d{3})*(?![\p{L}\p{M}\p{N}\p{Pc}]))", "gpt2"],
    "old deepseek": [
        r"[\r\n]",
        r"\s?\p{L}+",
        r"\s?\p{P}+",
        r"[一-龥ࠀ-一가-퟿]+",
        "digits",
    ],
    "two that look back": ["gpt2", r"\s+(?!\S)|\p{L}{2}|\s\p{N}"],
    "removed and looked behind": [(r"\s+(?!\S)|x+y", "removed"), r"(?<=[a-s])[a-z]+|\d+"],
    "kept at last": ["digits", (r"[a-z]+!|\s+(?!\S)", "kept")],
    "kept and looked behind": [(r"(?<=[a-s])[a-z]", "kept")],
    "kept or looked behind": [(r"(?<=[a-s])[a-z]|(?<!\s)\d", "kept"), "digits"],
    "removed and looked behind at once": [(r"(?<=[a-s])[a-z]", "removed")],
    "bytes": ["gpt2", "byte_level", "digits", ("punctuation", "contiguous")],
    "spaces before pieces": [("whitespace", "removed"), "prefix_space", "gpt2"],
    "spaces before the last pieces": [(r"\w+|[^\w\s]+", "kept"), "prefix_space"],
    "spaces, then bytes": ["digits", "prefix_space", "gpt2", "byte_level", r"\p{L}{2}"],
    "spaces, then steps whose ends are seen late": [
        (r"[a-m]+\s*", "merged_with_next"),
        r"\s+(?!\S)|\p{L}{2}",
        "prefix_space",
        r" (?=\p{L}+!)|\d ",
        (r"\s+(?!\S)|[,.]", "removed"),
    ],
}


def words(steps: list[Step], text: str) -> list[bytes]:
    scanner = scanner_of(check_pattern(steps))
    assert scanner is not None
    return split_words(text.encode(), scanner)


ALL = {**{name: list(chain) for name, chain in CHAINS.items()}, **OTHERS}


@pytest.mark.parametrize("name", ALL)
@given(st.text(CHARACTERS, max_size=60))
def test_words_equal_those_of_tokenizers(name: str, text: str) -> None:
    """Each behaviour, steps whose ends are seen late, look-ahead, steps after ByteLevel."""
    assert words(ALL[name], text) == tokenizers_words(ALL[name], text)


@pytest.mark.parametrize(
    ("steps", "text", "right"),
    [
        # What a step leaves out, where the next one may begin a match one character back.
        ([(r"[\s\S]+", "removed"), r"[^\r\n\p{L}\p{N}]?\p{L}+"], "ab\x7f\x7fc", []),
        ([("digits", "kept"), r"\s?\d\p{N}+"], "a12b\n\n34", ["1", "2", "3", "4"]),
        # A match that would go on to an end in any case, were it not for the end of its piece.
        ([("digits", "merged_with_previous"), r"c+?[^a]{2,}"], "acb1b", ["a", "cb1", "b"]),
        ([(r"a+", "isolated"), (r"!?\p{L}+", "removed")], "!!éa", ["!"]),
        # The line feed at the end of a piece, and not of the text.
        ([(r"\d+", "merged_with_next"), (r"$", "isolated")], "2\n2", ["2", "\n", "2"]),
        ([(r"a+", "removed"), (r"\s+$|\s", "kept")], " \n\na\n", [" \n\n", "\n"]),
        # After ByteLevel a line feed is a letter, also at the end.
        (["byte_level", (r"\p{N}\p{Lu}?$|\p{N}\p{Lu}?", "removed")], "1\n", []),
        (["byte_level", (r"\p{N}$|\p{Lu}", "kept")], "1\n", ["\n"]),
    ],
)
def test_later_steps_see_no_more_than_their_pieces(
    steps: list[Step], text: str, right: list[str]
) -> None:
    """Found by fuzzing: all of these gave other words."""
    assert [word.decode() for word in words(steps, text)] == right
    assert [word.decode() for word in tokenizers_words(steps, text)] == right


@pytest.mark.filterwarnings("ignore:.*can't be compiled to a scanner")
@pytest.mark.parametrize(
    ("expression", "text", "right"),
    [
        (r"[\s\S]{2}", "aaa", ["aaa"]),
        (r"[\s\S]{2}", "abaaa", ["ab", "aaa"]),
        (r"b(?=a+b)|[\s\S]{2}", "ababaaa", ["ab", "ab", "aaa"]),
        (r"\d{3}|\s", "123 4567", ["123", " ", "4567"]),
        (r"[A-Z]", "ABcD", ["A", "Bc", "D"]),
    ],
)
def test_what_begins_a_match_and_is_none_is_joined_to_the_match_before(
    expression: str, text: str, right: list[str]
) -> None:
    """Found by the campaign: a piece ended where a match began, whether it was one or not."""
    steps: list[Step] = [(expression, "merged_with_next")]
    assert [word.decode() for word in tokenizers_words(steps, text)] == right
    assert bpetok.pretokenize(text, steps) == right


@pytest.mark.filterwarnings("ignore:.*can't be compiled to a scanner")
def test_a_step_after_bytes_that_are_cut_apart() -> None:
    """Where the chain is not compiled, a later step that could be is given half characters."""
    steps: list[Step] = ["byte_level", "(?:b|bc)?+", (r"\d+|x+y", "removed")]
    right = [b"\xc3", b"\xa9", b"b", b"\xc3", b"\xa9"]
    assert tokenizers_words(steps, "1é2bé") == right
    assert bpetok.Tokenizer(merges=[], pattern=steps).encode("1é2bé") == [*b"".join(right)]
    assert bpetok.count_words_from_iterator(["1é2bé"], pattern=steps).to_dict() == Counter(right)


@pytest.mark.parametrize(
    "name",
    [
        "deepseek",
        "smollm",
        "falcon",
        "thousands",
        "removed and looked behind",
        "kept and looked behind",
        "removed and looked behind at once",
        "spaces before pieces",
        "spaces before the last pieces",
        "spaces, then bytes",
        "letters that are bytes",
        "spaces, then steps whose ends are seen late",
    ],
)
@given(st.lists(st.text(CHARACTERS + "<|>", max_size=40), max_size=3), st.sampled_from([1, 7, 30]))
def test_any_chunking_gives_the_same_counts(name: str, texts: list[str], chunk_size: int) -> None:
    """Where a text may be cut, the tables of the first level tell."""
    options = check_count_options(check_pattern(ALL[name]), ["<|>"], 1, "strict")
    options = options._replace(cutting=options.cutting._replace(chunk_size=chunk_size))
    pieces = text_pieces(texts, options.cutting)
    parts = [part for text in texts for part in text.split("<|>")]
    expected = Counter(word for part in parts for word in words(ALL[name], part))
    assert count_pieces(pieces, options, RareWords()).to_dict() == expected


def test_a_chain_trains_encodes_and_is_saved(tmp_path: Path) -> None:
    """In our own file, under its name or as a str; formats that hold one expression refuse it."""
    chain: list[Step] = ["right_to_left_digits", ("whitespace", "removed"), "gpt2"]
    tok = bpetok.train_from_iterator([TEXT], vocab_size=300, pattern=chain)
    assert json.loads(tok.pattern)[1] == ["whitespace", "removed"]
    ids = tok.encode("It's 12345 here")
    assert tok.decode(ids) == "It's12345here"
    tok.save(tmp_path / "tok.json")
    assert bpetok.Tokenizer.load(tmp_path / "tok.json") == tok
    assert bpetok.Tokenizer.load(tmp_path / "tok.json").encode("It's 12345 here") == ids
    with pytest.raises(ValueError, match="is a chain of steps"):
        tok.to_tiktoken()
    assert bpetok.Tokenizer(merges=[], pattern=["digits", "gpt2"]).pattern == "smollm"
    assert bpetok.Tokenizer(merges=[], pattern="starcoder").pattern == "smollm"
    assert bpetok.Tokenizer(merges=[], pattern=["gpt2"]).pattern == "gpt2"
    assert bpetok.Tokenizer(merges=[], pattern=spell_chain(["digits", "gpt2"])).pattern == "smollm"


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        ([], "at least one step"),
        (["digits", "gtp2"], "a step of a pattern must be an expression or one of 'digits'"),
        ([("gpt2", "split")], "the behaviour of a step must be one of 'isolated'"),
        (["byte_level"], "must have a step that splits"),
        ([""], "must not be empty"),
        (["prefix_space", "digits"], "'prefix_space' must come once, after a step that splits"),
        (["digits", "byte_level", "prefix_space"], "and before 'byte_level'"),
        (["digits", "prefix_space", "gpt2", "prefix_space"], "must come once"),
        (["digits", ("prefix_space", "removed")], "splits nothing, so it takes no behaviour"),
    ],
)
def test_a_chain_that_can_not_be_is_refused(chain: list[Step], message: str) -> None:
    """With the reason."""
    with pytest.raises(ValueError, match=message):
        bpetok.pretokenize("a", chain)


def test_a_step_is_a_str_or_a_pair() -> None:
    """Anything else is a mistake."""
    for chain in ([1], [("a",)], {"a": "b"}):
        with pytest.raises(TypeError, match="pattern must be"):
            bpetok.pretokenize("a", chain)  # type: ignore[arg-type]  # the mistake tested


@pytest.mark.parametrize("behavior", BEHAVIORS)
@given(text=st.text("aabbc 12\n.\u00e9\u4e2d", max_size=20))
@pytest.mark.filterwarnings("ignore:pattern.*can't be compiled to a scanner")
def test_a_step_that_can_not_be_compiled_goes_to_regex(behavior: str, text: str) -> None:
    """The others keep their scanners; after ByteLevel a word may end inside of a character."""
    chain: list[Step] = ["digits", (r"([a-z])\1", behavior), "gpt2"]
    in_bytes: list[Step] = ["gpt2", "byte_level", (r"(.)\1", behavior)]
    ends_late: list[Step] = [(r"\s+(?!\S)", "merged_with_next"), "digits"]
    ever_empty: list[Step] = [(r"b|(?:12)*", behavior), (r"\.|(?=c)|a??", behavior)]
    spaced: list[Step] = [(r"([a-z])\1", behavior), "prefix_space", r" ([a-z])\1"]
    for steps in (chain, in_bytes, ends_late, ever_empty, spaced):
        assert bpetok.patterns.explain(steps).name == "regex"
        found = compile_splitter(check_pattern(steps))(text, "error", None)
        assert found == tokenizers_words(steps, text)


def test_a_chain_that_regex_splits_encodes_and_is_saved(tmp_path: Path) -> None:
    """The user is told why it is slow."""
    chain: list[Step] = ["digits", r"([b-z])\1", "gpt2"]
    with pytest.warns(UserWarning, match=r"can't be compiled to a scanner: \\1 \(a back ref"):
        tok = bpetok.train_from_iterator([TEXT], vocab_size=270, pattern=chain, n_threads=1)
    assert tok.decode(tok.encode("good books 12")) == "good books 12"
    tok.save(tmp_path / "tok.json")
    assert bpetok.Tokenizer.load(tmp_path / "tok.json") == tok


@pytest.mark.filterwarnings("ignore:pattern.*can't be compiled to a scanner")
@given(text=st.text("ab \u00e9", max_size=12))
def test_what_regex_leaves_out_is_left_out(text: str) -> None:
    """From counts, from ids, and from their places."""
    chain: list[Step] = [(r"(a)\1|b", "removed"), (r"\w|(?=\s)", "isolated")]
    expected = tokenizers_words(chain, text)
    tok = bpetok.Tokenizer(merges=[], pattern=chain)
    ids, offsets = tok.encode_with_offsets(text)
    assert bytes(ids) == b"".join(expected)
    kept = [i for begin, end in offsets for i in range(begin, end)]
    assert "".join(text[i] for i in sorted({*kept})).encode() == b"".join(expected)
    counts = bpetok.count_words_from_iterator([text], pattern=chain, n_threads=1).to_dict()
    assert counts == Counter(expected)


@pytest.mark.filterwarnings("ignore:pattern.*can't be compiled to a scanner")
@pytest.mark.parametrize("first", [r"\s|b+", r"(\s)\1|\s|b+"], ids=["compiled", "regex"])
@pytest.mark.parametrize("behavior", BEHAVIORS)
@given(text=st.text("ab1 \n\u00e9", max_size=20), prefix_space=st.booleans())
def test_ids_of_pieces_that_get_spaces(
    first: str, behavior: str, text: str, prefix_space: bool
) -> None:
    """They are those of the words of tokenizers; each occurs at its place, a space that was put
    before a piece at the first character of that.
    """
    chain: list[Step] = [(first, behavior), "prefix_space", "gpt2"]
    tok = bpetok.Tokenizer(
        merges=[(32, 97), (256, 98), (195, 169)], pattern=chain, prefix_space=prefix_space
    )
    begun = " " + text if prefix_space and text[:1] not in ("", " ") else text
    words = tokenizers_words(chain, begun)
    expected = [token_id for word in words for token_id in tok._encode_word(word)]
    ids, offsets = tok.encode_with_offsets(text)
    assert tok.encode(text) == ids == expected == list(tok.explain(text).ids)
    assert bpetok.pretokenize(begun, chain) == [word.decode() for word in words]
    for token_id, (begin, end) in zip(ids, offsets, strict=True):
        token = tok.token_bytes(token_id)
        assert begin < end
        assert token.lstrip() in text[begin:end].encode()
        if token.lstrip() == token and len(token) > 1:
            assert text[begin:end].encode() == token


@pytest.mark.parametrize(
    ("chain", "prefix_space", "message"),
    [
        (["digits", "prefix_space", "cl100k"], False, "only if that is split by 'gpt2' or not"),
        (["digits", "prefix_space"], True, "can't say both, prefix_space=True and a pattern"),
        (["digits", "cl100k"], True, "only if that is split by 'gpt2' or not"),
    ],
)
def test_spaces_that_no_file_can_say_are_kept_in_our_own(
    chain: list[Step], prefix_space: bool, message: str, tmp_path: Path
) -> None:
    """Others refuse them."""
    tok = bpetok.Tokenizer(merges=[], pattern=chain, prefix_space=prefix_space)
    tok.save(tmp_path / "tok.json")
    assert bpetok.Tokenizer.load(tmp_path / "tok.json") == tok
    with pytest.raises(ValueError, match=message):
        tok.to_tokenizers()
    with pytest.raises(ValueError, match="is a chain of steps"):
        tok.to_tiktoken()


def test_text_left_out_may_hold_the_next_word() -> None:
    """The word occurs after it: its place was that of the first text like it."""
    tok = bpetok.Tokenizer(merges=[], pattern=[(r"\s\w", "removed")])
    assert tok.encode_with_offsets(" bb") == ([98], [(2, 3)])


def test_scripts_are_those_of_tokenizers() -> None:
    """Each character after one of Latin and after one of Greek: it belongs to that or begins."""
    tokenizers = pytest.importorskip("tokenizers")
    theirs = tokenizers.pre_tokenizers.UnicodeScripts()
    scanner = scanner_of(check_pattern([("scripts", "kept")]))
    points = [point for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    assert scanner is not None
    # In parts: the time that tokenizers takes grows with the square of the pieces.
    for first in range(0, len(points), 256):
        some = [chr(point) for point in points[first : first + 256]]
        text = "".join(f"a{one}\u03b1{one}" for one in some) if first < 0x20000 else "a".join(some)
        ours = [word.decode() for word in split_words(text.encode(), scanner)]
        assert ours == [word for word, _ in theirs.pre_tokenize_str(text)], hex(first)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ('["digits", "gpt2"]', r'it is \[\["digits", "isolated"\], \["gpt2", "isolated"\]\]'),
        ('["digits", ["a+", "removed"]]', r'is \[\["digits", "isolated"\], \["a\+", "removed"\]\]'),
        ('[["digits", "isolate"]]', "the behaviour of a step must be one of .*, got 'isolate'"),
        ('["digits", 5]', "a step of a pattern must be .*, got 5"),
    ],
)
def test_json_of_steps_that_is_no_chain_is_no_expression(pattern: str, message: str) -> None:
    """It was a class of the characters in it, which did not match the text."""
    with pytest.raises(ValueError, match=message):
        bpetok.count_words_from_iterator(["a 1"], pattern=pattern)
    assert bpetok.pretokenize('a"b', '["a", "b"]') == ["a", '"', "b"]
