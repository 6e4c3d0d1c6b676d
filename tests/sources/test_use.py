"""What is given has an effect, or that is said."""

import inspect
import logging
import os
import re
from pathlib import Path
from typing import Any

import pytest

import bpetok
from bpetok.sources.reading import OTHERS
from strategies import TOY


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A text and a file of records, the same text."""
    (tmp_path / "a.txt").write_text(TOY)
    (tmp_path / "a.jsonl").write_text(f'{{"content": "{TOY.strip()}"}}\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def calls(**options: Any) -> list[Any]:
    """Return functions that read files, with options."""
    tok = bpetok.train_from_iterator([TOY], vocab_size=260)
    return [
        lambda files: bpetok.train(files, vocab_size=260, **options),
        lambda files: bpetok.count_words(files, **options),
        lambda files: bpetok.estimate(files, vocab_size=260, **options),
        lambda files: tok.encode_files(files, "new.bin", **options),
        lambda files: bpetok.report(tok, files, **options),
        lambda files: bpetok.train([files, files], vocab_size=260, balance="parity", **options),
    ]


def test_a_column_needs_something_with_columns(folder: Path) -> None:
    """Plain text has none; what holds in any case may be said, and for some sources only."""
    pytest.importorskip("orjson")
    for call in calls(text_column="content"):
        with pytest.raises(ValueError, match="text_column 'content' is of no use: nothing that is"):
            call(["a.txt"])
        call(["a.txt", "a.jsonl"])
    for call in calls(text_column="text"):
        call(["a.txt"])
    for call in calls(text_column={"a.jsonl": "content"}):
        call(["a.txt", "a.jsonl"])
    bpetok.train(
        [["a.txt"], ["a.jsonl"]], vocab_size=260, balance="parity", text_column={"*": "content"}
    )


def test_a_format_needs_files(folder: Path) -> None:
    """Tables and texts have their own."""
    table = pytest.importorskip("pyarrow").table({"text": [TOY]})
    with pytest.raises(ValueError, match="format='jsonl' is of no use: no files are read"):
        bpetok.count_words(table, format="jsonl")
    tok = bpetok.train_from_iterator([TOY], vocab_size=260)
    report = bpetok.report(tok, {"a": "a.txt", "b": table}, format="text")
    assert [row["n_bytes"] for row in report.to_dicts()][:2] == [len(TOY), len(TOY)]
    with pytest.raises(TypeError, match="sample is for files, not for texts"):
        bpetok.report(tok, texts=[TOY], sample=0.5)


@pytest.mark.parametrize(("name", "value"), [("n_readers", 3), ("seed", 3)])
def test_what_changes_nothing_is_noted(
    folder: Path, caplog: pytest.LogCaptureFixture, name: str, value: int
) -> None:
    """Readers where nothing is on another machine, a seed without a sample."""
    calls_that_note = calls(**{name: value})[: 2 if name == "seed" else None]
    for call in calls_that_note:
        caplog.clear()
        with caplog.at_level(logging.INFO, "bpetok"):
            call(["a.txt"])
        assert len([r for r in caplog.records if f"{name}={value} is of no" in r.message]) == 1


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_a_file_given_twice_is_noted(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """By the same path or another one, a pattern, a link; in one source or several."""
    (folder / "b.txt").write_text("other")
    (folder / "link.txt").symlink_to("a.txt")
    (folder / "sub").mkdir()
    os.link("a.txt", folder / "sub" / "hard.txt")
    for files, names in (
        (["a.txt", "b.txt"], None),
        (["a.txt", "a.txt"], "1 file is given more than once and read each time: a.txt"),
        (["b.txt", "a.txt", "./a.txt", folder / "a.txt"], "1 file is .*: a.txt"),
        (["*.txt"], "1 file is .*: a.txt"),
        (["sub", "link.txt"], "1 file is .*: sub/hard.txt"),
        (["b.txt", "*.txt"], "2 files are .*: b.txt, a.txt"),
        ([("a.txt", 1.0), ("link.txt", 2.0)], "1 file is .*: a.txt"),
    ):
        caplog.clear()
        with caplog.at_level(logging.INFO, "bpetok"):
            words = bpetok.count_words(files)
        assert words.total > 0
        messages = [record.getMessage() for record in caplog.records]
        assert len(messages) == (names is not None)
        assert names is None or re.search(names, messages[0])


def test_each_call_that_reads_notes_it_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A table, too, and counts that are added up."""
    pytest.importorskip("pyarrow")
    for call in calls()[:5]:
        caplog.clear()
        with caplog.at_level(logging.INFO, "bpetok"):
            call(["a.txt", "a.txt"])
        assert len(caplog.records) == 1, caplog.records
    bpetok.count_words("a.txt").save("c.parquet")
    caplog.clear()
    with caplog.at_level(logging.INFO, "bpetok"):
        bpetok.Words.load(["c.parquet", "c.parquet"])
    assert [record.getMessage()[:24] for record in caplog.records] == ["1 file is given more tha"]


def test_standard_input_is_read_once() -> None:
    """What comes second would be empty."""
    with pytest.raises(ValueError, match="'-' is standard input, which can be read only once"):
        bpetok.count_words(["-", "-"])


def test_a_file_of_ids_is_no_text(folder: Path) -> None:
    """It is known by its summary; another file that is called so is read, and with `format` any."""
    tok = bpetok.train_from_iterator([TOY], vocab_size=260)
    tok.encode_files("a.txt", "ids.bin")
    for call in calls():
        with pytest.raises(ValueError, match=r"ids\.bin has ids .* as ids\.json says: give the te"):
            call("ids.bin")
    assert bpetok.count_words("ids.bin", format="text", errors="replace").total > 0
    (folder / "other.bin").write_text(TOY)
    (folder / "other.json").write_text('{"format": "bpetok ids", "files": []}')
    (folder / "last.bin").write_text(TOY)
    assert bpetok.count_words(["other.bin", "last.bin"]).n_bytes == 2 * len(TOY)


def test_a_misspelled_option_is_told(folder: Path) -> None:
    """Also that of the function itself, which Python gives to the options of reading."""
    with pytest.raises(TypeError, match="unexpected option 'special_token'; did you mean 'special"):
        bpetok.train("a.txt", vocab_size=260, special_token=["<|a|>"])  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected option 'text_colum'; did you mean 'text_colu"):
        bpetok.count_words("a.txt", text_colum="text")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected option 'vocab_size'; those of reading are "):
        bpetok.count_words("a.txt", vocab_size=260)  # type: ignore[call-arg]
    functions = bpetok.train, bpetok.count_words, bpetok.estimate, bpetok.report
    for function in (*functions, bpetok.Tokenizer.encode_files):
        names = inspect.signature(function).parameters
        assert {*names} - {"self", "files", "tokenizers", "reading"} <= {*OTHERS}


@pytest.mark.parametrize(
    ("given", "n_bytes"),
    [
        (10**9, 10**9),
        ("1000000000", 10**9),
        ("1G", 10**9),
        ("1g", 10**9),
        ("1GB", 10**9),
        ("1 gb", 10**9),
        ("0.5G", 5 * 10**8),
        ("1GiB", 2**30),
        ("1Gi", 2**30),
        ("1.1GiB", int(1.1 * 2**30)),
        ("500M", 5 * 10**8),
        ("1T", 10**12),
    ],
)
def test_sizes_are_spelled_as_people_do(given: int | str, n_bytes: int) -> None:
    """A prefix is a power of 1000, before an i of 1024; there is one parser for all of them."""
    from bpetok.base.checks import check_size

    assert check_size("max_memory", given, 1) == n_bytes


@pytest.mark.parametrize("given", ["", "G", "4iB", "4X", "-4G", "1e9", "4 G B", "٤G", "9" * 50])
def test_other_sizes_are_refused(given: str) -> None:
    """The message says how they are spelled."""
    from bpetok.base.checks import check_size

    with pytest.raises(ValueError, match="max_memory must be a size such as '300MB' or '4G', got"):
        check_size("max_memory", given, 1)
