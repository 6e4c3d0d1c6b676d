"""The stages of a training, one after another: text -> words -> merges -> Tokenizer."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bpetok.base.importing import whole
from bpetok.base.limits import MAX_INT32
from bpetok.base.progress import OnProgress
from bpetok.base.version import __version__
from bpetok.counting.memory import RareWords
from bpetok.counting.words import Words
from bpetok.encoding.facts import TrainingFacts
from bpetok.encoding.token_bytes import build_token_bytes
from bpetok.learning.learner import Learner
from bpetok.learning.loading import load_parallel_kernels
from bpetok.learning.rule import Merges
from bpetok.sources.reading import NullTexts
from bpetok.tokenizer import Tokenizer
from bpetok.training.continuing import start_after
from bpetok.training.lengths import check_lengths, warn_of_long_runs
from bpetok.training.memory import fit_learning
from bpetok.training.plan import Plan

if TYPE_CHECKING:
    from bpetok.counting.checkpoint import Checkpoint

NO_MERGES = Merges(np.empty((0, 2), np.int32), np.empty(0, np.int64))


class Run(NamedTuple):
    """What all stages of a training share.

    is_large : bool
        True if the text is so large that its words are almost certainly learned from on several
        threads.
    """

    plan: Plan
    rare: RareWords
    null_texts: NullTexts
    report: OnProgress
    checkpoint: Checkpoint | None = None
    is_large: bool = False


class Layout(NamedTuple):
    """Words laid out for learning; `before` are merges of a run that was interrupted."""

    learner: Learner
    before: Merges

    def merges(self) -> Merges:
        """Return all merges so far, but those of an initial tokenizer."""
        learned = self.learner.merges()
        return Merges(
            np.concatenate([self.before.pairs, learned.pairs]),
            np.concatenate([self.before.counts, learned.counts]),
        )


def run_stages(run: Run, count: Callable[[], Words]) -> Tokenizer:
    """Train a tokenizer on the words that `count` returns."""
    begin = perf_counter()
    with loading_kernels() if run.is_large and run.plan.counting.n_threads > 1 else nullcontext():
        words = count()
        counted = perf_counter()
    run.null_texts.warn(stacklevel=4)
    words = leave_out_rare(words, run)
    facts = facts_of(words, run.plan)
    warn_of_long_runs(words, run.plan.rule.max_token_length, stacklevel=4)
    layout = lay_out(words, run)
    del words  # which take memory while merges are learned
    layout.learner.load(lambda done, total: run.report("load", done, total))
    loaded = perf_counter()
    merges = learn(layout, run)
    facts = facts._replace(
        n_tokens=layout.learner.count_tokens(),
        seconds={
            "count": counted - begin,
            "load": loaded - counted,
            "learn": perf_counter() - loaded,
        },
    )
    return build(merges, facts, run.plan)


@contextmanager
def loading_kernels() -> Iterator[None]:
    """Load the kernels for several threads while words are counted, which leaves Python to others.

    The thread is waited for: none may be at work when Python ends. Where counting fails it begins
    no further kernel.
    """
    has_failed = threading.Event()

    def go_on(*_: int) -> None:
        if has_failed.is_set():
            raise InterruptedError

    def load() -> None:
        with suppress(Exception):  # raised again, for the caller, when the kernels are needed
            load_parallel_kernels(go_on)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        yield
    except BaseException:
        has_failed.set()
        raise
    finally:
        with whole():
            thread.join()


def leave_out_rare(words: Words, run: Run) -> Words:
    """Leave out the rare words that may, or for `max_memory` must, be left out."""
    plan = run.plan
    words = fit_learning(words, plan.n_merges, plan.counting.n_threads, run.rare)
    run.rare.warn(words.total, words.n_bytes, stacklevel=5)
    return words


def facts_of(words: Words, plan: Plan) -> TrainingFacts:
    """Return what is known of a training before any merge."""
    if len(words) == 0:
        raise ValueError("the corpus must have at least one word, but there is no text in it")
    n_bytes = words.n_bytes
    return TrainingFacts(
        n_bytes=n_bytes,
        n_words=words.total,
        n_unique_words=len(words),
        n_tokens=n_bytes,  # bytes are the first tokens
        min_frequency=plan.rule.min_frequency,
        version=__version__,
        seconds={},
    )


def lay_out(words: Words, run: Run) -> Layout:
    """Lay the words out for learning, as the merges that are known already leave them."""
    plan = run.plan
    known = NO_MERGES.pairs if plan.initial is None else plan.initial.merge_pairs
    before = NO_MERGES
    if run.checkpoint is not None:
        tokens = build_token_bytes(np.ascontiguousarray(known).reshape(-1).data)
        longest = int(words.arrays.lengths.max())
        before = Merges(*run.checkpoint.merges(tokens, plan.n_merges, longest))
        known = np.concatenate([known, before.pairs])
    n_threads = plan.counting.n_threads
    begun, tokens = start_after(words.arrays, known, n_threads)
    learner = Learner(begun, plan.n_merges - len(before.counts), plan.rule, n_threads, None, tokens)
    return Layout(learner, before)


def learn(layout: Layout, run: Run) -> Merges:
    """Learn the merges, saving them now and then.

    Raises
    ------
    ValueError
        If all tokens together would be longer than a tokenizer's may be.
    """

    def on_round(n_learned: int) -> None:
        check_lengths(layout.learner, len(layout.before.counts))
        run.report("learn", len(layout.before.counts) + n_learned, run.plan.n_merges)
        if run.checkpoint is not None:
            run.checkpoint.save_merges_if_due(layout.merges)

    layout.learner.learn(on_round)
    return layout.merges()


def build(merges: Merges, facts: TrainingFacts, plan: Plan) -> Tokenizer:
    """Make the tokenizer; warn if it has fewer merges than wanted."""
    tokenizer = Tokenizer(pattern=plan.counting.pattern, training=facts, **plan.build(merges))
    n_learned = len(merges.counts)
    if n_learned < plan.n_merges:
        longest = plan.rule.max_token_length
        fits = f" and fits in max_token_length={longest}" if longest < MAX_INT32 else ""
        warnings.warn(
            f"vocab_size is {tokenizer.vocab_size}: after {n_learned} of {plan.n_merges} merges, "
            f"no remaining pair occurred min_frequency={plan.rule.min_frequency} times{fits}",
            stacklevel=4,
        )
    return tokenizer
