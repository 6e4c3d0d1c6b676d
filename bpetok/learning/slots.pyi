import numpy as np
from numpy.typing import NDArray

def sort_rare(counts: NDArray[np.int64], order: NDArray[np.int64]) -> int: ...
def fill_slots(
    ids: NDArray[np.int32],
    offsets: NDArray[np.int64],
    counts: NDArray[np.int64],
    order: NDArray[np.int64],
    symbols: NDArray[np.int32],
    weights: NDArray[np.int64],
) -> int: ...
def longest_run(ids: NDArray[np.int32]) -> tuple[int, int]: ...
def count_runs(
    ids: NDArray[np.int32],
    offsets: NDArray[np.int64],
    counts: NDArray[np.int64],
    byte: int,
    n_pairs: NDArray[np.int64],
) -> tuple[int, int]: ...
def double_runs(
    ids: NDArray[np.int32],
    offsets: NDArray[np.int64],
    counts: NDArray[np.int64],
    one: int,
    first_id: int,
    out: NDArray[np.int32],
    out_offsets: NDArray[np.int64],
    n_pairs: NDArray[np.int64],
) -> int: ...
