from collections.abc import Iterable
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

class Decoder:
    def __init__(self, tokens: list[bytes | None]) -> None: ...
    def decode(self, ids: Iterable[SupportsIndex] | npt.NDArray[np.integer[Any]]) -> bytes: ...
    def offsets(self, ids: list[int], text: bytes) -> list[tuple[int, int]]: ...
