r"""The split patterns: the regular expressions that cut text into words before any merging.

Seven have scanners written by hand (`scan.pyx`); the others, chains of several expressions and what
users write are compiled to automata (`compiling.py`). All give the words that the expression gives.
The expressions here are spelled so that the engines of `regex`, tiktoken and Hugging Face
tokenizers read them alike; other published spellings are recognised (`SPELLINGS`).

`cl100k` and `llama3` differ in one place: white space at the end of a text is one word in what
tiktoken has had as cl100k since it is spelled with ``\s++$``, and ends at its last newline in the
older spellings, which Llama 3, minbpe and rustbpe go by.

Of an expression that can't be compiled the `regex` module finds the words (`expressions.py`).
"""

from __future__ import annotations

import itertools
import re
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING

from bpetok.base.checks import did_you_mean, encode_utf8, shorten
from bpetok.patterns.bounds import check_size, check_steps
from bpetok.patterns.named import CHAINS as CHAINS
from bpetok.patterns.named import CL100K as CL100K
from bpetok.patterns.named import DEEPSEEK as DEEPSEEK
from bpetok.patterns.named import FALCON as FALCON
from bpetok.patterns.named import GPT2 as GPT2
from bpetok.patterns.named import KIMI as KIMI
from bpetok.patterns.named import LLAMA3 as LLAMA3
from bpetok.patterns.named import NANOCHAT as NANOCHAT
from bpetok.patterns.named import NONE as NONE
from bpetok.patterns.named import O200K as O200K
from bpetok.patterns.named import PATTERNS as PATTERNS
from bpetok.patterns.named import QWEN2 as QWEN2
from bpetok.patterns.named import QWEN35 as QWEN35
from bpetok.patterns.named import SMOLLM as SMOLLM
from bpetok.patterns.named import SUPERBPE as SUPERBPE
from bpetok.patterns.named import SUPERBPE_EXPRESSION as SUPERBPE_EXPRESSION
from bpetok.patterns.named import TEKKEN as TEKKEN
from bpetok.patterns.scan import PATTERN_NAMES

if TYPE_CHECKING:
    from bpetok.patterns.chains import Pattern, Step
    from bpetok.patterns.dfa import CompiledPattern

UNICODE_VERSION = "16.0"
"""The version whose letters, numbers and spaces the scanners go by."""

SPELLINGS = {
    # openai/gpt-2, src/encoder.py; tiktoken now
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+": "gpt2",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s": "gpt2",
    # tiktoken now
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s": "cl100k",
    # tiktoken 0.6 as cl100k; karpathy/minbpe, minbpe/regex.py; karpathy/rustbpe, src/lib.rs
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*"
    r"|\s*[\r\n]|\s+(?!\S)|\s+": "llama3",
    # as transformers.js reads contractions: it knows this group only
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+(?![\s\S])|\s*[\r\n]|\s+(?!\S)|\s": "cl100k",
    # as transformers.js 2 reads it; the next one tokenizers 1.0.0rc3 knows, too, but takes it for
    # numbers of three digits
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}\p{N}?"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+": "nanochat",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,2}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+": "nanochat",
    # moonshotai/Kimi-K2-Instruct, tokenization_kimi.py
    r"[\p{Han}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*"
    r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+"
    r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+": "kimi",
}
"""Other published spellings of a built-in pattern, for the engines that their authors use."""

FINGERPRINTS = {
    "5e8adf188c1c21e7121bee44c2c07ed7": "gpt2",
    "b8db67790471e19ef4d709d7e2ddd41a": "cl100k",
    "da9d1e3785cbf82ec50ac07e9387dfab": "o200k",
    "8616169472aa8fe22f5625437616a068": "llama3",
    "3091fe72f2553eac76d5486aacc2d386": "qwen2",
    "efe52cc26385a7bdaf64ceb56eb603a1": "nanochat",
    "41dd259beb467c4935b14a165b065bca": "none",
    "23f043fb2ff05b9fb96f59fe15d60a8f": "qwen3.5",
    "2e63728b201e1d833fe34b466a2ed24a": "tekken",
    "7d9423c6ddbba70384f712a0d39b0912": "kimi",
    "1616efb581549aef2be7bb8ca54326a9": "deepseek",
    "8b3c8370a3cafe78c00598328362cbe2": "smollm",
    "a3e4ef3aca5ae72da5720f2fdc786d9c": "falcon",
    "b81a1e5b9e48f0a5e0aeb2b736700757": "superbpe",
}
"""The built-in patterns by the fingerprints of their automata (`tables.fingerprint`)."""

_NAMES = {
    **{name: name for name in (*PATTERNS, *CHAINS)},
    **{expression: name for name, expression in PATTERNS.items()},
    SUPERBPE_EXPRESSION: "superbpe",
    **SPELLINGS,
    "starcoder": "smollm",
}


def names() -> list[str]:
    """Return the names of the built-in patterns."""
    return [*PATTERNS, *CHAINS]


def check_builtin(pattern: str) -> str:
    """Return the name of a built-in pattern, given by name or as the expression itself.

    Raises
    ------
    ValueError
        If there is no such pattern.
    """
    if pattern not in _NAMES:
        raise ValueError(
            f"pattern must be one of {', '.join(map(repr, names()))}, got {shorten(pattern)}"
            f"{did_you_mean(pattern, names())}"
        )
    return _NAMES[pattern]


def name_of(expression: str) -> str | None:
    """Return the name of the built-in pattern that an expression of another library spells.

    None if it spells none; as an expression, a name matches only itself.
    """
    return _NAMES[expression] if expression in SPELLINGS else _NAMES_OF_EXPRESSIONS.get(expression)


_NAMES_OF_EXPRESSIONS = {
    **{expression: name for name, expression in PATTERNS.items()},
    SUPERBPE_EXPRESSION: "superbpe",
}


def check_expression(expression: str) -> str:
    """Return the name of the built-in pattern that an expression of another library spells.

    Raises
    ------
    ValueError
        If it spells none.
    """
    name = name_of(expression)
    if name is None:
        raise ValueError(
            f"pattern must be one of {', '.join(map(repr, PATTERNS))}, spelled as an expression, "
            f"got {shorten(expression)}"
        )
    return name


def check_pattern(pattern: Pattern) -> str:
    """Return a pattern: the name of a built-in one, an expression, or a chain as a str.

    Raises
    ------
    TypeError
        If it is neither a str nor a sequence of steps.
    ValueError
        If it is neither a name nor an expression that can split text: one that compiles and
        cannot match the empty text; or if a step of a chain that leaves text out can't be compiled
        to a scanner.

    Warns
    -----
    UserWarning
        If an expression, or a step, is one that only the `regex` module can run: which construct
        it is.
    """
    if not isinstance(pattern, str):
        return _name_or_warning(_check_chain(pattern))
    # A word without any sign in it is a misspelled name: as an expression it matches only itself.
    if pattern in _NAMES or re.fullmatch(r"[\w-]*", pattern):
        return check_builtin(pattern)
    encode_utf8(pattern, "pattern")
    from bpetok.patterns.chains import is_chain, steps_of

    if is_chain(pattern):
        return _name_or_warning(_check_chain(steps_of(pattern)))
    check_size(pattern)  # before anything is made of an expression that may be a stranger's
    if pattern.startswith("["):
        _check_no_steps(pattern)
    return _name_or_warning(pattern)


def _check_no_steps(pattern: str) -> None:
    """Refuse JSON with a step's name that is no chain: as an expression it is a class of signs."""
    import json

    from bpetok.patterns.chains import BYTE_LEVEL, PREFIX_SPACE, STEPS, spell_chain

    try:
        steps = json.loads(pattern)
    except (ValueError, RecursionError):
        return
    names = (*STEPS, BYTE_LEVEL, PREFIX_SPACE, *PATTERNS)
    parts = (step[:1] if isinstance(step, list) else [step] for step in steps)
    if not any(first in names for first in itertools.chain.from_iterable(parts)):
        return
    try:
        spelling = spell_chain(steps)
    except TypeError as error:
        raise ValueError(str(error)) from None
    raise ValueError(
        f"pattern {shorten(pattern)} has steps without their behaviour: as a str it is {spelling}"
    )


def _name_or_warning(pattern: str) -> str:
    """Return the name of a pattern that splits as a built-in one does, otherwise the pattern.

    If it has no scanner, the warning says why.
    """
    if pattern in _NAMES:
        return pattern
    reason = why_not_compiled(pattern)
    if reason is None:
        return _same_as(pattern) or pattern
    from bpetok.patterns.expressions import compile_splitter

    compile_splitter(pattern)
    _warn_once(pattern, reason)
    return pattern


@lru_cache(maxsize=64)
def _same_as(pattern: str) -> str | None:
    """Return the name of the built-in pattern whose automaton is that of a pattern, if any is."""
    from bpetok.patterns.tables import fingerprint

    # Where text that is not matched is an error, an expression is equal only if it matches all.
    compiled = _compiled(pattern, "error")
    # Trainers may take groups for words.
    if isinstance(compiled, str) or compiled.spaced_level >= 0 or re.search(_GROUP, pattern):
        return None
    return FINGERPRINTS.get(fingerprint(compiled.tables))


_GROUP = r"(?<!\\)\((?!\?)|\(\?P?<\w"


def _check_chain(pattern: object) -> str:
    from bpetok.patterns.chains import BYTE_LEVEL, PREFIX_SPACE, STEPS, spell_chain, steps_of

    if not isinstance(pattern, list | tuple):
        raise TypeError(f"pattern must be a str or a list of steps, got {shorten(pattern)}")
    spelling = spell_chain(pattern)
    steps = steps_of(spelling)
    check_steps([step for step, _ in steps])
    for step, _ in steps:
        step_names = (*STEPS, BYTE_LEVEL, PREFIX_SPACE, *PATTERNS)
        if re.fullmatch(r"[\w-]*", step) and step not in step_names:
            raise ValueError(
                f"a step of a pattern must be an expression or one of "
                f"{', '.join(map(repr, step_names))}, got {shorten(step)}"
            )
    if all(step == BYTE_LEVEL for step, _ in steps):
        raise ValueError("pattern must have a step that splits, got only 'byte_level'")
    _check_prefix_space(steps)
    for name, chain in CHAINS.items():
        if spell_chain(chain) == spelling:
            return name
    if len(steps) == 1 and steps[0][1] == "isolated" and steps[0][0] not in STEPS:
        same = _NAMES.get(steps[0][0]) or _same_as(steps[0][0])
        if same in PATTERNS:
            return same
    return spelling


def _check_prefix_space(steps: list[tuple[str, str]]) -> None:
    """Raise ValueError unless spaces are put before pieces once at most, and where they can be."""
    from bpetok.patterns.chains import BYTE_LEVEL, PREFIX_SPACE

    places = [i for i, (step, _) in enumerate(steps) if step == PREFIX_SPACE]
    if not places:
        return
    names = [step for step, _ in steps]
    if steps[places[0]][1] != "isolated":
        raise ValueError(
            f"the step {PREFIX_SPACE!r} splits nothing, so it takes no behaviour, got "
            f"{steps[places[0]][1]!r}"
        )
    if len(places) > 1 or places[0] == 0 or BYTE_LEVEL in names[: places[0]]:
        raise ValueError(
            f"the step {PREFIX_SPACE!r} must come once, after a step that splits and before "
            f"{BYTE_LEVEL!r}, got {shorten(names)}; prefix_space=True puts a space before each text"
        )


@lru_cache(maxsize=64)
def _warn_once(pattern: str, reason: str) -> None:
    warnings.warn(
        f"pattern {shorten(pattern)} can't be compiled to a scanner: {reason}. The regex module "
        "finds its words, which takes about forty times as long: about 10 MB/s in each process",
        stacklevel=5,
    )


@lru_cache(maxsize=64)
def _compiled(pattern: str, unmatched: str) -> CompiledPattern | str:
    """Return the scanner of a pattern that is not built in, or why there is none."""
    from bpetok.patterns.chains import is_chain, spell_chain, splits_of
    from bpetok.patterns.compiling import compile_chain, compile_expression
    from bpetok.patterns.parse import Unsupported

    try:
        if pattern in CHAINS:
            return compile_chain(splits_of(spell_chain(CHAINS[pattern]), PATTERNS))
        if is_chain(pattern):
            return compile_chain(splits_of(pattern, PATTERNS))
        return compile_expression(PATTERNS.get(pattern, pattern), unmatched)
    except Unsupported as reason:
        return str(reason)


def why_not_compiled(pattern: str) -> str | None:
    """Return the construct for which a pattern has no scanner, None if it has one."""
    if pattern in PATTERN_NAMES:
        return None
    compiled = _compiled(pattern, "error")
    return compiled if isinstance(compiled, str) else None


def scanner_of(pattern: str, unmatched: str = "word") -> int | CompiledPattern | None:
    """Return the scanner of a pattern: its number in `PATTERN_NAMES`, or what is compiled.

    None if it has none. Requires: checked options.
    """
    if pattern in PATTERN_NAMES:
        return PATTERN_NAMES.index(pattern)
    compiled = _compiled(pattern, unmatched)
    return None if isinstance(compiled, str) else compiled


def steps_of_pattern(pattern: str) -> list[Step]:
    """Return a checked pattern as the steps of a chain, of one step if it is none."""
    from bpetok.patterns.chains import is_chain, steps_of

    if pattern in CHAINS:
        return [*CHAINS[pattern]]
    return [*steps_of(pattern)] if is_chain(pattern) else [pattern]


def expression_of(pattern: str) -> str:
    """Return the regular expression of a pattern. Requires: checked.

    Raises
    ------
    ValueError
        If it is a chain of several.
    """
    from bpetok.patterns.chains import is_chain

    if pattern == "superbpe":
        return SUPERBPE_EXPRESSION
    if pattern in CHAINS or is_chain(pattern):
        raise ValueError(
            f"pattern {shorten(pattern)} is a chain of steps, which only bpetok's own file and "
            "tokenizer.json can hold: take a pattern that is one expression"
        )
    return PATTERNS.get(pattern, pattern)
