import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

class SequenceEncoder:
    def __init__(self, pairs: Buffer, n_symbols: int) -> None: ...
    def encode(
        self,
        symbols: NDArray[np.int32],
        offsets: NDArray[np.int64],
        lengths: NDArray[np.int64],
    ) -> int: ...

def expand(pairs: Buffer, starts: NDArray[np.int64], symbols: NDArray[np.int32]) -> None: ...
def decode(
    ids: NDArray[np.int32],
    starts: NDArray[np.int64],
    symbols: NDArray[np.int32],
    result: NDArray[np.int32],
) -> None: ...
