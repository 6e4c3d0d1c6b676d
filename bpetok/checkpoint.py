"""What a run has done so far, in a folder: it can be stopped at any moment and goes on from there.

    run.json                          the options and the version of bpetok
    inputs.parquet                    the files to count, with their sizes and times
    counts-PART-FIRST-END-N.parquet   the words of files FIRST to END - 1 of a part; N null texts
    merges.parquet                    the merges learned

Each file appears whole or not at all, and a counts file is the only record that its files were
counted, so there is no moment at which a run must not be killed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import IO, Any, NamedTuple, TypeVar

import numpy as np

import bpetok
from bpetok._bounds import Bounds
from bpetok._extras import require
from bpetok._files import PendingFile, write_whole
from bpetok.merges import Merges
from bpetok.sources import StrPath, Tally, file_state
from bpetok.tables import load
from bpetok.words import Words

Item = TypeVar("Item")
pa = require("pyarrow", "arrow")
pq = require("pyarrow.parquet", "arrow")

SECONDS = 60.0
"""How long a run works between two saves: what is saved in a second or two can't be lost often."""

INPUTS = pa.schema(
    [("part", pa.int32()), ("path", pa.string()), ("size", pa.int64()), ("modified", pa.string())]
)
MERGES = pa.schema([("left", pa.int32()), ("right", pa.int32()), ("count", pa.int64())])
_COUNTS_NAME = re.compile(r"counts-(\d+)-(\d+)-(\d+)-(\d+)\.parquet")


class _Counted(NamedTuple):
    """A file of counts: of the files first to end - 1, in which so many texts were null."""

    first: int
    end: int
    n_null: int
    path: Path


class Checkpoint:
    """A folder of what a run has done; see `opened`.

    Parameters
    ----------
    folder : Path
    sizes : list of lists of int
        The bytes of the files of each part.
    """

    def __init__(self, folder: Path, sizes: list[list[int]]) -> None:
        self._folder = folder
        self._sizes = sizes
        self._saved_at = monotonic()

    def count(
        self,
        part: int,
        steps: Callable[[int], Iterator[tuple[Iterable[Item], int]]],
        count: Callable[[Iterator[Item]], Words],
        tally: Tally,
        bounds: Bounds,
    ) -> Words:
        """Count what has not been counted, saving now and then, and return the words of all.

        Parameters
        ----------
        part : int
            The number of the weighted source.
        steps : callable
            Gives the texts of the files from that with some number on: those of a file or some,
            and the number of the file after them.
        count : callable
            Counts the words of texts.
        tally : Tally
            Is told of null texts that were counted before.
        bounds : Bounds
            Of the words of all.
        """
        n_files = len(self._sizes[part])
        end = self._n_counted(part)
        tally.n_null += sum(counted.n_null for counted in self._counted(part))

        def items_until_due() -> Iterator[Item]:
            nonlocal end
            due = monotonic() + SECONDS
            for items, after in steps(end):
                yield from items
                end = after
                if monotonic() >= due:
                    return

        while end < n_files:
            first, n_null = end, tally.n_null
            words = count(items_until_due())
            name = f"counts-{part}-{first}-{end}-{tally.n_null - n_null}.parquet"
            words.save(self._folder / name)
            if first == 0 and end == n_files:
                return words
        return load([counted.path for counted in self._counted(part)], bounds=bounds)

    def n_bytes_counted(self) -> int:
        """Return the bytes of the files that have been counted."""
        parts = enumerate(self._sizes)
        return sum(sum(sizes[: self._n_counted(part)]) for part, sizes in parts)

    def _n_counted(self, part: int) -> int:
        """Return how many files of a part have been counted: the first so many."""
        end = 0
        for counted in self._counted(part):
            if counted.first != end:
                raise ValueError(
                    f"{counted.path} does not go on where the counts before it end: remove the "
                    "folder"
                )
            end = counted.end
        return end

    def _counted(self, part: int) -> list[_Counted]:
        """Return the files of counts of a part, in order."""
        counted = []
        for path in self._folder.iterdir():
            match = _COUNTS_NAME.fullmatch(path.name)
            if match and int(match[1]) == part:
                first, end, n_null = map(int, match.groups()[1:])
                counted.append(_Counted(first, end, n_null, path))
        return sorted(counted)

    def save_merges_if_due(self, merges: Callable[[], Merges]) -> None:
        """Save the merges so far if the last time is long ago."""
        if monotonic() < self._saved_at + SECONDS:
            return
        pairs, counts = merges()
        table = pa.table([pairs[:, 0], pairs[:, 1], counts], schema=MERGES)
        _write_table(self._folder / "merges.parquet", table)
        self._saved_at = monotonic()

    def merges(self) -> Merges:
        """Return the merges that were saved, or none."""
        path = self._folder / "merges.parquet"
        table = _read_table(path, MERGES) if path.exists() else MERGES.empty_table()
        left, right, counts = (table[name].to_numpy() for name in MERGES.names)
        return Merges(np.stack([left, right], axis=1), counts)


def digest(words: Words) -> str:
    """Return what is the same only for the same words, counts and order."""
    hashed = hashlib.sha256()
    for array in (words.ids, words.offsets, words.counts):
        hashed.update(array.data)
    return hashed.hexdigest()


@contextmanager
def opened(
    folder: StrPath, run: dict[str, Any], parts: Sequence[Sequence[str]] = ()
) -> Iterator[Checkpoint]:
    """Open the folder of a run, or make it; nobody else can until the block ends.

    Parameters
    ----------
    folder : path
    run : dict
        What the result depends on beside the files, by the names that the user knows.
    parts : sequence of sequences of str
        The files to count, of each weighted source.

    Raises
    ------
    ValueError
        If it is the folder of another run (the message says what has changed), or has other files.
    OSError
        If it can't be written to, or another process has it open.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    run = json.loads(json.dumps({"bpetok_version": bpetok.__version__, **run}))
    rows = [(part, path, *file_state(path)) for part, paths in enumerate(parts) for path in paths]
    columns = list(zip(*rows, strict=True)) or [()] * len(INPUTS)
    inputs = pa.table(list(map(list, columns)), schema=INPUTS)
    with _locked(folder):
        for path in folder.glob(".*.tmp"):  # of a run that was killed
            path.unlink()
        if (folder / "run.json").exists():
            _check_run(folder, run)
            _check_inputs(folder, inputs)
        else:
            _begin(folder, run, inputs)
        sizes = [[row[2] for row in rows if row[0] == part] for part in range(len(parts))]
        yield Checkpoint(folder, sizes)


def _begin(folder: Path, run: dict[str, Any], inputs: Any) -> None:
    others = {path.name for path in folder.iterdir()} - {"lock", "inputs.parquet"}
    if others:
        raise ValueError(
            f"checkpoint {str(folder)!r} must be a new or empty folder, it has {min(others)!r}"
        )
    _write_table(folder / "inputs.parquet", inputs)
    write_whole(folder / "run.json", (json.dumps(run, indent=1) + "\n").encode())


def _check_run(folder: Path, run: dict[str, Any]) -> None:
    try:
        before = json.loads((folder / "run.json").read_bytes())
    except ValueError as error:
        raise ValueError(f"{folder / 'run.json'}: is not a run's: {error}") from None
    for name in {**before, **run}:
        if before.get(name) != run.get(name):
            raise _changed(folder, f"{name} was {before.get(name)!r} and is {run.get(name)!r}")


def _check_inputs(folder: Path, inputs: Any) -> None:
    before = _read_table(folder / "inputs.parquet", INPUTS)
    if before.equals(inputs):
        return
    if before.select(["part", "path"]).equals(inputs.select(["part", "path"])):
        pairs = zip(before.to_pylist(), inputs.to_pylist(), strict=True)
        path = next(now["path"] for old, now in pairs if old != now)
        raise _changed(folder, f"the file {path} has changed")
    raise _changed(
        folder,
        f"the files are others: {before.num_rows} of them then, {inputs.num_rows} now",
    )


def _changed(folder: Path, what: str) -> ValueError:
    return ValueError(
        f"checkpoint {str(folder)!r} is of another run, {what} now: go on with what was used "
        "before, or begin anew in another folder"
    )


def _write_table(path: Path, table: Any) -> None:
    pending = PendingFile(path)
    try:
        with pending.named():
            pq.write_table(table, pending.file)
        pending.keep()
    finally:
        pending.discard()


def _read_table(path: Path, schema: Any) -> Any:
    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path}: can't be read as Parquet: {error}") from None
    if table.schema != schema:
        raise ValueError(f"{path}: must have the columns {schema.names}: remove the folder")
    return table


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which ends with the process; there is none on Windows."""
    with (folder / "lock").open("wb") as file:
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
