"""The Tokenizer: what training gives and what encodes, decodes, saves and loads."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex

from bpetok._encode import Decoder, Encoder
from bpetok._files import read_bounded, write_whole
from bpetok._options import check_special_tokens
from bpetok._scan import check_utf8
from bpetok._special import SpecialTokens
from bpetok.patterns import check_pattern
from bpetok.vocab import (
    N_BYTES,
    build_token_bytes,
    build_vocab,
    check_merge_counts,
    check_merges,
    encode_utf8,
    shorten,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from bpetok.vocab import Counts, Merges

FORMAT = "bpetok tokenizer"
FORMAT_VERSION = 1
MAX_FILE_BYTES = 1 << 28  # a million merges with their counts take some 30 MB

_ALLOWED_NONE = SpecialTokens(())


class SpecialTokenError(ValueError):
    """A text holds a special token that is not allowed: `token`, at `index` in characters."""

    def __init__(self, token: str, index: int) -> None:
        super().__init__(token, index)
        self.token = token
        self.index = index

    def __str__(self) -> str:
        return (
            f"text holds the special token {self.token!r} at index {self.index}. To give it its "
            f"own id, pass allowed_special={{{self.token!r}}} or 'all'; to encode it as ordinary "
            "text, pass disallowed_special=() or call encode_ordinary"
        )


class Tokenizer:
    """A byte-level BPE tokenizer, immutable. Threads and forked processes may share it.

    Ids 0 to 255 are the bytes, merge i makes the id 256 + i, and the special tokens follow in their
    order. Two tokenizers are equal if they have the same merges, pattern and special tokens.

    Parameters
    ----------
    merges : sequence of pairs of int, or integer array, shape (n_merges, 2)
        The ids that each merge joins, in learning order.
    pattern : str
        What splits text into words: the name of a built-in pattern (`bpetok.patterns.names`), or
        its expression.
    special_tokens : iterable of str
        All different, none empty.
    merge_counts : sequence of int or integer array, shape (n_merges,), optional
        How often each pair stood in the training text when it was merged.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not as said above; the message names it, the value and the bound.
    """

    __slots__ = (
        "_allowed_all",
        "_counts",
        "_decoder",
        "_encoder",
        "_merges",
        "_pairs",
        "_pattern",
        "_special_ids",
        "_special_tokens",
        "_token_bytes",
        "_vocab",
    )

    def __init__(
        self,
        *,
        merges: Merges,
        pattern: str = "gpt2",
        special_tokens: Iterable[str] = (),
        merge_counts: Counts | None = None,
    ) -> None:
        pairs = check_merges(merges)
        n_merges = len(pairs) // 2
        special = check_special_tokens(special_tokens)
        counts = None if merge_counts is None else check_merge_counts(merge_counts, n_merges)
        self._pattern = check_pattern(pattern)
        # bytes, so that the arrays made of them can't be written to
        self._pairs = pairs.tobytes()
        self._counts = None if counts is None else counts.tobytes()
        self._special_tokens = {token: N_BYTES + n_merges + i for i, token in enumerate(special)}
        self._special_ids = {
            token.encode(): token_id for token, token_id in self._special_tokens.items()
        }
        self._allowed_all = SpecialTokens(self._special_ids)
        self._token_bytes = build_token_bytes(pairs)
        self._encoder = Encoder(pairs)
        self._decoder = Decoder(self._token_bytes + list(self._special_ids))
        self._merges: list[tuple[bytes, bytes]] | None = None
        self._vocab: dict[bytes, int] | None = None

    # ---- what it holds ----

    @property
    def merges(self) -> list[tuple[bytes, bytes]]:
        """The bytes that each merge joins, in learning order: a view for reading, made once.

        Where two ids have the same bytes, `merge_pairs` says which is meant.
        """
        if self._merges is None:
            pairs = memoryview(self._pairs).cast("i")
            tokens = self._token_bytes
            self._merges = [
                (tokens[left], tokens[right])
                for left, right in zip(pairs[::2], pairs[1::2], strict=True)
            ]
        return self._merges

    @property
    def merge_pairs(self) -> npt.NDArray[np.int32]:
        """The ids that each merge joins: int32, shape (n_merges, 2), read-only."""
        import numpy as np

        return np.frombuffer(self._pairs, dtype=np.int32).reshape(-1, 2)

    @property
    def merge_counts(self) -> npt.NDArray[np.int64] | None:
        """How often each pair stood when it was merged: int64, shape (n_merges,), read-only.

        None if that is not known.
        """
        import numpy as np

        return None if self._counts is None else np.frombuffer(self._counts, dtype=np.int64)

    @property
    def vocab(self) -> dict[bytes, int]:
        """The id of each ordinary token: a view for reading, made once.

        Two merges can spell the same bytes. Then this has the first id only, and fewer entries
        than there are ids; `vocab_size` counts all ids and `token_bytes` knows all.
        """
        if self._vocab is None:
            self._vocab = build_vocab(self._token_bytes)
        return self._vocab

    @property
    def special_tokens(self) -> dict[str, int]:
        """The id of each special token."""
        return dict(self._special_tokens)

    @property
    def pattern(self) -> str:
        """The name of the pattern that splits text into words."""
        return self._pattern

    @property
    def vocab_size(self) -> int:
        """The number of ids: bytes + merges + special tokens."""
        return len(self._token_bytes) + len(self._special_tokens)

    def token_bytes(self, token_id: int) -> bytes:
        """Return the bytes of one id, ordinary or special; ValueError if there is no such id."""
        return self._decoder.decode([token_id])

    def __repr__(self) -> str:
        n_merges = len(self._token_bytes) - N_BYTES
        return (
            f"<Tokenizer: {self.vocab_size} ids, {n_merges} merges, pattern {self._pattern!r}, "
            f"{len(self._special_tokens)} special tokens>"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tokenizer):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._pairs, self._pattern, tuple(self._special_tokens), self._counts)

    def _identity(self) -> tuple[bytes, str, tuple[str, ...]]:
        return self._pairs, self._pattern, tuple(self._special_tokens)

    # ---- text to ids ----

    def encode_ordinary(self, text: str | bytes) -> list[int]:
        """Return the ids of a text; special tokens in it are text like any other.

        Parameters
        ----------
        text : str or bytes
            bytes must be UTF-8.

        Raises
        ------
        ValueError
            If the str has a lone surrogate or the bytes are not UTF-8; the message says where.
        """
        if isinstance(text, str):
            try:
                return self._encoder.encode(text)
            except UnicodeEncodeError:
                pass  # _to_utf8 says it better
        return self._encoder.encode(_to_utf8(text))

    def encode(
        self,
        text: str | bytes,
        *,
        allowed_special: Literal["all"] | Collection[str] = (),
        disallowed_special: Literal["all"] | Collection[str] = "all",
    ) -> list[int]:
        """Return the ids of a text, with special tokens where they are allowed.

        Special tokens are found leftmost first, the longest where several begin. As in tiktoken, a
        text that holds one that is not allowed is refused, so that text from outside can't smuggle
        one in.

        Parameters
        ----------
        text : str or bytes
            bytes must be UTF-8.
        allowed_special : "all" or a set of str
            Special tokens that get their own id.
        disallowed_special : "all" or a set of str
            What the text must not hold; "all": the special tokens that are not allowed. Pass () to
            encode them as ordinary text.

        Raises
        ------
        SpecialTokenError
            If the text holds what is disallowed. It is a ValueError.
        ValueError
            If the text has a lone surrogate or is not UTF-8; the message
            says where.
        """
        if not self._special_ids and disallowed_special == "all":
            return self.encode_ordinary(text)
        data = _to_utf8(text)
        allowed = self._allowed(allowed_special)
        self._refuse_disallowed(data, allowed, disallowed_special)
        spans = allowed.spans(data) if allowed.tokens else []
        if not spans:
            return self._encoder.encode(data)
        ids: list[int] = []
        at = 0
        for start, end in spans:
            ids += self._encoder.encode(data[at:start])
            ids.append(self._special_ids[data[start:end]])
            at = end
        ids += self._encoder.encode(data[at:])
        return ids

    def _allowed(self, allowed_special: Literal["all"] | Collection[str]) -> SpecialTokens:
        if isinstance(allowed_special, str):
            if allowed_special != "all":
                raise ValueError(
                    "allowed_special must be 'all' or a set of special tokens, "
                    f"got {allowed_special!r}; write {{{allowed_special!r}}}"
                )
            return self._allowed_all
        if not allowed_special:
            return _ALLOWED_NONE
        return SpecialTokens(
            token.encode() for token in self._special_tokens if token in allowed_special
        )

    def _refuse_disallowed(
        self,
        data: bytes,
        allowed: SpecialTokens,
        disallowed_special: Literal["all"] | Collection[str],
    ) -> None:
        if isinstance(disallowed_special, str):
            if disallowed_special != "all":
                raise ValueError(
                    "disallowed_special must be 'all' or a set of str, "
                    f"got {disallowed_special!r}; write {{{disallowed_special!r}}}"
                )
            if len(allowed.tokens) == len(self._special_ids):
                return
            disallowed = self._allowed_all
            if allowed.tokens:
                disallowed = SpecialTokens(
                    token for token in self._special_ids if token not in allowed.tokens
                )
        else:
            if "" in disallowed_special:
                raise ValueError(
                    "disallowed_special must not hold the empty str, which stands in every text"
                )
            disallowed = SpecialTokens(
                encode_utf8(token, "disallowed_special") for token in disallowed_special
            )
        spans = disallowed.spans(data)
        if spans:
            start, end = spans[0]
            token = data[start:end].decode()
            raise SpecialTokenError(token, len(data[:start].decode()))

    # ---- ids to text ----

    def decode_bytes(self, ids: Iterable[SupportsIndex] | npt.NDArray[np.integer[Any]]) -> bytes:
        """Return the bytes of ids, one after another.

        Raises
        ------
        TypeError, ValueError
            If one is not an integer, or not in the vocabulary.
        """
        return self._decoder.decode(ids.tolist() if hasattr(ids, "tolist") else ids)

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

    # ---- files ----

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the tokenizer to a JSON file, whole or not at all.

        The file is complete under another name before it gets its own, so nobody ever finds half of
        it.

        Raises
        ------
        OSError
            If the folder does not exist or can't be written to, or `path` is a folder.
        """
        pairs = memoryview(self._pairs).cast("i")
        rows = ",\n".join(
            f"    [{left}, {right}]" for left, right in zip(pairs[::2], pairs[1::2], strict=True)
        )
        counts = None if self._counts is None else memoryview(self._counts).cast("q").tolist()
        text = (
            "{\n"
            f'  "format": {json.dumps(FORMAT)},\n'
            f'  "version": {FORMAT_VERSION},\n'
            f'  "pattern": {json.dumps(self._pattern, ensure_ascii=False)},\n'
            f'  "special_tokens": {json.dumps(self._special_tokens, ensure_ascii=False)},\n'
            f'  "merge_counts": {json.dumps(counts)},\n'
            f'  "merges": [\n{rows}\n  ]\n'
            "}\n"
        )
        write_whole(path, text.encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Tokenizer:
        """Return the tokenizer that `save` has written to a file.

        Raises
        ------
        OSError
            If the file can't be read.
        ValueError
            If it is not a whole tokenizer; the message names the file and the place in it.
        """
        data = read_bounded(path, MAX_FILE_BYTES)
        try:
            return cls(**_parse(data))
        except RecursionError:
            raise ValueError(f"{os.fspath(path)}: is not a tokenizer: nested too deeply") from None
        except (TypeError, ValueError) as error:
            raise ValueError(f"{os.fspath(path)}: is not a tokenizer: {error}") from None


def _restore(
    pairs: bytes, pattern: str, special_tokens: tuple[str, ...], counts: bytes | None
) -> Tokenizer:
    flat = memoryview(pairs).cast("i")
    return Tokenizer(
        merges=list(zip(flat[::2], flat[1::2], strict=True)),
        pattern=pattern,
        special_tokens=special_tokens,
        merge_counts=None if counts is None else memoryview(counts).cast("q").tolist(),
    )


def _to_utf8(text: str | bytes) -> bytes:
    if isinstance(text, str):
        return encode_utf8(text, "text")
    if not isinstance(text, bytes):
        raise TypeError(f"text must be str or bytes, got {type(text).__name__}")
    at = check_utf8(text)
    if at >= 0:
        raise ValueError(
            f"text must be UTF-8, but byte {at} is not; "
            "text.decode(errors='replace') replaces what is not"
        )
    return text


def _parse(data: bytes) -> dict[str, Any]:
    # The parameters of a Tokenizer from the text of a file; ValueError if they are not there.
    try:
        content = json.loads(data.decode(), object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f'it does not say "format": "{FORMAT}"')
    if content.get("version") != FORMAT_VERSION:
        raise ValueError(
            f"version must be {FORMAT_VERSION}, got {shorten(content.get('version'))}; "
            "another bpetok wrote it"
        )
    for name, kind, json_kind in (
        ("pattern", str, "a string"),
        ("special_tokens", dict, "an object"),
        ("merges", list, "an array"),
    ):
        if not isinstance(content.get(name), kind):
            raise ValueError(f"{name} must be {json_kind}, got {shorten(content.get(name))}")
    special_tokens = content["special_tokens"]
    for i, (token, token_id) in enumerate(special_tokens.items()):
        expected = N_BYTES + len(content["merges"]) + i
        if token_id != expected:
            raise ValueError(
                f"special_tokens: the id of {shorten(token)} must be {expected}, after bytes and "
                f"merges, got {shorten(token_id)}"
            )
    return {
        "merges": content["merges"],
        "pattern": content["pattern"],
        "special_tokens": special_tokens,
        "merge_counts": content.get("merge_counts"),
    }


def _unique(items: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(items)
    if len(unique) < len(items):
        raise ValueError("a name stands twice in one object")
    return unique
