"""Merges that are not taken in the order of their list, as some files of others have them.

A merge may join a token that only a later one of their list makes. With `ab a` listed before `a b`,
`ab` is made of `abab` first, then at once `aba` of that and the next letter, which leaves `aba b`.
A tokenizer lists such a merge after the one that it needs, which nearly always comes to the same:
all of the later ones are made, then those that were listed before. It does not where two of these
can lie so near to each other that what comes after the first takes what the second one needs, as
here: `ab ab`. Then the places in the other list are kept, and words that hold the bytes of such a
token are merged by them.
"""

from libc.stdint cimport int32_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcmp
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from bpetok.base.built_from cimport check_sources
from bpetok.encoding.ranks cimport N_BYTES, NONE, Ranks, merged

check_sources(__name__)

cdef enum:
    MOST_TOKENS = 16         # looked for in a word; where there are more, or longer ones, all words
    LONGEST_TOKEN = 256      # are merged by their places: a search takes words times tokens


def made_at_once(const int32_t[::1] pairs not None, const int32_t[::1] places not None) -> list:
    """Return the merges for which the order of the other list may matter, by number from 0.

    Parameters
    ----------
    pairs : int32 buffer, length 2 * n_merges
        Left and right of each, checked by `bpetok.encoding.vocab.check_merges`.
    places : int32 buffer, length n_merges
        The place of each merge in the other list: 0 to n_merges - 1, each once.

    Raises
    ------
    ValueError
        If a merge comes otherwise than it has to: by its place in the other list, but right after
        the one that makes what it joins, if that is later there; of several the first one there.
        Its argument is the number of the merge.
    """
    cdef Py_ssize_t i = 0, j, n = places.shape[0]
    cdef list found = []
    while i < n:
        j = i + 1
        while j < n and places[j] < places[i]:
            j += 1
        if j > i + 1:
            found += _followers_at_once(pairs, places, i, j)
        i = j
    return found


cdef list _followers_at_once(
    const int32_t[::1] pairs, const int32_t[::1] places, Py_ssize_t first, Py_ssize_t end
):
    # Of the merges between `first`, which makes what they need, and `end`.
    from heapq import heappop, heappush  # which most tokenizers do without

    cdef Py_ssize_t k
    cdef set new = {N_BYTES + first}
    cdef dict waiting = {}  # those that wait for a token, by that token
    cdef list ready = []
    for k in range(first + 1, end):
        part = max(pairs[2 * k], pairs[2 * k + 1])  # the one that is made last
        if part < N_BYTES + first:
            raise ValueError(k)
        waiting.setdefault(part, []).append((places[k], k))
    for k in range(first, end):
        if k > first and (not ready or heappop(ready)[1] != k):
            raise ValueError(k)
        new.add(N_BYTES + k)
        for row in waiting.get(N_BYTES + k, ()):
            heappush(ready, row)
    # What a follower may lie to the left of, if a second token of `first` comes after it.
    nearby = {pairs[2 * first], *new}
    nearby.update(pairs[2 * k] for k in range(first + 1, end) if pairs[2 * k + 1] in new)
    return [
        k for k in range(first + 1, end) if pairs[2 * k] in new and pairs[2 * k + 1] in nearby
    ]


cdef struct Waiting:
    # A pair that can be merged: at which place its merge is, and where in the word.
    int32_t place
    int32_t at

cdef struct Symbol:
    # One symbol of a word; only the first of a token counts.
    int32_t id
    int32_t made      # what the token and the next one merge to; NONE also once it is gone
    int32_t before    # first symbol of the token before, -1 at the start
    int32_t after     # first symbol of the next token, n at the end

cdef struct Word:
    const Ranks* ranks
    const int32_t* places
    Symbol* symbols
    Waiting* heap     # the first in order at 0
    Py_ssize_t n
    Py_ssize_t n_waiting


cdef inline bint comes_before(Waiting a, Waiting b) noexcept nogil:
    return a.place < b.place or (a.place == b.place and a.at < b.at)


cdef void push(Word* w, Waiting new) noexcept nogil:
    cdef Py_ssize_t at = w.n_waiting
    w.n_waiting += 1
    while at > 0 and comes_before(new, w.heap[(at - 1) >> 1]):
        w.heap[at] = w.heap[(at - 1) >> 1]
        at = (at - 1) >> 1
    w.heap[at] = new


cdef Waiting pop(Word* w) noexcept nogil:
    # Requires: there is one.
    cdef Waiting first = w.heap[0]
    cdef Waiting last
    cdef Py_ssize_t at = 0, below = 1
    w.n_waiting -= 1
    last = w.heap[w.n_waiting]
    while below < w.n_waiting:
        if below + 1 < w.n_waiting and comes_before(w.heap[below + 1], w.heap[below]):
            below += 1
        if not comes_before(w.heap[below], last):
            break
        w.heap[at] = w.heap[below]
        at, below = below, 2 * below + 1
    w.heap[at] = last
    return first


cdef void look_at(Word* w, int32_t at) noexcept nogil:
    # Find what the token at `at` and the next one merge to.
    cdef Symbol* symbol = &w.symbols[at]
    cdef Waiting new
    symbol.made = NONE
    if symbol.after < w.n:
        symbol.made = merged(w.ranks, symbol.id, w.symbols[symbol.after].id)
    if symbol.made != NONE:
        new.place, new.at = w.places[symbol.made - N_BYTES], at
        push(w, new)


cdef void merge_all(Word* w) noexcept nogil:
    # The first in order first, and of one place the leftmost. What waits may be stale: its token or
    # the next one is another by now.
    cdef Waiting first
    cdef Symbol* symbol
    cdef Symbol* gone
    while w.n_waiting:
        first = pop(w)
        symbol = &w.symbols[first.at]
        if symbol.made == NONE or w.places[symbol.made - N_BYTES] != first.place:
            continue
        gone = &w.symbols[symbol.after]
        symbol.id, symbol.after = symbol.made, gone.after
        gone.made = NONE
        if symbol.after < w.n:
            w.symbols[symbol.after].before = first.at
        look_at(w, first.at)
        if symbol.before >= 0:
            look_at(w, symbol.before)


cdef class MergeOrder:
    """The places of merges in another list, for words in which they make a difference.

    Parameters
    ----------
    places : int32 buffer, length n_merges
    tokens : list of bytes
        Only a word that holds one of them may have other ids by these places.
    """

    def __cinit__(self, const int32_t[::1] places not None, list tokens not None):
        cdef Py_ssize_t i
        self.tokens = tokens
        self.n_tokens = len(tokens)
        if self.n_tokens > MOST_TOKENS or max(map(len, tokens), default=0) > LONGEST_TOKEN:
            self.n_tokens = -1
        self.places = <int32_t*> malloc(max(1, places.shape[0]) * sizeof(int32_t))
        self.starts = <uint8_t**> malloc(MOST_TOKENS * sizeof(uint8_t*))
        self.sizes = <Py_ssize_t*> malloc(MOST_TOKENS * sizeof(Py_ssize_t))
        if self.places == NULL or self.starts == NULL or self.sizes == NULL:
            raise MemoryError
        for i in range(places.shape[0]):
            self.places[i] = places[i]
        for i in range(self.n_tokens):
            self.starts[i] = <uint8_t*> PyBytes_AS_STRING(tokens[i])
            self.sizes[i] = PyBytes_GET_SIZE(tokens[i])

    def __dealloc__(self):
        free(self.places)
        free(self.starts)
        free(self.sizes)

    cdef bint concerns(self, const uint8_t* word, Py_ssize_t n) noexcept nogil:
        cdef Py_ssize_t i
        cdef const uint8_t* at
        cdef const uint8_t* last
        if self.n_tokens < 0:
            return True
        for i in range(self.n_tokens):
            at, last = word, word + n - self.sizes[i]
            while at <= last:
                at = <const uint8_t*> memchr(at, self.starts[i][0], last - at + 1)
                if at == NULL:
                    break
                if memcmp(at, self.starts[i], self.sizes[i]) == 0:
                    return True
                at += 1
        return False

    cdef Py_ssize_t merge(
        self, const Ranks* ranks, const uint8_t* word, Py_ssize_t n, int32_t* ids
    ) noexcept nogil:
        # As many waiting pairs as symbols, and at most two for each merge: fewer than 3n.
        cdef Word w
        cdef Py_ssize_t n_ids = 0
        cdef int32_t at
        w.ranks, w.places, w.n, w.n_waiting = ranks, self.places, n, 0
        w.symbols = <Symbol*> malloc(n * (sizeof(Symbol) + 3 * sizeof(Waiting)))
        if w.symbols == NULL:
            return -1
        w.heap = <Waiting*> &w.symbols[n]
        for at in range(<int32_t> n):
            w.symbols[at].id = word[at]
            w.symbols[at].before = at - 1
            w.symbols[at].after = at + 1
        for at in range(<int32_t> n):
            look_at(&w, at)
        merge_all(&w)
        at = 0
        while at < n:
            ids[n_ids] = w.symbols[at].id
            n_ids += 1
            at = w.symbols[at].after
        free(w.symbols)
        return n_ids
