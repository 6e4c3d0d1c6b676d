from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

from bpetok.patterns.dfa import CompiledPattern
from bpetok.patterns.special import SpecialTokens

N_PARTITIONS: int

class WordTable:
    def __init__(
        self,
        special_tokens: SpecialTokens,
        pattern: int | CompiledPattern = 0,
        one_partition: bool = False,
        in_order: bool = False,
    ) -> None: ...
    def __len__(self) -> int: ...
    @property
    def memory(self) -> int: ...
    def limit_memory(self, limit: int, on_full: Callable[[WordTable], object]) -> None: ...
    def clear(self, keep_room: bool = True) -> None: ...
    def sort(self) -> None: ...
    def add_words(
        self, data: Buffer, ends: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> None: ...
    def words_in_order(
        self,
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]: ...
    def count(
        self, data: Buffer, text_ends: NDArray[np.int64], are_utf8: bool = False
    ) -> int: ...

class Combination:
    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]
    def __init__(self, tables: list[WordTable]) -> None: ...
    def combine(self, first: int, last: int) -> None: ...
    def allocate(self) -> None: ...
    def write(self, first: int, last: int) -> None: ...

def sorted_words(
    table: WordTable, p: int
) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.int64]]: ...
