"""Superwords: both stages as a naive learner has them, in every way to train; what is refused."""

import io
import itertools
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

import bpetok
import reference
from bpetok import MergeFilter, Superwords
from bpetok.cli.main import main
from strategies import GPT2, TEXT, no_texts

pytestmark = [
    pytest.mark.filterwarnings("ignore:vocab_size is"),
    pytest.mark.filterwarnings("ignore:superwords.start is not reached"),
]

SUPERBPE = regex.compile(r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]{2,}[\r\n/]*| +(?!\S)")
LINES = "it is a low road: it is a long road to go\nit is a low road, 1234 of them....\n\n" * 3
TEXTS = st.lists(
    st.lists(
        st.sampled_from(
            ["it", " is", " a", " low", ":", "\n", "\n\n", "  ", "12", "!!", "é", "\r\n"]
        ),
        max_size=30,
    ).map("".join),
    min_size=1,
    max_size=4,
).filter(any)


def words_of_lines(texts: list[str]) -> Counter[bytes]:
    """Return the words of stage 2: each line split by the matches of the second pattern."""
    words: Counter[bytes] = Counter()
    for text in texts:
        for line in regex.findall(r"[^\n]*\n|[^\n]+", text):
            at = 0
            for match in SUPERBPE.finditer(line):
                words.update([line[at : match.start()].encode(), match[0].encode()])
                at = match.end()
            words.update([line[at:].encode()])
    del words[b""]
    return words


def allows(left: bytes, right: bytes) -> bool:
    """Tell whether the authors' trainer makes a token."""
    token = left + right
    return b": " not in token and sum(map(bool, token.split(b" "))) <= 4


def naive(texts: list[str], n_first: int, n_all: int) -> list[tuple[int, int]]:
    """Return the merges of both stages, all pairs counted anew for each."""
    words = Counter(word.encode() for text in texts for word in regex.findall(GPT2, text))
    first, _ = reference.learn_merges(words, n_first)
    second, _ = reference.learn_merges(
        words_of_lines(texts), n_all - len(first), initial=first, allows=allows
    )
    return first + second


def authors(words: Counter[bytes], first: list[tuple[bytes, bytes]], n_all: int) -> list[bytes]:
    """Return the tokens of `do_train_extend`, in order: merges of stage 1 that occur, new ones."""
    split = {word: [bytes([byte]) for byte in word] for word in words}
    made: list[bytes] = []

    def counts() -> Counter[tuple[bytes, bytes]]:
        found: Counter[tuple[bytes, bytes]] = Counter()
        for word, tokens in split.items():
            for pair in itertools.pairwise(tokens):
                found[pair] += words[word]
        return found

    def merge(pair: tuple[bytes, bytes]) -> None:
        made.append(pair[0] + pair[1])
        for tokens in split.values():
            i = 0
            while i + 1 < len(tokens):
                if (tokens[i], tokens[i + 1]) == pair:
                    tokens[i : i + 2] = [pair[0] + pair[1]]
                i += 1

    for pair in first:
        if counts()[pair]:
            merge(pair)
    numbers = {bytes([byte]): byte for byte in range(256)}
    while len(made) < n_all:
        numbers |= {token: 256 + i for i, token in enumerate(made)}
        ranked = sorted(
            (-count, numbers[left], numbers[right], (left, right))
            for (left, right), count in counts().items()
            if allows(left, right)
        )
        if not ranked:
            break
        merge(ranked[0][3])
    return made


def train(texts: list[str], n_all: int, n_first: int, **options: Any) -> bpetok.Tokenizer:
    """Train on texts; fewer merges than asked for are no matter."""
    return bpetok.train_from_iterator(
        texts, vocab_size=256 + n_all, superwords=Superwords(256 + n_first), **options
    )


@settings(max_examples=150)
@given(TEXTS, st.integers(0, 12), st.integers(0, 40), st.integers(1, 2))
def test_merges_equal_the_naive_ones(
    texts: list[str], n_first: int, n_more: int, n_threads: int
) -> None:
    """Both stages, to the end of what the text gives."""
    tok = train(texts, n_first + n_more, n_first, n_threads=n_threads)
    assert [tuple(pair) for pair in tok.merge_pairs.tolist()] == naive(
        texts, n_first, n_first + n_more
    )
    assert tok.pattern == "superbpe"


@settings(max_examples=60)
@given(TEXTS, st.integers(0, 12), st.integers(0, 30))
def test_dropping_leaves_what_the_authors_trainer_leaves(
    texts: list[str], n_first: int, n_more: int
) -> None:
    """As many ids, the same tokens."""
    first = bpetok.train_from_iterator(texts, vocab_size=256 + n_first)
    n_all = len(first.merges) + n_more
    tok = bpetok.train_from_iterator(
        texts, vocab_size=256 + n_all, superwords=Superwords(256 + len(first.merges), unused="drop")
    )
    expected = authors(words_of_lines(texts), first.merges, n_all)
    assert [left + right for left, right in tok.merges] == expected


def test_superwords_are_found_and_bounded() -> None:
    """Tokens of up to four words, none with a colon before a space, none across lines."""
    tok = train([LINES], 120, 40)
    tokens = [left + right for left, right in tok.merges]
    assert [token for token in tokens if len(token.split()) > 1]
    assert not [token for token in tokens if b": " in token or len(token.split()) > 4]
    free = bpetok.train_from_iterator(
        [LINES], vocab_size=376, superwords=Superwords(296, max_words=None, colon_space=True)
    )
    tokens = [left + right for left, right in free.merges]
    assert [token for token in tokens if b": " in token and len(token.split()) > 4]
    assert not [token for token in tokens if b"\n" in token[:-1] and token.strip(b"\n")]


def test_all_ways_to_train_learn_the_same(tmp_path: Path) -> None:
    """Files, texts, weighted files, on from a tokenizer; special tokens after all merges."""
    path = tmp_path / "a.txt"
    path.write_text(TEXT * 3, encoding="utf-8")
    options: dict[str, Any] = {
        "vocab_size": 500,
        "superwords": Superwords(350),
        "special_tokens": ["<|end|>"],
        "merge_filter": MergeFilter(utf8=True),
    }
    files = bpetok.train(path, **options)
    assert files.special_tokens == {"<|end|>": 499}
    assert files == bpetok.train([(path, 1.0)], **options)
    assert files == bpetok.train(iter([path]), **options, max_memory="2GB")
    assert files == bpetok.train_from_iterator([TEXT * 3], **options)
    first = bpetok.train(path, vocab_size=300, merge_filter=MergeFilter(utf8=True))
    assert files == bpetok.train(path, **options, initial=first)
    assert len({left + right for left, right in files.merges}) == len(files.merges)


def test_files_and_readers_of_the_result(tmp_path: Path) -> None:
    """Saved, explained, truncated, gone on from; equal ids in other libraries."""
    tok = train([TEXT * 3 + LINES], 250, 150)
    tok.save(tmp_path / "tok.json")
    assert bpetok.Tokenizer.load(tmp_path / "tok.json") == tok
    for text in (TEXT, LINES, "", "\n\n\n", "it is a\n low"):
        ids = tok.encode(text)
        assert tok.decode(ids) == text
        assert tok.to_tokenizers().encode(text).ids == ids
        assert tok.to_tiktoken().encode(text) == ids
        explained = tok.explain(text)
        assert [i for word in explained.words for i in word.ids] == ids
    tok.save_tiktoken(tmp_path / "tok.tiktoken")
    tok.save_pretrained(tmp_path / "hf")
    assert bpetok.Tokenizer.from_pretrained(tmp_path / "hf").encode(LINES) == tok.encode(LINES)
    assert tok.truncate(300).merges == tok.merges[:44]
    more = bpetok.train_from_iterator(
        [LINES], vocab_size=520, initial=tok, merge_filter=MergeFilter(max_words=4)
    )
    assert more.merges[:250] == tok.merges


@given(TEXTS, st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_going_on_gives_what_a_single_training_gives(
    texts: list[str], n_first: int, n_more: int, n_last: int
) -> None:
    """Whole lines are the words again, with the same bounds."""
    n_all = n_first + n_more + n_last
    begun = train(texts, n_first + n_more, n_first)
    more = bpetok.train_from_iterator(
        texts, vocab_size=256 + n_all, initial=begun, superwords=Superwords(begun.vocab_size)
    )
    assert more == train(texts, n_all, n_first)


def test_what_stage_2_reads(tmp_path: Path) -> None:
    """A share of the text or its beginning; what it may take is told before."""
    path = tmp_path / "a.txt"
    path.write_text(LINES + "zq zq zq zq " * 40, encoding="utf-8")
    told: list[tuple[str, int, int | None]] = []
    superwords = Superwords(300, max_bytes=len(LINES))
    tok = bpetok.train(
        path,
        vocab_size=340,
        superwords=superwords,
        progress=lambda *call: told.append(call),
    )
    assert not [left for left, right in tok.merges if b"zq zq" in left + right]
    memory = [call for call in told if call[0] == "memory"]
    assert [done for _, done, _ in memory] == [0]  # once, with a total: see the test of memory
    assert tok.training is not None
    assert tok.training.n_bytes == len(LINES)
    assert {"count", "count lines", "learn lines"} <= set(tok.training.seconds)


def test_what_stage_2_reads_is_known_before(tmp_path: Path) -> None:
    """As much memory is told, at least, as for all of the text that it may read."""
    path = tmp_path / "a.txt"
    # Of letters, since numbers are split off: no two lines are equal.
    letters = str.maketrans("0123456789", "abcdefghij")
    lines = "".join(f"{i * i} is the square of {i}\n".translate(letters) for i in range(90_000))
    path.write_text(lines)

    def told(files: Any, *, reading: dict[str, Any] | None = None, **options: Any) -> int:
        found: list[int] = []

        def note(phase: str, _: int, total: int | None) -> None:
            if phase == "memory":
                assert total is not None
                found.append(total)
                raise KeyboardInterrupt  # before stage 2 begins

        superwords = Superwords(300, **options)
        with pytest.raises(KeyboardInterrupt):
            bpetok.train(
                files, vocab_size=320, superwords=superwords, progress=note, **(reading or {})
            )
        return found[0]

    whole = told(path)
    assert told([(path, 0.6), (path, 0.6)]) > told([(path, 0.6)]) >= whole
    assert told([(path, 3)]) >= whole
    first: dict[str, Any] = {"max_bytes": "1MB"}
    assert told(path, reading=first) < whole
    assert told(path, reading=first, max_bytes="2MB") > told(path, reading=first)
    assert told(path, max_bytes="1MB") < whole
    twice = told([path, path], max_bytes="1MB")
    assert twice == pytest.approx(told(path, max_bytes="1MB"), rel=0.05)
    assert told([(path, 1), (path, 1)], max_bytes="1MB") > told(path, max_bytes="1MB")
    records = tmp_path / "a.jsonl"
    texts = [json.dumps({"text": line}) + "\n" for line in lines.splitlines()]
    records.write_text("".join(texts))
    assert told(records, sample=0.1) < told(records)
    assert told(records, reading={"sample": 0.1}, sample=1) > 0.9 * told(records)


def test_a_run_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In either stage, with the same result; another run is refused."""
    monkeypatch.setattr("bpetok.counting.checkpoint.SECONDS", 0.0)
    path = tmp_path / "a.txt"
    path.write_text((TEXT + LINES) * 3, encoding="utf-8")
    options: dict[str, Any] = {"vocab_size": 700, "superwords": Superwords(450)}
    expected = bpetok.train(path, **options)
    phases: list[str] = []
    for n in itertools.count():
        folder = tmp_path / f"run{n}"
        phases.clear()

        def stop(phase: str, *_: object, last: int = n) -> None:
            phases.append(phase)
            if len(phases) > last:
                raise KeyboardInterrupt

        try:
            bpetok.train(path, **options, checkpoint=folder, progress=stop)
            break
        except KeyboardInterrupt:
            assert bpetok.train(path, **options, checkpoint=folder) == expected
    assert phases.count("count") > 1
    assert "learn" in phases[phases.index("memory") :]
    with pytest.raises(ValueError, match=r"superwords was .Superwords.*and is None"):
        bpetok.train(path, vocab_size=700, checkpoint=tmp_path / "run0")


class Texts:
    """Texts that can be iterated over many times."""

    def __iter__(self) -> Iterator[str]:
        yield LINES


def test_texts_must_be_readable_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An iterator, standard input, a stream of records: refused before any work."""
    options: dict[str, Any] = {"vocab_size": 330, "superwords": Superwords(300)}
    assert bpetok.train_from_iterator(Texts(), **options) == train([LINES], 74, 44)
    with pytest.raises(ValueError, match="can be read twice, got a generator: give a list"):
        bpetok.train_from_iterator(no_texts(), **options)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"abc")))
    with pytest.raises(ValueError, match="can be read twice, got '-': save it to a file"):
        bpetok.train("-", **options)
    table = pa.table({"text": [LINES]})
    with pytest.raises(ValueError, match="can be read twice, got 'RecordBatchReader'"):
        bpetok.train(table.to_reader(), **options)
    assert bpetok.train(table, **options) == train([LINES], 74, 44)
    with pytest.raises(ValueError, match="sample must not be given with texts"):
        bpetok.train_from_iterator([LINES], vocab_size=330, superwords=Superwords(300, sample=0.5))
    with pytest.raises(TypeError, match="unexpected option 'superwords'"):
        bpetok.train_from_words({b"a": 1}, **options)


@pytest.mark.parametrize(
    ("superwords", "options", "error", "message"),
    [
        (Superwords(255), {}, ValueError, r"superwords.start must be .*256.*400.*got 255"),
        (Superwords(401), {}, ValueError, r"superwords.start must be"),
        (300, {}, TypeError, "superwords must be a bpetok.Superwords, got 300"),
        (Superwords(300, pattern="(a"), {}, ValueError, "pattern"),
        (Superwords(300, max_words=0), {}, ValueError, "max_words must be"),
        (Superwords(300, sample=2.0), {}, ValueError, "sample must be"),
        (Superwords(300, max_bytes=0), {}, ValueError, "max_bytes must be"),
        (Superwords(300, unused="no"), {}, ValueError, "unused must be 'keep' or 'drop'"),  # type: ignore[arg-type]  # wrong on purpose
        (Superwords(300, colon_space="no"), {}, TypeError, "colon_space must be a bool"),  # type: ignore[arg-type]  # as above
        (Superwords(300), {"compat": "huggingface"}, ValueError, "compat='huggingface'"),
        (Superwords(300, max_bytes=9), {"checkpoint": "run"}, ValueError, "exclude each other"),
    ],
)
def test_what_is_refused(
    superwords: Any,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before anything is read or written."""
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("low")
    with pytest.raises(error, match=message):
        bpetok.train("a.txt", vocab_size=400, superwords=superwords, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_start_that_is_not_reached_is_warned_of() -> None:
    """Here all words are one token before; the message is at the line of the caller."""
    message = "start is not reached: after 1 of 2 merges within words, no pair is left"
    with pytest.warns(UserWarning, match=message) as told:
        tok = bpetok.train_from_iterator(["ab\nab\n"], vocab_size=258, superwords=Superwords(258))
    assert tok.merges == [(b"a", b"b"), (b"ab", b"\n")]
    assert [Path(warning.filename).name for warning in told] == [Path(__file__).name]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same as the library; nothing to read twice is refused."""
    path, output = tmp_path / "a.txt", tmp_path / "tok.json"
    path.write_text(LINES)
    arguments = ["train", str(path), "--vocab-size", "330", "--output", str(output), "--quiet"]
    assert main([*arguments, "--superwords", "300"]) == 0
    assert bpetok.Tokenizer.load(output) == train([LINES], 74, 44)
    assert main([*arguments, "--superwords", "400"]) == 2
    assert "--superwords must be in 256..330, got 400" in capsys.readouterr().err
    counts = ["train", "--counts", "c.parquet", "--superwords", "300", "-o", str(output)]
    assert main(counts) == 2
    assert "--superwords reads text, not --counts: give FILEs" in capsys.readouterr().err


def test_both_stages_change_texts_alike() -> None:
    """What the normalizer makes of a text is what stage 2 reads, too."""
    tok = bpetok.train_from_iterator(
        [LINES.upper()], vocab_size=330, superwords=Superwords(300), normalizer="Lowercase"
    )
    assert tok.merges == train([LINES], 74, 44).merges
    assert tok.normalizer == {"type": "Lowercase"}


def test_a_sample_without_text_is_said(tmp_path: Path) -> None:
    """By the name of the option that has taken all away."""
    path = tmp_path / "a.txt"
    path.write_text("a few words and a few more\n" * 9, encoding="utf-8")
    superwords = bpetok.Superwords(260, sample=1e-9)
    with pytest.raises(ValueError, match=r"superwords.sample=1e-09 leaves no text for stage 2"):
        bpetok.train(path, vocab_size=270, superwords=superwords)
