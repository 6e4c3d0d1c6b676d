"""`bpetok explain` and `bpetok report`, on tokenizers of several formats."""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import TypeAlias

import pytest

import bpetok
from bpetok import Tokenizer
from bpetok.cli import main
from strategies import TOY

Run: TypeAlias = Callable[..., CompletedProcess[bytes]]


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Run:
    """Run bpetok, in this process, in a folder that has tok.json and text files."""
    tok = bpetok.train_from_iterator([TOY], vocab_size=267, special_tokens=["<|end|>"])
    tok.save(tmp_path / "tok.json")
    (tmp_path / "a.txt").write_text(TOY, "utf-8")
    (tmp_path / "b.txt").write_text("lowest newest", "utf-8")
    (tmp_path / "binary").write_bytes(b"\xff")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, input: bytes = b"") -> CompletedProcess[bytes]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(input)))
        status = main.main(arguments)
        out, err = capfdbinary.readouterr()
        return CompletedProcess(arguments, status, out, err)

    return run


def test_explain_prints_plain_text_into_a_pipe(run: Run, tmp_path: Path) -> None:
    """The text from the command line or from standard input."""
    tok = Tokenizer.load(tmp_path / "tok.json")
    done = run("explain", "lowest<|end|>", "--tokenizer", "tok.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == f"{tok.explain('lowest<|end|>')}\n"
    done = run("explain", "--tokenizer", "tok.json", "--special", "text", input=b"low<|end|>")
    assert done.stdout.decode() == (f"{tok.explain('low<|end|>', allowed_special=())}\n")


def test_pages_are_written(run: Run, tmp_path: Path) -> None:
    """What is said goes to stderr."""
    for command in (
        ("explain", "low", "--tokenizer", "tok.json", "--html", "e.html"),
        ("report", "tok.json", "--text", "*.txt", "--html", "r.html"),
    ):
        done = run(*command)
        assert (done.returncode, done.stdout) == (0, b""), done.stderr
        assert f"Saved to {command[-1]}".encode() in done.stderr
        assert (tmp_path / command[-1]).read_text("utf-8").startswith("<!doctype html>")
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "By source" in page
    assert ">a.txt<" in page


def test_report_compares_tokenizers_of_all_formats(run: Run, tmp_path: Path) -> None:
    """They are the same here, so all columns are."""
    tok = Tokenizer.load(tmp_path / "tok.json")
    tok.save_pretrained(tmp_path / "hf")
    tok.save_gpt2(tmp_path / "gpt2")
    tok.save_minbpe(tmp_path / "mini")
    tok.save_tiktoken(tmp_path / "ranks.tiktoken")
    names = ["tok.json", "hf", "hf/tokenizer.json", "gpt2", "mini.model", "ranks.tiktoken"]
    done = run("report", *names, "--pattern", "gpt2", "--text", "a.txt", "b.txt")
    assert done.returncode == 0, done.stderr
    rows = [line.split("│")[2:-1] for line in done.stdout.decode().splitlines() if "│" in line]
    tokens = [row for row in rows if len(set(map(str.strip, row))) == 1]
    assert len(tokens) == len(rows) - 1  # a .tiktoken file has no special tokens
    for name in names[1:]:
        done = run("explain", "lowest", "--tokenizer", name, "--pattern", "gpt2")
        assert done.stdout.decode().splitlines()[0] == "1 word, 6 bytes, 2 tokens"


def test_without_text_a_report_is_on_the_standard_library(run: Run) -> None:
    """The standard library's own sources."""
    done = run("report", "tok.json", "--threads", "2")
    assert done.returncode == 0, done.stderr
    assert "merged tokens never used" in done.stdout.decode()


def test_training_ends_with_a_report_if_asked_for(run: Run, tmp_path: Path) -> None:
    """On the text of the training; the page has the time that the phases took."""
    done = run("train", "a.txt", "--vocab-size", "260", "-o", "new.json", "--report", "new.html")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "new.html").read_text("utf-8")
    assert "Report on new" in page
    assert "time to learn" in page
    assert f"{len(TOY)} bytes" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["explain", "a", "--tokenizer", "no.json"], "--tokenizer: no.json: No such file"),
        (["explain", "--tokenizer", "tok.json"], "standard input is not UTF-8: byte 0 (0xff)"),
        (["explain", "a", "--tokenizer", "."], "holds neither tokenizer.json"),
        (["explain", "a", "--tokenizer", "a.txt"], "a.txt: is not a tokenizer"),
        (["explain", "a", "--tokenizer", "tok.json", "--html", "no/e.html"], "--html: no/e.html"),
        (["report", "tok.json", "--text", "binary"], "binary is not UTF-8: byte 0"),
        (["report", "tok.json", "--text", "no.txt"], "no.txt"),
        (["report", "tok.json", "tok.json"], "a tokenizer is given twice"),
        (["report", "tok.json", "--text", "-"], "standard input can't be one"),
        (
            ["train", "a.txt", "-o", "n.json", "--report", "no/r.html"],
            "--report: no/r.html",
        ),
        (["train", "--counts", "c", "-o", "n.json", "--report", "r.html"], "needs FILEs: counts"),
        (["train", "-", "-o", "n.json", "--report", "r.html"], "standard input (-) can't be one"),
        (["watch", "binary"], "binary is not UTF-8: byte 0"),
        (["watch", "a", "--lang", "de"], "lang must be one of 'en', 'zh', got 'de'"),
        (["watch", "a", "--html", "no/w.html"], "--html: no/w.html"),
        (["report", "r.tiktoken"], "r.tiktoken: a .tiktoken file does not say its pattern"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    run: Run, tmp_path: Path, arguments: list[str], message: str
) -> None:
    """Exit status 2, and nothing is written."""
    before = sorted(tmp_path.iterdir())
    done = run(*arguments, input=b"\xff")
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.count(b"\n") == 1
    assert message in done.stderr.decode()
    assert sorted(tmp_path.iterdir()) == before


def test_watching_a_training(run: Run, tmp_path: Path) -> None:
    """A text or a file, as text or as a page; what is cut is said."""
    assert run("watch", TOY, "--vocab-size", "258").stdout.decode() == (
        f"{bpetok.watch(TOY, vocab_size=258)}\n"
    )
    long = "low lower " * 500  # longer than the name of a file may be
    assert run("watch", long, "--vocab-size", "258").stdout.decode() == (
        f"{bpetok.watch(long, vocab_size=258)}\n"
    )
    (tmp_path / "text.txt").write_text(TOY)
    done = run("watch", "text.txt", "--vocab-size", "900", "--lang", "zh", "--html", "w.html")
    assert done.returncode == 0
    assert done.stdout == b""
    assert "只演示前 300 次" in done.stderr.decode()
    page = (tmp_path / "w.html").read_text("utf-8")
    assert page == bpetok.watch(TOY, vocab_size=900, lang="zh").to_html()


def test_invalid_text_is_replaced_if_asked_for(run: Run) -> None:
    """As everywhere else."""
    assert run("report", "tok.json", "--text", "binary", "--errors", "replace").returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="names are in UTF-8 elsewhere")
def test_names_that_are_not_utf8_are_shown_with_escapes(run: Run, tmp_path: Path) -> None:
    """Those of texts and of tokenizers, on pages too."""
    text, tok, page = (os.fsdecode(os.fsencode(tmp_path) + b"/\xff" + end)
                       for end in (b".txt", b".json", b".html"))  # fmt: skip
    Path(text).write_text("low lower")
    Tokenizer(merges=[(108, 111)]).save(tok)
    done = run("report", tok, "--text", text)
    assert "\\udcff" in done.stdout.decode()
    run("report", tok, "--text", text, "--html", page)
    assert "\\udcff" in Path(page).read_text("utf-8")
    run("train", text, "--vocab-size", "258", "-o", tok, "--report", page)
    assert "\\udcff" in Path(page).read_text("utf-8")
