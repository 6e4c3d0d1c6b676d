"""Libraries that only some features need, and what to install for them."""

from __future__ import annotations

from importlib import import_module
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
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        library = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != library:
            raise
        raise MissingExtraError(
            f"{library} is needed for this and not installed: pip install 'bpetok[{extra}]'"
        ) from None
