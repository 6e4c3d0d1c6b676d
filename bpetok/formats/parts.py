"""What a reader has found in a file: the parameters of a Tokenizer, which every reader returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bpetok.base.records import NamedTuple

if TYPE_CHECKING:
    from bpetok.encoding.added_tokens import AddedToken
    from bpetok.encoding.facts import TrainingFacts
    from bpetok.patterns.chains import Pattern
    from bpetok.patterns.normalizers import Spec

Pair = tuple[int, int]


class Parts(NamedTuple):
    """The parts of a tokenizer, by the names of the Tokenizer's parameters, which explain them."""

    merges: Sequence[Pair] | memoryview
    pattern: Pattern
    special_tokens: Mapping[str, int]
    token_ids: Sequence[int] | None = None
    whole_words: Mapping[bytes, int] | None = None
    other_tokens: Mapping[bytes, int] | None = None
    normalizer: Spec | None = None
    prefix_space: bool = False
    unk_id: int | None = None
    fuse_unk: bool = False
    merge_order: Sequence[int] | None = None
    merge_counts: Sequence[int] | None = None
    training: TrainingFacts | None = None
    settings: Mapping[str, Any] | None = None
    added_tokens: Sequence[AddedToken] = ()
