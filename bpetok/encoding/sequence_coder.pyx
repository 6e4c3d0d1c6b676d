"""The loops of `sequences.py`: sequences of integers to ids and back. No NumPy."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy, memmove

from bpetok.base.built_from cimport check_sources
from bpetok.encoding.long_word cimport Lists, lists_free, lists_init, merge_long
from bpetok.encoding.ranks cimport Ranks, ranks_free, ranks_init

import os

check_sources(__name__)


@cython.final
cdef class SequenceEncoder:
    """Encode sequences of symbols with a list of merges. Threads may share it.

    Parameters
    ----------
    pairs : int32 buffer, length 2 * n_merges
        left, right of each merge, checked by `bpetok.encoding.vocab.check_merges`.
    n_symbols : int
        Symbols are the numbers from 0 to n_symbols - 1; merge i makes the id n_symbols + i.
    """

    cdef Ranks ranks

    def __cinit__(self, const int32_t[::1] pairs not None, int32_t n_symbols):
        cdef uint64_t seed = int.from_bytes(os.urandom(8), "little")
        cdef Py_ssize_t n_merges = pairs.shape[0] // 2
        cdef const int32_t* data = &pairs[0] if n_merges else NULL
        if ranks_init(&self.ranks, data, n_merges, n_symbols, seed) < 0:
            raise MemoryError

    def __dealloc__(self):
        ranks_free(&self.ranks)

    def encode(
        self, int32_t[::1] symbols not None, const int64_t[::1] offsets not None,
        int64_t[::1] lengths not None,
    ):
        """Replace sequences by their ids, one after another from the first place on.

        Parameters
        ----------
        symbols : int32 array
            Each in 0..n_symbols - 1; no other thread may write to it.
        offsets : int64 array, shape (n_sequences + 1,)
            Sequence i is symbols[offsets[i]:offsets[i + 1]], of at most 2**29 symbols. They ascend
            from 0 to len(symbols).
        lengths : int64 array, shape (n_sequences,)
            Filled with the number of ids of each.

        Returns
        -------
        int
            How many ids there are in all.
        """
        cdef Lists lists
        cdef Py_ssize_t i, n, at = 0, n_sequences = lengths.shape[0]
        cdef int32_t* data = &symbols[0] if symbols.shape[0] else NULL
        if offsets.shape[0] != n_sequences + 1 or offsets[n_sequences] != symbols.shape[0]:
            raise IndexError("offsets must end at len(symbols), lengths have one for each sequence")
        with nogil:
            n = lists_init(&lists, self.ranks.n_ids)
            for i in range(n_sequences):
                if n < 0:
                    break
                n = offsets[i + 1] - offsets[i]
                if n > 1:
                    n = merge_long(&self.ranks, lists, data + offsets[i], n)
                if n > 0:
                    memmove(data + at, data + offsets[i], n * sizeof(int32_t))
                    at += n
                lengths[i] = n
            lists_free(&lists)
        if n < 0:
            raise MemoryError
        return at


def expand(
    const int32_t[::1] pairs not None, const int64_t[::1] starts not None,
    int32_t[::1] symbols not None,
):
    """Fill `symbols` with those of all tokens, by id.

    Parameters
    ----------
    pairs : int32 buffer, length 2 * n_merges
        Checked by `check_merges`.
    starts : int64 array, shape (n_ids + 1,)
        Where the symbols of each token begin, and the end.
    symbols : int32 array, shape (starts[-1],)
    """
    cdef Py_ssize_t i, token, at, n_merges = pairs.shape[0] // 2
    cdef Py_ssize_t n_symbols = starts.shape[0] - 1 - n_merges
    cdef int part
    if starts[starts.shape[0] - 1] != symbols.shape[0]:
        raise IndexError("symbols must have a place for each symbol")
    for i in range(n_symbols):
        symbols[i] = <int32_t>i
    for i in range(n_merges):
        at = starts[n_symbols + i]
        for part in range(2):
            token = pairs[2 * i + part]
            memcpy(
                &symbols[at], &symbols[starts[token]],
                (starts[token + 1] - starts[token]) * sizeof(int32_t),
            )
            at += starts[token + 1] - starts[token]


def decode(
    const int32_t[::1] ids not None, const int64_t[::1] starts not None,
    const int32_t[::1] symbols not None, int32_t[::1] result not None,
):
    """Fill `result` with the symbols of ids, which `starts` and `symbols` have as in `expand`.

    Requires: each id is in 0..len(starts) - 2; `result` has just as many places.
    """
    cdef Py_ssize_t i, n, at = 0
    cdef const int32_t* token
    with nogil:
        for i in range(ids.shape[0]):
            token = &symbols[starts[ids[i]]]
            n = starts[ids[i] + 1] - starts[ids[i]]
            if at + n > result.shape[0]:
                with gil:
                    raise IndexError("result must have a place for each symbol")
            memcpy(&result[at], token, n * sizeof(int32_t))
            at += n
