"""Random tokenizers against the naive one: all ways to encode, and back."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

import numpy as np

from bpetok import SpecialTokenError, Tokenizer
from bpetok.patterns.builtin import PATTERNS
from campaigns.campaign import Campaign, expect
from campaigns.naive import NaiveTokenizer
from reference import Pair, learn_merges

EXPRESSIONS = [r"\p{L}+|\p{N}+", r"\s+|\S"]
"""Patterns that are not built in."""
LETTERS = "ab\0cé\x7f中🙂 \n'"
WITHIN_WORDS = [*zip(b"abaxbxx.. \n\n\xc3.", b"baabbxa.\n \na\xa9x", strict=True)]
"""Merges before the first one across a space, so that those from there on are made afterwards."""
NAMES = ["<|end|>", "<|", "<|end|><", "a", "ab", "ba", "\0", "\0\0", "é", "中🙂", " ", "🙂"]


class Case(NamedTuple):
    """A tokenizer, and texts.

    token_ids : list of int or None
        None for 0, 1, 2...
    allowed : list of str
        The special tokens that get their own id.
    n_shards : int
        0 if no files are written.
    """

    merges: list[Pair]
    token_ids: list[int] | None
    special_tokens: dict[str, int]
    pattern: str
    texts: list[str]
    allowed: list[str]
    n_shards: int


class Encoder(Campaign[Case]):
    """Ids, arrays, counts, offsets, batches, files, errors; decoding at once and in streams."""

    case = Case

    def draw(self, random: Random) -> Case:
        """Few letters in long runs, bytes 0 and 255, special tokens that overlap."""
        letters = random.choices(LETTERS, k=random.randint(1, 5))
        names = random.sample(NAMES, random.choice((0, 0, 1, 2, 5)))
        texts = [_text(random, letters, names) for _ in range(random.randint(1, 5))]
        merges = draw_merges(random, "".join(letters).encode())
        if random.random() < 0.3:
            letters = [*"aab  .", *letters]
            texts.append(_text(random, letters, names))
            first = [*WITHIN_WORDS, (0x20, 0x61), (0x61, 0x20)]
            merges = draw_merges(random, "".join(letters).encode(), first)
        elif random.random() < 0.3:
            counts = {text.encode()[:200]: 1 for text in texts if text}
            merges, _ = learn_merges(counts, random.randint(0, 30))
        ids = list(range(256 + len(merges) + len(names) + random.choice((0, 0, 5, 70_000))))
        shuffled = random.random() < 0.5
        if shuffled:
            ids = random.sample(ids, 256 + len(merges) + len(names))
        n_tokens = 256 + len(merges)
        return Case(
            merges,
            ids[:n_tokens] if shuffled else None,
            dict(zip(names, ids[n_tokens:], strict=False)),
            random.choice([*PATTERNS, *PATTERNS, *EXPRESSIONS]),
            texts,
            random.sample(names, random.randint(0, len(names))),
            random.choice((0, 0, 0, 1, 2, 3)),
        )

    def check(self, case: Case) -> None:
        """Each text by itself, then all."""
        merges, token_ids, special_tokens, pattern, texts, allowed, n_shards = case
        if len(special_tokens) != len(set(special_tokens.values())):
            return
        tok = Tokenizer(
            merges=merges, token_ids=token_ids, special_tokens=special_tokens, pattern=pattern
        )
        naive = NaiveTokenizer(merges, token_ids, special_tokens, pattern)
        options: Any = {"allowed_special": set(allowed), "disallowed_special": ()}
        right = [naive.encode(text, allowed) for text in texts]
        for text, ids in zip(texts, right, strict=True):
            _check_text(tok, naive, text, ids, options)
            _check_refused(tok, text, allowed)
        _check_batches(tok, texts, right, options)
        same = pickle.loads(pickle.dumps(tok))
        expect(same, tok, "a pickled tokenizer")
        ids_of_all = [tok.encode(text, **options) for text in texts]
        expect(same.encode_batch(texts, **options), ids_of_all, "ids of a pickled tokenizer")
        if n_shards:
            self._check_files(case, tok, right)

    def _check_files(self, case: Case, tok: Tokenizer, right: list[list[int]]) -> None:
        path = self.scratch / "texts.jsonl"
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in case.texts))
        eot = min(case.special_tokens, default=None)
        expected: list[int] = []
        for ids_of_text in right:
            expected += ids_of_text
            expected += [] if eot is None else [case.special_tokens[eot]]
        for size in (None, len(expected) // case.n_shards + 1):
            written = tok.encode_files(
                path,
                self.scratch / "ids.bin",
                eot=eot,
                shard_size=size,
                allowed_special=set(case.allowed),
                disallowed_special=(),
            )
            data = b"".join(file.read_bytes() for file in written.files)
            ids = np.frombuffer(data, np.dtype(written.dtype).newbyteorder("<")).tolist()
            expect(ids, expected, f"encode_files with eot={eot!r}, shard_size={size}")
            for file in written.files:
                file.unlink()
            written.summary.unlink()


def draw_merges(random: Random, letters: bytes, first: Iterable[Pair] = ()) -> list[Pair]:
    """Return merges of some bytes, of 0, of 255 and of the last id, in any order after `first`."""
    merges: dict[Pair, None] = dict.fromkeys(first)
    for _ in range(random.choice((0, 1, 5, 20, 60))):
        n_ids = 256 + len(merges)
        ids = [*letters, *letters, 0, 255, n_ids - 1, *range(256, n_ids)]
        merges.setdefault((random.choice(ids), random.choice(ids)))
    return list(merges)


def _text(random: Random, letters: list[str], names: list[str]) -> str:
    parts = []
    for _ in range(random.randint(0, 12)):
        unit = random.choice([*letters, *letters, *names])
        parts.append(
            unit * random.choice((1, 1, 1, 1, 2, 2, 3, 17, 17, random.choice((60, 255, 300))))
        )
    return "".join(parts)


def _check_text(
    tok: Tokenizer, naive: NaiveTokenizer, text: str, ids: list[int], options: Any
) -> None:
    expect(tok.encode(text, **options), ids, f"encode({text!r})")
    expect(tok.encode(text.encode(), **options), ids, f"encode of the bytes of {text!r}")
    expect(tok.encode_ordinary(text), naive.encode(text, []), f"encode_ordinary({text!r})")
    array = tok.encode_to_numpy(text, **options)
    expect((array.tolist(), array.dtype), (ids, tok.id_dtype), f"encode_to_numpy({text!r})")
    expect(tok.count_tokens(text, **options), len(ids), f"count_tokens({text!r})")
    offsets = naive.offsets(ids, text)
    expect(tok.encode_with_offsets(text, **options), (ids, offsets), f"offsets of {text!r}")
    expect(naive.decode_bytes(ids), text.encode(), "the oracle decodes what it has encoded")
    expect(tok.decode(ids), text, f"decode of the ids of {text!r}")
    expect(tok.decode_bytes(array), text.encode(), f"decode_bytes of an array of {text!r}")
    stream = tok.decode_stream("strict")
    pieces = [stream.feed(token_id) for token_id in ids] + [stream.finish()]
    expect("".join(pieces), text, f"a stream of the ids of {text!r}")
    half = ids[1::2]
    stream = tok.decode_stream()
    pieces = [stream.feed(half[:3]), *map(stream.feed, half[3:]), stream.finish()]
    expect("".join(pieces), tok.decode(half), f"a stream of every second id of {text!r}")
    expect(tok.decode_bytes(half), naive.decode_bytes(half), "decode_bytes of every second id")


def _check_refused(tok: Tokenizer, text: str, allowed: list[str]) -> None:
    """What is not allowed is refused where the first of it is found."""
    refused = [token for token in tok.special_tokens if token not in allowed]
    places = {text.find(token): token for token in sorted(refused, key=len) if token in text}
    try:
        tok.encode(text, allowed_special=set(allowed))
    except SpecialTokenError as error:
        expect(text.startswith(error.token, error.index), True, f"{error} is where it says")
        expect(error.index, min(places), f"the first of {refused} in {text!r}")
    else:
        # None, or each lies in a token that is allowed.
        naive = NaiveTokenizer([], None, tok.special_tokens, "none")
        rest = [part for part, special in naive.parts(text, allowed) if not special]
        found = [token for token in refused for part in rest if token in part]
        expect(found, [], f"special tokens that are not refused in {text!r}")


def _check_batches(
    tok: Tokenizer, texts: list[str], expected: list[list[int]], options: Any
) -> None:
    for n_threads in (1, 3):
        rows = tok.encode_batch(texts, n_threads=n_threads, **options)
        expect(rows, expected, f"encode_batch with {n_threads} threads")
        ids, offsets = tok.encode_batch_to_numpy(texts, n_threads=n_threads, **options)
        ends = offsets.tolist()
        cut = [ids[a:b].tolist() for a, b in pairwise(ends)]
        expect(cut, expected, f"encode_batch_to_numpy with {n_threads} threads")
    flat = [token_id for row in expected for token_id in row]
    expect(list(tok.encode_iterable(texts, **options)), flat, "encode_iterable")
    expect(tok.decode_batch(expected), texts, "decode_batch")
