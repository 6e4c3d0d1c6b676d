"""Files of ids: what is in them, in how many, and that nothing is left of what failed."""

import errno
import json
import os
import shutil
import threading
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

import bpetok
import reference
from bpetok.base.files import PendingFile
from bpetok.encoding import id_files
from bpetok.patterns.scan import split_words
from bpetok.sources import jsonl, segments
from bpetok.sources.pieces import CHUNK_SIZE
from bpetok.tokenizer import Tokenizer
from strategies import TEXT

END = "<|end|>"
Texts: TypeAlias = tuple[list[Path], list[str]]


@pytest.fixture(scope="module")
def tok() -> Tokenizer:
    words = split_words(TEXT.encode())
    merges, _ = reference.learn_merges({word: words.count(word) for word in words}, 100)
    return Tokenizer(merges=merges, special_tokens=[END, "<|x|>"])


@pytest.fixture
def files(tmp_path: Path) -> Texts:
    """Three texts: small, empty, and of several pieces with special tokens across their ends."""
    texts = [TEXT, "", (TEXT + END) * 5000 + "the end"]
    paths = [tmp_path / f"{i}.txt" for i in range(3)]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode())
    return paths, texts


def expected_ids(tok: Tokenizer, texts: Iterable[str], eot: str | None = None) -> list[int]:
    ids: list[int] = []
    for text in texts:
        ids += tok.encode(text, allowed_special="all")
        if eot and text:
            ids.append(tok.special_tokens[eot])
    return ids


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("eot", [None, END])
def test_a_file_of_ids_holds_the_ids_of_all_texts(
    tok: Tokenizer, files: Texts, tmp_path: Path, n_threads: int, eot: str | None
) -> None:
    """In order, with the end of each text where asked for; the JSON says what it is."""
    paths, texts = files
    calls = []
    output = tmp_path / "train.bin"
    written = tok.encode_files(
        paths,
        output,
        eot=eot,
        allowed_special=iter(tok.special_tokens),
        n_threads=n_threads,
        progress=lambda *call: calls.append(call),
    )
    ids = np.memmap(output, dtype="<u2", mode="r")
    expected = expected_ids(tok, texts, eot)
    assert ids.tolist() == expected
    n_bytes = sum(path.stat().st_size for path in paths)
    assert calls[-1] == ("encode", n_bytes, n_bytes)
    assert tuple(written) == ((output,), tmp_path / "train.json", len(expected), "uint16")
    assert json.loads(written.summary.read_text()) == {
        "format": "bpetok ids",
        "dtype": "uint16",
        "byte_order": "little",
        "n_ids": len(expected),
        "n_bytes": n_bytes,
        "eot_id": 356 if eot else None,
        "vocab_size": 358,
        "vocabulary_sha256": tok.vocabulary_sha256,
        "files": [{"name": "train.bin", "n_ids": len(expected)}],
    }
    assert {path.name for path in tmp_path.iterdir()} == {
        *(path.name for path in paths),
        "train.bin",
        "train.json",
    }


@pytest.mark.filterwarnings("ignore:. texts? (was|were) null")
@pytest.mark.parametrize("n_nulls", [0, 1, 2])
@pytest.mark.parametrize("texts", [[], ["it"], ["it", "", "is"]])
def test_null_texts_leave_nothing(
    tok: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_nulls: int, texts: list[str]
) -> None:
    """Not where all that is read at a time are null, either: no end, no id."""
    monkeypatch.setattr(jsonl, "CHUNK_SIZE", 16)
    lines = [json.dumps({"text": text}) for text in [None] * n_nulls + texts + [None] * n_nulls]
    path = tmp_path / "texts.jsonl"
    path.write_text("\n".join(lines))
    expected = []
    for text in texts:
        expected += [*tok.encode(text), tok.special_tokens[END]]
    written = tok.encode_files(path, tmp_path / "t.bin", eot=END)
    assert np.fromfile(tmp_path / "t.bin", "<u2").tolist() == expected
    assert written.n_ids == len(expected)


def test_shards_are_of_equal_size_but_the_last(
    tok: Tokenizer, files: Texts, tmp_path: Path
) -> None:
    """Together they are what one file is."""
    paths, texts = files
    expected = expected_ids(tok, texts, END)
    size = len(expected) // 3
    written = tok.encode_files(
        paths, tmp_path / "t.bin", eot=END, shard_size=size, allowed_special="all"
    )
    assert [file.name for file in written.files] == [f"t_00000{i}.bin" for i in range(4)]
    shards = [np.fromfile(file, dtype="<u2") for file in written.files]
    assert list(map(len, shards)) == [size, size, size, len(expected) - 3 * size]
    assert np.concatenate(shards).tolist() == expected
    summary = json.loads(written.summary.read_text())
    assert [file["n_ids"] for file in summary["files"]] == list(map(len, shards))


def test_a_run_replaces_all_files_of_an_earlier_one(
    tok: Tokenizer, files: Texts, tmp_path: Path
) -> None:
    """Whether it makes fewer shards or none; other files stay."""
    output = tmp_path / "out" / "t.bin"
    output.parent.mkdir()
    (output.parent / "t_000000.txt").write_text("mine")
    (output.parent / "t_1.bin").write_text("mine")

    def names_after(size: int | None) -> list[str]:
        tok.encode_files(files[0], output, shard_size=size, allowed_special="all")
        return sorted(path.name for path in output.parent.iterdir())

    n = tok.encode_files(files[0], output, allowed_special="all").n_ids
    mine = ["t_000000.txt", "t_1.bin"]
    for n_shards in (4, 2, 3):
        shards = [f"t_{i:06}.bin" for i in range(n_shards)]
        assert names_after(-(-n // n_shards)) == sorted(["t.json", *shards, *mine])
    assert names_after(None) == sorted(["t.bin", "t.json", *mine])


@pytest.mark.parametrize("size", [None, 40, 1000])
@pytest.mark.parametrize("failing", ["write", "fsync", "replace", "rename"])
def test_files_of_an_earlier_run_stay_if_a_new_one_fails(
    tok: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, size: int | None
) -> None:
    """Wherever a write fails: never new shards with an old summary, or old ones with a new one."""
    texts = [tmp_path / "a.txt", tmp_path / "b.txt"]
    texts[0].write_text(TEXT * 5)
    texts[1].write_text(TEXT * 3)
    output = tmp_path / "out" / "t.bin"
    output.parent.mkdir()
    tok.encode_files(texts[0], output, shard_size=100)
    before = {path.name: path.read_bytes() for path in output.parent.iterdir()}
    assert len(before) > 9
    n_left = 0

    def failing_after(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            nonlocal n_left
            n_left -= 1
            if n_left == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return function(*args, **options)

        return call

    owner: Any = {"fsync": os, "write": PendingFile}.get(failing, Path)
    monkeypatch.setattr(owner, failing, failing_after(getattr(owner, failing)))
    for n_done in range(100):
        n_left = n_done + 1
        try:
            tok.encode_files(texts[1], output, shard_size=size)
            break
        except OSError:
            assert {path.name: path.read_bytes() for path in output.parent.iterdir()} == before
    assert n_done > 0
    after = {path.name: path.read_bytes() for path in output.parent.iterdir()}
    assert after.keys() == {"t.json", *(f["name"] for f in json.loads(after["t.json"])["files"])}


class Killed(BaseException):
    """Ends a run without any clearing up, as SIGKILL does."""


@pytest.mark.parametrize("shard_sizes", [(5, 3), (3, 5), (5, None), (None, 5)])
@pytest.mark.parametrize("first_run", [True, False])
def test_a_run_that_is_killed_while_files_get_their_names_can_be_repeated(
    tok: Tokenizer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shard_sizes: tuple[int | None, int | None],
    first_run: bool,
) -> None:
    """At each rename, copy and removal: the summary is never that of other files."""
    texts = [tmp_path / "a.txt", tmp_path / "b.txt"]
    texts[0].write_text("it is 10")
    texts[1].write_text("that was 9")
    folder = tmp_path / "out"
    output = folder / "t.bin"
    calls: list[str] = []

    def dying(name: str, n_before: int) -> Callable[..., Any]:
        function = getattr(Path, name)

        def call(*args: Any, **options: Any) -> Any:
            if len(calls) == n_before:  # nor does anything work any more
                raise Killed
            calls.append(name)
            return function(*args, **options)

        return call

    n_interim = 0
    for n_before in range(200):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        if not first_run:
            tok.encode_files(texts[0], output, shard_size=shard_sizes[0])
        calls.clear()
        with monkeypatch.context() as patches:
            for name in ("rename", "replace", "unlink"):
                patches.setattr(Path, name, dying(name, n_before))
            try:
                tok.encode_files(texts[1], output, shard_size=shard_sizes[1])
                break
            except Killed:
                pass
        interim = check_summary(tok, folder, [text.read_text() for text in texts])
        n_interim += interim
        tok.encode_files(texts[1], output, shard_size=shard_sizes[1])
        assert not (interim and list(folder.glob(".*.tmp")))
        assert check_summary(tok, folder, [texts[1].read_text()]) is False
        names = json.loads((folder / "t.json").read_text())["files"]
        left = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
        assert left == {"t.json", *(file["name"] for file in names)}
    assert n_interim > 0


def check_summary(tok: Tokenizer, folder: Path, texts: list[str]) -> bool:
    """See that a summary tells of the ids of one of the texts, or says that it does not."""
    summary = folder / "t.json"
    if not summary.exists():
        assert not list(folder.glob("t*.bin"))
        return False
    content = json.loads(summary.read_text())
    names = {file["name"] for file in content["files"]}
    if not content.get("complete", True):
        assert {path.name for path in folder.glob("t*.bin")} <= names
        assert {path.name for path in folder.glob(".*.tmp")} <= set(content["temporary"])
        assert "dtype" not in content
        for path in folder.glob("t*.bin"):
            with pytest.raises(ValueError, match=r"t\.json says that the run .* was killed"):
                id_files.map_ids(path, "")
        return True
    maps = [
        id_files.map_ids(folder / file["name"], tok.vocabulary_sha256) for file in content["files"]
    ]
    ids = [n for ids in maps for n in ids.tolist()]
    assert ids in [tok.encode(text) for text in texts]
    return False


@pytest.mark.parametrize("pattern", ["gpt2", "none"])
def test_a_special_token_of_replaced_bytes_is_found_wherever_a_text_is_cut(
    tmp_path: Path, pattern: str
) -> None:
    """U+FFFD, which replaces bytes, is part of it: the text is not cut, in counting neither."""
    special = "\ufffd S\ufffd"
    tok = Tokenizer(merges=[], special_tokens=[special], pattern=pattern)
    path = tmp_path / "t.txt"
    for n in range(2, 10):
        data = b"a" * (CHUNK_SIZE - n) + b"\xff S\xef\xbf\xbd" + b" b" * 1000
        path.write_bytes(data)
        text = data.decode(errors="replace")
        tok.encode_files(path, tmp_path / "t.bin", errors="replace", allowed_special="all")
        ids = np.fromfile(tmp_path / "t.bin", np.uint16).tolist()
        assert ids == tok.encode(text, allowed_special="all")
        options: dict[str, Any] = {"pattern": pattern, "special_tokens": [special]}
        expected = bpetok.count_words_from_iterator([text], **options)
        for words in (
            bpetok.count_words(path, errors="replace", **options),
            bpetok.count_words_from_iterator([data], errors="replace", **options),
        ):
            assert words == expected


def test_a_shard_that_no_summary_lists_is_not_mixed_with_others(
    tok: Tokenizer, files: Texts, tmp_path: Path
) -> None:
    """Refused before anything is written; for one file it does not matter."""
    output = tmp_path / "t.bin"
    other = tmp_path / "t_000007.bin"
    other.write_bytes(b"mine")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match=r"t_000007\.bin exists, and .*t\.json does not say"):
        tok.encode_files(files[0], output, shard_size=10, allowed_special="all")
    assert sorted(tmp_path.iterdir()) == before
    tok.encode_files(files[0], output, allowed_special="all")
    assert other.read_bytes() == b"mine"
    with pytest.raises(ValueError, match=r"t_000007\.bin exists"):
        tok.encode_files(files[0], output, shard_size=10, allowed_special="all")


def test_ids_above_65_535_take_uint32(tmp_path: Path) -> None:
    """All of them, so that one type reads the file."""
    tok = Tokenizer(merges=[], special_tokens={"<s>": 70_000})
    (tmp_path / "a.txt").write_text("ab<s>")
    written = tok.encode_files(tmp_path / "*.txt", tmp_path / "a.bin", allowed_special="all")
    assert written.dtype == "uint32"
    assert np.fromfile(tmp_path / "a.bin", dtype="<u4").tolist() == [97, 98, 70_000]


def test_what_is_wrong_leaves_no_file(tok: Tokenizer, tmp_path: Path) -> None:
    """The message has the file and the byte; what was there before stays."""
    output = tmp_path / "out" / "train.bin"
    output.parent.mkdir()
    output.write_bytes(b"before")
    wrong = tmp_path / "wrong.txt"
    filling = "the end " * 400_000
    for text, message in (
        (filling.encode() + b"\xff", r"wrong.txt: must be UTF-8, but byte 3200000 is not"),
        ((filling + END).encode(), r"wrong.txt holds the special token '<|end|>' at byte 32000"),
    ):
        wrong.write_bytes(text)
        for n_threads in (1, 2):
            with pytest.raises(ValueError, match=message):
                tok.encode_files([wrong], output, n_threads=n_threads, shard_size=None)
    assert [path.name for path in output.parent.iterdir()] == ["train.bin"]
    assert output.read_bytes() == b"before"
    tok.encode_files([wrong], output, disallowed_special=())
    ids = np.fromfile(output, dtype="<u2")
    assert ids.tolist() == tok.encode_ordinary(filling + END)


def test_bytes_that_are_not_utf8_can_be_replaced(tok: Tokenizer, tmp_path: Path) -> None:
    """As bytes.decode replaces them."""
    data = b"a\xffb\xe4\xbd" * 300_000
    (tmp_path / "a.txt").write_bytes(data)
    tok.encode_files([tmp_path / "a.txt"], tmp_path / "a.bin", errors="replace")
    ids = np.fromfile(tmp_path / "a.bin", dtype="<u2")
    assert ids.tolist() == tok.encode(data.decode(errors="replace"))


def test_wrong_options_are_refused_before_any_work(tok: Tokenizer, tmp_path: Path) -> None:
    """By name, with the remedy."""
    (tmp_path / "a.txt").write_text("a")
    files = [tmp_path / "a.txt"]
    for options, message in (
        ({"eot": "<|y|>"}, "eot must be a special token, one of .* got '<|y|>'"),
        ({"eot": ["<|x|>"]}, "eot must be a special token, one of .* got .*x"),
        ({"shard_size": 0}, "shard_size must be in 1"),
        ({"n_threads": 0}, "n_threads must be in 1"),
        ({"errors": "ignore"}, "errors must be 'strict' or 'replace'"),
        ({"allowed_special": END}, "allowed_special must be 'all' or a set"),
    ):
        with pytest.raises(ValueError, match=message):
            tok.encode_files(files, tmp_path / "a.bin", **options)
    with pytest.raises(ValueError, match=r"output must not end in \.json"):
        tok.encode_files(files, tmp_path / "a.json")
    with pytest.raises(FileNotFoundError, match="no such file"):
        tok.encode_files([tmp_path / "b.txt"], tmp_path / "a.bin")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        tok.encode_files(files, tmp_path / "nowhere" / "a.bin")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_the_hash_is_that_of_the_vocabulary(tok: Tokenizer) -> None:
    """What ids depend on, not how often merges occurred in some text."""
    same = Tokenizer(merges=tok.merge_pairs, special_tokens=[END, "<|x|>"], merge_counts=[1] * 100)
    assert same.vocabulary_sha256 == tok.vocabulary_sha256
    assert Tokenizer(merges=tok.merge_pairs).vocabulary_sha256 != tok.vocabulary_sha256


def test_no_other_file_is_replaced_by_the_summary(tok: Tokenizer, tmp_path: Path) -> None:
    """The tokenizer lies there often, and inputs may: each is refused before any work."""
    (tmp_path / "in.txt").write_text("some text")
    tok.save(tmp_path / "tok.json")
    before = (tmp_path / "tok.json").read_bytes()
    with pytest.raises(ValueError, match="no summary of ids"):
        tok.encode_files(tmp_path / "in.txt", tmp_path / "tok.bin")
    with pytest.raises(ValueError, match="one of the files to read"):
        tok.encode_files(tmp_path / "tok.json", tmp_path / "tok.bin", format="text")
    with pytest.raises(ValueError, match="one of the files to read"):
        tok.encode_files(tmp_path / "in.txt", tmp_path / "in.txt")
    assert (tmp_path / "tok.json").read_bytes() == before
    assert (tmp_path / "in.txt").read_text() == "some text"
    for _ in range(2):  # but that of an earlier run is
        tok.encode_files(tmp_path / "in.txt", tmp_path / "out.bin")


def test_the_summary_is_there_even_if_a_warning_is_an_error(tok: Tokenizer, tmp_path: Path) -> None:
    """Ids are never without their summary, or with an old one."""
    (tmp_path / "in.jsonl").write_text('{"text": "it is"}\n{"text": null}\n')
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="1 text was null"):
            tok.encode_files(tmp_path / "in.jsonl", tmp_path / "out.bin")
    summary = json.loads((tmp_path / "out.json").read_text())
    assert summary["n_ids"] == len(tok.encode("it is"))
    assert (tmp_path / "out.bin").stat().st_size == 2 * summary["n_ids"]


@pytest.mark.parametrize(
    "options", [{"normalizer": "NFC", "pattern": "[a-z]|[^a-z]"}, {"prefix_space": True}]
)
def test_long_files_are_not_cut_where_a_text_changes(
    options: dict[str, Any], tmp_path: Path
) -> None:
    """Between a letter and the mark that it becomes one character with, and before a new space."""
    tok = Tokenizer(merges=[(0xC3, 0xA9)], **options)
    text = "e\u0301,a;b" * 400_000
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    tok.encode_files(tmp_path / "a.txt", tmp_path / "a.bin")
    ids = np.fromfile(tmp_path / "a.bin", tok.id_dtype)
    assert np.array_equal(ids, tok.encode_to_numpy(text))


def write_sources(folder: Path, texts: Iterable[list[str]], kinds: Iterable[str]) -> list[Path]:
    """Write the texts of each source in some format."""
    paths = []
    for number, (rows, kind) in enumerate(zip(texts, kinds, strict=True)):
        path = folder / f"{number}.{kind}"
        table = pa.table({"text": pa.array(rows, pa.string())})
        lines = "".join(json.dumps({"text": row}) + "\n" for row in rows).encode()
        if kind == "parquet":
            pq.write_table(table, path, row_group_size=3)
        elif kind == "arrow":
            with pa.ipc.new_file(path, table.schema) as writer:
                writer.write_table(table, max_chunksize=2)
        elif kind == "txt":
            path.write_bytes("".join(rows).encode())
        else:
            path.write_bytes(zstandard.compress(lines) if kind == "jsonl.zst" else lines)
        paths.append(path)
    return paths


rows = st.lists(st.text("ab ,\n\u00e9", max_size=30), max_size=8)
formats = st.sampled_from(["txt", "jsonl", "jsonl.zst", "parquet", "arrow"])


@settings(max_examples=25)
@given(st.lists(st.tuples(rows, formats), min_size=1, max_size=6), st.booleans())
def test_threads_change_no_byte(sources: list[tuple[list[str], str]], ends: bool) -> None:
    """Whatever the formats, the ids are those of all texts in order, each with its end."""
    tok = Tokenizer(merges=[(97, 98), (256, 97)], special_tokens=[END])
    expected: list[int] = []
    for texts, kind in sources:
        for text in ["".join(texts)] * any(texts) if kind == "txt" else texts:
            expected += tok.encode(text) + [tok.special_tokens[END]] * ends
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "SEGMENT_SIZE", 10)
        folder = Path(name)
        paths = write_sources(folder, *zip(*sources, strict=True))
        for n_threads in (1, 2, 3, 8):
            eot = END if ends else None
            tok.encode_files(paths, folder / "t.bin", eot=eot, n_threads=n_threads)
            assert np.fromfile(folder / "t.bin", "<u2").tolist() == expected


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("errors", ["strict", "replace"])
def test_the_first_source_with_something_wrong_is_named(
    tok: Tokenizer, tmp_path: Path, n_threads: int, errors: str
) -> None:
    """In the order of the files, with its row, whichever thread finds it first; no file is left."""
    good = [f"it is {i}" for i in range(5000)]
    paths = write_sources(tmp_path, [good, good, ["it"], ["it"]], ["parquet", "jsonl.zst"] * 2)
    wrong = pa.array([*map(str.encode, good), b"\xff"], pa.binary())
    pq.write_table(pa.table({"text": wrong}), paths[0], row_group_size=100)
    paths[2].write_bytes(b"PAR1")
    paths[3].write_bytes(b"no frame")
    output = tmp_path / "out" / "t.bin"
    output.parent.mkdir()
    what = "0.parquet, row 5000: must be UTF-8, but byte 0" if errors == "strict" else "2.parquet"
    with pytest.raises(ValueError, match=what):
        tok.encode_files(paths, output, n_threads=n_threads, errors=errors)
    assert list(output.parent.iterdir()) == []


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_full_disk_ends_all_threads(
    tok: Tokenizer, tmp_path: Path, n_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they would still give is not wanted."""
    paths = write_sources(tmp_path, [["it is"] * 9000] * 6, ["jsonl.zst"] * 6)

    def write(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(PendingFile, "write", write)
    n_before = threading.active_count()
    with pytest.raises(OSError, match="No space left"):
        tok.encode_files(paths, tmp_path / "t.bin", n_threads=n_threads)
    assert threading.active_count() == n_before
    assert sorted(tmp_path.iterdir()) == paths
