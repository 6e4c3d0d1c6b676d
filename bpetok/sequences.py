"""The SequenceTokenizer: BPE of sequences of integers, such as audio codes, DNA, music, actions."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from bpetok.base.array_types import Int32, Int64
from bpetok.base.checks import check_integer, is_of_arrow, listed, plain, resolve_threads, shorten
from bpetok.base.files import write_whole
from bpetok.base.limits import MAX_ENCODED, MAX_INT64, MAX_SYMBOLS
from bpetok.base.records import NamedTuple
from bpetok.base.threads import map_threads
from bpetok.encoding.sequence_coder import SequenceEncoder, decode, expand
from bpetok.encoding.vocab import check_merge_counts, check_merges, token_lengths
from bpetok.formats import characters, native
from bpetok.formats.files import naming_file

if TYPE_CHECKING:
    import tokenizers
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self

    from bpetok.encoding.vocab import Counts, Merges

SHARE_SYMBOLS = 1 << 20
"""About as many symbols are encoded at once by a thread."""


class Sequences(NamedTuple):
    """Sequences of integers, one after another.

    ids : int32 array
    offsets : int64 array, shape (n_sequences + 1,)
        Sequence i is ids[offsets[i]:offsets[i + 1]].
    """

    ids: Int32
    offsets: Int64


class SequenceTokenizer:
    """A BPE tokenizer of sequences of integers, immutable. Threads may share it.

    Symbols are the numbers from 0 to n_symbols - 1, and ids as well; merge i makes the id
    n_symbols + i. Two tokenizers are equal if they have the same symbols and merges.

    Parameters
    ----------
    n_symbols : int
        How many symbols there are: at most 2**20.
    merges : sequence of pairs of int, or integer array, shape (n_merges, 2)
        The ids that each merge joins, in learning order.
    merge_counts : sequence of int or integer array, shape (n_merges,), optional
        How often each pair occurred when it was merged.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not as said above; or if all tokens together, each once, have more than
        2**28 symbols.
    """

    __slots__ = ("_counts", "_encoder", "_n_symbols", "_pairs", "_starts", "_symbols")

    def __init__(
        self, *, n_symbols: int, merges: Merges, merge_counts: Counts | None = None
    ) -> None:
        self._n_symbols = check_integer("n_symbols", n_symbols, 1, MAX_SYMBOLS)
        pairs = check_merges(merges, self._n_symbols, "symbols")
        n_merges = len(pairs) // 2
        counts = None if merge_counts is None else check_merge_counts(merge_counts, n_merges)
        # bytes, so that the arrays made of them can't be written to
        self._pairs = pairs.tobytes()
        self._counts = None if counts is None else counts.tobytes()
        self._encoder = SequenceEncoder(pairs, self._n_symbols)
        self._starts = np.cumsum([0, *token_lengths(pairs, self._n_symbols)], dtype=np.int64)
        self._symbols = np.empty(self._starts[-1], np.int32)
        expand(pairs, self._starts, self._symbols)

    # ---- what it holds ----

    @property
    def n_symbols(self) -> int:
        """How many symbols there are; larger ids are those of merges."""
        return self._n_symbols

    @property
    def vocab_size(self) -> int:
        """The number of ids: symbols + merges."""
        return len(self._starts) - 1

    def __len__(self) -> int:
        """The same as `vocab_size`: rows that an embedding needs."""
        return self.vocab_size

    @property
    def merge_pairs(self) -> Int32:
        """What each merge joins: int32, shape (n_merges, 2), read-only."""
        return np.frombuffer(self._pairs, np.int32).reshape(-1, 2)

    @property
    def merge_counts(self) -> Int64 | None:
        """How often each pair occurred when it was merged: int64, shape (n_merges,), read-only.

        None if that is not known.
        """
        return None if self._counts is None else np.frombuffer(self._counts, np.int64)

    def token_symbols(self, token_id: int) -> Int32:
        """Return the symbols of one id: int32."""
        number = check_integer("token_id", token_id, 0, self.vocab_size - 1)
        return self._symbols[self._starts[number] : self._starts[number + 1]].copy()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SequenceTokenizer):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[int, bytes]:
        return self._n_symbols, self._pairs

    def __repr__(self) -> str:
        return (
            f"SequenceTokenizer(vocab_size={self.vocab_size}, n_symbols={self.n_symbols}, "
            f"merges={len(self.merge_pairs)})"
        )

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        """Pickle and copy by the constructor."""
        made = partial(
            type(self),
            n_symbols=self.n_symbols,
            merges=self.merge_pairs,
            merge_counts=self.merge_counts,
        )
        return made, ()

    # ---- sequences and ids ----

    def encode(self, sequence: ArrayLike) -> Int32:
        """Return the ids of one sequence: int32, shape (n_ids,).

        Parameters
        ----------
        sequence : sequence of int or integer array, shape (n,)
            Symbols: each in 0..n_symbols - 1.

        Raises
        ------
        TypeError, ValueError
            If it is no sequence of integers, or one is no symbol; the message says where.
        """
        symbols = check_sequence(sequence, self._n_symbols, "sequence")
        return self._encode(Sequences(symbols, np.array([0, len(symbols)])), 1).ids

    def encode_batch(
        self,
        sequences: Iterable[ArrayLike] | tuple[ArrayLike, ArrayLike],
        *,
        n_threads: int | None = None,
    ) -> Sequences:
        """Return the ids of many sequences, one after another, and where each begins.

        Parameters
        ----------
        sequences : iterable of sequences of int, or (ids, offsets)
            As `train_from_sequences` takes them.
        n_threads : int, optional
            By default the environment variable BPETOK_NUM_THREADS, or if it is not set, as many as
            there are CPUs that this process may use.

        Returns
        -------
        ids : int32 array
        offsets : int64 array, shape (n_sequences + 1,)

        Raises
        ------
        TypeError, ValueError
            As `encode`.
        """
        return self._encode(check_sequences(sequences, self._n_symbols), resolve_threads(n_threads))

    def _encode(self, sequences: Sequences, n_threads: int) -> Sequences:
        """Return the ids of sequences; their symbols are written over."""
        symbols, offsets = sequences
        n_sequences = len(offsets) - 1
        longest = int(np.diff(offsets).max(initial=0))
        if longest > MAX_ENCODED:
            raise ValueError(
                f"a sequence must have at most {MAX_ENCODED} symbols, got one of {longest}: cut it"
            )
        ends = np.arange(SHARE_SYMBOLS, len(symbols), SHARE_SYMBOLS)
        places = np.unique([0, *np.searchsorted(offsets[:-1], ends), n_sequences]).tolist()
        lengths = np.empty(n_sequences, np.int64)

        def run(first: int, last: int) -> Int32:
            begin, end = offsets[first], offsets[last]
            part = symbols[begin:end]
            n = self._encoder.encode(part, offsets[first : last + 1] - begin, lengths[first:last])
            return part[:n]

        parts = list(map_threads(lambda share: run(*share), pairwise(places), n_threads))
        ids = np.concatenate([np.empty(0, np.int32), *parts])
        return Sequences(ids, np.concatenate([[0], np.cumsum(lengths)]))

    def decode(self, ids: ArrayLike) -> Int32:
        """Return the symbols of ids: int32, shape (n,).

        Raises
        ------
        TypeError, ValueError
            If it is no sequence of integers, or one is no id; the message says where.
        """
        checked = check_sequence(ids, self.vocab_size, "ids")
        n_symbols = (self._starts[checked + 1] - self._starts[checked]).sum()
        symbols = np.empty(n_symbols, np.int32)
        decode(checked, self._starts, self._symbols, symbols)
        return symbols

    # ---- files ----

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the tokenizer to a JSON file, whole or not at all.

        Raises
        ------
        OSError
            If the folder does not exist or can't be written to, or `path` is a folder.
        """
        counts = None if self._counts is None else memoryview(self._counts).cast("q").tolist()
        pairs = memoryview(self._pairs).cast("i").tolist()
        write_whole(path, native.sequences_to_json(self._n_symbols, pairs, counts))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the tokenizer that `save` has written to a file.

        Raises
        ------
        OSError
            If the file can't be read.
        ValueError
            If it is not a whole tokenizer of sequences; the message names the file.
        """
        parameters = native.read_sequences(path)
        with naming_file(path):
            return cls(**parameters)

    # ---- Hugging Face ----

    def to_characters(self, sequence: ArrayLike) -> str:
        """Return a sequence as the text that stands for it in Hugging Face's tokenizers.

        Symbol i is the character number i from U+4E00 on, without the surrogates.
        """
        return characters.to_characters(check_sequence(sequence, self._n_symbols, "sequence"))

    def from_characters(self, text: str) -> Int32:
        """Return the sequence that a text stands for; ValueError if a character is no symbol."""
        if not isinstance(text, str):
            raise TypeError(f"text must be a str, got {shorten(text)}")
        symbols = characters.from_characters(text)
        wrong = np.flatnonzero((symbols < 0) | (symbols >= self._n_symbols))
        if len(wrong):
            raise ValueError(f"text[{wrong[0]}] is no symbol: {text[int(wrong[0])]!r}")
        return symbols

    def to_tokenizers(self) -> tokenizers.Tokenizer:
        """Return a `tokenizers.Tokenizer` of texts as `to_characters` makes them.

        Raises
        ------
        ValueError
            If two tokens have the same symbols, as no merges that were learned have.
        """
        return characters.to_tokenizers(self._vocabulary())

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write a folder that `transformers.AutoTokenizer.from_pretrained` loads.

        It takes texts as `to_characters` makes them, and gives the same ids.

        Raises
        ------
        OSError, ValueError
            If the folder can't be written to, or holds files of another tokenizer, which
            transformers would read with this one's; or as in `to_tokenizers`.
        """
        characters.save_pretrained(self._vocabulary(), folder)

    def _vocabulary(self) -> characters.SequenceVocabulary:
        return characters.SequenceVocabulary(
            self.merge_pairs, self._starts, self._symbols, self.encode
        )


def check_sequences(
    given: Iterable[ArrayLike] | tuple[ArrayLike, ArrayLike], n_symbols: int
) -> Sequences:
    """Return sequences of numbers below `n_symbols`, in arrays that nobody else has.

    Raises
    ------
    TypeError, ValueError
        If they are no sequences of integers, or one is out of range; the message says where.
    """
    if isinstance(given, tuple):
        return _check_flat(given, n_symbols)
    what = "a list of sequences of integers, or a tuple of their ids and offsets"
    rows = listed("sequences", given, what)
    arrays = [_integers(sequence, f"sequences[{i}]") for i, sequence in enumerate(rows)]
    offsets = np.concatenate([[0], np.cumsum([*map(len, arrays)], dtype=np.int64)])
    ids = np.concatenate([np.empty(0, np.int64), *arrays], casting="same_kind")
    del arrays
    if (at := _first_outside(ids, n_symbols)) is not None:
        i = int(np.searchsorted(offsets, at, "right")) - 1
        raise _range_error(f"sequences[{i}][{at - offsets[i]}]", ids[at], n_symbols)
    return Sequences(ids.astype(np.int32), offsets)


def _check_flat(given: tuple[ArrayLike, ...], n_symbols: int) -> Sequences:
    if len(given) != 2:
        raise TypeError(
            "sequences must be a list, or a tuple of two arrays, ids and offsets, got a tuple of "
            f"{len(given)}: make it a list"
        )
    ids = check_sequence(given[0], n_symbols, "ids")
    offsets = _integers(given[1], "offsets").astype(np.int64)
    ends = offsets[:1].tolist() + offsets[-1:].tolist()
    if ends != [0, len(ids)] or np.diff(offsets).min(initial=0) < 0:
        raise ValueError(
            f"offsets must ascend from 0 to len(ids) = {len(ids)}, got {shorten(given[1])}: a "
            "tuple is one array of all sequences and where each begins, a list is several sequences"
        )
    return Sequences(ids, offsets)


def check_sequence(given: ArrayLike, n_symbols: int, name: str) -> Int32:
    """Return a sequence of numbers below `n_symbols`, as an array that nobody else has.

    Raises
    ------
    TypeError, ValueError
        If it is no sequence of integers, or one is out of range; the message says where.
    """
    ids = _integers(given, name)
    # A copy before the check, since another thread may write to what was given.
    ids = ids.astype(np.int32 if np.can_cast(ids.dtype, np.int32) else np.int64)
    if (at := _first_outside(ids, n_symbols)) is not None:
        raise _range_error(f"{name}[{at}]", ids[at], n_symbols)
    return ids.astype(np.int32, copy=False)


def _integers(given: ArrayLike, name: str) -> NDArray[np.integer[Any]]:
    if isinstance(given, bytes | bytearray):
        return np.frombuffer(given, np.uint8)
    checked = None if _has_arrays(given) else plain(name, given)
    try:
        array: NDArray[Any] = np.asarray(checked)
    except ValueError:  # lists of different lengths
        array = np.asarray(None)
    if array.ndim == 1 and array.size == 0:
        return np.empty(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        hint = ": wrap it in a list" if array.ndim == 0 and array.dtype.kind in "iu" else ""
        raise TypeError(f"{name} must be a sequence of integers, got {shorten(given)}{hint}")
    if array.dtype == np.uint64:  # those that int64 does not hold are out of range anyway
        array = np.minimum(array, MAX_INT64).astype(np.int64)
    return array


def _has_arrays(given: object) -> bool:
    """Tell whether a list or a table has columns in it, which NumPy would read as they are."""
    if hasattr(type(given), "columns"):
        return True
    if "pyarrow" not in sys.modules or not isinstance(given, list | tuple):
        return False
    return any(map(is_of_arrow, {type(element): element for element in given}.values()))


def _first_outside(ids: NDArray[np.integer[Any]], n_symbols: int) -> int | None:
    """Return the index of the first number that is not in 0..n_symbols - 1, if there is one."""
    if len(ids) == 0 or (ids.min() >= 0 and ids.max() < n_symbols):
        return None
    return int(np.flatnonzero((ids < 0) | (ids >= n_symbols))[0])


def _range_error(place: str, value: int, n_symbols: int) -> ValueError:
    return ValueError(f"{place} must be in 0..{n_symbols - 1}, got {value}")
