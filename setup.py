"""Builds the extension modules; everything else stands in pyproject.toml.

``BPETOK_DEBUG=1`` at build time turns Cython's checks of bounds and division on and most of
the optimiser off. Both kinds of build share their place in the source tree, so going from one to
the other there takes ``python setup.py build_ext --inplace --force``.
"""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("BPETOK_DEBUG", "0") not in ("", "0")
BUILD_FOLDER = "build/debug" if DEBUG else "build/release"

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

# No -march=native: a wheel must run on any machine of its platform.
if sys.platform == "win32":
    COMPILE_ARGS = ["/Od"] if DEBUG else ["/O2"]
else:
    COMPILE_ARGS = ["-O1", "-g"] if DEBUG else ["-O3"]

setup(
    ext_modules=cythonize(
        [
            Extension(
                ".".join(path.with_suffix("").parts),
                [path.as_posix()],
                include_dirs=["bpetok/base", "bpetok/patterns"],
                extra_compile_args=COMPILE_ARGS,
            )
            for path in sorted(Path("bpetok").rglob("*.pyx"))
        ],
        compiler_directives=DIRECTIVES,
        # The C files are no part of what tells the two kinds of build apart, so each kind has its
        # own.
        build_dir=f"{BUILD_FOLDER}/cython",
    ),
    options={"build": {"build_base": BUILD_FOLDER}},
)
