"""tiktoken: an Encoding, and files of tokens in base64 with their ranks."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bpetok.base.checks import shorten
from bpetok.base.extras import importing_whole
from bpetok.base.files import read_bounded, write_whole
from bpetok.encoding.codec import Codec
from bpetok.formats.checks import (
    check_ids_equal,
    check_ranks_mean_merges,
    encoder_of,
    names_within_names,
    ordinary_tokens,
)
from bpetok.formats.files import naming_file
from bpetok.formats.parts import Parts
from bpetok.formats.recovery import from_ranks
from bpetok.patterns.builtin import expression_of, name_of, names
from bpetok.patterns.chains import Pattern, is_chain
from bpetok.patterns.dialects import from_fancy_regex, to_fancy_regex
from bpetok.patterns.portable import portable_expression

if TYPE_CHECKING:
    import tiktoken


NO_BYTES = b"="
"""How files spell a token without any bytes, as Whisper's has one, since a line has two words."""


def to_tiktoken(tokenizer: Codec, name: str, *, portable: bool) -> tiktoken.Encoding:
    """Return the tokenizer as an Encoding, its ids compared."""
    with importing_whole():
        import tiktoken

    encoding = tiktoken.Encoding(
        name,
        pat_str=(portable_expression if portable else _expression_there)(tokenizer.pattern),
        mergeable_ranks=build_ranks(tokenizer),
        special_tokens=tokenizer.special_tokens,
    )
    check_ids_equal(
        tokenizer, lambda text: encoding.encode(text, allowed_special="all"), "tiktoken"
    )
    return encoding


def _expression_there(pattern: str) -> str:
    """Return the expression of a pattern as tiktoken spells it."""
    expression = expression_of(pattern)
    return expression if pattern in names() else to_fancy_regex(expression)


def build_ranks(tokenizer: Codec) -> dict[bytes, int]:
    """Return the rank, which is the id, of each ordinary token; refused where ids would differ."""
    check_ranks_mean_merges(tokenizer)
    return {token: token_id for token_id, token in ordinary_tokens(tokenizer)}


def save_tiktoken(tokenizer: Codec, path: str | os.PathLike[str]) -> None:
    """Write the ranks as tiktoken.load.load_tiktoken_bpe reads them; no special tokens."""
    ranks = build_ranks(tokenizer)
    lines = [
        (base64.b64encode(token) or NO_BYTES) + b" %d\n" % rank
        for token, rank in sorted(ranks.items(), key=lambda item: item[1])
    ]
    data = b"".join(lines)
    _check_file(tokenizer, data)
    write_whole(path, data)


def _check_file(tokenizer: Codec, data: bytes) -> None:
    """Compare ids with those of tiktoken, or of the reader here without it."""
    ranks = parse_ranks(data)
    try:
        with importing_whole():
            import tiktoken
    except ImportError:
        same = encoder_of(from_ranks(ranks, tokenizer.pattern, {}))
        check_ids_equal(tokenizer, same, "the file", special=False)
        return
    encoding = tiktoken.Encoding(
        "the file",
        pat_str=_expression_there(tokenizer.pattern),
        mergeable_ranks=ranks,
        special_tokens={},
    )
    check_ids_equal(tokenizer, encoding.encode_ordinary, "tiktoken", special=False)


def read_encoding(encoding: tiktoken.Encoding, pattern: Pattern | None) -> Parts:
    """Return the parts of a tokenizer that gives the ids of an Encoding."""
    for name, begin in names_within_names(encoding._special_tokens):
        if encoding.encode(name, allowed_special="all") != [encoding._special_tokens[name]]:
            raise ValueError(
                f"the special token {shorten(name)} begins with {shorten(begin)}, which this "
                "Encoding finds in its place; here the longest one is found"
            )
    parts = from_ranks(
        encoding._mergeable_ranks,
        pattern_of(encoding._pat_str) if pattern is None else _given_pattern(pattern),
        encoding._special_tokens,
    )
    if pattern is None and parts.pattern not in names():
        # Its engine may take an expression otherwise; those that have names are known to be alike.
        codec = Codec(**parts._asdict())
        check_ids_equal(codec, encoding.encode_ordinary, "the Encoding", special=False)
    return parts


def pattern_of(expression: str) -> str:
    """Return the pattern that an expression of tiktoken is: a name, or an expression."""
    name = name_of(expression)
    if name is not None:
        return name
    try:
        expression = from_fancy_regex(expression)
    except ValueError as error:
        raise ValueError(f"pattern {shorten(expression)}: {error}") from None
    # A word without any sign would be taken for a name.
    return expression if re.search(r"\W", expression) else f"(?:{expression})"


def _given_pattern(pattern: Pattern) -> Pattern:
    """Return the pattern that a user means: a name, a chain, or an expression of tiktoken."""
    if not isinstance(pattern, str) or re.fullmatch(r"[\w.-]*", pattern) or is_chain(pattern):
        return pattern
    return pattern_of(pattern)


def read(
    path: str | os.PathLike[str], pattern: Pattern, special_tokens: Mapping[str, int]
) -> Parts:
    """Return the parts of a tokenizer from a file of ranks, which has no pattern of its own."""
    data = read_bounded(path)
    with naming_file(path):
        ranks = parse_ranks(data)
        parts = from_ranks(ranks, _given_pattern(pattern), special_tokens)
        if isinstance(pattern, str) and not is_chain(pattern) and parts.pattern not in names():
            check_expression(parts, ranks, pattern)
        return parts


def check_expression(parts: Parts, ranks: Mapping[bytes, int], expression: str) -> None:
    """Compare the ids by an expression that has no name with those of tiktoken, if it is there."""
    try:
        with importing_whole():
            import tiktoken
    except ImportError:
        return
    encoding = tiktoken.Encoding(
        "the file", pat_str=expression, mergeable_ranks={**ranks}, special_tokens={}
    )
    codec = Codec(**parts._asdict())
    check_ids_equal(codec, encoding.encode_ordinary, "tiktoken", special=False)


def parse_ranks(data: bytes) -> dict[bytes, int]:
    """Return the rank of each token of such a file.

    Raises
    ------
    ValueError
        If a line is not a token in base64 and a number, or a token or a rank occurs twice.
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
            token = b"" if parts[0] == NO_BYTES else base64.b64decode(parts[0], validate=True)
        except binascii.Error as error:
            raise ValueError(f"line {number}: {shorten(parts[0])} is no base64: {error}") from None
        rank = int(parts[1])
        if token in ranks or rank in taken:
            what = "token" if token in ranks else "rank"
            raise ValueError(f"line {number}: {shorten(line)}: this {what} occurs there before")
        ranks[token] = rank
        taken.add(rank)
    return ranks
