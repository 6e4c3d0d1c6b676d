"""vocab.json and merges.txt: equal ids there and back, or a refusal with the reason."""

from __future__ import annotations

import errno
import json
import sys
from pathlib import Path

import pytest

from bpetok.formats import gpt2
from bpetok.formats.checks import check_ids_equal, ordinary_tokens
from bpetok.formats.files import temporary_files
from bpetok.tokenizer import Tokenizer
from samples import MERGES, TOKENIZERS, vocab_without
from strategies import TEXT


@pytest.fixture(params=TOKENIZERS)
def tok(request: pytest.FixtureRequest) -> Tokenizer:
    return TOKENIZERS[request.param]


@pytest.mark.parametrize("installed", [True, False])
def test_gpt2_files_are_checked_before_they_are_written(
    installed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With tokenizers, or with the reader here."""
    if installed:
        pytest.importorskip("tokenizers")
    else:
        monkeypatch.setitem(sys.modules, "tokenizers", None)
    tok = TOKENIZERS["as trained"]
    tok.save_gpt2(tmp_path / "right")
    exchanged = [(token_id ^ 1, token) for token_id, token in ordinary_tokens(tok)]
    monkeypatch.setattr(gpt2, "ordinary_tokens", lambda _: exchanged)
    consumer = "tokenizers" if installed else "the files"
    with pytest.raises(ValueError, match=rf"{consumer} gives? other ids than this tokenizer for"):
        tok.save_gpt2(tmp_path / "wrong")
    assert not (tmp_path / "wrong").exists()


def test_merges_that_are_cut_off_are_refused(tmp_path: Path) -> None:
    """At the end of any line: what no merge makes is no special token if it is a word."""
    tok = TOKENIZERS["as trained"]
    tok.save_gpt2(tmp_path)
    vocab, merges = tmp_path / "vocab.json", tmp_path / "merges.txt"
    lines = merges.read_bytes().splitlines(keepends=True)
    for n in range(len(lines)):
        merges.write_bytes(b"".join(lines[:n]))
        with pytest.raises(ValueError, match=r"merges.txt: no merge makes .*: merges are missing"):
            Tokenizer.from_gpt2(vocab, merges)


def test_tokens_that_no_merge_makes_are_kept_if_wanted(tmp_path: Path) -> None:
    """As tokenizers keeps them: no text gives them, their ids are decoded, and they are saved."""
    tok = TOKENIZERS["as trained"]
    tok.save_gpt2(tmp_path)
    vocab, merges = tmp_path / "vocab.json", tmp_path / "merges.txt"
    lines = merges.read_bytes().splitlines(keepends=True)
    merges.write_bytes(b"".join(lines[: len(lines) // 2]))
    kept = Tokenizer.from_gpt2(vocab, merges, unmade="keep")
    tokenizers = pytest.importorskip("tokenizers")
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE.from_file(str(vocab), str(merges)))
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    theirs.decoder = tokenizers.decoders.ByteLevel()
    assert kept.vocab_size == tok.vocab_size
    for text in ("low lower lowest", "the new widest é", "  END <|end|>"):
        assert kept.encode(text, disallowed_special=()) == theirs.encode(text).ids
        ids = tok.encode(text, disallowed_special=())
        assert kept.decode(ids) == tok.decode(ids) == theirs.decode(ids, skip_special_tokens=False)
    kept.save_pretrained(tmp_path / "saved")
    assert Tokenizer.from_pretrained(tmp_path / "saved") == kept
    with pytest.raises(ValueError, match="unmade must be"):
        Tokenizer.from_gpt2(vocab, merges, unmade="drop")  # type: ignore[arg-type]  # a wrong one


def test_special_tokens_of_gpt2_files_may_be_named(tmp_path: Path) -> None:
    """As they must be where they could be ordinary tokens."""
    tok = Tokenizer(merges=MERGES, special_tokens=["END", "<|end|>"])
    tok.save_gpt2(tmp_path)
    vocab, merges = tmp_path / "vocab.json", tmp_path / "merges.txt"
    with pytest.raises(ValueError, match=r"no merge makes b'END', id 406: .* special token"):
        Tokenizer.from_gpt2(vocab, merges)
    with pytest.raises(ValueError, match=r"no merge makes b'<\|end\|>', id 407"):
        Tokenizer.from_gpt2(vocab, merges, special_tokens=["END"])
    with pytest.raises(ValueError, match="the special token '<s>' is not in the vocabulary"):
        Tokenizer.from_gpt2(vocab, merges, special_tokens=["END", "<|end|>", "<s>"])
    assert Tokenizer.from_gpt2(vocab, merges, special_tokens=iter(["END", "<|end|>"])) == tok


def test_an_empty_token_of_gpt2_files_is_kept(tmp_path: Path) -> None:
    """Whisper's files have one: no merge could make it, so none is missing."""
    tok = Tokenizer(merges=MERGES, special_tokens=["<|end|>"])
    tok.save_gpt2(tmp_path)
    vocab, merges = tmp_path / "vocab.json", tmp_path / "merges.txt"
    vocab.write_text(json.dumps(json.loads(vocab.read_text()) | {"": 407}))
    read = Tokenizer.from_gpt2(vocab, merges)
    assert (read.other_tokens, read.special_tokens) == ({b"": 407}, tok.special_tokens)
    assert read.encode(TEXT) == tok.encode(TEXT)
    merges.write_text("".join(merges.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(ValueError, match=r"no merge makes b'.+', id 405: merges are missing"):
        Tokenizer.from_gpt2(vocab, merges)


def test_gpt2_files_read_back_equal(tok: Tokenizer, tmp_path: Path) -> None:
    """With our reader and with tokenizers' BPE; a file starts and ends as encoder.py expects."""
    tok.save_gpt2(tmp_path)
    vocab, merges = tmp_path / "vocab.json", tmp_path / "merges.txt"
    assert Tokenizer.from_gpt2(vocab, merges) == tok
    assert merges.read_text().startswith("#version: 0.2\n")
    rows = merges.read_text(encoding="utf-8").split("\n")[1:-1]  # as encoder.py cuts them
    assert len(rows) == len(tok.merges)
    tokenizers = pytest.importorskip("tokenizers")
    model = tokenizers.models.BPE.from_file(str(vocab), str(merges))
    theirs = tokenizers.Tokenizer(model)
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    assert theirs.encode(TEXT).ids == tok.encode(TEXT)


@pytest.mark.parametrize(
    ("vocab", "merges", "message"),
    [
        (b"[]", b"", "the vocabulary must be an object"),
        (b"{", b"", "line 1 column"),
        (b'{"a": 1.5}', b"", "the id of 'a' must be an integer"),
        (b'{"ab": 0}', b"", "no byte has an id"),
        (json.dumps(vocab_without()).encode(), b"a b\na b c\n", "line 2 of the merges"),
        (json.dumps(vocab_without()).encode(), b"a \xff\n", "byte 2 of the merges is not UTF-8"),
        (json.dumps(vocab_without()).encode(), b"a \xe4\xbd\xa0\n", "line 1 .*stands for no byte"),
        (json.dumps(vocab_without("ab")).encode(), b"a b\n", r"merges\[0\] makes b'ab'"),
    ],
)
def test_damaged_gpt2_files_are_refused(
    vocab: bytes, merges: bytes, message: str, tmp_path: Path
) -> None:
    """By name and place."""
    (tmp_path / "vocab.json").write_bytes(vocab)
    (tmp_path / "merges.txt").write_bytes(merges)
    with pytest.raises(ValueError, match=f"vocab.json, .*merges.txt: .*{message}"):
        Tokenizer.from_gpt2(tmp_path / "vocab.json", tmp_path / "merges.txt")


def test_bytes_without_an_id_are_left_out(tmp_path: Path) -> None:
    """As tokenizers leaves them out; published pairs of SmolLM and GPT-NeoX lack some."""
    tokenizers = pytest.importorskip("tokenizers")
    names = [str(tmp_path / name) for name in ("vocab.json", "merges.txt")]
    Path(names[0]).write_text(json.dumps(vocab_without("q", "\u0100", "<s>")))
    Path(names[1]).write_text("a b\nb c\nab c\n")
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE.from_file(*names))
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    with pytest.warns(UserWarning, match="2 of 256 bytes have no id, first 0x00"):
        tok = Tokenizer.from_gpt2(*names)
    check_ids_equal(tok, lambda text: theirs.encode(text).ids, "tokenizers")
    assert tok.encode("qaqb\0q") == theirs.encode("qaqb\0q").ids


@pytest.mark.parametrize("method", ["save_gpt2", "save_pretrained"])
def test_a_full_folder_for_temporary_files_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Where files are written for another library to be compared with; nothing is written."""
    pytest.importorskip("tokenizers")

    def failing(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", failing)
    with pytest.raises(OSError, match=r"No space left on device: '.*\.json'"):
        getattr(Tokenizer(merges=[]), method)(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EIO, "no good"), Exception("Error while reading: no good (os error 5)")],
)
def test_a_temporary_file_that_a_library_can_not_read_is_named(error: Exception) -> None:
    """By its folder: tokenizers raises an Exception for it, gguf an OSError without a name."""
    expected = pytest.raises(OSError, match=r"bpetok-.*no good|no good.*bpetok-")
    with expected, temporary_files({"a": b""}):
        raise error


def test_other_errors_are_left_alone() -> None:
    """Such as that something is wrong with what was read."""
    with pytest.raises(Exception, match=r"^a merge is wrong$"), temporary_files({"a": b""}):
        raise Exception("a merge is wrong")
