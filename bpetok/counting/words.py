"""Words: the unique words of a text with their counts, which is all that learning needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from bpetok.base.checks import check_errors, check_special_tokens, check_unmatched, resolve_threads
from bpetok.base.progress import OnProgress
from bpetok.base.threads import exhaust, map_threads, map_with_caller
from bpetok.base.timing import stage
from bpetok.counting.counters import Counter, make_counters
from bpetok.counting.memory import Bounds
from bpetok.counting.spill import Spill
from bpetok.counting.word_table import N_PARTITIONS, Combination, WordTable
from bpetok.patterns.builtin import check_pattern
from bpetok.patterns.expressions import SplitError
from bpetok.patterns.special import SpecialTokens
from bpetok.sources.files import StrPath
from bpetok.sources.pieces import CHUNK_SIZE, Chunk, Origin, Piece, chunks_of, join

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Item = TypeVar("Item")
Result = TypeVar("Result")
MAX_COUNT = (1 << 63) - 1


@dataclass(frozen=True, eq=False, repr=False)
class Words:
    """Unique words with their counts, packed into arrays.

    Attributes
    ----------
    ids : int32 array, shape (total bytes of the words,)
        The bytes of all words, one after another.
    offsets : int64 array, shape (n_words + 1,)
        Word i is ``ids[offsets[i]:offsets[i + 1]]``.
    counts : int64 array, shape (n_words,)
        How often each word occurs; at least 1.
    pattern : str
        Name of the pattern that split the text.
    special_tokens : tuple of str
        The texts that were boundaries and were not counted.
    """

    ids: Int32
    offsets: Int64
    counts: Int64
    pattern: str = "gpt2"
    special_tokens: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        for name, dtype in (("ids", np.int32), ("offsets", np.int64), ("counts", np.int64)):
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != 1:
                raise TypeError(f"{name} must be a 1-D array of {dtype.__name__}")
            view = np.ascontiguousarray(array).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        if len(self.offsets) != len(self.counts) + 1:
            raise ValueError(
                f"offsets must have one element more than counts, {len(self.counts) + 1}, "
                f"got {len(self.offsets)}"
            )
        lengths = np.diff(self.offsets)
        if self.offsets[0] != 0 or self.offsets[-1] != len(self.ids) or (lengths < 1).any():
            raise ValueError(f"offsets must ascend from 0 to len(ids) = {len(self.ids)}")
        if len(self.ids) and not 0 <= self.ids.min() <= self.ids.max() < 256:
            raise ValueError("ids must be bytes, in 0..255")
        if (self.counts < 1).any():
            raise ValueError(f"counts must be at least 1, got {self.counts.min()}")
        # Not np.dot: of floats it wakes the threads of BLAS, which then spin for 0.1 s.
        total = float(np.sum(np.multiply(self.counts, lengths, dtype=np.float64)))
        if total > 2.0**62:  # floats round: near the bound add up exactly
            total = int(np.dot(self.counts.astype(object), lengths.astype(object)))
        if total > MAX_COUNT:
            raise ValueError(
                "the sum of count * length over the words must be below 2**63: "
                "scale the counts down"
            )

    @classmethod
    def from_counts(
        cls,
        counts: Mapping[bytes, int] | Iterable[tuple[bytes, int]],
        *,
        pattern: str = "gpt2",
        special_tokens: Iterable[str] = (),
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
        if not isinstance(counts, Iterable):
            raise TypeError(f"words must be a mapping or pairs of (bytes, count), got {counts!r}")
        summed: dict[bytes, int] = {}
        total = 0
        items = counts.items() if isinstance(counts, Mapping) else counts
        for item in items:
            word, count = _checked_item(item)
            total += count * len(word)
            if word and count:
                summed[word] = summed.get(word, 0) + count
        if total > MAX_COUNT:
            raise ValueError(
                f"the sum of count * length over the words must be below 2**63, got {total}: "
                "scale the counts down"
            )
        lengths = np.fromiter(map(len, summed), np.int64, len(summed))
        return cls(
            np.frombuffer(b"".join(summed), np.uint8).astype(np.int32),
            np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
            np.fromiter(summed.values(), np.int64, len(summed)),
            check_pattern(pattern),
            check_special_tokens(special_tokens),
        )

    @classmethod
    def combine(cls, parts: Iterable[tuple[Words, float]]) -> Words:
        """Add the words of several sources up, each source with a weight.

        A word's count is the sum over the parts of weight * count, rounded once, half to even; a
        word whose count rounds to 0 is left out. A weight is the nearest decimal number with 12
        digits behind the point, so that 0.1 is a tenth, and all sums are exact: the result does not
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
        from bpetok.counting.weights import check_parts, weighted_sum

        checked = check_parts(parts)
        first = checked[0][0]
        return cls(*weighted_sum(checked), first.pattern, first.special_tokens)

    def to_arrow(self) -> Any:
        """Return a pyarrow.Table ``word: binary, count: int64``, in the order of the words' bytes.

        Its metadata says how the text was split. Needs the extra `arrow`, as the three below do.
        """
        from bpetok.counting.tables import to_table

        return to_table(self)

    @classmethod
    def from_arrow(
        cls,
        tables: Any,
        *,
        pattern: str | None = None,
        special_tokens: Iterable[str] | None = None,
    ) -> Words:
        """Add up the words of a pyarrow.Table or RecordBatch, or of an iterable of them.

        Columns, options and errors are those of `load`.
        """
        from bpetok.counting.tables import from_tables

        several = [tables] if hasattr(tables, "num_rows") else tables
        return from_tables(several, pattern, special_tokens)

    def save(self, path: StrPath) -> None:
        """Write the words to a Parquet file, the table of `to_arrow`; whole or not at all.

        Raises
        ------
        OSError
            If it can't be written.
        """
        from bpetok.counting.tables import save

        save(self, path)

    @classmethod
    def load(
        cls,
        files: StrPath | Iterable[StrPath],
        *,
        pattern: str | None = None,
        special_tokens: Iterable[str] | None = None,
    ) -> Words:
        """Add up the words of Parquet files, as `save` or any other program writes them.

        Parameters
        ----------
        files : path, URL, folder, glob pattern, or iterable of them
            The columns are `word` (binary or string) and `count` (an integer); others are ignored.
            Rows may be in any order; a word that comes several times has the sum of its counts.
        pattern, special_tokens : optional
            How the text was split, for files that do not say it themselves.

        Raises
        ------
        FileNotFoundError, PermissionError
            If a file cannot be read.
        ValueError
            If a file is no whole Parquet file, lacks a column, has a null, an empty word or a count
            below 1 (the message has file and row); does not say how its text was split, and
            `pattern` does not either; or says another thing than `pattern`, `special_tokens` or
            another file. What files say is checked before rows are read.
        """
        from bpetok.counting.tables import load

        return load(files, pattern, special_tokens)

    def select(self, kept: NDArray[np.bool_]) -> Words:
        """Return some of the words: those for which `kept`, shape (n_words,), is True."""
        arrays = select(self.ids, self.offsets, self.counts, kept)
        return Words(*arrays, self.pattern, self.special_tokens)

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
        """Tell whether two have the same counts, pattern and special tokens."""
        if not isinstance(other, Words):
            return NotImplemented
        return (
            self.pattern == other.pattern
            and self.special_tokens == other.special_tokens
            and self.to_dict() == other.to_dict()
        )

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
        return table_html(repr(self), ("word", "count"), rows)


def _checked_item(item: object) -> tuple[bytes, int]:
    if not isinstance(item, tuple) or len(item) != 2:
        raise TypeError(f"words must be a Words, a mapping or pairs (bytes, count), got {item!r}")
    word, count = item
    if not isinstance(word, bytes):
        raise TypeError(f"a word must be bytes, got {word!r}: encode it with .encode()")
    if isinstance(count, bool) or not isinstance(count, int | np.integer):
        raise TypeError(f"the count of {word!r} must be an int, got {count!r}")
    if not 0 <= count <= MAX_COUNT:
        raise ValueError(f"the count of {word!r} must be in 0..2**63 - 1, got {count}")
    return word, int(count)


class CountOptions(NamedTuple):
    """The checked options of counting."""

    pattern: str
    special_tokens: tuple[str, ...]
    specials: SpecialTokens
    n_threads: int
    errors: str
    unmatched: str
    by_line: bool = False  # a line of a text file is a text
    in_order: bool = False  # keep the words in the order in which they are first seen


def check_count_options(
    pattern: str,
    special_tokens: Iterable[str],
    n_threads: int | None,
    errors: str,
    unmatched: str = "error",
) -> CountOptions:
    """Check the options of counting."""
    tokens = check_special_tokens(special_tokens)
    return CountOptions(
        check_pattern(pattern),
        tokens,
        SpecialTokens([token.encode() for token in tokens]),
        resolve_threads(n_threads),
        check_errors(errors),
        check_unmatched(unmatched),
    )


def count_pieces(
    pieces: Iterable[Piece | Chunk],
    options: CountOptions,
    report: OnProgress,
    total: int | None,
    chunk_size: int = CHUNK_SIZE,
    bounds: Bounds | None = None,
) -> Words:
    """Count the words of pieces or chunks: each thread into a table of its own, then combined.

    Tables that reach their share of `bounds.max_memory` are spilled into files. The caller's thread
    reads, so that an iterator is not asked from several threads, and counts when it is ahead of the
    others. A KeyboardInterrupt waits only for the chunks that are being counted. Where the order of
    the words matters, one thread counts, and there must be no `max_memory`.
    """
    n_threads = 1 if options.in_order else options.n_threads
    counters = make_counters(
        options.pattern, options.specials, options.unmatched, n_threads, options.in_order
    )
    spill = None
    if bounds is not None and bounds.max_memory is not None:
        spill = Spill()
        for counter in counters:
            counter.table().limit_memory(bounds.table_limit(n_threads), spill.write)
    idle: SimpleQueue[Counter] = SimpleQueue()
    for counter in counters:
        idle.put(counter)

    def count(chunk: Chunk) -> int:
        counter = idle.get()
        try:
            with stage("count"):
                count_chunk(counter, chunk, options)
        finally:
            idle.put(counter)  # also for the chunks that wait when something fails
        return len(chunk.data)

    def close() -> None:
        for counter in counters:
            counter.close()

    done = 0
    chunks = _timed(chunks_of(pieces, chunk_size))
    try:
        for n_bytes in map_with_caller(count, chunks, n_threads, on_failure=close):
            done += n_bytes
            report("count", done, total)
        tables = [counter.table() for counter in counters]
        if spill is not None and bounds is not None:
            arrays = spill.merge(tables, bounds, n_threads)
        elif options.in_order:
            arrays = tables[0].words_in_order()
        else:
            arrays = combine_tables(tables, n_threads)
    finally:
        close()
        if spill is not None:
            spill.close()
    return Words(*arrays, options.pattern, options.special_tokens)


def without_rare(words: Words, bounds: Bounds) -> Words:
    """Leave out the words that come less often than `bounds.min_word_count`."""
    kept = bounds.keep(np.diff(words.offsets), words.counts)
    return words if kept is None else words.select(kept)


def select(
    ids: Int32, offsets: Int64, counts: Int64, kept: NDArray[np.bool_]
) -> tuple[Int32, Int64, Int64]:
    """Return the ids, offsets and counts of some of the words."""
    lengths = np.diff(offsets)
    new_offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths[kept])])
    return ids[np.repeat(kept, lengths)], new_offsets, counts[kept]


def combine_tables(tables: list[WordTable], n_threads: int = 1) -> tuple[Int32, Int64, Int64]:
    """Return the ids, offsets and counts of the words of all tables, and empty the tables.

    The order of the words depends on the words alone.
    """
    with stage("combine"):
        combination = Combination(tables)
        starts = [N_PARTITIONS * i // n_threads for i in range(n_threads + 1)]
        shares = list(pairwise(starts))
        exhaust(map_threads(lambda share: combination.combine(*share), shares, n_threads))
        combination.allocate()
        exhaust(map_threads(lambda share: combination.write(*share), shares, n_threads))
    return combination.ids, combination.offsets, combination.counts


def count_chunk(counter: Counter, chunk: Chunk, options: CountOptions) -> None:
    """Count the words of a chunk; what is wrong in it is said, or replaced if that is wanted."""
    try:
        invalid = counter.count(chunk.data, chunk.ends)
        if invalid < 0:
            return
        if options.errors == "strict":
            origin = _place(chunk, invalid)
            raise ValueError(
                f"{origin.name} is not UTF-8: byte {origin.offset} "
                f"(0x{chunk.data[invalid]:02x}); errors='replace' would count U+FFFD there"
            )
        chunk = _replace_invalid(chunk)
        counter.count(chunk.data, chunk.ends)
    except SplitError as error:
        origin = _place(chunk, error.offset)
        raise error.explain(options.pattern, origin.name, origin.offset) from None


def _replace_invalid(chunk: Chunk) -> Chunk:
    data = bytes(chunk.data)
    pieces = (data[begin:end] for begin, end in pairwise([0, *chunk.ends.tolist()]))
    replaced = [piece.decode(errors="replace").encode() for piece in pieces]
    return join(replaced, chunk.origins)


def _place(chunk: Chunk, offset: int) -> Origin:
    """Return the text that a byte of a chunk belongs to, and its offset in the text."""
    number = int(np.searchsorted(chunk.ends[:-1], offset, side="right"))
    begin = int(chunk.ends[number - 1]) if number else 0
    origin = chunk.origins[number]
    return Origin(origin.name, origin.offset + offset - begin)


def _timed(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """Yield the same, timing what it takes to get them as the stage "read"."""
    while True:
        with stage("read"):
            chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk
