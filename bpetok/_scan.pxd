from libc.stdint cimport uint8_t, uint64_t

cdef extern from "_simd.h":
    ctypedef struct ClassMasks:
        uint64_t letter, number, white, blank, apostrophe, high, lead

cdef enum:
    SCAN_WORDS = 320  # most words that one call of scan_next returns

cdef struct Block:
    # Bit i is set where byte i of 64 is of the class. All bytes of a character carry its class.
    uint64_t letter, number, white
    uint64_t blank          # ASCII space, the one character that may lead a word
    uint64_t apostrophe
    uint64_t continuation   # not the first byte of its character
    uint64_t inside         # a byte of the text, not behind its end

cdef struct Scanner:
    const uint8_t* at             # first byte of `block`
    const uint8_t* end            # of the text
    const uint8_t* word           # start of the word not returned yet
    Block block                   # classes of at[0:64]
    uint64_t spilled_letter       # classes of a character begun in the block before
    uint64_t spilled_number
    uint64_t spilled_white
    uint64_t before_letter        # bit 0: class of the last byte of the block before
    uint64_t before_number
    uint64_t before_white
    uint64_t before_blank
    uint64_t before_other
    uint64_t no_start             # of a contraction that reaches into this block:
    uint64_t start                # no word starts at, a word starts at

# Text must be valid UTF-8. It is only read between text and text + n.
cdef void scan_begin(Scanner* s, const uint8_t* text, Py_ssize_t n) noexcept nogil

# Return k, the number of words found, 0 when the text is exhausted; word i is
# bounds[i]:bounds[i + 1]. bounds needs room for SCAN_WORDS + 1 pointers.
cdef Py_ssize_t scan_next(Scanner* s, const uint8_t** bounds) noexcept nogil

# Offset of the first byte that is not UTF-8, -1 if there is none.
cdef Py_ssize_t find_invalid_utf8(const uint8_t* text, Py_ssize_t n) noexcept nogil
