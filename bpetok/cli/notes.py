"""What the library logs, as notes on standard error."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from bpetok.cli.common import say, with_flags


class Notes(logging.Handler):
    """Prints what the library logs at the level INFO.

    Parameters
    ----------
    quiet : bool
        Print nothing.

    Attributes
    ----------
    unseen : list of str
        The special tokens that never occur in the text.
    n_repeated : int
        How many sources are given more than once.
    """

    def __init__(self, *, quiet: bool) -> None:
        super().__init__()
        self.quiet = quiet
        self.unseen: list[str] = []
        self.n_repeated = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.unseen += getattr(record, "unseen", ())
        self.n_repeated += getattr(record, "n_repeated", 0)
        if not self.quiet:
            say("note", with_flags(record.getMessage()))


@contextmanager
def noting(*, quiet: bool) -> Iterator[Notes]:
    """Print notes until the block ends."""
    logger = logging.getLogger("bpetok")
    notes, before = Notes(quiet=quiet), logger.level
    logger.addHandler(notes)
    logger.setLevel(logging.INFO)
    try:
        yield notes
    finally:
        logger.removeHandler(notes)
        logger.setLevel(before)
