from array import array
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

def changed_spans(text: bytes, flags: int) -> array[int]: ...
def is_border(text: Buffer, at: int, flags: int) -> bool: ...
def is_normal(text: Buffer, flags: int) -> bool: ...
def normalize_texts(
    data: Buffer,
    ends: NDArray[np.int64],
    flags: int,
    change: Callable[[bytes], bytes],
    known: dict[bytes, bytes],
    prefix_space: bool,
) -> tuple[bytes, array[int]]: ...
def strip_accents(text: str) -> str: ...
