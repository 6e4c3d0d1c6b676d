"""Objects of a server that is slow, and fails at random: read at the same time, and tried again."""

import io
import random
import threading
import time

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bpetok
from bpetok.sources import urls
from servers import Store, serving

pytest.importorskip("aiohttp")

TEXTS = [f"plum {i % 7} low lower lowest {'x' * (i % 9)}\n" * 40 for i in range(500)]


def objects(kind: str, n: int) -> dict[str, bytes]:
    """Return objects of the same text."""
    data = "".join(TEXTS).encode()
    if kind == "parquet":
        file = io.BytesIO()
        pq.write_table(pa.table({"text": TEXTS}), file, row_group_size=100)
        data = file.getvalue()
    return {f"{i}.{kind}": data for i in range(n)}


def count(store: Store, n_threads: int = 2) -> bpetok.Words:
    return bpetok.count_words([store.url(name) for name in store.objects], n_threads=n_threads)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urls, "PAUSES", (0.0, 0.001, 0.01))


@pytest.mark.parametrize("kind", ["txt", "parquet"])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_objects_are_read_at_the_same_time(kind: str, n_threads: int) -> None:
    """Some at a time, also by one thread that counts; the words are those of one after another."""
    with serving(objects(kind, 8), latency=0.05) as store:
        begin = time.perf_counter()
        words = count(store, n_threads)
        seconds = time.perf_counter() - begin
        assert seconds < 0.5 * store.n_requests * 0.05
        assert 4 <= store.most_open <= 10
    one = bpetok.count_words_from_iterator(["".join(TEXTS)] if kind == "txt" else TEXTS)
    assert words.to_dict() == {word: 8 * n for word, n in one}
    assert not [thread for thread in threading.enumerate() if "(_work)" in thread.name]


def test_the_web_is_not_asked_whether_a_file_is_a_folder() -> None:
    """That fetches all of it, and takes links in a text for files."""
    text = b'See <a href="0.txt/other">other</a>\n'
    with serving({"0.txt": text}) as store:
        assert bpetok.count_words(store.url("0.txt")) == bpetok.count_words_from_iterator([text])
        with pytest.raises(FileNotFoundError, match=r"no such file: 'http.*/1\.txt'"):
            bpetok.count_words(store.url("1.txt"))


@pytest.mark.parametrize("kind", ["txt", "parquet"])
@pytest.mark.parametrize("fault", ["reset", "503", "429", "cut"])
def test_what_fails_now_and_then_is_tried_again(kind: str, fault: str) -> None:
    """From the byte where it was: the words are those without faults."""
    with serving(objects(kind, 4)) as store:
        expected = count(store)
    chosen = random.Random(fault)
    with serving(objects(kind, 4), fault=lambda _: fault * (chosen.random() < 0.15)) as store:
        assert count(store) == expected


@pytest.mark.parametrize("fault", ["reset", "500"])
@pytest.mark.parametrize("first", [0, 5, 9])
def test_what_goes_on_failing_names_the_url(fault: str, first: int) -> None:
    """From some request on; it is no file that is not there."""
    with serving(objects("txt", 2), fault=lambda number: fault * (number >= first)) as store:
        with pytest.raises(
            OSError, match=r"http://.*\.txt can't be read: .*tried 4 times"
        ) as error:
            count(store)
        assert not isinstance(error.value, FileNotFoundError)


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
