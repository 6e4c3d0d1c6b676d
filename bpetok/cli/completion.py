"""Completion of commands, options and files in the shell, by argcomplete."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from bpetok.base.extras import require
from bpetok.cli.common import add_command, standard_output

SHELLS = ("bash", "zsh", "fish", "tcsh", "powershell")
EXAMPLES = """examples:
  eval "$(bpetok completion bash)"                                          # in ~/.bashrc
  eval "$(bpetok completion zsh)"                                           # in ~/.zshrc
  bpetok completion fish > ~/.config/fish/completions/bpetok.fish
"""


def add_parser(commands: Any) -> None:
    """Add the command to the subparsers of `bpetok`."""
    completion = add_command(
        commands,
        "completion",
        "SHELL",
        "print what lets a shell complete commands, options and files",
        examples=EXAMPLES,
    )
    completion.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))
    completion.set_defaults(run=run_completion)


def run_completion(options: argparse.Namespace) -> None:
    """Print a script for a shell."""
    argcomplete = require("argcomplete", "completion")
    script = argcomplete.shellcode(["bpetok"], shell=options.shell)
    standard_output().write(f"{script.strip()}\n")


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that asks how a command may go on, and end."""
    require("argcomplete", "completion").autocomplete(parser)


def complete_with(action: argparse.Action, names: Callable[..., list[str]]) -> None:
    """Let a shell complete the value of an option."""
    action.completer = names  # type: ignore[attr-defined]  # where argcomplete looks for it


def pattern_names(**_: object) -> list[str]:
    """Return the names of patterns, for a shell."""
    from bpetok.patterns import names

    return names()


def trainer_names(**_: object) -> list[str]:
    """Return the names of trainers, for a shell."""
    from bpetok.training.compat import TRAINERS

    return [name for name in TRAINERS if name is not None]
