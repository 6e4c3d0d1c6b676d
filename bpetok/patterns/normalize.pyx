"""Where a normalizer may change a text: nearly nowhere, and this says so fast.

A character is a boundary if it has none of the flags that are asked for, and no combining class:
what comes before it has no influence on it, and what it is does not depend on what comes after,
but for those right after it that are no boundaries. So a text is normal but for the spans from one
boundary to the next in which something changes: a character that is never normal, two combining
marks that have to change places, or two characters that become one.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_XDECREF
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcmp, memcpy

from bpetok.base.built_from cimport check_sources
from bpetok.patterns.scan cimport instruction_set, is_white_space

from array import array

check_sources(__name__)

cdef extern from "Python.h":
    # As they are, since the one reference to an object must not be counted twice.
    PyObject* PyBytes_FromStringAndSize(const char* data, Py_ssize_t n)
    int _PyBytes_Resize(PyObject** whole, Py_ssize_t n) except -1

cdef extern from "normal.h":
    const uint16_t normal_block[]
    const uint16_t normal_flags[]
    const uint64_t joined_pairs[]

cdef extern from "suspects.h":
    int NORMAL_BLOCKS
    int JOINED_PAIRS
    Suspects* suspects_new(int flags) noexcept nogil
    int size_of_character(uint8_t lead) noexcept nogil
    size_t next_suspect(
        const Suspects* suspects, int instruction_set, const uint8_t* text, size_t at, size_t n,
        int follows
    ) noexcept nogil

cdef enum:
    MARK = 16
    ACCENT = 32
    LATER = 128
    SECOND = 256
    JOINS = 512
    FLAGS = 1023
    RANK_SHIFT = 10
    ANY_FLAG = FLAGS & ~LATER  # of what is no character of Unicode
    MOST_KNOWN = 1 << 16     # what is remembered of spans, so that it takes no more than some MB
    # Hangul: first letters, vowels, finals, syllables.
    FIRST = 0x1100
    N_FIRSTS = 19
    VOWEL = 0x1161
    N_VOWELS = 21
    FINAL = 0x11A8
    N_FINALS = 27
    SYLLABLE = 0xAC00
    N_SYLLABLES = N_FIRSTS * N_VOWELS * (N_FINALS + 1)

cdef struct Character:
    Py_ssize_t n   # bytes
    uint32_t point
    int flags      # without its rank
    int rank       # see generate_normal.py


cdef inline Character character_at(const uint8_t* at) noexcept nogil:
    # Requires: its bytes can be read.
    cdef uint32_t point
    cdef int n = size_of_character(at[0]), flags = ANY_FLAG
    if n == 1:
        point = at[0]
    elif n == 2:
        point = (at[0] & 31) << 6 | (at[1] & 63)
    elif n == 3:
        point = (at[0] & 15) << 12 | (at[1] & 63) << 6 | (at[2] & 63)
    else:
        point = (at[0] & 7) << 18 | (at[1] & 63) << 12 | (at[2] & 63) << 6 | (at[3] & 63)
    if point >> 6 < <uint32_t> NORMAL_BLOCKS:
        flags = normal_flags[normal_block[point >> 6] * 64 + (point & 63)]
    return Character(n, point, flags & FLAGS, flags >> RANK_SHIFT)


cdef inline Character character_before(
    const uint8_t* text, Py_ssize_t first, Py_ssize_t at
) noexcept nogil:
    # The character of text[first:] that ends at `at`. Requires: first < at.
    cdef Py_ssize_t before = at - 1
    while before > first and text[before] & 0xC0 == 0x80:
        before -= 1
    if size_of_character(text[before]) != at - before:
        return Character(at - before, 0, ANY_FLAG, 0)  # it is not UTF-8
    return character_at(text + before)


cdef bint are_joined(uint32_t left, uint32_t right) noexcept nogil:
    # Whether NFC makes one character of two.
    cdef uint64_t pair = <uint64_t> left << 32 | right
    cdef Py_ssize_t low = 0, high = JOINED_PAIRS, middle
    if VOWEL <= right < VOWEL + N_VOWELS:
        return FIRST <= left < FIRST + N_FIRSTS
    if FINAL <= right < FINAL + N_FINALS:
        return (
            SYLLABLE <= left < SYLLABLE + N_SYLLABLES and (left - SYLLABLE) % (N_FINALS + 1) == 0
        )
    while low < high:
        middle = (low + high) >> 1
        if joined_pairs[middle] < pair:
            low = middle + 1
        else:
            high = middle
    return low < JOINED_PAIRS and joined_pairs[low] == pair


def strip_accents(str text not None):
    """Return a text without its combining marks, those of Unicode 9.0."""
    cdef Py_UCS4 character
    cdef uint32_t point
    cdef list kept = []
    for character in text:
        point = <uint32_t> character
        if not normal_flags[normal_block[point >> 6] * 64 + (point & 63)] & ACCENT:
            kept.append(character)
    return "".join(kept)


def holds(const uint8_t[::1] text not None, bytes string not None) -> bool:
    """Tell whether a text holds a string, which is not empty; far sooner than `in`."""
    cdef Py_ssize_t i, end, at = 0, m = len(string), n = text.shape[0] - m + 1
    cdef const uint8_t* data
    cdef const uint8_t* wanted = string
    cdef uint8_t first, last, found
    if m == 0:
        raise ValueError("string must not be empty")
    if n <= 0:
        return False
    data, first, last = &text[0], wanted[0], wanted[m - 1]
    with nogil:
        while at < n:
            end, found = min(at + 4096, n), 0
            for i in range(at, end):  # which is done for many bytes at a time
                found |= (data[i] == first) & (data[i + m - 1] == last)
            if found:
                for i in range(at, end):
                    if data[i] == first and memcmp(data + i, wanted, m) == 0:
                        with gil:
                            return True
            at = end
    return False


cdef inline const uint8_t* start_of(const uint8_t[::1] data) noexcept:
    return &data[0] if data.shape[0] else NULL


cdef int check_ends(const uint8_t[::1] data, const int64_t[::1] ends) except -1:
    # Whether texts end one after another, and none after the data.
    cdef Py_ssize_t i
    cdef int64_t before = 0
    for i in range(ends.shape[0]):
        if ends[i] < before:
            raise ValueError("ends must ascend")
        before = ends[i]
    if before > data.shape[0]:
        raise IndexError("ends must lie within data")
    return 0


def have_space_at_ends(const uint8_t[::1] data not None, const int64_t[::1] ends not None) -> bool:
    """Tell whether one of some texts begins or ends with white space.

    Where one is not UTF-8 it may say either.

    Parameters
    ----------
    data : buffer of bytes
        Texts in UTF-8, one after another.
    ends : int64 array, ascending, at most len(data)
        Where each text ends; the first begins at 0.
    """
    cdef Py_ssize_t i, begin = 0, end
    cdef const uint8_t* text = start_of(data)
    check_ends(data, ends)
    for i in range(ends.shape[0]):
        end = ends[i]
        if begin < end and (
            begin + size_of_character(text[begin]) > end
            or is_white_space(character_at(text + begin).point)
            or is_white_space(character_before(text, begin, end).point)
        ):
            return True
        begin = end
    return False


cdef inline void strip_ends(
    const uint8_t* text, Py_ssize_t* begin, Py_ssize_t* end, bint left, bint right
) noexcept nogil:
    # Moves `begin` and `end` past the white space at the ends of text[begin:end].
    cdef Character c
    while left and begin[0] < end[0]:
        if begin[0] + size_of_character(text[begin[0]]) > end[0]:
            break  # it is not UTF-8
        c = character_at(text + begin[0])
        if not is_white_space(c.point):
            break
        begin[0] += c.n
    while right and begin[0] < end[0]:
        c = character_before(text, begin[0], end[0])
        if not is_white_space(c.point):
            break
        end[0] -= c.n


def strip_spaces(bytes text not None, bint left, bint right):
    """Return a text in UTF-8 without the white space at one or both of its ends."""
    cdef Py_ssize_t begin = 0, end = len(text)
    strip_ends(text, &begin, &end, left, right)
    return text[begin:end]


@cython.final
cdef class Output:
    # Bytes that are written one after another, where the bytes object is made of them.
    cdef PyObject* whole
    cdef uint8_t* data
    cdef Py_ssize_t n, room

    def __cinit__(self, Py_ssize_t room):
        self.whole = PyBytes_FromStringAndSize(NULL, room)
        if self.whole == NULL:
            raise MemoryError(f"no memory for a text of {room} bytes")
        self.data, self.room = <uint8_t*> PyBytes_AS_STRING(<bytes> self.whole), room

    def __dealloc__(self):
        Py_XDECREF(self.whole)

    cdef int resize(self, Py_ssize_t room) except -1:
        # No reference to the object may be held here but the one.
        if _PyBytes_Resize(&self.whole, room) < 0:
            raise MemoryError(f"no memory for a text of {room} bytes")
        self.data, self.room = <uint8_t*> PyBytes_AS_STRING(<bytes> self.whole), room
        return 0

    cdef int write(self, const void* source, Py_ssize_t n) except -1:
        if n > self.room - self.n:
            self.resize(2 * (self.n + n))
        if n:
            memcpy(self.data + self.n, source, n)
            self.n += n
        return 0

    cdef bytes finish(self):
        # Nothing may be written after that.
        self.resize(self.n)
        return <bytes> self.whole


cdef bint is_changed(
    const uint8_t* text, Py_ssize_t first, Py_ssize_t at, Character c, int flags
) noexcept nogil:
    # Whether something changes at the character `c` at `at`, which has one of the flags, after
    # text[first:at], where nothing does.
    cdef Character before
    if c.flags & flags & ~(MARK | SECOND):
        return True
    if at == first:
        return False
    before = character_before(text, first, at)
    if c.flags & before.flags & flags & MARK and before.rank > c.rank:
        return True
    if not c.flags & flags & SECOND:
        return False
    if before.flags & MARK:
        if before.rank >= c.rank:
            return False  # what is between it and what it may join keeps it off
        while before.flags & MARK and at - before.n > first:
            at -= before.n
            before = character_before(text, first, at)
    # It may also join what comes before the last mark in a letter with marks.
    return before.rank > c.rank > 0 or are_joined(before.point, c.point)


@cython.final
cdef class LocalNormalizer:
    """Applies steps that look at a character and those right before it. Threads may share it.

    Parameters
    ----------
    flags : int
        Of the characters that change (`generate_normal.py`). MARK is for the canonical order,
        SECOND for joining characters.
    change : callable
        Returns what becomes of a span of a text; bytes to bytes, both UTF-8.
    """

    def __cinit__(self, int flags, change):
        self.flags, self.change = flags, change
        self.known = {}
        self.suspects = suspects_new(flags)
        if self.suspects == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.suspects)

    cdef Py_ssize_t first_change(
        self, const uint8_t* text, Py_ssize_t at, Py_ssize_t n
    ) noexcept nogil:
        # The first character of text[at:n] at which something changes, n if there is none.
        # Requires: nothing before `at` has an influence on what comes after.
        cdef Py_ssize_t first = at
        cdef Character c
        while True:
            at = next_suspect(self.suspects, instruction_set, text, at, n, at > first)
            if at == n:
                return n
            c = character_at(text + at)
            if is_changed(text, first, at, c, self.flags):
                return at
            at += c.n

    cdef Py_ssize_t begin_of(
        self, const uint8_t* text, Py_ssize_t first, Py_ssize_t at
    ) noexcept nogil:
        # Where the span of a change at `at` begins: there, if what becomes of it does not depend on
        # what comes before, otherwise at `first` or the last boundary. Full-width punctuation does
        # not: with the character before it, it would be another span after each letter; 12 MB of
        # mixed text have 102 different ones so, not 1,605. Requires: valid UTF-8, here and below.
        cdef Character c
        if not character_at(text + at).flags & JOINS:
            return at
        while at > first:
            c = character_before(text, first, at)
            if c.flags & LATER:
                break  # it is too new to become one with others
            at -= c.n
            if not c.flags & self.flags:
                break
        return at

    cdef Py_ssize_t end_of(
        self, const uint8_t* text, Py_ssize_t at, Py_ssize_t n
    ) noexcept nogil:
        # Where the span of a change at `at` ends: at the next boundary.
        cdef Character c
        while at < n:
            c = character_at(text + at)
            if not c.flags & self.flags:
                break
            at += c.n
        return at

    cdef bytes changed(self, const uint8_t* span, Py_ssize_t n):
        # What becomes of a span. The same few come again and again.
        cdef bytes old = span[:n]
        new = self.known.get(old)
        if new is None:
            if len(self.known) >= MOST_KNOWN:
                self.known.clear()
            new = self.known[old] = self.change(old)
        return new

    cdef bytes change_from(self, const uint8_t* text, Py_ssize_t n, Py_ssize_t at):
        # What becomes of a text in which `at` is the first change.
        cdef Output out = Output(n + n // 16 + 64)
        cdef Py_ssize_t begin, end, done = 0
        cdef bytes new
        while at < n:
            begin, end = self.begin_of(text, done, at), self.end_of(text, at, n)
            new = self.changed(text + begin, end - begin)
            out.write(text + done, begin - done)
            out.write(PyBytes_AS_STRING(new), PyBytes_GET_SIZE(new))
            done = end
            with nogil:
                at = self.first_change(text, end, n)
        out.write(text + done, n - done)
        return out.finish()

    def normalize(self, bytes text not None):
        """Return what becomes of a text in UTF-8."""
        cdef const uint8_t* data = text
        cdef Py_ssize_t at = self.first_change(data, 0, len(text))
        return text if at == len(text) else self.change_from(data, len(text), at)

    def normalize_texts(self, data not None, const int64_t[::1] ends not None):
        """Normalize texts that lie one after another in memory.

        Parameters
        ----------
        data : buffer of bytes
            Texts in UTF-8.
        ends : int64 array, ascending, at most len(data)
            Where each text ends; the first begins at 0.

        Returns
        -------
        tuple of (bytes, array of int64)
            The texts, and where each ends; what was given, not a copy, if nothing changes.
        """
        cdef const uint8_t[::1] texts = data
        cdef Output out = Output(texts.shape[0] + texts.shape[0] // 16 + 64)
        cdef Py_ssize_t i, n, at, span, end, begin = 0, done = 0
        cdef const uint8_t* start = start_of(texts)
        cdef bytes new
        # Not appended to: for 12 MB of texts of 1,000 characters that takes 0.7 ms more.
        new_ends = array("q", [0]) * ends.shape[0]
        cdef int64_t[::1] at_end = new_ends
        check_ends(texts, ends)
        for i in range(ends.shape[0]):
            end, n = 0, ends[i] - begin
            while True:
                at = self.first_change(start + begin, end, n)
                if at == n:
                    break
                span = self.begin_of(start + begin, end, at)
                end = self.end_of(start + begin, at, n)
                new = self.changed(start + begin + span, end - span)
                out.write(start + done, begin + span - done)
                out.write(PyBytes_AS_STRING(new), PyBytes_GET_SIZE(new))
                done = begin + end
            begin = ends[i]
            at_end[i] = out.n + begin - done
        if done == 0 and begin == texts.shape[0]:
            return data, new_ends
        out.write(start + done, begin - done)
        return out.finish(), new_ends

    def spans(self, bytes text not None):
        """Return the spans of a text in UTF-8 that may change, in bytes: start, end, start...

        Each as short as can be, since offsets of ids are told by them: of a word in capitals each
        letter is one.
        """
        cdef const uint8_t* data = text
        cdef Py_ssize_t at = 0, end = 0, n = len(text)
        cdef Character c
        spans = array("q")
        while True:
            at = self.first_change(data, end, n)
            if at == n:
                return spans
            spans.append(self.begin_of(data, end, at))
            end = at + character_at(data + at).n
            while end < n:
                c = character_at(data + end)
                if not (c.flags & self.flags and c.flags & JOINS):
                    break  # what comes before has no influence on it
                end += c.n
            spans.append(end)

    def is_normal(self, const uint8_t[::1] text not None):
        """Tell whether a text stays as it is, and each part of it, too.

        Where the text is not UTF-8 it may say either.
        """
        cdef Py_ssize_t n = text.shape[0], at
        if n == 0:
            return True
        with nogil:
            at = self.first_change(&text[0], 0, n)
        return at == n

    def is_border(self, const uint8_t[::1] text not None, Py_ssize_t at):
        """Tell whether neither of the two characters at a place changes.

        Then the texts before and after it are normalized as the whole is.

        Requires: 0 < at < len(text); both characters are whole.
        """
        cdef int plain = self.flags | MARK | LATER
        if not 0 < at < text.shape[0]:
            raise IndexError(f"0 < {at} < {text.shape[0]} must hold")
        return not (
            character_before(&text[0], 0, at).flags | character_at(&text[at]).flags
        ) & plain


def strip_texts(
    const uint8_t[::1] data not None, const int64_t[::1] ends not None, bint left, bint right
):
    """Strip texts that lie one after another in memory; see `LocalNormalizer.normalize_texts`."""
    cdef Output out = Output(data.shape[0])
    cdef Py_ssize_t i, begin = 0, first, end
    cdef const uint8_t* start = start_of(data)
    new_ends = array("q", [0]) * ends.shape[0]
    cdef int64_t[::1] at_end = new_ends
    check_ends(data, ends)
    for i in range(ends.shape[0]):
        first, end = begin, ends[i]
        strip_ends(start, &first, &end, left, right)
        out.write(start + first, end - first)
        at_end[i] = out.n
        begin = ends[i]
    return out.finish(), new_ends


def prefix_texts(const uint8_t[::1] data not None, const int64_t[::1] ends not None):
    """Put a space before each text that begins with another character; the same."""
    cdef Output out = Output(data.shape[0] + ends.shape[0])
    cdef Py_ssize_t i, begin = 0
    cdef const uint8_t* start = start_of(data)
    new_ends = array("q", [0]) * ends.shape[0]
    cdef int64_t[::1] at_end = new_ends
    check_ends(data, ends)
    for i in range(ends.shape[0]):
        if begin < ends[i] and start[begin] != 32:
            out.write(b" ", 1)
        out.write(start + begin, ends[i] - begin)
        at_end[i] = out.n
        begin = ends[i]
    return out.finish(), new_ends
