"""What is taken of a corpus: which column, which share of the texts, how much of each."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypedDict

import numpy as np

from bpetok.base.checks import check_integer, check_size, did_you_mean, is_one_of, shorten
from bpetok.base.files import is_url
from bpetok.base.limits import MAX_INT64
from bpetok.base.records import NamedTuple
from bpetok.base.threads import Stop, ThreadPool
from bpetok.sources.pieces import REMOTE_SIZE, Chunk, Cutting, Piece

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEXT = "text"
"""The column that texts are in if nothing else is said."""
ELEMENTS = ""
"""On the way to texts: all elements of a list. No name that `text_column` can have is empty."""
_NAME = r"(?:\\[\\.\[]|\\(?![\\.\[])|(?!\[\])[^.\\])+"
# `re` compiles these when they are first needed: 0.7 ms that plain text does not take.
_STEP = rf"(?s:{_NAME}|\[\])"
_WAY = rf"(?s:{_NAME}(?:\[\])*(?:\.{_NAME}(?:\[\])*)*)"
_ESCAPED = r"\\([\\.\[])"
REMOTE_READERS = 8
"""Objects that are looked for or read at a time: most of that time is waiting."""
MOST_READERS = 1024
FORMATS = ("text", "jsonl", "parquet", "arrow")
OTHERS = (
    *("vocab_size", "pattern", "normalizer", "prefix_space", "special_tokens", "min_frequency"),
    *("max_token_length", "merge_filter", "n_threads", "errors", "unmatched", "compat", "initial"),
    *("superwords", "like", "initial_tokens", "special_ids", "balance", "max_memory", "progress"),
    *("min_word_count", "checkpoint", "sample_size", "eot", "shard_size", "texts", "output"),
    *("allowed_special", "disallowed_special"),
)
"""The other options of the functions that take those of reading: where a name is misspelled, Python
gives it to these."""


class Reading(TypedDict, total=False):
    r"""The options of reading, which `train`, `count_words` and others share.

    format : {"text", "jsonl", "parquet", "arrow"}, optional
        What the files are; by default what their names end in says (``.jsonl`` and ``.ndjson``,
        ``.parquet``, ``.arrow``, ``.feather`` and ``.ipc``; all else is text, but
        ``.json``, which may be either, and ``.csv``, for which `format` must be given; a file that
        by its first bytes is of another kind is refused). Text and JSON lines may be compressed
        with gzip, zstd, bzip2, xz or lzma, which their first bytes tell, whatever they are called.
        A byte order mark (EF BB BF) is left out before a line of JSON; of a text
        it is a part, as for most readers.
    text_column : str
        Where a record has its text: by default "text". ``a.b`` is the field b of a; ``a[]`` are all
        elements of a list, so ``messages[].content`` gives a text for each message. After a
        backslash, a dot or ``[]`` is part of a name: ``r"meta\.text"`` is the field ``meta.text``.
        A mapping gives each source its own, such as ``{"web/*.parquet": "content", "chat.jsonl":
        "messages[].content"}``. Its keys are paths or glob patterns of files and folders, or the
        ends of their paths (``*`` also matches slashes). The last one that matches a file holds; if
        none does, the column is "text". Tables are matched by ``"*"`` only. A column is refused
        where nothing that is read has columns.
    sample : float
        Take about this share of the texts, chosen at random. A plain text file is sampled in pieces
        of about 2 MB.
    seed : int
        Another seed, another sample; by default 0. Without `sample` of no use, which is logged. The
        sample depends on nothing else than the seed
        and the files in their order.
    max_text_chars : int
        Take at most so many characters of each text, from its beginning.
    max_bytes : int or str
        Take at most so many bytes of text, such as "2GB", "2G" (both 2 * 10**9) or "2GiB"
        (2 * 2**30): the text that goes beyond is cut.
    n_readers : int
        Objects of other machines (URLs) that are read at a time, to wait for all of them together;
        by default 8, or the number of threads if that is more. Nothing else depends on it. That it
        is of no use, with files of this machine only, is logged, by the logger "bpetok" at INFO.
    """

    format: Literal["text", "jsonl", "parquet", "arrow"] | None
    text_column: str | Mapping[str, str]
    sample: float
    seed: int
    max_text_chars: int | None
    max_bytes: int | str | None
    n_readers: int | None


class ReadOptions(NamedTuple):
    """The checked options of reading.

    text_column : str or tuple of (str, str)
        The column, or pairs of a pattern of sources and their column: see `of`.
    """

    format: str | None = None
    text_column: str | tuple[tuple[str, str], ...] = TEXT
    sample: float = 1.0
    seed: int = 0
    max_text_chars: int | None = None
    max_bytes: int | None = None
    n_readers: int | None = None

    def n_remote(self, n_threads: int) -> int:
        """Return how many objects of other machines are read at a time."""
        return max(REMOTE_READERS, n_threads) if self.n_readers is None else self.n_readers

    def identity(self) -> dict[str, object]:
        """Return what the texts depend on, by the names that the user knows."""
        return {name: value for name, value in self._asdict().items() if name != "n_readers"}

    def of(self, source: object) -> ReadOptions:
        """Return the options for one source: the path of a file, or a table."""
        if isinstance(self.text_column, str):
            return self
        number = self.number_of(source)
        return self._replace(text_column=TEXT if number is None else self.text_column[number][1])

    def number_of(self, source: object) -> int | None:
        """Return which pair of `text_column` holds for a source: the last that matches it."""
        numbers = range(len(self.text_column) - 1, -1, -1)
        return next((i for i in numbers if _matches(self.text_column[i][0], source)), None)

    @property
    def steps(self) -> list[str]:
        """The way to the texts: names, and `ELEMENTS` for all elements of a list.

        Requires: the options are those of one source.
        """
        assert isinstance(self.text_column, str)
        return [
            ELEMENTS if step == "[]" else re.sub(_ESCAPED, r"\1", step)
            for step in re.findall(_STEP, self.text_column)
        ]

    @property
    def take_all(self) -> bool:
        """Whether each text is taken as a whole, but for `max_bytes`."""
        return self.sample == 1 and self.max_text_chars is None


def check_reading(reading: Reading) -> ReadOptions:
    """Check the options of reading."""
    unknown = sorted(set(reading) - set(ReadOptions._fields))
    if unknown:
        others = {*OTHERS} - set(unknown)  # one of them may be in the wrong place
        meant = did_you_mean(unknown[0], [*ReadOptions._fields, *others])
        raise TypeError(
            f"unexpected option {unknown[0]!r}{meant or '; those of reading are '}"
            f"{'' if meant else list(ReadOptions._fields)}"
        )
    options = ReadOptions(**reading)  # type: ignore[arg-type]  # checked below
    if options.format is not None and not is_one_of(options.format, FORMATS):
        raise ValueError(f"format must be one of {FORMATS}, got {shorten(options.format)}")
    options = options._replace(text_column=_checked_columns(reading.get("text_column", TEXT)))
    if isinstance(options.sample, bool) or not isinstance(options.sample, int | float):
        raise TypeError(f"sample must be a number, got {shorten(options.sample)}")
    if not 0 < options.sample <= 1:
        raise ValueError(f"sample must be above 0 and at most 1, got {options.sample}")
    n_chars, n_readers, n_bytes = options.max_text_chars, options.n_readers, options.max_bytes
    if n_chars is not None:
        n_chars = check_integer("max_text_chars", n_chars, 1, MAX_INT64)
    if n_readers is not None:
        n_readers = check_integer("n_readers", n_readers, 1, MOST_READERS)
    if n_bytes is not None:
        n_bytes = check_size("max_bytes", n_bytes, 1)
    return options._replace(
        seed=check_integer("seed", options.seed, 0, MAX_INT64),
        max_text_chars=n_chars,
        n_readers=n_readers,
        max_bytes=n_bytes,
    )


def _checked_columns(given: object) -> str | tuple[tuple[str, str], ...]:
    columns = list(given.values()) if isinstance(given, Mapping) else [given]
    for column in columns:
        if column == TEXT:
            continue
        if not isinstance(column, str) or not re.fullmatch(_WAY, column):
            raise ValueError(
                "text_column must be names joined by dots, such as 'text' or 'messages[].content', "
                f"got {shorten(column)}"
            )
    if not isinstance(given, Mapping):
        return str(given)
    if not given or not all(isinstance(key, str) and key for key in given):
        raise ValueError(
            "text_column must be a mapping of paths or patterns to columns, such as "
            f"{{'*.jsonl': 'messages[].content'}}, got {shorten(given)}"
        )
    return tuple(given.items())


def _matches(key: str, source: object) -> bool:
    """Tell whether a key of `text_column` means a source: its path, the end of that, a folder."""
    if not isinstance(source, str):
        return key == "*"
    from fnmatch import fnmatch

    folder = f"{key.rstrip('/')}/*"
    patterns = (key, f"*/{key}", folder, f"*/{folder}")
    return f"/{source}".endswith(f"/{key}") or any(fnmatch(source, one) for one in patterns)


def spelled(steps: Iterable[str]) -> str:
    """Return the `text_column` that says a way to texts."""
    names = (
        "[]" if step == ELEMENTS else re.sub(r"[\\.]|\[(?=\])", r"\\\g<0>", step) for step in steps
    )
    return ".".join(names).replace(".[]", "[]")


def meant_way(steps: Sequence[str], n: int, *, is_list: bool, is_text: bool) -> str:
    """Return the end of a message: which way was probably meant, of which `n` steps could be gone.

    `is_list` and `is_text` tell what they lead to. A way begins with a name, so there is none to
    texts of a record that has no names.
    """
    way = [*steps[:n], *([ELEMENTS] if is_list else []), *(steps[n:] if is_list else [])]
    return f"; did you mean {spelled(way)!r}?" if n and (is_list or is_text) else ""


def choose_one(names: Iterable[str], wanted: str) -> str:
    """Return the end of a message: which names can be the `text_column`, instead of `wanted`."""
    names = list(names)
    if names == ["word", "count"]:
        return f"{names}, as files of counts: Words.load and --counts of the command read those"
    escaped = [spelled([name]) for name in names if spelled([name]) != name]
    hint = f" (a dot or [] in a name comes after a backslash: {escaped[0]})" if escaped else ""
    return f"{names}: choose one with text_column{hint}{did_you_mean(wanted, names)}"


UNKNOWN = -1
"""In the place of a number of records: to know it, all before would have to be read."""


class Position(NamedTuple):
    """Where the reading of a corpus may stop and go on.

    file : int
        The number of the file.
    at : int
        What of it comes next: a row group of Parquet, a record batch of Arrow, a byte of all else,
        uncompressed.
    record : int
        How many records of it come before; of plain text, pieces. `UNKNOWN` where others read what
        is before: nothing but messages depends on it then.
    """

    file: int = 0
    at: int = 0
    record: int = 0

    def after(self, at: int, n_records: int) -> Position:
        """Return the position at `at` in the same file, so many records after this one."""
        record = UNKNOWN if self.record == UNKNOWN else self.record + n_records
        return self._replace(at=at, record=record)


def unmarked(items: Iterable[Piece | Chunk | Position]) -> Iterator[Piece | Chunk]:
    """Yield the texts, without the positions between them."""
    for item in items:
        if not isinstance(item, Position):
            yield item
        del item  # whose bytes are many, before more is read


class Sampler:
    """Chooses the records of one file, in order; the file's number is part of the seed.

    Those from `start` on are the same as if it had chosen from the beginning.
    """

    def __init__(self, options: ReadOptions, start: Position) -> None:
        self.share = options.sample
        if self.share < 1:
            bits = np.random.PCG64([options.seed, start.file])
            bits.advance(start.record)  # a record takes one number
            self._random = np.random.Generator(bits)

    def choose(self, n: int) -> NDArray[np.bool_]:
        """Tell for each of the next `n` records whether it is taken."""
        if self.share == 1:
            return np.ones(n, bool)
        return self._random.random(n) < self.share


class NullTexts:
    """How many texts were null, or not there, and so left out."""

    def __init__(self, n_null: int = 0) -> None:
        self.n_null = n_null

    def warn(self, stacklevel: int) -> None:
        """Tell the user, if there were any."""
        if self.n_null:
            texts = "text was" if self.n_null == 1 else "texts were"
            warnings.warn(
                f"{self.n_null} {texts} null, or not there, and left out", stacklevel=stacklevel
            )


def decoders_for(n_threads: int) -> ThreadPool:
    """Return the threads that decode objects for so many that work on what is in them.

    To decode a text takes less time than to count it.
    """
    return ThreadPool((n_threads + 1) // 2)


NEVER = Stop()
"""Is never set."""


class ReadContext(NamedTuple):
    """What the readers of all formats need to know; `errors` as `count_words` takes it.

    n_threads : int
        How many read small files.
    stop : Stop
        Ends waiting for other machines.
    decoders : ThreadPool, optional
        Decodes what several read of other machines; by default each thread that reads does.
    """

    options: ReadOptions
    cutting: Cutting
    errors: str
    null_texts: NullTexts
    n_threads: int = 1
    stop: Stop = NEVER
    decoders: ThreadPool | None = None

    def of(self, source: object) -> ReadContext:
        """Return the context for one source, whose column is known."""
        cutting = self.cutting
        # Of plain text, pieces are what is sampled: these stay what they are on this machine.
        if isinstance(source, str) and is_url(source) and self.options.sample == 1:
            cutting = cutting._replace(chunk_size=min(cutting.chunk_size, REMOTE_SIZE))
        return self._replace(options=self.options.of(source), cutting=cutting)
