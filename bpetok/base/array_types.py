"""Names of the types of arrays.

They are what ``numpy.typing.NDArray[np.int32]`` is, without the import of ``numpy.typing``.
"""

from typing import Any

import numpy as np

Int32 = np.ndarray[tuple[Any, ...], np.dtype[np.int32]]
Int64 = np.ndarray[tuple[Any, ...], np.dtype[np.int64]]
UInt64 = np.ndarray[tuple[Any, ...], np.dtype[np.uint64]]
