"""Reports: what they say is what encoding says; sources, several tokenizers, the page's numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bpetok
from bpetok import Tokenizer
from bpetok.showing.report_page import MAX_SHOWN_LENGTH
from strategies import TEXT, TOY, merge_lists, texts


@pytest.fixture(scope="module")
def toy() -> Tokenizer:
    """The tokenizer of README and docs."""
    return bpetok.train_from_iterator([TOY], vocab_size=267, special_tokens=["<|end|>"])


@given(merges=merge_lists(), given_texts=st.lists(texts, min_size=1, max_size=3))
def test_the_curve_is_that_of_cut_merges(
    merges: list[tuple[int, int]], given_texts: list[str]
) -> None:
    """For every number of merges as many tokens as a tokenizer with only these makes."""
    given_texts = [*given_texts, "abcab aab abc cab"]
    tok = Tokenizer(merges=merges)
    one = bpetok.report(tok, texts=given_texts).tokenizers[0]
    expected = [
        sum(map(len, tok.truncate(256 + r).encode_batch(given_texts)))
        for r in range(len(merges) + 1)
    ]
    assert one.total.n_tokens_by_merges.tolist() == expected
    assert one.vocab_sizes.tolist() == list(range(256, 257 + len(merges)))
    assert one.total.n_tokens == expected[-1]
    ids = [i for row in tok.encode_batch(given_texts) for i in row]
    usage = np.bincount(ids, minlength=256 + len(merges))
    assert one.total.token_counts.tolist() == usage.tolist()
    assert one.unused == [i for i in range(256, 256 + len(merges)) if i not in ids]


@settings(max_examples=20)
@given(text=texts)
def test_ids_may_be_any(text: str) -> None:
    """What a report says in ids are the tokenizer's own."""
    plain = Tokenizer(merges=[(97, 98), (256, 99)])
    ids = [*range(100, 356), 7, 3]
    other = Tokenizer(merges=[(97, 98), (256, 99)], token_ids=ids)
    ours, theirs = bpetok.report({"a": plain, "b": other}, texts=text + "abc ab").tokenizers
    assert theirs.total.token_counts.tolist() == ours.total.token_counts.tolist()
    assert theirs.rare(2) == [(ids[i], n) for i, n in ours.rare(2)]
    assert [other.token_bytes(i) for i in theirs.longest(1)] == [b"abc"]


def test_what_is_said_of_the_vocabulary() -> None:
    """Unused and rare tokens, lengths, parts of characters, tokens that are nearly alike."""
    merges = [(b"a", b"b"), (b" ", b"A"), (b"\xe4", b"\xb8"), (b" A", b"b"), (b"ab", b"ab")]
    numbers = {bytes([i]): i for i in range(256)}
    pairs = []
    for left, right in merges:
        pairs.append((numbers[left], numbers[right]))
        numbers[left + right] = 255 + len(pairs)
    one = bpetok.report(Tokenizer(merges=pairs), texts="ab ab 中\n Ab").tokenizers[0]
    assert one.unused == [257, 260]
    assert one.rare(5) == [(258, 1), (259, 1), (256, 2)]
    assert one.n_by_length.tolist() == [0, 256, 3, 1, 1]
    assert one.longest(2) == [260, 259]
    assert one.not_utf8 == [258]
    groups = [[one.tokenizer.token_bytes(i) for i in group] for group in one.variants]
    assert [b"A", b"a", b" A"] in groups
    assert [b"ab", b" Ab"] in groups
    assert len(groups[0]) == 3
    assert (one.total.n_bytes, one.total.n_words) == (13, 5)
    assert one.total.bytes_per_token == 13 / one.total.n_tokens
    assert one.total.tokens_per_word == one.total.n_tokens / 5


def test_sources_are_looked_at_alone_and_together(
    toy: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names of a mapping, or each file; folders or all together where there are too many."""
    paths = []
    for name in ("x/a.txt", "x/b.txt", "y/a.txt"):
        paths.append(tmp_path / name)
        paths[-1].parent.mkdir(exist_ok=True)
        paths[-1].write_text(TOY + name, encoding="utf-8")
    report = bpetok.report(toy, {"one": paths[:2], "two": str(tmp_path / "y")})
    one = report.tokenizers[0]
    assert [source.name for source in one.sources] == ["one", "two"]
    assert [source.n_bytes for source in one.sources] == [2 * (len(TOY) + 7), len(TOY) + 7]
    assert one.total.n_bytes == sum(source.n_bytes for source in one.sources)
    assert one.total.n_tokens == sum(source.n_tokens for source in one.sources)
    assert report.excerpt == (TOY + "x/a.txt").encode()

    given = {"one": [TOY, b"low<|end|>"], "two": "low", "none": []}
    by_text = bpetok.report(toy, texts=given).tokenizers[0].sources
    # The special token is not counted.
    assert [(one.name, one.n_bytes) for one in by_text] == [("one", len(TOY) + 3), ("two", 3)]

    def names() -> list[str]:
        return [s.name for s in bpetok.report(toy, paths).tokenizers[0].sources]

    assert names() == list(map(str, paths))
    monkeypatch.setattr("bpetok.showing.report_texts.MAX_SOURCES", 2)
    assert names() == [str(tmp_path / "x"), str(tmp_path / "y")]
    monkeypatch.setattr("bpetok.showing.report_texts.MAX_SOURCES", 1)
    assert names() == ["all files"]


def test_several_tokenizers_meet_the_same_text(toy: Tokenizer) -> None:
    """Each with its own pattern; a table has a column for each."""
    bytes_only = Tokenizer(merges=[], pattern="o200k")
    report = bpetok.report({"toy": toy, "bytes": bytes_only}, texts=TEXT)
    assert [one.total.n_tokens for one in report.tokenizers] == [
        len(toy.encode(TEXT)),
        len(TEXT.encode()),
    ]
    rows = dict(report.rows())
    assert rows["pattern"] == ["gpt2", "o200k"]
    assert rows["vocabulary"] == ["267", "256"]
    assert rows["bytes per token"][1] == "1.000"
    assert rows["tokens shared with toy"] == ["266 (100.0%)", "256 (100.0%)"]
    assert "tokens shared with toy" not in dict(bpetok.report(toy, texts=TEXT).rows())
    table = str(report)
    assert "merged tokens never used" in table
    assert " toy " in table
    page = report.to_html()
    assert page.count("<img ") == 3
    assert "Not known" in page  # what the second was trained on


def test_the_page_has_the_facts(tmp_path: Path) -> None:
    """Training, special tokens, sizes; text in it is escaped; long tokens share a bar."""
    tok = bpetok.train_from_iterator(["-" * 80 + "<b>$x$ _ "], vocab_size=266,
                                       special_tokens=["<s>"])  # fmt: skip
    longest = max(map(len, tok.vocab))
    assert longest > MAX_SHOWN_LENGTH
    report = bpetok.report(tok, texts={"_<i>$a$": "-" * 80 + "<b>", "$b": "low"})
    page = report.to_html()
    assert "<i>" not in page
    assert "_&lt;i&gt;$a$" in page
    assert "&lt;s&gt;" in page
    assert f"bpetok {bpetok.__version__}" in page
    assert "time to learn" in page
    assert "the longest together in the last bar" in page
    report.save(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text("utf-8") == page
    assert "<iframe title=" in (report._repr_html_() or "")
    assert repr(report) == "<Report on tokenizer; print it, or save it as a page>"


@pytest.mark.parametrize(
    ("tokenizers", "given", "error", "message"),
    [
        ({}, {"texts": "a"}, TypeError, "tokenizers must be"),
        ([], {"texts": "a"}, TypeError, "tokenizers must be"),
        ({"a": 3}, {"texts": "a"}, TypeError, "tokenizers must be .* got {'a': 3}"),
        (3, {"texts": "a"}, TypeError, "tokenizers must be .* got 3"),
        (None, {}, TypeError, r"give files or texts=\[...\], one of the two"),
        (None, {"files": "a.txt", "texts": "a"}, TypeError, "one of the two"),
        (None, {"texts": []}, ValueError, "at least one text"),
        (None, {"texts": {"a": []}}, ValueError, "at least one text"),
        (None, {"texts": ""}, ValueError, "at least one word"),
        (None, {"texts": 3}, TypeError, "texts must be str, bytes or an iterable of them, got 3"),
        (None, {"texts": pa.array(["a"])}, TypeError, "got a pyarrow StringArray"),
        (None, {"texts": {"a": pa.array(["a"])}}, TypeError, "got a pyarrow StringArray"),
        (None, {"texts": [3]}, TypeError, r"texts\[0\] must be str or bytes, got int"),
        (None, {"texts": [Path("c")]}, TypeError, r"texts\[0\] must be str or bytes"),
        (None, {"texts": b"\xff"}, ValueError, "is not UTF-8"),
        (None, {"files": b"low"}, TypeError, "files must be a path, a table or"),
        (None, {"files": "nowhere.txt"}, FileNotFoundError, "nowhere.txt"),
        (None, {"files": {"a": ["nowhere.txt"]}}, FileNotFoundError, "nowhere.txt"),
        (None, {"files": "-"}, ValueError, "standard input can't be one"),
    ],
)
def test_what_is_wrong_is_said(
    toy: Tokenizer, tokenizers: Any, given: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Types and values, with what was given."""
    with pytest.raises(error, match=message):
        bpetok.report(toy if tokenizers is None else tokenizers, **given)


def test_files_are_given_as_in_training(toy: Tokenizer, tmp_path: Path) -> None:
    """A str is a path, a pattern or a folder; a table is a source of its own."""
    (tmp_path / "notes.txt").write_text(TOY)
    (tmp_path / "more.txt").write_text("low")
    patterns = [str(tmp_path / "notes.txt"), str(tmp_path / "*.txt"), str(tmp_path)]
    sizes = [[s.n_bytes for s in bpetok.report(toy, p).tokenizers[0].sources] for p in patterns]
    assert sizes == [[len(TOY)], [3, len(TOY)], [3, len(TOY)]]
    pa = pytest.importorskip("pyarrow")
    one = bpetok.report(toy, [pa.table({"text": ["low", "lower"]}), tmp_path / "more.txt"])
    assert [(s.name, s.n_bytes) for s in one.tokenizers[0].sources] == [
        ("tables", 8),
        (str(tmp_path / "more.txt"), 3),
    ]
    assert one.excerpt.startswith(b"low")


def test_tokenizers_without_names_are_numbered(toy: Tokenizer) -> None:
    """As columns of the table."""
    report = bpetok.report([toy, toy.truncate(260)], texts=TOY)
    assert [one.name for one in report.tokenizers] == ["tokenizer 1", "tokenizer 2"]


def test_invalid_text_can_be_replaced(toy: Tokenizer) -> None:
    """As in counting."""
    one = bpetok.report(toy, texts=b"low \xff", errors="replace").tokenizers[0]
    assert one.total.n_bytes == 7


def test_files_are_read_as_in_training(toy: Tokenizer, tmp_path: Path) -> None:
    """JSON lines, for example; the excerpt is the text in them."""
    pytest.importorskip("orjson")
    path = tmp_path / "a.jsonl"
    path.write_text('{"body": "low lower"}\n{"body": "newest"}\n')
    report = bpetok.report(toy, path, text_column="body", max_text_chars=5)
    assert report.tokenizers[0].total.n_bytes == len("low l" + "newes")
    assert report.excerpt.startswith(b"low l")


def test_what_can_be_read_only_once_is_refused(toy: Tokenizer) -> None:
    """Another pattern reads it again: then there was "no text" in it."""
    reader = pa.table({"text": ["low"] * 9}).to_reader()
    for files in ("/dev/null", reader, {"a": [reader]}):
        with pytest.raises(ValueError, match=r"reads its files more than once, got '.*': save it"):
            bpetok.report(toy, files)


def test_names_and_patterns_are_no_markup() -> None:
    """A regular expression in brackets is printed as it is, not taken for a style."""
    tok = bpetok.train_from_iterator([TOY], vocab_size=260, pattern="[/]+|[^/]+|[a-z]")
    report = bpetok.report({"v[red]": tok, "[/x]": tok}, texts="the")
    assert all(part in str(report) for part in ["v[red]", "[/x]", "[/]+|[^/]+|[a-z]"])


def test_a_source_without_text_has_no_rates() -> None:
    """It is one of several; the rates are not numbers."""
    tok = Tokenizer(merges=[(108, 111)])  # l, o
    empty, other = bpetok.report(tok, texts={"a": "", "b": "low"}).tokenizers[0].sources
    assert np.isnan([empty.bytes_per_token, empty.tokens_per_word]).all()
    assert (other.bytes_per_token, other.tokens_per_word) == (1.5, 2)


def test_the_reference_is_learned_from_the_texts_themselves() -> None:
    """As `train_from_words` with pairs that occur twice, and the first tokenizer's pattern."""
    few = bpetok.train_from_iterator([TOY], vocab_size=261, special_tokens=["<s>"])
    more = bpetok.train_from_iterator([TEXT], vocab_size=330, pattern="cl100k")
    given = {"toy": TOY, "other": TEXT}
    report = bpetok.report([few, more], texts=given)
    words = bpetok.count_words_from_iterator([TOY, TEXT], special_tokens=["<s>"])
    expected = bpetok.train_from_words(words, vocab_size=331, min_frequency=2)
    assert report.reference.tokenizer == expected
    assert [len(expected.encode(text)) for text in given.values()] == [
        source.n_tokens for source in report.reference.sources
    ]


def test_the_verdict_says_what_the_numbers_say() -> None:
    """How good it is, next to merges learned here, where it is worst, next to the others."""
    tok = bpetok.train_from_iterator([TOY], vocab_size=266)
    other = "zabra zabra zabrb zabrb " * 4
    texts = {"toy": TOY, "empty": "", "other": other}
    report = bpetok.report({"tok": tok, "cut": tok.truncate(260)}, texts=texts)
    both = bpetok.train_from_iterator([TOY, other], vocab_size=266, min_frequency=2)

    def tokens(one: Tokenizer, *given: str) -> int:
        return sum(len(one.encode(text)) for text in given)

    def more(one: Tokenizer, *given: str) -> str:
        return f"{tokens(one, *given) / tokens(both, *given) - 1:.1%} more tokens than"

    cut = tokens(tok.truncate(260), TOY, other) / tokens(tok, TOY, other) - 1
    n_bytes, n_tokens = len(TOY + other), tokens(tok, TOY, other)
    fewer = 1 - tokens(tok, TOY) / tokens(both, TOY)
    assert fewer > 0
    assert report.verdict == [
        f"tok makes {n_tokens} tokens of these {n_bytes} bytes: {n_bytes / n_tokens:.2f} bytes per "
        f"token, {n_tokens / 34:.2f} tokens per word.",
        f"That is {more(tok, TOY, other)} 10 merges learned from this very text, about what "
        "training can reach.",
        f"It is worst on other: {len(other) / tokens(tok, other):.2f} bytes per token, "
        f"{more(tok, other)} those merges.",
        f"It is best on toy: {len(TOY) / tokens(tok, TOY):.2f} bytes per token, "
        f"{fewer:.1%} fewer tokens than those merges.",
        f"cut makes {cut:.1%} more tokens than tok, with 4 merges to 10. Its first 4 merges make "
        "as many tokens as those of the other.",
    ]
    assert str(report).startswith(report.verdict[0])
    assert report.verdict[0] in report.to_html()


def test_a_small_text_is_said_to_be_small() -> None:
    """Merges that it does not have twice can't be learned from it; without merges no reference."""
    tok = bpetok.train_from_iterator([TOY], vocab_size=266)
    said = bpetok.report(tok, texts="low low").verdict
    assert said[2].startswith("But the text is small for 10 merges: it has only 2 pairs")
    assert len(bpetok.report(Tokenizer(merges=[]), texts={"a": "low", "b": "b"}).verdict) == 1
    same = bpetok.report({"a": tok, "b": tok}, texts=TOY).verdict
    assert same[-1] == "b makes as many tokens as a, with as many merges."


def test_bytes_without_an_id_and_whole_words() -> None:
    """A byte without an id makes no token; a word that is one token whatever its merges is one."""
    ids = [*range(258)]
    ids[ord("x")] = -1
    tok = Tokenizer(merges=[(108, 111), (256, 119)], token_ids=ids, whole_words={b" lower": 400})
    text = "low lower x"
    report = bpetok.report(tok, texts=text)
    total = report.tokenizers[0].total
    assert total.n_tokens == len(tok.encode(text))
    assert total.token_counts[ord("x")] == 0
    assert b"x" not in report.tokenizers[0].tokens
    assert b"low" in report.tokenizers[0].tokens
    assert total.n_tokens_by_merges.tolist() == [total.n_tokens + 2, total.n_tokens + 1,
                                                total.n_tokens]  # fmt: skip
    assert "bytes per token" in report.to_html()


def test_numbers_and_a_plot_are_there_to_take() -> None:
    """Rows for a DataFrame; axes with a line for each tokenizer, on those that are given."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    tok = bpetok.train_from_iterator([TEXT], vocab_size=300)
    report = bpetok.report({"tok": tok, "small": tok.truncate(270)}, texts={"a": TEXT, "b": ""})
    rows = report.to_dicts()
    assert [(row["tokenizer"], row["source"]) for row in rows] == [
        (name, source) for name in ("tok", "small") for source in ("a", "b", "all")
    ]
    assert rows[1]["bytes_per_token"] is rows[1]["tokens_per_word"] is None
    assert rows[2]["bytes_per_token"] == report.tokenizers[0].total.bytes_per_token
    axes = report.plot()
    assert [line.get_label() for line in axes.lines] == [" tok", " small"]
    last = [np.asarray(data)[-1] for data in axes.lines[0].get_data()]
    assert last == [300, report.tokenizers[0].total.bytes_per_token]
    assert axes.get_xlabel() == "vocabulary size"
    plt.close("all")
    given = plt.figure().add_subplot()
    assert report.plot("tokens per word", ax=given) is given
    plt.close("all")
    with pytest.raises(ValueError, match="y must be one of 'bytes per token', 'tokens per word'"):
        report.plot("tokens")
    with pytest.raises(ValueError, match=r"y must be one of .*, got {}"):
        report.plot({})  # type: ignore[arg-type]  # refused
