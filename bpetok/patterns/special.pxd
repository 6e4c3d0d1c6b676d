from libc.stdint cimport int32_t, uint8_t, uint64_t

cdef struct Node:
    int32_t depth             # bytes on the way to it from the root, node 0
    int32_t fail              # the node of the longest proper suffix of these bytes that has one
    int32_t match             # length of the longest token that these bytes end in; 0 if none
    int32_t number            # of the token that these bytes are; -1 if they are none

cdef struct Edge:
    uint64_t origin           # node << 8 | byte
    int32_t child             # 0 if the slot is empty: no edge leads to the root

cdef class SpecialTokens:
    cdef readonly list tokens         # bytes, longest first
    cdef readonly Py_ssize_t longest  # bytes of the longest
    cdef Node* _nodes                 # parents before children
    cdef int32_t _n_nodes
    cdef Edge* _edges                 # a table with open addressing, at most half full
    cdef uint64_t _mask
    cdef int _shift
    cdef Py_ssize_t _n
    cdef uint8_t[256] _is_first       # bytes that a token begins with
    cdef uint64_t[1024] _begins       # a bit for each two bytes that a token may begin with
    cdef Py_ssize_t _n_first          # number of such bytes
    cdef uint8_t _first               # one of them
    cdef uint8_t* _is_seen            # for each token, whether it was found in a text
    cdef bint _are_all_seen           # then there is nothing more to remember

    # The leftmost token in at:end, the longest where several begin; its length is written to
    # `length`. NULL if there is none. Takes time that does not depend on the number of tokens.
    cdef const uint8_t* find(
        self, const uint8_t* at, const uint8_t* end, Py_ssize_t* length
    ) noexcept nogil

    # The place of a token in `tokens`. Requires: token[:n] is one of them.
    cdef int32_t number_of(self, const uint8_t* token, Py_ssize_t n) noexcept nogil

    # Remember that a token was found. Several threads may do so at a time: all write the same.
    # Requires: token[:n] is one of them.
    cdef void see(self, const uint8_t* token, Py_ssize_t n) noexcept nogil

    cdef int add_all(self) except -1
    cdef int32_t add_child(self, int32_t node, uint8_t byte) noexcept nogil
    cdef int32_t child(self, int32_t node, uint8_t byte) noexcept nogil
    cdef int32_t step(self, int32_t node, uint8_t byte) noexcept nogil
    cdef const uint8_t* skip(self, const uint8_t* at, const uint8_t* end) noexcept nogil
