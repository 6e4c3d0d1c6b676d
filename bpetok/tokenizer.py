"""The Tokenizer: what training gives and what encodes, decodes, saves and loads."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bpetok.base.checks import check_integer, check_special_tokens
from bpetok.base.files import write_whole
from bpetok.encoding.decoder import Decoder
from bpetok.encoding.decoding import Decoding
from bpetok.encoding.encoder import Encoder
from bpetok.encoding.encoding import Encoding
from bpetok.encoding.token_bytes import build_token_bytes
from bpetok.encoding.vocab import (
    N_BYTES,
    build_vocab,
    check_ids,
    check_merge_counts,
    check_merges,
)
from bpetok.formats import native
from bpetok.formats.conversions import Conversions
from bpetok.formats.files import naming_file
from bpetok.patterns.builtin import check_pattern, scanner_of

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt
    from typing_extensions import Self

    from bpetok.encoding.facts import TrainingFacts
    from bpetok.encoding.vocab import Counts, Merges


class Tokenizer(Encoding, Decoding, Conversions):
    """A byte-level BPE tokenizer, immutable. Threads and forked processes may share it.

    Ids 0 to 255 are the bytes, merge i makes the id 256 + i, and the special tokens follow in their
    order, unless `token_ids` and `special_tokens` say otherwise. Two tokenizers are equal if they
    have the same merges, pattern, special tokens and ids.

    Parameters
    ----------
    merges : sequence of pairs of int, or integer array, shape (n_merges, 2)
        The tokens that each merge joins, in learning order: 0 to 255 are the bytes, 256 + i is what
        merge i makes.
    pattern : str
        What splits text into words: the name of a built-in pattern (`bpetok.patterns.names`), or a
        regular expression. Text that the expression does not match is a word, so that no text is
        lost; encoding is far slower with an expression that is not a built-in pattern.
    special_tokens : iterable of str, or mapping of str to int
        All different, none empty. A mapping says what id each has.
    merge_counts : sequence of int or integer array, shape (n_merges,), optional
        How often each pair stood in the training text when it was merged.
    token_ids : sequence of int or integer array, shape (256 + n_merges,), optional
        The id of each byte and of what each merge makes, for a vocabulary that came from elsewhere
        with other ids. All that this class takes and gives are these ids, but for `merge_pairs`.
    training : TrainingFacts, optional
        What it was trained on.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not as said above; the message names it, the value and the bound.
    """

    __slots__ = (
        "_counts",
        "_decoder",
        "_narrow",
        "_pairs",
        "_pattern",
        "_special_tokens",
        "_token_bytes",
        "_token_ids",
        "_training",
        "_vocab_size",
    )

    def __init__(
        self,
        *,
        merges: Merges,
        pattern: str = "gpt2",
        special_tokens: Iterable[str] | Mapping[str, int] = (),
        merge_counts: Counts | None = None,
        token_ids: Counts | None = None,
        training: TrainingFacts | None = None,
    ) -> None:
        pairs = check_merges(merges)
        n_merges = len(pairs) // 2
        special = check_special_tokens(special_tokens)
        given = special_tokens if isinstance(special_tokens, Mapping) else None
        counts = None if merge_counts is None else check_merge_counts(merge_counts, n_merges)
        ids, special_ids = check_ids(token_ids, given, n_merges)
        if given is None:
            first = max(ids, default=0) + 1 if ids is not None else N_BYTES + n_merges
            special_ids = list(range(first, first + len(special)))
        self._pattern = check_pattern(pattern)
        # bytes, so that the arrays made of them can't be written to
        self._pairs = pairs.tobytes()
        self._counts = None if counts is None else counts.tobytes()
        self._token_ids = None if ids is None else ids.tobytes()
        self._training = training
        by_id = sorted(zip(special_ids, special, strict=True))
        self._special_tokens = {token: token_id for token_id, token in by_id}
        # A tuple, which the garbage collector need not walk through.
        self._token_bytes = tuple(build_token_bytes(pairs))
        largest = max(ids) if ids is not None else N_BYTES + n_merges - 1
        self._vocab_size = 1 + max(largest, *special_ids, 0)
        self._narrow = self._vocab_size <= 1 << 16
        scanner = scanner_of(self._pattern)
        split = _splitter(self._pattern) if scanner < 0 else None
        self._encoder = Encoder(pairs, self._vocab_size, ids, scanner, split)
        self._decoder = Decoder(self._tokens_by_id())
        self._refusing = self._build_specials((), "all")

    def _tokens_by_id(self) -> list[bytes | None]:
        tokens: list[bytes | None] = [None] * self._vocab_size
        if self._token_ids is None:
            tokens[: len(self._token_bytes)] = self._token_bytes
        else:
            for token_id, token in zip(self._ids(), self._token_bytes, strict=True):
                tokens[token_id] = token
        for name, token_id in self._special_tokens.items():
            tokens[token_id] = name.encode()
        return tokens

    def _ids(self) -> Sequence[int]:
        # The id of each byte and each merge.
        if self._token_ids is None:
            return range(len(self._token_bytes))
        return memoryview(self._token_ids).cast("i")

    # ---- what it holds ----

    @property
    def merges(self) -> list[tuple[bytes, bytes]]:
        """The bytes that each merge joins, in learning order: a new list each time.

        Where two ids have the same bytes, `merge_pairs` says which is meant.
        """
        pairs = memoryview(self._pairs).cast("i")
        tokens = self._token_bytes
        return [
            (tokens[left], tokens[right])
            for left, right in zip(pairs[::2], pairs[1::2], strict=True)
        ]

    @property
    def merge_pairs(self) -> npt.NDArray[np.int32]:
        """What each merge joins: int32, shape (n_merges, 2), read-only.

        0 to 255 are the bytes, 256 + i is what merge i makes, whatever the ids of these are.
        """
        import numpy as np

        return np.frombuffer(self._pairs, dtype=np.int32).reshape(-1, 2)

    @property
    def merge_counts(self) -> npt.NDArray[np.int64] | None:
        """How often each pair stood when it was merged: int64, shape (n_merges,), read-only.

        None if that is not known.
        """
        import numpy as np

        return None if self._counts is None else np.frombuffer(self._counts, dtype=np.int64)

    @property
    def training(self) -> TrainingFacts | None:
        """What it was trained on; None if that is not known."""
        return self._training

    @property
    def vocab(self) -> dict[bytes, int]:
        """The id of each ordinary token: a new dict each time.

        Two merges can spell the same bytes. Then this has the first id only, and fewer entries
        than there are tokens; `token_bytes` knows all.
        """
        return build_vocab(zip(self._token_bytes, self._ids(), strict=True))

    @property
    def special_tokens(self) -> dict[str, int]:
        """The id of each special token."""
        return dict(self._special_tokens)

    @property
    def pattern(self) -> str:
        """The pattern that splits text into words: a name, or an expression that has none."""
        return self._pattern

    @property
    def vocab_size(self) -> int:
        """One more than the largest id: bytes + merges + special tokens, if no id is left out."""
        return self._vocab_size

    def token_bytes(self, token_id: int) -> bytes:
        """Return the bytes of one id, ordinary or special; ValueError if there is no such id."""
        return self._decoder.decode([token_id])

    @property
    def token_ids(self) -> npt.NDArray[np.int32]:
        """The id of each byte and of what each merge makes: int32, shape (256 + n_merges,)."""
        import numpy as np

        ids = np.asarray(self._ids(), dtype=np.int32)
        ids.flags.writeable = False
        return ids

    def truncate(self, vocab_size: int) -> Tokenizer:
        """Return the tokenizer that training with a smaller `vocab_size` would have given.

        The last merges are left out, and larger ids than theirs, as those of special tokens are
        after training, move down by as many as are missing below them. `training` is None.

        Parameters
        ----------
        vocab_size : int
            At least that of no merges, at most the tokenizer's own.
        """
        n_merges = len(self._token_bytes) - N_BYTES
        most = self._vocab_size
        n_gone = most - check_integer("vocab_size", vocab_size, most - n_merges, most)
        kept = n_merges - n_gone
        ids = list(self._ids())
        gone = sorted(ids[N_BYTES + kept :])
        counts = self.merge_counts
        return Tokenizer(
            merges=self.merge_pairs[:kept],
            pattern=self._pattern,
            special_tokens={
                name: token_id - bisect_left(gone, token_id)
                for name, token_id in self._special_tokens.items()
            },
            merge_counts=None if counts is None else counts[:kept],
            token_ids=[
                token_id - bisect_left(gone, token_id) for token_id in ids[: N_BYTES + kept]
            ],
        )

    def __repr__(self) -> str:
        n_merges = len(self._token_bytes) - N_BYTES
        return (
            f"<Tokenizer: {self.vocab_size} ids, {n_merges} merges, pattern {self._pattern!r}, "
            f"{len(self._special_tokens)} special tokens>"
        )

    def _repr_html_(self) -> str:
        from bpetok.base.display import N_ROWS, show_bytes, table_html

        merges, counts = self.merges, self.merge_counts
        n, half = len(merges), N_ROWS // 2
        ranks = list(range(n)) if n <= N_ROWS else [*range(half), *range(n - half, n)]
        rows = [
            (
                f"{rank:,}",
                *map(show_bytes, merges[rank]),
                "" if counts is None else f"{counts[rank]:,}",
            )
            for rank in ranks
        ]
        facts = self.training
        trained = (
            "" if facts is None else f"; {facts.bytes_per_token:.2f} bytes a token in training"
        )
        return table_html(repr(self) + trained, ("rank", "left", "right", "count"), rows)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tokenizer):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (*self._identity(), self._counts, self._training)

    def _identity(self) -> tuple[bytes, str, tuple[tuple[str, int], ...], bytes | None]:
        return self._pairs, self._pattern, tuple(self._special_tokens.items()), self._token_ids

    @property
    def vocabulary_sha256(self) -> str:
        """A hash of all that ids depend on: merges, pattern, special tokens and ids."""
        import hashlib  # takes 2 ms

        return hashlib.sha256(self._to_json(with_training=False)).hexdigest()

    # ---- files ----

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the tokenizer to a JSON file, whole or not at all.

        The file is complete under another name before it gets its own, so nobody ever finds half of
        it.

        Raises
        ------
        OSError
            If the folder does not exist or can't be written to, or `path` is a folder.
        """
        write_whole(path, self._to_json())

    def _to_json(self, *, with_training: bool = True) -> bytes:
        counts = facts = None
        if with_training and self._counts is not None:
            counts = memoryview(self._counts).cast("q").tolist()
        if with_training and self._training is not None:
            facts = self._training.to_json()
        return native.to_json(
            pairs=memoryview(self._pairs).cast("i").tolist(),
            pattern=self._pattern,
            special_tokens=self._special_tokens,
            counts=counts,
            token_ids=None if self._token_ids is None else list(self._ids()),
            training=facts,
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the tokenizer that `save` has written to a file.

        Raises
        ------
        OSError
            If the file can't be read.
        ValueError
            If it is not a whole tokenizer; the message names the file and the place in it.
        """
        parts = native.read(path)
        with naming_file(path, what=native.WHAT):
            return cls(**parts._asdict())


def _restore(
    pairs: bytes,
    pattern: str,
    special_tokens: tuple[tuple[str, int], ...],
    token_ids: bytes | None,
    counts: bytes | None,
    training: TrainingFacts | None,
) -> Tokenizer:
    flat = memoryview(pairs).cast("i")
    return Tokenizer(
        merges=list(zip(flat[::2], flat[1::2], strict=True)),
        pattern=pattern,
        special_tokens=dict(special_tokens),
        merge_counts=None if counts is None else memoryview(counts).cast("q").tolist(),
        token_ids=None if token_ids is None else memoryview(token_ids).cast("i").tolist(),
        training=training,
    )


def _splitter(expression: str) -> Callable[[bytes], array[int]]:
    from bpetok.patterns.expressions import (
        Splitter,  # the regex module is not needed for any other pattern
    )

    return Splitter(expression)
