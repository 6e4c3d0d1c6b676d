"""How a text becomes tokens, as text, in colours and as a page."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from bpetok.base.display import plural, show_bytes
from bpetok.base.limits import N_BYTES
from bpetok.showing.explanation_page import explanation_page
from bpetok.showing.pages import Page
from bpetok.showing.steps import ExplainedWord, MergeStep, explain_words

if TYPE_CHECKING:
    from rich.text import Text

    from bpetok.encoding.codec import Codec

STYLES = ("black on cyan", "black on yellow", "black on magenta", "black on green")


@dataclass(frozen=True, repr=False)
class Explanation(Page):
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

    _title: ClassVar[str] = "How a text becomes tokens"
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
            plural(len(self.words), "word"),
            plural(self.n_bytes, "byte"),
            plural(len(self.ids), "token"),
        ]
        return ", ".join(counts)

    def __str__(self) -> str:
        plain: str = self.__rich__().plain
        return plain.rstrip("\n")

    def to_html(self) -> str:
        """Return a page, whole in itself, in which one steps through the merges.

        Raises
        ------
        MissingExtraError
            If Jinja is not installed: ``pip install "bpetok[report]"``.
        """
        return explanation_page(self.words, self.byte_ids)


def explain(tokenizer: Codec, data: bytes, allowed_special: Collection[str]) -> Explanation:
    """Return how a text becomes tokens: `Tokenizer.explain`. Requires: UTF-8."""
    words = explain_words(tokenizer, data, allowed_special)
    return Explanation(words, tuple(tokenizer.token_ids[:N_BYTES].tolist()))


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
    count = "" if step.count is None else f", {plural(step.count, 'time')} in training"
    return f"merge {step.rank}: {show_bytes(step.left)} + {show_bytes(step.right)}{count}"
