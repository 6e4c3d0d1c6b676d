"""The measuring commands: which processes, in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from io import StringIO
from pathlib import Path

from benchmarks.corpus import plain_files, prefixes
from benchmarks.measure import JobError
from benchmarks.merges import first_difference, read_merges
from benchmarks.patterns import PATTERNS
from benchmarks.reasons import CorpusWords, Learned, Words, compare, count_words
from benchmarks.records import Record, RunFolder, key
from benchmarks.roster import Ready
from benchmarks.tasks import (
    FORMATS,
    Settings,
    Task,
    about,
    count_task,
    execute,
    identity,
    in_turns,
    states,
    train_task,
    written_formats,
)
from benchmarks.worker import read_texts

N_SIZES = 6
"""Corpus sizes in ``scaling``, each twice the one before: 1.5 decades."""


def run_train(
    ready: Sequence[Ready], folder: RunFolder, settings: Settings, reference: str
) -> None:
    """Compare what all learn, then measure them in turns."""
    check_merges(ready, folder, settings, reference)
    able = _able(ready, folder, "check")
    tasks = [
        train_task("train", contender, settings, threads, state)
        for threads in settings.threads
        for contender in able
        for state in states(contender)
    ]
    tasks += [
        train_task("again", contender, settings, threads, "cached")
        for threads in settings.threads
        for contender in able
        if contender.module.compiles
    ]
    execute(in_turns(tasks, settings.repeats), folder, settings, "train")


def run_stages(ready: Sequence[Ready], folder: RunFolder, settings: Settings) -> None:
    """Measure the stages of the trainers that tell them."""
    tasks = [
        train_task("stages", contender, settings, threads, state)
        for contender in ready
        if hasattr(contender.module, "stages")
        for threads in settings.threads
        for state in states(contender)
    ]
    execute(in_turns(tasks, settings.repeats), folder, settings, "stages")


def run_scaling(ready: Sequence[Ready], folder: RunFolder, settings: Settings) -> None:
    """Measure growing prefixes with the most threads, and the whole corpus with each number."""
    sizes = [settings.corpus.n_bytes >> power for power in reversed(range(N_SIZES))]
    grown = [
        replace(settings, corpus=corpus)
        for corpus in prefixes(settings.corpus, sizes, settings.cache)
    ]
    points = [(each, max(settings.threads)) for each in grown]
    points += [
        (grown[-1], threads) for threads in settings.threads if threads != max(settings.threads)
    ]
    tasks = [
        train_task("scaling", contender, each, threads, states(contender)[-1])
        for each, threads in points
        for contender in ready
    ]
    execute(in_turns(tasks, settings.repeats), folder, settings, "scaling")
    _run_formats(ready, folder, settings)


def _run_formats(ready: Sequence[Ready], folder: RunFolder, settings: Settings) -> None:
    """Measure counting of the corpus as files of each format, and as many processes as threads."""
    tasks = []
    for contender in ready:
        if not hasattr(contender.module, "count"):
            continue
        try:
            files = written_formats(contender, settings)
        except JobError as error:
            failed = identity("formats", contender, settings, settings.threads[0])
            folder.add(failed | about(settings.corpus, contender) | {"error": str(error)})
            continue
        tasks += [
            count_task(contender, settings, files[name], name, threads, apart=apart)
            for name in FORMATS
            for threads in settings.threads
            for apart in ([False, True] if threads > 1 else [False])
        ]
    execute(in_turns(tasks, settings.repeats), folder, settings, "formats")


def check_merges(
    ready: Sequence[Ready], folder: RunFolder, settings: Settings, reference: str
) -> None:
    """Let each train once with each number of threads, unmeasured, and compare the merges."""
    tasks = []
    for threads in settings.threads:
        for contender in ready:
            task = train_task("check", contender, settings, threads, states(contender)[-1])
            task.spec["learned_file"] = str(folder.learned_file(task.identity))
            tasks.append(task)
    n_before = len(folder.records)
    execute(tasks, folder, settings, "what each learns")
    if len(folder.records) > n_before or any(
        key(identity("comparison", contender, settings, settings.threads[0])) not in folder.done
        for contender in ready
    ):
        _compare_all(tasks, folder, settings, reference)


def _compare_all(
    tasks: Sequence[Task], folder: RunFolder, settings: Settings, reference: str
) -> None:
    """Compare each contender with the reference, and record how far they agree."""
    merges = {
        (task.contender, task.identity["threads"]): read_merges(Path(task.spec["learned_file"]))
        for task in tasks
        if key(task.identity) in folder.done
    }
    by_name = {
        contender.name: Learned(each, contender.module.cuts, contender.module.ties)
        for (contender, threads), each in merges.items()
        if threads == settings.threads[0]
    }
    first = reference if reference in by_name else next(iter(by_name), "")
    words = lazy_words(settings)
    for contender in dict.fromkeys(who for who, _ in merges if who.name in by_name):
        mine = by_name[contender.name].merges
        lists = [each for (who, _), each in merges.items() if who == contender]
        record = comparison(by_name, contender.name, first, words) | {
            "n_merges": len(mine),
            "other_work": contender.module.other_work,
            "same_in_every_run": all(first_difference(mine, each) is None for each in lists),
        }
        folder.add(identity("comparison", contender, settings, settings.threads[0]) | record)


def comparison(
    by_name: Mapping[str, Learned], name: str, reference: str, words: CorpusWords
) -> Record:
    """Compare a list with the reference and, where it differs, with the one it follows longest."""
    mine = by_name[name]
    tokens = {b"".join(merge) for merge in by_name[reference].merges}
    n_common = len(tokens & {b"".join(merge) for merge in mine.merges})
    difference = compare(by_name[reference], mine, words)
    record: Record = {"reference": reference, "equal": difference is None, "n_common": n_common}
    if difference is None:
        return record
    spelled = [" + ".join(repr(part)[1:] for part in pair) or "none" for pair in difference.pairs]
    record |= {"index": difference.index, "pairs": spelled}
    record |= {"difference": difference.kind, "why": difference.why}
    record["equal_to"] = [
        other
        for other, each in by_name.items()
        if other != name and first_difference(each.merges, mine.merges) is None
    ]
    return record | ({} if record["equal_to"] else _nearest(by_name, name, difference.index, words))


def _nearest(by_name: Mapping[str, Learned], name: str, index: int, words: CorpusWords) -> Record:
    """Compare with the contender before this one whose merges it follows longest, past an index."""
    mine = by_name[name]
    before = list(by_name)[: list(by_name).index(name)]
    places = {other: first_difference(by_name[other].merges, mine.merges) or 0 for other in before}
    nearest = max(places, key=lambda other: places[other], default=name)
    if places.get(nearest, 0) <= index:
        return {}
    closer = compare(by_name[nearest], mine, words)
    if closer is None:
        return {}
    return {
        "nearest": nearest,
        "nearest_index": closer.index,
        "nearest_difference": closer.kind,
        "nearest_why": closer.why,
    }


def lazy_words(settings: Settings) -> CorpusWords:
    """Split the corpus into words in each way that trainers do, when it's first asked for."""
    pattern = PATTERNS[settings.pattern]
    corpus = settings.corpus

    @cache
    def by_text() -> Words:
        files = [str(file) for file in corpus.files]
        return count_words(read_texts(files, list(corpus.special_tokens)), pattern)

    def plain_texts() -> list[str]:
        return read_texts([str(file) for file in plain_files(corpus, settings.cache)], [])

    @cache
    def by_file() -> Words:
        return count_words(plain_texts(), pattern)

    @cache
    def by_line() -> Words:
        lines = (line for text in plain_texts() for line in StringIO(text, newline="\n"))
        return count_words(lines, pattern)

    return CorpusWords({"texts": by_text, "files": by_file, "lines": by_line})


def _able(ready: Sequence[Ready], folder: RunFolder, kind: str) -> list[Ready]:
    """Leave out the contenders whose check failed."""
    able = {
        record["contender"]
        for record in folder.records
        if record["kind"] == kind and "error" not in record
    }
    return [contender for contender in ready if contender.name in able]
