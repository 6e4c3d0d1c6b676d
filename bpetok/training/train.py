"""The pipeline: text -> words -> merges -> Tokenizer.

sources   files, iterables  -> chunks of bytes
words     chunks            -> Words, unique words with counts
merges    Words             -> merges, in learning order
tokenizer merges            -> Tokenizer
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from bpetok.base.progress import OnProgress, Progress, reporting
from bpetok.base.version import __version__
from bpetok.counting.count import WeightedFiles, checkpointing, count_job, prepare_count
from bpetok.counting.memory import Bounds
from bpetok.counting.words import Words, count_pieces
from bpetok.encoding.facts import TrainingFacts
from bpetok.learning.learner import Learner, Merges, load_kernels, load_parallel_kernels
from bpetok.sources.files import StrPath
from bpetok.sources.pieces import text_pieces
from bpetok.sources.reading import Reading
from bpetok.tokenizer import Tokenizer
from bpetok.training.compat import LONGEST
from bpetok.training.continuing import start_after
from bpetok.training.plan import Learning, Plan, Splitting, make_plan

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bpetok.counting.checkpoint import Checkpoint

LARGE_TEXT = 1_000_000_000
"""Bytes from which on the words are learned from on several threads, as good as certainly."""
NO_MERGES = Merges(np.empty((0, 2), np.int32), np.empty(0, np.int64))


def train(
    files: WeightedFiles,
    *,
    vocab_size: int,
    pattern: str | None = None,
    special_tokens: Iterable[str] = (),
    min_frequency: int = 1,
    max_token_length: int | None = None,
    n_threads: int | None = None,
    errors: str = "strict",
    unmatched: str | None = None,
    compat: str | None = None,
    initial: Tokenizer | None = None,
    max_memory: int | str | None = None,
    min_word_count: int | Literal["auto"] = 1,
    progress: Progress = False,
    checkpoint: StrPath | None = None,
    **reading: Unpack[Reading],
) -> Tokenizer:
    """Train a tokenizer on files.

    Parameters
    ----------
    files : path, URL, folder, glob pattern or table, or iterable of them
        Text, JSON lines, Parquet, Arrow, datasets, all or some of them weighted: see `count_words`.
    vocab_size : int
        Number of ids: 256 bytes, the merges and the special tokens, whose ids follow the merges.
    pattern : str, optional
        Name of a split pattern (`bpetok.patterns.names`), or a regular expression; by default
        "gpt2". Expressions that are not built in are slower by far: `regex` runs them, in
        `n_threads` processes. With them and with "none" a long text is held in memory as a whole.
    special_tokens : iterable of str
        Texts that stand between words: boundaries which are not counted.
    min_frequency : int
        Stop where the best pair stands less often.
    max_token_length : int, optional
        Make no token of more bytes: pairs that would be longer are passed over. It changes what is
        learned, not what a tokenizer is: all formats hold it, and no reader needs to know of it.
    n_threads : int, optional
        By default the environment variable BPETOK_NUM_THREADS, else as many as there are CPUs that
        this process may use. The result does not depend on it.
    errors : {"strict", "replace"}
        What to do with bytes that are not UTF-8: raise, or count U+FFFD as ``bytes.decode`` does.
    unmatched : {"error", "word", "drop"}, optional
        What to do with text that an expression does not match: raise, count it as a word, or leave
        it out; by default raise, or what `compat` does. Built-in patterns match all text. Encoding
        makes words of it in any case.
    compat : {"huggingface", "rustbpe", "bpeasy", "minbpe", "cs336"}, optional
        Learn the merges that another trainer learns from the same text, in the same order.
        README has a table of what differs. "huggingface" lays out ids as it does, too: special
        tokens, bytes in its order, merges. Limits that the trainer does not have are refused.
        Counts are exact where those of "huggingface" and "rustbpe" wrap around, at 2**31.
    initial : Tokenizer, optional
        Keep all its ids and merges, and learn more of them. New merges have the next ids after its
        largest, new special tokens those behind them; `vocab_size` counts all. From the same text
        that gives what one training gives, if it has no special tokens, whose ids would else be
        behind all merges.
    max_memory : int or str, optional
        Bytes that training may take beyond what Python itself does, such as "4GB": counting as in
        `count_words`; what learning will take is said before it starts, if it is more.
    min_word_count : int or "auto"
        Learn without words that come less often, with a warning that says which share of the text
        they were. "auto": only if, and as many as, `max_memory` demands.
    progress : bool or callable
        True shows a bar for each phase; a callable is called as ``progress(phase, done, total)``
        with the phases "count" (in bytes) and "learn" (in merges).
    checkpoint : path, optional
        A folder, new or of an earlier run, where the words of what has been read and the merges
        learned are saved every minute. A run that was interrupted, in whatever way, goes on from
        there when it is called again, with the same result. Needs the extra `arrow`.
    **reading
        Which column, how much of it: see `bpetok.Reading`.

    Returns
    -------
    Tokenizer
        With fewer merges than asked for, and a warning, where the text gives no more.

    Raises
    ------
    OSError, ImportError
        If a file can't be read or changes meanwhile, or a format needs what is not installed.
    TypeError, ValueError
        If an option is out of its range, a file is damaged, has no such column or is not UTF-8 (the
        message has the file and the offset), or not matched by an expression; or a checkpoint is of
        another run. Options and paths are checked before any work.
    TimeoutError
        If an expression takes too long on a text: some hundred times longer than common ones.
    """
    learning = Learning(vocab_size, min_frequency, max_token_length, compat, initial)
    plan = make_plan(Splitting(pattern, special_tokens, n_threads, errors, unmatched), learning)
    bounds = Bounds(max_memory, min_word_count)
    job = prepare_count(files, plan.counting, reading, bounds)
    if plan.counting.in_order and (job.weighted or checkpoint is not None or max_memory):
        raise ValueError(
            f"compat={compat!r} goes by the order of the words in the text, which weights, "
            "checkpoint and max_memory do not keep: leave them out"
        )
    identity = {**learning.identity(), **bounds.facts}
    with reporting(progress) as report, checkpointing(checkpoint, job, identity) as saved:
        n_known = sum(corpus.total or 0 for corpus, _ in job.parts)
        shared = n_known >= LARGE_TEXT and plan.counting.n_threads > 1
        words, seconds = _while_loading(lambda: count_job(job, report, saved), shared)
        words = _fitting(words, plan.n_merges, bounds)
        run = _prepare(words, plan, seconds, saved)
        del words  # which take memory while merges are learned
        return _learn(run, plan, report)


def train_from_iterator(
    texts: Iterable[str | bytes],
    *,
    vocab_size: int,
    pattern: str | None = None,
    special_tokens: Iterable[str] = (),
    min_frequency: int = 1,
    max_token_length: int | None = None,
    n_threads: int | None = None,
    errors: str = "strict",
    unmatched: str | None = None,
    compat: str | None = None,
    initial: Tokenizer | None = None,
    progress: Progress = False,
) -> Tokenizer:
    """Train a tokenizer on texts as they come; they are never all in memory.

    The texts are str, or bytes in UTF-8. No word runs from one text into the next. For the other
    parameters see `train`.

    Raises
    ------
    TypeError, ValueError
        If an option is out of its range, before any text is taken; if a text is neither str nor
        bytes, has a lone surrogate or is not UTF-8.
    """
    plan = make_plan(
        Splitting(pattern, special_tokens, n_threads, errors, unmatched),
        Learning(vocab_size, min_frequency, max_token_length, compat, initial),
    )
    counting = plan.counting
    pieces = text_pieces(texts, counting.specials, pattern=counting.pattern)
    with reporting(progress) as report:
        words, seconds = _while_loading(lambda: count_pieces(pieces, counting, report, None))
        run = _prepare(words, plan, seconds)
        del words  # as above
        return _learn(run, plan, report)


def train_from_words(
    words: Words | Mapping[bytes, int] | Iterable[tuple[bytes, int]],
    *,
    vocab_size: int,
    pattern: str | None = None,
    special_tokens: Iterable[str] | None = None,
    min_frequency: int = 1,
    max_token_length: int | None = None,
    n_threads: int | None = None,
    compat: str | None = None,
    initial: Tokenizer | None = None,
    max_memory: int | str | None = None,
    min_word_count: int | Literal["auto"] = 1,
    progress: Progress = False,
    checkpoint: StrPath | None = None,
) -> Tokenizer:
    """Train a tokenizer on words that have been counted.

    Parameters
    ----------
    words : Words, mapping of bytes to int, or iterable of (bytes, int)
        Words with their counts; a word that comes several times has the sum of its counts.
    pattern, special_tokens : optional
        What the tokenizer will split text with; by default what the words were counted with
        ("gpt2" and none if that is not known).

    For the other parameters see `train`. With `compat` the words must have been split as that
    trainer does; for "minbpe" they must not be a Words, since their order decides ties, and it must
    be that of the text.

    Raises
    ------
    TypeError, ValueError
        If an option is out of its range, a word is not bytes, or a count is not an int, is
        negative, or the counts times the
        lengths of their words sum to 2**63 or more.
    """
    if isinstance(words, Words):
        pattern = words.pattern if pattern is None else pattern
        special_tokens = words.special_tokens if special_tokens is None else special_tokens
    learning = Learning(vocab_size, min_frequency, max_token_length, compat, initial)
    plan = make_plan(Splitting(pattern, special_tokens or (), n_threads), learning)
    if plan.counting.in_order and isinstance(words, Words):
        raise ValueError(
            f"words must be a mapping or pairs with compat={compat!r}, in the order in which the "
            "text has them first, and not a Words, which has lost it"
        )
    bounds = Bounds(max_memory, min_word_count)
    given = words
    words, seconds = _while_loading(
        lambda: given if isinstance(given, Words) else Words.from_counts(given)
    )
    identity = {
        "pattern": plan.counting.pattern,
        "special_tokens": plan.counting.special_tokens,
        **learning.identity(),
        **bounds.facts,
    }
    with reporting(progress) as report, _checkpointing(checkpoint, words, identity) as saved:
        run = _prepare(_fitting(words, plan.n_merges, bounds), plan, seconds, saved)
        return _learn(run, plan, report)


def _checkpointing(
    folder: StrPath | None, words: Words, learning: dict[str, Any]
) -> AbstractContextManager[Checkpoint | None]:
    if folder is None:
        return nullcontext()
    from bpetok.counting.checkpoint import digest, opened

    return opened(folder, {"words": digest(words), **learning})


def _while_loading(
    count: Callable[[], Words], parallel: bool = False
) -> tuple[Words, dict[str, float]]:
    """Count words while the kernels load, since counting leaves Python to others.

    Not in the caller's thread, where Ctrl-C would leave Numba half imported for good.

    Returns the words and the seconds of counting, and of waiting for the kernels after that: for
    those of one thread. Who needs the parallel ones waits for them.
    """
    begin = perf_counter()
    if parallel:
        threading.Thread(target=load_parallel_kernels, daemon=True).start()
    loading = threading.Thread(target=load_kernels, daemon=True)
    loading.start()
    words = count()
    counted = perf_counter()
    loading.join()
    return words, {"count": counted - begin, "load": perf_counter() - counted}


def _fitting(words: Words, n_merges: int, bounds: Bounds) -> Words:
    """Leave out the rare words that may, or for the bound of memory must, be left out."""
    kept = bounds.fit_learning(np.diff(words.offsets), words.counts, n_merges)
    words = words if kept is None else words.select(kept)
    bounds.warn(words.total, words.n_bytes, stacklevel=4)
    return words


class _Run(NamedTuple):
    """Words laid out for learning, and what is known of them before any merge.

    `before` are the merges that are known already, from a run that was interrupted; those of an
    initial tokenizer are not among them.
    """

    learner: Learner
    facts: TrainingFacts
    before: Merges
    saved: Checkpoint | None


def _prepare(
    words: Words, plan: Plan, seconds: dict[str, float], saved: Checkpoint | None = None
) -> _Run:
    """Lay the words out for learning; afterwards nobody needs those that were just counted."""
    if len(words) == 0:
        raise ValueError("the corpus must have at least one word, but there is no text in it")
    n_bytes = words.n_bytes
    facts = TrainingFacts(
        n_bytes=n_bytes,
        n_words=words.total,
        n_unique_words=len(words),
        n_tokens=n_bytes,  # bytes are the first tokens
        min_frequency=plan.rule.min_frequency,
        version=__version__,
        seconds=seconds,
    )
    before = NO_MERGES if saved is None else saved.merges()
    n_left = plan.n_merges - len(before.counts)
    known = before.pairs
    if plan.initial is not None:
        known = np.concatenate([plan.initial.merge_pairs, known])
    start = start_after(words, known) if len(known) else None
    learner = Learner(words, n_left, plan.rule, plan.counting.n_threads, start=start)
    return _Run(learner, facts, before, saved)


def _learn(run: _Run, plan: Plan, report: OnProgress) -> Tokenizer:
    """Learn the merges and make the tokenizer."""
    begin = perf_counter()

    def merges_so_far() -> Merges:
        learned = run.learner.merges()
        return Merges(
            np.concatenate([run.before.pairs, learned.pairs]),
            np.concatenate([run.before.counts, learned.counts]),
        )

    def on_round(n_learned: int) -> None:
        report("learn", len(run.before.counts) + n_learned, plan.n_merges)
        if run.saved is not None:
            run.saved.save_merges_if_due(merges_so_far)

    run.learner.learn(on_round)
    merges = merges_so_far()
    facts = run.facts._replace(
        n_tokens=run.learner.count_tokens(),
        seconds={**run.facts.seconds, "learn": perf_counter() - begin},
    )
    tokenizer = Tokenizer(pattern=plan.counting.pattern, training=facts, **plan.build(merges))
    n_learned = len(merges.counts)
    if n_learned < plan.n_merges:
        longest = plan.rule.max_token_length
        fits = f" and fits in max_token_length={longest}" if longest < LONGEST else ""
        warnings.warn(
            f"vocab_size is {tokenizer.vocab_size}: after {n_learned} of {plan.n_merges} merges no "
            f"pair stood min_frequency={plan.rule.min_frequency} times any more{fits}",
            stacklevel=3,
        )
    return tokenizer
