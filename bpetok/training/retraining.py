"""The drop-in for transformers' `train_new_from_iterator`.

transformers makes the new tokenizer itself, from no text: with the special tokens and bytes that
any text gives, and with all that its version and the tokenizer's class do about roles, templates
and settings. What is learned is put into it then.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

from bpetok.base.byte_characters import CHARACTERS
from bpetok.base.checks import (
    check_integer,
    check_texts,
    is_iterable,
    is_of_arrow,
    listed,
    plain,
    shorten,
    type_and_value,
)
from bpetok.base.limits import MAX_INT32
from bpetok.base.progress import OnProgress, reporting
from bpetok.counting.count import count_texts
from bpetok.counting.memory import NO_LIMITS, RareWords
from bpetok.counting.options import CountOptions, check_count_options
from bpetok.formats import pre_tokenizers
from bpetok.formats.post_processors import processor_with_ids
from bpetok.learning.rule import Rule
from bpetok.patterns.changes import check_changes
from bpetok.training.compat import check_compat, check_counting, check_rule
from bpetok.training.naming import NamedMerges, learn_named

T = TypeVar("T")

OTHERWISE = "use tokenizer.train_new_from_iterator"
"""What to do where this can't be done."""


def train_new_from_iterator(
    tokenizer: T,
    texts: Iterable[str | Iterable[str]],
    vocab_size: int,
    length: int | None = None,
    new_special_tokens: Sequence[Any] | None = None,
    special_tokens_map: Mapping[str, str] | None = None,
    **kwargs: Any,
) -> T:
    """Train a transformers tokenizer anew: what its own method of this name returns, sooner.

    Its vocabulary, merges, ids and settings are those that
    ``tokenizer.train_new_from_iterator(texts, vocab_size, ...)`` gives.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerFast
        A byte-level BPE tokenizer. It stays as it is.
    texts : iterable of str or of iterables of str
        Texts, or batches of them, as they come; they are never all in memory.
    vocab_size : int
        Special tokens, bytes and merges.
    length : int, optional
        The number of items in `texts`, for the progress bar.
    new_special_tokens : list of str or AddedToken, optional
        Special tokens besides those of `tokenizer`.
    special_tokens_map : mapping of str to str, optional
        New names of special tokens, by the old ones.
    **kwargs
        What tokenizers' ``BpeTrainer`` takes: `min_frequency`, `max_token_length`, `show_progress`
        (True by default) and more; `limit_alphabet` from 256 on, since below tokenizers chooses
        bytes at random.

    Returns
    -------
    transformers.PreTrainedTokenizerFast
        Of the same class as `tokenizer`.

    Raises
    ------
    TypeError, ValueError
        If `tokenizer` is no fast tokenizer of transformers or not byte-level BPE, or an option is
        out of its range, before any text is taken; or if a text is no str.
    """
    backend = _backend_of(tokenizer)
    rule = _check_options(backend.model, kwargs)
    options = _counting(backend)
    added = renamed = None
    if new_special_tokens is not None:
        added = listed("new_special_tokens", new_special_tokens, "a list of tokens")
    if special_tokens_map is not None:
        renamed = _check_names(special_tokens_map)
    new: Any = tokenizer.train_new_from_iterator(  # type: ignore[attr-defined]  # it has been asked
        [],
        vocab_size,
        new_special_tokens=added,
        special_tokens_map=renamed,
        **{**kwargs, "show_progress": False},
    )
    begun = json.loads(new.backend_tokenizer.to_str())
    vocab: dict[str, int] = begun["model"]["vocab"]
    _check_bytes(vocab, backend)
    with reporting(kwargs.get("show_progress", True)) as report:
        told, on_count = _counting_items(texts, length, report)
        words = count_texts(told, options, RareWords(NO_LIMITS), on_count)
        n_merges = max(0, vocab_size - len(vocab))
        learned = learn_named(words, vocab, n_merges, rule, options.n_threads, report)
    complete = json.dumps(_with_merges(begun, learned))
    new._tokenizer = type(new.backend_tokenizer).from_str(complete)
    return new  # type: ignore[no-any-return]  # transformers has no types


def _backend_of(tokenizer: object) -> Any:
    """Return the tokenizers.Tokenizer inside of a tokenizer of transformers.

    Raises
    ------
    TypeError, ValueError
        If it has none, or its model is not BPE.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or not hasattr(tokenizer, "train_new_from_iterator"):
        raise TypeError(
            "tokenizer must be a fast tokenizer of transformers (is_fast is True), got "
            f"{type(tokenizer).__name__}: for a folder or a bpetok.Tokenizer there is "
            "bpetok.train(..., like=...)"
        )
    kind = type(backend.model).__name__
    if kind != "BPE":
        raise ValueError(f"tokenizer must be byte-level BPE, its model is {kind}; {OTHERWISE}")
    return backend


def _check_names(special_tokens_map: object) -> dict[str, object]:
    """Return new names by the old ones; TypeError if it is no mapping of them."""
    if not isinstance(special_tokens_map, Mapping):
        raise TypeError(
            f"special_tokens_map must be a mapping of str to str, got {shorten(special_tokens_map)}"
        )
    for old, new in special_tokens_map.items():
        if not isinstance(old, str) or is_of_arrow(new):
            raise TypeError(
                f"special_tokens_map must be a mapping of str to str, got {shorten(new)} "
                f"for {shorten(old)}"
            )
    return dict(special_tokens_map)


def _as_json(part: Any) -> Any:
    """Return a normalizer or pre-tokenizer as it is in a tokenizer.json.

    All of a tokenizer as JSON would take a second for a large vocabulary.
    """
    return None if part is None else json.loads(part.__getstate__())


def _check_options(model: Any, kwargs: Mapping[str, Any]) -> Rule:
    """Return how BpeTrainer learns with these options.

    Raises
    ------
    TypeError, ValueError
        If it would do what can't be done here.
    """
    for name in ("continuing_subword_prefix", "end_of_word_suffix"):
        affix = kwargs.get(name, getattr(model, name))
        if affix:
            raise ValueError(
                f"{name} must be empty, since a token is its bytes here, got {affix!r}; {OTHERWISE}"
            )
    limit = kwargs.get("limit_alphabet")
    if limit is not None and check_integer("limit_alphabet", limit, 0, MAX_INT32) < len(CHARACTERS):
        raise ValueError(
            f"limit_alphabet must be at least {len(CHARACTERS)}, got {limit}: with fewer, "
            "tokenizers leaves out bytes that it chooses at random, others each time, so there is "
            "no result to be equal to; leave it out"
        )
    least = kwargs.get("min_frequency", 0)
    if type(least) is int and least == 0:  # which means 1
        least = 1
    rule = check_rule(check_compat("huggingface"), least, kwargs.get("max_token_length"))
    return rule._replace(byte_order=None)  # which the vocabulary says


def _counting(backend: Any) -> CountOptions:
    """Return how the words of a tokenizer are counted.

    Raises
    ------
    ValueError
        If that can't be represented here; the message says why.
    """
    try:
        splitting = pre_tokenizers.read(_as_json(backend.pre_tokenizer))
        if splitting.normalizer:
            pre_tokenizers.refuse("pre_tokenizer", "Metaspace", "it is only read here")
        changes = check_changes(_as_json(backend.normalizer), splitting.prefix_space)
        options = check_count_options(splitting.pattern, (), None, "strict", changes=changes)
        return check_counting(check_compat("huggingface"), options, None)
    except ValueError as error:
        raise ValueError(f"{error}; {OTHERWISE}") from None


def _check_bytes(vocab: Mapping[str, int], backend: Any) -> None:
    """Refuse a tokenizer for which transformers doesn't know all bytes before it has seen text."""
    missing = [character for character in CHARACTERS if character not in vocab]
    if missing:
        raise ValueError(
            f"pre_tokenizer: for {shorten(_as_json(backend.pre_tokenizer))} transformers gives "
            f"ids only to the bytes that the texts have, which is not done here; {OTHERWISE}"
        )


def _counting_items(
    texts: Iterable[object], length: int | None, report: OnProgress
) -> tuple[Iterator[str], OnProgress]:
    """Return the texts of all items, and what tells of the bytes that were counted.

    Where the number of items is known the bytes of all are estimated by the items that were taken.
    """
    items = cast("Iterable[object]", check_texts(cast("Iterable[str]", texts)))
    n_taken = 0

    def flat() -> Iterator[str]:
        nonlocal n_taken
        for number, given in enumerate(items):
            # What most items are comes first, since there may be millions.
            item = given if type(given) is str else plain(f"texts: item {number}", given)
            if isinstance(item, str):
                yield item
            # Of a table there would be the names of its columns.
            elif (
                isinstance(item, bytes | Mapping)
                or not is_iterable(item)
                or hasattr(type(item), "columns")
            ):
                raise TypeError(
                    f"texts: item {number} must be a str or a list of str, got "
                    f"{type_and_value(item)}"
                )
            else:
                yield from item
            n_taken = number + 1

    def on_count(phase: str, done: int, total: int | None) -> None:
        if length and n_taken:
            total = max(done, done * length // n_taken)
        report(phase, done, total)

    return flat(), on_count


def _with_merges(document: dict[str, Any], learned: NamedMerges) -> dict[str, Any]:
    """Return a tokenizer.json that has the merges, too.

    Tokens that transformers has added after all others come after those of the merges now.
    """
    before: dict[str, int] = document["model"]["vocab"]
    vocab = learned.vocab
    moved: dict[int, int] = {}
    next_id = len(vocab)
    added = []
    for row in sorted(document["added_tokens"], key=lambda row: row["id"]):
        if row["content"] not in before:
            token_id = vocab.get(row["content"], next_id)
            next_id += token_id == next_id
            moved[row["id"]] = token_id
            row = row | {"id": token_id}
        added.append(row)
    processor = document["post_processor"]
    if processor is not None:
        processor = processor_with_ids(processor, lambda token_id: moved.get(token_id, token_id))
    model = document["model"] | {"vocab": vocab, "merges": learned.merges}
    return document | {"model": model, "added_tokens": added, "post_processor": processor}
