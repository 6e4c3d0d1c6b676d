"""How a text becomes tokens: its words, and each merge in the order in which it is applied.

Nothing is merged anew to find out. A token that merge i makes is made of two tokens, each of them
a byte or made by an earlier merge, so the tokens of a word tell all merges that led to them; and
since what a merge makes only takes part in later merges, they were applied in the order of rank.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpetok.base.display import show_bytes
from bpetok.base.files import check_writable, write_whole
from bpetok.encoding.vocab import N_BYTES
from bpetok.patterns.pretokenize import pretokenize
from bpetok.patterns.special import SpecialTokens

if TYPE_CHECKING:
    from rich.text import Text

    from bpetok.tokenizer import Tokenizer

STYLES = ("black on cyan", "black on yellow", "black on magenta", "black on green")


@dataclass(frozen=True)
class MergeStep:
    """One merge in one word.

    Attributes
    ----------
    rank : int
        Number of the merge, from 0 in learning order.
    count : int or None
        How often the pair stood in the training text, if that is known.
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


@dataclass(frozen=True, repr=False)
class Explanation:
    """How a text becomes tokens: what `Tokenizer.explain` returns.

    ``str`` gives it as plain text, `rich.print` with colours, a notebook shows the page that `save`
    writes.

    Attributes
    ----------
    words : tuple of ExplainedWord
        All words of the text and the special tokens in it, in order.
    byte_ids : tuple of int
        The id of each of the 256 bytes.
    """

    words: tuple[ExplainedWord, ...]
    byte_ids: tuple[int, ...]

    @property
    def ids(self) -> list[int]:
        """The ids of the text."""
        return [token_id for word in self.words for token_id in word.ids]

    @property
    def n_bytes(self) -> int:
        """The length of the text in bytes."""
        return sum(len(word.word) for word in self.words)

    def __rich__(self) -> Text:
        from rich.text import Text

        text = Text(end="")
        text.append(f"{self._sizes()}\n", "bold")
        shown = set()
        for word in self.words:
            if word.word not in shown:  # the same word becomes the same tokens everywhere
                shown.add(word.word)
                text.append_text(_word_text(word))
        return text

    def __repr__(self) -> str:
        return f"<Explanation: {self._sizes()}; print it, or save it as a page>"

    def _sizes(self) -> str:
        counts = [
            _number(len(self.words), "word"),
            _number(self.n_bytes, "byte"),
            _number(len(self.ids), "token"),
        ]
        return ", ".join(counts)

    def __str__(self) -> str:
        plain: str = self.__rich__().plain
        return plain.rstrip("\n")

    def _repr_html_(self) -> str | None:
        from bpetok.showing import pages

        return pages.framed("How a text becomes tokens", self.to_html)

    def to_html(self) -> str:
        """Return a page, whole in itself, in which one steps through the merges.

        Raises
        ------
        MissingExtraError
            If Jinja is not installed: ``pip install "bpetok[report]"``.
        """
        from bpetok.showing import pages

        return pages.explanation_page(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page of `to_html` to a file, whole or not at all.

        Raises
        ------
        OSError
            If the folder does not exist or can't be written to, or `path` is a folder.
        MissingExtraError
            As `to_html`.
        """
        check_writable(path)
        write_whole(path, self.to_html().encode())


def explain(tokenizer: Tokenizer, data: bytes, allowed_special: Collection[str]) -> Explanation:
    """Return how a text becomes tokens: `Tokenizer.explain`. Requires: UTF-8."""
    names = tokenizer.special_tokens
    special = SpecialTokens(name.encode() for name in names if name in allowed_special)
    explainer = _Explainer(tokenizer)
    words: list[ExplainedWord] = []
    at = 0
    for start, end in [*special.spans(data), (len(data), len(data))]:
        words += explainer.words(data[at:start])
        if end > start:
            token = data[start:end]
            words.append(ExplainedWord(token, (), (token,), (names[token.decode()],), True))
        at = end
    return Explanation(tuple(words), tuple(tokenizer.token_ids[:N_BYTES].tolist()))


class _Explainer:
    """A tokenizer's merges, looked up by id, and the words explained so far."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.ids = tokenizer.token_ids.tolist()
        self.numbers = {token_id: number for number, token_id in enumerate(self.ids)}
        self.pairs = tokenizer.merge_pairs
        self.counts = tokenizer.merge_counts
        self.known: dict[str, ExplainedWord] = {}

    def words(self, data: bytes) -> Iterator[ExplainedWord]:
        for word in pretokenize(data.decode(), self.tokenizer.pattern, unmatched="word"):
            if word not in self.known:
                self.known[word] = self.word(word.encode())
            yield self.known[word]

    def word(self, word: bytes) -> ExplainedWord:
        ids = tuple(self.tokenizer._encode_word(word))
        tokens = tuple(map(self.tokenizer.token_bytes, ids))
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


def _word_text(word: ExplainedWord) -> Text:
    from rich.text import Text

    text = Text()
    text.append(f"\n{show_bytes(word.word)}", "bold")
    text.append("  special token\n" if word.is_special else "\n")
    lines = [_tokens_text([bytes([byte]) for byte in word.word], ())] if word.steps else []
    lines += [_tokens_text(step.tokens, step.made) for step in word.steps]
    notes = [""] * (len(lines) > 0) + [_note(step) for step in word.steps]
    width = max((line.cell_len for line in lines), default=0)
    for line, note in zip(lines, notes, strict=True):
        text.append("  ").append_text(line)
        if note:
            text.append(" " * (width - line.cell_len + 3)).append(note, "dim")
        text.append("\n")
    text.append("  ")
    for i, (token, token_id) in enumerate(zip(word.tokens, word.ids, strict=True)):
        text.append(show_bytes(token), STYLES[i % len(STYLES)]).append(f" {token_id}  ")
    text.rstrip()
    return text.append("\n")


def _tokens_text(tokens: Sequence[bytes], made: Sequence[int]) -> Text:
    from rich.text import Text

    text = Text()
    for i, token in enumerate(tokens):
        text.append(" " if i else "").append(show_bytes(token), "bold green" if i in made else "")
    return text


def _note(step: MergeStep) -> str:
    count = "" if step.count is None else f", {_number(step.count, 'time')} in training"
    return f"merge {step.rank}: {show_bytes(step.left)} + {show_bytes(step.right)}{count}"


def _number(n: int, thing: str) -> str:
    return f"{n:,} {thing}{'' if n == 1 else 's'}"
