"""The loops of `vocab.py`: a tokenizer is made within milliseconds. No NumPy."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from bpetok.base.built_from cimport check_sources
from bpetok.encoding.ranks cimport N_BYTES

check_sources(__name__)


def find_bad_merge(
    const int32_t[::1] pairs not None, Py_ssize_t n_symbols, int64_t most_symbols
) -> int:
    """Return the first merge that cannot be made, -1 if all can.

    It joins an id that no symbol or earlier merge has, or all tokens up to it are longer together
    than `most_symbols`.

    Parameters
    ----------
    pairs : int32 buffer, length 2 * n_merges
        left 0, right 0, left 1, right 1, ...
    n_symbols : int
        How many ids come before those of merges: 256 bytes, or other symbols.
    most_symbols : int
        Less than 2**62.
    """
    cdef Py_ssize_t i, n = pairs.shape[0] // 2
    cdef int32_t left, right
    cdef int64_t total = n_symbols
    cdef int64_t* lengths = <int64_t*> malloc((n_symbols + n) * sizeof(int64_t))
    if lengths == NULL:
        raise MemoryError
    try:
        for i in range(n_symbols):
            lengths[i] = 1
        for i in range(n):
            left, right = pairs[2 * i], pairs[2 * i + 1]
            if not (0 <= left < n_symbols + i and 0 <= right < n_symbols + i):
                return i
            lengths[n_symbols + i] = lengths[left] + lengths[right]
            total += lengths[n_symbols + i]
            if total > most_symbols:
                return i
        return -1
    finally:
        free(lengths)


def find_repeated(const int32_t[::1] pairs not None, Py_ssize_t n_symbols) -> int:
    """Return the first merge that joins what an earlier one has joined, -1 if there is none.

    Merges are gone through by their left id; each notes its left id at its right one, where an
    earlier merge of the two has noted it already. So there is no hash that a file could defeat.

    Parameters
    ----------
    pairs : int32 buffer, length 2 * n_merges
        As `find_bad_merge` takes them; it has found none.
    n_symbols : int
    """
    cdef Py_ssize_t i, place, n = pairs.shape[0] // 2, n_ids = n_symbols + n, first = n
    cdef Py_ssize_t* begin = <Py_ssize_t*> calloc(n_ids + 1, sizeof(Py_ssize_t))
    cdef Py_ssize_t* by_left = <Py_ssize_t*> malloc((n + 1) * sizeof(Py_ssize_t))
    cdef int32_t* noted = <int32_t*> malloc((n_ids + 1) * sizeof(int32_t))
    try:
        if begin == NULL or by_left == NULL or noted == NULL:
            raise MemoryError
        for i in range(n):
            begin[pairs[2 * i] + 1] += 1
        for i in range(n_ids):
            begin[i + 1] += begin[i]
            noted[i] = -1
        for i in range(n):
            by_left[begin[pairs[2 * i]]] = i
            begin[pairs[2 * i]] += 1
        for place in range(n):
            i = by_left[place]
            if noted[pairs[2 * i + 1]] == pairs[2 * i]:
                first = min(first, i)
            noted[pairs[2 * i + 1]] = pairs[2 * i]
    finally:
        free(begin)
        free(by_left)
        free(noted)
    return first if first < n else -1


def build_token_bytes(const int32_t[::1] pairs not None) -> list:
    """Return the bytes of each id, from 0, of merges that `check_merges` has returned."""
    cdef Py_ssize_t i, n_left, n_right
    cdef bytes left, right, token
    cdef list tokens = [bytes([byte]) for byte in range(N_BYTES)]
    for i in range(pairs.shape[0] // 2):
        left, right = tokens[pairs[2 * i]], tokens[pairs[2 * i + 1]]
        n_left, n_right = PyBytes_GET_SIZE(left), PyBytes_GET_SIZE(right)
        token = PyBytes_FromStringAndSize(NULL, n_left + n_right)
        memcpy(PyBytes_AS_STRING(token), PyBytes_AS_STRING(left), n_left)
        memcpy(PyBytes_AS_STRING(token) + n_left, PyBytes_AS_STRING(right), n_right)
        tokens.append(token)
    return tokens
