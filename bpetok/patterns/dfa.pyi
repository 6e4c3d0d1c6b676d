from typing import final

from bpetok.patterns.provisional import Provisional
from bpetok.patterns.tables import Tables

@final
class CompiledPattern:
    def __init__(
        self,
        tables: tuple[Tables, ...],
        provisional: tuple[Provisional | None, ...],
        fails: bool = False,
        spaced_level: int = -1,
    ) -> None: ...
    @property
    def tables(self) -> tuple[Tables, ...]: ...
    @property
    def provisional(self) -> tuple[Provisional | None, ...]: ...
    @property
    def n_levels(self) -> int: ...
    @property
    def spaced_level(self) -> int: ...
    @property
    def memory(self) -> int: ...
    @property
    def can_be_cut(self) -> bool: ...
