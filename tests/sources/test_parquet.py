"""Parquet files of others: what is damaged in one is said, wherever it is."""

import base64
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bpetok
from bpetok.patterns.special import SpecialTokens
from bpetok.sources import parquet
from bpetok.sources.parquet import parquet_parts, parquet_sizes
from bpetok.sources.pieces import Cutting
from bpetok.sources.reading import NullTexts, Position, ReadContext, check_reading
from bpetok.sources.streams import LocalFile
from processes import run_python

DEFINED = b"\x19\x26\x00\x06"
"""Of a Parquet file's end, which has the form of Thrift: a list of two numbers, which says that no
text of three is null."""
ONE_MORE = b"\x19\x36\x00\x06\x00"


def lengthen_histogram(path: Path, column: int) -> None:
    """Let a file say of a column that it has three levels of nulls, where two are right."""
    data = path.read_bytes()
    size = int.from_bytes(data[-8:-4], "little")
    parts = data[-8 - size : -8].split(DEFINED)
    if len(parts) == 1:
        pytest.skip(f"pyarrow {pa.__version__} writes no histograms")
    end = parts[0] + (ONE_MORE if column == 0 else DEFINED)
    end += parts[1] + (ONE_MORE if column == 1 else DEFINED) + parts[2]
    path.write_bytes(data[: -8 - size] + end + len(end).to_bytes(4, "little") + b"PAR1")


@pytest.mark.parametrize("plaintext_footer", [False, True])
def test_encrypted_files_are_called_so(tmp_path: Path, plaintext_footer: bool) -> None:
    """They are not damaged."""
    pe = pytest.importorskip("pyarrow.parquet.encryption")

    class OpenKeys(pe.KmsClient):  # type: ignore[name-defined,misc]  # known when it is there
        def wrap_key(self, key: bytes, name: str) -> bytes:
            return base64.b64encode(key)

    table = pa.table({"text": ["low"] * 9})
    factory = pe.CryptoFactory(lambda _: OpenKeys())
    properties = factory.file_encryption_properties(
        pe.KmsConnectionConfig(),
        pe.EncryptionConfiguration(
            "footer", column_keys={"key": ["text"]}, plaintext_footer=plaintext_footer
        ),
    )
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, encryption_properties=properties)
    with pytest.raises(ValueError, match=r"a\.parquet is encrypted, .* give the table"):
        bpetok.count_words(path)


@pytest.mark.parametrize("call", ["count_words(path)", "estimate(path, vocab_size=300)"])
@pytest.mark.parametrize("column", [0, 1])
def test_a_column_that_is_damaged_in_the_end_of_a_file(
    tmp_path: Path, call: str, column: int
) -> None:
    """pyarrow ends the process where it is asked for the column's size. Others do not matter."""
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"text": ["a", "b", "c"], "more": ["1", "2", "3"]}), path)
    lengthen_histogram(path, column)
    printed = run_python(f"""
        import bpetok
        path = {str(path)!r}
        try:
            bpetok.{call}
        except ValueError as error:
            print(error)
    """)
    if column == 0:
        assert str(path) in printed
        assert "histogram size mismatch" in printed
    else:
        assert printed == ""


@pytest.mark.parametrize("call", [parquet_sizes, parquet_parts])
def test_nothing_but_the_end_is_read_to_look_at_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Iterable[object]]
) -> None:
    """All files of a corpus are looked at before the first is read."""
    path = tmp_path / "t.parquet"
    texts = [f"{number} " * 100 for number in range(5000)]
    pq.write_table(pa.table({"text": texts}), path, row_group_size=500, compression="none")
    n_read = 0
    read_into = LocalFile.readinto

    def counting(file: LocalFile, buffer: Any) -> int:
        nonlocal n_read
        n = read_into(file, buffer)
        n_read += n
        return n

    monkeypatch.setattr(LocalFile, "readinto", counting)
    cutting = Cutting(SpecialTokens([]), "gpt2")
    context = ReadContext(check_reading({}), cutting, "strict", NullTexts())
    all_of_it = [Position(), Position(1), 1] if call is parquet_parts else []
    found = list(call(str(path), context, *all_of_it))
    assert len(found) == 10
    assert 0 < n_read < 100_000 < path.stat().st_size


@pytest.mark.parametrize("most", [0, 1 << 30])
def test_a_column_may_be_read_at_once_or_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """The words are the same; in parts if it is large."""
    path = tmp_path / "t.parquet"
    texts = [f"{number} plum " * 50 for number in range(2000)]
    pq.write_table(pa.table({"more": texts, "text": texts}), path, row_group_size=900)
    monkeypatch.setattr(parquet, "MOST_AT_ONCE", most)
    monkeypatch.setattr(parquet, "PART_SIZE", 1000)
    assert bpetok.count_words(path) == bpetok.count_words_from_iterator(texts)


def test_files_are_opened_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One does not wait for another that is slow, and so a forked child does not, for ever."""
    texts = [f"{number} plum" for number in range(2000)]
    for name in ("slow", "other"):
        pq.write_table(pa.table({"text": texts}), tmp_path / f"{name}.parquet")
    monkeypatch.setattr(parquet, "MOST_AT_ONCE", 0)
    opening, go = threading.Event(), threading.Event()
    unchanged = parquet._RowGroups._open

    def open_slowly(groups: Any, buffer_size: int, metadata: Any) -> Any:
        if threading.current_thread() is thread and buffer_size == parquet.PART_SIZE:
            opening.set()
            assert go.wait(60)
        return unchanged(groups, buffer_size, metadata)

    monkeypatch.setattr(parquet._RowGroups, "_open", open_slowly)
    path = tmp_path / "slow.parquet"
    thread = threading.Thread(target=bpetok.count_words, args=(path,), kwargs={"n_threads": 1})
    thread.start()
    try:
        assert opening.wait(60)
        assert len(bpetok.count_words(tmp_path / "other.parquet", n_threads=1)) > 0
    finally:
        go.set()
        thread.join()
