from collections.abc import Callable, Iterable
from typing import Any, Literal

from typing_extensions import Buffer

from bpetok.encoding.merge_order import MergeOrder
from bpetok.encoding.whole_words import WholeWords
from bpetok.patterns.dfa import CompiledPattern
from bpetok.patterns.normalizers import Normalizer
from bpetok.patterns.special import SpecialTokens

Special = Literal["all"] | Iterable[str]

class Specials:
    def __init__(
        self,
        allowed: SpecialTokens,
        ids: list[int],
        disallowed: SpecialTokens,
        finder: Callable[[bytes], Buffer] | None = None,
        inner: Callable[[bytes], Buffer] | None = None,
        inner_tokens: SpecialTokens | None = None,
    ) -> None: ...

class IdArray(Buffer):
    def __len__(self) -> int: ...

class Encoder:
    def __init__(
        self,
        pairs: Buffer,
        n_ids: int,
        token_ids: Buffer | None = None,
        pattern: int | CompiledPattern | None = 0,
        split: Callable[[bytes], tuple[bytes, Buffer]] | None = None,
        whole_words: WholeWords | None = None,
        normalizer: Normalizer | None = None,
        prefix_space: bool = False,
        unk_id: int = -1,
        fuse_unk: bool = False,
        order: MergeOrder | None = None,
    ) -> None: ...
    @property
    def first_late(self) -> int: ...
    def encode(self, text: str | bytes, specials: Specials, name: str = "text") -> list[int]: ...
    def encode_word(self, word: bytes) -> list[int]: ...
    def encode_normal(self, text: bytes) -> list[int]: ...
    def encode_words(self, data: Buffer, ends: Buffer, lengths: Buffer) -> IdArray: ...
    def count(self, text: str | bytes, specials: Specials) -> int: ...
    def encode_array(self, text: str | bytes, specials: Specials, narrow: bool) -> IdArray: ...
    # list[list[int]] as lists, otherwise (ids, their number in each text)
    def encode_many(
        self,
        texts: list[Any],
        start: int,
        end: int,
        specials: Specials,
        narrow: bool,
        as_lists: bool,
    ) -> Any: ...

class TextEncoder:
    _refusing: Specials
    @property
    def _encoder(self) -> Encoder: ...
    def encode_ordinary(self, text: str | bytes, *, errors: str = "strict") -> list[int]: ...
    def encode(
        self,
        text: str | bytes,
        *,
        allowed_special: Special = (),
        disallowed_special: Special = "all",
        add_special_tokens: bool = False,
        errors: str = "strict",
    ) -> list[int]: ...
