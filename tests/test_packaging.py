"""All that is imported is declared, and the installed package does what `smoke` tries."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from documents import ROOT

tomllib = pytest.importorskip("tomllib", reason="Python 3.10 does not read TOML")

PACKAGE = ROOT / "bpetok"
BUILD = (ROOT / "setup.py", ROOT / "compile_kernels.py")
CLUSTERS = {"dask", "ray"}
FOR_DEVELOPERS = {"test"}
# They print headers and modules of the package from Unicode's tables, for its developers.
GENERATORS = {PACKAGE / "patterns" / name for name in ("generate_unicode.py", "generate_normal.py")}
IMPORT_IN_CYTHON = re.compile(r"^\s*(?:from\s+(\w+)[\w.]*\s+import\s|import\s+(\w+))", re.MULTILINE)

pytestmark = pytest.mark.skipif(not PACKAGE.exists(), reason="the sources are not here")


def name_of(requirement: str) -> str:
    """Return the distribution of a requirement, in lower case."""
    name = re.match(r"[\w-]+", requirement)
    assert name, requirement
    return name[0].replace("-", "_").lower()


@pytest.fixture(scope="module")
def project() -> Any:
    """Return pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def extras(project: Any) -> dict[str, set[str]]:
    """Return the distributions of each extra, those of other extras that it names included."""
    declared: dict[str, list[str]] = project["project"]["optional-dependencies"]

    def resolved(requirements: list[str]) -> Iterator[str]:
        for requirement in requirements:
            if named := re.fullmatch(r"bpetok\[(.*)\]", requirement):
                for extra in named[1].split(","):
                    yield from resolved(declared[extra])
            else:
                yield name_of(requirement)

    return {extra: set(resolved(requirements)) for extra, requirements in declared.items()}


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the (library, module) pairs that a file imports when it runs, not only for types."""
    source = path.read_text("utf-8")
    if path.suffix == ".pyx":
        for names in IMPORT_IN_CYTHON.findall(source):
            yield "".join(names), "".join(names)
        return
    nodes: list[ast.AST] = [ast.parse(source)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            nodes += node.orelse
            continue
        nodes += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for module in modules:
            yield module.partition(".")[0], module


def third_party(path: Path) -> set[str]:
    """Return the libraries that a file imports."""
    own = {"bpetok", *sys.stdlib_module_names}
    return {library.lower() for library, _ in imports(path) if library not in own}


def test_what_is_imported_is_declared(project: Any, extras: dict[str, set[str]]) -> None:
    declared = {name_of(requirement) for requirement in project["project"]["dependencies"]}
    declared |= set().union(*(extras[extra] for extra in extras.keys() - FOR_DEVELOPERS))
    paths = [path for path in PACKAGE.rglob("*.py*") if path.suffix in (".py", ".pyx")]
    assert len(paths) > 100
    for path in set(paths) - GENERATORS:
        assert third_party(path) <= declared, path
    for path in GENERATORS:
        assert third_party(path) <= declared | extras["test"], path


def test_what_an_error_tells_to_install_brings_the_library(extras: dict[str, set[str]]) -> None:
    required = []
    for path in PACKAGE.rglob("*.py"):
        required += re.findall(r'\brequire\("([\w.]+)", "(\w+)"\)', path.read_text("utf-8"))
    assert len(required) > 10
    for module, extra in required:
        assert module.partition(".")[0] in extras[extra]


def test_the_build_requires_what_it_imports(project: Any) -> None:
    declared = {name_of(requirement) for requirement in project["build-system"]["requires"]}
    paths = list(BUILD)
    for path in paths:  # which grows
        assert third_party(path) <= declared, path
        for library, module in imports(path):
            for name in (module, module.rpartition(".")[0]):
                file = ROOT / f"{name.replace('.', '/')}.py"
                if library == "bpetok" and file.exists() and file not in paths:
                    paths.append(file)
    assert PACKAGE / "learning" / "kernels.py" in paths


def test_all_processors_compile_whatever_setuptools_forgets() -> None:
    """An editable install initialises the command again, without the options of setup()."""
    program = (
        "import os, setup, setuptools\n"
        "command = setup.BuildWithKernels(setuptools.Distribution())\n"
        "command.ensure_finalized()\n"
        "assert command.parallel == os.cpu_count(), command.parallel\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_all_is_every_extra_that_is_no_cluster(extras: dict[str, set[str]]) -> None:
    others = extras.keys() - CLUSTERS - FOR_DEVELOPERS - {"all"}
    assert extras["all"] == set().union(*(extras[extra] for extra in others))


@pytest.mark.parametrize("options", [[], ["-O"]])
def test_smoke(options: list[str], tmp_path: Path) -> None:
    command = [sys.executable, *options, str(ROOT / "tests" / "smoke.py")]
    environment = {name: value for name, value in os.environ.items() if name != "HOME"}
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    assert " works" in result.stdout
