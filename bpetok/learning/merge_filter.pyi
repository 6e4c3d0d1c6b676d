from collections.abc import Callable
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

class TokenFilter:
    def __init__(
        self,
        utf8: bool,
        no_colon_space: bool,
        max_words: int,
        final: frozenset[bytes],
        search: Callable[[bytes], object] | None,
    ) -> None: ...
    def kept(self, keys: NDArray[np.int64], tokens: list[bytes]) -> NDArray[np.bool_]: ...
    def raise_error(self) -> NoReturn: ...
