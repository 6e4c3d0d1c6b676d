"""The benchmark harness: what it says of merges, time and memory is so, and a run resumes."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest

from benchmarks import (
    cli,
    corpus,
    encoding,
    environments,
    measure,
    merges,
    records,
    roster,
    summary,
    tables,
    tasks,
    worker,
)
from benchmarks.byte_level import to_bytes, to_text
from benchmarks.interface import EncodeJob, Ties
from benchmarks.patterns import PATTERNS
from benchmarks.reasons import CorpusWords, Learned, compare, count_pair, count_words
from benchmarks.worker import read_texts

ROOT = Path(__file__).resolve().parents[2]
EOT = "<|endoftext|>"
Planned: TypeAlias = tuple[tasks.Settings, list[tasks.Task]]


def words_of(by_text: dict[bytes, int], by_line: dict[bytes, int] | None = None) -> CorpusWords:
    """Make the words of a corpus that is cut in one or two ways."""
    return CorpusWords({"texts": lambda: Counter(by_text), "lines": lambda: Counter(by_line)})


def pairs(*spelled: str) -> list[tuple[bytes, bytes]]:
    """Spell merges as in "a b"."""
    parts = [each.encode().split(b" ") for each in spelled]
    return [(left, right) for left, right in parts]


# ---- what was learned ----


def test_merges_are_recovered_from_tokens() -> None:
    """A library that keeps only tokens is compared all the same."""
    assert merges.recover([b"ab", b"abc", b"dd", b"abcdd"]) == pairs("a b", "ab c", "d d", "abc dd")


def test_what_cannot_be_recovered_is_one_token() -> None:
    """A token that is there twice, or that isn't made of two earlier ones, has no known parts."""
    assert merges.recover([b"ab", b"ab", b"xyz"]) == [(b"a", b"b"), (b"ab",), (b"xyz",)]


def test_a_learned_file_is_read_in_both_forms(tmp_path: Path) -> None:
    """Pairs and tokens in the worker's file give the same merges."""
    file = tmp_path / "learned"
    file.write_text("61 62\n6162 63")
    assert merges.read_merges(file) == pairs("a b", "ab c")
    file.write_text("6162\n616263")
    assert merges.read_merges(file) == pairs("a b", "ab c")


def test_equal_lists_do_not_differ() -> None:
    """No words are counted where there is nothing to explain."""
    learned = Learned(pairs("a b", "ab c"), "texts", "raw ids")
    assert compare(learned, learned, CorpusWords({})) is None


@pytest.mark.parametrize(
    ("ties", "kind", "said"),
    [
        ("byte order", "byte order", "Hugging Face's order"),
        ("seen first", "tie rule", "seen first"),
        ("unknown", "tie rule", "isn't known"),
        ("raw ids", "unexplained", "would take the first"),
    ],
)
def test_a_tie_is_told_from_the_rest(ties: Ties, kind: str, said: str) -> None:
    """Equal counts: the other's rule is checked (a space comes late in byte order)."""
    first = Learned([(b"x", b"y"), (b" ", b"a")], "texts", "raw ids")
    second = Learned([(b"x", b"y"), (b"b", b"c")], "texts", ties)
    found = compare(first, second, words_of({b"xy": 9, b"bc": 3, b" a": 3}))
    assert found is not None
    assert (found.index, found.kind) == (1, kind)
    assert "3 times" in found.why
    assert said in found.why


def test_other_words_are_told_from_other_ties() -> None:
    """A trainer that cuts lines alone sees other counts; both are given."""
    first = Learned([(b"\n", b" ")], "texts", "raw ids")
    second = Learned([(b"a", b"b")], "lines", "raw ids")
    found = compare(first, second, words_of({b"\n ": 5, b"ab": 4}, {b"\n": 5, b" ": 5, b"ab": 4}))
    assert found is not None
    assert found.kind == "splitting"
    assert "5 and 4 times in whole texts, 0 and 4 in lines cut alone" in found.why


def test_other_counting_is_told_from_other_words() -> None:
    """Counting overlaps or not decides between a run of one letter and a pair."""
    first = Learned(pairs("a a"), "texts", "raw ids")
    second = Learned(pairs("b c"), "texts", "unknown")
    found = compare(first, second, words_of({b"aaa": 2, b"bc": 3}))
    assert found is not None
    assert (found.kind, "2 and 3 times, otherwise 4 and 3" in found.why) == ("counting", True)


def test_what_no_rule_explains_is_unexplained() -> None:
    """A rarer pair is not excused."""
    first, second = (Learned(pairs(each), "texts", "raw ids") for each in ("a b", "c d"))
    found = compare(first, second, words_of({b"ab": 9, b"cd": 1}))
    assert found is not None
    assert found.kind == "unexplained"


def test_a_shorter_list_differs_at_its_end() -> None:
    """Fewer merges is a difference of its own."""
    first = Learned(pairs("a b", "ab c"), "texts", "raw ids")
    second = Learned(pairs("a b"), "texts", "raw ids")
    found = compare(first, second, CorpusWords({}))
    assert found is not None
    assert (found.index, found.kind) == (1, "number of merges")


def test_pairs_are_counted_after_the_merges_in_common() -> None:
    """A merged pair takes its letters away from the pairs next to it."""
    words = Counter({b"abab": 2, b"aba": 1})
    assert count_pair(words, [], (b"b", b"a")) == 3
    assert count_pair(words, pairs("a b"), (b"b", b"a")) == 0
    assert count_pair(words, pairs("a b"), (b"ab", b"ab")) == 2


def test_words_are_counted_with_the_pattern() -> None:
    """The words of a diagnosis are those of the split pattern, in first-seen order."""
    counts = count_words(["the cat", "the dog's cat"], PATTERNS["gpt2"])
    assert list(counts.items()) == [(b"the", 2), (b" cat", 2), (b" dog", 1), (b"'s", 1)]


def test_bytes_are_spelled_as_tokenizers_spells_them() -> None:
    """Merges of tokenizer.json are read in its own alphabet."""
    tokenizers = pytest.importorskip("tokenizers")
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    assert sorted(to_text(bytes(range(256)))) == sorted(alphabet)
    assert to_bytes(to_text(bytes(range(256)))) == bytes(range(256))


# ---- what contenders are given ----


@pytest.fixture
def opened(tmp_path: Path) -> corpus.Corpus:
    """Open a corpus of four texts in two files."""
    files = [tmp_path / "one.txt", tmp_path / "two.txt"]
    files[0].write_bytes(f"first\n{EOT}\nsecond\n{EOT}\n".encode())
    files[1].write_bytes("third \u00e9\n".encode())
    return corpus.open_corpus(files, [EOT])


def test_texts_are_what_stands_between_special_tokens(opened: corpus.Corpus) -> None:
    """Readers of texts and readers of files learn from the same text."""
    texts = read_texts([str(file) for file in opened.files], [EOT])
    assert texts == ["first\n", "\nsecond\n", "\n", "third \u00e9\n"]


def test_plain_files_are_the_texts_joined(opened: corpus.Corpus, tmp_path: Path) -> None:
    """Special tokens are cut out, and a file without any isn't copied."""
    plain = corpus.plain_files(opened, tmp_path / "cache")
    assert plain[0].read_text() == "first\n\nsecond\n\n"
    assert plain[1] == opened.files[1]


def test_absent_bytes_leave_the_special_tokens_out(opened: corpus.Corpus) -> None:
    """The letters of a special token don't count as seen."""
    seen = set("first\n\nsecond\n\nthird \u00e9\n".encode())
    assert opened.n_absent_bytes == 256 - len(seen)


def test_a_prefix_ends_with_a_text(tmp_path: Path) -> None:
    """A corpus is cut where a text ends, and the whole of it isn't cut."""
    file = tmp_path / "corpus.txt"
    file.write_text(f"{'x' * 80}\n{EOT}" * 10)
    opened = corpus.open_corpus([file], [EOT])
    short, whole = corpus.prefixes(opened, [opened.n_bytes // 2, opened.n_bytes], tmp_path)
    assert short.files[0].read_text() == f"{'x' * 80}\n{EOT}" * 5
    assert whole.digest == opened.digest


def test_files_stay_texts_of_their_own_in_a_prefix(opened: corpus.Corpus, tmp_path: Path) -> None:
    """Growing the corpus mustn't make one long text of many files."""
    (whole,) = corpus.prefixes(opened, [opened.n_bytes], tmp_path)
    texts = read_texts([str(file) for file in whole.files], [EOT])
    assert texts == read_texts([str(file) for file in opened.files], [EOT])


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """Contenders that take str couldn't do the same work."""
    file = tmp_path / "latin.txt"
    file.write_bytes(b"caf\xe9")
    with pytest.raises(ValueError, match=r"latin\.txt is not UTF-8"):
        corpus.open_corpus([file], [EOT])


@pytest.mark.parametrize("name", sorted({*roster.TRAINERS, *roster.ENCODERS}))
def test_each_contender_keeps_to_the_interface(name: str) -> None:
    """Labels say the input, versions are pinned, and nothing is imported before it's used."""
    module = importlib.import_module(f"benchmarks.contenders.{name}")
    assert all("==" in each for each in module.requirements)
    assert name not in vars(module)
    if name in roster.TRAINERS:
        assert module.label.endswith(f"({module.takes})")
        assert module.train_settings
    if name in roster.ENCODERS:
        assert module.encode_settings
        assert set(module.outputs) <= {"list", "array"}


def test_contenders_are_chosen_by_name() -> None:
    """Both spellings do; an unknown name is told from the known ones."""
    assert roster.chosen("all", roster.TRAINERS) == list(roster.TRAINERS)
    assert roster.chosen("fast-bpe-rs, bpeasy", roster.TRAINERS) == ["fast_bpe_rs", "bpeasy"]
    with pytest.raises(ValueError, match="got 'nobody'"):
        roster.chosen("nobody", roster.TRAINERS)


def test_a_contender_that_cannot_be_installed_is_listed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The reason is kept, and the others are still measured."""

    def refuse(name: str, requirements: object, cache: object) -> None:
        raise environments.InstallError("no wheel for this platform")

    monkeypatch.setattr(roster, "prepare", refuse)
    python = {"bpetok": Path(sys.executable)}
    ready, missing = roster.install(["rustbpe", "bpetok"], tmp_path, python, lambda line: None)
    assert [each.name for each in ready] == ["bpetok"]
    assert missing == {"rustbpe": "no wheel for this platform"}


def test_an_editable_install_is_another_contender_after_an_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its RECORD says nothing of the files in the checkout; that of other installs does."""
    facts = tmp_path / "some_package-1.0.dist-info"
    source = tmp_path / "some_package" / "inner" / "part.py"
    facts.mkdir()
    source.parent.mkdir(parents=True)
    (tmp_path / "some_package" / "__init__.py").write_text("raise ImportError('not to be run')")
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: some_package\nVersion: 1.0\n")
    (facts / "RECORD").write_text("some_package-1.0.dist-info/METADATA,,\n")
    monkeypatch.syspath_prepend(tmp_path)
    contender = SimpleNamespace(requirements=("some_package==1.0",))

    def fingerprints() -> tuple[str, str]:
        found = []
        for text in ("a = 1", "a = 2"):
            source.write_text(text)
            answer = worker.probe(contender, {})
            assert answer["version"] == "1.0"
            found.append(answer["fingerprint"])
        return found[0], found[1]

    before, after = fingerprints()
    assert before == after
    (facts / "direct_url.json").write_text('{"dir_info": {"editable": true}, "url": "file:///x"}')
    before, after = fingerprints()
    assert before != after
    assert fingerprints() == (before, after)


def test_a_reason_is_the_error_and_not_the_advice() -> None:
    """pip's last lines are notes."""
    said = "ERROR: no matching distribution for x\nnote: this error is not a problem with pip\n"
    assert environments.failure_reason(said) == "ERROR: no matching distribution for x"


def test_the_copy_that_is_installed_has_all_that_bpetok_is_built_from() -> None:
    """Whatever setup.py calls, and the whole package but what a build leaves there."""
    package = [path for path in (ROOT / "bpetok").rglob("*.*") if "__pycache__" not in path.parts]
    files = [*ROOT.glob("*.py"), *(path for path in package if path.suffix not in (".so", ".pyd"))]
    assert {str(path.relative_to(ROOT)) for path in files} <= set(environments.source_files())


def test_bpetok_is_built_again_when_its_sources_change(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Sources count, committed or not; what a build leaves doesn't."""
    monkeypatch.setattr(environments, "CHECKOUT", tmp_path)
    (tmp_path / "bpetok" / "patterns").mkdir(parents=True)
    source = tmp_path / "bpetok" / "patterns" / "scan.pyx"
    source.write_text("1")
    before = environments.checkout_fingerprint()
    (tmp_path / "bpetok" / "patterns" / "scan.c").write_text("built")
    assert environments.checkout_fingerprint() == before
    source.write_text("2")
    assert environments.checkout_fingerprint() != before


# ---- measuring ----

HOG = "import time; hog = bytearray(60_000_000); print(flush=True); time.sleep(60)"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_memory_is_that_of_the_whole_tree() -> None:
    """A child's memory counts with its parent's."""
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOG!r}])"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        n_bytes = measure.tree_bytes(parent.pid)
        os.killpg(parent.pid, 9)
    assert 60_000_000 < n_bytes < 160_000_000
    assert measure.tree_bytes(parent.pid) == 0


def run_script(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str, timeout: float = 30.0
) -> measure.Measurement:
    """Measure a script in the worker's place."""
    worker = tmp_path / "worker.py"
    worker.write_text(code)
    monkeypatch.setattr(measure, "WORKER", worker)
    return measure.run_job(Path(sys.executable), {}, 1, None, timeout)


def test_a_process_is_measured_from_outside(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Wall time holds the sleep, CPU time the work, memory the peak that the process reports."""
    code = """
import json, sys, time
time.sleep(0.3)
stop = time.process_time() + 0.2
while time.process_time() < stop:
    pass
open(sys.argv[2], "w").write(json.dumps({"peak_bytes": 10**12, "answer": 42}))
"""
    found = run_script(monkeypatch, tmp_path, code)
    assert found.wall_seconds > 0.5
    assert 0.2 < found.cpu_seconds < found.wall_seconds
    assert (found.peak_bytes, found.answer) == (10**12, {"answer": 42})


def test_a_process_that_fails_gives_its_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The exit status and the last error line are the message."""
    with pytest.raises(measure.JobError, match="exit status 1: ValueError: too small"):
        run_script(monkeypatch, tmp_path, "raise ValueError('too small')")


def test_a_process_that_takes_too_long_is_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The time limit is for one process."""
    with pytest.raises(measure.JobError, match=r"not done after 0\.5 s"):
        run_script(monkeypatch, tmp_path, "import time; time.sleep(1e6)", 0.5)


@pytest.fixture
def two_tasks(opened: corpus.Corpus, tmp_path: Path) -> Planned:
    """Plan one training of each of two contenders."""
    settings = tasks.Settings(opened, 300, "gpt2", [1], 2, 10.0, tmp_path / "cache")
    modules = [importlib.import_module(f"benchmarks.contenders.{n}") for n in ("rustbpe", "bpeasy")]
    ready = [
        roster.Ready(name, module, Path(sys.executable), "f", "0")
        for name, module in zip(("rustbpe", "bpeasy"), modules, strict=True)
    ]
    return settings, [tasks.train_task("train", each, settings, 1, "") for each in ready]


def test_contenders_take_turns(two_tasks: Planned) -> None:
    """A B A B, not A A B B."""
    turns = tasks.in_turns(two_tasks[1], 2)
    names = [(task.contender.name, task.identity["repeat"]) for task in turns]
    assert names == [("rustbpe", 0), ("bpeasy", 0), ("rustbpe", 1), ("bpeasy", 1)]


def test_a_run_goes_on_from_what_it_has(
    two_tasks: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is recorded isn't measured again, whatever a crash left of the last line."""
    settings, planned = two_tasks
    asked = []

    def measured(_: Path, spec: dict[str, Any], *options: object) -> measure.Measurement:
        asked.append(spec["contender"])
        return measure.Measurement(1.0, 1.0, 1, {"call_seconds": 0.5})

    monkeypatch.setattr(tasks, "run_job", measured)
    turns = tasks.in_turns(planned, 2)
    tasks.execute(turns[:3], records.RunFolder(tmp_path / "run"), settings, "first")
    with (tmp_path / "run" / "records.jsonl").open("a") as lines:
        lines.write('{"kind": "tra')
    tasks.execute(turns, records.RunFolder(tmp_path / "run"), settings, "again")
    assert asked == ["rustbpe", "bpeasy", "rustbpe", "bpeasy"]
    assert len(records.RunFolder(tmp_path / "run").records) == 4


def test_a_failure_is_recorded_once_and_tried_again_by_the_next_run(
    two_tasks: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others go on; the reason is dropped when the contender succeeds."""
    settings, planned = two_tasks
    broken = {"rustbpe"}

    def measured(_: Path, spec: dict[str, Any], *options: object) -> measure.Measurement:
        if spec["contender"] in broken:
            raise measure.JobError("no memory")
        return measure.Measurement(1.0, 1.0, 1, {"call_seconds": 0.5})

    monkeypatch.setattr(tasks, "run_job", measured)
    turns = tasks.in_turns(planned, 2)
    folder = records.RunFolder(tmp_path / "run")
    tasks.execute(turns, folder, settings, "first")
    assert summary.failures(summary.current(folder.records)) == {"rustbpe (train)": "no memory"}
    assert len(summary.groups(folder.records, "train")) == 1
    broken.clear()
    tasks.execute(turns, folder, settings, "again")
    assert summary.failures(summary.current(folder.records)) == {}
    assert len(summary.groups(summary.current(folder.records), "train")) == 2


def test_measurements_of_an_earlier_version_are_left_out() -> None:
    """A rebuilt bpetok isn't averaged with the one before."""
    old = {"kind": "train", "contender": "bpetok", "fingerprint": "old", "repeat": 0}
    new = old | {"fingerprint": "new"}
    assert summary.current([old, new]) == [new]


def test_medians_spread_and_exponents() -> None:
    """What the tables show, on numbers that are known."""
    repeats = [{"label": "x", "state": "", "wall_seconds": each} for each in (1.0, 2.0, 4.0)]
    group = summary.Group(repeats)
    costs = (
        group.median("wall_seconds"),
        group.least("wall_seconds"),
        group.spread("wall_seconds"),
    )
    assert costs == (2.0, 1.0, 1.5)
    sizes = [1, 2, 4, 8]
    assert summary.exponent(sizes, [3 * size**0.5 for size in sizes]) == pytest.approx(0.5)
    assert summary.exponent([1, 2], [1, 2]) is None


def test_a_report_holds_one_request(two_tasks: Planned, tmp_path: Path) -> None:
    """Another vocabulary size is another run."""
    settings, planned = two_tasks
    folder = records.RunFolder(tmp_path / "run")
    folder.add(planned[0].identity | {"kind": "check"})
    cli.check_same_request(folder, settings)
    with pytest.raises(ValueError, match="another vocab_size: give another --output"):
        cli.check_same_request(folder, dataclasses.replace(settings, vocab_size=301))


def test_counting_is_measured_of_each_format(
    two_tasks: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By threads and by processes of one thread; all have the texts of the corpus."""
    settings, planned = two_tasks
    ours = dataclasses.replace(planned[0].contender, name="bpetok", python=Path(sys.executable))
    folder = tmp_path / "formats"
    spec: dict[str, Any] = {
        "files": [str(file) for file in settings.corpus.files],
        "special_tokens": list(settings.corpus.special_tokens),
        "n_files": 3,
        "folder": str(folder),
    }
    assert worker.write_formats(contender("bpetok"), spec)["n_records"] > 0
    texts = read_texts(spec["files"], spec["special_tokens"])
    assert "".join((folder / f"{i}.txt").read_text() for i in range(3)) == "".join(texts)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    n_words = set()
    rows = []
    for name in tasks.FORMATS:
        files = [str(folder / f"{i}.{name}") for i in range(3)]
        for threads, apart in ((1, False), (2, False), (2, True)):
            task = tasks.count_task(ours, settings, files, name, threads, apart=apart)
            if not apart:  # the processes are of an interpreter where bpetok is installed
                n_words.add((name, worker.count(contender("bpetok"), task.spec)["n_words"]))
            costs = {"wall_seconds": 3.0 / threads, "cpu_seconds": 3.0 + apart}
            rows.append(task.identity | task.extra | costs)
    assert len(n_words) == len(tasks.FORMATS)
    shown = tables.formats(rows)
    assert "| 8 x .parquet | 3.00 | 0 | 2.00 | 1.00 | 2.00 | 1.33 |" in shown
    assert len({records.key(row) for row in rows}) == len(rows)


def test_as_many_jobs_as_there_are_run_at_the_same_time(tmp_path: Path) -> None:
    """Each in a process of its own; one that fails is told."""
    assert [job["peak_bytes"] > 0 for job in worker._all_of([IDLE] * 3, tmp_path)] == [True] * 3
    with pytest.raises(RuntimeError, match="one of the processes has failed"):
        worker._all_of([IDLE, {"action": "none", "contender": "bpetok"}], tmp_path)


IDLE = {"action": "idle", "contender": "bpetok"}


# ---- encoders' vocabulary ----


@pytest.fixture
def encode_job(two_tasks: Planned, tmp_path: Path) -> EncodeJob:
    """A small vocabulary to load, with a token that is made twice."""
    settings, _ = two_tasks
    learned = pairs("i r", "s t", "ir st", "i rst", "f irst")
    vocabulary = encoding.write_vocabulary(learned, settings, tmp_path)
    ranks = dict(line.split() for line in vocabulary.tiktoken_ranks.read_text().splitlines())
    assert len(ranks) == 256 + 4
    return EncodeJob(
        tokenizer_json=str(vocabulary.tokenizer_json),
        tiktoken_ranks=str(vocabulary.tiktoken_ranks),
        merges=str(vocabulary.merges),
        special_tokens=vocabulary.special_tokens,
        pattern="gpt2",
        pattern_text=PATTERNS["gpt2"],
        n_threads=1,
        output="list",
    )


def contender(name: str) -> Any:
    return importlib.import_module(f"benchmarks.contenders.{name}")


def test_every_encoder_loads_the_same_ids(encode_job: EncodeJob) -> None:
    """tokenizer.json, tiktoken's ranks and the merges give equal ids, in each output."""
    pytest.importorskip("tokenizers")
    pytest.importorskip("tiktoken")
    texts = ["first, thirst \u00e9 \n\n first", "", "it"]
    found = []
    for name in ("bpetok", "tokenizers", "tiktoken"):
        for output in contender(name).outputs:
            encoder = contender(name).load(dataclasses.replace(encode_job, output=output))
            rows = encoder.ids(encoder.batch(texts))
            found.append([[int(i) for i in row] for row in rows])
    assert len(found) == 5
    assert all(each == found[0] for each in found)
    assert max(found[0][0]) == 256 + 3


def test_hard_texts_starts_and_files_are_measured(encode_job: EncodeJob, tmp_path: Path) -> None:
    """What the processes of the encode command do besides encoding the corpus."""
    (tmp_path / "text.txt").write_text(f"first{EOT}it")
    spec = {
        "job": dataclasses.asdict(dataclasses.replace(encode_job, output="array")),
        "files": [str(tmp_path / "text.txt")],
        "case": "CJK",
    }
    bpetok = contender("bpetok")
    assert worker.hard(bpetok, spec)["call_seconds"] > 0
    assert worker.to_file(bpetok, spec)["file_bytes"] == 2 * len([259, 260, 105, 116])
    assert worker.start(bpetok, spec) == worker.idle(bpetok, spec) == {}
    assert set(map(len, (text() for text in worker.HARD_TEXTS.values()))) == {10**6, 10**5}


def test_hard_texts_starts_and_files_are_laid_out() -> None:
    """A text at which a contender fails, and files that it can't write, among them."""
    common = {
        "corpus": "c",
        "vocab_size": 300,
        "pattern": "gpt2",
        "state": "",
        "n_bytes": 2 * 10**6,
    }
    common |= {"label": "x", "contender": "x", "repeat": 0}
    made = [
        {"kind": "start", "threads": 1, "output": "array", "wall_seconds": 0.25},
        {"kind": "idle", "threads": 1, "output": "array", "wall_seconds": 0.05},
        {"kind": "hard", "threads": 1, "output": "spaces", "call_seconds": 0.5},
        {"kind": "hard", "threads": 1, "output": "CJK", "error": "not done after 120 s"},
        {"kind": "to file", "threads": 2, "output": "array", "call_seconds": 0.01},
    ]
    table = tables.hard([common | each for each in made])
    assert table.splitlines()[-1] == "| x | 0.500 |  |  | fails | 200 | 200 |"
    assert "files to a file, 2 threads, MB/s" in table


def test_wrong_ids_are_counted_by_text() -> None:
    """The first wrong text is named."""
    found = encoding.compare_ids(["3 aa", "4 bb", "5 cc"], ["3 aa", "4 bx", "5 cx"])
    assert found == {"equal": False, "n_texts": 3, "n_wrong": 2, "index": 1}


# ---- the whole ----


def test_a_small_run_from_the_command_line_to_the_report(tmp_path: Path) -> None:
    """bpetok as it's installed next to tokenizers in an environment made on demand."""
    text = tmp_path / "text.txt"
    sources = [Path(inspect.getfile(module)).read_text() for module in (json, subprocess)]
    text.write_text(f"\n{EOT}\n".join(sources))
    output = tmp_path / "run"
    command = [sys.executable, "-m", "benchmarks", "train", "--corpus", str(text)]
    command += ["--contenders", "bpetok,tokenizers", "--threads", "1", "--repeats", "1"]
    command += ["--vocab-size", "400", "--output", str(output), "--cache", str(tmp_path / "cache")]
    command += ["--python", f"bpetok={sys.executable}"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=300)
    lines = (output / "records.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    measured = [(r["contender"], r["state"]) for r in found if r["kind"] == "train"]
    assert measured == [("bpetok", "cold"), ("bpetok", "cached"), ("tokenizers", "")]
    assert all(r["wall_seconds"] > r["call_seconds"] > 0 for r in found if r["kind"] == "train")
    cached, again = (
        next(r["call_seconds"] for r in found if (r["kind"], r["state"]) == (kind, "cached"))
        for kind in ("train", "again")
    )
    assert again < cached
    compared = {r["contender"]: r for r in found if r["kind"] == "comparison"}
    assert compared["bpetok"]["equal"]
    assert compared["tokenizers"]["n_merges"] == 400 - 256 - 1
    assert compared["tokenizers"]["equal"] or compared["tokenizers"]["difference"] == "byte order"
    report = (output / "report.md").read_text()
    assert "| bpetok (files), cached kernels | equal | 1 |" in report
    assert "Not measured" not in report
    for name in ("time", "memory"):
        assert (output / f"{name}.png").stat().st_size > 10_000
        assert b"prefers-color-scheme:dark" in (output / f"{name}.svg").read_bytes()
    (output / "records.jsonl").write_text("\n".join(lines[:-1]) + "\n")
    subprocess.run(command, cwd=ROOT, check=True, timeout=300)
    again = (output / "records.jsonl").read_text().splitlines()
    assert again[: len(lines) - 1] == lines[:-1]
    assert len(again) == len(lines)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--vocab-size", "256"], "vocab_size must be at least"),
        (["--repeats", "0"], "repeats must be at least 1"),
    ],
)
def test_bad_requests_are_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """Nothing is installed, and the message says the bound."""
    output = ["--output", str(tmp_path / "run")]
    assert cli.main(["train", "--corpus", str(tmp_path), *output, *arguments]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
