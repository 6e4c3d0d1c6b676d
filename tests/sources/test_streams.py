"""What bytes are read from: errors name the file, and waiting is not taken for the end."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import bpetok
from bpetok.sources.arrow import naming

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


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that fails to read")
@pytest.mark.parametrize("format", ["text", "jsonl"])
def test_a_file_that_fails_to_be_read_is_named(format: str) -> None:
    """The system says EIO, and no name: page 0 is never there."""
    with pytest.raises(OSError, match="/proc/self/mem") as error:
        bpetok.count_words("/proc/self/mem", format=format)  # type: ignore[arg-type]  # one of them
    assert error.value.filename == "/proc/self/mem"


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
