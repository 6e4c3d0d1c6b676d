"""Whether the extension modules were built from the sources that lie next to them.

Where they were not, as after a build was copied from another checkout, results would be those of
the old sources, without a word. Each module holds the names of its sources with a check sum of
each, put there by setup.py, and compares them when it is imported (`built_from.pxd`). An installed
package has only the sources that are Python.
"""

from __future__ import annotations

import os

# Without pathlib, which takes 3 ms to import.
_PACKAGE = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120
_HAS_SOURCES = os.path.exists(f"{_PACKAGE}/base/utf8.pyx")  # noqa: PTH110
_sums: dict[str, str] = {}


def check_sum(path: str) -> str:
    """Return a few characters that change with a file.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    """
    from zlib import crc32

    file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))  # a third of the time of open()
    try:
        return f"{crc32(os.read(file, os.fstat(file).st_size)):08x}"
    finally:
        os.close(file)


def check_built_from(module: str, sources: str) -> None:
    """Refuse a module that was built from other sources than those that are there.

    Parameters
    ----------
    module : str
        Its name.
    sources : str
        "KIND NAME SUM NAME SUM ...": the kind of build; names are relative to the package.

    Raises
    ------
    ImportError
        If a source that is there has another sum. Sources that are not there are not compared.
    """
    words = sources.split()
    changed = []
    for name, built in zip(words[1::2], words[2::2], strict=True):
        if not _HAS_SOURCES and not name.endswith(".py"):
            continue
        if name not in _sums:
            try:
                _sums[name] = check_sum(f"{_PACKAGE}/{name}")
            except FileNotFoundError:
                _sums[name] = ""
        if _sums[name] not in ("", built):
            changed.append(name)
    if changed:
        raise ImportError(
            f"{module} was built from other sources than those in {_PACKAGE}: "
            f"{', '.join(changed)}; build bpetok again, in a source tree with `python setup.py "
            "build_ext --inplace`, otherwise with `pip install --force-reinstall --no-deps bpetok`"
        )
