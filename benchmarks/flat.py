"""Batches of ids as one buffer and offsets, as several encoders give them."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterator


def rows(flat: tuple[bytes, bytes]) -> Iterator[array[int]]:
    """Cut a flat batch (uint32 ids, uint64 offsets, both as bytes) into one array of ids a text."""
    ids = array("I", flat[0])
    offsets = array("Q", flat[1])
    return (ids[start:stop] for start, stop in itertools.pairwise(offsets))
