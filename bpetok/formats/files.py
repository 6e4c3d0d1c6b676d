"""What all readers of files share: JSON within bounds, and errors that name file and place."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

from bpetok.base.checks import encode_utf8, shorten
from bpetok.base.collector import without_collector
from bpetok.base.files import check_path, naming_errors
from bpetok.base.importing import signals_deferred
from bpetok.formats.json_arrays import parts_of_array

if TYPE_CHECKING:
    from pathlib import Path

# A file of 256 MiB could hold a hundred million lists, about 7 GB of memory. A million merges with
# their counts or ids have four million commas.
MAX_COMMAS = 1 << 23

LARGE = 1 << 20
"""Bytes of a file of which merges are read apart."""


READERS = {
    "tokenizer.json": "from_pretrained",
    "tekken.json": "from_tekken",
    "merges.txt": "from_gpt2",
    "*.tiktoken": "from_tiktoken",
}
"""What reads the files of a folder: methods of Tokenizer."""


def find_file(path: str | os.PathLike[str], name: str) -> Path:
    """Return the file that is meant: the path itself, or that of this name in the folder.

    Raises
    ------
    FileNotFoundError
        If the folder has others instead; the message says what reads them.
    """
    folder = check_path(path)
    if not folder.is_dir():
        return folder
    if not (folder / name).exists():
        for pattern, reader in READERS.items():
            other = next(folder.glob(pattern), None)
            if other is not None:
                raise FileNotFoundError(
                    f"{folder} has no {name}, but {other.name}, which Tokenizer.{reader} reads"
                )
    return folder / name


def seems_of_hub(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path that leads nowhere is probably a name of the Hugging Face hub."""
    is_name = isinstance(path, str) and re.fullmatch(r"\w[\w.-]*(/[\w.-]+)?", path) is not None
    return is_name and check_path(path).suffix != ".json" and not check_path(path).exists()


@contextmanager
def temporary_files(files: Mapping[str, bytes]) -> Iterator[Path]:
    """Write files for a library that reads nothing else, in a folder that is then removed.

    Raises
    ------
    OSError
        If they can't be written, or the library can't read or write there; it names the file, or
        the folder.
    """
    import tempfile  # takes 1 ms, and most trainings need none

    with ExitStack() as at_end:
        with signals_deferred():  # Ctrl-C would leave it, as it would while it is removed
            made = tempfile.TemporaryDirectory(prefix="bpetok-")
            at_end.callback(signals_deferred()(made.cleanup))
        folder = check_path(made.name)
        for name, data in files.items():
            path = folder / name
            with naming_errors(path):
                path.write_bytes(data)
        try:
            yield folder
        except OSError as error:
            error.filename = error.filename or made.name
            raise
        except Exception as error:
            if type(error) is Exception and "(os error " in str(error):  # of tokenizers
                raise OSError(f"{folder}: {error}") from None
            raise


def read_json(data: bytes) -> Any:
    """Return what a JSON file holds.

    Raises
    ------
    ValueError, RecursionError
        If it is not UTF-8 or not JSON, holds more than MAX_COMMAS values, or an object has a name
        twice, or a str has a lone surrogate; or is nested too deeply.
    """
    n_commas = data.count(b",")
    if n_commas > MAX_COMMAS:
        raise ValueError(f"it has {n_commas} commas, more values than {MAX_COMMAS}")
    return _parse(data)


class Rows:
    """A list in a JSON file, of which only some rows are objects at a time."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(map(self.rows, self._parts))

    def parts(self) -> Iterator[bytes]:
        """Yield what `rows` takes; none of it is kept."""
        self._parts.reverse()
        while self._parts:
            yield self._parts.pop()

    @staticmethod
    def rows(part: bytes) -> list[Any]:
        """Return some of the rows.

        Raises
        ------
        ValueError
            If they are no JSON.
        """
        rows: list[Any] = json.loads(f"[{part.decode()}]")
        if not rows:
            raise ValueError("two commas, or one at the end")
        return rows

    def clear(self) -> None:
        """Leave no row."""
        self._parts.clear()


def read_without_merges(data: bytes) -> Any:
    """Return what the JSON file of a tokenizer holds, with `Rows` in the place of the merges.

    A tree of a file takes ten times its bytes, and half of that are the merges. None if the file is
    small or has no merges; or if it is refused for something, which `read_json` says better.
    """
    found = re.search(_MERGES, data)
    if len(data) < LARGE or found is None or data.count(b",") > MAX_COMMAS:
        return None
    begin = found.end() - 1
    places = parts_of_array(data, begin, LARGE // 4)
    if len(places) < 2:
        return None
    parts = [data[start : end - 1] for start, end in pairwise(places)]
    mark = os.urandom(8).hex()
    rest = [b'%s"%s"%s' % (data[:begin], mark.encode(), data[places[-1] :])]
    del data
    try:
        content = _parse(rest.pop())  # nothing holds the bytes while the tree is built
    except (ValueError, RecursionError):
        return None
    model = content.get("model") if isinstance(content, dict) else None
    if not isinstance(model, dict) or model.get("merges") != mark:
        return None
    model["merges"] = Rows(parts)
    return content


_MERGES = rb'"merges"\s*:\s*\['


def _parse(data: bytes) -> Any:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8") from None
    del data  # the tree takes several times as much
    with without_collector():
        content = json.loads(text, object_pairs_hook=_unique)
    if re.search(_SURROGATE, text):  # most are one of two that make a character
        encode_utf8(json.dumps(content, ensure_ascii=False), "its JSON")  # it can't be written
    return content


_SURROGATE = r"\\u[dD][89a-fA-F]"


def _unique(items: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(items)
    if len(unique) < len(items):
        raise ValueError("a name occurs twice in one object")
    return unique


def expect(value: Any, kind: type, name: str) -> Any:
    """Return a value of JSON that must be of a type; `name` is its place.

    Raises
    ------
    ValueError
        If it is of another type.
    """
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        names: dict[type, str] = {
            dict: "an object",
            list: "an array",
            str: "a string",
            bool: "true or false",
            int: "an integer",
        }
        raise ValueError(f"{name} must be {names[kind]}, got {shorten(value)}")
    return value


@contextmanager
def naming_file(*paths: str | os.PathLike[str], what: str = "") -> Iterator[None]:
    """Name the files that can't be read: a ValueError that begins with the paths and `what`."""
    names = ", ".join(os.fspath(path) for path in paths)
    try:
        yield
    except RecursionError:
        raise ValueError(f"{names}: {what}nested too deeply") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{names}: {what}{error}") from None
