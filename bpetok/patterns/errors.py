"""Why a text can't be split."""

from __future__ import annotations

from bpetok.base.checks import shorten
from bpetok.base.records import NamedTuple


class Limit(NamedTuple):
    """The time that a text may take: so many seconds, and so many more for each character."""

    least: float
    per_character: float

    def seconds(self, text: str) -> float:
        """Return the time that this text may take."""
        return self.least + self.per_character * len(text)


LIMIT = Limit(10.0, 1e-5)
"""Some hundred times what a common pattern takes: one that takes longer backtracks without end."""


class SplitError(Exception):
    """A text can't be split: the reason, "unmatched", "empty" or "time", and the byte where."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason, offset)
        self.reason = reason
        self.offset = offset

    def explain(self, pattern: str, origin: str, offset: int) -> Exception:
        """Return what the user is told; `offset` is the byte in the text `origin`."""
        if self.reason == "time":
            return TimeoutError(
                f"{origin}: pattern {shorten(pattern)} takes more than {LIMIT.least:g} s and "
                f"{LIMIT.per_character * 1e6:g} s more for a million characters: "
                "make it possessive or atomic where it backtracks, or split the text"
            )
        if self.reason == "empty":
            return ValueError(
                f"{origin}: pattern {shorten(pattern)} matches nothing at all at byte {offset}, "
                "and a word must not be empty: put + for *"
            )
        return ValueError(
            f"{origin}: pattern {shorten(pattern)} does not match the text at byte {offset}; "
            "unmatched='word' makes words of such places, unmatched='drop' leaves them out"
        )
