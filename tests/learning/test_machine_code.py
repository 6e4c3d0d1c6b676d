"""Compiled kernels are kept, and run without Numba."""

import ctypes
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bpetok.learning import compile, machine_code
from bpetok.learning.machine_call import Entry
from bpetok.learning.machine_code import Kernels, kernels

CODE = """
import bpetok, sys
print(bpetok.train_from_iterator(["abab ab"], vocab_size=258).merges, "numba" in sys.modules)
"""
MERGES = "[(b'a', b'b'), (b' ', b'ab')]"


def train(environment: dict[str, str], folder: Path | str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CODE],
        env={**environment, "NUMBA_CACHE_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_what_was_compiled_runs_without_numba(tmp_path: Path, environment: dict[str, str]) -> None:
    """In the first process Numba compiles, in the second one nothing of it is imported."""
    folder = tmp_path / "made" / "here"
    assert train(environment, folder) == f"{MERGES} True"
    assert train(environment, folder) == f"{MERGES} False"
    assert len(list(folder.glob("*.o"))) == 1


def test_where_nothing_can_be_kept(tmp_path: Path, environment: dict[str, str]) -> None:
    """The kernels are compiled for the process alone."""
    (tmp_path / "file").touch()
    assert train(environment, tmp_path / "file" / "folder") == f"{MERGES} True"


@pytest.mark.parametrize("setting", [{"NUMBA_BOUNDSCHECK": "1"}, {"NUMBA_OPT": "0"}])
def test_code_that_calls_numba_is_not_kept(
    tmp_path: Path, environment: dict[str, str], setting: dict[str, str]
) -> None:
    """Nothing of it would be found by a process without Numba."""
    assert train({**environment, **setting}, tmp_path) == f"{MERGES} True"
    assert train(environment, tmp_path) == f"{MERGES} True"
    assert train(environment, tmp_path) == f"{MERGES} False"


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The machine code, as it was kept for these tests; compiling gives it again, at once."""
    monkeypatch.delenv("NUMBA_DISABLE_JIT", raising=False)
    kernels()
    code = machine_code._kept(machine_code._paths())
    assert code is not None
    return code


@pytest.mark.parametrize("damage", [b"", b"half", None])
def test_a_damaged_file_is_not_used(
    code: bytes, damage: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But written anew: LLVM ends the process where what it links is no whole object file."""
    n_compiled = 0

    def compiled(*_: object) -> tuple[bytes, bool]:
        nonlocal n_compiled
        n_compiled += 1
        return code, True

    monkeypatch.setattr(compile, "compile_kernels", compiled)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    (path,) = machine_code._paths()
    kernels.__wrapped__()
    whole = path.read_bytes()
    assert n_compiled == 1
    path.write_bytes(whole[:-1] if damage is None else damage)
    kernels.__wrapped__()
    assert n_compiled == 2
    kernels.__wrapped__()
    assert n_compiled == 2
    assert path.read_bytes() == whole


def test_what_the_code_depends_on_is_in_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The processor, the compiler and the sources."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    names = {*machine_code._paths()}
    with monkeypatch.context() as patch:
        patch.setattr("bpetok.learning.machine_code.llvm.get_host_cpu_name", lambda: "another")
        names.update(machine_code._paths())
    with monkeypatch.context() as patch:
        patch.setattr(machine_code, "_cpu_features", lambda: "+another")
        names.update(machine_code._paths())
    with monkeypatch.context() as patch:
        patch.setattr("bpetok.learning.machine_code.llvmlite.__version__", "another")
        names.update(machine_code._paths())
    with monkeypatch.context() as patch:
        patch.setattr(machine_code, "SOURCES", ("kernels.py",))
        names.update(machine_code._paths())
    assert len(names) == 5
    monkeypatch.setattr(machine_code, "SOURCES", ("absent.py",))
    assert machine_code._paths() == []


def test_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the sources, else in the user's cache; none where there is no home."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    here = Path(machine_code.__file__).parent / "__pycache__"
    assert [path.parent for path in machine_code._paths()] == [here, tmp_path / "bpetok"]
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert [path.parent for path in machine_code._paths()] == [here]


def test_arguments_as_a_kernel_finds_them() -> None:
    """Integers, NumPy's too, as they are; arrays as their address and their length."""
    found: list[list[int]] = []
    callback = ctypes.CFUNCTYPE(None, ctypes.POINTER(ctypes.c_int64))
    function = callback(lambda numbers: found.append(numbers[:7]))
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    arrays = np.zeros(3, np.int32), np.zeros(0, np.int64)
    Entry(address, function)(-5, np.int64(7), True, arrays)
    places = [array.ctypes.data for array in arrays]
    assert found == [[-5, 7, 1, places[0], 3, places[1], 0]]


def test_arguments_that_a_kernel_can_t_take() -> None:
    """They are refused before it is called."""
    entry = Entry(0, None)
    constant = np.zeros(4)
    constant.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        entry((constant,))
    with pytest.raises(ValueError, match="at most 128"):
        entry(*range(129))
    with pytest.raises((ValueError, BufferError), match="contiguous"):
        entry((np.zeros((4, 4))[:, 0],))
    with pytest.raises(OverflowError):
        entry(1 << 63)
    with pytest.raises(TypeError, match="float"):
        entry(1.0)


def test_all_kernels_have_entries() -> None:
    """They are called as the functions of the same names."""
    assert all(isinstance(entry, Entry) for entry in kernels())
    assert Kernels._fields == ("index_pairs_shard", "apply_shard")
