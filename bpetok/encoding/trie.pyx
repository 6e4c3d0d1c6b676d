"""The longest token that some bytes begin with: a trie, laid out as a double array (J. Aoe, "An
efficient digital search algorithm by using a double-array structure", 1989).
"""

from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset

from bpetok.base.built_from cimport check_sources
from bpetok.base.simd cimport table_alloc, table_free
from bpetok.encoding.ranks cimport N_BYTES

check_sources(__name__)

cdef enum:
    # Slots 0 to 255 are for the root's children. Nodes without children have the base NO_CHILDREN,
    # whose 256 slots stay empty.
    NO_CHILDREN = N_BYTES
    FIRST_FREE = 2 * N_BYTES
    MOST_TRIES = 64          # places looked at for a node's children, each time
    MOST_SLOTS = 1 << 26     # half a gigabyte; a base has 28 bits


# ---- a trie that grows --------------------------------------------------------------------------

cdef int32_t add_node(Draft* draft, int32_t parent, int32_t byte) noexcept nogil:
    cdef int32_t node = <int32_t>draft.n
    cdef Py_ssize_t room = 2 * draft.room + 4096
    cdef Node* grown
    if draft.n >= MOST_SLOTS:
        return -1
    if draft.n == draft.room:
        grown = <Node*> realloc(draft.nodes, room * sizeof(Node))
        if grown == NULL:
            return -1
        draft.nodes, draft.room = grown, room
    draft.nodes[node].child = draft.nodes[node].sibling = 0
    draft.nodes[node].parent, draft.nodes[node].token = parent, -1
    draft.nodes[node].byte = byte
    draft.n += 1
    return node


cdef int draft_init(Draft* draft) noexcept nogil:
    memset(draft, 0, sizeof(Draft))
    return 0 if add_node(draft, 0, 0) == 0 else -1


cdef void draft_free(Draft* draft) noexcept nogil:
    free(draft.nodes)


cdef int32_t draft_child(Draft* draft, int32_t node, uint8_t byte) noexcept nogil:
    cdef int32_t child = draft.nodes[node].child
    while child and draft.nodes[child].byte != byte:
        child = draft.nodes[child].sibling
    if child:
        return child
    child = add_node(draft, node, byte)
    if child > 0:
        draft.nodes[child].sibling = draft.nodes[node].child
        draft.nodes[node].child = child
    return child


# ---- its layout ---------------------------------------------------------------------------------

cdef struct Layout:
    const Node* nodes
    uint64_t* slots
    uint8_t* is_base         # [base]: some node has it
    Py_ssize_t room          # of both
    Py_ssize_t end           # of the slots in use
    Py_ssize_t first_free    # about: where a search for free slots begins


cdef int layout_reserve(Layout* layout, Py_ssize_t n) noexcept nogil:
    # Make room for n slots, empty at first.
    cdef Py_ssize_t room = 2 * n
    cdef uint64_t* slots
    cdef uint8_t* is_base
    if n <= layout.room:
        return 0
    if n > MOST_SLOTS:
        return -1
    slots = <uint64_t*> realloc(layout.slots, room * sizeof(uint64_t))
    if slots != NULL:
        layout.slots = slots
    is_base = <uint8_t*> realloc(layout.is_base, room)
    if is_base != NULL:
        layout.is_base = is_base
    if slots == NULL or is_base == NULL:
        return -1
    memset(slots + layout.room, 0, (room - layout.room) * sizeof(uint64_t))
    memset(is_base + layout.room, 0, room - layout.room)
    layout.room = room
    return 0


cdef Py_ssize_t base_from(Layout* layout, int32_t first, Py_ssize_t at) noexcept nogil:
    # A base with free slots for the child `first` and its siblings, which puts that child into one
    # of the MOST_TRIES slots from `at` on; -1 if there is none.
    cdef Py_ssize_t base, last = min(at + MOST_TRIES, layout.end)
    cdef int32_t child
    cdef bint taken
    while at < last:
        base = at - layout.nodes[first].byte
        child = first if base >= FIRST_FREE and not layout.is_base[base] else -1
        while child > 0:
            taken = layout.slots[base + layout.nodes[child].byte] != 0
            child = -1 if taken else layout.nodes[child].sibling
        if child == 0:
            return base
        at += 1
    return -1


cdef Py_ssize_t find_base(Layout* layout, int32_t first, Py_ssize_t parent) noexcept nogil:
    # A base for the child `first` and its siblings: near the slot of their parent, since they are
    # looked at after it; otherwise where there may be room, or after all others.
    cdef Py_ssize_t base
    base = base_from(layout, first, max(parent & ~<Py_ssize_t>7, FIRST_FREE))
    if base < 0:
        base = base_from(layout, first, layout.first_free)
    if base < 0:
        layout.first_free = min(layout.first_free + MOST_TRIES, layout.end)
        base = layout.end
    return base


cdef int lay_out(Layout* layout, int32_t* stack, Py_ssize_t* slot_of) noexcept nogil:
    # Put all nodes into slots, each after its parent.
    cdef Py_ssize_t n = 1, base
    cdef int32_t node, child
    stack[0] = 0
    while n:
        n -= 1
        node = stack[n]
        child = layout.nodes[node].child
        base = 0
        if node:
            if layout_reserve(layout, layout.end + N_BYTES) < 0:
                return -1
            base = find_base(layout, child, slot_of[node]) if child else <Py_ssize_t>NO_CHILDREN
            layout.slots[slot_of[node]] |= <uint64_t>base << BYTE_AND_TOKEN_BITS
        layout.is_base[base] = True
        while child:
            slot_of[child] = base + layout.nodes[child].byte
            layout.slots[slot_of[child]] = (
                <uint64_t>(layout.nodes[child].token + 1) << BYTE_BITS
                | <uint64_t>layout.nodes[child].byte + 1
            )
            layout.end = max(layout.end, slot_of[child] + 1)
            stack[n] = child
            n += 1
            child = layout.nodes[child].sibling
    return 0


cdef int trie_init(Trie* trie, const Draft* draft) noexcept nogil:
    cdef Layout layout
    cdef int failure = -1
    cdef int32_t* stack = <int32_t*> malloc(draft.n * sizeof(int32_t))
    cdef Py_ssize_t* slot_of = <Py_ssize_t*> malloc(draft.n * sizeof(Py_ssize_t))
    memset(&layout, 0, sizeof(Layout))
    layout.nodes, layout.end, layout.first_free = draft.nodes, FIRST_FREE, FIRST_FREE
    if stack != NULL and slot_of != NULL and layout_reserve(&layout, FIRST_FREE) == 0:
        failure = lay_out(&layout, stack, slot_of)
    if failure == 0:
        # After the last slot in use there are as many as a base may reach; in all, whole pages.
        trie.n = (layout.end + N_BYTES + 511) & ~<Py_ssize_t>511
        trie.slots = <uint64_t*> table_alloc(trie.n * sizeof(uint64_t))
        if trie.slots != NULL:
            memcpy(trie.slots, layout.slots, layout.end * sizeof(uint64_t))
    free(stack)
    free(slot_of)
    free(layout.slots)
    free(layout.is_base)
    return 0 if trie.slots != NULL else -1


cdef void trie_free(Trie* trie) noexcept nogil:
    table_free(trie.slots, trie.n * sizeof(uint64_t))
