"""Kernels for several threads: loaded whole, called one at a time, never in a forked child."""

import os
from pathlib import Path

import pytest

from processes import run_python

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
needs_signals = pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise there")

PARALLEL = """
    import os, signal, sys, threading, time, warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # of fork with threads, from Python 3.12 on
    from bpetok import Words
    from bpetok.learning.learner import learn_merges
    from bpetok.learning.rule import Tuning
    words = Words.from_counts({b"low lower": 4, b"lowest": 3, b"newer newest": 2, b"wider": 9})
    tuning = Tuning(parallel_slots=0, parallel_postings=0)
    expected = learn_merges(words, 12).pairs.tolist()
    def learn():
        return learn_merges(words, 12, n_threads=2, tuning=tuning).pairs.tolist()
    class Finder:
        def __init__(self, module, act):
            self.module, self.act = module, act
            sys.meta_path.insert(0, self)
        def find_spec(self, name, *_):
            if name == self.module:
                sys.meta_path.remove(self)
                self.act()
"""


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


def test_words_of_one_shard_do_not_load_them() -> None:
    """However many threads there may be: Numba takes half a second to import."""
    run_python(
        PARALLEL
        + """
    assert learn_merges(words, 12, n_threads=8).pairs.tolist() == expected
    assert "numba" not in sys.modules
    """
    )
