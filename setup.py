"""Builds the extension modules; everything else is in pyproject.toml.

``BPETOK_DEBUG=1`` at build time turns Cython's checks of bounds and division on and most of
the optimiser off. Both kinds of build share their place in the source tree: each builds anew what
the other one left there.
"""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

from Cython.Build import cythonize
from Cython.Build.Dependencies import create_dependency_tree
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.modified import newer_group

sys.path.insert(0, str(Path(__file__).parent))  # which pip leaves out

from bpetok.base.built_from import check_sum  # see above
from bpetok.learning import arrays  # see above

DEBUG = os.environ.get("BPETOK_DEBUG", "0") not in ("", "0")
KIND = "debug" if DEBUG else "release"
BUILD_FOLDER = f"build/{KIND}"
N_CPUS = os.cpu_count() or 1

# One set of directives for all modules: a module must not differ from its neighbours in what it
# checks.
DIRECTIVES = {
    "language_level": 3,
    "embedsignature": True,
    "boundscheck": DEBUG,
    "wraparound": False,
    "cdivision": not DEBUG,
    "initializedcheck": DEBUG,
}

# No -march=native: a wheel must run on any machine of its platform. Python's own flags have a -g,
# which makes what is built four times as large.
if sys.platform == "win32":
    COMPILE_ARGS = ["/Od"] if DEBUG else ["/O2"]
else:
    COMPILE_ARGS = ["-O1", "-g"] if DEBUG else ["-O3", "-g0"]

if sys.platform == "darwin":
    # A Python for two kinds of processors builds for both, but Numba compiles for this one.
    os.environ.setdefault("ARCHFLAGS", f"-arch {platform.machine()}")

# Makes views, which is no work, in the largest file but one: half of the time with -O1.
SHARED_ARGS = COMPILE_ARGS if sys.platform == "win32" else [*COMPILE_ARGS, "-O1"]

KERNEL_COMPILER = "compile_kernels.py"
KERNEL_SOURCES = [f"bpetok/learning/{name}.py" for name in ("kernels", "arrays", "signatures")]
MACHINE_CODE = "bpetok.learning.machine_code"
# Cython's code for typed memoryviews, once instead of in each of the modules that have them: half
# of the time of a build, and half of the size of what is built. Cython writes it.
SHARED = "bpetok.base.cython_shared"


class BuildWithKernels(build_ext):
    """Translates all modules first; compiles the Numba kernels, too, and links them to theirs."""

    def finalize_options(self) -> None:
        """Compile on all processors: an editable install forgets what setup() says of it."""
        super().finalize_options()
        self.parallel = self.parallel or N_CPUS

    def run(self) -> None:
        """Translate to C, in processes: here, since an sdist or metadata need no C."""
        for ext in self.extensions:
            if ext.name != SHARED:
                self.remove_stale(ext)
        translated = cythonize(
            self.extensions,
            compiler_directives=DIRECTIVES,
            nthreads=N_CPUS,
            # The C files are no part of what tells the two kinds of build apart, so each kind has
            # its own.
            build_dir=f"{BUILD_FOLDER}/cython",
            shared_utility_qualified_name=SHARED,
        )
        for ext, in_c in zip(self.extensions, translated, strict=True):
            ext.sources = in_c.sources
        # What takes longest comes first, so that all processors end together: the kernels, then
        # modules by their size.
        self.extensions.sort(key=lambda ext: Path(ext.sources[0]).stat().st_size, reverse=True)
        self.extensions.sort(key=lambda ext: ext.name != MACHINE_CODE)
        super().run()

    def remove_stale(self, ext: Extension) -> None:
        """Remove what was built from other sources, by their sums: times lie once it was copied.

        Leaves a header that tells the module what it is built from: `bpetok/base/built_from.pxd`.
        """
        (source,) = ext.sources
        names = sources_of(source)
        sums = " ".join(f"{Path(name).relative_to('bpetok').as_posix()} {check_sum(name)}"
                        for name in names)  # fmt: skip
        built_from = f"{KIND} {sums}"
        built = Path(self.get_ext_fullpath(ext.name))
        if built.exists() and built_from.encode() not in built.read_bytes():
            built.unlink()
        header = Path(BUILD_FOLDER, "built_from", ext.name, "built_from.h")
        text = f'#define BPETOK_BUILT_FROM "{built_from}"\n'
        if not header.exists() or header.read_text() != text:
            Path(BUILD_FOLDER, "cython", source).with_suffix(".c").unlink(missing_ok=True)
            for name in names:  # of headers Cython has copies, which it renews by their times
                Path(BUILD_FOLDER, "cython", name).unlink(missing_ok=True)
            if ext.name == MACHINE_CODE:
                self.kernels.unlink(missing_ok=True)
            header.parent.mkdir(parents=True, exist_ok=True)
            header.write_text(text)
        ext.include_dirs.append(str(header.parent))
        ext.depends += names

    @property
    def kernels(self) -> Path:
        """Where the kernels are compiled to."""
        return Path(self.build_temp, "kernels.obj" if os.name == "nt" else "kernels.o")

    def build_extension(self, ext: Extension) -> None:
        """Build a module, with the kernels first if it is theirs."""
        if ext.name == MACHINE_CODE:
            if self.force or newer_group([*KERNEL_SOURCES, KERNEL_COMPILER], str(self.kernels)):
                self.kernels.parent.mkdir(parents=True, exist_ok=True)
                subprocess.run([sys.executable, KERNEL_COMPILER, self.kernels], check=True)
            ext.extra_objects = [str(self.kernels)]
        super().build_extension(ext)


def sources_of(path: str) -> list[str]:
    """Return the files that the extension module of a .pyx file is made of, itself first."""
    tree = create_dependency_tree()
    found = {name for name in map(relative, tree.all_dependencies(path)) if name is not None}
    headers = {header.name: header.as_posix() for header in Path("bpetok").rglob("*.h")}
    waiting = sorted(found)
    while waiting:  # headers are included by .pyx, .pxd and other headers
        text = Path(waiting.pop()).read_text(encoding="utf-8")
        for name in re.findall(r'^\s*(?:cdef extern from|#\s*include) "(.*)"', text, re.MULTILINE):
            header = headers.get(name)
            if header is not None and header not in found:
                found.add(header)
                waiting.append(header)
    if path.startswith("bpetok/learning/"):
        found |= {*KERNEL_SOURCES}
    return [path, *sorted(found - {path})]


def relative(name: str) -> str | None:
    """Return the name of a file from here, with slashes; None if it is not of the package."""
    path = Path(os.path.relpath(name))
    return path.as_posix() if path.parts[0] == "bpetok" else None


def extension(path: Path) -> Extension:
    """Return the extension module of a .pyx file."""
    name = ".".join(path.with_suffix("").parts)
    macros: list[tuple[str, str | None]] = []
    if path.parent.name == "learning":
        macros += [("BPETOK_BLOCK_BITS", str(arrays.BLOCK_BITS))]
        macros += [("BPETOK_FILTER_BITS", str(arrays.FILTER_BITS))]
    return Extension(
        name,
        [path.as_posix()],
        include_dirs=["bpetok/base", "bpetok/patterns"],
        define_macros=macros,
        depends=[KERNEL_COMPILER] if name == MACHINE_CODE else [],
        extra_compile_args=COMPILE_ARGS,
    )


if __name__ == "__main__":  # the processes that cythonize starts import this file, too
    setup(
        ext_modules=[
            *(extension(path) for path in sorted(Path("bpetok").rglob("*.pyx"))),
            Extension(SHARED, ["bpetok/base/cython_shared.c"], extra_compile_args=SHARED_ARGS),
        ],
        cmdclass={"build_ext": BuildWithKernels},
        options={"build": {"build_base": BUILD_FOLDER}},
    )
