import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer

_Int64 = npt.NDArray[np.int64]

def number_of_lines(lines: Buffer) -> int: ...
def texts_of_lines(
    lines: Buffer, n_lines: int, name: bytes
) -> tuple[memoryview, _Int64, _Int64, int] | None: ...
def unescaped(text: Buffer, begin: int, end: int) -> bytes | None: ...
