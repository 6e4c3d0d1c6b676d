from libc.stdint cimport int32_t, uint8_t, uint64_t

from bpetok.encoding.long_word cimport Lists
from bpetok.encoding.ranks cimport Ranks
from bpetok.encoding.word cimport Vocabulary
from bpetok.patterns.scan cimport SCAN_WORDS

cdef enum:
    BEGINS_WORD = 1 << 30    # added to the first id of each word

cdef struct LateMerges:
    int32_t first            # the id of the first one; if there is none, 0, and nothing else holds
    Ranks ranks              # of the late merges: early ids are their symbols
    uint64_t* joins          # a bit for each hash of two early ids that meet in a late token
    int shift                # of that hash

cdef struct Parts:
    # Words that are being cut into parts.
    const uint8_t* at        # what is looked at next
    const uint8_t* end       # of the last word
    const uint8_t** word     # where the first word from `at` on begins
    const uint8_t* part      # where the part begins that is not returned yet
    int32_t mark             # of that part

# Fill `late` from left, right of each merge; -1 if there is no memory. Requires: it is zeroed. It
# must be freed afterwards, also after -1.
cdef int late_init(
    LateMerges* late, const int32_t* pairs, Py_ssize_t n_merges, uint64_t seed
) noexcept nogil
cdef void late_free(LateMerges* late) noexcept nogil

# Begin to cut words that lie one after another: word i of k is bounds[i]:bounds[i + 1].
cdef void parts_begin(Parts* parts, const uint8_t** bounds, Py_ssize_t k) noexcept nogil

# Return the number of parts found, at most MOST_PARTS, 0 when there are no more: part i is
# bounds[i]:bounds[i + 1], and marks[i] is BEGINS_WORD where it begins a word, otherwise 0. `bounds`
# and `marks` need room for MOST_PARTS + 1. `early` has the early merges.
cdef enum:
    MOST_PARTS = SCAN_WORDS  # so that what takes words has room for parts
cdef Py_ssize_t parts_next(
    Parts* parts, const Vocabulary* early, const uint8_t** bounds, int32_t* marks
) noexcept nogil

# Make the late merges of words: replace the early ids in ids[:n] by what they leave; return the
# number of ids, -1 if memory ran out. Requires: the first id of each word has BEGINS_WORD added.
cdef Py_ssize_t merge_late(
    const LateMerges* late, Lists lists, int32_t* ids, Py_ssize_t n
) noexcept nogil
