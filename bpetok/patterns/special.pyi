from collections.abc import Iterable

from typing_extensions import Buffer

class SpecialTokens:
    tokens: list[bytes]
    longest: int
    def __init__(self, tokens: Iterable[bytes]) -> None: ...
    def spans(self, text: Buffer) -> list[tuple[int, int]]: ...
    def first_across(self, text: Buffer, at: int) -> int: ...
