"""The garbage collector, off for a while."""

import gc

import pytest

from bpetok.base.collector import without_collector
from processes import needs_fork, run_python


def test_it_is_on_again_afterwards() -> None:
    """Also after an error, and after a block in the block."""
    with pytest.raises(KeyError), without_collector():  # noqa: PT012 - what comes before it counts
        with without_collector():
            assert not gc.isenabled()
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()


def test_it_stays_off_where_it_was() -> None:
    """It is the user's."""
    gc.disable()
    try:
        with without_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_counts_as_old_is_not_walked_through_at_once() -> None:
    """What somebody has frozen stays so."""
    run_python(
        """
    import gc
    from bpetok.base.collector import count_as_old, without_collector
    walks = []
    gc.callbacks.append(lambda phase, info: walks.append(info["generation"]))
    for freezes in (False, True):
        if freezes:
            gc.freeze()
        with without_collector():
            made = [[] for _ in range(100_000)]
            walks.clear()
            count_as_old()
        more = [[] for _ in range(10)]
        assert walks == [] or freezes
        assert (gc.get_freeze_count() > 0) == freezes
    assert gc.isenabled()
    """
    )


@needs_fork
@pytest.mark.parametrize("is_on", [True, False])
@pytest.mark.parametrize("forks_inside", [True, False])
def test_a_child_has_it_as_its_parent(*, is_on: bool, forks_inside: bool) -> None:
    """The thread that would turn it on is not in the child, unless it has forked itself."""
    run_python(
        f"""
    import contextlib, gc, os, threading, warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # of fork with threads
    from bpetok.base.collector import without_collector
    {"" if is_on else "gc.disable()"}
    inside, end = threading.Event(), threading.Event()
    def work():
        with without_collector():
            inside.set()
            end.wait(20)
    thread = threading.Thread(target=work)
    if not {forks_inside}:
        thread.start()
        inside.wait()
    with without_collector() if {forks_inside} else contextlib.nullcontext():
        child = os.fork()
    if child == 0:
        os._exit(gc.isenabled() != {is_on})
    assert os.waitpid(child, 0)[1] == 0
    end.set()
    if not {forks_inside}:
        thread.join()
    assert gc.isenabled() == {is_on}
    """
    )
