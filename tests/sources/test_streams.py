"""What bytes are read from: errors name the file, and waiting is not taken for the end."""

import gzip
import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

import bpetok
from bpetok.sources.arrow import naming
from bpetok.sources.streams import FileWithPart, LocalFile, WholeReads

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes and files")


@pytest.mark.parametrize("options", ["", ", format='jsonl'"])
def test_input_that_does_not_block_is_read_to_its_end(
    options: str, environment: dict[str, str]
) -> None:
    """Some parents leave O_NONBLOCK set; where nothing has come yet is not the end."""
    code = f"import bpetok; print(bpetok.count_words('-'{options}).total)"
    text = b'{"text": "word"}\n' * 100 if options else b"word " * 100
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=ours, stdout=subprocess.PIPE, env=environment
    ) as process:
        os.close(ours)
        for _ in range(8):
            os.write(theirs, text)
            time.sleep(0.1)
        os.close(theirs)
        assert process.stdout is not None
        # Each " word" is one, and the first and the last of a text have a word more.
        assert int(process.stdout.read()) == (800 if options else 801)


def test_commands_read_input_that_does_not_block_to_its_end(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """As others do: a text that comes in parts is encoded as a whole."""
    bpetok.Tokenizer(merges=[]).save(tmp_path / "tok.json")
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    command = [sys.executable, "-m", "bpetok", "encode", "--tokenizer", str(tmp_path / "tok.json")]
    with subprocess.Popen(command, stdin=ours, stdout=subprocess.PIPE, env=environment) as process:
        os.close(ours)
        for _ in range(8):
            os.write(theirs, b"ab")
            time.sleep(0.1)
        os.close(theirs)
        assert process.stdout is not None
        assert process.stdout.read().split() == [b"97", b"98"] * 8


@pytest.mark.parametrize("command", ["encode", "count", "explain"])
def test_the_end_at_a_terminal_is_seen_once(
    command: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Ctrl-D ends the text: to read on would wait for a second one."""
    bpetok.Tokenizer(merges=[]).save(tmp_path / "tok.json")
    options = {"encode": ["--tokenizer", "tok.json"], "count": ["-", "-o", "words.parquet"]}
    options["explain"] = options["encode"]
    ours, theirs = os.openpty()
    os.write(ours, b"low\n\x04")
    done = subprocess.run(
        [sys.executable, "-m", "bpetok", command, *options[command]],
        stdin=theirs,
        capture_output=True,
        env=environment,
        cwd=tmp_path,
        timeout=60,
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    if command == "count":
        assert bpetok.Words.load(tmp_path / "words.parquet").to_dict() == {b"low": 1, b"\n": 1}


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that fails to read")
@pytest.mark.parametrize("format", ["text", "jsonl"])
def test_a_file_that_fails_to_be_read_is_named(format: str) -> None:
    """The system says EIO, and no name: page 0 is never there."""
    with pytest.raises(OSError, match="/proc/self/mem") as error:
        bpetok.count_words("/proc/self/mem", format=format)  # type: ignore[arg-type]  # one of them
    assert error.value.filename == "/proc/self/mem"


@pytest.mark.parametrize("at", [0, 1, 2_999_999, 3_000_000, 3_000_001])
@pytest.mark.parametrize("size", [-1, None, 0, 1, 2_000_000, 3_000_000, 1 << 46])
def test_whole_reads(tmp_path: Path, at: int, size: int | None) -> None:
    """As Python's own files read, also if more is asked for than there is memory for."""
    path = tmp_path / "a"
    path.write_bytes(bytes(3_000_000))
    with LocalFile(path) as file, path.open("rb") as own:
        source = WholeReads(file)
        source.seek(at)
        own.seek(at)
        few = 4_000_000 if size == 1 << 46 else size
        assert (source.read(size), source.tell()) == (own.read(few), own.tell())


def test_what_pyarrow_fails_to_read_is_named() -> None:
    """Its files are not Python's; what went wrong keeps its kind."""
    with pytest.raises(OSError, match=r"'a\.parquet'"), naming("a.parquet"):
        raise OSError(5, "Input/output error")
    message = r"no memory to read a\.parquet.*: malloc"
    with pytest.raises(MemoryError, match=message), naming("a.parquet"):
        raise MemoryError("malloc of size 4 failed")
    with (
        pytest.raises(ValueError, match=r"a\.parquet is damaged or not whole: Invalid flatbuffers"),
        naming("a.parquet"),
    ):
        raise OSError("Invalid flatbuffers message.")


FILES = ("t.txt", "t.jsonl", "t.txt.gz", "t.txt.zst", "t.parquet", "t.arrow", "stream.arrow")
TEXTS = [f"{number} words, and more" for number in range(50)]


def write_files(folder: Path) -> None:
    """Write a file of each kind, with the same words."""
    text = "\n".join(TEXTS).encode()
    table = pa.table({"text": TEXTS})
    (folder / "t.txt").write_bytes(text)
    (folder / "t.txt.gz").write_bytes(gzip.compress(text))
    (folder / "t.txt.zst").write_bytes(zstandard.compress(text))
    (folder / "t.jsonl").write_text("".join(f'{{"text": "{text}"}}\n' for text in TEXTS))
    pq.write_table(table, folder / "t.parquet", row_group_size=20)
    with pa.ipc.new_file(folder / "t.arrow", table.schema) as file:
        file.write_table(table, 20)
    with pa.ipc.new_stream(folder / "stream.arrow", table.schema) as file:
        file.write_table(table, 20)


@pytest.mark.parametrize("n_bytes", [1, 7])
def test_a_read_that_gives_fewer_bytes_is_not_the_end(
    n_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File systems of a network and signals do that: for files of every kind, of words, too."""
    write_files(tmp_path)
    expected = {name: bpetok.count_words(tmp_path / name) for name in FILES}
    expected["t.parquet"].save(tmp_path / "words.parquet")
    read, read_into = LocalFile.read, LocalFile.readinto
    monkeypatch.setattr(LocalFile, "read", lambda file, size=-1: read(file, min(size, n_bytes)))
    monkeypatch.setattr(
        LocalFile, "readinto", lambda file, buffer: read_into(file, memoryview(buffer)[:n_bytes])
    )
    for name in FILES:
        assert bpetok.count_words(tmp_path / name, n_threads=2) == expected[name]
        if name.endswith("arrow"):
            continue
        assert bpetok.estimate(tmp_path / name, vocab_size=300).n_bytes > 0
    assert bpetok.Words.load(tmp_path / "words.parquet") == expected["t.parquet"]


@pytest.mark.skipif(sys.platform != "linux", reason="names of other systems are texts")
@pytest.mark.parametrize("name", FILES)
def test_a_name_may_be_any_bytes(name: str, tmp_path: Path) -> None:
    """As those of an older system are."""
    write_files(tmp_path)
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff" + name.encode())
    (tmp_path / name).rename(path)
    words = bpetok.count_words(path)
    assert words == bpetok.count_words([path])
    assert words.total > 50
    words.save(path + ".parquet")
    assert bpetok.Words.load(path + ".parquet") == words


@given(
    st.binary(max_size=40),
    st.lists(st.tuples(st.integers(0, 45), st.integers(0, 45), st.booleans()), max_size=9),
)
def test_a_file_is_the_same_with_a_part_in_memory(
    data: bytes, steps: list[tuple[int, int, bool]]
) -> None:
    """Wherever reading begins and ends: before, in or after the part, which may be another one."""
    part = FileWithPart(io.BytesIO(data))
    ours, theirs = WholeReads(part), io.BytesIO(data)
    for begin, size, keeps in steps:
        assert ours.seek(begin) == theirs.seek(begin)
        read = ours.read(size)
        assert read == theirs.read(size)
        if keeps:
            part.keep(begin, read)
        assert ours.tell() == theirs.tell()
        assert ours.read(3) == theirs.read(3)  # goes on


def test_a_part_in_memory_is_not_read_again() -> None:
    """But what follows it is."""
    part = FileWithPart(io.BytesIO(bytes(range(30))))
    source = WholeReads(part)
    part.keep(10, b"x" * 10)
    source.seek(12)
    assert source.read(13) == b"x" * 8 + bytes(range(20, 25))
