"""Whether what was given has an effect: options that have none, and files given twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bpetok.base.display import show_some
from bpetok.base.files import is_url
from bpetok.base.notes import note
from bpetok.sources.corpus import Corpus
from bpetok.sources.files import STANDARD_INPUT, format_of
from bpetok.sources.reading import TEXT, ReadOptions
from bpetok.sources.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray


def check_corpora(corpora: Sequence[Corpus], options: ReadOptions) -> None:
    """Check what is read in all as `check_use` and `check_repeated` do, and the seed of samples."""
    sources = [source for corpus in corpora for source in corpus.sources]
    check_use(sources, options)
    if options.seed != 0 and options.sample == 1:
        note("seed=%s is of no use without sample", options.seed)
    check_repeated(sources, np.concatenate([corpus.nodes for corpus in corpora]))


def check_use(sources: Sequence[str | Table], options: ReadOptions) -> None:
    """Check that options for sources of one kind were given where there are such sources.

    Whether other machines are waited for changes nothing, so that is only logged, at INFO.

    Raises
    ------
    ValueError
        If there is a column but no source with columns, or no such source for a key of a mapping:
        none has such a name, or a later key holds for them; or a format but no file.
    """
    columns = options.text_column
    if isinstance(columns, str):
        if columns != TEXT and not any(has_columns(source, options) for source in sources):
            raise ValueError(
                f"text_column {columns!r} is of no use: nothing that is read has columns, all of "
                "it is plain text; leave it out, or give format='jsonl' if the lines are records"
            )
    else:
        used = columns_used(sources, options)
        for number, (key, _) in enumerate(columns):
            if number not in used:
                raise ValueError(
                    f"text_column has {key!r}, which holds for no file with columns: give paths or "
                    "patterns of the files to read; of those that match a file the last one holds"
                )
    if options.format is not None and not any(isinstance(source, str) for source in sources):
        raise ValueError(f"format={options.format!r} is of no use: no files are read")
    if options.n_readers is not None and not any(map(is_remote, sources)):
        note("n_readers=%s is of no use: all files are on this machine", options.n_readers)


def has_columns(source: str | Table, options: ReadOptions) -> bool:
    """Tell whether a source has columns: a table, or a file of records."""
    return not isinstance(source, str) or (options.format or format_of(source)) != "text"


def columns_used(sources: Iterable[str | Table], options: ReadOptions) -> set[int]:
    """Return the numbers of the pairs of `text_column` that hold for sources with columns."""
    numbers = (options.number_of(source) for source in sources if has_columns(source, options))
    return {number for number in numbers if number is not None}


def is_remote(source: str | Table) -> bool:
    """Tell whether a source is a URL."""
    return isinstance(source, str) and is_url(source)


def check_repeated(sources: Sequence[str | Table], nodes: NDArray[np.int64]) -> None:
    """Log, at INFO, which sources are given more than once: that may be meant, or not.

    Parameters
    ----------
    sources : sequence
        A str is a path or a URL, anything else a table.
    nodes : int64 array, shape (n_sources, 2)
        As of `Corpus`.

    Raises
    ------
    ValueError
        If standard input is given twice.
    """
    repeated = [sources[number] for number in _first_of_repeated(sources, nodes)]
    names = [source if isinstance(source, str) else "a table" for source in repeated]
    if STANDARD_INPUT in names:
        raise ValueError("'-' is standard input, which can be read only once: give it once")
    if names:
        note(
            "%s given more than once and read each time: %s",
            "1 file is" if len(names) == 1 else f"{len(names):,} files are",
            show_some(names),
            n_repeated=len(names),
        )


def _first_of_repeated(sources: Sequence[str | Table], nodes: NDArray[np.int64]) -> list[int]:
    """Return the numbers of the sources that come again, in order."""
    known = np.flatnonzero(nodes[:, 1] >= 0)
    order = known[np.lexsort(nodes[known].T)]  # stable: the first of equal ones comes first
    same = (nodes[order[1:]] == nodes[order[:-1]]).all(axis=1)
    begins = same & ~np.concatenate([[False], same[:-1]])
    found = order[:-1][begins].tolist()
    others: dict[object, list[int]] = {}
    for number in np.flatnonzero(nodes[:, 1] < 0).tolist():
        source = sources[number]
        others.setdefault(source if isinstance(source, str) else id(source), []).append(number)
    return sorted([*found, *(numbers[0] for numbers in others.values() if len(numbers) > 1)])
