"""The command that writes the files of other libraries."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpetok.base.files import check_folder, check_writable, read_whole
from bpetok.cli.common import (
    TIKTOKEN_PATTERN,
    TOKENIZER,
    CommandError,
    add_command,
    count,
    describe,
    failed,
    flag_of,
    load_only_tokenizer,
)
from bpetok.cli.facts import saved_as
from bpetok.cli.inputs import check_no_input, plain_text
from bpetok.cli.next_steps import after_exporting, show_steps

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

ROLES = ("bos_token", "eos_token", "pad_token", "unk_token")
FOLDERS = ("huggingface", "gpt2")
EXAMPLES = """examples:
  bpetok export tok.json --to huggingface -o model --eos-token "<|endoftext|>"
  bpetok export tok.json --to tiktoken -o ranks.tiktoken
  bpetok export tok.json --to gguf -o vocab.gguf --eos-token "<|endoftext|>"
"""


def add_parser(commands: Any) -> None:
    """Add the command to the subparsers of `bpetok`."""
    export = add_command(
        commands,
        "export",
        "TOK.json --to FORMAT -o OUTPUT",
        "write a tokenizer for another library",
        examples=EXAMPLES,
    )
    export.add_argument("tokenizer", metavar="TOK.json", help=TOKENIZER)
    export.add_argument(
        "--to",
        required=True,
        choices=("bpetok", "huggingface", "tiktoken", "gpt2", "minbpe", "gguf"),
        help="huggingface: a folder for AutoTokenizer; gpt2: a folder with vocab.json and "
        "merges.txt; tiktoken: a file of ranks; minbpe: OUTPUT.model and OUTPUT.vocab; gguf: a "
        "vocabulary for llama.cpp",
    )
    export.add_argument("-o", "--output", required=True, metavar="OUTPUT", help="where to save")
    export.add_argument("--pattern", help=TIKTOKEN_PATTERN)
    group = export.add_argument_group("with --to huggingface or gguf")
    for role in ROLES:
        group.add_argument(flag_of(role), metavar="S", help=f"the special token for {role}")
    group.add_argument("--chat-template", metavar="FILE.jinja", help="a file with the template")
    group.add_argument("--model-max-length", type=count, metavar="N", help="the longest input")
    group.add_argument(
        "--portable",
        action="store_true",
        default=None,
        help="spell the pattern so that JavaScript takes it alike, too: for transformers.js before "
        "4; tokenizers 1.0 does not read it (only with --to huggingface)",
    )
    export.set_defaults(run=run_export)


def run_export(options: argparse.Namespace) -> None:
    """Write a tokenizer in another format, after its ids were compared."""
    tokenizer = load_only_tokenizer(options, options.tokenizer)
    names = (*ROLES, "chat_template", "model_max_length", "portable")
    given = {name: getattr(options, name) for name in names}
    given = {name: value for name, value in given.items() if value is not None}
    for name in ("model_max_length", "portable"):
        if options.to == "gguf" and name in given:
            raise CommandError(f"{flag_of(name)} needs --to huggingface")
    if given and options.to not in ("huggingface", "gguf"):
        flag = flag_of(next(iter(given)))
        raise CommandError(f"{flag} needs --to huggingface or --to gguf")
    output = Path(options.output)
    files = _files(options.to, output)
    replaced = sum(file.exists() for file in files)
    try:
        if options.to in FOLDERS:
            check_folder(options.output)
        else:
            check_writable(options.output if len(files) == 1 else files[0])
    except (ValueError, OSError) as error:
        raise CommandError(f"--output: {describe(error)}") from None
    for file in files:
        check_no_input(file, [options.tokenizer], "--output")
    if "chat_template" in given:
        given["chat_template"] = _read_template(given["chat_template"])
    try:
        _write(tokenizer, options.to, output, given)
    except (ValueError, OSError, ImportError) as error:
        raise failed(error) from None
    written = " and ".join(map(str, [output] if options.to in FOLDERS else files))
    sys.stderr.write(f"Saved to {saved_as(written, replaced)}.\n")
    show_steps(after_exporting(options.output, options.to, tokenizer.pattern))


def _files(to: str, output: Path) -> list[Path]:
    """Return the files that are written."""
    if to == "huggingface":
        return [output / "tokenizer.json", output / "tokenizer_config.json"]
    if to == "gpt2":
        return [output / "vocab.json", output / "merges.txt"]
    return [Path(f"{output}.model"), Path(f"{output}.vocab")] if to == "minbpe" else [output]


def _read_template(path: str) -> str:
    try:
        return plain_text(read_whole(Path(path)), f"--chat-template: {path}")
    except OSError as error:
        raise CommandError(f"--chat-template: {describe(error)}") from None


def _write(tokenizer: Tokenizer, to: str, output: Path, given: dict[str, Any]) -> None:
    if to == "huggingface":
        tokenizer.save_pretrained(output, **given)
    elif to == "gguf":
        tokenizer.save_gguf(output, **given)
    elif to == "tiktoken":
        tokenizer.save_tiktoken(output)
    elif to == "gpt2":
        tokenizer.save_gpt2(output)
    elif to == "minbpe":
        tokenizer.save_minbpe(output)
    else:
        tokenizer.save(output)
