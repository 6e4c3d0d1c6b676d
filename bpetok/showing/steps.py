"""The merges of a text: each word's, in the order in which they are applied.

Nothing is merged again to find them. A token that merge i makes is made of two tokens, each of them
a byte or made by an earlier merge, so the tokens of a word tell all merges that led to them. What
a merge makes takes part only in later merges, so they were applied in the order of rank. (With a
`merge_order` they are the same merges, but some were applied sooner at one place than at another.)
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpetok.base.limits import N_BYTES

if TYPE_CHECKING:
    from bpetok.encoding.codec import Codec


@dataclass(frozen=True)
class MergeStep:
    """One merge in one word.

    Attributes
    ----------
    rank : int
        Number of the merge, from 0 in learning order.
    count : int or None
        How often the pair occurred in the training text, if that is known.
    left, right : bytes
        The tokens that it joins.
    token_id : int
        The id of what it makes.
    tokens : tuple of bytes
        The word's tokens after it.
    made : tuple of int
        Which of `tokens` it has made.
    """

    rank: int
    count: int | None
    left: bytes
    right: bytes
    token_id: int
    tokens: tuple[bytes, ...]
    made: tuple[int, ...]


@dataclass(frozen=True)
class ExplainedWord:
    """A word of a text, or a special token: from its bytes to its tokens.

    Attributes
    ----------
    word : bytes
    steps : tuple of MergeStep
    tokens : tuple of bytes
    ids : tuple of int
    is_special : bool
    """

    word: bytes
    steps: tuple[MergeStep, ...]
    tokens: tuple[bytes, ...]
    ids: tuple[int, ...]
    is_special: bool = False


def explain_words(
    tokenizer: Codec, data: bytes, allowed_special: Collection[str]
) -> tuple[ExplainedWord, ...]:
    """Return the words of a text and its special tokens, in order. Requires: UTF-8."""
    allowed = [name for name in tokenizer.special_tokens if name in allowed_special]
    explainer = _Explainer(tokenizer)
    words: list[ExplainedWord] = []
    at = 0
    for start, end, token_id in [
        *tokenizer._special_spans(data, allowed),
        (len(data), len(data), -1),
    ]:
        words += explainer.piece(data[at:start], allowed)
        if token_id >= 0:
            token = data[start:end]
            words.append(ExplainedWord(token, (), (token,), (token_id,), True))
        at = end
    return tuple(words)


class _Explainer:
    """A tokenizer's merges, looked up by id, and the words explained so far."""

    def __init__(self, tokenizer: Codec) -> None:
        self.tokenizer = tokenizer
        self.ids = tokenizer.token_ids.tolist()
        self.numbers = {token_id: number for number, token_id in enumerate(self.ids)}
        self.pairs = tokenizer.merge_pairs
        self.counts = tokenizer.merge_counts
        self.known: dict[bytes, ExplainedWord] = {}

    def piece(self, data: bytes, allowed: Sequence[str]) -> Iterator[ExplainedWord]:
        """Yield the words of a text as it is normalized, and the tokens that are found in that."""
        at = 0
        data, found = self.tokenizer._normalize(data, allowed)
        for start, end, token_id in [*found, (len(data), len(data), -1)]:
            yield from self.words(self.tokenizer._begin_words(data[at:start]))
            if token_id >= 0:
                token = data[start:end]
                yield ExplainedWord(token, (), (token,), (token_id,), True)
            at = end

    def words(self, data: bytes) -> Iterator[ExplainedWord]:
        for word in self.tokenizer._words(data):
            if word not in self.known:
                self.known[word] = self.word(word)
            yield self.known[word]

    def word(self, word: bytes) -> ExplainedWord:
        ids = tuple(self.tokenizer._encode_word(word))
        tokens = tuple(map(self.tokenizer.token_bytes, ids))
        word = b"".join(tokens)  # without bytes that have no id
        if not all(token_id in self.numbers for token_id in ids) or not ids:
            return ExplainedWord(word, (), tokens, ids)  # a token as a whole
        starts = itertools.accumulate(map(len, tokens[:-1]), initial=0)
        numbers = dict(zip(starts, (self.numbers[token_id] for token_id in ids), strict=True))
        return ExplainedWord(word, tuple(self.undo(word, numbers))[::-1], tokens, ids)

    def undo(self, word: bytes, numbers: dict[int, int]) -> Iterator[MergeStep]:
        """Split tokens, given by where they start, until bytes are left: the latest merge first."""
        while (latest := max(numbers.values())) >= N_BYTES:
            rank = latest - N_BYTES
            starts = sorted(numbers)
            left, right = self.pairs[rank].tolist()
            left_bytes, right_bytes = self.bytes_of(left), self.bytes_of(right)
            yield MergeStep(
                rank=rank,
                count=None if self.counts is None else int(self.counts[rank]),
                left=left_bytes,
                right=right_bytes,
                token_id=self.ids[latest],
                tokens=tuple(word[a:b] for a, b in itertools.pairwise([*starts, len(word)])),
                made=tuple(i for i, start in enumerate(starts) if numbers[start] == latest),
            )
            for start in starts:
                if numbers[start] == latest:
                    numbers[start] = left
                    numbers[start + len(left_bytes)] = right

    def bytes_of(self, number: int) -> bytes:
        return self.tokenizer.token_bytes(self.ids[number])
