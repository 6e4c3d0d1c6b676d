"""Words that are lines: early merges in parts of a line, then late merges of their ids.

Merges are made smallest id first. So the early ones, those below any one id, are all made before
the late ones, and what they make of a word depends on them only. No early token reaches over a
place where two bytes meet that are neighbours in none of them: a word can be cut there into parts,
and each part is merged alone. Where a tokenizer has superwords, the first late merge is about the
first one across a space. Then parts are about the words that other tokenizers have, and come again
as often, so that a cache can keep them.

What the late merges do is told apart in the same way: two early ids that meet in no late token stay
apart, whatever is around. Four in five ids stay alone, and of the runs of others most have two.
"""

from libc.stdint cimport int32_t, uint8_t, uint16_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memmove

from bpetok.base.built_from cimport check_sources
from bpetok.base.simd cimport load16, lowest_bit, table_alloc, table_free
from bpetok.encoding.long_word cimport Lists, merge_long
from bpetok.encoding.ranks cimport N_BYTES, NONE, Ranks, merged, ranks_free, ranks_init
from bpetok.encoding.word cimport Vocabulary

check_sources(__name__)

cdef enum:
    SPACE = 0x20
    BLOCK = 64               # bytes
    IDS = 62                 # looked at together
    # The first token across a space is not the first one across any place between words: others
    # come a little earlier, as that of a semicolon and a line feed.
    EARLIER = 32             # the first late id is this part smaller than that of the first token
    JOIN_BITS = 16           # for each late merge
    MOST_LATE = 20           # late merges for each early one: with more it takes longer, not less


cdef struct Ends:
    # What a token begins with and ends with: bytes or early ids.
    int32_t first
    int32_t last


# ---- which merges are late ----------------------------------------------------------------------

cdef inline bint is_letter(int32_t byte) noexcept nogil:
    return c"a" <= (byte | 0x20) <= c"z"


cdef int32_t first_across(
    const Ends* ends, const int32_t* pairs, Py_ssize_t n_merges
) noexcept nogil:
    # The first token that has an ASCII letter and then a space; or first the space, as where spaces
    # end a word, if that comes later. NONE if one of both never comes.
    cdef int32_t letter_space = NONE, space_letter = NONE
    cdef int32_t left, right
    cdef Py_ssize_t i
    for i in range(n_merges - 1, -1, -1):
        left, right = ends[pairs[2 * i]].last, ends[pairs[2 * i + 1]].first
        if right == SPACE and is_letter(left):
            letter_space = <int32_t>(N_BYTES + i)
        if left == SPACE and is_letter(right):
            space_letter = <int32_t>(N_BYTES + i)
    return max(letter_space, space_letter)


cdef int fill_joins(LateMerges* late, Ends* ends) noexcept nogil:
    cdef Py_ssize_t n_bits = 1 << 12
    cdef int32_t i, left, right
    cdef uint64_t hashed
    late.shift = 64 - 12
    while n_bits < JOIN_BITS * (late.ranks.n_ids - late.first):
        n_bits *= 2
        late.shift -= 1
    late.joins = <uint64_t*> table_alloc(n_bits // 8)
    if late.joins == NULL:
        return -1
    for i in range(late.first):
        ends[i] = Ends(i, i)
    for i in range(late.first, <int32_t>late.ranks.n_ids):
        left, right = late.ranks.pairs[i].left, late.ranks.pairs[i].right
        hashed = hash_pair(late, ends[left].last, ends[right].first)
        late.joins[hashed >> 6] |= <uint64_t>1 << (hashed & 63)
        ends[i] = Ends(ends[left].first, ends[right].last)
    return 0


cdef int late_init(
    LateMerges* late, const int32_t* pairs, Py_ssize_t n_merges, uint64_t seed
) noexcept nogil:
    cdef Ends* ends = <Ends*> malloc((N_BYTES + n_merges) * sizeof(Ends))
    cdef int32_t i, first
    cdef int failure = 0
    if ends == NULL:
        return -1
    for i in range(N_BYTES):
        ends[i] = Ends(i, i)
    for i in range(<int32_t>n_merges):
        ends[N_BYTES + i] = Ends(ends[pairs[2 * i]].first, ends[pairs[2 * i + 1]].last)
    first = first_across(ends, pairs, n_merges)
    first -= first // EARLIER
    if N_BYTES < first < N_BYTES + n_merges <= first + MOST_LATE * (first - N_BYTES):
        late.first = first
        pairs += 2 * (first - N_BYTES)
        failure = ranks_init(&late.ranks, pairs, N_BYTES + n_merges - first, first, seed)
        if failure == 0:
            failure = fill_joins(late, ends)
    free(ends)
    return failure


cdef void late_free(LateMerges* late) noexcept nogil:
    if late.joins != NULL:  # otherwise `shift` may not be known yet
        table_free(late.joins, (<size_t>1 << (64 - late.shift)) // 8)
    ranks_free(&late.ranks)


# ---- words to parts -----------------------------------------------------------------------------

cdef void parts_begin(Parts* parts, const uint8_t** bounds, Py_ssize_t k) noexcept nogil:
    parts.at = parts.part = bounds[0]
    parts.end = bounds[k]
    parts.word = bounds + 1
    parts.mark = BEGINS_WORD


cdef inline uint64_t find_cuts(
    const Vocabulary* early, const uint8_t* at, Py_ssize_t n
) noexcept nogil:
    # Bit i is set where no early token reaches from at[i - 1] to at[i]. Requires: 0 < n <= BLOCK.
    cdef Py_ssize_t i
    cdef uint16_t seam
    cdef uint64_t reached = 0
    for i in range(n):
        # Not a sum of bits at their places: a compiler would take that for what vectors do well.
        seam = load16(at + i - 1)  # as `is_seam`, which takes two loads
        reached = reached >> 1 | early.seams[seam >> 6] >> (seam & 63) << 63
    return ~reached >> (BLOCK - n)


cdef Py_ssize_t parts_next(
    Parts* parts, const Vocabulary* early, const uint8_t** bounds, int32_t* marks
) noexcept nogil:
    cdef const uint8_t* at = parts.at
    cdef uint64_t cuts, begins
    cdef Py_ssize_t i, n = 0, size
    if parts.part == parts.end:
        return 0
    bounds[0], marks[0] = parts.part, parts.mark
    if at == parts.part:
        at += 1  # nothing is before the first byte
    while at < parts.end and n < MOST_PARTS - BLOCK:
        size = min(parts.end - at, <Py_ssize_t>BLOCK)
        cuts, begins = find_cuts(early, at, size), 0
        while parts.word[0] < at + size:
            begins |= <uint64_t>1 << (parts.word[0] - at)
            parts.word += 1
        cuts |= begins
        while cuts:
            i = lowest_bit(cuts)
            cuts &= cuts - 1
            n += 1
            bounds[n] = at + i
            marks[n] = <int32_t>(begins >> i & 1) * BEGINS_WORD
        at += size
    parts.at = at
    if at == parts.end:
        n += 1
        bounds[n] = at
    parts.part, parts.mark = bounds[n], marks[n]
    return n


# ---- late merges --------------------------------------------------------------------------------

cdef inline uint64_t hash_pair(const LateMerges* late, int32_t left, int32_t right) noexcept nogil:
    cdef uint64_t pair = <uint64_t>left << 32 | <uint64_t>right
    return pair * late.ranks.multiplier >> late.shift


cdef inline uint64_t may_join(const LateMerges* late, int32_t left, int32_t right) noexcept nogil:
    # 1 if a late token may reach over the place where two ids meet; `left` may have BEGINS_WORD.
    cdef uint64_t hashed = hash_pair(late, left & ~<int32_t>BEGINS_WORD, right)
    return late.joins[hashed >> 6] >> (hashed & 63) & 1 & (right < BEGINS_WORD)


cdef Py_ssize_t merge_run(const Ranks* ranks, int32_t* ids, Py_ssize_t n) noexcept nogil:
    # Merge ids[:n] in place; return how many are left. Requires: 1 < n <= IDS.
    cdef int32_t[IDS] made       # [i]: what ids[i] and the next one merge to
    cdef Py_ssize_t i, at
    cdef int32_t least
    for i in range(n - 1):
        made[i] = merged(ranks, ids[i], ids[i + 1])
    while True:
        least, at = NONE, 0
        for i in range(n - 1):
            if made[i] < least:
                least, at = made[i], i
        if least == NONE:
            return n
        n -= 1
        ids[at] = least
        memmove(&ids[at + 1], &ids[at + 2], (n - at - 1) * sizeof(int32_t))
        memmove(&made[at], &made[at + 1], (n - at - 1) * sizeof(int32_t))
        if at > 0:
            made[at - 1] = merged(ranks, ids[at - 1], least)
        if at + 1 < n:
            made[at] = merged(ranks, least, ids[at + 1])


cdef inline Py_ssize_t merge_two(const Ranks* ranks, int32_t* ids) noexcept nogil:
    # As `merge_run`, of the two ids that most runs have.
    cdef int32_t token = merged(ranks, ids[0], ids[1])
    ids[0] = ids[0] if token == NONE else token
    return 1 + (token == NONE)


cdef inline Py_ssize_t merge_three(const Ranks* ranks, int32_t* ids) noexcept nogil:
    # The same of three.
    cdef int32_t first = merged(ranks, ids[0], ids[1])
    cdef int32_t second = merged(ranks, ids[1], ids[2])
    if first == NONE and second == NONE:
        return 3
    if first <= second:
        ids[0], ids[1] = first, ids[2]
    else:
        ids[1] = second
    return merge_two(ranks, ids)


cdef inline uint64_t find_joins(
    const LateMerges* late, const int32_t* ids, Py_ssize_t n
) noexcept nogil:
    # Bit i is set where a late token may reach from ids[i - 1] to ids[i]. Requires: n <= IDS.
    cdef Py_ssize_t i
    cdef uint64_t joins = 0
    for i in range(1, n):
        # No sum of bits at their places: a compiler would take that for what vectors do well.
        joins = joins >> 1 | may_join(late, ids[i - 1], ids[i]) << 63
    return joins >> (64 - n)


cdef int32_t* long_run(
    const LateMerges* late, Lists lists, const int32_t** block, const int32_t* end, int32_t* out
) noexcept nogil:
    # Merge the run at `block`, which is moved after it, to `out`; return the place after that.
    cdef Py_ssize_t n = 1
    out[0] = block[0][0] & ~<int32_t>BEGINS_WORD
    while block[0] + n < end and may_join(late, block[0][n - 1], block[0][n]):
        out[n] = block[0][n]
        n += 1
    block[0] += n
    n = merge_long(&late.ranks, lists, out, n) if n > 1 else 1
    return NULL if n < 0 else out + n


cdef Py_ssize_t merge_late(
    const LateMerges* late, Lists lists, int32_t* ids, Py_ssize_t n
) noexcept nogil:
    # Block by block, each of whole runs: they are merged in place, then what is left is moved to
    # the front.
    cdef int32_t* block = ids
    cdef int32_t* end = ids + n
    cdef int32_t* out = ids
    cdef Py_ssize_t i, size, length, left
    cdef uint64_t joins, gone
    while block < end:
        size = min(end - block, <Py_ssize_t>IDS)
        joins, gone = find_joins(late, block, size), 0
        if block + size < end:
            # The last run may go on: it belongs to the next block.
            size -= 1
            while joins >> size & 1:
                joins ^= <uint64_t>1 << size
                size -= 1
        if size == 0:
            out = long_run(late, lists, <const int32_t**>&block, end, out)
            if out == NULL:
                return -1
            continue
        for i in range(size):
            block[i] &= ~<int32_t>BEGINS_WORD
        while joins:
            i = lowest_bit(joins)
            length = lowest_bit(~(joins >> i))
            joins &= joins + (<uint64_t>1 << i)
            if length == 1:
                left = merge_two(&late.ranks, block + i - 1)
            elif length == 2:
                left = merge_three(&late.ranks, block + i - 1)
            else:
                left = merge_run(&late.ranks, block + i - 1, length + 1)
            gone |= ((<uint64_t>1 << (length + 1 - left)) - 1) << (i - 1 + left)
        for i in range(size):
            out[0] = block[i]
            out += not gone >> i & 1
        block += size
    return out - ids
