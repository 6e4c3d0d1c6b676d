"""The scanner of compiled patterns: a text through the tables of `tables.py`, to words.

The loop over a text has no branch that depends on where words end: each character writes its place
where the next word's begin belongs, and the number of words grows by one if the state says so. What
is rare is an action (`automaton.Action`). Over characters outside ASCII two look-ups tell the code.

A chain may need several levels, each of which splits the words of the one before. Where a space
is put before words, they are copied.
"""

cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from bpetok.base.built_from cimport check_sources

check_sources(__name__)

cdef enum:
    TRAIL = 16
    N_SLOTS = 7  # `provisional.MOST_SLOTS`
    LONG_SEARCH = 256  # bytes from which on it is worth to keep what was read in vain
    LOOK_SOON = 32  # bytes after which it is asked again what follows: then more is looked at
    LOOK_BLOCK = 1024
    SPACE = 0x20
    PADDING = 16  # bytes after copied words that may be read

cdef enum Action:  # `automaton.Action`
    NONE
    END
    DROP
    BACK
    BACK_END
    SEARCH
    TRY
    TRY_BACK
    LOOK


@cython.final
cdef class CompiledPattern:
    """Tables that the scanner reads.

    Parameters
    ----------
    tables : tuple of Tables
        One for each level, at most MOST_LEVELS.
    provisional : tuple of Provisional
        For each level; None where there are none.
    fails : bool
        What is to be left out is an error.
    spaced_level : int
        Before each word of this level a space is put, unless it begins with one; -1 without.
    """

    def __cinit__(
        self, tuple tables not None, tuple provisional not None, bint fails=False,
        int spaced_level=-1,
    ):
        if not 1 <= len(tables) <= MOST_LEVELS:
            raise ValueError(f"levels must be in 1..{MOST_LEVELS}, got {len(tables)}")
        self.tables, self.provisional = tables, provisional  # keep the memory
        self.n_levels = len(tables)
        self.spaced_level = spaced_level
        for number, level in enumerate(tables):
            self.set_level(&self.levels[number], level)
            self.levels[number].fails = fails
            memset(&self.levels[number].provisional, 0, sizeof(ProvisionalTables))
            if provisional[number] is not None:
                set_provisional(&self.levels[number].provisional, provisional[number])

    cdef int set_level(self, Level* level, tables) except -1:
        cdef const uint8_t[::1] codes = tables.bytes_to_code
        cdef const uint32_t[::1] table = tables.table
        cdef const uint8_t[::1] ends = tables.ends
        cdef const uint8_t[::1] drops = tables.drops
        cdef const uint32_t[::1] again = tables.again
        cdef const uint32_t[::1] between = tables.between
        cdef const uint32_t[::1] back = tables.back
        cdef const uint8_t[::1] cuts = tables.cuts
        cdef const uint8_t[::1] actions
        cdef const uint8_t[::1] block_codes
        cdef const uint8_t[::1] look_columns
        cdef const uint8_t[::1] look_resets
        cdef const uint16_t[::1] blocks
        cdef const uint32_t[::1] look_rows
        cdef const uint32_t[::1] targets
        level.code, level.table, level.ends, level.drops = &codes[0], &table[0], &ends[0], &drops[0]
        level.again, level.between, level.back = &again[0], &between[0], &back[0]
        level.cuts = &cuts[0]
        level.end, level.last_line = tables.end, tables.last_line
        level.first_ending, level.first_back = tables.first_ending, tables.first_back
        level.first_action = tables.first_action
        level.width = tables.width
        level.first_code, level.n_codes = tables.first_code, tables.n_codes
        level.n_single = 256 if tables.by_byte else 0x80
        if len(tables.actions):
            actions, targets = tables.actions, tables.targets
            level.actions, level.targets = &actions[0], &targets[0]
        if not tables.by_byte:
            blocks, block_codes = tables.blocks, tables.block_codes
            level.blocks, level.block_codes = &blocks[0], &block_codes[0]
        if len(tables.look_rows):
            look_rows = tables.look_rows
            level.look_rows = &look_rows[0]
            look_columns, look_resets = tables.look_columns, tables.look_resets
            level.look_columns, level.look_resets = &look_columns[0], &look_resets[0]
        find_inert(level)
        if level.look_rows == NULL and level.last_line < 0:
            level.alone = characters_alone
        else:
            level.alone = NULL
        return 0

    @property
    def memory(self):
        """The bytes that the tables take."""
        total = 0
        for tables in (*self.tables, *filter(None, self.provisional)):
            for field in tables:
                if not isinstance(field, int):
                    total += memoryview(field).nbytes
        return total

    @property
    def can_be_cut(self):
        """Whether there are places where a text may be cut."""
        return any(self.tables[0].cuts)


cdef int set_provisional(ProvisionalTables* p, tables) except -1:
    cdef const uint32_t[::1] table = tables.table
    cdef const uint32_t[::1] open_at = tables.open_at
    cdef const uint32_t[::1] open_rows = tables.open_rows
    cdef const uint32_t[::1] targets
    cdef const uint8_t[::1] saves = tables.saves
    cdef const uint8_t[::1] open_slots = tables.open_slots
    cdef const uint8_t[::1] newest = tables.newest
    cdef const uint8_t[::1] slots
    p.newest = &newest[0]
    p.table, p.saves = &table[0], &saves[0]
    p.width = tables.width
    p.first_ending, p.first_moving = tables.first_ending, tables.first_moving
    p.first_action = tables.first_action
    p.open_at, p.open_rows, p.open_slots = &open_at[0], &open_rows[0], &open_slots[0]
    if len(tables.slots):
        slots, targets = tables.slots, tables.targets
        p.slots, p.targets = &slots[0], &targets[0]
    return 0


cdef void find_inert(Level* level) noexcept:
    # The bytes that lead from the begin of a word to one state, and from there to itself, if a word
    # may end there: of such states the one of the most bytes.
    cdef int byte, n, n_most = 0
    cdef uint32_t state, most = 0, column
    memset(level.inert, 0, sizeof(level.inert))
    if level.look_rows != NULL or level.last_line >= 0:
        return
    for byte in range(level.n_single):
        state = level.table[level.code[byte]]
        n = 0
        for other in range(level.n_single):
            column = level.code[other]
            n += level.table[column] == state and level.table[state + column] == state
        if n > n_most and level.first_ending <= level.table[state + level.end] < level.first_back:
            n_most, most = n, state
    if n_most:
        for byte in range(level.n_single):
            column = level.code[byte]
            level.inert[byte] = level.table[column] == most and level.table[most + column] == most


cdef inline const uint8_t* character_before(const LevelScan* s, const uint8_t* at) noexcept nogil:
    at -= 1
    while s.level.n_single == 0x80 and at[0] & 0xC0 == 0x80:
        at -= 1
    return at


cdef inline int plain_code(const LevelScan* s, const uint8_t* at, int* length) noexcept nogil:
    # The code of the character at a place of the text.
    if s.level.last_line >= 0 and at[0] == c"\n" and at + 1 == s.end:
        length[0] = 1
        return s.level.last_line
    return code_at(s.level, at, length)


cdef inline int column_at(LevelScan* s, const uint8_t* at, int* length) noexcept nogil:
    # The column of what is at a place: a character, or the end of the text.
    cdef int code
    if at == s.end:
        length[0] = 0
        return s.level.end
    code = plain_code(s, at, length)
    if s.columns == NULL:
        return code
    if not s.columns[at - s.text]:
        look(s, at)
    return s.columns[at - s.text] - 1


cdef void look(LevelScan* s, const uint8_t* begin) noexcept nogil:
    # Find the columns of the character at `begin` and of those after it, up to one before which
    # all is the same whatever follows. They are read backwards from there. No place is looked at
    # more than twice: words begin ever further on. Where it was asked for a few bytes before, it
    # looks further at once.
    cdef const Level* level = s.level
    cdef const uint8_t* codes = level.code
    cdef const uint32_t* rows = level.look_rows - level.first_code
    cdef const uint8_t* look_columns = level.look_columns - level.first_code
    cdef uint8_t* columns = s.columns + (begin - s.text)
    cdef const uint8_t* at = begin
    cdef Py_ssize_t i
    cdef uint32_t state = 0
    cdef int length, code, single = level.n_single
    if s.looked != NULL and begin - s.looked < LOOK_SOON:
        at = begin + LOOK_BLOCK if s.end - begin > LOOK_BLOCK else s.end
        while single == 0x80 and at < s.end and at[0] & 0xC0 == 0x80:
            at += 1
    else:
        at += n_bytes_at(level, at)
    while at < s.end:
        code = plain_code(s, at, &length)
        if level.look_resets[code - level.first_code]:
            state = rows[code]
            break
        at += length
    s.looked = at
    i = at - begin
    if at == s.end:  # only there may be the last line feed
        i = character_before(s, at) - begin
        code = plain_code(s, begin + i, &length)
        columns[i] = look_columns[code] + 1
        state = rows[code]
    while i > 0:
        i -= 1
        if begin[i] < single:
            code = codes[begin[i]]
        else:
            i = character_before(s, begin + i + 1) - begin
            code = code_at(level, begin + i, &length)
        # The column first, so that the state waits for one load only.
        columns[i] = (look_columns + code)[state] + 1
        state = (rows + code)[state]


cdef int level_begin(
    LevelScan* s, const Level* level, const uint8_t* text, const uint8_t* end
) noexcept nogil:
    cdef int column, length
    free(s.columns)
    s.columns = NULL
    s.looked = NULL
    s.trail_begin = s.trail_end = text
    s.level = level
    s.text = s.at = s.word = text
    s.end = end
    if text == end:
        return 0
    if level.look_rows != NULL:
        s.columns = <uint8_t*> calloc(end - text + 1, 1)
        if s.columns == NULL:
            return -1
    column = column_at(s, text, &length)
    s.mark = level.table[column]
    s.state = s.mark if level.provisional.table == NULL else level.provisional.table[column]
    s.at += length
    return 0


# Text that is read in vain would be read again from each word on: a million spaces by `\\s*\\n|\\s`
# take a million times as long as one. So the states are kept that have led nowhere, one for some
# bytes; where a later reading comes to the same state, it leads nowhere, too. ("Maximal munch
# tokenization in linear time", Reps 1998, keeps all of them.)

cdef bint trail_start(LevelScan* s, const uint8_t* begin, const uint8_t* end) noexcept nogil:
    # Keep the states from here on. Without memory none is kept, which is only slower.
    free(s.failed)
    s.trail = s.trail_begin = s.trail_end = begin
    s.failed = <Failed*> calloc((end - begin) // TRAIL + 1, sizeof(Failed))
    return s.failed != NULL


cdef inline void trail_keep(LevelScan* s, const uint8_t* at, uint32_t row) noexcept nogil:
    # Requires: `at` grows from call to call.
    cdef Failed* failed = s.failed + (at - s.trail) // TRAIL
    if failed.at == NULL:
        failed.at, failed.row = at, row
    s.trail_end = at + 1


cdef inline bint has_failed(const LevelScan* s, const uint8_t* at, uint32_t row) noexcept nogil:
    cdef const Failed* failed
    if not s.trail_begin < at < s.trail_end:
        return False
    failed = s.failed + (at - s.trail) // TRAIL
    return failed.at == at and failed.row == row


cdef const uint8_t* search(
    LevelScan* s, const uint8_t* at, const uint8_t* last, uint32_t* state
) noexcept nogil:
    # The last place up to `last` where a word may end; the automaton has read up to `at`
    # and is in `state`; NULL if there is none. `state` becomes that of that place.
    cdef const Level* level = s.level
    cdef const uint8_t* found = NULL
    cdef uint32_t row = state[0]
    cdef int column, length
    # What a reading that stopped early has seen, the trail knows already.
    cdef bint keep = last - at >= LONG_SEARCH and trail_start(s, at, last)
    while True:
        column = column_at(s, at, &length)
        if level.ends[row + column]:
            found, state[0] = at, row
        elif keep:
            trail_keep(s, at, row)
        if at >= last:
            break
        row = level.table[row + column]
        at += length
    if keep and found != NULL:
        s.trail_begin = found
    return found


cdef bint may_match(LevelScan* s, const uint8_t* at, uint32_t row) noexcept nogil:
    # Tell whether a match ends anywhere; its first characters, up to `at`, have led to `row`.
    cdef const Level* level = s.level
    cdef const uint8_t* begin = at
    cdef uint32_t first = row
    cdef int column, length
    while True:
        column = column_at(s, at, &length)
        if level.ends[row + column]:
            return True
        if has_failed(s, at, row):
            return False
        row = level.table[row + column]
        if row >= level.first_ending:
            break
        at += length
    if at - begin >= LONG_SEARCH and trail_start(s, begin, at):
        search_in_vain(s, begin, at, first)
    return False


cdef void search_in_vain(
    LevelScan* s, const uint8_t* at, const uint8_t* last, uint32_t row
) noexcept nogil:
    # Keep the states from `at` to `last`, in none of which a match ends.
    cdef int length
    s.trail_begin = at - 1
    while at < last:
        trail_keep(s, at, row)
        row = s.level.table[row + column_at(s, at, &length)]
        at += length


cdef const uint8_t* next_failed(const LevelScan* s, const uint8_t* at) noexcept nogil:
    # The next place of the trail after `at`, or NULL.
    cdef Py_ssize_t i = (at - s.trail) // TRAIL + 1
    if s.trail + i * TRAIL >= s.trail_end:
        return NULL
    return s.failed[i].at


cdef inline bint is_too_late(const Level* level, uint32_t entry) noexcept nogil:
    # Whether an entry says that the word must have ended before.
    if entry < level.first_action:
        return entry >= level.first_back
    return level.actions[entry - level.first_action] in (BACK_END, SEARCH)


cdef Py_ssize_t characters_alone(
    const Level* level, const uint8_t** bounds, uint32_t* marks, Py_ssize_t n, const uint8_t* last,
    uint32_t* state, int column,
) noexcept nogil:
    # From bounds[n - 1] on the text up to `last`, in front of `column`, has led to `state`, and
    # the word must have ended before. The same is read in vain from each character that has ended
    # a word by then, as the letters by `\\w+@|\\w` do. If they lead from `state` to
    # itself, this finds these words and returns the number of bounds; `state` becomes that of the
    # last word at `last`. Otherwise n is returned, and the word is read again.
    # Called by pointer: inlined, it would take registers from the loop of `level_next`.
    cdef const uint32_t* table = level.table
    cdef const uint8_t* ends = level.ends
    cdef const uint8_t* at = bounds[n - 1]
    cdef uint32_t row = marks[n - 1], vain = state[0], again = 0, again_of = 0xFFFFFFFF, second
    cdef Py_ssize_t n_before = n
    cdef int code, code_after, length, length_after
    if ends[vain + column] or last - at > LEVEL_WORDS - 2 - n:
        return n_before
    if row >= level.first_back:
        row = level.back[row // level.width]
    code_at(level, at, &length)
    at += length
    if at == last:
        return n_before
    code = code_at(level, at, &length)
    while True:
        if row != again_of:
            if level.drops[row // level.width]:
                return n_before
            again_of, again = row, level.again[row // level.width]
        second = table[row + code]
        if second >= level.first_ending or not ends[row + code]:
            return n_before
        if at + length == last:
            break
        code_after = code_at(level, at + length, &length_after)
        if ends[second + code_after] or table[second + code_after] != vain:
            return n_before
        if ends[vain + code_after] or table[vain + code_after] != vain:
            return n_before
        row = table[again + code]
        bounds[n], marks[n] = at, row
        n += 1
        at += length
        code, length = code_after, length_after
    if not ends[second + column] and is_too_late(level, table[second + column]):
        second = table[again + code]
        bounds[n], marks[n] = at, second
        n += 1
    state[0] = second
    return n


cdef Py_ssize_t level_next(
    LevelScan* s, const uint8_t** bounds, const uint8_t** unmatched
) noexcept nogil:
    # As `chain_next`, of one level. Long, since the loop's state is in local variables, which a
    # call for each action would have to pass to and fro.
    cdef const Level* level = s.level
    cdef const uint8_t* codes = level.code
    cdef const uint32_t* table = level.table
    cdef const uint32_t* column_entries
    cdef uint32_t first_ending = level.first_ending, first_back = level.first_back
    cdef uint32_t first_action = level.first_action
    cdef const uint8_t* at = s.at
    cdef const uint8_t* end = s.end
    cdef const uint8_t* stop
    cdef const uint8_t* found
    cdef uint32_t[LEVEL_WORDS + 1] marks
    cdef uint32_t state = s.state, row, following
    cdef Py_ssize_t previous, n = 1
    cdef const uint8_t* next_known
    cdef int column, length, single = level.n_single
    cdef bint fails
    cdef Action action
    if level.provisional.table != NULL:
        return provisional_next(s, bounds, unmatched)
    if s.word == end:
        return 0
    bounds[0], marks[0] = s.word, s.mark
    while n <= LEVEL_WORDS - 64:
        # Up to `stop` nothing can run over: not the text, not the room for bounds.
        stop = at + (LEVEL_WORDS - 2 - n)
        if stop >= end:
            stop = end
            if level.last_line >= 0 and stop > at and (stop - 1)[0] == c"\n":
                stop -= 1
        next_known = NULL
        if at < s.trail_end:
            next_known = s.failed[0].at if at < s.trail else next_failed(s, at)
            if next_known != NULL and next_known < stop:
                stop = next_known
        previous = at - character_before(s, at)
        if s.columns == NULL or not s.columns[at - s.text]:
            while at < stop:
                # The column first, so that the state waits for one load only.
                if at[0] < single:
                    column_entries = table + codes[at[0]]
                    length = 1
                else:
                    column_entries = table + code_at(level, at, &length)
                following = column_entries[state]
                if following >= first_action:
                    break
                bounds[n] = at - (previous & -<Py_ssize_t>(following >= first_back))
                marks[n] = following
                n += following >= first_ending
                state = following
                at += length
                previous = length
        else:
            while at < stop:
                column = s.columns[at - s.text]
                if not column:
                    break
                length = n_bytes_at(level, at)
                following = (table + column - 1)[state]
                if following >= first_action:
                    break
                bounds[n] = at - (previous & -<Py_ssize_t>(following >= first_back))
                marks[n] = following
                n += following >= first_ending
                state = following
                at += length
                previous = length
        fails = next_known != NULL and at == next_known and has_failed(s, at, state)
        if at >= stop and at + 1 < end and stop != end and not fails:
            continue  # the room for bounds may be used up
        # An action, the last line feed or the end of the text.
        if at < end and s.columns != NULL and not s.columns[at - s.text]:
            column = plain_code(s, at, &length)
        else:
            column = column_at(s, at, &length)
        following = table[state + column]
        if fails:
            action = SEARCH
        elif following < first_action:
            bounds[n] = character_before(s, at) if following >= first_back else at
            marks[n] = following
            n += following >= first_ending
            if at == end:
                break
            state = following
            at += length
            continue
        else:
            action = <Action> level.actions[following - first_action]
            following = level.targets[following - first_action]
        if action == LOOK:
            look(s, at)
            continue
        if action == BACK_END:
            bounds[n], marks[n] = character_before(s, at), level.back[state // level.width]
            bounds[n + 1], marks[n + 1] = at, following
            n += 2
            if at == end:
                break
            state = following
            at += length
            continue
        if action == TRY_BACK:
            following = level.back[state // level.width]
            if not may_match(s, at, following):
                state = level.between[state // level.width]
                continue
            found = character_before(s, at)
            row = state
        elif action == TRY:
            found = at
            row = state
            column = column_at(s, at, &length)
            following = table[level.again[row // level.width] + column]
            if not may_match(s, at + length, following):
                state = level.between[following // level.width]
                at += length
                continue
        elif action == SEARCH:
            if level.alone != NULL and not fails:
                previous = n
                n = level.alone(level, bounds, marks, n, at, &state, column)
                if n > previous:
                    continue
            code_at(level, bounds[n - 1], &length)
            row = marks[n - 1]
            if row >= first_back:
                row = level.back[row // level.width]
            found = search(s, bounds[n - 1] + length, at, &row)
            if found == NULL:
                state = level.between[row // level.width]
                at = bounds[n - 1] + length
                continue
        else:  # DROP
            found = at
            row = state
        # A word ends at `found`, where `row` is the state, and another one begins.
        if found < end:
            column = column_at(s, found, &length)
            # The others say themselves what follows; not all rows have `again`.
            if action == TRY or action == SEARCH:
                following = table[level.again[row // level.width] + column]
        if level.drops[row // level.width]:
            if level.fails:
                unmatched[0] = bounds[n - 1]
                s.word = s.at = end
                return n - 1
            s.word, s.mark, s.state = found, following, following
            s.at = found + length if found < end else end
            if n > 1 or found == end:
                return n - 1
            n = 0
        bounds[n], marks[n] = found, following
        n += 1
        state = following
        at = found + length
    s.word, s.mark = bounds[n - 1], marks[n - 1]
    s.state, s.at = state, at
    return n - 1


# Words that stand until a longer match is found: `provisional.py` says how.

cdef bint may_end(LevelScan* s, const uint8_t* at, uint32_t row) noexcept nogil:
    # Tell whether the match that `row` reads ends anywhere from `at` on.
    cdef const ProvisionalTables* p = &s.level.provisional
    cdef const uint8_t* begin = at
    cdef uint32_t first = row, following
    cdef int length
    while not has_failed(s, at, row):
        following = p.table[row + column_at(s, at, &length)]
        if following >= p.first_action:
            break
        if following >= p.first_ending:
            return True
        row = following
        at += length
    if at - begin >= LONG_SEARCH and trail_start(s, begin, at):
        s.trail_begin = begin - 1
        row = first
        while begin < at:
            trail_keep(s, begin, row)
            row = p.table[row + column_at(s, begin, &length)]
            begin += length
    return False


cdef Py_ssize_t decide(
    LevelScan* s, const uint8_t* at, uint32_t* state, const Py_ssize_t* begun, Py_ssize_t n,
    bint fails,
) noexcept nogil:
    # Find out which of the matches that are being read wins, and return the number of bounds up to
    # the begin of its word. `state` becomes that of this match alone. Without `fails` the newest
    # word's does if no older one does; with it, 0 is returned if none ends.
    cdef const ProvisionalTables* p = &s.level.provisional
    cdef uint32_t number = state[0] // p.width
    cdef uint32_t i = p.open_at[number], last = p.open_at[number + 1]
    if not fails:
        last = i + p.newest[number]
    while i < last and not may_end(s, at, p.open_rows[i]):
        i += 1
    if fails and i == last:
        return 0
    state[0] = p.open_rows[i]
    return begun[p.open_slots[i]] + 1 if p.open_slots[i] < N_SLOTS else n


cdef Py_ssize_t provisional_next(
    LevelScan* s, const uint8_t** bounds, const uint8_t** unmatched
) noexcept nogil:
    # As `level_next`.
    cdef const Level* level = s.level
    cdef const ProvisionalTables* p = &level.provisional
    cdef const uint32_t* table = p.table
    cdef const uint8_t* saves = p.saves
    cdef uint32_t first_ending = p.first_ending, first_moving = p.first_moving
    cdef uint32_t first_action = p.first_action
    cdef const uint8_t* codes = level.code
    cdef const uint32_t* column_entries
    cdef const uint8_t* at = s.at
    cdef const uint8_t* end = s.end
    cdef const uint8_t* stop
    cdef uint32_t state = s.state, following
    cdef Py_ssize_t[N_SLOTS + 1] begun  # the number of each word whose match has ended and goes on
    cdef Py_ssize_t n = 1, moved, previous
    cdef int column, length, single = level.n_single
    if s.word == end:
        return 0
    bounds[0] = s.word
    begun[N_SLOTS] = 0
    while True:
        if n > LEVEL_WORDS - 64:
            n = decide(s, at, &state, begun, n, False)
            if n > 1:
                break
        # Up to `stop` nothing can run over: not the text, not the room for bounds.
        stop = at + (LEVEL_WORDS - 2 - n)
        if stop >= end:
            stop = end
            if level.last_line >= 0 and stop > at and (stop - 1)[0] == c"\n":
                stop -= 1
        following = 0
        if s.columns == NULL:
            while at < stop:
                if at[0] < single:
                    column_entries = table + codes[at[0]]
                    length = 1
                else:
                    column_entries = table + code_at(level, at, &length)
                following = column_entries[state]
                if following >= first_action:
                    break
                begun[saves[following]] = n - 1
                moved = following >= first_moving
                bounds[n - moved] = at
                n += (following >= first_ending) - moved
                state = following
                at += length
        else:
            while at < stop:
                if not s.columns[at - s.text]:
                    look(s, at)
                length = n_bytes_at(level, at)
                following = (table + s.columns[at - s.text] - 1)[state]
                if following >= first_action:
                    break
                begun[saves[following]] = n - 1
                moved = following >= first_moving
                bounds[n - moved] = at
                n += (following >= first_ending) - moved
                state = following
                at += length
        if following < first_action and stop + 1 < end:
            continue  # the room for bounds may be used up
        # Words are given back, or it is the last line feed or the end of the text.
        column = column_at(s, at, &length)
        following = table[state + column]
        if following >= first_action:
            following -= first_action
            if p.slots[following] == N_SLOTS:
                # The newest word is not matched, unless an older match ends.
                previous = n
                n = decide(s, at, &state, begun, n, True)
                if n:
                    continue
                unmatched[0] = bounds[previous - 1]
                s.word = s.at = end
                return previous - 1
            n = begun[p.slots[following]] + 1
            following = p.targets[following]
            bounds[n] = at
            n += 1
        else:
            begun[saves[following]] = n - 1
            moved = following >= first_moving
            bounds[n - moved] = at
            n += (following >= first_ending) - moved
        if at == end:
            s.word = s.at = end
            return n - 1
        state = following
        at += length
    s.word, s.state, s.at = bounds[n - 1], state, at
    return n - 1


cdef int chain_begin(
    ChainScan* s, CompiledPattern pattern, const uint8_t* text, Py_ssize_t n
) noexcept nogil:
    cdef int i
    s.n_levels = pattern.n_levels
    s.spaced_level = pattern.spaced_level
    s.spaced, s.spaced_room = NULL, 0
    s.unmatched = NULL
    s.no_memory = False
    for i in range(s.n_levels):
        s.scans[i].columns = NULL
        s.scans[i].failed = NULL
        s.scans[i].level = &pattern.levels[i]
        s.scans[i].word = s.scans[i].end = text
    for i in range(s.n_levels - 1):
        s.next_word[i] = s.n_words[i] = 0
    return level_begin(&s.scans[0], &pattern.levels[0], text, text + n)


cdef Py_ssize_t next_words(ChainScan* s, int level, const uint8_t** bounds) noexcept nogil:
    # Words of one level, as the next one takes them.
    cdef Py_ssize_t n = split_next(s, level, bounds)
    if level == s.spaced_level and n > 0:
        return put_spaces(s, bounds, n)
    return n


cdef Py_ssize_t put_spaces(ChainScan* s, const uint8_t** bounds, Py_ssize_t n) noexcept nogil:
    # Copy n words, each with a space before it unless it begins with one; return n, and 0 without
    # memory. The words before are not needed any more: those of the next level are split by now.
    cdef Py_ssize_t i, length, room = bounds[n] - bounds[0] + n + PADDING
    cdef uint8_t* to
    cdef const uint8_t* word = bounds[0]
    if room > s.spaced_room:
        free(s.spaced)
        s.spaced_room = 2 * room
        s.spaced = <uint8_t*> malloc(s.spaced_room)
        if s.spaced == NULL:
            s.no_memory = True
            return 0
    to = s.spaced
    bounds[0] = to
    for i in range(n):
        length = bounds[i + 1] - word
        if word[0] != SPACE:
            to[0] = SPACE
            to += 1
        memcpy(to, word, length)
        to += length
        word, bounds[i + 1] = bounds[i + 1], to
    memset(to, 0, PADDING)
    return n


cdef Py_ssize_t split_next(ChainScan* s, int level, const uint8_t** bounds) noexcept nogil:
    # Words of one level, as it leaves them.
    cdef LevelScan* scan = &s.scans[level]
    cdef Py_ssize_t n
    cdef const uint8_t** words
    if level == 0:
        return level_next(scan, bounds, &s.unmatched)
    words = s.words[level - 1]
    while True:
        n = level_next(scan, bounds, &s.unmatched)
        if n > 0:
            return n
        if s.next_word[level - 1] == s.n_words[level - 1]:
            s.n_words[level - 1] = next_words(s, level - 1, words)
            s.next_word[level - 1] = 0
            if s.n_words[level - 1] == 0:
                return 0
        n = split_plain(
            scan.level, words + s.n_words[level - 1], words + s.next_word[level - 1],
            &s.next_word[level - 1], bounds,
        )
        if n > 0:
            return n
        n = s.next_word[level - 1]
        s.next_word[level - 1] += 1
        if level_begin(scan, scan.level, words[n], words[n + 1]) < 0:
            s.no_memory = True
            return 0


cdef Py_ssize_t split_plain(
    const Level* level, const uint8_t** last, const uint8_t** word, Py_ssize_t* n_done,
    const uint8_t** bounds,
) noexcept nogil:
    # Split words of the level before as long as no action is met, and count those that are done. A
    # text of its own for each word would take several times as long as most words do. Long, as
    # `level_next` is.
    cdef const uint32_t* table = level.table
    cdef const uint8_t* at
    cdef const uint8_t* inert_end
    cdef uint32_t state, first_ending = level.first_ending, first_back = level.first_back
    cdef Py_ssize_t n = 0, n_before
    cdef int length
    if level.look_rows != NULL or level.last_line >= 0:
        return 0
    bounds[0] = word[0]
    while word < last:
        inert_end = word[0]
        while inert_end < last[0] and level.inert[inert_end[0]]:
            inert_end += 1
        while word < last and word[1] <= inert_end and n < LEVEL_WORDS - 2:
            word += 1
            n += 1
            bounds[n] = word[0]
            n_done[0] += 1
        if word == last or word[1] - word[0] >= LEVEL_WORDS - 2 - n:
            break
        n_before = n
        at = word[0]
        state = table[code_at(level, at, &length)]
        at += length
        while at < word[1]:
            state = (table + code_at(level, at, &length))[state]
            if state >= first_back:
                return n_before
            bounds[n + 1] = at
            n += state >= first_ending
            at += length
        state = table[state + level.end]
        if not first_ending <= state < first_back:
            return n_before
        n += 1
        bounds[n] = at
        n_done[0] += 1
        word += 1
    return n


cdef Py_ssize_t chain_next(ChainScan* s, const uint8_t** bounds) noexcept nogil:
    return next_words(s, s.n_levels - 1, bounds)


cdef void chain_end(ChainScan* s) noexcept nogil:
    cdef int i
    for i in range(s.n_levels):
        free(s.scans[i].columns)
        free(s.scans[i].failed)
        s.scans[i].columns = NULL
    free(s.spaced)
    s.spaced = NULL
