"""The plainest way from text to ids and back, for any tokenizer: the oracle of the encoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import regex

from bpetok.patterns.builtin import PATTERNS
from reference import Pair, encode_word, token_bytes


class NaiveTokenizer:
    """A tokenizer that looks at every merge for every word.

    Parameters
    ----------
    merges : sequence of (int, int)
    token_ids : sequence of int, optional
    special_tokens : mapping of str to int
    pattern : str
        A name or an expression.
    """

    def __init__(
        self,
        merges: Sequence[Pair],
        token_ids: Sequence[int] | None,
        special_tokens: Mapping[str, int],
        pattern: str,
    ) -> None:
        self.merges = merges
        self.ids = list(range(256 + len(merges))) if token_ids is None else token_ids
        self.special_tokens = special_tokens
        self.pattern = regex.compile(PATTERNS.get(pattern, pattern))
        self.bytes_of = dict(zip(self.ids, token_bytes(merges), strict=True))
        self.bytes_of |= {i: token.encode() for token, i in special_tokens.items()}

    def encode(self, text: str, allowed: Sequence[str]) -> list[int]:
        """Return the ids; tokens that are not allowed are text like any other."""
        ids: list[int] = []
        for part, is_special in self.parts(text, allowed):
            if is_special:
                ids.append(self.special_tokens[part])
                continue
            for word in self.words(part):
                ids += [self.ids[number] for number in encode_word(word.encode(), self.merges)]
        return ids

    def parts(self, text: str, tokens: Sequence[str]) -> Iterator[tuple[str, bool]]:
        """Yield special tokens, leftmost and longest first, and the text between them."""
        begin = at = 0
        while at < len(text):
            found = [token for token in tokens if text.startswith(token, at)]
            if not found:
                at += 1
                continue
            yield text[begin:at], False
            token = max(found, key=lambda token: len(token.encode()))
            yield token, True
            begin = at = at + len(token)
        yield text[begin:], False

    def words(self, text: str) -> Iterator[str]:
        """Yield the words; what the pattern does not match is one."""
        at = 0
        for match in self.pattern.finditer(text):
            if match.start() > at:
                yield text[at : match.start()]
            if match.group():
                yield match.group()
            at = match.end()
        if at < len(text):
            yield text[at:]

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        """Return the bytes of ids."""
        return b"".join(self.bytes_of[token_id] for token_id in ids)

    def offsets(self, ids: Sequence[int], text: str) -> list[tuple[int, int]]:
        """Return the characters that the bytes of each id belong to: (start, end)."""
        character = [i for i, letter in enumerate(text) for _ in letter.encode()]
        offsets = []
        at = 0
        for token_id in ids:
            end = at + len(self.bytes_of[token_id])
            offsets.append((character[at], character[end - 1] + 1))
            at = end
        return offsets
