"""The texts of a report: by source, counted, and how they begin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from bpetok.counting.count import count_words, count_words_from_iterator
from bpetok.counting.words import Words
from bpetok.patterns.special import SpecialTokens
from bpetok.sources.corpus import corpus_items, resolve_corpus
from bpetok.sources.pieces import Cutting
from bpetok.sources.reading import NullTexts, ReadContext, Reading, check_reading

if TYPE_CHECKING:
    from bpetok.encoding.codec import Codec

Text: TypeAlias = str | bytes | Path
Texts: TypeAlias = Text | Iterable[Text]

EXCERPT_BYTES = 400
TEXTS = "texts"
FILES = "all files"
MAX_SOURCES = 40
"""More files, or folders, are not looked at one by one: nobody reads that many rows."""


def resolve_sources(texts: Texts | Mapping[str, Texts]) -> dict[str, list[Text]]:
    """Return the texts by source, none of them empty."""
    sources: dict[str, list[Text]] = {}
    if isinstance(texts, Mapping):
        sources = {str(name): _listed(given) for name, given in texts.items()}
    else:
        rows = _listed(texts)
        name_of = _naming([text for text in rows if isinstance(text, Path)])
        for text in rows:
            sources.setdefault(name_of(text), []).append(text)
    if not any(sources.values()):
        raise ValueError("texts must hold at least one text, got none")
    return {name: given for name, given in sources.items() if given}


def _naming(paths: list[Path]) -> Callable[[Text], str]:
    """Return what names sources: by file, by folder, or all files as one if these are many."""
    by_file = len(set(paths)) <= MAX_SOURCES
    by_folder = len({path.parent for path in paths}) <= MAX_SOURCES

    def name_of(text: Text) -> str:
        if not isinstance(text, Path):
            return TEXTS
        return str(text) if by_file else str(text.parent) if by_folder else FILES

    return name_of


def _listed(texts: Texts) -> list[Text]:
    rows = [texts] if isinstance(texts, str | bytes | Path) else list(texts)
    for i, text in enumerate(rows):
        if not isinstance(text, str | bytes | Path):
            raise TypeError(f"texts[{i}] must be str, bytes or Path, got {type(text).__name__}")
    return rows


def count_source(
    texts: list[Text], tokenizer: Codec, options: dict[str, Any], reading: Reading
) -> Words:
    """Return the words of a source, as the tokenizer splits it."""
    files = [text for text in texts if isinstance(text, Path)]
    plain = [text for text in texts if not isinstance(text, Path)]
    if files and plain:
        raise TypeError("a source must be files or texts, got both")
    options = {
        **options,
        "pattern": tokenizer.pattern,
        "special_tokens": tokenizer.special_tokens,
        "unmatched": "word",  # as encoding does
    }
    if files:
        return count_words(files, **options, **reading)
    return count_words_from_iterator(plain, **options)


def read_excerpt(text: Text, errors: str, reading: Reading) -> bytes:
    """Return the beginning of a text, whole characters, as UTF-8."""
    if isinstance(text, str):
        return text[:EXCERPT_BYTES].encode()
    if isinstance(text, Path):
        options = check_reading(reading)
        corpus = resolve_corpus(text, options)
        items = corpus_items(
            corpus, ReadContext(options, Cutting(SpecialTokens(())), errors, NullTexts())
        )
        text = bytes(next((item.data[:EXCERPT_BYTES] for item in items), b""))
    return text[:EXCERPT_BYTES].decode(errors="ignore").encode()
