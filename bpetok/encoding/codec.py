"""The Codec: merges, a pattern and special tokens, and what encodes and decodes with them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import index, itemgetter
from sys import intern
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex

from bpetok.base.byte_characters import from_text, spelled_as_bytes, to_text
from bpetok.base.checks import (
    Reserved,
    check_bool,
    check_handler,
    check_integer,
    check_special_tokens,
    check_texts,
    encode_utf8,
    is_iterable,
    listed,
    plain,
    resolve_threads,
    shorten,
)
from bpetok.base.extras import load_numpy
from bpetok.base.limits import DEFAULT_PATTERN, N_BYTES
from bpetok.encoding.added_tokens import (
    AddedToken,
    AddedTokenFinder,
    check_added_tokens,
    finder_of,
    inner_finder_of,
)
from bpetok.encoding.batches import EncodedBatch, encode_flat, encode_lists
from bpetok.encoding.decoder import Decoder, list_of_ids
from bpetok.encoding.encoder import Encoder, Specials, TextEncoder
from bpetok.encoding.merge_order import MergeOrder, made_at_once
from bpetok.encoding.streams import DecodeStream
from bpetok.encoding.text_decoders import text_steps
from bpetok.encoding.texts import replaced, replaced_texts, to_utf8
from bpetok.encoding.token_bytes import build_token_bytes
from bpetok.encoding.vocab import (
    build_vocab,
    check_ids,
    check_merge_counts,
    check_merge_order,
    check_merges,
    check_settings,
    check_tokens,
    check_unknown,
)
from bpetok.encoding.whole_words import WholeWords
from bpetok.patterns.bounds import check_growth
from bpetok.patterns.builtin import check_pattern, scanner_of
from bpetok.patterns.chains import Pattern, around_spaces, put_space
from bpetok.patterns.scan import word_spans
from bpetok.patterns.special import SpecialTokens

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt
    from typing_extensions import Self

    from bpetok.encoding.batches import Ids
    from bpetok.encoding.facts import TrainingFacts
    from bpetok.encoding.vocab import Counts, Merges
    from bpetok.patterns.normalizers import Normalizer, Spec

Special = Literal["all"] | Iterable[str]


class Codec(TextEncoder):
    """Text to ids and back: all of a `Tokenizer` but its files.

    Immutable. Two are equal if they have the same merges, pattern, special tokens and ids. The
    parameters and what they raise are those of `Tokenizer`.
    """

    __slots__ = (
        "_added_tokens",
        "_allowing",
        "_counts",
        "_decoder",
        "_fuse_unk",
        "_id_of",
        "_merge_order",
        "_narrow",
        "_normalizer",
        "_other_tokens",
        "_pairs",
        "_pattern",
        "_prefix_space",
        "_settings",
        "_skipped",
        "_special_tokens",
        "_spells_tokens",
        "_text_decoder",
        "_text_steps",
        "_token_bytes",
        "_token_ids",
        "_training",
        "_unk_id",
        "_vocab_size",
        "_whole_words",
    )

    def __init__(
        self,
        *,
        merges: Merges,
        pattern: Pattern = DEFAULT_PATTERN,
        special_tokens: Iterable[str | Reserved] | Mapping[str, int] = (),
        added_tokens: Iterable[AddedToken] = (),
        merge_counts: Counts | None = None,
        token_ids: Counts | None = None,
        whole_words: Mapping[bytes, int] | None = None,
        other_tokens: Mapping[bytes, int] | None = None,
        normalizer: Spec | None = None,
        prefix_space: bool = False,
        unk_id: int | None = None,
        fuse_unk: bool = False,
        merge_order: Counts | None = None,
        training: TrainingFacts | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        # Long, but without a branch that goes on: options are checked, each on its own or against
        # those before, and what is made of them is kept, one attribute after the other.
        pairs = check_merges(merges)
        n_merges = len(pairs) // 2
        given = special_tokens if isinstance(special_tokens, Mapping) else None
        special = check_special_tokens(special_tokens if given is None else tuple(given))
        counts = None if merge_counts is None else check_merge_counts(merge_counts, n_merges)
        order = None if merge_order is None else check_merge_order(merge_order, pairs)
        self._whole_words = check_tokens({} if whole_words is None else whole_words, "whole_words")
        self._other_tokens = check_tokens(
            {} if other_tokens is None else other_tokens, "other_tokens"
        )
        more = {"whole_words": self._whole_words, "other_tokens": self._other_tokens}
        # A tuple, which the garbage collector need not walk through.
        self._token_bytes = tuple(build_token_bytes(pairs))
        ids, special_ids = check_ids(token_ids, given, n_merges, more, self._token_bytes)
        more_ids = [*self._whole_words.values(), *self._other_tokens.values()]
        largest = max(max(ids) if ids is not None else N_BYTES + n_merges - 1, *more_ids, 0)
        if given is None:
            special_ids = list(range(largest + 1, largest + 1 + len(special)))
        self._pattern = check_pattern(pattern)
        # bytes, so that the arrays made of them can't be written to
        self._pairs = pairs.tobytes()
        self._counts = None if counts is None else counts.tobytes()
        self._merge_order = None if order is None else order.tobytes()
        self._token_ids = None if ids is None else ids.tobytes()
        self._training = None if training is None else _check_training(training)
        settings = {} if settings is None else settings
        self._settings = check_settings(settings)
        self._text_steps = text_steps(settings.get("decoder"))
        # A file that says it has no decoder.
        self._spells_tokens = settings.get("decoder", ...) is None
        # Of two names of one id the first one stays the first.
        by_id = sorted(zip(special_ids, special, strict=True), key=itemgetter(0))
        self._special_tokens = {token: token_id for token_id, token in by_id}
        self._added_tokens = check_added_tokens(added_tokens, self._special_tokens)
        self._vocab_size = 1 + max(largest, *special_ids, 0)
        self._narrow = self._vocab_size <= 1 << 16
        self._normalizer = _normalizer(normalizer)
        self._prefix_space = check_bool("prefix_space", prefix_space)
        self._unk_id = check_unknown(unk_id, fuse_unk, ids)
        self._fuse_unk = fuse_unk
        tokens = self._tokens_by_id()
        if self._unk_id is not None and tokens[self._unk_id : self._unk_id + 1] in ([], [None]):
            raise ValueError(f"unk_id must be the id of a token, got {unk_id}")
        self._decoder = Decoder(tokens)
        has_decoder = (settings or {}).get("decoder") is not None
        self._text_decoder = self._decoder_of_text(tokens, has_decoder=has_decoder)
        self._refusing = self._build_specials((), "all")
        self._id_of: dict[bytes, int] | None = None  # of tokens, made when it is first needed
        self._allowing: Specials | None = None  # of all, made when it is first needed
        self._skipped: frozenset[int] | None = None  # by `decode`, the same

    def _build_encoder(self) -> Encoder:
        scanner = scanner_of(self._pattern)
        return Encoder(
            memoryview(self._pairs).cast("i"),
            self._vocab_size,
            None if self._token_ids is None else memoryview(self._token_ids).cast("i"),
            scanner,
            _splitter(self._pattern) if scanner is None else None,
            WholeWords(self._whole_words) if self._whole_words else None,
            self._normalizer,
            self._prefix_space,
            -1 if self._unk_id is None else self._unk_id,
            self._fuse_unk,
            self._order(),
        )

    def _order(self) -> MergeOrder | None:
        # What the encoder needs to merge in another order, if it is another.
        if self._merge_order is None:
            return None
        places = memoryview(self._merge_order).cast("i")
        late = made_at_once(memoryview(self._pairs).cast("i"), places)
        return MergeOrder(places, [self._token_bytes[N_BYTES + merge] for merge in late])

    def _tokens_by_id(self) -> list[bytes | None]:
        tokens: list[bytes | None] = [None] * self._vocab_size
        if self._token_ids is None:
            tokens[: len(self._token_bytes)] = self._token_bytes
        else:
            for token_id, token in zip(self._ids(), self._token_bytes, strict=True):
                if token_id >= 0:
                    tokens[token_id] = token
        for token, token_id in (*self._whole_words.items(), *self._other_tokens.items()):
            tokens[token_id] = token
        for name, token_id in reversed(self._special_tokens.items()):  # of two names the first
            tokens[token_id] = name.encode()
            if self._normalizer is not None and self._added_tokens[name].normalized:
                tokens[token_id] = self._normalizer(name.encode())  # as it is found
        return tokens

    def _decoder_of_text(self, tokens: list[bytes | None], *, has_decoder: bool) -> Decoder:
        # The decoder of a file takes special tokens whose characters all spell bytes for those.
        if not has_decoder:
            return self._decoder
        spelled = {
            self._special_tokens[name]: from_text(name)
            for name in spelled_as_bytes(self._special_tokens)
            if tokens[self._special_tokens[name]] == name.encode()
        }
        if not spelled:
            return self._decoder
        return Decoder([spelled.get(number, token) for number, token in enumerate(tokens)])

    def _ids(self) -> Sequence[int]:
        # The id of each byte and each merge.
        if self._token_ids is None:
            return range(len(self._token_bytes))
        return memoryview(self._token_ids).cast("i")

    # ---- what it holds ----

    @property
    def merges(self) -> list[tuple[bytes, bytes]]:
        """The bytes that each merge joins, in learning order: a new list each time.

        Where two ids have the same bytes, `merge_pairs` says which is meant.
        """
        pairs = memoryview(self._pairs).cast("i")
        tokens = self._token_bytes
        return [
            (tokens[left], tokens[right])
            for left, right in zip(pairs[::2], pairs[1::2], strict=True)
        ]

    @property
    def merge_pairs(self) -> npt.NDArray[np.int32]:
        """What each merge joins: int32, shape (n_merges, 2), read-only.

        0 to 255 are the bytes, 256 + i is what merge i makes, whatever the ids of these are.
        """
        load_numpy()
        import numpy as np

        return np.frombuffer(self._pairs, dtype=np.int32).reshape(-1, 2)

    @property
    def merge_order(self) -> npt.NDArray[np.int32] | None:
        """The place of each merge in the order in which merges are taken: int32, shape (n_merges,).

        Read-only. None if it is that of `merges`, or can make no difference, as far as is known.
        """
        if self._merge_order is None:
            return None
        load_numpy()
        import numpy as np

        return np.frombuffer(self._merge_order, dtype=np.int32)

    def _merges_as_taken(self) -> list[tuple[bytes, bytes]]:
        # What each merge joins, in the order in which they are taken.
        merges = self.merges
        if self._merge_order is None:
            return merges
        rows = zip(memoryview(self._merge_order).cast("i"), merges, strict=True)
        return [merge for _, merge in sorted(rows, key=itemgetter(0))]

    @property
    def merge_counts(self) -> npt.NDArray[np.int64] | None:
        """How often each pair occurred when it was merged: int64, shape (n_merges,), read-only.

        None if that is not known.
        """
        load_numpy()
        import numpy as np

        return None if self._counts is None else np.frombuffer(self._counts, dtype=np.int64)

    @property
    def training(self) -> TrainingFacts | None:
        """What it was trained on; None if that is not known."""
        return self._training

    @property
    def vocab(self) -> dict[bytes, int]:
        """The id of each ordinary token: a new dict each time.

        Two merges can spell the same bytes. Then this has the first id only, and fewer entries
        than there are tokens; `token_bytes` knows all.
        """
        made = zip(self._token_bytes, self._ids(), strict=True)
        more = chain(self._whole_words.items(), self._other_tokens.items())
        return build_vocab(chain(((token, i) for token, i in made if i >= 0), more))

    @property
    def whole_words(self) -> dict[bytes, int]:
        """The words that are one token whatever their merges are, with their ids."""
        return dict(self._whole_words)

    @property
    def other_tokens(self) -> dict[bytes, int]:
        """The ordinary tokens that no text gives, with their ids; they are only decoded."""
        return dict(self._other_tokens)

    @property
    def normalizer(self) -> dict[str, Any] | list[dict[str, Any]] | None:
        """What changes a text before it is split, as tokenizer.json says it; None if nothing."""
        from copy import deepcopy

        return None if self._normalizer is None else deepcopy(self._normalizer.spec)

    @property
    def prefix_space(self) -> bool:
        """Whether a space is put before each text that does not begin with one."""
        return self._prefix_space

    @property
    def unk_id(self) -> int | None:
        """What each byte without an id becomes; None if such bytes are left out of texts."""
        return self._unk_id

    @property
    def fuse_unk(self) -> bool:
        """Whether several bytes without an id, one after another in a word, become one `unk_id`."""
        return self._fuse_unk

    @property
    def settings(self) -> dict[str, Any]:
        """What its file held that has no meaning here, for `save_pretrained` to write it back.

        As in the files of Hugging Face: "post_processor", "truncation", "padding", "decoder",
        "tokenizer_config", "chat_template" and so on. "raw_names" are those of the vocabulary that
        spell no bytes, such as "™" next to the spelled token that a text gives.
        """
        import json

        settings: dict[str, Any] = json.loads(self._settings)
        return settings

    @property
    def special_tokens(self) -> dict[str, int]:
        """The id of each special token."""
        return dict(self._special_tokens)

    @property
    def added_tokens(self) -> list[AddedToken]:
        """All special tokens with the flags that Hugging Face's files give them, by id."""
        return list(self._added_tokens.values())

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

    def token_id(self, token: bytes | str) -> int:
        """Return the id of a token; ValueError if there is none.

        The inverse of `token_bytes`, but for tokens with the same bytes: an ordinary one comes
        before a special one, and the first before others.

        Parameters
        ----------
        token : bytes or str
            A str means its UTF-8 form.
        """
        try:
            return self.encode_single_token(token)
        except KeyError:
            raise ValueError(f"token must be in the vocabulary, got {shorten(token)}") from None

    def encode_single_token(self, text_or_bytes: bytes | str) -> int:
        """Return the id of a token, as `token_id`; like tiktoken, KeyError if there is none."""
        token = (
            encode_utf8(text_or_bytes, "text") if isinstance(text_or_bytes, str) else text_or_bytes
        )
        if not isinstance(token, bytes):
            raise TypeError(f"a token must be bytes or str, got {type(token).__name__}")
        if self._id_of is None:
            special = ((name.encode(), token_id) for name, token_id in self._special_tokens.items())
            self._id_of = build_vocab(chain(self.vocab.items(), special))
        return self._id_of[token]

    def __len__(self) -> int:
        """The same as `vocab_size`: rows that an embedding needs."""
        return self._vocab_size

    @property
    def token_ids(self) -> npt.NDArray[np.int32]:
        """The id of each byte and of what each merge makes: int32, shape (256 + n_merges,).

        -1 for a byte that has none: it is left out of texts, or becomes `unk_id`.
        """
        load_numpy()
        import numpy as np

        ids = np.asarray(self._ids(), dtype=np.int32)
        ids.flags.writeable = False
        return ids

    def truncate(self, vocab_size: int) -> Self:
        """Return the tokenizer that training with a smaller `vocab_size` would have given.

        The last merges are left out, and larger ids than theirs, as those of special tokens are
        after training, move down by as many as are missing below them. `training` is None.

        Parameters
        ----------
        vocab_size : int
            At least that of no merges, at most the tokenizer's own.
        """
        n_merges = len(self._token_bytes) - N_BYTES
        most = self._vocab_size
        n_gone = most - check_integer("vocab_size", vocab_size, most - n_merges, most)
        return self._keeping(range(n_merges - n_gone))

    def _keeping(self, kept: Sequence[int], *, packed: bool = True) -> Self:
        """Return the same with some of the merges: `kept`, in ascending order, by number from 0.

        No merge that is kept may need one that is not. With `packed` larger ids than those that
        are gone move down by as many as are missing below them.
        """
        ids = list(self._ids())
        numbers = [*range(N_BYTES), *(N_BYTES + merge for merge in kept)]
        new_number = {number: i for i, number in enumerate(numbers)}
        gone = sorted({*ids} - {ids[number] for number in numbers}) if packed else []
        counts = self.merge_counts
        order = self.merge_order

        def new_id(token_id: int) -> int:
            n_below = bisect_left(gone, token_id)
            if gone[n_below : n_below + 1] == [token_id]:
                raise ValueError(f"the id {token_id} is that of a merge that is left out")
            return token_id - n_below

        pairs = self.merge_pairs[list(kept)].tolist()
        return type(self)(
            merges=[(new_number[left], new_number[right]) for left, right in pairs],
            pattern=self._pattern,
            special_tokens={
                name: new_id(token_id) for name, token_id in self._special_tokens.items()
            },
            added_tokens=[
                token._replace(id=new_id(token.id)) for token in self._added_tokens.values()
            ],
            merge_counts=None if counts is None else counts[list(kept)],
            token_ids=[new_id(ids[number]) for number in numbers],
            whole_words={token: new_id(token_id) for token, token_id in self._whole_words.items()},
            other_tokens={
                token: new_id(token_id) for token, token_id in self._other_tokens.items()
            },
            normalizer=self.normalizer,
            prefix_space=self._prefix_space,
            unk_id=None if self._unk_id is None else new_id(self._unk_id),
            fuse_unk=self._fuse_unk,
            merge_order=None if order is None else order[list(kept)].argsort().argsort(),
            settings=self._settings_with_ids(new_id) if gone else self.settings,
        )

    def _settings_with_ids(self, new_id: Callable[[int], int]) -> dict[str, Any]:
        # The settings after tokens have got other ids.
        return self.settings

    def unreachable(self) -> list[int]:
        """Return the ids of tokens that no word can give, whatever the pattern.

        A token occurs in some word only if its own bytes, as a word, become that token: merges
        inside of its bytes do not depend on what is around them. Of two tokens with the same bytes
        at most one can occur.
        """
        tokens = chain(
            zip(self._token_bytes, self._ids(), strict=True),
            ((token, token_id) for token, token_id in self._other_tokens.items()),
        )
        return [
            token_id
            for token, token_id in tokens
            if token_id >= 0 and self._encode_word(token) != [token_id]
        ]

    # ---- text to ids ----

    def _ids_around(self) -> tuple[list[int], list[int]]:
        # What `add_special_tokens` puts before and after the ids of a text.
        return [], []

    def encode_to_numpy(
        self,
        text: str | bytes,
        *,
        allowed_special: Special = (),
        disallowed_special: Special = "all",
        errors: str = "strict",
    ) -> Ids:
        """Return the ids of a text, as `encode` does, in an array of `id_dtype`."""
        specials = self._specials(allowed_special, disallowed_special)
        return self._encode_specials_to_numpy(replaced(text, errors), specials)

    def _encode_specials_to_numpy(self, text: str | bytes, specials: Specials) -> Ids:
        load_numpy()
        import numpy as np

        return np.asarray(self._encoder.encode_array(text, specials, self._narrow))

    @property
    def id_dtype(self) -> np.dtype[Any]:
        """What arrays of ids hold: uint16 if all ids are less than 65,536, otherwise uint32."""
        load_numpy()
        import numpy as np

        return np.dtype(np.uint16 if self._narrow else np.uint32)

    def count_tokens(
        self,
        text: str | bytes,
        *,
        allowed_special: Special = (),
        disallowed_special: Special = "all",
        errors: str = "strict",
    ) -> int:
        """Return the number of ids of a text, as `encode` finds them, without keeping any."""
        specials = self._specials(allowed_special, disallowed_special)
        return self._encoder.count(replaced(text, errors), specials)

    def encode_with_offsets(
        self,
        text: str | bytes,
        *,
        allowed_special: Special = (),
        disallowed_special: Special = "all",
        errors: str = "strict",
    ) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the ids of a text and where each is in it: (start, end), in characters.

        A character that several ids share belongs to each of them, and a space that is put before a
        text or a piece of it to the first character there; otherwise text[start:end] is the text of
        the id.
        """
        text = replaced(text, errors)
        ids = self.encode(
            text, allowed_special=allowed_special, disallowed_special=disallowed_special
        )
        data = to_utf8(text)
        if around_spaces(self._pattern) is None and self._decoder.decode(ids) == data:
            return ids, self._decoder.offsets(ids, data)
        return ids, self._offsets_in_changed_text(data, allowed_special)

    def _offsets_in_changed_text(
        self, text: bytes, allowed_special: Special
    ) -> list[tuple[int, int]]:
        # Where the ids of a text occur in it if they are not all of its bytes: piece by piece
        # between special tokens.
        allowed, _ = self._special_names(allowed_special, ())
        result: list[tuple[int, int]] = []
        at = begin = 0  # in bytes, in characters
        for start, end, token_id in (
            *self._special_spans(text, allowed),
            (len(text), len(text), -1),
        ):
            piece = text[at:start].decode()
            result += self._offsets_of_piece(piece, begin, allowed)
            begin += len(piece) - len(text[start:at].decode())
            if token_id >= 0:
                n = len(text[start:end].decode())
                result.append((begin, begin + n))
                begin += n
            at = end
        return result

    def _offsets_of_piece(
        self, piece: str, begin: int, allowed: Sequence[str]
    ) -> list[tuple[int, int]]:
        # The same in a text between special tokens that are found before it is normalized.
        starts: Sequence[int] = range(len(piece))
        ends: Sequence[int] = range(1, len(piece) + 1)
        normal = piece
        if self._normalizer is not None:
            normal, starts, ends = self._normalizer.align(piece)
        data = normal.encode()
        # Which character each byte belongs to.
        character = [i for i, one in enumerate(normal) for _ in one.encode()]
        inner = self._inner_finder(allowed)
        found = [] if inner is None else inner(data).tolist()
        spans: list[tuple[int, int]] = []  # in bytes of `data`
        at = 0
        for start, end in (
            *zip(found[::3], found[1::3], strict=True),
            (len(data), len(data)),
        ):
            spans += self._spans_of_words(data[at:start], at)
            if start < end:
                spans.append((start, end))
            at = end
        return [
            (begin + starts[character[first]], begin + ends[character[last - 1]])
            for first, last in spans
        ]

    def _spans_of_words(self, data: bytes, begin: int) -> list[tuple[int, int]]:
        # Where the ids of a text without special tokens occur in it, in bytes.
        missing = {byte for byte in range(N_BYTES) if self._ids()[byte] < 0}
        text = self._begin_words(data)
        n_prefix = len(text) - len(data)
        # The space before a text, or before a piece of it, is a part of the first character there.
        least = _n_bytes_of_first(data)
        spans: list[tuple[int, int]] = []
        for start, piece, n_put, pattern in self._pieces(text):
            least_here = _n_bytes_of_first(piece[n_put:])
            for at, end in _word_spans(piece, pattern):
                for token_id in self._encode_word(piece[at:end]):
                    first, at = self._next_span(piece, at, end, token_id, missing)
                    first = start + max(0, first - n_put) - n_prefix
                    last = start + max(at - n_put, least_here) - n_prefix
                    spans.append((begin + max(0, first), begin + max(last, least)))
        return spans

    def _words(self, text: bytes) -> Iterator[bytes]:
        # The words of a text without special tokens.
        for _start, piece, _n_put, pattern in self._pieces(text):
            for begin, end in _word_spans(piece, pattern):
                yield piece[begin:end]

    def _pieces(self, text: bytes) -> Iterator[tuple[int, bytes, int, str]]:
        # The pieces of a text that spaces are put before: where each begins, what it becomes, the
        # number of bytes put before it, and the pattern that splits it. Otherwise all of the text.
        around = around_spaces(self._pattern)
        if around is None:
            yield 0, text, 0, self._pattern
            return
        before, after = around
        for start, end in _word_spans(text, before):
            piece = text[start:end]
            spaced = put_space(piece)
            yield start, spaced, len(spaced) - len(piece), after

    def _next_span(
        self, text: bytes, at: int, end: int, token_id: int, missing: Collection[int]
    ) -> tuple[int, int]:
        # Where the next id of a word occurs in a text, from `at` on.
        if token_id == self._unk_id and text[at] in missing:
            first, at = at, at + 1
            while self._fuse_unk and at < end and text[at] in missing:
                at += 1
            return first, at
        token = self._decoder.decode([token_id])
        if not text.startswith(token, at):
            while text[at] in missing:
                at += 1
        first = at
        for byte in token:
            while text[at] != byte:
                at += 1
            at += 1
        return first, at

    def encode_batch(
        self,
        texts: Iterable[str | bytes],
        *,
        n_threads: int | None = None,
        allowed_special: Special = (),
        disallowed_special: Special = "all",
        errors: str = "strict",
    ) -> list[list[int]]:
        """Return the ids of each text, as `encode` does.

        Parameters
        ----------
        texts : iterable of str or bytes
        n_threads : int, optional
            Otherwise BPETOK_NUM_THREADS, otherwise the CPUs this process may use.
            The result does not depend on it.
        allowed_special, disallowed_special : "all" or a set of str
        errors : {"strict", "replace"}
            As in `encode`.

        Raises
        ------
        SpecialTokenError, ValueError, TypeError
            As `encode`; the message says which text it was.
        """
        specials = self._specials(allowed_special, disallowed_special)
        n_threads = resolve_threads(n_threads)
        return encode_lists(self._encoder, replaced_texts(texts, errors), n_threads, specials)

    def encode_ordinary_batch(
        self,
        texts: Iterable[str | bytes],
        *,
        n_threads: int | None = None,
        errors: str = "strict",
    ) -> list[list[int]]:
        """Return the ids of each text, as `encode_ordinary` does; otherwise as `encode_batch`."""
        return self.encode_batch(texts, n_threads=n_threads, disallowed_special=(), errors=errors)

    def encode_batch_to_numpy(
        self,
        texts: Iterable[str | bytes],
        *,
        n_threads: int | None = None,
        allowed_special: Special = (),
        disallowed_special: Special = "all",
        errors: str = "strict",
    ) -> EncodedBatch:
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
        texts = replaced_texts(texts, errors)
        return encode_flat(self._encoder, texts, n_threads, specials, self.id_dtype)

    def encode_iterable(
        self,
        texts: Iterable[str | bytes],
        *,
        allowed_special: Special = (),
        disallowed_special: Special = "all",
        errors: str = "strict",
    ) -> Iterator[int]:
        """Yield the ids of texts, each encoded on its own, one after another, in constant memory.

        The texts may be the lines of an open file, for example.
        """
        rows = replaced_texts(check_texts(texts), errors)
        specials = self._specials(allowed_special, disallowed_special)

        def generate() -> Iterator[int]:
            for i, text in enumerate(rows):
                yield from self._encoder.encode(text, specials, f"texts[{i}]")

        return generate()

    def _encode_word(self, word: bytes) -> list[int]:
        # The ids of any bytes as one word, whatever the pattern.
        return self._encoder.encode_word(word)

    def _specials(self, allowed_special: Special, disallowed_special: Special) -> Specials:
        by_name = (str, tuple)  # by type first: a column compares its elements
        if isinstance(allowed_special, by_name) and isinstance(disallowed_special, by_name):
            if disallowed_special == "all" and allowed_special == ():
                return self._refusing
            if allowed_special == "all" and disallowed_special in ("all", ()):
                if self._allowing is None:
                    self._allowing = self._build_specials(allowed_special, ())
                return self._allowing
        return self._build_specials(allowed_special, disallowed_special)

    def _build_specials(self, allowed_special: Special, disallowed_special: Special) -> Specials:
        allowed, disallowed = self._special_names(allowed_special, disallowed_special)
        tokens = SpecialTokens(name.encode() for name in self._outer(allowed))
        ids = [self._special_tokens[token.decode()] for token in tokens.tokens]
        inner = self._inner_finder(allowed)
        return Specials(
            tokens,
            ids,
            SpecialTokens(encode_utf8(name, "disallowed_special") for name in disallowed),
            self._finder(allowed),
            inner,
            None if inner is None else inner.contents(),
        )

    def _outer(self, allowed: Collection[str]) -> list[str]:
        # Those that are found in a text as it is given.
        if self._normalizer is None:
            return list(allowed)
        return [name for name in allowed if not self._added_tokens[name].normalized]

    def _finder(self, allowed: Collection[str]) -> AddedTokenFinder | None:
        # What finds these, None if they are matched as they are.
        return finder_of([self._added_tokens[name] for name in self._outer(allowed)])

    def _inner_finder(self, allowed: Collection[str]) -> AddedTokenFinder | None:
        # What finds the others, in what is normalized; they are normalized, too.
        if self._normalizer is None:
            return None
        tokens = [self._added_tokens[name] for name in allowed]
        return inner_finder_of([token for token in tokens if token.normalized], self._normalizer)

    def _normalize(
        self, data: bytes, allowed: Collection[str]
    ) -> tuple[bytes, list[tuple[int, int, int]]]:
        # What a text between special tokens becomes, and start, end and id of what is found then.
        if self._normalizer is None:
            return data, []
        data = self._normalizer(data)
        inner = self._inner_finder(allowed)
        found = [] if inner is None else inner(data).tolist()
        return data, list(zip(found[::3], found[1::3], found[2::3], strict=True))

    def _begin_words(self, data: bytes) -> bytes:
        # What is split into words: with a space before it, if there is to be one.
        return put_space(data) if self._prefix_space and data else data

    def _special_spans(self, text: bytes, allowed: Collection[str]) -> list[tuple[int, int, int]]:
        # Start, end and id of each special token in a text, in bytes, with the white space that
        # belongs to it.
        finder = self._finder(allowed)
        if finder is None:
            spans = SpecialTokens(name.encode() for name in self._outer(allowed)).spans(text)
            ids = (self._special_tokens[text[start:end].decode()] for start, end in spans)
            return [(*span, token_id) for span, token_id in zip(spans, ids, strict=True)]
        found = finder(text).tolist()
        return list(zip(found[::3], found[1::3], found[2::3], strict=True))

    def _special_names(
        self, allowed_special: Special, disallowed_special: Special
    ) -> tuple[list[str], list[str]]:
        names = list(self._special_tokens)
        given = _given_names("allowed_special", allowed_special)
        given = names if given is None else given
        allowed = {name: None for name in given if name in self._special_tokens}
        disallowed = _given_names("disallowed_special", disallowed_special)
        if disallowed is None:
            return list(allowed), [name for name in names if name not in allowed]
        if "" in disallowed:
            raise ValueError(
                "disallowed_special must not hold the empty str, which occurs in every text"
            )
        return list(allowed), disallowed

    # ---- ids to text ----

    def decode_bytes(self, ids: Iterable[SupportsIndex] | npt.NDArray[np.integer[Any]]) -> bytes:
        """Return the bytes of ids, one after another, before a decoder changes the text of them.

        Raises
        ------
        TypeError, ValueError
            If one is not an integer, or not in the vocabulary.
        """
        return self._decoder.decode(ids)

    def decode_tokens_bytes(
        self, ids: Iterable[SupportsIndex] | npt.NDArray[np.integer[Any]]
    ) -> list[bytes]:
        """Return the bytes of each id, as tiktoken does; errors as `decode_bytes`."""
        listed_ids = list_of_ids(ids)
        self._decoder.decode(listed_ids)  # all of them have to be ids
        return [self._decoder.decode([token_id]) for token_id in listed_ids]

    def _spelling(self, token_id: SupportsIndex) -> str:
        # A token as files name it.
        token = self.decode_bytes([token_id])
        if index(token_id) in self._special_tokens.values():
            return token.decode()
        return to_text(token)

    def _check_plain_text(self, name: str) -> None:
        # Where a decoder changes the whole text, that of a part is not a part of it.
        if self._text_steps or self._spells_tokens:
            raise ValueError(
                f"{name} can't be used where a decoder changes the text of all ids, or there is "
                f"none, as here: {shorten(self.settings['decoder'])}; take decode for all ids at "
                "once, or decode_bytes"
            )

    def decode(
        self,
        ids: Iterable[SupportsIndex] | npt.NDArray[np.integer[Any]],
        errors: str = "replace",
        *,
        skip_special_tokens: bool = False,
    ) -> str:
        """Return the text of ids, as the decoder of its file makes it.

        Of a file that has no decoder: the tokens as they are spelled there, with spaces between.

        Parameters
        ----------
        ids : iterable of int
        errors : str
            What becomes of bytes that are not UTF-8, as half a character is: "replace", "strict",
            "ignore" or another error handler of `bytes.decode`.
        skip_special_tokens : bool
            Leave special tokens out, but for those of `added_tokens` that are not `special`: as
            Hugging Face does.

        Raises
        ------
        TypeError, ValueError
            If one is not an integer, or not in the vocabulary; if there is no such error handler.
        UnicodeDecodeError
            With ``errors="strict"``, if the bytes are not UTF-8.
        """
        if type(errors) is not str or errors != "replace":  # looked up only where it is another one
            check_handler(errors)
        return self._decode(ids, errors, skip_special_tokens, "ids")

    def _decode(
        self,
        ids: Iterable[SupportsIndex] | npt.NDArray[np.integer[Any]],
        errors: str,
        skip_special_tokens: bool,  # private, and its callers have it named
        name: str,
    ) -> str:
        # What `decode` returns; errors say `name`.
        if check_bool("skip_special_tokens", skip_special_tokens):
            self._decoder.decode(ids := list_of_ids(ids, name), name)  # all of them have to be ids
            skipped = self._skipped_ids()
            ids = [token_id for token_id in map(index, ids) if token_id not in skipped]
        if self._spells_tokens:
            self._decoder.decode(ids := list_of_ids(ids, name), name)
            return " ".join(map(self._spelling, ids))
        text = self._text_decoder.decode(ids, name).decode("utf-8", errors)
        n_characters = len(text)
        for step in self._text_steps:
            text = step(text)
            check_growth(n_characters, len(text))
        return text

    def _skipped_ids(self) -> frozenset[int]:
        # Those of special tokens, as tokenizers has them: one that is found by another text, since
        # that is normalized, is left.
        if self._skipped is None:
            special = [token for token in self._added_tokens.values() if token.special]
            contents = {token.content for token in special}
            self._skipped = frozenset(
                token.id
                for token in special
                if self._decoder.decode([token.id]).decode() in contents
            )
        return self._skipped

    def decode_batch(
        self,
        rows: Iterable[Iterable[SupportsIndex] | npt.NDArray[np.integer[Any]]],
        errors: str = "replace",
        *,
        skip_special_tokens: bool = False,
    ) -> list[str]:
        """Return the text of each of several rows of ids, as `decode` does."""
        check_handler(errors)
        listed_rows = listed("rows", rows, "an iterable of rows of ids")
        return [
            self._decode(row, errors, skip_special_tokens, f"rows[{i}]")
            for i, row in enumerate(listed_rows)
        ]

    def decode_with_offsets(
        self, ids: Iterable[SupportsIndex] | npt.NDArray[np.integer[Any]]
    ) -> tuple[str, list[int]]:
        """Return the text of ids and where each begins in it, in characters, as tiktoken does.

        An id that begins inside of a character has the place of that character.

        Raises
        ------
        TypeError, ValueError
            As `decode`.
        UnicodeDecodeError
            If the bytes are not UTF-8.
        """
        self._check_plain_text("decode_with_offsets")
        tokens = self.decode_tokens_bytes(ids)
        starts = []
        n_begun = 0
        for token in tokens:
            starts.append(max(0, n_begun - (0x80 <= token[0] < 0xC0 if token else 0)))
            n_begun += sum(byte & 0xC0 != 0x80 for byte in token)
        return b"".join(tokens).decode(), starts

    def decode_stream(self, errors: str = "replace") -> DecodeStream:
        """Return a decoder for ids that come one by one, as a model makes them.

        Its ``feed(ids)`` takes an id or several and returns the text that is complete by then,
        whole characters only; its ``finish()`` returns what is left.
        """
        self._check_plain_text("decode_stream")
        return DecodeStream(self._text_decoder.decode, errors)

    # ---- as an object ----

    def __repr__(self) -> str:
        from bpetok.base.display import plural

        n_merges = len(self._token_bytes) - N_BYTES
        return (
            f"<{type(self).__name__}: {self.vocab_size:,} ids, {plural(n_merges, 'merge')}, "
            f"pattern {self._pattern!r}, {plural(len(self._special_tokens), 'special token')}>"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Codec):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __copy__(self) -> Self:
        return self  # immutable

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # Equal strings become one object: a pickle has it once, so the bytes would tell them apart.
        pairs, pattern, special_tokens, *others = self._identity()
        names = tuple((intern(name), token_id) for name, token_id in special_tokens)
        flags = [tuple(token)[1:] for token in self._added_tokens.values()]
        parts = (pairs, intern(pattern), names, tuple(flags), *others[1:])
        return _restore, (type(self), *parts, self._counts, self._training, self._settings)

    def _identity(self) -> tuple[Any, ...]:
        return (
            self._pairs,
            self._pattern,
            tuple(self._special_tokens.items()),
            tuple(self._added_tokens.values()),
            self._token_ids,
            tuple(sorted(self._whole_words.items())),
            tuple(sorted(self._other_tokens.items())),
            None if self._normalizer is None else self._normalizer.to_json(),
            self._prefix_space,
            self._unk_id,
            self._fuse_unk,
            self._merge_order,
        )


def _given_names(parameter: str, value: Special) -> list[str] | None:
    """Return the special tokens that were given, in their order and each once; None for "all"."""
    if isinstance(value, str):
        if value == "all":
            return None
        raise ValueError(
            f"{parameter} must be 'all' or a set of special tokens, got {value!r}; "
            f"write {{{value!r}}}"
        )
    names = plain(parameter, value)
    if not is_iterable(names) or hasattr(type(names), "columns"):
        raise TypeError(f"{parameter} must be 'all' or a set of str, got {shorten(value)}")
    names = list(names)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"{parameter} must hold str only, got {shorten(name)}")
    return list(dict.fromkeys(names))


def _check_training(training: object) -> TrainingFacts:
    from bpetok.encoding.facts import TrainingFacts  # imported by then, where one is given

    if not isinstance(training, TrainingFacts):
        raise TypeError(f"training must be TrainingFacts, got {shorten(training)}")
    return training


def _restore(
    cls: type[Codec],
    pairs: bytes,
    pattern: str,
    special_tokens: tuple[tuple[str, int], ...],
    flags: tuple[tuple[Any, ...], ...],
    token_ids: bytes | None,
    whole_words: tuple[tuple[bytes, int], ...],
    other_tokens: tuple[tuple[bytes, int], ...],
    normalizer: str | None,
    prefix_space: bool,
    unk_id: int | None,
    fuse_unk: bool,
    merge_order: bytes | None,
    counts: bytes | None,
    training: TrainingFacts | None,
    settings: str,
) -> Codec:
    import json

    flat = memoryview(pairs).cast("i")
    return cls(
        merges=list(zip(flat[::2], flat[1::2], strict=True)),
        pattern=pattern,
        special_tokens=dict(special_tokens),
        added_tokens=[
            AddedToken(name, *values)
            for (name, _), values in zip(special_tokens, flags, strict=True)
        ],
        merge_counts=None if counts is None else memoryview(counts).cast("q").tolist(),
        token_ids=None if token_ids is None else memoryview(token_ids).cast("i").tolist(),
        whole_words=dict(whole_words),
        other_tokens=dict(other_tokens),
        normalizer=None if normalizer is None else json.loads(normalizer),
        prefix_space=prefix_space,
        unk_id=unk_id,
        fuse_unk=fuse_unk,
        merge_order=None if merge_order is None else memoryview(merge_order).cast("i").tolist(),
        training=training,
        settings=json.loads(settings),
    )


def _normalizer(spec: Spec | None) -> Normalizer | None:
    # A list without any step is none.
    if spec is None or (isinstance(spec, list) and not spec):
        return None
    from bpetok.patterns.normalizers import Normalizer

    normalizer = Normalizer(spec)
    return normalizer if normalizer.spec != [] else None


def _word_spans(text: bytes, pattern: str) -> list[tuple[int, int]]:
    # Where the words of a text are, in bytes.
    scanner = scanner_of(pattern)
    if scanner is not None:
        return word_spans(text, scanner)
    ends = _splitter(pattern)(text)[1].tolist()
    begins = (abs(end) for end in [0, *ends])
    return [(begin, end) for begin, end in zip(begins, ends, strict=False) if end > 0]


def _n_bytes_of_first(text: bytes) -> int:
    # The bytes of the first character of a text, at least 1.
    return len(text.decode(errors="ignore")[:1].encode()) or 1


def _splitter(expression: str) -> Callable[[bytes], tuple[bytes, array[int]]]:
    # The regex module is not needed for any other pattern.
    from bpetok.patterns.expressions import Splitter

    return Splitter(expression)
