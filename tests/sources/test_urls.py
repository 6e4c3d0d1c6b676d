"""Objects of a server that is slow, and fails at random: read at the same time, and tried again."""

import io
import json
import random
import signal
import threading
import time
import warnings
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

import bpetok
from benchmarks.servers import Store, serving
from bpetok.base.threads import Stop
from bpetok.sources import parquet, sharing, urls

pytest.importorskip("aiohttp")

TEXTS = [f"plum {i % 7} low lower lowest {'x' * (i % 9)}\n" * 40 for i in range(500)]
KINDS = ["txt", "parquet", "jsonl.zst"]


def objects(kind: str, n: int) -> dict[str, bytes]:
    """Return objects of the same text."""
    data = "".join(TEXTS).encode()
    if kind == "parquet":
        file = io.BytesIO()
        pq.write_table(pa.table({"text": TEXTS}), file, row_group_size=100)
        data = file.getvalue()
    elif kind == "jsonl.zst":
        lines = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS).encode()
        data = zstandard.ZstdCompressor(level=-5).compress(lines)
    return {f"{i}.{kind}": data for i in range(n)}


def count(store: Store, n_threads: int = 2) -> bpetok.Words:
    return bpetok.count_words([store.url(name) for name in store.objects], n_threads=n_threads)


def readers_left() -> list[str]:
    """Return the threads that read, or wait for what they asked for."""
    return [thread.name for thread in threading.enumerate() if "(_work)" in thread.name]


def busy_connections() -> int:
    """Return how many connections wait for an answer, or for more of one."""
    return len(fsspec.filesystem("http")._session.connector._acquired)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urls, "PAUSES", (0.0, 0.001, 0.01))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_threads", [1, 2])
def test_objects_are_read_at_the_same_time(kind: str, n_threads: int) -> None:
    """Some at a time, also by one thread that counts; the words are those of one after another."""
    with serving(objects(kind, 8), latency=0.05) as store:
        words = count(store, n_threads)
        assert 4 <= store.most_open <= 8 * (1 + urls.N_AHEAD)
    one = bpetok.count_words_from_iterator(["".join(TEXTS)] if kind == "txt" else TEXTS)
    assert words.to_dict() == {word: 8 * n for word, n in one}
    assert not readers_left()


def test_the_web_is_not_asked_whether_a_file_is_a_folder() -> None:
    """That fetches all of it, and takes links in a text for files."""
    text = b'See <a href="0.txt/other">other</a>\n'
    with serving({"0.txt": text}) as store:
        assert bpetok.count_words(store.url("0.txt")) == bpetok.count_words_from_iterator([text])
        with pytest.raises(FileNotFoundError, match=r"no such file: 'http.*/1\.txt'"):
            bpetok.count_words(store.url("1.txt"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", ["reset", "503", "429", "cut", "stall"])
def test_what_fails_now_and_then_is_tried_again(
    kind: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the byte where it was: the words are those without faults."""
    monkeypatch.setattr(urls, "TIMEOUT", 0.3)
    monkeypatch.setattr(urls, "BLOCK_SIZE", 100_000)
    monkeypatch.setattr(urls, "PAUSES", (0.0, 0.001, 0.01, 0.01, 0.01))
    with serving(objects(kind, 4)) as store:
        expected = count(store)
    chosen = random.Random(fault)

    def now_and_then(number: int) -> str:
        # The first requests ask for sizes: fsspec itself would wait for those.
        share = 0.15 if fault != "stall" else 0.05
        return fault * (number > 40 * (fault == "stall") and chosen.random() < share)

    with serving(objects(kind, 4), fault=now_and_then) as store:
        assert count(store) == expected


@pytest.mark.parametrize(
    ("fault", "first"),
    [*product(["reset", "500"], [0, 5, 9]), ("cut", 0)],
)
def test_what_goes_on_failing_names_the_url(fault: str, first: int) -> None:
    """From some request on; it is no file that is not there."""
    with serving(objects("txt", 2), fault=lambda number: fault * (number >= first)) as store:
        with pytest.raises(
            OSError, match=r"http://.*\.txt can't be read: .*tried 4 times"
        ) as error:
            count(store)
        assert not isinstance(error.value, FileNotFoundError)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", ["reset", "503", "cut", "stall"])
def test_what_fails_at_the_same_byte_each_time_names_the_url(
    kind: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somewhere in one of four objects; the others are let go of, and nothing waits any more."""
    monkeypatch.setattr(urls, "TIMEOUT", 0.5)
    monkeypatch.setattr(urls, "BLOCK_SIZE", 20_000)
    monkeypatch.setattr(urls, "FIRST_SIZE", 10_000)
    named = objects(kind, 4)
    bad = len(named[f"2.{kind}"]) // 2

    def fault_at(name: str, begin: int, end: int) -> str:
        return fault * (name[0] == "2" and begin <= bad < end)

    with serving(named, fault_at=fault_at) as store:
        with pytest.raises(OSError, match=rf"/2\.{kind} can't be read: .*\(tried 4 times\)"):
            count(store)
        assert not readers_left()
        deadline = time.monotonic() + 30  # another thread lets go of connections
        while busy_connections() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not busy_connections()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (FileNotFoundError("no such key"), False),
        (PermissionError("denied"), False),
        (OSError(5, "Input/output error"), False),
    ],
)
def test_only_what_may_be_temporary_is_tried_again(error: Exception, expected: bool) -> None:
    """Who may not read does not wait for it."""
    calls = []

    def ask() -> None:
        calls.append(1)
        raise error

    with pytest.raises(OSError, match="memory://a"):
        urls._ask("memory://a", ask)
    assert len(calls) == (4 if expected else 1)


def test_an_object_that_changes_while_it_is_tried_again_is_refused() -> None:
    """What comes is of another one."""
    with serving(objects("txt", 1)) as store:

        def fault(number: int) -> str:
            if number == 4:
                store.objects["0.txt"] += b"more"
                return "reset"
            return ""

        store.fault = fault
        fsspec.filesystem("http").invalidate_cache()
        with pytest.raises(OSError, match=r"0\.txt changed while it was read"):
            count(store)


@pytest.mark.parametrize("kind", ["txt", "parquet"])
def test_ctrl_c_does_not_wait_for_servers(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """That do not answer: whatever waits for them is woken, so none of them has to."""
    # The caller's thread, which Python interrupts only where it does not wait for a lock.
    assert sharing.SECONDS <= 0.1
    monkeypatch.setattr(urls, "TIMEOUT", 3600.0)
    monkeypatch.setattr(urls, "PAUSES", (3600.0,))
    with serving(objects(kind, 8)) as store:
        monkeypatch.setattr(urls, "BLOCK_SIZE", 50_000)
        monkeypatch.setattr(urls, "FIRST_SIZE", 50_000)
        store.fault = lambda number: "stall" * (number > 20)
        has_ended = threading.Event()

        def interrupt() -> None:
            # Mostly eight wait for an answer; fewer if some objects were read before the 20th.
            deadline = time.monotonic() + 3
            while not has_ended.is_set() and store.n_open < 8:
                time.sleep(0.01)
                if store.n_open and time.monotonic() > deadline:
                    break
            signal.raise_signal(signal.SIGINT)

        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                count(store)
            assert store.n_open  # these have had no answer, and get none before the end
        finally:
            has_ended.set()
            thread.join()
            signal.signal(signal.SIGINT, before)
        assert not readers_left()


@given(st.integers(1, 400), st.lists(st.tuples(st.integers(0, 450), st.integers(0, 70))))
def test_blocks_ahead_are_those_of_the_file(size: int, reads: list[tuple[int, int]]) -> None:
    """Wherever it is read, and read on; few blocks are on their way."""
    data = bytes(i % 251 for i in range(size))
    asked: list[tuple[int, int]] = []

    def fetch(begin: int, end: int) -> Future[bytes]:
        asked.append((begin, end))
        future: Future[bytes] = Future()
        future.set_result(data[begin:end])
        return future

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(urls, "BLOCK_SIZE", 40)
        patch.setattr(urls, "FIRST_SIZE", 10)
        file = urls._BlocksAhead(fetch, size, Stop())
        assert b"".join(iter(lambda: file.read(7), b"")) == data
        assert asked == [(i, min(i + 40, size)) for i in range(0, size, 40)]
        for at, n in reads:
            file.seek(at)
            part = file.read(n)
            assert part == data[at : at + len(part)]
            assert bool(part) == (n > 0 and at < size)
            assert file.tell() == at + len(part)
            assert len(file._ahead) <= urls.N_AHEAD


def test_blocks_are_smaller_where_many_files_are_open() -> None:
    """So what is on its way takes no more memory with more readers, until blocks are least."""
    sizes = []
    for n_files in (1, 4, 8, 100):
        with ExitStack() as files:
            for _ in range(n_files):
                files.enter_context(urls._OPEN.counted())
            sizes.append(urls._OPEN.block_size())
    assert sizes == [1 << 19, 1 << 19, 1 << 18, 1 << 17]
    assert urls._OPEN._n == 0


def do_all(store: Store, folder: Path, n_readers: int | None = None) -> list[object]:
    """Read objects in all ways; return what comes of it, but for times."""
    names = [store.url(name) for name in store.objects]
    reading: bpetok.Reading = {"n_readers": n_readers}
    tok = bpetok.Tokenizer(merges=[(108, 111), (256, 119)], special_tokens=["<|end|>"])
    tok.encode_files(names, folder / "a.bin", eot="<|end|>", n_threads=2, **reading)
    guess = bpetok.estimate(names, vocab_size=300, n_threads=2, **reading)
    times = ("count_seconds", "learn_seconds")
    rows = bpetok.report(tok, names, n_threads=2, **reading).to_dicts()
    return [
        bpetok.count_words(names, n_threads=2, **reading),
        (folder / "a.bin").read_bytes(),
        {name: value for name, value in vars(guess).items() if name not in times},
        [row for row in rows if row["source"] == "all"],
    ]


@pytest.mark.parametrize("kind", ["txt", "parquet"])
def test_n_readers_says_how_many_objects_are_read_at_a_time(kind: str, tmp_path: Path) -> None:
    """And changes nothing else, in whatever way they are read."""
    found = []
    for n_readers in (None, 1, 3):
        with serving(objects(kind, 6), latency=0.005) as store:
            found.append(do_all(store, tmp_path, n_readers))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("reading", [{}, {"sample": 0.5}, {"max_bytes": 3_000_000}], ids=str)
@pytest.mark.parametrize("kind", ["txt", "jsonl", "jsonl.zst", "parquet"])
def test_an_object_is_read_in_smaller_parts_with_the_same_result(
    kind: str, reading: dict[str, Any], tmp_path: Path
) -> None:
    """As a file on this machine: lines of JSON longer than a part, and the pieces of a sample."""
    sizes = (600_000, 10, 1_900_000, 2_090_000, 2_110_000, 500, 5)
    texts = [f"{number} word " * (size // 8) for number, size in enumerate(sizes)]
    if kind == "parquet":
        pq.write_table(pa.table({"text": texts}), tmp_path / "0.parquet")
    else:
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()
        data = "".join(texts).encode() if kind == "txt" else lines
        packed = zstandard.compress(data) if kind.endswith("zst") else data
        (tmp_path / f"0.{kind}").write_bytes(packed)
    local = bpetok.count_words(tmp_path / f"0.{kind}", **reading)
    with serving({f"0.{kind}": (tmp_path / f"0.{kind}").read_bytes()}) as store:
        assert bpetok.count_words(store.url(f"0.{kind}"), **reading) == local


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_few_threads_decode_what_all_readers_fetch(
    n_threads: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each row group that is being decoded takes memory; and none of them waits for a server."""
    here = threading.local()
    lock = threading.Lock()
    n_groups = n_decoding = most = 0

    def decode(batches: Iterator[Any]) -> tuple[deque[Any], bool]:
        nonlocal n_groups, n_decoding, most
        with lock:
            n_decoding += 1
            most = max(most, n_decoding)
        here.is_decoding = True
        time.sleep(0.002)  # so that others would begin
        found = decode_some(batches)
        here.is_decoding = False
        with lock:
            n_decoding -= 1
            n_groups += 1  # each at once
        return found

    def read(file: urls.RemoteFile, buffer: Any) -> int:
        assert not getattr(here, "is_decoding", False)
        return read_into(file, buffer)

    read_into, decode_some = urls.RemoteFile.readinto, parquet._some
    monkeypatch.setattr(urls.RemoteFile, "readinto", read)
    monkeypatch.setattr(parquet, "_some", decode)
    with serving(objects("parquet", 8), latency=0.005) as store:
        words = count(store, n_threads)
        assert n_groups == 8 * 5
        names = [store.url(name) for name in store.objects]
        tok = bpetok.Tokenizer(merges=[])
        encoded = tok.encode_files(names, tmp_path / "ids", n_threads=n_threads)
        assert n_groups == 2 * 8 * 5
    assert 1 <= most <= (n_threads + 1) // 2
    assert encoded.n_ids == words.n_bytes == 8 * len("".join(TEXTS))
    assert not readers_left()


SHAPES: list[dict[str, Any]] = [
    {"row_group_size": 7},
    {"row_group_size": 9, "compression": "zstd", "use_dictionary": False},
    {"row_group_size": 30, "compression": "snappy", "data_page_version": "2.0"},
    {"compression": "none", "data_page_size": 1000, "use_dictionary": False},
    {"compression": "gzip", "dictionary_pagesize_limit": 1000, "write_page_index": True},
    {"row_group_size": 20, "store_schema": False},
]


@pytest.mark.parametrize("most", [1 << 10, 1 << 21])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_objects_of_any_shape_have_the_words_of_files(
    shape: dict[str, Any], most: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whether a row group is small enough to be fetched at once or not, in few or many batches."""
    monkeypatch.setattr(parquet, "MOST_AT_ONCE", most)
    monkeypatch.setattr(parquet, "MOST_ROWS", 3)
    monkeypatch.setattr(parquet, "MOST_DECODED", 200)
    texts = [f"{number} plum {'low ' * (number % 9)}" for number in range(90)]
    table = {
        "before": [*range(90)],
        "text": [None if number % 7 == 0 else text for number, text in enumerate(texts)],
        "meta.text": texts[::-1],
        "meta": [{"number": n, "text": text, "more": text * 2} for n, text in enumerate(texts)],
        "turns": [[{"by": "me", "text": text}] * (n % 3) for n, text in enumerate(texts)],
        "after": texts,
    }
    path = tmp_path / "0.parquet"
    pq.write_table(pa.table(table), path, **shape)
    pq.write_table(pa.table(table).slice(0, 0), tmp_path / "1.parquet")
    ways = [("text", 8), (r"meta\.text", 2), ("meta.text", 8), ("turns[].text", 1)]
    with serving({str(n): path.read_bytes() for n in range(3)}) as store:
        store.objects["3"] = (tmp_path / "1.parquet").read_bytes()
        names = [store.url(name) for name in store.objects]
        for way, n_readers in ways:
            reading: Any = {"text_column": way, "format": "parquet"}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of null texts
                local = bpetok.count_words([path] * 3, **reading)
                assert bpetok.count_words(names, **reading, n_readers=n_readers) == local


def test_what_is_damaged_in_a_row_group_that_was_fetched_names_the_url() -> None:
    """Though another thread has found it; nothing is left of that either."""
    found = objects("parquet", 3)
    data = bytearray(found["1.parquet"])
    middle = len(data) // 2
    data[middle : middle + 2000] = bytes(2000)
    found["1.parquet"] = bytes(data)
    with serving(found) as store, pytest.raises(ValueError, match=r"/1\.parquet"):
        count(store)
    assert not readers_left()


@pytest.mark.parametrize("value", [0, True, 10_000])
def test_n_readers_is_checked(value: int, tmp_path: Path) -> None:
    """By all that read, before they do."""
    path = tmp_path / "a.txt"
    path.write_text("a")
    tok = bpetok.Tokenizer(merges=[])
    for function in (
        lambda: bpetok.count_words(path, n_readers=value),
        lambda: bpetok.estimate(path, vocab_size=300, n_readers=value),
        lambda: tok.encode_files(path, tmp_path / "a.bin", n_readers=value),
        lambda: bpetok.report(tok, path, n_readers=value),
    ):
        with pytest.raises((TypeError, ValueError), match="n_readers"):
            function()


@pytest.mark.parametrize("n_readers", [1, 8])
def test_ctrl_c_ends_encoding_and_leaves_nothing(
    n_readers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where servers do not answer; neither a file nor a thread."""
    monkeypatch.setattr(urls, "TIMEOUT", 3600.0)
    monkeypatch.setattr(urls, "PAUSES", (3600.0,))
    monkeypatch.setattr(urls, "BLOCK_SIZE", 50_000)
    monkeypatch.setattr(urls, "FIRST_SIZE", 50_000)
    tok = bpetok.Tokenizer(merges=[])
    waits = threading.Event()
    has_ended = False

    def fault_at(name: str, begin: int, end: int) -> str:
        if begin == 0:
            return ""
        waits.set()
        return "stall"

    def interrupt() -> None:
        waits.wait()
        if not has_ended:
            signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with serving(objects("txt", 8), fault_at=fault_at) as store:
        names = [store.url(name) for name in store.objects]
        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                tok.encode_files(names, tmp_path / "a.bin", n_threads=2, n_readers=n_readers)
            assert store.n_open  # these have had no answer, and get none before the end
        finally:
            has_ended = True
            waits.set()
            thread.join()
            signal.signal(signal.SIGINT, before)
    assert list(tmp_path.iterdir()) == []
    assert not readers_left()
