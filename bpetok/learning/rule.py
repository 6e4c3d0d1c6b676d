"""The rule by which merges are learned, and why learning many of them at once is exact.

**The rule.** Merge the pair of adjacent tokens that occurs most often, where words count as often
as they occur in the text; among equals the smallest (left id, right id), bytes being ids 0-255 and
merge i making id 256 + i. Repeat. Overlapping places all count (``aaa`` holds ``(a, a)`` twice);
they are merged from the left.

**Batches.** Many merges are applied in one round: the first pairs in the order of the rule, up to
the first one whose left id is another's right id or the reverse (a pair of equal ids goes alone).
That gives exactly the merges of one at a time. Applying one of them takes places only from pairs
that share a token with it end to end, so from none of the others. A pair N that it makes is where
the adjacent pair Q = (r, l) was, with r a right id of the batch or l a left one. Q chains with the
batch, so it comes after all of it, and N occurs no more often than Q. (The batch {es + t}: where
Q = (w, es) was, N = (w, est) is.) Where all three counts are
equal, N still comes after the batch: its ids are those of Q or new, and new ids are the largest.

**Other ties** (`Ties`), for the merges of other trainers. *The earliest first place* of a pair only
ever moves towards the end, as its count only falls, so the heap has to do no more than for counts.
Batches are exact as they are: with equal counts, N occurs wherever Q did, or one token earlier,
where the merge that makes N was; so N comes after every other merge that comes before Q. *The
greatest bytes*: there N may come before a merge of the batch that occurs as often. So no merge is
applied after one that makes such a pair; the rest of the batch is chosen anew.

**Longest tokens.** A pair that would make a longer token is left out. The argument for batches
holds: where Q is too long, N, which has all of its bytes and more, is too long as well.

**Filters** (`MergeFilter`). A pair that may not be merged is left out. The argument for batches
holds where N may not be merged either when Q may not, as N has all of Q's bytes: a bound of words,
``:`` before a space, tokens that are final. For other filters N may come before the rest of its
batch where Q may not be merged, as with *the greatest bytes*, and the remedy is the same. A pair is
tested when it would be the next one, as most never are. That is early enough: if N comes before a
merge of its batch, then so did Q, which is known by then.

**Spelling.** No two merges spell the same bytes, whatever the rule. As long as no merge crosses the
ends of two spans of the same bytes, all that happens inside the one happens inside the other; so
when the bytes are one token in the one, they are in the other.

**The least count.** Only pairs that occur at least `least_count` times are numbered, counted and
posted, since hardly any other is ever chosen. While the best pair occurs that often this is exact:
the pairs left out occur less often. When it no longer does, all pairs are counted anew with a lower
least count. A good choice saves half of the time; a bad one costs a pass over the words.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Literal

import numpy as np

from bpetok.base.array_types import Int32, Int64
from bpetok.base.checks import check_bool, check_integer, encode_utf8, listed, shorten
from bpetok.base.limits import MAX_INT32
from bpetok.base.records import NamedTuple
from bpetok.learning.merge_filter import TokenFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bpetok.patterns.search import Search

Ties = Literal["ids", "place", "bytes"]
"""What comes first among pairs with equal counts: the smallest ids, the earliest first place in the
words as they come, or the greatest (bytes of the left token, bytes of the right token)."""


class _TieTraits(NamedTuple):
    """What a way to break ties asks of the rest, by the proofs above."""

    number: int
    """What ``pairs.pyx`` calls it: see its enum ``Ties``."""
    keeps_word_order: bool = False
    reads_postings: bool = False
    batches_may_end_early: bool = False


_TRAITS: dict[Ties, _TieTraits] = {
    "ids": _TieTraits(0),
    "place": _TieTraits(1, keeps_word_order=True, reads_postings=True),
    "bytes": _TieTraits(2, batches_may_end_early=True),
}


class MergeFilter(NamedTuple):
    """Which tokens merges may make; by default any.

    It changes what is learned, not what a tokenizer is: no reader of it needs to know. With `utf8`
    or `forbid` one thread learns, however much text there is.

    Attributes
    ----------
    utf8 : bool
        Join whole characters, or the first byte of a character and bytes that continue it; no
        token is a part of one character with something else. The rule of script_bpe's
        `bpe_merge_allowed` (Land and Arnett 2025).
    forbid : str or None
        A regular expression of the `regex` module: no token in which it finds something is made.
        It is bounded as patterns are. Of most an automaton is made, which takes no time to speak of
        and knows Unicode 16; for others, such as those that look behind at several characters
        after others, `regex` is asked, and one that takes seconds for a token is a TimeoutError.
        Bytes that are no whole character are lone surrogates to it, ``\\p{Cs}``.
    final : iterable of bytes or str
        Tokens that are part of no other.
    max_words : int or None
        No token has more words, which are what is between spaces.
    no_colon_space : bool
        No token has ``:`` before a space, as in SuperBPE's trainer.
    """

    utf8: bool = False
    forbid: str | None = None
    final: Iterable[bytes | str] = ()
    max_words: int | None = None
    no_colon_space: bool = False

    @property
    def keeps_to_parts(self) -> bool:
        """Whether pairs that have all bytes of a forbidden one are forbidden, too."""
        return not self.utf8 and self.forbid is None

    def settled(self) -> MergeFilter:
        """Return it with `final` sorted, as bytes: it may be a set, or an iterator.

        Raises
        ------
        TypeError, ValueError
            As `ready`.
        """
        return self._replace(final=tuple(sorted(self._final())))

    def _final(self) -> frozenset[bytes]:
        tokens = listed("final", self.final, "a list of tokens", in_order=False)
        return frozenset(map(_as_bytes, count(), tokens))

    def ready(self) -> TokenFilter:
        """Return it ready to be asked.

        Raises
        ------
        TypeError, ValueError
            If `forbid` is no expression or too large a one, `max_words` is less than 1, `final` has
            other things than bytes and str or an empty one, or one of the others is no bool.
        """
        for name in ("utf8", "no_colon_space"):
            check_bool(f"merge_filter.{name}", getattr(self, name))
        most = 0
        if self.max_words is not None:
            most = check_integer("max_words", self.max_words, 1, MAX_INT32)
        return TokenFilter(
            self.utf8,
            self.no_colon_space,
            most,
            self._final(),
            None if self.forbid is None else _search_of(self.forbid),
        )


def _search_of(expression: str) -> Search | Callable[[bytes], object]:
    from bpetok.learning.forbidden import search_of  # takes 2 ms, which most trainings need not

    return search_of(expression)


def _as_bytes(i: int, token: object) -> bytes:
    if isinstance(token, str):
        token = encode_utf8(token, f"final[{i}]")
    if not isinstance(token, bytes):
        raise TypeError(f"final[{i}] must be bytes or str, got {shorten(token)}")
    if not token:
        raise ValueError(f"final[{i}] must not be empty: leave it out")
    return token


class Rule(NamedTuple):
    """Which pair is merged next; what is not the default imitates other trainers."""

    min_frequency: int = 1
    """Learning ends where the best pair occurs less often."""
    max_token_length: int = MAX_INT32
    """No merge makes a token of more bytes."""
    ties: Ties = "ids"
    byte_order: tuple[int, ...] | None = None
    """The bytes by the ids that break ties; by default a byte is its id."""
    merge_filter: MergeFilter | None = None
    """Which tokens may be made; by default any."""

    @property
    def tie_number(self) -> int:
        """The number by which ``pairs.pyx`` knows how ties are broken."""
        return _TRAITS[self.ties].number

    @property
    def keeps_word_order(self) -> bool:
        """The merges depend on the order in which the words come."""
        return _TRAITS[self.ties].keeps_word_order

    @property
    def reads_postings(self) -> bool:
        """Choosing a pair looks at its places, so those of new pairs are posted before that."""
        return _TRAITS[self.ties].reads_postings

    @property
    def batches_may_end_early(self) -> bool:
        """A merge may make a pair that comes before the rest of its batch.

        What one shard finds out about that, the others don't know.
        """
        filtered = self.merge_filter is not None and not self.merge_filter.keeps_to_parts
        return filtered or _TRAITS[self.ties].batches_may_end_early


DEFAULT_RULE = Rule()


class Tuning(NamedTuple):
    """Bounds that decide how fast merges are learned, and never which."""

    parallel_slots: int = 12_000_000
    """Words that fill fewer slots are one shard: sharing costs their small rounds what it saves
    the large ones, and needs Numba, which takes half a second to load. From here on a second
    thread saves that in three trainings, and at ten times as many slots in the first."""
    parallel_postings: int = 2_000
    """A round of fewer postings runs on one thread: sharing costs about 40 us."""
    batch_merges: int = 256
    """Most merges of a round; on 100 MB of English text the mean is 23."""
    batch_postings: int = 1 << 20
    """Most postings of a round of several merges: bounds the memory of a round."""
    pause_rounds: int = 8
    """Rounds between two reports of progress."""
    room: int = 1 << 16
    """Postings that there is room for at first, beyond those of the words."""
    least_count: int | None = None
    """The first least count; by default estimated from the words."""


DEFAULT_TUNING = Tuning()


class Merges(NamedTuple):
    """Learned merges, in order.

    pairs : int32 array, shape (n_merges, 2)
        Ids of the left and the right token; row i makes the token with id 256 + i.
    counts : int64 array, shape (n_merges,)
        How often the pair occurred when it was merged.
    """

    pairs: Int32
    counts: Int64


NO_MERGES = Merges(np.empty((0, 2), np.int32), np.empty(0, np.int64))
