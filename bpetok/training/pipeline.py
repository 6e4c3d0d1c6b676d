"""The stages of a training, one after another: text -> words -> merges -> Tokenizer."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from bpetok.base.array_types import Int32
from bpetok.base.importing import signals_deferred
from bpetok.base.limits import MAX_INT32, MAX_TOTAL_BYTES
from bpetok.base.progress import OnProgress
from bpetok.base.records import NamedTuple
from bpetok.base.threads import starting_threads
from bpetok.base.version import __version__
from bpetok.counting.memory import RareWords
from bpetok.counting.words import Words
from bpetok.encoding.facts import TrainingFacts
from bpetok.encoding.token_bytes import build_token_bytes
from bpetok.learning.learner import Learner
from bpetok.learning.loading import load_parallel_kernels
from bpetok.learning.rule import NO_MERGES, Merges, Rule
from bpetok.sources.reading import NullTexts
from bpetok.tokenizer import Tokenizer
from bpetok.training.continuing import start_after
from bpetok.training.lengths import begin_with_run, warn_of_long_runs
from bpetok.training.memory import Begun, fit_learning
from bpetok.training.plan import Plan

if TYPE_CHECKING:
    from bpetok.counting.checkpoint import Checkpoint
    from bpetok.training.lines import Lines


class Run(NamedTuple):
    """What all stages of a training share.

    first : Merges
        Those of an earlier stage, which this one begins with, if there was one.
    begun : Begun, optional
        How words begin after `first`.
    lines : callable
        Says which lines stage 2 will have, by all merges before it and the facts of stage 1.
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
    first: Merges | None = None
    begun: Begun | None = None
    lines: Callable[[Int32, TrainingFacts], Lines] | None = None


class Layout(NamedTuple):
    """Words laid out for learning.

    first : Merges
        Those of tokens that must exist, or those of an earlier stage that are kept.
    before : Merges
        Those of this stage in a run that was interrupted, or those that one long run decides.
    """

    learner: Learner
    first: Merges
    before: Merges

    def merges(self) -> Merges:
        """Return the merges of this stage so far."""
        return joined(self.before, self.learner.merges())


class Learned(NamedTuple):
    """All merges but those of an initial tokenizer, and what is known of the training.

    is_full : bool
        Whether there are no more since all tokens together have as many bytes as they may.
    """

    merges: Merges
    facts: TrainingFacts
    is_full: bool


def joined(first: Merges, second: Merges) -> Merges:
    """Return merges one after the other."""
    return Merges(
        np.concatenate([first.pairs, second.pairs]), np.concatenate([first.counts, second.counts])
    )


def run_stages(
    run: Run, count: Callable[[], Words], second: Callable[[Run], Learned] | None = None
) -> Tokenizer:
    """Train a tokenizer on the words that `count` returns.

    `second` goes on from there, if the plan has superwords: see `learn_lines`.
    """
    if run.plan.second is None or second is None:
        learned = learn_words(run, count)
    else:
        plan = run.plan._replace(n_merges=run.plan.second.n_first)
        first = learn_words(run._replace(plan=plan), count)
        _warn_of_few(first, plan)
        lines = lines_of(run, first)
        n_merges, n_threads = run.plan.n_merges - plan.n_merges, plan.counting.n_threads
        run.report("memory", 0, lines.most_memory(n_merges, n_threads, run.plan.limits))
        learned = second(run._replace(first=first.merges, begun=lines.begun))
        seconds = {f"{name} lines": spent for name, spent in learned.facts.seconds.items()}
        facts = learned.facts._replace(seconds={**first.facts.seconds, **seconds})
        learned = learned._replace(facts=facts)
    return build(learned, run.plan)


def _warn_of_few(first: Learned, plan: Plan) -> None:
    """Warn if stage 1 of superwords has fewer merges than `plan` says."""
    if why := _why_few(first, plan, " within words"):
        warnings.warn(
            f"superwords.start is not reached: {why}; superwords begin here", stacklevel=4
        )


def _why_few(learned: Learned, plan: Plan, where: str = "") -> str:
    """Return why there are fewer merges than `plan` says; nothing if there are not."""
    n_learned = len(learned.merges.counts)
    if n_learned >= plan.n_merges:
        return ""
    reason = reason_to_end(plan.rule, learned.is_full, "bytes")
    return f"after {n_learned:,} of {plan.n_merges:,} merges{where}, {reason}"


def lines_of(run: Run, first: Learned) -> Lines:
    """Return about which lines stage 2 will have."""
    if run.lines is None:
        from bpetok.training.lines import all_different

        return all_different(first.facts.n_bytes, first.facts, run.plan.counting.n_threads)
    return run.lines(all_pairs(first.merges, run.plan), first.facts)


def all_pairs(merges: Merges, plan: Plan) -> Int32:
    """Return the pairs of merges, after those of an initial tokenizer."""
    if plan.initial is None:
        return merges.pairs
    return np.concatenate([plan.initial.merge_pairs, merges.pairs])


def learn_lines(
    run: Run, rare: RareWords, checkpoint: Checkpoint | None, count: Callable[[], Words]
) -> Learned:
    """Learn superwords, from the lines that `count` returns."""
    second = run.plan.second
    assert second is not None
    plan = run.plan._replace(counting=second.counting, rule=second.rule)

    def count_some() -> Words:
        words = count()
        rare.check_left(len(words))
        if len(words) == 0 and second.reading:
            given = ", ".join(
                f"superwords.{name}={value}" for name, value in second.reading.items()
            )
            raise ValueError(f"{given} leaves no text for stage 2 of superwords: let it read more")
        return words

    return learn_words(
        run._replace(plan=plan, rare=rare, null_texts=NullTexts(), checkpoint=checkpoint),
        count_some,
    )


def learn_words(run: Run, count: Callable[[], Words]) -> Learned:
    """Learn the merges of the words that `count` returns."""
    begin = perf_counter()
    with loading_kernels() if run.is_large and run.plan.counting.n_threads > 1 else nullcontext():
        words = count()
        counted = perf_counter()
    run.null_texts.warn(stacklevel=5)
    words = leave_out_rare(words, run)
    facts = facts_of(words, run.plan)
    warn_of_long_runs(words, run.plan.n_merges, run.plan.rule, stacklevel=5)
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
    return Learned(joined(layout.first, merges), facts, is_full=layout.learner.is_full)


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
    try:
        with starting_threads():
            thread.start()
        yield
    except BaseException:
        has_failed.set()
        raise
    finally:
        with signals_deferred():  # not `whole`, for whose lock the thread may wait
            if thread.ident is not None:  # it was started
                thread.join()


def leave_out_rare(words: Words, run: Run) -> Words:
    """Leave out the rare words that may, or for `max_memory` must, be left out."""
    plan = run.plan
    n_merges = plan.n_merges - (0 if run.first is None else len(run.first.counts))
    words = fit_learning(words, n_merges, plan.counting.n_threads, run.rare, run.begun)
    run.rare.check_left(len(words))
    run.rare.warn(words.total, words.n_bytes, stacklevel=6)
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
    n_threads = plan.counting.n_threads
    first, before = run.first, NO_MERGES
    if first is None:
        first = Merges(plan.first_pairs, np.zeros(len(plan.first_pairs), np.int64))
    elif plan.second is not None and plan.second.drops_unused:
        from bpetok.training.superwords import without_unused

        begun, _ = start_after(words.arrays, first.pairs, n_threads)
        first = without_unused(first, len(plan.first_pairs), begun.ids)
    known = all_pairs(first, plan)
    n_merges, n_known = plan.n_merges - len(first.counts), len(known)
    if run.checkpoint is not None:
        tokens = build_token_bytes(np.ascontiguousarray(known).reshape(-1).data)
        before = Merges(*run.checkpoint.merges(words, tokens, n_merges))
        known = np.concatenate([known, before.pairs])
    if len(known):
        begun, tokens = start_after(words.arrays, known, n_threads)
    else:
        begun, before = begin_with_run(words.arrays, n_merges, plan.rule)
        tokens = build_token_bytes(before.pairs.reshape(-1).data)
    if run.first is None and len(first.counts):
        from bpetok.training.initial_tokens import count_merges

        counts = count_merges(begun, known)
        first = first._replace(counts=counts[n_known - len(first.counts) : n_known])
    n_left = n_merges - len(before.counts)
    learner = Learner(
        begun, n_left, plan.rule, n_threads, tokens=tokens, most_bytes=MAX_TOTAL_BYTES
    )
    return Layout(learner, first, before)


def learn(layout: Layout, run: Run) -> Merges:
    """Learn the merges of this stage, saving them now and then."""

    n_before = len(layout.before.counts)
    n_first = len(layout.first.counts)

    def on_round(n_learned: int) -> None:
        run.report("learn", n_before + n_learned, run.plan.n_merges - n_first)
        if run.checkpoint is not None:
            run.checkpoint.save_merges_if_due(layout.merges)

    layout.learner.learn(on_round)
    return layout.merges()


def build(learned: Learned, plan: Plan) -> Tokenizer:
    """Make the tokenizer; warn if it has fewer merges than wanted."""
    tokenizer = Tokenizer(
        pattern=plan.pattern, training=learned.facts, **plan.build(learned.merges)
    )
    if why := _why_few(learned, plan):
        warnings.warn(f"vocab_size is {tokenizer.vocab_size:,}: {why}", stacklevel=4)
    return tokenizer


def reason_to_end(rule: Rule, is_full: bool, unit: str) -> str:
    """Return why learning has ended before there were all merges."""
    if is_full:
        return (
            f"the next token would make all of them more than {MAX_TOTAL_BYTES} {unit}, the most "
            f"that a tokenizer may have. There are very long runs, such as of one of the {unit}: "
            "give max_token_length, or leave them out"
        )
    longest = rule.max_token_length
    bound = f"fits in max_token_length={longest}" if longest < MAX_INT32 else ""
    fits = bound and f" and {bound}"
    if rule.min_frequency == 1:  # the text is too small
        return f"no pair is left that may be merged{fits}"
    return f"no remaining pair occurred min_frequency={rule.min_frequency} times{fits}"
