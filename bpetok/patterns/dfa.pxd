from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef enum:
    MOST_LEVELS = 4
    LEVEL_WORDS = 320  # most words that one call finds

# Words of one character each, up to where nothing has matched: see `characters_alone`.
ctypedef Py_ssize_t (*Alone)(
    const Level* level, const uint8_t** bounds, uint32_t* marks, Py_ssize_t n, const uint8_t* last,
    uint32_t* state, int column,
) noexcept nogil

cdef struct ProvisionalTables:
    # `bpetok.patterns.provisional.Provisional` says what each is. `table` is NULL without.
    const uint32_t* table
    uint32_t width
    uint32_t first_ending
    uint32_t first_moving
    uint32_t first_action
    const uint8_t* saves
    const uint8_t* slots
    const uint32_t* targets
    const uint32_t* open_at
    const uint32_t* open_rows
    const uint8_t* open_slots
    const uint8_t* newest

cdef struct Level:
    # The tables of an automaton: `bpetok.patterns.tables.Tables` says what each is.
    const uint8_t* code
    const uint16_t* blocks
    const uint8_t* block_codes
    int end
    int last_line
    const uint32_t* table
    uint32_t first_ending
    uint32_t first_back
    uint32_t first_action
    const uint8_t* actions
    const uint32_t* targets
    const uint8_t* ends
    const uint8_t* drops
    const uint32_t* again
    const uint32_t* between
    const uint32_t* back
    const uint32_t* look_rows     # NULL without look-ahead
    const uint8_t* look_columns
    const uint8_t* look_resets
    uint32_t width
    uint32_t first_code
    uint32_t n_codes
    const uint8_t* cuts
    int n_single                  # bytes below this are characters of one byte
    uint8_t[256] inert            # bytes: a word of such bytes only is one word
    bint fails                    # what would be left out is an error
    ProvisionalTables provisional
    Alone alone                   # NULL where words may be left out, or go by what follows

cdef struct Failed:
    # A state in which no word that is being read can end any more, and where.
    const uint8_t* at
    uint32_t row

cdef struct LevelScan:
    const Level* level
    const uint8_t* text
    const uint8_t* at             # what is read next
    const uint8_t* end            # of the text
    const uint8_t* word           # begin of the word that is being read
    uint32_t state
    uint32_t mark                 # the state after the first character of that word
    uint8_t* columns              # of the text's bytes, and 1; 0 where not looked at; NULL without
    const uint8_t* looked         # up to where; NULL before
    Failed* failed                # one for each TRAIL bytes from `trail` on, up to `trail_end`
    const uint8_t* trail
    const uint8_t* trail_begin    # after which they hold
    const uint8_t* trail_end

cdef struct ChainScan:
    LevelScan[MOST_LEVELS] scans
    int n_levels
    bint no_memory
    const uint8_t* unmatched      # what is not matched, where that is an error
    # Words of all levels but the last: those that the next level has not split yet.
    const uint8_t* words[MOST_LEVELS - 1][LEVEL_WORDS + 1]
    Py_ssize_t[MOST_LEVELS - 1] next_word
    Py_ssize_t[MOST_LEVELS - 1] n_words
    # Words of the level that spaces are put before, one after another: it and later levels have
    # their bounds in here, not in the text.
    int spaced_level              # -1 without
    uint8_t* spaced
    Py_ssize_t spaced_room

cdef class CompiledPattern:
    cdef Level[MOST_LEVELS] levels
    cdef readonly int n_levels
    cdef readonly int spaced_level
    cdef readonly tuple tables
    cdef readonly tuple provisional
    cdef int set_level(self, Level* level, tables) except -1

# Requires: valid UTF-8. Returns -1 without memory. What it takes is given back by `chain_end`.
cdef int chain_begin(
    ChainScan* s, CompiledPattern pattern, const uint8_t* text, Py_ssize_t n
) noexcept nogil

# Return the number of words found, one after another: word i is bounds[i]:bounds[i + 1]. 0 at the
# end of the text, where it is not matched, or without memory: see `unmatched`, `no_memory`.
# Where spaces are put before words, bounds are not in the text, and hold up to the next call; from
# any of them on 16 bytes may be read.
cdef Py_ssize_t chain_next(ChainScan* s, const uint8_t** bounds) noexcept nogil

cdef void chain_end(ChainScan* s) noexcept nogil


cdef inline int n_bytes_at(const Level* level, const uint8_t* at) noexcept nogil:
    # The number of bytes of a character.
    return 1 if at[0] < level.n_single else 2 + (at[0] >= 0xE0) + (at[0] >= 0xF0)


cdef inline int code_at(const Level* level, const uint8_t* at, int* length) noexcept nogil:
    # The code of a character, and the number of its bytes.
    cdef int block
    if at[0] < level.n_single:
        length[0] = 1
        return level.code[at[0]]
    if at[0] < 0xE0:
        block = at[0] & 0x1F
        length[0] = 2
    elif at[0] < 0xF0:
        block = (at[0] & 0x0F) << 6 | (at[1] & 0x3F)
        length[0] = 3
    else:
        block = (at[0] & 0x07) << 12 | (at[1] & 0x3F) << 6 | (at[2] & 0x3F)
        length[0] = 4
    return level.block_codes[level.blocks[block] * 64 + (at[length[0] - 1] & 0x3F)]
