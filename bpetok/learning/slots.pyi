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
