"""Checks of options and texts that several functions share.

Each returns what the pipeline needs.
"""

from __future__ import annotations

import codecs
import math
import operator
import os
import re
from collections.abc import Container, Iterable, Mapping
from contextlib import suppress
from itertools import chain
from typing import Any, TypeGuard, TypeVar, cast

from bpetok.base.display import plural
from bpetok.base.limits import MAX_INT32, MAX_INT64, N_BYTES
from bpetok.base.records import NamedTuple

Options = TypeVar("Options", bound=Any)
"""A NamedTuple."""

MAX_NUMBER = 40
"""Characters of a number; Python reads no int of more than 4,300 digits."""
ARROW_USERS = ("pandas", "datasets")
"""Libraries whose columns may be arrays of Arrow."""
CLOSE = 0.75
"""How alike names are of which one was probably meant: "gtp2" and "gpt2"."""


def shorten(value: object) -> str:
    """Return the repr of what was given, cut to what fits in a message.

    A hostile file may hold numbers of thousands of digits, or deep lists. What holds arrays of
    Arrow has no repr: that of a damaged one ends the process.
    """
    try:
        text = f"a {_type_name(value)} of arrays" if _holds_arrow(value) else repr(value)
    except (ValueError, RecursionError):
        return f"a {type(value).__name__} too large to show"
    return text if len(text) <= 80 else f"{text[:80]}... ({len(text):,} characters in all)"


def _type_name(value: object) -> str:
    library = type(value).__module__.partition(".")[0]
    name = type(value).__name__
    return name if library == "builtins" else f"{library} {name}"


def type_and_value(value: object) -> str:
    """Return what was given in the place of a text: "float, nan", for example."""
    return f"{type(value).__name__}, {shorten(value)}"


def is_of_arrow(value: object) -> bool:
    """Tell whether something may hold arrays of Arrow that nobody has looked at."""
    kind = type(value)
    library = kind.__module__.partition(".")[0]
    return library == "pyarrow" or (library in ARROW_USERS and hasattr(kind, "__iter__"))


def _holds_arrow(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_arrow, chain(value, value.values())))
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(_holds_arrow, value))
    return is_of_arrow(value)


def plain(name: str, given: Any) -> Any:
    """Return what a caller gave, of which the elements may be taken now.

    Arrays of Arrow are checked first, since pyarrow ends the process where it takes an element of
    a damaged one; those of pyarrow itself become lists.

    Raises
    ------
    ValueError
        If one is damaged; the message says `name`.
    """
    if not is_of_arrow(given):
        return given
    from bpetok.base.extras import load_numpy

    load_numpy()
    from bpetok.base.arrow_checks import checked

    return checked(name, given)


def listed(name: str, given: Any, what: str, *, in_order: bool = True) -> list[Any]:
    """Return the elements of something that is to be a list, or another iterable.

    Parameters
    ----------
    name : str
        The parameter.
    what : str
        What it has to be, such as "a list of tokens".
    in_order : bool
        Whether something depends on the order. That of a set of str is another in each process.

    Raises
    ------
    TypeError, ValueError
        If it is a text, a mapping or a table, of which only names would be taken, or no iterable
        at all, or a set though the order matters, or is damaged.
    """
    elements = plain(name, given)
    if in_order:
        refuse_set(name, elements, what)
    single = isinstance(elements, str | bytes)
    if single or isinstance(elements, Mapping) or not is_iterable(elements):
        hint = ": wrap it in a list" if single else ""
        raise TypeError(f"{name} must be {what}, got {shorten(given)}{hint}")
    if hasattr(type(elements), "columns"):
        raise TypeError(f"{name} must be {what}, got {shorten(given)}: give one column of it")
    return list(elements)


def refuse_set(name: str, given: object, what: str) -> None:
    """Raise a TypeError if what is given is a set, though the order of its elements decides."""
    if isinstance(given, set | frozenset):
        raise TypeError(
            f"{name} must be {what}: a set has no order, and may come in another one each time; "
            f"got {shorten(given)}: sorted(...) gives it one"
        )


def is_iterable(given: object) -> TypeGuard[Iterable[Any]]:
    """Tell whether something has elements; an array without dimensions only says so."""
    return isinstance(given, Iterable) and getattr(given, "ndim", 1) != 0


def check_iterable(name: str, given: object, what: str) -> None:
    """Refuse what is no iterable of what is meant; nothing is taken from it.

    Bytes would give numbers, and a mapping its keys only.
    """
    others = (bytes, bytearray, memoryview, Mapping)
    if isinstance(given, others) or not is_iterable(given):
        raise TypeError(f"{name} must be {what}, got {shorten(given)}")


def is_one_of(value: object, choices: Container[str]) -> bool:
    """Tell whether an option is one of some names; what is no str may compare as it likes."""
    return isinstance(value, str) and value in choices


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return the end of a message: which of the known names was probably meant, if any."""
    close = closest(given, known)
    return "" if close is None else f"; did you mean {close!r}?"


def closest(given: str, known: Iterable[str]) -> str | None:
    """Return which of the known names is so close to another one that it was probably meant."""
    import difflib  # takes 2 ms, which only errors need

    given = given.casefold()
    by_form = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(given, by_form, 1, CLOSE)
    # More of the same, as cl100k_base for cl100k.
    found += [name for name in by_form if len(name) > 3 and given.startswith(f"{name}_")]
    return by_form[found[0]] if found else None


def encode_utf8(text: str, name: str) -> bytes:
    """Return the UTF-8 form of a str.

    Raises
    ------
    ValueError
        If it has a lone surrogate; the message says `name` and where.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{name} has a lone surrogate, {text[error.start]!r}, at index {error.start}, so it "
            "has no UTF-8 form; "
            "text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace') replaces it"
        ) from None


def encode_replacing(text: str) -> bytes:
    """Return the UTF-8 form of a str, with U+FFFD in the place of each lone surrogate.

    Two that make a character when they are next to each other are that character, as in tiktoken.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def check_texts(texts: Iterable[str | bytes]) -> Iterable[str | bytes]:
    """Refuse a text, whose characters would be taken as texts, and a mapping, whose keys would."""
    if isinstance(texts, str | bytes):
        raise TypeError("texts must be an iterable of texts, got a single one: wrap it in a list")
    if isinstance(texts, Mapping):
        raise TypeError(
            "texts must be an iterable of texts, not a mapping, of which only the keys would be "
            "read: give its values(), or words with their counts to train_from_words"
        )
    if not is_iterable(texts):
        raise TypeError(f"texts must be an iterable of texts, got {type(texts).__name__}")
    if hasattr(type(texts), "columns"):  # of pandas, which gives the names of its columns
        raise TypeError(
            f"texts must be an iterable of texts, got a {type(texts).__name__}: give one column of "
            "it, or the table itself where files are read"
        )
    # What pyarrow gives one by one are no texts. Of a damaged array they end the process.
    if type(texts).__module__.partition(".")[0] == "pyarrow":
        raise TypeError(
            f"texts must be an iterable of str or bytes, got a pyarrow {type(texts).__name__}: "
            "give its to_pylist(), or pyarrow.table({'text': column}) where files are read"
        )
    return cast("Iterable[str | bytes]", plain("texts", texts))


def check_index(name: str, value: object) -> int:
    """Return `value` as an int; True and False are none."""
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an int, got {value}")
    try:
        # A subclass of int, such as an IntEnum, is no int yet: its own methods would be called.
        return int(operator.index(value))  # type: ignore[arg-type]  # raises for what is no integer
    except TypeError:
        raise TypeError(f"{name} must be an int, got {shorten(value)}") from None


def check_integer(name: str, value: object, least: int, most: int) -> int:
    """Return `value` as an int within least..most."""
    number = check_index(name, value)
    if not least <= number <= most:
        raise ValueError(f"{name} must be in {least}..{most}, got {shorten(number)}")
    return number


def with_integers(options: Options) -> Options:
    """Return a NamedTuple with NumPy's integers as int, also in those in it: JSON takes int."""
    found: dict[str, Any] = {}
    for name, value in zip(options._fields, options, strict=True):
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            found[name] = with_integers(value)
        elif hasattr(type(value), "__index__") and type(value) not in (int, bool):
            with suppress(TypeError):  # an array, which is refused where it is checked
                found[name] = int(operator.index(value))
    return cast("Options", options._replace(**found))


def check_bool(name: str, value: object) -> bool:
    """Return a flag; TypeError if it is no bool."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be a bool, got {shorten(value)}")
    return value


def check_size(name: str, value: object, least: int) -> int:
    """Return a number of bytes: an int, or "4GB", "4G" (4 * 10**9), "4GiB" (4 * 2**30) ..."""
    if isinstance(value, str):
        parsed = _parsed(value, unit="(?:(?<=[KMGT])i)?B?")
        if parsed is None:
            raise ValueError(f"{name} must be a size such as '300MB' or '4G', got {shorten(value)}")
        value, _ = parsed  # 1.1GiB is no whole number of bytes
    return check_integer(name, value, least, MAX_INT64)


def parse_count(text: str) -> int | None:
    """Return a whole number, given as 32000, 32_000, 32k or 1.5M; None if it is none."""
    number, rest = _parsed(text) or (0, 1)
    return number if rest == 0 else None


def _parsed(text: str, unit: str = "") -> tuple[int, int] | None:
    """Return a number, rounded down, and what is left of it; None if it is no number.

    It may have a prefix, a power of 1000, and a unit, in upper or lower case. Before "i" a prefix
    is a power of 1024.
    """
    form = rf"(\d[\d_]*)(?:\.(\d+))? *([KMGT]?)({unit})"
    match = re.fullmatch(form, text.strip(), re.IGNORECASE | re.ASCII)
    if match is None or len(text) > MAX_NUMBER:
        return None
    digits, decimals, prefix, unit = (part or "" for part in match.groups())
    base = 1024 if unit[:1] in ("i", "I") else 1000
    factor = math.prod([base] * " KMGT".index(prefix.upper() or " "))
    return divmod(int(digits + decimals) * factor, int(f"1{'0' * len(decimals)}"))


MOST_RESERVED = 1 << 20
"""Of one name: more than a vocabulary needs; names of billions would take all memory."""


class Reserved(NamedTuple):
    """Special tokens in reserve: ``Reserved("<|reserved_{}|>", 64)`` in a list of special tokens.

    Attributes
    ----------
    name : str
        With ``{}`` where the number goes: 0, 1, 2...
    n : int
        How many.
    """

    name: str
    n: int


def _named(token: object) -> Iterable[Any]:
    """Return a special token, or those that are reserved."""
    if not isinstance(token, Reserved):
        return (token,)
    if not isinstance(token.name, str) or token.name.count("{}") != 1:
        raise ValueError(
            "the name of reserved tokens must have one {} for the number, got "
            f"{shorten(token.name)}"
        )
    n = check_integer("the number of reserved tokens", token.n, 0, MOST_RESERVED)
    return (token.name.replace("{}", str(i)) for i in range(n))


def check_special_tokens(special_tokens: Iterable[str | Reserved]) -> tuple[str, ...]:
    """Return the special tokens as a tuple of different, non-empty strings; name the `Reserved`."""
    if isinstance(special_tokens, Reserved):
        raise TypeError(
            f"special_tokens must be a list of str, got {shorten(special_tokens)}: wrap it in a "
            "list"
        )
    if isinstance(special_tokens, Mapping):
        raise TypeError(
            "special_tokens must be a list of str: their ids follow the merges, so those of a "
            f"mapping can't be kept; got {shorten(special_tokens)}"
        )
    given = listed("special_tokens", special_tokens, "a list of str")
    tokens = tuple(chain.from_iterable(map(_named, given)))
    seen = set()
    for i, token in enumerate(tokens):
        if not isinstance(token, str):
            raise TypeError(f"special_tokens[{i}] must be a str, got {shorten(token)}")
        if not token:
            raise ValueError("an element of special_tokens must not be empty: leave it out")
        if token in seen:
            raise ValueError(f"special_tokens must differ, but {shorten(token)} comes twice")
        seen.add(token)
        encode_utf8(token, f"special token {shorten(token)}")
    return tokens


def check_vocab_size(vocab_size: int, n_special_tokens: int) -> int:
    """Return the number of merges that a vocabulary of this size holds."""
    least = N_BYTES + n_special_tokens
    if isinstance(vocab_size, int) and vocab_size < least:
        raise ValueError(
            f"vocab_size must be at least {least:,}, {N_BYTES} bytes and "
            f"{plural(n_special_tokens, 'special token')}, got {vocab_size}"
        )
    return check_integer("vocab_size", vocab_size, least, MAX_INT32) - least


def check_min_frequency(min_frequency: int) -> int:
    """Return the least count of a pair that is merged."""
    return check_integer("min_frequency", min_frequency, 1, MAX_INT64)


def check_handler(errors: object) -> str:
    """Return the name of an error handler of `bytes.decode`, which looks it up only at an error."""
    if not isinstance(errors, str):
        raise TypeError(f"errors must be a str, got {shorten(errors)}")
    try:
        codecs.lookup_error(errors)
    except (LookupError, ValueError):
        raise ValueError(
            "errors must be 'replace', 'strict', 'ignore' or another error handler of "
            f"bytes.decode, got {shorten(errors)}"
        ) from None
    return errors


def check_errors(errors: str) -> str:
    """Return what to do with bytes that are not UTF-8."""
    if not is_one_of(errors, ("strict", "replace")):
        raise ValueError(f"errors must be 'strict' or 'replace', got {shorten(errors)}")
    return errors


def check_unmatched(unmatched: str) -> str:
    """Return what to do with text that a pattern does not match."""
    if not is_one_of(unmatched, ("error", "word", "drop")):
        raise ValueError(f"unmatched must be 'error', 'word' or 'drop', got {shorten(unmatched)}")
    return unmatched


def resolve_threads(n_threads: int | None) -> int:
    """Return the number of threads: as asked, or of BPETOK_NUM_THREADS, or of the CPUs."""
    if n_threads is not None:
        return check_integer("n_threads", n_threads, 1, 1024)
    setting = os.environ.get("BPETOK_NUM_THREADS", "")
    if setting:
        try:
            return check_integer("BPETOK_NUM_THREADS", int(setting), 1, 1024)
        except ValueError:
            raise ValueError(
                f"the environment variable BPETOK_NUM_THREADS must be in 1..1024, got {setting!r}"
            ) from None
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
