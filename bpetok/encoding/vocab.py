"""Merges to token bytes, and the checks that a list of merges must pass.

Ids 0 to 255 are the bytes; merge i makes the id 256 + i; special tokens follow the merges. A
vocabulary that came from elsewhere may have other ids: merges are still numbered so, and a table
says what id each number has outside. Two merges may spell the same bytes, as (a, bc) and (ab, c)
do: each has an id of its own, so merges are kept as pairs of ids, never of bytes.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from bpetok.base.checks import check_bool, check_index, plain, shorten
from bpetok.base.limits import MAX_INT64, MAX_TOTAL_BYTES, N_BYTES
from bpetok.encoding.merge_order import made_at_once
from bpetok.encoding.token_bytes import find_bad_merge, find_repeated

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Merges = (
        Sequence[Sequence[int]]
        | Sequence[Sequence[bytes]]
        | npt.NDArray[np.integer[Any]]
        | memoryview
    )
    Counts = Sequence[int] | npt.NDArray[np.integer[Any]]

# Tables go from 0 to the largest id, so one id of 2**31 - 1 would take all memory.
MAX_UNUSED_IDS = 1_000_000


def check_merges(merges: Merges, n_symbols: int = N_BYTES, unit: str = "bytes") -> array[int]:
    """Return the merges as one flat int32 array: left 0, right 0, left 1, right 1, ...

    Parameters
    ----------
    merges : sequence of pairs of int or of bytes, or integer array, shape (n_merges, 2)
        The ids that each merge joins, or their bytes, in learning order.
    n_symbols : int
        How many ids come before those of merges: of the bytes, or of the symbols of sequences.
    unit : str
        What errors call them.

    Raises
    ------
    TypeError
        If an id is not an integer.
    ValueError
        If a merge is not a pair, uses an id that no byte or earlier merge has, or occurs twice; or
        if all tokens together would have more than 2**28 bytes.
    """
    pairs = _flat_pairs(merges, n_symbols, unit)
    bad = find_bad_merge(pairs, n_symbols, MAX_TOTAL_BYTES)
    if bad >= 0:
        _check_pair(bad, pairs[2 * bad], pairs[2 * bad + 1], n_symbols, unit)
        sizes = token_lengths(pairs[: 2 * (bad + 1)], n_symbols)
        raise ValueError(
            f"merges[{bad}] makes a token of {sizes[-1]} {unit}, and all tokens up to it "
            f"{sum(sizes)} {unit}, more than {MAX_TOTAL_BYTES}"
        )
    again = find_repeated(pairs, n_symbols)
    if again >= 0:
        raise ValueError(
            f"merges[{again}] joins {tuple(pairs[2 * again : 2 * again + 2])}, which an earlier "
            "merge has joined already"
        )
    return pairs


def token_lengths(pairs: Sequence[int], n_symbols: int) -> list[int]:
    """Return how many symbols the token of each id has, by merges that `check_merges` returns."""
    lengths = [1] * n_symbols
    for left, right in zip(pairs[::2], pairs[1::2], strict=True):
        lengths.append(lengths[left] + lengths[right])
    return lengths


def _flat_pairs(merges: Merges, n_symbols: int, unit: str) -> array[int]:
    """Return the ids of the merges, each within 32 bits."""
    given: Any = merges
    if getattr(given, "dtype", None) == "int32" and given.shape[1:] == (2,):
        return array("i", given.tobytes())  # as training gives them
    if isinstance(given, memoryview) and given.format == "i" and (given.shape or ())[1:] == (2,):
        return array("i", given.tobytes())  # as files give them
    rows = _rows(merges, "merges")
    first = rows[0] if rows and unit == "bytes" else None
    if isinstance(first, Sequence) and any(isinstance(part, bytes) for part in first):
        rows = _numbered(rows)
    if set(map(type, rows)) <= {list, tuple} and set(map(len, rows)) == {2}:
        flat = list(chain.from_iterable(rows))
        if set(map(type, flat)) == {int} and min(flat) >= 0 and max(flat) < n_symbols + len(rows):
            return array("i", flat)  # as bpetok's own files give them
    pairs = array("i")
    for i, pair in enumerate(rows):
        try:
            left, right = plain(f"merges[{i}]", pair)
        except (TypeError, ValueError):
            raise ValueError(f"merges[{i}] must be a pair of ids, got {shorten(pair)}") from None
        if type(left) is not int or type(right) is not int:
            left, right = check_index(f"merges[{i}]", left), check_index(f"merges[{i}]", right)
        _check_pair(i, left, right, n_symbols, unit)
        pairs.append(left)
        pairs.append(right)
    return pairs


def _numbered(rows: Sequence[Any]) -> list[tuple[int, int]]:
    """Return merges that say what they join by its bytes as pairs of ids."""
    numbers = {bytes([byte]): byte for byte in range(N_BYTES)}
    spelled_twice: dict[bytes, int] = {}
    pairs = []
    for i, row in enumerate(rows):
        if not isinstance(row, tuple | list) or list(map(type, row)) != [bytes, bytes]:
            raise ValueError(
                f"merges[{i}] must be a pair of bytes, as the first merge is, got {shorten(row)}"
            )
        for part in row:
            if part not in numbers:
                raise ValueError(
                    f"merges[{i}] joins {shorten(part)}, which is no byte and made by no earlier "
                    "merge"
                )
            if part in spelled_twice:
                raise ValueError(
                    f"merges[{i}] joins {shorten(part)}, which more than one earlier merge makes, "
                    f"the last is merges[{spelled_twice[part]}]: give the merges as pairs of ids"
                )
        pairs.append((numbers[row[0]], numbers[row[1]]))
        made = row[0] + row[1]
        if numbers.setdefault(made, N_BYTES + i) != N_BYTES + i:
            spelled_twice[made] = i
    return pairs


def _check_pair(i: int, left: int, right: int, n_symbols: int, unit: str) -> None:
    if not (0 <= left < n_symbols + i and 0 <= right < n_symbols + i):
        raise ValueError(
            f"merges[{i}] must join ids from 0 to {n_symbols + i - 1}, those of the {unit} and of "
            f"earlier merges, got {shorten((left, right))}"
        )


def check_merge_order(merge_order: Counts, pairs: array[int]) -> array[int] | None:
    """Return the places of the merges as a flat int32 array; None if they can't matter.

    Raises
    ------
    TypeError
        If a place is not an integer.
    ValueError
        If they are not 0 to n_merges - 1, each once, or a merge comes otherwise in `merges` than it
        has to: see `bpetok.encoding.merge_order.made_at_once`.
    """
    n = len(pairs) // 2
    places = [
        check_index(f"merge_order[{i}]", place)
        for i, place in enumerate(_rows(merge_order, "merge_order"))
    ]
    if sorted(places) != [*range(n)]:
        raise ValueError(
            f"merge_order must hold 0 to {n - 1}, each once: the places of the {n} merges; got "
            f"{len(places)}, {shorten(places)}"
        )
    order = array("i", places)
    try:
        return order if made_at_once(pairs, order) else None
    except ValueError as error:
        (merge,) = error.args
        raise ValueError(
            f"merges[{merge}], whose merge_order is {order[merge]}, must come elsewhere in merges: "
            "they come by merge_order, but one that joins what a merge with a higher one makes "
            "comes right after that"
        ) from None


def check_merge_counts(merge_counts: Counts, n_merges: int) -> array[int]:
    """Return the counts of the merges as a flat int64 array.

    Raises
    ------
    TypeError
        If a count is not an integer.
    ValueError
        If there is not one count for each merge, or one is negative or does not fit in 64 bits.
    """
    given: Any = merge_counts
    if getattr(given, "dtype", None) == "int64" and given.ndim == 1 and given.min(initial=0) >= 0:
        counts = array("q", given.tobytes())  # as training gives them
    else:
        counts = array("q", _checked_counts(merge_counts))
    if len(counts) != n_merges:
        raise ValueError(
            f"merge_counts must hold one count for each of {n_merges} merges, got {len(counts)}"
        )
    return counts


def _checked_counts(merge_counts: Counts) -> list[int]:
    counts = list(_rows(merge_counts, "merge_counts"))
    if set(map(type, counts)) - {int} or min(counts, default=0) < 0 or max(counts, default=0) >> 63:
        for i, given in enumerate(counts):  # something is wrong, or no plain int: say what
            counts[i] = check_index(f"merge_counts[{i}]", given)
            if not 0 <= counts[i] <= MAX_INT64:
                raise ValueError(
                    f"merge_counts[{i}] must be from 0 to 2**63 - 1, got {shorten(counts[i])}"
                )
    return counts


def check_ids(
    token_ids: Counts | None,
    special_tokens: Mapping[str, Any] | None,
    n_merges: int,
    more_tokens: Mapping[str, Mapping[bytes, int]] | None = None,
    token_bytes: Sequence[bytes] = (),
) -> tuple[array[int] | None, list[int]]:
    """Return the ids of bytes and merges as an int32 array, None if they are 0, 1, 2...

    Parameters
    ----------
    token_ids : sequence of int or integer array, shape (256 + n_merges,), optional
        -1 for a byte that has no id.
    special_tokens : mapping of str to int, optional
        The id of each special token.
    more_tokens : mapping of str to mappings of bytes to int, optional
        Other tokens with ids, by the names of the parameters that they came in.
    token_bytes : sequence of bytes, optional
        Of each byte and merge. A special token may have the id of one that has the same bytes, or
        of such a whole word; two special tokens may have one id.

    Returns
    -------
    token_ids, special_ids

    Raises
    ------
    TypeError
        If an id is not an integer.
    ValueError
        If there is not one for each byte and merge, two are the same, or one is negative (but for
        the -1 of a byte) or so large that more than MAX_UNUSED_IDS would not be used.
    """
    given: dict[str, Mapping[Any, Any]] = {"special_tokens": special_tokens or {}}
    given |= more_tokens or {}
    if token_ids is None and not any(given.values()):
        return None, []
    n_tokens = N_BYTES + n_merges
    ids = None
    taken: Collection[int] = range(n_tokens)
    if token_ids is not None:
        ids, taken = _check_token_ids(token_ids, n_tokens)
    new_ids: set[int] = set()
    special_ids: list[int] = []
    spelled: set[tuple[bytes, int]] = set()  # the special tokens
    for name, tokens in given.items():
        for token, value in tokens.items():
            token_id = _check_id(value, f"{name}[{shorten(token)}]")
            shared = False
            if name == "special_tokens":
                shared = token_id in new_ids  # a second name, since these come first
                if token_id in taken and token_bytes:
                    number = token_id if ids is None else ids.index(token_id)
                    shared = shared or token_bytes[number] == token.encode()
                special_ids.append(token_id)
                spelled.add((token.encode(), token_id))
            elif name == "whole_words":
                shared = token_id not in taken and (token, token_id) in spelled
            if not shared and (token_id in taken or token_id in new_ids):
                raise ValueError(
                    f"{name}: the id of {shorten(token)} is {token_id}, which another token has"
                )
            new_ids.add(token_id)
    most = n_tokens + len(new_ids) + MAX_UNUSED_IDS
    largest = max(chain(taken, new_ids))
    if largest >= most:
        raise ValueError(
            f"ids must be less than {most}, the number of tokens + {MAX_UNUSED_IDS}, got {largest}"
        )
    return ids, special_ids


def _check_token_ids(token_ids: Counts, n_tokens: int) -> tuple[array[int] | None, Collection[int]]:
    """Return the ids, which all differ, of bytes and merges, and those that are in use.

    The ids are None if they are 0, 1, 2...
    """
    is_array = isinstance(token_ids, array) and token_ids.typecode == "i"  # as of a file
    rows = token_ids if is_array else _rows(token_ids, "token_ids")
    if len(rows) != n_tokens:
        raise ValueError(
            f"token_ids must hold an id for each of {N_BYTES} bytes and {n_tokens - N_BYTES} "
            f"merges, got {len(rows)}"
        )
    all_int = is_array or set(map(type, rows)) == {int}
    if all_int and min(rows) >= 0 and max(rows) < 1 << 31:
        ids = array("i", rows)
    else:
        ids = array("i", (_check_id_or_none(row, i) for i, row in enumerate(rows)))
    in_use = set(ids)
    in_use.discard(-1)
    if len(in_use) < len(ids) - ids[:N_BYTES].count(-1):
        seen = set()
        for number, token_id in enumerate(ids):
            if token_id in seen:
                raise ValueError(f"token_ids[{number}] is {token_id}, the id of an earlier token")
            seen.add(token_id)
            seen.discard(-1)
    return (None if ids == array("i", range(n_tokens)) else ids), in_use


def _check_id_or_none(value: Any, number: int) -> int:
    # The id of a byte may be -1: it has none.
    if number < N_BYTES and check_index(f"token_ids[{number}]", value) == -1:
        return -1
    return _check_id(value, f"token_ids[{number}]")


def _check_id(value: Any, name: str) -> int:
    token_id = check_index(name, value)
    if not 0 <= token_id < 1 << 31:
        raise ValueError(f"{name} must be from 0 to 2**31 - 1, got {shorten(token_id)}")
    return token_id


def check_settings(settings: Mapping[str, Any]) -> str:
    """Return settings as JSON, the same for equal ones.

    Raises
    ------
    TypeError
        If they are no mapping of str to what JSON can hold.
    """
    if not isinstance(settings, Mapping):
        raise TypeError(f"settings must be a mapping of str, got {shorten(settings)}")
    if not settings:
        return "{}"
    import json

    try:
        return json.dumps(dict(settings), sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"settings must hold what JSON can hold: {error}") from None


def check_tokens(tokens: Mapping[bytes, int], name: str) -> dict[bytes, int]:
    """Return tokens that no merge makes, with their ids; `name` is said in errors.

    Raises
    ------
    TypeError
        If it is no mapping of bytes.
    """
    if not isinstance(tokens, Mapping):
        raise TypeError(f"{name} must be a mapping of bytes to int, got {shorten(tokens)}")
    for token in tokens:
        if not isinstance(token, bytes):
            raise TypeError(f"{name} must hold bytes only, got {shorten(token)}")
    return dict(tokens)


def check_unknown(unk_id: Any, fuse_unk: Any, token_ids: Sequence[int] | None) -> int | None:
    """Return the id of bytes that have none, None if they are left out.

    Raises
    ------
    TypeError, ValueError
        If it is no integer, all bytes have an id, or `fuse_unk` is no bool or given without it.
    """
    check_bool("fuse_unk", fuse_unk)
    if unk_id is None:
        if fuse_unk:
            raise ValueError("fuse_unk must not be True without unk_id")
        return None
    if token_ids is None or min(token_ids[:N_BYTES]) >= 0:
        raise ValueError(
            f"unk_id must not be given where all bytes have an id, got {shorten(unk_id)}"
        )
    return _check_id(unk_id, "unk_id")


def build_vocab(tokens: Iterable[tuple[bytes, int]]) -> dict[bytes, int]:
    """Return the id of each token; the first, where several tokens have the same bytes."""
    vocab: dict[bytes, int] = {}
    for token, token_id in tokens:
        vocab.setdefault(token, token_id)
    return vocab


def _rows(values: Any, name: str) -> Sequence[Any]:
    # An array's tolist() gives Python ints, ten times faster than iterating over it.
    rows = plain(name, values)
    rows = rows.tolist() if hasattr(rows, "tolist") else rows
    if isinstance(rows, (str, bytes)) or not isinstance(rows, Sequence):
        raise TypeError(f"{name} must be a sequence or an array, got {shorten(values)}")
    return rows
