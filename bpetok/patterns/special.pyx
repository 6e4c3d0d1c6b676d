"""Find special tokens in text: leftmost first, and the longest where several begin.

All tokens are searched for at once, by the automaton of A. V. Aho and M. J. Corasick ("Efficient
string matching", 1975): a trie of the tokens, in which each node knows where to go on if the next
byte leads nowhere. So each byte of a text is looked at about once, however many tokens there are.
With the tokens "ab" and "bcd", after "ab" comes "b" (what is left of "ab" and begins a token), from
where "c" and "d" lead on.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memchr

from bpetok.base.built_from cimport check_sources

import os

check_sources(__name__)

# Random, so that no file of tokens can make long chains in the table of edges.
cdef uint64_t MULTIPLIER = int.from_bytes(os.urandom(8), "little") | 1


cdef class SpecialTokens:
    """The special tokens of a text, ready to be searched for.

    Parameters
    ----------
    tokens : iterable of bytes
        Not empty and all different; the caller has checked.
    """

    def __cinit__(self, tokens):
        cdef Py_ssize_t most_nodes, n_slots = 16
        self.tokens = sorted(tokens, key=len, reverse=True)
        self._n = len(self.tokens)
        self.longest = len(self.tokens[0]) if self.tokens else 0
        if self._n == 0:
            return
        most_nodes = 1 + sum(map(len, self.tokens))
        if most_nodes >= 1 << 31:
            raise ValueError("special tokens must be less than 2**31 bytes long together")
        self._shift = 64 - 4
        while n_slots < 2 * most_nodes:
            n_slots *= 2
            self._shift -= 1
        self._mask = n_slots - 1
        self._nodes = <Node*> malloc(most_nodes * sizeof(Node))
        self._edges = <Edge*> calloc(n_slots, sizeof(Edge))
        self._is_seen = <uint8_t*> calloc(self._n, 1)
        if self._nodes == NULL or self._edges == NULL or self._is_seen == NULL:
            raise MemoryError
        self._nodes[0] = Node(0, 0, 0, -1)
        self._n_nodes = 1
        self.add_all()

    def __dealloc__(self):
        free(self._nodes)
        free(self._edges)
        free(self._is_seen)

    cdef int add_all(self) except -1:
        # The first bytes of all tokens come first, then all second ones, and so on: where a node
        # fails to has less depth, so it is there already.
        cdef Py_ssize_t depth, i, n
        cdef int32_t node
        cdef uint8_t byte, second
        cdef bytes token
        cdef list nodes = [0] * self._n
        for depth in range(self.longest):
            for i in range(self._n):
                token = self.tokens[i]
                n = PyBytes_GET_SIZE(token)
                if n <= depth:
                    break  # the tokens after it are no longer
                byte = <uint8_t> PyBytes_AS_STRING(token)[depth]
                node = self.add_child(nodes[i], byte)
                nodes[i] = node
                if n == depth + 1:
                    self._nodes[node].match, self._nodes[node].number = <int32_t> n, <int32_t> i
        for token in self.tokens:
            self._first = token[0]
            self._n_first += not self._is_first[self._first]
            self._is_first[self._first] = 1
            if len(token) > 1:
                second = token[1]
                self._begins[self._first << 2 | second >> 6] |= <uint64_t> 1 << (second & 63)
            else:
                for i in range(4):
                    self._begins[self._first << 2 | i] = ~<uint64_t> 0
        return 0

    cdef int32_t add_child(self, int32_t node, uint8_t byte) noexcept nogil:
        # The child of a node for a byte, made if it is not there.
        cdef uint64_t origin = <uint64_t> node << 8 | byte
        cdef uint64_t at = origin * MULTIPLIER >> self._shift
        cdef int32_t fail
        while self._edges[at].child != 0:
            if self._edges[at].origin == origin:
                return self._edges[at].child
            at = (at + 1) & self._mask
        fail = self.step(self._nodes[node].fail, byte) if node else 0
        self._nodes[self._n_nodes] = Node(
            self._nodes[node].depth + 1, fail, self._nodes[fail].match, -1
        )
        self._edges[at] = Edge(origin, self._n_nodes)
        self._n_nodes += 1
        return self._n_nodes - 1

    cdef int32_t child(self, int32_t node, uint8_t byte) noexcept nogil:
        # The child of a node for a byte; 0 if there is none.
        cdef uint64_t origin = <uint64_t> node << 8 | byte
        cdef uint64_t at = origin * MULTIPLIER >> self._shift
        while self._edges[at].child != 0 and self._edges[at].origin != origin:
            at = (at + 1) & self._mask
        return self._edges[at].child

    cdef int32_t step(self, int32_t node, uint8_t byte) noexcept nogil:
        # The node of the longest end of (the bytes of the node, byte) that has one.
        cdef int32_t child = self.child(node, byte)
        while child == 0 and node != 0:
            node = self._nodes[node].fail
            child = self.child(node, byte)
        return child

    cdef const uint8_t* skip(self, const uint8_t* at, const uint8_t* end) noexcept nogil:
        # The first place where a token may begin; NULL if there is none.
        while at < end:
            if self._n_first == 1:
                at = <const uint8_t*> memchr(at, self._first, end - at)
                if at == NULL:
                    return NULL
            else:
                while not self._is_first[at[0]]:
                    at += 1
                    if at == end:
                        return NULL
            if at + 1 == end or self._begins[at[0] << 2 | at[1] >> 6] >> (at[1] & 63) & 1:
                return at
            at += 1
        return NULL

    cdef const uint8_t* find(
        self, const uint8_t* at, const uint8_t* end, Py_ssize_t* length
    ) noexcept nogil:
        cdef const uint8_t* found = NULL
        cdef int32_t node = 0, match
        if self._n == 0:
            return NULL
        while at < end:
            if node == 0:
                at = self.skip(at, end)
                if at == NULL:
                    return NULL
            node = self.step(node, at[0])
            at += 1
            # What may become a token now begins here. It must not begin after the one found.
            if found != NULL and at - self._nodes[node].depth > found:
                break
            match = self._nodes[node].match
            if match and (found == NULL or at - match <= found):
                found, length[0] = at - match, match
        return found

    cdef int32_t number_of(self, const uint8_t* token, Py_ssize_t n) noexcept nogil:
        cdef int32_t node = 0
        cdef Py_ssize_t i
        for i in range(n):
            node = self.child(node, token[i])
        return self._nodes[node].number

    cdef void see(self, const uint8_t* token, Py_ssize_t n) noexcept nogil:
        cdef int32_t number
        if self._are_all_seen:
            return
        number = self.number_of(token, n)
        if not self._is_seen[number]:
            self._is_seen[number] = 1
            self._are_all_seen = memchr(self._is_seen, 0, self._n) == NULL

    def see_all(self, tokens):
        """Remember that tokens, an iterable of bytes, were found in a text."""
        for token in tokens:
            self._is_seen[self.tokens.index(token)] = 1

    def unseen(self):
        """Return the list of the tokens that were not found in a text whose words were counted."""
        return [token for i, token in enumerate(self.tokens) if not self._is_seen[i]]

    def spans(self, const uint8_t[::1] text not None):
        """Return the list of (start, end) of the special tokens in `text`, in bytes, in order."""
        cdef const uint8_t* begin
        cdef const uint8_t* at
        cdef const uint8_t* end
        cdef Py_ssize_t length = 0
        found = []
        if text.shape[0] == 0:
            return found
        begin = at = &text[0]
        end = begin + text.shape[0]
        while True:
            at = self.find(at, end, &length)
            if at == NULL:
                return found
            found.append((at - begin, at - begin + length))
            at += length

    def first_across(self, const uint8_t[::1] text not None, Py_ssize_t at):
        """Return where the first token begins that has bytes on both sides of `at`, or -1.

        Every place is looked at where a token's bytes are, also inside another token.
        """
        cdef const uint8_t* data
        cdef const uint8_t* found
        cdef Py_ssize_t length = 0
        if not 0 < at < text.shape[0]:
            return -1
        data = &text[0]
        found = data + max(0, at - self.longest + 1)
        while True:
            found = self.find(found, data + min(text.shape[0], at + self.longest), &length)
            if found == NULL or found >= data + at:
                return -1
            if found + length > data + at:
                return found - data
            found += 1
