"""The options of balance between languages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any, Literal

from bpetok.base.checks import check_integer, is_one_of, listed, shorten
from bpetok.base.limits import MAX_INT32
from bpetok.base.records import NamedTuple


class Parity(NamedTuple):
    """Balance between languages: Parity-aware BPE (Foroutan et al. 2025).

    What is trained on is then a list, each element of which is the text of one language. Each merge
    is the best pair of one language, made in all of them: of the language whose development text
    is longest in tokens by then. So that this is fair, development texts should say the same.

    As `ParityBpeTrainer` of Hugging Face's tokenizers 0.23 has it; with ``compat="huggingface"``
    ties are broken as there, too.

    Attributes
    ----------
    development : list, optional
        A text for each language, given as what is trained on is; by default the lengths of that
        are compared.
    ratio : list of float, optional
        In place of development texts: the next language is that whose training text has become
        shorter by the least factor, divided by its number here.
    window_size : int, optional
        A language that was chosen in more than ``alpha / n_languages`` of so many turns has to
        wait; by default none has to.
    alpha : float
    global_merges : int
        So many merges come first, of all languages as one text.
    """

    development: Sequence[Any] | None = None
    ratio: Sequence[float] | None = None
    window_size: int | None = None
    alpha: float = 2.0
    global_merges: int = 0


def check_balance(given: Literal["parity"] | Parity) -> Parity:
    """Return the options of balance.

    Raises
    ------
    TypeError, ValueError
        If one is out of its range, or does not go with another.
    """
    parity = Parity() if is_one_of(given, ("parity",)) else given
    if not isinstance(parity, Parity):
        raise TypeError(f"balance must be 'parity' or a bpetok.Parity, got {shorten(given)}")
    ratio = parity.ratio
    if ratio is not None:
        if parity.development is not None:
            raise ValueError(
                "balance.development and balance.ratio must not be given together, as each says "
                "whose turn it is"
            )
        ratio = listed("balance.ratio", ratio, "a list of numbers")
        ratio = [_positive(f"balance.ratio[{i}]", number) for i, number in enumerate(ratio)]
    size = parity.window_size
    if size is not None:
        size = check_integer("balance.window_size", size, 1, MAX_INT32)
    alpha = _positive("balance.alpha", parity.alpha)
    if size is None and alpha != Parity().alpha:
        raise ValueError("balance.alpha is of no use without balance.window_size: give that, too")
    n_global = check_integer("balance.global_merges", parity.global_merges, 0, MAX_INT32)
    return parity._replace(ratio=ratio, window_size=size, alpha=alpha, global_merges=n_global)


def _positive(name: str, number: object) -> float:
    if isinstance(number, bool) or not isinstance(number, Real):
        raise TypeError(f"{name} must be a number, got {shorten(number)}")
    try:
        value = float(number)
    except OverflowError:  # of an int or a fraction
        value = math.inf
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be greater than 0 and finite, got {shorten(number)}")
    return value
