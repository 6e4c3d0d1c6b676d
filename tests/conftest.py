import importlib.util
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import bpetok


def _import_beside(name: str) -> None:
    """Import it without the checkout on sys.path, which would hide the installed bpetok."""
    folder = Path(__file__).resolve().parents[1] / name
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    spec.loader.exec_module(package)


for _name in ("benchmarks", "campaigns"):
    _import_beside(_name)

# A shared machine can be slow for a moment, also while Hypothesis draws inputs, which it would
# call a failure; what takes long is seen in pytest --durations. The same inputs in each run: the
# campaigns draw others.
settings.register_profile(
    "bpetok", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("bpetok")


# A shell ignores Ctrl-C in what it starts in the background, and nohup the end of a terminal; what
# the tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def _outside_of_the_source_tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let processes that a test starts import the bpetok under test, never the source tree's."""
    before = Path.cwd()
    os.environ["PYTHONPATH"] = str(Path(bpetok.__file__).parents[1])
    os.chdir(tmp_path_factory.mktemp("elsewhere"))
    yield
    os.chdir(before)


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Environment variables for a process that is to import the bpetok under test."""
    return dict(os.environ)
