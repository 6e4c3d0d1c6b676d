"""The Tokenizer: special tokens, decoding, files, and what makes it a value."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from bpetok.patterns.scan import split_words
from bpetok.tokenizer import Tokenizer
from strategies import ALPHABETS, GPT2, TEXT, merge_lists, respelled, texts

if TYPE_CHECKING:
    from tiktoken import Encoding

# One is the start of another, one holds another, one overlaps with the next: the order matters.
SPECIAL = ["<|end|>", "<|end|><|x|>", "<|", "x|><|end|>", "Ωδ"]
pieces = st.lists(st.sampled_from([*SPECIAL, "the end ", "<", "|>", "x", "é", "\n"]), max_size=8)


@pytest.fixture(scope="module")
def tok() -> Tokenizer:
    """A tokenizer with 150 merges learned from TEXT and special tokens that overlap."""
    words = split_words(TEXT.encode())
    counts = {word: words.count(word) for word in words}
    merges, merge_counts = reference.learn_merges(counts, 150)
    return Tokenizer(merges=merges, special_tokens=SPECIAL, merge_counts=merge_counts)


@pytest.fixture(scope="module")
def theirs(tok: Tokenizer) -> Encoding:
    """The same in tiktoken."""
    tiktoken = pytest.importorskip("tiktoken")
    assert len(tok.vocab) == 256 + 150
    encoding: Encoding = tiktoken.Encoding(
        "x", pat_str=GPT2, mergeable_ranks=tok.vocab, special_tokens=tok.special_tokens
    )
    return encoding


def test_ids_are_bytes_then_merges_then_special_tokens(tok: Tokenizer) -> None:
    """The parts of the vocabulary and their order."""
    assert tok.vocab_size == 256 + 150 + len(SPECIAL)
    assert [tok.vocab[bytes([byte])] for byte in range(256)] == list(range(256))
    assert tok.special_tokens == {token: 406 + i for i, token in enumerate(SPECIAL)}
    assert [tok.vocab[left + right] for left, right in tok.merges] == list(range(256, 406))
    assert tok.token_bytes(97) == b"a"
    assert tok.token_bytes(256) == b"".join(tok.merges[0])
    assert tok.token_bytes(406) == b"<|end|>"
    assert tok.pattern == "gpt2"
    assert tok.merge_pairs.dtype == np.int32
    assert tok.merge_pairs.shape == (150, 2)
    assert tok.merge_counts is not None
    assert tok.merge_counts.dtype == np.int64
    assert tok.merge_counts[0] == max(tok.merge_counts)
    assert repr(tok) == "<Tokenizer: 411 ids, 150 merges, pattern 'gpt2', 5 special tokens>"


def test_a_tokenizer_without_merges_gives_bytes() -> None:
    """The smallest one there is."""
    tok = Tokenizer(merges=[])
    assert tok.encode("é!") == [*"é!".encode()]
    assert tok.vocab_size == 256
    assert tok.merges == []
    assert tok.merge_pairs.shape == (0, 2)
    assert tok.merge_counts is None


def test_two_ids_may_have_the_same_bytes(tmp_path: Path) -> None:
    """Both are counted, decoded, encoded to and saved; the dict by bytes has the first."""
    tok = Tokenizer(merges=[(97, 98), (98, 99), (97, 257), (256, 99)])
    assert tok.vocab_size == 260
    assert len(tok.vocab) == 259
    assert tok.vocab[b"abc"] == 258
    assert tok.token_bytes(258) == tok.token_bytes(259) == b"abc"
    assert tok.encode("abc") == [259]
    assert tok.merges[2:] == [(b"a", b"bc"), (b"ab", b"c")]
    tok.save(tmp_path / "tok.json")
    assert Tokenizer.load(tmp_path / "tok.json").merge_pairs.tolist() == tok.merge_pairs.tolist()


@given(merges=merge_lists(), letters=ALPHABETS, text=texts)
def test_decoding_gives_the_text_back(
    merges: list[tuple[int, int]], letters: bytes, text: str
) -> None:
    """Whatever the merges, str and bytes alike."""
    tok = Tokenizer(merges=respelled(merges, letters))
    ids = tok.encode_ordinary(text)
    assert tok.encode(text) == tok.encode_ordinary(text.encode()) == ids
    assert tok.decode(ids) == text
    assert tok.decode_bytes(ids) == text.encode()
    assert tok.decode(np.array(ids, dtype=np.uint16)) == text


def test_half_a_character_is_replaced_or_refused(tok: Tokenizer) -> None:
    """`errors` is that of bytes.decode; decode_bytes keeps what there is."""
    half = tok.encode_ordinary("é")[0:1] if len(tok.encode_ordinary("é")) > 1 else [0xC3]
    assert tok.decode(half) == "\N{REPLACEMENT CHARACTER}"
    assert tok.decode(half, "ignore") == ""
    assert tok.decode_bytes(half) == b"\xc3"
    with pytest.raises(UnicodeDecodeError):
        tok.decode(half, errors="strict")


@given(pieces=pieces, allowed=st.sets(st.sampled_from(SPECIAL)))
def test_special_tokens_mean_what_they_mean_in_tiktoken(
    tok: Tokenizer, theirs: Encoding, pieces: list[str], allowed: set[str]
) -> None:
    """The same ids, or an error where tiktoken has one, for every choice of what is allowed.

    Where several special tokens begin at one place tiktoken takes any, we the longest: so tokens
    that begin with another one are left to a test of their own.
    """
    text = "".join(piece for piece in pieces if piece not in ("<|", "<|end|><|x|>"))
    allowed -= {"<|", "<|end|><|x|>"}
    disallowed = {"<|end|>", "x|><|end|>", "Ωδ"} - allowed
    assert tok.encode_ordinary(text) == theirs.encode_ordinary(text)
    expected = theirs.encode(text, allowed_special=allowed, disallowed_special=())
    assert tok.encode(text, allowed_special=allowed, disallowed_special=()) == expected
    try:
        expected = theirs.encode(text, allowed_special=allowed, disallowed_special=disallowed)
    except ValueError:
        with pytest.raises(ValueError, match="text holds the special token"):
            tok.encode(text, allowed_special=allowed, disallowed_special=disallowed)
    else:
        assert tok.encode(text, allowed_special=allowed, disallowed_special=disallowed) == expected


def test_the_leftmost_special_token_wins_then_the_longest(tok: Tokenizer) -> None:
    """Also where one is the start of another, or overlaps with the next."""
    end, end_x, bar, x_end, _ = tok.special_tokens.values()
    cases = {
        "<|end|><|x|>": [end_x],
        "<|end|><|y": [end, bar, ord("y")],
        "<|x|><|end|>": [bar, x_end],
        "<|end|><|end|>": [end, end],
    }
    for text, ids in cases.items():
        assert tok.encode(text, allowed_special="all") == ids
        assert tok.decode(ids) == text


def test_a_special_token_is_a_boundary(tok: Tokenizer) -> None:
    """Text on its two sides is split as if it were alone, as in training."""
    end = tok.special_tokens["<|end|>"]
    expected = [*tok.encode("the  "), end, *tok.encode(" the")]
    assert tok.encode("the  <|end|> the", allowed_special="all") == expected


def test_a_special_token_that_is_not_allowed_is_refused_with_the_remedies(tok: Tokenizer) -> None:
    """The message has the token, its place in characters, and calls that work."""
    message = (
        r"text holds the special token 'Ωδ' at index 2\. To give it its own id, pass "
        r"allowed_special=\{'Ωδ'\} or 'all'; to encode it as ordinary text, pass "
        r"disallowed_special=\(\)"
    )
    with pytest.raises(ValueError, match=message):
        tok.encode("é Ωδ")
    with pytest.raises(ValueError, match=message):
        tok.encode("é Ωδ", allowed_special={"<|"})
    with pytest.raises(ValueError, match="special token 'no'"):
        tok.encode("yes no", disallowed_special={"no"})
    assert tok.encode("Ωδ", allowed_special={"Ωδ"}) == [tok.special_tokens["Ωδ"]]
    assert tok.encode("Ωδ", allowed_special="all") == [tok.special_tokens["Ωδ"]]
    assert tok.encode("Ωδ", disallowed_special=()) == tok.encode_ordinary("Ωδ")


def test_a_str_in_place_of_a_set_is_refused(tok: Tokenizer) -> None:
    """Its characters would be taken for special tokens."""
    with pytest.raises(ValueError, match=r"got '<\|end\|>'; write \{'<\|end\|>'\}"):
        tok.encode("a", allowed_special="<|end|>")
    with pytest.raises(ValueError, match=r"got '<\|end\|>'; write \{'<\|end\|>'\}"):
        tok.encode("a", disallowed_special="<|end|>")
    with pytest.raises(ValueError, match="must not hold the empty str"):
        tok.encode("a", disallowed_special={""})


@pytest.mark.parametrize("method", ["encode", "encode_ordinary"])
def test_text_that_has_no_utf8_form_is_refused(tok: Tokenizer, method: str) -> None:
    """A lone surrogate, bytes that are not UTF-8, and what is no text."""
    encode = getattr(tok, method)
    with pytest.raises(ValueError, match=r"text has a lone surrogate, '\\ud800', at index 3"):
        encode("abc\ud800")
    with pytest.raises(ValueError, match="text must be UTF-8, but byte 3 is not"):
        encode(b"abc\xff")
    with pytest.raises(TypeError, match="text must be str or bytes, got int"):
        encode(5)
    with pytest.raises(TypeError, match="text must be str or bytes, got bytearray"):
        encode(bytearray(b"abc"))


def test_ids_that_do_not_exist_are_refused(tok: Tokenizer) -> None:
    """By all three methods, with the bound."""
    for decode in (tok.decode, tok.decode_bytes, lambda ids: tok.token_bytes(ids[0])):
        with pytest.raises(ValueError, match="ids must be from 0 to 410, got 411"):
            decode([411])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"merges": [(0, 300)]}, r"merges\[0\]"),
        ({"merges": [], "pattern": "gpt9"}, "pattern must be one of 'gpt2'"),
        ({"merges": [], "special_tokens": ["x", "x"]}, "'x'"),
        ({"merges": [], "special_tokens": [""]}, "empty"),
        ({"merges": [], "merge_counts": [1]}, "one count for each of 0 merges"),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    """No tokenizer exists that could not work."""
    with pytest.raises(ValueError, match=message):
        Tokenizer(**parameters)


def test_a_tokenizer_can_not_be_changed(tok: Tokenizer) -> None:
    """Neither its attributes nor its arrays, nor through what it hands out."""
    for name in ("merges", "vocab", "pattern", "special_tokens", "vocab_size", "anything"):
        with pytest.raises(AttributeError):
            setattr(tok, name, None)
    with pytest.raises(ValueError, match="read-only"):
        tok.merge_pairs[0] = 0
    assert tok.merge_counts is not None
    with pytest.raises(ValueError, match="read-only"):
        tok.merge_counts[0] = 0
    same = copy.deepcopy(tok)
    ids = same.encode(TEXT)
    same.special_tokens.clear()
    same.merges.clear()
    same.vocab.clear()
    assert same.special_tokens == tok.special_tokens != {}
    assert same.merges == tok.merges != []
    assert same.vocab == tok.vocab != {}
    assert same == tok
    assert same.encode(TEXT) == ids
    assert same.decode(ids) == TEXT


def test_a_tokenizer_that_was_not_made_is_no_crash() -> None:
    """As `object.__new__` gives one, to a copy that is interrupted, for example."""
    empty = Tokenizer.__new__(Tokenizer)
    for call in (empty.encode, empty.encode_ordinary):
        with pytest.raises(AttributeError, match="not made by its constructor"):
            call("a")


def test_equality_is_that_of_merges_pattern_and_special_tokens(tok: Tokenizer) -> None:
    """Two that give the same ids are equal, and have one hash; the counts play no part."""
    pairs = tok.merge_pairs
    same = Tokenizer(merges=pairs, special_tokens=SPECIAL)
    assert same == tok
    assert hash(same) == hash(tok)
    assert tok != Tokenizer(merges=pairs[:-1], special_tokens=SPECIAL)
    assert tok != Tokenizer(merges=pairs, special_tokens=SPECIAL[::-1])
    assert tok != "tok"


def test_pickling_keeps_all(tok: Tokenizer) -> None:
    """So a tokenizer can be sent to another process, as a data loader does."""
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        same = pickle.loads(pickle.dumps(tok, protocol))
        assert same == tok
        assert same.merge_counts is not None
        assert tok.merge_counts is not None
        assert same.merge_counts.tolist() == tok.merge_counts.tolist()
        assert same.encode(TEXT) == tok.encode(TEXT)


def test_threads_share_a_tokenizer(tok: Tokenizer) -> None:
    """Long and short texts at once: all get the ids that one gets alone."""
    text = (TEXT + "<|end|>") * 30
    expected = tok.encode(text, allowed_special="all")
    results: list[bool] = []

    def work() -> None:
        results.extend(tok.encode(text, allowed_special="all") == expected for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 40


def test_encoding_needs_no_numpy_and_no_numba(
    tok: Tokenizer, tmp_path: Path, environment: dict[str, str]
) -> None:
    """A process that only encodes starts fast."""
    tok.save(tmp_path / "tok.json")
    program = """
import sys, bpetok
tok = bpetok.Tokenizer.load('tok.json')
assert tok.decode(tok.encode('hello')) == 'hello'
others = {'numpy', 'numba', 'regex', 'tqdm', 'bpetok.patterns.compiling'}
print(sorted(others & set(sys.modules)))
"""
    run = [sys.executable, "-c", program]
    output = subprocess.check_output(run, cwd=tmp_path, env=environment, text=True)
    assert output.strip() == "[]"


# ---- files ----


def test_a_saved_tokenizer_loads_as_the_same(tok: Tokenizer, tmp_path: Path) -> None:
    """Merges, special tokens, pattern and counts; the path may be a str or a Path."""
    for path in (tmp_path / "tok.json", str(tmp_path / "tok.json")):
        tok.save(path)
        same = Tokenizer.load(path)
        assert same == tok
        assert same.merge_counts is not None
        assert tok.merge_counts is not None
        assert same.merge_counts.tolist() == tok.merge_counts.tolist()
        assert same.special_tokens == tok.special_tokens
    plain = Tokenizer(merges=[])
    plain.save(path)
    assert Tokenizer.load(path) == plain
    assert Tokenizer.load(path).merge_counts is None
    assert [file.name for file in tmp_path.iterdir()] == ["tok.json"]


def test_the_file_is_json_with_a_line_for_each_merge(tok: Tokenizer, tmp_path: Path) -> None:
    """So that people can read it and compare two."""
    tok.save(tmp_path / "tok.json")
    text = (tmp_path / "tok.json").read_text("utf-8")
    content = json.loads(text)
    assert content["format"] == "bpetok tokenizer"
    assert content["special_tokens"] == tok.special_tokens
    assert content["merges"] == tok.merge_pairs.tolist()
    assert len(text.splitlines()) > 150


def test_saving_that_fails_leaves_what_was_there(
    tok: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is half-written, and no temporary file stays."""
    path = tmp_path / "tok.json"
    path.write_text("before")

    def fail(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("bpetok.base.files.os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        tok.save(path)
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["tok.json"]


def test_saving_needs_a_folder_and_a_name(tok: Tokenizer, tmp_path: Path) -> None:
    """The error names the path, and nothing is created."""
    with pytest.raises(FileNotFoundError, match="does not exist"):
        tok.save(tmp_path / "no" / "tok.json")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        tok.save(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="is not a folder"):
        tok.save(tmp_path / "file" / "tok.json")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(sys.platform == "win32", reason="links and permissions")
def test_saving_keeps_links_and_permissions(tok: Tokenizer, tmp_path: Path) -> None:
    """A link stays a link; a file that is replaced keeps its mode; a new one has the usual one."""
    path = tmp_path / "tok.json"
    link = tmp_path / "link.json"
    link.symlink_to(path)
    (tmp_path / "usual").touch()
    tok.save(link)
    assert link.is_symlink()
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode
    path.chmod(0o640)
    tok.save(path)
    assert path.stat().st_mode & 0o777 == 0o640
    with pytest.raises(OSError, match="not a regular file"):
        tok.save("/dev/null")
    reading, writing = os.pipe()
    try:
        with pytest.raises(OSError, match=f"/dev/fd/{writing}: is not a regular file"):
            tok.save(f"/dev/fd/{writing}")
    finally:
        os.close(reading)
        os.close(writing)


def small_file(**changes: object) -> bytes:
    content = {
        "format": "bpetok tokenizer",
        "version": 1,
        "pattern": "gpt2",
        "special_tokens": {"<s>": 258},
        "merge_counts": None,
        "merges": [[97, 98], [256, 99]],
    }
    return json.dumps(content | changes).encode()


def test_a_small_file_loads(tmp_path: Path) -> None:
    """The base of the damaged ones below is whole."""
    (tmp_path / "tok.json").write_bytes(small_file())
    assert Tokenizer.load(tmp_path / "tok.json").encode("abc") == [257]


DAMAGED = {
    "empty": (b"", "line 1 column 1"),
    "cut": (small_file()[:-3], "line 1 column"),
    "not UTF-8": (small_file()[:20] + b"\xff" + small_file()[20:], "byte 20 is not UTF-8"),
    "array": (b"[]", '"format": "bpetok tokenizer"'),
    "other": (b'{"version": "1.0", "model": {}}', '"format": "bpetok tokenizer"'),
    "deep": (b"[" * 200_000, "nested too deeply"),
    "deep merges": (
        small_file(merges="@", special_tokens={}).replace(b'"@"', b"[" * 500 + b"]" * 500),
        "merges",
    ),
    "version": (small_file(version=2), "version must be 1, got 2"),
    "no merges": (small_file(merges=None), "merges must be an array, got None"),
    "twice": (small_file()[:-1] + b', "merges": []}', "a name occurs twice"),
    "merges of text": (small_file(merges=["a b", "c d"]), r"merges\[0\] must be a pair"),
    "letters": (small_file(merges=[["a", "b"], [256, 99]]), r"merges\[0\] must be an int"),
    "fractions": (small_file(merges=[[97.0, 98], [256, 99]]), r"merges\[0\] must be an int"),
    "version true": (small_file(version=True), "version must be 1, got True"),
    "true": (small_file(merges=[[True, 98], [256, 99]]), r"merges\[0\] must be an int"),
    "not yet": (small_file(merges=[[97, 257], [256, 99]]), r"merges\[0\] must join ids"),
    "itself": (small_file(merges=[[97, 98], [257, 99]]), r"merges\[1\] must join ids"),
    "large": (small_file(merges=[[97, 98], [10**12, 99]]), r"merges\[1\] must join ids"),
    "twice the pair": (small_file(merges=[[97, 98], [97, 98]]), r"merges\[1\] joins"),
    "doubling": (
        small_file(merges=[[0, 0]] + [[256 + i, 256 + i] for i in range(60)], special_tokens={}),
        "makes a token of",
    ),
    "special id": (
        small_file(special_tokens={"<s>": 257}),
        "the id of '<s>' is 257, which another token has",
    ),
    "special list": (small_file(special_tokens=["<s>"]), "special_tokens must be an object"),
    "special empty": (small_file(special_tokens={"": 258}), "empty"),
    "special surrogate": (small_file(special_tokens={"\ud800": 258}), "lone surrogate"),
    "pattern": (small_file(pattern="gpt9"), "pattern must be one of"),
    "counts": (small_file(merge_counts=[1]), "one count for each of 2 merges"),
    "large count": (small_file(merge_counts=[2**63, 1]), r"merge_counts\[0\]"),
    "counts of text": (small_file(merge_counts="12"), "merge_counts must be a sequence"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_refused_by_name_and_place(name: str, tmp_path: Path) -> None:
    """Never another exception, never a tokenizer that works otherwise than it says."""
    data, message = DAMAGED[name]
    path = tmp_path / "damaged.json"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"damaged.json: is not a tokenizer: .*{message}"):
        Tokenizer.load(path)


@given(
    start=st.integers(0, len(small_file())),
    end=st.integers(0, len(small_file())),
    new=st.one_of(st.binary(max_size=4), st.sampled_from([b"1e9", b"[[", b'"', b"null", b"-1"])),
)
def test_whatever_happens_to_a_file_it_loads_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, start: int, end: int, new: bytes
) -> None:
    """A part replaced by something else: a ValueError or a tokenizer, nothing else."""
    data = small_file()
    path = tmp_path_factory.getbasetemp() / "changed.json"
    path.write_bytes(data[: min(start, end)] + new + data[max(start, end) :])
    message = ""
    try:
        Tokenizer.load(path).encode("abc")
    except ValueError as error:
        message = str(error)
    assert message == "" or message.startswith(str(path))


def test_a_file_without_end_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded by the largest file that is accepted."""
    monkeypatch.setattr("bpetok.base.files.MAX_FILE_BYTES", 1000)
    (tmp_path / "tok.json").write_bytes(b" " * 1001)
    with pytest.raises(ValueError, match=r"tok.json: must be at most 1000 bytes long"):
        Tokenizer.load(tmp_path / "tok.json")


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    """Python's own errors say it best."""
    with pytest.raises(FileNotFoundError):
        Tokenizer.load(tmp_path / "no.json")
    with pytest.raises(OSError, match=r"."):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda tok: tok.encode("a", allowed_special=None), TypeError, "allowed_special must be"),
        (lambda tok: tok.encode("a", allowed_special=[3]), TypeError, "must hold str only, got 3"),
        (lambda tok: tok.encode("a", disallowed_special=3), TypeError, "disallowed_special must"),
        (lambda tok: tok.encode_batch(3), TypeError, "texts must be an iterable"),
        (lambda tok: tok.encode_iterable(None), TypeError, "texts must be an iterable"),
        (lambda tok: tok.decode(None), TypeError, "ids must be an iterable of int, got None"),
        (lambda tok: tok.decode({97: 1}), TypeError, "ids must be in order, got a dict"),
        (lambda tok: tok.decode({97}), TypeError, "ids must be in order, got a set"),
        (
            lambda tok: tok.decode_batch([{97: 1}]),
            TypeError,
            r"rows\[0\] must be in order, got a dict",
        ),
        (lambda tok: tok.decode(3), TypeError, "ids must be an iterable of int, got 3"),
        (lambda tok: tok.decode_batch(None), TypeError, "rows must be an iterable"),
        (lambda tok: tok.save(None), TypeError, "a file must be a str or a path, got None"),
        (lambda tok: tok.save("a\0b"), ValueError, "must not hold the character NUL"),
        (lambda tok: type(tok).load(None), TypeError, "a file must be a str or a path, got None"),
        (lambda tok: Tokenizer.load("a\0b"), ValueError, "must not hold the character NUL"),
        (lambda tok: type(tok).from_tiktoken(None), TypeError, "source must be"),
        (lambda tok: tok.save_pretrained(None), TypeError, "a file must be a str or a path"),
        (lambda tok: tok.encode_files(None, "x.bin"), TypeError, "files must be"),
        (lambda tok: tok.encode_files([__file__], None), TypeError, "a file must be a str"),
        (
            lambda tok: tok.encode_batch(["a"], n_threads=True),
            TypeError,
            "n_threads must be an int",
        ),
        (lambda tok: type(tok)(merges=[], special_tokens=None), TypeError, "special_tokens must"),
    ],
)
def test_what_has_the_wrong_type_is_refused_by_the_name_of_its_parameter(
    tok: Tokenizer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[[Any], object],
    error: type[Exception],
    message: str,
) -> None:
    """And nothing is written."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        call(tok)
    assert not list(tmp_path.iterdir())


def test_special_tokens_may_come_from_an_iterator(tok: Tokenizer) -> None:
    """It is read once."""
    expected = tok.encode("a Ωδ", allowed_special={"Ωδ"})
    assert tok.encode("a Ωδ", allowed_special=iter(["x", "Ωδ"])) == expected
    with pytest.raises(ValueError, match="special token 'b'"):
        tok.encode("abc", disallowed_special=iter(["c", "b"]))


def test_a_file_may_have_the_longest_name_there_is(tok: Tokenizer, tmp_path: Path) -> None:
    """In bytes; a longer one is refused by the system, and nothing is left."""
    for name in ("x" * 255, "\U0001f600" * 63):
        tok.save(tmp_path / name)
        assert Tokenizer.load(tmp_path / name) == tok
        (tmp_path / name).unlink()
    with pytest.raises(OSError, match="too long"):
        tok.save(tmp_path / ("x" * 256))
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full disk")
def test_the_error_of_a_full_disk_names_the_file(
    tok: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system does not say which it was."""
    real_open = Path.open

    def open_full(path: Path, mode: str = "r") -> IO[Any]:
        real_open(path, mode).close()
        return real_open(Path("/dev/full"), "wb")

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(OSError, match=r"No space left on device: '.*tok\.json'"):
        tok.save(tmp_path / "tok.json")
    assert not list(tmp_path.iterdir())
