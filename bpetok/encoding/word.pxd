from libc.stdint cimport int32_t, uint8_t, uint64_t

from bpetok.encoding.long_word cimport Lists
from bpetok.encoding.ranks cimport Pair, Ranks
from bpetok.encoding.trie cimport Trie

cdef struct Token:
    # All that the search asks of a token, in half a cache line: from arrays of their own, words
    # that are in no cache take 3 % longer. `before` and `after` have bit byte & 63, so that some
    # bytes share one.
    uint64_t before    # last bytes of tokens that merge with it, or with a part it begins with
    uint64_t after     # first bytes of tokens that it, or a part it ends with, merges with
    Pair parts         # what it was merged from; of a byte, -1, -1
    int32_t length     # in bytes
    int32_t shorter    # the longest other token that it begins with; of a byte, -1

cdef struct Vocabulary:
    Ranks ranks
    Token* tokens      # [id]
    size_t room        # of `tokens`, in bytes
    Trie trie          # of the short tokens that merging makes of their bytes: no others ever occur
    int32_t longest    # the greatest length
    uint64_t[1024] seams  # bit second << 8 | first: whether a token has these two bytes in a row

# Fill the vocabulary from left, right of each merge; -1 if there is no memory. Requires: it is
# zeroed. It must be freed afterwards, also after -1.
cdef int vocabulary_init(
    Vocabulary* vocabulary, const int32_t* pairs, Py_ssize_t n_merges, uint64_t seed
) noexcept nogil
cdef void vocabulary_free(Vocabulary* vocabulary) noexcept nogil

# Write the ids of a word to `ids`, return their number, -1 if memory ran out. Requires: 0 < n <=
# LONGEST_WORD, room for n ids.
cdef Py_ssize_t encode_word(
    const Vocabulary* vocabulary, Lists lists, const uint8_t* word, Py_ssize_t n, int32_t* ids
) noexcept nogil


cdef inline bint is_seam(
    const Vocabulary* vocabulary, uint8_t first, uint8_t second
) noexcept nogil:
    # Whether a token has these two bytes in a row.
    cdef uint64_t seam = <uint64_t>second << 8 | first
    return vocabulary.seams[seam >> 6] >> (seam & 63) & 1
