from libc.stdint cimport int32_t, uint8_t, uint64_t

cdef enum:
    BYTE_BITS = 9            # of a slot: byte + 1, so that an empty slot holds none
    TOKEN_BITS = 27          # token + 1, 0 if the way to the node spells none
    BYTE_AND_TOKEN_BITS = BYTE_BITS + TOKEN_BITS  # and above them the base
    BYTE_MASK = (1 << BYTE_BITS) - 1
    TOKEN_MASK = (1 << TOKEN_BITS) - 1

cdef struct Trie:
    # A double array: the child of a node for a byte is in slot `base` + byte, if that slot
    # holds the byte. No two nodes with children have the same base, so that is proof enough: if
    # slot 1000 holds 97 (`a`), it can only be the child of the node whose base is 903.
    uint64_t* slots
    Py_ssize_t n

cdef struct Node:
    int32_t child            # the first one, 0 if there is none
    int32_t sibling          # the next child of the same parent, 0 if there is none
    int32_t parent
    int32_t token            # -1 if the way to the node spells none
    int32_t byte

cdef struct Draft:
    # A trie while it grows. Node 0 is the root.
    Node* nodes
    Py_ssize_t n
    Py_ssize_t room


cdef inline int32_t longest_match(
    const Trie* trie, const uint8_t* text, Py_ssize_t n, Py_ssize_t* length
) noexcept nogil:
    # The longest token that text[:n] begins with, and its bytes. Requires: n > 0, a token for each
    # byte. Branches, not conditional moves: where the processor guesses a branch right, it need not
    # wait for what decides it.
    cdef uint64_t slot, found = 0, base = 0
    cdef Py_ssize_t i
    for i in range(n):
        slot = trie.slots[base + text[i]]
        if (slot & BYTE_MASK) != <uint64_t>text[i] + 1:
            break
        if slot >> BYTE_BITS & TOKEN_MASK:
            found, length[0] = slot, i + 1
        base = slot >> BYTE_AND_TOKEN_BITS
    return <int32_t>(found >> BYTE_BITS & TOKEN_MASK) - 1


# A draft that is only a root; -1 if there is no memory. It must be freed also then.
cdef int draft_init(Draft* draft) noexcept nogil
cdef void draft_free(Draft* draft) noexcept nogil

# The child of a node for a byte, made where it is missing; -1 if there is no memory.
cdef int32_t draft_child(Draft* draft, int32_t node, uint8_t byte) noexcept nogil

# Lay the draft out; -1 if there is no memory. Requires: `trie` is zeroed. It must be freed also
# after -1.
cdef int trie_init(Trie* trie, const Draft* draft) noexcept nogil
cdef void trie_free(Trie* trie) noexcept nogil
