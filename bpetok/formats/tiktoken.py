"""tiktoken: an Encoding, and files of tokens in base64 with their ranks."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bpetok._files import read_bounded, write_whole
from bpetok._options import shorten
from bpetok.formats.checks import check_ids_equal, check_ranks_mean_merges, ordinary_tokens
from bpetok.formats.recovery import from_ranks, reading
from bpetok.patterns import check_builtin, expression_of

if TYPE_CHECKING:
    import tiktoken

    from bpetok.tokenizer import Tokenizer

MAX_FILE_BYTES = 1 << 28


def to_tiktoken(tokenizer: Tokenizer, name: str) -> tiktoken.Encoding:
    """Return the tokenizer as an Encoding, its ids compared."""
    import tiktoken

    encoding = tiktoken.Encoding(
        name,
        pat_str=expression_of(tokenizer.pattern),
        mergeable_ranks=build_ranks(tokenizer),
        special_tokens=tokenizer.special_tokens,
    )
    check_ids_equal(
        tokenizer, lambda text: encoding.encode(text, allowed_special="all"), "tiktoken"
    )
    return encoding


def build_ranks(tokenizer: Tokenizer) -> dict[bytes, int]:
    """Return the rank, which is the id, of each ordinary token; refused where ids would differ."""
    check_ranks_mean_merges(tokenizer)
    return {token: token_id for token_id, token in ordinary_tokens(tokenizer)}


def save_tiktoken(tokenizer: Tokenizer, path: str | os.PathLike[str]) -> None:
    """Write the ranks as tiktoken.load.load_tiktoken_bpe reads them; no special tokens."""
    ranks = build_ranks(tokenizer)
    lines = [
        base64.b64encode(token) + b" %d\n" % rank
        for token, rank in sorted(ranks.items(), key=lambda item: item[1])
    ]
    same = from_ranks(parse_ranks(b"".join(lines)), tokenizer.pattern, tokenizer.special_tokens)
    check_ids_equal(tokenizer, lambda text: same.encode(text, allowed_special="all"), "the file")
    write_whole(path, b"".join(lines))


def from_encoding(encoding: tiktoken.Encoding, pattern: str | None) -> Tokenizer:
    """Return the tokenizer that gives the ids of an Encoding."""
    return from_ranks(
        encoding._mergeable_ranks,
        check_builtin(encoding._pat_str) if pattern is None else pattern,
        encoding._special_tokens,
    )


def from_file(
    path: str | os.PathLike[str], pattern: str, special_tokens: Mapping[str, int]
) -> Tokenizer:
    """Return the tokenizer of a file of ranks, which holds neither pattern nor special tokens."""
    data = read_bounded(path, MAX_FILE_BYTES)
    return reading(os.fspath(path), lambda: from_ranks(parse_ranks(data), pattern, special_tokens))


def parse_ranks(data: bytes) -> dict[bytes, int]:
    """Return the rank of each token of such a file.

    Raises
    ------
    ValueError
        If a line is not a token in base64 and a number, or a token or a rank stands twice.
    """
    ranks: dict[bytes, int] = {}
    taken: set[int] = set()
    for number, line in enumerate(data.splitlines(), 1):
        if not line:
            continue
        parts = line.split()
        if len(parts) != 2 or not parts[1].isdigit() or len(parts[1]) > 10:
            raise ValueError(f"line {number}: {shorten(line)} is not a token and its rank")
        try:
            token = base64.b64decode(parts[0], validate=True)
        except binascii.Error as error:
            raise ValueError(f"line {number}: {shorten(parts[0])} is no base64: {error}") from None
        rank = int(parts[1])
        if token in ranks or rank in taken:
            what = "token" if token in ranks else "rank"
            raise ValueError(f"line {number}: {shorten(line)}: this {what} stands there before")
        ranks[token] = rank
        taken.add(rank)
    return ranks
