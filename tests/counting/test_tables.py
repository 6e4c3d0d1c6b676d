"""Words as Arrow tables and Parquet files, of our own and of other writers."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bpetok
from bpetok import Words
from bpetok.counting import tables

COUNTS = {b"the": 5, b" cat": 3, b"\xff": 1, "\u4e2d".encode(): 1 << 40, b"x" * 300: 2}
WORDS = Words.from_counts(COUNTS, pattern="cl100k", special_tokens=["<|end|>", "\u00e9"])


def table(words: Any, counts: Any, **names: Any) -> pa.Table:
    """A table that somebody else made, without metadata."""
    return pa.table({"word": words, "count": counts, **names})


def test_a_saved_file_is_the_documented_table(tmp_path: Path) -> None:
    """pyarrow reads the columns, sorted by word, and the metadata; loading gives the words back."""
    WORDS.save(tmp_path / "counts.parquet")
    saved = pq.read_table(tmp_path / "counts.parquet")
    assert saved.schema.names == ["word", "count"]
    assert saved.schema.types == [pa.binary(), pa.int64()]
    assert saved["word"].to_pylist() == sorted(COUNTS)
    assert dict(zip(saved["word"].to_pylist(), saved["count"].to_pylist(), strict=True)) == COUNTS
    assert saved.schema.metadata[b"bpetok"].decode() == (
        '{"pattern": "cl100k", "special_tokens": ["<|end|>", "\u00e9"], '
        f'"unicode_version": "16.0", "bpetok_version": "{bpetok.__version__}"}}'
    )
    assert Words.load(tmp_path / "counts.parquet") == WORDS
    before = (tmp_path / "counts.parquet").read_bytes()
    split: dict[str, Any] = {"pattern": "cl100k", "special_tokens": ["<|end|>", "\u00e9"]}
    again = Words.from_counts(reversed(COUNTS.items()), **split)
    again.save(tmp_path / "counts.parquet")
    assert (tmp_path / "counts.parquet").read_bytes() == before


@given(st.dictionaries(st.binary(min_size=1, max_size=20), st.integers(1, 1 << 50)), st.data())
def test_tables_hold_the_words(counts: dict[bytes, int], data: st.DataObject) -> None:
    """In batches of any size, there and back."""
    words = Words.from_counts(counts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "BATCH_ROWS", data.draw(st.integers(1, 5)))
        patch.setattr(tables, "BATCH_BYTES", data.draw(st.integers(0, 30)))
        whole = words.to_arrow()
        assert Words.from_arrow(whole) == words
        assert Words.from_arrow(tables.to_batches(words.arrays), pattern="gpt2") == words
    assert whole["word"].to_pylist() == sorted(counts)


def test_the_rows_of_several_files_add_up(tmp_path: Path) -> None:
    """A folder as a map-reduce leaves it: names, row groups, order and repetitions at will."""
    (tmp_path / "counts" / "day=1").mkdir(parents=True)
    (tmp_path / "counts" / "_SUCCESS").touch()
    part = table([b"b", b"a", b"b"], pa.array([1, 2, 3], pa.int32()), n=[0, 0, 0])
    pq.write_table(part, tmp_path / "counts" / "part-1.parquet", row_group_size=1)
    pq.write_table(table([b"c", b"a"], [5, 7]), tmp_path / "counts" / "day=1" / "part-0.parquet")
    expected = {b"a": 9, b"b": 4, b"c": 5}
    assert Words.load(tmp_path / "counts", pattern="none").to_dict() == expected
    files = [tmp_path / "counts" / "*.parquet", tmp_path / "counts" / "day=1" / "part-0.parquet"]
    assert Words.load(map(str, files), pattern="none").to_dict() == expected
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no files in the folder"):
        Words.load(tmp_path / "empty")
    with pytest.raises(ValueError, match="can't be read from standard input"):
        Words.load("-")


def test_counts_are_read_by_url() -> None:
    """Where a cluster left them: here in fsspec's memory."""
    with fsspec.open("memory://counts/part-0.parquet", "wb") as file:
        pq.write_table(table([b"a", b"b"], [1, 2]), file)
    expected = {b"a": 1, b"b": 2}
    assert Words.load("memory://counts", pattern="gpt2").to_dict() == expected


@pytest.mark.parametrize(
    "words",
    [
        pa.array(["a", "\u00e9", "a"]),
        pa.array(["a", "\u00e9", "a"], pa.large_string()),
        pa.array([b"a", "\u00e9".encode(), b"a"], pa.large_binary()),
        pa.array(["a", "\u00e9", "a"]).dictionary_encode(),
        pa.array(["x", "a", "\u00e9", "a"]).slice(1),
        pa.chunked_array([["a"], ["\u00e9", "a"]]),
    ],
)
@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64(), pa.int16()])
def test_columns_of_other_writers_are_read(words: Any, kind: pa.DataType, tmp_path: Path) -> None:
    """Text or bytes, integers of any width."""
    foreign = table(words, pa.array([1, 2, 3], kind))
    expected = {b"a": 4, "\u00e9".encode(): 2}
    assert Words.from_arrow(foreign, pattern="gpt2").to_dict() == expected
    pq.write_table(foreign, tmp_path / "foreign.parquet")
    assert Words.load(tmp_path / "foreign.parquet", pattern="gpt2").to_dict() == expected


def moved(array: pa.Array) -> pa.Array:
    """The array with buffers that are not aligned, as after a message of Dask."""
    buffers = [
        buffer and pa.py_buffer(b"." + buffer.to_pybytes()).slice(1) for buffer in array.buffers()
    ]
    return pa.Array.from_buffers(array.type, len(array), buffers)


@pytest.mark.parametrize("word", [pa.binary(), pa.large_binary(), pa.string()])
@pytest.mark.parametrize("count", [pa.int64(), pa.int32()])
def test_columns_need_not_be_aligned(word: pa.DataType, count: pa.DataType) -> None:
    """Compiled code must not read them as they are; the campaign `sanitize` sees it if it does."""
    foreign = table(moved(pa.array(["a", "bc"], word)), moved(pa.array([1, 2], count)))
    assert Words.from_arrow(foreign, pattern="gpt2").to_dict() == {b"a": 1, b"bc": 2}


@pytest.mark.parametrize(
    ("foreign", "message"),
    [
        (table([b"a", None], [1, 2]), r"row 1 \(the first is 0\): the word is null"),
        (table([b"a", b"b"], [1, None]), "row 1 .*: the count is null"),
        (table([b"a", b"b"], [0, 2]), "row 0 .*: the count must be at least 1, got 0"),
        (table([b"a", b"b"], [1, -7]), "row 1 .*: the count must be at least 1, got -7"),
        (table([b"a", b""], [1, 2]), "row 1 .*: the word is empty"),
        (table([b"a"], pa.array([1 << 63], pa.uint64())), "the count must be int64"),
        (table([b"aa", b"b"], [3 << 61, 1]), r"below 2\*\*63: scale the counts down"),
        (table([b"a"], [1.0]), "column 'count' must be int64, got double: cast it"),
        (table([1], [1]), "column 'word' must be binary, got int64: cast it"),
        (pa.table({"word": [b"a"], "n": [1]}), "one column 'count' .*columns are word, n"),
        (pa.table([[b"a"], [b"a"], [1]], ["word", "word", "count"]), "one column 'word'"),
    ],
)  # fmt: skip
def test_tables_that_hold_no_counts_are_refused(
    foreign: pa.Table, message: str, tmp_path: Path
) -> None:
    """The message names the file, the row and what is wrong."""
    with pytest.raises(ValueError, match=f"table 0.*{message}"):
        Words.from_arrow(foreign, pattern="gpt2")
    path = tmp_path / "bad.parquet"
    pq.write_table(foreign, path)
    with pytest.raises(ValueError, match=rf"bad\.parquet.*{message}"):
        Words.load(path, pattern="gpt2")


def test_a_bad_row_is_found_behind_the_first_batch(tmp_path: Path) -> None:
    """Rows are numbered through the row groups of a file."""
    counts = [1] * 500_000 + [-1]
    words = [b"%d" % (i % 1000) for i in range(len(counts))]
    pq.write_table(table(words, counts), tmp_path / "bad.parquet", row_group_size=300_000)
    with pytest.raises(ValueError, match=r"row 500000 \(the first is 0\)"):
        Words.load(tmp_path / "bad.parquet", pattern="gpt2")


def test_files_that_are_not_whole_are_refused(tmp_path: Path) -> None:
    """Truncated, damaged, of another format: the message has the name."""
    WORDS.save(tmp_path / "counts.parquet")
    data = (tmp_path / "counts.parquet").read_bytes()
    for broken in (data[:-10], data[:50], b"", b"text", data[:4] + bytes(80) + data[84:]):
        (tmp_path / "broken.parquet").write_bytes(broken)
        with pytest.raises(ValueError, match=r"broken\.parquet is damaged or not whole"):
            Words.load(tmp_path / "broken.parquet")
    with pytest.raises(FileNotFoundError, match=r"no\.parquet"):
        Words.load(tmp_path / "no.parquet")


def test_how_the_text_was_split_must_be_known_and_the_same(tmp_path: Path) -> None:
    """From the metadata or the caller; files that contradict are named before rows are read."""
    WORDS.save(tmp_path / "a.parquet")
    Words.from_counts({b"a": 1}).save(tmp_path / "b.parquet")
    pq.write_table(table([b"a", None], [1, -1]), tmp_path / "c.parquet")
    with pytest.raises(ValueError, match=r"c\.parquet does not say .*: give pattern"):
        Words.load([tmp_path / "a.parquet", tmp_path / "c.parquet"])
    with pytest.raises(ValueError, match=r"b.*pattern 'gpt2', but .*a\.parquet says 'cl100k'"):
        Words.load([tmp_path / "a.parquet", tmp_path / "b.parquet", tmp_path / "c.parquet"])
    with pytest.raises(ValueError, match="'cl100k', but the caller says 'none'"):
        Words.load(tmp_path / "a.parquet", pattern="none")
    with pytest.raises(ValueError, match=r"special_tokens .* but the caller says"):
        Words.load(tmp_path / "a.parquet", special_tokens=["<|end|>"])
    assert Words.load(tmp_path / "a.parquet", pattern="cl100k") == WORDS
    foreign = table([b"a"], [1])
    words = Words.from_arrow([foreign], pattern="o200k", special_tokens=["<s>"])
    assert (words.pattern, words.special_tokens) == ("o200k", ("<s>",))


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (b"{", "can't be read: JSONDecodeError"),
        (b"[]", "can't be read: TypeError"),
        (b"\xff", "can't be read: UnicodeDecodeError"),
        (b'{"pattern": "gpt2"}', "can't be read: KeyError: 'special_tokens'"),
        (b'{"pattern": "gpt9", "special_tokens": []}', "pattern must be one of"),
        (
            b'{"pattern": "gpt2", "special_tokens": [], "unicode_version": "17.0"}',
            "split by Unicode 17.0, this bpetok splits by 16.0: count the text again",
        ),
    ],
)
def test_metadata_that_cannot_be_used_are_refused(metadata: bytes, message: str) -> None:
    """Rather than ignored."""
    foreign = table([b"a"], [1]).replace_schema_metadata({b"bpetok": metadata})
    with pytest.raises(ValueError, match=f"table 0: .*{message}"):
        Words.from_arrow(foreign, pattern="gpt2")


def test_words_too_long_for_a_table_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An Arrow binary has offsets of 32 bits."""
    words = Words.from_counts({b"a": 1})
    monkeypatch.setattr("bpetok.counting.tables.np.cumsum", lambda lengths: lengths * (1 << 31))
    with pytest.raises(ValueError, match="a word of 2147483648 bytes can't be in a table"):
        words.to_arrow()


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_file_that_cannot_be_written_is_named_and_not_left_behind(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """Here the largest file that the process may write is reached."""
    import resource

    code = "from bpetok import Words; Words.from_counts({b'a' * 9000: 1}).save('counts.parquet')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
    )
    last = done.stderr.decode().splitlines()[-1]
    assert re.fullmatch(r"OSError: \[Errno 27\] File too large: '.*/counts\.parquet'", last)
    assert list(tmp_path.iterdir()) == []


def test_without_pyarrow_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra `arrow` is optional."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "bpetok.counting.tables")
    monkeypatch.delattr(bpetok.counting, "tables")
    with pytest.raises(ImportError, match=r"pyarrow is needed .*: pip install 'bpetok\[arrow\]'"):
        WORDS.to_arrow()


@pytest.mark.parametrize("offsets", [[0, 1 << 30, 6], [0, -5, 4], [4, 2, 6]])
@pytest.mark.parametrize("large", [False, True])
def test_tables_that_point_outside_of_their_memory_are_refused(
    offsets: list[int], large: bool
) -> None:
    """A table comes from another program: its offsets may be anything."""
    kind, number = (pa.large_binary(), np.int64) if large else (pa.binary(), np.int32)
    buffers = [None, pa.py_buffer(np.array(offsets, number)), pa.py_buffer(b"lowlow")]
    table = pa.table({"word": pa.Array.from_buffers(kind, 2, buffers), "count": [1, 2]})
    with pytest.raises(ValueError, match=r"table 0 is damaged or not whole: .*[Oo]ffset"):
        Words.from_arrow(table, pattern="gpt2")
    with pytest.raises(ValueError, match="table 1 is damaged"):
        Words.from_arrow([WORDS.to_arrow(), table.to_batches()[0]], pattern="gpt2")


@pytest.mark.parametrize("rows", [[(1 << 63) - 1, 1], [1 << 62, 1 << 62], [(1 << 63) - 1] * 3])
def test_counts_that_add_up_to_2_to_the_63_are_refused(rows: list[int], tmp_path: Path) -> None:
    """By the file and the row, however near to the bound they are."""
    table = pa.table({"word": [b"a"] * len(rows), "count": pa.array(rows, pa.int64())})
    pq.write_table(table, tmp_path / "w.parquet")
    message = r"w\.parquet, row 0 and the following: the sum .* must be below 2\*\*63"
    with pytest.raises(ValueError, match=message):
        Words.load(tmp_path / "w.parquet", pattern="gpt2")
    with pytest.raises(ValueError, match="table 1, row 0 and the following"):
        Words.from_arrow([table.slice(0, 1), table.slice(1)], pattern="gpt2")
    most = pa.table({"word": [b"a"] * 2, "count": pa.array([(1 << 63) - 2, 1], pa.int64())})
    assert Words.from_arrow(most, pattern="gpt2").to_dict() == {b"a": (1 << 63) - 1}


def test_every_damaged_byte_of_counts_is_found_or_changes_nothing(tmp_path: Path) -> None:
    """Each page has a check sum, and what is wrong elsewhere is an error that names the file."""
    path = tmp_path / "w.parquet"
    WORDS.save(path)
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        try:
            found = Words.load(path, pattern=WORDS.pattern, special_tokens=WORDS.special_tokens)
        except ValueError as error:
            assert "w.parquet" in str(error)  # noqa: PT017  # most of them raise
        else:
            assert found == WORDS
