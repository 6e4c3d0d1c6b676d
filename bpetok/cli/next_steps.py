"""What the commands propose to go on with: lines that a shell runs as they are printed."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bpetok.cli.common import flag_of, program, quoted

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

LONGEST = 2000
"""Characters of a line; with more files than fit, nothing is proposed for them."""
ENDS_OF_TEXT = ("<|endoftext|>", "<|end_of_text|>", "<|end|>", "<|eos|>", "<eos>", "</s>", "[EOS]")
"""What is mostly called so; a guess, which the printed line shows."""


def show_steps(lines: Iterable[str]) -> None:
    """Print commands to go on with, if there are any."""
    lines = [line for line in lines if len(line) <= LONGEST]
    if lines:
        print("Next:", *(f"  {line}" for line in lines), sep="\n", file=sys.stderr)


def after_training(
    options: argparse.Namespace, tokenizer: Tokenizer, unseen: list[str]
) -> list[str]:
    """Return: encode the files, export the tokenizer, look at it."""
    steps = [_export(options.output, tokenizer)]
    if options.files and "-" not in options.files and not options.demo:
        steps.insert(0, _encode_files(options, tokenizer, unseen))
    return [*filter(None, steps), _explain(options.output)]


def after_counting(options: argparse.Namespace) -> list[str]:
    """Return: train on the counts."""
    output = _unused("tok.json", "tok-2.json", "tok-3.json")
    if output is None:
        return []
    return [_line("train", "--counts", _path(options.output), "-o", str(output))]


def after_estimating(options: argparse.Namespace) -> list[str]:
    """Return: train, as it was estimated."""
    output = _unused("tok.json", "tok-2.json", "tok-3.json")
    if output is None:
        return []
    flags = {"vocab_size": options.vocab_size, "pattern": options.pattern}
    special = [("special_token", token) for token in options.special_tokens]
    names = ["superwords", *(f"superwords_{name}" for name in ("pattern", "sample", "max_bytes"))]
    others = [(name, getattr(options, name)) for name in [*names, "max_text_chars"]]
    given = [*flags.items(), *special, *others, *_errors(options), *_reading(options)]
    return [_line("train", *map(_path, options.files), *_flags(given), "-o", str(output))]


def after_encoding(options: argparse.Namespace, tokenizer: Tokenizer) -> list[str]:
    """Return: export the tokenizer, unless another library has made it."""
    is_ours = Path(options.tokenizer).suffix == ".json" and Path(options.tokenizer).is_file()
    step = _export(options.tokenizer, tokenizer) if is_ours else None
    return [] if step is None else [step]


def after_exporting(output: str, to: str, pattern: str) -> list[str]:
    """Return: load it with the library that it is for, if that is here, or else with ours."""
    # To transformers a name is text, which one that is not UTF-8 can't be.
    is_text = not re.search(r"[\ud800-\udfff]", output)
    if to == "huggingface" and is_text and find_spec("transformers") is not None:
        # A shell quotes what is in single quotes by far longer.
        name = f'"{output}"' if output.isprintable() and not {*output} & {*'"\\'} else repr(output)
        code = (
            "from transformers import AutoTokenizer; "
            f'print(AutoTokenizer.from_pretrained({name})("Hello world"))'
        )
        return [f"{quoted(sys.executable)} -c {quoted(code)}"]
    if to == "gguf":  # which llama.cpp reads
        return []
    if to == "minbpe":
        return [_explain(f"{output}.model")]
    return [_explain(output, _flags([("pattern", pattern if to == "tiktoken" else None)]))]


def _encode_files(
    options: argparse.Namespace, tokenizer: Tokenizer, unseen: list[str]
) -> str | None:
    """Return what writes the ids of the files of the training."""
    output = _unused(*(Path(options.output).with_name(f"{name}.bin") for name in _BINS), json=True)
    if output is None:
        return None
    flags = {
        "eot": _end_of_text(tokenizer),
        # In training special tokens were told from text, too.
        "special": "ids" if set(tokenizer.special_tokens) - set(unseen) else None,
    }
    given = _flags([*flags.items(), *_errors(options), *_reading(options)])
    files, tokenizer_file = map(_path, options.files), _path(options.output)
    return _line("encode", *files, "--tokenizer", tokenizer_file, *given, "-o", _path(output))


_BINS = ("train", "train-2", "train-3")


def _export(path: str, tokenizer: Tokenizer) -> str | None:
    """Return what writes a folder for transformers."""
    stem = Path(path).with_suffix("")
    output = _unused(stem, stem.with_name(f"{stem.name}-hf"))
    specials = tokenizer.special_tokens.items()
    if output is None or any(tokenizer.token_id(name) != token_id for name, token_id in specials):
        return None  # tokenizer.json tells no special token from an ordinary one of its spelling
    flags = _flags([("eos_token", _end_of_text(tokenizer))])
    return _line("export", _path(path), "--to", "huggingface", *flags, "-o", _path(output))


def _explain(path: str, flags: Iterable[str] = ()) -> str:
    return _line("explain", "Hello world", "--tokenizer", _path(path), *flags)


def _end_of_text(tokenizer: Tokenizer) -> str | None:
    return next((name for name in ENDS_OF_TEXT if name in tokenizer.special_tokens), None)


def _reading(options: argparse.Namespace) -> list[tuple[str, object]]:
    """Return what says where the texts are, which all that read them need."""
    columns = [("text_column", column) for column in options.text_column or ()]
    return [("format", options.format), *columns]


def _errors(options: argparse.Namespace) -> list[tuple[str, object]]:
    return [] if options.errors == "strict" else [("errors", options.errors)]


def _flags(given: Iterable[tuple[str, object]]) -> list[str]:
    """Return options; one whose value begins with "-" would be taken for two, but for a "="."""
    words: list[str] = []
    for name, value in given:
        if value is not None:
            flag, text = flag_of(name), str(value)
            words += [f"{flag}={text}"] if text.startswith("-") else [flag, text]
    return words


def _path(path: str | Path) -> str:
    """Return a path that is not taken for an option; "-" is standard input."""
    name = str(path)
    return f"./{name}" if name.startswith("-") and name != "-" else name


def _unused(*names: str | Path, json: bool = False) -> Path | None:
    """Return the first name that nothing has; with `json`, nor what is next to it and ends so."""
    for path in map(Path, names):
        if not path.exists() and not (json and path.with_suffix(".json").exists()):
            return path
    return None


def _line(*words: str) -> str:
    return " ".join([program(), *map(quoted, words)])
