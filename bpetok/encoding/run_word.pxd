from libc.stdint cimport int32_t, uint8_t

from bpetok.encoding.ranks cimport Ranks

cdef enum:
    TOO_MANY_RUNS = -2

# Write the ids of a word of few runs of equal bytes to `ids` and return their number. A word that
# has more runs, or gets more as it is merged: TOO_MANY_RUNS. Requires: 0 < n, room for n ids.
cdef Py_ssize_t merge_runs(
    const Ranks* ranks, const uint8_t* word, Py_ssize_t n, int32_t* ids
) noexcept nogil
