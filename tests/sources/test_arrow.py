"""Arrow data that others wrote: offsets, nulls and columns of all kinds."""

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bpetok
from bpetok import distributed
from bpetok.base.arrow_checks import check_array
from processes import run_python

DATA = b"low lower lowest"


def column(offsets: list[int], kind: pa.DataType) -> pa.Array:
    """Return texts at the given offsets."""
    wide = pa.types.is_large_string(kind) or pa.types.is_large_binary(kind)
    buffer = pa.py_buffer(np.array(offsets, np.int64 if wide else np.int32))
    return pa.Array.from_buffers(kind, len(offsets) - 1, [None, buffer, pa.py_buffer(DATA)])


def write_ipc(path: Path, table: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


KINDS = [pa.string(), pa.binary(), pa.large_string(), pa.large_binary()]
OUTSIDE = [[0, 40, 3, 16], [0, 1_900_000_000, 3, 16], [0, -2_000_000_000, 3, 16], [3, 2, 16, 16]]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("offsets", OUTSIDE)
def test_offsets_outside_are_refused(tmp_path: Path, kind: pa.DataType, offsets: list[int]) -> None:
    """By all readers of Arrow: what lies in memory after the texts is not the file's."""
    texts = column(offsets, kind)
    table = pa.table({"text": texts})
    tok = bpetok.train_from_iterator(["low"], vocab_size=257)
    calls: list[Callable[[], Any]] = [
        lambda: bpetok.count_words(table),
        lambda: bpetok.count_words(table, sample=0.9),
        lambda: bpetok.count_words(table, max_text_chars=2),
        lambda: bpetok.train(table, vocab_size=257),
        lambda: tok.encode_files(table, tmp_path / "ids.bin"),
        lambda: distributed.count_batch(table, distributed.CountPlan()),
        lambda: bpetok.Words.from_arrow(
            pa.table({"word": texts, "count": [1, 2, 3]}), pattern="gpt2"
        ),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="damaged or not whole"):
            call()
    try:
        write_ipc(tmp_path / "a.arrow", table)
    except pa.ArrowInvalid:  # pyarrow does not write what reaches beyond the end
        return
    with pytest.raises(ValueError, match=r"a\.arrow is damaged or not whole"):
        bpetok.count_words(tmp_path / "a.arrow")


def test_a_record_batch_of_more_bytes_than_the_file_is_damage(tmp_path: Path) -> None:
    """And no want of memory: 2**46 bytes are not asked for where a thousand are left."""
    sink = io.BytesIO()
    table = pa.table({"text": ["low lower lowest"] * 1000})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    data = sink.getvalue()
    message = pa.ipc.read_message(pa.py_buffer(data[data.index(b"\xff\xff\xff\xff", 4) :]))
    length = struct.pack("<q", message.body.size)
    assert data.count(length) == 1
    path = tmp_path / "a.arrow"
    path.write_bytes(data.replace(length, struct.pack("<q", 1 << 46)))
    with pytest.raises(ValueError, match=r"a\.arrow is damaged or not whole"):
        bpetok.count_words(path)


def nested(offsets: list[int]) -> dict[str, pa.Array]:
    """Return texts with wrong offsets, and lists and dictionaries with wrong ones, nested."""
    bad = column(offsets, pa.string())
    good = column([0, 3, 9, 16], pa.string())
    wrong = pa.py_buffer(np.array([0, 1 << 30, 1, 3], np.int32))
    kind = pa.list_(pa.string())
    indices = pa.array([0, 1 << 30, 2], pa.int32())
    return {
        "a.b": pa.StructArray.from_arrays([bad], ["b"]),
        "a[]": pa.ListArray.from_arrays([0, 1, 2, 3], bad),
        "a[].b": pa.ListArray.from_arrays(
            [0, 1, 2, 3], pa.StructArray.from_arrays([good, bad], ["b", "c"])
        ),
        "view": pa.ListViewArray.from_arrays([0, 1 << 30, 2], [1, 1, 1], good),
        "size": pa.ListViewArray.from_arrays([0, 1, 2], [1, 1, 2], good),
        "list": pa.Array.from_buffers(kind, 3, [None, wrong], children=[good]),
        "dictionary": pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), bad),
        "index": pa.DictionaryArray.from_arrays(indices, good, safe=False),
    }


WAYS = {"a.b": "a.b", "a[]": "a[]", "a[].b": "a[].b", "list": "a[]", "view": "a[]", "size": "a[]",
        "dictionary": "a", "index": "a"}  # fmt: skip


@pytest.mark.parametrize("what", WAYS)
def test_offsets_outside_are_refused_however_deep(what: str) -> None:
    """In structs, lists and dictionaries, and in a field next to the texts."""
    table = pa.table({"a": nested([0, 40, 3, 16])[what]})
    with pytest.raises(ValueError, match="damaged or not whole"):
        bpetok.count_words(table, text_column=WAYS[what])


def test_a_wrong_number_of_nulls_is_refused() -> None:
    """pyarrow makes room for as many as it says."""
    offsets = pa.py_buffer(np.array([0, 3, 9, 16], np.int32))
    buffers = [pa.py_buffer(b"\x05"), offsets, pa.py_buffer(DATA)]
    check_array(pa.Array.from_buffers(pa.string(), 3, buffers, null_count=1))
    with pytest.raises(pa.ArrowInvalid, match="number of nulls"):
        check_array(pa.Array.from_buffers(pa.string(), 3, buffers, null_count=2))


texts = st.none() | st.text(max_size=12)


@given(st.lists(texts, min_size=1, max_size=20), st.integers(0, 5), st.sampled_from(KINDS))
def test_whole_arrays_pass(values: list[str | None], begin: int, kind: pa.DataType) -> None:
    """Also parts of others; as pyarrow's own, slower check says."""
    array = pa.array(values).cast(kind).slice(begin)
    for whole in (array, array.dictionary_encode(), pa.array([values, None, []])):
        whole.validate(full=True)
        check_array(whole)


VIEWS = [pa.string_view(), pa.binary_view()]


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_views_may_have_nulls(view: pa.DataType) -> None:
    """What Polars hands over, which pyarrow can't choose from; also nested, and in dictionaries."""
    values = ["low", None, "lower and longer", None]
    array = pa.array(values).cast(view)
    expected = {b"low": 1, b"lower": 1, b" and": 1, b" longer": 1}
    dictionary = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None]), array)
    struct = pa.StructArray.from_arrays([array], ["b"])
    lists = pa.ListArray.from_arrays([0, 1, 1, 4], array)
    list_view = pa.ListViewArray.from_arrays([0, 2], [2, 2], array)
    for way, source in {"a": array, "a.b": struct, "a[]": lists}.items():
        with pytest.warns(UserWarning, match="2 texts were null"):
            words = bpetok.count_words(pa.table({"a": source}), text_column=way)
        assert words.to_dict() == expected
    for way, source in {"a": dictionary, "a[]": list_view}.items():
        with pytest.warns(UserWarning, match="2 texts were null"):
            words = bpetok.count_words(pa.table({"a": source}), text_column=way)
        assert words.to_dict() == expected
    with pytest.warns(UserWarning, match="null"):
        halved = bpetok.count_words(pa.table({"text": array}), max_text_chars=3)
    assert halved.to_dict() == {b"low": 2}


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_a_sample_of_views_is_that_of_strings(view: pa.DataType) -> None:
    """With the same nulls in it."""
    values = [None if i % 3 == 0 else f"w{i}" for i in range(300)]
    array = pa.array(values)
    counted = []
    for column in (array, array.cast(view)):
        with pytest.warns(UserWarning, match="null") as record:
            words = bpetok.count_words(pa.table({"text": column}), sample=0.5, seed=3)
        counted.append((words.to_dict(), str(record[0].message)))
    assert counted[0] == counted[1]


def test_words_may_be_views() -> None:
    """Also those of a dictionary."""
    view = pa.array([b"low", b"lower"]).cast(pa.binary_view())
    dictionary = pa.DictionaryArray.from_arrays(pa.array([0, 1]), view)
    for words in (view, dictionary):
        table = pa.table({"word": words, "count": [1, 2]})
        loaded = bpetok.Words.from_arrow(table, pattern="gpt2")
        assert loaded.to_dict() == {b"low": 1, b"lower": 2}


def test_texts_that_are_all_empty_are_texts(tmp_path: Path) -> None:
    """Each ends where it ends, also where there is no byte in memory."""
    tok = bpetok.Tokenizer(merges=[], special_tokens=["<|end|>"])
    written = tok.encode_files(pa.table({"text": ["", ""]}), tmp_path / "ids.bin", eot="<|end|>")
    assert written.n_ids == 2


def test_columns_are_no_tables(tmp_path: Path) -> None:
    """Arrow's are refused; those of others are iterables of paths, if they have paths."""
    for texts in (pa.array(["low"]), pa.chunked_array([["low"]])):
        with pytest.raises(TypeError, match="is one column: give it as a table"):
            bpetok.count_words(texts)
        with pytest.raises(TypeError, match="a file must be a str or a path"):
            bpetok.count_words([texts])
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "a.txt"
    path.write_text("plum")
    paths = pandas.Series([str(path)] * 2)
    assert bpetok.count_words(paths).to_dict() == {b"plum": 2}
    frame = pandas.DataFrame({"text": ["plum", "low"]})
    assert bpetok.count_words(frame).to_dict() == {b"plum": 1, b"low": 1}
    assert bpetok.count_words_from_iterator(frame["text"]) == bpetok.count_words(frame)


def test_feather_of_version_1_is_called_so(tmp_path: Path) -> None:
    """It is not damaged; pyarrow says it lacks 800 MB of metadata."""
    path = tmp_path / "a.feather"
    path.write_bytes(b"FEA1" + bytes(20) + b"FEA1")
    with pytest.raises(ValueError, match=r"a\.feather is Feather of version 1, .* write it again"):
        bpetok.count_words(path)


def test_columns_of_polars(tmp_path: Path) -> None:
    """Its strings are views."""
    polars = pytest.importorskip("polars")
    path = tmp_path / "a.txt"
    path.write_text("plum")
    assert bpetok.count_words(polars.Series([str(path)])).to_dict() == {b"plum": 1}
    frame = polars.DataFrame({"text": ["plum", None]})
    with pytest.warns(UserWarning, match="1 text was null"):
        assert bpetok.count_words(frame).to_dict() == {b"plum": 1}


@pytest.mark.parametrize("damaged", ["text", "more"])
def test_columns_that_are_shorter_than_they_say_do_not_end_the_process(damaged: str) -> None:
    """pyarrow reads a damaged table without a look at it: a column beside the texts is not used."""
    n = 777
    columns = {"text": pa.array([["plum"]]), "more": pa.array([["plum"]])}
    columns[damaged] = pa.array([["plum"] * n])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, pa.table(columns).schema) as writer:
        writer.write_table(pa.table(columns))
    # The first place is where the file says how many texts the list has.
    data = sink.getvalue().to_pybytes().replace(struct.pack("<q", n), struct.pack("<q", 1 << 50), 1)
    table = pa.ipc.open_stream(data).read_all()
    for source in (table, table.to_batches()[0]):
        if damaged == "more":
            assert bpetok.count_words(source, text_column="text[]").to_dict() == {b"plum": 1}
            continue
        with pytest.raises(ValueError, match=r"is damaged or not whole: .*too small"):
            bpetok.count_words(source, text_column="text[]")


@pytest.mark.parametrize("offsets", [[0, 1, 5], [0, 1 << 30, 5]])
def test_an_array_is_no_iterable_of_texts(offsets: list[int]) -> None:
    """pyarrow gives objects of its own, and of a damaged array it ends the process."""
    printed = run_python(f"""
        import numpy as np, pyarrow as pa, bpetok
        buffers = [None, pa.py_buffer(np.array({offsets}, np.int32)), pa.py_buffer(b"hello")]
        array = pa.Array.from_buffers(pa.string(), 2, buffers)
        tok = bpetok.Tokenizer(merges=[])
        for texts in (array, pa.chunked_array([array])):
            for call in (
                bpetok.count_words_from_iterator,
                lambda texts: bpetok.train_from_iterator(texts, vocab_size=300),
                tok.encode_batch,
                tok.encode_batch_to_numpy,
                lambda texts: list(tok.encode_iterable(texts)),
            ):
                try:
                    call(texts)
                except TypeError as error:
                    print("to_pylist()" in str(error))
    """)
    assert printed == "True\n" * 10


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ([pa.array([1, 2])], "text_column must be strings, it is int64"),
        ([pa.array([b"abcd"], pa.binary(4))], "must be strings, it is fixed_size_binary"),
        # Its nulls would be read as a text of three bytes.
        ([pa.array([[None] * 20 + ["x", "y", "z"], ["x"]]).slice(0, 1)], "it is list<"),
        ([pa.array(["a"]), pa.array([{"x": "a"}])], "it is struct<"),
    ],
)
def test_batches_that_are_not_what_their_reader_says_are_refused(
    arrays: list[pa.Array], message: str
) -> None:
    """pyarrow does not look; what they hold in the place of texts would be counted."""
    batches = [pa.record_batch([array], ["text"]) for array in arrays]
    for kind in (pa.string(), pa.large_string()):
        schema = pa.schema([("text", kind)])
        reader = pa.RecordBatchReader.from_batches(schema, iter(batches))
        with pytest.raises(ValueError, match=message):
            bpetok.count_words(reader)
    other = pa.RecordBatchReader.from_batches(schema, iter([pa.record_batch([["a"]], ["b"])]))
    with pytest.raises(ValueError, match=r"RecordBatchReader has no column 'text', it has \['b'\]"):
        bpetok.count_words(other)


@pytest.mark.parametrize("kind", ["string_view", "binary_view"])
def test_views_of_nulls_may_be_anything(kind: str) -> None:
    """pyarrow's cast reads them, unchecked, which ended the process."""
    texts = [b"low", b"a text that is longer than a view", None, b"x", b"not in the slice"]
    array = pa.array(texts, getattr(pa, kind)())
    validity, views, *data = array.buffers()
    rows = bytearray(views.to_pybytes())
    rows[32:48] = struct.pack("<IIII", 0xFF008000, 0xFF, 1 << 30, 1 << 31)
    array = pa.Array.from_buffers(array.type, 5, [validity, pa.py_buffer(rows), *data])
    expected = {b"low": 1, b"x": 1, b"a": 1, b" text": 1, b" that": 1, b" is": 1, b" longer": 1}
    expected |= {b" than": 1, b" a": 1, b" view": 1}
    nested = pa.ListArray.from_arrays(pa.array([0, 4], pa.int32()), array)
    for column, way in (
        (array.slice(0, 4), "text"),
        (array.slice(1, 3), "text"),
        (nested, "text[]"),
    ):
        with pytest.warns(UserWarning, match="1 text was null"):
            counts = bpetok.count_words(pa.table({"text": column}), text_column=way).to_dict()
        left = {b"low"} if len(column) == 3 else set()
        assert counts == {word: n for word, n in expected.items() if word not in left}
