"""The same texts in every format that is read give the same words; what is wrong is said."""

import bz2
import gzip
import io
import json
import lzma
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from errno import EBUSY
from io import BytesIO
from itertools import permutations
from pathlib import Path
from typing import Any, ClassVar, Literal

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import zstandard
from fsspec.implementations.memory import MemoryFile, MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st

import bpetok
from bpetok.patterns.special import SpecialTokens
from bpetok.sources import urls
from bpetok.sources.corpus import corpus_items, resolve_corpus
from bpetok.sources.files import file_state, opened_bytes
from bpetok.sources.pieces import Cutting
from bpetok.sources.reading import NullTexts, ReadContext, Reading, ReadOptions
from bpetok.tokenizer import Tokenizer
from strategies import TEXT, texts

TEXTS = [f"{line} {number % 13}\n{'x' * (number % 40)}" for number, line in
         enumerate(TEXT.splitlines() * 40)] + [""]  # fmt: skip


def lines(column: list[str | None], name: str = "text") -> bytes:
    """Return JSON lines, with another column and an empty line at the end."""
    records = ({"id": i, name: text} for i, text in enumerate(column))
    return "".join(json.dumps(record) + "\n" for record in records).encode() + b"\n"


def write_ipc(
    path: Path, table: pa.Table, new: Callable[..., pa.ipc.RecordBatchStreamWriter]
) -> None:
    with pa.OSFile(str(path), "wb") as file, new(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=7)


def write(folder: Path, name: str, column: list[str | None]) -> Path:
    """Write texts as what the name says."""
    path = folder / name
    table = pa.table({"id": range(len(column)), "text": pa.array(column, pa.string())})
    data = lines(column)
    if name.endswith(".parquet"):
        pq.write_table(table, path, row_group_size=100)
    elif name.endswith(".arrow"):
        write_ipc(path, table, pa.ipc.new_stream)
    elif name.endswith(".feather"):
        write_ipc(path, table, pa.ipc.new_file)
    else:
        compress: dict[str, Callable[[bytes], bytes]] = {
            ".gz": gzip.compress,
            ".bz2": bz2.compress,
            ".xz": lzma.compress,
        }
        compress[".zst"] = zstandard.ZstdCompressor().compress
        path.write_bytes(compress.get(path.suffix, bytes)(data))
    return path


NAMES = ["a.jsonl", "a.ndjson", "a.jsonl.gz", "a.jsonl.bz2", "a.jsonl.xz", "a.jsonl.zst",
         "a.parquet", "a.arrow", "a.feather"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n_threads", [1, 2])
def test_every_format_gives_the_words_of_the_texts(
    tmp_path: Path, name: str, n_threads: int
) -> None:
    """As the iterator does; one pattern joins what follows across texts if it may."""
    path = write(tmp_path, name, list(TEXTS))
    expected = bpetok.count_words_from_iterator(TEXTS, pattern="cl100k")
    words = bpetok.count_words(path, pattern="cl100k", n_threads=n_threads)
    assert words == expected
    np.testing.assert_array_equal(words.ids, expected.ids)
    np.testing.assert_array_equal(words.counts, expected.counts)
    tok = bpetok.train(path, vocab_size=300, pattern="cl100k")
    assert tok == bpetok.train_from_words(expected, vocab_size=300)


def tables(column: list[str | None]) -> Iterator[object]:
    """Yield tables of all kinds with the texts, in the string types of Arrow."""
    array = pa.array(column, pa.string())
    for kind in (pa.string(), pa.large_string(), pa.string_view(), pa.large_binary()):
        yield pa.table({"text": array.cast(kind)})
    yield pa.table({"text": array.dictionary_encode()})
    table = pa.table({"text": pa.chunked_array([array[:5], array[5:]])})
    yield table.to_reader()
    yield pa.concat_tables([table, table]).slice(len(column))
    yield pa.record_batch({"text": array})


def test_tables_of_all_kinds_give_the_words_of_the_texts() -> None:
    """Also one that begins in the middle of its buffers."""
    expected = bpetok.count_words_from_iterator(TEXTS)
    for table in tables(list(TEXTS)):
        assert bpetok.count_words(table) == expected, table


@given(st.lists(st.none() | texts, max_size=30), st.integers(1, 20))
def test_nulls_are_counted_and_other_texts_stay_apart(
    column: list[str | None], max_text_chars: int
) -> None:
    """In lines of JSON and in tables; and texts may be cut to their first characters."""
    capped = [text[:max_text_chars] for text in column if text is not None]
    expected = bpetok.count_words_from_iterator(capped)
    n_null = column.count(None)
    data = io.TextIOWrapper(io.BytesIO(lines(column)))
    table = pa.table({"text": pa.array(column, pa.string())})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", data)
        for source in ("-", table):
            options: Reading = {"format": "jsonl"} if source == "-" else {}
            options["max_text_chars"] = max_text_chars
            if n_null:
                with pytest.warns(UserWarning, match=f"{n_null} texts? (was|were) null"):
                    assert bpetok.count_words(source, **options) == expected
            else:
                assert bpetok.count_words(source, **options) == expected


MESSAGES = [
    {"messages": [{"role": "user", "content": "hello there"}, {"role": "x", "content": None}]},
    {"messages": []},
    {"messages": [{"role": "assistant", "content": "hello you"}], "meta": {"n": [["a b"], ["c"]]}},
    {"messages": None, "meta": {"n": None}},
]


@pytest.mark.parametrize(
    ("column", "found", "n_null"),
    [("messages[].content", ["hello there", "hello you"], 2), ("meta.n[][]", ["a b", "c"], 3)],
)
@pytest.mark.parametrize("name", ["chat.jsonl", "chat.parquet"])
def test_texts_may_lie_deep_in_a_record(
    tmp_path: Path, name: str, column: str, found: list[str], n_null: int
) -> None:
    """Chat data: each element of a list is a text; what is not there is null."""
    path = tmp_path / name
    if name.endswith(".jsonl"):
        path.write_text("".join(json.dumps(record) + "\n" for record in MESSAGES))
    else:
        pq.write_table(pa.Table.from_pylist(MESSAGES, pa.schema({
            "messages": pa.list_(pa.struct({"role": pa.string(), "content": pa.string()})),
            "meta": pa.struct({"n": pa.list_(pa.list_(pa.string()))}),
        })), path)  # fmt: skip
    with pytest.warns(UserWarning, match=f"{n_null} texts were null"):
        words = bpetok.count_words(path, text_column=column)
    assert words == bpetok.count_words_from_iterator(found)


@pytest.mark.parametrize("name", [*NAMES, "a.txt", "a.txt.gz", "a.txt.zst"])
def test_limits_take_the_beginning(tmp_path: Path, name: str) -> None:
    """`max_text_chars` of each text, `max_bytes` of all, at the end of a character."""
    column = ["ab \u00e9\u00e9", "\u4e2d\u6587 \u4e2d\u6587"] if ".txt" not in name else None
    if column:
        path = write(tmp_path, name, list(column))
    else:
        column = ["\u00e9\u00e9 \u4e2d\u6587 and more"]
        data = column[0].encode()
        path = tmp_path / name
        compress: dict[str, Callable[[bytes], bytes]] = {
            ".gz": gzip.compress,
            ".zst": zstandard.ZstdCompressor().compress,
        }
        path.write_bytes(compress.get(path.suffix, bytes)(data))
    for n in range(1, 16):
        expected = bpetok.count_words_from_iterator([text[:n] for text in column])
        assert bpetok.count_words(path, max_text_chars=n) == expected
        left = n
        cut = []
        for text in column:
            cut.append(text.encode()[:left].decode(errors="ignore"))
            left -= min(left, len(text.encode()))
        assert bpetok.count_words(path, max_bytes=n) == bpetok.count_words_from_iterator(cut)
    assert bpetok.count_words(path, max_bytes="1kB") == bpetok.count_words(path)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="a file without an end")
@pytest.mark.parametrize("pattern", ["gpt2", "none", "[^a]+|a"])
@pytest.mark.parametrize("by_line", [False, True])
def test_no_more_is_read_than_max_bytes(pattern: str, by_line: bool) -> None:
    """Where no word ends, all of a file was read before it was cut: this one has no end."""
    cutting = Cutting(SpecialTokens(()), pattern, by_line=by_line)
    context = ReadContext(ReadOptions(max_bytes=1000), cutting, "strict", NullTexts())
    items = corpus_items(resolve_corpus("/dev/zero", context.options), context)
    assert [bytes(item.data) for item in items] == [bytes(1000)]


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet", "a.txt"])
def test_a_sample_depends_on_the_seed_alone(tmp_path: Path, name: str) -> None:
    """About the share asked for; the same texts from every format and with any threads."""
    if name == "a.txt":
        for i in range(2000):
            (tmp_path / f"{i}.txt").write_text(f"w{i}")
        path = tmp_path / "*.txt"
    else:
        path = write(tmp_path, name, [f"w{i}" for i in range(2000)])
    words = bpetok.count_words(path, sample=0.25, seed=3, n_threads=2, pattern="none")
    assert 400 < words.total < 600
    assert words == bpetok.count_words(path, sample=0.25, seed=3, n_threads=1, pattern="none")
    assert words != bpetok.count_words(path, sample=0.25, seed=4, pattern="none")
    if name == "a.jsonl":
        other = write(tmp_path, "a.parquet", [f"w{i}" for i in range(2000)])
        assert words == bpetok.count_words(other, sample=0.25, seed=3, pattern="none")


def test_sources_have_weights(tmp_path: Path) -> None:
    """Each is counted for itself; then the counts are added up with the weights."""
    web = write(tmp_path, "web.parquet", ["the web", "the"] * 10)
    code = write(tmp_path, "code.jsonl.zst", ["the code"] * 10)
    parts = [(str(tmp_path / "*.parquet"), 1.0), ([code], 0.3)]
    expected = bpetok.Words.combine([(bpetok.count_words(web), 1), (bpetok.count_words(code), 0.3)])
    assert bpetok.count_words(parts) == expected
    assert expected.to_dict()[b"the"] == 23
    assert bpetok.train(parts, vocab_size=258) == bpetok.train_from_words(expected, vocab_size=258)
    with pytest.raises(TypeError, match="all pairs"):
        bpetok.count_words([web, (code, 1)])


def test_folders_and_urls_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders without what is hidden; globs, folders and files of any file system of fsspec."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    for name in ("a/b/c.jsonl", "a/d.parquet", ".git/hidden.jsonl", "a/_hidden.jsonl"):
        write(tmp_path, name, ["some text"])
    (tmp_path / "a" / "_SUCCESS").touch()
    (tmp_path / "z.txt").write_text("some text")
    words = bpetok.count_words(tmp_path)
    assert words.to_dict() == {b"some": 3, b" text": 3}
    memory = fsspec.filesystem("memory")
    for name in ("c/x.jsonl", "c/deep/y.parquet", "c/_z.txt"):
        path = write(tmp_path, Path(name).name, ["some text"])
        memory.pipe(f"/corpus/{name}", path.read_bytes())
    for url, n in (("memory://corpus/c/*.jsonl", 1), ("memory://corpus/c", 2),
                   ("memory://corpus/c/[dx]*", 1),
                   ("memory://corpus/c/deep/y.parquet", 1), (tmp_path.as_uri(), 5)):  # fmt: skip
        assert bpetok.count_words(url).to_dict() == {b"some": n, b" text": n}, url
    with pytest.raises(FileNotFoundError, match="no such file: 'memory://nothing'"):
        bpetok.count_words("memory://nothing")
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ImportError, match="s3fs"):
        bpetok.count_words("s3://bucket/file.txt")


class Elsewhere(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Files that can't be read to their ends, and what was listed is remembered."""

    protocol = "elsewhere"
    error: ClassVar[Exception]
    listed: ClassVar[dict[str, object]] = {}

    def _open(self, path: str, *args: Any, **options: Any) -> BytesIO:
        return Breaking(super()._open(path, *args, **options).getvalue())

    def info(self, path: str, **options: Any) -> Any:
        if path not in self.listed:
            self.listed[path] = super().info(path, **options)
        return self.listed[path]

    def invalidate_cache(self, path: str | None = None) -> None:
        self.listed.clear()

    def find(self, path: str, *args: Any, **options: Any) -> Any:
        if path.endswith("offline"):
            raise Elsewhere.error
        return super().find(path, *args, **options)


@pytest.fixture
def elsewhere() -> Elsewhere:
    """The file system of the URLs that begin with elsewhere://."""
    fsspec.register_implementation("elsewhere", Elsewhere, clobber=True)
    file_system: Elsewhere = fsspec.filesystem("elsewhere")
    return file_system


class Breaking(BytesIO):
    """Has nothing between a hundredth of a file and its last bytes."""

    def read(self, size: int | None = -1) -> bytes:
        n = len(self.getvalue())
        if n // 100 < self.tell() < n - 2000:
            raise Elsewhere.error
        return super().read(min(size or -1, 2000))


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.jsonl.zst", "a.parquet", "a.arrow"])
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FileNotFoundError("no such key"), "changed while it was read"),
        (OSError(EBUSY, "another object"), "changed while it was read"),
        (RuntimeError("no connection"), "can't be read: no connection"),
        (TimeoutError(), "can't be read: TimeoutError"),
    ],
)
def test_what_goes_wrong_elsewhere_names_the_url(
    tmp_path: Path,
    elsewhere: Elsewhere,
    name: str,
    error: Exception,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever exception a file system has for it, and although pyarrow would call it damage."""
    path = write(tmp_path, name, [f"some text {i}" for i in range(40_000)])
    url = f"elsewhere://files/{name}"
    elsewhere.pipe(url, path.read_bytes())
    Elsewhere.error = error
    monkeypatch.setattr(urls, "PAUSES", (0.0, 0.0))
    with pytest.raises(OSError, match=f"^{url} {message}"):
        bpetok.count_words(url)


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.jsonl", "a.jsonl.zst"])
def test_a_file_elsewhere_is_read_in_large_parts(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems send a request for each part."""
    numbers = np.random.default_rng(0).integers(0, 1 << 60, 30_000)
    path = write(tmp_path, name, [f"{number}" for number in numbers])
    assert path.stat().st_size > 1 << 18
    fsspec.filesystem("memory").pipe(f"/large/{name}", path.read_bytes())
    sizes = []

    def read(file: BytesIO, size: int = -1) -> bytes:
        sizes.append(size)
        return BytesIO.read(file, size)

    monkeypatch.setattr(MemoryFile, "read", read, raising=False)
    bpetok.count_words(f"memory://large/{name}")
    assert 0 < len(sizes) < 10


@pytest.mark.parametrize("change", ["pipe", "rm"])
def test_a_file_elsewhere_that_changes_meanwhile_is_refused(
    elsewhere: Elsewhere, change: str
) -> None:
    """Also where the file system does not look, as memory doesn't; not what was listed counts."""
    url = "elsewhere://files/changing.txt"
    elsewhere.pipe(url, b"some text")
    reading = opened_bytes(url)
    assert reading.__enter__().read(9) == b"some text"
    elsewhere.pipe(url, b"other texts") if change == "pipe" else elsewhere.rm(url)
    with pytest.raises(OSError, match=f"{url} changed while it was read"):
        reading.__exit__(None, None, None)


def test_what_was_listed_elsewhere_is_asked_for_again(tmp_path: Path, elsewhere: Elsewhere) -> None:
    """By each call, and where a checkpoint makes sure that a file is what it was."""
    url = "elsewhere://listed/a.txt"
    elsewhere.pipe(url, b"a")
    before = file_state(url)
    elsewhere.pipe(url, b"a b")
    assert file_state(url) == before != file_state(url, fresh=True)
    bpetok.count_words(url, checkpoint=tmp_path / "run")
    elsewhere.pipe(url, b"a b c")
    with pytest.raises(ValueError, match=f"the file {url} has changed"):
        bpetok.count_words(url, checkpoint=tmp_path / "run")


def test_a_file_system_that_cannot_be_asked_is_named(elsewhere: Elsewhere) -> None:
    """When files are looked for."""
    elsewhere.pipe("elsewhere://offline/a.txt", b"a")
    Elsewhere.error = RuntimeError("no connection")
    with pytest.raises(OSError, match="elsewhere://offline can't be read: no connection"):
        bpetok.count_words("elsewhere://offline")


def test_records_are_encoded_one_by_one(tmp_path: Path) -> None:
    """With the end of a text after each, also empty ones and those of several pieces."""
    tok = Tokenizer(merges=[(97, 98)], special_tokens=["<|end|>"])
    column = ["ab", "", "b ab " * 600_000, "a"]
    for name in ("a.jsonl", "a.parquet"):
        path = write(tmp_path, name, list(column))
        tok.encode_files(path, tmp_path / "ids.bin", eot="<|end|>")
        expected = [id for text in column for id in (*tok.encode(text), 257)]
        assert np.fromfile(tmp_path / "ids.bin", np.uint16).tolist() == expected


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("a.jsonl", "a.ndjson")])
def test_half_a_file_is_not_taken_for_a_whole_one(tmp_path: Path, name: str) -> None:
    """Wherever it is cut off, the message names the file."""
    path = write(tmp_path, name, list(TEXTS))
    data = path.read_bytes()
    for n in (0, len(data) // 3, len(data) - 5):
        path.write_bytes(data[:n])
        with pytest.raises(ValueError, match=rf"{name} is damaged or not whole"):
            bpetok.count_words(path)


@pytest.mark.parametrize("name", [f"a.jsonl{ending}" for ending in (".gz", ".zst", ".bz2", ".xz")])
def test_streams_one_after_another_are_one_file(tmp_path: Path, name: str) -> None:
    """As parallel compressors write them; if a later one is damaged the file is refused."""
    path = write(tmp_path, name, ["some text"] * 3)
    data = path.read_bytes()
    path.write_bytes(3 * data)
    assert bpetok.count_words(path).to_dict() == {b"some": 9, b" text": 9}
    if name.endswith((".gz", ".xz")):  # whose streams may be padded
        path.write_bytes(data + bytes(40_000) + data + bytes(8))
        assert bpetok.count_words(path).to_dict() == {b"some": 6, b" text": 6}
    for more in (b"x" + data[1:], data[:3], b"no stream"):
        path.write_bytes(data + more)
        with pytest.raises(ValueError, match=rf"{name} is damaged or not whole"):
            bpetok.count_words(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"text": "a"}\n{"text": "b', r"x\.jsonl, line 2 is no JSON in UTF-8: Unterminated"),
        (b'{"text": "a"}\n\n{"text": 1}', r"x\.jsonl, line 3: the text must be a string, got 1"),
        (b'["text"]', r"x\.jsonl, line 1: text_column needs an object with 'text', got \['text'\]"),
        (b'{"content": "a", "id": 1}', r"none of its first records has 'text', the first has \['c"),
        (b'{"text": "\xff"}', r"x\.jsonl, line 1 is no JSON in UTF-8: .* byte 0xff in position 10"),
        (b'{"text": "ab\\ud800"}', r"x\.jsonl, line 1 is not UTF-8: byte 2 \(0xed\)"),
    ],
)
def test_what_is_wrong_in_a_line_is_said(tmp_path: Path, content: bytes, message: str) -> None:
    """With the file and the line."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        bpetok.count_words(path)


@pytest.mark.parametrize(
    "lines",
    list(permutations([b"no JSON", b'{"text": 1}', b'{"text": "\\ud800"}', b'{"text": "\xff"}'])),
)
def test_the_first_line_with_something_wrong_is_named(
    tmp_path: Path, lines: tuple[bytes, ...]
) -> None:
    """Whatever is wrong: some of it is found when many lines are parsed, some when counted."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\n".join([b'{"text": "a"}', *lines]))
    with pytest.raises(ValueError, match=r"x\.jsonl, line 2\b"):
        bpetok.count_words(path)


@pytest.mark.parametrize("digits", ["9" * 30, "-" + "9" * 5000, "1" * 400])
def test_other_values_may_be_numbers_of_any_size(tmp_path: Path, digits: str) -> None:
    """JSON has no largest number; Python makes no int of more than 4300 digits."""
    path = tmp_path / "x.jsonl"
    path.write_text(f'{{"text": "a", "n": {digits}}}\n' * 2)
    assert bpetok.count_words(path).to_dict() == {b"a": 2}
    path.write_text(f'{{"text": {digits}}}')
    # orjson has read the first one as a float; none is infinite.
    shown = "1e" if digits == "9" * 30 else digits[:80]
    with pytest.raises(ValueError, match=rf"line 1: the text must be a string, got {shown}"):
        bpetok.count_words(path)


def test_wrong_bytes_in_lines_can_be_replaced(tmp_path: Path) -> None:
    """As in text; and what Python's json writes beyond JSON is read."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"text": "a\xff"}\n{"text": "a", "n": NaN}')
    words = bpetok.count_words(path, errors="replace")
    assert words == bpetok.count_words_from_iterator(["a\ufffd", "a"])


def test_what_is_wrong_in_a_table_is_said(tmp_path: Path) -> None:
    """Columns that are not there or are no text; rows that are not UTF-8."""
    path = write(tmp_path, "x.parquet", ["a"])
    with pytest.raises(ValueError, match=r"x\.parquet has no column 'content', it has \['id', 't"):
        bpetok.count_words(path, text_column="content")
    with pytest.raises(ValueError, match=r"x\.parquet: text_column must be strings, it is int64"):
        bpetok.count_words(path, text_column="id")
    table = pa.table({"text": [b"a", b"", b"b\xff"]})
    limits: list[Reading] = [{}, {"max_text_chars": 9}]
    for limit in limits:
        with pytest.raises(ValueError, match=r"Table, row 2 is not UTF-8: byte 1 \(0xff\)"):
            bpetok.count_words(table, **limit)
    words = bpetok.count_words(table, errors="replace", max_text_chars=2)
    assert words == bpetok.count_words_from_iterator(["a", "b\ufffd"])
    twice = pa.Table.from_arrays([pa.array(["a"])] * 2, names=["text", "text"])
    with pytest.raises(ValueError, match="Table has more than one column 'text': give"):
        bpetok.count_words(twice)


CHAT: list[dict[str, Any]] = [
    {"messages": [], "meta": None},
    {"messages": [{"role": "user", "content": "hello"}], "meta": {"k": "v"}},
]


@pytest.mark.parametrize(
    ("column", "of_lines", "of_tables"),
    [
        ("messages[].contents",
         r"none of its first records has 'messages\[\]\.contents', the first has \['role', 'c",
         "text_column needs a struct with 'contents', it is struct<"),
        ("messages.content",
         r"line 1: text_column needs an object with 'content', .*mean 'messages\[\]\.content'",
         r"text_column needs a struct with 'content', it is list<.*mean 'messages\[\]\.content'"),
        ("messages", r"line 1: the text must be a string, got \[\]; did you mean 'messages\[\]'",
         r"text_column must be strings, it is list<.*; did you mean 'messages\[\]'"),
        ("messages[].content.x", "line 2: text_column needs an object with 'x', got 'hello'",
         "text_column needs a struct with 'x', it is string"),
        ("messages[].content[]", r"a list, got 'hello'; did you mean 'messages\[\]\.content'\?",
         r"text_column needs a list, it is string; did you mean 'messages\[\]\.content'\?"),
        ("messages[]", "line 2: the text must be a string",
         "text_column must be strings, it is struct<"),
        ("meta[].value", "line 2: text_column needs a list, got",
         "text_column needs a list, it is map<"),
    ],
)  # fmt: skip
def test_a_wrong_way_to_nested_texts_is_said(
    tmp_path: Path, column: str, of_lines: str, of_tables: str
) -> None:
    """A slip in `text_column` gives no empty corpus, and no talk of a damaged file."""
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(record) + "\n" for record in CHAT))
    kinds: dict[str, Any] = {"meta": pa.map_(pa.string(), pa.string())}
    kinds["messages"] = pa.list_(pa.struct({"role": pa.string(), "content": pa.string()}))
    rows = [{**record, "meta": list((record["meta"] or {}).items())} for record in CHAT]
    table = pa.Table.from_pylist(rows, pa.schema(kinds))
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=rf"x\.jsonl.*{of_lines}"):
        bpetok.count_words(tmp_path / "x.jsonl", text_column=column)
    for source, name in ((tmp_path / "x.parquet", r"x\.parquet"), (table, "Table")):
        with pytest.raises(ValueError, match=rf"{name}: {of_tables}"):
            bpetok.count_words(source, text_column=column)


def test_lines_that_are_lists_get_no_hint(tmp_path: Path) -> None:
    """A `text_column` begins with a name, so `[].text` was one that is refused."""
    (tmp_path / "x.jsonl").write_text('["aa"]\n')
    with pytest.raises(ValueError, match=r"needs an object with 'text', got \['aa'\]$"):
        bpetok.count_words(tmp_path / "x.jsonl")


def test_a_column_of_nothing_has_null_texts(tmp_path: Path) -> None:
    """As a file has whose records all lack it; also where the texts would be deeper."""
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"messages": pa.nulls(3)}), path)
    for column in ("messages", "messages[].content"):
        with pytest.warns(UserWarning, match="3 texts were null"):
            assert len(bpetok.count_words(path, text_column=column)) == 0


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.parquet", "a.arrow", "a.feather"])
@pytest.mark.parametrize(
    "change",
    [Path.unlink, lambda path: os.utime(path, (0, 0)), lambda path: os.truncate(path, 100)],
    ids=["removed", "touched", "cut"],
)
def test_a_file_that_changes_meanwhile_is_refused(
    tmp_path: Path, name: str, change: Callable[[Path], object]
) -> None:
    """What was read of it is no corpus that anyone has."""
    path = write(tmp_path, name, ["some text"] * 300)
    options = ReadOptions()
    cutting = Cutting(SpecialTokens([]), chunk_size=100)
    context = ReadContext(options, cutting, "strict", NullTexts())
    items = corpus_items(resolve_corpus(path, options), context)
    next(items)
    change(path)
    with pytest.raises((OSError, ValueError), match=rf"{name} (changed while it was|is damaged)"):
        list(items)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"format": "csv"}, ValueError, "format must be one of .*'csv'"),
        ({"text_column": "a..b"}, ValueError, "text_column must be names"),
        ({"sample": 0}, ValueError, "sample must be above 0"),
        ({"sample": "0.1"}, TypeError, "sample must be a number"),
        ({"seed": -1}, ValueError, "seed must be in 0"),
        ({"max_text_chars": 0}, ValueError, "max_text_chars must be in 1"),
        ({"max_bytes": "2 apples"}, ValueError, "max_bytes must be a size such as '300MB'"),
        ({"columns": "a"}, TypeError, "unexpected option 'columns'"),
    ],
)
def test_options_are_checked(
    tmp_path: Path, options: Reading, error: type[Exception], message: str
) -> None:
    """Before anything is read."""
    with pytest.raises(error, match=message):
        bpetok.count_words(write(tmp_path, "a.parquet", ["a"]), **options)


@pytest.mark.parametrize("format", ["parquet", "arrow"])
def test_standard_input_is_text_or_lines(format: Literal["parquet", "arrow"]) -> None:
    """What is read here and there needs a file."""
    with pytest.raises(ValueError, match=f"must be text or JSON lines, got format='{format}'"):
        bpetok.count_words("-", format=format)


def test_a_name_that_tells_no_format_asks_for_it(tmp_path: Path) -> None:
    """JSON may be a text, as in a corpus of code, or lines of records."""
    path = write(tmp_path, "a.json.gz", ["a"])
    with pytest.raises(ValueError, match="say format='text' or format='jsonl'"):
        bpetok.count_words(path)
    assert bpetok.count_words(path, format="jsonl").to_dict() == {b"a": 1}


@pytest.mark.parametrize("package", ["pyarrow", "zstandard", "orjson", "fsspec", "huggingface_hub"])
def test_a_missing_package_is_named(
    tmp_path: Path, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the extra to install."""
    monkeypatch.setitem(sys.modules, package, None)
    names = {"pyarrow": "a.parquet", "zstandard": "a.txt.zst", "orjson": "a.jsonl"}
    urls = {"fsspec": "memory://a.txt", "huggingface_hub": "hf://datasets/a/b.txt"}
    path = urls.get(package) or str(write(tmp_path, names[package], ["a"]))
    extra = "hub" if package in urls else "arrow"
    with pytest.raises(ImportError, match=rf"{package}.*pip install 'bpetok\[{extra}\]'"):
        bpetok.count_words(path)


def test_a_dataset_gives_the_words_of_its_texts() -> None:
    """Map-style and streamed, shuffled, filtered, from a generator."""
    datasets = pytest.importorskip("datasets")
    expected = bpetok.count_words_from_iterator(TEXTS)
    dataset = datasets.Dataset.from_dict({"text": TEXTS, "id": list(range(len(TEXTS)))})
    made = datasets.IterableDataset.from_generator(lambda: ({"text": text} for text in TEXTS))
    for source in (dataset, dataset.shuffle(seed=1), dataset.to_iterable_dataset(), made,
                   made.map(lambda record: {"n": len(record["text"])})):  # fmt: skip
        assert bpetok.count_words(source) == expected
    some = dataset.select(range(10))
    assert bpetok.count_words(some) == bpetok.count_words_from_iterator(TEXTS[:10])
    with pytest.raises(TypeError, match=r"dataset\['train'\]"):
        bpetok.count_words(datasets.DatasetDict({"train": dataset}))


def test_the_command_reads_all_of_it(tmp_path: Path, environment: dict[str, str]) -> None:
    """From standard input, and with each option of reading."""
    data = lines(["hello hello", "\u00e9" * 50, None], "content")
    command = [sys.executable, "-m", "bpetok", "train", "-", "--format", "jsonl", "--text-column",
               "content", "--max-text-chars", "11", "--max-bytes", "11B", "--vocab-size", "260",
               "--output", "new.json", "--sample", "1", "--seed", "1"]  # fmt: skip
    done = subprocess.run(command, input=data, cwd=tmp_path, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b"warning: 1 text was null" in done.stderr
    tok = Tokenizer.load(tmp_path / "new.json")
    assert tok.training is not None
    assert (tok.training.n_bytes, tok.training.n_unique_words) == (11, 2)


@pytest.mark.parametrize("text", ["the cat " * 99, "two\nlines", "see https://x.y now\nand"])
def test_a_text_in_the_place_of_a_file_is_told(text: str) -> None:
    """It is not taken for a URL, and the message has only the beginning of it."""
    with pytest.raises(FileNotFoundError, match="seems to be a text") as raised:
        bpetok.count_words(text)
    assert len(str(raised.value)) < 300


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
@pytest.mark.parametrize("target", ["gone.txt", "link.txt"])
def test_a_link_to_nothing_is_named(tmp_path: Path, target: str) -> None:
    """It was asked whether the link itself was meant."""
    (tmp_path / "link.txt").symlink_to(target)
    with pytest.raises(FileNotFoundError, match=f"link.txt', it is a link to '{target}', which"):
        bpetok.count_words(tmp_path / "link.txt")
