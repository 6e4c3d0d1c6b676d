"""Classes of the extension modules."""

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest

import bpetok

MODULES = sorted(
    f"{path.parent.name}.{path.name.partition('.')[0]}"
    for suffix in ("so", "pyd")
    for path in Path(bpetok.__file__).parent.glob(f"*/*.{suffix}")
)


@pytest.mark.parametrize("name", MODULES)
def test_no_class_takes_a_state_that_nobody_has_checked(name: str) -> None:
    """As Cython has it where it can: a wrong one ended the process."""
    module: Any = importlib.import_module(f"bpetok.{name}")
    for kind in vars(module).values():
        if not inspect.isclass(kind) or kind.__module__ != module.__name__:
            continue
        try:
            new: Any = kind.__new__(kind)
        except TypeError:  # it needs arguments
            continue
        if hasattr(new, "__setstate_cython__"):
            with pytest.raises(TypeError, match="no default __reduce__"):
                new.__setstate_cython__("a")
