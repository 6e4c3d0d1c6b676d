"""Texts to chunks: bytes of whole words, some megabytes at a time.

A *piece* is a text, or a part of a long one, cut where a word ends whatever follows. A *chunk* is
one or more pieces in one buffer, as much as one thread counts at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, TypeAlias, overload

import numpy as np

from bpetok.base.checks import check_texts, encode_replacing, encode_utf8, type_and_value
from bpetok.base.limits import DEFAULT_PATTERN
from bpetok.base.records import NamedTuple
from bpetok.patterns.builtin import scanner_of
from bpetok.patterns.changes import NO_CHANGES, Changes
from bpetok.patterns.dfa import CompiledPattern
from bpetok.patterns.scan import last_word_end
from bpetok.patterns.special import SpecialTokens
from bpetok.sources.gathering import Gathering

if TYPE_CHECKING:
    from numpy.typing import NDArray

Buffer: TypeAlias = bytes | memoryview
Read: TypeAlias = Callable[[int], bytes | None]
"""Reads on, as a file's `read` does: at most so many bytes; none at the end."""
ReadInto: TypeAlias = Callable[[memoryview], int | None]
"""Reads on, as a file's `readinto` does: fills a buffer, or a part of it; 0 bytes at the end."""

CHUNK_SIZE = 1 << 21
"""Bytes that a thread counts at a time: enough to make Python's part small, few enough for the
bytes to stay in a core's cache from reading to counting."""

REMOTE_SIZE = 1 << 19
"""The same of a file of another machine: many are read at a time, and each has a chunk that waits
to be counted. With 8 readers of text that took 30 to 35 MB less than with `CHUNK_SIZE`."""


class LazyName:
    """The name of a text that is made when a message needs it, since that takes reading."""

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make

    def __str__(self) -> str:
        return self._make()


Name: TypeAlias = str | LazyName


class Piece(NamedTuple):
    """Bytes of a text from `offset` on; `origin` names the text in messages."""

    origin: Name
    offset: int
    data: Buffer


class Origin(NamedTuple):
    """Where a piece is from: the text's name in messages, and the offset in the text in bytes."""

    name: Name
    offset: int


class Origins(Sequence[Origin]):
    """Origins that are made when they are needed, which is for a message only.

    Parameters
    ----------
    make : callable
        Makes an origin of its number.
    numbers : range
    """

    def __init__(self, make: Callable[[int], Origin], numbers: range) -> None:
        self._make = make
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Origin: ...
    @overload
    def __getitem__(self, index: slice) -> Origins: ...
    def __getitem__(self, index: int | slice) -> Origin | Origins:
        if isinstance(index, slice):
            return Origins(self._make, self._numbers[index])
        return self._make(self._numbers[index])


class Chunk(NamedTuple):
    """Pieces one after another in one buffer.

    data : bytes-like
    ends : int64 array, shape (n_pieces,)
        Where each piece ends in `data`; the first begins at 0.
    origins : sequence of Origin
        Where each piece is from; asked only for a message.
    """

    data: Buffer
    ends: NDArray[np.int64]
    origins: Sequence[Origin]


class Cutting(NamedTuple):
    """Where long texts may be cut, and into pieces of about how many bytes."""

    special_tokens: SpecialTokens
    pattern: str = DEFAULT_PATTERN
    chunk_size: int = CHUNK_SIZE
    by_line: bool = False  # a line of a text file is a text
    whole: bool = False  # no text is cut: see `replacing_makes_tokens`
    changes: Changes = NO_CHANGES  # what becomes of a text before it is split


def text_pieces(
    texts: Iterable[str | bytes], cutting: Cutting, errors: str = "strict"
) -> Iterator[Piece | Chunk]:
    """Take texts from an iterable: many short ones in a chunk, long ones in pieces.

    What is wrong with a text, or in the iterable, is raised after the texts before it.

    Raises
    ------
    TypeError
        If `texts` is itself a text, or has something else in it.
    ValueError
        If a text has a lone surrogate and `errors` is "strict".
    """
    gathering = Gathering(iter(check_texts(texts)), cutting.chunk_size)
    failure: Exception | None = None
    text: bytes | None = None  # one that is not in the buffer yet
    first = 0  # the number of the first one that is
    while failure is None and not gathering.has_ended:
        try:
            other = gathering.fill(text)
            text = _encoded(other[0], gathering.n_taken - 1, errors) if other else None
        except Exception as error:
            failure, text = error, None
        if text is not None and len(text) <= cutting.chunk_size:
            continue
        data, bounds = gathering.take()
        ends = np.frombuffer(bounds, np.int64)
        if len(ends) == 1:
            yield from cut_text(f"text {first}", data, cutting)
        elif len(ends):
            yield Chunk(data, ends, _numbered_texts(first, len(ends)))
        first += len(ends)
        if text is not None:
            yield from cut_text(f"text {first}", text, cutting)
            first, text = first + 1, None
    if failure is not None:
        raise failure


def _numbered_texts(first: int, n: int) -> Origins:
    return Origins(lambda i: Origin(f"text {i}", 0), range(first, first + n))


def cut_text(name: Name, text: Buffer, cutting: Cutting) -> Iterator[Piece]:
    """Yield a text, in pieces if it is long, as `cut` does; no byte is copied."""
    if len(text) <= cutting.chunk_size:
        yield Piece(name, 0, text)
        return
    view = memoryview(text)
    find = _cut_finder(cutting)
    begin, wanted = 0, cutting.chunk_size
    while begin + wanted <= len(view):
        end = find(view[begin : begin + wanted], cutting.special_tokens)
        if end > 0:
            yield Piece(name, begin, view[begin : begin + end])
            begin += end
            wanted = cutting.chunk_size
        else:
            wanted *= 2  # a word of that length
    if begin < len(view):
        yield Piece(name, begin, view[begin:])


def _encoded(text: object, number: int, errors: str) -> bytes:
    if isinstance(text, bytes):
        return text
    if not isinstance(text, str):
        raise TypeError(f"text {number} must be a str or bytes, got {type_and_value(text)}")
    return encode_replacing(text) if errors == "replace" else encode_utf8(text, f"text {number}")


def at_most_chars(n_chars: int | None, read: Read) -> Read:
    """Return a function that reads like `read`, but only a few characters of UTF-8 at a time."""
    if n_chars is None:
        return read
    left = n_chars

    def read_on(size: int) -> bytes | None:
        nonlocal left
        if left < 0:
            return b""
        block = read(size) or b""
        begins = np.flatnonzero((np.frombuffer(block, np.uint8) & 0xC0) != 0x80)
        if len(begins) > left:
            block = block[: begins[left]]
        left -= len(begins)
        return block

    return read_on


ONE_CHARACTER = 4
"""Bytes of UTF-8, at most."""


def at_most_bytes(n_bytes: int, fill: ReadInto) -> ReadInto:
    """Return a function that fills buffers as another one does, but with so many bytes in all."""
    left = n_bytes

    def fill_on(buffer: memoryview) -> int | None:
        nonlocal left
        n = fill(buffer[:left]) if left else 0
        left -= n or 0
        return n

    return fill_on


def read_into(read: Read) -> ReadInto:
    """Return a function that fills buffers with what another one reads, which may be more."""
    ahead = memoryview(b"")

    def fill(buffer: memoryview) -> int:
        nonlocal ahead
        if not ahead:
            ahead = memoryview(read(len(buffer)) or b"")
        n = min(len(buffer), len(ahead))
        buffer[:n] = ahead[:n]
        ahead = ahead[n:]
        return n

    return fill


def cut(
    name: Name,
    fill: ReadInto,
    cutting: Cutting,
    offset: int = 0,
    *,
    find: CutFinder | None = None,
) -> Iterator[Piece]:
    """Read a text to its end and yield pieces of about `chunk_size` bytes.

    A piece is longer where a word is. Pieces from one on, at `offset`, depend on nothing before.
    Each has a buffer of its own, which is read into: joining bytes to what was left of those before
    took longer than reading them. `find` finds where to cut, by default where `cutting` says.
    """
    chunk_size = cutting.chunk_size
    find = find or _cut_finder(cutting)
    rest = memoryview(b"")
    size = chunk_size
    while True:
        while size <= len(rest):  # a word of that length: look again when it has doubled
            size *= 2
        data = np.empty(size, np.uint8).data
        n = len(rest)
        data[:n] = rest
        rest = memoryview(b"")  # the buffer before is let go of while this one is filled
        while n < size and (n_read := fill(data[n:])):
            n += n_read
        if n < size:
            break
        end = max(0, find(data, cutting.special_tokens))
        if end > 0:
            yield Piece(name, offset, data[:end])
            offset += end
            size = chunk_size
        rest = data[end:]
    if n:
        yield Piece(name, offset, bytes(data[:n]))  # not as much memory as for a whole piece


def replacing_makes_tokens(tokens: Iterable[str], errors: str) -> bool:
    """Tell whether bytes that are not UTF-8 may become a part of a special token.

    U+FFFD is what they are replaced by. That comes after a text is cut, so a place that looks good
    may lie inside such a token: texts are taken whole then.
    """
    return errors == "replace" and any("\N{REPLACEMENT CHARACTER}" in token for token in tokens)


def cut_lines(name: Name, fill: ReadInto, cutting: Cutting, offset: int = 0) -> Iterator[Piece]:
    """Read a file of which each line is a text, as `cut`."""
    if cutting.changes.are_local:
        return cut(name, fill, cutting, offset)
    return cut(name, fill, cutting, offset, find=lambda data, _: bytes(data).rfind(b"\n") + 1)


CutFinder: TypeAlias = Callable[[Buffer, SpecialTokens], int]
"""Returns the last offset in a part of a text where it can be cut in two, or a number below 1."""


def _cut_finder(cutting: Cutting) -> CutFinder:
    if cutting.whole or not cutting.changes.are_local:
        return lambda data, special_tokens: -1
    return local_cut_finder(cutting) or find_special_cut


def local_cut_finder(cutting: Cutting) -> CutFinder | None:
    """Return what finds where a text can be cut by the bytes around; None if they do not tell."""
    changes = cutting.changes
    if cutting.whole or not changes.are_local:
        return None
    scanner = scanner_of(cutting.pattern)
    if isinstance(scanner, int):
        if cutting.pattern == "none":
            return None
        return partial(find_cut, changes=changes) if changes else find_cut
    if scanner is not None and scanner.can_be_cut:
        return partial(find_cut, compiled=scanner, changes=changes)
    return None


def find_cut(
    data: Buffer,
    special_tokens: SpecialTokens,
    compiled: CompiledPattern | None = None,
    changes: Changes = NO_CHANGES,
) -> int:
    """Return the last offset in a part of a text where it can be cut in two, or -1.

    Words and special tokens on either side are the same as in the whole, whatever follows, and so
    is what becomes of the text before it is split. The words are those of a compiled pattern, or of
    any built-in one but `none`.
    """
    # What begins in the last bytes may go on after them.
    end = len(data) - max(4, special_tokens.longest)
    while end > 0:
        end = last_word_end(data, 0, end, compiled)
        # A word ends there by the two characters around, which stay neighbours.
        if end > 0 and not changes.may_cut(data, end):
            continue
        straddling = special_tokens.first_across(data, end) if end > 0 else -1
        if straddling < 0:
            return end
        # A special token ends the word before it, unless another one lies across its start.
        if straddling > 0 and special_tokens.first_across(data, straddling) < 0:
            return straddling
        end = straddling
    return -1


def find_special_cut(data: Buffer, special_tokens: SpecialTokens) -> int:
    """Return the offset after the last special token in a part of a text, or -1.

    That is all that is sure to end a word where the pattern is not known to end any.
    """
    # What begins in the last bytes may be a longer special token.
    certain = len(data) - special_tokens.longest
    spans = special_tokens.spans(data)
    return next((end for start, end in reversed(spans) if start <= certain), -1)


def chunks_of(items: Iterable[Piece | Chunk], chunk_size: int = CHUNK_SIZE) -> Iterator[Chunk]:
    """Join small pieces to chunks of about `chunk_size` bytes; what is a chunk stays one."""
    group: list[Piece] = []
    size = 0
    failure: Exception | None = None
    try:
        for item in items:
            whole = isinstance(item, Chunk)
            if group and (whole or size + len(item.data) > chunk_size):
                yield make_chunk(group)
                group, size = [], 0
            if isinstance(item, Chunk):
                yield item
            else:
                group.append(item)
                size += len(item.data)
            del item  # whose bytes are many
            if size > chunk_size * 7 // 8:  # before more is read
                chunk = make_chunk(group)
                group, size = [], 0
                yield chunk
                del chunk
    except Exception as error:  # what is wrong in the pieces before comes first
        failure = error
    if group:
        yield make_chunk(group)
    if failure is not None:
        raise failure


def make_chunk(pieces: list[Piece]) -> Chunk:
    """Join pieces."""
    origins = [Origin(piece.origin, piece.offset) for piece in pieces]
    if len(pieces) == 1:
        data = pieces[0].data
        return Chunk(data, np.array([len(data)], np.int64), origins)
    return join([piece.data for piece in pieces], origins)


def join(datas: Sequence[Buffer], origins: Sequence[Origin]) -> Chunk:
    """Join the bytes of pieces."""
    ends = np.fromiter(accumulate(map(len, datas)), np.int64, len(datas))
    return Chunk(b"".join(datas), ends, origins)


def pieces_of(chunk: Chunk) -> list[bytes]:
    """Return the bytes of each piece."""
    data = memoryview(chunk.data)
    return [bytes(data[begin:end]) for begin, end in pairwise([0, *chunk.ends.tolist()])]


def split_lines(piece: Piece) -> Chunk:
    """Return a piece as lines, each with its line feed."""
    ends = np.flatnonzero(np.frombuffer(piece.data, np.uint8) == ord("\n")) + 1
    if len(ends) == 0 or ends[-1] < len(piece.data):
        ends = np.append(ends, len(piece.data))
    begins = np.append(0, ends[:-1])
    origins = Origins(
        lambda i: Origin(piece.origin, piece.offset + int(begins[i])), range(len(begins))
    )
    return Chunk(piece.data, ends, origins)
