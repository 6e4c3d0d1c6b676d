"""Words that are more than memory holds: sorted runs of them in files, merged at the end."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import numpy as np

from bpetok.base.importing import signals_deferred
from bpetok.base.records import NamedTuple
from bpetok.base.threads import map_threads
from bpetok.base.timing import stage
from bpetok.counting.arrays import WordArrays
from bpetok.counting.memory import RareWords
from bpetok.counting.word_table import N_PARTITIONS, WordTable, sorted_words
from bpetok.patterns.special import SpecialTokens

if TYPE_CHECKING:
    from numpy.typing import NDArray


class WordList(NamedTuple):
    """Different words of one partition, one after another, sorted as `Combination` does.

    data : uint8 array
    lengths : int32 array, shape (n_words,)
    counts : int64 array, shape (n_words,)
    """

    data: NDArray[np.uint8]
    lengths: NDArray[np.int32]
    counts: NDArray[np.int64]

    def kept(self, kept: NDArray[np.bool_] | None) -> WordList:
        """Return the words that are kept, all if None."""
        if kept is None:
            return self
        data = self.data[np.repeat(kept, self.lengths)]
        return WordList(data, self.lengths[kept], self.counts[kept])


class Run(NamedTuple):
    """Where the words of one table are in the file, a WordList for each partition."""

    starts: list[int]
    n_words: list[int]
    n_bytes: list[int]


class Spill:
    """A file of runs, in the system's folder for temporary files.

    It has no name, where the system knows such files, so that nothing is left of it in whatever way
    the process ends.
    """

    def __init__(self) -> None:
        import tempfile  # takes 3 ms, and hardly any training needs it

        with signals_deferred():  # both make a file and then remove its name
            self._folder = tempfile.gettempdir()
            self._file = tempfile.TemporaryFile(prefix="bpetok-")  # noqa: SIM115  # until `close`
        self._lock = threading.Lock()
        self._runs: list[Run] = []

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self._runs)

    def close(self) -> None:
        """Remove the file."""
        with suppress(OSError):  # raised before, where the words could not be written
            self._file.close()

    def write(self, table: WordTable) -> None:
        """Write the words of a table and clear it. Several threads may do so at a time.

        Raises
        ------
        OSError
            If they can't be written; the error names the folder.
        """
        run = Run([], [], [])
        for p in range(N_PARTITIONS):
            words = WordList(*sorted_words(table, p))
            run.starts.append(self._append(words))
            run.n_words.append(len(words.counts))
            run.n_bytes.append(len(words.data))
        table.clear()
        self._runs.append(run)

    def _append(self, words: WordList) -> int:
        """Write words to the end of the file; return where they begin."""
        with self._lock, self._naming_folder():
            start = self._file.seek(0, os.SEEK_END)
            for array in words:
                self._file.write(array.data)
            self._file.flush()
        return start

    def _read(self, run: Run, p: int) -> WordList:
        """Return the words of partition `p` of a run."""
        words = WordList(
            np.empty(run.n_bytes[p], np.uint8),
            np.empty(run.n_words[p], np.int32),
            np.empty(run.n_words[p], np.int64),
        )
        with self._lock, self._naming_folder():
            self._file.seek(run.starts[p])
            for array in words:
                if self._file.readinto(array.data) < array.nbytes:
                    raise OSError(errno.EIO, "The file has become shorter")
        return words

    @contextmanager
    def _naming_folder(self) -> Iterator[None]:
        """Give errors, as of a full disk, the name of the folder, since the file has none."""
        try:
            yield
        except OSError as error:
            message = f"{error.strerror} while spilling words"
            raise OSError(error.errno, message, self._folder) from None

    def merged(self, p: int) -> WordList:
        """Return the words of partition `p` of all runs, with the sums of their counts."""
        table = WordTable(SpecialTokens([]), one_partition=True)
        for run in self._runs:
            words = self._read(run, p)
            table.add_words(words.data.data, np.cumsum(words.lengths, dtype=np.int64), words.counts)
        return WordList(*sorted_words(table, p))

    def merge(self, tables: list[WordTable], rare: RareWords, n_threads: int) -> WordArrays:
        """Return all words, of tables and runs, but rare ones.

        Raises
        ------
        ValueError
            If the words take more than `rare.limits.max_memory` and may not be left out.
        """
        with stage("combine"):
            for table in tables:
                self.write(table)
                table.clear(keep_room=False)
            lists: list[WordList] = []
            for words in map_threads(self.merged, range(N_PARTITIONS), n_threads):
                lists.append(words.kept(rare.keep(words.lengths, words.counts)))
                while not rare.make_fit(sum(map(packed_size, lists))):
                    lists = [words.kept(rare.keep(words.lengths, words.counts)) for words in lists]
            return pack(lists)


def packed_size(words: WordList) -> int:
    """Return the bytes that words take as `Words`, and for a moment while they are checked."""
    return 4 * len(words.data) + (16 + 24) * len(words.counts)


def pack(lists: list[WordList]) -> WordArrays:
    """Return the words of lists one after another, and empty the list."""
    n_words = sum(len(words.counts) for words in lists)
    ids = np.empty(sum(len(words.data) for words in lists), np.int32)
    offsets = np.zeros(n_words + 1, np.int64)
    counts = np.empty(n_words, np.int64)
    row = at = 0
    lists.reverse()
    while lists:  # each is let go of when it has been copied
        words = lists.pop()
        end = row + len(words.counts)
        ids[at : at + len(words.data)] = words.data
        np.cumsum(words.lengths, out=offsets[row + 1 : end + 1])
        offsets[row + 1 : end + 1] += at
        counts[row:end] = words.counts
        row, at = end, at + len(words.data)
    return WordArrays(ids, offsets, counts)
