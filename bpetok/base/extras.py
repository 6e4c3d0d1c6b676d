"""Libraries that only some features need: imported when they are needed."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any


class MissingExtraError(ImportError):
    """A library that a feature needs is not installed; the message says what installs it."""


def require(module: str, extra: str) -> Any:
    """Return a module that the extra `extra` installs.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    from bpetok.base.importing import import_whole  # takes 4 ms, which encoding does without

    try:
        return import_whole(module)
    except ModuleNotFoundError as error:
        library = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != library:
            raise
        raise MissingExtraError(
            f"{library} is needed for this and not installed: pip install 'bpetok[{extra}]'"
        ) from None


def importing_whole() -> AbstractContextManager[None]:
    """Return `importing.whole()`, for an import statement of what may import NumPy."""
    from bpetok.base.importing import whole

    return whole()


def require_pyarrow(extra: str) -> Any:
    """Return pyarrow, to make arrays with it: see `load_pandas`."""
    pyarrow = require("pyarrow", extra)
    load_pandas()
    return pyarrow


@cache
def load_pandas() -> None:
    """Let pyarrow look for pandas, which it does when it first makes an array: whole, too.

    Where pandas is installed that takes 0.26 s and 40 MB, and reading rarely needs it.
    """
    import pyarrow as pa

    from bpetok.base.importing import whole

    with whole():
        pa.array([])


@cache
def load_numpy() -> None:
    """Import NumPy, before a function does that might be the first: whole, see `import_whole`."""
    from bpetok.base.importing import import_whole

    import_whole("numpy")
