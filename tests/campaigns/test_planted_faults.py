"""Each campaign finds a fault that is planted in what it compares, so none checks nothing."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest

pytest.importorskip("resource")  # Windows has none

from campaigns import runner
from campaigns.registry import CAMPAIGNS, open_campaign

CALLS = count()


def half_written(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return files; one of them differs in each run."""
    return {**files, "out/a": bytes(next(CALLS))}


PLANTED = {
    "scanner": [
        ("campaigns.scanner.regex_words", lambda words: words[:-1]),
        ("campaigns.scanner.words_of", lambda words: words[::-1]),
        ("campaigns.scanner.scan.check_utf8", lambda at: at + 1),
        ("campaigns.scanner.scan.split_words", lambda words: [b"".join(words)]),
    ],
    "learner": [
        ("reference.learn_merges", lambda found: (found[0], [n + 1 for n in found[1]])),
        ("reference.learn_merges", lambda found: (found[0][::-1], found[1])),
        ("bpetok.tokenizer.Tokenizer.truncate", lambda tok: tok.truncate(tok.vocab_size - 1)),
        ("reference.encode_word", lambda ids: ids[::-1]),
    ],
    "encoder": [
        (f"bpetok.tokenizer.Tokenizer.{name}", fault)
        for name, fault in {
            "encode": lambda ids: ids[::-1],
            "encode_ordinary": lambda ids: ids[1:],
            "encode_to_numpy": lambda ids: ids.astype("int64"),
            "count_tokens": lambda n: n + 1,
            "encode_with_offsets": lambda found: (found[0], [(0, 0), *found[1][1:]]),
            "encode_batch": lambda rows: rows[::-1],
            "encode_batch_to_numpy": lambda found: (found[0], found[1][::-1]),
            "encode_iterable": lambda ids: list(ids)[1:],
            "decode": lambda text: text[1:],
            "decode_bytes": lambda data: data + b"a",
            "decode_batch": lambda texts: texts[1:],
            "encode_files": lambda written: (written.files[-1].write_bytes(b"ab"), written)[1],
        }.items()
    ],
    "documents": [
        ("bpetok.tokenizer.Tokenizer.encode", lambda ids: ids[::-1]),
        ("bpetok.tokenizer.Tokenizer.encode_batch", lambda rows: rows[1:]),
        ("bpetok.tokenizer.Tokenizer.decode", lambda text: text + "a"),
        ("bpetok.tokenizer.Tokenizer.from_pretrained", lambda tok: tok.truncate(256)),
    ],
    "chains": [
        ("campaigns.chains.split_words", lambda words: [b"".join(words)]),
        ("campaigns.chains.compile_splitter", lambda _: lambda text, *_: [text.encode()]),
        ("bpetok.pretokenize", lambda words: words[1:]),
        ("bpetok.counting.words.Words.to_dict", lambda counts: {**counts, b"more": 1}),
        ("bpetok.tokenizer.Tokenizer.encode", lambda ids: ids[1:]),
    ],
    "json": [
        ("campaigns.json_lines.right_texts", lambda texts: texts[:-1]),
        ("campaigns.json_lines.ends_of", lambda ends: ends[1:]),
        ("bpetok.counting.words.Words.to_dict", lambda counts: {**counts, b"more": 1}),
    ],
    "files": [
        ("campaigns.scanner.regex_words", lambda words: words[:-1]),
        ("bpetok.counting.words.Words.to_dict", lambda counts: {**counts, b"more": 1}),
        ("bpetok.tokenizer.Tokenizer.decode", lambda text: text[1:]),
        ("bpetok.counting.words.Words.load", lambda words: words.missing),
    ],
    "kills": [
        ("campaigns.jobs.contents", half_written),
        ("campaigns.jobs.scratch_files", lambda _: ["tmp/a"]),
        ("campaigns.jobs.finish", lambda done: done._replace(status=1)),
    ],
    "io": [
        ("campaigns.jobs.contents", half_written),
        ("campaigns.jobs.finish", lambda done: done._replace(status=1)),
    ],
}
"""What is changed, and how its results are."""


def first_failure(name: str, scratch: Path, n_inputs: int) -> Exception | None:
    """Return what is raised by the first input that fails."""
    campaign = open_campaign(CAMPAIGNS[name], scratch)
    for number in range(n_inputs):
        error = runner.failure_of(campaign, runner.draw(campaign, name, 0, number))
        if error is not None:
            return error
    return None


def test_each_campaign_has_planted_faults() -> None:
    """None is forgotten."""
    assert set(PLANTED) == set(CAMPAIGNS)


@pytest.mark.parametrize("name", ["scanner", "learner", "encoder", "documents", "chains", "json"])
def test_nothing_is_found_where_nothing_is_planted(name: str, tmp_path: Path) -> None:
    """In the inputs in which a planted fault is found."""
    assert first_failure(name, tmp_path, 20) is None


@pytest.mark.parametrize(
    ("name", "target", "fault"),
    [(name, *planted) for name, faults in PLANTED.items() for planted in faults],
)
def test_a_planted_fault_is_found(
    name: str,
    target: str,
    fault: Callable[[Any], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Within few inputs."""
    owner, _, attribute = target.rpartition(".")
    right = resolve_name(owner)
    before = getattr(right, attribute)
    monkeypatch.setattr(target, lambda *args, **kwargs: fault(before(*args, **kwargs)))
    assert first_failure(name, tmp_path, 60) is not None
