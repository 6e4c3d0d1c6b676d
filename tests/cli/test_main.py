"""The command, in real processes: what it prints where, its exit status, pipes and signals."""

import base64
import io
import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeAlias
from unittest.mock import Mock

import numpy as np
import pytest

import bpetok
from bpetok.cli import main
from bpetok.tokenizer import Tokenizer

if sys.platform != "win32":
    import fcntl
    import termios

TEXT = "the cat sat on the mat, the cat sat; " * 20
Run: TypeAlias = Callable[..., subprocess.CompletedProcess[bytes]]
Call: TypeAlias = Callable[..., "Done"]
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of POSIX")


@pytest.fixture
def run(tmp_path: Path, environment: dict[str, str]) -> Run:
    """Run bpetok in a folder of its own; all output as bytes."""

    def run(*arguments: object, input: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "bpetok", *map(str, arguments)],
            capture_output=True,
            cwd=tmp_path,
            env=environment,
            timeout=60,
            input=input,
        )

    return run


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Call:
    """Run a command in this process, which is faster; output as text."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Done:
        status = main.main([str(argument) for argument in arguments])
        return Done(status, *capfd.readouterr())

    return call


class Done(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def tok(tmp_path: Path) -> Tokenizer:
    """A tokenizer, saved as tok.json."""
    tok = Tokenizer(merges=[(104, 101), (116, 256), (257, 32)], special_tokens=["<|end|>"])
    tok.save(tmp_path / "tok.json")
    return tok


def test_training_saves_the_tokenizer_and_says_how_to_go_on(run: Run, tmp_path: Path) -> None:
    """What it prints goes to stderr; the command that it proposes works."""
    (tmp_path / "a.txt").write_text(TEXT + "<|end|>", "utf-8")
    done = run("train", "*.txt", "--vocab-size", 270, "--special-token", "<|end|>",
               "--special-token", "<|pad|>", "--output", "new.json")  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"")
    message = done.stderr.decode()
    assert "270 ids = 256 bytes + 12 merges + 2 special tokens" in message
    assert "1 file of text" in message
    assert (
        "bpetok encode '*.txt' --tokenizer new.json --eot '<|end|>' --special ids -o train.bin"
        in message
    )
    assert "note: 1 special token never occurs in the text: <|pad|>" in message
    tok = Tokenizer.load(tmp_path / "new.json")
    assert tok == bpetok.train(
        tmp_path / "a.txt", vocab_size=270, special_tokens=["<|end|>", "<|pad|>"]
    )
    assert tok.special_tokens == {"<|end|>": 268, "<|pad|>": 269}
    assert run("encode", "--tokenizer", "new.json", input=b"the").stdout.split() != []


@posix
def test_what_is_proposed_next_runs_as_printed(
    run: Run, tmp_path: Path, environment: dict[str, str]
) -> None:
    """By a shell, in the same folder, whatever the file is called."""
    (tmp_path / "a.txt").write_text(TEXT, "utf-8")
    pytest.importorskip("pyarrow")
    outputs = [
        run("train", "a.txt", "--vocab-size", "0.27k", "-o", "my tok.json").stderr,
        run("count", "a.txt", "-o", "my counts.parquet").stderr,
    ]
    lines = [line for out in outputs for line in out.decode().partition("Next:\n")[2].splitlines()]
    assert len(lines) == 4
    for line in lines:
        done = subprocess.run(
            line, shell=True, cwd=tmp_path, env=environment, capture_output=True, check=False
        )
        assert done.returncode == 0, (line, done.stderr)


def test_what_may_not_be_meant_is_said(run: Run, tmp_path: Path) -> None:
    """A list of special tokens is one token; a file that is replaced."""
    (tmp_path / "a.txt").write_bytes(b"the cat " * 9)
    command = (
        "train",
        "a.txt",
        "--vocab-size",
        258,
        "--special-token",
        "<|a|>,<|b|>",
        "-o",
        "t.json",
    )
    first, second = run(*command).stderr, run(*command).stderr
    note = (
        b"bpetok: note: --special-token '<|a|>,<|b|>' is one token: give the option once for each"
    )
    assert note in first
    assert b"  saved to     t.json\n" in first
    assert b"  saved to     t.json, in the place of an earlier file\n" in second
    assert run(*command, "--quiet").stderr == b""
    counts = "count", "a.txt", "--special-token", ",", "-o", "w.parquet"
    assert run(*counts).stderr.startswith(
        b"bpetok: note: 1 special token never occurs in the text: ,\nCounted in"
    )
    again = run(*counts).stderr
    assert b"  saved to     w.parquet, in the place of an earlier file\n" in again


def test_without_a_command_the_help_is_shown(call: Call) -> None:
    """And the exit status is that of bad usage."""
    done = call()
    assert (done.status, done.out) == (2, "")
    assert "commands:" in done.err


@pytest.mark.parametrize("to", ["bpetok", "huggingface", "tiktoken", "gpt2", "minbpe"])
def test_a_tokenizer_is_exported(call: Call, tok: Tokenizer, tmp_path: Path, to: str) -> None:
    """To a file or folder that the command reads again, with the same ids."""
    output = {"huggingface": "hf", "gpt2": "folder", "minbpe": "mini"}.get(to, f"new.{to}")
    done = call("export", "tok.json", "--to", to, "-o", output)
    assert (done.status, done.out) == (0, ""), done.err
    name = f"{output}.model" if to == "minbpe" else output
    (tmp_path / "a.txt").write_text("the cat")
    pattern = ("--pattern", "gpt2") if to == "tiktoken" else ()
    done = call("export", name, "--to", "bpetok", "-o", "again.json", *pattern)
    assert done.status == 0, done.err
    assert Tokenizer.load(tmp_path / "again.json").encode("the cat") == tok.encode("the cat")


def test_info_says_what_a_tokenizer_is(call: Call, tok: Tokenizer, tmp_path: Path) -> None:
    """Facts, special tokens, merges; or the whole vocabulary, a line for each id."""
    (tmp_path / "a.txt").write_text(TEXT, "utf-8")
    call("train", "a.txt", "--vocab-size", 268, "-o", "new.json", "--special-token", "<s>")
    done = call("info", "new.json")
    assert (done.status, done.err) == (0, "")
    for line in ("vocabulary      268 ids, 11 merges", "pattern         gpt2"):
        assert line in done.out.splitlines()
    assert re.search(r"^special token   267  <s>$", done.out, re.MULTILINE)
    assert re.search(r"^merge 0 +a \+ t  \d+ times$", done.out, re.MULTILINE)
    assert "merge 5 " not in done.out
    assert "merge 10" in done.out
    lines = call("info", "tok.json", "--vocab").out.splitlines()
    assert lines[97] == "97\ta"
    assert lines[-2:] == ["258\tthe␣", "259\t<|end|>"]
    assert len(lines) == tok.vocab_size
    assert call("info", "no.json").err.startswith("bpetok: error: no.json: ")


def test_an_export_for_transformers_has_roles(call: Call, tok: Tokenizer, tmp_path: Path) -> None:
    """And the chat template of a file."""
    (tmp_path / "chat.jinja").write_text("{{ messages }}")
    roles = ("--eos-token", "<|end|>", "--chat-template", "chat.jinja")
    done = call("export", "tok.json", "--to", "huggingface", "-o", "hf", *roles)
    assert done.status == 0, done.err
    written = "".join(path.read_text() for path in (tmp_path / "hf").iterdir())
    assert '"eos_token": "<|end|>"' in written
    assert "{{ messages }}" in written


def test_an_export_for_javascript_is_portable(call: Call, tok: Tokenizer, tmp_path: Path) -> None:
    """Its expression has nothing that JavaScript lacks; only such folders can be."""
    done = call("export", "tok.json", "--to", "huggingface", "-o", "hf", "--portable")
    assert done.status == 0, done.err
    assert "White_Space" in (tmp_path / "hf" / "tokenizer.json").read_text()
    assert Tokenizer.from_pretrained(tmp_path / "hf") == tok
    for to in ("gguf", "tiktoken"):
        done = call("export", "tok.json", "--to", to, "-o", "new", "--portable")
        assert done.status == 2
        assert "--portable needs --to huggingface" in done.err


def test_each_option_of_training_has_its_effect(run: Run, tmp_path: Path) -> None:
    """--min-frequency, --threads, --errors, --pattern and --quiet reach the trainer."""
    (tmp_path / "a.txt").write_text(TEXT, "utf-8")
    (tmp_path / "b.txt").write_bytes(b"ab \xff ab")
    train = ("train", "a.txt", "--output", "new.json", "--vocab-size")
    done = run(*train, 262, "--quiet", "--threads", 2, "--pattern", "gpt2", "--no-progress")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    done = run(*train, 270, "--min-frequency", 30)
    assert re.match(r"bpetok: warning: [^\n]*\nTrained ", done.stderr.decode())
    counts = Tokenizer.load(tmp_path / "new.json").merge_counts
    assert counts is not None
    assert min(counts) >= 30
    bad = ("train", "b.txt", "--output", "new.json", "--vocab-size", 257)
    assert run(*bad).returncode == 2
    assert run(*bad, "--errors", "replace").returncode == 0
    done = run(*train, 270, "--min-word-count", 21, "--max-memory", "200MB", "--threads", 1)
    assert b"--min-word-count 21 left out" in done.stderr
    assert b"--threads must be in 1..1024, got 0" in run(*train, 270, "--threads", 0).stderr
    assert b"--pattern must be" in run(*train, 270, "--pattern", "gpt9").stderr


def test_counts_travel_between_commands(call: Call, tmp_path: Path) -> None:
    """Counted shards, added up, train as all of the text does; weights have their effect."""
    (tmp_path / "a.txt").write_text(TEXT + "<|end|>", "utf-8")
    (tmp_path / "b.txt").write_text("the dog ate the mat; " * 10, "utf-8")
    special = ("--special-token", "<|end|>")
    split = ("--pattern", "cl100k", *special)
    done = call("count", "a.txt", "-o", "a.parquet", *split, "--threads", 2)
    assert (done.status, done.out) == (0, "")
    assert "a.parquet\n  read         1 file of text\n" in done.err
    assert "740 bytes, 221 words, 9 different\n" in done.err
    assert "train --counts a.parquet -o tok.json" in done.err
    assert call("count", "b.txt", "-o", "b.parquet", *split, "--quiet").err == ""
    assert call("merge-counts", "a.parquet", "b.parquet", "-o", "c.parquet").status == 0
    size = ("--vocab-size", 270)
    call("train", "--counts", "c.parquet", "-o", "c.json", *size)
    call("train", "--counts", "a.parquet", "b.parquet", "-o", "two.json", *size, *special)
    call("train", "a.txt", "b.txt", "-o", "direct.json", *size, *split)
    call(
        "train", "--counts", "c.parquet", "-o", "more.json", *size, *special, "--special-token", "+"
    )
    assert list(Tokenizer.load(tmp_path / "more.json").special_tokens) == ["<|end|>", "+"]
    direct = Tokenizer.load(tmp_path / "direct.json")
    assert direct == Tokenizer.load(tmp_path / "c.json") == Tokenizer.load(tmp_path / "two.json")
    weights = ("--weight", 1, "--weight", 0.25)
    call("merge-counts", "a.parquet", "b.parquet", *weights, "-o", "weighted.parquet")
    a, b = (bpetok.Words.load(tmp_path / f"{name}.parquet") for name in "ab")
    weighted = bpetok.Words.load(tmp_path / "weighted.parquet")
    assert weighted == bpetok.Words.combine([(a, 1), (b, 0.25)])
    assert weighted != bpetok.Words.combine([(a, 1), (b, 1)])
    for conflict in (("--pattern", "gpt2"), ("--special-token", "<|pad|>")):
        done = call("train", "--counts", "a.parquet", "-o", "new.json", *conflict)
        assert done.status == 2
        assert "only what was counted alike can be used together" in done.err
    assert not (tmp_path / "new.json").exists()


def test_commands_go_on_from_a_checkpoint(call: Call, tmp_path: Path) -> None:
    """After Ctrl-C or worse the same command is given again; another one is refused."""
    (tmp_path / "a.txt").write_text(TEXT, "utf-8")
    for command in (("count", "-o", "a.parquet"), ("train", "-o", "a.json", "--vocab-size", 262)):
        folder = f"run-{command[0]}"
        again = (*command, "a.txt", "--checkpoint", folder)
        assert call(*again).status == 0
        first = (tmp_path / command[2]).read_bytes()
        assert (tmp_path / folder / "run.json").exists()
        assert call(*again).status == 0
        assert (tmp_path / command[2]).read_bytes() == first
        done = call(*again, "--pattern", "cl100k")
        assert done.status == 2
        assert "another run, pattern was 'gpt2' and is 'cl100k' now" in done.err
    counts = ("train", "--counts", "a.parquet", "-o", "b.json", "--vocab-size", 262)
    assert call(*counts, "--checkpoint", "run-counts").status == 0
    assert (tmp_path / "run-counts" / "run.json").exists()
    assert Tokenizer.load(tmp_path / "b.json") == Tokenizer.load(tmp_path / "a.json")


def test_the_demo_trains_without_any_file(run: Run, tmp_path: Path) -> None:
    """The standard library's own sources are a corpus that every machine has."""
    done = run("train", "--demo", "--vocab-size", 400, "--output", "new.json")
    assert done.returncode == 0, done.stderr
    assert b" self" in Tokenizer.load(tmp_path / "new.json").vocab


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "unknown command 'trian', did you mean train"),
        (["train", "--vocabsize", "9"],
         "unknown option --vocabsize, did you mean --vocab-size"),
        (["encode", "--tokeniser", "x"],
         "unknown option --tokeniser, did you mean --tokenizer.*encode --help"),
        (["export", "tok.json", "--to", "gpt2", "-o", "a.txt"], "--output: a.txt is a file"),
        (["export", "tok.json", "--to", "minbpe", "-o", "new", "--eos-token", "<\\|end\\|>"],
         "--eos-token needs --to huggingface"),
        (["train", "a.txt", "-o", "new.json", "--vocab-size", "32q"], "such as 32000 or 32k"),
        (["train", "a.txt"], "required: -o/--output"),
        (["train", "--output", "new.json"], "give FILEs to train on, or --counts"),
        (["train", "a.txt", "--demo", "--output", "new.json"], "only one of them"),
        (["train", "a.txt", "--counts", "c", "-o", "new.json"], "only one of them"),
        (["train", "--counts", "c", "--text-column", "t", "-o", "new.json"],
         "--text-column is of no use with --counts"),
        (["train", "--counts", "c", "--errors", "replace", "-o", "new.json"],
         "--errors is of no use with --counts"),
        (["train", "--counts", "c.parquet", "-o", "new.json"], "no such file: 'c.parquet'"),
        (["train", "--counts", "a.txt", "-o", "new.json"], "a.txt is damaged or not whole: "),
        (["count", "a.txt"], "required: -o/--output"),
        (["count", "no.txt", "-o", "new.parquet"], "no.txt"),
        (["count", "a.txt", "-o", "a.txt"], "a.txt is one of the files to read"),
        (["count", "a.txt", "-o", "no/new.parquet"], "--output: no/new.parquet: the folder .* not"),
        (["count", "binary", "-o", "new.parquet"], "binary is not UTF-8: byte 3"),
        (["merge-counts", "a.txt", "-o", "a.txt"], "a.txt is one of the files to read"),
        (["merge-counts", "a.txt", "--weight", "1", "--weight", "2", "-o", "new.parquet"],
         "--weight for each of the 1 files, or none; got 2"),
        (["train", "a.txt", "--output", "new.json", "--vocab-size", "x"],
         "--vocab-size: must be a number such as 32000 or 32k, got 'x'"),
        (["train", "a.txt", "--output", "new.json", "--vocab-size", "9"], "256 .*got 9"),
        (["train", "no.txt", "--output", "new.json"], "no.txt"),
        (["train", ".", "--output", "new.json"], "tok.json may be one text, or a record in each"),
        (["train", "empty.txt", "--output", "new.json"], "no text"),
        (["train", "binary", "--output", "new.json"], "binary.* is not UTF-8: byte 3 "),
        (["train", "a.txt", "--output", "no/new.json"], "--output: no/new.json: the folder .* not"),
        (["train", "a.txt", "--output", "."], "--output: .: is a folder"),
        (["train", "a.txt", "--output", "new.json", "--special-token", ""], "empty"),
        (["encode", "--tokenizer", "no.json"], "--tokenizer: no.json: No such file"),
        (["encode", "--tokenizer", "a.txt"], "--tokenizer: a.txt: is not a tokenizer"),
        (["encode", "--tokenizer", "tok.json", "no.txt"], "no such file: 'no.txt'"),
        (["encode", "--tokenizer", "tok.json", "binary"], "binary: text must be UTF-8, but byte 3"),
        (["encode", "--tokenizer", "tok.json", "special.txt"], "special.txt holds .*'<|end|>' at"),
        (["decode", "--tokenizer", "tok.json", "a.txt"], "a.txt, line 1: 'the' is not an id"),
        (["decode", "--tokenizer", "tok.json", "ids"], "ids, line 2: ids must be from 0 to 259"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(
    run: Run, tok: Tokenizer, tmp_path: Path, arguments: list[str], message: str
) -> None:
    """Exit status 2, nothing on stdout, no traceback, and no file is made."""
    (tmp_path / "a.txt").write_text(TEXT)
    (tmp_path / "empty.txt").touch()
    (tmp_path / "binary").write_bytes(b"abc\xff")
    (tmp_path / "special.txt").write_text("a <|end|>")
    (tmp_path / "ids").write_text("1 2\n3 1000\n")
    before = sorted(tmp_path.iterdir())
    done = run(*arguments)
    assert done.returncode == 2
    line = done.stderr.decode()
    assert re.fullmatch(f"bpetok: error: .*{message.replace('|', '[|]')}.*\n", line), line
    assert arguments[:1] == ["decode"] or done.stdout == b""
    assert sorted(tmp_path.iterdir()) == before


def test_encode_writes_a_line_of_ids_for_each_input(
    run: Run, tok: Tokenizer, tmp_path: Path
) -> None:
    """Of files or of standard input; an empty input is an empty line."""
    (tmp_path / "a.txt").write_text("the cat")
    (tmp_path / "empty.txt").touch()
    done = run("encode", "--tokenizer", "tok.json", "a.txt", "empty.txt", "a.txt")
    ids = " ".join(map(str, tok.encode("the"))) + " 32 99 97 116"
    assert done.stdout.decode().splitlines() == [ids, "", ids]
    assert run("encode", "--tokenizer", "tok.json", input=b"the cat").stdout.decode().split() == (
        ids.split()
    )
    tokens = run("encode", "--tokenizer", "tok.json", "--tokens", "a.txt").stdout
    assert tokens.decode() == "the ␣ c a t\n"


def test_encode_writes_files_of_ids(run: Run, tok: Tokenizer, tmp_path: Path) -> None:
    """As encode_files does; what it did is said on stderr unless --quiet."""
    (tmp_path / "a.txt").write_text(TEXT + "<|end|>", "utf-8")
    (tmp_path / "b.txt").write_text(TEXT, "utf-8")
    command = ["encode", "--tokenizer", "tok.json", "a.txt", "b.txt", "--output", "train.bin"]
    options = ["--special", "ids", "--eot", "<|end|>", "--threads", 2]
    done = run(*command, *options)
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"described in train.json" in done.stderr
    ids = np.fromfile(tmp_path / "train.bin", dtype="<u2").tolist()
    expected = [*tok.encode(TEXT), 259, 259, *tok.encode(TEXT), 259]
    assert ids == expected
    done = run("decode", "--tokenizer", "tok.json", "train.bin")
    assert (done.stdout, done.stderr) == (tok.decode_bytes(expected), b"")
    more = Tokenizer(merges=tok.merge_pairs, special_tokens=["<|end|>", "<|more|>"])
    more.save(tmp_path / "more.json")
    done = run("decode", "--tokenizer", "more.json", "train.bin")
    assert (done.returncode, done.stdout) == (0, tok.decode_bytes(expected))
    assert b"warning: train.json says that its ids were not made by this tokenizer" in done.stderr
    done = run(*command, *options, "--shard-size", 500, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    shards = [np.fromfile(path, dtype="<u2") for path in sorted(tmp_path.glob("train_0*.bin"))]
    assert np.concatenate(shards).tolist() == expected
    names = [path.name for path in sorted(tmp_path.glob("train_0*.bin"))]
    assert run("decode", "--tokenizer", "tok.json", *names).stdout == tok.decode_bytes(expected)
    cut = (tmp_path / names[0]).read_bytes()[:-2]
    (tmp_path / names[0]).write_bytes(cut)
    done = run("decode", "--tokenizer", "tok.json", names[0])
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"must hold 500 ids, as train.json says, has 499: it was cut" in done.stderr
    (tmp_path / names[0]).rename(tmp_path / "train_900000.bin")
    names[0] = "train_900000.bin"  # which the summary does not know
    assert run("decode", "--tokenizer", "tok.json", names[0]).stdout == tok.decode_bytes(
        expected[:499]
    )
    small = Tokenizer(merges=[])
    small.save(tmp_path / "small.json")
    done = run("decode", "--tokenizer", "small.json", names[0])
    assert b"was it written with this tokenizer?" in done.stderr
    (tmp_path / "other.bin").write_bytes(b"ab")
    done = run("decode", "--tokenizer", "tok.json", "other.bin")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"other.bin: other.json, which says what is in it, does not exist" in done.stderr
    for dtype in ("object", "float32", "bool", ["uint16"], None):
        summary = {"format": "bpetok ids", "dtype": dtype, "files": []}
        (tmp_path / "other.json").write_text(json.dumps(summary))
        done = run("decode", "--tokenizer", "tok.json", "other.bin")
        assert b"other.json, which says what is in it, is no summary of ids" in done.stderr
    (tmp_path / "other.json").write_text(json.dumps({**summary, "complete": False}))
    done = run("decode", "--tokenizer", "tok.json", "other.bin")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"other.json says that the run that wrote it was killed" in done.stderr
    (tmp_path / "other.json").write_text(json.dumps({**summary, "dtype": "uint32"}))
    done = run("decode", "--tokenizer", "tok.json", "other.bin")
    assert b"other.bin: must hold ids of 4 bytes, has 2 bytes" in done.stderr
    for wrong, message in (
        ([*command], b"a.txt holds the special token '<|end|>' at byte 740; give it its own"),
        ([*command[:3], "--output", "x.bin"], b"give FILEs to encode into --output"),
        ([*command[:4], "--eot", "<|end|>"], b"--eot needs --output"),
        ([*command, "--eot", "<s>"], b"eot must be a special token"),
    ):
        done = run(*wrong)
        assert done.returncode == 2
        assert message in done.stderr


def test_special_tokens_are_refused_unless_asked_for(run: Run, tok: Tokenizer) -> None:
    """--special ids gives them their ids, --special text takes them for text."""
    encode = ("encode", "--tokenizer", "tok.json")
    refused = run(*encode, input=b"<|end|>")
    assert refused.returncode == 2
    assert b"--special ids" in refused.stderr
    assert run(*encode, "--special", "ids", input=b"<|end|>").stdout.split() == [b"259"]
    assert len(run(*encode, "--special", "text", input=b"<|end|>").stdout.split()) == 7


def test_decode_gives_the_bytes_back(run: Run, tok: Tokenizer) -> None:
    """Byte for byte, line ends and halves of characters included; ids may be on any lines."""
    for data in (b"the cat\r\n\n the\0", "é世界👩🏽‍💻".encode(), b"", b"the " * 50_000):
        ids = run("encode", "--tokenizer", "tok.json", input=data).stdout
        assert run("decode", "--tokenizer", "tok.json", input=ids).stdout == data
    assert run("decode", "--tokenizer", "tok.json", input=b"195\n\n 259\t97").stdout == (
        b"\xc3<|end|>a"
    )


@posix
def test_a_reader_that_goes_away_is_no_error(
    tok: Tokenizer, tmp_path: Path, environment: dict[str, str]
) -> None:
    """As in `bpetok encode ... | head`: no message."""
    (tmp_path / "a.txt").write_text(TEXT * 1000)
    encode = [sys.executable, "-m", "bpetok", "encode", "--tokenizer", "tok.json", "a.txt"]
    with subprocess.Popen(
        encode, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_version_and_help(run: Run) -> None:
    """Both are at once there: neither NumPy nor Numba is imported for them."""
    assert run("--version").stdout.decode().split() == ["bpetok", bpetok.__version__]
    for arguments in (["--help"], ["train", "--help"], ["encode", "--help"]):
        done = run(*arguments)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"usage: bpetok" in done.stdout


def test_the_command_imports_little(environment: dict[str, str], tmp_path: Path) -> None:
    """`bpetok --help` waits for no compiler, no array library and nothing of the tokenizer."""
    program = (
        "import sys, bpetok.cli.main; print(sorted("
        "{'numpy', 'numba', 'tqdm', 'bpetok.encoding', 'bpetok.patterns'} & set(sys.modules)))"
    )
    output = subprocess.check_output([sys.executable, "-c", program], env=environment, cwd=tmp_path)
    assert output.strip() == b"[]"


def test_a_dash_is_standard_input(run: Run, tok: Tokenizer, tmp_path: Path) -> None:
    """Once, in its place among files, patterns and folders."""
    (tmp_path / "a.txt").write_text("the the ")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "b.txt").write_text("he")
    lines = [" ".join(map(str, tok.encode(text))) for text in ("the the ", "the", "he")]
    done = run("encode", "a.*", "-", "folder", "--tokenizer", "tok.json", input=b"the")
    assert done.stdout.decode().splitlines() == lines
    done = run("decode", "-", "--tokenizer", "tok.json", input=lines[0].encode())
    assert done.stdout == b"the the "


STARTED = """
import sys
from bpetok.cli import main
def parsed(*arguments, then=main._parse):
    options = then(*arguments)
    print("!", end="", flush=True)
    return options
main._parse = parsed
main.run()
"""
"""Says when the options are read."""


@posix
def test_ctrl_c_ends_the_command_without_a_traceback(
    tok: Tokenizer, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Exit status 130, no output, no file, whichever phase it comes in."""
    (tmp_path / "a.txt").write_bytes(base64.encodebytes(os.urandom(3_000_000)))
    train = ["train", "--quiet", *["a.txt"] * 100, "-o", "new.json", "--vocab-size", "200000"]
    nothing = b": nothing was written"
    again = nothing + b"; with --checkpoint DIR the same command goes on where it was"
    # What is there after so many seconds depends on the machine.
    saved = (
        b": run has (nothing yet, since it is saved to once a minute: begin anew"
        b"|[^:]+ of text counted( and [0-9,]+ merges? learned)?: the same command goes on there)"
    )
    ids = ["encode", "--tokenizer", "tok.json"]
    for arguments, wait, hint in (
        (train, 0.5, again),
        (train, 1.5, again),
        ([*train, "--checkpoint", "run"], 1.5, saved),
        (ids, 0.3, b""),
        ([*ids, "--quiet", *["a.txt"] * 400, "-o", "ids.bin"], 0.5, nothing),
    ):
        with subprocess.Popen(
            [sys.executable, "-c", STARTED, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env=environment,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.read(1) == b"!"  # a machine that is busy is slow to start
            time.sleep(wait)
            assert process.poll() is None, process.stderr.read()
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
            assert process.stdout.read() == b""
            said = process.stderr.read()
            assert re.fullmatch(b"bpetok: error: interrupted%b\n" % hint, said), said
    assert not (tmp_path / "new.json").exists()


def test_ctrl_c_says_what_was_saved(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How much text, how many merges, and that the same command goes on; then it does."""
    monkeypatch.setattr("bpetok.counting.checkpoint.SECONDS", 0.0)
    text = " ".join(map(str, range(3000)))
    (tmp_path / "a.txt").write_text(text)
    call("count", "a.txt", "-o", "a.parquet")
    learned = r"run-\w+ has (.*)1 merge learned: the same command goes on there"
    counted = r"run-\w+ has 13,889 bytes of text counted: the same command goes on there"
    both = learned.replace("(.*)", "13,889 bytes of text counted and ")
    for name, source, function, expected in (
        ("count", ["a.txt"], "bpetok.training.pipeline.lay_out", counted),
        ("learn", ["a.txt"], "bpetok.training.pipeline.build", both),
        ("words", ["--counts", "a.parquet"], "bpetok.training.pipeline.build", learned),
    ):
        command = ("train", *source, "--vocab-size", 257, "-o", "b.json", "--checkpoint")
        with monkeypatch.context() as patch:
            patch.setattr(function, _interrupt)
            done = call(*command, f"run-{name}")
        assert done.status == 130
        assert re.fullmatch(rf"bpetok: error: interrupted: {expected}\n", done.err), done.err
        assert not (tmp_path / "b.json").exists()
        assert call(*command, f"run-{name}").status == 0
        (tmp_path / "b.json").unlink()


def test_ctrl_c_twice_is_told_in_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second comes while it is said what the first has left, which imports pyarrow."""
    monkeypatch.setattr(main, "_parse", _interrupt)
    monkeypatch.setattr(main, "_how_to_go_on", _interrupt)
    monkeypatch.setattr(sys, "argv", ["bpetok", "train", "a.txt"])
    for change in ("_fill_closed_files", "_clear_up_when_ended", "gc"):  # of this process
        monkeypatch.setattr(main, change, Mock())
    with pytest.raises(SystemExit) as ended:
        main.run()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "bpetok: error: interrupted\n"


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_asked_to_end_leaves_nothing(
    tok: Tokenizer, tmp_path: Path, environment: dict[str, str], number: signal.Signals
) -> None:
    """Neither under a temporary name nor in the folder for such files; it ends by the signal."""
    (tmp_path / "a.txt").write_bytes(base64.encodebytes(os.urandom(3_000_000)))
    (tmp_path / "tmp").mkdir()
    many = ["--quiet", *["a.txt"] * 400]
    ids = ["encode", "--tokenizer", "tok.json", *many, "-o", "ids.bin"]
    train = ["train", *many, "--output", "new.json", "--max-memory", "500MB"]
    before = sorted(tmp_path.rglob("*"))
    for arguments, begun in (
        (ids, ".*.tmp"),
        ([*ids, "--shard-size", "999"], ".*.tmp"),
        (train, ""),
    ):
        with subprocess.Popen(
            [sys.executable, "-m", "bpetok", *arguments],
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env={**environment, "TMPDIR": str(tmp_path / "tmp")},
        ) as process:
            assert process.stderr is not None
            deadline = time.monotonic() + 60
            while begun and not any(tmp_path.glob(begun)) and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(0.5)
            process.send_signal(number)
            assert process.wait(60) == -number
            assert process.stderr.read() == b""
        assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("terminal", "variables", "colored"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),  # https://no-color.org: if it is not empty
        (True, {"TERM": "dumb"}, False),
        (False, {}, False),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colors_are_for_terminals_that_have_them(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, variables: dict[str, str], colored: bool
) -> None:
    """As the environment says, in the way of uv, ruff and rich."""
    error = io.StringIO()
    monkeypatch.setattr(error, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stderr", error)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm", **variables}.items():
        monkeypatch.setenv(name, value)
    assert main.main(["trian"]) == 2
    assert ("\x1b[1;31merror:\x1b[0m" in error.getvalue()) == colored
    assert error.getvalue().startswith("bpetok: ")


@posix
@pytest.mark.parametrize("option", [None, "--no-progress", "--quiet"])
def test_progress_is_shown_on_a_terminal_only(
    run: Run, tmp_path: Path, environment: dict[str, str], option: str | None
) -> None:
    """A bar for each phase on a terminal, unless it is unwanted; none in a pipe."""
    (tmp_path / "a.txt").write_text(TEXT)
    arguments = ["train", "a.txt", "--output", "new.json", "--vocab-size", "260"]
    arguments += ["--special-token", "<|a|>", *([option] if option else [])]
    assert b"%" not in run(*arguments).stderr
    environment = {**environment, "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-m", "bpetok", *arguments], stderr=theirs, cwd=tmp_path, env=environment
    ) as process:
        shown = b""
        while process.poll() is None or select.select([ours], [], [], 0.1)[0]:
            if select.select([ours], [], [], 0.1)[0]:
                shown += os.read(ours, 65536)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0
    assert (b"count: 100%" in shown and b"learn: 100%" in shown) == (option is None)
    assert (b"Trained in" in shown) == (option != "--quiet")
    note = b"bpetok: \x1b[1;36mnote:\x1b[0m 1 special token never occurs in the text: <|a|>"
    lines = re.split(rb"[\r\n]+", shown)  # the note has a line of its own, between the bars
    assert (note in lines) == (option != "--quiet"), shown


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_can_not_be_written_is_an_error(
    tok: Tokenizer, tmp_path: Path, environment: dict[str, str]
) -> None:
    """A full disk gives exit status 1 and one line."""
    for arguments in ("encode --tokenizer tok.json", "--version", "--help", "train --help"):
        for unbuffered in ("", "1"):
            with Path("/dev/full").open("wb") as full:
                done = subprocess.run(
                    [sys.executable, "-m", "bpetok", *arguments.split()],
                    input=b"the cat",
                    stdout=full,
                    stderr=subprocess.PIPE,
                    cwd=tmp_path,
                    env={**environment, "PYTHONUNBUFFERED": unbuffered},
                )
            assert done.returncode == 1, arguments
            assert done.stderr == b"bpetok: error: standard output: No space left on device\n"


def test_a_corpus_is_never_replaced_by_its_tokenizer(run: Run, tmp_path: Path) -> None:
    """--output that names an input is refused before any work."""
    (tmp_path / "in.txt").write_text(TEXT, "utf-8")
    done = run("train", "in.txt", "--vocab-size", 260, "--output", "in.txt")
    assert done.returncode == 2
    assert b"one of the files to read" in done.stderr
    assert (tmp_path / "in.txt").read_text("utf-8") == TEXT


@posix
@pytest.mark.parametrize(
    ("arguments", "closed", "status", "message"),
    [
        ("train in.txt --vocab-size 260 -o o.json", ">&-", 0, "Trained in"),
        ("train in.txt --vocab-size 260 -o o.json", "2>&-", 0, ""),
        ("train in.txt --vocab-size 260 -o o.json", "<&- >&- 2>&-", 0, ""),
        ("train no.txt -o o.json", "2>&-", 2, ""),
        ("train in.txt --vocab-size 999 -o o.json", "2>&-", 0, ""),  # a warning is given
        ("train - --vocab-size 260 -o o.json", "<&-", 2, "standard input"),
        ("encode --tokenizer tok.json in.txt", ">&-", 1, "standard output is closed"),
        ("encode --tokenizer tok.json in.txt --output o.bin", ">&-", 0, "Encoded in"),
        ("encode --tokenizer tok.json in.txt --output o.bin", "2>&-", 0, ""),
        ("encode --tokenizer tok.json", "<&-", 2, "standard input is closed"),
        ("decode --tokenizer tok.json ids", ">&-", 1, "standard output is closed"),
        ("decode --tokenizer tok.json", "<&-", 2, "standard input is closed"),
        ("explain --tokenizer tok.json low", ">&-", 1, "standard output is closed"),
        ("explain --tokenizer tok.json", "<&-", 2, "standard input is closed"),
        ("report tok.json --text in.txt", ">&-", 1, "standard output is closed"),
        ("report tok.json --text in.txt --html r.html", ">&- 2>&-", 0, ""),
        ("estimate in.txt", ">&-", 1, "standard output is closed"),
    ],
)
def test_closed_standard_files_give_no_traceback(
    tok: Tokenizer,
    tmp_path: Path,
    environment: dict[str, str],
    arguments: str,
    closed: str,
    status: int,
    message: str,
) -> None:
    """As under cron. What needs one says so in a line; nothing ends in a file by its number."""
    (tmp_path / "in.txt").write_text(TEXT, "utf-8")
    (tmp_path / "ids").write_text("97")
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m bpetok {arguments} {closed}"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert message in done.stderr
    assert bool(message) == bool(done.stderr)
    assert "Traceback" not in done.stderr
    if "o.bin" in arguments:
        assert np.fromfile(tmp_path / "o.bin", dtype="<u2").tolist() == tok.encode(TEXT)
    elif "o.json" in arguments and status == 0:
        Tokenizer.load(tmp_path / "o.json")


def test_files_have_columns_of_their_own(call: Call, tmp_path: Path) -> None:
    """`--text-column FILE=NAME`, in all commands that read; a "=" may be in a path."""
    (tmp_path / "year=2024").mkdir()
    (tmp_path / "year=2024/web.jsonl").write_text('{"content": "the cat", "text": 1}\n' * 9)
    (tmp_path / "chat.jsonl").write_text('{"messages": [{"content": "the cat"}]}\n' * 9)
    files = ("year=2024/*.jsonl", "chat.jsonl")
    columns = ("--text-column", "content", "--text-column", "chat.jsonl=messages[].content")
    other = ("--text-column", "chat*=messages[].content", "--text-column", "year=2024=content")
    for given in (columns, other):
        done = call("train", *files, *given, "--vocab-size", 258, "-o", "tok.json")
        assert done.status == 0, done.err
        assert "126 bytes, 36 words" in done.err
        for command in (
            ("count", *files, "-o", "counts.parquet"),
            ("encode", *files, "-o", "ids.bin", "--tokenizer", "tok.json"),
            ("estimate", *files),
            ("report", "tok.json", "--text", *files),
        ):
            done = call(*command, *given)
            assert done.status == 0, done.err
    size = (tmp_path / "ids.bin").stat().st_size
    assert size == 2 * 18 * len(Tokenizer.load(tmp_path / "tok.json").encode("the cat"))
    wrong: list[tuple[tuple[str, ...], str]] = [
        (("chat.jsonl=a", "b", "c"), "--text-column c is one too many"),
        (("chat.jsonl=a", "chat.jsonl=b"), "--text-column chat.jsonl=b is one too many"),
        (("chats.jsonl=a",), "--text-column has 'chats.jsonl', which holds for no file"),
    ]
    for values, message in wrong:
        options = [part for value in values for part in ("--text-column", value)]
        done = call("train", *files, *options, "-o", "no.json")
        assert (done.status, done.out) == (2, "")
        assert message in done.err
    assert not (tmp_path / "no.json").exists()


def test_train_reserves_special_tokens(call: Call, tmp_path: Path) -> None:
    """After the others, from files and from counts."""
    (tmp_path / "a.txt").write_text(TEXT)
    tokens = ("--special-token", "<|end|>", "--reserved", "<|r{}|>", 2, "--reserved", "<|t{}|>", 1)
    assert call("count", "a.txt", "--special-token", "<|end|>", "-o", "a.parquet").status == 0
    for source, given in (
        (("a.txt",), tokens),
        (("--counts", "a.parquet"), tokens),
        (("--counts", "a.parquet"), tokens[2:]),
    ):
        done = call("train", *source, *given, "--vocab-size", 270, "-o", "tok.json")
        assert done.status == 0, done.err
        special = Tokenizer.load(tmp_path / "tok.json").special_tokens
        assert [*special] == ["<|end|>", "<|r0|>", "<|r1|>", "<|t0|>"]
        assert special["<|t0|>"] == 269
    for wrong, message in (
        (("--reserved", "<|r{}|>", "many"), "--reserved NAME N: N must be a whole number, got"),
        (("--reserved", "<|r|>", 2), "--reserved NAME must have one {} for the"),
        (("--reserved", "<|r{}|>", -1), "--reserved N must be in 0.."),
    ):
        done = call("train", "a.txt", *wrong, "-o", "no.json")
        assert (done.status, done.out) == (2, "")
        assert message in done.err
    assert not (tmp_path / "no.json").exists()


@pytest.mark.filterwarnings("ignore:vocab_size is")
def test_superwords_have_their_options(call: Call, tmp_path: Path) -> None:
    """As `Superwords` has them, each with an effect; without superwords they mean nothing."""
    path = tmp_path / "a.jsonl"
    texts = [
        f"so: it is: the cat {i} is a cat, it is as it is as it is 22 22 22 {i * i} cats!!"
        for i in range(40)
    ]
    path.write_text("".join(json.dumps({"text": f"{text}\n" * 3}) + "\n" for text in texts))
    train = ("train", "a.jsonl", "--vocab-size", 310)
    seen = set()
    cases: list[tuple[tuple[object, ...], dict[str, Any]]] = [
        ((), {}),
        (("--superwords-max-words", 1), {"max_words": 1}),
        (("--superwords-max-words", "none"), {"max_words": None}),
        (
            ("--superwords-max-words", "none", "--superwords-colon-space"),
            {"max_words": None, "colon_space": True},
        ),
        (("--superwords-pattern", "none"), {"pattern": "none"}),
        (("--superwords-unused", "drop"), {"unused": "drop"}),
        (("--superwords-max-bytes", "3kB"), {"max_bytes": 3000}),
        (("--superwords-sample", 0.5), {"sample": 0.5}),
    ]
    for flags, given in cases:
        done = call(*train, "--superwords", 265, *flags, "-o", "tok.json")
        assert done.status == 0, done.err
        assert re.search(r"^bpetok: note: superwords: up to \S+ MB of memory$", done.err, re.M)
        tok = Tokenizer.load(tmp_path / "tok.json")
        superwords = bpetok.Superwords(265, **given)
        assert tok == bpetok.train(path, vocab_size=310, superwords=superwords)
        seen.add((tok.pattern, tuple(tok.merges)))
    assert len(seen) == len(cases)
    wrong: list[tuple[tuple[object, ...], str]] = [
        (("--superwords-max-words", 2), "--superwords-max-words is of no use without --superwords"),
        (("--superwords-colon-space",), "--superwords-colon-space is of no use without"),
        (("--superwords", 270, "--superwords-max-words", 0), "--superwords-max-words must be in"),
        (("--superwords", 270, "--superwords-sample", 2), "--superwords-sample must be above 0"),
        (("--superwords", 270, "--superwords-pattern", "gtp2"), "--superwords-pattern must be one"),
    ]
    for flags, message in wrong:
        done = call(*train, *flags, "-o", "no.json")
        assert (done.status, message in done.err) == (2, True), done.err
    assert not (tmp_path / "no.json").exists()


LANGUAGES = (
    ("the quick brown fox jumps over the lazy dog", "the fox and the dog"),
    ("быстрая лиса прыгает через ленивую собаку", "лиса и собака спят"),
    ("敏捷的狐狸跳过懒狗。狗睡了，狐狸没有睡。", "狐狸和狗"),
)


def test_each_file_is_a_language(call: Call, tmp_path: Path) -> None:
    """Each FILE is a language, or each file of counts; as the library has it."""
    for number, (texts, measured) in enumerate(LANGUAGES):
        (tmp_path / f"{number}.txt").write_text(texts * 3, "utf-8")
        (tmp_path / f"dev{number}.txt").write_text(measured, "utf-8")
    names = [f"{number}.txt" for number in range(3)]
    files = [tmp_path / name for name in names]
    development = [tmp_path / f"dev{number}.txt" for number in range(3)]
    given = [part for number in range(3) for part in ("--balance-development", f"dev{number}.txt")]
    train = ("train", "--vocab-size", 300, "--balance", "parity", "-o", "tok.json")
    for flags, parity in (
        ([], bpetok.Parity()),
        (given, bpetok.Parity(development)),
        ([f"--balance-ratio={ratio}" for ratio in (1, 2, 2.57)], bpetok.Parity(None, [1, 2, 2.57])),
        (
            [*given, "--balance-window-size", 4, "--balance-alpha", 1.5],
            bpetok.Parity(development, window_size=4, alpha=1.5),
        ),
        (["--balance-global-merges", 12], bpetok.Parity(global_merges=12)),
    ):
        done = call(*train, *names, *flags)
        assert done.status == 0, done.err
        expected = bpetok.train(files, vocab_size=300, balance=parity)
        assert bpetok.Tokenizer.load(tmp_path / "tok.json") == expected
    for name in [*names, "dev0.txt", "dev1.txt", "dev2.txt"]:
        counts = name.replace(".txt", ".parquet")
        assert call("count", name, "--pattern", "llama3", "-o", counts).status == 0
    counted = [part.replace(".txt", ".parquet") for part in [*given, *names]]
    done = call(*train, *counted[:-3], "--counts", *counted[-3:])
    assert done.status == 0, done.err
    assert bpetok.Tokenizer.load(tmp_path / "tok.json") == bpetok.train(
        files, vocab_size=300, pattern="llama3", balance=bpetok.Parity(development)
    )


def test_final_tokens_are_part_of_no_other(call: Call, tmp_path: Path) -> None:
    """As `MergeFilter.final` has them."""
    path = tmp_path / "a.txt"
    path.write_text(TEXT)
    given = ("--final-token", " c", "--final-token", "at")
    done = call("train", "a.txt", "--vocab-size", 265, *given, "-o", "tok.json")
    assert done.status == 0, done.err
    expected = bpetok.train(
        path, vocab_size=265, merge_filter=bpetok.MergeFilter(final=(" c", "at"))
    )
    tok = Tokenizer.load(tmp_path / "tok.json")
    assert tok == expected != bpetok.train(path, vocab_size=265)
