"""The command that says what a tokenizer is."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from bpetok.base.display import plural
from bpetok.cli.common import (
    TIKTOKEN_PATTERN,
    TOKENIZER,
    add_command,
    load_only_tokenizer,
    standard_output,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpetok.tokenizer import Tokenizer

N_SHOWN = 5
"""Merges at each end, and longest tokens."""


def add_parser(commands: Any) -> None:
    """Add the command to the subparsers of `bpetok`."""
    info = add_command(
        commands, "info", "TOK.json", "say what a tokenizer is, or list its vocabulary"
    )
    info.add_argument("tokenizer", metavar="TOK.json", help=TOKENIZER)
    info.add_argument(
        "--vocab", action="store_true", help="list all tokens instead: id, a tab, the token"
    )
    info.add_argument("--pattern", help=TIKTOKEN_PATTERN)
    info.set_defaults(run=run_info)


def run_info(options: argparse.Namespace) -> None:
    """Print facts about a tokenizer, or its vocabulary."""
    output = standard_output()
    tokenizer = load_only_tokenizer(options, options.tokenizer)
    lines = _vocabulary(tokenizer) if options.vocab else _facts(tokenizer)
    for line in lines:
        output.buffer.write(f"{line}\n".encode())
    output.buffer.flush()


def _vocabulary(tokenizer: Tokenizer) -> Iterator[str]:
    from bpetok.base.display import show_bytes

    names = {token_id: name for name, token_id in tokenizer.special_tokens.items()}
    ids = {*tokenizer.token_ids.tolist(), *names}
    for token_id in sorted(ids):
        yield f"{token_id}\t{show_bytes(tokenizer.token_bytes(token_id))}"


def _facts(tokenizer: Tokenizer) -> Iterator[str]:
    from bpetok.base.display import show_bytes, show_size

    merges, counts = tokenizer.merges, tokenizer.merge_counts
    yield f"vocabulary      {plural(tokenizer.vocab_size, 'id')}, {plural(len(merges), 'merge')}"
    yield f"pattern         {tokenizer.pattern}"
    facts = tokenizer.training
    if facts is not None:
        yield f"trained on      {show_size(facts.n_bytes)}, {plural(facts.n_words, 'word')}"
        yield f"compression     {facts.bytes_per_token:.2f} bytes a token in training"
    for name, token_id in tokenizer.special_tokens.items():
        yield f"special token   {token_id}  {name}"
    ranks = range(len(merges))
    shown = [*ranks] if len(ranks) <= 2 * N_SHOWN else [*ranks[:N_SHOWN], *ranks[-N_SHOWN:]]
    for rank in shown:
        if len(shown) < len(ranks) and rank == shown[N_SHOWN]:
            yield "..."
        count = "" if counts is None else f"  {plural(int(counts[rank]), 'time')}"
        left, right = map(show_bytes, merges[rank])
        yield f"merge {rank:<9} {left} + {right}{count}"
    made = sorted({left + right for left, right in merges}, key=lambda token: (-len(token), token))
    for token in made[:N_SHOWN]:
        yield f"longest token   {show_bytes(token)}"
