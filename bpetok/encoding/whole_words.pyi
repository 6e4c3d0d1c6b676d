from collections.abc import Mapping

class WholeWords:
    def __init__(self, words: Mapping[bytes, int]) -> None: ...
