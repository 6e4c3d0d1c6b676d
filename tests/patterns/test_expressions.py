"""Patterns that are not built in: words by `regex`, in processes."""

import ast
import os
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

import bpetok
from bpetok.counting import counters
from bpetok.counting.chunks import count_pieces
from bpetok.counting.memory import RareWords
from bpetok.counting.options import check_count_options
from bpetok.counting.processes import CounterProcess
from bpetok.patterns import expressions
from bpetok.patterns.builtin import GPT2
from bpetok.patterns.errors import Limit, SplitError
from bpetok.patterns.pretokenize import pretokenize
from bpetok.sources.pieces import text_pieces
from strategies import TEXT, no_texts

LETTERS = r"\p{L}+|\p{N}+|[^\p{L}\p{N}]+"
IN_PROCESSES = LETTERS + r"|(.)\1"  # the back reference can't be compiled, and never matches
SOME = r"[a-z]+"
LIMIT = Limit(10.0, 0.0)

pytestmark = pytest.mark.filterwarnings("ignore:pattern .* can't be compiled to a scanner")


def naive_counts(texts: list[str], expression: str, unmatched: str) -> dict[bytes, int]:
    """Count matches, and what is between them, with `regex` alone."""
    counts: Counter[bytes] = Counter()
    for text in texts:
        counts.update(match.group().encode() for match in regex.finditer(expression, text))
        if unmatched == "word":
            counts.update(part.encode() for part in regex.split(expression, text) if part)
    return dict(counts)


@pytest.mark.parametrize("expression", [SOME, SOME + r"|(.)\1{99}"])
@pytest.mark.parametrize("unmatched", ["word", "drop"])
@settings(max_examples=20)
@given(st.lists(st.text("ab1 \n\u4e2d<|>", max_size=60)), st.sampled_from([1, 7, 1 << 20]))
def test_counts_equal_those_of_regex(
    expression: str, unmatched: str, texts: list[str], chunk_size: int
) -> None:
    """Any chunk size, compiled and not: then a text is never cut but at special tokens."""
    options = check_count_options(expression, ["<|>"], 1, "strict", unmatched)
    options = options._replace(cutting=options.cutting._replace(chunk_size=chunk_size))
    pieces = text_pieces(texts, options.cutting)
    words = count_pieces(pieces, options, RareWords())
    parts = [part for text in texts for part in text.split("<|>")]
    assert words.to_dict() == naive_counts(parts, SOME, unmatched)
    assert words.pattern == expression


@pytest.mark.parametrize("pattern", [LETTERS, IN_PROCESSES])
@settings(max_examples=5)
@given(st.lists(st.text("ab1 \n\u4e2d<|>", max_size=60), min_size=1), st.integers(2, 3))
def test_processes_count_as_one_does(pattern: str, texts: list[str], n_threads: int) -> None:
    """The words and their order; of threads, too, where the pattern is compiled."""
    special = {"pattern": pattern, "special_tokens": ["<|>"]}
    one = bpetok.count_words_from_iterator(texts, n_threads=1, **special)  # type: ignore[arg-type]  # mypy can't tell the keys
    some = bpetok.count_words_from_iterator(texts, n_threads=n_threads, **special)  # type: ignore[arg-type]  # as above
    assert list(one) == list(some)


def test_long_words_are_counted() -> None:
    """Also those that the table does not keep inline."""
    texts = ["x" * n + " " for n in range(100)] * 2
    words = bpetok.count_words_from_iterator(texts, pattern=LETTERS, n_threads=1)
    assert words.to_dict() == {b" ": 200} | {b"x" * n: 2 for n in range(1, 100)}


def test_groups_are_no_words() -> None:
    """What findall would return for an expression with groups."""
    assert bpetok.pretokenize("ab ab", r"(a)(b)|( )") == ["ab", " ", "ab"]


@pytest.mark.parametrize("some", [SOME, SOME + r"|(.)\1{99}"])
def test_text_without_a_match_is_an_error_by_default(tmp_path: Path, some: str) -> None:
    """The message names the file or text, the byte and the choices."""
    (tmp_path / "good.txt").write_text("good")
    (tmp_path / "bad.txt").write_text("abc<|x|>abc1")
    message = r"bad\.txt: pattern '\[a-z\].*' does not match the text at byte 11; unmatched='word'"
    files = [tmp_path / "good.txt", tmp_path / "bad.txt"]
    for n_threads in (1, 2):
        with pytest.raises(ValueError, match=message):
            bpetok.count_words(files, pattern=some, special_tokens=["<|x|>"], n_threads=n_threads)
    with pytest.raises(ValueError, match=r"text 1: .* at byte 3"):
        bpetok.train_from_iterator(["abc", "abc1"], vocab_size=257, pattern=some, n_threads=1)
    with pytest.raises(ValueError, match=r"text: .* at byte 2"):
        bpetok.pretokenize("\u00e91", r"\p{L}+")


def test_unmatched_text_is_a_word_or_dropped() -> None:
    """Three ways to have it; in encoding it is a word, so that nothing is lost."""
    assert bpetok.pretokenize("ab 12cd!", SOME, unmatched="word") == ["ab", " 12", "cd", "!"]
    assert bpetok.pretokenize("ab 12cd!", SOME, unmatched="drop") == ["ab", "cd"]
    tok = bpetok.train_from_iterator(
        ["ab ab", "ab"], vocab_size=257, pattern=SOME, unmatched="drop"
    )
    assert tok.encode("ab 12ab!") == [256, 32, 49, 50, 256, 33]
    with pytest.raises(ValueError, match="unmatched must be 'error', 'word' or 'drop', got 'keep'"):
        bpetok.pretokenize("a", unmatched="keep")
    with pytest.raises(ValueError, match="unmatched must be"):
        bpetok.count_words_from_iterator([], unmatched="keep")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (r"[a-z", "does not compile"),
        (r"a*", "must not match the empty text, as it does in ''"),
        (r"(?=a)", "must not match the empty text, as it does in 'a'"),
        (r"\b", "must not match the empty text"),
        (r"(?r)\w+", "must not search backwards"),
        ("letters", "pattern must be one of 'gpt2'"),
        (r"(?R)", "comes to no end in '': it calls itself"),
        ("[^a]|\ud800", "pattern has a lone surrogate"),
        ("", "pattern must be one of 'gpt2'"),
    ],
)
def test_an_expression_that_can_split_nothing_is_refused_before_any_text_is_taken(
    expression: str, message: str
) -> None:
    """Also by a Tokenizer."""

    with pytest.raises(ValueError, match=message):
        bpetok.count_words_from_iterator(no_texts(), pattern=expression)
    with pytest.raises(ValueError, match=message):
        bpetok.Tokenizer(merges=[], pattern=expression)
    with pytest.raises(TypeError, match="pattern must be a str or a list of steps, got None"):
        bpetok.Tokenizer(merges=[], pattern=None)  # type: ignore[arg-type]  # the mistake tested


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_empty_match_is_found_while_counting(n_threads: int) -> None:
    """In text that the check did not foresee."""
    texts = ["zz", "zqz"]
    with pytest.raises(ValueError, match=r"text 1: .* matches nothing at all at byte 1"):
        bpetok.count_words_from_iterator(
            texts, pattern=r"z|(?=q)", unmatched="drop", n_threads=n_threads
        )


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_slow_expression_ends_with_an_error(
    monkeypatch: pytest.MonkeyPatch, n_threads: int
) -> None:
    """It names the pattern and the text; encoding has the same limit."""
    slow = r"(?:x|xx)+y|[^x]|(.)\1\1"
    monkeypatch.setattr(counters, "LIMIT", Limit(0.2, 0.0))
    monkeypatch.setattr(expressions, "LIMIT", Limit(0.2, 0.0))
    with pytest.raises(TimeoutError, match=r"text 2: pattern '\(\?:x\|xx\)\+y.*takes more than"):
        bpetok.count_words_from_iterator(
            ["a", "b", "x" * 60, "c"], pattern=slow, n_threads=n_threads
        )
    with pytest.raises(TimeoutError, match=r"text: pattern"):
        bpetok.Tokenizer(merges=[], pattern=slow).encode("x" * 60)


def test_bytes_that_are_not_utf8_are_named_or_replaced() -> None:
    """As with built-in patterns."""
    texts = [b"ok", b"ok\xff1"]
    with pytest.raises(ValueError, match=r"text 1 is not UTF-8: byte 2"):
        bpetok.count_words_from_iterator(texts, pattern=LETTERS, n_threads=1)
    words = bpetok.count_words_from_iterator(texts, pattern=LETTERS, errors="replace", n_threads=1)
    assert words.to_dict() == {b"ok": 2, "\ufffd".encode(): 1, b"1": 1}
    with pytest.raises(ValueError, match=r"text 1: .* at byte 5"):
        bpetok.count_words_from_iterator(
            texts, pattern=r"[a-z\ufffd]+", errors="replace", n_threads=1
        )


@given(st.text(st.sampled_from(sorted(set(TEXT))), max_size=60))
def test_a_tokenizer_splits_by_its_expression(text: str) -> None:
    """Saved, loaded and in every form of encoding."""
    tok = bpetok.train_from_iterator([TEXT], vocab_size=300, pattern=LETTERS, n_threads=1)
    expected = [
        token_id
        for word in bpetok.pretokenize(text, LETTERS)
        for token_id in tok._encode_word(word.encode())
    ]
    assert tok.encode(text) == tok.encode(text.encode()) == expected
    assert tok.encode_to_numpy(text).tolist() == expected
    assert tok.encode_batch([text, "", text]) == [expected, [], expected]
    assert tok.count_tokens(text) == len(expected)
    assert tok.decode(expected) == text


def test_an_expression_is_saved_and_exported(tmp_path: Path) -> None:
    """It travels in every file that holds a pattern."""
    tok = bpetok.train_from_iterator([TEXT], vocab_size=300, pattern=LETTERS, n_threads=1)
    tok.save(tmp_path / "tok.json")
    assert bpetok.Tokenizer.load(tmp_path / "tok.json") == tok
    assert tok.to_tiktoken()._pat_str == LETTERS
    assert tok.to_tokenizers().encode(TEXT).ids == tok.encode(TEXT)
    assert bpetok.train_from_iterator([TEXT], vocab_size=300, pattern=f"(?:{GPT2})") != tok


def test_processes_find_bpetok_as_this_one_did(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its sys.path, in which only str count; an embedded Python may not know its own path."""
    monkeypatch.setattr(sys, "path", [*sys.path, Path("/nowhere"), None])
    words = bpetok.count_words_from_iterator(["ab 1"], pattern=IN_PROCESSES, n_threads=1)
    assert words.total == 3
    monkeypatch.setattr(sys, "executable", None)
    with pytest.raises(RuntimeError, match="needs processes to count with"):
        bpetok.count_words_from_iterator(["ab 1"], pattern=IN_PROCESSES, n_threads=1)


def test_a_script_needs_no_main_guard() -> None:
    """Processes are started from a script without one, and from one that is piped in."""
    script = textwrap.dedent(
        """
        import bpetok
        import warnings
        warnings.simplefilter("ignore")
        texts = ["ab 1"] * 3
        pattern = r"[a-z]+|[^a-z]+|(.)\\1"
        words = bpetok.count_words_from_iterator(texts, pattern=pattern, n_threads=2)
        print(words.to_dict())
        """
    )
    done = subprocess.run([sys.executable, "-"], input=script, capture_output=True, text=True)
    assert (done.stderr, ast.literal_eval(done.stdout)) == ("", {b"ab": 3, b" 1": 3})


def test_the_command_takes_an_expression(tmp_path: Path) -> None:
    """And is told what to do with the rest."""
    (tmp_path / "a.txt").write_text("ab 12 ab")
    command = [sys.executable, "-m", "bpetok", "train", str(tmp_path / "a.txt"), "--pattern", SOME]
    command += ["--vocab-size", "257", "--output", str(tmp_path / "tok.json")]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "does not match the text at byte 2; --unmatched word" in refused.stderr
    subprocess.run([*command, "--unmatched", "drop"], check=True, capture_output=True)
    assert bpetok.Tokenizer.load(tmp_path / "tok.json").encode("ab1") == [256, 49]


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_ends_the_processes_at_once(tmp_path: Path, environment: dict[str, str]) -> None:
    """Also one that is in the middle of a slow match; nothing is printed but the interrupt."""
    script = textwrap.dedent(
        """
        import os, signal, threading, warnings, bpetok
        warnings.simplefilter("ignore")
        pattern = r"(?:x|xx)+y|[^x]|(.)\\1\\1"
        threading.Timer(1.5, os.killpg, (0, signal.SIGINT)).start()
        try:
            bpetok.count_words_from_iterator(["x" * 60] * 4, pattern=pattern, n_threads=2)
        except KeyboardInterrupt:
            print("interrupted")
        """
    )
    # No process gives the match up by itself.
    (tmp_path / "sitecustomize.py").write_text(
        "from bpetok.patterns import errors\nerrors.LIMIT = errors.Limit(1e6, 0)\n"
    )
    path = os.pathsep.join([str(tmp_path), environment["PYTHONPATH"]])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    assert (done.stdout, done.stderr) == ("interrupted\n", "")


def test_a_process_that_dies_is_an_error() -> None:
    """As when the system has run out of memory; it is no hang."""
    process = CounterProcess(LETTERS, [], "error", LIMIT)
    try:
        process.count(b"abc 1", [5])
        process._process.kill()
        with pytest.raises(RuntimeError, match=r"has ended, exit status -?[19]"):
            process.count(b"abc 1", [5])
    finally:
        process.close()


def test_a_process_raises_what_it_meets() -> None:
    """And goes on counting."""
    process = CounterProcess(SOME, [b"<|>"], "error", LIMIT)
    try:
        with pytest.raises(SplitError) as caught:
            process.count(b"abab<|>a1", [3, 9])
        assert (caught.value.reason, caught.value.offset) == ("unmatched", 8)
        process.count(b"ab", [2])
        words, _, counts, seen = process.result()
        assert seen == {b"<|>"}
        assert (words, sum(counts)) == (b"ababab", 3)
    finally:
        process.close()
        process.close()


def test_two_ampersands_are_what_is_in_both() -> None:
    """As in Rust, which tiktoken runs, and in Oniguruma. A single one is a character."""
    assert pretokenize("aAbB", "[[a-z]&&[^b]]+|.") == ["a", "A", "b", "B"]
    assert pretokenize("a&b", r"[a&]+|\w") == ["a&", "b"]


def test_tiktoken_splits_in_the_same_way_at_two_ampersands() -> None:
    """Where a word goes on across the border, a merge gives it away."""
    tiktoken = pytest.importorskip("tiktoken")
    expression = r"[\p{L}&&[^\p{Han}]]+|\p{Han}+|[^\p{L}]+"
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"b\xe4": 256, b"bc": 257}
    theirs = tiktoken.Encoding("x", pat_str=expression, mergeable_ranks=ranks, special_tokens={})
    text = "ab\u4e2d\u6587c & bc\u4e2d"
    assert pretokenize(text, expression) == ["ab", "\u4e2d\u6587", "c", " & ", "bc", "\u4e2d"]
    ids = theirs.encode(text)
    assert 256 not in ids
    assert 257 in ids


def test_messages_do_not_repeat_all_of_a_long_pattern_or_token() -> None:
    """Those of a file may have megabytes, and a message is one line."""
    token, long = "<" + "x" * 100_000 + ">", "[" + "ab" * 30_000 + "]+"
    words = bpetok.Words.from_counts({b"a": 1}, pattern=long)
    calls: list[Callable[[], object]] = [
        lambda: bpetok.pretokenize("q", long),
        lambda: bpetok.count_words_from_iterator(["q"], pattern=long),
        lambda: bpetok.Tokenizer(merges=[], special_tokens=[token]).encode(token),
        lambda: bpetok.Tokenizer(merges=[], special_tokens=[token] * 2),
        lambda: bpetok.Words.combine([(words, 1), (bpetok.Words.from_counts({b"a": 1}), 1)]),
        lambda: bpetok.Words.from_arrow(words.to_arrow(), pattern="none"),
        lambda: bpetok.train_from_words(
            words, vocab_size=257, initial=bpetok.Tokenizer(merges=[], pattern="none")
        ),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="characters in all") as error:
            call()
        assert len(str(error.value)) < 700
