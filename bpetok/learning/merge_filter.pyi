from collections.abc import Callable
from typing import NoReturn

from bpetok.patterns.search import Search

class TokenFilter:
    def __init__(
        self,
        utf8: bool,
        no_colon_space: bool,
        max_words: int,
        final: frozenset[bytes],
        search: Search | Callable[[bytes], object] | None,
    ) -> None: ...
    def raise_error(self) -> NoReturn: ...
