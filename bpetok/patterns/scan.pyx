"""Text to words: the boundaries that a split pattern sets, 64 bytes at a time.

Each block of 64 bytes becomes bit masks, one for each class: letter, number, white space; the rest
is `other`. Words begin where a mask says so, so the scanner asks no question of a single byte,
except for contractions and characters outside ASCII. "Simdjson" (Langdale and Lemire, 2019) reads
JSON in this way.

The patterns are in `builtin.py`. `RULES` tells how they differ, and three functions tell where
their words begin: `gpt2_starts`; `cl100k_starts` for cl100k, llama3, qwen2 and nanochat;
`o200k_starts`, which looks at upper and lower case too. The pattern `none` needs none. All other
patterns are compiled, and `dfa.pyx` scans them; `scan_next` serves both.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from bpetok.base.built_from cimport check_sources
from bpetok.base.simd cimport load64, lowest_bit
from bpetok.patterns.dfa cimport (
    CompiledPattern, chain_begin, chain_end, chain_next, code_at
)

from bpetok.patterns.errors import SplitError

check_sources(__name__)

cdef extern from "simd.h":
    ClassifyFunction classify_function(int instruction_set, int level) noexcept nogil
    int best_instruction_set() noexcept nogil
    void fill_flag_lanes() noexcept
    void find_letters(
        int instruction_set, const uint8_t* bytes, uint64_t* two, uint64_t* three
    ) noexcept nogil
    size_t utf8_blocks(int instruction_set, const uint8_t* bytes, size_t n) noexcept nogil
    enum:
        BASIC_MASKS
        NEWLINE_MASKS
        CASE_MASKS

cdef extern from "unicode.h":
    const uint16_t unicode_block[]
    const uint8_t unicode_flags[]

cdef enum:
    LETTER = 1
    NUMBER = 2
    SPACE = 4
    UPPER = 8
    LOWER = 16

cdef enum Starts:
    GPT2_STARTS
    CL100K_STARTS
    O200K_STARTS
    NO_STARTS

cdef struct Rule:
    Starts starts
    int masks           # level of the classes that `starts` looks at
    int number_length   # most characters of a number; 0: any number, and a space may lead it
    bint fold_case      # contractions in capitals too, and with U+017F, which folds to s
    bint ends_as_line   # the end of the text ends white space as a newline does: `\s++$`

cdef Rule[7] RULES
RULES[0] = Rule(GPT2_STARTS, BASIC_MASKS, 0, False, False)      # gpt2
RULES[1] = Rule(CL100K_STARTS, NEWLINE_MASKS, 3, True, True)    # cl100k
RULES[2] = Rule(O200K_STARTS, CASE_MASKS, 3, True, False)       # o200k
RULES[3] = Rule(CL100K_STARTS, NEWLINE_MASKS, 3, True, False)   # llama3
RULES[4] = Rule(CL100K_STARTS, NEWLINE_MASKS, 1, True, False)   # qwen2
RULES[5] = Rule(CL100K_STARTS, NEWLINE_MASKS, 2, True, False)   # nanochat
RULES[6] = Rule(NO_STARTS, BASIC_MASKS, 0, False, False)        # none

PATTERN_NAMES = ("gpt2", "cl100k", "o200k", "llama3", "qwen2", "nanochat", "none")
"""Names of the patterns, by the number that the scanner knows them by."""

cdef uint64_t ALL = 0xFFFFFFFFFFFFFFFF
cdef uint64_t HIGH_BITS = 0x8080808080808080

INSTRUCTION_SETS = ("plain64", "avx2", "avx512")
cdef int instruction_set = best_instruction_set()
fill_flag_lanes()


def instruction_sets():
    """Return the names of the instruction sets that this processor can run, slowest first."""
    return INSTRUCTION_SETS[: best_instruction_set() + 1]


def use_instruction_set(name):
    """Scan with the named instruction set from now on, in the whole process (for tests)."""
    global instruction_set
    if name not in instruction_sets():
        raise ValueError(
            f"instruction set must be one of {', '.join(instruction_sets())}, got {name!r}"
        )
    instruction_set = INSTRUCTION_SETS.index(name)


cdef inline int flags_of(const uint8_t* c, int length) noexcept nogil:
    # Requires: c[:length] is one character.
    cdef int block
    if length == 1:
        block = c[0] >> 6
    elif length == 2:
        block = c[0] & 0x1F
    elif length == 3:
        block = (c[0] & 0x0F) << 6 | (c[1] & 0x3F)
    else:
        block = (c[0] & 0x07) << 12 | (c[1] & 0x3F) << 6 | (c[2] & 0x3F)
    return unicode_flags[unicode_block[block] * 64 + (c[length - 1] & 0x3F)]


cdef bint is_white_space(uint32_t point) noexcept nogil:
    return point <= 0x10FFFF and (
        unicode_flags[unicode_block[point >> 6] * 64 + (point & 63)] & SPACE != 0
    )


cdef inline int length_of(uint8_t lead) noexcept nogil:
    # Bytes of the character that begins with `lead`.
    return 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4


cdef inline void add_class(Block* block, uint64_t bits, int flags, int masks) noexcept nogil:
    block.letter |= bits & -<uint64_t>(flags & LETTER)
    block.number |= bits & -<uint64_t>((flags & NUMBER) >> 1)
    block.white |= bits & -<uint64_t>((flags & SPACE) >> 2)
    if masks == CASE_MASKS:
        block.upper |= bits & -<uint64_t>((flags & UPPER) >> 3)
        block.lower |= bits & -<uint64_t>((flags & LOWER) >> 4)


cdef inline void classify_characters(
    Scanner* s, const uint8_t* at, uint64_t lead, Block* block
) noexcept nogil:
    # Add the characters outside ASCII that begin in the block: look the class of each up and give
    # it to all its bytes; what hangs over the end of the block is spilled into the next.
    cdef uint64_t bits
    cdef int i, length, flags
    while lead:
        i = lowest_bit(lead)
        lead &= lead - 1
        length = length_of(at[i])
        flags = flags_of(at + i, length)
        bits = (<uint64_t>1 << length) - 1
        add_class(block, bits << i, flags, s.rule.masks)
        if i + length > 64:
            s.spilled = bits >> (64 - i)
            s.spilled_flags = flags


cdef inline uint64_t classify_letters(
    Scanner* s, const uint8_t* bytes, Block* block
) noexcept nogil:
    # Add the characters whose first byte says that they are letters, most of Cyrillic, Chinese and
    # Korean, and return where they begin. Those of two bytes may be capitals: o200k, which asks for
    # that, leaves them to classify_characters.
    cdef uint64_t two, three, both
    find_letters(instruction_set, bytes, &two, &three)
    if s.rule.masks == CASE_MASKS:
        two = 0
    three &= block.lead  # no character begins after the end of the text
    both = two & block.lead | three
    add_class(block, both | both << 1 | three << 2, LETTER | UPPER | LOWER, s.rule.masks)
    if both >> 62:
        s.spilled = both >> 63 | three >> 62
        s.spilled_flags = LETTER | UPPER | LOWER
    return both


cdef inline void end_text(Block* block, uint64_t inside, bint ends_as_line) noexcept nogil:
    # Behind the end of the text all is white space that leads nothing, so that a run of white space
    # at the end stays in one piece.
    block.inside = inside
    block.letter &= inside
    block.number &= inside
    block.white |= ~inside
    block.blank &= inside
    block.apostrophe &= inside
    block.high &= inside
    block.lead &= inside
    block.newline = block.newline & inside | (~inside if ends_as_line else 0)
    block.upper &= inside
    block.slash &= inside


cdef inline void classify(Scanner* s, const uint8_t* at, Block* block) noexcept nogil:
    # The classes of at[0:64]; those that the rule does not ask for hold anything.
    cdef uint8_t tail[64]
    cdef uint64_t letters
    cdef Py_ssize_t n = s.end - at
    if n <= 0:
        end_text(block, 0, s.rule.ends_as_line)
        block.continuation = block.lower = 0
        return
    if s.readable - at < 64:
        memcpy(tail, at, n)
        at = tail
    s.classify_ascii(at, block)
    block.inside = ALL
    if n < 64:
        end_text(block, (<uint64_t>1 << n) - 1, s.rule.ends_as_line)
    block.continuation = block.high & ~block.lead
    block.lower = block.letter & ~block.upper
    if block.high | s.spilled:
        add_class(block, s.spilled, s.spilled_flags, s.rule.masks)
        s.spilled = 0
        letters = classify_letters(s, at, block)
        classify_characters(s, at, block.lead & ~letters, block)


cdef inline uint64_t last_of_white_run(const Block* block, const Block* following) noexcept nogil:
    # The first byte of the last character of each run of white space that something follows.
    cdef uint64_t last = block.white & ~(block.white >> 1 | following.white << 63)
    cdef uint64_t next_last, back
    if not (block.white & block.continuation | following.white & following.continuation):
        return last
    # Step from the last byte back to the first: up to two bytes, maybe from the following block.
    next_last = following.white & ~(following.white >> 1)
    back = (last & block.continuation) >> 1 | (next_last & following.continuation) << 63
    last = last & ~block.continuation | back & ~block.continuation
    next_last = (next_last & following.continuation) >> 1
    back = (back & block.continuation) >> 1 | (next_last & following.continuation) << 63
    return last | back & ~block.continuation


cdef inline uint64_t gpt2_starts(
    Scanner* s, const Block* b, const Block* following
) noexcept nogil:
    # Bit i is set where a word begins, contractions apart. A word begins
    #   where a run of white space begins, and at its last character where something follows:
    #     that one is alone, or leads the next word if it is an ASCII space;
    #   where a run of letters, numbers or others begins, unless a space leads it.
    cdef uint64_t other = ~(b.letter | b.number | b.white)
    cdef uint64_t run_starts = (
        b.letter & ~(b.letter << 1 | s.before_letter)
        | b.number & ~(b.number << 1 | s.before_number)
        | other & ~(other << 1 | s.before_other)
    ) & ~(b.blank << 1 | s.before_blank)
    cdef uint64_t white_starts = (
        b.white & ~(b.white << 1 | s.before_white) | last_of_white_run(b, following)
    )
    s.before_letter = b.letter >> 63
    s.before_number = b.number >> 63
    s.before_white = b.white >> 63
    s.before_blank = b.blank >> 63
    s.before_other = other >> 63
    return run_starts | white_starts


cdef inline int contraction_length(
    const uint8_t* at, const uint8_t* end, bint fold_case
) noexcept nogil:
    # Length of 's 't 'm 'd 're 've 'll at the apostrophe `at`; 0 if there is none.
    cdef uint8_t to_lower = 0x20 if fold_case else 0
    cdef uint8_t first, second
    if end - at < 2:
        return 0
    first = at[1] | to_lower
    if first == c's' or first == c't' or first == c'm' or first == c'd':
        return 2
    if end - at < 3:
        return 0
    second = at[2] | to_lower
    if (
        (first == c'r' and second == c'e')
        or (first == c'v' and second == c'e')
        or (first == c'l' and second == c'l')
        or (fold_case and at[1] == 0xC5 and at[2] == 0xBF)  # U+017F, the long s
    ):
        return 3
    return 0


cdef inline uint64_t split_contractions(
    Scanner* s, const Block* b, uint64_t starts
) noexcept nogil:
    # An apostrophe that begins a word may begin a contraction: then no word starts at the letter
    # after it, but one starts after the contraction. Both may lie in the following block.
    cdef uint64_t apostrophes = starts & b.apostrophe
    cdef uint64_t next_no_start = 0, next_start = 0
    cdef int i, length
    starts = starts & ~s.no_start | s.start
    while apostrophes:
        i = lowest_bit(apostrophes)
        apostrophes &= apostrophes - 1
        length = contraction_length(s.at + i, s.end, s.rule.fold_case)
        if length:
            if i + 1 < 64:
                starts &= ~(<uint64_t>1 << (i + 1))
            else:
                next_no_start = 1
            if i + length < 64:
                starts |= <uint64_t>1 << (i + length)
            else:
                next_start = <uint64_t>1 << (i + length - 64)
    s.no_start = next_no_start
    s.start = next_start
    return starts & b.inside


# ---- cl100k and its kin: newlines, numbers in groups, any character may lead letters -------------


cdef inline uint64_t flood(uint64_t seeds, uint64_t runs) noexcept nogil:
    # From each seed to the end of its run: the sum carries on from a seed and clears what follows.
    return seeds | runs & ~(runs + seeds)


cdef inline uint64_t flood_back(uint64_t seeds, uint64_t runs) noexcept nogil:
    # From each seed to the beginning of its run, in doubling steps.
    cdef int step = 1
    while step < 64:
        seeds |= runs & seeds >> step
        runs &= runs >> step
        step *= 2
    return seeds


cdef inline uint64_t behind(
    uint64_t characters, uint64_t continuation, uint64_t* before
) noexcept nogil:
    # The first byte after each character, of which `characters` has the first byte: the sum
    # carries over its other bytes. `before` takes what lies in the following block there.
    cdef uint64_t second = characters << 1 | before[0]
    cdef uint64_t sum = second + continuation
    before[0] = characters >> 63 | (sum < second)
    return sum & ~continuation


cdef inline uint64_t number_starts(Scanner* s, const Block* b) noexcept nogil:
    # Where a run of numbers begins, and each `number_length` characters on.
    cdef uint64_t starts, digit
    cdef uint64_t before[4]
    cdef int k, length = s.rule.number_length
    starts = b.number & ~(b.number << 1 | s.before_number)
    s.before_number = b.number >> 63
    if length == 1:
        return b.number & ~b.continuation
    memcpy(before, s.before_digit, sizeof(before))
    memset(s.before_digit, 0, sizeof(before))
    if b.number == 0:
        return 0
    digit = starts | behind(0, b.continuation, &before[0]) & b.number
    starts = 0
    while True:
        starts |= digit
        for k in range(1, length + 1):
            digit = behind(digit, b.continuation, &before[k % length]) & b.number
            s.before_digit[k % length] |= before[k % length]
            before[k % length] = 0
        if digit == 0:
            return starts


cdef bint newline_follows(const Scanner* s, const Block* following) noexcept nogil:
    # Tell whether white space at the end of the block goes on to a newline.
    cdef uint64_t beyond = ~following.white | following.newline
    cdef const uint8_t* c = s.at + 128
    cdef int length
    if beyond:
        return following.newline >> lowest_bit(beyond) & 1
    while c < s.end and c[0] & 0xC0 == 0x80:  # the rest of a character of white space
        c += 1
    while c < s.end:
        if c[0] == c'\n' or c[0] == c'\r':
            return True
        length = length_of(c[0])
        if flags_of(c, length) & SPACE == 0:
            return False
        c += length
    return s.rule.ends_as_line


cdef inline uint64_t white_starts(
    Scanner* s, const Block* b, const Block* following, uint64_t tail
) noexcept nogil:
    # White space up to its last newline is a word; what comes then is one as in gpt2. `tail`:
    # newlines that belong to the word before them.
    cdef uint64_t white = b.white & ~tail
    cdef uint64_t line_space = b.white & ~b.newline
    cdef uint64_t behind_newline = line_space & (b.newline << 1 | s.before_newline)
    cdef uint64_t starts = (
        white & ~(white << 1 | s.before_white)
        | last_of_white_run(b, following) & line_space
    )
    cdef uint64_t before_newline
    if behind_newline:
        # That is the last newline unless the run goes on to another one.
        before_newline = line_space & b.newline >> 1
        if line_space >> 63 and newline_follows(s, following):
            before_newline |= <uint64_t>1 << 63
        if before_newline:
            behind_newline &= ~flood_back(before_newline, line_space)
    s.before_white = white >> 63
    s.before_newline = b.newline >> 63
    return starts | behind_newline


cdef inline uint64_t cl100k_starts(
    Scanner* s, const Block* b, const Block* following
) noexcept nogil:
    # Bit i is set where a word begins, contractions apart.
    cdef uint64_t other = ~(b.letter | b.number | b.white)
    cdef uint64_t line_space = b.white & ~b.newline
    cdef uint64_t tail = flood(
        b.newline & (other << 1 | s.before_other) | b.newline & s.before_tail, b.newline
    )
    # A run of others begins a word, unless a space leads it. Alone it leads letters, as a
    # character of white space does.
    cdef uint64_t other_starts = (
        other & ~(other << 1 | s.before_other) & ~(b.blank << 1 | s.before_blank)
    )
    cdef uint64_t led = (
        line_space << 1 | s.before_line_space
        | behind(other_starts, b.continuation, &s.before_leader)
    )
    cdef uint64_t starts = (
        b.letter & ~(b.letter << 1 | s.before_letter) & ~led
        | number_starts(s, b)
        | other_starts
        | white_starts(s, b, following, tail)
    )
    s.before_letter = b.letter >> 63
    s.before_other = other >> 63
    s.before_blank = b.blank >> 63
    s.before_line_space = line_space >> 63
    s.before_tail = tail >> 63
    return starts


# ---- o200k: words of upper and lower case, marks, contractions that end words --------------------


cdef inline uint64_t join_contractions(
    Scanner* s, uint64_t apostrophes, uint64_t word
) noexcept nogil:
    # The bytes of the contractions after words. A letter of a contraction is no word that the
    # next could follow: `x's's` is `x's`, `'s`.
    cdef uint64_t joined = s.joined
    cdef uint64_t bits, next_joined = 0
    cdef int i, length
    apostrophes &= (word & ~joined) << 1 | s.before_word
    while apostrophes:
        i = lowest_bit(apostrophes)
        apostrophes &= apostrophes - 1
        length = contraction_length(s.at + i, s.end, True)
        if length:
            bits = (<uint64_t>1 << length) - 1
            joined |= bits << i
            if i + length > 64:
                next_joined = bits >> (64 - i)
            apostrophes &= ~(<uint64_t>1 << i << length) if i + length < 64 else 0
    s.joined = next_joined
    return joined


cdef bint upper_ends_word(const uint8_t* c, const uint8_t* end) noexcept nogil:
    # Tell whether only capitals are between c and the end of the letters and marks.
    cdef int length, flags
    while c < end:
        length = length_of(c[0])
        flags = flags_of(c, length) & (UPPER | LOWER)
        if flags != UPPER:
            return flags == 0
        c += length
    return True


cdef inline uint64_t case_starts(Scanner* s, const Block* b, uint64_t word) noexcept nogil:
    # Where a word begins inside a run of letters and marks. The expression has two classes, U (Lu
    # Lt Lm Lo M) and D (Ll Lm Lo M), and tries U*D+ first, then U+D*. `both` are in both classes
    # (Lm Lo M): U takes them up to the first lower case letter, and from there D takes them, up to
    # the next upper case letter, where a word begins: "aBCd" is "a", "BCd". If no lower case letter
    # comes, U* has taken all, and gives capitals back until D+ matches: up to the last of `both`.
    # So "A中BC" is "A中", "BC".
    cdef uint64_t lower = b.lower & ~b.upper & word
    cdef uint64_t upper = b.upper & ~b.lower & word
    cdef uint64_t both = b.upper & b.lower & word
    cdef uint64_t starts, candidates
    cdef int i
    lower = flood(lower | both & s.before_lower, lower | both)
    both &= ~lower
    starts = upper & (lower << 1 | s.before_lower)
    candidates = upper & (both << 1 | s.before_both)
    s.before_lower = lower >> 63
    s.before_both = both >> 63
    while candidates:
        i = lowest_bit(candidates)
        candidates &= candidates - 1
        if upper_ends_word(s.at + i, s.end):
            starts |= <uint64_t>1 << i
    return starts


cdef inline uint64_t o200k_starts(
    Scanner* s, const Block* b, const Block* following
) noexcept nogil:
    # Bit i is set where a word begins. Marks go with letters, but are others once a run of others
    # is a word: where it has a second character, or a space leads it. Newlines after others go
    # with them, and so do slashes after those. Long, since each step needs the masks before it.
    cdef uint64_t mark = (b.upper | b.lower) & ~b.letter
    cdef uint64_t no_mark = ~(b.letter | b.number | b.white | mark)
    cdef uint64_t line_space = b.white & ~b.newline
    cdef uint64_t after_blank = b.blank << 1 | s.before_blank
    cdef uint64_t tail = 0, tail_before, own, other, flooded, word, joined, other_starts
    cdef uint64_t led, starts
    while True:
        # What follows a tail of newlines and slashes begins anew, which may shorten a later tail.
        # Each turn settles the bits up to the next such place at least; nearly always one does all.
        own = no_mark & ~tail
        flooded = flood(
            own & ~b.continuation & (own << 1 | s.before_own)
            | own & after_blank
            | (own | mark) & s.before_flooded,
            own | mark,
        )
        other = own | mark & flooded
        tail_before = tail
        tail = flood(
            b.newline & (other << 1 | s.before_other) | (b.newline | b.slash) & s.before_tail,
            b.newline | b.slash,
        )
        if (tail ^ tail_before) & b.slash == 0:
            break
    word = b.letter | mark & ~flooded
    joined = join_contractions(s, b.apostrophe & own, word)
    word &= ~joined
    other &= ~joined
    other_starts = other & ~(other << 1 | s.before_other) & ~after_blank
    led = (
        line_space << 1 | s.before_line_space
        | behind(other_starts, b.continuation, &s.before_leader)
    )
    starts = (
        word & ~(word << 1 | s.before_word) & ~led
        | case_starts(s, b, word)
        | number_starts(s, b)
        | other_starts
        | white_starts(s, b, following, tail)
    )
    s.before_own = own >> 63
    s.before_flooded = flooded >> 63
    s.before_word = word >> 63
    s.before_other = other >> 63
    s.before_blank = b.blank >> 63
    s.before_line_space = line_space >> 63
    s.before_tail = tail >> 63
    return starts & b.inside


# ---- the frame ----------------------------------------------------------------------------------


cdef void scan_begin(
    Scanner* s, int pattern, const uint8_t* text, Py_ssize_t n, const uint8_t* readable
) noexcept nogil:
    # Not one memset: what compilers make of it takes longer than the words of a short text.
    s.current = s.spilled_flags = 0
    s.spilled = s.before_letter = s.before_number = s.before_white = s.before_blank = 0
    s.before_other = s.before_line_space = s.before_newline = s.before_tail = s.before_leader = 0
    s.before_digit[0] = s.before_digit[1] = s.before_digit[2] = s.before_digit[3] = 0
    s.before_own = s.before_flooded = s.before_word = s.before_lower = s.before_both = 0
    s.no_start = s.start = s.joined = 0
    s.ends = NULL
    s.is_compiled = False
    s.rule = &RULES[pattern]
    s.classify_ascii = classify_function(instruction_set, s.rule.masks)
    s.at = text
    s.end = text + n
    s.readable = readable
    s.word = text
    classify(s, text, &s.blocks[0])


cdef void scan_given(
    Scanner* s, const int64_t* ends, const uint8_t* text, Py_ssize_t n
) noexcept nogil:
    s.is_compiled = False
    s.rule = &RULES[6]
    s.at = s.word = text
    s.end = text + n
    s.ends = ends


cdef int scan_compiled(
    Scanner* s, CompiledPattern pattern, const uint8_t* text, Py_ssize_t n
) noexcept nogil:
    s.is_compiled = True
    return chain_begin(&s.chain, pattern, text, n)


cdef void scan_end(Scanner* s) noexcept nogil:
    if s.is_compiled:
        chain_end(&s.chain)


cdef inline uint64_t word_starts(
    Scanner* s, const Block* b, const Block* following
) noexcept nogil:
    if s.rule.starts == GPT2_STARTS:
        return split_contractions(s, b, gpt2_starts(s, b, following))
    if s.rule.starts == CL100K_STARTS:
        return split_contractions(s, b, cl100k_starts(s, b, following))
    return o200k_starts(s, b, following)


cdef inline Py_ssize_t scan_blocks(Scanner* s, const uint8_t** bounds) noexcept nogil:
    cdef Py_ssize_t n = 0
    cdef uint64_t starts
    cdef const uint8_t* at  # not s.at, which to the compiler each write to `bounds` may change
    cdef Block* block = &s.blocks[s.current]
    cdef Block* following = &s.blocks[s.current ^ 1]
    if s.word < s.at:  # else nothing is scanned yet, and the first start will be found
        bounds[0] = s.word
        n = 1
    while n + 64 <= SCAN_WORDS and s.at < s.end:
        classify(s, s.at + 64, following)
        starts = word_starts(s, block, following)
        at = s.at
        while starts:
            bounds[n] = at + lowest_bit(starts)
            starts &= starts - 1
            n += 1
        block, following = following, block
        s.current ^= 1
        s.at += 64
    if s.at >= s.end:
        bounds[n] = s.end
        n += 1
    s.word = bounds[n - 1]
    return n - 1


cdef inline Py_ssize_t scan_known(Scanner* s, const uint8_t** bounds) noexcept nogil:
    # Words that `scan_given` was told; without any, the text is one.
    cdef Py_ssize_t n = 0
    bounds[0] = s.word
    while n < SCAN_WORDS and s.word != s.end:
        if s.ends != NULL and s.ends[0] < 0:
            if n > 0:
                return n
            s.word = s.at - s.ends[0]
            s.ends += 1
            bounds[0] = s.word
            continue
        s.word = s.end
        if s.ends != NULL:
            s.word = s.at + s.ends[0]
            s.ends += 1
        n += 1
        bounds[n] = s.word
    return n


cdef Py_ssize_t scan_next(Scanner* s, const uint8_t** bounds) noexcept nogil:
    if s.is_compiled:
        return chain_next(&s.chain, bounds)
    if s.word == s.end:
        return 0
    return scan_known(s, bounds) if s.rule.starts == NO_STARTS else scan_blocks(s, bounds)


cdef Py_ssize_t find_invalid_utf8(const uint8_t* text, Py_ssize_t n) noexcept nogil:
    # RFC 3629: no surrogate, nothing above U+10FFFF, no form longer than it need be. Long, since it
    # has a branch for each length of a character.
    cdef Py_ssize_t i = utf8_blocks(instruction_set, text, n) if n >= 64 else 0
    cdef int c, length, low, high
    while i > 0 and text[i - 1] & 0xC0 == 0x80:  # back to where the last character begins
        i -= 1
    if i > 0 and text[i - 1] >= 0xC0:
        i -= 1
    while i < n:
        c = text[i]
        if c < 0x80:
            if n - i >= 32 and (
                load64(text + i)
                | load64(text + i + 8)
                | load64(text + i + 16)
                | load64(text + i + 24)
            ) & HIGH_BITS == 0:
                i += 32
            else:
                i += 1
            continue
        low, high = 0x80, 0xBF
        if 0xC2 <= c <= 0xDF:
            length = 2
        elif 0xE0 <= c <= 0xEF:
            length = 3
            if c == 0xE0:
                low = 0xA0
            elif c == 0xED:
                high = 0x9F
        elif 0xF0 <= c <= 0xF4:
            length = 4
            if c == 0xF0:
                low = 0x90
            elif c == 0xF4:
                high = 0x8F
        else:
            return i
        if n - i < length or not low <= text[i + 1] <= high:
            return i
        if length > 2 and text[i + 2] & 0xC0 != 0x80:
            return i
        if length > 3 and text[i + 3] & 0xC0 != 0x80:
            return i
        i += length
    return -1


def check_utf8(const uint8_t[::1] text not None, const int64_t[::1] ends=None):
    """Return the offset of the first byte of `text` that is not UTF-8, -1 if there is none.

    Where there are several texts in memory, `ends` says where each ends, and each is looked at
    alone. Requires: they ascend, to at most len(text).
    """
    cdef Py_ssize_t n = text.shape[0]
    cdef Py_ssize_t i, begin = 0, at = -1
    if n == 0:
        return -1
    if ends is None:
        with nogil:
            at = find_invalid_utf8(&text[0], n)
        return at
    if ends.shape[0] and ends[ends.shape[0] - 1] > n:
        raise IndexError("ends must lie within text")
    with nogil:
        for i in range(ends.shape[0]):
            at = find_invalid_utf8(&text[0] + begin, ends[i] - begin)
            if at >= 0:
                break
            begin = ends[i]
    return at if at < 0 else begin + at


def split_words(bytes text not None, pattern=0):
    """Return the words of `text`, as bytes, in order.

    Their concatenation is `text`, but for what a compiled pattern leaves out, and spaces that it
    puts before them. `pattern` is an index of PATTERN_NAMES, or a CompiledPattern.

    Raises
    ------
    ValueError
        If `text` is not UTF-8.
    SplitError
        If it is not matched, and that is an error.
    """
    return found_words(text, pattern, False)


def word_spans(bytes text not None, pattern=0):
    """Return where each word of `text` begins and ends, in bytes; otherwise as `split_words`.

    Requires: a pattern that puts no space before words.
    """
    return found_words(text, pattern, True)


cdef list found_words(bytes text, pattern, bint as_spans):
    cdef const uint8_t* data = text
    cdef const uint8_t* bounds[SCAN_WORDS + 1]
    cdef Scanner scanner
    cdef Py_ssize_t i, n
    cdef list words = []
    if find_invalid_utf8(data, len(text)) >= 0:
        raise ValueError(
            f"text must be UTF-8, but byte {find_invalid_utf8(data, len(text))} is not"
        )
    if isinstance(pattern, CompiledPattern):
        if as_spans and pattern.spaced_level >= 0:
            raise ValueError("a pattern that puts spaces before words has no spans")
        if scan_compiled(&scanner, pattern, data, len(text)) < 0:
            raise MemoryError
    elif not 0 <= pattern < len(PATTERN_NAMES):
        raise IndexError(f"pattern must be in 0..{len(PATTERN_NAMES) - 1}, got {pattern}")
    else:
        scan_begin(&scanner, pattern, data, len(text), data + len(text))
    while True:
        n = scan_next(&scanner, bounds)
        if n == 0:
            break
        for i in range(n):
            if as_spans:
                words.append((bounds[i] - data, bounds[i + 1] - data))
            else:
                words.append(<bytes> bounds[i][:bounds[i + 1] - bounds[i]])
    scan_end(&scanner)
    if scanner.is_compiled and scanner.chain.no_memory:
        raise MemoryError
    if scanner.is_compiled and scanner.chain.unmatched != NULL:
        raise SplitError("unmatched", scanner.chain.unmatched - data)
    return words


cdef inline int character_flags(const uint8_t* c, Py_ssize_t n) noexcept nogil:
    # Flags of the character in c[:n]; -1 if that is not one whole character.
    if n > 4 or find_invalid_utf8(c, n) >= 0 or length_of(c[0]) != n:
        return -1
    return flags_of(c, <int>n)


def last_word_end(
    const uint8_t[::1] text not None, Py_ssize_t start, Py_ssize_t end,
    CompiledPattern pattern=None,
):
    """Return the greatest c in start < c < end at which a word ends whatever is around, or -1.

    Of a compiled pattern its tables tell. Without one it is an end of the words of all hand-written
    scanners but `none`: there white space or a character of no class, but no apostrophe, follows a
    letter or a number, and no word of theirs goes over such a place.

    Requires: 0 <= start <= end <= len(text); a character begins at `start`. Where the text is not
    UTF-8, neither side of c is a part of what is not.
    """
    cdef const uint8_t* data
    cdef Py_ssize_t at = end
    cdef int flags, code, last_code, next_code = -1, length = 0
    cdef const uint8_t* cuts = NULL
    cdef Py_ssize_t cut = -1
    cdef bint next_ends = False
    if not 0 <= start <= end <= text.shape[0]:
        raise IndexError(f"0 <= {start} <= {end} <= {text.shape[0]} must hold")
    if start == end:
        return -1
    data = &text[0]
    if pattern is not None:
        cuts = pattern.levels[0].cuts
    with nogil:
        while at > start:
            at -= 1
            if data[at] & 0xC0 == 0x80:
                continue
            if cuts != NULL:
                if character_flags(data + at, end - at) < 0:
                    next_code = -1
                else:
                    code = last_code = code_at(&pattern.levels[0], data + at, &length)
                    if length < end - at:  # it goes by bytes, the last of which is before a cut
                        last_code = code_at(&pattern.levels[0], data + end - 1, &length)
                    last_code -= pattern.levels[0].first_code
                    if next_code >= 0 and cuts[last_code * pattern.levels[0].n_codes + next_code]:
                        cut = end
                        break
                    next_code = code - pattern.levels[0].first_code
                end = at
                continue
            # The bytes up to the next character: one character, or not UTF-8.
            flags = character_flags(data + at, end - at)
            if next_ends and flags > 0 and (flags & (LETTER | NUMBER)) != 0:
                cut = end
                break
            next_ends = (flags == 0 or (flags > 0 and (flags & SPACE) != 0)) and data[at] != c"'"
            end = at
    return cut
