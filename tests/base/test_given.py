"""What callers give as lists: columns of Arrow too, which are looked at before they are read."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bpetok
from bpetok.base.checks import check_index, listed, plain, shorten
from processes import run_python

ENTRANCES = """
    lambda x: tok.encode("a", allowed_special=x),
    lambda x: tok.encode("a", disallowed_special=x),
    lambda x: tok.encode_with_offsets("a", allowed_special=x),
    lambda x: tok.encode_batch(x),
    lambda x: tok.encode_batch([], allowed_special=x),
    lambda x: list(tok.encode_iterable(x, errors="replace")),
    lambda x: tok.explain("a", allowed_special=x),
    lambda x: tok.decode(x),
    lambda x: tok.decode(x, skip_special_tokens=True),
    lambda x: tok.decode_batch(x),
    lambda x: tok.decode_batch([x]),
    lambda x: tok.decode_with_offsets(x),
    lambda x: tok.decode_stream().feed(x),
    lambda x: tok.prune(x, 257),
    lambda x: tok.truncate(x),
    lambda x: bpetok.Tokenizer(merges=x),
    lambda x: bpetok.Tokenizer(merges=[], special_tokens=x),
    lambda x: bpetok.Tokenizer(merges=[], added_tokens=[x]),
    lambda x: bpetok.Tokenizer(
        merges=[], special_tokens=["<e>"], added_tokens=[bpetok.AddedToken("<e>", x)]
    ),
    lambda x: bpetok.Tokenizer(merges=[], token_ids=x),
    lambda x: bpetok.Tokenizer(merges=[(97, 98)], merge_counts=x),
    lambda x: bpetok.pretokenize("a", x),
    lambda x: bpetok.count_words(x),
    lambda x: bpetok.count_words([x]),
    lambda x: bpetok.train_from_iterator(x, vocab_size=300),
    lambda x: bpetok.train_from_iterator([x], vocab_size=300, balance="parity"),
    lambda x: bpetok.train_from_iterator([["a"]], vocab_size=300, balance=bpetok.Parity(ratio=x)),
    lambda x: bpetok.train_from_iterator(["a"], vocab_size=300, initial_tokens=x),
    lambda x: bpetok.train_from_iterator(["a"], vocab_size=300, special_tokens=[x]),
    lambda x: bpetok.train_from_iterator(
        ["a"], vocab_size=300, merge_filter=bpetok.MergeFilter(final=x)
    ),
    lambda x: bpetok.train_from_words(x, vocab_size=300),
    lambda x: bpetok.train_from_words([(b"a", x)], vocab_size=300),
    lambda x: bpetok.train_from_sequences(x, n_symbols=4, vocab_size=5),
    lambda x: bpetok.train_from_sequences([x], n_symbols=4, vocab_size=5),
    lambda x: bpetok.train_from_sequences([[1]], n_symbols=4, vocab_size=5, boundaries=[x]),
    lambda x: bpetok.count_words_from_iterator(["a"]).select(x),
    lambda x: bpetok.count_words_from_iterator(["a"]).select([x]),
    lambda x: bpetok.report(tok, texts=x),
    lambda x: bpetok.report(x, texts=["a"]),
"""


PROGRAM = f"""
import struct, numpy as np, pandas as pd, pyarrow as pa, bpetok

tok = bpetok.Tokenizer(merges=[(97, 98)], special_tokens=["<e>"])
offsets = pa.py_buffer(np.array([0, 1 << 30, 5], np.int32))
strings = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"hello")])
table = pa.table({{"a": pa.array([1] * 777)}})
sink = pa.BufferOutputStream()
with pa.ipc.new_stream(sink, table.schema) as writer:
    writer.write_table(table)
data = sink.getvalue().to_pybytes().replace(struct.pack("<q", 777), struct.pack("<q", 1 << 30))
numbers = pa.ipc.open_stream(data).read_all()["a"]
kind = pa.list_(pa.int64())
lists = pa.ListArray.from_buffers(kind, 2, [None, offsets], children=[pa.array([1] * 5)])
series = pd.Series(pd.arrays.ArrowExtensionArray(strings))
columns = [strings, numbers, numbers.chunk(0), lists, pa.chunked_array([strings]), series]
columns += [pd.Series(pd.arrays.ArrowExtensionArray(numbers)), pa.table({{"text": strings}})]
refused = 0
for column in columns:
    for call in ({ENTRANCES}):
        try:
            call(column)
            print(column.type)
        except (TypeError, ValueError):
            refused += 1
print(refused)
"""


def test_damaged_columns_are_refused_wherever_they_are_given() -> None:
    """Of a damaged array pyarrow ends the process when an element is taken or shown."""
    pytest.importorskip("pyarrow")
    pytest.importorskip("pandas")
    printed = run_python(PROGRAM)
    assert printed == f"{8 * ENTRANCES.count('lambda')}\n"


def test_columns_of_arrow_are_lists() -> None:
    """They were not: each element was an object of pyarrow."""
    pa = pytest.importorskip("pyarrow")
    tok = bpetok.Tokenizer(merges=[(97, 98)], special_tokens=pa.array(["<e>", "<f>"]))
    assert tok.special_tokens == {"<e>": 257, "<f>": 258}
    chunked = pa.chunked_array([["<e>"], ["<f>"]])
    assert tok.encode("<f>", allowed_special=chunked) == [258]
    assert tok.decode(pa.array([97, 256])) == "aab"
    assert tok.decode_batch(pa.array([[97], [256, 98]])) == ["a", "abb"]
    assert tok.decode_batch([pa.array([97]), [98]]) == ["a", "b"]
    assert tok.decode_stream().feed(pa.array([97, 98])) == "ab"
    sequences = pa.array([[1, 2, 1, 2], [1, 2]])
    learned = bpetok.train_from_sequences(sequences, n_symbols=4, vocab_size=5)
    assert learned.merge_pairs.tolist() == [[1, 2]]
    words = bpetok.train_from_iterator(["ab"], vocab_size=257, initial_tokens=pa.array(["ab"]))
    assert words.merges == [(b"a", b"b")]


def test_a_series_of_special_tokens_is_no_comparison() -> None:
    """``series == ()`` fails."""
    pandas = pytest.importorskip("pandas")
    tok = bpetok.Tokenizer(merges=[], special_tokens=["<e>"])
    names = pandas.Series(["<e>"])
    assert tok.encode("<e>", allowed_special=names) == [256]
    assert tok.encode_batch(["<e>"], allowed_special=names) == [[256]]
    with pytest.raises(bpetok.SpecialTokenError):
        tok.encode("<e>", disallowed_special=names)


TOK = bpetok.Tokenizer(merges=[(97, 98)], special_tokens=["<e>"])


@pytest.mark.parametrize(
    "call",
    [
        lambda x: bpetok.Tokenizer(merges=[], special_tokens=x),
        lambda x: bpetok.count_words_from_iterator(["a"], special_tokens=x),
        lambda x: bpetok.train_from_iterator(["a"], vocab_size=300, special_tokens=x),
        lambda x: bpetok.train_from_iterator(["a"], vocab_size=300, initial_tokens=x),
        lambda x: bpetok.train(x, vocab_size=300, balance="parity"),
        lambda x: TOK.decode_batch(x),
        lambda x: bpetok.train_from_iterator(x, vocab_size=300, compat="minbpe"),
        lambda x: bpetok.train_from_words(x, vocab_size=300, compat="minbpe"),
    ],
)
def test_a_set_is_refused_where_the_order_matters(call: Callable[[object], object]) -> None:
    """Ids were others in each process: the order of a set of str is drawn when Python starts."""
    for given in ({"<a>", "<b>"}, frozenset(["<a>", "<b>"])):
        with pytest.raises(TypeError, match=r"a set has no order, .* sorted\(\.\.\.\) gives"):
            call(given)


def test_a_set_is_good_where_it_does_not() -> None:
    """A view of the keys of a dict is in order."""
    names = {"<a>": 1, "<b>": 2}.keys()
    tok = bpetok.Tokenizer(merges=[], special_tokens=names)
    assert tok.special_tokens == {"<a>": 256, "<b>": 257}
    assert tok.encode("<b>", allowed_special={"<a>", "<b>"}) == [257]
    final = bpetok.MergeFilter(final={"ab", "bc"})
    learned = bpetok.train_from_iterator(["abcab"], vocab_size=257, merge_filter=final)
    assert learned.merges == [(b"a", b"b")]


@pytest.mark.parametrize(
    "call",
    [
        "bpetok.count_words({files}, sample=0.5).to_dict()",
        "bpetok.train({files}, vocab_size=260, compat='minbpe').merges",
        "tok.encode_files({files}, 'ids.bin').files[0].read_bytes()",
    ],
)
def test_a_set_of_files_is_read_in_one_order(call: str, tmp_path: Path) -> None:
    """That of their names, as a folder's: the order of a set was another in each process."""
    names = [f"{letter}.txt" for letter in "hgfedcba"]
    for name in names:
        tmp_path.joinpath(name).write_text(f"{name * 3} {name[0]}{name[0]}\n" * 20)
    made = {
        run_python(
            f"import bpetok, os; os.chdir({str(tmp_path)!r}); tok = bpetok.Tokenizer(merges=[]); "
            f"print({call.format(files=files)})",
            PYTHONHASHSEED=seed,
        )
        for files in (sorted(names), set(names))
        for seed in "12"
    }
    assert len(made) == 1


class Column:
    """Compares its elements, as a column of datasets does: pyarrow dies of damaged ones."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("was compared")

    __hash__ = None  # type: ignore[assignment]  # as what has elements that change


@pytest.mark.parametrize(
    "encode",
    [
        TOK.encode,
        TOK.encode_ordinary,
        TOK.encode_to_numpy,
        TOK.encode_with_offsets,
        TOK.encode_batch,
        TOK.encode_ordinary_batch,
        TOK.count_tokens,
    ],
)
def test_errors_that_are_no_str_are_not_compared(encode: Callable[..., object]) -> None:
    """Of a damaged column that ended the process."""
    with pytest.raises(ValueError, match="errors must be 'strict' or 'replace', got <"):
        encode("a", errors=Column())


def test_flags_must_be_bool() -> None:
    """What is no flag was taken for True."""
    flag: Any = "no"
    for call, name in (
        (lambda: TOK.decode([97], skip_special_tokens=flag), "skip_special_tokens"),
        (lambda: TOK.decode_batch([[97]], skip_special_tokens=flag), "skip_special_tokens"),
        (lambda: TOK.encode("a", add_special_tokens=flag), "add_special_tokens"),
        (lambda: TOK.prune(["a"], 257, keep_ids=flag), "keep_ids"),
    ):
        with pytest.raises(TypeError, match=f"^{name} must be a bool, got 'no'$"):
            call()
    with pytest.raises(TypeError, match=r"^errors must be a str, got \['strict'\]$"):
        TOK.decode_stream(errors=["strict"])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^errors must be a str, got None$"):
        TOK.decode([97], None)  # type: ignore[arg-type]
    for name in ("no such handler", "\ud800", "a\0"):
        for decode in (
            lambda errors: TOK.decode([97], errors),
            lambda errors: TOK.decode_batch([], errors),
            lambda errors: TOK.decode_stream(errors=errors),
        ):
            with pytest.raises(ValueError, match=r"^errors must be 'replace', .* got"):
                decode(name)
    with pytest.raises(TypeError, match=r"^training must be TrainingFacts, got 'a'$"):
        bpetok.Tokenizer(merges=[], training="a")  # type: ignore[arg-type]


@pytest.mark.parametrize("kept", [[1], [True, True], np.array([1]), np.array([[True]])])
def test_words_are_selected_by_a_flag_each(kept: Any) -> None:
    """Numbers would be taken as places."""
    words = bpetok.count_words_from_iterator(["a"])
    with pytest.raises((TypeError, ValueError), match=r"^kept(\[0\])? must be a"):
        words.select(kept)
    assert words.select([True]) == words


@pytest.mark.parametrize("value", [None, float("nan"), 98.0, "b", np.float64(98)])
@pytest.mark.parametrize(
    ("decode", "name", "at"),
    [
        (TOK.decode, "ids", 1),
        (TOK.decode_bytes, "ids", 1),
        (TOK.decode_with_offsets, "ids", 1),
        (TOK.decode_stream().feed, "ids", 1),
        (lambda ids: TOK.decode(ids, skip_special_tokens=True), "ids", 1),
        (lambda ids: TOK.decode_batch([[], ids]), r"rows\[1\]", 1),
        (lambda ids: TOK.decode_batch([ids], skip_special_tokens=True), r"rows\[0\]", 1),
    ],
)
def test_what_is_no_id_is_named_with_its_place(
    decode: Callable[[Any], object], name: str, at: int, value: object
) -> None:
    """As missing values are, which tables have as nan or None."""
    shown = re.escape(repr(value))
    with pytest.raises(TypeError, match=f"^{name} must be integers, got {shown} at index {at}$"):
        decode([97, value])


@pytest.mark.parametrize("value", [None, float("nan"), 7])
def test_what_is_no_text_is_named_with_its_place(value: Any) -> None:
    """None in an iterable was left out without a word."""
    shown = f"got {type(value).__name__}, {value}$"
    for train in (
        lambda texts: bpetok.train_from_iterator(texts, vocab_size=300),
        bpetok.count_words_from_iterator,
    ):
        with pytest.raises(TypeError, match=f"^text 1 must be a str or bytes, {shown}"):
            train(["a", value, "b"])
    with pytest.raises(TypeError, match=rf"^texts\[1\] must be str or bytes, {shown}"):
        TOK.encode_batch(["a", value])
    with pytest.raises(TypeError, match=rf"^texts\[1\] must be str or bytes, {shown}"):
        bpetok.report(TOK, texts=["a", value])
    with pytest.raises(TypeError, match=r"^special_tokens\[1\] must be a str, got "):
        bpetok.Tokenizer(merges=[], special_tokens=["a", value])
    with pytest.raises(TypeError, match=r"^initial_tokens\[1\] must be bytes or str, got "):
        bpetok.train_from_iterator([], vocab_size=300, initial_tokens=["a", value])
    with pytest.raises(TypeError, match=r"^final\[1\] must be bytes or str, got "):
        bpetok.MergeFilter(final=("a", value)).ready()


@pytest.mark.parametrize("ids", [{97: 1}, {97}, frozenset([97])])
def test_ids_without_an_order_are_refused(ids: Any) -> None:
    """Of a mapping the keys were taken."""
    for decode in (TOK.decode, TOK.decode_with_offsets, TOK.decode_stream().feed):
        with pytest.raises(TypeError, match=f"ids must be in order, got a {type(ids).__name__}"):
            decode(ids)


def test_a_column_may_be_a_batch_of_texts() -> None:
    """Of a table only the names of its columns would be taken."""
    transformers = pytest.importorskip("transformers")
    pandas = pytest.importorskip("pandas")
    pa = pytest.importorskip("pyarrow")
    tokenizers = pytest.importorskip("tokenizers")
    begun = tokenizers.ByteLevelBPETokenizer()
    begun.train_from_iterator([], 256, show_progress=False)
    source = transformers.PreTrainedTokenizerFast(tokenizer_object=begun._tokenizer)

    def train(texts: Any) -> dict[str, int]:
        new = bpetok.train_new_from_iterator(source, texts, 258, show_progress=False)
        return dict(new.get_vocab())

    right = train(["abc", "abc"])
    assert len(right) == 258
    for column in (pa.array(["abc", "abc"]), pandas.Series(["abc", "abc"])):
        assert train([column]) == right
    with pytest.raises(TypeError, match="texts: item 0 must be a str or a list of str, got DataF"):
        train([pandas.DataFrame({"abc": ["abc"]})])


def test_a_mapping_or_a_table_is_no_list() -> None:
    """Only their keys, or the names of their columns, would be taken."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"<e>": ["x"]})
    with pytest.raises(TypeError, match="got a pandas DataFrame of arrays: give one column of it"):
        bpetok.Tokenizer(merges=[], special_tokens=frame)
    with pytest.raises(TypeError, match="allowed_special must be 'all' or a set of str, got a"):
        TOK.encode("a", allowed_special=frame)
    with pytest.raises(TypeError, match=r"initial_tokens must be a list of tokens, got \{'a': 1\}"):
        bpetok.train_from_iterator([], vocab_size=300, initial_tokens={"a": 1})


def test_arrays_are_shown_by_their_kind() -> None:
    """Wherever they are: their repr may end the process."""
    pa = pytest.importorskip("pyarrow")
    array = pa.array(["a"])
    assert shorten(array) == "a pyarrow StringArray of arrays"
    assert shorten([1, (array,)]) == "a list of arrays"
    assert shorten({"a": array}) == "a dict of arrays"
    assert shorten([1, 2]) == "[1, 2]"
    assert plain("x", [1]) == [1]
    assert listed("x", (1, 2), "a list") == [1, 2]
    with pytest.raises(TypeError, match=r"x must be a list, got array\(3\)"):
        listed("x", np.array(3), "a list")


class Odd(int):
    """An integer whose comparisons are not true."""

    def __lt__(self, other: int) -> bool:
        return False

    __gt__ = __le__ = __lt__


def test_integers_are_taken_as_they_are() -> None:
    """A subclass of int may do anything: with this one training never ended."""
    assert type(check_index("n", Odd(5))) is int
    words = bpetok.count_words_from_iterator(["low low lower"])
    right = bpetok.train_from_words(words, vocab_size=258, min_frequency=2)
    assert bpetok.train_from_words(words, vocab_size=Odd(258), min_frequency=Odd(2)) == right


def test_integers_of_numpy_are_as_good(tmp_path: Path) -> None:
    """They passed the checks, and failed where they were written as JSON, or were compared."""
    integer: Any = np.int64
    (tmp_path / "a.jsonl").write_text('{"text": "low lower lowest"}\n' * 100)

    def trained(folder: str, numbers: dict[str, Any], **options: Any) -> bpetok.Tokenizer:
        return bpetok.train(
            tmp_path / "a.jsonl", checkpoint=tmp_path / folder, sample=0.5, **numbers, **options
        )

    numbers = {
        "vocab_size": 260,
        "seed": 3,
        "min_frequency": 2,
        "max_token_length": 5,
        "max_text_chars": 50,
        "n_readers": 2,
        "n_threads": 1,
        "min_word_count": 1,
    }
    for name, number, of_numpy in (
        ("filter", bpetok.MergeFilter(max_words=1), bpetok.MergeFilter(max_words=integer(1))),
        ("none", None, None),
    ):
        given = {name: integer(number) for name, number in numbers.items()}
        tok = trained(name, given, merge_filter=of_numpy)
        # The same run, which goes on.
        assert trained(name, numbers, merge_filter=number) == tok
    (tmp_path / "a.txt").write_text("low lower lowest\n" * 100)
    weighted = [(tmp_path / "a.txt", integer(3)), (tmp_path / "a.jsonl", np.float64(0.5))]
    bpetok.train(weighted, vocab_size=260, checkpoint=tmp_path / "weighted")
    texts = [["low low low"], ["ab ab"]]
    learned, right = (
        bpetok.train_from_iterator(
            texts, vocab_size=258, balance=bpetok.Parity(window_size=of(3), global_merges=of(1))
        )
        for of in (integer, int)
    )
    assert learned == right
    added = bpetok.AddedToken("<a>", integer(256), lstrip=True)
    tok = bpetok.Tokenizer(merges=[], special_tokens={"<a>": 256}, added_tokens=[added])
    tok.save(tmp_path / "tok.json")
    assert bpetok.Tokenizer.load(tmp_path / "tok.json") == tok
    tok.encode_files(tmp_path / "a.txt", tmp_path / "ids", shard_size=integer(99))


def test_a_weight_is_looked_at_before_texts_are(tmp_path: Path) -> None:
    """It was refused when all had been counted."""
    weights: list[Any] = [-1, "1", None, float("nan")]
    for weight in weights:
        with pytest.raises((TypeError, ValueError), match="the weight of part 1"):
            bpetok.count_words([("no such file", 1), ("no such file", weight)])


def test_what_a_tokenizer_is_made_of() -> None:
    """Errors name the parameter; what is empty but no mapping was taken for nothing."""
    values: list[Any] = [0, "", [], np.array(["a", "b"])]
    for value in values:
        for name in ("whole_words", "other_tokens", "settings"):
            with pytest.raises(TypeError, match=f"^{name} must be"):
                bpetok.Tokenizer(merges=[], **{name: value})
    given: Any = 5
    with pytest.raises(TypeError, match=r"^added_tokens must be a list of AddedToken, got 5$"):
        bpetok.Tokenizer(merges=[], added_tokens=given)


def test_what_is_no_iterable_is_refused_by_name() -> None:
    """Or holds no tables."""
    pytest.importorskip("pyarrow")
    given: Any
    for given in (None, 5, 1.5):
        for call, name in (
            (bpetok.Words.combine, "parts"),
            (bpetok.Words.from_arrow, "tables"),
            (bpetok.Words.load, "files"),
        ):
            with pytest.raises(TypeError, match=f"^{name} must be .*, got {given}$"):
                call(given)
    for given in ("a", [None]):
        with pytest.raises(TypeError, match=r"^tables must be .*, got a \w+ in it$"):
            bpetok.Words.from_arrow(given)


def test_an_array_without_dimensions_has_no_elements() -> None:
    """It says that it is iterable; errors name the parameter, and an id may be one."""
    given = np.array("a")
    ways: list[tuple[Callable[[Any], object], str]] = [
        (bpetok.count_words, "files"),
        (bpetok.count_words_from_iterator, "texts"),
        (partial(bpetok.train_from_iterator, vocab_size=300), "texts"),
        (bpetok.Words.from_counts, "words"),
        (bpetok.Words.combine, "parts"),
        (TOK.encode_batch, "texts"),
        (lambda x: TOK.encode("a", allowed_special=x), "allowed_special"),
        (lambda x: bpetok.report(TOK, texts=x), "texts"),
    ]
    for call, name in ways:
        with pytest.raises(TypeError, match=f"^{name} must be "):
            call(given)
    assert TOK.decode_stream().feed(np.array(97)) == "a"
