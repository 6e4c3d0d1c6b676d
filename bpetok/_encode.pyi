from collections.abc import Iterable
from typing import SupportsIndex

from typing_extensions import Buffer

LONGEST_WORD_BYTES: int

class Encoder:
    def __init__(self, pairs: Buffer) -> None: ...
    def encode(self, text: str | bytes) -> list[int]: ...

class Decoder:
    def __init__(self, tokens: list[bytes]) -> None: ...
    def decode(self, ids: Iterable[SupportsIndex]) -> bytes: ...
