"""A build that is older than its sources is an error, not a wrong result."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import bpetok
from bpetok.base.built_from import check_built_from, check_sum

ROOT = Path(__file__).parents[2]
PACKAGE = Path(bpetok.__file__).parent
MODULES = {
    path: f"{path.parent.name}.{path.name.partition('.')[0]}"
    for path in sorted([*PACKAGE.glob("*/*.so"), *PACKAGE.glob("*/*.pyd")])
}
IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module("bpetok." + name)
    except ImportError as error:
        print(error)
"""

needs_sources = pytest.mark.skipif(
    not (ROOT / "setup.py").exists() or not (ROOT / "bpetok" / "base" / "utf8.pyx").exists(),
    reason="needs the sources",
)


def imported(folder: Path, environment: dict[str, str], *names: str) -> str:
    """Return what a process says that imports modules of the copy in a folder."""
    command = [sys.executable, "-W", "error", "-c", IMPORT, *names]
    environment = environment | {"PYTHONPATH": str(folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of the package, with its sources beside it."""
    copy = tmp_path / "bpetok"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for source in (ROOT / "bpetok").rglob("*"):
        if source.suffix in (".pyx", ".pxd", ".h"):
            shutil.copy(source, copy / source.relative_to(ROOT / "bpetok"))
    return copy


@needs_sources
def test_each_module_is_compared_with_its_sources(
    checkout: Path, environment: dict[str, str]
) -> None:
    """Those of the same sources are imported; then each .pyx is another."""
    names = [name for name in MODULES.values() if name != "base.cython_shared"]  # Cython's own
    assert {path.parent.name + "." + path.stem for path in checkout.rglob("*.pyx")} == {*names}
    assert imported(checkout.parent, environment, *names) == ""
    for path in checkout.rglob("*.pyx"):
        path.write_bytes(path.read_bytes() + b"\n")
    said = imported(checkout.parent, environment, *names).splitlines()
    assert len(said) == len(names)
    assert all("was built from other sources than those in" in line for line in said)


@needs_sources
@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("patterns/scan.pyx", "patterns.scan"),
        ("encoding/ranks.pxd", "encoding.encoder"),
        ("base/simd.h", "formats.token_merges"),
        ("patterns/normal.h", "patterns.normalize"),  # by another header
        ("learning/kernels.py", "learning.machine_code"),
        ("learning/arrays.py", "learning.pairs"),
    ],
)
def test_all_that_a_module_is_made_of(
    source: str, module: str, checkout: Path, environment: dict[str, str]
) -> None:
    """What it includes, too; the message names it, and says what to do."""
    path = checkout / source
    path.write_bytes(path.read_bytes() + b"\n")
    said = imported(checkout.parent, environment, module)
    assert f"was built from other sources than those in {checkout}: {source};" in said
    assert "python setup.py build_ext --inplace`" in said


def test_without_sources_there_is_nothing_to_compare(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """As where the package is installed; its Python is compared there, too."""
    copy = tmp_path / "bpetok"
    ignored = shutil.ignore_patterns("*.pyx", "*.pxd", "*.h", "__pycache__")
    shutil.copytree(PACKAGE, copy, ignore=ignored)
    names = [*MODULES.values()]
    assert imported(tmp_path, environment, *names) == ""
    kernels = copy / "learning" / "kernels.py"
    kernels.write_text(kernels.read_text() + "\n")
    assert "learning/kernels.py;" in imported(tmp_path, environment, *names)
    kernels.unlink()
    assert imported(tmp_path, environment, "learning.machine_code", "learning.pairs") == ""


def test_what_a_module_holds() -> None:
    """The kind of build, then names and sums."""
    for path, name in MODULES.items():
        own = name.replace(".", "/") + ".pyx "
        assert name == "base.cython_shared" or f" {own}".encode() in path.read_bytes()
    here = "learning/kernels.py"
    check_built_from("a", f"release {here} {check_sum(str(PACKAGE / here))} none.py 00000000")
    with pytest.raises(ImportError, match=r"^a was built from other sources"):
        check_built_from("a", f"release {here} 00000000")


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return setup.py as a module."""
    pytest.importorskip("Cython")
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))
    spec = importlib.util.spec_from_file_location("setup_of_bpetok", ROOT / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@needs_sources
def test_what_was_built_from_other_sources_is_built_again(
    build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Times of files say nothing of it: all here are newer than the sources."""
    monkeypatch.setattr(build, "BUILD_FOLDER", str(tmp_path))
    source = Path("bpetok/learning/machine_code.pyx")
    built, kernels = tmp_path / "machine_code.so", tmp_path / "kernels.o"
    in_c = tmp_path / "cython" / source.with_suffix(".c")
    in_c.parent.mkdir(parents=True)
    copied = tmp_path / "cython" / "bpetok" / "base" / "built_from.pxd"  # as of headers
    copied.parent.mkdir(parents=True)
    command = build.BuildWithKernels(importlib.import_module("setuptools").Distribution())
    command.build_temp = str(tmp_path)
    command.get_ext_fullpath = lambda name: str(built)

    def stay(content: str) -> tuple[bool, bool, bool]:
        paths = (built, in_c, kernels, copied)
        for path in paths:
            path.write_text(content)
        ext = build.extension(source)
        command.remove_stale(ext)
        assert str(header.parent) in ext.include_dirs
        assert "bpetok/learning/kernels.py" in ext.depends
        assert copied.exists() == in_c.exists()
        return built.exists(), in_c.exists(), kernels.exists()

    header = tmp_path / "built_from" / "bpetok.learning.machine_code" / "built_from.h"
    assert stay("of a time without sums") == (False, False, False)
    _, text, _ = header.read_text().split('"')
    assert text.split()[0] in ("debug", "release")
    assert text.split()[1] == "learning/machine_code.pyx"
    assert stay(f"machine code \0{text}\0") == (True, True, True)
    assert stay("machine code \0release learning/machine_code.pyx 00000000\0") == (
        False,
        True,
        True,
    )
    header.write_text(header.read_text().replace("kernels.py ", "kernels.py 0"))
    assert stay(text) == (True, False, False)
