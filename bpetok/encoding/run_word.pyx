"""A long word of few runs of equal bytes, as a million spaces are: its merges, run by run.

A run is a token and how often it is repeated: `aaaaabb` is a*5 b*2. A token merged with itself,
leftmost first, leaves half as many of the new token, and one old token if their number was odd:
(a, a) makes it aa*2 a*1 b*2. Two different tokens meet only where one run ends and the next begins,
so their merge takes one from each: (a, b) then makes it aa*2 ab*1 b*1. The smallest merge that
applies comes first, as everywhere; a merge only makes pairs that are merged later, so each is made
once.
"""

from libc.stdint cimport int32_t, uint8_t

from bpetok.base.built_from cimport check_sources
from bpetok.encoding.ranks cimport NONE, Pair, Ranks, merged

check_sources(__name__)

cdef enum:
    FEW_RUNS = 16            # of bytes, at first
    MOST_RUNS = 64           # of tokens, while it is merged

cdef struct Run:
    int32_t id
    Py_ssize_t n             # how many of it, one after another

cdef struct Runs:
    Run[MOST_RUNS] runs      # neighbours have different ids
    Py_ssize_t n


cdef inline bint add(Runs* runs, int32_t token, Py_ssize_t n) noexcept nogil:
    # Append n of a token; False if there is no room.
    if n == 0:
        return True
    if runs.n and runs.runs[runs.n - 1].id == token:
        runs.runs[runs.n - 1].n += n
        return True
    if runs.n == MOST_RUNS:
        return False
    runs.runs[runs.n].id, runs.runs[runs.n].n = token, n
    runs.n += 1
    return True


cdef inline int32_t smallest_merge(const Ranks* ranks, const Runs* runs) noexcept nogil:
    # The smallest id that two neighbours merge to, NONE if none do.
    cdef int32_t smallest = NONE
    cdef Py_ssize_t i
    for i in range(runs.n):
        if runs.runs[i].n > 1:
            smallest = min(smallest, merged(ranks, runs.runs[i].id, runs.runs[i].id))
        if i + 1 < runs.n:
            smallest = min(smallest, merged(ranks, runs.runs[i].id, runs.runs[i + 1].id))
    return smallest


cdef bint merge_each(Runs* after, const Runs* before, Pair pair, int32_t new_id) noexcept nogil:
    # Merge all places of a pair; False if there is no room for the runs that this makes.
    cdef Py_ssize_t i, n
    cdef Py_ssize_t taken = 0    # 1 if the run before has merged with the first token of this one
    cdef bint fits = True
    after.n = 0
    for i in range(before.n):
        n, taken = before.runs[i].n - taken, 0
        if before.runs[i].id != pair.left:
            fits = fits and add(after, before.runs[i].id, n)
        elif pair.left == pair.right:
            fits = fits and add(after, new_id, n // 2) and add(after, pair.left, n % 2)
        elif i + 1 < before.n and before.runs[i + 1].id == pair.right:
            taken = 1
            fits = fits and add(after, pair.left, n - 1) and add(after, new_id, 1)
        else:
            fits = fits and add(after, pair.left, n)
    return fits


cdef Py_ssize_t merge_runs(
    const Ranks* ranks, const uint8_t* word, Py_ssize_t n, int32_t* ids
) noexcept nogil:
    cdef Runs[2] runs
    cdef int now = 0
    cdef Py_ssize_t i, _k, n_ids = 0
    cdef Py_ssize_t n_lookups = 4 * n  # that are allowed, so that the time stays linear
    cdef int32_t new_id
    runs[0].n = 0
    for i in range(n):
        if runs[0].n > FEW_RUNS:
            return TOO_MANY_RUNS
        add(&runs[0], word[i], 1)
    while True:
        new_id = smallest_merge(ranks, &runs[now])
        if new_id == NONE:
            break
        n_lookups -= 2 * runs[now].n
        if n_lookups < 0 or not merge_each(
            &runs[now ^ 1], &runs[now], ranks.pairs[new_id], new_id
        ):
            return TOO_MANY_RUNS
        now ^= 1
    for i in range(runs[now].n):
        for _k in range(runs[now].runs[i].n):
            ids[n_ids] = runs[now].runs[i].id
            n_ids += 1
    return n_ids
