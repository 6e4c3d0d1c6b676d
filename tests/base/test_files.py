"""Files are written whole or not at all, also several together."""

import errno
import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bpetok
from bpetok.base import files
from bpetok.base.files import is_temporary, read_bounded, read_whole, write_together
from bpetok.cli.main import main
from bpetok.formats.detection import detect
from bpetok.sources.streams import StandardInput


@pytest.mark.parametrize("failing", ["rename", "replace"])
def test_several_files_are_written_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """Whichever cannot get its name: what was there comes back, nothing new stays."""
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "c").write_bytes(b"old")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    names = ("a", "b", "c")
    function = getattr(Path, failing)
    n_left = 0

    def call(path: Path, target: Path) -> Path:
        nonlocal n_left
        n_left -= 1
        if n_left == 0:
            raise OSError("no")
        renamed: Path = function(path, target)
        return renamed

    monkeypatch.setattr(Path, failing, call)
    n_failed = 0
    while True:
        n_left = n_failed + 1
        try:
            write_together({tmp_path / name: b"new" for name in names})
            break
        except OSError:
            n_failed += 1
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert n_failed == {"rename": 2, "replace": 3}[failing]
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert after == dict.fromkeys(names, b"new")


def test_what_is_read_whole_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file takes little memory; no more than the bound is read of a large one."""
    path = tmp_path / "a"
    path.write_bytes(b"\xef\xbb\xbfabc")
    tracemalloc.start()
    assert read_bounded(path) == b"abc"
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 3 << 20)
    path.write_bytes(bytes(3 << 20))
    assert read_bounded(path) == bytes(3 << 20)
    for n_more in (1, 1 << 21):
        path.write_bytes(bytes((3 << 20) + n_more))
        with pytest.raises(ValueError, match=r"a: must be at most 3145728 bytes long"):
            read_bounded(path)


BROKEN = Path("/proc/self/mem")
"""It is opened, and the first read of it fails as of a broken disk (EIO)."""


only_linux = pytest.mark.skipif(not BROKEN.exists(), reason="only Linux has such a file")


@only_linux
@pytest.mark.parametrize(
    "read",
    [
        read_bounded,
        read_whole,
        bpetok.Tokenizer.load,
        bpetok.Tokenizer.from_pretrained,
        bpetok.count_words,
    ],
)
def test_what_cannot_be_read_is_named(read: Callable[[Path], object]) -> None:
    """The system's error has no name where a file was opened and then fails."""
    with pytest.raises(OSError, match="Input/output error: '/proc/self/mem'"):
        read(BROKEN)


@only_linux
@pytest.mark.parametrize("command", ["info", "watch", "encode", "decode"])
def test_a_command_names_what_cannot_be_read(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """It does not say that standard output has failed, which has no name either."""
    monkeypatch.chdir(tmp_path)
    bpetok.Tokenizer(merges=[]).save("tok.json")
    options = ["--tokenizer", "tok.json"] if command.endswith("code") else []
    assert main([command, *options, str(BROKEN)]) != 0
    assert capfd.readouterr().err.startswith("bpetok: error: /proc/self/mem: ")


def test_standard_input_that_cannot_be_read_is_named() -> None:
    """A terminal that is gone."""

    class Gone(io.BytesIO):
        def readinto1(self, buffer: Any, /) -> int:
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output error: 'standard input'"):
        StandardInput(Gone()).read()


@pytest.mark.parametrize("meanwhile", [None, lambda names: b"interim"])
def test_ctrl_c_right_after_a_rename_brings_back_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: Any
) -> None:
    """Before anybody has noted that the file has moved: it must not be removed with the rest."""
    for name in ("a", "c", "gone"):
        (tmp_path / name).write_bytes(b"old")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    n_left = 0

    def interrupted(function: Callable[[Path, Path], Path]) -> Callable[[Path, Path], Path]:
        def call(path: Path, target: Path) -> Path:
            nonlocal n_left
            renamed = function(path, target)
            n_left -= 1
            if n_left == 0:
                raise KeyboardInterrupt
            return renamed

        return call

    monkeypatch.setattr(Path, "rename", interrupted(Path.rename))
    monkeypatch.setattr(Path, "replace", interrupted(Path.replace))
    for n_done in range(20):
        n_left = n_done + 1
        pending = [files.PendingFile(tmp_path / name) for name in ("a", "b", "c")]
        try:
            for file in pending:
                file.write(b"new")
            files.keep_together(pending, [tmp_path / "gone"], meanwhile)
            break
        except KeyboardInterrupt:
            for file in pending:
                file.discard()
            assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert n_done >= 6
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == dict.fromkeys(
        "abc", b"new"
    )


@pytest.mark.parametrize("n_removed", [0, 1])
def test_ctrl_c_while_old_files_are_removed_leaves_none_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_removed: int
) -> None:
    """All new ones have their names by then; nobody would remove the rest later."""
    for name in "abc":
        (tmp_path / name).write_bytes(b"old")
    unlink, n_left = Path.unlink, n_removed

    def interrupted(path: Path, *args: Any, **options: Any) -> None:
        nonlocal n_left
        n_left -= 1
        if n_left == -1:
            raise KeyboardInterrupt
        unlink(path, *args, **options)

    monkeypatch.setattr(Path, "unlink", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_together({tmp_path / name: b"new" for name in "abc"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == dict.fromkeys(
        "abc", b"new"
    )


def test_ctrl_c_while_a_file_is_made_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right after it is there, before anybody knows of it: in all that writes files."""
    (tmp_path / "a.txt").write_text("low lower lowest " * 9)
    before = sorted(tmp_path.iterdir())
    tok = bpetok.train(tmp_path / "a.txt", vocab_size=260)
    words = bpetok.count_words(tmp_path / "a.txt")
    open_file = Path.open

    def interrupted(path: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
        file = open_file(path, mode, *args, **options)
        if is_temporary(path.name):
            file.close()
            raise KeyboardInterrupt
        return file

    monkeypatch.setattr(Path, "open", interrupted)
    for write in (
        lambda: tok.save(tmp_path / "new.json"),
        lambda: tok.save_gpt2(tmp_path / "new"),
        lambda: tok.encode_files(tmp_path / "a.txt", tmp_path / "new.bin"),
        lambda: tok.encode_files(tmp_path / "a.txt", tmp_path / "new.bin", shard_size=5),
        lambda: words.save(tmp_path / "new.parquet"),
    ):
        with pytest.raises(KeyboardInterrupt):
            write()
        left = [path for path in tmp_path.rglob("*") if path.is_file() and path not in before]
        assert left == []


URL = "s3://bucket/a"


@pytest.mark.parametrize(
    "call",
    [
        lambda tok, folder: tok.save(URL),
        lambda tok, folder: tok.save_pretrained(URL),
        lambda tok, folder: tok.save_gpt2(URL),
        lambda tok, folder: tok.save_tiktoken(URL),
        lambda tok, folder: tok.save_minbpe(URL),
        lambda tok, folder: tok.save_gguf(URL),
        lambda tok, folder: tok.encode_files(folder / "t.txt", URL),
        lambda tok, folder: bpetok.count_words(folder / "t.txt").save(URL),
        lambda tok, folder: bpetok.count_words(folder / "t.txt", checkpoint=URL),
        lambda tok, folder: bpetok.train(folder / "t.txt", vocab_size=257, checkpoint=URL),
        lambda tok, folder: bpetok.report(tok, texts="low").save(URL),
        lambda tok, folder: bpetok.Tokenizer.load(URL),
        lambda tok, folder: bpetok.Tokenizer.from_pretrained(URL),
        lambda tok, folder: bpetok.Tokenizer.from_tiktoken(URL, pattern="gpt2"),
        lambda tok, folder: bpetok.train(folder / "t.txt", vocab_size=257, like=URL),
        lambda tok, folder: detect(URL),
    ],
)
def test_a_url_where_a_path_must_be_given_is_refused(
    call: Callable[[bpetok.Tokenizer, Path], object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a path it is that of a folder "s3:", which checkpoints and counts were written to."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.txt").write_text("low low")
    tok = bpetok.Tokenizer(merges=[(108, 111)])
    with pytest.raises(ValueError, match=r"only files of this machine .* 's3://bucket/a'"):
        call(tok, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["t.txt"]
