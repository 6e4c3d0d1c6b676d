"""Errors that name the file."""

from __future__ import annotations


def changed_error(path: str) -> OSError:
    """Return the error for a file that is not what it was."""
    return OSError(f"{path} changed while it was read: what was read of it is of no use")


def damaged_error(path: str, error: object) -> ValueError:
    """Return the error for a file that can't be decompressed or parsed."""
    return ValueError(f"{path} is damaged or not whole: {error}")
