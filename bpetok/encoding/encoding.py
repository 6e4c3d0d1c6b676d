"""The methods of a Tokenizer that turn text into ids."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, cast

from bpetok.base.checks import (
    check_errors,
    check_integer,
    check_texts,
    encode_utf8,
    resolve_threads,
    shorten,
)
from bpetok.encoding.batches import Batch, encode_flat, encode_lists
from bpetok.encoding.decoder import Decoder
from bpetok.encoding.encoder import Specials, TextEncoder
from bpetok.encoding.texts import to_utf8
from bpetok.patterns.special import SpecialTokens

if TYPE_CHECKING:
    import numpy as np
    from typing_extensions import Unpack

    from bpetok.base.progress import Progress
    from bpetok.encoding.batches import Ids
    from bpetok.encoding.id_files import IdFiles
    from bpetok.showing.explanation import Explanation
    from bpetok.sources.corpus import Files
    from bpetok.sources.reading import Reading
    from bpetok.tokenizer import Tokenizer

Special = Literal["all"] | Iterable[str]


class Encoding(TextEncoder):
    """What `Tokenizer` inherits; it makes what is named here."""

    __slots__ = ()

    _decoder: Decoder
    _special_tokens: dict[str, int]
    _narrow: bool

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
        return np.asarray(self._encoder.encode_array(text, specials, self._narrow))

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
        return self._encoder.count(text, specials)

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
        return ids, self._decoder.offsets(ids, to_utf8(text))

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
        return encode_lists(self._encoder, texts, resolve_threads(n_threads), specials)

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
        specials = self._specials(allowed_special, disallowed_special)
        n_threads = resolve_threads(n_threads)
        return encode_flat(self._encoder, texts, n_threads, specials, self.id_dtype)

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
        rows = check_texts(texts)
        specials = self._specials(allowed_special, disallowed_special)

        def generate() -> Iterator[int]:
            for i, text in enumerate(rows):
                yield from self._encoder.encode(text, specials, f"texts[{i}]")

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
        the vocabulary. Everything gets its name when it is whole. Files of an earlier run with this
        output are replaced, all that its JSON file lists: none of its shards stay.

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
            Which column, how much of it: see `bpetok.Reading`.

        Raises
        ------
        OSError, ImportError
            If a file can't be read, or the output's folder not be written to, before anything is
            encoded; or if a file changes while it is read.
        ValueError
            If a file is damaged, has no such column, is not UTF-8 or holds a special token that is
            disallowed (the message has the file and the offset or the row), or an option is out of
            its range; or if a file has the name of a shard and no JSON file of an earlier run lists
            it. No file is written.
        """
        from bpetok.encoding import id_files
        from bpetok.sources.corpus import resolve_corpus
        from bpetok.sources.reading import check_reading

        if eot is not None and eot not in self._special_tokens:
            raise ValueError(
                f"eot must be a special token, one of {shorten(list(self._special_tokens))}, "
                f"got {eot!r}"
            )
        if shard_size is not None:
            shard_size = check_integer("shard_size", shard_size, 1, (1 << 63) - 1)
        allowed, disallowed = self._special_names(allowed_special, disallowed_special)
        job = id_files.Job(
            encoder=self._encoder,
            specials=self._build_specials(allowed, disallowed),
            # Where one of these begins, a text may be cut in two.
            boundaries=SpecialTokens({name.encode() for name in (*allowed, *disallowed)}),
            eot_id=None if eot is None else self._special_tokens[eot],
            dtype=self.id_dtype,
            n_threads=resolve_threads(n_threads),
            errors=check_errors(errors),
            reading=check_reading(reading),
        )
        corpus = resolve_corpus(files, job.reading)
        return id_files.encode_files(
            cast("Tokenizer", self), job, corpus, output, shard_size, progress
        )

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
        from bpetok.showing.explanation import explain

        allowed, _ = self._special_names(allowed_special, ())
        return explain(cast("Tokenizer", self), to_utf8(text), set(allowed))

    def _encode_word(self, word: bytes) -> list[int]:
        # The ids of any bytes as one word, whatever the pattern.
        return self._encoder.encode_word(word)

    def _specials(self, allowed_special: Special, disallowed_special: Special) -> Specials:
        if disallowed_special == "all" and allowed_special == ():
            return self._refusing
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
        given = _given_names("allowed_special", allowed_special)
        allowed = [name for name in names if given is None or name in given]
        disallowed = _given_names("disallowed_special", disallowed_special)
        if disallowed is None:
            return allowed, [name for name in names if name not in allowed]
        if "" in disallowed:
            raise ValueError(
                "disallowed_special must not hold the empty str, which stands in every text"
            )
        return allowed, disallowed


def _given_names(parameter: str, value: Special) -> list[str] | None:
    """Return the special tokens that were given, in their order and each once; None for "all"."""
    if isinstance(value, str):
        if value == "all":
            return None
        raise ValueError(
            f"{parameter} must be 'all' or a set of special tokens, got {value!r}; "
            f"write {{{value!r}}}"
        )
    if not isinstance(value, Iterable):
        raise TypeError(f"{parameter} must be 'all' or a set of str, got {shorten(value)}")
    names = list(dict.fromkeys(value))
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"{parameter} must hold str only, got {shorten(name)}")
    return names
