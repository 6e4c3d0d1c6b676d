from array import array
from typing import Any

from typing_extensions import Buffer

def merges_of_ranks(tokens: list[bytes]) -> array[int]: ...
def merges_taken(
    rows: Buffer, words: list[bytes | None], every: bool
) -> tuple[array[int], array[int]]: ...

class Names:
    words: list[bytes | None]
    def __init__(self, names: list[str], ids: list[int | None], characters: str) -> None: ...
    def number_merges(self, rows: list[Any]) -> tuple[array[int], int]: ...
