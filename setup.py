"""Builds the extension modules; everything else is in pyproject.toml.

``BPETOK_DEBUG=1`` at build time turns Cython's checks of bounds and division on and most of
the optimiser off. Both kinds of build share their place in the source tree, so going from one to
the other there takes ``python setup.py build_ext --inplace --force``.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.modified import newer_group

sys.path.insert(0, str(Path(__file__).parent))  # which pip leaves out

from bpetok.learning import arrays, kernel_sources  # see above

DEBUG = os.environ.get("BPETOK_DEBUG", "0") not in ("", "0")
BUILD_FOLDER = "build/debug" if DEBUG else "build/release"
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
KERNEL_SOURCES = [f"bpetok/learning/{path.name}" for path in kernel_sources.SOURCES]
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
            ext.sources, ext.depends = in_c.sources, in_c.depends
        # What takes longest comes first, so that all processors end together: the kernels, then
        # modules by their size.
        self.extensions.sort(key=lambda ext: Path(ext.sources[0]).stat().st_size, reverse=True)
        self.extensions.sort(key=lambda ext: ext.name != MACHINE_CODE)
        super().run()

    def build_extension(self, ext: Extension) -> None:
        """Build a module, with the kernels first if it is theirs."""
        if ext.name == MACHINE_CODE:
            kernels = Path(self.build_temp, "kernels.obj" if os.name == "nt" else "kernels.o")
            if self.force or newer_group([*KERNEL_SOURCES, KERNEL_COMPILER], str(kernels)):
                kernels.parent.mkdir(parents=True, exist_ok=True)
                subprocess.run([sys.executable, KERNEL_COMPILER, kernels], check=True)
            ext.extra_objects = [str(kernels)]
        super().build_extension(ext)


def extension(path: Path) -> Extension:
    """Return the extension module of a .pyx file."""
    name = ".".join(path.with_suffix("").parts)
    macros: list[tuple[str, str | None]] = []
    depends = []
    if path.parent.name == "learning":
        macros += [("BPETOK_BLOCK_BITS", str(arrays.BLOCK_BITS))]
        macros += [("BPETOK_FILTER_BITS", str(arrays.FILTER_BITS))]
        depends += KERNEL_SOURCES
    if name == MACHINE_CODE:
        macros += [("BPETOK_KERNEL_SOURCES", f"{kernel_sources.digest()}u")]
        depends += [KERNEL_COMPILER]
    return Extension(
        name,
        [path.as_posix()],
        include_dirs=["bpetok/base", "bpetok/patterns"],
        define_macros=macros,
        depends=depends,
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
