import os
from pathlib import Path

import pytest
from hypothesis import settings

import bpetok

# A shared machine can be slow for a moment; what takes long is seen in pytest --durations.
settings.register_profile("bpetok", deadline=None)
settings.load_profile("bpetok")


@pytest.fixture(scope="session", autouse=True)
def _outside_of_the_source_tree(tmp_path_factory):
    """Let processes that a test starts import the bpetok under test, never the source tree's."""
    before = Path.cwd()
    os.environ["PYTHONPATH"] = str(Path(bpetok.__file__).parents[1])
    os.chdir(tmp_path_factory.mktemp("elsewhere"))
    yield
    os.chdir(before)


@pytest.fixture(scope="session")
def environment():
    """Environment variables for a process that is to import the bpetok under test."""
    return dict(os.environ)
