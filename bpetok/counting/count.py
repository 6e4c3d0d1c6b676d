"""Count the words of files, tables and iterables: the first half of training."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from bpetok.base.checks import Reserved, check_iterable, plain
from bpetok.base.display import show_some
from bpetok.base.limits import DEFAULT_PATTERN
from bpetok.base.notes import note
from bpetok.base.progress import OnProgress, Progress, reporting
from bpetok.base.records import NamedTuple
from bpetok.counting.chunks import count_pieces, count_segments, without_rare
from bpetok.counting.memory import NO_LIMITS, CountLimits, RareWords, check_limits
from bpetok.counting.options import CountOptions, check_count_options
from bpetok.counting.words import Words
from bpetok.patterns.chains import Pattern
from bpetok.patterns.changes import check_changes
from bpetok.sources.corpus import Corpus, Files, resolve_corpus
from bpetok.sources.files import StrPath, in_order
from bpetok.sources.pieces import text_pieces
from bpetok.sources.reading import NullTexts, Reading, ReadOptions, check_reading, decoders_for
from bpetok.sources.segments import (
    Segment,
    corpus_segments,
    has_parts,
    reads_again,
    whole_segment,
)
from bpetok.sources.sharing import Readers
from bpetok.sources.tables import is_column, is_table
from bpetok.sources.use import check_corpora

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bpetok.counting.checkpoint import Checkpoint
    from bpetok.patterns.normalizers import Spec

WeightedFiles: TypeAlias = Files | Iterable[tuple[Files, float]]


def count_words(
    files: WeightedFiles,
    *,
    pattern: Pattern = DEFAULT_PATTERN,
    normalizer: Spec | None = None,
    prefix_space: bool = False,
    special_tokens: Iterable[str | Reserved] = (),
    n_threads: int | None = None,
    errors: str = "strict",
    unmatched: str = "error",
    max_memory: int | str | None = None,
    min_word_count: int | Literal["auto"] = 1,
    progress: Progress = False,
    checkpoint: StrPath | None = None,
    **reading: Unpack[Reading],
) -> Words:
    """Count the words of files.

    Parameters
    ----------
    files : path, URL, folder, glob pattern or table, or iterable of them
        Text in UTF-8 (each file is one text), JSON lines, Parquet and Arrow files; ``"-"`` is
        standard input. A URL such as ``s3://...`` is opened by fsspec. Tables are Hugging Face
        datasets and whatever has ``__arrow_c_stream__``, such as a pyarrow or a Polars table. The
        text of a record is one text, null texts are left out with a warning. A file given twice
        counts twice, and that is logged, by the logger "bpetok" at the level INFO. Pairs of (files,
        weight) are counted apart and added up as `Words.combine` does.
    pattern : str or list of steps
        Name of a split pattern (`bpetok.patterns.names`), a regular expression, or a list of steps,
        each of which splits the pieces that the one before leaves.
        Expressions are compiled. What can't be compiled is run by `regex` in `n_threads` processes,
        slower by far, as a warning says; with that and with "none" a long text is held in memory as
        a whole.
    normalizer : str, mapping or list, optional
        What a text between special tokens becomes before it is split, as `Tokenizer` takes it:
        "NFC", "NFKC", "Lowercase" ... or several steps. With "Strip", "Replace" and "Prepend" a
        long text is held in memory as a whole.
    prefix_space : bool
        Whether to put a space before a text between special tokens, if it does not begin with one,
        as tokenizers with `Tokenizer.prefix_space` do. A long text is held in memory as a whole.
    special_tokens : iterable of str
        Texts between words: boundaries which are not counted. Those that never occur are logged, by
        the logger "bpetok" at the level INFO.
    n_threads : int, optional
        By default the environment variable BPETOK_NUM_THREADS, or if it is not set, as many as
        there are CPUs that this process may use. The result does not depend on it.
    errors : {"strict", "replace"}
        What to do with bytes that are not UTF-8: raise, or count U+FFFD as ``bytes.decode`` does.
    unmatched : {"error", "word", "drop"}
        What to do with text that an expression does not match: raise, count it as a word, or leave
        it out. Built-in patterns match all text.
    max_memory : int or str, optional
        Bytes that counting may take beyond what Python itself does, such as "4GB" (4 * 10**9) or
        "4GiB" (4 * 2**30). What is more goes to files in the system's folder for temporary files
        (the environment variable TMPDIR) and is merged in the end; the words that it returns are
        within the bound too. A single word is held as a whole all the same, and so is a record of
        Parquet or Arrow; of a long line of JSON only the rest is held: not its texts, nor other
        strings of 64 kB or more.
    min_word_count : int or "auto"
        Leave out words that come less often in all of the text, with a warning that says which
        share of it they were. "auto": only if, and as many as, `max_memory` demands.
    progress : bool or callable
        True shows a bar; a callable is called with ("count", bytes done, bytes in all).
    checkpoint : path, optional
        A folder, new or of an earlier run, where the words of what has been read are saved every
        minute. A run that was interrupted, in whatever way, goes on from there when it is called
        again, with the same result: in the middle of a file, too, where a row group of Parquet, a
        record batch of Arrow, or a line of JSON or a word of text begins. Needs the extra `arrow`.
        Adding up what was saved may take about 50 MB more than a `max_memory` that is just enough.
    **reading
        Which column, how much of it: `format`, `text_column`, `sample`, `seed`, `max_text_chars`
        and `max_bytes`, see `bpetok.Reading`. `max_bytes` is for each weighted source.

    Returns
    -------
    Words

    Raises
    ------
    FileNotFoundError, PermissionError
        If there is no such file or it may not be read, before anything is counted.
    OSError
        If a file changes while it is read.
    ImportError
        If a format or a URL needs a package that is not installed; the message says which.
    ValueError
        If a file is damaged, has no such column, is not UTF-8 or, with ``unmatched="error"``, not
        matched by an expression (the message has the file and the offset or the row); if an option
        is out of its range; or if a checkpoint is of another run: a file, an option or bpetok has
        changed since, and the message says which.
    TimeoutError
        If an expression takes too long on a text: about 100 times longer than common ones.
    """
    changes = check_changes(normalizer, prefix_space)
    options = check_count_options(
        pattern, special_tokens, n_threads, errors, unmatched, changes=changes
    )
    job = prepare_count(files, options, reading, check_limits(max_memory, min_word_count))
    check_jobs(job)
    with reporting(progress) as report, checkpointing(checkpoint, job, {}) as saved:
        words = count_job(job, report, saved)
    job.null_texts.warn(stacklevel=3)
    job.rare.warn(words.total, words.n_bytes, stacklevel=3)
    return words


def count_words_from_iterator(
    texts: Iterable[str | bytes],
    *,
    pattern: Pattern = DEFAULT_PATTERN,
    normalizer: Spec | None = None,
    prefix_space: bool = False,
    special_tokens: Iterable[str | Reserved] = (),
    n_threads: int | None = None,
    errors: str = "strict",
    unmatched: str = "error",
    max_memory: int | str | None = None,
    min_word_count: int | Literal["auto"] = 1,
    progress: Progress = False,
) -> Words:
    """Count the words of texts as they come; they are never all in memory.

    The texts are str, or bytes in UTF-8. No word runs from one text into the next. For the other
    parameters see `count_words`.

    Raises
    ------
    TypeError
        If a text is neither str nor bytes.
    ValueError
        If a text has a lone surrogate or is not UTF-8, or an option is out of its range.
    """
    changes = check_changes(normalizer, prefix_space)
    options = check_count_options(
        pattern, special_tokens, n_threads, errors, unmatched, changes=changes
    )
    rare = RareWords(check_limits(max_memory, min_word_count))
    with reporting(progress) as report:
        words = count_texts(texts, options, rare, report)
    rare.warn(words.total, words.n_bytes, stacklevel=3)
    return words


def count_texts(
    texts: Iterable[str | bytes], options: CountOptions, rare: RareWords, report: OnProgress
) -> Words:
    """Count the words of texts as they come."""
    rare.limits.check_counting(options.pattern, options.n_threads)
    pieces = text_pieces(texts, options.cutting, options.errors)
    words = count_pieces(pieces, options, rare, lambda n_bytes: report("count", n_bytes, None))
    _log_unseen(options)
    return without_rare(words, rare)


class CountJob(NamedTuple):
    """What to count and how, all checked.

    parts : list of (Corpus, weight)
    null_texts : NullTexts
        How many texts were null so far.
    """

    parts: list[tuple[Corpus, float]]
    options: CountOptions
    reading: ReadOptions
    weighted: bool
    rare: RareWords
    null_texts: NullTexts


def prepare_count(
    files: WeightedFiles,
    options: CountOptions,
    reading: Reading,
    limits: CountLimits = NO_LIMITS,
) -> CountJob:
    """Check what to read and find it."""
    read_options = check_reading(reading)
    parts, weighted = _weighted_parts(files)
    corpora = [
        (resolve_corpus(part, read_options, options.n_threads), weight) for part, weight in parts
    ]
    limits.check_counting(options.pattern, options.n_threads)
    if limits.max_memory is not None and weighted:
        raise ValueError("max_memory can't be kept with weighted sources: leave one of them out")
    return CountJob(corpora, options, read_options, weighted, RareWords(limits), NullTexts())


def check_jobs(*jobs: CountJob) -> None:
    """Check what all of them read, and the options of reading, which are the same."""
    check_corpora([corpus for job in jobs for corpus, _ in job.parts], jobs[0].reading)


def _weighted_parts(files: WeightedFiles) -> tuple[list[tuple[Files, float]], bool]:
    """Return pairs of files and weight, and whether they are weighted at all."""
    if isinstance(files, str | os.PathLike) or is_table(files) or is_column(files):
        return [(files, 1)], False
    what = "a path, a table or an iterable of them"
    if isinstance(files, Mapping):
        raise TypeError(
            f"files must be {what}, not a mapping: give its .values(), or its .items() if they "
            "are pairs of files and weights"
        )
    check_iterable("files", files, what)
    items = list(in_order(plain("files", files)))
    pairs = [item for item in items if isinstance(item, tuple)]
    if not pairs:
        return [(items, 1)], False
    if len(pairs) < len(items) or any(len(pair) != 2 for pair in pairs):
        raise TypeError("files must be all pairs of (files, weight), or none of them")
    from bpetok.counting.weights import check_weight

    return [(part, float(check_weight(i, weight))) for i, (part, weight) in enumerate(pairs)], True


def checkpointing(
    folder: StrPath | None, job: CountJob, learning: dict[str, Any]
) -> AbstractContextManager[Checkpoint | None]:
    """Open the checkpoint of a run, if one is wanted; `learning` is what else the result is of.

    Raises
    ------
    OSError, ValueError
        As `bpetok.counting.checkpoint.open_checkpoint`; or if there is something to read that
        can't be read again.
    """
    if folder is None:
        return nullcontext()
    from bpetok.counting.checkpoint import open_checkpoint

    if job.reading.max_bytes is not None:
        raise ValueError("checkpoint and max_bytes exclude each other: give fewer files")
    for corpus, _ in job.parts:
        for number in np.flatnonzero(corpus.sizes < 0).tolist():
            source = corpus.sources[number]
            if not reads_again(source):
                name = source if isinstance(source, str) else type(source).__name__
                raise ValueError(f"checkpoint needs files, which can be read again; got {name!r}")
    options = job.options
    run = {
        **options.split._asdict(),
        "errors": options.errors,
        "unmatched": options.unmatched,
        **job.reading.identity(),
        "weights": [weight for _, weight in job.parts] if job.weighted else None,
        **learning,
    }
    parts = [[str(name) for name in corpus.sources] for corpus, _ in job.parts]
    return open_checkpoint(folder, run, parts)


def count_job(
    job: CountJob,
    report: OnProgress,
    checkpoint: Checkpoint | None = None,
    on_part: Callable[[int], object] | None = None,
) -> Words:
    """Count the words of all parts and add them up.

    `on_part` is called with the bytes of text of each part, before they are weighted.
    """
    totals = [corpus.total for corpus, _ in job.parts]
    total = None if None in totals else sum(filter(None, totals))
    done = checkpoint.n_bytes_counted() if checkpoint is not None else 0
    resumed = done > 0
    counted: list[tuple[Words, float]] = []

    context = job.options.read_context(job.reading, job.null_texts)
    stop = context.stop

    def count(segments: Iterable[Segment], rare: RareWords, readers: Readers) -> Words:
        nonlocal done
        before = done

        def on_count(n_bytes: int) -> None:
            nonlocal done
            done = before + n_bytes
            report("count", done, total)

        return count_segments(segments, job.options, rare, job.null_texts, readers, stop, on_count)

    with decoders_for(job.options.n_threads) as decoders:
        context = context._replace(decoders=decoders)
        for number, (corpus, weight) in enumerate(job.parts):
            if checkpoint is not None:
                from bpetok.counting.saving import count_saving

                job.null_texts.n_null += checkpoint.n_null(number)
                again = partial(count, readers=_readers(job))
                words = count_saving(number, corpus, context, again, checkpoint, job.rare)
            elif job.options.in_order or not has_parts(corpus, context):
                words = count([whole_segment(corpus, context)], job.rare, Readers(1, 1))
            else:
                words = count(corpus_segments(corpus, context), job.rare, _readers(job))
            counted.append((words, weight))
            if on_part is not None:
                on_part(words.n_bytes)
    words = Words.combine(counted) if job.weighted else counted[0][0]
    if not resumed:  # otherwise nobody knows what was found before
        _log_unseen(job.options)
    return without_rare(words, job.rare)


def _readers(job: CountJob) -> Readers:
    """Return how many sources are read at a time, for which there must be room."""
    n_threads, limits = job.options.n_threads, job.rare.limits
    n_remote = job.reading.n_remote(n_threads)
    return Readers(limits.n_readers(n_threads, n_threads), limits.n_readers(n_remote, n_threads))


def _log_unseen(options: CountOptions) -> None:
    """Log which special tokens never occur: often they are meant for later, or misspelled."""
    unseen = {token.decode() for token in options.cutting.special_tokens.unseen()}
    if unseen:
        tokens = [token for token in options.special_tokens if token in unseen]
        what = (
            "1 special token never occurs"
            if len(tokens) == 1
            else f"{len(tokens):,} special tokens never occur"
        )
        note("%s in the text: %s", what, show_some(tokens), unseen=tokens)
