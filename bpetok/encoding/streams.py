"""Ids that come bit by bit to text that holds whole characters only."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable
from typing import SupportsIndex

from bpetok.base.checks import check_handler, check_index, is_iterable
from bpetok.encoding.decoder import list_of_ids


class DecodeStream:
    """Decode ids as they come: what `Tokenizer.decode_stream` returns.

    The text of all calls together is what `Tokenizer.decode` gives for all ids together. A
    character whose bytes are not all there yet waits for the rest.

    With ``errors="strict"`` bytes that are not UTF-8 raise an error. Those that waited and those of
    the call are then dropped (the error's `object` has them), and the stream begins anew with the
    next call: what comes later is never joined to what was wrong.
    """

    def __init__(self, decode_bytes: Callable[[list[SupportsIndex]], bytes], errors: str) -> None:
        self._decode_bytes = decode_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")(check_handler(errors))

    def feed(self, ids: SupportsIndex | Iterable[SupportsIndex]) -> str:
        """Take an id, or several, and return the text that is complete now; often none is.

        Raises
        ------
        TypeError, ValueError
            If one is not an integer, or not in the vocabulary; the stream is as it was before.
        UnicodeDecodeError
            With ``errors="strict"``, if the bytes are not UTF-8; the stream begins anew.
        """
        if is_iterable(ids):
            return self._decode(self._decode_bytes(list_of_ids(ids)))
        return self._decode(self._decode_bytes([check_index("ids", ids)]))

    def finish(self) -> str:
        """Return what is left, half a character being an error, and begin anew.

        Raises
        ------
        UnicodeDecodeError
            With ``errors="strict"``, if half a character is left.
        """
        return self._decode(b"", final=True)

    def _decode(self, data: bytes, *, final: bool = False) -> str:
        try:
            return self._decoder.decode(data, final)
        except BaseException:  # an error handler may raise any
            self._decoder.reset()
            raise
