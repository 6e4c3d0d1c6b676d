"""What a run has done so far, in a folder: it can be stopped at any moment and goes on from there.

    run.json                      the options, the versions of bpetok and of this layout
    inputs.parquet                the files to count, with their sizes and times
    counts-PART-NUMBER.parquet    the words of some texts of a part
    merges.parquet                the merges learned

Each file appears whole or not at all, and a counts file, whose metadata says which texts it has, is
the only record that these were counted, so there is no moment at which a run must not be killed.
It also says what its words sum to, and merges.parquet of which words its merges are, so that a file
that was cut, or is of another run, is not believed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import IO, Any, TypeAlias

import numpy as np

from bpetok.base.array_types import Int32, Int64
from bpetok.base.checks import check_integer, shorten
from bpetok.base.extras import require, require_pyarrow
from bpetok.base.files import PendingFile, check_folder, check_path, read_whole, write_whole
from bpetok.base.importing import first_use
from bpetok.base.limits import MAX_INT64
from bpetok.base.records import NamedTuple
from bpetok.base.version import __version__
from bpetok.counting.memory import RareWords
from bpetok.counting.ranges import Counted, Range, gaps_between, joined
from bpetok.counting.tables import given_split, load, read_metadata, save
from bpetok.counting.words import Words, take_over
from bpetok.sources.arrow import naming
from bpetok.sources.errors import changed_error
from bpetok.sources.files import StrPath, file_state
from bpetok.sources.reading import UNKNOWN, Position

pa = require_pyarrow("arrow")
pq = require("pyarrow.parquet", "arrow")

SECONDS = 60.0
"""How long a run works between two saves: what is saved in a second or two can't be lost often."""

INPUTS = pa.schema(
    [("part", pa.int32()), ("path", pa.binary()), ("size", pa.int64()), ("modified", pa.string())]
)
"""Paths are bytes, as the system has them, since names of files need not be UTF-8."""
MERGES = pa.schema([("left", pa.int32()), ("right", pa.int32()), ("count", pa.int64())])
LAYOUT = 5
"""Goes up when a folder is laid out in another way."""
METADATA_KEY = b"bpetok.checkpoint"
BEGUN = {"lock", "inputs.parquet"}
"""What a folder may have before its run.json is written, besides temporary files."""
TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.tmp")
"""The names that `PendingFile` gives."""
NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP}
"""The errors of file systems without locks: Lustre without its option flock, some NFS and FUSE."""

MergeArrays: TypeAlias = tuple[Int32, Int64]
"""The pairs of ids that were merged, shape (n_merges, 2), and their counts."""


class _Saved(NamedTuple):
    """A file of counts, and what it has: texts, and `Words.n_bytes` of its words."""

    path: Path
    counted: Counted
    n_word_bytes: int


class Checkpoint:
    """A folder of what a run has done; see `open_checkpoint`.

    Parameters
    ----------
    folder : Path
    run : dict
        What the result depends on, as `open_checkpoint` takes it.
    inputs : list of lists of (path, size, modified)
        The files of each part, and the state in which they are to be counted.
    """

    def __init__(
        self, folder: Path, run: dict[str, Any], inputs: list[list[tuple[str, int, str]]]
    ) -> None:
        self._folder = folder
        self._run = run
        self._inputs = inputs
        self._saved = [_read_part(folder, part, len(files)) for part, files in enumerate(inputs)]
        self._learns_from = ""  # the digest of the words that merges are learned from
        self._saved_at = monotonic()

    def is_due(self) -> bool:
        """Tell whether the last save was long ago."""
        return monotonic() >= self._saved_at + SECONDS

    def n_bytes_counted(self) -> int:
        """Return the bytes of the texts that have been counted."""
        return sum(saved.counted.n_bytes for part in self._saved for saved in part)

    def n_null(self, part: int) -> int:
        """Return how many of the texts of a part that have been counted were null."""
        return sum(saved.counted.n_null for saved in self._saved[part])

    def has_counted(self, part: int) -> bool:
        """Tell whether any text of a part has been counted."""
        return len(self._saved[part]) > 0

    def gaps(self, part: int) -> list[Range]:
        """Return what has not been counted of a part, in order."""
        return gaps_between(_ranges(self._saved[part]), Position(len(self._inputs[part])))

    def is_complete(self, part: int) -> bool:
        """Tell whether all files of a part have been counted."""
        return not self.gaps(part)

    def check_complete(self, part: int) -> None:
        """Check, when all that was left of a part has been read, that no gap is left.

        Raises
        ------
        ValueError
            If one is: it ends or begins where no reading comes to, so that it would stay for ever.
        """
        if not self.is_complete(part):
            raise self._wrong_places(part)

    def add(self, part: int, words: Words, counted: Counted) -> None:
        """Save the words of some texts of a part.

        Raises
        ------
        OSError
            If they can't be saved, or a file that was counted only in part has changed.
        ValueError
            If some of these texts are in the folder: it says of a place where none ends that the
            texts up to it were counted.
        """
        self._check_unchanged(part, counted)
        try:
            joined([*_ranges(self._saved[part]), *counted.ranges])
        except ValueError:
            raise self._wrong_places(part) from None
        numbers = range(len(self._saved[part]), MAX_INT64)
        paths = (self._folder / f"counts-{part}-{number}.parquet" for number in numbers)
        path = next(path for path in paths if not path.exists())
        content = json.dumps([*counted, words.n_bytes]).encode()
        save(words.arrays, words.split, path, {METADATA_KEY: content})
        self._saved[part].append(_Saved(path, counted, words.n_bytes))
        self._saved_at = monotonic()

    def words(self, part: int, rare: RareWords) -> Words:
        """Return all words of a part that were saved, but rare ones.

        Raises
        ------
        OSError, ValueError
            If a file is not what was saved, or its words were split otherwise.
        """
        for saved in self._saved[part]:
            if _read_saved(saved.path) != saved:
                raise changed_error(str(saved.path))
        sizes = {str(saved.path): saved.n_word_bytes for saved in self._saved[part]}
        run = self._run
        given = given_split(run["pattern"], run["special_tokens"], run["normalizer"])
        return take_over(*load(list(sizes), given, rare, sizes))

    def _check_unchanged(self, part: int, counted: Counted) -> None:
        """Check that files whose parts are counted at different times have not changed."""
        positions = chain.from_iterable(counted.ranges)
        for number in sorted({position.file for position in positions if position.at}):
            path, *state = self._inputs[part][number]
            if tuple(state) != file_state(path, fresh=True):
                raise changed_error(path)

    def _wrong_places(self, part: int) -> ValueError:
        names = ", ".join(saved.path.name for saved in self._saved[part][:3])
        return ValueError(
            f"checkpoint {str(self._folder)!r}: what its files of counts ({names}) say that was "
            "counted ends or begins where no texts of this run do: remove the folder"
        )

    def save_merges_if_due(self, merges: Callable[[], MergeArrays]) -> None:
        """Save the merges so far if the last time is long ago."""
        if not self.is_due():
            return
        pairs, counts = merges()
        schema = MERGES.with_metadata({METADATA_KEY: self._learns_from})
        table = pa.table([pairs[:, 0], pairs[:, 1], counts], schema=schema)
        _write_table(self._folder / "merges.parquet", table)
        self._saved_at = monotonic()

    def merges(self, words: Words, known: Sequence[bytes], most: int) -> MergeArrays:
        """Return the merges that were saved, or none; those that are saved later are of `words`.

        Parameters
        ----------
        words : Words
            What they are learned from.
        known : sequence of bytes
            The tokens that there were before them.
        most : int
            How many merges the run learns.

        Raises
        ------
        ValueError
            If they were learned from other words, or a merge can't be one of this run: the message
            has the file and the row.
        """
        self._learns_from = digest(words)
        path = self._folder / "merges.parquet"
        table = MERGES.empty_table()
        if path.exists():
            table = _read_table(path, MERGES)
            if (table.schema.metadata or {}).get(METADATA_KEY) != self._learns_from.encode():
                raise ValueError(f"{path} has merges of other words than this run: remove the file")
        longest = int(words.arrays.lengths.max())
        left, right, counts = (table[name].to_numpy() for name in MERGES.names)
        if (row := _first_wrong(left, right, counts, list(known), most, longest)) is not None:
            raise ValueError(
                f"{path}, row {row} (the first is 0): ({left[row]}, {right[row]}), "
                f"{counts[row]} times, can't be a merge of this run: remove the file"
            )
        return np.stack([left, right], axis=1), counts


def saved_in(folder: StrPath) -> tuple[int, int]:
    """Return how many bytes of text the folder of a run has counted, and how many merges learned.

    It may be one in which nothing was saved yet.

    Raises
    ------
    OSError, ValueError
        If a file can't be read.
    """
    folder = Path(folder)
    counts = folder.glob("counts-*.parquet")
    n_bytes = sum(_read_saved(path).counted.n_bytes for path in counts)
    merges = folder / "merges.parquet"
    return n_bytes, _read_table(merges, MERGES).num_rows if merges.exists() else 0


def _first_wrong(
    left: Int32, right: Int32, counts: Int64, tokens: list[bytes], most: int, longest: int
) -> int | None:
    """Return the first of some merges that learning can't have made, if there is one.

    Each makes a new token, which a word has, of tokens that there were before; and the pair occurs,
    no more often than the one before. `tokens` are those before all of them.
    """
    seen = set(tokens)
    before = MAX_INT64
    merges = zip(left.tolist(), right.tolist(), counts.tolist(), strict=True)
    for row, (one, other, count) in enumerate(merges):
        if row >= most or not 0 < count <= before:
            return row
        if not (0 <= one < len(tokens) and 0 <= other < len(tokens)):
            return row
        token = tokens[one] + tokens[other]
        if len(token) > longest or token in seen:
            return row
        tokens.append(token)
        seen.add(token)
        before = count
    return None


def digest(words: Words) -> str:
    """Return what is the same only for the same words, counts and order."""
    hashed = hashlib.sha256()
    for array in (words.ids, words.offsets, words.counts):
        hashed.update(array.data)
    return hashed.hexdigest()


@contextmanager
def open_checkpoint(
    folder: StrPath, run: dict[str, Any], parts: Sequence[Sequence[str]] = ()
) -> Iterator[Checkpoint]:
    """Open the folder of a run, or make it; nobody else can until the block ends.

    Parameters
    ----------
    folder : path
    run : dict
        What the result depends on besides the files, by the names that the user knows.
    parts : sequence of sequences of str
        The files to count, of each weighted source.

    Raises
    ------
    ValueError
        If it is the folder of another run (the message says what has changed), or has other files.
    OSError
        If it can't be written to, or another process has it open.
    """
    folder = check_path(folder)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"checkpoint must be a folder, got the file {str(folder)!r}")
    check_folder(folder).mkdir(exist_ok=True)
    versions = {"bpetok_version": __version__, "checkpoint_layout": LAYOUT}
    run = json.loads(json.dumps({**versions, **run}))
    rows = [(part, path, *file_state(path)) for part, paths in enumerate(parts) for path in paths]
    encoded = [(part, os.fsencode(path), *state) for part, path, *state in rows]
    columns = list(zip(*encoded, strict=True)) or [()] * len(INPUTS)
    inputs = pa.table(list(map(list, columns)), schema=INPUTS)
    _check_folder(folder)
    with _locked(folder):
        if (folder / "run.json").exists():
            _check_run(folder, run)
            _check_inputs(folder, inputs)
        else:
            _begin(folder, run, inputs)
        for path in folder.iterdir():
            if TEMPORARY.fullmatch(path.name):  # of a run that was killed
                path.unlink()
        states = [[row[1:] for row in rows if row[0] == part] for part in range(len(parts))]
        yield Checkpoint(folder, run, states)


def _check_folder(folder: Path) -> None:
    """Raise a ValueError, and touch nothing, if the folder has other files than those of a run."""
    names = {path.name for path in folder.iterdir()}
    if "run.json" in names:
        return
    others = {name for name in names - BEGUN if not TEMPORARY.fullmatch(name)}
    lock = folder / "lock"
    if lock.exists() and not (lock.is_file() and lock.stat().st_size == 0):
        others.add("lock")
    if "inputs.parquet" in names:
        try:
            _read_table(folder / "inputs.parquet", INPUTS)
        except ValueError:
            others.add("inputs.parquet")
    if others:
        raise ValueError(
            f"checkpoint {str(folder)!r} must be a new or empty folder, it has {min(others)!r}"
        )


def _read_part(folder: Path, part: int, n_files: int) -> list[_Saved]:
    """Return what the files of counts of a part have, in the order of their names."""
    saved: list[_Saved] = []
    for path in sorted(folder.glob(f"counts-{part}-*.parquet")):
        saved.append(_read_saved(path))
        for begin, end in saved[-1].counted.ranges:
            if begin >= end or not (end.file < n_files or end == Position(n_files)):
                raise ValueError(
                    f"{path} ends at {end._asdict()}, where no texts of this run end: "
                    "remove the folder"
                )
        try:
            joined(_ranges(saved))
        except ValueError:
            raise ValueError(
                f"{path} has texts that the counts before it have, too: remove the folder"
            ) from None
    return saved


def _ranges(saved: Iterable[_Saved]) -> Iterator[Range]:
    return chain.from_iterable(counts.counted.ranges for counts in saved)


def _read_saved(path: Path) -> _Saved:
    """Return what a file of counts says that it has."""
    metadata = read_metadata(str(path))
    try:
        ranges, n_bytes, n_null, n_word_bytes = json.loads(metadata[METADATA_KEY])
        found = tuple((Position(*begin), Position(*end)) for begin, end in ranges)
        for position in chain.from_iterable(found):
            check_integer("a file", position.file, 0, MAX_INT64)
            check_integer("a place", position.at, 0, MAX_INT64)
            check_integer("a record", position.record, UNKNOWN, MAX_INT64)
        for number in (n_bytes, n_null, n_word_bytes):
            check_integer("a number", number, 0, MAX_INT64)
        return _Saved(path, Counted(found, n_bytes, n_null), n_word_bytes)
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError(f"{path} does not say what was counted: remove the folder") from None


def _begin(folder: Path, run: dict[str, Any], inputs: Any) -> None:
    _write_table(folder / "inputs.parquet", inputs)
    write_whole(folder / "run.json", (json.dumps(run, indent=1) + "\n").encode())


def _check_run(folder: Path, run: dict[str, Any]) -> None:
    try:
        before = json.loads(read_whole(folder / "run.json"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{folder / 'run.json'}: is not a run's: {error}") from None
    if not isinstance(before, dict):
        raise ValueError(f"{folder / 'run.json'}: is not a run's: must be an object")
    for name in {**before, **run}:
        if before.get(name) != run.get(name):
            was, now = shorten(before.get(name)), shorten(run.get(name))
            raise _changed(folder, f"{name} was {was} and is {now}")


def _check_inputs(folder: Path, inputs: Any) -> None:
    before = _read_table(folder / "inputs.parquet", INPUTS)
    if before.equals(inputs):
        return
    if before.select(["part", "path"]).equals(inputs.select(["part", "path"])):
        pairs = zip(before.to_pylist(), inputs.to_pylist(), strict=True)
        path = next(now["path"] for old, now in pairs if old != now)
        raise _changed(folder, f"the file {os.fsdecode(path)} has changed")
    raise _changed(
        folder,
        f"the files are others: {before.num_rows} of them then, {inputs.num_rows}",
    )


def _changed(folder: Path, what: str) -> ValueError:
    return ValueError(
        f"checkpoint {str(folder)!r} is of another run, {what} now: go on with what was used "
        "before, or begin anew in another folder"
    )


def _write_table(path: Path, table: Any) -> None:
    pending = PendingFile(path)
    try:
        with pending.named(), first_use("write_table"):
            pq.write_table(table, pending.file, write_page_checksum=True)
        pending.keep()
    finally:
        pending.discard()


def _read_table(path: Path, schema: Any) -> Any:
    """Return the table in a file, which must have this schema and no null."""
    with path.open("rb") as file, naming(str(path)), first_use("ParquetFile.read"):
        table = pq.ParquetFile(file, page_checksum_verification=True).read()
    if table.schema != schema or any(column.null_count for column in table.columns):
        raise ValueError(
            f"{path}: must have the columns {schema.names} without nulls: remove the folder"
        )
    return table


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which ends with the process; there is none on Windows."""
    with (folder / "lock").open("ab") as file:
        _lock(file, folder)
        yield


def _lock(file: IO[bytes], folder: Path) -> None:
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OSError(f"checkpoint {str(folder)!r} is in use by another process") from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        warnings.warn(
            f"the file system of checkpoint {str(folder)!r} has no locks ({error.strerror}): "
            "make sure that no other process uses the folder",
            stacklevel=2,
        )
