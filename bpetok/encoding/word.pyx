"""One word to ids: what its merges leave, smallest id first and among equals leftmost first.

For all but a few long words no merge is made. A list of tokens is what merging leaves of its bytes
if and only if the same holds for each two neighbours in it, and any bytes have one such list
(README of the Rust crate `bpe`, "Novel algorithm"). It is searched for from the left. The longest
token that can follow the one before is tried first, then the next shorter one, and so on. If none
can, the search goes back by one token and tries a shorter one there. A place where no token could
go on leads nowhere, whatever is before it, so it is marked as given up and never tried again.

A long word is first cut wherever two bytes meet that are neighbours in no token: no token reaches
across such a place.
"""

from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, malloc

from bpetok.base.built_from cimport check_sources
from bpetok.base.simd cimport table_alloc, table_free
from bpetok.encoding.long_word cimport Lists, merge_long
from bpetok.encoding.ranks cimport N_BYTES, NONE, Pair, Ranks, merged, ranks_free, ranks_init
from bpetok.encoding.run_word cimport merge_runs
from bpetok.encoding.trie cimport (
    Draft, draft_child, draft_free, draft_init, longest_match, trie_free, trie_init
)

check_sources(__name__)

cdef enum:
    PLACES = 256             # no token of more bytes is searched for
    GIVEN_UP = -2

# The search is linear, but in a run of one letter that has a token for every length it takes
# microseconds a byte. So a long word is merged if more than two tokens a byte were tried.
cdef Py_ssize_t FREE_TRIES = 1024


cdef inline bint stays_apart(
    const Vocabulary* vocabulary, int32_t left, int32_t right, int32_t limit, uint8_t last,
    uint8_t first
) noexcept nogil:
    # Whether two tokens that meet stay what they are, as far as merges before `limit` go. The left
    # one ends with the byte `last`, the right one begins with `first`. It goes back in time: the
    # token made last (of two that are equal the right one, as merging goes from the left) is
    # replaced by that part of it that touches the other token. These two must not have merged
    # before that. With the merges 256 = `ab` and 257 = `bc`:
    #   `ab`, `c`:  256 is undone, which leaves `b`, `c`; they merge to 257, that is later: True.
    #   `a`, `bc`:  257 is undone, which leaves `a`, `b`; they merge to 256, that is earlier: False.
    # It ends early where `before` and `after` tell that no merge crosses: of six pairs in ten at
    # once.
    cdef const Ranks* ranks = &vocabulary.ranks
    cdef const Token* tokens = vocabulary.tokens
    while tokens[left].after >> (first & 63) & tokens[right].before >> (last & 63) & 1:
        if merged(ranks, left, right) < limit:
            return False
        if left < N_BYTES and right < N_BYTES:
            return True
        if left > right:
            limit, left = left, tokens[left].parts.right
        else:
            limit, right = right + 1, tokens[right].parts.left
    return True


cdef int32_t node_of_pair(
    Draft* draft, const int32_t* nodes, Pair pair
) noexcept nogil:
    # The node of what left and right spell. The bytes of the right token are collected from its
    # node up to the root, the last one first; then they lead down from the node of the left token.
    cdef uint8_t room[PLACES]
    cdef int32_t node = nodes[pair.right]
    cdef Py_ssize_t n = 0
    while node:
        room[n] = <uint8_t>draft.nodes[node].byte
        n += 1
        node = draft.nodes[node].parent
    node = nodes[pair.left]
    while n and node >= 0:
        n -= 1
        node = draft_child(draft, node, room[n])
    return node


cdef struct Ends:
    # The bytes at both ends of a token.
    uint8_t first
    uint8_t last


cdef inline void add_sides(
    Vocabulary* vocabulary, int32_t new_id, Pair pair, uint8_t last, uint8_t first
) noexcept nogil:
    # Fill `before` and `after` of a token from its parts, as they are now: what merges with them
    # later comes too late to cut the new token. Only a pair of equals is cut by its own merge: `aa`
    # after an `a`.
    cdef Token* tokens = vocabulary.tokens
    tokens[pair.left].after |= <uint64_t>1 << (first & 63)
    tokens[pair.right].before |= <uint64_t>1 << (last & 63)
    tokens[new_id].after = tokens[pair.right].after
    tokens[new_id].before = tokens[pair.left].before
    vocabulary.seams[first << 2 | last >> 6] |= <uint64_t>1 << (last & 63)


cdef int add_tokens(
    Vocabulary* vocabulary, Draft* draft, int32_t* nodes, Ends* ends
) noexcept nogil:
    # Fill `tokens` but `shorter`, `seams`, the draft and nodes[id]: 0 for a token that is not what
    # merging makes of its own bytes, or that is longer than what is searched.
    cdef const Ranks* ranks = &vocabulary.ranks
    cdef Token* tokens = vocabulary.tokens
    cdef int32_t i
    cdef uint8_t last, first
    cdef Pair pair
    vocabulary.longest = 1
    for i in range(N_BYTES):
        ends[i] = Ends(<uint8_t>i, <uint8_t>i)
        tokens[i] = Token(0, 0, ranks.pairs[i], 1, -1)
        nodes[i] = draft_child(draft, 0, <uint8_t>i)
        if nodes[i] < 0:
            return -1
        draft.nodes[nodes[i]].token = i
    for i in range(N_BYTES, <int32_t>ranks.n_ids):
        pair = ranks.pairs[i]
        last, first = ends[pair.left].last, ends[pair.right].first
        ends[i] = Ends(ends[pair.left].first, ends[pair.right].last)
        tokens[i].parts = pair
        tokens[i].length = tokens[pair.left].length + tokens[pair.right].length
        vocabulary.longest = max(vocabulary.longest, tokens[i].length)
        nodes[i] = 0
        if nodes[pair.left] and nodes[pair.right] and tokens[i].length < PLACES:
            if stays_apart(vocabulary, pair.left, pair.right, i, last, first):
                nodes[i] = node_of_pair(draft, nodes, pair)
        if nodes[i] < 0:
            return -1
        if nodes[i]:
            draft.nodes[nodes[i]].token = i
        add_sides(vocabulary, i, pair, last, first)
    return 0


cdef void find_shorter(
    Vocabulary* vocabulary, const Draft* draft, const int32_t* nodes
) noexcept nogil:
    # Fill `shorter`.
    cdef Py_ssize_t i
    cdef int32_t node
    for i in range(vocabulary.ranks.n_ids):
        node = draft.nodes[nodes[i]].parent
        while node and draft.nodes[node].token < 0:
            node = draft.nodes[node].parent
        vocabulary.tokens[i].shorter = draft.nodes[node].token


cdef int vocabulary_init(
    Vocabulary* vocabulary, const int32_t* pairs, Py_ssize_t n_merges, uint64_t seed
) noexcept nogil:
    cdef Draft draft
    cdef int32_t* nodes = <int32_t*> malloc((N_BYTES + n_merges) * sizeof(int32_t))
    cdef Ends* ends = <Ends*> malloc((N_BYTES + n_merges) * sizeof(Ends))
    cdef int failure = draft_init(&draft)
    vocabulary.room = ((N_BYTES + n_merges) * sizeof(Token) + 4095) & ~<size_t>4095
    vocabulary.tokens = <Token*> table_alloc(vocabulary.room)
    if nodes == NULL or ends == NULL or vocabulary.tokens == NULL:
        failure = -1
    if failure == 0:
        failure = ranks_init(&vocabulary.ranks, pairs, n_merges, N_BYTES, seed)
    if failure == 0:
        failure = add_tokens(vocabulary, &draft, nodes, ends)
    if failure == 0:
        find_shorter(vocabulary, &draft, nodes)
        failure = trie_init(&vocabulary.trie, &draft)
    draft_free(&draft)
    free(nodes)
    free(ends)
    return failure


cdef void vocabulary_free(Vocabulary* vocabulary) noexcept nogil:
    ranks_free(&vocabulary.ranks)
    trie_free(&vocabulary.trie)
    table_free(vocabulary.tokens, vocabulary.room)


cdef Py_ssize_t search(
    const Vocabulary* vocabulary, const uint8_t* word, Py_ssize_t n, int32_t* ids,
    uint64_t* given_up
) noexcept nogil:
    # Write the ids of the word to `ids`, return their number; GIVEN_UP if the word is long and
    # searching takes too long. Requires: 0 < n, room for n ids; given_up has a bit for each of the
    # places 0 to n, all 0. The bits of places that lead nowhere are set.
    cdef Py_ssize_t at = 0, end, length = 0, n_ids = 0, n_tries = -FREE_TRIES
    cdef int32_t token = longest_match(&vocabulary.trie, word, n, &length)
    while True:
        end = at + length
        if not given_up[end >> 6] >> (end & 63) & 1 and (
            n_ids == 0
            or stays_apart(vocabulary, ids[n_ids - 1], token, NONE, word[at - 1], word[at])
        ):
            ids[n_ids] = token
            n_ids += 1
            if end == n:
                return n_ids
            at = end
            token = longest_match(&vocabulary.trie, word + at, n - at, &length)
            continue
        n_tries += 1
        if n_tries > 2 * at and n >= PLACES:
            return GIVEN_UP
        token = vocabulary.tokens[token].shorter
        if token < 0:
            given_up[at >> 6] |= <uint64_t>1 << (at & 63)
            n_ids -= 1
            token = ids[n_ids]
            at -= vocabulary.tokens[token].length
        length = vocabulary.tokens[token].length


cdef Py_ssize_t search_long(
    const Vocabulary* vocabulary, const uint8_t* word, Py_ssize_t n, int32_t* ids
) noexcept nogil:
    # As `search`, for a word of any length.
    cdef Py_ssize_t n_ids
    cdef uint64_t* given_up = <uint64_t*> calloc((n >> 6) + 1, sizeof(uint64_t))
    if given_up == NULL:
        return GIVEN_UP
    n_ids = search(vocabulary, word, n, ids, given_up)
    free(given_up)
    return n_ids


cdef Py_ssize_t encode_piece(
    const Vocabulary* vocabulary, Lists lists, const uint8_t* word, Py_ssize_t n, int32_t* ids
) noexcept nogil:
    cdef uint64_t given_up[PLACES >> 6]
    cdef Py_ssize_t i, n_ids = GIVEN_UP
    if n < PLACES:
        for i in range((n >> 6) + 1):
            given_up[i] = 0
        return search(vocabulary, word, n, ids, given_up)
    n_ids = merge_runs(&vocabulary.ranks, word, n, ids)
    if n_ids < 0 and vocabulary.longest < PLACES:
        n_ids = search_long(vocabulary, word, n, ids)
    if n_ids >= 0:
        return n_ids
    for i in range(n):
        ids[i] = word[i]
    return merge_long(&vocabulary.ranks, lists, ids, n)


cdef Py_ssize_t encode_word(
    const Vocabulary* vocabulary, Lists lists, const uint8_t* word, Py_ssize_t n, int32_t* ids
) noexcept nogil:
    cdef Py_ssize_t begin = 0, end = 1, found, n_ids = 0
    if n < PLACES:
        return encode_piece(vocabulary, lists, word, n, ids)
    while begin < n:
        while end < n and is_seam(vocabulary, word[end - 1], word[end]):
            end += 1
        found = encode_piece(vocabulary, lists, word + begin, end - begin, ids + n_ids)
        if found < 0:
            return found
        n_ids += found
        begin = end
        end += 1
    return n_ids
