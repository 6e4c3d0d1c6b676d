"""The texts of a report: by source, counted, and how they begin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from bpetok.base.checks import check_texts, is_iterable, shorten, type_and_value
from bpetok.base.records import NamedTuple
from bpetok.counting.count import count_words, count_words_from_iterator
from bpetok.counting.words import Words
from bpetok.patterns.special import SpecialTokens
from bpetok.sources.corpus import (
    Files,
    corpus_items,
    resolve_corpus,
)
from bpetok.sources.files import STANDARD_INPUT
from bpetok.sources.pieces import Cutting
from bpetok.sources.reading import NullTexts, ReadContext, Reading, check_reading
from bpetok.sources.tables import Table
from bpetok.sources.use import check_use, columns_used, has_columns, is_remote

if TYPE_CHECKING:
    from bpetok.encoding.codec import Codec

Text: TypeAlias = str | bytes
Texts: TypeAlias = Text | Iterable[Text]

EXCERPT_BYTES = 400
TEXTS = "texts"
TABLES = "tables"
FILES = "all files"
MAX_SOURCES = 40
"""More files, or folders, are not looked at one by one: nobody reads that many rows."""


class Source(NamedTuple):
    """What is looked at alone: files and tables, or texts; one of the two lists is empty.

    Attributes
    ----------
    files : list of str or table
        A str is the path or URL of a file.
    texts : list of str or bytes
    """

    files: list[str | Table]
    texts: list[Text]


def resolve_sources(
    files: Files | Mapping[str, Files] | None,
    texts: Texts | Mapping[str, Texts] | None,
    reading: Reading,
) -> dict[str, Source]:
    """Return what is to be read by source, none of them empty.

    Raises
    ------
    TypeError, ValueError
        If not one of `files` and `texts` is given, or they hold something else, or nothing.
    FileNotFoundError, PermissionError
        If a file can't be read.
    """
    if (files is None) == (texts is None):
        raise TypeError("give files or texts=[...], one of the two")
    if texts is not None and reading:
        raise TypeError(f"{next(iter(reading))} is for files, not for texts: leave it out")
    if isinstance(texts, Mapping):
        sources = {str(name): Source([], _listed(given)) for name, given in texts.items()}
    elif texts is not None:
        sources = {TEXTS: Source([], _listed(texts))}
    elif isinstance(files, Mapping):
        sources = {str(name): Source(_found(given, reading), []) for name, given in files.items()}
    else:
        sources = _by_name(_found(files, reading))
    if texts is None:
        read = [file for source in sources.values() for file in source.files]
        check_use(read, check_reading(reading))
    if not any(source.files or source.texts for source in sources.values()):
        raise ValueError("texts must hold at least one text, got none")
    return {name: source for name, source in sources.items() if source.files or source.texts}


def _found(files: Files, reading: Reading) -> list[str | Table]:
    found = resolve_corpus(files, check_reading(reading))
    if STANDARD_INPUT in found.paths:
        raise ValueError("a report reads its files more than once, so standard input can't be one")
    if once := found.read_once:
        raise ValueError(
            f"a report reads its files more than once, got {once[0]!r}: save it to a file first"
        )
    return found.sources


def _by_name(files: list[str | Table]) -> dict[str, Source]:
    sources: dict[str, Source] = {}
    name_of = _naming([Path(file) for file in files if isinstance(file, str)])
    for file in files:
        name = name_of(file) if isinstance(file, str) else TABLES
        sources.setdefault(name, Source([], [])).files.append(file)
    return sources


def _naming(paths: list[Path]) -> Callable[[str], str]:
    """Return what names sources: by file, by folder, or all files as one if these are many."""
    if len(set(paths)) <= MAX_SOURCES:
        return str
    if len({path.parent for path in paths}) <= MAX_SOURCES:
        return lambda file: str(Path(file).parent)
    return lambda _: FILES


def _listed(texts: Texts) -> list[Text]:
    if isinstance(texts, str | bytes):
        return [texts]
    if not is_iterable(texts):
        raise TypeError(f"texts must be str, bytes or an iterable of them, got {shorten(texts)}")
    rows = list(check_texts(texts))
    for i, text in enumerate(rows):
        if not isinstance(text, str | bytes):
            raise TypeError(f"texts[{i}] must be str or bytes, got {type_and_value(text)}")
    return rows


def count_source(
    source: Source, tokenizer: Codec, options: dict[str, Any], reading: Reading
) -> Words:
    """Return the words of a source, as the tokenizer splits it."""
    options = {
        **options,
        "pattern": tokenizer.pattern,
        "normalizer": tokenizer.normalizer,
        "prefix_space": tokenizer.prefix_space,
        "special_tokens": tuple(tokenizer.special_tokens),
        "unmatched": "word",  # as encoding does
    }
    if source.files:
        return count_words(source.files, **options, **_reading_of(source.files, reading))
    return count_words_from_iterator(source.texts, **options)


def _reading_of(files: list[str | Table], reading: Reading) -> Reading:
    """Return the options without what is only for other sources."""
    checked = check_reading(reading)
    own = reading.copy()
    if isinstance(checked.text_column, tuple):
        used = sorted(columns_used(files, checked))
        own["text_column"] = dict(checked.text_column[i] for i in used)
    if not own.get("text_column") or not any(has_columns(file, checked) for file in files):
        own.pop("text_column", None)
    if not any(isinstance(file, str) for file in files):
        own.pop("format", None)
    if not any(map(is_remote, files)):
        own.pop("n_readers", None)
    return own


def read_excerpt(source: Source, errors: str, reading: Reading) -> bytes:
    """Return the beginning of a source's first text, whole characters, as UTF-8."""
    if source.texts:
        text = source.texts[0]
        data = text[:EXCERPT_BYTES].encode() if isinstance(text, str) else text
    else:
        options = check_reading(reading)
        corpus = resolve_corpus(source.files[:1], options)
        context = ReadContext(options, Cutting(SpecialTokens(())), errors, NullTexts())
        items = corpus_items(corpus, context)
        data = bytes(next((item.data[:EXCERPT_BYTES] for item in items), b""))
    return data[:EXCERPT_BYTES].decode(errors="ignore").encode()
