"""How merges were learned from a small text: what `bpetok.watch` returns, as text and as a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bpetok.base.display import plural, show_bytes
from bpetok.base.limits import N_BYTES
from bpetok.showing.lesson_page import lesson_page
from bpetok.showing.lesson_steps import LessonStep, WordSlots, tokens_of
from bpetok.showing.pages import Page


@dataclass(frozen=True, repr=False)
class Lesson(Page):
    """A training that can be watched, merge by merge.

    ``str`` gives the merges as plain text, a notebook shows the page that `save` writes.

    Attributes
    ----------
    words : tuple of (bytes, int)
        The different words of the text and their counts, the most frequent first.
    steps : tuple of LessonStep
    rounds : tuple of int
        How many merges were known after each round of the learner: merges that do not depend on
        each other are applied in one round.
    slots : tuple of WordSlots
        The words in the order in which they lie in the flat array, cut into two shards.
    notes : tuple of str
        What was cut off, as sentences; empty if nothing was.
    lang : {"en", "zh"}
        The language of the page.
    """

    _title: ClassVar[str] = "How merges are learned"
    words: tuple[tuple[bytes, int], ...]
    steps: tuple[LessonStep, ...]
    rounds: tuple[int, ...]
    slots: tuple[WordSlots, ...]
    notes: tuple[str, ...] = ()
    lang: str = "en"

    @property
    def n_bytes(self) -> int:
        """The length of the text in bytes."""
        return sum(len(word) * count for word, count in self.words)

    @property
    def tokens(self) -> list[bytes]:
        """The bytes of each token, by id."""
        return tokens_of(self.steps)

    def __repr__(self) -> str:
        return (
            f"<Lesson: {plural(len(self.words), 'different word')}, "
            f"{plural(len(self.steps), 'merge')}; "
            "print it, or save it as a page>"
        )

    def __str__(self) -> str:
        names = [show_bytes(token) for token in self.tokens]
        lines = [
            *self.notes,
            f"{self.n_bytes:,} bytes, {plural(len(self.words), 'different word')}",
        ]
        for number, step in enumerate(self.steps):
            line = (
                f"{N_BYTES + number}  {names[step.left]} + {names[step.right]}"
                f"  {plural(step.times, 'time')}, {plural(step.n_tokens, 'token')} left"
            )
            if step.runner_up is not None:
                left, right, times = step.runner_up
                line += f"; next was {names[left]} + {names[right]}, {plural(times, 'time')}"
            lines.append(line)
        return "\n".join(lines)

    def to_html(self) -> str:
        """Return a page, whole in itself, in which the training runs forwards and backwards.

        Raises
        ------
        MissingExtraError
            If Jinja is not installed: ``pip install "bpetok[report]"``.
        """
        return lesson_page(
            self.words, self.steps, self.rounds, self.slots, notes=self.notes, lang=self.lang
        )
