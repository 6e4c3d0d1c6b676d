"""Words to slots: the arrays in which the kernels merge."""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from bpetok.base.built_from cimport check_sources
from bpetok.base.simd cimport prefetch

check_sources(__name__)

cdef extern from *:
    enum:
        BITS "BPETOK_BLOCK_BITS"  # arrays.BLOCK_BITS, which setup.py passes

cdef enum:
    NOTHING = -1
    AHEAD = 8


def sort_rare(const int64_t[::1] counts not None, int64_t[::1] order not None):
    """Order words by their counts, those with the smallest first, as far as counts are small.

    A counting sort: NumPy takes ten times as long for a million words.

    Parameters
    ----------
    counts : int64 array, shape (n_words,)
        At least 0.
    order : int64 array, shape (n_words,)
        Filled with the words, 0 to n_words - 1.

    Returns
    -------
    int
        How many words are sorted: those that occur at most 65,535 times. The others follow them.
    """
    cdef Py_ssize_t i, n_rare = 0, n = counts.shape[0]
    cdef int64_t* start = <int64_t*> calloc(65536, sizeof(int64_t))
    cdef int64_t count, n_before
    if order.shape[0] != n:
        free(start)
        raise IndexError("order must have a place for each word")
    if start == NULL:
        raise MemoryError
    with nogil:
        for i in range(n):
            if counts[i] < 65536:
                start[counts[i]] += 1
        for i in range(65536):
            count = start[i]
            start[i] = n_rare
            n_rare += count
        n_before = n_rare
        for i in range(n):
            if counts[i] < 65536:
                order[start[counts[i]]] = i
                start[counts[i]] += 1
            else:
                order[n_before] = i
                n_before += 1
        free(start)
    return n_rare


def fill_slots(
    const int32_t[::1] ids not None, const int64_t[::1] offsets not None,
    const int64_t[::1] counts not None, const int64_t[::1] order not None,
    int32_t[::1] symbols not None, int64_t[::1] weights not None,
):
    """Write words one after another, with a -1 before the first and after each.

    Where the count changes, slots are left empty up to the next block of 2**BLOCK_BITS, so that all
    words of a block have one count.

    Parameters
    ----------
    ids : int32 array
        The words' ids; word i is ids[offsets[i]:offsets[i + 1]].
    offsets : int64 array, shape (n_words + 1,)
    counts : int64 array, shape (n_words,)
    order : int64 array
        The words to write, in this order.
    symbols : int32 array
        Filled. With n ids, w words and c changes of the count from one word to the next, so many
        slots are enough: n + w + 1 + c * (2**BLOCK_BITS - 1).
    weights : int64 array
        Filled with the count of the words in each block.

    Returns
    -------
    int
        How many slots are used. Those after them are -1.
    """
    cdef Py_ssize_t i, word, n, at = 1, last = order.shape[0] - 1
    cdef int64_t count = counts[order[0]] if order.shape[0] else 0
    with nogil:
        symbols[0] = NOTHING
        for i in range(last + 1):
            prefetch(&ids[0] + offsets[order[min(i + AHEAD, last)]])
            word = order[i]
            if counts[word] != count:
                count = counts[word]
                while at & ((1 << BITS) - 1):
                    symbols[at] = NOTHING
                    at += 1
            n = offsets[word + 1] - offsets[word]
            if at + n >= symbols.shape[0] or (at + n) >> BITS >= weights.shape[0]:
                with gil:
                    raise IndexError("symbols and weights must have room for all words")
            memcpy(&symbols[at], &ids[0] + offsets[word], n * sizeof(int32_t))
            symbols[at + n] = NOTHING
            for block in range(at >> BITS, ((at + n) >> BITS) + 1):
                weights[block] = count
            at += n + 1
        for i in range(at, symbols.shape[0]):
            symbols[i] = NOTHING
    return at


def longest_run(const int32_t[::1] ids not None):
    """Return the id of the longest run of equal ids, and how long it is; the first, among equals.

    Parameters
    ----------
    ids : int32 array
        At least one.

    Returns
    -------
    tuple of int
    """
    cdef Py_ssize_t i, start = 0, best = 0, length = 0, n = ids.shape[0]
    with nogil:
        for i in range(1, n + 1):
            if i == n or ids[i] != ids[start]:
                if i - start > length:
                    best, length = start, i - start
                start = i
    return ids[best], length


cdef inline Py_ssize_t run_end(
    const int32_t[::1] ids, Py_ssize_t i, Py_ssize_t end, int32_t one
) noexcept nogil:
    # Where the run of one id ends that begins at i.
    i += 1
    while i < end and ids[i] == one:
        i += 1
    return i


def count_runs(
    const int32_t[::1] ids not None, const int64_t[::1] offsets not None,
    const int64_t[::1] counts not None, int byte, int64_t[::1] n_pairs not None,
):
    """Count the pairs of tokens that `double_runs` would make, and the other pairs of bytes.

    Parameters
    ----------
    ids : int32 array
        The words' bytes; word i is ids[offsets[i]:offsets[i + 1]].
    offsets : int64 array, shape (n_words + 1,)
    counts : int64 array, shape (n_words,)
        How often each word occurs.
    byte : int
        That of the runs.
    n_pairs : int64 array, at most 31
        Filled with how often the pair of each merge occurs just before it.

    Returns
    -------
    n_others : int
        How often the most frequent pair of two other bytes, or of this one and another, occurs.
    n_runs : int
        How many runs are of more than two bytes, and so may have tokens of two lengths.
    """
    cdef Py_ssize_t word, i, end, after, n_words = counts.shape[0]
    cdef int64_t left, n_others = 0, n_runs = 0
    cdef int m
    cdef int64_t* pairs
    if offsets.shape[0] != n_words + 1 or offsets[n_words] > ids.shape[0]:
        raise IndexError("the arrays must have a place for each word and each id")
    pairs = <int64_t*> calloc(65536, sizeof(int64_t))
    if pairs == NULL:
        raise MemoryError
    with nogil:
        for m in range(n_pairs.shape[0]):
            n_pairs[m] = 0
        for word in range(n_words):
            i, end = offsets[word], offsets[word + 1]
            while i < end:
                if ids[i] == byte:
                    after = run_end(ids, i, end, byte)
                    left = after - i
                    n_runs += counts[word] if left > 2 else 0
                    for m in range(n_pairs.shape[0]):
                        if left >> m < 2:
                            break
                        n_pairs[m] += counts[word] * ((left >> m) - 1)
                    i = after - 1
                if i + 1 < end:
                    pairs[(ids[i] & 255) << 8 | ids[i + 1] & 255] += counts[word]
                i += 1
        for i in range(65536):
            n_others = max(n_others, pairs[i])
        free(pairs)
    return n_others, n_runs


def double_runs(
    const int32_t[::1] ids not None, const int64_t[::1] offsets not None,
    const int64_t[::1] counts not None, int32_t one, int32_t first_id,
    int32_t[::1] out not None, int64_t[::1] out_offsets not None,
    int64_t[::1] n_pairs not None,
):
    """Make tokens of two, four, eight ... of one id: each merge joins two tokens of the last.

    Parameters
    ----------
    ids : int32 array
        The words' ids; word i is ids[offsets[i]:offsets[i + 1]].
    offsets : int64 array, shape (n_words + 1,)
    counts : int64 array, shape (n_words,)
        How often each word occurs.
    one : int
    first_id : int
        The id of the first merge, that of the second is the next one.
    out : int32 array, as long as `ids`
        Filled with the words' ids after the merges, as far as these go.
    out_offsets : int64 array, shape (n_words + 1,)
        Filled with where each word begins in `out`, and the end.
    n_pairs : int64 array, shape (n_merges,), n_merges at most 31
        Filled with how often the pair of each merge occurs just before it.

    Returns
    -------
    int
        How many ids there are in `out`.
    """
    cdef Py_ssize_t word, i, end, after, at = 0, n_words = counts.shape[0]
    cdef int64_t left
    cdef int m, n_merges = n_pairs.shape[0]
    if (offsets.shape[0] != n_words + 1 or out_offsets.shape[0] != n_words + 1
            or out.shape[0] < ids.shape[0] or offsets[n_words] > ids.shape[0]):
        raise IndexError("the arrays must have a place for each word and each id")
    with nogil:
        for m in range(n_merges):
            n_pairs[m] = 0
        for word in range(n_words):
            out_offsets[word] = at
            i, end = offsets[word], offsets[word + 1]
            while i < end:
                if ids[i] != one:
                    out[at] = ids[i]
                    at += 1
                    i += 1
                    continue
                after = run_end(ids, i, end, one)
                left = after - i
                i = after
                for m in range(n_merges):
                    n_pairs[m] += counts[word] * max((left >> m) - 1, 0)
                for m in range(n_merges, -1, -1):
                    while left >> m:
                        out[at] = first_id + m - 1 if m else one
                        at += 1
                        left -= <int64_t> 1 << m
        out_offsets[n_words] = at
    return at
