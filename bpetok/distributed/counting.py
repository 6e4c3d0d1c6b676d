"""What is counted and how, and the two functions that do it on tables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any
from zlib import crc32

from bpetok.base.checks import check_integer, shorten
from bpetok.base.extras import require, require_pyarrow
from bpetok.base.importing import first_use
from bpetok.base.limits import DEFAULT_PATTERN, MAX_INT64
from bpetok.base.progress import reporting
from bpetok.base.version import __version__
from bpetok.counting.count import count_job, prepare_count
from bpetok.counting.options import CountOptions, check_count_options
from bpetok.counting.words import Words
from bpetok.patterns.changes import check_changes
from bpetok.patterns.normalizers import Spec
from bpetok.sources.reading import NullTexts, check_reading

pa = require_pyarrow("arrow")
pc = require("pyarrow.compute", "arrow")


MAX_BUCKETS = 1 << 16


class PlanError(RuntimeError):
    """A worker can't count by a plan: it has another bpetok, or the plan is not whole."""


@dataclass(frozen=True)
class CountPlan:
    """How words are counted: what every worker has to know, and all that it has to know.

    It can be pickled, compared and hashed. A worker refuses it if its bpetok is of another version
    than that of the process which made the plan, since that could split text in another way.

    Attributes
    ----------
    text_column : str
        Where a record has its text; as `bpetok.Reading` has it.
    pattern, special_tokens, errors, unmatched, normalizer, prefix_space
        As `bpetok.count_words` takes them. A normalizer is kept as JSON.
    min_word_count : int
        Leave out words that come less often, in all of the text together.
    version : str
        The bpetok that made the plan.
    digest : str
        SHA-256 of all that.

    Raises
    ------
    TypeError, ValueError
        If an option is out of its range.
    """

    text_column: str = "text"
    pattern: str = DEFAULT_PATTERN
    special_tokens: tuple[str, ...] = ()
    errors: str = "strict"
    unmatched: str = "error"
    min_word_count: int = 1
    normalizer: Spec | None = None
    prefix_space: bool = False
    version: str = field(init=False)
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        if isinstance(check_reading({"text_column": self.text_column}).text_column, tuple):
            raise ValueError(
                f"text_column must be one column of the table, got {shorten(self.text_column)}"
            )
        options = self.options()
        least = check_integer("min_word_count", self.min_word_count, 1, MAX_INT64)
        object.__setattr__(self, "min_word_count", least)
        object.__setattr__(self, "pattern", options.pattern)
        object.__setattr__(self, "special_tokens", options.special_tokens)
        normalizer = options.cutting.changes.normalizer
        spelled = None if normalizer is None else normalizer.to_json()
        object.__setattr__(self, "normalizer", spelled)
        # Set here, not as a default, which would not be pickled.
        object.__setattr__(self, "version", __version__)
        object.__setattr__(self, "digest", self._digest())

    def options(self) -> CountOptions:
        """Return the options of counting."""
        return check_count_options(
            self.pattern,
            self.special_tokens,
            1,
            self.errors,
            self.unmatched,
            changes=check_changes(self.normalizer, self.prefix_space),
        )

    @property
    def column(self) -> str:
        """The column that `text_column` begins with."""
        return check_reading({"text_column": self.text_column}).steps[0]

    def _digest(self) -> str:
        content = {item.name: getattr(self, item.name) for item in fields(self)[:-1]}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def check(self, n_buckets: int = 1) -> None:
        """Make sure that this process can count by the plan, in so many buckets.

        Raises
        ------
        PlanError
            If not; the message says what to install.
        ValueError
            If `n_buckets` is out of its range.
        """
        check_integer("n_buckets", n_buckets, 1, MAX_BUCKETS)
        if self.version != __version__:
            raise PlanError(
                f"the plan was made by bpetok {self.version} and this worker has "
                f"{__version__}: install the same version everywhere"
            )
        if self.digest != self._digest():
            raise PlanError("the plan is not what it was when it was made: make it again")


def count_batch(table: Any, plan: CountPlan) -> Any:
    """Count the words of a table of texts.

    Parameters
    ----------
    table : pyarrow.Table
        With a column `plan.text_column`; each record is a text. Nulls are left out with a warning.
    plan : CountPlan

    Returns
    -------
    pyarrow.Table
        ``word: binary, count: int64``, each word once. The larger the batch, the less is left to
        merge: about 100 MB of text are a good size.

    Raises
    ------
    PlanError, ValueError, TimeoutError
        If the worker can't count by the plan; if there is no such column; as `count_words`.
    """
    counts, n_null = count_texts(table, plan)
    NullTexts(n_null).warn(stacklevel=3)
    return counts


def count_texts(table: Any, plan: CountPlan) -> tuple[Any, int]:
    """Return what `count_batch` does, and how many texts were null."""
    plan.check()
    job = prepare_count(table, plan.options(), {"text_column": plan.text_column})
    with reporting(progress=False) as report:
        return count_job(job, report).to_arrow(), job.null_texts.n_null


def merge_counts(tables: Iterable[Any], plan: CountPlan, *, complete: bool = False) -> Any:
    """Add up tables of words and counts.

    Parameters
    ----------
    tables : iterable of pyarrow.Table
        What `count_batch` and `merge_counts` return.
    plan : CountPlan
    complete : bool
        True if all counts of these words are here: words below `plan.min_word_count` are left out.

    Returns
    -------
    pyarrow.Table
        ``word: binary, count: int64``, each word once.

    Raises
    ------
    PlanError, ValueError
        If the worker can't count by the plan; if a table is none of words that were split alike, or
        the sums reach 2**63.
    """
    plan.check()
    merged = collect(tables, plan).to_arrow()
    if complete and plan.min_word_count > 1:
        # Not an expression, which pyarrow would import its query engine and start threads for.
        with first_use("words that come often"):
            merged = merged.filter(pc.greater_equal(merged["count"], plan.min_word_count))
    return merged


def split_by_bucket(table: Any, n_buckets: int) -> list[Any]:
    """Share a table of words and counts out: equal words to equal buckets, on every worker.

    Raises
    ------
    TypeError, ValueError
        If `n_buckets` is out of its range, or the table has no such words, or points outside of its
        memory.
    """
    n_buckets = check_integer("n_buckets", n_buckets, 1, MAX_BUCKETS)
    if not isinstance(table, pa.Table | pa.RecordBatch):
        raise TypeError(f"table must be a pyarrow.Table, got {shorten(table)}")
    kinds = [field.type for field in table.schema if field.name == "word"]
    if len(kinds) != 1 or not (pa.types.is_binary(kinds[0]) or pa.types.is_large_binary(kinds[0])):
        raise ValueError(
            "table must have one column word (binary), as those of count_batch, its columns are "
            f"{', '.join(f'{field.name} ({field.type})' for field in table.schema) or 'none'}"
        )
    table.validate(full=True)
    if table["word"].null_count:
        raise ValueError("table has a word that is null: count_batch makes none")
    buckets = pa.array([crc32(word) % n_buckets for word in table["word"].to_pylist()], pa.int64())
    with first_use("buckets of words"):
        return [table.filter(pc.equal(buckets, bucket)) for bucket in range(n_buckets)]


def collect(tables: Iterable[Any], plan: CountPlan) -> Words:
    """Return the words of tables, added up."""
    return Words.from_arrow(
        tables,
        pattern=plan.pattern,
        special_tokens=plan.special_tokens,
        normalizer=plan.normalizer,
    )
