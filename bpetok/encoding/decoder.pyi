from collections.abc import Iterable
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

Ids = Iterable[SupportsIndex] | npt.NDArray[np.integer[Any]]

def list_of_ids(ids: Ids, name: str = ...) -> list[SupportsIndex]: ...

class Decoder:
    def __init__(self, tokens: list[bytes | None]) -> None: ...
    def decode(self, ids: Ids, name: str = ...) -> bytes: ...
    def offsets(self, ids: list[int], text: bytes) -> list[tuple[int, int]]: ...
