"""What becomes of texts before they are split: a normalizer, and a space before each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from bpetok.base.array_types import Int64
from bpetok.base.checks import check_bool
from bpetok.base.records import NamedTuple
from bpetok.patterns.normalize import (
    LocalNormalizer,
    have_space_at_ends,
    prefix_texts,
)
from bpetok.patterns.special import SpecialTokens

if TYPE_CHECKING:
    from bpetok.patterns.normalizers import Normalizer, Spec

Buffer = bytes | memoryview
Ends = Int64


class Changes(NamedTuple):
    """What becomes of a text between two special tokens; threads may share it.

    normalizer : Normalizer or None
    prefix_space : bool
        Put a space before it, unless it begins with one.
    """

    normalizer: Normalizer | None = None
    prefix_space: bool = False

    @property
    def spec(self) -> Any:
        """The normalizer as `Tokenizer.normalizer` has it, None if there is none."""
        return None if self.normalizer is None else self.normalizer.spec

    @property
    def are_local(self) -> bool:
        """What becomes of a character depends on those next to it only, not on the whole text."""
        return not self.prefix_space and (self.normalizer is None or self._local is not None)

    @property
    def _local(self) -> LocalNormalizer | None:
        return None if self.normalizer is None else self.normalizer.local

    def __bool__(self) -> bool:
        return self.normalizer is not None or self.prefix_space

    def leave(self, data: Buffer, ends: Ends) -> bool:
        """Tell whether texts that lie one after another are left as they are, surely."""
        if self.prefix_space or self.normalizer is None:
            return not self
        if self._local is not None:
            return self._local.is_normal(data)
        if not self.normalizer.leaves(data):
            return False
        return not (self.normalizer.strips and have_space_at_ends(data, ends))

    def may_cut(self, data: Buffer, at: int) -> bool:
        """Tell whether what becomes of a text is what becomes of its parts before and after `at`.

        Requires: 0 < at < len(data), and whole characters around it.
        """
        if self.prefix_space or self._local is None:
            return not self
        return self._local.is_border(data, at)

    def apply(
        self, data: Buffer, ends: Ends, special_tokens: SpecialTokens
    ) -> tuple[bytes, Ends, Sequence[int]]:
        """Return what becomes of texts that lie one after another in memory.

        What is between special tokens becomes a text of its own; the tokens are left out, since
        what is normalized may look like them. So for each new text it is also said where it ends,
        and what was the number of the text that it was a part of.

        Parameters
        ----------
        data : buffer of bytes
            Texts in UTF-8.
        ends : int64 array, shape (n_texts,)
        special_tokens : SpecialTokens
        """
        numbers: Sequence[int] = range(len(ends))
        if special_tokens.spans(data):
            parts = [
                [text[begin:end] for begin, end in spans_between(text, special_tokens)]
                for text in _texts(data, ends)
            ]
            numbers = [number for number, between in enumerate(parts) for _ in between]
            data, ends = _joined([text for between in parts for text in between])
        steps = [] if self.normalizer is None else [*self.normalizer.of_texts]
        if self.prefix_space:
            steps.append(prefix_texts)
        for step in steps:
            data, new_ends = step(data, ends)
            ends = np.frombuffer(new_ends, np.int64)
        return bytes(data), ends, numbers

    def source_of(self, text: Buffer, offset: int) -> tuple[int, int]:
        """Return where a byte of what becomes of a text is from, for a message.

        Parameters
        ----------
        text : buffer of bytes
            In UTF-8, between special tokens.
        offset : int
            In bytes, in what becomes of it.

        Returns
        -------
        begin : int
            A byte of the text, near the place if changes are local, otherwise 0.
        offset : int
            The same in what becomes of the text from there on.
        """
        begin, end = 0, len(text)
        while self.are_local:
            # Halves, so that hardly more than the whole is changed once.
            ats = range(max(begin + 1, (begin + end) // 2), end)
            characters = (at for at in ats if text[at] & 0xC0 != 0x80)
            middle = next((at for at in characters if self.may_cut(text, at)), None)
            if middle is None:
                break
            before = bytes(text[begin:middle])
            n_before = len(before if self._local is None else self._local.normalize(before))
            if n_before <= offset:
                begin, offset = middle, offset - n_before
            else:
                end = middle
        return begin, offset


NO_CHANGES = Changes()


def check_changes(normalizer: Spec | None, prefix_space: bool = False) -> Changes:
    """Return what a normalizer and a space before each text change.

    Raises
    ------
    TypeError, ValueError
        If there is no such normalizer, or `prefix_space` is no bool.
    """
    check_bool("prefix_space", prefix_space)
    if normalizer is None:
        return Changes(None, prefix_space)
    from bpetok.patterns.normalizers import Normalizer

    checked = Normalizer(normalizer)
    return Changes(checked if checked.spec != [] else None, prefix_space)


def _texts(data: Buffer, ends: Ends) -> list[bytes]:
    return [bytes(data[begin:end]) for begin, end in pairwise([0, *ends.tolist()])]


def spans_between(text: Buffer, special_tokens: SpecialTokens) -> list[tuple[int, int]]:
    """Return where what is between the special tokens of a text begins and ends."""
    bounds = [0, *chain.from_iterable(special_tokens.spans(text)), len(text)]
    return list(zip(bounds[::2], bounds[1::2], strict=True))


def _joined(texts: list[bytes]) -> tuple[bytes, Ends]:
    return b"".join(texts), np.fromiter(accumulate(map(len, texts)), np.int64, len(texts))
