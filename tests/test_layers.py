"""Imports run one way: no stage imports a later one, and no files import each other in a circle.

Imports inside functions and those for types only count as well. `import-linter` checks the stages
of Python files, by the contracts in pyproject.toml; compiled modules, which it does not see, are
read here.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from documents import ROOT

PACKAGE = ROOT / "bpetok"
SUFFIXES = {".py", ".pyi", ".pyx", ".pxd"}
CYTHON_IMPORT = re.compile(
    r"^\s*(?:from\s+(bpetok[\w.]*)\s+c?import\s+\(?([\w, ]*)|c?import\s+(bpetok[\w.]*))",
    re.MULTILINE,
)
# A declaration and a type stub are part of their module.
FILES = {
    path: ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(PACKAGE.rglob("*"))
    if path.suffix in SUFFIXES
}
MODULES = set(FILES.values())

pytestmark = pytest.mark.skipif(not PACKAGE.exists(), reason="the sources are not here")


def imported(path: Path) -> Iterator[str]:
    """Yield the modules of bpetok that a file imports, wherever in it."""
    source = path.read_text("utf-8")
    if path.suffix in (".pyx", ".pxd"):
        for package, names, module in CYTHON_IMPORT.findall(source):
            yield from resolved(package or module, [name.strip() for name in names.split(",")])
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from resolved(alias.name, [])
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            yield from resolved(node.module or "", [alias.name for alias in node.names])


def resolved(package: str, names: list[str]) -> Iterator[str]:
    """Yield what ``from package import names`` loads: its submodules, otherwise itself."""
    if package.partition(".")[0] != "bpetok":
        return
    submodules = [f"{package}.{name}" for name in names if f"{package}.{name}" in MODULES]
    yield from submodules
    if len(submodules) < len(names) or not names:
        yield package


def graph() -> dict[str, set[str]]:
    """Return the modules that each module imports."""
    arrows: dict[str, set[str]] = {module: set() for module in MODULES}
    for path, module in FILES.items():
        arrows[module] |= set(imported(path)) - {module}
    return arrows


def test_the_walk_sees_imports_of_every_kind() -> None:
    """For types only, inside functions, and by compiled modules."""
    arrows = graph()
    assert "bpetok.training.train" in arrows["bpetok"]  # for types only
    assert "bpetok.showing.plots" in arrows["bpetok.showing.report_page"]  # inside a function
    assert "bpetok.patterns.scan" in arrows["bpetok.encoding.encoder"]  # cimport
    assert all(target in MODULES for targets in arrows.values() for target in targets)


def test_no_files_import_each_other_in_a_circle() -> None:
    """A circle would raise a CycleError that names it."""
    TopologicalSorter(graph()).prepare()


def test_no_stage_imports_a_later_one() -> None:
    """As pyproject.toml says: `lint-imports` by hand shows the same."""
    pytest.importorskip("importlinter")
    program = "from importlinter.cli import lint_imports_command as run; run()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_compiled_modules_follow_the_stages() -> None:
    """They import the same folder or one that comes before."""
    stages = ["base", "patterns", "sources", "counting", ("learning", "encoding"), "formats"]
    place = {
        folder: number
        for number, stage in enumerate(stages)
        for folder in ([stage] if isinstance(stage, str) else stage)
    }
    for path, module in FILES.items():
        if path.suffix in (".pyx", ".pxd"):
            own = module.split(".")[1]
            for target in imported(path):
                other = target.split(".")[1]
                assert other == own or place[other] < place[own], f"{path} imports {target}"


@pytest.mark.parametrize("path", [p for p in FILES if p.suffix == ".py"], ids=FILES.get)
def test_no_cached_property(path: Path) -> None:
    """Before Python 3.12 each has a lock, which a child that is forked meanwhile would wait for."""
    names = {
        getattr(node, "attr", None) or getattr(node, "id", None)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
    }
    assert "cached_property" not in names
