"""Lines of JSON to the texts in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import compress
from typing import Any

from bpetok._extras import require
from bpetok.sources.files import opened_bytes
from bpetok.sources.pieces import CHUNK_SIZE, Chunk, Piece, Read, cut_text, join
from bpetok.sources.reading import Context, Sampler
from bpetok.sources.records import Rows


class JsonLines:
    """A file of JSON lines.

    Raises
    ------
    ValueError
        From `items`, if a line is no JSON, if what `text_column` names is no text, or if none of
        the first records has what it names. The message has the file and the line.
    """

    def __init__(self, path: str, context: Context) -> None:
        self._path = path
        self._context = context
        self._steps = context.options.steps
        self._loads = require("orjson", "arrow").loads

    def items(self, sampler: Sampler) -> Iterator[Piece | Chunk]:
        """Yield the texts."""
        first = 1
        checked = False
        with opened_bytes(self._path) as file:
            for lines in _line_blocks(file.read):
                numbers = range(first, first + len(lines))
                first += len(lines)
                taken = sampler.choose(len(lines))
                records = [
                    (number, self._parse(line, number))
                    for number, line in compress(zip(numbers, lines, strict=True), taken)
                    if line and not line.isspace()
                ]
                lines.clear()
                if records and not checked:
                    self._check_column([record for _, record in records])
                    checked = True
                yield from self._texts(records)

    def _parse(self, line: bytes, number: int) -> Any:
        try:
            return self._loads(line)
        except ValueError:
            pass
        # What orjson refuses and others write: NaN, lone surrogates; or bytes to be replaced.
        try:
            return json.loads(line.decode(errors=self._context.errors))
        except ValueError as error:
            raise ValueError(f"{self._path}, line {number} is no JSON in UTF-8: {error}") from None

    def _check_column(self, records: list[Any]) -> None:
        if isinstance(records[0], dict) and not any(self._steps[0] in record for record in records):
            raise ValueError(
                f"{self._path}: none of its first records has {self._steps[0]!r}, the first has "
                f"{list(records[0])}: choose one with text_column"
            )

    def _texts(self, records: list[tuple[int, Any]]) -> Iterator[Piece | Chunk]:
        numbers: list[int] = []
        texts: list[bytes] = []
        for number, record in records:
            for text in self._find(record, number):
                # The counter refuses or replaces what stands for lone surrogates.
                data = text.encode(errors="surrogatepass")
                if len(data) > self._context.cutting.chunk_size:
                    yield from cut_text(f"{self._path}, line {number}", data, self._context.cutting)
                else:
                    numbers.append(number)
                    texts.append(data)
        if texts:
            yield join(texts, Rows(f"{self._path}, line", numbers))

    def _find(self, record: object, number: int) -> Iterator[str]:
        values = [record]
        for step in self._steps:
            found: list[object] = []
            for value in values:
                if isinstance(value, list) and step == "[]":
                    found += value
                elif isinstance(value, dict) and step != "[]":
                    found.append(value.get(step))
                elif value is None:
                    found.append(None)
                else:
                    what = "a list" if step == "[]" else f"an object with {step!r}"
                    raise ValueError(
                        f"{self._path}, line {number}: text_column needs {what}, got {value!r:.60}"
                    )
            values = found
        for value in values:
            if value is None:
                self._context.tally.n_null += 1
            elif isinstance(value, str):
                yield value[: self._context.options.max_text_chars]
            else:
                raise ValueError(
                    f"{self._path}, line {number}: the text must be a string, got {value!r:.60}"
                )


def _line_blocks(read: Read) -> Iterator[list[bytes]]:
    """Yield some lines at a time, without their ends."""
    parts: list[bytes] = []
    while block := read(CHUNK_SIZE):
        end = block.rfind(b"\n") + 1
        if end == 0:  # a long line: joined once, when its end has come
            parts.append(block)
            continue
        parts.append(block[: end - 1])
        whole = b"".join(parts)
        parts = [block[end:]]
        lines = whole.split(b"\n")
        del whole, block
        yield lines
    whole = b"".join(parts)
    if whole:
        yield [whole]
