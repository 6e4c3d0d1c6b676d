from array import array

class Search:
    def __init__(
        self,
        starts: array[int],
        codes: bytes,
        table: array[int],
        n_codes: int,
        line_feed: int,
        found: int,
    ) -> None: ...
    def finds_in(self, text: bytes) -> bool: ...
