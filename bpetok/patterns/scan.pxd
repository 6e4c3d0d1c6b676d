from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from bpetok.patterns.dfa cimport ChainScan, CompiledPattern, LEVEL_WORDS

cdef extern from "simd.h":
    ctypedef struct Block:
        # Bit i is set where byte i of 64 is of the class. All bytes of a character carry its class.
        uint64_t letter, number, white
        uint64_t blank          # ASCII space, the one character that may lead a word
        uint64_t apostrophe
        uint64_t high           # not ASCII
        uint64_t lead           # the first byte of a character that is not ASCII,
        uint64_t continuation   # and its others
        uint64_t inside         # a byte of the text, not past its end
        uint64_t newline        # \r \n; where the rule asks for it, as are the next three
        uint64_t upper          # Lu Lt Lm Lo M
        uint64_t lower          # Ll Lm Lo M
        uint64_t slash
    ctypedef void (*ClassifyFunction)(const uint8_t* bytes, Block* out) noexcept nogil

# What `use_instruction_set` chose, as `best_instruction_set` has it.
cdef int instruction_set

cdef enum:
    SCAN_WORDS = LEVEL_WORDS  # most words that one call of scan_next returns

cdef struct Rule

cdef struct Scanner:
    # scan_begin sets each field by its name.
    const Rule* rule
    ClassifyFunction classify_ascii
    const uint8_t* at             # first byte of the current block
    const uint8_t* end            # of the text
    const uint8_t* readable       # of the memory that can be read, at or after `end`
    const uint8_t* word           # start of the word not returned yet
    const int64_t* ends           # of scan_given
    Block[2] blocks               # [current]: classes of at[0:64], and those of the next 64
    int current
    uint64_t spilled              # bytes of a character begun in the block before,
    int spilled_flags             # and its flags
    # Bit 0: what the last byte of the block before is.
    uint64_t before_letter
    uint64_t before_number
    uint64_t before_white
    uint64_t before_blank
    uint64_t before_other
    uint64_t before_line_space    # white space, but no newline
    uint64_t before_newline
    uint64_t before_tail          # of the newlines that go with the word before them
    uint64_t before_leader        # the last byte of a character that leads a word
    uint64_t[4] before_digit      # [k]: of a number whose k-th character comes next
    # o200k
    uint64_t before_own
    uint64_t before_flooded
    uint64_t before_word
    uint64_t before_lower
    uint64_t before_both
    # Of a contraction that reaches into this block:
    uint64_t no_start             # no word starts at
    uint64_t start                # a word starts at
    uint64_t joined               # what belongs to the word before (o200k)
    bint is_compiled
    ChainScan chain               # of scan_compiled, and then nothing else is used

# `pattern` is an index of PATTERN_NAMES. Text must be valid UTF-8. It is read between text and
# `readable`, which is text + n or after it: the words are the same, and found faster where 64
# bytes can be read at once.
cdef void scan_begin(
    Scanner* s, int pattern, const uint8_t* text, Py_ssize_t n, const uint8_t* readable
) noexcept nogil

# The same for words that are known: each ends at text + its end, the last at text + n.
cdef void scan_given(
    Scanner* s, const int64_t* ends, const uint8_t* text, Py_ssize_t n
) noexcept nogil

# The same for a pattern that is compiled; -1 without memory. scan_end must follow. Where text is
# not matched and that is an error, scanning ends, and s.chain.unmatched is the place.
cdef int scan_compiled(
    Scanner* s, CompiledPattern pattern, const uint8_t* text, Py_ssize_t n
) noexcept nogil

cdef void scan_end(Scanner* s) noexcept nogil

# Return k, the number of words found, 0 when the text is exhausted; word i is
# bounds[i]:bounds[i + 1]. bounds needs room for SCAN_WORDS + 1 pointers.
cdef Py_ssize_t scan_next(Scanner* s, const uint8_t** bounds) noexcept nogil

# Offset of the first byte that is not UTF-8, -1 if there is none.
cdef Py_ssize_t find_invalid_utf8(const uint8_t* text, Py_ssize_t n) noexcept nogil

# Of Unicode's White_Space; any number may be given.
cdef bint is_white_space(uint32_t point) noexcept nogil
