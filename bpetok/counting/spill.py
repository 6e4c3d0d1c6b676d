"""Words that are more than memory holds: sorted runs of them in files, merged at the end."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bpetok.base.threads import map_threads
from bpetok.base.timing import stage
from bpetok.counting.arrays import WordArrays
from bpetok.counting.memory import RareWords
from bpetok.counting.word_table import N_PARTITIONS, WordTable, sorted_words
from bpetok.patterns.special import SpecialTokens


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
    """A file of the words of one table, a WordList for each partition."""

    path: Path
    starts: list[int]
    n_words: list[int]
    n_bytes: list[int]

    def read(self, p: int) -> WordList:
        """Return the words of partition `p`."""
        with self.path.open("rb") as file:
            file.seek(self.starts[p])
            return WordList(
                np.fromfile(file, np.uint8, self.n_bytes[p]),
                np.fromfile(file, np.int32, self.n_words[p]),
                np.fromfile(file, np.int64, self.n_words[p]),
            )


class Spill:
    """A scratch folder of runs, in the system's folder for temporary files; `close` removes it."""

    def __init__(self) -> None:
        import tempfile  # takes 3 ms, and hardly any training needs it

        self._folder = tempfile.TemporaryDirectory(prefix="bpetok-")
        self._numbers = count()
        self._runs: list[Run] = []

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self._runs)

    def close(self) -> None:
        """Remove all files."""
        self._folder.cleanup()

    def write(self, table: WordTable) -> None:
        """Write the words of a table and clear it. Several threads may do so at a time.

        Raises
        ------
        OSError
            If they can't be written; the error names the file.
        """
        run = Run(Path(self._folder.name, f"{next(self._numbers)}.run"), [], [], [])
        try:
            with run.path.open("wb") as file:
                for p in range(N_PARTITIONS):
                    words = WordList(*sorted_words(table, p))
                    run.starts.append(file.tell())
                    run.n_words.append(len(words.counts))
                    run.n_bytes.append(len(words.data))
                    for array in words:
                        file.write(array.data)
        except OSError as error:
            message = f"{error.strerror} while spilling words"
            raise OSError(error.errno, message, str(run.path)) from None
        table.clear()
        self._runs.append(run)

    def merged(self, p: int) -> WordList:
        """Return the words of partition `p` of all runs, with the sums of their counts."""
        table = WordTable(SpecialTokens([]), one_partition=True)
        for run in self._runs:
            words = run.read(p)
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
