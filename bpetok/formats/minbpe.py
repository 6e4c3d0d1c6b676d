"""minbpe: PREFIX.model, which its RegexTokenizer loads, and PREFIX.vocab, for people to read.

A BasicTokenizer's file has no pattern: a text is one word, as with the pattern "none".
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bpetok.base.checks import shorten
from bpetok.base.files import check_path, read_bounded, write_together
from bpetok.base.limits import N_BYTES
from bpetok.formats.checks import check_ids_equal, check_plain, encoder_of, names_within_names
from bpetok.formats.files import naming_file
from bpetok.formats.parts import Pair, Parts
from bpetok.patterns.builtin import PATTERNS, check_expression, expression_of, name_of

if TYPE_CHECKING:
    from bpetok.encoding.codec import Codec

HEADER = "minbpe v1"


def save_minbpe(tokenizer: Codec, prefix: str | os.PathLike[str]) -> None:
    """Write PREFIX.model and PREFIX.vocab."""
    check_plain(tokenizer, "minbpe")
    ids = tokenizer.token_ids.tolist()
    if ids != list(range(len(ids))) or tokenizer.merge_order is not None:
        raise ValueError("the ids must be the bytes 0 to 255, then the merges in their order")
    for name in tokenizer.special_tokens:
        if name.split() != [name]:
            raise ValueError(
                f"the special token {name!r} holds white space, at which minbpe would cut it"
            )
    expression = expression_of(tokenizer.pattern)
    if expression and name_of(expression) is None:
        raise ValueError(
            f"a .model is read back with the patterns {', '.join(PATTERNS)} only, but this "
            f"tokenizer has {shorten(tokenizer.pattern)}; save_pretrained keeps the pattern"
        )
    lines = [HEADER, expression, str(len(tokenizer.special_tokens))]
    # minbpe finds the first that fits, so of two that begin alike the longer one has to come first
    longest_first = sorted(tokenizer.special_tokens.items(), key=lambda item: -len(item[0]))
    lines += [f"{name} {token_id}" for name, token_id in longest_first]
    lines += [f"{left} {right}" for left, right in tokenizer.merge_pairs.tolist()]
    model = ("\n".join(lines) + "\n").encode()
    check_ids_equal(tokenizer, encoder_of(parse(model)), "the file")
    base = os.fspath(check_path(prefix))
    vocab = render_vocab(tokenizer).encode()
    write_together({Path(f"{base}.model"): model, Path(f"{base}.vocab"): vocab})


def render_vocab(tokenizer: Codec) -> str:
    """Return what minbpe's own PREFIX.vocab says of each token."""
    rows = [f"[{_render(bytes([byte]))}] {byte}\n" for byte in range(N_BYTES)]
    for i, (left, right) in enumerate(tokenizer.merges):
        parts = f"[{_render(left)}][{_render(right)}]"
        rows.append(f"{parts} -> [{_render(left + right)}] {N_BYTES + i}\n")
    rows += [
        f"[{_render(name.encode())}] {token_id}\n"
        for name, token_id in tokenizer.special_tokens.items()
    ]
    return "".join(rows)


def _render(token: bytes) -> str:
    return "".join(
        f"\\u{ord(character):04x}" if unicodedata.category(character)[0] == "C" else character
        for character in token.decode(errors="replace")
    )


def read(path: str | os.PathLike[str]) -> Parts:
    """Return the parts of a tokenizer from a .model file."""
    data = read_bounded(path)
    with naming_file(path):
        return parse(data)


def parse(data: bytes) -> Parts:
    """Return the parts of a tokenizer from what a .model file holds."""
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8") from None
    if lines[0].strip() != HEADER:
        raise ValueError(f"line 1 must be {HEADER!r}, got {shorten(lines[0])}")
    if len(lines) < 3:
        raise ValueError(f"line {len(lines)}: the file ends before the number of special tokens")
    expression = lines[1].strip()
    n_special = _numbers(lines, 3, 1)[0]
    if n_special and not expression:
        raise ValueError(
            f"line 3: {n_special} special tokens, but without a pattern in line 2 it is a "
            "BasicTokenizer's file, and that has none"
        )
    if n_special > len(lines) - 3:
        raise ValueError(f"line 3: {n_special} special tokens, but the file has {len(lines)} lines")
    special: dict[str, int] = {}
    for number in range(4, 4 + n_special):
        parts = lines[number - 1].split()
        if len(parts) != 2 or parts[0] in special or not _is_number(parts[1]):
            raise ValueError(
                f"line {number}: {shorten(lines[number - 1])} is not a new special token and its id"
            )
        special[parts[0]] = int(parts[1])
    _check_longest_first(special)
    pairs: list[Pair] = [
        _pair(lines, number)
        for number in range(4 + n_special, len(lines) + 1)
        if lines[number - 1].strip()
    ]
    if lines[-1].strip():
        raise ValueError(f"line {len(lines)}: the file is cut off, its last line has no end")
    pattern = check_expression(expression) if expression else "none"
    return Parts(merges=pairs, pattern=pattern, special_tokens=special)


def _check_longest_first(special: Mapping[str, int]) -> None:
    """Refuse a special token that follows one that it begins with: minbpe never finds it."""
    line = {name: number for number, name in enumerate(special, 4)}
    for name, begin in names_within_names(special):
        if line[begin] < line[name]:
            raise ValueError(
                f"line {line[name]}: the special token {shorten(name)} begins with "
                f"{shorten(begin)}, which comes first and is found in its place"
            )


def _numbers(lines: list[str], number: int, n: int) -> list[int]:
    parts = lines[number - 1].split()
    if len(parts) != n or not all(map(_is_number, parts)):
        what = "a number" if n == 1 else "a pair"
        raise ValueError(f"line {number}: {shorten(lines[number - 1])} is not {what}")
    return list(map(int, parts))


def _pair(lines: list[str], number: int) -> Pair:
    left, right = _numbers(lines, number, 2)
    return left, right


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10
