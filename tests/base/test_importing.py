"""A first call imports much: neither Ctrl-C nor a fork leaves the process, or its child, broken."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import bpetok
from bpetok.base.importing import signals_deferred, whole
from processes import ACT_AT_IMPORT, needs_fork, needs_signals, run_python

PROGRAM = (
    ACT_AT_IMPORT
    + """
    import bpetok
    tok = bpetok.Tokenizer(merges=[(97, 98)])
    calls = {
        "train": lambda: bpetok.train_from_iterator(["abab ab"], vocab_size=258).vocab_size,
        "count": lambda: len(bpetok.count_words_from_iterator(["abab ab"])),
        "array": lambda: tok.encode_to_numpy("abab").tolist(),
        "arrays": lambda: tok.encode_batch_to_numpy(["ab"]).ids.tolist(),
        "report": lambda: len(bpetok.report(tok, texts=["abab"]).rows()),
    }
"""
)
CALLS = ["train", "count", "array", "arrays", "report"]


@needs_signals
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "module", ["numpy", "numpy._core.overrides", "numpy.lib", "numpy.matrixlib"]
)
def test_ctrl_c_in_an_import_of_a_first_call(call: str, module: str) -> None:
    """It ends the call, and no later one fails."""
    run_python(
        PROGRAM
        + f"""
    Finder({module!r}, lambda: os.kill(os.getpid(), signal.SIGINT))
    try:
        calls[{call!r}]()
    except KeyboardInterrupt:
        for call in calls.values(): call()
    else:
        raise AssertionError("it was not raised")
    """
    )


@needs_signals
@pytest.mark.parametrize("module", ["pandas", "pandas._libs.hashtable", "pandas.core.api"])
@pytest.mark.parametrize(
    "call",
    [
        "bpetok.count_words(pa.table({'text': pa.nulls(2, pa.string())}))",
        "bpetok.count_words('t.parquet')",
        "bpetok.Words.load('words.parquet')",
        "bpetok.count_words('t.txt', checkpoint='run')",
    ],
)
def test_ctrl_c_in_what_pyarrow_imports(call: str, module: str, tmp_path: Path) -> None:
    """It looks for pandas when it first needs to know whether something is a Series."""
    pytest.importorskip("pandas")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"text": ["low lower", None]}), tmp_path / "t.parquet")
    (tmp_path / "t.txt").write_text("low lower")
    bpetok.count_words(tmp_path / "t.txt").save(tmp_path / "words.parquet")
    run_python(
        ACT_AT_IMPORT
        + f"""
    import warnings
    warnings.simplefilter("ignore")
    os.chdir({str(tmp_path)!r})
    import bpetok, pyarrow as pa
    Finder({module!r}, lambda: os.kill(os.getpid(), signal.SIGINT))
    try:
        {call}
    except KeyboardInterrupt:
        {call}
        assert pa.array([1, 2]).to_pandas().sum() == 3
    else:
        raise AssertionError("it was not raised")
    """
    )


@needs_fork
@pytest.mark.parametrize("call", CALLS)
def test_a_fork_waits_for_an_import_of_a_first_call(call: str) -> None:
    """Otherwise the child would wait for a thread that it does not have."""
    run_python(
        PROGRAM
        + f"""
    importing = threading.Event()
    Finder("numpy.lib", lambda: (importing.set(), time.sleep(0.3)))
    thread = threading.Thread(target=calls[{call!r}])
    thread.start()
    importing.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        for call in calls.values(): call()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    thread.join()
    """
    )


@needs_signals
def test_signals_come_after_the_block() -> None:
    """All of them, to the handlers that were there, and what a handler raises is raised."""
    came: list[str] = []

    def fail(*_: object) -> None:
        came.append("fail")
        raise TimeoutError

    handlers: dict[int, Callable[..., object]] = {
        signal.SIGALRM: fail,
        signal.SIGUSR1: lambda *_: came.append("usr1"),
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        with pytest.raises(TimeoutError), whole():  # noqa: PT012 - what comes before it counts
            for number in handlers:
                os.kill(os.getpid(), number)
            came.append("end")
        assert {number: signal.getsignal(number) for number in handlers} == handlers
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert came[0] == "end"
    assert sorted(came[1:]) == ["fail", "usr1"]


@needs_signals
@pytest.mark.parametrize("numbers", [None, (signal.SIGALRM, signal.SIGINT)])
def test_a_handler_that_raises_while_handlers_are_put_back(
    numbers: tuple[int, ...] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are put back, and Ctrl-C is as before."""

    def fail(*_: object) -> None:
        raise TimeoutError

    def put_back(number: int, handler: Any) -> None:
        is_begin = signal.getsignal(number) is handler
        if number == signal.SIGINT and handler is signal.default_int_handler and not is_begin:
            monkeypatch.undo()
            signal.raise_signal(signal.SIGALRM)  # which has its handler already
        put(number, handler)

    put = signal.signal
    before = signal.signal(signal.SIGALRM, fail)
    monkeypatch.setattr(signal, "signal", put_back)
    try:
        with pytest.raises(TimeoutError), signals_deferred(numbers):
            pass
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        put(signal.SIGALRM, before)
        put(signal.SIGINT, signal.default_int_handler)


@needs_signals
def test_an_event_loop_hears_of_a_signal_once() -> None:
    """It reads of it in a file, and has no handler of its own."""
    came: list[str] = []

    async def work() -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, came.append, "usr1")
        with signals_deferred():
            os.kill(os.getpid(), signal.SIGUSR1)
        await asyncio.sleep(0.05)
        loop.remove_signal_handler(signal.SIGUSR1)

    asyncio.run(work())
    assert came == ["usr1"]


@needs_signals
def test_an_error_in_the_block_is_raised_and_the_signal_is_not_lost() -> None:
    """Ctrl-C in a call that fails: both are seen."""
    with pytest.raises(KeyboardInterrupt) as caught, whole():  # noqa: PT012 - see above
        os.kill(os.getpid(), signal.SIGINT)
        raise ImportError("no such library")
    assert isinstance(caught.value.__context__, ImportError)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_have_no_signals() -> None:
    """The block is theirs all the same."""
    done: list[bool] = []

    def work() -> None:
        with whole():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]


def test_encoding_does_without() -> None:
    """What takes milliseconds to import is left to those that need it."""
    code = "import sys, bpetok; bpetok.Tokenizer(merges=[]).encode('x')"
    assert run_python(f"{code}; print('logging' in sys.modules)") == "False\n"


def test_a_plain_training_does_without(tmp_path: Path) -> None:
    """Each of these takes 0.1 to 4 ms to import, and most a little more when Python ends."""
    (tmp_path / "t.txt").write_text("low lower lowest")
    not_needed = {
        *("concurrent.futures", "dataclasses", "json", "logging", "pathlib", "queue"),
        *("traceback", "urllib.parse"),
        *("numba", "numpy.ma", "numpy.random", "numpy.typing", "pyarrow", "fsspec", "regex"),
        *("bpetok.cli", "bpetok.distributed", "bpetok.showing", "bpetok.learning.forbidden"),
        *("bpetok.patterns.parse", "bpetok.patterns.nfa", "bpetok.counting.checkpoint"),
        *(f"bpetok.training.{name}" for name in ("balance", "estimate", "initial_tokens", "like")),
        *(f"bpetok.training.{name}" for name in ("lines", "parity", "sample", "superwords")),
        *(f"bpetok.sources.{name}" for name in ("arrow", "byte_ranges", "jsonl", "parquet")),
        *(f"bpetok.sources.{name}" for name in ("long_lines", "records", "sampling", "urls")),
        *(f"bpetok.counting.{name}" for name in ("ranges", "saving", "spill", "weights")),
        *("bpetok.patterns.classes", "bpetok.patterns.normalizers"),
        *("bpetok.formats", "bpetok.learning.parity", "fnmatch", "glob"),
    }
    code = f"""
    import sys
    import numpy
    of_numpy = {{*sys.modules}}  # of which it may need more in another version
    import bpetok
    bpetok.train({str(tmp_path / "t.txt")!r}, vocab_size=260)
    print(sorted({not_needed!r} & (sys.modules.keys() - of_numpy)))
    """
    assert run_python(code) == "[]\n"


def test_reading_and_encoding_do_without_numpy(tmp_path: Path) -> None:
    """It takes 60 ms and 13 MB."""
    bpetok.Tokenizer(merges=[(97, 98)], normalizer=["NFC", "Strip"]).save_pretrained(tmp_path)
    code = f"""
    import sys
    import bpetok
    tok = bpetok.Tokenizer.from_pretrained({str(tmp_path)!r})
    tok.decode(tok.encode("ab")), tok.encode_batch(["e\u0301"]), tok.encode_with_offsets(" ab")
    print("numpy" in sys.modules)
    """
    assert run_python(code) == "False\n"


@needs_fork
def test_a_fork_waits_for_an_import_that_imports_logging() -> None:
    """It was not there when the fork began, which so has not taken its lock."""
    run_python(
        ACT_AT_IMPORT
        + """
    from bpetok.base.importing import import_whole, whole
    import_whole("bpetok.training.train")
    assert "logging" not in sys.modules
    importing = threading.Event()
    def work():
        with whole():
            importing.set()
            time.sleep(0.3)
            import logging
            logging.getLogger("new")
    thread = threading.Thread(target=work)
    thread.start()
    importing.wait()
    signal.alarm(20)
    child = os.fork()
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    thread.join()
    """
    )


FIRST_CALLS = {
    "bpetok.Tokenizer(merges=[], pattern=r'\\w+|\\W').encode('ab c')": (
        "bpetok.tokenizer",
        "bisect",
        "bpetok.patterns.parse",
    ),
    "bpetok.train_from_iterator(['ab c'], vocab_size=257)": ("bpetok.counting", "numpy.lib"),
    "bpetok.base.notes.note('a note')": ("logging", "string"),  # which logging imports
    "bpetok.base.files.check_path('a')": ("pathlib",),
    # It imports pyarrow whole, which asks for a lock, while it is imported itself.
    "__import__('bpetok.counting.tables')": ("bpetok.counting.tables", "pyarrow"),
}


@needs_fork
@pytest.mark.parametrize("call", FIRST_CALLS)
def test_a_fork_waits_for_whatever_a_first_call_imports(call: str) -> None:
    """In functions, too, and parts of bpetok that import no NumPy."""
    for module in FIRST_CALLS[call]:
        run_python(
            ACT_AT_IMPORT
            + f"""
    import bpetok, bpetok.base.files, bpetok.base.forking, bpetok.base.notes
    assert {module!r} not in sys.modules
    bpetok.base.forking.LONGEST = 1000
    signal.alarm(80)
    sys.unraisablehook = lambda _: os._exit(9)  # for what is called around a fork
    importing = threading.Event()
    Finder({module!r}, lambda: (importing.set(), time.sleep(0.2)))
    thread = threading.Thread(target=lambda: {call})
    thread.start()
    importing.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        {call}
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    thread.join()
    """
        )


@needs_fork
def test_a_fork_does_not_wait_for_imports_of_others(tmp_path: Path) -> None:
    """Nor for ever for one of ours, which may wait for what the thread that forks has."""
    wait = "import events; events.begun.set(); events.go.wait(20)"
    for name, code in {
        "theirs": wait,
        "calls_ours": f"exec({wait!r}, {{'__name__': 'bpetok.some'}})",  # a training in a script
        "ours": wait,
    }.items():
        (tmp_path / f"{name}.py").write_text(code)
    run_python(
        f"""
    import os, sys, threading, time, types, warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # of fork with threads
    import bpetok
    from bpetok.base import forking
    forking.LONGEST = 0.1
    steps = []
    def step(seconds):
        steps.append(seconds)
        time.sleep(seconds)
    forking.sleep = step
    sys.path.insert(0, {str(tmp_path)!r})
    events = sys.modules["events"] = types.ModuleType("events")
    for module, importer in (("theirs", "a"), ("calls_ours", "a"), ("ours", "bpetok.some")):
        events.begun, events.go = threading.Event(), threading.Event()
        code = f"import {{module}}"
        thread = threading.Thread(target=exec, args=(code, {{"__name__": importer}}))
        thread.start()
        assert events.begun.wait(20)
        steps.clear()
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        events.go.set()
        thread.join()
        assert len(steps) == {{"theirs": 0, "calls_ours": 1}}.get(module, len(steps))
        assert (len(steps) > 1) == (module == "ours")
    """
    )


@needs_fork
@pytest.mark.parametrize(
    "needed",
    ["logging._lock", "concurrent.futures.thread._global_shutdown_lock"],
)
def test_a_fork_that_has_a_lock_of_pythons_waits_for_an_import_that_needs_it(needed: str) -> None:
    """Where its module was imported after bpetok, so that a fork takes it before it waits."""
    run_python(
        ACT_AT_IMPORT
        + f"""
    import bpetok, bpetok.base.forking
    import concurrent.futures.thread, logging
    bpetok.base.forking.LONGEST = 1000
    signal.alarm(40)
    importing, needs = threading.Event(), threading.Event()
    def need():
        importing.set()
        assert needs.wait(20)
        with {needed}: pass
    Finder("bisect", need)
    thread = threading.Thread(target=lambda: bpetok.Tokenizer(merges=[]))
    thread.start()
    assert importing.wait(20)
    threading.Timer(0.2, needs.set).start()
    child = os.fork()
    if child == 0:
        with {needed}: pass
        bpetok.Tokenizer(merges=[])
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    thread.join()
    with {needed}: pass
    """
    )


@needs_fork
@pytest.mark.parametrize("before", ["", "import concurrent.futures.thread, logging; "])
def test_a_fork_does_not_wait_for_locks_that_it_has_itself(before: str) -> None:
    """Python takes some before bpetok is asked, and one of them does not know who has it."""
    run_python(
        f"""
    {before}import os
    from bpetok.base import forking
    import concurrent.futures.thread, logging
    forking.sleep = lambda _: os._exit(9)
    child = os.fork()
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    """
    )


@needs_fork
def test_a_fork_waits_for_a_lock_of_pythons_before_it_takes_ours() -> None:
    """However long: who configures logging has its lock, and may import us then."""
    run_python(
        """
    import logging, os, signal, threading, warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # of fork with threads
    from bpetok.base import forking
    from bpetok.base.importing import import_whole
    forking.LONGEST_USE = 0
    signal.alarm(20)
    taken, go = threading.Event(), threading.Event()
    def configure():
        with logging._lock:
            taken.set()
            go.wait(20)
            import_whole("sched")
    thread = threading.Thread(target=configure)
    thread.start()
    assert taken.wait(20)
    threading.Timer(0.2, go.set).start()
    child = os.fork()
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    thread.join()
    """
    )


@needs_fork
def test_a_fork_that_waits_for_our_locks_has_none_of_pythons() -> None:
    """Each logger that an import makes would take a tenth of a second."""
    run_python(
        """
    import os, threading, time, warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # of fork with threads
    from bpetok.base import forking, importing
    import concurrent.futures.thread, logging
    locks = [logging._lock, concurrent.futures.thread._global_shutdown_lock]
    taken, pausing, free = threading.Event(), threading.Event(), []
    forking.sleep = lambda seconds, sleep=time.sleep: pausing.set() or sleep(seconds)
    def work():
        with importing._lock:
            taken.set()
            assert pausing.wait(20)
            for _ in range(20):
                time.sleep(0.01)
                for lock in locks:
                    free.append(lock.acquire(False))
                    if free[-1]:
                        lock.release()
    thread = threading.Thread(target=work)
    thread.start()
    assert taken.wait(20)
    child = os.fork()
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    thread.join()
    assert len(free) == 40 and all(free), free
    """
    )


@needs_fork
def test_two_forks_do_not_wait_for_each_other() -> None:
    """One begins before a module that forks lock is imported, and one after it."""
    run_python(
        """
    import os, signal, sys, threading, time, types, warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # of fork with threads
    from bpetok.base import forking
    forking.hold_while_forking(threading.RLock())
    forking.LONGEST_USE = 0
    signal.alarm(20)
    def step(_, sleep=time.sleep):
        name = threading.current_thread().name
        pausing[name].set()
        sleep(0.001)
        if name == "second":
            thread.join()
            sleep(0.3)  # so that the first one looks before it
    forking.sleep = step
    pausing = {name: threading.Event() for name in ("first", "second")}
    events = sys.modules["events"] = types.ModuleType("events")
    events.begun, events.go = threading.Event(), threading.Event()
    events.imported, events.end = threading.Event(), threading.Event()
    class Finder:
        def find_spec(self, name, *_):
            if name == "ours":
                events.begun.set()
                assert events.go.wait(20)
                import concurrent.futures.thread
                events.imported.set()
                assert events.end.wait(20)
    sys.meta_path.insert(0, Finder())
    code = "try: import ours\\nexcept ImportError: pass"
    thread = threading.Thread(target=exec, args=(code, {"__name__": "bpetok.some"}))
    def fork():
        child = os.fork()
        if child == 0:
            os._exit(0)
        ended.append(os.waitpid(child, 0)[1])
    ended = []
    forks = {name: threading.Thread(target=fork, name=name) for name in pausing}
    thread.start()
    assert events.begun.wait(20)
    forks["first"].start()
    assert pausing["first"].wait(20)
    events.go.set()
    assert events.imported.wait(20)
    forks["second"].start()
    assert pausing["second"].wait(20)
    events.end.set()
    for each in forks.values(): each.join()
    assert ended == [0, 0]
    """
    )


@needs_fork
def test_a_fork_looks_again_after_a_pause(tmp_path: Path) -> None:
    """Where another thread is in bpetok, which may begin to import or to log in between."""
    (tmp_path / "ours.py").write_text("import events; events.begun.set(); events.go.wait(20)")
    run_python(
        f"""
    import concurrent.futures.thread, logging, os, sys, threading, types, warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # of fork with threads
    import bpetok
    from bpetok.base import forking
    sys.path.insert(0, {str(tmp_path)!r})
    events = sys.modules["events"] = types.ModuleType("events")
    locks = [logging._lock, concurrent.futures.thread._global_shutdown_lock]
    for code in ("import ours", "take(events.locks[0])", "take(events.locks[1])"):
        events.locks = locks
        events.is_in, events.may, events.begun, events.go = (threading.Event() for _ in range(4))
        def take(lock):
            with lock:
                events.begun.set()
                events.go.wait(20)
        steps = []
        def step(_):
            steps.append(events.begun.is_set())
            if len(steps) == 1:
                events.may.set()
                assert events.begun.wait(20)
            if len(steps) == 3:
                events.go.set()
                thread.join()
        forking.sleep = step
        code = "import events; events.is_in.set(); events.may.wait(20); " + code
        names = {{"__name__": "bpetok.some", "take": take}}
        thread = threading.Thread(target=exec, args=(code, names))
        thread.start()
        assert events.is_in.wait(20)
        child = os.fork()
        if child == 0:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert steps == [False, True, True], (code, steps)
    """
    )


@needs_fork
def test_a_fork_waits_for_the_first_use_of_a_library() -> None:
    """In another thread; not for later ones, nor for one that takes long, as of a network."""
    run_python(
        """
    import os, threading, time, warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # of fork with threads
    import bpetok
    from bpetok.base import forking
    from bpetok.base.importing import first_use
    def fork():
        child = os.fork()
        if child == 0:
            os._exit(bool(ended))
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with first_use("by this thread"):
        ended = []
        assert fork() == 0
    forking.LONGEST_USE = 50
    for n, what in enumerate(["something", "something", "something else"]):
        begun, go, ended = threading.Event(), threading.Event(), []
        def use():
            with first_use(what):
                begun.set()
                go.wait(0.2) if n == 0 else go.wait(20)
                ended.append(1)
        if n == 2:
            forking.LONGEST_USE = 0.1
            pauses = []
            forking.sleep, forking.monotonic = pauses.append, lambda: len(pauses) / 20
        thread = threading.Thread(target=use)
        thread.start()
        assert begun.wait(20)
        assert fork() == (n == 0)
        go.set()
        thread.join()
    assert len(pauses) == 2  # a tenth of a second
    """
    )


def test_threads_of_numpys_blas_soon_sleep() -> None:
    """What is set for them is there while NumPy is imported, and not afterwards."""
    run_python(
        PROGRAM
        + """
    name, seen = "OPENBLAS_THREAD_TIMEOUT", []
    os.environ.pop(name, None)
    Finder("numpy", lambda: seen.append(os.environ.get(name)))
    calls["train"]()
    assert seen == ["24"] and name not in os.environ, seen
    """
    )


def test_a_variable_of_the_users_stays() -> None:
    """It is used as it is."""
    run_python(
        PROGRAM
        + """
    name, seen = "OPENBLAS_THREAD_TIMEOUT", []
    os.environ[name] = "28"
    Finder("numpy", lambda: seen.append(os.environ.get(name)))
    calls["train"]()
    assert seen == ["28"] == [os.environ[name]], seen
    """
    )


@needs_fork
def test_a_fork_waits_as_long_as_modules_come(tmp_path: Path) -> None:
    """However long it takes on a slow machine."""
    (tmp_path / "ours.py").write_text(
        "import events, sys\n"
        "events.begun.set()\n"
        "for n in range(5):\n"
        "    assert events.asked.acquire(timeout=20)\n"
        "    sys.modules[f'part{n}'] = events\n"
    )
    run_python(
        f"""
    import os, sys, threading, types, warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # of fork with threads
    import bpetok
    from bpetok.base import forking
    now = 0
    def step(_, sleep=forking.sleep):
        global now
        now += 20
        events.asked.release()
        while f"part{{now // 20 - 1}}" not in sys.modules and thread.is_alive():
            sleep(0.001)
    forking.sleep, forking.monotonic = step, lambda: now
    sys.path.insert(0, {str(tmp_path)!r})
    events = sys.modules["events"] = types.ModuleType("events")
    events.begun, events.asked = threading.Event(), threading.Semaphore(0)
    thread = threading.Thread(target=exec, args=("import ours", {{"__name__": "bpetok.some"}}))
    thread.start()
    assert events.begun.wait(20)
    child = os.fork()
    if child == 0:
        os._exit("part4" not in sys.modules)
    assert os.waitpid(child, 0)[1] == 0
    thread.join()
    """
    )


@needs_fork
def test_ctrl_c_while_a_fork_waits() -> None:
    """It is raised after the fork, which has waited all the same."""
    run_python(
        ACT_AT_IMPORT
        + """
    import bpetok
    sys.unraisablehook = lambda _: os._exit(9)
    importing, interrupted = threading.Event(), threading.Event()
    from bpetok.base import forking
    def step(_, sleep=forking.sleep):
        if not interrupted.is_set():
            interrupted.set()
            os.kill(os.getpid(), signal.SIGINT)
        sleep(0.001)
    forking.sleep = step
    Finder("bisect", lambda: (importing.set(), interrupted.wait(20), time.sleep(0.1)))
    thread = threading.Thread(target=lambda: bpetok.Tokenizer(merges=[]))
    thread.start()
    importing.wait()
    main, children = os.getpid(), []
    try:
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            bpetok.Tokenizer(merges=[])
            os._exit(0)
        children.append(child)
        time.sleep(20)
    except KeyboardInterrupt:
        assert os.getpid() == main
        assert os.wait()[1] == 0
        thread.join()
    else:
        raise AssertionError("it was not raised")
    """
    )


@needs_fork
def test_a_handler_that_raises_while_a_fork_waits() -> None:
    """Python says so, and nothing stays taken."""
    run_python(
        """
    import os, signal, sys, threading, warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # of fork with threads
    from bpetok.base import forking
    said, forking.sleep = [], lambda _: signal.raise_signal(signal.SIGTERM)
    sys.unraisablehook = lambda error: said.append(error.exc_type)
    def stop(*_):
        raise TimeoutError
    signal.signal(signal.SIGTERM, stop)
    first, second = threading.RLock(), threading.RLock()
    forking.hold_while_forking(first)
    forking.hold_while_forking(second)
    import concurrent.futures.thread, logging  # whose locks the fork has, and gives away meanwhile
    begun, end = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: second.acquire() and begun.set() or end.wait(20))
    thread.start()
    assert begun.wait(20)
    child = os.fork()
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert said and {*said} == {TimeoutError}
    free = threading.Thread(target=lambda: first.acquire() and first.release(), daemon=True)
    free.start()
    free.join(5)
    assert not free.is_alive()
    end.set()
    thread.join()
    """
    )


@needs_fork
def test_ctrl_c_inside_of_a_fork() -> None:
    """It is raised after the fork, which has released what it took."""
    run_python(
        """
    import _thread, logging, os, signal, sys, threading, time, warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # of fork with threads
    sys.unraisablehook = lambda _: os._exit(9)
    signal.alarm(20)
    # Called after a fork, before bpetok: as if Ctrl-C had come while the process was copied.
    os.register_at_fork(after_in_parent=_thread.interrupt_main)
    import bpetok
    from bpetok.base import forking, importing
    try:
        child = os.fork()
        if child == 0:
            os._exit(0)
        time.sleep(20)
    except KeyboardInterrupt:
        assert os.wait()[1] == 0
    else:
        raise AssertionError("it was not raised")
    assert not forking._held
    for lock in (*forking._locks, logging._lock):
        free = threading.Thread(target=lambda: lock.acquire() and lock.release(), daemon=True)
        free.start()
        free.join(5)
        assert not free.is_alive()
    """
    )


@needs_fork
@pytest.mark.parametrize("lock", ["importing._lock", "loading._parallel_lock"])
def test_a_handler_of_a_signal_may_fork(lock: str) -> None:
    """Python calls it in the main thread, which may have a lock that forks wait for."""
    run_python(
        f"""
    import os, signal
    from bpetok.base import importing
    from bpetok.learning import loading
    def fork(*_):
        child = os.fork()
        if child == 0:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    signal.signal(signal.SIGUSR1, fork)
    signal.alarm(20)
    with {lock}:
        os.kill(os.getpid(), signal.SIGUSR1)
    """
    )


@needs_fork
def test_a_handler_of_a_signal_may_fork_while_a_fork_waits() -> None:
    """Each releases what it has taken itself."""
    run_python(
        """
    import os, signal, threading, time, warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    from bpetok.base import forking, importing
    import concurrent.futures.thread  # whose lock the first fork has, and the other takes
    taken, forked = threading.Event(), []
    def work():
        with importing._lock:
            taken.set()
            time.sleep(0.5)
    def fork(*_):
        child = os.fork()
        if child == 0:
            os._exit(0)
        forked.append(os.waitpid(child, 0)[1])
    signal.signal(signal.SIGALRM, fork)
    thread = threading.Thread(target=work)
    thread.start()
    assert taken.wait(20)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    fork()
    thread.join()
    assert forked == [0, 0] and not forking._held
    free = threading.Thread(target=importing._lock.acquire, daemon=True)
    free.start()
    free.join(20)
    assert not free.is_alive()
    """
    )


@needs_fork
def test_forks_in_several_threads_at_once() -> None:
    """Each releases what it has taken, and only that, also when locks come meanwhile."""
    run_python(
        """
    import os, sys, threading, warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    from bpetok.base import forking
    sys.unraisablehook = lambda _: os._exit(9)
    sys.setswitchinterval(1e-5)
    def work():
        for _ in range(5):
            child = os.fork()
            if child == 0:
                free = [threading.Thread(target=lock.__enter__) for lock in forking._locks]
                for thread in free: thread.start()
                for thread in free: thread.join(20)
                os._exit(any(thread.is_alive() for thread in free))
            assert os.waitpid(child, 0)[1] == 0
            forking.hold_while_forking(threading.RLock())
        done.append(True)
    done = []
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads: thread.start()
    for thread in threads: thread.join(80)
    assert len(done) == 3
    assert not forking._held
    """
    )


@needs_fork
def test_forks_while_the_process_ends() -> None:
    """They say nothing on stderr: by then modules are gone."""
    code = """
    import os, sys
    import bpetok
    os.dup2(1, 2)
    class Forks:
        def __del__(self, fork=os.fork, end=os._exit, wait=os.waitpid, write=os.write):
            try:
                child = fork()
            except RuntimeError:  # Python itself refuses it from 3.12 on
                write(1, b"forked")
                return
            if child == 0:
                end(0)
            wait(child, 0)
            write(1, b"forked")
    Forks.self = Forks()  # a cycle, which Python frees when it has emptied sys.modules
    """
    assert run_python(code) == "forked"


def test_a_process_whose_other_thread_imports_threading_first() -> None:
    """Before Python 3.13 threading takes that one for the main thread, as in embedded Python."""
    run_python(
        """
    import sys, _thread
    ended = _thread.allocate_lock()
    ended.acquire()
    done = []
    def work():
        from bpetok.base.importing import whole
        try:
            with whole():
                done.append(True)
        finally:
            ended.release()
    _thread.start_new_thread(work, ())
    ended.acquire()
    assert done
    """
    )
