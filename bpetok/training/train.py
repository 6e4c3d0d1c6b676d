"""The three ways into a training: files, texts as they come, and words that were counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, cast

from bpetok.base.checks import Reserved, shorten
from bpetok.base.files import check_path
from bpetok.base.progress import Progress, reporting
from bpetok.counting.count import (
    CountJob,
    WeightedFiles,
    check_jobs,
    checkpointing,
    count_job,
    count_texts,
    prepare_count,
)
from bpetok.counting.memory import RareWords
from bpetok.counting.options import CountOptions
from bpetok.counting.words import Words, check_same_split
from bpetok.learning.rule import MergeFilter
from bpetok.patterns.chains import Pattern
from bpetok.sources.files import StrPath
from bpetok.sources.reading import NullTexts, Reading
from bpetok.tokenizer import Tokenizer
from bpetok.training.pipeline import Learned, Run, learn_lines, run_stages
from bpetok.training.plan import Plan, Training, TrainOptions, WordTraining, make_plan

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bpetok.counting.checkpoint import Checkpoint
    from bpetok.patterns.normalizers import Spec
    from bpetok.training.parity import Parity
    from bpetok.training.superwords import Superwords

Texts = Iterable[str | bytes]
CountedText = Words | Mapping[bytes, int] | Iterable[tuple[bytes, int]]
LINES_FOLDER = "superwords"
"""In the folder of a checkpoint: that of the second stage."""
LARGE_TEXT = 1_000_000_000
"""A text of so many bytes almost certainly has enough words to be learned on several threads."""


def train(
    files: WeightedFiles,
    *,
    vocab_size: int,
    pattern: Pattern | None = None,
    normalizer: Spec | None = None,
    special_tokens: Iterable[str | Reserved] = (),
    min_frequency: int = 1,
    max_token_length: int | None = None,
    merge_filter: MergeFilter | None = None,
    n_threads: int | None = None,
    errors: str = "strict",
    unmatched: str | None = None,
    compat: str | None = None,
    initial: Tokenizer | None = None,
    superwords: Superwords | None = None,
    like: StrPath | Tokenizer | None = None,
    initial_tokens: Iterable[str | bytes] = (),
    special_ids: Literal["first", "last"] = "last",
    balance: Literal["parity"] | Parity | None = None,
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
    pattern : str or list of steps, optional
        Name of a split pattern (`bpetok.patterns.names`), a regular expression, or a list of steps,
        each of which splits the pieces that the one before leaves; by default "gpt2".
        Expressions are compiled. What can't be compiled is run by `regex` in `n_threads` processes,
        slower by far, as a warning says; with that and with "none" a long text is held in memory as
        a whole.
    normalizer : str, mapping or list, optional
        What a text between special tokens becomes before it is split, in training and afterwards,
        as `Tokenizer` takes it: "NFC", "NFKC", "Lowercase" ... or several steps. With "Strip",
        "Replace" and "Prepend" a long text is held in memory as a whole.
    special_tokens : iterable of str
        Texts between words: boundaries which are not counted. `Reserved("<|reserved_{}|>", 64)`
        among them is 64 tokens that a model may need later.
    min_frequency : int
        Stop when the most frequent pair occurs less often.
    max_token_length : int, optional
        Make no token of more bytes: pairs that would be longer are passed over. It changes what is
        learned, not what a tokenizer is: all formats hold it, and no reader needs to know of it.
    merge_filter : MergeFilter, optional
        Which tokens merges may make: whole characters only, none that an expression finds
        something in, and so on; see `bpetok.MergeFilter`. Not with `compat`.
    n_threads : int, optional
        By default the environment variable BPETOK_NUM_THREADS, or if it is not set, as many as
        there are CPUs that this process may use. The result does not depend on it.
    errors : {"strict", "replace"}
        What to do with bytes that are not UTF-8: raise, or count U+FFFD as ``bytes.decode`` does.
    unmatched : {"error", "word", "drop"}, optional
        What to do with text that an expression does not match: raise, count it as a word, or leave
        it out; by default raise, or what `compat` does. Built-in patterns match all text. Encoding
        makes words of it in any case.
    compat : {"huggingface", "rustbpe", "bpeasy", "minbpe", "cs336", "bpetok"}, optional
        Learn the merges that another trainer learns from the same text, in the same order.
        docs/migrating.md has a table of what differs. "huggingface" lays out ids as it does, too:
        special tokens, bytes in its order, merges. Limits that the trainer does not have are
        refused. Counts are exact where those of "huggingface" and "rustbpe" wrap around, at 2**31.
        "bpetok" is the default, but with `like`.
    initial : Tokenizer, optional
        Keep all its ids and merges, and learn more of them. New merges have the next ids after its
        largest, new special tokens those after them; `vocab_size` counts all. On the same text
        this equals a single training, unless there are special tokens: their ids would then
        follow all merges.
    like : path or Tokenizer, optional
        A tokenizer, its file, or a folder with a tokenizer.json: make one that is like it but for
        the merges. It has the same normalizer, pattern, special tokens with their flags, template,
        roles, chat template and settings, and its ids are laid out alike: special tokens that
        were before, between or after all others are there again, bytes have the same order.
        `pattern`, `normalizer` and `initial` must not be given; `special_tokens` are further ones,
        after all others. From a tokenizer.json it implies ``compat="huggingface"``:
        ``compat="bpetok"`` are the merges of this package. Tokens that merges do not make are left
        out, since others are learned.
    superwords : Superwords, optional
        Learn tokens of several words, too, from the text read once more in whole lines; the
        tokenizer then has that pattern. See `bpetok.Superwords`. Not with `compat` or
        `like`.
    initial_tokens : iterable of str or bytes
        Tokens that the vocabulary must have: their merges come first, each from the left, so that
        a word with such bytes and nothing around them is that token. Their `merge_counts` say how
        often each merge was made. Not with `compat`.
    special_ids : {"first", "last"}
        Whether special tokens have the ids before those of the bytes, or after those of the merges.
        "first" is not for `initial` and `like`, whose ids stay, nor for `compat`.
    balance : "parity" or Parity, optional
        Between languages: `files` is then a list with the files of each, and each merge is the best
        pair of the language whose text is longest in tokens by then. See `bpetok.Parity`. Not with
        `initial`, `superwords`, `initial_tokens`, `max_memory`, `min_word_count` and `checkpoint`,
        nor with a `compat` other than "huggingface".
    max_memory : int or str, optional
        Bytes that training may take beyond what Python itself does, such as "4GB": counting as in
        `count_words`; what learning will take is said before it starts, if it is more.
    min_word_count : int or "auto"
        Learn without words that come less often, with a warning that says which share of the text
        they were. "auto": only if, and as many as, `max_memory` demands.
    progress : bool or callable
        True shows a bar for each phase; a callable is called as ``progress(phase, done, total)``
        with the phases "count" (in bytes), "load" (in kernels; only with very many different words,
        for whose threads Numba is loaded, or the first time compiles) and "learn" (in merges). With
        `superwords` then "memory", once, whose total is about the bytes that stage 2 takes at most,
        from a sample of the text, and the three phases again.
    checkpoint : path, optional
        A folder, new or of an earlier run, where the words of what has been read and the merges
        learned are saved every minute. A run that was interrupted, in whatever way, goes on from
        there when it is called again, with the same result. Needs the extra `arrow`.
    **reading
        Which column, how much of it: see `bpetok.Reading`.

    Returns
    -------
    Tokenizer
        With fewer merges than requested, and a warning, where the text gives no more.

    Raises
    ------
    OSError, ImportError
        If a file can't be read or changes meanwhile, or a format needs what is not installed.
    TypeError, ValueError
        If an option is out of its range, a file is damaged, has no such column or is not UTF-8 (the
        message has the file and the offset), or not matched by an expression; or a checkpoint is of
        another run. Options and paths are checked before any work.
    TimeoutError
        If an expression takes too long on a text: about 100 times longer than common ones.
    """
    plan = make_plan(
        TrainOptions(
            vocab_size=vocab_size,
            pattern=pattern,
            special_tokens=special_tokens,
            min_frequency=min_frequency,
            max_token_length=max_token_length,
            merge_filter=merge_filter,
            n_threads=n_threads,
            compat=compat,
            initial=initial,
            like=like,
            normalizer=normalizer,
            max_memory=max_memory,
            min_word_count=min_word_count,
            errors=errors,
            unmatched=unmatched,
            superwords=superwords,
            initial_tokens=initial_tokens,
            special_ids=special_ids,
            balance=balance,
        )
    )
    if plan.balance is not None:
        from bpetok.training.balance import languages_of, train_balanced

        _refuse_checkpoint(checkpoint)
        with reporting(progress) as report:
            jobs: list[CountJob] = []

            def ready(part: WeightedFiles) -> Callable[[], Words]:
                jobs.append(prepare_count(part, plan.counting, reading))
                return partial(count_job, jobs[-1], report)

            languages = languages_of(files, plan, ready, "files")
            check_jobs(*jobs)
            return train_balanced(plan, languages, report)
    job = prepare_count(files, plan.counting, reading, plan.limits)
    check_jobs(job)
    plan.check_order(weighted=job.weighted, checkpoint=checkpoint)
    lines = None if plan.second is None else plan.second.job(job, saves=checkpoint is not None)
    folder = None if checkpoint is None or lines is None else check_path(checkpoint) / LINES_FOLDER
    lines_checkpoint = checkpointing(folder, lines or job, plan.identity)
    is_large = sum(corpus.total or 0 for corpus, _ in job.parts) >= LARGE_TEXT
    with (
        reporting(progress) as report,
        checkpointing(checkpoint, job, plan.identity) as saved,
        lines_checkpoint as lines_saved,
    ):

        def second(run: Run) -> Learned:
            assert lines is not None
            count_lines = partial(count_job, lines, report, lines_saved)
            return learn_lines(run, lines.rare, lines_saved, count_lines)

        run = Run(plan, job.rare, job.null_texts, report, saved, is_large)
        if plan.second is None:
            return run_stages(run, partial(count_job, job, report, saved))
        from bpetok.training.lines import look_at_lines

        sizes: list[int] = []
        most_text = plan.second.most_text
        run = run._replace(
            lines=lambda pairs, facts: look_at_lines(
                cast("CountJob", lines), most_text(job, sum(sizes)), pairs, facts
            )
        )
        return run_stages(run, partial(count_job, job, report, saved, sizes.append), second)


def train_from_iterator(
    texts: Texts | Iterable[Texts],
    *,
    vocab_size: int,
    progress: Progress = False,
    **options: Unpack[Training],
) -> Tokenizer:
    """Train a tokenizer on texts as they come; they are never all in memory.

    The texts are str, or bytes in UTF-8. No word runs from one text into the next. For the other
    parameters see `train`; with `balance`, `texts` is a list with the texts of each language.

    Raises
    ------
    TypeError, ValueError
        If an option is out of its range, before any text is taken; if a text is neither str nor
        bytes, has a lone surrogate or is not UTF-8.
    """
    plan = make_plan(TrainOptions.of(vocab_size, options, Training.__annotations__))
    plan.check_order()
    plan.check_given("texts", texts)
    if plan.second is not None:
        plan.second.check_texts(texts)
    with reporting(progress) as report:
        if plan.balance is not None:
            from bpetok.training.balance import languages_of, train_balanced

            def ready(part: Texts) -> Callable[[], Words]:
                return partial(count_texts, part, plan.counting, RareWords(plan.limits), report)

            return train_balanced(plan, languages_of(texts, plan, ready, "texts"), report)

        def count(options: CountOptions, rare: RareWords) -> Words:
            return count_texts(cast("Texts", texts), options, rare, report)

        def second(run: Run) -> Learned:
            assert plan.second is not None
            rare = RareWords(plan.limits)
            return learn_lines(run, rare, None, partial(count, plan.second.counting, rare))

        run = Run(plan, RareWords(plan.limits), NullTexts(), report)
        if plan.second is not None and isinstance(texts, list | tuple):
            from bpetok.training.lines import look_at_texts

            run = run._replace(lines=partial(look_at_texts, texts, plan.second.counting))
        return run_stages(run, partial(count, plan.counting, run.rare), second)


def train_from_words(
    words: CountedText | Iterable[CountedText],
    *,
    vocab_size: int,
    progress: Progress = False,
    checkpoint: StrPath | None = None,
    **options: Unpack[WordTraining],
) -> Tokenizer:
    """Train a tokenizer on words that have been counted.

    Parameters that are not listed are those of `train`. `pattern`, `normalizer` and
    `special_tokens` say what the tokenizer will split text with: by default what the words were
    counted with ("gpt2" and none if that is not known). With `like` a Words must have been counted
    with its pattern and normalizer. With `compat` the words must have been split as that trainer
    does; for "minbpe" they must not be a Words, since their order decides ties, and it must be that
    of the text.

    Parameters
    ----------
    words : Words, mapping of bytes to int, or iterable of (bytes, int)
        Words with their counts; a word that comes several times has the sum of its counts. With
        `balance` a list of those of each language.

    Raises
    ------
    TypeError, ValueError
        If an option is out of its range, a word is not bytes, or a count is not an int, is
        negative, or the counts times the lengths of their words sum to 2**63 or more.
    """
    given = TrainOptions.of(vocab_size, options, WordTraining.__annotations__)
    if given.balance is not None and isinstance(words, Iterator):
        words = cast("list[CountedText]", list(words))
    counted_words = _counted_words(words, given)
    if counted_words and given.like is None:
        split = counted_words[0].split
        if given.pattern is None:
            given = given._replace(pattern=split.pattern)
        if given.normalizer is None:
            given = given._replace(normalizer=split.normalizer)
        if given.special_tokens is None:
            given = given._replace(special_tokens=split.special_tokens)
    plan = make_plan(given)
    for part in counted_words:
        _check_split(part, plan)
    plan.check_given("words", words)
    if plan.balance is not None:
        from bpetok.training.balance import languages_of, train_balanced

        _refuse_checkpoint(checkpoint)
        with reporting(progress) as report:
            return train_balanced(plan, languages_of(words, plan, _counted, "words"), report)
    counted = _counted(cast("CountedText", words))()
    identity = {**plan.counting.split._asdict(), **plan.identity}
    with reporting(progress) as report, _checkpointing(checkpoint, counted, identity) as saved:
        run = Run(plan, RareWords(plan.limits), NullTexts(), report, saved)
        return run_stages(run, lambda: counted)


def _counted_words(words: object, given: TrainOptions) -> list[Words]:
    """Return those of the words, and of development, that know how their text was split: alike.

    Raises
    ------
    ValueError
        If some were split otherwise than others.
    """
    if isinstance(words, Words):
        return [words]
    if given.balance is None:
        return []
    from bpetok.training.parity import Parity

    measured = given.balance.development if isinstance(given.balance, Parity) else None
    parts = [
        part for given in (words, measured) if isinstance(given, list | tuple) for part in given
    ]
    found = [part for part in parts if isinstance(part, Words)]
    for number, part in enumerate(found):
        check_same_split(found[0], part, number)
    return found


def _counted(words: CountedText) -> Callable[[], Words]:
    counted = words if isinstance(words, Words) else Words.from_counts(words)
    return lambda: counted


def _refuse_checkpoint(checkpoint: StrPath | None) -> None:
    if checkpoint is not None:
        raise ValueError("checkpoint must not be given with balance, which does not know it")


def _check_split(words: Words, plan: Plan) -> None:
    """Raise a ValueError if words were split otherwise than the tokenizer will split text."""
    for name in ("pattern", "normalizer", "prefix_space"):
        ours, theirs = getattr(plan.counting.split, name), getattr(words, name)
        if plan.like is not None and ours != theirs:
            raise ValueError(
                f"words must have been counted with the {name} of like, {shorten(ours)}, got words "
                f"of {shorten(theirs)}: count them anew, or train on the texts"
            )


def _checkpointing(
    folder: StrPath | None, words: Words, learning: dict[str, Any]
) -> AbstractContextManager[Checkpoint | None]:
    if folder is None:
        return nullcontext()
    from bpetok.counting.checkpoint import digest, open_checkpoint

    return open_checkpoint(folder, {"words": digest(words), **learning})
