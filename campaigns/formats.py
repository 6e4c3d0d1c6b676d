"""Every kind of file that bpetok reads: whole ones to damage, its reader, and another's."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

import bpetok
from bpetok import Tokenizer, Words
from bpetok.counting.checkpoint import METADATA_KEY, digest
from bpetok.patterns.chains import around_spaces
from bpetok.sources.compression import PADDING
from campaigns.campaign import expect
from campaigns.scanner import assigned, regex_words

TEXT = """The quick brown fox jumps over the lazy dog. It's the dog's day, isn't it? We'll see.
    for i in range(100):\n\t\tprint(i, "the", 'quick')\n\n\n   the   end   of   the   day
Größe straße été où naïve; Привет, мир! Привет; 你好，世界。你好 世界 🎉🎉 \0\1 <|end|>
"""
TEXTS = [*TEXT.split("\n"), "", TEXT, "the end", "a"]
UNREADABLE = (OSError, ValueError, KeyError, EOFError, MemoryError, NotImplementedError, zlib.error,
              lzma.LZMAError, zstandard.ZstdError)  # fmt: skip
"""What other libraries raise where a file is damaged."""
SPECIAL = ["<|end|>", "<|x|>"]


class Format(NamedTuple):
    """A kind of file.

    name : str
        Of the file that is damaged.
    writers : sequence of callable
        Each writes such a file, with what belongs next to it, into a folder.
    read : callable
        Reads it, as users do.
    right : callable, optional
        Does the same with another library; raises ValueError or OSError if it can't be read.
    """

    name: str
    writers: Sequence[Callable[[Path], object]]
    read: Callable[[Path], Any]
    right: Callable[[Path], Any] | None = None


# ---- text, also compressed ----


def _counted(path: Path) -> Mapping[bytes, int]:
    return bpetok.count_words(path).to_dict()


def _unpacked(new_stream: Callable[[], Any] | None) -> Callable[[Path], Mapping[bytes, int]]:
    """Return what decompresses stream after stream, of which none may be cut off, and counts."""

    def right(path: Path) -> Mapping[bytes, int]:
        data = path.read_bytes()
        parts = [data] if new_stream is None else []
        while new_stream is not None and (not parts or data):
            stream = new_stream()
            # Some of gzip's flags have no meaning: zlib refuses them, isal does not look at them.
            if data.startswith(b"\x1f\x8b\x08"):
                data = data[:3] + bytes(byte & 0x1F for byte in data[3:4]) + data[4:]
            parts.append(stream.decompress(data))
            if not stream.eof:
                raise ValueError("cut off")
            data = stream.unused_data.lstrip(PADDING)  # which gzip passes over with a warning
        return Counter(regex_words(b"".join(parts).decode(), "gpt2"))

    return right


def _packed(name: str, *pack: Callable[[bytes], bytes]) -> list[Callable[[Path], object]]:
    def writer(pack: Callable[[bytes], bytes]) -> Callable[[Path], object]:
        return lambda folder: (folder / name).write_bytes(pack(TEXT.encode() * 3))

    return list(map(writer, pack))


# ---- tables ----


def _table() -> pa.Table:
    rows = [{"role": "a", "content": text} for text in TEXTS[:3]]
    texts = [row for text in TEXTS for row in (text, None)]  # what a null holds may be damaged
    return pa.table(
        {
            "id": list(range(len(texts))),
            "text": pa.array(texts, pa.string()),
            "messages": [rows] * (len(texts) - 1) + [None],
        }
    )


def _parquet(**options: Any) -> Callable[[Path], object]:
    return lambda folder: pq.write_table(_table(), folder / "t.parquet", **options)


def _arrow(opened: Callable[..., Any], kind: Any, codec: str | None) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        table = _table()
        column = table.column_names.index("text")
        table = table.set_column(column, "text", table["text"].cast(kind))
        options = pa.ipc.IpcWriteOptions(compression=codec)
        with opened(folder / "t.arrow", table.schema, options=options) as file:
            file.write_table(table, max_chunksize=4)

    return write


def _texts(path: Path, column: str = "text") -> Mapping[bytes, int]:
    return bpetok.count_words(path, pattern="none", text_column=column).to_dict()


def _right_texts(table: pa.Table) -> Mapping[bytes, int]:
    column = table["text"]
    table.validate(full=True)
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    if not any(check(column.type) for check in kinds):
        raise ValueError("no text")
    return Counter(text.encode() for text in column.to_pylist() if text)


def _right_parquet(path: Path) -> Mapping[bytes, int]:
    with pq.ParquetFile(path) as file:
        return _right_texts(file.read(["text"]))


def _right_arrow(path: Path) -> Mapping[bytes, int]:
    data = path.read_bytes()
    opened = pa.ipc.open_file if data.startswith(b"ARROW1") else pa.ipc.open_stream
    with opened(io.BytesIO(data)) as file:
        return _right_texts(file.read_all())


def _counted_table(path: Path) -> Mapping[bytes, int]:
    """Count a table that another library has read, without looking at its offsets."""
    try:
        table = pa.ipc.open_file(pa.BufferReader(path.read_bytes())).read_all()
    except (OSError, ValueError, NotImplementedError, MemoryError) as error:
        raise ValueError(f"{path}: {error}") from error
    try:
        return bpetok.count_words(table, pattern="none").to_dict()
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


# ---- counts and checkpoints ----


def _save_counts(folder: Path) -> None:
    bpetok.count_words_from_iterator(TEXTS, special_tokens=SPECIAL).save(folder / "w.parquet")


def _odd_counts(folder: Path) -> None:
    words = pa.table({"word": [b"a", b"\0\0", b"\xff"], "count": [1, 2, 1 << 62]})
    pq.write_table(words, folder / "w.parquet", compression="none")


def _read_counts(path: Path) -> Words:
    words = Words.load(path)
    expect(words.total, sum(words.to_dict().values()), "words with their counts")
    if words.total < 1 << 50:
        bpetok.train_from_words(words, vocab_size=300)
    return words


def _checkpoint(folder: Path) -> None:
    corpus = folder / "corpus.txt"
    corpus.write_text(TEXT, encoding="utf-8")
    tok = _train(corpus)
    # As of a run that was interrupted after ten merges. This one was too short to save any.
    left, right = tok.merge_pairs[:10].T
    counts = tok.merge_counts
    assert counts is not None
    merges = pa.table({"left": left, "right": right, "count": counts[:10]})
    words = digest(bpetok.count_words(corpus)).encode()
    merges = merges.replace_schema_metadata({METADATA_KEY: words})
    pq.write_table(merges, folder / "run/merges.parquet", compression="none")


def _train(corpus: Path) -> Tokenizer:
    return bpetok.train(corpus, vocab_size=300, checkpoint=corpus.parent / "run")


def _resume(path: Path) -> Tokenizer:
    # The whole run was in another folder, and so was the corpus.
    folder = path.parents[1]
    return bpetok.train(folder / "corpus.txt", vocab_size=300, checkpoint=folder / "run")


# ---- tokenizers ----


def _trained() -> Tokenizer:
    return bpetok.train_from_iterator([TEXT], vocab_size=300, special_tokens=SPECIAL)


def _check_tokenizer(tok: Tokenizer) -> Tokenizer:
    # A vocabulary may lack bytes, which are left out then. A normalizer changes text, a space may
    # be put before it or a piece of it, and a token may take the white space around it. Of two
    # special tokens with one id, as of "<|end|>" and a damaged copy of its row, one is decoded.
    vocab = tok.vocab
    takes_space = any(token.lstrip or token.rstrip for token in tok.added_tokens)
    is_whole = tok.normalizer is None and all(bytes([byte]) in vocab for byte in range(256))
    special = tok.special_tokens.values()
    is_whole = is_whole and not takes_space and not tok.prefix_space
    is_whole = is_whole and around_spaces(tok.pattern) is None
    is_whole = is_whole and len({*special}) == len(special)
    for text in TEXTS:
        ids = tok.encode(text, allowed_special="all")
        tok.decode(ids)  # to what the file's decoder makes of it; another text if it has none
        if is_whole:
            expect(tok.decode_bytes(ids), text.encode(), "a text that is encoded and decoded")
    return tok


def _loads(load: Callable[[Path], Tokenizer]) -> Callable[[Path], Tokenizer]:
    return lambda path: _check_tokenizer(load(path))


def _summary(folder: Path) -> None:
    (folder / "texts.txt").write_text(TEXT, encoding="utf-8")
    _encode_files(folder / "ids.json")


def _encode_files(path: Path) -> bytes:
    tok = Tokenizer(merges=[])
    written = tok.encode_files(path.with_name("texts.txt"), path.with_suffix(".bin"), shard_size=99)
    return b"".join(file.read_bytes() for file in written.files)


def _gpt2(path: Path) -> Tokenizer:
    return Tokenizer.from_gpt2(path.with_name("vocab.json"), path.with_name("merges.txt"))


FORMATS = {
    "text": Format("t.txt", _packed("t.txt", bytes), _counted, _unpacked(None)),
    "gz": Format(
        "t.gz", _packed("t.gz", gzip.compress), _counted, _unpacked(lambda: zlib.decompressobj(31))
    ),
    "bz2": Format(
        "t.bz2", _packed("t.bz2", bz2.compress), _counted, _unpacked(bz2.BZ2Decompressor)
    ),
    "xz": Format(
        "t.xz", _packed("t.xz", lzma.compress), _counted, _unpacked(lzma.LZMADecompressor)
    ),
    "zst": Format(
        "t.zst",
        _packed(
            "t.zst",
            zstandard.ZstdCompressor().compress,
            zstandard.ZstdCompressor(write_checksum=True).compress,
            lambda data: zstandard.compress(data[:99]) + zstandard.compress(data[99:]),
        ),
        _counted,
        _unpacked(lambda: zstandard.ZstdDecompressor().decompressobj()),
    ),
    "parquet": Format(
        "t.parquet",
        [
            _parquet(compression="none", use_dictionary=False),
            _parquet(compression="snappy", data_page_version="2.0", row_group_size=5),
            _parquet(compression="zstd", write_page_checksum=True),
        ],
        _texts,
        _right_parquet,
    ),
    "nested parquet": Format(
        "t.parquet",
        [_parquet(compression="none")],
        lambda path: _texts(path, "messages[].content"),
    ),
    "arrow": Format(
        "t.arrow",
        [
            _arrow(pa.ipc.new_file, pa.string(), None),
            _arrow(pa.ipc.new_file, pa.large_string(), "lz4"),
            _arrow(pa.ipc.new_stream, pa.string(), None),
            _arrow(pa.ipc.new_file, pa.dictionary(pa.int32(), pa.string()), None),
        ],
        _texts,
        _right_arrow,
    ),
    "arrow views": Format(
        "t.arrow",
        [
            _arrow(pa.ipc.new_file, pa.string_view(), None),
            _arrow(pa.ipc.new_stream, pa.string_view(), None),
        ],
        _texts,
        _right_arrow,
    ),
    "nested arrow": Format(
        "t.arrow",
        [_arrow(pa.ipc.new_file, pa.string(), None)],
        lambda path: _texts(path, "messages[].content"),
    ),
    "table": Format("t.arrow", [_arrow(pa.ipc.new_file, pa.string(), None)], _counted_table),
    "counts": Format("w.parquet", [_save_counts, _odd_counts], _read_counts),
    "checkpoint run": Format("run/run.json", [_checkpoint], _resume),
    "checkpoint inputs": Format("run/inputs.parquet", [_checkpoint], _resume),
    "checkpoint counts": Format("run/counts-0-0.parquet", [_checkpoint], _resume),
    "checkpoint merges": Format("run/merges.parquet", [_checkpoint], _resume),
    "bpetok": Format(
        "tok.json",
        [
            lambda folder: _trained().save(folder / "tok.json"),
            lambda folder: Tokenizer(
                merges=[(0, 0), (256, 1)],
                token_ids=[*range(5, 263)],
                special_tokens={"<|a|>": 0, "<|b|>": 300},
                pattern=r"\w+|\W+",
            ).save(folder / "tok.json"),
        ],
        _loads(Tokenizer.load),
    ),
    "huggingface": Format(
        "tokenizer.json",
        [lambda folder: _trained().save_pretrained(folder)],
        _loads(Tokenizer.from_pretrained),
    ),
    "tiktoken": Format(
        "t.tiktoken",
        [lambda folder: _trained().save_tiktoken(folder / "t.tiktoken")],
        _loads(lambda path: Tokenizer.from_tiktoken(path, pattern="gpt2")),
    ),
    "gpt2 vocab": Format(
        "vocab.json", [lambda folder: _trained().save_gpt2(folder)], _loads(_gpt2)
    ),
    "gpt2 merges": Format(
        "merges.txt", [lambda folder: _trained().save_gpt2(folder)], _loads(_gpt2)
    ),
    "minbpe": Format(
        "t.model",
        [lambda folder: _trained().save_minbpe(folder / "t")],
        _loads(Tokenizer.from_minbpe),
    ),
    "summary of ids": Format("ids.json", [_summary], _encode_files),
}

TABLES = ("t.parquet", "t.arrow")


def check_result(form: Format, path: Path, result: Any) -> None:
    """Compare what was read with what another library reads, if it can read the file."""
    if form.right is None:
        return
    try:
        right = form.right(path)
    except UNREADABLE:
        if form.name not in TABLES:
            raise AssertionError(f"{path.name} is damaged, and {result!r:.300} is read") from None
        return
    text = b" ".join(right).decode(errors="replace")
    if assigned().issuperset(text):
        expect(result, right, f"what is read of {path.name}")


def check_refused(form: Format, path: Path, error: Exception) -> None:
    """See that another library can't read the file either.

    Of a table it may read less, and what is damaged may be in the rest.
    """
    if form.right is None or form.name in TABLES:
        return
    try:
        right = form.right(path)
    except UNREADABLE:
        return
    raise AssertionError(f"{path.name} is refused, and has {right!r:.300}") from error
