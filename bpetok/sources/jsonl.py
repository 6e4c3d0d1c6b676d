"""Lines of JSON to the texts in them."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from functools import partial
from io import BytesIO
from itertools import compress, count
from typing import TYPE_CHECKING, Any

import numpy as np

from bpetok.base.checks import encode_replacing, shorten
from bpetok.base.extras import require
from bpetok.base.files import is_url
from bpetok.base.threads import exhaust
from bpetok.sources.byte_ranges import count_lines, is_blank
from bpetok.sources.files import opened_bytes
from bpetok.sources.json_lines import number_of_lines, texts_of_lines
from bpetok.sources.long_lines import LineParts, LongLine
from bpetok.sources.pieces import (
    CHUNK_SIZE,
    REMOTE_SIZE,
    Chunk,
    Piece,
    at_most_chars,
    cut,
    cut_text,
    join,
    read_into,
)
from bpetok.sources.reading import (
    ELEMENTS,
    UNKNOWN,
    Position,
    ReadContext,
    Sampler,
    choose_one,
    meant_way,
    spelled,
)
from bpetok.sources.records import RecordNames, packed_texts
from bpetok.sources.streams import Stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

MARK = codecs.BOM_UTF8
"""May come before a line: Windows's editors write it before a file, and files are joined."""
BLANKS = b" \t\n\r\v\f" + MARK
"""Bytes that lines have in which there is nothing."""
BLANK: dict[str, Any] = {}
"""In the place of a record: there is nothing in the line."""


class JsonLines:
    """A file of JSON lines.

    Raises
    ------
    ValueError
        From `items`, if a line is no JSON, if what `text_column` names is no text, or if none of
        the first records has what it names. The message has the file and the line.
    """

    def __init__(self, path: str, context: ReadContext) -> None:
        self._path = path
        self._context = context
        self._steps = context.options.steps
        self._loads = require("orjson", "arrow").loads
        self._checked = False  # whether the column is there; positions are given from then on
        self._names = RecordNames(f"{path}, line")

    def items(self, start: Position, stop: Position) -> Iterator[Piece | Chunk | Position]:
        """Yield the texts from one position to another, and now and then where a line begins."""
        end = stop.at if stop.file == start.file else None
        with opened_bytes(self._path, start.at, end, stop=self._context.stop) as file:
            if start.record == UNKNOWN:
                count = partial(count_lines, self._path, start.at, self._context.stop)
                self._names = RecordNames(f"{self._path}, line", count)
                self._checked = not is_blank(self._path, start.at, BLANKS)
            yield from self.read_items(file, start)

    def read_items(self, file: Stream, start: Position) -> Iterator[Piece | Chunk | Position]:
        """Yield the texts of lines that are read, instead of those of the file."""
        sampler = Sampler(self._context.options, start)
        self._checked = self._checked or start.record > 0
        at, n_before = start.at, max(0, start.record)
        first = n_before
        size = REMOTE_SIZE if is_url(self._path) else CHUNK_SIZE
        for lines in _line_blocks(file, size):
            if n_before > first and self._checked:
                yield start.after(at, n_before - first)
            if isinstance(lines, memoryview):
                taken = sampler.choose(number_of_lines(lines))
                yield from self._short_items(lines, n_before + 1, taken)
                at += len(lines) + 1
                n_before += len(taken)
                del lines  # before more is read
                continue
            if sampler.choose(1)[0]:
                yield from self._long_items(lines, n_before + 1)
            else:
                exhaust(lines)
            at += lines.n_bytes
            n_before += 1

    def _short_items(
        self, lines: memoryview, first: int, taken: NDArray[np.bool_]
    ) -> Iterator[Piece | Chunk]:
        # Most lines need no parser; it also says what is wrong, and whether the column is there, as
        # it is where there is a text. With a parser for the first block of each file, 8 files of
        # 20 MB took 8 % longer.
        if len(self._steps) == 1 and self._context.options.take_all:
            name = self._steps[0].encode(errors="surrogatepass")
            found = texts_of_lines(lines, len(taken), name)
            if found is not None and (self._checked or len(found[2]) > 0):
                data, offsets, places, n_null = found
                self._checked = True
                self._context.null_texts.n_null += n_null
                origins = self._names.origins(first + places)
                yield from packed_texts(data, offsets, origins, self._context.cutting)
                return
        chosen = taken.tolist()
        numbers = list(compress(count(first), chosen))
        records, failure = self._parse(list(compress(bytes(lines).split(b"\n"), chosen)), numbers)
        if failure is None:
            self._check_column(records)
        yield from self._items(records, numbers[: len(records)])
        if failure is not None:
            raise failure

    def _long_items(self, parts: Iterable[bytes], number: int) -> Iterator[Piece]:
        name = self._names[number]
        line = LongLine(
            parts, self._steps, lambda part: self._parse_part(part, number), self._encode
        )
        end = self._context.options.max_text_chars
        n_texts = 0
        for text in line.texts():
            n_pieces = 0
            if isinstance(text, bytes):
                whole = at_most_chars(end, BytesIO(text).read)(len(text)) or b""
                pieces = cut_text(name, whole, self._context.cutting)
            else:
                read = at_most_chars(end, text)
                pieces = cut(name, read_into(read), self._context.cutting)
            for piece in pieces:
                yield piece
                n_pieces += 1
            if n_pieces == 0:  # an empty text, whose quotes were not in memory together
                yield Piece(name, 0, b"")
            n_texts += 1
        record = self._parse_part(line.rest, number)
        self._check_column([record])
        if record is BLANK:
            return
        if sum(1 for _ in self._find(record, number)) != n_texts:
            raise ValueError(
                f"{name}: an object has a name twice on the way to its texts. The last one "
                "says what it is, but so long a line is counted while it is read: leave one out"
            )

    def _parse(self, lines: list[bytes], numbers: list[int]) -> tuple[list[Any], ValueError | None]:
        """Return the records before the first line that is no JSON, and what is wrong with that."""
        try:
            return list(map(self._loads, lines)), None
        except ValueError:
            pass
        records: list[Any] = []
        try:
            for line, number in zip(lines, numbers, strict=True):
                records.append(self._parse_line(line, number))
        except ValueError as error:
            return records, error
        return records, None

    def _parse_line(self, line: bytes | bytearray, number: int) -> Any:
        while line.startswith(MARK):
            line = line[len(MARK) :]
        if not line or line.isspace():
            return BLANK
        try:
            return self._loads(line)
        except ValueError:
            pass
        # What orjson refuses and others write: NaN, lone surrogates; or bytes to be replaced.
        try:
            return json.loads(line.decode(errors=self._context.errors), parse_int=_parse_integer)
        except ValueError as error:
            raise ValueError(f"{self._names[number]} is no JSON in UTF-8: {error}") from None
        except RecursionError:
            raise ValueError(
                f"{self._names[number]} has values nested too deeply to be read: leave it out"
            ) from None

    def _parse_part(self, part: bytes | bytearray, number: int) -> Any:
        """Parse a part of a long line: where in it something is wrong says nothing of the line."""
        try:
            return self._parse_line(part, number)
        except ValueError as error:
            cause = error.__context__
            if isinstance(cause, UnicodeDecodeError):
                byte = cause.object[cause.start]
                what = f"'{cause.encoding}' codec can't decode byte 0x{byte:02x}: {cause.reason}"
            elif isinstance(cause, json.JSONDecodeError):
                what = cause.msg
            else:
                raise
            raise ValueError(f"{self._names[number]} is no JSON in UTF-8: {what}") from None

    def _check_column(self, records: list[Any]) -> None:
        values = [record for record in records if record is not BLANK]
        if not values or self._checked:
            return
        self._checked = True
        for n, step in enumerate(self._steps, 1):
            if step == ELEMENTS:
                values = [item for value in values if isinstance(value, list) for item in value]
                continue
            objects = [value for value in values if isinstance(value, dict)]
            values = [value[step] for value in objects if step in value]
            if objects and not values:
                raise ValueError(
                    f"{self._path}: none of its first records has "
                    f"'{spelled(self._steps[:n])}', the first has {choose_one(objects[0], step)}"
                )

    def _items(self, records: list[Any], numbers: list[int]) -> Iterator[Piece | Chunk]:
        end = self._context.options.max_text_chars
        texts = self._plain_texts(records, end)
        failure: ValueError | None = None
        if texts is None:
            texts = []
            found = zip(numbers, records, strict=True)
            numbers = []
            try:
                for number, record in found:
                    if record is not BLANK:
                        new = [self._encode(text[:end]) for text in self._find(record, number)]
                        texts += new
                        numbers += [number] * len(new)
            except ValueError as error:  # what is wrong in the lines before comes first
                failure = error
        cutting = self._context.cutting
        if max(map(len, texts), default=0) <= cutting.chunk_size:
            yield join(texts, self._names.origins(numbers))
        else:
            for number, text in zip(numbers, texts, strict=True):
                yield from cut_text(self._names[number], text, cutting)
        if failure is not None:
            raise failure

    def _encode(self, text: str) -> bytes:
        # The counter refuses the bytes of a lone surrogate, and would replace each of them.
        if self._context.errors == "replace":
            return encode_replacing(text)
        return text.encode(errors="surrogatepass")

    def _plain_texts(self, records: list[Any], end: int | None) -> list[bytes] | None:
        """Return the texts if each record has one, without a step deeper; else None."""
        if len(self._steps) > 1:
            return None
        name = self._steps[0]
        try:
            if end is None:
                return [record[name].encode() for record in records]
            return [record[name][:end].encode() for record in records]
        except (KeyError, TypeError, AttributeError, UnicodeEncodeError):
            return None

    def _find(self, record: object, number: int) -> Iterator[str]:
        values = [record]
        for n, step in enumerate(self._steps):
            found: list[object] = []
            for value in values:
                if isinstance(value, list) and step == ELEMENTS:
                    found += value
                elif isinstance(value, dict) and step != ELEMENTS:
                    found.append(value.get(step))
                elif value is None:
                    found.append(None)
                else:
                    what = "a list" if step == ELEMENTS else f"an object with {step!r}"
                    raise ValueError(
                        f"{self._names[number]}: text_column needs {what}, got {shorten(value)}"
                        f"{self._meant(n, value)}"
                    )
            values = found
        for value in values:
            if value is None:
                self._context.null_texts.n_null += 1
            elif isinstance(value, str):
                yield value
            else:
                raise ValueError(
                    f"{self._names[number]}: the text must be a string, got {shorten(value)}"
                    f"{self._meant(len(self._steps), value)}"
                )

    def _meant(self, n: int, value: object) -> str:
        is_list, is_text = isinstance(value, list), isinstance(value, str)
        return meant_way(self._steps, n, is_list=is_list, is_text=is_text)


class _LargeInteger:
    """An integer of thousands of digits, of which Python makes none; messages show its digits."""

    def __init__(self, digits: str) -> None:
        self._digits = digits

    def __repr__(self) -> str:
        return self._digits


def _parse_integer(digits: str) -> int | _LargeInteger:
    try:
        return int(digits)
    except ValueError:
        return _LargeInteger(digits)


def _line_blocks(file: Stream, size: int) -> Iterator[memoryview | LineParts]:
    """Yield lines without the last line feed, and the parts of a long one, which must be read.

    About `size` bytes are read at a time. A line of more than `CHUNK_SIZE` is a long one.

    Lines have a buffer of their own, which is read into: to join blocks and what was left of those
    before took a fifth of the time of counting, in which no other thread could do anything.
    """
    rest = b""
    while True:
        data = np.empty(len(rest) + size, np.uint8).data
        data[: len(rest)] = rest
        n = len(rest) + file.readinto(data[len(rest) :])
        if n == len(rest):
            break
        begin = len(rest)  # before it no line ends
        # Whether a line is long depends on nothing before it, and so not on where a part begins.
        if n > CHUNK_SIZE and not _after_last_line(data[begin : CHUNK_SIZE + 1]):
            parts = LineParts(bytes(data[:n]), file.read)
            yield parts
            data, begin, n = memoryview(parts.after), 0, len(parts.after)
        end = _after_last_line(data[begin:n])
        end += begin if end else 0
        lines, rest = data[: max(0, end - 1)], bytes(data[end:n])
        del data  # before more is read
        if end:
            yield lines
        del lines
    if rest:
        yield memoryview(rest) if len(rest) <= CHUNK_SIZE else LineParts(rest, file.read)


def _after_last_line(block: memoryview) -> int:
    """Return where the last line that has ended ends, 0 if none has."""
    size = 1 << 12
    while True:
        begin = max(0, len(block) - size)
        found = bytes(block[begin:]).rfind(b"\n") + 1
        if found or begin == 0:
            return begin + found if found else 0
        size *= 8
