"""Words as a table, in memory (Arrow) and in files (Parquet): ``word: binary, count: int64``.

Any program can write such a table. Rows may be in any order; a word that is in several rows
has the sum of their counts, as in what the workers of a map-reduce wrote. Other columns are
ignored. The schema's metadata may have the key `bpetok`, a JSON object::

    {"pattern": "gpt2", "special_tokens": [], "unicode_version": "16.0", "bpetok_version": "0.1.0"}

which says how the text was split, with "normalizer" and "prefix_space", as `Words` has them, where
the text was changed before that. Tables without it are read if the caller says it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from bpetok.base.arrow_checks import check_array
from bpetok.base.checks import check_iterable, check_special_tokens, shorten
from bpetok.base.extras import require, require_pyarrow
from bpetok.base.files import PendingFile, check_no_pipe
from bpetok.base.importing import first_use
from bpetok.base.limits import MAX_INT64
from bpetok.base.version import __version__
from bpetok.counting.arrays import (
    Split,
    WordArrays,
    combine_tables,
    sum_of_products,
)
from bpetok.counting.memory import RareWords
from bpetok.counting.spill import Spill
from bpetok.counting.word_table import WordTable
from bpetok.patterns.builtin import UNICODE_VERSION, check_pattern
from bpetok.patterns.changes import check_changes
from bpetok.patterns.normalizers import Spec
from bpetok.patterns.special import SpecialTokens
from bpetok.sources.arrow import as_texts, naming
from bpetok.sources.errors import damaged_error
from bpetok.sources.files import STANDARD_INPUT, StrPath, find_files, open_source
from bpetok.sources.streams import WholeReads
from bpetok.sources.use import check_repeated

pa = require_pyarrow("arrow")
pc = require("pyarrow.compute", "arrow")
pq = require("pyarrow.parquet", "arrow")

METADATA_KEY = b"bpetok"
ALWAYS = ("pattern", "special_tokens")
"""What metadata says in any case of how text was split; the rest only where there is any."""
SCHEMA = pa.schema([pa.field("word", pa.binary()), pa.field("count", pa.int64())])
BATCH_ROWS = 1 << 18
"""Most rows of a row group, and most that are read at a time."""
BATCH_BYTES = 1 << 26
"""Most bytes of words in a row group, but for a longer word."""
_WRITTEN_BY = "`bpetok count` and Words.save write those"


def to_batches(words: WordArrays) -> Iterator[Any]:
    """Yield the words, in the order of their bytes, as record batches of `SCHEMA`.

    Raises
    ------
    ValueError
        If a word is too long for an Arrow binary, 2**31 - 1 bytes.
    """
    # The arrays are in the order of the words' hashes: words that come in that order would crowd
    # the table that reads them.
    buffers = [None, pa.py_buffer(words.offsets), pa.py_buffer(words.ids.astype(np.uint8))]
    column = pa.Array.from_buffers(pa.large_binary(), len(words.counts), buffers)
    with first_use("sort_indices"):
        order = pc.sort_indices(column).to_numpy()
    ends = np.cumsum(words.lengths[order])
    start = 0
    while start < len(order):
        before = ends[start - 1] if start else 0
        end = int(np.searchsorted(ends, before + BATCH_BYTES, "right"))
        end = min(max(end, start + 1), start + BATCH_ROWS)
        if ends[end - 1] - before >= 1 << 31:
            raise ValueError(
                f"a word of {ends[end - 1] - before} bytes can't be in a table: the limit is "
                "2**31 - 1"
            )
        rows = order[start:end]
        yield pa.record_batch(
            [column.take(pa.array(rows)).cast(pa.binary()), pa.array(words.counts[rows])],
            schema=SCHEMA,
        )
        start = end


def schema_of(split: Split) -> Any:
    """Return `SCHEMA` with metadata that says how the text was split."""
    said = split._asdict()
    content = {
        **{name: said[name] for name in said if said[name] or name in ALWAYS},
        "unicode_version": UNICODE_VERSION,
        "bpetok_version": __version__,
    }
    return SCHEMA.with_metadata({METADATA_KEY: json.dumps(content, ensure_ascii=False)})


def to_table(words: WordArrays, split: Split) -> Any:
    """Return the words as an Arrow table with metadata."""
    table = pa.Table.from_batches(to_batches(words), SCHEMA)
    return table.replace_schema_metadata(schema_of(split).metadata)


def save(
    words: WordArrays,
    split: Split,
    path: StrPath,
    metadata: Mapping[bytes, bytes] | None = None,
) -> None:
    """Write the words to a Parquet file, whole or not at all, with further metadata if any."""
    pending = PendingFile(path)
    try:
        schema = schema_of(split)
        schema = schema.with_metadata({**schema.metadata, **(metadata or {})})
        with (
            pending.named(),
            first_use("ParquetWriter"),
            pq.ParquetWriter(
                pending.file, schema, compression="zstd", write_page_checksum=True
            ) as writer,
        ):
            for batch in to_batches(words):
                writer.write_batch(batch)
        pending.keep()
    finally:
        pending.discard()


# ---- in -----------------------------------------------------------------------------------------


def from_tables(tables: Iterable[Any], given: Mapping[str, Any]) -> tuple[WordArrays, Split]:
    """Return the words of Arrow tables or record batches. `given` is what `given_split` returns."""
    what = "an iterable of pyarrow tables or record batches"
    check_iterable("tables", tables, what)
    splits: list[tuple[str, Split | None]] = []
    with _Rows(RareWords()) as rows:
        for number, table in enumerate(tables):
            origin = f"table {number}"
            if not isinstance(table, pa.Table | pa.RecordBatch):
                raise TypeError(f"tables must be {what}, got a {type(table).__name__} in it")
            splits.append((origin, _read_split(table.schema.metadata, origin)))
            _check_columns(table.schema, origin)
            selected = table.select(["word", "count"])
            is_table = isinstance(selected, pa.Table)
            rows.add(selected.to_batches(BATCH_ROWS) if is_table else [selected], origin)
        return rows.words(), _agreed(splits, given)


def load(
    files: StrPath | Iterable[StrPath],
    given: Mapping[str, Any],
    rare: RareWords | None = None,
    sizes: Mapping[str, int] | None = None,
) -> tuple[WordArrays, Split]:
    """Return the words of Parquet files. `given` is what `given_split` returns.

    What is more than `rare.limits.max_memory` is spilled to files, and words may be left out.
    `sizes`, if given, has the sum of count * length over the words of each file: a file with
    another one is refused.
    """
    paths, states = find_files(files)
    check_repeated(paths, states[:, 1:])
    splits: list[tuple[str, Split | None]] = []
    for path in paths:
        _check_is_parquet(path)
        with _parquet_file(path) as file:
            splits.append((path, _read_split(file.schema_arrow.metadata, path)))
            _check_columns(file.schema_arrow, path)
    split = _agreed(splits, given)
    with _Rows(rare or RareWords()) as rows:
        for path in paths:
            before = rows.size
            with _parquet_file(path) as file:
                rows.add(_batches(file, path), path)
            if sizes is not None and rows.size - before != sizes[path]:
                raise damaged_error(
                    path,
                    f"its words have {rows.size - before} bytes, counted as often as they come, of "
                    f"{sizes[path]} that were saved",
                )
        return rows.words(), split


def _check_is_parquet(path: str) -> None:
    """Tell a file of another kind, such as a text, from one that is damaged."""
    if path == STANDARD_INPUT:
        return  # refused below
    check_no_pipe(path)
    with open_source(path) as file:
        first = file.read(4)
    if first and not b"PAR1".startswith(first):
        raise damaged_error(path, f"it does not begin as a file of counts; {_WRITTEN_BY}")


def read_metadata(path: str) -> dict[bytes, bytes]:
    """Return the metadata of a Parquet file's schema.

    Raises
    ------
    OSError, ValueError
        If it can't be read, or is not a whole Parquet file.
    """
    with _parquet_file(path) as file:
        return file.schema_arrow.metadata or {}


@contextmanager
def _parquet_file(path: str) -> Iterator[Any]:
    if path == STANDARD_INPUT:
        raise ValueError("counts can't be read from standard input: name a file")
    with open_source(path) as file:
        with naming(path), first_use("ParquetFile"):
            parquet = pq.ParquetFile(WholeReads(file), page_checksum_verification=True)
            _ = parquet.schema_arrow  # what is wrong in it is said here
        yield parquet


def _batches(file: Any, path: str) -> Iterator[Any]:
    batches = file.iter_batches(BATCH_ROWS, columns=["word", "count"])
    n_rows = 0
    while True:
        with naming(path), first_use("batches of counts"):
            batch = next(batches, None)
        if batch is None:
            break
        n_rows += batch.num_rows
        yield batch
    if n_rows != file.metadata.num_rows:
        raise ValueError(
            f"{path}: can't be read as Parquet: it has {n_rows} rows and says that it has "
            f"{file.metadata.num_rows}"
        )


def _read_split(metadata: dict[bytes, bytes] | None, origin: str) -> Split | None:
    """Return what a table's metadata says, None if it says nothing."""
    data = (metadata or {}).get(METADATA_KEY)
    if data is None:
        return None
    try:
        content = json.loads(data)
        pattern = check_pattern(content["pattern"])
        special_tokens = check_special_tokens(content["special_tokens"])
        changes = check_changes(content.get("normalizer"), content.get("prefix_space", False))
        split = Split(pattern, special_tokens, changes.spec, changes.prefix_space)
        unicode_version = content["unicode_version"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(
            f"{origin}: the metadata {data[:80]!r} can't be read: {type(error).__name__}: {error}"
        ) from None
    if unicode_version != UNICODE_VERSION:
        raise ValueError(
            f"{origin}: its words were split by Unicode {unicode_version}, this bpetok splits by "
            f"{UNICODE_VERSION}: count the text again"
        )
    return split


def given_split(
    pattern: str | None = None,
    special_tokens: Iterable[str] | None = None,
    normalizer: Spec | None = None,
) -> dict[str, Any]:
    """Return what a caller says of how words were split: the fields of `Split` that are given."""
    given: dict[str, Any] = {}
    if pattern is not None:
        given["pattern"] = check_pattern(pattern)
    if special_tokens is not None:
        given["special_tokens"] = check_special_tokens(special_tokens)
    if normalizer is not None:
        given["normalizer"] = check_changes(normalizer).spec
    return given


def _agreed(splits: Iterable[tuple[str, Split | None]], given: Mapping[str, Any]) -> Split:
    """Return how all words were split: as the caller says, as the tables say, without conflict."""
    known = dict(given)
    says = "the caller says"
    for origin, split in splits:
        if split is None:
            if "pattern" not in given:
                raise ValueError(
                    f"{origin} does not say what its words were split by: give pattern, and "
                    "special_tokens and normalizer if there were any"
                )
            continue
        for name, theirs in split._asdict().items():
            if name in known and known[name] != theirs:
                remedy = f"; leave {name} out" if says == "the caller says" else ""
                raise ValueError(
                    f"{origin}: its words were counted with {name} {shorten(theirs)}, but {says} "
                    f"{shorten(known[name])}: "
                    f"only what was counted alike can be used together{remedy}"
                )
        if len(known) < len(split):
            says = f"{origin} says"
        known = split._asdict()
    if "pattern" not in known:
        raise ValueError("tables must have at least one table, or the pattern must be given")
    return Split(**{"special_tokens": ()} | known)


def _check_columns(schema: Any, origin: str) -> None:
    """Raise a ValueError unless there are columns `word` and `count` of usable types."""
    for name, wanted, fits in (
        ("word", "binary", _is_bytes),
        ("count", "int64", pa.types.is_integer),
    ):
        fields = schema.get_all_field_indices(name)
        if len(fields) != 1:
            raise ValueError(
                f"{origin}: must have one column {name!r} ({wanted}), its columns are "
                f"{', '.join(schema.names) or 'none'}: it is no file of counts; {_WRITTEN_BY}"
            )
        kind = schema.field(fields[0]).type
        if not fits(kind):
            raise ValueError(f"{origin}: column {name!r} must be {wanted}, got {kind}: cast it")


_WORD_TYPES = (
    *("binary", "large_binary", "binary_view", "fixed_size_binary"),
    *("string", "large_string", "string_view"),
)


def _is_bytes(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(getattr(pa.types, f"is_{name}")(kind) for name in _WORD_TYPES)


class _Rows:
    """Rows of tables, added up; within a bound of memory if there is one."""

    def __init__(self, rare: RareWords) -> None:
        self._table = WordTable(SpecialTokens([]))
        self.size = 0  # the sum of count * length
        self._rare = rare
        self._spill: Spill | None = None
        if rare.limits.max_memory is not None:
            # A batch may make the table grow, which takes its memory and that of one of twice it.
            self._limit = rare.limits.table_limit(1) // 4
            self._spill = Spill()

    def __enter__(self) -> _Rows:
        return self

    def __exit__(self, *_: object) -> None:
        if self._spill is not None:
            self._spill.close()

    def add(self, batches: Iterable[Any], origin: str) -> None:
        """Add the rows of a table; `origin` names it in messages."""
        row = 0
        for batch in batches:
            with first_use("rows of counts"):
                self._add_batch(batch, origin, row)
            row += batch.num_rows

    def _add_batch(self, batch: Any, origin: str, row: int) -> None:
        words, counts = batch.column("word"), batch.column("count")
        with naming(origin):
            check_array(words)
            check_array(counts)
        _refuse(pc.is_null(words), origin, row, "the word is null")
        _refuse(pc.is_null(counts), origin, row, "the count is null")
        counts = _to_int64(counts, origin, row)
        _refuse(pc.less(counts, 1), origin, row, "the count must be at least 1", counts)
        self._add(as_texts(words).cast(pa.large_binary()), counts, origin, row)

    def _add(self, words: Any, counts: Any, origin: str, row: int) -> None:
        _refuse(pc.equal(pc.binary_length(words), 0), origin, row, "the word is empty")
        if len(words) == 0:
            return
        _, offset_buffer, data_buffer = words.buffers()
        offsets = np.frombuffer(offset_buffer, np.int64)[words.offset :][: len(words) + 1]
        data = np.frombuffer(data_buffer, np.uint8)[offsets[0] : offsets[-1]]
        n = np.require(counts.to_numpy(), requirements="A")  # Dask's messages are not aligned
        self.size += sum_of_products(n, np.diff(offsets))
        if self.size > MAX_INT64:
            raise ValueError(
                f"{origin}, row {row} and the following: the sum of count * length over the words "
                "must be below 2**63: scale the counts down"
            )
        self._table.add_words(data.data, offsets[1:] - offsets[0], n)
        if self._spill is not None and self._table.memory > self._limit:
            self._spill.write(self._table)
            self._table.clear(keep_room=False)

    def words(self) -> WordArrays:
        """Return all words, and empty the table."""
        if self._spill is None:
            return combine_tables([self._table])
        return self._spill.merge([self._table], self._rare, 1)


def _to_int64(counts: Any, origin: str, row: int) -> Any:
    try:
        return counts.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise ValueError(
            f"{origin}, row {row} or later: the count must be int64: {error}"
        ) from None


def _refuse(bad: Any, origin: str, row: int, what: str, values: Any = None) -> None:
    """Raise a ValueError that names the first row for which `bad` is true, if there is one."""
    index = pc.index(bad, pa.scalar(True)).as_py()
    if index >= 0:
        got = "" if values is None else f", got {values[index]}"
        raise ValueError(f"{origin}, row {row + index} (the first is 0): {what}{got}")
