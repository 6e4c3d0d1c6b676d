from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bpetok.learning.arrays import Batch, Rows, Shards
from bpetok.learning.merge_filter import TokenFilter

class Pairs:
    n_learned: int
    n_visits: int
    is_full: bool
    is_closed: bool
    def __init__(
        self,
        shards: Shards,
        batch: Batch,
        rows: Rows,
        learned: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]],
        n_learned: int,
        first_id: int,
        tokens: Sequence[bytes],
        byte_len: NDArray[np.int32],
        least_counts: Sequence[int],
        ties: int,
        ends_early: bool = False,
        token_filter: TokenFilter | None = None,
    ) -> None: ...
    def __len__(self) -> int: ...
    def add(
        self,
        keys: NDArray[np.int64],
        counts: NDArray[np.int64],
        starts: NDArray[np.int64],
        sizes: NDArray[np.int64],
    ) -> None: ...
    def select(self, n_merges: int, most_postings: int, most_bytes: int) -> int: ...
    def select_for(
        self, language: int, lengths: NDArray[np.int64], most_postings: int, most_bytes: int
    ) -> int: ...
    def reduce(self, longest: int) -> bool: ...
    def use_postings(
        self, postings: NDArray[np.int32], posting_start: NDArray[np.int64]
    ) -> None: ...
