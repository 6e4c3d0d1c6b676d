"""The pipeline as users call it: results, options, errors, threads, forks and Ctrl-C."""

import os
import re
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rustbpe

import bpetok
import reference
from bpetok import Words
from bpetok.base.demo import demo_files
from bpetok.patterns.builtin import GPT2
from bpetok.training import lengths, pipeline, train
from processes import run_python
from strategies import no_texts

TEXTS = [
    "low lower lowest newer wider, it's the newest of the lowest. " * 3,
    2 * "\u4e2d\u6587\u6c49\u5b57\uff0c\u4e2d\u6587\u3002 na\u00efve caf\u00e9 1234"
    " 12 \U0001f642\U0001f642\n\n    def f(x):\n        return x\n",
]


def naive(texts: list[str], n_merges: int) -> list[tuple[bytes, bytes]]:
    counts = bpetok.count_words_from_iterator(texts).to_dict()
    merges, _ = reference.learn_merges(counts, n_merges)
    tokens = reference.token_bytes(merges)
    return [(tokens[left], tokens[right]) for left, right in merges]


def test_all_ways_of_training_give_the_same_tokenizer(tmp_path: Path) -> None:
    """Files, an iterator, words, a mapping; special tokens take the ids after the merges."""
    path = tmp_path / "corpus.txt"
    path.write_bytes("<|end|>".join(TEXTS).encode())
    special = ["<|end|>", "<|pad|>"]
    tok = bpetok.train([path], vocab_size=300, special_tokens=special)
    assert tok.merges == naive(TEXTS, 42)
    assert tok.vocab_size == 300
    assert tok.special_tokens == {"<|end|>": 298, "<|pad|>": 299}
    assert tok == bpetok.train_from_iterator(iter(TEXTS), vocab_size=300, special_tokens=special)
    words = bpetok.count_words(str(path), special_tokens=special)
    assert tok == bpetok.train_from_words(words, vocab_size=300)
    assert tok == bpetok.train_from_words(
        words.to_dict(), vocab_size=300, special_tokens=special, n_threads=3
    )
    assert tok == bpetok.train_from_words(words, vocab_size=300, pattern=GPT2)


def test_merges_equal_those_of_rustbpe() -> None:
    """Its tie rule is ours."""
    texts = [Path(path).read_text(encoding="utf-8") for path in demo_files()[:60]]
    theirs = rustbpe.Tokenizer()
    theirs.train_from_iterator(iter(texts), 2000, pattern=GPT2)
    ours = bpetok.train_from_iterator(texts, vocab_size=2000)
    expected = {bytes(token): token_id for token, token_id in theirs.get_mergeable_ranks()}
    assert ours.vocab == expected


def test_min_frequency_stops_before_a_rarer_pair() -> None:
    """The merges are the first ones of those without it, and a warning says how many."""
    every = bpetok.train_from_iterator(TEXTS, vocab_size=330)
    with pytest.warns(UserWarning, match="min_frequency=4"):
        some = bpetok.train_from_iterator(TEXTS, vocab_size=330, min_frequency=4)
    assert some.merge_counts is not None
    assert every.merge_counts is not None
    n = int((every.merge_counts >= 4).sum())
    assert 0 < n < 74
    assert some.merges == every.merges[:n]


def test_exhausted_text_warns_and_gives_a_smaller_vocabulary() -> None:
    """The warning says the size and points at the caller."""
    with pytest.warns(
        UserWarning, match="vocab_size is 259: after 3 of 9,744 merges, no pair"
    ) as caught:
        tok = bpetok.train_from_iterator(["abcd"], vocab_size=10_000)
    assert tok.vocab_size == 259
    assert caught[0].filename == __file__


def test_no_merges_at_all() -> None:
    """The smallest vocabulary is bytes and special tokens."""
    tok = bpetok.train_from_iterator(TEXTS, vocab_size=257, special_tokens=["<|end|>"])
    assert tok.merges == []
    assert tok.special_tokens == {"<|end|>": 256}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"vocab_size": 257, "special_tokens": ["a", "b"]},
            ValueError,
            "at least 258, 256 bytes and 2 special tokens, got 257",
        ),
        ({"vocab_size": -1}, ValueError, "at least 256, 256 bytes and 0 special tokens, got -1"),
        ({"vocab_size": 1 << 31}, ValueError, "got 2147483648"),
        ({"vocab_size": 300.0}, TypeError, "vocab_size must be an int, got 300.0"),
        ({"vocab_size": 300, "min_frequency": 0}, ValueError, "min_frequency must be in 1.."),
        ({"vocab_size": 300, "n_threads": -2}, ValueError, "n_threads must be in 1..1024, got -2"),
    ],
)
def test_bad_options_are_refused_before_any_work(
    options: dict[str, object], error: type[Exception], message: str
) -> None:
    """No text is taken, no file is looked for."""

    with pytest.raises(error, match=message):
        bpetok.train_from_iterator(no_texts(), **options)  # type: ignore[arg-type]  # the mistakes tested
    with pytest.raises(error, match=message):
        bpetok.train("missing.txt", **options)  # type: ignore[arg-type]  # the mistakes tested
    with pytest.raises(error, match=message):
        bpetok.train_from_words({b"ab": 1}, **options)  # type: ignore[arg-type]  # the mistakes tested


def test_rare_words_are_not_all_left_out(tmp_path: Path) -> None:
    """The message said that there was no text."""
    (tmp_path / "a.txt").write_text("ab ab ab cd")
    message = "min_word_count must be at most 2, as often as the most frequent word occurs, got 3"
    stages = bpetok.Superwords(256)
    with pytest.raises(ValueError, match=message):
        bpetok.train(tmp_path / "a.txt", vocab_size=300, min_word_count=3)
    with pytest.raises(ValueError, match=message):
        bpetok.train_from_iterator(["ab ab ab"], vocab_size=300, min_word_count=3)
    with pytest.raises(ValueError, match=message):
        bpetok.train_from_words({b"ab": 2, b"c": 1}, vocab_size=300, min_word_count=3)
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(ValueError, match=r"must be at most 1, .* got 2"),
    ):
        bpetok.train_from_iterator(
            ["ab ab ab"], vocab_size=300, min_word_count=2, superwords=stages
        )


def test_an_empty_corpus_is_refused(tmp_path: Path) -> None:
    """Empty files, no texts, only special tokens, no words."""
    (tmp_path / "empty.txt").touch()
    with pytest.raises(ValueError, match="at least one word"):
        bpetok.train(tmp_path / "empty.txt", vocab_size=300)
    with pytest.raises(ValueError, match="at least one word"):
        bpetok.train_from_iterator([], vocab_size=300)
    with pytest.raises(ValueError, match="at least one word"):
        bpetok.train_from_iterator(["<|end|>"], vocab_size=300, special_tokens=["<|end|>"])
    with pytest.raises(ValueError, match="at least one word"):
        bpetok.train_from_words({}, vocab_size=300)


def test_progress_tells_both_phases(tmp_path: Path) -> None:
    """Bytes while counting, merges while learning, each up to its total."""
    (tmp_path / "corpus.txt").write_bytes("".join(TEXTS).encode())
    calls: list[tuple[str, int, int | None]] = []
    bpetok.train(tmp_path / "corpus.txt", vocab_size=300, progress=lambda *call: calls.append(call))
    size = (tmp_path / "corpus.txt").stat().st_size
    assert [phase for phase, _, _ in calls] == sorted(phase for phase, _, _ in calls)
    assert ("count", size, size) in calls
    assert calls[-1] == ("learn", 44, 44)


def test_an_error_of_the_callback_or_the_texts_comes_out() -> None:
    """The user's own exception, unchanged."""

    def texts() -> object:
        yield "some text"
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        bpetok.train_from_iterator(texts(), vocab_size=300)  # type: ignore[arg-type]  # yields str
    with pytest.raises(ZeroDivisionError):
        bpetok.train_from_iterator(TEXTS, vocab_size=300, progress=lambda *_: 1 // 0)


def test_python_threads_may_train_at_once() -> None:
    """Each gets its own right result."""
    words = Words.from_counts(bpetok.count_words_from_iterator(TEXTS * 40).to_dict())
    expected = bpetok.train_from_words(words, vocab_size=320)
    results: list[bpetok.Tokenizer] = []
    threads = [
        threading.Thread(
            target=lambda: results.append(
                bpetok.train_from_iterator(TEXTS * 40, vocab_size=320, n_threads=2)
            )
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


def test_importing_is_light() -> None:
    """Neither Numba nor NumPy is imported before it is needed."""
    code = "import sys, bpetok, bpetok.cli.main; bpetok.Tokenizer(merges=[]).encode('x')"
    run_python(f"{code}; assert not {{'numba', 'numpy', 'tqdm'}} & set(sys.modules), sys.modules")


@pytest.mark.parametrize(("n_threads", "least", "loaded"), [(2, 9, 1), (2, 10, 0), (1, 9, 0)])
def test_large_text_loads_the_parallel_kernels_meanwhile(
    n_threads: int, least: int, loaded: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are as good as certain to be needed."""
    calls: list[None] = []
    monkeypatch.setattr(train, "LARGE_TEXT", least)
    monkeypatch.setattr(pipeline, "load_parallel_kernels", lambda _: calls.append(None))
    (tmp_path / "a.txt").write_text("nine chars"[1:])
    bpetok.train(tmp_path / "a.txt", vocab_size=257, n_threads=n_threads)
    assert len(calls) == loaded


def test_without_the_compiler() -> None:
    """The kernels are plain Python too: NUMBA_DISABLE_JIT=1 gives the same merges."""
    texts = TEXTS[:1]
    out = run_python(
        f"import bpetok; print(bpetok.train_from_iterator({texts!r}, vocab_size=280).merges)",
        NUMBA_DISABLE_JIT="1",
    )
    assert out == f"{naive(texts, 24)}\n"


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise there")
@pytest.mark.parametrize("phase", ["count", "learn"])
def test_ctrl_c_ends_either_phase_at_once(tmp_path: Path, phase: str) -> None:
    """KeyboardInterrupt reaches the caller before the phase ends, and the process goes on."""
    path = tmp_path / "corpus.txt"
    path.write_bytes(" ".join(f"{i:x}" for i in range(700_000)).encode())
    code = f"""
    import os, signal, threading, bpetok
    last = None
    def progress(phase, done, total):
        global last
        if phase == {phase!r} and done > 100:
            last = done, total
            begun.set()
    def interrupt():  # from another thread: it does not come from a call of `progress`
        begun.wait()
        os.kill(os.getpid(), signal.SIGINT)
    begun = threading.Event()
    threading.Thread(target=interrupt).start()
    try:
        bpetok.train([{str(path)!r}] * 40, vocab_size=100_000, progress=progress)
    except KeyboardInterrupt:
        print(last[0] < last[1])
    """
    assert run_python(textwrap.dedent(code)) == "True\n"


def test_learning_ends_where_tokens_get_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the merges before that; a run of one byte is warned of before words are learned from."""
    monkeypatch.setattr(lengths, "LONG_RUN", 1024)
    monkeypatch.setattr(pipeline, "MAX_TOTAL_BYTES", 4096)
    path = tmp_path / "a.txt"
    path.write_bytes(b"low lower lowest " * 100 + b"\0" * 2100)
    seen: list[str] = []
    with pytest.warns(UserWarning, match="equal bytes|next token would make") as w:
        tok = bpetok.train(
            path, vocab_size=400, progress=lambda phase, *_: seen.append(f"{phase} {len(w)}")
        )
    assert {name for name in seen if name.startswith("learn")} == {"learn 1"}
    assert w[0].filename == w[1].filename == __file__
    assert re.search("run of 2100 equal bytes, .* about 0 MB", str(w[0].message))
    end = f"after {len(tok.merges)} of 144 merges, the next token would make all"
    assert end in str(w[1].message)
    words = bpetok.count_words(path)
    right, counts = reference.learn_merges(words.to_dict(), len(tok.merges) + 1)
    assert tok.merge_pairs.tolist() == [[*pair] for pair in right[:-1]]
    assert tok.merge_counts is not None
    assert tok.merge_counts.tolist() == counts[:-1]
    sizes = [1] * 256
    for one, other in right:
        sizes.append(sizes[one] + sizes[other])
    assert sum(sizes[:-1]) <= 4096 < sum(sizes)
    assert tok.training is not None
    assert tok.training.n_tokens == len(tok.encode(path.read_bytes()))
    tok = bpetok.train(path, vocab_size=270, max_token_length=64)
    assert max(map(len, tok.vocab)) == 64


def test_a_long_word_without_a_run_is_learned_from(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    """As with the pattern "none"."""
    monkeypatch.setattr(lengths, "LONG_RUN", 1024)
    text = "low lower lowest " * 100
    bpetok.train_from_iterator([text], vocab_size=270, pattern="none")
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize("kind", ["list", "numpy", "pandas", "polars"])
def test_special_tokens_may_be_a_column(kind: str) -> None:
    """An array or a Series is neither true nor false."""
    names: Any = ["<|a|>", "<|b|>"]
    if kind == "numpy":
        names = np.array(names)
    elif kind != "list":
        names = pytest.importorskip(kind).Series(names)
    tok = bpetok.train_from_iterator(["low low"], vocab_size=259, special_tokens=names)
    assert tok.special_tokens == {"<|a|>": 257, "<|b|>": 258}


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize(
    "call",
    [
        lambda tok, table: bpetok.train_from_iterator(table, vocab_size=257),
        lambda tok, table: bpetok.count_words_from_iterator(table),
        lambda tok, table: bpetok.report(tok, texts=table),
        lambda tok, table: tok.prune(table, 257),
        lambda tok, table: tok.encode_batch(table),
        lambda tok, table: tok.encode_batch_to_numpy(table),
    ],
)
def test_a_table_is_not_read_as_the_names_of_its_columns(
    call: Callable[[bpetok.Tokenizer, Any], object], library: str
) -> None:
    """Where texts must be given."""
    table = pytest.importorskip(library).DataFrame({"text": ["low low"]})
    with pytest.raises(TypeError, match="got a DataFrame: give one column of it"):
        call(bpetok.Tokenizer(merges=[(108, 111)]), table)
