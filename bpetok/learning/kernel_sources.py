"""The sources that the compiled kernels are made of: whether they are still the same."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

FOLDER = Path(__file__).parent
SOURCES = [FOLDER / name for name in ("kernels.py", "arrays.py", "signatures.py")]


def digest() -> int:
    """Return a number that changes with the sources.

    Raises
    ------
    FileNotFoundError
        If they are not there.
    """
    return crc32(b"".join(path.read_bytes() for path in SOURCES))


def check_built_from(built: int) -> None:
    """Refuse kernels that were compiled from other sources than those next to them.

    Raises
    ------
    ImportError
        If `built`, the digest of what was compiled, is another. Not where there are no sources.
    """
    try:
        present = digest()
    except FileNotFoundError:
        return
    if built != present:
        names = ", ".join(path.name for path in SOURCES)
        raise ImportError(
            f"the compiled kernels of bpetok are older or newer than their sources in {FOLDER} "
            f"({names}): build bpetok again, in a source tree with `python setup.py build_ext "
            "--inplace --force`, otherwise with `pip install --force-reinstall --no-deps bpetok`"
        )
