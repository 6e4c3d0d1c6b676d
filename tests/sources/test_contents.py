"""What a file is, is told by its first bytes: compressed, no text, or text, whatever its name."""

import bz2
import codecs
import gzip
import io
import json
import lzma
import pickle
import sys
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

import bpetok
from bpetok.sources.compression import compression_of
from bpetok.sources.contents import N_FIRST, other_kind, unusual_files
from bpetok.sources.files import format_of, opened_bytes
from processes import measures_memory

TEXT = b"plum plum\n"
ROW = b'{"text": "plum plum\\n"}\n'
WORDS = {b"plum": 1, b" plum": 1, b"\n": 1}


def lzma_alone(data: bytes) -> bytes:
    return lzma.compress(data, format=lzma.FORMAT_ALONE)


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lzma_alone,
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.parametrize(
    "name", ["a.txt", "a", "a.GZ", "a.Gz", "a.zstd", "a.gzip", "a.lzma", "a.xz", "a.BZ2"]
)
def test_compressed_text_is_known_by_its_first_bytes(tmp_path: Path, kind: str, name: str) -> None:
    """Whatever it is called, alone and among many small files."""
    path = tmp_path / name
    path.write_bytes(COMPRESS[kind](TEXT))
    assert bpetok.count_words(path).to_dict() == WORDS
    (tmp_path / "b.txt").write_bytes(TEXT)
    (tmp_path / "z.txt").write_bytes(TEXT)
    three = {word: 3 * count for word, count in WORDS.items()}
    assert bpetok.count_words(tmp_path, errors="replace").to_dict() == three
    assert bpetok.estimate(path, vocab_size=300).n_bytes == len(TEXT)
    tok = bpetok.train_from_iterator(["plum"], vocab_size=257)
    assert tok.encode_files(path, tmp_path / "ids.bin").n_ids == len(tok.encode(TEXT.decode()))


@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.parametrize("name", ["a.jsonl", "a.JSONL.GZ", "a.ndjson.zstd", "a.Jsonl.lzma"])
def test_compressed_lines_are_known_by_their_first_bytes(
    tmp_path: Path, kind: str, name: str
) -> None:
    """The format is what the name says before the ending of a compression."""
    (tmp_path / name).write_bytes(COMPRESS[kind](ROW))
    assert bpetok.count_words(tmp_path / name).to_dict() == WORDS
    (tmp_path / "a").write_bytes(COMPRESS[kind](ROW))
    assert bpetok.count_words(tmp_path / "a", format="jsonl").to_dict() == WORDS


@pytest.mark.parametrize("kind", COMPRESS)
def test_empty_text_that_was_compressed_is_none(tmp_path: Path, kind: str) -> None:
    """Its first bytes are others, for bzip2."""
    (tmp_path / "a").write_bytes(COMPRESS[kind](b""))
    assert len(bpetok.count_words(tmp_path / "a")) == 0


def archive() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        info = tarfile.TarInfo("a.txt")
        info.size = len(TEXT)
        tar.addfile(info, io.BytesIO(TEXT))
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", TEXT)
    return file.getvalue()


def parquet() -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"text": ["plum"]}), file)
    return file.getvalue()


def saved(write: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def ipc(new: Callable[..., pa.ipc.RecordBatchStreamWriter]) -> bytes:
    table = pa.table({"text": ["plum"]})
    file = io.BytesIO()
    with new(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


OTHERS = {
    "UTF-16, with a mark": ("plum é".encode("utf-16"), "UTF-16"),
    "UTF-16, the other order": (codecs.BOM_UTF16_BE + "ж".encode("utf-16-be"), "UTF-16"),
    "UTF-16 without a mark": ("plum plum".encode("utf-16-le"), "UTF-16"),
    "UTF-16, the other order, without": ("plum plum".encode("utf-16-be"), "UTF-16"),
    "UTF-16, Cyrillic": ("слива слива, Ёлка".encode("utf-16-le"), "UTF-16"),
    "UTF-16, Greek": ("δαμάσκηνο 12".encode("utf-16-be"), "UTF-16"),
    "UTF-16, Hebrew": ("שזיף שזיף".encode("utf-16-le"), "UTF-16"),
    "UTF-16, Arabic": ("برقوق برقوق".encode("utf-16-be"), "UTF-16"),
    "UTF-32": ("plum".encode("utf-32"), "UTF-32"),
    "UTF-32 without a mark": ("plum plum".encode("utf-32-le"), "UTF-32"),
    "tar": (archive(), "tar archive"),
    "zip": (zipped(), "zip archive"),
    "Parquet": (parquet(), "format='parquet'"),
    "Arrow file": (ipc(pa.ipc.new_file), "format='arrow'"),
    "Arrow stream": (ipc(pa.ipc.new_stream), "format='arrow'"),
    "rar": (b"Rar!\x1a\x07\x01\0" + b"plum" * 9, "rar archive"),
    "lzip": (b"LZIP\x01\x0c" + b"plum" * 9, "lzip"),
    "lzop": (b"\x89LZO\0\r\n\x1a\n" + b"plum" * 9, "lzop"),
    "PDF": (b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n", "PDF"),
    "NumPy": (saved(lambda file: np.save(file, np.arange(9))), "NumPy"),
    "pickle": (pickle.dumps(["plum"] * 9), "pickle"),
    "an old pickle": (pickle.dumps({"a": "plum"}, protocol=2), "pickle"),
    "Avro": (b"Obj\x01\x04\x16avro.schema" + b"plum" * 9, "Avro"),
    "SQLite": (b"SQLite format 3\0" + b"plum" * 9, "SQLite"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + b"plum" * 9, "HDF5"),
    "PNG": (b"\x89PNG\r\n\x1a\n" + b"plum" * 9, "picture"),
    "JPEG": (b"\xff\xd8\xff\xe0\0\x10JFIF" + b"plum" * 9, "picture"),
}


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
@pytest.mark.parametrize("what", OTHERS)
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_what_is_no_text_is_named(
    tmp_path: Path, name: str, what: str, compress: Callable[[bytes], bytes]
) -> None:
    """Also compressed, as in .tar.gz, and where bytes that are not UTF-8 would be replaced."""
    data, says = OTHERS[what]
    (tmp_path / name).write_bytes(compress(data))
    with pytest.raises(ValueError, match=f"{name}: by its first bytes.*{says}"):
        bpetok.count_words(tmp_path / name, errors="replace")
    (tmp_path / "b.txt").write_bytes(TEXT)
    with pytest.raises(ValueError, match=f"{name}: by its first bytes.*{says}"):
        bpetok.count_words(tmp_path)
    with pytest.raises(ValueError, match=f"{name}: by its first bytes.*{says}"):
        bpetok.estimate(tmp_path / name, vocab_size=300)


def test_what_is_compressed_twice_is_refused(tmp_path: Path) -> None:
    """A file may decompress to itself again and again."""
    (tmp_path / "a.gz").write_bytes(gzip.compress(zstandard.compress(TEXT)))
    with pytest.raises(ValueError, match=r"a\.gz is compressed twice"):
        bpetok.count_words(tmp_path / "a.gz")


def test_parquet_can_not_be_compressed_once_more(tmp_path: Path) -> None:
    """It is read from many places; said before anything is read."""
    (tmp_path / "a.parquet.gz").write_bytes(gzip.compress(parquet()))
    with pytest.raises(ValueError, match=r"a\.parquet\.gz: Parquet and Arrow .* decompress"):
        bpetok.count_words(tmp_path / "a.parquet.gz")


@pytest.mark.parametrize(
    "text",
    [
        b"PAR1 is a gene",
        b"PARE-BRISE",
        b"ARROW1 by ARROW2",
        b"BZh91 plum",
        b"PK plum",
        b"7z plum",
        b"P*M plum",
        b"Rar! plum",
        b"LZIP plum",
        b"%PDF-1.7 is how it begins",
        b"Obj plum",
        b"SQLite format 3 plum",
        b"x" * 257 + b"ustar plum" + b"x" * 300,
        b"\0" * 600,
        b"a\0b\0",
        b"plum\0plum\0plum\0plum\0",
        b"\1\2" * 99,
        bytes([n % 128 for n in range(600)]),
        np.arange(128, dtype="<u2").tobytes(),
        codecs.BOM_UTF8 + TEXT,
    ],
)
def test_text_that_begins_like_something_else_is_text(tmp_path: Path, text: bytes) -> None:
    """A byte order mark is a part of the text, as for most readers."""
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(text)
    expected = bpetok.count_words_from_iterator([text] * 2)
    assert bpetok.count_words(tmp_path) == expected
    assert bpetok.count_words(tmp_path / "a", max_text_chars=5) == bpetok.count_words_from_iterator(
        [text.decode()[:5]]
    )


HEADS = [b"", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"P*M\x18", b"BZh91AY&SY", b"\xfd7zXZ\0",
         b"\xff\xfe", b"\xfe\xff", b"PAR1\x15", b"ARROW1\0\0", b"PK\x03\x04", b"p\0l\0u\0m\0" * 2,
         b"\0a" * 9, "слива".encode("utf-16-le") * 3, "слива".encode("utf-16-be") * 3,
         b"]\0\0\x80\0" + b"\xff" * 8, b"\x04\x22\x4d\x18", b"\x1f\x9d",
         b"x" * 257 + b"ustar\x0000", b"7z\xbc\xaf\x27\x1c", b"\xff\x06\0\0sNaPpY",
         b"\xff\xff\xff\xff\x10\x01\0\0", b'{"a": 1}',
         b'{ "a":"', b'{\t"":[', b'\xef\xbb\xbf{"a":1',
         b'{"a', b'{"\n', b"Rar!\x1a\x07", b"LZIP\x01", b"\x89LZO\0\r\n", b"%PDF-1.4\r",
         b"\x93NUMPY", b"\x80\x02}", b"\x80\x04\x95", b"Obj\x01", b"SQLite format 3\0",
         b"\x89HDF\r\n", b"\x89PNG\r\n", b"\xff\xd8\xff"]  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(HEADS), st.binary(max_size=300)), max_size=9))
def test_files_worth_a_look_are_all_that_are_no_text(parts: list[tuple[bytes, bytes]]) -> None:
    """What is not looked at is text, by all its first bytes."""
    files = [head + rest for head, rest in parts]
    sizes = np.array([len(file) for file in files], np.int64)
    chosen = unusual_files(np.frombuffer(b"".join(files), np.uint8), sizes).tolist()
    for number, file in enumerate(files):
        first = file[:N_FIRST]
        if compression_of("", first) is not None or other_kind(first, by_name=True) is not None:
            assert number in chosen


@pytest.mark.parametrize("label", ["newline", "zeros", "both"])
@pytest.mark.parametrize("kind", COMPRESS)
def test_padding_after_compressed_text_is_left_out(tmp_path: Path, kind: str, label: str) -> None:
    """Line feeds that scripts append, zeros to the end of a block; and another stream after it."""
    padding = {"newline": b"\n", "zeros": bytes(512), "both": b"\0\0\r\n"}[label]
    path = tmp_path / "a"
    path.write_bytes(COMPRESS[kind](b"plum") + padding)
    assert bpetok.count_words(path).to_dict() == {b"plum": 1}
    path.write_bytes(COMPRESS[kind](b"plum") + padding + COMPRESS[kind](b" plum") + padding)
    assert bpetok.count_words(path).to_dict() == {b"plum": 1, b" plum": 1}
    path.write_bytes(COMPRESS[kind](b"plum") + padding + b"xyz")
    with pytest.raises(ValueError, match=r"a is damaged or not whole: after .* something else"):
        bpetok.count_words(path)


def long_window(data: bytes, log: int) -> bytes:
    """A frame as ``zstd --long`` writes it: it may refer back that far."""
    parameters = zstandard.ZstdCompressionParameters(window_log=log)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return compressor.compress(data) + compressor.flush()


@pytest.mark.parametrize("log", [27, 28, 31])
@pytest.mark.parametrize("name", ["a.jsonl.zst", "a.txt.zst"])
def test_frames_with_a_long_window_are_read(tmp_path: Path, log: int, name: str) -> None:
    """Also where it is not the first one."""
    data = ROW if "jsonl" in name else TEXT
    path = tmp_path / name
    path.write_bytes(long_window(data, log))
    assert bpetok.count_words(path).to_dict() == WORDS
    path.write_bytes(zstandard.compress(data) + long_window(data, log))
    twice = bpetok.count_words(path).to_dict()
    assert twice[b" plum"] == 2
    assert bpetok.estimate(path, vocab_size=300).n_bytes > 0


def test_a_frame_that_needs_a_dictionary_says_so(tmp_path: Path) -> None:
    """It is not damaged."""
    samples: list[bytes | bytearray | memoryview] = [
        b'{"text": "low %d apple %d"}\n' % (i, i * 7) for i in range(3000)
    ]
    compressor = zstandard.ZstdCompressor(dict_data=zstandard.train_dictionary(2000, samples))
    path = tmp_path / "a.jsonl.zst"
    for before in (b"", zstandard.compress(ROW)):
        path.write_bytes(before + compressor.compress(ROW))
        with pytest.raises(ValueError, match="compressed with a dictionary") as error:
            bpetok.count_words(path)
        assert "damaged" not in str(error.value)


MARK = codecs.BOM_UTF8
MARKED = {
    "before the file": (MARK + ROW * 2, 2),
    "where files were joined": (ROW + MARK + ROW, 2),
    "twice": (MARK + MARK + ROW, 1),
    "and a blank line": (MARK + b"\n" + ROW + MARK + b" \r\n", 1),
    "alone": (MARK, 0),
    "with CRLF": (MARK + ROW.replace(b"\n", b"\r\n"), 1),
    "far into the file": (ROW * 120_000 + MARK + ROW, 120_001),
    "before a long line": (MARK + ROW[:-2] + b', "p": "' + b"x" * 3_000_000 + b'"}\n', 1),
}


@pytest.mark.parametrize("where", MARKED)
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_mark_before_a_line_of_json_is_left_out(
    tmp_path: Path, where: str, compress: Callable[[bytes], bytes]
) -> None:
    """As RFC 8259 allows, and pyarrow and Hugging Face's datasets do."""
    data, n_rows = MARKED[where]
    (tmp_path / "a.jsonl").write_bytes(compress(data))
    words = bpetok.count_words(tmp_path / "a.jsonl", n_threads=2)
    assert words.to_dict() == (dict.fromkeys(WORDS, n_rows) if n_rows else {})
    tok = bpetok.Tokenizer(merges=[], special_tokens=["<|end|>"])
    written = tok.encode_files(tmp_path / "a.jsonl", tmp_path / "a.bin", eot="<|end|>")
    assert written.n_ids == n_rows * (len(TEXT) + 1)


def test_a_mark_in_a_record_is_a_part_of_it(tmp_path: Path) -> None:
    """Only before the line it is none."""
    record = json.dumps({"text": "\ufeffplum"}, ensure_ascii=False) + "\n"
    (tmp_path / "a.jsonl").write_text(record, encoding="utf-8")
    assert b"plum" in bpetok.count_words(tmp_path / "a.jsonl").to_dict()
    assert "\ufeff".encode() in bpetok.count_words(tmp_path / "a.jsonl").to_dict()
    (tmp_path / "a.jsonl").write_bytes(b" " + MARK + ROW)
    with pytest.raises(ValueError, match="line 1 is no JSON"):
        bpetok.count_words(tmp_path / "a.jsonl")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.jsonl", "jsonl"),
        ("a.jsonl.GZ", "jsonl"),
        ("https://host/a.jsonl.zst?key=1.txt", "jsonl"),
        ("https://host/a.PARQUET?v=2", "parquet"),
        ("s3://bucket/a.txt?.jsonl", "jsonl"),
        ("folder.gz/a", "text"),
        (".gz", "text"),
        ("a.json.xz", "json"),
    ],
)
def test_a_name_tells_a_format(path: str, expected: str) -> None:
    """In URLs of the web what follows a question mark is not of the name."""
    assert format_of(path) == expected


@measures_memory
@pytest.mark.parametrize("kind", ["zstd", "bzip2", "gzip"])
def test_text_that_compresses_very_well_is_copied_once(tmp_path: Path, kind: str) -> None:
    """At 64 kB a read, copying all that is ahead took half a minute."""
    (tmp_path / "a").write_bytes(COMPRESS[kind](b"a " * (1 << 25)))
    n_bytes = n_large = 0
    tracemalloc.start()
    try:
        with opened_bytes(str(tmp_path / "a")) as file:
            while data := file.read(1 << 16):
                n_bytes += len(data)
                held, most = tracemalloc.get_traced_memory()
                n_large += most - held > 1 << 18
                tracemalloc.reset_peak()
    finally:
        tracemalloc.stop()
    assert n_bytes == 1 << 26
    assert n_large < 100, "of 1,024 reads, those that decompress a block"


LINES = b'{"text": "plum"}\n{"text": "plum"}\n'


@pytest.mark.parametrize("name", ["a.log", "a", "a.csvx", "a.data", "a.data.gz", "-"])
@pytest.mark.parametrize("begin", [b"", codecs.BOM_UTF8])
def test_lines_of_json_are_not_taken_for_text_by_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, begin: bytes
) -> None:
    """Wherever texts are read, alone and among small files; unless it is said what they are."""
    path: Path | str = tmp_path / name
    content = begin + LINES * 200
    if name == "-":
        path = name
    else:
        Path(path).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)

    def given() -> Path | str:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        return path

    message = "has a record of JSON in each line: give format='jsonl', or format='text'"
    tok = bpetok.Tokenizer(merges=[])
    (tmp_path / "0.txt").write_bytes(b"plum")
    with pytest.raises(ValueError, match=message):
        bpetok.count_words([tmp_path / "0.txt", given()])
    with pytest.raises(ValueError, match=message):
        tok.encode_files(given(), tmp_path / "ids.bin")
    if name != "-":
        with pytest.raises(ValueError, match=message):
            bpetok.estimate(path, vocab_size=300)
        with pytest.raises(ValueError, match=message):
            bpetok.report(tok, path)
        assert bpetok.estimate(path, vocab_size=300, format="jsonl").n_unique_words == 1
    assert bpetok.count_words(given(), format="jsonl").to_dict() == {b"plum": 400}
    as_text = bpetok.count_words_from_iterator([content])
    assert bpetok.count_words(given(), format="text") == as_text


@pytest.mark.parametrize("name", ["a.txt", "a.TXT.gz", "a.text"])
def test_lines_of_json_in_a_file_of_text_are_text(tmp_path: Path, name: str) -> None:
    """Its name says so: alone, and among small files."""
    path = tmp_path / name
    path.write_bytes(gzip.compress(LINES) if name.endswith(".gz") else LINES)
    (tmp_path / "0.txt").write_bytes(b"plum")
    expected = bpetok.count_words_from_iterator([LINES])
    assert bpetok.count_words(path) == expected
    assert bpetok.count_words(tmp_path).total == expected.total + 1
    assert bpetok.estimate(path, vocab_size=300).n_unique_words == len(expected)


@pytest.mark.parametrize(
    "text",
    ['{\n  "name": "x"\n}\n', "{a: 1}", '{"a" 1}', '["a"]', '{"a":\n1}', "{", '{"' + "x" * 600],
)
def test_what_only_looks_like_json_is_text(tmp_path: Path, text: str) -> None:
    """Documents over several lines, and whatever code begins with a brace."""
    (tmp_path / "a").write_text(text)
    assert bpetok.count_words(tmp_path / "a") == bpetok.count_words_from_iterator([text])


@pytest.mark.parametrize("name", ["a.csv", "a.TSV", "a.csv.gz"])
def test_tables_in_text_are_not_taken_for_text(tmp_path: Path, name: str) -> None:
    """Before any work; as text only if that is said."""
    (tmp_path / name).write_text("id,text\n1,plum\n")
    for files in (tmp_path / name, tmp_path):
        with pytest.raises(ValueError, match=f"{name} is a table in text, .* say format='text'"):
            bpetok.count_words(files)
    if not name.endswith(".gz"):
        assert bpetok.count_words(tmp_path / name, format="text").total == 8
