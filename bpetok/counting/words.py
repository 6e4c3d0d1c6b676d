"""Words: the unique words of a text with their counts, which is all that learning needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bpetok.base.array_types import Int32, Int64
from bpetok.base.checks import (
    check_bool,
    check_iterable,
    check_special_tokens,
    is_iterable,
    listed,
    plain,
    shorten,
)
from bpetok.base.limits import DEFAULT_PATTERN, MAX_INT64
from bpetok.counting.arrays import Split, WordArrays, sum_of_products
from bpetok.patterns.builtin import check_pattern
from bpetok.patterns.chains import Pattern
from bpetok.patterns.changes import check_changes
from bpetok.sources.files import StrPath

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

    from bpetok.patterns.normalizers import Spec


class Words:
    """Unique words with their counts, packed into arrays that nobody can write to.

    Arrays that are given are copied.

    Attributes
    ----------
    ids : int32 array, shape (total bytes of the words,)
        The bytes of all words, one after another, each byte as a number in 0..255. A byte is the
        first id that a token can have, so learning begins from these numbers as they are.
    offsets : int64 array, shape (n_words + 1,)
        Word i is ``ids[offsets[i]:offsets[i + 1]]``.
    counts : int64 array, shape (n_words,)
        How often each word occurs; at least 1.
    pattern : str
        Name of the pattern that split the text.
    special_tokens : tuple of str
        The texts that were boundaries and were not counted.
    normalizer : dict or list, optional
        What the text between them became before it was split, as `Tokenizer.normalizer` has it.
    prefix_space : bool
        Whether a space was put before each text that does not begin with one.
    """

    ids: Int32
    offsets: Int64
    counts: Int64
    pattern: str
    special_tokens: tuple[str, ...]
    normalizer: Any
    prefix_space: bool

    # No dataclass: what makes one takes 1.4 ms, of which 0.8 to import.
    def __init__(
        self,
        ids: Int32,
        offsets: Int64,
        counts: Int64,
        pattern: str = DEFAULT_PATTERN,
        special_tokens: tuple[str, ...] = (),
        normalizer: Any = None,
        prefix_space: bool = False,
    ) -> None:
        given = WordArrays(ids, offsets, counts)
        for name, dtype in (("ids", np.int32), ("offsets", np.int64), ("counts", np.int64)):
            array = getattr(given, name)
            if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != 1:
                raise TypeError(f"{name} must be a 1-D array of {dtype.__name__}")
        split = Split(
            check_pattern(pattern),
            check_special_tokens(special_tokens),
            check_changes(normalizer, prefix_space).spec,
            prefix_space,
        )
        # Copies: what somebody else can write would be read unchecked while merges are learned.
        _fill(self, WordArrays(*map(np.array, given)), split)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Words can't be changed, so {name!r} can't be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"Words can't be changed, so {name!r} can't be deleted")

    @classmethod
    def of_arrays(cls, arrays: WordArrays, split: Split) -> Words:
        """Return the words of arrays, which are copied, with how they were split."""
        pattern, special_tokens, normalizer, prefix_space = split
        return cls(*arrays, pattern, special_tokens, normalizer, prefix_space)

    def __reduce__(self) -> tuple[type[Words], tuple[object, ...]]:
        """Pickle and copy by the constructor: arrays of a pickle can be written."""
        return type(self), (*self.arrays, *self.split)

    @property
    def arrays(self) -> WordArrays:
        """The three arrays together."""
        return WordArrays(self.ids, self.offsets, self.counts)

    @property
    def split(self) -> Split:
        """How the text was split."""
        return Split(*(getattr(self, name) for name in Split._fields))

    @classmethod
    def from_counts(
        cls,
        counts: Mapping[bytes, int] | Iterable[tuple[bytes, int]],
        *,
        pattern: Pattern = DEFAULT_PATTERN,
        special_tokens: Iterable[str] = (),
        normalizer: Spec | None = None,
        prefix_space: bool = False,
    ) -> Words:
        """Pack words that were counted elsewhere.

        A word that comes several times has the sum of its counts; empty words and counts of 0 are
        left out, since nothing can be learned from them.

        Raises
        ------
        TypeError, ValueError
            If a word is not bytes, or a count is not an int or is negative, or the counts times the
            lengths of their words sum to 2**63 or more.
        """
        counts = plain("words", counts)
        if not is_iterable(counts):
            raise TypeError(
                f"words must be a mapping or pairs of (bytes, count), got {shorten(counts)}"
            )
        summed: dict[bytes, int] = {}
        total = 0
        items = counts.items() if isinstance(counts, Mapping) else counts
        for item in items:
            word, count = _checked_item(item)
            total += count * len(word)
            if word and count:
                summed[word] = summed.get(word, 0) + count
        if total > MAX_INT64:
            raise ValueError(
                f"the sum of count * length over the words must be below 2**63, got {total}: "
                "scale the counts down"
            )
        lengths = np.fromiter(map(len, summed), np.int64, len(summed))
        arrays = WordArrays(
            np.frombuffer(b"".join(summed), np.uint8).astype(np.int32),
            np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
            np.fromiter(summed.values(), np.int64, len(summed)),
        )
        changes = check_changes(normalizer, prefix_space)
        tokens = check_special_tokens(special_tokens)
        split = Split(check_pattern(pattern), tokens, changes.spec, prefix_space)
        return take_over(arrays, split)

    @classmethod
    def combine(cls, parts: Iterable[tuple[Words, float]]) -> Words:
        """Add the words of several sources up, each source with a weight.

        A word's count is the sum over the parts of weight * count, rounded once, half to even; a
        word whose count rounds to 0 is left out. A weight is the nearest decimal number with 12
        digits after the point, so that 0.1 is a tenth, and all sums are exact: the result does not
        depend on the order of the parts.

        Parameters
        ----------
        parts : iterable of (Words, weight)
            Weights are numbers from 1e-12 on; 1 counts a source as it is.

        Raises
        ------
        TypeError, ValueError
            If there is no part, a part is no pair of Words and a number, a weight is out of its
            range, the parts were split by different patterns or at different special tokens, or the
            weighted counts times the lengths of their words sum to 2**63 or more.
        """
        from bpetok.counting.weights import check_weight, weighted_sum

        check_iterable("parts", parts, "pairs (Words, weight)")
        checked: list[tuple[Words, Fraction]] = []
        for number, part in enumerate(parts):
            if not isinstance(part, tuple) or len(part) != 2 or not isinstance(part[0], Words):
                raise TypeError(
                    f"part {number} must be a pair (Words, weight), got {shorten(part)}"
                )
            words, weight = part
            checked.append((words, check_weight(number, weight)))
            check_same_split(checked[0][0], words, number)
        if not checked:
            raise ValueError("parts must have at least one pair (Words, weight), got none")
        if sum(weight * words.n_bytes for words, weight in checked) > MAX_INT64:
            raise ValueError(
                "the sum of weight * count * length over the words must be below 2**63: "
                "scale the weights down"
            )
        arrays = weighted_sum([(words.arrays, weight) for words, weight in checked])
        return take_over(arrays, checked[0][0].split)

    def to_arrow(self) -> Any:
        """Return a pyarrow.Table ``word: binary, count: int64``, in the order of the words' bytes.

        Its metadata says how the text was split. Needs the extra `arrow`, as the three below do.
        """
        from bpetok.counting.tables import to_table

        return to_table(self.arrays, self.split)

    @classmethod
    def from_arrow(
        cls,
        tables: Any,
        *,
        pattern: str | None = None,
        special_tokens: Iterable[str] | None = None,
        normalizer: Spec | None = None,
    ) -> Words:
        """Add up the words of a pyarrow.Table or RecordBatch, or of an iterable of them.

        Columns, options and errors are those of `load`.
        """
        from bpetok.counting.tables import from_tables, given_split

        several = [tables] if hasattr(tables, "num_rows") else tables
        given = given_split(pattern, special_tokens, normalizer)
        return take_over(*from_tables(several, given))

    def save(self, path: StrPath) -> None:
        """Write the words to a Parquet file, the table of `to_arrow`; whole or not at all.

        Raises
        ------
        OSError
            If it can't be written.
        """
        from bpetok.counting.tables import save

        save(self.arrays, self.split, path)

    @classmethod
    def load(
        cls,
        files: StrPath | Iterable[StrPath],
        *,
        pattern: str | None = None,
        special_tokens: Iterable[str] | None = None,
        normalizer: Spec | None = None,
    ) -> Words:
        """Add up the words of Parquet files, as `save` or any other program writes them.

        Parameters
        ----------
        files : path, URL, folder, glob pattern, or iterable of them
            The columns are `word` (binary or string) and `count` (an integer); others are ignored.
            Rows may be in any order; a word that comes several times has the sum of its counts.
        pattern, special_tokens, normalizer : optional
            How the text was split, for files that do not say it themselves.

        Raises
        ------
        FileNotFoundError, PermissionError
            If a file cannot be read.
        ValueError
            If a file is no whole Parquet file, lacks a column, has a null, an empty word or a count
            below 1 (the message has file and row); does not say how its text was split, and
            `pattern` does not either; or says another thing than `pattern`, `special_tokens`,
            `normalizer` or another file. What files say is checked before rows are read.
        """
        from bpetok.counting.tables import given_split, load

        return take_over(*load(files, given_split(pattern, special_tokens, normalizer)))

    def select(self, kept: NDArray[np.bool_] | Sequence[bool]) -> Words:
        """Return some of the words: those for which `kept`, shape (n_words,), is True.

        Raises
        ------
        TypeError, ValueError
            If `kept` is no array or list of bool of that shape.
        """
        if not isinstance(kept, np.ndarray):
            flags = listed("kept", kept, "an array of bool")
            kept = np.array([check_bool(f"kept[{i}]", flag) for i, flag in enumerate(flags)], bool)
        if kept.dtype != np.bool_ or kept.shape != (len(self),):
            raise ValueError(
                f"kept must be an array of bool of shape ({len(self):,},), "
                f"got {kept.dtype} of shape {kept.shape}"
            )
        return take_over(self.arrays.select(kept), self.split)

    def __len__(self) -> int:
        """Return the number of unique words."""
        return len(self.counts)

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        """Yield (word, count) for each word; the order depends on the words alone."""
        data = self.ids.astype(np.uint8).tobytes()
        ends = self.offsets[1:].tolist()
        start = 0
        for end, count in zip(ends, self.counts.tolist(), strict=True):
            yield data[start:end], count
            start = end

    def to_dict(self) -> dict[bytes, int]:
        """Return the words as a dict of counts."""
        return dict(self)

    @property
    def total(self) -> int:
        """The number of words counted, repetitions included."""
        return int(self.counts.sum())

    @property
    def n_bytes(self) -> int:
        """The number of bytes of text counted, special tokens excluded."""
        return int((self.counts * np.diff(self.offsets)).sum())

    def __eq__(self, other: object) -> bool:
        """Tell whether two have the same counts and were split alike."""
        if not isinstance(other, Words):
            return NotImplemented
        return self.split == other.split and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  # holds large arrays: not meant as a key

    def __repr__(self) -> str:
        return f"Words({len(self):,} unique of {self.total:,}, pattern={self.pattern!r})"

    def _repr_html_(self) -> str:
        from bpetok.base.display import N_ROWS, show_bytes, table_html

        best = np.argsort(-self.counts, kind="stable")[:N_ROWS]
        words = [self.ids[self.offsets[i] : self.offsets[i + 1]] for i in best]
        rows = [
            (show_bytes(word.astype(np.uint8).tobytes()), f"{self.counts[i]:,}")
            for i, word in zip(best, words, strict=True)
        ]
        if len(best) < len(self):
            rows.append(("…", "…"))
        return table_html(repr(self), ("word", "count"), rows)


class _Array:
    """An attribute of `Words`: whoever asks for it gets an array object of his own.

    It can't be written to, but it may be given another dtype or shape: if all had the same object,
    the memory would then be read as other words.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, words: Words | None, owner: type) -> Any:
        if words is None:
            return self
        if self._name not in vars(words):  # which `hasattr` asks of one that is being made
            raise AttributeError(self._name)
        return np.asarray(vars(words)[self._name])

    def __set__(self, words: Words, array: object) -> None:
        raise AttributeError(self._name)  # without which it would not be asked at all


for _name in WordArrays._fields:
    setattr(Words, _name, _Array(_name))


def take_over(arrays: WordArrays, split: Split) -> Words:
    """Return words of arrays as they are, which are not copied: nobody else may have them.

    Requires: a checked split.
    """
    words = object.__new__(Words)
    _fill(words, arrays, split)
    return words


def _fill(words: Words, arrays: WordArrays, split: Split) -> None:
    """Give new words their attributes."""
    vars(words).update({name: _frozen(array) for name, array in arrays._asdict().items()})
    vars(words).update(split._asdict())
    _check_arrays(words.arrays)


def _frozen(array: NDArray[Any]) -> memoryview:
    """Return a view, contiguous; arrays of it can't be written to, nor be made writable again."""
    return np.ascontiguousarray(array).data.toreadonly()


def _check_arrays(words: WordArrays) -> None:
    ids, offsets, counts = words
    if len(offsets) != len(counts) + 1:
        raise ValueError(
            f"offsets must have one element more than counts, {len(counts) + 1}, got {len(offsets)}"
        )
    # Not by the lengths: the difference of two numbers far apart wraps around.
    if offsets[0] != 0 or offsets[-1] != len(ids) or (offsets[1:] <= offsets[:-1]).any():
        raise ValueError(f"offsets must ascend from 0 to len(ids) = {len(ids)}")
    if len(ids) and ids.view(np.uint32).max() > 255:  # a negative one is large there
        raise ValueError("ids must be bytes, in 0..255")
    if (counts < 1).any():
        raise ValueError(f"counts must be at least 1, got {counts.min()}")
    # A bound first, which needs no other arrays: these took half of the time of this function.
    is_small = float(np.sum(counts, dtype=np.float64)) * len(ids) < 2.0**62
    if not is_small and sum_of_products(counts, words.lengths) > MAX_INT64:
        raise ValueError(
            "the sum of count * length over the words must be below 2**63: scale the counts down"
        )


def check_same_split(first: Words, words: Words, number: int) -> None:
    """Raise a ValueError if the words of part `number` were split otherwise than the first."""
    for name in Split._fields:
        ours, theirs = getattr(first, name), getattr(words, name)
        if ours != theirs:
            raise ValueError(
                f"parts must have the same {name}: part 0 has {shorten(ours)}, part {number} has "
                f"{shorten(theirs)}; count them with the same"
            )


def _checked_item(item: object) -> tuple[bytes, int]:
    if not isinstance(item, tuple) or len(item) != 2:
        raise TypeError(
            f"words must be a Words, a mapping or pairs (bytes, count), got {shorten(item)}"
        )
    word, count = item
    if not isinstance(word, bytes):
        raise TypeError(f"a word must be bytes, got {shorten(word)}: encode it with .encode()")
    if isinstance(count, bool) or not isinstance(count, int | np.integer):
        raise TypeError(f"the count of {shorten(word)} must be an int, got {shorten(count)}")
    if not 0 <= count <= MAX_INT64:
        raise ValueError(
            f"the count of {shorten(word)} must be in 0..2**63 - 1, got {shorten(count)}"
        )
    return word, int(count)
