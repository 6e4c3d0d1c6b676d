"""Text to words: the boundaries that the GPT-2 split pattern sets, 64 bytes at a time.

The pattern (openai/gpt-2, encoder.py) is::

    's|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+

Each block of 64 bytes becomes bit masks, one a class: letter, number, white space; the rest is
`other`. Words begin where a mask says so (`word_starts`), so the scanner asks no question of a
single byte, but for contractions and characters outside ASCII. "Simdjson" (Langdale and Lemire,
2019) reads JSON in this way.
"""

from libc.stdint cimport uint8_t, uint16_t, uint64_t
from libc.string cimport memcpy, memset

cdef extern from "_simd.h":
    ctypedef void (*ClassifyFunction)(const uint8_t* bytes, ClassMasks* out) noexcept nogil
    ClassifyFunction classify_function(int instruction_set) noexcept nogil
    int best_instruction_set() noexcept nogil
    int lowest_bit(uint64_t x) noexcept nogil
    uint64_t load64(const uint8_t* bytes) noexcept nogil

cdef extern from "_unicode.h":
    const uint16_t unicode_block[]
    const uint8_t unicode_flags[]

cdef enum:
    LETTER = 1
    NUMBER = 2
    SPACE = 4

cdef uint64_t ALL = 0xFFFFFFFFFFFFFFFF
cdef uint64_t HIGH_BITS = 0x8080808080808080

INSTRUCTION_SETS = ("plain64", "avx2", "avx512")
cdef ClassifyFunction classify_ascii = classify_function(best_instruction_set())


def instruction_sets():
    """Return the names of the instruction sets that this processor can run, slowest first."""
    return INSTRUCTION_SETS[: best_instruction_set() + 1]


def use_instruction_set(name):
    """Scan with the named instruction set from now on, in the whole process (for tests)."""
    global classify_ascii
    if name not in instruction_sets():
        raise ValueError(
            f"instruction set must be one of {', '.join(instruction_sets())}, got {name!r}"
        )
    classify_ascii = classify_function(INSTRUCTION_SETS.index(name))


cdef inline void classify_characters(
    Scanner* s, const uint8_t* at, uint64_t lead, Block* block
) noexcept nogil:
    # Add the characters outside ASCII that begin in the block: look the class of each up and give
    # it to all its bytes; what hangs over the end of the block is spilled into the next.
    cdef uint64_t bits, spilled_letter = 0, spilled_number = 0, spilled_white = 0
    cdef uint64_t is_letter, is_number, is_white
    cdef const uint8_t* c
    cdef int i, length, last, flags
    while lead:
        i = lowest_bit(lead)
        lead &= lead - 1
        c = at + i
        if c[0] < 0xE0:
            length, last = 2, c[1]
            flags = unicode_block[c[0] & 0x1F]
        elif c[0] < 0xF0:
            length, last = 3, c[2]
            flags = unicode_block[(c[0] & 0x0F) << 6 | (c[1] & 0x3F)]
        else:
            length, last = 4, c[3]
            flags = unicode_block[(c[0] & 0x07) << 12 | (c[1] & 0x3F) << 6 | (c[2] & 0x3F)]
        flags = unicode_flags[flags * 64 + (last & 0x3F)]
        is_letter = -<uint64_t>(flags & LETTER)
        is_number = -<uint64_t>((flags & NUMBER) >> 1)
        is_white = -<uint64_t>((flags & SPACE) >> 2)
        bits = (<uint64_t>1 << length) - 1
        block.letter |= bits << i & is_letter
        block.number |= bits << i & is_number
        block.white |= bits << i & is_white
        if i + length > 64:
            bits >>= 64 - i
            spilled_letter |= bits & is_letter
            spilled_number |= bits & is_number
            spilled_white |= bits & is_white
    s.spilled_letter = spilled_letter
    s.spilled_number = spilled_number
    s.spilled_white = spilled_white


cdef inline void classify(Scanner* s, const uint8_t* at, Block* block) noexcept nogil:
    # The classes of at[0:64]. Behind the end of the text all is white space that leads nothing,
    # so that a run of white space at the end stays in one piece.
    cdef ClassMasks m
    cdef uint8_t tail[64]
    cdef Py_ssize_t n = s.end - at
    if n >= 64:
        block.inside = ALL
        classify_ascii(at, &m)
    elif n > 0:
        block.inside = (<uint64_t>1 << n) - 1
        memset(tail, c'\n', 64)
        memcpy(tail, at, n)
        classify_ascii(tail, &m)
    else:
        memset(block, 0, sizeof(Block))
        block.white = ALL
        return
    block.letter = m.letter | s.spilled_letter
    block.number = m.number | s.spilled_number
    block.white = m.white | s.spilled_white
    block.blank = m.blank
    block.apostrophe = m.apostrophe
    block.continuation = m.high & ~m.lead
    s.spilled_letter = s.spilled_number = s.spilled_white = 0
    if m.lead:
        classify_characters(s, at, m.lead, block)


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


cdef inline uint64_t word_starts(Scanner* s, const Block* following) noexcept nogil:
    # Bit i is set where a word begins, contractions apart. A word begins
    #   where a run of white space begins, and at its last character where something follows:
    #     that one stands alone, or leads the next word if it is an ASCII space;
    #   where a run of letters, numbers or others begins, unless a space leads it.
    cdef Block* b = &s.block
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


cdef inline int contraction_length(const uint8_t* at, const uint8_t* end) noexcept nogil:
    # Length of 's 't 'm 'd 're 've 'll at the apostrophe `at`; 0 if there is none.
    if end - at >= 2 and (at[1] == c's' or at[1] == c't' or at[1] == c'm' or at[1] == c'd'):
        return 2
    if end - at >= 3 and (
        (at[1] == c'r' and at[2] == c'e')
        or (at[1] == c'v' and at[2] == c'e')
        or (at[1] == c'l' and at[2] == c'l')
    ):
        return 3
    return 0


cdef inline uint64_t split_contractions(Scanner* s, uint64_t starts) noexcept nogil:
    # An apostrophe that begins a word may begin a contraction: then no word starts at the letter
    # behind it, but one starts behind the contraction. Both may lie in the following block.
    cdef uint64_t apostrophes = starts & s.block.apostrophe
    cdef uint64_t next_no_start = 0, next_start = 0
    cdef int i, length
    starts = starts & ~s.no_start | s.start
    while apostrophes:
        i = lowest_bit(apostrophes)
        apostrophes &= apostrophes - 1
        length = contraction_length(s.at + i, s.end)
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
    return starts & s.block.inside


cdef void scan_begin(Scanner* s, const uint8_t* text, Py_ssize_t n) noexcept nogil:
    memset(s, 0, sizeof(Scanner))
    s.at = text
    s.end = text + n
    s.word = text
    classify(s, text, &s.block)


cdef Py_ssize_t scan_next(Scanner* s, const uint8_t** bounds) noexcept nogil:
    cdef Py_ssize_t n = 0
    cdef uint64_t starts
    cdef Block following
    if s.word == s.end:
        return 0
    if s.word < s.at:  # else nothing is scanned yet, and the first start will be found
        bounds[0] = s.word
        n = 1
    while n + 64 <= SCAN_WORDS and s.at < s.end:
        classify(s, s.at + 64, &following)
        starts = split_contractions(s, word_starts(s, &following))
        while starts:
            bounds[n] = s.at + lowest_bit(starts)
            starts &= starts - 1
            n += 1
        s.block = following
        s.at += 64
    if s.at >= s.end:
        bounds[n] = s.end
        n += 1
    s.word = bounds[n - 1]
    return n - 1


cdef Py_ssize_t find_invalid_utf8(const uint8_t* text, Py_ssize_t n) noexcept nogil:
    # RFC 3629: no surrogate, nothing above U+10FFFF, no form longer than it need be.
    cdef Py_ssize_t i = 0
    cdef int c, length, low, high
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


def check_utf8(const uint8_t[::1] text not None):
    """Return the offset of the first byte of `text` that is not UTF-8, -1 if there is none."""
    cdef Py_ssize_t n = text.shape[0]
    cdef Py_ssize_t at
    if n == 0:
        return -1
    with nogil:
        at = find_invalid_utf8(&text[0], n)
    return at


def split_words(bytes text not None):
    """Return the words of `text`, as bytes, in order: their concatenation is `text`.

    Raises
    ------
    ValueError
        If `text` is not UTF-8.
    """
    cdef const uint8_t* data = text
    cdef const uint8_t* bounds[SCAN_WORDS + 1]
    cdef Scanner scanner
    cdef Py_ssize_t i, n
    if find_invalid_utf8(data, len(text)) >= 0:
        raise ValueError(
            f"text must be UTF-8, but byte {find_invalid_utf8(data, len(text))} is not"
        )
    words = []
    scan_begin(&scanner, data, len(text))
    while True:
        n = scan_next(&scanner, bounds)
        if n == 0:
            return words
        for i in range(n):
            words.append(text[bounds[i] - data : bounds[i + 1] - data])


cdef inline int character_flags(const uint8_t* c, Py_ssize_t n) noexcept nogil:
    # Flags of the character in c[:n]; -1 if that is not one whole character.
    cdef int block
    if find_invalid_utf8(c, n) >= 0:
        return -1
    if n == 1:
        block = c[0] >> 6
    elif n == 2:
        block = c[0] & 0x1F
    elif n == 3:
        block = (c[0] & 0x0F) << 6 | (c[1] & 0x3F)
    elif n == 4:
        block = (c[0] & 0x07) << 12 | (c[1] & 0x3F) << 6 | (c[2] & 0x3F)
    else:
        return -1
    return unicode_flags[unicode_block[block] * 64 + (c[n - 1] & 0x3F)]


def last_word_end(const uint8_t[::1] text not None, Py_ssize_t start, Py_ssize_t end):
    """Return the greatest c in start < c < end at which a word of every pattern ends, or -1.

    That is where white space or a character of no class, but no apostrophe, follows a letter or a
    number: words of all built-in patterns run from a letter over such a character nowhere.

    Requires: 0 <= start <= end <= len(text); a character begins at `start`. Where the text is not
    UTF-8, neither side of c is a part of what is not.
    """
    cdef const uint8_t* data
    cdef Py_ssize_t at = end
    cdef int flags
    cdef Py_ssize_t cut = -1
    cdef bint next_ends = False
    if not 0 <= start <= end <= text.shape[0]:
        raise IndexError(f"0 <= {start} <= {end} <= {text.shape[0]} must hold")
    if start == end:
        return -1
    data = &text[0]
    with nogil:
        while at > start:
            at -= 1
            if data[at] & 0xC0 == 0x80:
                continue
            # The bytes up to the character behind: one character, or not UTF-8.
            flags = character_flags(data + at, end - at)
            if next_ends and flags > 0 and (flags & (LETTER | NUMBER)) != 0:
                cut = end
                break
            next_ends = (flags == 0 or (flags > 0 and (flags & SPACE) != 0)) and data[at] != c"'"
            end = at
    return cut
