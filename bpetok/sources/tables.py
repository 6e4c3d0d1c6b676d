"""What is a table, of whatever library; `bpetok.sources.arrow` reads them."""

from __future__ import annotations

from typing import TypeAlias

Table: TypeAlias = object
"""Anything with ``__arrow_c_stream__`` (a pyarrow or Polars table, a pyarrow record batch or reader
...), or a Hugging Face dataset."""


def is_table(source: object) -> bool:
    """Tell whether something gives Arrow record batches, or is a Hugging Face dataset."""
    if isinstance(source, str):  # there may be a million of them
        return False
    if is_dataset(source):
        return True
    return hasattr(source, "__arrow_c_stream__") and not is_column(source)


def is_column(source: object) -> bool:
    """Tell whether something is one column: a Series of pandas or Polars, an Arrow array."""
    kind = type(source)
    return (
        any(hasattr(kind, f"__arrow_c_{what}__") for what in ("stream", "array"))
        and any(hasattr(kind, name) for name in ("dtype", "type"))
        and not any(hasattr(kind, name) for name in ("columns", "schema"))
    )


def is_dataset(source: object) -> bool:
    """Tell whether something is a Hugging Face dataset, or several."""
    return type(source).__module__.partition(".")[0] == "datasets"
