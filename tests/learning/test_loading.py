"""Kernels for several threads: loaded whole, called one at a time, never in a forked child."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import bpetok
from bpetok.learning import learner
from bpetok.learning.rule import Tuning
from bpetok.training import pipeline, train
from processes import ACT_AT_IMPORT, needs_fork, needs_signals, run_python

PARALLEL = (
    ACT_AT_IMPORT
    + """
    from bpetok import Words
    from bpetok.learning.learner import learn_merges
    from bpetok.learning.rule import Tuning
    words = Words.from_counts({b"low lower": 4, b"lowest": 3, b"newer newest": 2, b"wider": 9})
    tuning = Tuning(parallel_slots=0, parallel_postings=0)
    expected = learn_merges(words, 12).pairs.tolist()
    def learn():
        return learn_merges(words, 12, n_threads=2, tuning=tuning).pairs.tolist()
"""
)


@needs_fork
def test_a_forked_child_learns_too() -> None:
    """Numba's threads do not survive a fork; the child learns the same without them."""
    run_python(
        PARALLEL
        + """
    assert learn() == expected
    child = os.fork()
    if child == 0:
        os._exit(0 if learn() == expected else 1)
    assert os.waitpid(child, 0)[1] == 0
    """
    )


@needs_fork
@pytest.mark.parametrize("module", ["numba", "numba.core.typing", "numba.parfors.parfor"])
def test_a_fork_waits_while_kernels_are_loaded(module: str, tmp_path: Path) -> None:
    """Otherwise the child waits for ever: for the end of an import, for the compiler's lock."""
    run_python(
        PARALLEL
        + f"""
    importing = threading.Event()
    Finder({module!r}, lambda: (importing.set(), time.sleep(0.3)))
    thread = threading.Thread(target=learn)
    thread.start()
    importing.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        import numba
        os._exit(0 if learn() == expected else 1)
    assert os.waitpid(child, 0)[1] == 0
    thread.join()
    """,
        NUMBA_CACHE_DIR=str(tmp_path),
    )


@needs_signals
@pytest.mark.parametrize("module", ["numba", "numba.core.typing", "numba.parfors.parfor"])
def test_ctrl_c_while_kernels_are_loaded(module: str, tmp_path: Path) -> None:
    """It is raised when they are, and the next training is as it would have been."""
    out = run_python(
        PARALLEL
        + f"""
    Finder({module!r}, lambda: os.kill(os.getpid(), signal.SIGINT))
    try:
        learn()
    except KeyboardInterrupt:
        print("stopped", learn() == expected)
    """,
        NUMBA_CACHE_DIR=str(tmp_path),
    )
    assert out == "stopped True\n"


@pytest.mark.parametrize("layer", ["workqueue", "omp"])
def test_threads_may_enter_parallel_kernels_at_once(layer: str) -> None:
    """Numba's workqueue aborts the process where nothing keeps the callers apart."""
    run_python(
        PARALLEL
        + """
    results = []
    threads = [threading.Thread(target=lambda: results.extend(learn() for _ in range(40)))
               for _ in range(4)]
    for t in threads: t.start()
    for t in threads: t.join()
    assert results == [expected] * 160
    """,
        NUMBA_THREADING_LAYER=layer,
    )


def test_without_a_folder_for_the_cache() -> None:
    """Numba's kernels are compiled for the process alone where nothing can be written."""
    run_python(
        """
    import numba.core.caching as caching
    caching.CacheImpl._locator_classes = []  # as where no folder is writable
    """
        + PARALLEL
        + """
    assert learn() == expected
    """
    )


def test_loading_the_parallel_kernels() -> None:
    """Numba is there afterwards, and what learns on threads compiles nothing more."""
    out = run_python(
        PARALLEL
        + """
    from bpetok.learning.loading import load_parallel_kernels
    load_parallel_kernels()
    from bpetok.learning import kernels
    count = lambda: (len(kernels.apply.overloads), len(kernels.index_pairs.overloads))
    before = count()
    assert learn() == expected
    print(before, count())
    """
    )
    assert out == "(1, 1) (1, 1)\n"


def test_where_counting_fails_nothing_goes_on_loading(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A thread that still imports when Python ends would kill the process, now and then."""
    begun = threading.Event()
    n_loaded: list[int] = []

    def load(progress: Callable[[int, int], object]) -> None:
        for i in range(1000):
            progress(i, 1000)
            begun.set()
            n_loaded.append(i)
            time.sleep(0.01)

    monkeypatch.setattr(train, "LARGE_TEXT", 0)
    monkeypatch.setattr(pipeline, "load_parallel_kernels", load)
    path = tmp_path / "damaged.txt"
    path.write_bytes(b"\xff" * 100)
    before = {*threading.enumerate()}  # other tests' threads, such as Dask's, whose name has "load"
    with pytest.raises(ValueError, match="UTF-8"):
        bpetok.train(path, vocab_size=300, n_threads=2)
    assert begun.is_set()
    assert len(n_loaded) < 1000
    left = {*threading.enumerate()} - before
    assert not [thread for thread in left if "load" in thread.name]


def test_loading_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a phase of its own: it takes seconds when the kernels are compiled."""
    monkeypatch.setattr(learner, "DEFAULT_TUNING", Tuning(parallel_slots=0))
    calls: list[tuple[str, int, int | None]] = []
    bpetok.train_from_iterator(
        ["low lower lowest"] * 9,
        vocab_size=262,
        n_threads=2,
        progress=lambda *call: calls.append(call),
    )
    assert list(dict.fromkeys(phase for phase, _, _ in calls)) == ["count", "load", "learn"]
    assert [call[1:] for call in calls if call[0] == "load"] == [(0, 2), (1, 2), (2, 2)]


def test_python_s_kernels_on_several_threads() -> None:
    """NUMBA_DISABLE_JIT: nothing to compile, and the same merges."""
    run_python(PARALLEL + "    assert learn() == expected", NUMBA_DISABLE_JIT="1")


def test_words_of_one_shard_do_not_load_them() -> None:
    """However many threads there may be: Numba takes half a second to import."""
    run_python(
        PARALLEL
        + """
    assert learn_merges(words, 12, n_threads=8).pairs.tolist() == expected
    assert "numba" not in sys.modules
    """
    )


def test_counting_may_end_before_kernels_are_begun() -> None:
    """Who waits for the thread that loads them does not have the lock that it waits for."""
    run_python(
        """
    import time
    from bpetok.base.importing import whole
    from bpetok.training import pipeline
    loaded = []
    def load(progress):
        time.sleep(0.3)
        with whole():
            loaded.append(True)
    pipeline.load_parallel_kernels = load
    with pipeline.loading_kernels():
        pass
    assert loaded
    """,
        timeout=30,
    )
