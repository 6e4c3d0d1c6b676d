"""Words to slots: the arrays in which the kernels merge."""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from bpetok.base.simd cimport prefetch

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
