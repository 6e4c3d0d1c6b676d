"""Files and iterables are cut into chunks without changing a word."""

import glob
import os
import re
import threading
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bpetok
from bpetok.base.demo import demo_files
from bpetok.patterns.special import SpecialTokens
from bpetok.sources import corpus, files
from bpetok.sources.corpus import Corpus, corpus_items, resolve_corpus
from bpetok.sources.files import null_ended, resolve_files
from bpetok.sources.many_files import file_states
from bpetok.sources.pieces import Cutting, Piece, chunks_of, cut, cut_text, find_cut, text_pieces
from bpetok.sources.reading import NullTexts, ReadContext, ReadOptions


@given(
    st.lists(st.sampled_from(["<|>", "<|", " ", "a", "long", "é", "中"]), max_size=30),
    st.integers(1, 12),
)
def test_a_text_in_memory_is_cut_as_one_that_is_read(parts: list[str], chunk_size: int) -> None:
    """With special tokens, with a pattern of which only these end words, and in long words."""
    data = "".join(parts).encode()
    for pattern in ("gpt2", "none"):
        cutting = Cutting(SpecialTokens([b"<|>"]), pattern, chunk_size)
        read = [Piece("", 0, data)]
        if len(data) > chunk_size:
            read = list(cut("", BytesIO(data).readinto, cutting))
        assert list(cut_text("", data, cutting)) == read


def test_globs_are_expanded_and_sorted(tmp_path: Path) -> None:
    """A pattern gives its files in order; a path that exists is taken as it is written."""
    for name in ("b.txt", "a.txt", "[x].txt"):
        (tmp_path / name).write_text("x")
    (tmp_path / "folder.txt").mkdir()
    found = resolve_files(str(tmp_path / "*.txt"))
    assert [Path(path).name for path in found] == ["[x].txt", "a.txt", "b.txt"]
    assert resolve_files(tmp_path / "[x].txt") == [str(tmp_path / "[x].txt")]


def test_globs_go_into_folders(tmp_path: Path) -> None:
    """** stands for any number of folders."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c.txt").write_text("x")
    found = resolve_files([str(tmp_path / "**" / "*.txt")])
    assert found == [str(tmp_path / "a" / "b" / "c.txt")]


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("missing.txt", FileNotFoundError, "no such file"),
        ("missing*.txt", FileNotFoundError, "no file matches"),
        ("", FileNotFoundError, "no files in the folder"),
    ],
)
def test_a_path_that_is_no_file_is_refused(
    tmp_path: Path, name: str, error: type[Exception], message: str
) -> None:
    """The message names the path and says what to do."""
    with pytest.raises(error, match=message):
        resolve_files([tmp_path / name])


PATTERNS = ["**", "**/", "**/*", "**/*.txt", "**//a.txt", "d/**", "d//**/*.txt", "*/**/a.txt",
            "**/e/*", "**/e/**/*.txt", "**/**/a.txt", "d/**/..", ".h/**", "**/.h/*", "**/[[]x]/*",
            "a**", "**a", "**/l*/**/*", "./**/*.txt", "none/**", "**/none"]  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_patterns_match_as_pythons_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At any depth, with links to folders; each file once."""
    for folder in ("d/e/e", "d/[x]", ".h/i", "d/.h", "f"):
        (tmp_path / folder).mkdir(parents=True)
        for name in ("a.txt", ".h.txt", "b"):
            (tmp_path / folder / name).touch()
    (tmp_path / "a.txt").touch()
    (tmp_path / "d" / "a.txt").touch()
    (tmp_path / "f" / "link").symlink_to("../d/e")
    monkeypatch.chdir(tmp_path)
    for pattern in [*PATTERNS, *(f"{tmp_path}/{pattern}" for pattern in PATTERNS)]:
        names = map(os.path.normpath, glob.glob(pattern, recursive=True))  # noqa: PTH207  # the oracle
        expected = sorted(name for name in {*names} if Path(name).is_file())
        if expected:
            assert sorted(map(os.path.normpath, resolve_files(pattern))) == expected, pattern
        else:
            with pytest.raises(FileNotFoundError, match="no file matches the pattern"):
                resolve_files(pattern)


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_links_to_folders_above_are_not_followed(tmp_path: Path) -> None:
    """Two of them had 2 ** 40 ways; one to a folder elsewhere is followed. None is an error."""
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "x.txt").touch()
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "y.txt").touch()
    (tmp_path / "d" / "itself").symlink_to("itself")
    (tmp_path / "d" / "loop").symlink_to(".")
    (tmp_path / "d" / "e" / "up").symlink_to("../..")
    (tmp_path / "d" / "e" / "f").symlink_to("../../f")
    (tmp_path / "f" / "d").symlink_to("../d")
    found = resolve_files(f"{tmp_path}/d/**/*.txt")
    assert [str(Path(name).relative_to(tmp_path)) for name in found] == [
        "d/e/f/y.txt",
        "d/e/up/f/y.txt",
        "d/x.txt",
    ]
    assert len(resolve_files(f"{tmp_path}/**/**/*.txt")) < 20


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_a_link_that_leads_nowhere_is_no_matter_of_permission(tmp_path: Path) -> None:
    """By its path, a pattern, in a folder, as a URL: what it leads to is said."""
    (tmp_path / "gone.txt").symlink_to("nothing")
    for name in ("gone.txt", "*.txt", ""):
        with pytest.raises(
            FileNotFoundError, match=r"gone\.txt', it is a link to 'nothing', which"
        ):
            bpetok.count_words(tmp_path / name)


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_urls_of_files_are_as_their_paths(tmp_path: Path) -> None:
    """Links to folders in a folder are not followed, folders are no files, the host may be said."""
    (tmp_path / "a.txt").write_text("plum")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to("..")
    (tmp_path / "sub" / "b.txt").symlink_to("../a.txt")
    for name in ("", "/*", "/**", "/a.txt", "/sub"):
        expected = bpetok.count_words(f"{tmp_path}{name}", n_threads=1).to_dict()
        for host in ("", "localhost"):
            assert bpetok.count_words(f"file://{host}{tmp_path}{name}").to_dict() == expected


@pytest.mark.parametrize("url", ["dir://x", "reference://x", "generic://x"])
def test_a_url_that_does_not_say_enough_is_refused(url: str) -> None:
    """fsspec's own TypeError and AttributeError do not name it."""
    with pytest.raises(ValueError, match=f"{url} can't be read: it does not say all"):
        bpetok.count_words(url)


def test_urls_that_are_joined_are_refused(tmp_path: Path) -> None:
    """The names that are found in one have lost the other: a cache was dropped."""
    (tmp_path / "a.txt").write_text("some text")
    for url in (f"zip://a.txt::{tmp_path}/a.zip", f"simplecache::{(tmp_path / 'a.txt').as_uri()}"):
        with pytest.raises(ValueError, match=f"{re.escape(url)} can't be read: '::' joins URLs"):
            bpetok.count_words(url)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    """Before anything is read."""
    (tmp_path / "secret.txt").touch(mode=0o000)
    with pytest.raises(PermissionError, match=r"secret\.txt"):
        resolve_files([tmp_path / "secret.txt"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    """What another program writes: it must not be opened to look at it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"some text " * 1_000_000,))
    writer.start()
    assert bpetok.count_words(pipe).n_bytes == 10_000_000
    writer.join()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
@pytest.mark.parametrize("name", ["pipe.parquet", "pipe.arrow", "pipe.feather"])
def test_a_pipe_of_what_is_read_from_many_places_is_refused(name: str, tmp_path: Path) -> None:
    """It was said to be damaged, or an illegal seek."""
    os.mkfifo(tmp_path / name)
    with pytest.raises(ValueError, match=f"{name} is a pipe or a device: .* write this one to a"):
        bpetok.count_words(tmp_path / name)


def items_of(corpus: Corpus, chunk_size: int, n_threads: int = 1) -> list[Piece]:
    """Return the texts of a corpus; no chunk is larger than `chunk_size`."""
    cutting = Cutting(SpecialTokens([]), chunk_size=chunk_size)
    options = ReadOptions()
    context = ReadContext(options, cutting, "strict", NullTexts(), n_threads)
    chunks = list(chunks_of(corpus_items(corpus, context), chunk_size))
    assert all(len(chunk.data) <= chunk_size for chunk in chunks)
    return [
        Piece(*origin, bytes(chunk.data[begin:end]))
        for chunk in chunks
        for (begin, end), origin in zip(
            pairwise([0, *chunk.ends.tolist()]), chunk.origins, strict=True
        )
    ]


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("many", [1, 3, 100])
def test_small_files_are_read_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int, n_threads: int
) -> None:
    """Each is a text of its own; what has changed since it was found is read as it is now."""
    for i in range(40):
        (tmp_path / f"{i:02}").write_bytes(bytes([65 + i]) * (i * 7 % 23))
    for module in (files, corpus):
        monkeypatch.setattr(module, "MANY", many)
    resolved = resolve_corpus(tmp_path, ReadOptions(), n_threads)
    assert resolved.total == sum(i * 7 % 23 for i in range(40))
    (tmp_path / "10").write_bytes(b"other")
    (tmp_path / "11").write_bytes(b"")
    (tmp_path / "23").write_bytes(b"no longer empty")
    expected = {str(path): path.read_bytes() for path in sorted(tmp_path.iterdir())}
    assert all(len(data) <= 25 for data in expected.values())
    found = items_of(resolved, 25, n_threads)
    assert [piece.data for piece in found] == list(filter(None, expected.values()))
    assert all(piece.data == expected[str(piece.origin)] and not piece.offset for piece in found)
    (tmp_path / "30").unlink()
    with pytest.raises(FileNotFoundError, match="30"):
        items_of(resolved, 25, n_threads)


def test_what_is_wrong_in_a_small_file_is_said(tmp_path: Path) -> None:
    """The message names the file, not those that were read with it, and the offset in it."""
    for name in "abc":
        (tmp_path / name).write_bytes(b"some text" + b" \xff" * (name == "b"))
    with pytest.raises(ValueError, match=r"b is not UTF-8: byte 10 \(0xff\)"):
        bpetok.count_words(tmp_path)


def test_only_files_have_sizes(tmp_path: Path) -> None:
    """A folder, a path that is none, and what is meant as a URL or standard input have not."""
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    names = [str(tmp_path / name) for name in ("a", "link", "missing", "")]
    assert file_states(null_ended(names), 4)[:, 0].tolist() == [3, 3, -1, -1]
    with pytest.raises(FileNotFoundError, match=r"no such file: 'a\\x00b'"):
        resolve_files([tmp_path / "a", "a\0b"])


def test_no_files_at_all_are_refused() -> None:
    """An empty list is a mistake, not an empty corpus."""
    with pytest.raises(ValueError, match="at least one file"):
        resolve_files([])
    with pytest.raises(TypeError, match="must be a str or a path, got 1"):
        resolve_files([1])  # type: ignore[list-item]  # the mistake tested


@pytest.mark.parametrize("given", [b"a.txt", bytearray(b"a.txt"), memoryview(b"a"), {"a": 1}, 5])
def test_what_gives_no_files_is_refused_whole(given: Any) -> None:
    """Bytes are an iterable of numbers, and of a mapping only the keys would be taken."""
    takers = (
        bpetok.count_words,
        partial(bpetok.estimate, vocab_size=300),
        partial(bpetok.train, vocab_size=300),
        resolve_files,
    )
    for take in takers:
        with pytest.raises(TypeError, match="files must be a path"):
            take(given)


def test_sample_files_are_many_and_utf8() -> None:
    """The standard library is there on every machine: megabytes of it."""
    paths = demo_files()
    assert sum(Path(path).stat().st_size for path in paths) > 2_000_000
    for path in paths:
        Path(path).read_text(encoding="utf-8")


@given(
    st.text("ab <>|\n\u00e9\u4e2d\u3002", max_size=60),
    st.lists(st.sampled_from(["<|a|>", "|>", "a b", "<", "\u4e2d"]), unique=True),
    st.integers(1, 20),
)
def test_pieces_are_the_text(text: str, special_tokens: list[str], chunk_size: int) -> None:
    """Pieces follow one another without a gap, and their offsets say where they lie."""
    specials = SpecialTokens([token.encode() for token in special_tokens])
    pieces = list(cut_text("text", text.encode(), Cutting(specials, chunk_size=chunk_size)))
    assert b"".join(piece.data for piece in pieces) == text.encode()
    at = 0
    for piece in pieces:
        assert piece.offset == at
        at += len(piece.data)


def test_a_cut_is_found_between_special_tokens() -> None:
    """A text of nothing but special tokens is cut where one begins."""
    text = b"<|a|>" * 100
    cut = find_cut(text, SpecialTokens([b"<|a|>"]))
    assert cut > 400
    assert cut % 5 == 0


def test_a_long_word_is_read_in_few_steps() -> None:
    """A text without a cut is read in doubling steps: n bytes cost O(n), not O(n ** 2)."""
    text = b"a" * (1 << 20)
    (piece,) = text_pieces([text], Cutting(SpecialTokens([]), chunk_size=16))
    assert piece.data == text


@given(
    st.lists(st.text(max_size=8) | st.binary(max_size=8) | st.just("\ud800") | st.just(5)),
    st.integers(1, 20),
)
def test_texts_come_in_order_until_one_that_is_wrong(texts: list[Any], chunk_size: int) -> None:
    """Each with its number; chunks are as long as asked for, but for one text alone."""
    cutting = Cutting(SpecialTokens([]), chunk_size=chunk_size, whole=True)
    wrong = next((i for i, text in enumerate(texts) if text in (5, "\ud800")), len(texts))
    expected = [text if isinstance(text, bytes) else text.encode() for text in texts[:wrong]]
    got: list[bytes] = []
    origins: list[str] = []
    failure = ""
    try:
        for item in text_pieces(texts, cutting):
            if isinstance(item, Piece):
                got.append(bytes(item.data))
                origins.append(str(item.origin))
                continue
            assert len(item.data) <= chunk_size
            bounds = [0, *item.ends.tolist()]
            got += [bytes(item.data[a:b]) for a, b in pairwise(bounds)]
            origins += [str(origin.name) for origin in item.origins]
    except (TypeError, ValueError) as error:
        failure = str(error)
    assert got == expected
    assert origins == [f"text {i}" for i in range(len(expected))]
    assert (f"text {wrong}" in failure) == (wrong < len(texts))


def test_a_text_with_half_a_character_is_replaced_where_asked() -> None:
    """In its place, among others; an iterator that fails gives all that came before."""

    def texts() -> Iterator[str]:
        yield from ("", "a", "x\ud800y", "b", "\ud800" * 30, "c")
        raise OSError("gone")

    pieces = text_pieces(texts(), Cutting(SpecialTokens([]), chunk_size=16), "replace")
    got: list[bytes] = []
    with pytest.raises(OSError, match="gone"):
        got.extend(bytes(piece.data) for piece in pieces)
    data = b"".join(got)
    assert data.decode() == "ax\ufffdyb" + "\ufffd" * 30 + "c"


@given(st.lists(st.binary(max_size=10)), st.integers(1, 20))
def test_chunks_hold_all_pieces(datas: list[bytes], chunk_size: int) -> None:
    """Chunks keep the order, and `ends` says where each piece ends."""
    pieces = [Piece("x", at, data) for at, data in enumerate(datas)]
    chunks = list(chunks_of(pieces, chunk_size))
    found = []
    for chunk in chunks:
        ends = pairwise([0, *chunk.ends.tolist()])
        for (start, end), origin in zip(ends, chunk.origins, strict=True):
            found.append(Piece(*origin, bytes(chunk.data[start:end])))
        assert len(chunk.ends) == 1 or len(chunk.data) <= chunk_size
    assert found == pieces


def test_urls_of_files_may_be_percent_encoded(tmp_path: Path) -> None:
    """As Path.as_uri writes them; a file that has such a name is that file."""
    path = tmp_path / "a b#1.txt"
    path.write_text("plum")
    for url in (path.as_uri(), f"file://{path}"):
        assert bpetok.count_words(url).to_dict() == {b"plum": 1}
    (tmp_path / "a%20b#1.txt").write_text("low")
    assert bpetok.count_words(f"file://{tmp_path}/a%20b#1.txt").to_dict() == {b"low": 1}
    other = tmp_path / os.fsdecode(b"\xff.txt")
    other.write_text("fig")
    assert bpetok.count_words(other.as_uri()).to_dict() == {b"fig": 1}


def test_brackets_in_a_pattern_are_explained(tmp_path: Path) -> None:
    """Those of a folder's name are a set of characters, there and in URLs."""
    (tmp_path / "data [v1]").mkdir()
    (tmp_path / "data [v1]" / "a.txt").write_text("plum")
    for prefix in ("", "file://"):
        with pytest.raises(FileNotFoundError, match=r"'\[\[\]' is a bracket"):
            bpetok.count_words(f"{prefix}{tmp_path}/data [v1]/*.txt")
        words = bpetok.count_words(f"{prefix}{tmp_path}/data [[]v1]/*.txt")
        assert words.to_dict() == {b"plum": 1}
        assert bpetok.count_words(f"{prefix}{tmp_path}/data [v1]") == words
        assert bpetok.count_words(f"{prefix}{tmp_path}/data [v1]/a.txt") == words
