"""The methods of a Tokenizer that turn ids into text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, SupportsIndex

from bpetok.base.checks import shorten
from bpetok.encoding.decoder import Decoder
from bpetok.encoding.streams import DecodeStream

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Decoding:
    """What `Tokenizer` inherits; it makes the decoder."""

    __slots__ = ()

    _decoder: Decoder

    def decode_bytes(self, ids: Iterable[SupportsIndex] | npt.NDArray[np.integer[Any]]) -> bytes:
        """Return the bytes of ids, one after another.

        Raises
        ------
        TypeError, ValueError
            If one is not an integer, or not in the vocabulary.
        """
        return self._decoder.decode(ids)

    def decode(
        self, ids: Iterable[SupportsIndex] | npt.NDArray[np.integer[Any]], errors: str = "replace"
    ) -> str:
        """Return the text of ids.

        Parameters
        ----------
        ids : iterable of int
        errors : str
            What becomes of bytes that are not UTF-8, as half a character is: "replace", "strict",
            "ignore" or another error handler of `bytes.decode`.

        Raises
        ------
        TypeError, ValueError
            If one is not an integer, or not in the vocabulary.
        UnicodeDecodeError
            With ``errors="strict"``, if the bytes are not UTF-8.
        """
        return self.decode_bytes(ids).decode("utf-8", errors)

    def decode_batch(
        self,
        rows: Iterable[Iterable[SupportsIndex] | npt.NDArray[np.integer[Any]]],
        errors: str = "replace",
    ) -> list[str]:
        """Return the text of each of several rows of ids, as `decode` does."""
        if not isinstance(rows, Iterable):
            raise TypeError(f"rows must be an iterable of rows of ids, got {shorten(rows)}")
        return [self.decode(row, errors) for row in rows]

    def decode_stream(self, errors: str = "replace") -> DecodeStream:
        """Return a decoder for ids that come one by one, as a model makes them.

        Its ``feed(ids)`` takes an id or several and returns the text that is complete by then,
        whole characters only; its ``finish()`` returns what is left.
        """
        return DecodeStream(self.decode_bytes, errors)
