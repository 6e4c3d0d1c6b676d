"""The Tokenizer: what training gives and what encodes, decodes, saves and loads."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, SupportsIndex

from bpetok._conversions import Conversions
from bpetok._decode import Decoder
from bpetok._encode import DISALLOWED_TOKEN, Encoder, Specials, TextError
from bpetok._files import read_bounded, write_whole
from bpetok._options import (
    check_errors,
    check_integer,
    check_special_tokens,
    resolve_threads,
)
from bpetok._saved import from_json, to_json
from bpetok._scan import check_utf8
from bpetok._special import SpecialTokens
from bpetok._streams import DecodeStream
from bpetok.patterns import check_pattern, scanner_of
from bpetok.vocab import (
    N_BYTES,
    build_token_bytes,
    build_vocab,
    check_ids,
    check_merge_counts,
    check_merges,
    encode_utf8,
    shorten,
)

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt
    from typing_extensions import Unpack

    from bpetok._bins import IdFiles
    from bpetok.explain import Explanation
    from bpetok.facts import TrainingFacts
    from bpetok.progress import Progress
    from bpetok.sources import Files, Reading
    from bpetok.vocab import Counts, Merges

    Ids = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]

Special = Literal["all"] | Collection[str]

MAX_FILE_BYTES = 1 << 28  # a million merges with their counts take some 30 MB
BATCH_SIZE = (
    1 << 20
)  # characters that a thread encodes at a time; more makes threads wait at the end

_NONE = SpecialTokens(())


class Batch(NamedTuple):
    """Ids of several texts, one after another.

    ids : uint16 or uint32 array
    offsets : int64 array, shape (n_texts + 1,)
        Text i has ids[offsets[i]:offsets[i + 1]].
    """

    ids: Ids
    offsets: npt.NDArray[np.int64]


class SpecialTokenError(ValueError):
    """A text holds a special token that is not allowed: `token`, at `index` in characters.

    `name` says which text: "text", or "texts[3]" of a batch.
    """

    def __init__(self, token: str, index: int, name: str = "text") -> None:
        super().__init__(token, index, name)
        self.token = token
        self.index = index
        self.name = name

    def __str__(self) -> str:
        return (
            f"{self.name} holds the special token {self.token!r} at index {self.index}. To give it "
            f"its own id, pass allowed_special={{{self.token!r}}} or 'all'; to encode it as "
            "ordinary text, pass disallowed_special=() or call encode_ordinary"
        )


class Tokenizer(Conversions):
    """A byte-level BPE tokenizer, immutable. Threads and forked processes may share it.

    Ids 0 to 255 are the bytes, merge i makes the id 256 + i, and the special tokens follow in their
    order, unless `token_ids` and `special_tokens` say otherwise. Two tokenizers are equal if they
    have the same merges, pattern, special tokens and ids.

    Parameters
    ----------
    merges : sequence of pairs of int, or integer array, shape (n_merges, 2)
        The tokens that each merge joins, in learning order: 0 to 255 are the bytes, 256 + i is what
        merge i makes.
    pattern : str
        What splits text into words: the name of a built-in pattern (`bpetok.patterns.names`), or a
        regular expression. Text that the expression does not match is a word, so that no text is
        lost; encoding is far slower with an expression that is not a built-in pattern.
    special_tokens : iterable of str, or mapping of str to int
        All different, none empty. A mapping says what id each has.
    merge_counts : sequence of int or integer array, shape (n_merges,), optional
        How often each pair stood in the training text when it was merged.
    token_ids : sequence of int or integer array, shape (256 + n_merges,), optional
        The id of each byte and of what each merge makes, for a vocabulary that came from elsewhere
        with other ids. All that this class takes and gives are these ids, but for `merge_pairs`.
    training : TrainingFacts, optional
        What it was trained on.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not as said above; the message names it, the value and the bound.
    """

    __slots__ = (
        "_counts",
        "_decoder",
        "_disallowed_all",
        "_encoder",
        "_merges",
        "_narrow",
        "_ordinary",
        "_pairs",
        "_pattern",
        "_special_tokens",
        "_token_bytes",
        "_token_ids",
        "_training",
        "_vocab",
        "_vocab_size",
    )

    def __init__(
        self,
        *,
        merges: Merges,
        pattern: str = "gpt2",
        special_tokens: Iterable[str] | Mapping[str, int] = (),
        merge_counts: Counts | None = None,
        token_ids: Counts | None = None,
        training: TrainingFacts | None = None,
    ) -> None:
        pairs = check_merges(merges)
        n_merges = len(pairs) // 2
        special = check_special_tokens(special_tokens)
        given = special_tokens if isinstance(special_tokens, Mapping) else None
        counts = None if merge_counts is None else check_merge_counts(merge_counts, n_merges)
        ids, special_ids = check_ids(token_ids, given, n_merges)
        if given is None:
            first = max(ids, default=0) + 1 if ids is not None else N_BYTES + n_merges
            special_ids = list(range(first, first + len(special)))
        self._pattern = check_pattern(pattern)
        # bytes, so that the arrays made of them can't be written to
        self._pairs = pairs.tobytes()
        self._counts = None if counts is None else counts.tobytes()
        self._token_ids = None if ids is None else ids.tobytes()
        self._training = training
        by_id = sorted(zip(special_ids, special, strict=True))
        self._special_tokens = {token: token_id for token_id, token in by_id}
        self._token_bytes = build_token_bytes(pairs)
        largest = max(ids) if ids is not None else N_BYTES + n_merges - 1
        self._vocab_size = 1 + max(largest, *special_ids, 0)
        self._narrow = self._vocab_size <= 1 << 16
        scanner = scanner_of(self._pattern)
        split = _splitter(self._pattern) if scanner < 0 else None
        self._encoder = Encoder(pairs, self._vocab_size, ids, scanner, split)
        self._decoder = Decoder(self._tokens_by_id())
        self._ordinary = Specials(_NONE, [], _NONE)
        self._disallowed_all = self._build_specials((), "all")
        self._merges: list[tuple[bytes, bytes]] | None = None
        self._vocab: dict[bytes, int] | None = None

    def _tokens_by_id(self) -> list[bytes | None]:
        tokens: list[bytes | None] = [None] * self._vocab_size
        if self._token_ids is None:
            tokens[: len(self._token_bytes)] = self._token_bytes
        else:
            for token_id, token in zip(self._ids(), self._token_bytes, strict=True):
                tokens[token_id] = token
        for name, token_id in self._special_tokens.items():
            tokens[token_id] = name.encode()
        return tokens

    def _ids(self) -> Sequence[int]:
        # The id of each byte and each merge.
        if self._token_ids is None:
            return range(len(self._token_bytes))
        return memoryview(self._token_ids).cast("i")

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
        """What each merge joins: int32, shape (n_merges, 2), read-only.

        0 to 255 are the bytes, 256 + i is what merge i makes, whatever the ids of these are.
        """
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
    def training(self) -> TrainingFacts | None:
        """What it was trained on; None if that is not known."""
        return self._training

    @property
    def vocab(self) -> dict[bytes, int]:
        """The id of each ordinary token: a view for reading, made once.

        Two merges can spell the same bytes. Then this has the first id only, and fewer entries
        than there are tokens; `token_bytes` knows all.
        """
        if self._vocab is None:
            self._vocab = build_vocab(zip(self._token_bytes, self._ids(), strict=True))
        return self._vocab

    @property
    def special_tokens(self) -> dict[str, int]:
        """The id of each special token."""
        return dict(self._special_tokens)

    @property
    def pattern(self) -> str:
        """The pattern that splits text into words: a name, or an expression that has none."""
        return self._pattern

    @property
    def vocab_size(self) -> int:
        """One more than the largest id: bytes + merges + special tokens, if no id is left out."""
        return self._vocab_size

    def token_bytes(self, token_id: int) -> bytes:
        """Return the bytes of one id, ordinary or special; ValueError if there is no such id."""
        return self._decoder.decode([token_id])

    @property
    def token_ids(self) -> npt.NDArray[np.int32]:
        """The id of each byte and of what each merge makes: int32, shape (256 + n_merges,)."""
        import numpy as np

        ids = np.asarray(self._ids(), dtype=np.int32)
        ids.flags.writeable = False
        return ids

    def __repr__(self) -> str:
        n_merges = len(self._token_bytes) - N_BYTES
        return (
            f"<Tokenizer: {self.vocab_size} ids, {n_merges} merges, pattern {self._pattern!r}, "
            f"{len(self._special_tokens)} special tokens>"
        )

    def _repr_html_(self) -> str:
        from bpetok._notebook import tokenizer_html

        return tokenizer_html(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tokenizer):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (*self._identity(), self._counts, self._training)

    def _identity(self) -> tuple[bytes, str, tuple[tuple[str, int], ...], bytes | None]:
        return self._pairs, self._pattern, tuple(self._special_tokens.items()), self._token_ids

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
        try:
            return self._encoder.encode(text, self._ordinary)
        except (TextError, UnicodeEncodeError, TypeError) as error:
            raise _explain(error, text) from None

    def encode(
        self,
        text: str | bytes,
        *,
        allowed_special: Special = (),
        disallowed_special: Special = "all",
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
            If the text has a lone surrogate or is not UTF-8; the message says where.
        """
        specials = self._specials(allowed_special, disallowed_special)
        try:
            return self._encoder.encode(text, specials)
        except (TextError, UnicodeEncodeError, TypeError) as error:
            raise _explain(error, text) from None

    def encode_to_numpy(
        self,
        text: str | bytes,
        *,
        allowed_special: Special = (),
        disallowed_special: Special = "all",
    ) -> Ids:
        """Return the ids of a text, as `encode` does, in an array of `id_dtype`."""
        import numpy as np

        specials = self._specials(allowed_special, disallowed_special)
        try:
            return np.asarray(self._encoder.encode_array(text, specials, self._narrow))
        except (TextError, UnicodeEncodeError, TypeError) as error:
            raise _explain(error, text) from None

    @property
    def id_dtype(self) -> np.dtype[Any]:
        """What arrays of ids hold: uint16 if all ids are less than 65,536, else uint32."""
        import numpy as np

        return np.dtype(np.uint16 if self._narrow else np.uint32)

    def count_tokens(
        self,
        text: str | bytes,
        *,
        allowed_special: Special = (),
        disallowed_special: Special = "all",
    ) -> int:
        """Return the number of ids of a text, as `encode` finds them, without keeping any."""
        specials = self._specials(allowed_special, disallowed_special)
        try:
            return self._encoder.count(text, specials)
        except (TextError, UnicodeEncodeError, TypeError) as error:
            raise _explain(error, text) from None

    def encode_with_offsets(
        self,
        text: str | bytes,
        *,
        allowed_special: Special = (),
        disallowed_special: Special = "all",
    ) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the ids of a text and where each stands in it: (start, end), in characters.

        A character that several ids share belongs to each of them; else text[start:end] is the
        text of the id.
        """
        ids = self.encode(
            text, allowed_special=allowed_special, disallowed_special=disallowed_special
        )
        return ids, self._decoder.offsets(ids, _to_utf8(text))

    def encode_batch(
        self,
        texts: Iterable[str | bytes],
        *,
        n_threads: int | None = None,
        allowed_special: Special = (),
        disallowed_special: Special = "all",
    ) -> list[list[int]]:
        """Return the ids of each text, as `encode` does.

        Parameters
        ----------
        texts : iterable of str or bytes
        n_threads : int, optional
            Else the environment variable BPETOK_NUM_THREADS, else the CPUs this process may use.
            The result does not depend on it.
        allowed_special, disallowed_special : "all" or a set of str
            As in `encode`.

        Raises
        ------
        SpecialTokenError, ValueError, TypeError
            As `encode`; the message says which text it was.
        """
        specials = self._specials(allowed_special, disallowed_special)
        parts = self._run_batch(texts, n_threads, specials, True)
        return parts[0] if len(parts) == 1 else [row for part in parts for row in part]

    def encode_batch_to_numpy(
        self,
        texts: Iterable[str | bytes],
        *,
        n_threads: int | None = None,
        allowed_special: Special = (),
        disallowed_special: Special = "all",
    ) -> Batch:
        """Return the ids of all texts in one array, and where each text begins in it.

        Parameters are those of `encode_batch`.

        Returns
        -------
        ids : array of `id_dtype`
        offsets : int64 array, shape (n_texts + 1,)
            Text i has ids[offsets[i]:offsets[i + 1]].
        """
        import numpy as np

        specials = self._specials(allowed_special, disallowed_special)
        parts = self._run_batch(texts, n_threads, specials, False)
        ids = [np.asarray(part[0]) for part in parts]
        counts = [np.asarray(part[1]) for part in parts]
        offsets = np.zeros(sum(map(len, counts)) + 1, dtype=np.int64)
        if counts:
            np.cumsum(np.concatenate(counts), out=offsets[1:])
        if len(ids) == 1:
            return Batch(ids[0], offsets)
        return Batch(np.concatenate([np.empty(0, self.id_dtype), *ids]), offsets)

    def _run_batch(
        self, texts: Iterable[str | bytes], n_threads: int | None, specials: Specials, lists: bool
    ) -> list[Any]:
        if isinstance(texts, str | bytes):
            raise TypeError("texts must be an iterable of texts, got a single one: wrap it in []")
        threads = resolve_threads(n_threads)
        rows = texts if isinstance(texts, list) else list(texts)

        def run(part: range) -> Any:
            return self._encoder.encode_many(
                rows, part.start, part.stop, specials, self._narrow, lists
            )

        try:
            parts = [range(len(rows))] if threads == 1 else _parts(rows)
            if len(parts) <= 1:
                return [run(part) for part in parts]
            with ThreadPoolExecutor(threads) as pool:
                return list(pool.map(run, parts))
        except TextError as error:
            raise _explain(error, rows[error.index], f"texts[{error.index}]") from None

    def encode_iterable(
        self,
        texts: Iterable[str | bytes],
        *,
        allowed_special: Special = (),
        disallowed_special: Special = "all",
    ) -> Iterator[int]:
        """Yield the ids of texts, each encoded on its own, one after another, in constant memory.

        The texts may be the lines of an open file, for example.
        """
        if isinstance(texts, str | bytes):
            raise TypeError("texts must be an iterable of texts, got a single one: wrap it in []")
        specials = self._specials(allowed_special, disallowed_special)

        def generate() -> Iterator[int]:
            for i, text in enumerate(texts):
                try:
                    ids = self._encoder.encode(text, specials)
                except (TextError, UnicodeEncodeError, TypeError) as error:
                    raise _explain(error, text, f"texts[{i}]") from None
                yield from ids

        return generate()

    def encode_files(
        self,
        files: Files,
        output: str | os.PathLike[str],
        *,
        eot: str | None = None,
        shard_size: int | None = None,
        allowed_special: Special = (),
        disallowed_special: Special = "all",
        n_threads: int | None = None,
        errors: str = "strict",
        progress: Progress = False,
        **reading: Unpack[Reading],
    ) -> IdFiles:
        """Encode files of any size into a file of ids, as training loops read them.

        The ids of all files, one after another, each an integer of `id_dtype`, little-endian:
        ``numpy.memmap(output, dtype="uint16", mode="r")`` reads them. Beside it stands a small JSON
        file, with ".json" in the place of the output's suffix, with dtype, counts, and a hash of
        the vocabulary. Everything gets its name when it is whole.

        Parameters
        ----------
        files : path, URL, folder, glob pattern or table, or iterable of them
            Text, JSON lines, Parquet, Arrow, datasets: as `count_words` takes them, unweighted.
        output : path
        eot : str, optional
            A special token whose id is written behind each text: each record, and each plain text
            file that is not empty.
        shard_size : int, optional
            Ids a file. The files are then named after `output` with a number: train.bin becomes
            train_000000.bin, train_000001.bin...
        allowed_special, disallowed_special : "all" or a set of str
            As in `encode`.
        n_threads : int, optional
            As in `encode_batch`; the result does not depend on it.
        errors : {"strict", "replace"}
            What to do with bytes that are not UTF-8: raise, or encode U+FFFD as ``bytes.decode``
            gives it.
        progress : bool or callable
            True shows a bar; a callable is called with ("encode", bytes done, bytes in all).
        **reading
            Which column, how much of it: see `bpetok.sources.Reading`.

        Raises
        ------
        OSError, ImportError
            If a file can't be read, or the output's folder not be written to, before anything is
            encoded; or if a file changes while it is read.
        ValueError
            If a file is damaged, has no such column, is not UTF-8 or holds a special token that is
            disallowed (the message has the file and the offset or the row), or an option is out of
            its range. No file is written.
        """
        from bpetok import _bins
        from bpetok.sources import check_reading, resolve_corpus

        if eot is not None and eot not in self._special_tokens:
            raise ValueError(
                f"eot must be a special token, one of {shorten(list(self._special_tokens))}, "
                f"got {eot!r}"
            )
        if shard_size is not None:
            shard_size = check_integer("shard_size", shard_size, 1, (1 << 63) - 1)
        allowed, disallowed = self._special_names(allowed_special, disallowed_special)
        job = _bins.Job(
            encoder=self._encoder,
            specials=self._build_specials(allowed_special, disallowed_special),
            # Where one of these begins, a text may be cut in two.
            boundaries=SpecialTokens({name.encode() for name in (*allowed, *disallowed)}),
            eot_id=None if eot is None else self._special_tokens[eot],
            dtype=self.id_dtype,
            n_threads=resolve_threads(n_threads),
            errors=check_errors(errors),
            reading=check_reading(reading),
        )
        corpus = resolve_corpus(files, job.reading)
        return _bins.encode_files(self, job, corpus, output, shard_size, progress)

    @property
    def vocabulary_sha256(self) -> str:
        """A hash of all that ids depend on: merges, pattern, special tokens and ids."""
        return hashlib.sha256(self._to_json(with_training=False)).hexdigest()

    def explain(self, text: str | bytes, *, allowed_special: Special = "all") -> Explanation:
        """Return how a text becomes tokens: its words, and in each the merges in their order.

        For texts that people read: every step is kept.

        Parameters
        ----------
        text : str or bytes
            bytes must be UTF-8.
        allowed_special : "all" or a set of str
            Special tokens that get their own id; others are text like any other.

        Raises
        ------
        TypeError, ValueError
            If the text is neither str nor bytes, has a lone surrogate or is not UTF-8.
        """
        from bpetok.explain import explain

        everything = _is_all(allowed_special, "allowed_special")
        names = set(self._special_tokens) if everything else set(allowed_special)
        return explain(self, _to_utf8(text), names)

    def _encode_word(self, word: bytes) -> list[int]:
        # The ids of any bytes as one word, whatever the pattern.
        return self._encoder.encode_word(word)

    def _specials(self, allowed_special: Special, disallowed_special: Special) -> Specials:
        if disallowed_special == "all" and allowed_special == ():
            return self._disallowed_all
        return self._build_specials(allowed_special, disallowed_special)

    def _build_specials(self, allowed_special: Special, disallowed_special: Special) -> Specials:
        allowed, disallowed = self._special_names(allowed_special, disallowed_special)
        tokens = SpecialTokens(name.encode() for name in allowed)
        ids = [self._special_tokens[token.decode()] for token in tokens.tokens]
        return Specials(
            tokens,
            ids,
            SpecialTokens(encode_utf8(name, "disallowed_special") for name in disallowed),
        )

    def _special_names(
        self, allowed_special: Special, disallowed_special: Special
    ) -> tuple[list[str], list[str]]:
        names = list(self._special_tokens)
        given = names if _is_all(allowed_special, "allowed_special") else allowed_special
        allowed = [name for name in names if name in given]
        if _is_all(disallowed_special, "disallowed_special"):
            return allowed, [name for name in names if name not in allowed]
        if "" in disallowed_special:
            raise ValueError(
                "disallowed_special must not hold the empty str, which stands in every text"
            )
        return allowed, list(dict.fromkeys(disallowed_special))

    # ---- ids to text ----

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
        return [self.decode(row, errors) for row in rows]

    def decode_stream(self, errors: str = "replace") -> DecodeStream:
        """Return a decoder for ids that come one by one, as a model makes them.

        Its ``feed(ids)`` takes an id or several and returns the text that is complete by then,
        whole characters only; its ``finish()`` returns what is left.
        """
        return DecodeStream(self.decode_bytes, errors)

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
        write_whole(path, self._to_json())

    def _to_json(self, *, with_training: bool = True) -> bytes:
        counts = facts = None
        if with_training and self._counts is not None:
            counts = memoryview(self._counts).cast("q").tolist()
        if with_training and self._training is not None:
            facts = self._training.to_json()
        return to_json(
            pairs=memoryview(self._pairs).cast("i").tolist(),
            pattern=self._pattern,
            special_tokens=self._special_tokens,
            counts=counts,
            token_ids=None if self._token_ids is None else list(self._ids()),
            training=facts,
        )

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
            return cls(**from_json(data))
        except RecursionError:
            raise ValueError(f"{os.fspath(path)}: is not a tokenizer: nested too deeply") from None
        except (TypeError, ValueError) as error:
            raise ValueError(f"{os.fspath(path)}: is not a tokenizer: {error}") from None


def _restore(
    pairs: bytes,
    pattern: str,
    special_tokens: tuple[tuple[str, int], ...],
    token_ids: bytes | None,
    counts: bytes | None,
    training: TrainingFacts | None,
) -> Tokenizer:
    flat = memoryview(pairs).cast("i")
    return Tokenizer(
        merges=list(zip(flat[::2], flat[1::2], strict=True)),
        pattern=pattern,
        special_tokens=dict(special_tokens),
        merge_counts=None if counts is None else memoryview(counts).cast("q").tolist(),
        token_ids=None if token_ids is None else memoryview(token_ids).cast("i").tolist(),
        training=training,
    )


def _is_all(value: Special, name: str) -> bool:
    if isinstance(value, str) and value != "all":
        raise ValueError(
            f"{name} must be 'all' or a set of special tokens, got {value!r}; write {{{value!r}}}"
        )
    return value == "all"


def _parts(texts: Sequence[str | bytes]) -> list[range]:
    # Ranges of texts of about BATCH_SIZE together.
    parts = []
    start = size = 0
    for i, text in enumerate(texts):
        size += len(text) if isinstance(text, str | bytes) else 0
        if size >= BATCH_SIZE:
            parts.append(range(start, i + 1))
            start, size = i + 1, 0
    if start < len(texts) or not parts:
        parts.append(range(start, len(texts)))
    return parts


def _splitter(expression: str) -> Callable[[bytes], array[int]]:
    from bpetok._expressions import Splitter  # the regex module is not needed for any other pattern

    return Splitter(expression)


def _explain(error: Exception, text: object, name: str = "text") -> Exception:
    # What a user is told of a text that can't be encoded.
    if isinstance(error, TextError) and error.kind == DISALLOWED_TOKEN:
        data = _to_utf8(text, name)
        token = data[error.start : error.start + error.length].decode()
        return SpecialTokenError(token, len(data[: error.start].decode()), name)
    try:
        _to_utf8(text, name)
    except (TypeError, ValueError) as better:
        return better
    return error


def _to_utf8(text: object, name: str = "text") -> bytes:
    if isinstance(text, str):
        return encode_utf8(text, name)
    if not isinstance(text, bytes):
        raise TypeError(f"{name} must be str or bytes, got {type(text).__name__}")
    at = check_utf8(text)
    if at >= 0:
        raise ValueError(
            f"{name} must be UTF-8, but byte {at} is not; "
            f"{name}.decode(errors='replace') replaces what is not"
        )
    return text
